"""The pages that a customer sees: the checkout behind a link's address, and the bank's page of 3-D Secure.

They need no key, and no script. After a payment the customer is sent to the shop's page, or to the link's own
page if the shop gave none. Forms are accepted from the sandbox's own pages and from programs, not from pages
of other sites.

For a link's payment, the bank's page continues the payment at once. For a direct payment, the shop, which may
be another site, posts ``creq`` and ``threeDSSessionData`` to it, and it sends the customer back to the shop
with ``cres``; the payment continues when the merchant sends ``cres`` to the API.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from aiohttp import web

from ..exchange import Refusal, in_base64
from ..site import BANK_PAGES, is_cross_site
from ..state.acquirer import LinkPayment
from ..state.issuer import CARDS, PASSWORD, Flow, ResponseCode
from ..state.links import StoredLink
from ..state.state import SandboxState
from ..state.transactions import StoredTransaction
from .bank import challenge_page, way_back_page
from .card_form import CardForm, first_form, read_card_form
from .checkout_page import LEFT, Note, closed_page, message_page, open_page, tried
from .html import read_form, web_address

__all__ = ["Checkout"]

_MOST_ATTEMPTS = 10_000
_LONGEST_ATTEMPT = 64


class Checkout:
    """The pages under ``/checkout``."""

    def __init__(self, state: SandboxState) -> None:
        self._links = state.links
        self._acquirer = state.acquirer
        self._transactions = state.transactions
        self._clock = state.clock
        # Which forms were sent already: a second click on their button pays nothing more.
        self._attempts: dict[tuple[str, str, LinkPayment], str] = {}

    def serve(self, application: web.Application) -> None:
        """Serve ``/checkout/{id}`` and ``/checkout/3ds/{id}``."""
        application.router.add_get("/checkout/{id}", self.show)
        application.router.add_post("/checkout/{id}", self.submit)
        application.router.add_get(BANK_PAGES + "{id}", self.challenge)
        application.router.add_post(BANK_PAGES + "{id}", self.challenge)

    async def show(self, request: web.Request) -> web.Response:
        """Show a link, with a test card filled in or with what came of a payment."""
        link = self._links.find(request.match_info["id"])
        if link is None:
            return _unknown_link()
        remark = LEFT if "left" in request.query else self._remark(link, request.query.get("tried", ""))
        return self._page(link, first_form(self._clock, request.query.get("card", "")), remark)

    async def submit(self, request: web.Request) -> web.Response:
        """Pay a link, fail to, or leave it."""
        fields = await _fields(request)
        link = self._links.find(request.match_info["id"])
        if link is None:
            return _unknown_link()
        wish = fields.get("do", "pay")
        if wish == "cancel":
            if link.status != "active":
                return self._page(link, CardForm(), status=422)
            raise web.HTTPSeeOther(_address(link, "cancelUrl") or f"/checkout/{link.id}?left")
        asked = LinkPayment(failed=True) if wish == "fail" else read_card_form(fields)
        if isinstance(asked, CardForm):
            return self._page(link, asked, status=422)
        attempt = (link.id, fields.get("attempt", "")[:_LONGEST_ATTEMPT], asked)
        made = self._transactions.find(self._attempts.get(attempt, ""))
        if made is None or _is_over(made):
            try:
                made = self._acquirer.pay_link(link.id, asked)
            except Refusal as refusal:
                return self._page(link, CardForm(), status=refusal.response.status)
            if attempt[1]:
                self._attempts[attempt] = made.id
            if len(self._attempts) > _MOST_ATTEMPTS:
                del self._attempts[next(iter(self._attempts))]
        raise self._onward(link, made)

    async def challenge(self, request: web.Request) -> web.Response:
        """Ask for the one-time password of a payment, and take it."""
        fields = await _fields(request)
        # Read after the form: another form may have changed it while this one arrived.
        transaction = self._transactions.find(request.match_info["id"])
        given = "otp" in fields
        if given and is_cross_site(request):
            told = "A page of another site sent this form. Open the link itself to pay it."
            return message_page("Not from here", told, status=403)
        if transaction is None:
            return _nothing_to_confirm()
        if transaction.payment_link_id is None:
            return _direct_challenge(transaction, fields)
        link = self._links.find(transaction.payment_link_id)
        if link is None:
            return _nothing_to_confirm()
        if given:
            # After a second click this shows the result of the first.
            if transaction.status == "3d":
                transaction = self._acquirer.answer_challenge(transaction, fields["otp"])
            raise self._onward(link, transaction)
        if transaction.status == "3d":
            return challenge_page(transaction)
        return self._page(link, first_form(self._clock), self._remark(link, transaction.id))

    def _page(
        self, link: StoredLink, form: CardForm, remark: Note | None = None, *, status: int = 200
    ) -> web.Response:
        if link.status == "active":
            now = self._clock.now()
            return open_page(link, form, now, attempt=uuid.uuid4().hex, remark=remark, status=status)
        payment = self._transactions.find_by_payment_link(link.id) if link.status == "paid" else None
        if payment is not None and payment.authorized_at is None:
            # It was tried after the link was paid.
            payment = None
        back = _address(link, "successUrl") if link.status == "paid" else None
        return closed_page(link, payment, back, status=status)

    def _remark(self, link: StoredLink, transaction_id: str) -> Note | None:
        transaction = self._transactions.find(transaction_id)
        if transaction is None or transaction.payment_link_id != link.id:
            return None
        return tried(transaction)

    def _onward(self, link: StoredLink, transaction: StoredTransaction) -> web.HTTPSeeOther:
        """Return where the customer is sent after an attempt to pay."""
        address = None
        if transaction.status == "3d":
            address = f"{BANK_PAGES}{transaction.id}"
        elif transaction.response_code != ResponseCode.UNAVAILABLE_LINK:
            paid = transaction.authorized_at is not None
            address = _address(link, "successUrl" if paid else "failureUrl")
        onward = web.HTTPSeeOther(address or f"/checkout/{link.id}?tried={transaction.id}")
        # Chromium keeps a page for the back button in spite of `no-store`, unless a cookie of it changes.
        onward.set_cookie(
            "attempt", uuid.uuid4().hex, path="/checkout", max_age=60, httponly=True, samesite="Strict"
        )
        return onward


def _is_over(transaction: StoredTransaction) -> bool:
    # A customer who gave a wrong password and went back to the old form may try again with it.
    return transaction.status == "rejected" and CARDS[transaction.card_number].flow.is_challenge


def _direct_challenge(transaction: StoredTransaction, fields: Mapping[str, str]) -> web.Response:
    if transaction.status != "3d":
        return _nothing_to_confirm()
    session_data = fields.get("threeDSSessionData", "")
    if "otp" not in fields:
        return challenge_page(transaction, session_data=session_data, framed=True)
    password = fields["otp"]
    is_confirmed = password == PASSWORD and CARDS[transaction.card_number].flow is not Flow.BROKEN_CHALLENGE
    return way_back_page(
        "Confirmed" if is_confirmed else "Not confirmed",
        web_address(transaction.notification_url),
        cres=in_base64(
            {
                "threeDSServerTransID": transaction.id,
                "messageType": "CRes",
                "messageVersion": "2.2.0",
                "otp": password,
            }
        ),
        session_data=session_data,
    )


def _address(link: StoredLink, key: str) -> str | None:
    # What a merchant gives is not to run as a script in the customer's browser.
    return web_address(link.text_of_metadata(key))


async def _fields(request: web.Request) -> dict[str, str]:
    # A body that is no form has no fields.
    return await read_form(request) or {}


def _unknown_link() -> web.Response:
    return message_page("No such payment link", "Its address may have been cut short.", status=404)


def _nothing_to_confirm() -> web.Response:
    return message_page("Nothing to confirm", "No payment waits for a password here.", status=404)
