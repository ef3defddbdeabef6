"""What the command tells its user besides the progress: problems one by one, and the sums at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable

import attrs

from .results import RowOutcome
from .rows import BadRow
from .terminal import drop_output, output_is_closed, printable, show, tell, write_output

__all__ = ["Problems", "Tally", "tell_sums", "tell_table"]


@attrs.define
class Tally:
    """The running sums of a bulk job."""

    outcomes: Counter[RowOutcome] = attrs.Factory(Counter[RowOutcome])
    """How many rows have come to their end in each way."""
    retries: int = 0
    seconds: float = 0.0
    """How long the job took, once it has ended."""
    limit: int | None = None
    """How many requests may be under way at once, as far as the job has told."""
    limit_reason: str = ""
    """Why it is that limit; empty while the job has not told."""

    @property
    def created(self) -> int:
        """Links that this run made or, the recovered ones, found by their order references."""
        return self.outcomes[RowOutcome.CREATED] + self.outcomes[RowOutcome.RECOVERED]

    @property
    def links(self) -> int:
        """Links that are known: made, found, or from the journal."""
        return self.created + self.outcomes[RowOutcome.JOURNAL]

    def told_links(self) -> str:
        """Say how many links this run made, and how many it found."""
        made, found = self.outcomes[RowOutcome.CREATED], self.outcomes[RowOutcome.RECOVERED]
        told = f"{made:,} {'link was' if made == 1 else 'links were'} made"
        return f"{told} and {found:,} found again" if found else told

    @property
    def not_created(self) -> int:
        """Rows that have come to their end and for which no link is known."""
        return sum(
            self.outcomes[each] for each in (RowOutcome.FAILED, RowOutcome.INVALID, RowOutcome.UNKNOWN)
        )

    @property
    def done(self) -> int:
        """Rows that have come to their end, in whatever way."""
        return self.outcomes.total()


class Problems:
    """The first problems of a job, one line each; of the others only their number.

    Args:
        source: The input's name, with which each line begins.
        limit: How many are written.
    """

    def __init__(self, source: str, *, limit: int = 20) -> None:
        self._source = printable(source)
        self._left = limit
        self._hidden = 0
        self._told_encoding = False

    def add(self, line: int, text: str, write: Callable[[str], None] = tell) -> None:
        """Write one problem, or count it."""
        if self._left > 0:
            self._left -= 1
            write(f"{self._source}:{line}: {printable(text)}")
        else:
            self._hidden += 1

    def add_bad(self, row: BadRow, write: Callable[[str], None] = tell) -> None:
        """Write what is wrong with a bad row, or count it.

        Of rows that are not UTF-8, one is written: the encoding of the file is to blame for all of them.
        """
        if row.not_utf_8 and self._told_encoding:
            self._hidden += 1
            return
        self._told_encoding = self._told_encoding or row.not_utf_8
        self.add(row.line, row.explanation, write)

    def tell_hidden(self, where: str) -> None:
        """Say how many were not written, and where they are."""
        if self._hidden:
            tell(f"and {self._hidden:,} more{where}")


def tell_sums(
    tally: Tally, *, with_journal: bool, not_attempted: int | None = None, to_error: bool = False
) -> None:
    """Write the closing table of a bulk job to standard output, or to standard error.

    Args:
        tally: The job's sums.
        with_journal: Whether it had a journal.
        not_attempted: How many rows were not read, where that is known.
        to_error: Whether it goes to standard error.
    """
    outcomes = tally.outcomes
    of_journal = (("  from the journal", f"{outcomes[RowOutcome.JOURNAL]:,}"),)
    repeated = outcomes[RowOutcome.REPEATED]
    of_repeats = (("repeated rows", f"{repeated:,}"),)
    rate = tally.created / tally.seconds if tally.seconds > 0 else 0.0
    tell_table(
        ("links", f"{tally.links:,}"),
        ("  made now", f"{outcomes[RowOutcome.CREATED]:,}"),
        ("  found again", f"{outcomes[RowOutcome.RECOVERED]:,}"),
        *(of_journal if with_journal else ()),
        *(of_repeats if with_journal or repeated else ()),
        ("no link known", f"{tally.not_created:,}"),
        ("  failed", f"{outcomes[RowOutcome.FAILED]:,}"),
        ("  bad rows", f"{outcomes[RowOutcome.INVALID]:,}"),
        ("  unknown", f"{outcomes[RowOutcome.UNKNOWN]:,}"),
        *((("not attempted", f"{not_attempted:,}"),) if not_attempted else ()),
        ("retries", f"{tally.retries:,}"),
        ("links per second", f"{rate:,.1f}"),
        ("seconds", f"{tally.seconds:,.1f}"),
        to_error=to_error,
    )


def tell_table(*rows: tuple[str, str], to_error: bool = False) -> None:
    """Write names and figures to standard output: with lines on a terminal, else plain aligned text.

    Where that is closed, they go to standard error.
    """
    to_error = to_error or output_is_closed()
    try:
        if (sys.stderr if to_error else sys.stdout).isatty():
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            table = Table(show_header=False)
            table.add_column(no_wrap=True)
            table.add_column(justify="right", no_wrap=True)
            for row in rows:
                # The API's words may be among them.
                table.add_row(*(Text(printable(text)) for text in row))
            Console(stderr=to_error).print(table)
        else:
            names = max(len(name) for name, _ in rows)
            width = max(len(value) for _, value in rows)
            for name, value in rows:
                (tell if to_error else show)(f"{name:<{names}}  {value:>{width}}")
        write_output("")
    except BrokenPipeError:
        drop_output()
