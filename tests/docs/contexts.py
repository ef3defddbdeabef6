"""What the fragments of the docs lean on: names for Python, files and variables for commands.

A block says ``<!-- run: in=NAME -->``. The blocks of a page with the same name run one after the other, in
one context, which is made anew for each page.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
from aiohttp import web

from plexypay_async import (
    Address,
    AsyncPlexyPay,
    BrowserDetails,
    Card,
    CustomerDetails,
    OrderDetails,
    Outcome,
    TransactionEvent,
    encrypt_card,
)
from plexypay_async.sandbox import Sandbox
from plexypay_sync import CreatePaymentLink

from .blocks import ROOT

TOKEN = "whk_0123456789abcdef"
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"

# `plexypay` as it is installed, but of this tree, and on a free port where it would serve on its usual one.
_COMMAND = """#!/bin/sh
case "$1" in sandbox|listen) set -- "$@" --port 0 ;; esac
exec {python} -m plexypay_async.cli "$@"
"""


@attrs.define
class Place:
    """An empty directory, the present one, and a sandbox that the environment names."""

    directory: Path
    sandbox: Sandbox
    stdin: str = ""
    """What commands read."""
    elsewhere: dict[str, str] = attrs.Factory(dict[str, str])
    """Addresses and ids that a block prints, which are the reader's own, and what stands for each here."""

    def here(self, printed: str) -> str:
        """Return a block with what stands here for the reader's own."""
        for theirs, ours in self.elsewhere.items():
            printed = printed.replace(theirs, ours)
        return printed

    def environment(self) -> dict[str, str]:
        """Return the variables of a program, those of the developer's shell left out."""
        return {
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            **self.variables(),
        }

    def variables(self) -> dict[str, str]:
        """Return the variables that name the sandbox, as ``plexypay sandbox`` prints them."""
        url, key = self.sandbox.base_url, self.sandbox.api_key
        return {
            "PLEXYPAY_BASE_URL": url,
            "PLEXYPAY_API_KEY": key,
            "PLEXYPAY_WEBHOOK_TOKEN": TOKEN,
            "PLEXYPAY_CHECKOUT_BASE_URL": url,
            "PLEXYPAY_CHECKOUT_API_KEY": key,
            "PLEXYPAY_MERCHANT_ACCOUNT": "Shop",
            "PLEXYPAY_GATE_BASE_URL": url,
            "PLEXYPAY_GATE_API_KEY": key,
            "PLEXYPAY_GATE_AGENT_ID": AGENT,
        }

    @property
    def programs(self) -> Path:
        """The directory of `plexypay` and `python`."""
        return self.directory.parent / f"{self.directory.name}.bin"

    def make_programs(self) -> None:
        """Make them."""
        self.programs.mkdir()
        self.write_program("plexypay", _COMMAND.format(python=sys.executable))
        self.write_program("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')

    def write_program(self, name: str, text: str) -> None:
        """Make a program that commands find."""
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def client(self, **options: Any) -> AsyncPlexyPay:
        """Return a client of the sandbox."""
        return AsyncPlexyPay(self.sandbox.api_key, base_url=self.sandbox.base_url, **options)


Names: TypeAlias = dict[str, Any]


@asynccontextmanager
async def _client(place: Place) -> AsyncIterator[Names]:
    """A client, and more links than a page has."""
    async with place.client() as plexy:
        for number in range(3):
            await plexy.payment_links.create(amount=100, currency="KZT", order_reference=f"OPEN-{number}")
        yield {"plexy": plexy, "sandbox": place.sandbox}


@asynccontextmanager
async def _job(place: Place) -> AsyncIterator[Names]:
    """A client, and the requests of a job."""
    async with place.client() as plexy:
        requests = [
            CreatePaymentLink(amount=100 + number, currency="KZT", order_reference=f"ORD-{number}")
            for number in range(5)
        ]
        yield {"plexy": plexy, "requests": requests}
    assert len(place.sandbox.payment_links()) == len(requests)


@asynccontextmanager
async def _refused(place: Place) -> AsyncIterator[Names]:
    """A client whose every call is refused for being too many."""
    place.sandbox.faults.add("status=429,retry_after=1")
    told: list[tuple[Any, ...]] = []
    async with place.client() as plexy:
        yield {"plexy": plexy, "print": lambda *values: told.append(values)}
    assert told == [(429, Outcome.REJECTED, "1")]
    assert place.sandbox.payment_links() == []


@asynccontextmanager
async def _paid(place: Place) -> AsyncIterator[Names]:
    """A client, and a link that its customer has paid, to be captured by hand."""
    async with place.client() as plexy:
        link = await plexy.payment_links.create(amount=2_200_000, currency="KZT", auto_clearing=False)
        place.sandbox.pay(link.id)
        yield {"plexy": plexy, "link": link}


@asynccontextmanager
async def _paying(place: Place) -> AsyncIterator[Names]:
    """A sandbox, a client of it, and a link that nobody has paid."""
    async with place.client() as plexy:
        link = await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")
        yield {"sandbox": place.sandbox, "plexy": plexy, "link": link}


@asynccontextmanager
async def _challenged(place: Place) -> AsyncIterator[Names]:
    """A client, and a direct payment that asks for 3-D Secure."""
    async with place.client() as plexy:
        keys = await plexy.direct_payments.keys()
        card = Card(
            "4111111111111111", expiry_month=7, expiry_year=2033, cvv="123", cardholder_name="John Doe"
        )
        address = Address(
            first_name="John",
            last_name="Doe",
            address_line1="Main Street 1",
            address_line2="",
            postal_code="80331",
            phone="+491234567",
            country="DE",
        )
        payment = await plexy.direct_payments.create(
            terminal_id="t-1",
            transaction_type="sale",
            order_details=OrderDetails(amount=Decimal("56.41"), currency="EUR", order_reference="ORD-1"),
            card_data=encrypt_card(card, keys.raw["data"][0]["publicKey"]),
            browser_details=BrowserDetails.from_headers(
                {"Accept": "text/html", "User-Agent": "Mozilla/5.0", "Accept-Language": "kk-KZ"},
                color_depth="24",
                screen_height="1080",
                screen_width="1920",
                time_zone="-300",
            ),
            customer_details=CustomerDetails(billing_address=address),
            three_ds_notification_url="https://shop.example/3ds",
        )
        assert payment.requires_3ds
        names: Names = {"plexy": plexy, "payment": payment}
        yield names
        assert names["payment"].success


@asynccontextmanager
async def _receiver(place: Place) -> AsyncIterator[Names]:
    """A server that answers each webhook with 200, at the address that blocks have for it."""

    async def receive(request: web.Request) -> web.Response:
        return web.Response()

    application = web.Application()
    application.router.add_post("/webhooks", receive)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place.elsewhere["http://localhost:8000"] = "http://127.0.0.1:{1}".format(*runner.addresses[0])
    yield {}
    await runner.cleanup()


@attrs.frozen
class _Request:
    """A request of a web framework's."""

    headers: Mapping[str, str]


@asynccontextmanager
async def _delivery(place: Place) -> AsyncIterator[Names]:
    """A delivery of a charged payment, its order, and a shop with a database."""
    body = (ROOT / "tests/contract/examples/webhook-transaction.json").read_bytes()
    told: list[Any] = []
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE webhooks (key TEXT PRIMARY KEY);"
        "CREATE TABLE orders (reference TEXT, state TEXT); INSERT INTO orders VALUES ('ORD-1', 'open');"
    )
    names: Names = {
        "token": TOKEN,
        "new_token": f"{TOKEN}-new",
        "old_token": TOKEN,
        "request": _Request({"Authorization": f"Bearer {TOKEN}"}),
        "body": body,
        "mark_as_paid": told.append,
        "send_receipt": told.append,
        "database": database,
        "reference": "ORD-1",
    }
    yield names
    event = names["event"]
    assert isinstance(event, TransactionEvent)
    # By the shop's own function, and by the receipt's, which is sent once.
    assert told == [event.transaction.order_reference] * 2
    assert database.execute("SELECT state FROM orders").fetchone() == ("paid",)
    database.close()


@asynccontextmanager
async def _invoices(place: Place) -> AsyncIterator[Names]:
    """Files of invoices, and a program that writes one."""
    rows = "amount,currency,order_reference\n100,KZT,ORD-1\n200,KZT,ORD-2\n"
    for name in ("invoices.csv", "orders.csv"):
        if not (place.directory / name).exists():
            (place.directory / name).write_text(rows)
    lines = [f'{{"amount": 100, "currency": "KZT", "order_reference": "G-{n}"}}' for n in range(3)]
    place.write_program("generate-orders", "#!/bin/sh\ncat <<END\n{}\nEND\n".format("\n".join(lines)))
    yield {}
    assert place.sandbox.payment_links() != []


@asynccontextmanager
async def _company(place: Place) -> AsyncIterator[Names]:
    """A company's authority, a certificate of the reader's own, and the API's own address."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path("company.pem")
    own = authority.issue_cert("till.example")
    own.cert_chain_pems[0].write_to_path("till.pem")
    own.private_key_pem.write_to_path("till.key")
    del os.environ["PLEXYPAY_BASE_URL"]
    yield {}


@asynccontextmanager
async def _account(place: Place) -> AsyncIterator[Names]:
    """An account with the links of two invoices, one of them paid and charged."""
    async with place.client() as plexy:
        links = {
            reference: await plexy.payment_links.create(
                amount=2_200_050, currency="KZT", order_reference=reference
            )
            for reference in ("INV-1001", "INV-1002")
        }
    place.sandbox.pay(links["INV-1001"].id)
    place.sandbox.clock.advance(hours=2)
    (paid,) = place.sandbox.transactions()
    place.elsewhere |= {"pl_5f0c2a91": links["INV-1002"].id, "8d6f0c1e-7a55": paid["id"]}
    yield {}
    statuses = {link["orderReference"]: link["status"] for link in place.sandbox.payment_links()}
    assert statuses["INV-1002"] == "cancelled"
    assert sorted(made["status"] for made in place.sandbox.transactions()) == ["charged", "refunded"]


@asynccontextmanager
async def _key(place: Place) -> AsyncIterator[Names]:
    """Somebody who types the key."""
    place.stdin = f"{place.sandbox.api_key}\n"
    yield {}


@asynccontextmanager
async def _logging(place: Place) -> AsyncIterator[Names]:
    """Nothing more than the files of the page."""
    yield {}
    assert len(place.sandbox.payment_links()) == 1


CONTEXTS: Final[dict[str, Callable[[Place], AbstractAsyncContextManager[Names]]]] = {
    "client": _client,
    "job": _job,
    "refused": _refused,
    "paid": _paid,
    "paying": _paying,
    "challenged": _challenged,
    "receiver": _receiver,
    "delivery": _delivery,
    "account": _account,
    "invoices": _invoices,
    "company": _company,
    "key": _key,
    "logging": _logging,
}
