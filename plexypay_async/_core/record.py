"""What is known of one call: what it asks for, what its attempts may have done, and the error that says so.

Once an attempt may have done the work, the call is in doubt until something proves what became of it. No
error says less than what is known, or more.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple, cast

from .._foreign import bare
from .._privacy.hiding import masked_card_numbers, shortened
from .._wire.api_errors import is_of_the_api
from .._wire.messages import WireRequest, WireResponse
from ..api.operation import Declaration, Evidence
from ..errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    IdempotencyError,
    NotFoundError,
    OutageError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
    RateLimitedError,
    UnreadableResponseError,
)
from ..logs import log_trouble
from ..settings import Settings
from .sending import Sending, path_of

__all__ = ["LATE_WORK", "MADE_BEFORE", "CallRecord", "Doubt", "EarlierRun"]

LATE_WORK = 5.0
"""Seconds in which the server, or a proxy, may still be at work on a request that nobody waits for: its
answer was lost, or it is of the run before this one of a bulk job."""


UNKNOWN = "the outcome is unknown"


class Doubt(enum.IntEnum):
    """How far the work of a call may have come."""

    NOT_REACHED = 0
    """No request has reached the server."""
    REACHED = 1
    """One has, and is known not to have done the work; a refusal may yet be of what it, or an earlier run of
    a job, has made."""
    OPEN = 2
    """One may have done the work without saying so."""


class EarlierRun(NamedTuple):
    """What an earlier run of a bulk job has done about a row: its request may have reached the server.

    So a refusal may be of what that one made.
    """

    may_have_done: bool
    """Whether it may have done the work without saying so: then it is looked up before it is sent again."""
    late_work_until: float = 0.0
    """The loop's time before which a look-up proves nothing, since the server may still be at work on it.

    Waiting until then is no time of the call's own.
    """


MADE_BEFORE = EarlierRun(may_have_done=False)
"""For a call that is meant to find what was made before: it sends, and takes a refusal as a hint to look."""


class CallRecord:
    """What one call asks for, and what is known of its attempts."""

    # Set on an instance only where they change, since most calls succeed at once.
    is_row = False
    """Whether it is of a bulk job, which names its rows itself."""
    finds_earlier = False
    """Whether it is meant to be called again, and finds what was made before."""
    expects_nothing = False
    """Whether "not found" is a good answer to it."""
    sent = 0
    """How often the operation itself was sent."""
    doubt = Doubt.NOT_REACHED
    _is_own_doubt = False
    _is_claimed = False
    proof_at = 0.0
    """The loop's time from which a look-up that finds nothing proves that nothing was done."""

    def __init__(self, declaration: Declaration[...], request: Any, settings: Settings) -> None:
        self.declaration = declaration
        self.request = request
        self.settings = settings
        self.order_reference: str | None = getattr(request, "order_reference", None)
        replay = declaration.replay
        self.replay = replay if self.order_reference is not None else replay.without_look_up
        self.failures: list[PlexyPayError] = []

    @property
    def name(self) -> str:
        """The operation's name, or the method and path of a raw request."""
        return self.declaration.name

    @property
    def reads(self) -> bool:
        """Whether the call changes nothing."""
        return self.declaration.reads

    @property
    def is_private(self) -> bool:
        """Whether its answers hold a customer's card data, or something else that nobody else may see."""
        declaration: Any = self.declaration
        model = getattr(getattr(declaration, "answer", None), "model", getattr(declaration, "item", None))
        return bool(getattr(model, "private", False))

    @property
    def has_fallback(self) -> bool:
        """Whether another operation may find what this one's path did not; a path of the user's is right."""
        return self.declaration.fallback is not None and self.name not in self.settings.paths

    @property
    def answered(self) -> bool:
        """Whether any attempt of the operation got an answer."""
        return any(isinstance(error, (APIError, UnreadableResponseError)) for error in self.failures)

    @property
    def idempotency_key(self) -> str | None:
        """The key that the request carries, if it carries one."""
        key = self.declaration.key
        return None if key is None else getattr(self.request, key)

    # ------------------------------------------------------------------------------------ what was learned

    def has_reached(self) -> None:
        """Note that a request has reached the server."""
        if self.doubt is Doubt.NOT_REACHED:
            self.doubt = Doubt.REACHED

    def may_have_done(self, sent_at: float, now: float) -> None:
        """Note that a request that was sent then and ends now may have done the work, or be about to."""
        self.doubt, self._is_own_doubt = Doubt.OPEN, True
        self._prove_after(sent_at, now)

    def earlier_run_may_have_done(self, now: float, *, has_claimed: bool) -> None:
        """Note that a request of an earlier run may have done the work, or may be about to do it.

        Args:
            now: The loop's time.
            has_claimed: Whether there was such a run, as a journal tells, and not only may have been.
        """
        self.doubt, self._is_claimed = Doubt.OPEN, has_claimed
        self._prove_after(now, now)

    @property
    def may_have_made(self) -> bool:
        """Whether what is found may be what a create has made that this call, or an earlier run, has sent."""
        return self.doubt is Doubt.OPEN and (self._is_own_doubt or self._is_claimed)

    def _prove_after(self, sent_at: float, now: float) -> None:
        # So long an answer would have been waited for, and so long a job waits for what was lost. What is
        # answered late may have been handed on as late.
        self.proof_at = max(self.proof_at, sent_at + self.settings.read_timeout + LATE_WORK, now + LATE_WORK)

    def found_nothing(self, asked_at: float) -> None:
        """Note that what the work would have made was not there; asked too early, that proves nothing."""
        if asked_at >= self.proof_at:
            self.doubt = Doubt.REACHED

    def was_refused(self, error: APIError) -> None:
        """Note that the API refused the request: it has refused the same one of an earlier run too."""
        is_refusal = 400 <= error.status < 500 and not isinstance(error, RateLimitedError)
        if is_refusal and is_of_the_api(error) and not self._is_own_doubt and self.doubt is Doubt.OPEN:
            self.doubt = Doubt.REACHED

    def told_again(
        self, asked: WireRequest, value: Any, answer: WireResponse, sending: Sending, *, is_named: bool
    ) -> str | None:
        """Tell that an answer that another request may have got is an earlier one on its connection."""
        if self._names_key(value):
            # What a server says of a key again, it says in the same words.
            return None
        if self.reads:
            elsewhere = sending.told_elsewhere(asked.target, answer.headers, answer.body)
            return None if elsewhere is None else f"it is the one to an earlier request, {elsewhere}"
        before = sending.told_before(answer.body, asked.headers if self.replay.same_key else None)
        is_elsewhere = before is not None and path_of(before) != path_of(asked.target)
        request, replay, own_id = self.request, self.replay, self._own_id(value)
        # What was created has an id of its own, by which it is told from another's. Without one, or with that
        # of what it was done to, the answer may come again as any other's.
        done_to = self.declaration.path_parameters
        if own_id is None or (done_to and own_id in [getattr(request, name) for name in done_to]):
            if not is_named:
                sending.distrust()
            return None
        if before is None or not (is_elsewhere or replay.same_key or not replay.is_protected):
            return None
        return f"it is the one to an earlier request, {path_of(before)}"

    def _own_id(self, value: Any) -> Any:
        """Return the id in an answer; of what was created, what proves it may have another name."""
        found = _id_of(value)
        if found is None and getattr(self.declaration, "created", None) is not None:
            proof: tuple[str, ...] = getattr(value, "proof", ())
            found = next((getattr(value, name) for name in proof[:1] if name != "success"), None)
        return found

    def _names_key(self, value: Any) -> bool:
        """Whether an answer names the very key of this request, and so is the answer to it."""
        key = self.declaration.key
        named = () if key is None else self.declaration.echoes.get(key, ())
        return any(getattr(value, field, None) == self.idempotency_key for field in named)

    # ------------------------------------------------------------------------------------- what is raised

    def last(self, error: PlexyPayError) -> PlexyPayError:
        """Return the last attempt's error, or this one where no attempt has failed."""
        return self.failures[-1] if self.failures else error

    def final(self, error: PlexyPayError) -> PlexyPayError:
        """Return what to raise for the last error, given what is known of all attempts."""
        # A client that is closed amid a call proves nothing of what was sent before.
        is_cut_off = isinstance(error, ConfigurationError) and self._is_own_doubt
        if (self.doubt is not Doubt.OPEN and not is_cut_off) or self.reads:
            return error
        if error.outcome is Outcome.UNKNOWN:
            if (self.replay.unknown and not self.replay.same_key) or isinstance(error, IdempotencyError):
                return error
            if self.replay.looks_up and isinstance(error, APIError):
                error.add_note(self._advice())
                return error
        if isinstance(error, UnreadableResponseError) and error.outcome is Outcome.DONE:
            return error
        return self.unknown(error)

    def unknown(self, error: PlexyPayError, note: str | None = None) -> OutcomeUnknownError:
        """Return the error that says that the work may have been done, and how to find out."""
        told = str(error).removeprefix(f"{self.name}: ")
        if isinstance(error, OutcomeUnknownError) and note is None and told.startswith(UNKNOWN):
            # It says so already.
            return error
        named: str | None = getattr(error, "transaction_id", None) or getattr(error, "named", None)
        answered = "" if named is None else f" The answer names {named!r}."
        unknown = OutcomeUnknownError(f"{self.name}: {UNKNOWN} ({told}).{answered} {self._advice(named)}")
        unknown.raw = getattr(error, "raw", None)
        if note is not None:
            unknown.add_note(note)
        unknown.__cause__ = error
        return unknown

    def too_late(
        self, timeout: float, *, sending: bool, outage: PlexyPayError | None = None
    ) -> DeadlineExceededError:
        """Return the error of a call whose time is over.

        Args:
            timeout: Its time in seconds.
            sending: Whether that cut a request of which bytes may have left.
            outage: The latest failure of the client's calls, where it waited for the end of an outage.
        """
        if self.doubt is Doubt.OPEN or sending:
            outcome, told = Outcome.UNKNOWN, self._advice()
        elif self.answered:
            outcome, told = Outcome.REJECTED, "The server did not do it."
        else:
            outcome, told = Outcome.NOT_SENT, "Nothing was sent."
        last = self.failures[-1] if self.failures else None
        why = "" if last is None else f" ({str(last).removeprefix(f'{self.name}: ')})"
        if outage is not None:
            last = outage if last is None else last
            shown = str(last).removeprefix(f"{self.name}: ")
            why = f", for the server fails all that it is sent (the latest: {shown})"
        error = DeadlineExceededError(
            f"{self.name}: no success within {timeout:g} s{why}. {told}", outcome=outcome
        )
        if outage is not None and not self.is_row and self.settings.retry.outage == "wait":
            error.add_note('It waited for the end of the outage; RetryPolicy(outage="fail") fails at once.')
        error.__cause__ = last
        return error

    def unheard(self, timeout: float) -> DeadlineExceededError:
        """Return what others are told of a call that had no answer in its time, in seconds."""
        return DeadlineExceededError(f"{self.name}: no answer within {timeout:g} s")

    def held_back(self, outage: PlexyPayError | None) -> PlexyPayError:
        """Return the error of a call that does not wait for the end of an outage.

        Args:
            outage: The latest failure of the client's calls.
        """
        if self.failures:
            return self.final(self.failures[-1])
        why = "" if outage is None else f" (the latest: {outage})"
        error = OutageError(f"{self.name}: the server fails all that it is sent{why}. Nothing was sent.")
        error.__cause__ = outage
        return error

    def foreign(self, error: Exception, *, sending: bool) -> PlexyPayError:
        """Return the error for an exception that is not the library's own, which stays its cause.

        Args:
            error: The exception.
            sending: Whether it struck a request of which bytes may have left.
        """
        told = f"{self.name}: {type(error).__name__}: {error}"
        if (sending or self.doubt is Doubt.OPEN) and not self.reads:
            failure: PlexyPayError = self.unknown(PlexyPayError(told))
        else:
            failure = PlexyPayError(told, outcome=Outcome.REJECTED if self.answered else Outcome.NOT_SENT)
        failure.__cause__ = bare(error)
        return failure

    def finished(self, error: PlexyPayError) -> PlexyPayError:
        """Complete an error that leaves the call: what it was, its attempts, and no frame that holds more."""
        error.attempts = tuple(failure for failure in self.failures if failure is not error)
        for failure in (*error.attempts, error):
            _without_frames(failure)
        if self.failures or not isinstance(error, (DeadlineExceededError, OutageError)):
            # Else its cause is another call's failure, by which this one waited.
            _take_evidence(error)
        error.operation = self.name
        error.order_reference = self.order_reference
        if isinstance(error, APIError) and not self.is_row:
            self._name_call(error)
        if isinstance(error, APIError) and (note := self.declaration.notes.get(error.api_code or 0)):
            error.add_note(note)
        if isinstance(error, (AuthenticationError, PermissionDeniedError)):
            # It may be another's address, or another's key, that the environment has.
            asked = f" ({self.settings.asked})"
            error.args = (f"{str(error).removesuffix(asked)}{asked}",)
        error.idempotency_key = self.idempotency_key
        declaration = self.declaration
        if (
            declaration.evidence is Evidence.ASSUMED
            and declaration.name not in self.settings.paths
            and not isinstance(error, ConfigurationError)
        ):
            error.add_note(
                f"The path {declaration.path} is assumed, not published: if it is wrong, override it with "
                f'paths={{"{declaration.name}": "{declaration.root}/..."}}.'
            )
        return error

    def log_done(self, seconds: float, *, found: bool, waited: bool) -> None:
        """Log that the call was repeated, or that a look-up has found what it returns.

        Args:
            seconds: How long it took.
            found: Whether a look-up has found it.
            waited: Whether the call had to wait, since something had failed.
        """
        how = "succeeded"
        if found:
            how = "found by a look-up" if self._is_own_doubt else "found an existing one"
        # What was there before, and is found at once, is what was asked for.
        is_expected = found and not (self._is_own_doubt or waited)
        self._log(Outcome.DONE, seconds, is_expected=is_expected or self.is_row, how=how)

    def log_trouble(self, error: PlexyPayError, seconds: float) -> None:
        """Log that the call has failed.

        Args:
            error: What it raises.
            seconds: How long it took.
        """
        # What became of a job's row is told by the job.
        is_expected = self.is_row or (isinstance(error, NotFoundError) and self.expects_nothing)
        self._log(error, seconds, is_expected=is_expected)

    def log_cut(self, seconds: float, *, sending: bool) -> None:
        """Log that the caller has cancelled the call where it may have changed something.

        Args:
            seconds: How long it took.
            sending: Whether that cut a request of which bytes may have left.
        """
        if (sending or self.doubt is Doubt.OPEN) and not self.reads:
            self._log(Outcome.UNKNOWN, seconds, is_expected=self.is_row)

    def _log(
        self, end: PlexyPayError | Outcome, seconds: float, *, is_expected: bool, how: str = "cancelled"
    ) -> None:
        about = (self.name, self.order_reference, self.resource_id)
        log_trouble(*about, end, self.sent, seconds, is_expected=is_expected, how=how)

    @property
    def may_miss(self) -> bool:
        """Whether "not found" is a good answer to it: it is a question of the library's own."""
        return self.expects_nothing or (self.is_row and self.reads)

    def _name_call(self, error: APIError) -> None:
        """Let an error's text say of which call it is, and what that was about."""
        text, about = str(error), self.order_reference or self.resource_id
        if not text.startswith(self.name):
            shown = "" if about is None else f" {shortened(masked_card_numbers(about), 100)!r}"
            error.args = (f"{self.name}{shown}: {text}",)

    @property
    def resource_id(self) -> str | None:
        """The id in the path that is asked for, if there is one."""
        asked = [getattr(self.request, name, None) for name in self.declaration.path_parameters]
        return next((each for each in asked if isinstance(each, str)), None)

    def _advice(self, named: str | None = None) -> str:
        """Say how to find out whether the work was done, or that it may be asked for again.

        Args:
            named: The transaction that the answer names.
        """
        settled_by, replay = self.declaration.settled_by, self.replay
        again = "doing it again" if replay.moves_money else "creating it again"
        look = None if settled_by is None else settled_by.advice(self.request, again, named)
        if replay.moves_money:
            return f"Money may have moved: {look or 'look at the transaction before doing it again.'}"
        if replay.same_key and self.idempotency_key is not None:
            return f"The same call with {self.declaration.key}={self.idempotency_key!r} is safe to repeat."
        if self.finds_earlier:
            return (
                "The same call is safe to repeat: it finds what has the order reference"
                f" {self.order_reference!r}, or makes it."
            )
        if self.order_reference is not None:
            return f"Look up the order reference {self.order_reference!r} before creating it again."
        if replay.unknown:
            return "It is safe to call again."
        if look is not None:
            return f"It may exist: {look}"
        return (
            "Find out whether it was created before doing it again; an order reference makes that possible."
        )


def _take_evidence(error: PlexyPayError) -> None:
    """Give an error that stands for another one, its cause, what is known of that one's answer."""
    cause = error.__cause__
    if error.headers is not None or not isinstance(cause, PlexyPayError) or cause is error:
        return
    _take_evidence(cause)
    error.headers, error.request_id, error.elapsed = cause.headers, cause.request_id, cause.elapsed
    if isinstance(error, (OutcomeUnknownError, DeadlineExceededError)):
        error.status = getattr(cause, "status", None)
        if error.raw is None:
            error.raw = getattr(cause, "raw", None)


def _id_of(value: Any) -> Any:
    return cast("dict[str, Any]", value).get("id") if isinstance(value, dict) else getattr(value, "id", None)


def _without_frames(error: BaseException | None) -> None:
    while error is not None:
        error.__traceback__ = error.__context__ = None
        error = error.__cause__
