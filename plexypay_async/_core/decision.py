"""The retry decision: what the end of one attempt means, and what may be done next.

A failure that did nothing may be repeated; one that may have done the work only as far as the operation's
replay class allows.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import attrs

from .._wire.api_errors import error_of, is_of_the_api, refuses
from .._wire.messages import WireResponse, with_evidence
from ..api.description import ErrorForm
from ..api.replay import Replay
from ..errors import (
    APIError,
    AuthenticationError,
    ConnectError,
    IdempotencyError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    PlexyPayError,
    RateLimitedError,
    RefusedError,
    ServiceUnavailableError,
    UnprocessableError,
    UnreadableResponseError,
)
from ..settings import RetryPolicy
from .pace import Sign
from .record import CallRecord, Doubt

__all__ = [
    "NEVER_AT_WORK",
    "Decision",
    "Next",
    "decide",
    "is_own_word",
    "is_passing",
    "may_be_taken",
    "may_repeat",
    "shows_work",
    "sign_of",
]


class Next(enum.Enum):
    """What to do after an attempt that failed."""

    REPEAT = enum.auto()
    LOOK_UP = enum.auto()
    CONFIRM = enum.auto()
    GONE = enum.auto()
    """What was to be deleted is not there any more: an earlier sending has done it."""
    RAISE = enum.auto()


class Decision(NamedTuple):
    """The error that an attempt has ended in, and what follows from it."""

    error: PlexyPayError
    next: Next
    may_have_done: bool = False
    """Whether the attempt may have done the work."""
    at_once: bool = False
    """Whether it is done without a pause: nothing has failed, and the server asks for none."""


NEVER_AT_WORK = frozenset((400, 401, 403, 404, 405, 411, 413, 414, 415, 421, 429, 431))
"""Statuses that by their meaning are given before any work: nothing was done, whoever answers with them."""
PASSING = frozenset((408, 425, 499))
"""Statuses of something in between that ran out of time: as good as no answer."""
SERVER_ERROR, OVERLOADED = 500, 503


_OF_ANY_ANSWER = frozenset(("code", "id", "message", "raw", "success", "status"))


def decide(result: WireResponse | PlexyPayError, call: CallRecord) -> Decision:
    """Decide what follows from an attempt that was no success.

    Args:
        result: The answer, or what became of the attempt otherwise.
        call: What was asked for, and what is known of the attempts before this one.
    """
    replay = call.replay
    if isinstance(result, ConnectError):
        return Decision(result, Next.REPEAT if replay.undone and not result.lasting else Next.RAISE)
    if isinstance(result, UnreadableResponseError):
        # A whole 2xx in which nothing says that the work was done, or that is too large to be read.
        confirms = call.declaration.confirmation is not None
        # What is not there at the next sending was not deleted by one that the API has refused.
        may_have_done = not (call.declaration.deletes and refuses(result.raw, call.declaration.api.errors))
        return Decision(result, Next.CONFIRM if confirms else _after_silence(replay), may_have_done)
    if isinstance(result, PlexyPayError):
        in_vain = result.lasting and replay.unknown and not replay.same_key
        return Decision(result, Next.RAISE if in_vain else _after_silence(replay), may_have_done=True)
    error = error_in(result, call)
    if not isinstance(error, APIError):
        return Decision(error, _after_silence(replay), may_have_done=True)
    return _decide_on_refusal(error, call)


def error_in(answer: WireResponse, call: CallRecord) -> APIError | UnreadableResponseError:
    """Return the error of an answer that is no success, or of a success that was cut."""
    if answer.is_success:
        return _cut(answer, call)
    form, shown = call.declaration.api.errors, not call.is_private
    return with_evidence(error_of(answer, call.name, form, shown=shown), answer)


def _decide_on_refusal(error: APIError, call: CallRecord) -> Decision:
    """Decide what follows from a status that is no success."""
    replay = call.replay
    of_the_api = _is_refusal(error) or error.declines
    may_have_done = error.outcome is Outcome.UNKNOWN or not (of_the_api or error.status in NEVER_AT_WORK)
    if isinstance(error, (AuthenticationError, PermissionDeniedError)):
        return Decision(error, Next.RAISE)
    if may_repeat(error, replay, call.settings.retry):
        looks_up = replay.looks_up and may_have_done
        return Decision(error, Next.LOOK_UP if looks_up else Next.REPEAT, may_have_done)
    if isinstance(error, IdempotencyError) and replay.same_key and call.doubt is Doubt.OPEN:
        # An attempt before it is still at work; what it comes to is the answer to the same key.
        return Decision(error, Next.REPEAT, may_have_done)
    if may_have_done:
        return Decision(error, Next.LOOK_UP if replay.looks_up else Next.RAISE, may_have_done)
    # A refusal may be of what an earlier sending has made.
    if call.doubt >= Doubt.REACHED:
        if replay.looks_up and may_be_taken(error, call.declaration.api.errors):
            return Decision(error, Next.LOOK_UP, at_once=error.retry_after is None)
        if call.doubt is Doubt.OPEN and _is_gone(error, call):
            return Decision(error, Next.GONE)
        if 400 <= error.status < 500 and call.declaration.confirmation is not None:
            return Decision(error, Next.CONFIRM)
    return Decision(error, Next.RAISE)


def _is_refusal(error: APIError) -> bool:
    """Tell whether an error is the API's own word, and not that of something in between.

    Where a code may be any text, something in between that ran out of time may give one too.
    """
    is_anyones = error.status in PASSING and error.counts_as is not None and not error.is_typed
    return is_of_the_api(error) and not is_anyones


def is_own_word(answer: WireResponse, refused: RefusedError, form: ErrorForm) -> bool:
    """Tell whether a 4xx that says ``success: false`` is the API's refusal of the work.

    Not so what something in between may have said after it had handed the work on: it must have a word of the
    API's own, which is its code or type, a payment's response code, or the id of a transaction. Under 401 and
    403 it must show the payment, and under 429 decline it: these are given before any work.
    """
    error, shown = error_of(answer, "", form), _shows_transaction(refused.answer)
    if isinstance(error, (AuthenticationError, PermissionDeniedError)):
        return shown or (error.declines and error.code is None)
    if isinstance(error, RateLimitedError):
        return shown or error.declines
    return shown or error.declines or is_of_the_api(error) or error.status in NEVER_AT_WORK


def _shows_transaction(answer: Any) -> bool:
    """Tell whether an answer has an id and something more of a transaction: a gateway may give an id."""
    if getattr(answer, "id", None) is None:
        return False
    names = (field.name for field in attrs.fields(answer.__class__))
    return any(getattr(answer, name) is not None for name in names if name not in _OF_ANY_ANSWER)


def _cut(answer: WireResponse, call: CallRecord) -> UnreadableResponseError:
    """Return the error of a 2xx whose body was cut."""
    error = UnreadableResponseError(
        f"{call.name}: the answer (HTTP {answer.status}) was cut in its body",
        status=answer.status,
        body="" if call.is_private else answer.beginning,
    )
    error.cut = True
    error.__cause__ = answer.cause
    return with_evidence(error, answer)


def _after_silence(replay: Replay) -> Next:
    """Return what follows where the work may have been done, and no answer says so."""
    if replay.unknown:
        return Next.REPEAT
    return Next.LOOK_UP if replay.looks_up else Next.RAISE


def may_repeat(error: PlexyPayError, replay: Replay, policy: RetryPolicy) -> bool:
    """Tell whether the server's answer allows a repeat, whatever a look-up may have to settle before."""
    if not replay.undone or isinstance(error, UnreadableResponseError):
        return False
    if not isinstance(error, APIError) or isinstance(error, RateLimitedError):
        return True
    if error.declines:
        return False
    if not _is_refusal(error):
        # What is in between may have handed the work on.
        if not replay.is_protected:
            return False
        if error.status in PASSING:
            return True
    codes = policy.codes if replay.code_2 else policy.money_codes
    return retry_code(error) in (codes or ())


def sign_of(result: WireResponse | PlexyPayError, form: ErrorForm) -> Sign:
    """Return what the end of an attempt tells of how much the server takes."""
    if isinstance(result, PlexyPayError):
        return Sign.TROUBLE if isinstance(result.__cause__, TimeoutError) else Sign.NOTHING
    if result.is_success:
        return Sign.FINE
    error = error_of(result, "", form)
    if isinstance(error, RateLimitedError):
        return Sign.SLOWER
    if result.status == OVERLOADED or isinstance(error, ServiceUnavailableError):
        return Sign.TROUBLE if result.retry_after is None else Sign.SLOWER
    return Sign.FINE


def is_passing(error: APIError, policy: RetryPolicy) -> bool:
    """Tell whether a read that was answered so may be answered otherwise later."""
    passing = error.status in PASSING and not _is_refusal(error)
    return passing or isinstance(error, RateLimitedError) or retry_code(error) in (policy.codes or ())


def shows_work(error: APIError, policy: RetryPolicy) -> bool:
    """Tell whether an answer that is no success shows that the server works, such as an honest 404."""
    return error.status < SERVER_ERROR and not (is_passing(error, policy) or error.status in PASSING)


def retry_code(error: APIError) -> int | str | None:
    """Return the API's error code, or the status, that an error counts as: by it a policy allows repeats."""
    if error.counts_as is not None:
        return error.counts_as
    return type(error).api_code if error.api_code is not None else error.code


def may_be_taken(error: APIError, form: ErrorForm) -> bool:
    """Tell whether a refusal may be of an order reference that exists."""
    return (
        isinstance(error, UnprocessableError)
        or error.status == 409
        or (error.code is not None and error.code == form.reference_taken)
    )


def _is_gone(error: APIError, call: CallRecord) -> bool:
    return call.declaration.deletes and isinstance(error, NotFoundError) and is_of_the_api(error)
