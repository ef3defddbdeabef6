"""One call: its deadline, its attempts, and what may be repeated after a failure.

A call sends its request, judges what came of it, and repeats it as far as its replay class allows. Whether
the work may have been done by an attempt that failed is kept in `unsettled` until something settles it: a
success, or a look-up. No call ends in an error that says less than what is known.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import backoff

from .deadlines import Watch
from .errors import (
    APIError,
    ConfigurationError,
    ConnectError,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RateLimitedError,
    RefusedError,
    UnreadableResponseError,
)
from .limits import RETRY_COST, TIMEOUT_COST, Pace, ProbeQueue, RetryBudget
from .operation import Declaration, Evidence, Listing, Operation, Replay
from .recovery import Recovery, confirmed
from .sending import Sending
from .settings import Settings
from .transport import Connections, Transport, Wire
from .verdict import Verdict, is_trouble, judge, may_repeat, retry_code
from .wire import WireRequest, WireResponse, error_of

if TYPE_CHECKING:
    from .codec import ListingCodec, OperationCodec

__all__ = ["Call", "Execution"]

R = TypeVar("R")
A = TypeVar("A")
D = TypeVar("D", covariant=True)

log = logging.getLogger("plexypay")


class Decoder(Protocol[D]):
    """What reads an answer."""

    name: str

    def decode(self, response: WireResponse) -> D:
        """Return the model of a 2xx answer."""
        ...


class Execution:
    """Performs the calls of one client: what it shares with derived clients, and its own options."""

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        budget: RetryBudget,
        recovery: Recovery | None = None,
    ) -> None:
        self.settings = settings
        self.transport = transport
        self.budget = budget
        self.recovery = Recovery() if recovery is None else recovery
        self.wire = Wire.of(settings)
        self._codecs: dict[str, OperationCodec[Any]] = {}
        self._listing_codecs: dict[str, ListingCodec[Any]] = {}

    def derived(self, settings: Settings) -> Execution:
        """Return an execution with other options on the same connections and the same budget."""
        # What one key can see, or one path finds, proves nothing about another.
        same = settings.paths == self.settings.paths and settings.api_key == self.settings.api_key
        return Execution(settings, self.transport, self.budget, self.recovery if same else None)

    def codec(self, operation: Operation[..., R]) -> OperationCodec[R]:
        """Return an operation's codec, made at its first call."""
        codec = self._codecs.get(operation.name)
        if codec is None:
            from .codec import OperationCodec

            codec = OperationCodec(operation, self.settings.paths.get(operation.name))
            self._codecs[operation.name] = codec
        return codec

    def listing_codec(self, listing: Listing[..., A]) -> ListingCodec[A]:
        """Return a listing's codec, made at its first call."""
        codec = self._listing_codecs.get(listing.name)
        if codec is None:
            from .codec import ListingCodec

            codec = ListingCodec(listing, self.settings.paths.get(listing.name))
            self._listing_codecs[listing.name] = codec
        return codec

    def call(
        self,
        operation: Operation[..., R],
        request: Any,
        *,
        patience: Patience | None = None,
        look_first: bool = False,
        reached: bool = False,
        settled_at: float = 0.0,
    ) -> Call[R]:
        """Return the call that performs an operation; nothing is sent before it runs.

        Args:
            operation: What to do.
            request: Its request.
            patience: How a bulk job's call differs.
            look_first: Whether it may have been done before, so that it is looked up before it is sent.
            reached: Whether an earlier run may have reached the server, so that a refusal may be of what that
                one made; `look_first` implies it.
            settled_at: The loop's time before which a look-up proves nothing, since a request of an earlier
                run may still be at work on the server.
        """
        codec = self._codecs.get(operation.name) or self.codec(operation)
        try:
            wire_request = codec.encode(request)
        except ConfigurationError as error:
            # The encoder's frames hold the body, and with it a card's data.
            _without_frames(error)
            raise error from None
        return Call(
            self,
            codec,
            wire_request,
            operation.replay,
            operation,
            request,
            patience=patience,
            look_first=look_first,
            reached=reached,
            settled_at=settled_at,
        )


class Patience:
    """How a bulk job's calls differ: they keep a pace, and wait for the retry budget instead of giving up.

    Their deadline alone bounds their attempts, unless the client's policy allows one only. It begins when it
    is a call's turn: waiting for the pace is no time of the link's.
    """

    def __init__(self, timeout: float, pace: Pace, probes: ProbeQueue) -> None:
        self.timeout = timeout
        self.pace = pace
        self.probes = probes
        self.calls = 0
        """How many are under way."""

    @property
    def is_outage(self) -> bool:
        """Whether nothing but a probe should be sent."""
        return self.probes.is_outage(self.calls)


class Call(Generic[R]):
    """One call under way."""

    # What as a rule stays as it is costs a call nothing here.
    recovered = False
    """Whether the result was found by a look-up after its answer was lost."""
    sent = 0
    """How often the operation itself was sent."""
    _unsettled = False
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
    ) -> None:
        self.execution = execution
        self.declaration = declaration
        self.request = request
        self.order_reference: str | None = getattr(request, "order_reference", None)
        # What an earlier run has sent counts: a refusal may be of what that one made.
        self._reached = look_first or reached
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

    @property
    def retries(self) -> int:
        """How often the operation was sent again."""
        return max(0, self.sent - 1)

    async def run(self) -> R:
        """Perform the call within its deadline.

        Raises:
            PlexyPayError: With its outcome, its operation and the errors of its earlier attempts.
        """
        execution, patience, loop = self.execution, self._patience, asyncio.get_running_loop()
        connections = execution.transport.opened(loop) or await execution.transport.connections()
        self._connections: Connections = connections
        self._now = loop.time
        if patience is not None:
            pace = patience.pace
            self._place = pace.enter_now() or await pace.enter()
            patience.calls += 1
        # Waiting for an earlier run's requests is no time of this one's.
        now = loop.time()
        self._deadline = (now if now > self._settled_at else self._settled_at) + self._timeout
        watch = self._watch = Watch(connections.deadlines, self._deadline, execution.settings.read_timeout)
        failed: BaseException
        try:
            result = await self._perform()
        except asyncio.CancelledError as error:
            failed = self._finished(self._deadline_error()) if watch.done() else error
        except ConfigurationError as error:
            # The client was closed or its key failed in mid-call; an earlier attempt may have done the work.
            watch.done()
            failed = self._finished(self._final(error))
        except PlexyPayError as error:
            watch.done()
            failed = self._finished(error)
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
        # Raised outside the handlers: the frames of an attempt hold the API key and what the server sent.
        raise failed from failed.__cause__

    async def _perform(self) -> R:
        patience = self._patience
        if patience is not None and self._budget.failures_on_end and patience.is_outage:
            self._give_place_back(trouble=None)
            self._probing = await patience.probes.wait(0)
        if self._look_first:
            earlier = OutcomeUnknownError(f"{self.name}: an earlier run may have done it")
            self._unsettled = True
            if (wait := self._settled_at - self._now()) > 0:
                self._give_place_back(trouble=None)
                await asyncio.sleep(wait)
            found: R | None = await self._find(earlier)
            if found is not None:
                return self._recovered(found)
            self._unsettled = False
        while True:
            # An attempt that the deadline cuts stays noted, for the error to say whether it was sent.
            once = self._replay not in (Replay.SAFE, Replay.SAME_KEY)
            sending = self._sending = Sending(self._watch, once=once)
            result = await self._send(self._wire_request, sending)
            self._sending = None
            self.sent += 1
            if type(result) is WireResponse and result.is_success and result.complete:
                value = self._decoded(result)
                self._answered()
                if self.execution.recovery.known is None:
                    self.execution.recovery.note_created(self, value)
                return value
            again = self._reached or sending.repeated
            # A connection that was refused and a 429 have done nothing that a repeat could meet.
            self._reached = again or not isinstance(result, ConnectError)
            error, verdict = self._judge(result, again=again)
            if isinstance(error, RateLimitedError):
                self._reached = again
            self._failures.append(error)
            if verdict is Verdict.GONE:
                self._answered()
                return None  # type: ignore[return-value]
            if verdict is Verdict.CONFIRM:
                state = await confirmed(self)
                if state is not None and state.as_wanted:
                    return state.found
                self._unsettled = self._unsettled and state is None
                raise self._final(error)
            if verdict is Verdict.LOOK_UP:
                found = await self._find(error)
                if found is not None:
                    return self._recovered(found)
                self._unsettled = False
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

    def _decoded(self, answer: WireResponse) -> R:
        try:
            return self._decoder.decode(answer)
        except RefusedError as error:
            refused: PlexyPayError = error
        except UnreadableResponseError as error:
            if error.outcome is not Outcome.UNKNOWN or self._replay is Replay.SAFE:
                raise
            self._unsettled = True
            refused = error
        # What is refused now may have been done by an attempt before.
        raise self._final(refused)

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
            return await self.execution.recovery.find(self, error)
        except OutcomeUnknownError as unknown:
            if self._unsettled and error.outcome is not Outcome.DONE:
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
                trouble = not result.is_success and is_trouble(result)
            return result
        except (ConnectError, OutcomeUnknownError) as error:
            if patience is not None:
                trouble = is_trouble(error)
            return error
        finally:
            slots.give()
            if patience is not None:
                self._give_place_back(trouble=trouble)

    def _give_place_back(self, *, trouble: bool | None) -> None:
        place, self._place = self._place, None
        if place is not None and self._patience is not None:
            self._patience.pace.leave(place, trouble=trouble)

    def _judge(self, result: WireResponse | PlexyPayError, *, again: bool) -> tuple[PlexyPayError, Verdict]:
        judgement = judge(
            result,
            self.name,
            self._replay,
            again=again,
            policy=self.execution.settings.retry,
            confirmable=getattr(self.declaration, "confirmation", None) is not None,
            deletes=getattr(self.declaration, "deletes", False),
        )
        self._unsettled = self._unsettled or judgement.unsettled
        return judgement.error, judgement.verdict

    # ------------------------------------------------------------------------- reads on behalf of a call

    async def ask(self, codec: Decoder[A], wire_request: WireRequest) -> A:
        """Read something within this call, asking until an answer comes.

        Raises:
            APIError: The answer was no success, and asking again would not change it.
            UnreadableResponseError: The answer does not decode.
            PlexyPayError: The deadline or the budget ended the call.
        """
        while True:
            result = await self._send(wire_request, Sending(self._watch))
            if isinstance(result, WireResponse) and result.complete:
                if result.is_success:
                    return codec.decode(result)
                error: PlexyPayError = error_of(result, codec.name)
                code = retry_code(error)
                if not isinstance(error, RateLimitedError) and code not in (1, 2):
                    raise error
            elif isinstance(result, WireResponse):
                error = UnreadableResponseError(f"{codec.name}: the answer was cut", status=result.status)
            else:
                error = result
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
            # Never earlier than told, and not all callers at the same instant.
            wait = retry_after + backoff.full_jitter(policy.base)
        patience = self._patience
        if patience is None or not patience.is_outage:
            if self._now() + wait >= self._deadline:
                raise self._final(self._last(error))
            waited = await self._pay(error)
            if waited and retry_after is None:
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
        if not self._unsettled or self._wire_request.method == "GET":
            return error
        if self._replay is Replay.SAFE and error.outcome is Outcome.UNKNOWN:
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
        unknown = self._unsettled or cut
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
        earlier = [failure for failure in self._failures if failure is not error]
        error.attempts = tuple(failure.with_traceback(None) for failure in earlier)
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
        error.__traceback__ = None
        if error.__suppress_context__:
            error.__context__ = None
        error = error.__cause__


def assumed_path_note(declaration: Declaration[...]) -> str:
    """Say that an operation's path is assumed, and how to put another in its place."""
    return (
        f"The path {declaration.path} is assumed, not published: if it is wrong, override it with "
        f'paths={{"{declaration.name}": "/v1/..."}}.'
    )
