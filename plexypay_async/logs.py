"""Log records of the library: the logger ``plexypay``, with what they are about as fields beside the text.

At DEBUG there is a record for each attempt and each pause, at WARNING one for each call that was repeated or
failed, and at INFO one for the beginning and the end of each bulk job, whose rows are told of at WARNING only
where they fail. All these are of its child ``plexypay.calls``, which is silent where nothing is configured.

A record's fields are attributes of it, as those of ``extra`` are: `operation`, `order_reference`,
`resource_id`, `attempt`, `purpose`, `attempts`, `outcome`, `status`, `code`, `request_id`, `error`,
`seconds`, `waited` and `paused`, times in seconds. None has a secret, a body or an address.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import Any

from ._privacy.hiding import masked_card_numbers, shortened
from ._privacy.printable import OneLine, log, printable
from .answered import request_id_told
from .errors import APIError, Outcome, PlexyPayError, RefusedError
from .observer import ObservedAttempt, ObservedCall, ObservedJob, ObservedPause, Observer

__all__ = [
    "CALLS",
    "LOG",
    "LogObserver",
    "log_as_environment_says",
    "log_failed_row",
    "log_trouble",
]

VARIABLE = "PLEXYPAY_LOG"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
LONGEST = 200
"""Characters of a text of others in a field."""

CALLS = logging.getLogger("plexypay.calls")
"""The calls' logger. Where no logging is configured, Python would write its warnings to standard error."""
CALLS.addHandler(logging.NullHandler())
CALLS.addFilter(OneLine())


class LogObserver(Observer):
    """Writes what it is told to the log, at DEBUG; the library has one of its own."""

    def attempt_ended(self, attempt: ObservedAttempt) -> None:
        """Log how a request ended."""
        call, error = attempt.call, attempt.error
        if attempt.cancelled:
            told = "cut"
        elif error is not None and attempt.status is None:
            told = type(error).__name__
        else:
            told = f"HTTP {attempt.status}" + ("" if attempt.code is None else f", code {attempt.code}")
        about = "attempt" if attempt.purpose == "operation" else "look-up"
        _write(
            logging.DEBUG,
            "%s: %s %d: %s %s: %s after %.3f s%s",
            _named(call.operation, call.order_reference, call.resource_id),
            about,
            attempt.number,
            attempt.method,
            attempt.url_template or "(a path of the caller's)",
            told,
            attempt.seconds or 0.0,
            request_id_told(attempt.request_id),
            **_of_call(call),
            attempt=attempt.number,
            purpose=attempt.purpose,
            outcome=attempt.outcome,
            status=attempt.status,
            code=attempt.code,
            request_id=attempt.request_id,
            error=error,
            seconds=attempt.seconds,
            waited=attempt.waited,
        )

    def call_paused(self, pause: ObservedPause) -> None:
        """Log that a call begins to wait."""
        call = pause.call
        _write(
            logging.DEBUG,
            "%s: pausing%s (%s)%s",
            _named(call.operation, call.order_reference, call.resource_id),
            "" if pause.seconds is None else f" {pause.seconds:.3f} s",
            pause.reason,
            "" if pause.error is None else f" after {type(pause.error).__name__}",
            **_of_call(call),
            attempts=call.attempts,
            error=pause.error,
            seconds=pause.seconds,
        )

    def call_ended(self, call: ObservedCall) -> None:
        """Log how a call ended that is not told of at WARNING."""
        outcome = "cancelled" if call.cancelled else _outcome(call.outcome)
        _write(
            logging.DEBUG,
            "%s: %s after %d %s, %.3f s",
            _named(call.operation, call.order_reference, call.resource_id),
            outcome,
            call.attempts,
            "attempt" if call.attempts == 1 else "attempts",
            call.seconds or 0.0,
            **_of_call(call),
            attempts=call.attempts,
            outcome=call.outcome,
            status=call.status,
            code=call.code,
            request_id=call.request_id,
            error=call.error,
            seconds=call.seconds,
            waited=call.waited,
            paused=call.paused,
        )

    def job_began(self, job: ObservedJob) -> None:
        """Log the beginning of a bulk job, at INFO."""
        _write(logging.INFO, "%s: a job begins", job.operation, operation=job.operation)

    def job_ended(self, job: ObservedJob) -> None:
        """Log the end of a bulk job, at INFO; at WARNING where an error has ended it."""
        progress, error = job.progress, job.error
        sums = (
            "no row was read"
            if progress is None
            else f"{progress.created} created, {progress.recovered} recovered, {progress.failed} failed"
        )
        _write(
            logging.INFO if error is None else logging.WARNING,
            "%s: the job %s after %.1f s: %s",
            job.operation,
            "ends" if error is None else f"was ended by {type(error).__name__}",
            job.seconds or 0.0,
            sums,
            operation=job.operation,
            links_created=getattr(progress, "created", None),
            links_recovered=getattr(progress, "recovered", None),
            rows_failed=getattr(progress, "failed", None),
            error=error,
            seconds=job.seconds,
        )


LOG = (LogObserver(),)
"""The library's own observer, as `tell` takes them."""


def log_trouble(
    operation: str,
    order_reference: str | None,
    resource_id: str | None,
    end: PlexyPayError | Outcome,
    attempts: int,
    seconds: float,
    *,
    is_expected: bool,
    how: str,
) -> None:
    """Log a call that was repeated or has failed, at WARNING; at DEBUG where that is no trouble.

    Args:
        operation: Its operation.
        order_reference: The merchant's reference, if it has one.
        resource_id: The id that it asks for, if it asks for one.
        end: What it raises; `DONE` of one that has succeeded, `UNKNOWN` of one that its caller has cancelled.
        attempts: How often the operation was sent.
        seconds: How long it took.
        is_expected: Whether the library itself can do with such an end.
        how: How a call ended that raises nothing.
    """
    level = logging.DEBUG if is_expected else logging.WARNING
    if not CALLS.isEnabledFor(level):
        return
    error = None if isinstance(end, Outcome) else end
    outcome = end if isinstance(end, Outcome) else end.outcome
    # What a filter of the application's raises breaks no call.
    with contextlib.suppress(Exception):
        _write(
            level,
            "%s: %s (%d %s, %.3f s, outcome: %s)",
            _named(operation, order_reference, resource_id),
            how if error is None else _told(error),
            attempts,
            "attempt" if attempts == 1 else "attempts",
            seconds,
            _outcome(outcome),
            operation=operation.partition("?")[0],
            order_reference=order_reference,
            resource_id=resource_id,
            attempts=attempts,
            outcome=outcome,
            **_of_error(error),
            seconds=seconds,
        )


def log_failed_row(operation: str, index: int, order_reference: str | None, error: PlexyPayError) -> None:
    """Log a row of a bulk job that has failed for good, at WARNING.

    Args:
        operation: The job's.
        index: The row's number in it.
        order_reference: The row's reference, if it has one.
        error: Why.
    """
    if not CALLS.isEnabledFor(logging.WARNING):
        return
    with contextlib.suppress(Exception):
        _write(
            logging.WARNING,
            "%s: row %d: %s (outcome: %s)",
            _named(operation, order_reference, None),
            index,
            _told(error),
            _outcome(error.outcome),
            operation=operation,
            order_reference=order_reference,
            row=index,
            outcome=error.outcome,
            **_of_error(error),
        )


def _told(error: PlexyPayError) -> str:
    """Return what a log may say of an error: its kind, and what the API says; no body, key or address."""
    told = type(error).__name__
    if isinstance(error, (APIError, RefusedError)):
        code = "" if error.code is None else f", code {error.code}"
        message = shortened(error.message, LONGEST)
        return f"{told}: HTTP {error.status}{code}: {message}{request_id_told(error.request_id)}"
    status, cause = getattr(error, "status", None), error.__cause__
    if status:
        told += f": HTTP {status}"
    told += "" if cause is None else f" after {type(cause).__name__}"
    return f"{told}{request_id_told(error.request_id)}"


def _of_error(error: PlexyPayError | None) -> dict[str, Any]:
    return {
        "status": getattr(error, "status", None),
        "code": getattr(error, "code", None),
        "request_id": None if error is None else error.request_id,
        "error": error,
    }


def _write(level: int, message: str, *args: Any, **fields: Any) -> None:
    """Write a record with fields; their names begin with ``plexypay_`` where the application has its own."""
    extra = {name: _field(value) for name, value in fields.items()}
    try:
        CALLS.log(level, message, *args, extra=extra, stacklevel=2)
    except KeyError:
        CALLS.log(level, message, *args, extra={f"plexypay_{name}": extra[name] for name in extra})


def _of_call(call: ObservedCall) -> dict[str, Any]:
    return {
        "operation": call.operation,
        "order_reference": call.order_reference,
        "resource_id": call.resource_id,
    }


def _field(value: Any) -> Any:
    if isinstance(value, Outcome):
        return value.value
    if isinstance(value, BaseException):
        return type(value).__name__
    return printable(shortened(masked_card_numbers(value), LONGEST)) if isinstance(value, str) else value


def _named(operation: str, order_reference: str | None, resource_id: str | None) -> str:
    operation, about = operation.partition("?")[0], order_reference or resource_id
    return operation if about is None else f"{operation} {shortened(masked_card_numbers(about), LONGEST)!r}"


def _outcome(outcome: Outcome | None) -> str:
    return "not known" if outcome is None else outcome.value.replace("_", " ")


class _Stream(logging.StreamHandler[Any]):
    """Writes to what is standard error at that moment, which a test or a notebook may have replaced.

    Not where the root logger writes the same there: each record is to be seen once, and those handlers of the
    application's that send records elsewhere get them as before.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _: Any) -> None:
        pass

    def emit(self, record: logging.LogRecord) -> None:
        shown = (sys.stderr, sys.stdout)
        for handler in logging.getLogger().handlers if log.propagate else ():
            if getattr(handler, "stream", None) in shown and handler.level <= record.levelno:
                return
        super().emit(record)


def log_as_environment_says() -> None:
    """Write the library's log to standard error where ``PLEXYPAY_LOG`` is set, at that level."""
    wanted = os.environ.get(VARIABLE)
    if not wanted or any(isinstance(handler, _Stream) for handler in log.handlers):
        return
    level = LEVELS.get(wanted.strip().lower())
    if level is None:
        log.warning(
            "%s: expected one of %s, got %s; nothing is changed", VARIABLE, ", ".join(LEVELS), wanted[:40]
        )
        return
    handler = _Stream()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.setLevel(level)
    log.addHandler(handler)
    if log.getEffectiveLevel() > level:
        log.setLevel(level)
