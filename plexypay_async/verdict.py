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
from .wire import WireResponse, error_of

__all__ = ["Judgement", "Verdict", "is_trouble", "judge", "may_repeat", "retry_code"]


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
    unsettled: bool = False
    """Whether the attempt may have done the work."""


def judge(
    result: WireResponse | PlexyPayError,
    name: str,
    replay: Replay,
    *,
    again: bool,
    policy: RetryPolicy,
    confirmable: bool,
    deletes: bool = False,
) -> Judgement:
    """Judge an attempt that was no success.

    Args:
        result: The answer, or the failure of the connection.
        name: The operation's name, for the error's message.
        replay: The operation's replay class.
        again: Whether an earlier sending may have reached the server, so that a refusal may be of its work.
        policy: Which codes may be repeated.
        confirmable: Whether a refusal of a repeated call can be settled by reading the resource.
        deletes: Whether the operation is done when the resource is not there.
    """
    if isinstance(result, ConnectError):
        return Judgement(result, Verdict.RAISE if is_lasting(result) else Verdict.REPEAT)
    if isinstance(result, PlexyPayError):
        return Judgement(result, _where_unknown(replay), unsettled=True)
    if result.is_success:
        return _judge_cut_success(result, name, replay)
    error = error_of(result, name)
    unsettled = error.outcome is Outcome.UNKNOWN or (
        replay is not Replay.SAFE and error.code is None and _proves_nothing(error.status)
    )
    if isinstance(error, RateLimitedError):
        return Judgement(error, Verdict.REPEAT)
    if isinstance(error, (AuthenticationError, PermissionDeniedError)):
        return Judgement(error, Verdict.RAISE)
    looks_up = replay is Replay.AFTER_LOOKUP
    if may_repeat(error, replay, policy):
        return Judgement(error, Verdict.LOOK_UP if looks_up and unsettled else Verdict.REPEAT, unsettled)
    if unsettled:
        return Judgement(error, Verdict.LOOK_UP if looks_up else Verdict.RAISE, unsettled)
    if again and looks_up and _may_be_taken(error):
        return Judgement(error, Verdict.LOOK_UP)
    if again and deletes and isinstance(error, NotFoundError):
        return Judgement(error, Verdict.GONE)
    if again and 400 <= error.status < 500 and confirmable:
        return Judgement(error, Verdict.CONFIRM)
    return Judgement(error, Verdict.RAISE)


def _judge_cut_success(result: WireResponse, name: str, replay: Replay) -> Judgement:
    error = UnreadableResponseError(
        f"{name}: the answer (HTTP {result.status}) was cut in its body", status=result.status
    )
    error.cut = True
    return Judgement(error, _where_unknown(replay), unsettled=True)


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
    codes = policy.money_codes if replay is Replay.MONEY else policy.codes
    return retry_code(error) in codes


def is_trouble(result: WireResponse | PlexyPayError) -> bool | None:
    """Tell whether an attempt ended as on a server that is asked for too much; None if that is not told."""
    if isinstance(result, PlexyPayError):
        return True if isinstance(result.__cause__, TimeoutError) else None
    if result.is_success:
        return False
    return isinstance(error_of(result, ""), (ServiceUnavailableError, RateLimitedError))


def retry_code(error: PlexyPayError) -> int | None:
    """Return the API's error code that an error counts as, by which a policy allows repeats."""
    if not isinstance(error, APIError):
        return None
    return type(error).api_code if error.api_code is not None else error.code


def _proves_nothing(status: int) -> bool:
    """Tell a redirect, with which a POST that was done may be answered, and a proxy's time-out."""
    return 300 <= status < 400 or status == 408


ORDER_REFERENCE_TAKEN = 1153
"""The 2023 docs' code for an order reference that exists."""


def _may_be_taken(error: APIError) -> bool:
    return isinstance(error, UnprocessableError) or error.status == 409 or error.code == ORDER_REFERENCE_TAKEN
