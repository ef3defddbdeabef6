"""When a call's requests may go out: at once for a single call, as the job's limits allow in a bulk job.

The two differ in four things. A bulk job's call waits for a place under its concurrency limit, and gives it
back after each request. It waits for the retry budget, where a single call raises its last error. In an
outage it sends nothing but a probe. And its deadline alone bounds its attempts, since a job has the time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .decision import is_trouble
from .limits import RETRY_COST, TIMEOUT_COST, Pace, ProbeQueue, TokenBucket

if TYPE_CHECKING:
    from .errors import PlexyPayError
    from .limits import RetryBudget
    from .settings import Settings
    from .wire import WireResponse

__all__ = ["JobAdmission", "JobLimits", "SingleAdmission"]


class SingleAdmission:
    """Lets the requests of a single call out at once, as long as the retry budget pays for its repeats."""

    has_place = True
    """Whether the next request may go out now."""
    waits_for_proof = False
    """Whether the call waits, within its deadline, until a look-up can prove what became of its work."""
    _debt = 0

    def __init__(self, settings: Settings, budget: TokenBucket) -> None:
        self.budget = budget
        self.timeout = settings.timeout
        """Seconds that the whole call gets."""
        self.max_attempts: float = settings.retry.max_attempts
        """How often its operation is sent, and each of its look-ups asked."""

    def begin(self) -> None:
        """Note that the call has its first place and begins."""

    def end(self) -> None:
        """Note that the call has ended, and give back what it holds."""

    def take_place_now(self) -> bool:
        """Take a place where one is free; tell whether one was."""
        return True

    async def take_place(self) -> None:
        """Wait until a request may go out."""

    def give_place(self, result: WireResponse | PlexyPayError | None = None) -> None:
        """Give the place back after a request that ended so; None where nothing was sent."""

    def is_outage(self) -> bool:
        """Tell whether nothing but a probe should be sent."""
        return False

    async def probe(self) -> None:
        """Wait until a request may go out as a probe of a server that is down."""

    async def pay(self, *, after_silence: bool) -> bool | None:
        """Pay for a repeat; tell whether that took a wait, or None where the budget is spent.

        Silence is what an overloaded server gives, so asking again after it costs more.
        """
        cost = TIMEOUT_COST if after_silence else RETRY_COST
        # A small client's whole budget pays for one.
        self._debt = min(cost, self.budget.capacity)
        return False if self.budget.take(self._debt) else None

    def succeeded(self) -> None:
        """Note a success: it gives back what the call's last repeat has paid."""
        self.budget.give(self._debt)

    def refused(self) -> None:
        """Note an answer that is no success and yet shows that the server works."""


class JobLimits:
    """What the calls of one bulk job share.

    Args:
        timeout: Seconds for each call, once it is its turn: the wait for a place is no time of the row's.
        concurrency: How many requests may be under way at once.
        probes: Where calls wait for the retry budget, or for the end of an outage.
    """

    def __init__(self, timeout: float, concurrency: Pace, probes: ProbeQueue) -> None:
        self.timeout = timeout
        self.concurrency = concurrency
        self.probes = probes
        self.calls = 0
        """How many calls are under way."""


class JobAdmission(SingleAdmission):
    """Lets the requests of one of a bulk job's calls out, within the limits that the job's calls share."""

    has_place = False
    waits_for_proof = True
    _ticket: int | None = None
    _probing = False

    def __init__(self, settings: Settings, budget: RetryBudget, limits: JobLimits) -> None:
        super().__init__(settings, budget.jobs)
        self.timeout = limits.timeout
        if self.max_attempts > 1:
            self.max_attempts = math.inf
        self._limits = limits

    def begin(self) -> None:
        """Note that the call has its first place and begins."""
        self._limits.calls += 1

    def end(self) -> None:
        """Note that the call has ended, and give back what it holds."""
        self._limits.calls -= 1
        self.give_place()

    def take_place_now(self) -> bool:
        """Take a place under the concurrency limit where one is free; tell whether one was."""
        self._ticket = self._limits.concurrency.enter_now()
        self.has_place = self._ticket is not None
        return self.has_place

    async def take_place(self) -> None:
        """Wait for a place under the concurrency limit."""
        self._ticket = await self._limits.concurrency.enter()
        self.has_place = True

    def give_place(self, result: WireResponse | PlexyPayError | None = None) -> None:
        """Give the place back; the limit learns from how the request ended."""
        ticket, self._ticket, self.has_place = self._ticket, None, False
        if ticket is not None:
            trouble = None if result is None else is_trouble(result)
            self._limits.concurrency.leave(ticket, trouble=trouble)

    def is_outage(self) -> bool:
        """Tell whether so much has failed on end that nothing but a probe should be sent."""
        return self.budget.failures_on_end > 0 and self._limits.probes.is_outage(self._limits.calls)

    async def probe(self) -> None:
        """Wait until a request may go out as a probe of a server that is down."""
        self._probing = await self._limits.probes.wait(0)

    async def pay(self, *, after_silence: bool) -> bool:
        """Pay for a repeat, or wait for the budget; tell whether that took a wait."""
        self._probing = False
        if await super().pay(after_silence=after_silence) is False:
            return False
        self._probing = await self._limits.probes.wait(self._debt)
        if self._probing:
            # A probe goes out without paying.
            self._debt = 0
        return True

    def succeeded(self) -> None:
        """Note a success: it gives back what the last repeat has paid, and the next in the queue goes on."""
        super().succeeded()
        self.refused()

    def refused(self) -> None:
        """Note that the server works: the next in the queue may go on, and a probe pays tokens in."""
        self._limits.probes.answered(probe=self._probing)
