"""The sandbox's own paths under ``/_sandbox``, by which a program in any language can steer it.

``GET /_sandbox`` lists them, each with what it does; the list is in `_Admin.calls`. Listings take ``page``
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
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import orjson
from aiohttp import web

from .clock import microseconds_of, written_time
from .deliveries.dispatcher import Dispatcher
from .exchange import Answer, Fields, Refusal
from .faults import Fault
from .gate import respond
from .handlers.payment_links import PaymentLinkHandlers
from .handlers.transactions import TransactionHandlers
from .paging import PageQuery
from .state.issuer import DEFAULT_CARD, PASSWORD
from .state.link_payments import LinkPayment, LinkPayments

if TYPE_CHECKING:
    from .server import Sandbox

__all__ = ["add_admin"]

_ROOT = "/_sandbox"
_SOURCE = "sandbox"
_PATIENCE = 15.0


def add_admin(
    application: web.Application,
    sandbox: Sandbox,
    payment_links: PaymentLinkHandlers,
    link_payments: LinkPayments,
    transactions: TransactionHandlers,
    dispatcher: Dispatcher,
) -> None:
    """Serve the paths under ``/_sandbox``."""
    admin = _Admin(sandbox, payment_links, link_payments, transactions, dispatcher)
    for call in admin.calls():
        application.router.add_route(call.method, _ROOT + call.path, _serving(call.work))
    application.router.add_get(f"{_ROOT}/", _serving(admin.show_calls))


_Work: TypeAlias = Callable[[web.Request], Awaitable[Answer]]


@attrs.frozen
class _Call:
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
            return respond(refusal.answer)

    return serve


class _Admin:
    def __init__(
        self,
        sandbox: Sandbox,
        payment_links: PaymentLinkHandlers,
        link_payments: LinkPayments,
        transactions: TransactionHandlers,
        dispatcher: Dispatcher,
    ) -> None:
        self._sandbox = sandbox
        self._payment_links = payment_links
        self._link_payments = link_payments
        self._transactions = transactions
        self._dispatcher = dispatcher

    def calls(self) -> Sequence[_Call]:
        """Return all of the paths."""
        return (
            _Call("GET", "", "this list", self.show_calls),
            _Call("GET", "/faults", "the faults in force, each with how often it struck", self.show_faults),
            _Call(
                "POST", "/faults", "adds one: the text code=1,rate=0.05, or the same as JSON", self.add_fault
            ),
            _Call("DELETE", "/faults", "lifts all faults", self.clear_faults),
            _Call("DELETE", "/faults/{id}", "lifts one", self.remove_fault),
            _Call(
                "GET", "/requests", "how many requests arrived, by operation and method", self.show_requests
            ),
            _Call(
                "GET", "/payment-links", "the stored links whole, the newest first", self.show_payment_links
            ),
            _Call("POST", "/payment-links/{id}/pay", "pays an active link: card, cvv, otp, failed", self.pay),
            _Call(
                "GET", "/transactions", "the stored transactions whole, newest first", self.show_transactions
            ),
            _Call(
                "GET",
                "/deliveries",
                "the webhooks with their payloads and attempts, newest first",
                self.show_deliveries,
            ),
            _Call(
                "POST",
                "/deliveries/settle",
                "waits until all webhooks that are due have been tried",
                self.settle_deliveries,
            ),
            _Call("POST", "/deliveries/{id}/resend", "sends a webhook once more", self.resend_delivery),
            _Call("GET", "/clock", "the sandbox's present", self.show_clock),
            _Call("POST", "/clock", 'moves it ahead: {"advance_seconds": 3600}', self.advance_clock),
            _Call("POST", "/reset", "forgets all state, requests and faults; resets the clock", self.reset),
        )

    async def show_calls(self, request: web.Request) -> Answer:
        del request
        data = [
            {"method": call.method, "path": _ROOT + call.path, "does": call.does} for call in self.calls()
        ]
        return Answer(200, {"data": data})

    async def show_faults(self, request: web.Request) -> Answer:
        del request
        return Answer(200, {"data": [self._shown(fault) for fault in self._sandbox.faults]})

    async def add_fault(self, request: web.Request) -> Answer:
        body = (await request.read()).strip()
        try:
            fault = self._sandbox.faults.add(_read_fault(body))
        except ValueError as error:
            raise Refusal(3, str(error), source=_SOURCE) from None
        return Answer(201, self._shown(fault))

    async def clear_faults(self, request: web.Request) -> Answer:
        self._sandbox.faults.clear()
        return await self.show_faults(request)

    async def remove_fault(self, request: web.Request) -> Answer:
        try:
            self._sandbox.faults.remove(int(request.match_info["id"]))
        except (KeyError, ValueError):
            raise Refusal(4, "fault not found", source=_SOURCE) from None
        return await self.show_faults(request)

    async def show_requests(self, request: web.Request) -> Answer:
        del request
        requests = self._sandbox.requests
        data = [
            {"method": method, "operation": operation, "count": count}
            for (method, operation), count in requests.counts.items()
        ]
        return Answer(200, {"data": data, "total": requests.count()})

    async def show_payment_links(self, request: web.Request) -> Answer:
        return self._payment_links.stored(*_page(request))

    async def show_transactions(self, request: web.Request) -> Answer:
        return self._transactions.stored(*_page(request))

    async def pay(self, request: web.Request) -> Answer:
        identifier = request.match_info["id"]
        fields = Fields(await request.read() or b"{}", source=_SOURCE)
        card, otp = fields.text("card"), fields.text("otp")
        self._link_payments.pay(
            identifier,
            LinkPayment(
                card=DEFAULT_CARD if card is None else card,
                cvv=fields.text("cvv"),
                otp=PASSWORD if otp is None else otp,
                failed=fields.boolean("failed") is True,
            ),
        )
        return self._payment_links.whole(identifier)

    async def show_deliveries(self, request: web.Request) -> Answer:
        asked = PageQuery(*_page(request))
        deliveries, total = self._dispatcher.store.page(asked.offset, asked.size)
        return asked.answer([delivery.shown() for delivery in deliveries], total)

    async def settle_deliveries(self, request: web.Request) -> Answer:
        del request
        try:
            await self._dispatcher.settled(_PATIENCE)
        except TimeoutError as error:
            raise Refusal(1, str(error), source=_SOURCE) from None
        return Answer(200, {})

    async def resend_delivery(self, request: web.Request) -> Answer:
        identifier = request.match_info["id"]
        if self._dispatcher.store.find(identifier) is None:
            raise Refusal(4, "delivery not found", source=_SOURCE)
        try:
            self._dispatcher.resend(identifier)
        except ValueError as error:
            raise Refusal(5, str(error), source=_SOURCE) from None
        delivery = self._dispatcher.store.find(identifier)
        return Answer(200, None if delivery is None else delivery.shown())

    async def show_clock(self, request: web.Request) -> Answer:
        del request
        return Answer(200, {"now": written_time(microseconds_of(self._sandbox.clock.now()))})

    async def advance_clock(self, request: web.Request) -> Answer:
        document = _object(await request.read())
        seconds = document.get("advance_seconds")
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            raise Refusal(3, "advance_seconds: expected a number", source=_SOURCE)
        try:
            self._sandbox.clock.advance(seconds=seconds)
        except ValueError as error:
            raise Refusal(5, f"advance_seconds: {error}", source=_SOURCE) from None
        return await self.show_clock(request)

    async def reset(self, request: web.Request) -> Answer:
        del request
        self._sandbox.reset()
        return Answer(200, {})

    def _shown(self, fault: Fault) -> dict[str, Any]:
        return {
            "id": fault.id,
            "fault": str(fault),
            **fault.to_json(),
            "struck": self._sandbox.faults.struck(fault.id),
        }


def _read_fault(body: bytes) -> Fault:
    if body.startswith(b"{"):
        return Fault.from_json(_object(body))
    try:
        return Fault.parse(body.decode())
    except UnicodeDecodeError:
        raise ValueError("fault: expected UTF-8 text") from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(3, f"body: not valid JSON: {error}", source=_SOURCE) from None
    if not isinstance(document, dict):
        raise Refusal(3, "body: expected a JSON object", source=_SOURCE)
    return document  # pyright: ignore[reportUnknownVariableType]


def _page(request: web.Request) -> tuple[int, int]:
    return _whole(request, "page", 1), min(_whole(request, "size", 1000), 10_000)


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
        raise Refusal(3, f"{name}: expected a whole number from 1, got {text[:60]!r}", source=_SOURCE)
    return int(text)
