"""How many requests of bulk jobs may be under way at once, and how many may go out in a second."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from .pace import Pace, Sign

__all__ = ["AdaptiveLimit", "ConcurrencyLimit", "FixedLimit", "Hold", "RateClock", "RateLimit", "Unlimited"]

BURST = 0.01
"""Seconds by which a rate may catch up: a timer wakes late."""
LONGEST_HOLD = 60.0
"""Seconds of `Retry-After` for which all jobs wait together; what is longer, each row meets by itself."""

_FINE, _TROUBLE = Sign.FINE, Sign.TROUBLE


class ConcurrencyLimit(Protocol):
    """Decides when a bulk job's next request may go out."""

    def enter_now(self) -> float | None:
        """Return a place's ticket, which is no 0; None where it takes a wait."""
        ...

    async def enter(self) -> float:
        """Wait for a place; return its ticket."""
        ...

    def leave(self, ticket: float, sign: Sign, retry_after: float = 0.0) -> None:
        """Give the place back.

        Args:
            ticket: What `enter` returned.
            sign: What the request's end tells of the server.
            retry_after: Seconds that the server has asked to wait, if it has.
        """
        ...


class Hold:
    """The time for which the server has asked to wait: of all bulk jobs of a client on one event loop."""

    def __init__(self) -> None:
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._held: list[Callable[[], None]] = []

    @property
    def is_on(self) -> bool:
        """Whether nothing is to go out now."""
        return self._timer is not None

    def add(self, go_on: Callable[[], None]) -> None:
        """Have something called each time that it ends."""
        self._held.append(go_on)

    def wait_for(self, seconds: float) -> None:
        """Let nothing out for so long, unless it is for longer already; what is longest, rows meet alone."""
        if not 0 < seconds <= LONGEST_HOLD:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if self._timer is None or until > self._until:
            if self._timer is not None:
                self._timer.cancel()
            self._until = until
            self._timer = loop.call_at(until, self._end)

    def _end(self) -> None:
        self._timer = None
        for go_on in self._held:
            go_on()

    def close(self) -> None:
        """Let all that wait for its end find that the client is closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._end()


class Unlimited:
    """What has no limit of its own, as look-ups of a job."""

    def enter_now(self) -> float:
        """Take a place."""
        return 1.0

    async def enter(self) -> float:
        """Take a place at once."""
        return 1.0

    def leave(self, ticket: float, sign: Sign, retry_after: float = 0.0) -> None:
        """Give it back."""


class AdaptiveLimit:
    """As many requests at once as the server takes: one limit per client and event loop.

    How many that are is found by `Pace`. Places are given in the order of the asking, whichever job asks: two
    jobs that want all they can get have half each. While the server has asked to wait, none is given.
    """

    def __init__(
        self, ceiling: int, clock: Callable[[], float] = time.monotonic, hold: Hold | None = None
    ) -> None:
        self.pace: Pace = Pace(ceiling)
        self.under_way = 0
        self.hold: Hold = Hold() if hold is None else hold
        """For how long the server has asked to wait."""
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.hold.add(self._admit)

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return self.pace.limit

    def enter_now(self) -> float | None:
        """Take a place where fewer requests are under way than the limit allows, and none waits."""
        if self.under_way >= self.pace.limit or self._waiting or self.hold.is_on:
            return None
        self.under_way += 1
        # A ticket is the moment of the sending: by it, an answer is known to be of a phase or before it.
        return self._clock()

    async def enter(self) -> float:
        """Wait until fewer requests are under way than the limit allows."""
        if (ticket := self.enter_now()) is not None:
            return ticket
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.under_way -= 1
                self._admit()
            raise
        return self._clock()

    def leave(self, ticket: float, sign: Sign, retry_after: float = 0.0) -> None:
        """Learn from how a request ended, and let the next ones in."""
        pace = self.pace
        if sign is _FINE or sign is _TROUBLE:
            pace.answered(ticket, self._clock(), sign is _TROUBLE, self.under_way >= pace.limit)
        elif sign is Sign.SLOWER:
            pace.told_to_slow_down(ticket, self._clock())
            self.hold.wait_for(retry_after)
        self.under_way -= 1
        if self._waiting:
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self.under_way < self.pace.limit and not self.hold.is_on:
            place = self._waiting.popleft()
            if not place.done():
                # The place is taken here, so that nobody slips in before its owner wakes.
                self.under_way += 1
                place.set_result(None)


class FixedLimit:
    """Jobs with a concurrency of their own: their workers are their limit, and wait when the server asks.

    Args:
        hold: For how long the server has asked to wait.
    """

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._waiting: list[asyncio.Future[None]] = []
        hold.add(self._go_on)

    def enter_now(self) -> float | None:
        """Take a place, unless the server has asked to wait."""
        return None if self._hold.is_on else 1.0

    async def enter(self) -> float:
        """Take a place once the server may be asked."""
        while self._hold.is_on:
            end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(end)
            await end
        return 1.0

    def leave(self, ticket: float, sign: Sign, retry_after: float = 0.0) -> None:
        """Give it back; the server may have asked to wait."""
        if sign is Sign.SLOWER:
            self._hold.wait_for(retry_after)

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, []
        for end in waiting:
            if not end.done():
                end.set_result(None)


class RateClock:
    """When the next request of the jobs with a rate may go out: one clock per client and event loop."""

    def __init__(self) -> None:
        self.next: float = 0.0
        self.turn: asyncio.Lock = asyncio.Lock()
        self._pause: asyncio.Future[None] | None = None
        self._closed = False

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until it is closed; only who has the turn may."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        self._pause = loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            await self._pause
        finally:
            timer.cancel()
            self._pause = None

    def _wake(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    def close(self) -> None:
        """Let all that wait now or later find that the client is closed."""
        self._closed = True
        self._wake()


class RateLimit:
    """At most so many requests a second, evenly spaced, under a concurrency limit.

    Jobs on the same clock share their rates: two with 50 a second make 50 together.
    """

    def __init__(self, max_rate: float, limit: ConcurrencyLimit, clock: RateClock) -> None:
        self._interval = 1.0 / max_rate
        self._limit = limit
        self._clock = clock

    def enter_now(self) -> None:
        """Take none: each waits for its moment."""

    async def enter(self) -> float:
        """Wait for the next moment that the rate allows, then for a place under the concurrency limit."""
        loop = asyncio.get_running_loop()
        # One after the other: those whose moment passed while they had no place would all go at once.
        clock = self._clock
        async with clock.turn:
            wait = clock.next - loop.time()
            if wait > 0:
                await clock.pause(wait)
            ticket = await self._limit.enter()
            clock.next = max(clock.next, loop.time() - BURST) + self._interval
            return ticket

    def leave(self, ticket: float, sign: Sign, retry_after: float = 0.0) -> None:
        """Give the place back to the concurrency limit."""
        self._limit.leave(ticket, sign, retry_after)
