"""Makes the webhooks that tell of changes, and sends those that are due, one request for each attempt.

The webhooks of one transaction are sent one after the other, in the order of its changes; those of different
transactions are sent side by side. The sandbox's clock says when each is due; only the time that a receiver
has to answer is real time.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

import aiohttp
import attrs
import orjson
from aiohttp import hdrs
from aiohttp.abc import ResolveResult

from ..._http.resolver import DaemonResolver
from ...errors import ConfigurationError
from ..faults import Faults, Misdelivery
from ..state.checkout_payments import StoredCheckoutPayment
from ..state.links import LinkStore
from ..state.settlement_orders import MERCHANT_ID, StoredSettlementOrder
from ..state.state import Changed
from ..state.transactions import StoredTransaction
from ..thread import SandboxLoop
from .delivery import DeliveryState
from .settings import WebhookSettings, is_loopback_address
from .store import DeliveryDraft, DeliveryStore, DueDelivery

__all__ = ["Dispatcher"]

_SECOND = 1_000_000
# The longest wait before looking again: somebody may have set the machine's clock.
_LONGEST_SLEEP = 3600.0
_AT_ONCE = 16
_HELD_FOR = 60 * _SECOND
_LATEST = 3600 * _SECOND
_HEADERS: dict[str, str] = {hdrs.USER_AGENT: "plexypay-sandbox", hdrs.CONTENT_TYPE: "application/json"}
HELD = "held:"
"""In place of an address where there is none, of a webhook that a test hands over."""
_TOLD = frozenset({"created", "authorized", "rejected", "failed", "charged", "cancelled", "refunded"})
_SIGNED: dict[str, tuple[str, str]] = {
    "authorised": ("payment.succeeded", "succeeded"),
    "refused": ("payment.failed", "failed"),
    "error": ("payment.failed", "failed"),
    "returned": ("refund.succeeded", "succeeded"),
}
"""The event of the Checkout API and its status, by the state of a payment."""
_SIGNED_EVENTS = frozenset(event for event, _ in _SIGNED.values())
_WRAPPED = ("paymentLinkId", "paymentSessionId", "cardTokenId", "customerId")


class _Resolver(DaemonResolver):
    """Refuses names of other hosts that lead to this machine, except to ports that are open to webhooks."""

    def __init__(self, settings: WebhookSettings) -> None:
        super().__init__()
        self._settings = settings

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: There are none, or one of them leads to a port of this machine that is not open.
        """
        found = await super().resolve(host, port, family)
        if not self._settings.names(host) and any(is_loopback_address(one["host"]) for one in found):
            refusal = self._settings.refusal_of_port(port)
            if refusal is not None:
                refusal = f"{host} is this machine: {refusal}"
                self._settings.tell_refusal(f"http://{host}:{port}", refusal)
                raise PermissionError(errno.EACCES, refusal)
        return found


class Dispatcher:
    """Sends the webhooks of a running sandbox."""

    def __init__(
        self,
        store: DeliveryStore,
        links: LinkStore,
        faults: Faults,
        settings: WebhookSettings,
        loop: SandboxLoop,
    ) -> None:
        self.store = store
        self.loop = loop
        self._links = links
        self.clock = store.clock
        self._faults = faults
        self.settings = settings
        self._woken = asyncio.Event()
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._attempted: set[str] = set()
        # Connections are not reused: the first request to a receiver that was restarted would fail.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, resolver=_Resolver(settings)),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.timeout),
            headers=_HEADERS,
        )
        self._broken: BaseException | None = None
        self._pump: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self._pass_time: Callable[[], int | None] = lambda: None

    def begin(self, pass_time: Callable[[], int | None]) -> None:
        """Begin to deliver.

        Args:
            pass_time: Makes the changes of state that are due by the clock, and returns when the next is due.
        """
        self._pass_time = pass_time
        self.store.take_up(longest_delay=_LATEST)
        self._unwatch = self.clock.watch(lambda: self.loop.call_soon(self._woken.set))
        self._pump = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Stop delivering; what is under way counts as not sent."""
        self._unwatch()
        pump, self._pump = self._pump, None
        tasks = list(self._sending.values())
        if pump is not None:
            tasks.append(pump)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    def tell(self, changed: Changed) -> None:
        """Store the webhook that tells of a new state, if there is one and an address for it."""
        held = self.settings.held
        is_checkout = isinstance(changed, StoredCheckoutPayment)
        default = (self.settings.checkout_url if is_checkout else None) or self.settings.url
        draft = _webhook_of(changed, self._links, default or (HELD if held else None))
        if draft is None:
            return
        refusal = None if held else self.settings.refusal(draft.url)
        if refusal is None:
            self.store.create(self._struck(draft))
        else:
            self.settings.tell_refusal(draft.url, refusal)
            self.store.create(attrs.evolve(draft, state=DeliveryState.REFUSED, reason=refusal))
        self._woken.set()

    def resend(self, identifier: str) -> None:
        """Send a webhook once more, as if it were new.

        Raises:
            ValueError: There is none with this id, or its address is refused.
        """
        delivery = self.store.find(identifier)
        if delivery is None:
            raise ValueError(f"no such delivery: {identifier}")
        refusal = self.settings.refusal(delivery.url)
        if refusal is not None:
            raise ValueError(refusal)
        self.store.resend(identifier, under_way=identifier in self._attempted)
        self._woken.set()

    def clear(self) -> None:
        """Forget every delivery, and give up those under way."""
        for task in self._sending.values():
            task.cancel()
        self.store.clear()

    async def settled(self, timeout: float) -> None:
        """Wait until all that is due has been tried; see `Deliveries.settled`."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if self._pump is None:
                        raise ConfigurationError("the sandbox was stopped")
                    self._begin_due()
                    if not self._sending:
                        return
                    await asyncio.wait(self._sending.values(), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise TimeoutError(
                f"webhooks: still under way after {timeout:g} s; does the receiver answer?"
            ) from None

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            changes_at = self._begin_due()
            # What is due already waits until fewer are being sent: `_sent` wakes this loop.
            due_at = self.store.next_due_at()
            now = self.clock.microseconds()
            awaited = [at for at in (changes_at, due_at) if at is not None and at > now]
            sleep = min(((at - now) / _SECOND for at in awaited), default=_LONGEST_SLEEP)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(sleep, _LONGEST_SLEEP)):
                    await self._woken.wait()

    def _begin_due(self) -> int | None:
        if self._broken is not None:
            raise self._broken
        changes_at = self._pass_time()
        while len(self._sending) < _AT_ONCE and not self.settings.held:
            due = self.store.due(without=self._sending)
            if due is None:
                break
            task = asyncio.create_task(self._send_all(due.subject))
            self._sending[due.subject] = task
            task.add_done_callback(functools.partial(self._sent, due.subject))
        return changes_at

    def _sent(self, subject: str, task: asyncio.Task[None]) -> None:
        if self._sending.get(subject) is task:
            del self._sending[subject]
        if not task.cancelled() and self._broken is None:
            self._broken = task.exception()
        self._woken.set()

    async def _send_all(self, subject: str) -> None:
        while True:
            due = self.store.due(subject=subject)
            if due is None:
                return
            self._attempted.add(due.id)
            try:
                status, error = await self._send(due)
            finally:
                self._attempted.discard(due.id)
            self.record(due, status, error)

    def record(self, due: DueDelivery, status: int | None, error: str | None = None) -> None:
        """Note an attempt at a webhook."""
        pauses = self.settings.pauses
        pause = int(pauses[due.tries] * _SECOND) if due.tries < len(pauses) else None
        self.store.record(due, status=status, error=error, pause=pause)

    def held(self) -> tuple[DueDelivery, dict[str, str]] | None:
        """Return what has been due longest, with the headers to send it with; None where nothing is.

        Raises:
            ConfigurationError: Webhooks are not held: the sandbox sends them itself.
        """
        if not self.settings.held:
            raise ConfigurationError("webhooks are not held; set sandbox.hold_webhooks = True before")
        self._pass_time()
        due = self.store.due()
        return None if due is None else (due, {**_HEADERS, **self._proof(due)})

    def _proof(self, due: DueDelivery) -> dict[str, str]:
        """Return the header that proves who has sent a webhook."""
        if due.event not in _SIGNED_EVENTS:
            return {hdrs.AUTHORIZATION: f"Bearer {self.settings.token.reveal()}"}
        # In real time: a receiver compares it with its own clock.
        signature = self.settings.checkout_secret.keyed_digest(due.body).hex()
        return {"Plexy-Signature": f"t={int(time.time())},v1={signature}"}

    async def _send(self, due: DueDelivery) -> tuple[int | None, str | None]:
        refusal = self.settings.refusal(due.url)
        if refusal is not None:
            self.settings.tell_refusal(due.url, refusal)
            return None, refusal
        try:
            async with self._session.post(
                due.url,
                data=due.body,
                headers=self._proof(due),
                allow_redirects=False,
            ) as response:
                return response.status, None
        except TimeoutError:
            return None, f"no answer within {self.settings.timeout:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"[:500]

    def _struck(self, draft: DeliveryDraft) -> DeliveryDraft:
        fault = self._faults.strike_delivery(draft.event)
        if fault is None or fault.delivery is None:
            return draft
        if fault.delivery is Misdelivery.REORDERED and self.store.holds(draft.subject):
            # It is the one that overtakes.
            return draft
        changes: dict[Misdelivery, dict[str, Any]] = {
            Misdelivery.TWICE: {"copies": 2},
            Misdelivery.LATE: {"delay": round(fault.latency * _SECOND)},
            Misdelivery.REORDERED: {"delay": _HELD_FOR, "held": True},
            Misdelivery.NEVER: {"state": DeliveryState.LOST},
        }
        return attrs.evolve(draft, fault=fault.delivery, **changes[fault.delivery])


def _webhook_of(changed: Changed, links: LinkStore, default_url: str | None) -> DeliveryDraft | None:
    """Return the webhook for a new state; None if that state has none, or there is no address for it.

    Evidence: names and bodies are published. Ids of other objects are written as ``{"Value": "..."}``, as
    published; plain strings are observed too. Which changes have a webhook is assumed: all states with a
    published name, so not ``3d``. A refund has one for its own transaction, and one for the payment when
    nothing of it is left. A payment order belongs to no link, so its webhooks go to the default address.
    """
    if isinstance(changed, StoredSettlementOrder):
        return None if default_url is None else _of_order(changed, default_url)
    if isinstance(changed, StoredCheckoutPayment):
        if default_url is None or changed.status not in _SIGNED:
            return None
        return _of_checkout_payment(changed, default_url)
    url = _callback_url(changed, links) or default_url
    return None if url is None or changed.status not in _TOLD else _of_transaction(changed, url)


def _callback_url(transaction: StoredTransaction, links: LinkStore) -> str | None:
    link = None if transaction.payment_link_id is None else links.find(transaction.payment_link_id)
    return None if link is None else link.text_of_metadata("callbackUrl")


def _of_transaction(transaction: StoredTransaction, url: str) -> DeliveryDraft:
    data = transaction.whole()
    for key in _WRAPPED:
        if data[key] is not None:
            data[key] = {"Value": data[key]}
    name = f"transaction.{transaction.status}"
    subject = transaction.id
    if transaction.type == "refund" and transaction.parent_id is not None:
        subject = transaction.parent_id
    body = orjson.dumps({"name": name, "merchantId": MERCHANT_ID, "data": data})
    return DeliveryDraft(event=name, subject=subject, url=url, body=body)


def _of_order(order: StoredSettlementOrder, url: str) -> DeliveryDraft:
    data = order.shown()
    del data["id"]
    name = f"payment_order.{order.status}"
    body = orjson.dumps({"name": name, "merchant_id": MERCHANT_ID, "data": data})
    return DeliveryDraft(event=name, subject=order.id, url=url, body=body)


def _of_checkout_payment(payment: StoredCheckoutPayment, url: str) -> DeliveryDraft:
    """Return the signed webhook for a payment of the Checkout API.

    Evidence: published, but for what is not: which changes are told, and how a receiver is to know whose
    payment it is. So ``merchantReference`` and ``pspReference`` are the sandbox's own.
    """
    event, status = _SIGNED[payment.status]
    data = {
        "id": payment.event_subject,
        "amount": payment.amount,
        "currency": payment.currency,
        "status": status,
        "merchantReference": payment.reference,
        "pspReference": payment.id,
    }
    created = payment.updated_at // _SECOND
    body = orjson.dumps({"id": f"evt_{uuid.uuid4().hex}", "type": event, "created": created, "data": data})
    return DeliveryDraft(event=event, subject=payment.id, url=url, body=body)
