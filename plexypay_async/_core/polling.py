"""Waiting for something by asking for it again and again: where no webhook tells, or one may be lost."""

from __future__ import annotations

import asyncio
from typing import Any

from .._privacy.printable import log
from ..api.calls import WaitOptions
from ..api.operation import Wait
from ..errors import (
    APIError,
    ConnectError,
    DeadlineExceededError,
    NotFoundError,
    OutageError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RateLimitedError,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnreadableResponseError,
)
from .call_of import call_of
from .deadlines import Deadlines
from .decision import is_passing
from .execution import Execution
from .pauses import growing, jittered
from .slots import running_loop

__all__ = ["Polling"]

LONGEST = 15
"""The longest pause, in first pauses."""
PASSING = (
    ConnectError,
    DeadlineExceededError,
    OutageError,
    OutcomeUnknownError,
    RateLimitedError,
    ServiceUnavailableError,
    SomethingWentWrongError,
)
"""What a read fails with while the server is down: the wait outlasts it."""


class Polling:
    """One wait for something."""

    def __init__(self, execution: Execution, wait: Wait[..., Any], options: WaitOptions) -> None:
        self._execution = execution
        self._name = wait.name
        self._options = options
        self._operation, self._request = options.question()
        self._found: Any = None
        self._failure: PlexyPayError | None = None
        self._was_missing = False

    async def run(self) -> Any:
        """Ask until what is found is as wanted.

        Raises:
            DeadlineExceededError: The wait's time is over.
            PlexyPayError: Asking failed in a way that asking again does not change.
        """
        # A timer of asyncio's would never ring where a test sets a frozen clock back amid the wait.
        deadlines = Deadlines(running_loop())
        watch = deadlines.watch(deadlines.now() + self._options.timeout)
        try:
            return await self._polled()
        except asyncio.CancelledError:
            if not watch.done():
                raise
        finally:
            watch.done()
        raise self._too_late() from self._failure

    async def _polled(self) -> Any:
        interval = self._options.interval
        pauses = growing(interval, 1.5, LONGEST * interval)
        while True:
            try:
                call = call_of(self._execution, self._operation, self._request)
                call.record.expects_nothing = self._options.may_be_missing
                found = await call.run()
            except PASSING as error:
                self._failure = error
            except UnreadableResponseError as error:
                if not error.cut:
                    raise
                self._failure = error
            except NotFoundError as error:
                # What was there a moment ago has not gone: something in between does not find its way.
                if not self._options.may_be_missing and self._found is None:
                    raise
                self._failure = error
                self._was_missing = True
            except APIError as error:
                if not is_passing(error, self._execution.settings.retry):
                    raise
                self._failure = error
            else:
                self._found, self._failure = found, None
                if self._options.is_met(found):
                    return found
            wait = next(pauses)
            # Between half and all of it: not all who wait ask at the same instant.
            wait = wait / 2 + jittered(wait / 2)
            log.debug("%s: asking again in %.1f s", self._name, wait)
            await asyncio.sleep(max(wait, getattr(self._failure, "retry_after", None) or 0.0))

    def _too_late(self) -> DeadlineExceededError:
        found, options = self._found, self._options
        if found is not None:
            where = f"its status is {str(found.status)!r}"
        elif self._was_missing:
            where = options.missing()
        else:
            where = "the server did not tell"
        error = DeadlineExceededError(
            f"{self._name}: not {options.wanted()} within {options.timeout:g} s: {where}",
            outcome=Outcome.UNKNOWN,
        )
        error.operation = self._name
        error.order_reference = getattr(options if found is None else found, "order_reference", None)
        if self._failure is not None:
            for note in getattr(self._failure, "__notes__", ()):
                error.add_note(note)
        return error
