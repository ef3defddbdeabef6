"""A call that tells observers what it does; none is made where nobody wants to know."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from .._privacy.hiding import shortened
from .._wire.messages import WireRequest, WireResponse
from ..errors import ConfigurationError, Outcome, PlexyPayError
from ..logs import CALLS
from ..network import checked_headers, merged_headers
from ..observer import Audience, ObservedAttempt, ObservedCall, ObservedPause, tell, told_reference
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
    return Call if execution.told() is None else TellingCall


class TellingCall(Call[R]):
    """A call that tells the client's observers, and the log, of each of its steps."""

    _seen: ObservedCall
    _told = Audience(())
    _wanted_at: float | None = None
    """When its next request was ready to be sent."""
    _waited = 0.0
    """Seconds that its next request has waited so far."""
    _is_in_send = False
    _told_of: TellingConnections | None = None
    _was_sending = False
    """Whether what has ended it has cut a request of which bytes may have left."""

    async def run(self) -> R:
        """Perform the call, and tell of it.

        Raises:
            PlexyPayError: See `Call.run`.
        """
        self._told = self.execution.told() or self.execution.audience or self._told
        self._seen = self._begun()
        failure: BaseException | None = None
        try:
            tell(self._told.call_began, self._seen)
            self._wanted_at = time.perf_counter()
            return await super().run()
        except BaseException as error:
            failure = error
            raise
        finally:
            self._ended(failure)
            # Without a cycle, which the garbage collector would have to find; and a frame of a traceback must
            # not hold what is raised.
            self._told_of = self._patience = None
            del failure

    def _begun(self) -> ObservedCall:
        record, template = self.record, self._wire_request.template
        return ObservedCall(
            # The query of a raw request may hold anything.
            record.name if template is not None else record.name.partition("?")[0],
            record.declaration.method,
            template,
            record.settings.base_url,
            told_reference(record.order_reference),
            told_reference(record.resource_id),
            self._admission.limits.observed_job,
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
        tell(self._told.call_ended, seen)

    def _outcome_of_a_cut(self) -> Outcome:
        if self._was_sending or self.record.doubt is Doubt.OPEN:
            return Outcome.UNKNOWN
        return Outcome.REJECTED if self.record.answered else Outcome.NOT_SENT

    def _ending(self, error: BaseException) -> BaseException:
        self._was_sending = self._sending is not None and self._sending.begun
        return super()._ending(error)

    # ------------------------------------------------------------------------------------ its requests

    @property  # type: ignore[override]
    def _connections(self) -> TellingConnections:  # pyright: ignore[reportIncompatibleVariableOverride]
        assert self._told_of is not None  # noqa: S101 - it is set before anything is sent
        return self._told_of

    @_connections.setter
    def _connections(self, connections: Connections) -> None:
        self._told_of = TellingConnections(connections, self)

    async def send(self, wire_request: WireRequest, sending: Sending) -> WireResponse | PlexyPayError:
        """Send a request once, when a place and a slot are free for it.

        Raises:
            ConfigurationError: The client is closed, or its key cannot be had.
        """
        if self._wanted_at is None:
            self._wanted_at = time.perf_counter()
        self._is_in_send = True
        try:
            return await super().send(wire_request, sending)
        finally:
            self._is_in_send = False

    async def dispatch(
        self, connections: Connections, wire_request: WireRequest, sending: Sending
    ) -> WireResponse | PlexyPayError:
        """Send a request that has its place, and tell of it."""
        self._stop_waiting()
        seen, waited, self._waited = self._seen, self._waited, 0.0
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
        try:
            tell(self._told.attempt_began, attempt)
            if attempt.headers:
                wire_request = _with_headers(wire_request, attempt, self.execution.options)
            result = await connections.send(wire_request, self.execution.options, sending)
            _note_end(attempt, result, self.record)
            return result
        except BaseException as error:
            attempt.error = error if isinstance(error, PlexyPayError) else None
            attempt.cancelled = attempt.error is None
            attempt.timed_out = self._watch.is_over
            attempt.outcome = Outcome.UNKNOWN if sending.begun else Outcome.NOT_SENT
            raise
        finally:
            attempt.resent = sending.repeated
            attempt.end()
            tell(self._told.attempt_ended, attempt)

    def _stop_waiting(self) -> None:
        """Count the time since the next request was ready to be sent, if one is."""
        since, self._wanted_at = self._wanted_at, None
        if since is not None:
            waited = time.perf_counter() - since
            self._waited += waited
            self._seen.waited += waited

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
            await super()._rest(seconds)
        finally:
            self._seen.paused += time.perf_counter() - began

    def told_pause(self, reason: Any, seconds: float | None, error: PlexyPayError | None) -> None:
        """Tell that the call begins to wait."""
        self._stop_waiting()
        tell(self._told.call_paused, ObservedPause(self._seen, reason, seconds, error))

    def paused(self, seconds: float) -> None:
        """Note that it has waited for so long."""
        # What an outage holds back on its way to a place waits for that again.
        self._wanted_at = time.perf_counter() if self._is_in_send else None
        self._seen.paused += seconds


class TellingConnections:
    """A loop's connections, as one call sends on them that tells of its requests."""

    def __init__(self, connections: Connections, call: TellingCall[Any]) -> None:
        self._connections = connections
        self._call = call
        self.slots = connections.slots
        self.deadlines = connections.deadlines

    def send(
        self, wire_request: WireRequest, options: Any, sending: Sending
    ) -> Coroutine[Any, Any, WireResponse | PlexyPayError]:
        """Send a request once."""
        return self._call.dispatch(self._connections, wire_request, sending)


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
            waited = await super().pay(error)
            if waited:
                self._noted("budget", time.perf_counter() - began, error)
            return waited
        finally:
            self._end(began)

    def _end(self, began: float) -> None:
        self._depth -= 1
        if not self._depth:
            self._call.paused(time.perf_counter() - began)


_TRACED = "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
_OF_THE_CLIENT = frozenset(("accept", "content-type", "cookie", "idempotency-key", "user-agent"))
"""Headers that say who asks, what is sent or what it stands for, besides those that no caller may give."""


def _with_headers(wire_request: WireRequest, attempt: ObservedAttempt, options: Any) -> WireRequest:
    """Return a request with the headers of observers that are not those of the client, or of the call."""
    given: dict[str, str] = {}
    key_header = options.settings.api.key_header
    if (
        len(attempt.headers) == 1
        and re.fullmatch(_TRACED, attempt.headers.get("traceparent", "")) is not None
    ):
        # As a rule, and so without looking at what may be wrong with others.
        given = attempt.headers
    for name, value in () if given else attempt.headers.items():
        try:
            if str(name).lower() in _OF_THE_CLIENT:
                raise ConfigurationError(f"headers: {shortened(name, 60)} is the client's own")
            given.update(checked_headers({name: value}, key_header=key_header) or {})
        except ConfigurationError as error:
            with contextlib.suppress(Exception):
                CALLS.warning("%s: a header of an observer's was not sent: %s", attempt.call.operation, error)
    headers = merged_headers(given, merged_headers(options.default_headers, wire_request.headers))
    return WireRequest(
        wire_request.method, wire_request.target, wire_request.body, headers, wire_request.template
    )


def _note_end(attempt: ObservedAttempt, result: WireResponse | PlexyPayError, record: CallRecord) -> None:
    """Note how a request ended, on it and on its call."""
    error: PlexyPayError | None = None
    if isinstance(result, PlexyPayError):
        error = result
    elif result.is_success and result.complete:
        attempt.status, attempt.request_id = result.status, result.request_id
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
