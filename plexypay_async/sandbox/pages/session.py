"""The pages that a shopper of the Checkout API sees: that of a session, and its bank's for 3-D Secure.

A session's page, its ``url``, takes the payment by itself, and sends the shopper to the ``returnUrl``. The
bank's page sends a shopper who comes from a shop's own page back there with a ``redirectResult``, and decides
nothing; one who comes from the session's page is done there.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import yarl
from aiohttp import web

from ..exchange import Refusal
from ..money import displayed
from ..state.acquirer import PENDING, LinkPayment
from ..state.checkout import CheckoutState
from ..state.checkout_payments import StoredCheckoutPayment
from ..state.checkout_sessions import StoredSession
from ..state.issuer import REASONS
from .bank import challenge_page
from .card_form import CardForm, first_form, read_card_form
from .checkout_page import LEFT, Note, message_page, open_page
from .html import html_page, markup, read_form, web_address

__all__ = ["SessionPages"]

_CLOSED: Mapping[str, tuple[str, str, str]] = {
    "paid": ("good", "Paid", "This session is paid. Nothing more will be taken."),
    "expired": ("warn", "Expired", "This session has expired: it takes no payment. Ask for a new one."),
}


class SessionPages:
    """The pages under ``/checkout/sessions`` and ``/checkout/redirect``."""

    def __init__(self, state: CheckoutState) -> None:
        self._state = state

    def serve(self, application: web.Application) -> None:
        """Serve ``/checkout/sessions/{id}`` and ``/checkout/redirect/{page}``."""
        application.router.add_get("/checkout/sessions/{id}", self.show)
        application.router.add_post("/checkout/sessions/{id}", self.submit)
        application.router.add_get("/checkout/redirect/{page}", self.challenge)
        application.router.add_post("/checkout/redirect/{page}", self.challenge)

    async def show(self, request: web.Request) -> web.Response:
        """Show a session, with a test card filled in or with what came of a payment."""
        session = self._state.sessions.find(request.match_info["id"])
        if session is None:
            return _unknown()
        remark = LEFT if "left" in request.query else self._remark(session, request.query.get("tried", ""))
        return self._page(session, first_form(self._state.clock, request.query.get("card", "")), remark)

    async def submit(self, request: web.Request) -> web.Response:
        """Pay a session, fail to, or leave it."""
        fields = await read_form(request) or {}
        session = self._state.sessions.find(request.match_info["id"])
        if session is None:
            return _unknown()
        wish = fields.get("do", "pay")
        if session.status != "active":
            return self._page(session, CardForm(), status=422)
        if wish == "cancel":
            raise web.HTTPSeeOther(web_address(session.return_url) or f"/checkout/sessions/{session.id}?left")
        asked = LinkPayment(failed=True, otp=PENDING) if wish == "fail" else read_card_form(fields)
        if isinstance(asked, CardForm):
            return self._page(session, asked, status=422)
        try:
            payment = self._state.pay_session(session.id, asked)
        except Refusal as refusal:
            return self._page(session, CardForm(), status=refusal.response.status)
        raise web.HTTPSeeOther(_onward(payment) or f"/checkout/sessions/{session.id}")

    async def challenge(self, request: web.Request) -> web.Response:
        """Ask for the one-time password of a payment, and take it once."""
        fields = await read_form(request) or {}
        payment = self._state.payments.find_by("bank_page", request.match_info["page"])
        if payment is None:
            return message_page("Nothing to confirm", "No payment waits for a password here.", status=404)
        if "otp" in fields:
            payment = self._state.answer_challenge(payment, fields["otp"])
        elif payment.status == "challenged" and payment.is_confirmed is None:
            return challenge_page(payment)
        location = _onward(payment)
        if location is None:
            return _result_page(payment)
        raise web.HTTPSeeOther(location)

    def _page(
        self, session: StoredSession, form: CardForm, remark: Note | None = None, *, status: int = 200
    ) -> web.Response:
        if session.status == "active":
            now, attempt = self._state.clock.now(), uuid.uuid4().hex
            return open_page(session, form, now, attempt=attempt, remark=remark, status=status)
        kind, title, text = _CLOSED[session.status]
        back = web_address(session.return_url) if session.status == "paid" else None
        content = markup(
            _PAGE,
            remark=Note(kind, text).shown(),
            amount=displayed(session.amount, session.currency),
            reference=session.reference,
            back=None if back is None else markup('<p><a href="{}">Back to the shop</a></p>', back),
        )
        return html_page(title, content, status=status)

    def _remark(self, session: StoredSession, identifier: str) -> Note | None:
        payment = self._state.payments.find(identifier)
        if payment is None or payment.session_id != session.id:
            return None
        if payment.status == "challenged":
            return Note("warn", "A payment waits for its one-time password. You may begin another one.")
        reason = f"{REASONS[payment.response_code]} ({payment.response_code})"
        return Note("bad", f"The payment failed, and nothing was taken: {reason}. Try again.")


def _onward(payment: StoredCheckoutPayment) -> str | None:
    """Return where a shopper is sent; None where the shop's address is none that a browser is to follow."""
    if not payment.ends_at_bank:
        shop = web_address(payment.return_url)
        if shop is None:
            return None
        return str(yarl.URL(shop).update_query(redirectResult=payment.redirect_result))
    if payment.status == "challenged":
        return f"/checkout/redirect/{payment.bank_page}"
    tried = f"/checkout/sessions/{payment.session_id}?tried={payment.id}"
    return web_address(payment.return_url) or tried if payment.status == "authorised" else tried


def _result_page(payment: StoredCheckoutPayment) -> web.Response:
    """Return the page for an app: its own kind of address is opened by the app, not by this page."""
    title = "Confirmed" if payment.is_confirmed else "Not confirmed"
    return html_page(title, markup("<p>redirectResult: <code>{}</code></p>", payment.redirect_result))


def _unknown() -> web.Response:
    return message_page("No such session", "Its address may have been cut short.", status=404)


_PAGE = """{remark}<dl><dt>Amount</dt><dd>{amount}</dd>
<dt>Order</dt><dd><bdi>{reference}</bdi></dd></dl>
{back}"""
