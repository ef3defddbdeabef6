"""What the shopper's browser asks of the Checkout API by itself, and the script that asks it.

The vendor's browser SDK talks to ``/v2/checkoutshopper/v1/sessions/{id}/setup``, ``payments`` and
``paymentDetails``; what it sends and reads there is not published, so the bodies are the sandbox's own. A
request proves itself by the session's ``sessionData``, and a page of any site may make it; ``clientKey`` is
not looked at. Such requests are not counted, and no fault strikes them.

``/checkout/stand-in.js`` is a small stand-in for the vendor's SDK that works with these paths, and with
nothing else: a shop's page in a test loads it in the SDK's place.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import attrs
import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler as HTTPHandler

from . import pages
from .checkout_messages import CheckoutFields, means_of, payment_answer, payment_methods
from .clock import written_time
from .error_bodies import written_for
from .exchange import ApiResponse, Refusal
from .front import respond
from .site import SHOPPER_CALLS
from .state.checkout import SOURCE, CheckoutState, of_session
from .state.checkout_payments import StoredCheckoutPayment
from .state.checkout_sessions import StoredSession, money

__all__ = ["ShopperAPI"]

_FROM_ANYWHERE: dict[str, str] = {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*", hdrs.CACHE_CONTROL: "no-store"}
_ASKED_BEFORE = {
    **_FROM_ANYWHERE,
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: hdrs.METH_POST,
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: hdrs.CONTENT_TYPE,
}
_FOR_BROWSER = ("resultCode", "action", "order")


@attrs.frozen
class ShopperAPI:
    """The paths under ``/v2/checkoutshopper``, and the stand-in."""

    _state: CheckoutState
    _base_url: str

    def serve(self, application: web.Application) -> None:
        """Serve them."""
        for name, work in (
            ("setup", self._setup),
            ("payments", self._pay),
            ("paymentDetails", self._go_on),
        ):
            path = f"{SHOPPER_CALLS}v1/sessions/{{id}}/{name}"
            application.router.add_post(path, self._serving(work))
            application.router.add_options(path, self._allow)
        application.router.add_get("/checkout/stand-in.js", self._stand_in)

    async def _allow(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers=_ASKED_BEFORE)

    async def _stand_in(self, _: web.Request) -> web.Response:
        script = files(pages).joinpath("stand_in.js").read_bytes()
        return web.Response(body=script, content_type="text/javascript", charset="utf-8")

    def _serving(self, work: Callable[[StoredSession, CheckoutFields], dict[str, Any]]) -> HTTPHandler:
        async def serve(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            try:
                fields = CheckoutFields(body, source=SOURCE)
                session = self._session(request.match_info["id"], fields)
                return respond(ApiResponse(200, work(session, fields)), _FROM_ANYWHERE)
            except Refusal as refusal:
                return respond(written_for(SOURCE, refusal), _FROM_ANYWHERE)

        return serve

    def _session(self, identifier: str, fields: CheckoutFields) -> StoredSession:
        session = self._state.sessions.find(identifier)
        given = fields.required_text("sessionData")
        if session is None or not hmac.compare_digest(session.session_data.encode(), given.encode()):
            raise Refusal(3, "sessionData: is not that of this session", source=SOURCE, status=401)
        return session

    def _setup(self, session: StoredSession, _: CheckoutFields) -> dict[str, Any]:
        """Return what a browser needs to show the ways to pay."""
        if session.status != "active":
            raise Refusal(5, f"session: is {session.status}", source=SOURCE)
        request = orjson.loads(session.request)
        blocked = request.get("blockedPaymentMethods") or ()
        kept = self._state.cards.of_shopper(session.merchant_account, session.shopper_reference or "")
        return {
            "id": session.id,
            "sessionData": session.session_data,
            "amount": money(session.amount, session.currency),
            "expiresAt": written_time(session.expires_at),
            "returnUrl": session.return_url,
            "asksForConsent": session.store_mode == "askForConsent",
            "paymentMethods": {
                "paymentMethods": payment_methods(lambda kind: kind not in blocked),
                "storedPaymentMethods": [card.shown() for card in kept],
            },
        }

    def _pay(self, session: StoredSession, fields: CheckoutFields) -> dict[str, Any]:
        means = means_of(
            fields.given("paymentMethod", fields.nested("paymentMethod")),
            self._state.cards,
            merchant_account=session.merchant_account,
            shopper_reference=session.shopper_reference,
        )
        draft = of_session(session, is_stored=fields.boolean("storePaymentMethod") is True)
        return self._result(session, self._state.pay(draft, means))

    def _go_on(self, session: StoredSession, fields: CheckoutFields) -> dict[str, Any]:
        details = fields.given("details", fields.nested("details"))
        result = details.required_text("redirectResult")
        payment = self._state.payments.find_by("redirect_result", result)
        if (
            payment is None
            or payment.session_id != session.id
            or (payment.status == "challenged" and payment.is_confirmed is None)
        ):
            raise details.bad_value("redirectResult", "belongs to no payment of this session")
        return self._result(session, self._state.go_on(payment))

    def _result(self, session: StoredSession, payment: StoredCheckoutPayment) -> dict[str, Any]:
        """Return what a browser learns of a payment: nothing that a server could be shown as a proof."""
        answer = payment_answer(payment, self._state, self._base_url)
        return {
            **{name: answer[name] for name in _FOR_BROWSER if name in answer},
            "sessionData": session.session_data,
            "sessionResult": secrets.token_urlsafe(24),
        }
