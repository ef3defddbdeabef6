"""When a call's requests may go out: at once for a single call, as the job's limits allow in a bulk job.

Both send nothing but probes in an outage, and wait for the retry budget where it is empty. They differ in
three things. A bulk job's call waits for a place under its concurrency limit, and gives it back after each
request. Its deadline alone bounds its attempts, since a job has the time. And what the one kind has seen fail
is not held against the other: a job may storm a server that serves a call now and then well, and a call's
operation may be broken where links are made.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .concurrency import ConcurrencyLimit
from .decision import sign_of
from .pace import Sign
from .retry_budget import RETRY_COST, TIMEOUT_COST, ProbeQueue, TokenBucket

if TYPE_CHECKING:
    from .._wire.messages import WireResponse
    from ..errors import PlexyPayError
    from ..observer import ObservedJob
    from ..settings import Settings
    from .outage_gate import OutageGate
    from .retry_budget import RetryBudget

__all__ = ["JobAdmission", "JobLimits", "Limits", "SingleAdmission", "SingleLimits"]

OPENED_WITHIN = 0.002
"""Seconds from a place to the sending up to which they count as latency: what a busy event loop takes."""


class Limits:
    """What bounds the calls of one client, or of one bulk job."""

    def __init__(self, budget: TokenBucket, timeout: float, max_attempts: float) -> None:
        self.budget = budget
        self.timeout = timeout
        """Seconds that a whole call gets."""
        self.max_attempts = max_attempts
        """How often its operation is sent, and each of its look-ups asked."""
        self.observed_job: ObservedJob | None = None
        """The bulk job, as its observers know it."""


class SingleLimits(Limits):
    """What the single calls of one client share.

    Args:
        settings: The client's.
        budget: The client's retry budget.
        gate: Returns the gate of the running event loop; raises `ConfigurationError` if the client is closed.
    """

    budget: RetryBudget

    def __init__(self, settings: Settings, budget: RetryBudget, gate: Callable[[], OutageGate]) -> None:
        super().__init__(budget, settings.timeout, settings.retry.max_attempts)
        self.waits: bool = settings.retry.outage == "wait"
        """Whether a call waits for the end of an outage, and for the retry budget; else it fails at once."""
        self.gate = gate


class Pausing(Protocol):
    """What has other work done while a call pauses."""

    def paused(self) -> None:
        """Note that a call pauses before a repeat."""
        ...

    def resumed(self) -> None:
        """Note that it goes on."""
        ...


class JobLimits(Limits):
    """What the calls of one bulk job share.

    Args:
        settings: The client's.
        budget: The client's retry budget.
        timeout: Seconds for each call, once it is its turn: the wait for a place is no time of the row's.
        concurrency: How many requests may be under way at once.
        probes: Where calls wait for the retry budget, or for the end of an outage.
    """

    def __init__(
        self,
        settings: Settings,
        budget: RetryBudget,
        timeout: float,
        concurrency: ConcurrencyLimit,
        probes: ProbeQueue,
    ) -> None:
        once = settings.retry.max_attempts == 1
        super().__init__(budget.jobs, timeout, 1 if once else math.inf)
        self.concurrency = concurrency
        self.probes = probes
        self.form = settings.api.errors
        """How the API says that something went wrong."""
        self.calls = 0
        """How many calls are under way."""
        self.crew: Pausing | None = None
        """What is told when a call pauses before a repeat."""


class SingleAdmission:
    """Lets the requests of a single call out at once, unless nothing works, or a repeat must be paid for."""

    ticket: float | None = 1.0
    """Its place for the next request, as the concurrency limit names it; None where it must take one."""
    gives_back = False
    """Whether its place is given back after each request."""
    under_way = False
    """Whether it is counted among the calls under way, until it ends."""
    waits_for_proof = False
    """Whether the call waits, within its deadline, until a look-up can prove what became of its work."""
    has_turn = False
    """Whether it has waited for its next request, or its probe, and need not do so again."""
    _debt = 0

    def __init__(self, limits: SingleLimits) -> None:
        self.limits = limits

    def end(self) -> None:
        """Note that the call has ended without a success, and give back what it holds."""

    def take_place_now(self) -> bool:
        """Take a place where one is free; tell whether one was."""
        return True

    async def take_place(self) -> None:
        """Wait until a request may go out."""

    def give_place(self, result: WireResponse | PlexyPayError | None = None, waited: float = 0.0) -> None:
        """Give the place back after a request that ended so; None where nothing was sent."""

    async def pause(self, seconds: float) -> None:
        """Wait before a repeat."""
        await asyncio.sleep(seconds)

    def failed(self, error: PlexyPayError) -> None:
        """Note a failure after which the server is to be asked again."""
        self.has_turn = False
        self.limits.budget.note_failure(error)

    def is_outage(self) -> bool:
        """Tell whether nothing but a probe should be sent."""
        budget = self.limits.budget
        # As a rule too little has failed to ask the gate.
        return bool(budget.failures_on_end) and self.limits.gate().is_shut()

    def is_held_back(self) -> bool:
        """Tell whether a request that was about to go out must not: the server has failed in the meantime."""
        return bool(self.limits.budget.failures_on_end) and not self.has_turn and self.is_outage()

    async def probe(self, *, cost: int = 0, is_new: bool = True, must_wait: bool = False) -> bool:
        """Wait until a request may go out: as a probe of a server that is down, or once it works again.

        Args:
            cost: What `cost_of` says of it, where it is a repeat that is not paid for.
            is_new: Whether the call has met no failure just now: only such ones probe where none is to wait.
            must_wait: Whether it waits although the policy is to fail at once.

        Returns:
            False where it may not go out, and the call is to fail.
        """
        limits = self.limits
        gate = limits.gate()
        if self.will_wait(must_wait=must_wait):
            paid = await gate.wait(min(cost, limits.budget.capacity))
            if cost:
                self._debt = paid
        elif not (is_new and gate.may_probe()):
            return False
        self.has_turn = True
        return True

    def will_wait(self, *, must_wait: bool) -> bool:
        """Tell whether a call waits where nothing may go out; else it fails."""
        return self.limits.waits or must_wait

    @staticmethod
    def cost_of(*, after_silence: bool) -> int:
        """Return what a repeat costs: more after silence, which is what an overloaded server gives."""
        return TIMEOUT_COST if after_silence else RETRY_COST

    def _pay_now(self, *, after_silence: bool) -> bool:
        """Pay for a repeat; False where there are too few tokens."""
        # A small client's whole budget pays for one.
        budget = self.limits.budget
        self._debt = min(self.cost_of(after_silence=after_silence), budget.capacity)
        return budget.take(self._debt)

    async def pay(self, *, after_silence: bool, must_wait: bool = False) -> bool | None:
        """Pay for a repeat; tell whether that took a wait, or None where the call is to fail.

        Args:
            after_silence: Whether the failure before it was a time-out.
            must_wait: Whether it waits although the policy is to fail at once.
        """
        if self._pay_now(after_silence=after_silence):
            return False
        limits = self.limits
        if not self.will_wait(must_wait=must_wait):
            self._debt = 0
            return None
        self._debt = await limits.gate().wait(self._debt)
        self.has_turn = True
        return True

    def succeeded(self) -> None:
        """Note a success: it gives back what the call's last repeat has paid."""
        self.limits.budget.give(self._debt)

    def refused(self) -> None:
        """Note an answer that is no success and yet shows that the server works."""
        self.limits.budget.give(self._debt)

    def was_told(self) -> None:
        """Note that the server has answered a look-up, while the call itself goes on."""
        self.limits.budget.give(0)


class JobAdmission(SingleAdmission):
    """Lets the requests of one of a bulk job's calls out, within the limits that the job's calls share."""

    ticket = None
    gives_back = True
    waits_for_proof = True
    _probing = False

    limits: JobLimits  # type: ignore[assignment]

    def __init__(self, limits: JobLimits) -> None:
        self.limits = limits

    def end(self) -> None:
        """Note that the call has ended, and give back what it holds."""
        self.under_way = False
        self.limits.calls -= 1
        self.give_place()

    def take_place_now(self) -> bool:
        """Take a place under the concurrency limit where one is free; tell whether one was."""
        limits = self.limits
        ticket = self.ticket = limits.concurrency.enter_now()
        if ticket is None:
            return False
        if not self.under_way:
            # The wait for the first place is no time of the call's.
            self.under_way = True
            limits.calls += 1
        return True

    async def take_place(self) -> None:
        """Wait for a place under the concurrency limit."""
        self.ticket = await self.limits.concurrency.enter()
        if not self.under_way:
            self.under_way = True
            self.limits.calls += 1

    def give_place(self, result: WireResponse | PlexyPayError | None = None, waited: float = 0.0) -> None:
        """Give the place back; the limit learns from how the request ended.

        Args:
            result: Its end; None where nothing was sent.
            waited: Seconds until it left, for a connection to be opened or to rest.
        """
        ticket = self.ticket
        if ticket is not None:
            self.ticket = None
            if waited > OPENED_WITHIN:
                # That is no latency of the server's.
                ticket += waited
            sign = Sign.NOTHING if result is None else sign_of(result, self.limits.form)
            wait: float | None = getattr(result, "retry_after", None) if sign is Sign.SLOWER else None
            self.limits.concurrency.leave(ticket, sign, wait or 0.0)

    async def pause(self, seconds: float) -> None:
        """Wait before a repeat, while the job goes on with other rows."""
        crew = self.limits.crew
        if crew is None:
            await asyncio.sleep(seconds)
            return
        crew.paused()
        try:
            await asyncio.sleep(seconds)
        finally:
            crew.resumed()

    def is_outage(self) -> bool:
        """Tell whether so much has failed on end that nothing but a probe should be sent."""
        return self.limits.probes.is_outage(self.limits.calls)

    def is_held_back(self) -> bool:
        """Tell that it goes out: a job has few requests beyond its places."""
        return False

    def will_wait(self, *, must_wait: bool) -> bool:
        """Tell that it waits: a job has the time."""
        return True

    async def probe(self, *, cost: int = 0, is_new: bool = True, must_wait: bool = False) -> bool:
        """Wait until a request may go out as a probe of a server that is down."""
        self._probing = await self.limits.probes.wait(0)
        return True

    async def pay(self, *, after_silence: bool, must_wait: bool = False) -> bool:
        """Pay for a repeat, or wait for the budget; tell whether that took a wait."""
        self._probing = False
        if self._pay_now(after_silence=after_silence):
            return False
        self._probing = await self.limits.probes.wait(self._debt)
        if self._probing:
            # A probe goes out without paying.
            self._debt = 0
        return True

    def succeeded(self) -> None:
        """Note a success: it gives back what the last repeat has paid, and the next in the queue goes on.

        With it the call ends.
        """
        if self.ticket is not None:
            # Nothing had to be sent.
            self.give_place()
        limits, self.under_way = self.limits, False
        limits.calls -= 1
        limits.budget.give(self._debt)
        limits.probes.answered(probe=self._probing)

    def refused(self) -> None:
        """Note that the server works: the next in the queue may go on, and a probe pays tokens in."""
        self.limits.probes.answered(probe=self._probing)

    def was_told(self) -> None:
        """Note nothing yet: a row's end says whether links are made."""
