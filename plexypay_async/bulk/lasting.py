"""Failures that every row of a job would meet, such as a refused key or a certificate that proves nothing.

A job that went on would try all of its rows in vain. After a few such failures in a row it makes one more
request, a look; where that fails in the same way, the job ends.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable

import attrs

from .._core.admission import JobLimits
from .._core.concurrency import ConcurrencyLimit
from .._core.execution import Execution
from .._core.pace import Sign
from .._core.telling_call import call_class
from ..errors import (
    CLIENT_CLOSED,
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
)
from ..pay.payment_links import ListPaymentLinks, PaymentLinks

__all__ = ["LastingFailures", "copied", "is_of_no_row"]

FEW = 3
"""How many such failures in a row lead to a look."""
MOST_LOOKS = 3
"""How many looks in a row may find all well before the job ends: a key may read, and not create."""
WRONG_PLACE = (404, 405)

_LIST = PaymentLinks.list


@attrs.define(eq=False)
class LastingFailures:
    """Counts a job's failures that say nothing about their rows, and limits its concurrency.

    As a limit it lets no row begin while such failures are looked into, nor once the job ends.

    Args:
        execution: What the job's calls are performed by.
        limit: The job's own limit.
        job: The limits of a look's call: a concurrency limit that holds nothing back, and the job's probes.
        refuse: Keeps the row of the running task from being sent, and tells whether it had not been sent yet.
        end: Ends the job with an error that no row can survive.
    """

    _execution: Execution
    _limit: ConcurrencyLimit
    _job: JobLimits
    _refuse: Callable[[], bool]
    _end: Callable[[PlexyPayError], None]
    round: int = attrs.field(default=0, init=False)
    """Goes up with each look that finds all well: failures of calls that began before it tell nothing new."""
    _in_a_row: int = attrs.field(default=0, init=False)
    _looks: int = attrs.field(default=0, init=False)
    _last: PlexyPayError | None = attrs.field(default=None, init=False)
    _held: bool = attrs.field(default=False, init=False)
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    leave: Callable[..., None] = attrs.field(init=False)
    """Gives a place back to the job's own limit."""

    def __attrs_post_init__(self) -> None:
        self.leave = self._limit.leave

    # ---------------------------------------------------------------------------------------- how rows end

    def note(self, error: PlexyPayError | None, sent_in: int) -> None:
        """Note how a row ended.

        Args:
            error: Its error; None where it has a link.
            sent_in: The round in which it began.
        """
        if error is None and not self._in_a_row and not self._looks:
            return
        if error is None or not is_of_no_row(error):
            # An outage says nothing about the key: it does not end the series.
            if error is None or isinstance(error, APIError):
                self._in_a_row = self._looks = 0
                self._held = self._closed
        elif sent_in == self.round:
            self._last = error
            self._in_a_row += 1
            self._held = self._closed or self._in_a_row >= FEW
            if self._execution.transport.closed:
                # No look is needed, nor possible.
                self._end(ConfigurationError(CLIENT_CLOSED))

    def close(self) -> None:
        """Let no row begin any more: the job ends. Those under way go on."""
        self._closed = self._held = True

    # ------------------------------------------------------------------------------------------ as a limit

    def enter_now(self) -> float | None:
        """Take a place where there is one, and nothing is to be looked into."""
        return None if self._held else self._limit.enter_now()

    async def enter(self) -> float:
        """Wait for a place.

        Raises:
            ConfigurationError: The job ends, and the row has not been sent.
        """
        ticket = await self._limit.enter()
        try:
            if self._held:
                await self.look()
                if self._closed and self._refuse():
                    raise ConfigurationError("not sent: the job ends")
        except BaseException:
            self._limit.leave(ticket, Sign.NOTHING)
            raise
        return ticket

    @property
    def suspects(self) -> bool:
        """Whether a look is due."""
        return self._held and not self._closed

    async def look(self) -> None:
        """Find out whether any row can be created, where that is in doubt; end the job where none can."""
        async with self._lock:
            if not self._held or self._closed:
                return
            error = await self._answer()
            if error is None and self._last is not None:
                self._looks += 1
                in_vain = self._looks >= MOST_LOOKS
            else:
                # That the outcome of a look is unknown does not matter: it changes nothing.
                in_vain = isinstance(error, OutcomeUnknownError) and is_of_no_row(error)
            if in_vain and self._last is not None:
                # A copy: the row's own error may be kept by the caller, and gets no note.
                error = copied(self._last)
            if error is None or not is_of_no_row(error):
                self.round += 1
                self._in_a_row = 0
                self._held = self._closed
                return
            error.add_note(
                f"{FEW} rows in a row failed like this, and asking again did not help: the job sends no more."
            )
            self._end(error)

    async def _answer(self) -> PlexyPayError | None:
        """Ask for the smallest page of the listing; return what is wrong, if anything."""
        codec = self._execution.listing_codec(_LIST)
        request = ListPaymentLinks()
        path, filters = codec.filters(request)
        wire_request = codec.encode(path, filters, 1, 1)
        kind = call_class(self._execution)
        call = kind(self._execution, codec, wire_request, _LIST, request, job=self._job)
        try:
            await call.run()
        except PlexyPayError as error:
            return error.with_traceback(None)
        return None


def copied(error: PlexyPayError) -> PlexyPayError:
    """Return a copy of an error, with its cause, which `copy.copy` leaves out."""
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin


def is_of_no_row(error: PlexyPayError) -> bool:
    """Tell whether every other row would meet the same error, now and later."""
    cause: BaseException | None = error
    while isinstance(cause, OutcomeUnknownError):
        if cause.lasting:
            return True
        cause = cause.__cause__
    if isinstance(cause, ConnectError):
        return cause.lasting
    if isinstance(cause, (AuthenticationError, PermissionDeniedError)):
        return True
    if isinstance(cause, APIError):
        # An answer without the API's own error code comes from another server, or from a wrong path.
        return cause.status in WRONG_PLACE and cause.code is None
    # Such as a client that is closed, or a function for the key that raises.
    return isinstance(cause, ConfigurationError)
