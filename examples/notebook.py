"""Payment links in a notebook.

Start a sandbox, `plexypay sandbox`, and paste the lines that it prints. Then open this file as a notebook
(VS Code and PyCharm do), turn it into one, or run it as a script::

    jupytext --to ipynb examples/notebook.py
    python examples/notebook.py

Its cells make links as soon as they run, so they run against a sandbox alone, unless `IN_MY_ACCOUNT` is True.

A notebook's cells run where an event loop runs already. `PlexyPay` does not mind: its calls run on a loop of
its own and need no ``await``.
"""

# %% One client for the notebook.
import os
import sys
from collections import Counter
from urllib.parse import urlsplit

from plexypay_sync import CreatePaymentLink, NotFoundError, PlexyPay

IN_MY_ACCOUNT = False  # True: the links below are made in the account of PLEXYPAY_API_KEY

is_sandbox = urlsplit(os.environ.get("PLEXYPAY_BASE_URL", "")).hostname in ("127.0.0.1", "::1", "localhost")
if not os.environ.get("PLEXYPAY_API_KEY") or not (is_sandbox or IN_MY_ACCOUNT):
    sys.exit(
        "start `plexypay sandbox`, and the notebook with the PLEXYPAY_ variables that it prints; with the key"
        " of your account, set IN_MY_ACCOUNT = True, and know that it makes 21 links there"
    )
plexy = PlexyPay()

# %% One link; the amount is in minor units. Run again, the cell finds the link that it has made.
link = plexy.payment_links.create_or_retrieve(amount=2_200_000, currency="KZT", order_reference="NB-0")
print(link.order_reference, link.status, link.url)

# %% Many links. A cell that ran before, run again, reports which orders have their links already.
requests = [
    CreatePaymentLink(amount=100 * number, currency="KZT", order_reference=f"NB-{number}")
    for number in range(1, 21)
]
outcomes = Counter(
    "created" if result.error is None else str(result.error)
    for result in plexy.payment_links.create_many(requests)
)
print(dict(outcomes))

# %% All of them: pages are fetched while the items are read.
links = [item for item in plexy.payment_links.list(size=10) if (item.order_reference or "").startswith("NB-")]
print(len(links), "links over", sum(item.amount for item in links) / 100, "KZT")

# %% An error shows the cell's own line and says what became of the call.
try:
    plexy.payment_links.retrieve("none")
except NotFoundError as error:
    print(error.outcome, error)
