"""The sandbox's own paths under ``/_sandbox``, by which a program in any language can steer it.

``GET /_sandbox`` lists them, each with what it does; the list is in `_Admin.paths`. Listings take ``page``
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

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import attrs
from aiohttp import web

from .clock import written_time
from .deliveries.dispatcher import Dispatcher
from .exchange import ApiResponse, Fields, PageQuery, Refusal, read_document
from .faults import Fault, Faults
from .gate import respond
from .state.issuer import DEFAULT_CARD, PASSWORD
from .state.link_payments import LinkPayment
from .state.state import State
from .traffic import Traffic

__all__ = ["add_admin"]

_ROOT = "/_sandbox"
_SOURCE = "sandbox"
_PATIENCE = 15.0


def add_admin(
    application: web.Application,
    state: State,
    dispatcher: Dispatcher,
    faults: Faults,
    requests: Traffic,
    base_url: str,
    reset: Callable[[], None],
) -> None:
    """Serve the paths under ``/_sandbox``; `reset` is called to forget all."""
    admin = _Admin(state, dispatcher, faults, requests, base_url, reset)
    for path in admin.paths():
        application.router.add_route(path.method, _ROOT + path.path, _serving(path.work))
    application.router.add_get(f"{_ROOT}/", _serving(admin.show_paths))


_Work: TypeAlias = Callable[[web.Request], Awaitable[ApiResponse]]


@attrs.frozen
class _Path:
    """One of the paths."""

    method: str
    path: str
    """What follows ``/_sandbox``."""
    does: str
    work: _Work


def _serving(work: _Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return respond(await work(request))
        except Refusal as refusal:
            return respond(refusal.response)

    return serve


@attrs.frozen
class _Admin:
    state: State
    dispatcher: Dispatcher
    faults: Faults
    requests: Traffic
    base_url: str
    forget_all: Callable[[], None]

    def paths(self) -> Sequence[_Path]:
        """Return all of the paths."""
        return (
            _Path("GET", "", "this list", self.show_paths),
            _Path("GET", "/faults", "the faults in force, each with how often it struck", self.show_faults),
            _Path(
                "POST", "/faults", "adds one: the text code=1,rate=0.05, or the same as JSON", self.add_fault
            ),
            _Path("DELETE", "/faults", "lifts all faults", self.clear_faults),
            _Path("DELETE", "/faults/{id}", "lifts one", self.remove_fault),
            _Path(
                "GET", "/requests", "how many requests arrived, by operation and method", self.show_requests
            ),
            _Path(
                "GET", "/payment-links", "the stored links whole, the newest first", self.show_payment_links
            ),
            _Path("POST", "/payment-links/{id}/pay", "pays an active link: card, cvv, otp, failed", self.pay),
            _Path(
                "GET", "/transactions", "the stored transactions whole, newest first", self.show_transactions
            ),
            _Path(
                "GET",
                "/deliveries",
                "the webhooks with their payloads and attempts, newest first",
                self.show_deliveries,
            ),
            _Path(
                "POST",
                "/deliveries/settle",
                "waits until all webhooks that are due have been tried",
                self.settle_deliveries,
            ),
            _Path("POST", "/deliveries/{id}/resend", "sends a webhook once more", self.resend_delivery),
            _Path("GET", "/clock", "the sandbox's present", self.show_clock),
            _Path("POST", "/clock", 'moves it ahead: {"advance_seconds": 3600}', self.advance_clock),
            _Path("POST", "/reset", "forgets all state, requests and faults; resets the clock", self.reset),
        )

    async def show_paths(self, request: web.Request) -> ApiResponse:
        del request
        data = [
            {"method": path.method, "path": _ROOT + path.path, "does": path.does} for path in self.paths()
        ]
        return ApiResponse(200, {"data": data})

    async def show_faults(self, request: web.Request) -> ApiResponse:
        del request
        return ApiResponse(200, {"data": [self._shown(fault) for fault in self.faults]})

    async def add_fault(self, request: web.Request) -> ApiResponse:
        body = (await request.read()).strip()
        try:
            fault = self.faults.add(_read_fault(body))
        except ValueError as error:
            raise Refusal(3, str(error), source=_SOURCE) from None
        return ApiResponse(201, self._shown(fault))

    async def clear_faults(self, request: web.Request) -> ApiResponse:
        self.faults.clear()
        return await self.show_faults(request)

    async def remove_fault(self, request: web.Request) -> ApiResponse:
        try:
            self.faults.remove(int(request.match_info["id"]))
        except (KeyError, ValueError):
            raise Refusal(4, "fault not found", source=_SOURCE) from None
        return await self.show_faults(request)

    async def show_requests(self, request: web.Request) -> ApiResponse:
        del request
        data = [
            {"method": method, "operation": operation, "count": count}
            for (method, operation), count in self.requests.counts.items()
        ]
        return ApiResponse(200, {"data": data, "total": self.requests.count()})

    async def show_payment_links(self, request: web.Request) -> ApiResponse:
        page = _page(request)
        links, total = self.state.links.page(page.offset, page.size)
        return page.response([link.whole(self.base_url) for link in links], total)

    async def show_transactions(self, request: web.Request) -> ApiResponse:
        page = _page(request)
        transactions, total = self.state.transactions.page(page.offset, page.size)
        return page.response([transaction.whole() for transaction in transactions], total)

    async def pay(self, request: web.Request) -> ApiResponse:
        identifier = request.match_info["id"]
        fields = Fields(await request.read() or b"{}", source=_SOURCE)
        card, otp = fields.text("card"), fields.text("otp")
        self.state.link_payments.pay(
            identifier,
            LinkPayment(
                card=DEFAULT_CARD if card is None else card,
                cvv=fields.text("cvv"),
                otp=PASSWORD if otp is None else otp,
                failed=fields.boolean("failed") is True,
            ),
        )
        link = self.state.links.find(identifier)
        return ApiResponse(200, None if link is None else link.whole(self.base_url))

    async def show_deliveries(self, request: web.Request) -> ApiResponse:
        page = _page(request)
        deliveries, total = self.dispatcher.store.page(page.offset, page.size)
        return page.response([delivery.shown() for delivery in deliveries], total)

    async def settle_deliveries(self, request: web.Request) -> ApiResponse:
        del request
        try:
            await self.dispatcher.settled(_PATIENCE)
        except TimeoutError as error:
            raise Refusal(1, str(error), source=_SOURCE) from None
        return ApiResponse(200, {})

    async def resend_delivery(self, request: web.Request) -> ApiResponse:
        identifier = request.match_info["id"]
        if self.dispatcher.store.find(identifier) is None:
            raise Refusal(4, "delivery not found", source=_SOURCE)
        try:
            self.dispatcher.resend(identifier)
        except ValueError as error:
            raise Refusal(5, str(error), source=_SOURCE) from None
        delivery = self.dispatcher.store.find(identifier)
        return ApiResponse(200, None if delivery is None else delivery.shown())

    async def show_clock(self, request: web.Request) -> ApiResponse:
        del request
        return ApiResponse(200, {"now": written_time(self.state.clock.now())})

    async def advance_clock(self, request: web.Request) -> ApiResponse:
        document = read_document(await request.read(), source=_SOURCE)
        seconds = document.get("advance_seconds")
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            raise Refusal(3, "advance_seconds: expected a number", source=_SOURCE)
        try:
            self.state.clock.advance(seconds=seconds)
        except ValueError as error:
            raise Refusal(5, f"advance_seconds: {error}", source=_SOURCE) from None
        return await self.show_clock(request)

    async def reset(self, request: web.Request) -> ApiResponse:
        del request
        self.forget_all()
        return ApiResponse(200, {})

    def _shown(self, fault: Fault) -> dict[str, Any]:
        return {
            "id": fault.id,
            "fault": str(fault),
            **fault.to_json(),
            "struck": self.faults.struck(fault.id),
        }


def _read_fault(body: bytes) -> Fault:
    if body.startswith(b"{"):
        return Fault.from_json(read_document(body, source=_SOURCE))
    try:
        return Fault.parse(body.decode())
    except UnicodeDecodeError:
        raise ValueError("fault: expected UTF-8 text") from None


def _page(request: web.Request) -> PageQuery:
    return PageQuery.read(request.query, default=1000, most=10_000, source=_SOURCE)
