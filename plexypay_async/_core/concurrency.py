"""How many requests of bulk jobs may be under way at once, and how many may go out in a second."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

__all__ = ["AdaptiveLimit", "ConcurrencyLimit", "RateClock", "RateLimit", "Unlimited"]

BURST = 0.01
"""Seconds by which a rate may catch up: a timer wakes late."""


class ConcurrencyLimit(Protocol):
    """Decides when a bulk job's next request may go out."""

    def enter_now(self) -> int | None:
        """Return a place's ticket, which is no 0; None where it takes a wait."""
        ...

    async def enter(self) -> int:
        """Wait for a place; return its ticket."""
        ...

    def leave(self, ticket: int, *, trouble: bool | None) -> None:
        """Give the place back.

        Args:
            ticket: What `enter` returned.
            trouble: Whether it ended in code 1, 429 or a time-out; None where nothing was learned of what the
                server takes.
        """
        ...


class Unlimited:
    """A job with a concurrency of its own: its workers are its limit."""

    def enter_now(self) -> int:
        """Take a place."""
        return 1

    async def enter(self) -> int:
        """Take a place at once."""
        return 1

    def leave(self, ticket: int, *, trouble: bool | None) -> None:
        """Give it back."""


class AdaptiveLimit:
    """As many requests at once as the server takes: one limit per client and event loop.

    From 10, doubled every round trip until the first sign of trouble; then one more every round trip. Each
    request that meets trouble takes one off, together at most a twentieth within a round trip, or half at the
    end of the doubling. So a server that refuses what is above its capacity is met at its capacity, and one
    that fails a request in a hundred by chance is still asked a hundred at once.
    """

    FIRST = 10.0
    DECREASE = 0.05
    OVERSHOT = 0.5
    """Doubling may have gone to twice what the server takes before the first answer told of it."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = float(ceiling)
        self.limit = min(self.FIRST, self._ceiling)
        self.under_way = 0
        self._doubling = True
        self._entered = 0
        self._round_began = 0
        self._left_to_take = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter_now(self) -> int | None:
        """Take a place where fewer requests are under way than the limit allows, and none waits."""
        if self.under_way >= int(self.limit) or self._waiting:
            return None
        self.under_way += 1
        self._entered += 1
        return self._entered

    async def enter(self) -> int:
        """Wait until fewer requests are under way than the limit allows."""
        if self.under_way < int(self.limit) and not self._waiting:
            self.under_way += 1
        else:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self.under_way -= 1
                    self._admit()
                raise
        self._entered += 1
        return self._entered

    def leave(self, ticket: int, *, trouble: bool | None) -> None:
        """Learn from how a request ended, and let the next ones in."""
        if trouble:
            # A round trip lasts until a request fails that was sent after it began.
            if ticket > self._round_began:
                self._round_began = self._entered
                self._left_to_take = self.limit * (self.OVERSHOT if self._doubling else self.DECREASE)
            self._doubling = False
            taken = min(1.0, self._left_to_take)
            self._left_to_take -= taken
            self.limit = max(1.0, self.limit - taken)
        elif trouble is not None and self.under_way >= int(self.limit):
            self.limit = min(self._ceiling, self.limit + (1.0 if self._doubling else 1.0 / self.limit))
        self.under_way -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.under_way < int(self.limit):
            place = self._waiting.popleft()
            if not place.done():
                # The place is taken here, so that nobody slips in before its owner wakes.
                self.under_way += 1
                place.set_result(None)


class RateClock:
    """When the next request of the jobs with a rate may go out: one clock per client and event loop."""

    def __init__(self) -> None:
        self.next = 0.0
        self.turn = asyncio.Lock()
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

    async def enter(self) -> int:
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

    def leave(self, ticket: int, *, trouble: bool | None) -> None:
        """Give the place back to the concurrency limit."""
        self._limit.leave(ticket, trouble=trouble)
