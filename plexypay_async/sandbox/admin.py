"""The sandbox's own paths under ``/_sandbox``, by which a program in any language can steer it.

``GET /_sandbox`` lists them, each with what it does; `Admin` has a method for each. Listings take ``page``
(from 1) and ``size`` (1000 unless given).

Paying takes an optional JSON object: ``card`` (the number of a test card; 4200000000000000, which is never
challenged, unless given), ``cvv``, ``otp`` (the answer to a 3-D Secure challenge: ``555``, which passes,
unless given; ``111`` fails; ``pending`` leaves the transaction in ``3d``, and ``POST /v1/3ds/callback`` goes
on with it) and ``failed`` (true: the payment fails by a system error). It answers the link: ``paid`` where
the payment is authorized; else it stays ``active`` and can be paid anew. The transaction is at
``GET /v1/transactions/by-payment-link/{id}``.

None of them needs an API key. Where the sandbox listens on more than a loopback address, or was given an
admin token, they need that, as ``Authorization: Bearer <token>`` or as the password of ``Basic``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
from aiohttp import web

from .clock import written_time
from .deliveries.delivery import Delivery
from .deliveries.dispatcher import Dispatcher
from .exchange import ApiResponse, Fields, PageQuery, Refusal, read_document
from .faults import Fault, Faults
from .front import respond
from .state.acquirer import LinkPayment
from .state.checkout_payments import StoredCheckoutPayment
from .state.state import SandboxState
from .state.transactions import StoredTransaction
from .traffic import Traffic

__all__ = ["Admin"]

_ROOT = "/_sandbox"
_SOURCE = "sandbox"
_SETTLE_TIMEOUT = 15.0


@attrs.frozen
class _Path:
    """One of the paths."""

    method: str
    path: str
    """What follows ``/_sandbox``."""
    does: str
    work: Callable[[Admin, web.Request], Awaitable[ApiResponse]]


_PATHS: list[_Path] = []
_Work = TypeVar("_Work", bound=Callable[["Admin", web.Request], Awaitable[ApiResponse]])


def _at(method: str, path: str, does: str) -> Callable[[_Work], _Work]:
    """Serve a path by the method below; `does` is what the list of the paths says about it."""

    def add(work: _Work) -> _Work:
        _PATHS.append(_Path(method, path, does, work))
        return work

    return add


@attrs.frozen
class Admin:
    """What the paths under ``/_sandbox`` do."""

    state: SandboxState
    dispatcher: Dispatcher
    faults: Faults
    requests: Traffic
    base_url: str
    forget_all: Callable[[], None]

    def serve(self, application: web.Application) -> None:
        """Serve the paths."""
        for path in _PATHS:
            application.router.add_route(path.method, _ROOT + path.path, self._serving(path))
        application.router.add_get(f"{_ROOT}/", self._serving(_PATHS[0]))

    def _serving(self, path: _Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                return respond(await path.work(self, request))
            except Refusal as refusal:
                return respond(refusal.response)

        return serve

    @_at("GET", "", "this list")
    async def _show_paths(self, _: web.Request) -> ApiResponse:
        data = [{"method": path.method, "path": _ROOT + path.path, "does": path.does} for path in _PATHS]
        return ApiResponse(200, {"data": data})

    @_at("GET", "/faults", "the faults in force, each with how often it struck")
    async def _show_faults(self, _: web.Request) -> ApiResponse:
        return ApiResponse(200, {"data": [self._shown(fault) for fault in self.faults]})

    @_at("POST", "/faults", "adds one: the text code=1,rate=0.05, or the same as JSON")
    async def _add_fault(self, request: web.Request) -> ApiResponse:
        body = (await request.read()).strip()
        try:
            fault = self.faults.add(_read_fault(body))
        except ValueError as error:
            raise Refusal(3, str(error), source=_SOURCE) from None
        return ApiResponse(201, self._shown(fault))

    @_at("DELETE", "/faults", "lifts all faults")
    async def _clear_faults(self, request: web.Request) -> ApiResponse:
        self.faults.clear()
        return await self._show_faults(request)

    @_at("DELETE", "/faults/{id}", "lifts one")
    async def _remove_fault(self, request: web.Request) -> ApiResponse:
        try:
            self.faults.remove(int(request.match_info["id"]))
        except (KeyError, ValueError):
            raise Refusal(4, "fault not found", source=_SOURCE) from None
        return await self._show_faults(request)

    @_at("GET", "/requests", "how many requests arrived, by operation and method")
    async def _show_requests(self, _: web.Request) -> ApiResponse:
        data = [
            {"method": method, "operation": operation, "count": count}
            for (method, operation), count in self.requests.counts.items()
        ]
        return ApiResponse(200, {"data": data, "total": self.requests.count()})

    @_at("GET", "/payment-links", "the stored links whole, the newest first")
    async def _show_payment_links(self, request: web.Request) -> ApiResponse:
        return _page(request).response(self.state.links.page, lambda link: link.whole(self.base_url))

    @_at("POST", "/payment-links/{id}/pay", "pays an active link: card, cvv, otp, failed")
    async def _pay(self, request: web.Request) -> ApiResponse:
        identifier = request.match_info["id"]
        self.state.acquirer.pay_link(identifier, await _asked_payment(request))
        link = self.state.links.find(identifier)
        return ApiResponse(200, None if link is None else link.whole(self.base_url))

    @_at("GET", "/transactions", "the stored transactions whole, newest first")
    async def _show_transactions(self, request: web.Request) -> ApiResponse:
        return _page(request).response(self.state.transactions.page, StoredTransaction.whole)

    @_at("GET", "/gate-orders", "the stored orders of all agents, newest first")
    async def _show_gate_orders(self, request: web.Request) -> ApiResponse:
        return _page(request).response(
            self.state.gate_orders.page, lambda order: {**order.shown(), "agent_id": order.agent_id}
        )

    @_at("GET", "/checkout-payments", "the stored payments of the Checkout API, newest first")
    async def _show_checkout_payments(self, request: web.Request) -> ApiResponse:
        return _page(request).response(self.state.checkout.payments.page, StoredCheckoutPayment.shown)

    @_at("POST", "/checkout-sessions/{id}/pay", "pays a session: card, cvv, otp, failed")
    async def _pay_session(self, request: web.Request) -> ApiResponse:
        payment = await _asked_payment(request)
        paid = self.state.checkout.pay_session(request.match_info["id"], payment)
        return ApiResponse(200, paid.shown())

    @_at("GET", "/deliveries", "the webhooks with their payloads and attempts, newest first")
    async def _show_deliveries(self, request: web.Request) -> ApiResponse:
        return _page(request).response(self.dispatcher.store.page, Delivery.shown)

    @_at("POST", "/deliveries/settle", "waits until all webhooks that are due have been tried")
    async def _settle_deliveries(self, _: web.Request) -> ApiResponse:
        try:
            await self.dispatcher.settled(_SETTLE_TIMEOUT)
        except TimeoutError as error:
            raise Refusal(1, str(error), source=_SOURCE) from None
        return ApiResponse(200, {})

    @_at("POST", "/deliveries/{id}/resend", "sends a webhook once more")
    async def _resend_delivery(self, request: web.Request) -> ApiResponse:
        identifier = request.match_info["id"]
        if self.dispatcher.store.find(identifier) is None:
            raise Refusal(4, "delivery not found", source=_SOURCE)
        try:
            self.dispatcher.resend(identifier)
        except ValueError as error:
            raise Refusal(5, str(error), source=_SOURCE) from None
        delivery = self.dispatcher.store.find(identifier)
        return ApiResponse(200, None if delivery is None else delivery.shown())

    @_at("GET", "/clock", "the sandbox's present")
    async def _show_clock(self, _: web.Request) -> ApiResponse:
        return ApiResponse(200, {"now": written_time(self.state.clock.now())})

    @_at("POST", "/clock", 'moves it ahead: {"advance_seconds": 3600}')
    async def _advance_clock(self, request: web.Request) -> ApiResponse:
        document = read_document(await request.read(), source=_SOURCE)
        seconds = document.get("advance_seconds")
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            raise Refusal(3, "advance_seconds: expected a number", source=_SOURCE)
        try:
            self.state.clock.advance(seconds=seconds)
        except ValueError as error:
            raise Refusal(5, f"advance_seconds: {error}", source=_SOURCE) from None
        return await self._show_clock(request)

    @_at("POST", "/reset", "forgets all state, requests and faults; resets the clock")
    async def _reset(self, _: web.Request) -> ApiResponse:
        self.forget_all()
        return ApiResponse(200, {})

    def _shown(self, fault: Fault) -> dict[str, Any]:
        return {
            "id": fault.id,
            "fault": str(fault),
            **fault.to_json(),
            "struck": self.faults.struck(fault.id),
        }


async def _asked_payment(request: web.Request) -> LinkPayment:
    fields = Fields(await request.read() or b"{}", source=_SOURCE)
    texts = {name: fields.text(name) for name in ("card", "cvv", "otp")}
    given: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
    return LinkPayment(**given, failed=fields.boolean("failed") is True)


def _read_fault(body: bytes) -> Fault:
    if body.lstrip().startswith(b"{"):
        return Fault.from_json(read_document(body, source=_SOURCE))
    try:
        return Fault.parse(body.decode())
    except UnicodeDecodeError:
        raise ValueError("fault: expected UTF-8 text") from None


def _page(request: web.Request) -> PageQuery:
    return PageQuery.read(request.query, default=1000, most=10_000, source=_SOURCE)
