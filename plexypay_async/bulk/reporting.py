"""What a job tells its caller while it runs: how far it is, its limit, and why the limit changed last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from .._core.admission import JobLimits
from .._core.pace import Pace
from ..api.payment_links import BulkResult, JobProgress

__all__ = ["ProgressReports"]

LOOK_EVERY = 0.1
"""Seconds after which the reason is looked at again."""
TELL_EVERY = 0.5
"""Seconds after which the sums are told, though nothing else has changed."""


class ProgressReports:
    """Counts a job's results, and calls its caller back from a task of its own.

    No worker waits for it, and no request: it looks at what is there a few times a second.

    Args:
        tell: The caller's function.
        fail: Ends the job with an error of that function.
    """

    def __init__(self, tell: Callable[[JobProgress], object], fail: Callable[[BaseException], None]) -> None:
        self._tell = tell
        self._fail = fail
        self._created = self._recovered = self._failed = 0
        self._limits: JobLimits | None = None
        self._pace: Pace | None = None
        self._fixed = 0
        self._reason = ""
        self._told: JobProgress | None = None
        self._told_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None
        """What the caller's function has raised, if anything."""

    def count(self, results: Sequence[BulkResult]) -> None:
        """Count results, each once."""
        for result in results:
            if result.error is not None:
                self._failed += 1
            elif result.recovered or result.from_journal or result.repeats is not None:
                self._recovered += 1
            else:
                self._created += 1

    def begin(self, limits: JobLimits, pace: Pace | None, workers: int) -> None:
        """Tell of a job from now on.

        Args:
            limits: What its calls share.
            pace: What its limit follows; None where it has a concurrency of its own.
            workers: That concurrency.
        """
        self._limits, self._pace, self._fixed = limits, pace, workers
        self._task = asyncio.create_task(self._keep_telling())

    async def _keep_telling(self) -> None:
        while self.failure is None:
            await asyncio.sleep(LOOK_EVERY)
            changed = self._pace is not None and self._pace.reason != self._reason
            if changed or time.monotonic() >= self._told_at + TELL_EVERY:
                self._call()

    def last(self) -> None:
        """Tell the sums at the end, unless they were told."""
        if self.failure is None:
            self._call()

    async def end(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _call(self) -> None:
        pace, limits = self._pace, self._limits
        self._reason = "fixed by concurrency" if pace is None else pace.reason
        progress = JobProgress(
            created=self._created,
            recovered=self._recovered,
            failed=self._failed,
            under_way=0 if limits is None else limits.calls,
            limit=self._fixed if pace is None else pace.level,
            reason=self._reason,
        )
        self._told_at = time.monotonic()
        if progress == self._told:
            return
        self._told = progress
        try:
            self._tell(progress)
        except BaseException as error:  # noqa: BLE001 - raised where the results are taken
            # It is not raised here, where a SystemExit would end the event loop.
            self.failure = error
            self._fail(error)
