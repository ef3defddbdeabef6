"""What no row of a job can survive, such as a key that is refused or a certificate that proves nothing.

A job would try all of its rows in vain, and tell each of them as failed. After a few failures on end that say
nothing about their rows it looks once more, with a request of its own; where that fails so too, the job ends.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable

from .._core.admission import JobLimits
from .._core.call import Call
from .._core.concurrency import ConcurrencyLimit
from .._core.execution import Execution
from ..api.payment_links import ListPaymentLinks, PaymentLinks
from ..errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
)

__all__ = ["LastingFailures", "copied", "is_of_no_row"]

FEW = 3
"""So many failures on end are looked into."""
MOST_LOOKS = 3
"""So often in turn a look may find all well, while no row does: a key may read, and not create."""
WRONG_PLACE = (404, 405)

_LIST = PaymentLinks.list


class LastingFailures:
    """Counts a job's failures that say nothing about their rows, and stands before its concurrency limit.

    So nothing goes out while such failures are looked into, and no row begins once the job ends.

    Args:
        execution: What the job's calls are performed by.
        limit: The job's own concurrency limit.
        job: What bounds a look's call: no concurrency limit, and the job's probes.
        refuse: Tells the running task that its row is not sent any more, and whether it had not been before.
        end: Ends the job with an error that no row can survive.
    """

    def __init__(
        self,
        execution: Execution,
        limit: ConcurrencyLimit,
        job: JobLimits,
        *,
        refuse: Callable[[], bool],
        end: Callable[[PlexyPayError], None],
    ) -> None:
        self._execution = execution
        self._limit = limit
        self._job = job
        self._refuse = refuse
        self._end = end
        self.round = 0
        """Goes up with each look that finds all well: what was sent before it tells nothing new."""
        self._on_end = 0
        self._looks = 0
        self._last: PlexyPayError | None = None
        self._held = False
        self._lock = asyncio.Lock()
        self._closed = False

    # ---------------------------------------------------------------------------------------- how rows end

    def note(self, error: PlexyPayError | None, sent_in: int) -> None:
        """Note how a row ended.

        Args:
            error: Its error; None where it has a link.
            sent_in: The round in which it began.
        """
        if error is None and not self._on_end and not self._looks:
            return
        if error is None or not is_of_no_row(error):
            # An outage tells nothing of the key.
            if error is None or isinstance(error, APIError):
                self._on_end = self._looks = 0
                self._held = self._closed
        elif sent_in == self.round:
            self._last = error
            self._on_end += 1
            self._held = self._closed or self._on_end >= FEW
            if self._execution.transport.closed:
                # No look is needed, nor possible.
                self._end(ConfigurationError("this client is closed"))

    def close(self) -> None:
        """Let no row begin any more: the job ends. Those under way go on."""
        self._closed = self._held = True

    # ------------------------------------------------------------------------------ as a concurrency limit

    def enter_now(self) -> int | None:
        """Take a place where there is one, and nothing is to be looked into."""
        return None if self._held else self._limit.enter_now()

    async def enter(self) -> int:
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
            self._limit.leave(ticket, trouble=None)
            raise
        return ticket

    def leave(self, ticket: int, *, trouble: bool | None) -> None:
        """Give a place back."""
        self._limit.leave(ticket, trouble=trouble)

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
                # What is unknown of a look is of no interest to the job.
                in_vain = isinstance(error, OutcomeUnknownError) and is_of_no_row(error)
            if in_vain and self._last is not None:
                # Not the row's own, which somebody may keep.
                error = copied(self._last)
            if error is None or not is_of_no_row(error):
                self.round += 1
                self._on_end = 0
                self._held = self._closed
                return
            error.add_note(
                f"{FEW} rows on end failed so, and a further look did not help: the job sends no more rows."
            )
            self._end(error)

    async def _answer(self) -> PlexyPayError | None:
        """Ask for the smallest page of the listing; return what is wrong, if anything."""
        codec = self._execution.listing_codec(_LIST)
        request = ListPaymentLinks()
        path, filters = codec.filters(request)
        call = Call(
            self._execution,
            codec,
            codec.encode(path, filters, 1, 1),
            _LIST,
            request,
            job=self._job,
        )
        try:
            await call.run()
        except PlexyPayError as error:
            return error.with_traceback(None)
        return None


def copied(error: PlexyPayError) -> PlexyPayError:
    """Return an error of its own, with the cause that a copy of an exception comes without."""
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin


def is_of_no_row(error: PlexyPayError) -> bool:
    """Tell whether a call's error would have befallen any other row as well, now and for good."""
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
        # Without the API's own error it is another server, or another place on it.
        return cause.status in WRONG_PLACE and cause.code is None
    # Such as a client that is closed, or a function for the key that raises.
    return isinstance(cause, ConfigurationError)
