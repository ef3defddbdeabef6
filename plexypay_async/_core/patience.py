"""How a call waits: between its attempts, for the retry budget, and for the end of an outage."""

from __future__ import annotations

import asyncio
from typing import Protocol

from .._privacy.printable import log
from ..errors import CLIENT_CLOSED, ConfigurationError, PlexyPayError
from .admission import SingleAdmission
from .deadlines import Watch
from .pauses import Pauses
from .record import CallRecord, Doubt

__all__ = ["Patience"]


class Closable(Protocol):
    """What sends the call's requests, as far as a wait needs it."""

    closed: bool


class Patience:
    """The waits of one call.

    Args:
        transport: What sends its requests.
        admission: What lets them out.
        record: What is known of the call.
        watch: Its deadline.
    """

    _uncounted = 0
    """How many attempts have failed in an outage."""
    _is_held = False
    """Whether it waits for the end of an outage."""

    def __init__(
        self, transport: Closable, admission: SingleAdmission, record: CallRecord, watch: Watch
    ) -> None:
        self._transport = transport
        self._admission = admission
        self._record = record
        self._watch = watch
        self._pauses = Pauses(record.settings.retry)

    @property
    def outage(self) -> PlexyPayError | None:
        """The latest failure of the client's calls, where this one waits for the end of an outage."""
        return self._admission.limits.budget.latest_failure if self._is_held else None

    def counts(self) -> bool:
        """Tell whether an attempt that has just failed counts: in an outage it was a probe, and does not."""
        return self._admission.limits.max_attempts == 1 or not self._admission.is_outage()

    def is_spent(self) -> bool:
        """Tell whether the operation was sent as often as it may be; asked once after each attempt."""
        if not self.counts():
            self._uncounted += 1
        return self._record.sent - self._uncounted >= self._admission.limits.max_attempts

    async def pause(self, error: PlexyPayError, *, is_repeat: bool) -> None:
        """Wait before the next request, as long as the backoff or the server says, and pay for a repeat.

        Args:
            error: What the attempt before has met.
            is_repeat: Whether the request does what the call is for; else it finds out what it has done.

        Raises:
            PlexyPayError: The wait would pass the deadline, or the policy is not to wait: the last error.
        """
        admission, record = self._admission, self._record
        if self._transport.closed:
            raise ConfigurationError(CLIENT_CLOSED)
        admission.failed(error)
        retry_after: float | None = getattr(error, "retry_after", None)
        wait = self._pauses.next(retry_after)
        is_late = self._watch.now() + wait >= self._watch.deadline
        is_paid = not (is_repeat or admission.gives_back)
        if not admission.is_outage():
            if is_late:
                raise record.final(record.last(error))
            if not is_paid:
                is_paid = True
                if await self.pay(error) and not retry_after:
                    # The queue for the budget was the pause.
                    return
            self._noted("backoff" if retry_after is None else "retry-after", wait, error)
            await admission.pause(wait)
        elif retry_after is not None:
            if is_late and not admission.gives_back:
                raise record.final(record.last(error))
            self._noted("retry-after", wait, error)
            await asyncio.sleep(wait)
        if admission.is_outage():
            await self.outlast(error, is_paid=is_paid, is_repeat=is_repeat)

    async def outlast(
        self, error: PlexyPayError | None = None, *, is_paid: bool = True, is_repeat: bool = True
    ) -> None:
        """Wait until a request may go out as a probe, or the outage is over.

        Args:
            error: What the attempt before has met, if there was one.
            is_paid: Whether the request costs no more tokens.
            is_repeat: Whether it does what the call is for; else it finds out what the call has done.

        Raises:
            PlexyPayError: The policy is not to wait.
        """
        admission = self._admission
        cost = 0 if is_paid else admission.cost_of(after_silence=_was_silent(error))
        must_wait = not is_repeat or self._is_in_doubt()
        self._is_held = True
        if admission.will_wait(must_wait=must_wait):
            self._noted("outage", None, error)
        if not await admission.probe(cost=cost, is_new=error is None, must_wait=must_wait):
            raise self._record.held_back(admission.limits.budget.latest_failure)
        self._is_held = False

    async def pay(self, error: PlexyPayError) -> bool:
        """Pay for a repeat; tell whether that took a wait.

        Raises:
            PlexyPayError: The budget is spent, and the policy is not to wait: the last error.
        """
        waited = await self._admission.pay(after_silence=_was_silent(error), must_wait=self._is_in_doubt())
        if waited is None:
            log.debug("%s: the retry budget is spent", self._record.name)
            raise self._record.final(self._record.last(error))
        return waited

    def _noted(self, reason: str, seconds: float | None, error: PlexyPayError | None) -> None:
        """Note that it begins to wait, for those whom that interests.

        Args:
            reason: Why; see `ObservedPause`.
            seconds: How long, where that is known.
            error: What the attempt before has met, if there was one.
        """

    def _is_in_doubt(self) -> bool:
        """Tell whether only further requests can show what became of the call's work."""
        return self._record.doubt is Doubt.OPEN and not self._record.reads


def _was_silent(error: PlexyPayError | None) -> bool:
    return error is not None and isinstance(error.__cause__, TimeoutError)
