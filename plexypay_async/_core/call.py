"""One call: its deadline, its attempts, and what is done after each that fails.

A call sends its request, decides what follows from how that ended, and repeats it as far as its replay class
allows. What it learns of its work on the way stands in its record.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

from .._foreign import bare
from .._wire.messages import Decoder, WireRequest, WireResponse
from .._wire.named_link import check_proof, flawed
from ..answered import Answered
from ..api.operation import Declaration, Operation
from ..errors import (
    CLIENT_CLOSED,
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    DeadlineExceededError,
    NotFoundError,
    OrderReferenceConflictError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
    RateLimitedError,
    RefusedError,
    UnreadableResponseError,
)
from .admission import JobAdmission, JobLimits, SingleAdmission
from .deadlines import Watch
from .decision import Decision, Next, decide, is_own_word, may_repeat, shows_work
from .execution import Connections, Execution
from .fallback import found_otherwise
from .patience import Patience
from .reads import MOST_MISFITS
from .record import MADE_BEFORE, CallRecord, Doubt, EarlierRun
from .recovery import confirmed
from .sending import Sending
from .slots import running_loop

__all__ = ["Call"]

R = TypeVar("R")

BAD_REQUEST, SERVER_ERROR = 400, 500
HANGING_FROM = 2.0
"""Seconds without anything of an answer from which on a call that gives up counts towards an outage."""
_OF_NO_REQUEST = frozenset((401, 403, 429))
"""Statuses that refuse whoever asks, and not what is asked for."""


class _Again:
    """What a step returns after which the operation is sent again."""


AGAIN: Final = _Again()


class Call(Generic[R]):
    """One call under way.

    Args:
        execution: What it shares with the client's other calls.
        decoder: What reads its answer.
        wire_request: Its request, encoded.
        declaration: What is known of its operation.
        request: Its request object; None where it has none.
        job: The limits of the bulk job that it belongs to, if it does.
        earlier: What an earlier run of the job has done about it; None where it has done nothing.
        misfit: Tells what an answer names that was not asked for, where the declaration cannot.
    """

    keeps_answers = False
    """Whether it is kept how the last request was answered."""
    _last: Answered[None] | None = None
    """How the last request was answered, a look-up's too, where that is kept; nothing of the answer."""
    recovered = False
    """Whether the result was found by a look-up after its answer was lost."""
    _misfits = 0
    _short: R | None = None
    """What a success tells that has not all of its fields, while the rest of them is read."""
    _earlier: EarlierRun | None = None
    _misfit: Callable[[R], str | None] | None = None
    _sending: Sending | None = None
    _patience: Patience | None = None
    """Its waits, from the first failure on."""

    def __init__(
        self,
        execution: Execution,
        decoder: Decoder[R],
        wire_request: WireRequest,
        declaration: Declaration[...],
        request: Any = None,
        job: JobLimits | None = None,
        earlier: EarlierRun | None = None,
        misfit: Callable[[R], str | None] | None = None,
    ) -> None:
        self.execution = execution
        self.record = CallRecord(declaration, request, execution.settings)
        self._decoder = decoder
        self._wire_request = wire_request
        if job is None:
            self._admission = SingleAdmission(execution.limits)
        else:
            self._admission = JobAdmission(job)
            self.record.is_row = True
        # The rare ones stand in the class as None.
        if earlier is not None:
            self._earlier = earlier
            self.record.finds_earlier = earlier is MADE_BEFORE
            # Until a look-up has proved otherwise, it may be there.
            self.record.doubt = Doubt.OPEN if earlier.may_have_done else Doubt.REACHED
        if misfit is not None:
            self._misfit = misfit

    def answered(self, value: R) -> Answered[R]:
        """Return what the call has returned, with how it was answered."""
        # A call that returns has had an answer.
        assert self._last is not None  # noqa: S101
        return self._last.of(value, attempts=self.record.sent, recovered=self.recovered)

    @property
    def sent(self) -> int:
        """How often the operation itself was sent."""
        return self.record.sent

    @property
    def retries(self) -> int:
        """How often the operation was sent again."""
        return max(0, self.record.sent - 1)

    @property
    def max_attempts(self) -> float:
        """How often the operation is sent, and each of its look-ups asked."""
        return self._admission.limits.max_attempts

    def now(self) -> float:
        """Return the loop's time."""
        return self._now()

    async def run(self) -> R:
        """Perform the call within its deadline.

        Raises:
            PlexyPayError: With its outcome, its operation and the errors of its earlier attempts.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = running_loop()
        self._now = loop.time
        self._connections = self.execution.transport.opened(loop) or await self._opened()
        admission = self._admission
        if admission.ticket is None and not admission.take_place_now():
            await admission.take_place()
        now = loop.time()
        deadline = now + admission.limits.timeout
        if self._earlier is not None:
            deadline += max(0.0, self._earlier.late_work_until - now)
        self._watch = Watch(self._connections.deadlines, deadline, self.execution.settings.read_timeout, now)
        try:
            try:
                result = await self._perform()
            except PlexyPayError as error:
                is_found = self.recovered or isinstance(error, OrderReferenceConflictError)
                if is_found or not admission.waits_for_proof or self.record.doubt is not Doubt.OPEN:
                    raise
                # A job has the time to prove what became of a row; a single call's user rather hears of it.
                result = await self._proved_late(error)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it has an outcome
            failed = self._ending(error)
        else:
            self._watch.done()
            if self.recovered or self.record.sent > 1:
                waited = self._patience is not None
                self.record.log_done(self._watch.seconds, found=self.recovered, waited=waited)
            return result
        finally:
            if admission.under_way:
                admission.end()
        if self._short is not None and isinstance(failed, DeadlineExceededError):
            # The work is done; only the reading of the rest took too long.
            return self._short
        # Raised outside the handler: the frames of an attempt hold what the server sent.
        if isinstance(failed, PlexyPayError):
            self.record.log_trouble(failed, self._watch.seconds)
            raise failed from failed.__cause__
        # What is no `Exception`, such as KeyboardInterrupt, leaves as it is, but without aiohttp's frames.
        raise bare(failed, sys.exception())

    async def _opened(self) -> Connections:
        """Open the loop's connections; what cannot be opened has sent nothing."""
        try:
            return await self.execution.transport.connections()
        except PlexyPayError:
            raise
        except Exception as error:  # noqa: BLE001 - a connector of the caller's may raise anything
            failed = self.record.finished(self.record.foreign(error, sending=False))
        self.record.log_trouble(failed, 0.0)
        raise failed from failed.__cause__

    def _ending(self, error: BaseException) -> BaseException:
        """Return what the call raises, given what has ended it."""
        record, watch, attempt = self.record, self._watch, self._sending
        sending = attempt is not None and attempt.begun
        self._sending = None
        if sending and isinstance(error, asyncio.CancelledError):
            # Cut, and yet an attempt.
            record.sent += 1
        # The watch ends with the call, and tells first whether it was what cancelled the task.
        closed = isinstance(error, asyncio.CancelledError) and watch.was_closed()
        expired = watch.done()
        if isinstance(error, asyncio.CancelledError):
            if closed:
                failed = record.final(ConfigurationError(CLIENT_CLOSED))
            elif expired:
                outage = None if self._patience is None else self._patience.outage
                failed = record.too_late(self._admission.limits.timeout, sending=sending, outage=outage)
                if attempt is not None and attempt.unheard_for(self._now()) >= HANGING_FROM:
                    # Nothing else shows that a server hangs, where calls give up before it counts as silent.
                    self._admission.failed(record.unheard(self._admission.limits.timeout))
            else:
                # Cancelled by the caller.
                record.log_cut(watch.seconds, sending=sending)
                error.__traceback__ = error.__context__ = None
                return error
        elif isinstance(error, ConfigurationError):
            # The client was closed or its key failed in mid-call; an earlier attempt may have done the work.
            failed = record.final(error)
        elif isinstance(error, PlexyPayError):
            failed = error
        elif isinstance(error, Exception):
            failed = record.foreign(error, sending=sending)
        else:
            return error
        failed = record.finished(failed)
        says_so = isinstance(failed, (OutcomeUnknownError, OrderReferenceConflictError))
        if failed.outcome is Outcome.UNKNOWN and not says_so and self._admission.waits_for_proof:
            # A job's rows are told apart by this: whatever is unknown is tried again by its next run.
            unknown = OutcomeUnknownError(str(failed))
            unknown.raw = getattr(failed, "raw", None)
            unknown.__cause__ = failed
            failed = record.finished(unknown)
        return failed

    async def _proved_late(self, failure: PlexyPayError) -> R:
        """Look once more when no request can be at work any more; else raise the failure."""
        record, now = self.record, self._now()
        key_is_refused = isinstance(failure.__cause__, (AuthenticationError, PermissionDeniedError))
        in_vain = self.execution.transport.closed or key_is_refused
        if in_vain or not self.execution.recovery.may_find(record) or record.proof_at >= self._watch.deadline:
            raise failure
        self._admission.give_place()
        await self._rest(max(0.0, record.proof_at - now))
        found = await self._find(failure)
        if found is not None:
            return self._recovered(found)
        raise record.final(record.last(failure))

    async def _perform(self) -> R:
        """Send the operation until it succeeds, or nothing more may be done."""
        admission, watch, replay = self._admission, self._watch, self.record.replay
        if admission.limits.budget.failures_on_end and admission.is_outage():
            admission.give_place()
            await self._waits.outlast()
        if self._earlier is not None and self._earlier.may_have_done:
            found = await self._found_first(self._earlier)
            if found is not None:
                return self._recovered(found)
        while True:
            # An attempt that the deadline cuts stays noted, for the error to say whether it was sent.
            # What does no harm when it is sent twice need not fear that the server closes an old connection.
            sending = self._sending = Sending(watch, not replay.unknown, not replay.is_protected)
            if self._misfits:
                sending.new = sending.look = True
            result = await self.send(self._wire_request, sending)
            self.record.sent += 1
            if type(result) is WireResponse and result.is_success and result.complete:
                value = self._value_of(result, sending)
                if not isinstance(value, PlexyPayError):
                    return value
                result = value
            elif type(result) is WireResponse and BAD_REQUEST <= result.status < SERVER_ERROR:
                self._check_refusal(result, sending)
            self._sending = None
            after = await self._after(result, sending)
            if not isinstance(after, _Again):
                return after

    async def _found_first(self, earlier: EarlierRun) -> R | None:
        """Look for what an earlier run may have done; what it sent may still be at work for a while."""
        self.record.earlier_run_may_have_done(self._now(), has_claimed=earlier.late_work_until > 0)
        if (wait := earlier.late_work_until - self._now()) > 0:
            self._admission.give_place()
            await self._rest(wait)
        return await self._find(OutcomeUnknownError(f"{self.record.name}: an earlier run may have done it"))

    def attempt(self) -> Sending:
        """Return what will be known of a read on behalf of this call."""
        return Sending(self._watch)

    async def send(self, wire_request: WireRequest, sending: Sending) -> WireResponse | PlexyPayError:
        """Send a request once, when a place and a slot are free for it.

        Raises:
            ConfigurationError: The client is closed, or its key cannot be had.
        """
        connections, admission = self._connections, self._admission
        if admission.ticket is None and not admission.take_place_now():
            await admission.take_place()
        slots = connections.slots
        if slots.free:
            slots.free -= 1
        else:
            await self._wait_for_slot()
        ended: WireResponse | PlexyPayError | None = None
        began = self._now() if admission.gives_back else 0.0
        try:
            result = ended = await connections.send(wire_request, self.execution.options, sending)
        finally:
            slots.give()
            if admission.gives_back:
                left = sending.written_at
                admission.give_place(ended, 0.0 if left is None else left - began)
        if isinstance(result, ConfigurationError):
            raise result
        if type(result) is WireResponse and (self.keeps_answers or not result.is_success):
            result.elapsed = sending.seconds_until(self._now())
            if self.keeps_answers:
                self._last = result.evidence()
        return result

    async def _rest(self, seconds: float) -> None:
        """Wait until a look-up can prove something."""
        await self._admission.pause(seconds)

    async def _wait_for_slot(self) -> None:
        """Wait for a slot; where nothing works by then, only as a probe."""
        slots = self._connections.slots
        await slots.wait()
        while self._admission.is_held_back():
            slots.give()
            await self._waits.outlast()
            await slots.wait_if_none()

    def _value_of(self, answer: WireResponse, sending: Sending) -> R | PlexyPayError:
        """Return what a whole 2xx says, or the error of one that does not say that this work was done."""
        record = self.record
        try:
            value = self._decoder.decode(answer)
        except RefusedError as refused:
            refused.elapsed = sending.seconds_until(self._now())
            sending.drop_connection()
            self._admission.refused()
            # What is refused now may have been done by an attempt before.
            raise record.final(refused) from None
        except UnreadableResponseError as error:
            return self._unread(error, answer, sending)
        declaration, request, asked = record.declaration, record.request, self._wire_request
        if (
            self._misfit is None
            and declaration.confirmation is None
            and (value is None or declaration.asked(request) == declaration.named(value))
        ):
            # As a rule: all that the answer names is what was asked for.
            identity = declaration.identity
            is_named = identity is not None and getattr(request, identity) is not None
            told = (
                None
                if is_named and record.replay.is_told_by_name
                else record.told_again(asked, value, answer, sending, is_named=is_named)
            )
        else:
            told = declaration.misfit(request, value) if self._misfit is None else self._misfit(value)
            told = told or record.told_again(asked, value, answer, sending, is_named=False)
            finds = told is not None and declaration.look_up is not None
            if finds and (flaw := declaration.flaw(value)) is not None:
                return self._unread(flawed(record.name, flaw, answer, value), answer, sending)
        if told is not None:
            return self._of_another_request(told, sending)
        self._admission.succeeded()
        if self.execution.recovery.known is None:
            self.execution.recovery.note_created(record)
        return value

    def _unread(
        self, error: UnreadableResponseError, answer: WireResponse, sending: Sending
    ) -> PlexyPayError:
        """Return the error of a success that cannot be read; raise it where that says the work was done."""
        # It may be the answer to another request, whose own is still to come.
        sending.drop_connection()
        error.elapsed = sending.seconds_until(self._now())
        record = self.record
        check_proof(error, answer, self._decoder, record.declaration, record.request)
        confirms = record.declaration.confirmation is not None
        if error.outcome is Outcome.DONE and confirms:
            operation = cast("Operation[..., R]", record.declaration)
            self._short = self.execution.codec(operation).short(answer)
        is_done = error.outcome is Outcome.DONE and not confirms
        if not error.cut and (is_done or record.reads):
            raise error
        return error

    def _check_refusal(self, answer: WireResponse, sending: Sending) -> None:
        """Raise the refusal that a 4xx tells of, such as that of a declined payment."""
        replay = self.record.replay
        if not (replay.moves_money or replay.same_key):
            # A look-up or a read may know better; what is left of it is a refusal in the end.
            return
        refused = self._decoder.refusal(answer)
        if refused is None or not is_own_word(answer, refused, self.record.declaration.api.errors):
            return
        sending.drop_connection()
        if sending.repeated:
            self._may_have_done(sending)
        self._admission.refused()
        # What is refused now may have been done by an attempt before.
        raise self.record.final(refused)

    def _of_another_request(self, misfit: str, sending: Sending) -> PlexyPayError:
        """Return the error of an answer to another request, and give up the connection that it came on."""
        sending.drop_connection()
        self._misfits += 1
        told = f"{self.record.name}: the answer is of another request: {misfit}"
        if self.record.reads and self._misfits > MOST_MISFITS:
            # No stale answer, for it came on several connections: this is what the server answers.
            raise UnreadableResponseError(told, status=200)
        return OutcomeUnknownError(told)

    async def _after(self, result: WireResponse | PlexyPayError, sending: Sending) -> R | _Again:
        """Do what follows from an attempt that was no success.

        Raises:
            PlexyPayError: Nothing more may be done.
        """
        record = self.record
        if sending.repeated:
            # aiohttp sent it once before by itself, and nobody knows what became of that.
            self._may_have_done(sending)
        decision = decide(result, record)
        error = decision.error
        if isinstance(error, UnreadableResponseError) and isinstance(result, WireResponse):
            check_proof(error, result, self._decoder, record.declaration, record.request)
        # A connection that was refused and a 429 have done nothing that a repeat could meet.
        if not isinstance(error, (ConnectError, RateLimitedError)):
            record.has_reached()
        if decision.may_have_done:
            self._may_have_done(sending)
        record.failures.append(error)
        if isinstance(result, WireResponse):
            # It names no request, and a proxy may send it again as the answer to another.
            if decision.next is Next.REPEAT:
                sending.distrust()
            else:
                sending.drop_connection()
        match decision.next:
            case Next.REPEAT:
                return await self._on_repeat(decision)
            case Next.LOOK_UP:
                return await self._on_look_up(decision)
            case Next.CONFIRM:
                return await self._on_confirm(decision)
            case Next.GONE:
                self._admission.succeeded()
                return None  # type: ignore[return-value]
            case Next.RAISE:
                if isinstance(error, NotFoundError) and record.has_fallback:
                    found: R = await found_otherwise(self, error)
                    self._admission.succeeded()
                    return found
                raise self._refused(error, result)

    def _may_have_done(self, sending: Sending) -> None:
        now, sent_at = self._now(), sending.written_at
        self.record.may_have_done(now if sent_at is None else sent_at, now)

    async def _on_repeat(self, decision: Decision) -> R | _Again:
        """Send it again after a pause."""
        if self._waits.is_spent():
            raise self._refused(decision.error)
        await self._waits.pause(decision.error, is_repeat=True)
        return AGAIN

    def counts(self) -> bool:
        """Tell whether an attempt that has just failed counts: in an outage it was a probe, and does not."""
        return self._waits.counts()

    async def _on_look_up(self, decision: Decision) -> R | _Again:
        """Look for what may have been made, and send it again where it is not there."""
        error, record = decision.error, self.record
        found = await self._find(error, at_once=decision.at_once and not self._admission.is_outage())
        if found is not None:
            return self._recovered(found)
        if isinstance(error, APIError) and not decision.may_have_done:
            record.was_refused(error)
        if not may_repeat(error, record.replay, record.settings.retry) or self._waits.is_spent():
            raise record.final(error)
        # The look-up was answered after a pause of its own, so the repeat follows at once.
        await self._waits.pay(error)
        return AGAIN

    async def _on_confirm(self, decision: Decision) -> R | _Again:
        """Read the resource: what is as the call wanted it is done, and else it is sent again, or raised."""
        record, asked_at, error, short = self.record, self._now(), decision.error, self._short
        try:
            state = await confirmed(self)
        except PlexyPayError:
            if short is None:
                raise
            state = None
        self._short = None
        if state is None and short is not None:
            self._admission.succeeded()
            return short
        if state is not None and state.as_wanted:
            self._admission.succeeded()
            found: R = state.found
            return found
        if state is not None:
            record.found_nothing(record.proof_at if state.is_final else asked_at)
            if state.is_final and decision.may_have_done:
                # No attempt that is still at work can change it. An answer that says otherwise leaves doubt.
                error.outcome = Outcome.UNKNOWN if error.outcome is Outcome.DONE else Outcome.REJECTED
                error.add_note("Reading it has shown it in a state that it never leaves.")
                raise record.final(error)
        if not decision.may_have_done or self._waits.is_spent():
            raise record.final(decision.error)
        await self._waits.pause(decision.error, is_repeat=True)
        return AGAIN

    def _refused(
        self, error: PlexyPayError, result: WireResponse | PlexyPayError | None = None
    ) -> PlexyPayError:
        """Return what to raise for an error that is not repeated; a refusal shows that the server works."""
        refused: RefusedError | None = None
        if isinstance(error, APIError) and shows_work(error, self.record.settings.retry):
            self._admission.refused()
        if isinstance(error, APIError) and error.outcome is Outcome.REJECTED:
            self.record.was_refused(error)
            if error.declines and error.status not in _OF_NO_REQUEST and isinstance(result, WireResponse):
                refused = self._decoder.refusal(result)
        return self.record.final(error if refused is None else refused)

    def _recovered(self, found: R) -> R:
        self.recovered = True
        self._admission.succeeded()
        return found

    async def _find(self, error: PlexyPayError, *, at_once: bool = False) -> R | None:
        """Look for what the call may have made; None where it is not there."""
        try:
            found: R | None
            found, asked_at = await self.execution.recovery.find(self, error, at_once=at_once)
            if found is None:
                self.record.found_nothing(asked_at)
            return found
        except UnreadableResponseError as seen:
            # A look-up has shown that it is there.
            if seen.link_id is not None or seen.link_url is not None:
                self.recovered = True
                self._admission.refused()
            raise
        except OutcomeUnknownError as unknown:
            earlier = self._earlier
            is_doubted = earlier is not None and not earlier.may_have_done
            if (is_doubted or self.record.doubt is Doubt.OPEN) and error.outcome is not Outcome.DONE:
                raise
            # What the last answer said stands where the look-up cannot tell more.
            error.link_id, error.link_url = unknown.link_id, unknown.link_url
            for note in getattr(unknown, "__notes__", ()):
                error.add_note(note)
        raise error

    def was_told(self) -> None:
        """Note that the server has answered a read, and so works."""
        self._admission.was_told()

    async def pause(self, error: PlexyPayError) -> None:
        """Wait before the next read.

        Raises:
            PlexyPayError: The wait would pass the deadline: the last error.
        """
        # What has become of a call's work is worth any request; a read of its own is one as any other.
        await self._waits.pause(error, is_repeat=self.record.reads)

    @property
    def _waits(self) -> Patience:
        if self._patience is None:
            self._patience = Patience(self.execution.transport, self._admission, self.record, self._watch)
        return self._patience
