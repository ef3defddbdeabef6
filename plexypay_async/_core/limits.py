"""How much a client may ask for: the retry budget that keeps an outage from becoming a storm, and the pace.

A single call whose retry finds the budget empty raises its last error. A bulk job waits instead, and lets one
retry at a time through as a probe; without it, jobs that wait for the tokens that only a success gives would
wait for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

__all__ = ["AdaptivePace", "JobRetryBudget", "OpenPace", "Pace", "RateClock", "RatedPace", "RetryBudget"]

RETRY_COST = 5
TIMEOUT_COST = 10
SUCCESS_CREDIT = 1
PROBE_INTERVAL = 0.5
"""Seconds between two probes: at most two a second."""
OUTAGE_AFTER = 5
"""So many failures on end, and twice as many as there are calls under way, mean that nothing works."""
JOB_SHARE = 3
"""A client's bulk jobs have a third of the tokens that its single calls have."""
JOB_REFUND = 0.6
"""The share of a retry's tokens that a success in a bulk job gives back while other requests fail."""
HEALTHY_AFTER = 1.0
"""Seconds without a failure that mean that a server takes what it is sent."""
BURST = 0.01
"""Seconds by which a rate may catch up: a timer wakes late."""


class TokenBucket:
    """Tokens that retries take and successes give back."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.tokens = capacity
        self.failures_on_end = 0

    def take(self, tokens: int) -> bool:
        """Take tokens for a retry; False where there are not enough."""
        if self.tokens < tokens:
            return False
        self.tokens -= tokens
        return True

    def give(self, tokens: int) -> None:
        """Give tokens back after a success: what its last retry took, or 1."""
        self.failures_on_end = 0
        # As a rule nothing is missing.
        if self.tokens < self.capacity:
            self.pay_in(tokens or SUCCESS_CREDIT)

    def pay_in(self, tokens: int) -> None:
        """Add tokens, as far as there is room."""
        self.tokens = min(self.capacity, self.tokens + tokens)

    def note_failure(self) -> None:
        """Note a failure after which the server is to be asked again."""
        self.failures_on_end += 1


class RetryBudget(TokenBucket):
    """A client's budget for retries: a bucket for its single calls, and one for its bulk jobs.

    A retry takes 5 tokens, one after a time-out 10; a success gives back what its last retry took, or 1.
    While most calls succeed it stays full; when all fail it empties, and calls then raise their last error
    instead of asking again.
    """

    def __init__(self, max_attempts: int, max_connections: int) -> None:
        # Even a client that never repeats a call needs tokens to look up what a lost answer has done.
        super().__init__(RETRY_COST * max(1, max_attempts - 1) * max_connections)
        self.jobs = JobRetryBudget(max(TIMEOUT_COST, self.capacity // JOB_SHARE))
        """Apart: a job that storms a server does not cost the single calls beside it their retries."""


class JobRetryBudget(TokenBucket):
    """The bucket that all bulk jobs of a client share.

    While the server goes on refusing, a success gives back three fifths of what its retry took: were it all,
    a job far above a server's capacity could have one retry for each link for ever. With three fifths it
    settles at about 1.3 requests for each link, and a server that fails one request in five at random is
    still no reason to wait for tokens.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._failed_at = time.monotonic()

    def give(self, tokens: int) -> None:
        """Give tokens back after a success, one more than its retry took where nothing fails any more.

        So those that wait for tokens then go out soon: a fifth more of them each round trip.
        """
        if tokens and self.tokens < self.capacity:
            healthy = time.monotonic() - self._failed_at >= HEALTHY_AFTER
            tokens = tokens + SUCCESS_CREDIT if healthy else int(tokens * JOB_REFUND)
        super().give(tokens)

    def note_failure(self) -> None:
        """Note a failure after which the server is to be asked again."""
        super().note_failure()
        self._failed_at = time.monotonic()


class ProbeQueue:
    """The requests of bulk jobs on one event loop that wait for a client's retry budget.

    The first in the queue goes out without a token, at most twice a second; a success pays 5 tokens in and
    lets the next one try the budget again.
    """

    def __init__(self, budget: JobRetryBudget, loop: asyncio.AbstractEventLoop) -> None:
        self._budget = budget
        self._loop = loop
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._next_probe = 0.0
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    def is_outage(self, calls: int) -> bool:
        """Tell whether so many requests have failed on end that nothing but a probe should be sent."""
        return self._budget.failures_on_end >= max(OUTAGE_AFTER, 2 * calls)

    async def wait(self, tokens: int) -> bool:
        """Wait in the queue until a request may go out.

        Returns:
            True where it goes out as the probe; False where it has paid `tokens`.
        """
        while not self._closed:
            ticket: asyncio.Future[bool] = self._loop.create_future()
            self._waiting.append(ticket)
            self._schedule()
            if await ticket:
                return True
            if self._budget.take(tokens):
                return False
        return True

    def _schedule(self) -> None:
        if self._timer is None and self._waiting:
            self._timer = self._loop.call_at(max(self._next_probe, self._loop.time()), self._probe)

    def _probe(self) -> None:
        self._timer = None
        if self._admit(probe=True):
            self._next_probe = self._loop.time() + PROBE_INTERVAL
            self._schedule()

    def answered(self, *, probe: bool) -> None:
        """Note that the server works: the next in the queue may go on, and a probe pays tokens in."""
        self._budget.failures_on_end = 0
        if probe:
            self._budget.pay_in(RETRY_COST)
        if self._waiting:
            self._admit(probe=False)

    def _admit(self, *, probe: bool) -> bool:
        while self._waiting:
            ticket = self._waiting.popleft()
            # One that was cancelled meanwhile is done.
            if not ticket.done():
                ticket.set_result(probe)
                return True
        return False

    def close(self) -> None:
        """Stop the timer, and let all that wait now or later find that the client is closed."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._admit(probe=True):
            pass


class Pace(Protocol):
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


class OpenPace:
    """A job with a concurrency of its own: its workers are its limit."""

    def enter_now(self) -> int:
        """Take a place."""
        return 1

    async def enter(self) -> int:
        """Take a place at once."""
        return 1

    def leave(self, ticket: int, *, trouble: bool | None) -> None:
        """Give it back."""


class AdaptivePace:
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


class RatedPace:
    """At most so many requests a second, evenly spaced, under another pace.

    Jobs on the same clock share their rates: two with 50 a second make 50 together.
    """

    def __init__(self, max_rate: float, pace: Pace, clock: RateClock) -> None:
        self._interval = 1.0 / max_rate
        self._pace = pace
        self._clock = clock

    def enter_now(self) -> None:
        """Take none: each waits for its moment."""

    async def enter(self) -> int:
        """Wait for the next moment that the rate allows, then for the pace underneath."""
        loop = asyncio.get_running_loop()
        # One after the other: those whose moment had passed while the pace held them would all go at once.
        clock = self._clock
        async with clock.turn:
            wait = clock.next - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            ticket = await self._pace.enter()
            clock.next = max(clock.next, loop.time() - BURST) + self._interval
            return ticket

    def leave(self, ticket: int, *, trouble: bool | None) -> None:
        """Give the place back to the pace underneath."""
        self._pace.leave(ticket, trouble=trouble)
