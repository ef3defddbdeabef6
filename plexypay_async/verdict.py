"""What one attempt's end means: the error it is, and what may be done next.

The table of section "replay safety" as a function: a failure that did nothing may be repeated, one that may
have done the work only as far as the operation's replay class allows.
"""

from __future__ import annotations

import enum

import attrs

from .errors import (
    APIError,
    AuthenticationError,
    ConnectError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    PlexyPayError,
    RateLimitedError,
    ServiceUnavailableError,
    UnprocessableError,
    UnreadableResponseError,
)
from .operation import Replay
from .settings import RetryPolicy
from .transport import is_lasting
from .wire import WireResponse, error_of, is_of_the_api

__all__ = ["NEVER_AT_WORK", "Judgement", "Verdict", "is_passing", "is_trouble", "judge", "may_repeat"]


class Verdict(enum.Enum):
    """What to do after an attempt that failed."""

    REPEAT = enum.auto()
    LOOK_UP = enum.auto()
    CONFIRM = enum.auto()
    GONE = enum.auto()
    """What was to be deleted is not there any more: an earlier sending has done it."""
    RAISE = enum.auto()


@attrs.frozen
class Judgement:
    """An attempt that failed, judged."""

    error: PlexyPayError
    verdict: Verdict
    may_have_done: bool = False
    """Whether the attempt may have done the work."""


NEVER_AT_WORK = frozenset((400, 401, 403, 404, 405, 411, 413, 414, 415, 421, 429, 431))
"""Statuses that by their meaning are given before any work: nothing was done, whoever answers with them."""
PASSING = frozenset((408, 425, 499))
"""Statuses of something in between that ran out of time or patience: as good as no answer."""


def judge(
    result: WireResponse | PlexyPayError,
    name: str,
    replay: Replay,
    *,
    again: bool,
    doubted: bool,
    policy: RetryPolicy,
    confirmable: bool,
    deletes: bool = False,
) -> Judgement:
    """Judge an attempt that was no success.

    Args:
        result: The answer, or what became of the attempt otherwise.
        name: The operation's name, for the error's message.
        replay: The operation's replay class.
        again: Whether an earlier sending has reached the server, so that a refusal may be of its work.
        doubted: Whether an earlier sending may have done the work.
        policy: Which codes may be repeated.
        confirmable: Whether what a call has done can be settled by reading the resource.
        deletes: Whether the operation is done when the resource is not there.
    """
    if isinstance(result, ConnectError):
        return Judgement(result, Verdict.RAISE if is_lasting(result) else Verdict.REPEAT)
    if isinstance(result, UnreadableResponseError):
        return _judge_unproved(result, replay, confirmable=confirmable)
    if isinstance(result, PlexyPayError):
        again_in_vain = replay is Replay.SAFE and is_lasting(result)
        verdict = Verdict.RAISE if again_in_vain else _where_unknown(replay)
        return Judgement(result, verdict, may_have_done=True)
    if result.is_success:
        return _judge_cut_success(result, name, replay)
    error = error_of(result, name)
    of_the_api = is_of_the_api(error)
    may_have_done = error.outcome is Outcome.UNKNOWN or not (of_the_api or error.status in NEVER_AT_WORK)
    if isinstance(error, RateLimitedError):
        return Judgement(error, Verdict.REPEAT)
    if isinstance(error, (AuthenticationError, PermissionDeniedError)):
        return Judgement(error, Verdict.RAISE)
    looks_up = replay is Replay.AFTER_LOOKUP
    if may_repeat(error, replay, policy):
        return Judgement(
            error, Verdict.LOOK_UP if looks_up and may_have_done else Verdict.REPEAT, may_have_done
        )
    if may_have_done:
        return Judgement(error, Verdict.LOOK_UP if looks_up else Verdict.RAISE, may_have_done)
    if again and looks_up and _may_be_taken(error):
        return Judgement(error, Verdict.LOOK_UP)
    if doubted and deletes and isinstance(error, NotFoundError) and of_the_api:
        return Judgement(error, Verdict.GONE)
    if again and 400 <= error.status < 500 and confirmable:
        return Judgement(error, Verdict.CONFIRM)
    return Judgement(error, Verdict.RAISE)


def _judge_unproved(error: UnreadableResponseError, replay: Replay, *, confirmable: bool) -> Judgement:
    """Judge a whole 2xx in which nothing says that the work was done, or that is too large to be read."""
    if confirmable:
        return Judgement(error, Verdict.CONFIRM, may_have_done=True)
    return Judgement(error, _where_unknown(replay), may_have_done=True)


def _judge_cut_success(result: WireResponse, name: str, replay: Replay) -> Judgement:
    error = UnreadableResponseError(
        f"{name}: the answer (HTTP {result.status}) was cut in its body",
        status=result.status,
        body=result.beginning,
    )
    error.cut = True
    error.__cause__ = result.cause
    return Judgement(error, _where_unknown(replay), may_have_done=True)


def _where_unknown(replay: Replay) -> Verdict:
    if replay in (Replay.SAFE, Replay.SAME_KEY):
        return Verdict.REPEAT
    return Verdict.LOOK_UP if replay is Replay.AFTER_LOOKUP else Verdict.RAISE


def may_repeat(error: PlexyPayError, replay: Replay, policy: RetryPolicy) -> bool:
    """Tell whether the server's answer allows a repeat, whatever a look-up may have to settle before."""
    if isinstance(error, UnreadableResponseError):
        return False
    if not isinstance(error, APIError) or isinstance(error, RateLimitedError):
        return True
    if replay in (Replay.MONEY, Replay.CREATE) and not is_of_the_api(error):
        # What is in between may have handed the work on.
        return False
    if error.status in PASSING and replay not in (Replay.MONEY, Replay.CREATE) and not is_of_the_api(error):
        return True
    codes = policy.money_codes if replay is Replay.MONEY else policy.codes
    return retry_code(error) in codes


def is_trouble(result: WireResponse | PlexyPayError) -> bool | None:
    """Tell whether an attempt ended as on a server that is asked for too much; None if that is not told."""
    if isinstance(result, PlexyPayError):
        return True if isinstance(result.__cause__, TimeoutError) else None
    if result.is_success:
        return False
    return result.status == OVERLOADED or isinstance(
        error_of(result, ""), (ServiceUnavailableError, RateLimitedError)
    )


def is_passing(error: APIError) -> bool:
    """Tell whether a read that was answered so may be answered otherwise later."""
    passing = error.status in PASSING and not is_of_the_api(error)
    return passing or isinstance(error, RateLimitedError) or retry_code(error) in (1, 2)


def retry_code(error: PlexyPayError) -> int | None:
    """Return the API's error code that an error counts as, by which a policy allows repeats."""
    if not isinstance(error, APIError):
        return None
    return type(error).api_code if error.api_code is not None else error.code


OVERLOADED = 503
ORDER_REFERENCE_TAKEN = 1153
"""The 2023 docs' code for an order reference that exists."""


def _may_be_taken(error: APIError) -> bool:
    return isinstance(error, UnprocessableError) or error.status == 409 or error.code == ORDER_REFERENCE_TAKEN
