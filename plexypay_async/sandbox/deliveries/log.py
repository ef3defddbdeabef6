"""The webhooks that a sandbox delivers, as tests and other programs see them."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs
import orjson

from ...errors import ConfigurationError
from ..clock import microseconds_of, written_time

if TYPE_CHECKING:
    from .dispatcher import Dispatcher

__all__ = ["Deliveries", "Delivery", "DeliveryAttempt", "DeliveryState"]

T = TypeVar("T")


class DeliveryState(enum.StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    """It is under way, or waits for its next attempt."""
    DELIVERED = "delivered"
    """It was answered with 200."""
    FAILED = "failed"
    """No attempt was answered with 200, and there are no more."""
    REFUSED = "refused"
    """The sandbox does not deliver to this address; `Delivery.reason` says why."""
    LOST = "lost"
    """A fault, ``delivery=never``, kept it from being tried."""


@attrs.frozen
class DeliveryAttempt:
    """One request to the receiver."""

    at: datetime
    """When it ended, by the sandbox's clock, in UTC."""
    status: int | None
    """The HTTP status; None where there was no answer."""
    error: str | None
    """Why there was no answer."""


@attrs.frozen
class Delivery:
    """One webhook, and what became of it."""

    id: str
    event: str
    """Such as ``transaction.charged``."""
    url: str
    body: bytes = attrs.field(repr=False)
    """What is sent, the same in each attempt."""
    state: DeliveryState
    fault: str | None
    """The fault that struck it: ``twice``, ``late``, ``reordered`` or ``never``."""
    reason: str | None
    """Why the address is refused."""
    created_at: datetime
    """By the sandbox's clock, in UTC."""
    next_attempt_at: datetime | None
    """When it is due, by the sandbox's clock, in UTC; None where nothing is to come."""
    attempts: tuple[DeliveryAttempt, ...]
    """The oldest first."""

    @property
    def payload(self) -> dict[str, Any]:
        """The body, decoded."""
        payload: dict[str, Any] = orjson.loads(self.body)
        return payload

    def shown(self) -> dict[str, Any]:
        """Return it as an object that JSON can carry."""
        return {
            "id": self.id,
            "event": self.event,
            "url": self.url,
            "state": self.state,
            "fault": self.fault,
            "reason": self.reason,
            "createdAt": _written(self.created_at),
            "nextAttemptAt": None if self.next_attempt_at is None else _written(self.next_attempt_at),
            "attempts": [
                {"at": _written(attempt.at), "status": attempt.status, "error": attempt.error}
                for attempt in self.attempts
            ],
            "payload": orjson.Fragment(self.body),
        }


class _Running(Protocol):
    @property
    def dispatcher(self) -> Dispatcher: ...

    def on_loop(self, work: Callable[[], T]) -> T: ...


class Deliveries:
    """The webhooks of a sandbox, the oldest first: iterate over it, or ask for its length.

    Its methods may be called from any thread.
    """

    def __init__(self, started: Callable[[], _Running]) -> None:
        self._started = started

    def __iter__(self) -> Iterator[Delivery]:
        running = self._started()
        return iter(running.on_loop(lambda: list(running.dispatcher.store.all())))

    def __len__(self) -> int:
        running = self._started()
        return running.on_loop(running.dispatcher.store.count)

    def find(self, identifier: str) -> Delivery | None:
        """Return the delivery with this id."""
        running = self._started()
        return running.on_loop(lambda: running.dispatcher.store.find(identifier))

    def resend(self, delivery: Delivery | str) -> None:
        """Send a webhook once more, given itself or its id: at once, with all retries, and without faults.

        Raises:
            ValueError: There is none with this id, or its address is refused.
            ConfigurationError: The sandbox is not running.
        """
        running = self._started()
        identifier = delivery if isinstance(delivery, str) else delivery.id
        running.on_loop(lambda: running.dispatcher.resend(identifier))

    async def settled(self, timeout: float = 10.0) -> None:
        """Wait until all that is due by the sandbox's clock has been tried.

        A delivery that was not answered with 200 is due again after a pause: move the clock to try it anew,
        ``sandbox.clock.advance(seconds=5)``.

        Raises:
            TimeoutError: Something is still under way after `timeout` seconds of real time.
            ConfigurationError: The sandbox is not running, or was stopped meanwhile.
        """
        dispatcher = self._started().dispatcher
        work = dispatcher.settled(timeout)
        if asyncio.get_running_loop() is dispatcher.loop:
            await work
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, dispatcher.loop))

    def wait_settled(self, timeout: float = 10.0) -> None:
        """Do as `settled` in a thread other than the sandbox's.

        Raises:
            TimeoutError: Something is still under way after `timeout` seconds of real time.
            ConfigurationError: The sandbox is not running, was stopped, or runs in this very thread.
        """
        dispatcher = self._started().dispatcher
        if dispatcher.is_own_thread():
            raise ConfigurationError("the sandbox runs in this thread; await sandbox.deliveries.settled()")
        asyncio.run_coroutine_threadsafe(dispatcher.settled(timeout), dispatcher.loop).result()


def _written(moment: datetime) -> str:
    return written_time(microseconds_of(moment))
