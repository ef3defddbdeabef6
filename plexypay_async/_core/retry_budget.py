"""The retry budget, which keeps an outage from becoming a storm of repeated requests.

It bounds the rate of the repeats. Whoever finds it empty waits: a single call at the gate, for the tokens
that come back with time and with each success; a bulk job's in a queue that lets one retry at a time through
as a probe, since to its bucket only a success gives tokens.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections import deque
from typing import Protocol

from ..errors import PlexyPayError

__all__ = ["JobRetryBudget", "ProbeQueue", "RetryBudget", "TokenBucket"]

RETRY_COST = 5
TIMEOUT_COST = 10
SUCCESS_CREDIT = 1
PROBE_INTERVAL = 0.5
"""Seconds between two probes: at most two a second."""
OUTAGE_AFTER = 5
"""So many failures on end, and twice as many as there are calls under way, mean that nothing works."""
OUTAGE_LASTS, MANY = 2.0, 50
"""To single calls they mean it after so many seconds, or at once where there are so many: a call alone may
spend its attempts in a moment, if it was told to make short pauses."""
JOB_SHARE = 3
"""A client's bulk jobs have a third of the tokens that its single calls have."""
JOB_REFUND = 0.6
"""The share of a retry's tokens that a success in a bulk job gives back while other requests fail."""
HEALTHY_AFTER = 1.0
"""Seconds without a failure that mean that a server takes what it is sent."""
REFILL = 50
"""Tokens a second that come back to the single calls by themselves: ten retries."""
STALE_AFTER = 10.0
"""Seconds after which a failure says nothing any more of what works now."""


class TokenBucket:
    """Tokens that retries take and successes give back."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.tokens = capacity
        self.failures_on_end = 0
        self.latest_failure: PlexyPayError | None = None
        """The latest of them, where its error was told."""

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

    def note_failure(self, error: PlexyPayError | None = None) -> None:
        """Note a failure after which the server is to be asked again."""
        self.failures_on_end += 1
        if error is not None:
            # A copy has no frames: those of an attempt hold what the server sent.
            told = self.latest_failure = copy.copy(error)
            told.__cause__ = error.__cause__


class Holding(Protocol):
    """A gate at which calls wait."""

    loop: asyncio.AbstractEventLoop
    """The event loop of its calls."""

    def answered(self, *, ends_outage: bool) -> None:
        """Let some of them go on: the server has answered."""
        ...


class RetryBudget(TokenBucket):
    """A client's budget for retries: a bucket for its single calls, and one for its bulk jobs.

    A retry takes 5 tokens, one after a time-out 10. A success, and any answer that shows that the server
    works, gives back what the call's last retry took, or 1; and 50 come back each second. So in the long run
    a client repeats as often as it succeeds and ten times a second besides, whatever its calls meet.

    What is known of an outage is here too, for the client's gates on all of its event loops.
    """

    def __init__(self, max_attempts: int, max_connections: int) -> None:
        # Even a client that never repeats a call has a gate that counts in tokens.
        super().__init__(RETRY_COST * max(1, max_attempts - 1) * max_connections)
        self.jobs: JobRetryBudget = JobRetryBudget(max(TIMEOUT_COST, self.capacity // JOB_SHARE))
        """Apart: a job that storms a server does not cost the single calls beside it their retries."""
        self.is_calm = True
        """Whether it is full, nothing has failed since the last success, and no call waits at a gate."""
        self.holding: set[Holding] = set()
        """The gates at which calls wait."""
        self.next_probe = 0.0
        """The time before which no gate lets another probe out."""
        self._refilled_at = self._failing_since = self._tested_at = time.monotonic()

    def take(self, tokens: int) -> bool:
        """Take tokens for a retry; False where there are not enough."""
        now = time.monotonic()
        if self.tokens < self.capacity:
            come = int((now - self._refilled_at) * REFILL)
            if come < 0:
                # The clock was set back.
                self._refilled_at = now
            elif come:
                self._refilled_at += come / REFILL
                self.pay_in(come)
        if self.tokens >= self.capacity:
            self._refilled_at = now
        if tokens:
            self.is_calm = False
        return super().take(tokens)

    def give(self, tokens: int) -> None:
        """Give tokens back after an answer that shows that the server works, and let waiting calls go on."""
        # As a rule there is nothing to do.
        if not self.is_calm:
            self._worked(tokens)

    def _worked(self, tokens: int) -> None:
        lasted = self.failures_on_end >= OUTAGE_AFTER and (
            time.monotonic() - self._failing_since >= OUTAGE_LASTS
        )
        super().give(tokens)
        if self.holding:
            here = asyncio.get_running_loop()
            for gate in list(self.holding):
                # One on another loop sees it at its next turn.
                if gate.loop is here:
                    gate.answered(ends_outage=lasted)
                elif gate.loop.is_closed():
                    self.holding.discard(gate)
        self.is_calm = self.tokens >= self.capacity and not self.holding

    def hold(self, gate: Holding) -> None:
        """Note that calls wait at a gate."""
        self.holding.add(gate)
        self.is_calm = False

    def note_failure(self, error: PlexyPayError | None = None) -> None:
        """Note a failure after which the server is to be asked again."""
        self.is_calm = False
        now = time.monotonic()
        if not self.failures_on_end or self._is_stale(now):
            self.failures_on_end, self._failing_since = 0, now
        self._tested_at = now
        super().note_failure(error)

    def _is_stale(self, now: float) -> bool:
        return not 0 <= now - self._tested_at <= STALE_AFTER

    def is_outage(self, under_way: int) -> bool:
        """Tell whether so much has failed on end, and so lately, that nothing but a probe should be sent.

        Args:
            under_way: How many requests are.
        """
        if self.failures_on_end < max(OUTAGE_AFTER, min(under_way, MANY)):
            return False
        now = time.monotonic()
        if self._is_stale(now):
            self.failures_on_end: int = 0
            return False
        return self.failures_on_end >= MANY or now - self._failing_since >= OUTAGE_LASTS

    def until_probe(self) -> float:
        """Return the seconds until the next probe may go out: half a second after the one before."""
        # A clock that was set must not hold it back for longer.
        return min(PROBE_INTERVAL, max(0.0, self.next_probe - time.monotonic()))

    def may_probe(self) -> bool:
        """Take the turn of the next probe; False where it is too early for one."""
        if self.until_probe() > 0:
            return False
        # While probes go out, what they test is no old news, however long their answers take.
        self._tested_at = now = time.monotonic()
        self.next_probe = now + PROBE_INTERVAL
        return True


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
        self.failures_on_end = 0
        if self.tokens < self.capacity:
            if tokens:
                healthy = time.monotonic() - self._failed_at >= HEALTHY_AFTER
                tokens = tokens + SUCCESS_CREDIT if healthy else int(tokens * JOB_REFUND)
            self.pay_in(tokens or SUCCESS_CREDIT)

    def note_failure(self, error: PlexyPayError | None = None) -> None:
        """Note a failure after which the server is to be asked again."""
        super().note_failure(error)
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

    @property
    def is_failing(self) -> bool:
        """Whether more has failed on end than chance explains."""
        return self._budget.failures_on_end > OUTAGE_AFTER

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
