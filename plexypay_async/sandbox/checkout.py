"""The pages that a customer sees: the checkout behind a link's address, and the bank's page of 3-D Secure.

They need no key, and no script: a browser test fills in their forms as a customer would. The bank's page is
posted ``creq`` and ``threeDSSessionData``, asks for the one-time password, and sends the customer back with
``cres``. What becomes of a direct payment is decided once its merchant hands that ``cres`` in.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

import orjson
from aiohttp import web

from .exchange import Refusal
from .issuer import CARDS, PASSWORD, Flow
from .link_payments import LinkPayment, LinkPayments
from .link_store import LinkStore, StoredLink
from .transaction_store import StoredTransaction, TransactionStore

__all__ = ["add_checkout"]

# What a merchant gives is not to run as a script in the customer's browser.
_HTTP = ("http://", "https://")

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Plexy Pay sandbox</title></head>
<body>
<h1>{title}</h1>
{content}
<p>This is a sandbox: no money moves here.</p>
</body>
</html>
"""

_FORM = """<form method="post">
<p><label>Test card <select name="card">{cards}</select></label></p>
<p><label>CVV <input name="cvv" value="123"></label></p>
<p><label>One-time password, if asked for <input name="otp" value="{password}"></label></p>
<p><button>Pay</button></p>
</form>"""

_BANK = """<p>555 passes, 111 fails.</p>
<form method="post">
<p><label>One-time password <input name="otp" value="{password}"></label></p>
<p><input type="hidden" name="threeDSSessionData" value="{session_data}"><button>Confirm</button></p>
</form>"""

_BACK = """<form method="post" action="{address}">
<p><input type="hidden" name="cres" value="{cres}">
<input type="hidden" name="threeDSSessionData" value="{session_data}">
<button>Back to the shop</button></p>
</form>"""


def add_checkout(
    application: web.Application, links: LinkStore, payments: LinkPayments, transactions: TransactionStore
) -> None:
    """Serve ``/checkout/{id}`` and ``/checkout/3ds/{id}``."""
    pages = _Pages(links, payments, transactions)
    application.router.add_get("/checkout/{id}", pages.show_link)
    application.router.add_post("/checkout/{id}", pages.pay_link)
    application.router.add_get("/checkout/3ds/{id}", pages.ask_password)
    application.router.add_post("/checkout/3ds/{id}", pages.ask_password)


class _Pages:
    def __init__(self, links: LinkStore, payments: LinkPayments, transactions: TransactionStore) -> None:
        self._links = links
        self._payments = payments
        self._transactions = transactions

    async def show_link(self, request: web.Request) -> web.Response:
        return self._link_page(request.match_info["id"])

    async def pay_link(self, request: web.Request) -> web.Response:
        identifier = request.match_info["id"]
        form = await request.post()
        payment = LinkPayment(
            card=_text(form, "card"), cvv=_text(form, "cvv") or None, otp=_text(form, "otp")
        )
        try:
            transaction = self._payments.pay(identifier, payment)
        except Refusal as refusal:
            return self._link_page(
                identifier, refusal.answer.document["message"], status=refusal.answer.status
            )
        paid = transaction.status != "rejected"
        address = _address(self._links.find(identifier), "successUrl" if paid else "failureUrl")
        if address is not None:
            raise web.HTTPSeeOther(address)
        return self._link_page(identifier, f"The payment is {transaction.status}.")

    async def ask_password(self, request: web.Request) -> web.Response:
        transaction = self._transactions.find(request.match_info["id"])
        if transaction is None or transaction.status != "3d":
            return _page("Nothing to confirm", "", status=404)
        form = await request.post()
        session_data = escape(_text(form, "threeDSSessionData"))
        if "otp" not in form:
            return _page("Confirm the payment", _BANK.format(password=PASSWORD, session_data=session_data))
        password = _text(form, "otp")
        cres = base64.urlsafe_b64encode(orjson.dumps(_challenge_result(transaction, password)))
        result = cres.decode().rstrip("=")
        title = "Confirmed" if _is_confirmed(transaction, password) else "Not confirmed"
        address = transaction.notification_url
        if address is None or not address.startswith(_HTTP):
            return _page(title, f"<p>cres: <code>{result}</code></p>")
        return _page(title, _BACK.format(address=escape(address), cres=result, session_data=session_data))

    def _link_page(self, identifier: str, note: str = "", *, status: int = 200) -> web.Response:
        link = self._links.find(identifier)
        if link is None:
            return _page("No such payment link", "", status=404)
        whole, cents = divmod(link.amount, 100)
        parts = [link.description or "", note, f"Status: {link.status}"]
        content = "\n".join(f"<p>{escape(part)}</p>" for part in parts if part)
        if link.status == "active":
            cards = "".join(f"<option>{number}</option>" for number in CARDS)
            content += "\n" + _FORM.format(cards=cards, password=PASSWORD)
        return _page(f"{whole}.{cents:02} {link.currency}", content, status=status)


def _is_confirmed(transaction: StoredTransaction, password: str) -> bool:
    return password == PASSWORD and CARDS[transaction.card_number].flow is not Flow.BROKEN_CHALLENGE


def _challenge_result(transaction: StoredTransaction, password: str) -> dict[str, Any]:
    return {
        "threeDSServerTransID": transaction.id,
        "messageType": "CRes",
        "messageVersion": "2.2.0",
        "otp": password,
    }


def _address(link: StoredLink | None, key: str) -> str | None:
    metadata: Any = {} if link is None or link.metadata is None else orjson.loads(link.metadata)
    address = metadata.get(key)
    return address if isinstance(address, str) and address.startswith(_HTTP) else None


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _page(title: str, content: str, *, status: int = 200) -> web.Response:
    text = _PAGE.format(title=escape(title), content=content)
    return web.Response(status=status, text=text, content_type="text/html")
