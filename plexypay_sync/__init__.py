"""Plexy Pay for code without an event loop: the same names as `plexypay_async`, without await.

    from plexypay_sync import Money, PlexyPay

    with PlexyPay() as plexy:  # the key is in PLEXYPAY_API_KEY
        price = Money.major("22000.50", "KZT")
        link = plexy.payment_links.create(
            amount=price.amount, currency=price.currency, order_reference="order-1001"
        )
        print(link.url)

Where to look:
    help(PlexyPay): the client of the Pay API, its options and its groups of calls; the others are
        `PlexyGate` (digital goods for agents) and `PlexyCheckout` (the server's side of Checkout).
    help(plexy.payment_links): what the calls of a group do.
    help(plexy.payment_links.create): what a call takes, returns and raises.
    help(PaymentLink): what an answer has, and in which unit each amount is.
    help(PlexyPayError): what every error tells; its `outcome` says whether the call has done its work.
    help(WebhookReceiver): how the deliveries of webhooks are checked and read.
    dir(plexypay_sync): every name.

Names are imported when they are first used.

PYTEST_DONT_REWRITE: so that pytest does not warn where this is imported before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Checkers see the names themselves, and so report one that is misspelt.
    from plexypay_async._names import *

    from .checkout import PlexyCheckout as PlexyCheckout
    from .gate import PlexyGate as PlexyGate
    from .pagination import Pages as Pages
    from .pay import PlexyPay as PlexyPay
else:
    _OWN = {
        "Pages": "plexypay_sync.pagination",
        "PlexyCheckout": "plexypay_sync.checkout",
        "PlexyGate": "plexypay_sync.gate",
        "PlexyPay": "plexypay_sync.pay",
    }

    def __getattr__(name: str) -> object:
        from plexypay_async._lazy import imported

        return imported(globals(), name, _OWN)

    def __dir__() -> list[str]:
        from plexypay_async._lazy import names_of

        return sorted({*globals(), *names_of(_OWN)})
