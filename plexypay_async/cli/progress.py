"""The progress of a job on standard error: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import abc
import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Self

import attrs

from .report import Tally
from .results import RowOutcome
from .source import Lines
from .terminal import printable, tell, wrapped

__all__ = ["BarProgress", "PlainProgress", "Progress", "Scale", "choose_progress"]

_WIDE = 80
"""Columns of a terminal that has room for words besides the figures."""

_FREE = 6
"""Columns that the bar leaves free: a terminal shows a Ctrl-C there as ^C, on the bar's own line."""

_RATE_SECONDS = 5.0
"""The shown rate is that of so many seconds, at the least."""


@attrs.frozen
class Scale:
    """How far a job is; of an input whose rows were not counted, by the bytes that were read.

    Args:
        tally: The job's running sums.
        lines: The input as it is read.
        size: The input's bytes, if known.
        rows: The number of rows, if known.
    """

    tally: Tally
    lines: Lines
    size: int | None
    rows: int | None

    @property
    def fraction(self) -> float | None:
        """Between 0 and 1: rows done where their number is known, else the part of the file that was read."""
        if self.rows is not None:
            return min(self.tally.done / self.rows, 1.0) if self.rows else 1.0
        if self.size:
            return min(self.lines.bytes_read / self.size, 1.0)
        return None


class Progress(abc.ABC):
    """A display of a job's progress on standard error."""

    interval: float
    """Seconds between two refreshes."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._samples = deque([(time.monotonic(), 0)])

    @asynccontextmanager
    async def shown(self) -> AsyncGenerator[Self]:
        """Show the progress while the block runs, refreshed by a task of its own."""
        refreshing = asyncio.create_task(self._keep_refreshing())
        try:
            yield self
        finally:
            refreshing.cancel()
            await asyncio.wait({refreshing})

    async def _keep_refreshing(self) -> None:
        while True:
            await asyncio.sleep(self.interval)
            self.refresh()

    def rate(self) -> float:
        """Return the rows per second since a call a few seconds ago."""
        samples, now, done = self._samples, time.monotonic(), self._scale.tally.done
        samples.append((now, done))
        while len(samples) > 2 and now - samples[0][0] > _RATE_SECONDS:
            samples.popleft()
        began, done_then = samples[0]
        return (done - done_then) / (now - began) if now > began else 0.0

    @abc.abstractmethod
    def refresh(self) -> None:
        """Show how far the job is now."""

    def write(self, text: str) -> None:
        """Write a line to standard error without disturbing the display."""
        tell(text)

    @abc.abstractmethod
    def clear(self) -> None:
        """Leave no display on the terminal: the program ends on the spot."""


class PlainProgress(Progress):
    """One line every few seconds, for logs and pipes."""

    interval = 5.0
    _told = ""

    def _news_of_the_limit(self) -> str:
        """Return why the limit is what it is, once for each reason."""
        reason = self._scale.tally.limit_reason
        if reason == self._told:
            return ""
        self._told = reason
        return f" ({reason})"

    def refresh(self) -> None:
        """Write one line of sums."""
        tally = self._scale.tally
        from_journal = tally.outcomes[RowOutcome.JOURNAL]
        of_journal = f" ({from_journal:,} from the journal)" if from_journal else ""
        parts = [f"links {tally.links:,}{of_journal}"]
        if tally.not_created:
            parts.append(f"failed {tally.not_created:,}")
        parts.append(f"{self.rate():,.0f}/s")
        if tally.limit is not None:
            parts.append(f"{tally.limit:,} at once{self._news_of_the_limit()}")
        if (fraction := self._scale.fraction) is not None:
            parts.append(f"{fraction * 100:.0f} % of the file")
        tell(", ".join(parts))

    def clear(self) -> None:
        """Leave the lines where they are."""


class BarProgress(Progress):
    """A bar with rows done, rows failed, the rate and the time left; below it, why so many are at once."""

    interval = 0.1

    def __init__(self, scale: Scale) -> None:
        from rich.console import Console, Group
        from rich.constrain import Constrain
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
        from rich.text import Text

        super().__init__(scale)
        console = Console(stderr=True)

        class LeavingRoom(Bar):
            """A bar that does not take the whole line."""

            def get_renderable(self) -> Constrain:
                bar = super().get_renderable()
                reason = scale.tally.limit_reason if console.width >= _WIDE else ""
                below = (Text(reason, style="dim", no_wrap=True, overflow="ellipsis"),) if reason else ()
                return Constrain(Group(bar, *below), max(1, console.width - _FREE))

        self._bar = LeavingRoom(
            *(TextColumn("{task.fields[what]}"),) if console.width >= _WIDE else (),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[share]}"),
            TextColumn("{task.fields[done]}"),
            TextColumn("failed {task.fields[failed]}"),
            TextColumn("{task.fields[rate]}/s"),
            TimeRemainingColumn(compact=True),
            console=console,
            auto_refresh=False,
            expand=True,
            transient=True,
        )
        self._task_id = self._bar.add_task(
            "links", total=None if scale.fraction is None else 1.0, **self._fields()
        )

    @asynccontextmanager
    async def shown(self) -> AsyncGenerator[Self]:
        """Show the bar while the block runs; what is known in the end is told without it."""
        with self._bar:
            try:
                async with super().shown():
                    yield self
            finally:
                self.refresh()

    def write(self, text: str) -> None:
        """Write a line above the bar."""
        self._bar.console.print(
            wrapped(printable(text)), markup=False, highlight=False, emoji=False, soft_wrap=True
        )

    def clear(self) -> None:
        """Take the bar off the terminal."""
        self._bar.stop()

    def refresh(self) -> None:
        """Draw the bar."""
        self._bar.update(self._task_id, completed=self._scale.fraction or 0.0, refresh=True, **self._fields())

    def _fields(self) -> dict[str, Any]:
        scale = self._scale
        fraction = scale.fraction
        total = "" if scale.rows is None else f"/{scale.rows:,}"
        limit = scale.tally.limit
        return {
            # Both of one width: the bar keeps its own.
            "what": f"{'creating links' if limit is None else f'{limit:,} at once':14}",
            "share": "" if fraction is None else f"{fraction:4.0%}",
            "done": f"{scale.tally.done:,}{total}",
            "failed": f"{scale.tally.not_created:,}",
            "rate": f"{self.rate():,.0f}",
        }


def choose_progress(scale: Scale) -> Progress:
    """Return the display that standard error can show."""
    if sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown"):
        return BarProgress(scale)
    return PlainProgress(scale)
