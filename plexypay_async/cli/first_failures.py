"""Telling at once why a job does not get on, and not only when the time of its first rows is over.

Nothing is called for it when a link is made: a few times a second it is looked at what the client knows.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs

from ..errors import PlexyPayError
from ..pay.client import AsyncPlexyPay
from .account import without_secret
from .job import BulkCreateJob
from .results import RowOutcome
from .stopped import reason_of

__all__ = ["FirstFailures"]

_INTERVAL = 0.25
"""Seconds between two looks; a failure is told where nothing has worked between two of them."""
_STALLED = 2.0
"""Seconds without a row's end after which a job that has made links is one that fails."""
_MOST_TIMES = 3
"""How often one reason is told, each time after something has worked again."""
_MOST = 10
"""How many lines are written in all."""


@attrs.define(eq=False)
class FirstFailures:
    """Tells why no link is made, once for each reason, while that is so.

    Args:
        job: The job.
        client: Its client.
        timeout: Seconds for which a row is tried.
    """

    _job: BulkCreateJob
    _client: AsyncPlexyPay
    _timeout: float
    _done: int = attrs.field(init=False, default=0)
    _done_at: float = attrs.field(init=False, factory=time.monotonic)
    _known: PlexyPayError | None = attrs.field(init=False, default=None)
    _last: str | None = attrs.field(init=False, default=None)
    _told: Counter[str] = attrs.field(init=False, factory=Counter[str])

    @asynccontextmanager
    async def told(self) -> AsyncGenerator[None]:
        """Tell them while the block runs."""
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait({looking})

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            self.look()

    def look(self) -> None:
        """Tell what fails, where it does so for a while and no row comes to its end."""
        job, failure, now = self._job, self._client.failing, time.monotonic()
        known, done = self._known, job.tally.done
        if failure is None:
            self._last = None
        if failure is None or done != self._done:
            self._done, self._done_at, self._known = done, now, failure
            return
        if known is None:
            self._known = failure
            return
        # Where links were made, a failure that nothing follows may be that of one row which waits.
        has_links = job.tally.created or job.tally.outcomes[RowOutcome.JOURNAL]
        if has_links and (failure is known or now - self._done_at < _STALLED):
            return
        if job.ended_by is not None:
            return
        reason = without_secret(reason_of(failure), job.secret)
        if reason == self._last or self._told[reason] >= _MOST_TIMES or self._told.total() >= _MOST:
            return
        self._last = reason
        self._told[reason] += 1
        since = "no further link now" if has_links else "no link yet"
        job.write(f"plexypay: {since}: {reason}; each row is tried again until {self._timeout:g} s are over")
