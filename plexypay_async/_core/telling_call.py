"""A call that tells observers what it does. Without observers, none is made: they cost nothing then."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from .._privacy.hiding import masked_card_numbers, shortened
from .._wire.messages import WireRequest, WireResponse
from ..errors import ConfigurationError, Outcome, PlexyPayError
from ..logs import CALLS, LOG
from ..network import checked_headers, merged_headers
from ..observer import ObservedAttempt, ObservedCall, ObservedPause, Observer, tell
from .call import Call
from .decision import error_in
from .execution import Connections, Execution
from .patience import Patience
from .record import CallRecord, Doubt
from .sending import Sending

__all__ = ["TellingCall", "call_class"]

R = TypeVar("R")


def call_class(execution: Execution) -> type[Call[Any]]:
    """Return the class of the calls to make: one that tells, where there is somebody to tell."""
    return TellingCall if execution.observers or CALLS.isEnabledFor(logging.DEBUG) else Call


class TellingCall(Call[R]):
    """A call that tells the client's observers, and the log, of each of its steps."""

    _seen: ObservedCall
    _observers: Sequence[Observer] = ()
    _wanted_at: float | None = None
    """When its next request was ready to be sent."""
    _was_sending = False
    """Whether what has ended it has cut a request of which bytes may have left."""

    async def run(self) -> R:
        """Perform the call, and tell of it.

        Raises:
            PlexyPayError: See `Call.run`.
        """
        observers = self.execution.settings.observers
        self._observers = (*observers, *LOG) if CALLS.isEnabledFor(logging.DEBUG) else observers
        self._seen = seen = self._begun()
        tell(self._observers, "call_began", seen)
        self._wanted_at = time.perf_counter()
        failure: BaseException | None = None
        try:
            return await super().run()
        except BaseException as error:
            failure = error
            raise
        finally:
            self._ended(failure)
            # A frame of a traceback must not hold what is raised.
            del failure

    def _begun(self) -> ObservedCall:
        record, request, job = self.record, self._wire_request, self._admission.limits.observed_job
        reference = record.order_reference
        return ObservedCall(
            record.name,
            record.declaration.method,
            request.template,
            record.settings.base_url,
            None if reference is None else masked_card_numbers(shortened(reference, 200)),
            job,
            expects_nothing=record.may_miss,
        )

    def _ended(self, failure: BaseException | None) -> None:
        seen, record = self._seen, self.record
        self._stop_waiting()
        seen.attempts, seen.recovered = record.sent, self.recovered
        if failure is None:
            seen.outcome = Outcome.DONE
        elif isinstance(failure, PlexyPayError):
            seen.error, seen.outcome = failure, failure.outcome
            _note_answer(seen, failure)
        else:
            seen.cancelled, seen.outcome = True, self._outcome_of_a_cut()
        seen.end()
        tell(self._observers, "call_ended", seen)

    def _outcome_of_a_cut(self) -> Outcome:
        record = self.record
        if not record.reads and (self._was_sending or record.doubt is Doubt.OPEN):
            return Outcome.UNKNOWN
        return Outcome.REJECTED if record.answered else Outcome.NOT_SENT

    def _ending(self, error: BaseException) -> BaseException:
        self._was_sending = self._sending is not None and self._sending.begun
        return super()._ending(error)

    # ------------------------------------------------------------------------------------ its requests

    async def send(self, wire_request: WireRequest, sending: Sending) -> WireResponse | PlexyPayError:
        """Send a request once, when a place and a slot are free for it.

        Raises:
            ConfigurationError: The client is closed, or its key cannot be had.
        """
        if self._wanted_at is None:
            self._wanted_at = time.perf_counter()
        return await super().send(wire_request, sending)

    async def _dispatched(
        self, connections: Connections, wire_request: WireRequest, sending: Sending
    ) -> WireResponse | PlexyPayError:
        seen, waited = self._seen, self._stop_waiting()
        is_own = wire_request is self._wire_request
        seen.attempts = self.record.sent + is_own
        seen.requests += 1
        attempt = ObservedAttempt(
            seen,
            seen.attempts if is_own else seen.requests - self.record.sent,
            "operation" if is_own else "look-up",
            wire_request.method,
            wire_request.template,
            waited,
        )
        tell(self._observers, "attempt_began", attempt)
        if attempt.headers:
            wire_request = _with_headers(wire_request, attempt)
        try:
            result = await super()._dispatched(connections, wire_request, sending)
        except BaseException as error:
            attempt.cancelled = not isinstance(error, PlexyPayError)
            attempt.error = error if isinstance(error, PlexyPayError) else None
            is_out = sending.begun and wire_request.method != "GET"
            attempt.outcome = Outcome.UNKNOWN if is_out else Outcome.NOT_SENT
            raise
        else:
            _note_end(attempt, result, self.record)
        finally:
            attempt.resent = sending.repeated
            attempt.end()
            tell(self._observers, "attempt_ended", attempt)
        return result

    def _stop_waiting(self) -> float:
        """Return the seconds since the next request was ready to be sent; 0 where none is."""
        since, self._wanted_at = self._wanted_at, None
        if since is None:
            return 0.0
        waited = time.perf_counter() - since
        self._seen.waited += waited
        return waited

    # --------------------------------------------------------------------------------------- its pauses

    @property
    def _waits(self) -> Patience:
        if self._patience is None:
            self._patience = TellingPatience(
                self.execution.transport, self._admission, self.record, self._watch, self
            )
        return self._patience

    async def _rest(self, seconds: float) -> None:
        self.told_pause("proof", seconds, None)
        began = time.perf_counter()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._seen.paused += time.perf_counter() - began

    def told_pause(self, reason: Any, seconds: float | None, error: PlexyPayError | None) -> None:
        """Tell that the call begins to wait."""
        self._stop_waiting()
        tell(self._observers, "call_paused", ObservedPause(self._seen, reason, seconds, error))

    def paused(self, seconds: float) -> None:
        """Note that it has waited for so long."""
        self._wanted_at = None
        self._seen.paused += seconds


class TellingPatience(Patience):
    """The waits of a call, told to its observers."""

    _depth = 0

    def __init__(
        self, transport: Any, admission: Any, record: Any, watch: Any, call: TellingCall[Any]
    ) -> None:
        super().__init__(transport, admission, record, watch)
        self._call = call

    def _noted(self, reason: str, seconds: float | None, error: PlexyPayError | None) -> None:
        self._call.told_pause(reason, seconds, error)

    async def pause(self, error: PlexyPayError, *, is_repeat: bool) -> None:
        """Wait before the next request; see `Patience.pause`.

        Raises:
            PlexyPayError: The wait would pass the deadline, or the policy is not to wait: the last error.
        """
        began = time.perf_counter()
        self._depth += 1
        try:
            await super().pause(error, is_repeat=is_repeat)
        finally:
            self._end(began)

    async def outlast(
        self, error: PlexyPayError | None = None, *, is_paid: bool = True, is_repeat: bool = True
    ) -> None:
        """Wait for the end of an outage; see `Patience.outlast`.

        Raises:
            PlexyPayError: The policy is not to wait.
        """
        began = time.perf_counter()
        self._depth += 1
        try:
            await super().outlast(error, is_paid=is_paid, is_repeat=is_repeat)
        finally:
            self._end(began)

    async def pay(self, error: PlexyPayError) -> bool:
        """Pay for a repeat; see `Patience.pay`.

        Raises:
            PlexyPayError: The budget is spent, and the policy is not to wait: the last error.
        """
        began = time.perf_counter()
        self._depth += 1
        try:
            return await super().pay(error)
        finally:
            self._end(began)

    def _end(self, began: float) -> None:
        self._depth -= 1
        if not self._depth:
            self._call.paused(time.perf_counter() - began)


def _with_headers(wire_request: WireRequest, attempt: ObservedAttempt) -> WireRequest:
    """Return a request with an observer's headers; those of its own of the same name are kept."""
    try:
        headers = merged_headers(checked_headers(attempt.headers), wire_request.headers)
    except ConfigurationError as error:
        CALLS.warning("%s: headers of an observer's were not sent: %s", attempt.call.operation, error)
        return wire_request
    return WireRequest(
        wire_request.method, wire_request.target, wire_request.body, headers, wire_request.template
    )


def _note_end(attempt: ObservedAttempt, result: WireResponse | PlexyPayError, record: CallRecord) -> None:
    """Note how a request ended, on it and on its call."""
    error: PlexyPayError | None = None
    if isinstance(result, PlexyPayError):
        error = result
    elif result.is_success and result.complete:
        evidence = result.evidence()
        attempt.status, attempt.request_id, attempt.outcome = result.status, evidence.request_id, Outcome.DONE
    else:
        error = error_in(result, record)
    if error is not None:
        attempt.error, attempt.outcome = error, error.outcome
        _note_answer(attempt, error)
    call = attempt.call
    call.status, call.request_id = attempt.status, attempt.request_id


def _note_answer(seen: ObservedCall | ObservedAttempt, error: PlexyPayError) -> None:
    status, code = getattr(error, "status", None), getattr(error, "code", None)
    seen.status, seen.code = status or seen.status, code
    seen.request_id = error.request_id or seen.request_id
