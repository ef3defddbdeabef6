"""What a job tells its caller and its observers: how far it is, its limit, and why the limit changed last."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from .._core.admission import JobLimits
from .._core.pace import Pace
from ..logs import CALLS, LOG
from ..observer import Audience, ObservedJob, ObservedRow, Observer, tell, told_reference
from ..pay.payment_links import BulkResult, JobProgress

__all__ = ["ProgressReports"]

LOOK_EVERY = 0.1
"""Seconds after which the reason is looked at again."""
TELL_EVERY = 0.5
"""Seconds after which the sums are told, though nothing else has changed."""


class ProgressReports:
    """Counts a job's results, and tells of it from a task of its own; its beginning and end at once.

    No worker waits for it, and no request: it looks at what is there a few times a second.

    Args:
        on_progress: The caller's function, if there is one.
        fail: Ends the job with an error of that function.
        observers: The client's.
    """

    def __init__(
        self,
        on_progress: Callable[[JobProgress], object] | None,
        fail: Callable[[BaseException], None],
        observers: Sequence[Observer] = (),
    ) -> None:
        self._on_progress = on_progress
        self._fail = fail
        self._told_to = Audience((*observers, *LOG) if CALLS.isEnabledFor(logging.INFO) else observers)
        self.observed: ObservedJob = ObservedJob()
        """The job, as its observers know it."""
        tell(self._told_to.job_began, self.observed)
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
                row = ObservedRow(
                    self.observed, result.index, told_reference(result.request.order_reference), result.error
                )
                tell(self._told_to.row_failed, row)
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
        """Tell no more of how far it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def ended(self, failure: BaseException | None) -> None:
        """Tell observers of the end.

        Args:
            failure: What has ended it before its source ended, if anything.
        """
        job = self.observed
        if self._limits is not None:
            job.progress = self._now()
        job.error = failure
        job.end()
        tell(self._told_to.job_ended, job)

    def _now(self) -> JobProgress:
        pace, limits = self._pace, self._limits
        return JobProgress(
            created=self._created,
            recovered=self._recovered,
            failed=self._failed,
            under_way=0 if limits is None else limits.calls,
            limit=self._fixed if pace is None else pace.level,
            reason="fixed by concurrency" if pace is None else pace.reason,
        )

    def _call(self) -> None:
        progress = self._now()
        self._reason = progress.reason
        self._told_at = time.monotonic()
        if progress == self._told:
            return
        self._told = self.observed.progress = progress
        tell(self._told_to.job_changed, self.observed)
        if self._on_progress is None:
            return
        try:
            self._on_progress(progress)
        except BaseException as error:  # noqa: BLE001 - raised where the results are taken
            # It is not raised here, where a SystemExit would end the event loop.
            self.failure = error
            self._fail(error)
