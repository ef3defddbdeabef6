"""What the command tells its user besides the progress: problems one by one, and the sums at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import attrs

from .results import RowOutcome
from .terminal import drop_output, printable, show, tell

__all__ = ["Problems", "Tally", "drop_output", "printable", "show", "tell", "tell_sums", "tell_table"]


@attrs.define
class Tally:
    """The running sums of a bulk job."""

    created: int = 0
    """Links that this run made, recovered ones among them."""
    recovered: int = 0
    from_journal: int = 0
    """Links that earlier runs made."""
    repeated: int = 0
    """Rows whose link an earlier line has."""
    failed: int = 0
    invalid: int = 0
    unknown: int = 0
    retries: int = 0
    begun: float = attrs.field(factory=time.monotonic)
    ended: float | None = None

    @property
    def settled(self) -> int:
        """Rows that are through, in whatever way."""
        return self.created + self.from_journal + self.repeated + self.not_created

    @property
    def not_created(self) -> int:
        """Rows that are through and for which no link is known."""
        return self.failed + self.invalid + self.unknown

    @property
    def seconds(self) -> float:
        """How long the job took, or takes until now."""
        return (time.monotonic() if self.ended is None else self.ended) - self.begun

    @property
    def rate(self) -> float:
        """Links created per second, over the whole job."""
        return self.created / self.seconds if self.seconds > 0 else 0.0

    def count(self, outcome: RowOutcome) -> None:
        """Add a row."""
        match outcome:
            case RowOutcome.CREATED:
                self.created += 1
            case RowOutcome.RECOVERED:
                self.created += 1
                self.recovered += 1
            case RowOutcome.JOURNAL:
                self.from_journal += 1
            case RowOutcome.REPEATED:
                self.repeated += 1
            case RowOutcome.FAILED:
                self.failed += 1
            case RowOutcome.UNKNOWN:
                self.unknown += 1
            case RowOutcome.INVALID:
                self.invalid += 1


class Problems:
    """The first problems of a job, one line each; of the others only their number.

    Args:
        source: The input's name, with which each line begins.
        limit: How many are written.
    """

    def __init__(self, source: str, *, limit: int = 20) -> None:
        self._source = printable(source)
        self._left = limit
        self.hidden = 0
        """How many were not written."""

    def add(self, line: int, text: str, write: Callable[[str], None] = tell) -> None:
        """Write one problem, or count it."""
        if self._left > 0:
            self._left -= 1
            write(f"{self._source}:{line}: {printable(text)}")
        else:
            self.hidden += 1

    def tell_hidden(self, where: str) -> None:
        """Say how many were not written, and where they are."""
        if self.hidden:
            tell(f"and {self.hidden:,} more{where}")


def tell_sums(tally: Tally, *, with_journal: bool) -> None:
    """Write the closing table of a bulk job to standard output."""
    of_journal = (
        ("from the journal", f"{tally.from_journal:,}"),
        ("repeated rows", f"{tally.repeated:,}"),
    )
    tell_table(
        ("created", f"{tally.created:,}"),
        ("  of them recovered", f"{tally.recovered:,}"),
        *(of_journal if with_journal else ()),
        ("failed", f"{tally.not_created:,}"),
        ("  of them bad rows", f"{tally.invalid:,}"),
        ("  of them unknown", f"{tally.unknown:,}"),
        ("retries", f"{tally.retries:,}"),
        ("links per second", f"{tally.rate:,.1f}"),
        ("seconds", f"{tally.seconds:,.1f}"),
    )


def tell_table(*rows: tuple[str, str]) -> None:
    """Write names and figures to standard output: with lines on a terminal, else plain aligned text."""
    try:
        if sys.stdout.isatty():
            _tell_table(rows)
        else:
            names = max(len(name) for name, _ in rows)
            width = max(len(value) for _, value in rows)
            for name, value in rows:
                show(f"{name:<{names}}  {value:>{width}}")
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()


def _tell_table(rows: tuple[tuple[str, str], ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
