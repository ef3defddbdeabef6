"""One call: its deadline, its attempts, and what may be repeated after a failure.

A call sends its request, judges what came of it, and repeats it as far as its replay class allows. Once an
attempt may have done the work, the call is in doubt until something proves what became of it: a success, or a
look-up that was asked when no request could still be at work. No call ends in an error that says less than
what is known, or more.
"""

from __future__ import annotations

import asyncio
import enum
import math
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import backoff

from .deadlines import Watch
from .errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
    RateLimitedError,
    RefusedError,
    UnreadableResponseError,
)
from .foreign import bare
from .limits import RETRY_COST, TIMEOUT_COST
from .operation import Declaration, Evidence
from .replay import Replay
from .printable import log
from .recovery import SETTLING, confirmed
from .sending import Sending
from .slots import running_loop
from .transport import Connections, is_lasting
from .verdict import Judgement, Verdict, is_passing, is_trouble, judge, may_repeat
from .wire import WireRequest, WireResponse, error_of

if TYPE_CHECKING:
    from .execution import Execution, Patience

__all__ = ["Call", "Decoder"]

R = TypeVar("R")
A = TypeVar("A")
D = TypeVar("D", covariant=True)

MOST_MISFITS = 2
"""So many answers of another request a read passes over; another one is what the server means."""


class Decoder(Protocol[D]):
    """What reads an answer."""

    name: str

    def decode(self, response: WireResponse) -> D:
        """Return the model of a 2xx answer."""
        ...


class Doubt(enum.IntEnum):
    """Whether the work of a call may have been done by an attempt that did not say so."""

    NONE = 0
    """No attempt may have done it."""
    SETTLED = 1
    """One may have, and has been proved not to; a refusal may yet be of what it, or an earlier run, made."""
    OPEN = 2
    """One may have."""


class Call(Generic[R]):
    """One call under way."""

    # What as a rule stays as it is costs a call nothing here.
    recovered = False
    """Whether the result was found by a look-up after its answer was lost."""
    sent = 0
    """How often the operation itself was sent."""
    _reached = False
    _doubt = Doubt.NONE
    _proof_at = 0.0
    _misfits = 0
    _misfit_given: Callable[[R], str | None] | None = None
    _sending: Sending | None = None
    _pauses: Generator[float, Any, None] | None = None
    _debt = 0
    _probing = False
    _place: int | None = None

    def __init__(
        self,
        execution: Execution,
        decoder: Decoder[R],
        wire_request: WireRequest,
        replay: Replay,
        declaration: Declaration[...] | None = None,
        request: Any = None,
        *,
        patience: Patience | None = None,
        look_first: bool = False,
        reached: bool = False,
        settled_at: float = 0.0,
        misfit: Callable[[R], str | None] | None = None,
    ) -> None:
        self.execution = execution
        self.declaration = declaration
        self.request = request
        self.order_reference: str | None = getattr(request, "order_reference", None)
        # What an earlier run has sent counts: a refusal may be of what that one made.
        if look_first or reached:
            self._reached, self._doubt = True, Doubt.SETTLED
        if misfit is not None:
            self._misfit_given = misfit
        self._decoder = decoder
        self._wire_request = wire_request
        if replay is Replay.AFTER_LOOKUP and self.order_reference is None:
            replay = Replay.CREATE
        self._replay = replay
        self._failures: list[PlexyPayError] = []
        self._patience = patience
        self._budget = execution.budget if patience is None else execution.budget.jobs
        self._look_first = look_first
        self._settled_at = settled_at
        self._timeout = execution.settings.timeout if patience is None else patience.timeout
        most = execution.settings.retry.max_attempts
        self._max_attempts: float = most if patience is None or most == 1 else math.inf

    def now(self) -> float:
        """Return the loop's time."""
        return self._now()

    @property
    def retries(self) -> int:
        """How often the operation was sent again."""
        return max(0, self.sent - 1)

    async def run(self) -> R:
        """Perform the call within its deadline.

        Raises:
            PlexyPayError: With its outcome, its operation and the errors of its earlier attempts.
        """
        execution, patience = self.execution, self._patience
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = running_loop()
        connections = execution.transport.opened(loop) or await self._opened()
        self._connections: Connections = connections
        self._now = loop.time
        if patience is not None:
            pace = patience.pace
            self._place = pace.enter_now() or await pace.enter()
            patience.calls += 1
        # Waiting for an earlier run's requests is no time of this one's.
        now = loop.time()
        deadline = (now if now > self._settled_at else self._settled_at) + self._timeout
        watch = self._watch = Watch(connections.deadlines, deadline, execution.settings.read_timeout)
        failed: BaseException
        try:
            try:
                result = await self._perform()
            except PlexyPayError as error:
                if patience is None or self._doubt is not Doubt.OPEN:
                    raise
                # A job has the time to prove what became of a row; a single call's user rather hears of it.
                result = await self._proved_late(error)
        except asyncio.CancelledError as error:
            if watch.was_closed():
                watch.done()
                failed = self._finished(self._final(ConfigurationError("this client is closed")))
            else:
                failed = self._finished(self._deadline_error()) if watch.done() else error
        except ConfigurationError as error:
            # The client was closed or its key failed in mid-call; an earlier attempt may have done the work.
            watch.done()
            failed = self._finished(self._final(error))
        except PlexyPayError as error:
            watch.done()
            failed = self._finished(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has an outcome
            watch.done()
            failed = self._finished(self._foreign(error))
        except BaseException:
            watch.done()
            raise
        else:
            watch.done()
            return result
        finally:
            if patience is not None:
                patience.calls -= 1
                if self._place is not None:
                    self._give_place_back(trouble=None)
        if not isinstance(failed, PlexyPayError):
            # Cancelled by the caller.
            failed.__traceback__ = failed.__context__ = None
            raise failed
        unknown_job = patience is not None and failed.outcome is Outcome.UNKNOWN
        if unknown_job and not isinstance(failed, OutcomeUnknownError):
            # A job's rows are told apart by this: whatever is unknown is tried again by its next run.
            unknown = OutcomeUnknownError(str(failed))
            unknown.__cause__ = failed
            failed = self._finished(unknown)
        # Raised outside the handlers: the frames of an attempt hold what the server sent.
        raise failed from failed.__cause__

    async def _opened(self) -> Connections:
        """Open the loop's connections; what cannot be opened has sent nothing."""
        try:
            return await self.execution.transport.connections()
        except PlexyPayError:
            raise
        except Exception as error:  # noqa: BLE001 - a connector of the caller's may raise anything
            failed = self._finished(self._foreign(error))
        raise failed from failed.__cause__

    async def _proved_late(self, failure: PlexyPayError) -> R:
        """Look once more when no request can be at work any more; else raise the failure."""
        if (
            not self.execution.recovery.may_find(self)
            or not self._now() < self._proof_at < self._watch.deadline
            or isinstance(failure.__cause__, (AuthenticationError, PermissionDeniedError))
        ):
            raise failure
        self._give_place_back(trouble=None)
        await asyncio.sleep(self._proof_at - self._now())
        found = await self._find(failure)
        if found is not None:
            return self._recovered(found)
        raise self._final(self._last(failure))

    async def _perform(self) -> R:
        patience = self._patience
        if patience is not None and self._budget.failures_on_end and patience.is_outage:
            self._give_place_back(trouble=None)
            self._probing = await patience.probes.wait(0)
        if self._look_first:
            earlier = OutcomeUnknownError(f"{self.name}: an earlier run may have done it")
            self._doubt = Doubt.OPEN
            if (wait := self._settled_at - self._now()) > 0:
                self._give_place_back(trouble=None)
                await asyncio.sleep(wait)
            found: R | None = await self._find(earlier)
            if found is not None:
                return self._recovered(found)
        while True:
            # An attempt that the deadline cuts stays noted, for the error to say whether it was sent.
            sending = self._sending = Sending(
                self._watch, once=self._replay.sent_once, fresh=self._replay.takes_fresh
            )
            if self._misfits:
                sending.new = sending.look = True
            result = await self._send(self._wire_request, sending)
            self.sent += 1
            if type(result) is WireResponse and result.is_success and result.complete:
                try:
                    value = self._decoder.decode(result)
                except RefusedError as refused:
                    # What is refused now may have been done by an attempt before.
                    raise self._final(refused) from None
                except UnreadableResponseError as unreadable:
                    # It may be the answer to another request, whose own is still to come.
                    sending.drop_connection()
                    self._check_proof(unreadable, result)
                    if self._is_final(unreadable):
                        raise
                    result = unreadable
                else:
                    declaration = self.declaration
                    if (
                        declaration is not None
                        and self._misfit_given is None
                        and declaration.confirmation is None
                        and (value is None or declaration.asked(self.request) == declaration.named(value))
                    ):
                        # As a rule: all that the answer names is what was asked for.
                        misfit = None
                    else:
                        misfit = self._misfit(value)
                    if misfit is None:
                        self._answered()
                        if self.execution.recovery.known is None:
                            self.execution.recovery.note_created(self, value)
                        return value
                    result = self._of_another_request(misfit, sending)
            self._sending = None
            if sending.repeated:
                # aiohttp sent it once before by itself, and nobody knows what became of that.
                self._may_have_done(sending)
            judgement = self._judged(result)
            if isinstance(judgement.error, UnreadableResponseError) and isinstance(result, WireResponse):
                self._check_proof(judgement.error, result)
            error, verdict = judgement.error, judgement.verdict
            # A connection that was refused and a 429 have done nothing that a repeat could meet.
            self._reached = self._reached or not isinstance(error, (ConnectError, RateLimitedError))
            if judgement.may_have_done:
                self._may_have_done(sending)
            self._failures.append(error)
            if verdict is Verdict.GONE:
                self._answered()
                return None  # type: ignore[return-value]
            if verdict is Verdict.CONFIRM:
                confirmed_now = await self._confirmed(error)
                if confirmed_now is not None:
                    return confirmed_now
                if not judgement.may_have_done or self.sent >= self._max_attempts:
                    raise self._final(error)
            if verdict is Verdict.LOOK_UP:
                found = await self._find(error)
                if found is not None:
                    return self._recovered(found)
                if (
                    not may_repeat(error, self._replay, self.execution.settings.retry)
                    or self.sent >= self._max_attempts
                ):
                    raise self._final(error)
                # The look-up was answered after a pause of its own, so the repeat follows at once.
                await self._pay(error)
                continue
            if verdict is Verdict.RAISE or self.sent >= self._max_attempts:
                if isinstance(error, APIError) and error.outcome is Outcome.REJECTED:
                    self._answered(credit=False)
                raise self._final(error)
            await self.pause(error)

    def _check_proof(self, error: UnreadableResponseError, answer: WireResponse) -> None:
        """Let an error say that the work is done only where the answer names what this call asked for."""
        if error.outcome is not Outcome.DONE or self._wire_request.method == "GET":
            return
        proves = getattr(self._decoder, "proves", None)
        if proves is None or not proves(self.request, answer.body):
            error.outcome = Outcome.UNKNOWN

    def _is_final(self, error: UnreadableResponseError) -> bool:
        """Tell whether an answer that cannot be read ends the call: it is whole, or the work is done."""
        return not error.cut and (error.outcome is Outcome.DONE or self._wire_request.method == "GET")

    def _may_have_done(self, sending: Sending) -> None:
        """Note that an attempt may have done the work, or may be about to do it."""
        self._doubt, self._reached = Doubt.OPEN, True
        sent_at = self._now() if sending.written_at is None else sending.written_at
        # So long an answer would have been waited for, and so long a job waits for what was lost.
        self._proof_at = max(self._proof_at, sent_at + self.execution.settings.read_timeout + SETTLING)

    def _found_nothing(self, asked_at: float) -> None:
        """Note that what the work would have made was not there; too early, that proves nothing."""
        if asked_at >= self._proof_at:
            self._doubt = Doubt.SETTLED

    async def _confirmed(self, error: PlexyPayError) -> R | None:
        """Return what the call was to bring about, where reading it shows that it has."""
        asked_at = self._now()
        state = await confirmed(self)
        if state is None:
            return None
        if state.as_wanted:
            self._answered()
            return state.found
        if state.is_final:
            self._doubt = Doubt.SETTLED
        else:
            self._found_nothing(asked_at)
        return None

    def _misfit(self, value: R) -> str | None:
        """Tell what an answer names that is not what was asked for."""
        if self._misfit_given is not None:
            return self._misfit_given(value)
        declaration = self.declaration
        return None if declaration is None or value is None else declaration.misfit(self.request, value)

    def _of_another_request(self, misfit: str, sending: Sending) -> PlexyPayError:
        """Return the error of an answer to another request, and give up the connection that it came on."""
        sending.drop_connection()
        self._misfits += 1
        told = f"{self.name}: the answer is of another request: {misfit}"
        if self._wire_request.method == "GET" and self._misfits > MOST_MISFITS:
            # No stale answer, for it came on several connections: this is what the server answers.
            raise UnreadableResponseError(told, status=200)
        return OutcomeUnknownError(told)

    def _foreign(self, error: Exception) -> PlexyPayError:
        """Return the error for an exception that is not the library's own, which stays its cause."""
        sent = self._sending is not None and self._sending.begun
        told = f"{self.name}: {type(error).__name__}: {error}"
        if (sent or self._doubt is Doubt.OPEN) and self._wire_request.method != "GET":
            failure: PlexyPayError = self.unknown(PlexyPayError(told))
        else:
            failure = PlexyPayError(told, outcome=Outcome.REJECTED if self.answered else Outcome.NOT_SENT)
        failure.__cause__ = bare(error)
        return failure

    def _recovered(self, found: R) -> R:
        self.recovered = True
        self._answered()
        return found

    def _answered(self, *, credit: bool = True) -> None:
        """Note that the server works; a success gives back what its last retry took."""
        if credit:
            self._budget.give(self._debt)
        if self._patience is not None:
            self._patience.probes.answered(probe=self._probing)

    async def _find(self, error: PlexyPayError) -> R | None:
        try:
            found: R | None
            found, asked_at = await self.execution.recovery.find(self, error)
            if found is None:
                self._found_nothing(asked_at)
            return found
        except OutcomeUnknownError as unknown:
            if self._doubt is Doubt.OPEN and error.outcome is not Outcome.DONE:
                raise
            # What the last answer said stands where the look-up cannot tell more.
            for note in getattr(unknown, "__notes__", ()):
                error.add_note(note)
        raise error

    # ------------------------------------------------------------------------------------- one attempt

    async def _send(self, wire_request: WireRequest, sending: Sending) -> WireResponse | PlexyPayError:
        connections, patience, trouble = self._connections, self._patience, None
        if patience is not None and self._place is None:
            self._place = patience.pace.enter_now() or await patience.pace.enter()
        slots = connections.slots
        if slots.free:
            slots.free -= 1
        else:
            await slots.wait()
        try:
            result = await connections.send(wire_request, self.execution.wire, sending)
            if patience is not None:
                trouble = is_trouble(result)
        finally:
            slots.give()
            if patience is not None:
                self._give_place_back(trouble=trouble)
        if isinstance(result, ConfigurationError):
            raise result
        return result

    def _give_place_back(self, *, trouble: bool | None) -> None:
        place, self._place = self._place, None
        if place is not None and self._patience is not None:
            self._patience.pace.leave(place, trouble=trouble)

    def _judged(self, result: WireResponse | PlexyPayError) -> Judgement:
        declaration = self.declaration
        return judge(
            result,
            self.name,
            self._replay,
            again=self._reached,
            doubted=self._doubt is not Doubt.NONE,
            policy=self.execution.settings.retry,
            confirmable=getattr(declaration, "confirmation", None) is not None,
            deletes=getattr(declaration, "deletes", False),
        )

    # ------------------------------------------------------------------------- reads on behalf of a call

    async def ask(
        self, codec: Decoder[A], wire_request: WireRequest, misfit: Callable[[A], str | None] | None = None
    ) -> A:
        """Read something within this call, asking until an answer comes that is one to this question.

        Raises:
            APIError: The answer was no success, and asking again would not change it.
            UnreadableResponseError: The answer does not decode.
            PlexyPayError: The deadline or the budget ended the call.
        """
        misfits = 0
        while True:
            sending = Sending(self._watch)
            sending.new = misfits > 0
            result = await self._send(wire_request, sending)
            if isinstance(result, UnreadableResponseError):
                raise result
            error: PlexyPayError
            if isinstance(result, WireResponse) and result.complete:
                if result.is_success:
                    try:
                        found = codec.decode(result)
                    except UnreadableResponseError as unreadable:
                        sending.drop_connection()
                        misfits += 1
                        if not unreadable.cut and misfits > MOST_MISFITS:
                            raise
                        error = unreadable
                    else:
                        told = None if misfit is None else misfit(found)
                        if told is None or misfits >= MOST_MISFITS:
                            return found
                        misfits += 1
                        sending.drop_connection()
                        error = OutcomeUnknownError(f"{codec.name}: the answer is of another request: {told}")
                else:
                    error = error_of(result, codec.name)
                    if not is_passing(error):
                        raise error
            elif isinstance(result, WireResponse):
                error = UnreadableResponseError(f"{codec.name}: the answer was cut", status=result.status)
                error.__cause__ = result.cause
            else:
                error = result
                if is_lasting(error):
                    raise self._final(self._last(error))
            await self.pause(error)

    async def pause(self, error: PlexyPayError) -> None:
        """Wait before the next request, as long as the backoff or the server says.

        Raises:
            PlexyPayError: The wait would pass the deadline, or the retry budget is spent: the last error.
        """
        policy = self.execution.settings.retry
        self._budget.note_failure()
        if self._pauses is None:
            self._pauses = backoff.expo(base=2, factor=policy.base, max_value=policy.cap)
            next(self._pauses)
        wait = backoff.full_jitter(next(self._pauses))
        retry_after = getattr(error, "retry_after", None)
        if retry_after is not None:
            # Never earlier than told, not all callers at the same instant, and no faster for a zero.
            wait = max(wait, retry_after + backoff.full_jitter(policy.base))
        patience = self._patience
        if patience is None or not patience.is_outage:
            if self._now() + wait >= self._watch.deadline:
                raise self._final(self._last(error))
            waited = await self._pay(error)
            if waited and not retry_after:
                # The queue for the budget was the pause.
                return
            log.debug("%s: attempt %d failed (%s); pausing %.3f s", self.name, self.sent, error, wait)
            await asyncio.sleep(wait)
        elif retry_after is not None:
            await asyncio.sleep(wait)
        if patience is not None and patience.is_outage:
            self._probing = await patience.probes.wait(0)

    async def _pay(self, error: PlexyPayError) -> bool:
        """Pay for a repeat; tell whether that took a wait, as it may for a bulk job alone."""
        # Silence is what an overloaded server gives, so asking again after it costs more.
        cost = TIMEOUT_COST if isinstance(error.__cause__, TimeoutError) else RETRY_COST
        # A small client's whole budget pays for one.
        cost = min(cost, self._budget.capacity)
        self._debt = cost
        self._probing = False
        if self._budget.take(cost):
            return False
        if self._patience is None:
            log.debug("%s: the retry budget is spent", self.name)
            raise self._final(self._last(error))
        self._probing = await self._patience.probes.wait(cost)
        if self._probing:
            self._debt = 0
        return True

    # ------------------------------------------------------------------------------------------- the end

    @property
    def _key_name(self) -> str | None:
        return getattr(self.declaration, "key", None)

    @property
    def _key(self) -> str | None:
        """The request's idempotency key."""
        return None if self._key_name is None else getattr(self.request, self._key_name)

    @property
    def name(self) -> str:
        """The operation's name, or the method and path of a raw request."""
        return self._decoder.name

    @property
    def answered(self) -> bool:
        """Whether any attempt of the operation got an answer."""
        return any(isinstance(error, (APIError, UnreadableResponseError)) for error in self._failures)

    def _last(self, error: PlexyPayError) -> PlexyPayError:
        return self._failures[-1] if self._failures else error

    def _final(self, error: PlexyPayError) -> PlexyPayError:
        """Return what to raise for the last error, given what is known of all attempts."""
        if self._doubt is not Doubt.OPEN or self._wire_request.method == "GET":
            return error
        if error.outcome is Outcome.UNKNOWN:
            if self._replay is Replay.SAFE:
                return error
            if self._replay is Replay.AFTER_LOOKUP and isinstance(error, APIError):
                error.add_note(self._advice())
                return error
        if isinstance(error, UnreadableResponseError) and error.outcome is Outcome.DONE:
            return error
        return self.unknown(error)

    def unknown(self, error: PlexyPayError, note: str | None = None) -> OutcomeUnknownError:
        """Return the error that says that the work may have been done, and how to find out."""
        told = str(error).removeprefix(f"{self.name}: ")
        unknown = OutcomeUnknownError(f"{self.name}: the outcome is unknown ({told}). {self._advice()}")
        if note is not None:
            unknown.add_note(note)
        unknown.__cause__ = error
        return unknown

    def _advice(self) -> str:
        settled_by = getattr(self.declaration, "settled_by", None)
        if self._replay is Replay.MONEY:
            if settled_by is None:
                return "Money may have moved: look at the transaction before doing it again."
            return f"Money may have moved: ask {settled_by.advice(self.request)} before doing it again."
        if self._replay is Replay.SAME_KEY and self._key is not None:
            return f"The same call with {self._key_name}={self._key!r} is safe to repeat."
        if self.order_reference is not None:
            return f"Look up the order reference {self.order_reference!r} before creating it again."
        if self._replay is Replay.SAFE:
            return "It is safe to call again."
        if settled_by is not None:
            return f"It may exist: ask {settled_by.advice(self.request)} before creating it again."
        return (
            "Find out whether it was created before doing it again; an order reference makes that possible."
        )

    def _deadline_error(self) -> DeadlineExceededError:
        cut = self._sending is not None and self._sending.begun
        unknown = self._doubt is Doubt.OPEN or cut
        outcome = Outcome.UNKNOWN if unknown else Outcome.REJECTED if self.answered else Outcome.NOT_SENT
        told = {
            Outcome.UNKNOWN: self._advice(),
            Outcome.REJECTED: "The server did not do it.",
            Outcome.NOT_SENT: "Nothing was sent.",
        }[outcome]
        error = DeadlineExceededError(
            f"{self.name}: no success within {self._timeout:g} s. {told}", outcome=outcome
        )
        if self._failures:
            error.__cause__ = self._failures[-1]
        return error

    def _finished(self, error: PlexyPayError) -> PlexyPayError:
        # Its response knows the headers of the request.
        self._sending = None
        error.attempts = tuple(failure for failure in self._failures if failure is not error)
        for failure in error.attempts:
            _without_frames(failure)
        error.operation = self.name
        _without_frames(error)
        error.order_reference = self.order_reference
        error.idempotency_key = self._key
        declaration = self.declaration
        if (
            declaration is not None
            and declaration.evidence is Evidence.ASSUMED
            and declaration.name not in self.execution.settings.paths
            and not isinstance(error, ConfigurationError)
        ):
            error.add_note(assumed_path_note(declaration))
        return error


def _without_frames(error: BaseException | None) -> None:
    while error is not None:
        error.__traceback__ = error.__context__ = None
        error = error.__cause__


def assumed_path_note(declaration: Declaration[...]) -> str:
    """Say that an operation's path is assumed, and how to put another in its place."""
    return (
        f"The path {declaration.path} is assumed, not published: if it is wrong, override it with "
        f'paths={{"{declaration.name}": "/v1/..."}}.'
    )
