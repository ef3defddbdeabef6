"""The progress of a job on standard error: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import abc
import asyncio
import os
import sys
import time
from collections import deque
from types import TracebackType
from typing import Any, Self

from .report import Tally, printable, tell
from .source import Lines

__all__ = ["BarProgress", "PlainProgress", "Progress", "Scale", "choose_progress"]


_WIDE = 80
"""Columns of a terminal that has room for more than figures."""


class Scale:
    """How far a job is, without knowing more of the input than was read.

    Args:
        tally: The job's running sums.
        lines: The input as it is read.
        size: The input's bytes, if known.
        rows: The number of rows, if known.
    """

    def __init__(self, tally: Tally, lines: Lines, size: int | None, rows: int | None) -> None:
        self.tally = tally
        self.rows = rows
        self._lines = lines
        self._size = size

    @property
    def fraction(self) -> float | None:
        """Between 0 and 1: rows done where their number is known, else the part of the file that was read."""
        if self.rows is not None:
            return min(self.tally.settled / self.rows, 1.0) if self.rows else 1.0
        if self._size:
            return min(self._lines.bytes_read / self._size, 1.0)
        return None


class _Rate:
    """Rows per second over the last few seconds."""

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, settled: int) -> float:
        now = time.monotonic()
        samples = self._samples
        samples.append((now, settled))
        while len(samples) > 2 and now - samples[0][0] > self._seconds:
            samples.popleft()
        began, then = samples[0]
        return (settled - then) / (now - began) if now > began else 0.0


class Progress(abc.ABC):
    """A display of a job's progress, alive inside its `async with` and refreshed by a task of its own."""

    interval: float
    """Seconds between two refreshes."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._rate = _Rate()
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._rate.update(0)
        self._refreshing = asyncio.create_task(self._keep_refreshing())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait({self._refreshing})

    async def _keep_refreshing(self) -> None:
        while True:
            await asyncio.sleep(self.interval)
            self.refresh()

    @abc.abstractmethod
    def refresh(self) -> None:
        """Show how far the job is now."""

    @abc.abstractmethod
    def write(self, text: str) -> None:
        """Write a line without disturbing the display."""


class PlainProgress(Progress):
    """One line every few seconds, for logs and pipes."""

    interval = 5.0

    def write(self, text: str) -> None:
        """Write a line to standard error."""
        tell(text)

    def refresh(self) -> None:
        """Write one line of sums."""
        tally = self._scale.tally
        parts = [f"created {tally.created:,}"]
        if tally.from_journal:
            parts.append(f"from the journal {tally.from_journal:,}")
        if tally.not_created:
            parts.append(f"failed {tally.not_created:,}")
        parts.append(f"{self._rate.update(tally.settled):,.0f}/s")
        fraction = self._scale.fraction
        if fraction is not None:
            parts.append(f"{fraction * 100:.0f} % of the file")
        tell(", ".join(parts))


class BarProgress(Progress):
    """A bar with rows done, rows failed, the rate and the time left."""

    interval = 0.1

    def __init__(self, scale: Scale) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        super().__init__(scale)
        console = Console(stderr=True)
        self._bar = Bar(
            *(TextColumn("creating links"),) if console.width >= _WIDE else (),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[share]}"),
            TextColumn("{task.fields[done]}"),
            TextColumn("failed {task.fields[failed]}"),
            TextColumn("{task.fields[rate]}/s"),
            TimeRemainingColumn(compact=True),
            console=console,
            auto_refresh=False,
            expand=True,
        )
        self._task_id = self._bar.add_task(
            "links", total=None if scale.fraction is None else 1.0, **self._fields(0.0)
        )

    async def __aenter__(self) -> Self:
        self._bar.start()
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(kind, error, trace)
            self.refresh()
        finally:
            self._bar.stop()

    def write(self, text: str) -> None:
        """Write a line above the bar."""
        self._bar.console.print(printable(text), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def refresh(self) -> None:
        """Draw the bar."""
        rate = self._rate.update(self._scale.tally.settled)
        self._bar.update(
            self._task_id, completed=self._scale.fraction or 0.0, refresh=True, **self._fields(rate)
        )

    def _fields(self, rate: float) -> dict[str, Any]:
        scale = self._scale
        fraction = scale.fraction
        total = "" if scale.rows is None else f"/{scale.rows:,}"
        return {
            "share": "" if fraction is None else f"{fraction:4.0%}",
            "done": f"{scale.tally.settled:,}{total}",
            "failed": f"{scale.tally.not_created:,}",
            "rate": f"{rate:,.0f}",
        }


def choose_progress(scale: Scale) -> Progress:
    """Return the display that standard error can show."""
    if sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown"):
        return BarProgress(scale)
    return PlainProgress(scale)
