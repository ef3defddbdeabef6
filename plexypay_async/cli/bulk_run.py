"""One run of ``bulk-create``, after its arguments were checked."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import attrs

from .._files.sqlite_file import TemporaryFolderError
from .._privacy.secret import Secret
from ..bulk.journal import Journal
from ..errors import ConfigurationError
from ..pay.client import AsyncPlexyPay
from .account import without_secret
from .check_results import CheckResults
from .confirmation import JournalRows, journal_rows
from .connection import Connection
from .destination import ON_STANDARD_OUTPUT, Destination
from .doubts import Doubts
from .exits import Exit, UnusableInputError, exit_code_of, system_error
from .first_failures import FirstFailures
from .job import BulkCreateJob
from .open_files import too_many_open_files
from .progress import PlainProgress, Scale, choose_progress
from .references import check_references
from .report import Problems, Tally, tell_sums
from .results import Results, RowOutcome
from .rows import BadRow, Row, open_rows
from .signals import run_until_signal
from .source import Lines, Source, reading
from .summary import FileSummary
from .terminal import drop_output_that_fails, tell
from .torn_rows import CUT_OFF

if TYPE_CHECKING:
    from ..sandbox import Fault

__all__ = ["MOST_ADAPTIVE", "BulkRun"]

_LARGEST_COUNTED_FILE = 1 << 20
"""Bytes. The rows of a file up to this size are counted before, so that the progress knows their number."""

MOST_ADAPTIVE = 100
"""Links that are under way at a time at the most, where --concurrency does not say more."""

_SHOWN_BEFORE = 5
"""Bad rows that are told one by one before the question whether to begin; the job tells them again."""

_TWICE = "without one, running the file again makes a second link of every row"
_NO_REFERENCES = "give --no-references if that is meant"
_NO_ROW = "write the orders below the header"
_REPEATS = (
    "repeats line {}, its order reference and its data: remove it, give it a reference of its own, or give"
    " --allow-repeats if the repeat is meant"
)
_PAST = (
    "expires_at is in the past by this machine's clock: look whether it is meant; the server refuses a link"
    " that has expired by its own"
)
_KNOWS_NONE = "knows none of these rows: is it the right one?"
_NEEDED_BY_JOURNAL = "a job with a journal needs one on every row"

_AGAIN = (
    "a run of the same file again looks up each order reference that the server refuses as taken: rows whose"
    ' link has their amount and currency are "recovered" with it, and no second link is made of them'
)
_AGAIN_WITHOUT = (
    "do not run the same file again as it is: rows without an order_reference would get a second link. Remove"
    " those that have a link first; of rows with one, the link is found"
)
_LOOK_FOR_THEM = "look for those without an order_reference in the list of links"
_BEFORE_RUNNING = " before running them again; of those with one, the link is found then"

_FINISH_TIMEOUT = 0.2
"""Seconds for what is under way after a signal: whoever presses Ctrl-C waits for a second at the most."""
_FINISH_TIMEOUT_WITH_JOURNAL = 10.0
"""With a journal, the job will be run again, and what is finished now needs no look-up then."""
_HALT_TIMEOUT = 0.4
"""Seconds for what is then still under way to tell whether it was sent."""
_HALT_TIMEOUT_WITH_JOURNAL = 2.0
"""A journal is to be written, too."""


@attrs.define(eq=False, kw_only=True)
class BulkRun:
    """Creates the links of one input, and tells what became of its rows.

    Args:
        source: The opened input.
        api_key: The merchant's key; None runs against a sandbox of its own.
        faults: The sandbox's faults.
        connection: How the API is reached.
        concurrency: Links under way at a time; None adapts it to what the server takes.
        most_adaptive: How many it may be at the most where it adapts.
        max_rate: Requests per second at the most, if there is such a bound.
        timeout: Seconds for one link, all its retries included.
        results_path: Where results go: a file, or ``-`` for standard output; None for beside the input.
        overwrite: Whether results that are not of the journal may be replaced.
        journal_path: The journal, if there is one; it is made if it is not there.
        no_references: Whether rows may have no order reference.
        allow_repeats: Whether rows that repeat an earlier one are meant.
        major: Whether the column ``amount`` has **major** units.
        same_server: Options with which another command reaches the same server.
    """

    source: Source
    api_key: Secret[str] | None
    faults: Sequence[Fault]
    connection: Connection
    concurrency: int | None
    most_adaptive: int
    max_rate: float | None
    timeout: float
    results_path: str | None
    overwrite: bool
    journal_path: str | None
    no_references: bool
    allow_repeats: bool
    major: bool = False
    same_server: Sequence[str] = ()
    _problems: Problems = attrs.field(
        init=False, default=attrs.Factory(lambda self: Problems(self.source.name), takes_self=True)
    )
    _doubts: Doubts = attrs.field(init=False, factory=Doubts)
    _tally: Tally = attrs.field(init=False, factory=Tally)
    _job: BulkCreateJob | None = attrs.field(init=False, default=None)
    _repeated_lines: set[int] = attrs.field(init=False, factory=set[int])
    _destination: Destination | None = attrs.field(init=False, default=None)
    _results: Results | None = attrs.field(init=False, default=None)
    _is_sandbox: bool | None = attrs.field(init=False, default=None)
    _write: Callable[[str], None] = attrs.field(init=False, default=tell)
    _clear: Callable[[], None] = attrs.field(init=False, default=lambda: None)

    def execute(self, *, strict: bool, confirm: Callable[[FileSummary], None] | None = None) -> int:
        """Run, tell the sums, and return the exit code.

        Args:
            strict: Whether all rows are checked before the first request.
            confirm: Is given a summary of all rows before the first request, and raises to prevent it.

        Raises:
            UnusableInputError: Nothing was sent; the message says what to change.
        """
        row_count: int | None = None
        with reading(self.source.name):
            if strict or confirm is not None:
                with journal_rows(self.journal_path) as known:
                    summary = self._check(known) if strict else self._look(known)
                row_count = summary.rows
                if confirm is not None:
                    confirm(summary)
            elif self.allow_repeats and self.journal_path is None:
                row_count = self._count(self._noted(self._open()[1]))
            elif self.source.size is not None and self.source.size <= _LARGEST_COUNTED_FILE:
                rows = open_rows(self.source.lines(), self.source.name, major=self.major)
                row_count = self._count(self._doubts.noted(rows))
            lines, rows = self._open(keep_repeats=self.allow_repeats or self.journal_path is not None)
        scale = Scale(self._tally, lines, self.source.size, row_count)
        self._destination = Destination.of(
            self.results_path, self.source, lines.dialect, in_sandbox=self.api_key is None
        )
        if self._destination is not None:
            self._destination.check()

        received = self._run(rows, scale)
        job = self._job
        if job is None:
            tell("plexypay: stopped before the first request")
            return exit_code_of(received or signal.SIGINT)
        if received is not None:
            job.end(_stopped_by(received))
        left = self._left(job, rows, row_count)
        where = self._where(job)
        self._problems.tell_hidden(
            ": give --results FILE to have them all" if where is None else f": see {where}"
        )
        untold = self._tell_sums(left)
        if job.unsaved is not None:
            tell(f"plexypay: {job.unsaved}")
            if job.partial_results is None and job.ended_by is None:
                tell(f"plexypay: {self._how_to_find_links()}")
        self._tell_results(job)
        self._tell_what_to_do(job, left, received)
        if (change := self.source.change()) is not None:
            tell(
                f"plexypay: {change}: what came later was not read; run the whole file again, with a journal"
            )
        if received is not None:
            return exit_code_of(received)
        if not self._tally.done and job.ended_by is None:
            return Exit.UNUSABLE
        ended_early = job.ended_by is not None or change is not None or job.may_be_part
        incomplete = self._tally.not_created or ended_early or (job.repeated and not self.allow_repeats)
        # With results in a file, sums that could not be shown are no failure.
        is_lost = job.unsaved is not None or (untold and self._destination is None)
        return Exit.INCOMPLETE if incomplete or is_lost else Exit.OK

    def _left(self, job: BulkCreateJob, rows: Iterator[Row | BadRow], row_count: int | None) -> int | None:
        """Return how many rows were not attempted; None where that is not known."""
        if job.ended_by is None or job.is_read_whole:
            return 0
        if job.is_read_whole is False:
            return None
        if row_count is not None:
            return max(row_count - self._tally.done, 0)
        if self.source.repeatable:
            # Only whether there is one: to count them all may take long.
            with contextlib.suppress(OSError, TemporaryFolderError):
                return 0 if next(rows, None) is None else None
        return None

    def _tell_sums(self, left: int | None) -> bool:
        """Write the closing table; tell whether that failed."""
        try:
            tell_sums(
                self._tally,
                with_journal=self.journal_path is not None,
                not_attempted=left,
                to_error=self._destination is not None and self._destination.path is None,
            )
        except OSError as error:
            drop_output_that_fails()
            tell(f"plexypay: cannot write to standard output: {error.strerror}; {self._tally.told_links()}")
            return True
        return False

    def _how_to_find_links(self) -> str:
        """Return what the user can do to have the links that were made."""
        if self.journal_path is not None:
            return "run the same command again: its results have the links, and none is made twice"
        return _AGAIN_WITHOUT if self.no_references else _AGAIN

    def _where(self, job: BulkCreateJob) -> str | None:
        """Return where the results are, if they are anywhere."""
        if self._destination is None or not self._tally.done:
            return None
        if job.unsaved is not None:
            return job.partial_results
        return self._destination.name if self._results is None else self._results.path

    def _tell_results(self, job: BulkCreateJob) -> None:
        """Tell where results are that nobody has named a place for, or that are not where they were to be."""
        destination, results = self._destination, self._results
        if destination is None or results is None or not self._tally.done:
            return
        if results.unordered is not None:
            tell(
                "plexypay: the results stand in the order in which rows ended, since they could not be put in"
                f" that of the input: {results.unordered}"
            )
        if results.moved is not None:
            tell(f"plexypay: earlier results of the name {results.path} are in {results.moved} now")
        if results.kept is not None:
            tell(
                f"plexypay: no row of this run has a link, so earlier results stay in {results.kept},"
                f" and this run's are in {results.path}"
            )
        elif destination.beside and job.unsaved is None:
            tell(f"plexypay: results: {results.path}")

    def _run(self, rows: Iterator[Row | BadRow], scale: Scale) -> signal.Signals | None:
        """Run the job; what breaks outside of it is told with what became of the rows."""
        with_journal = self.journal_path is not None
        try:
            return run_until_signal(
                self._create(rows, scale),
                finish=self._finish,
                finish_timeout=_FINISH_TIMEOUT_WITH_JOURNAL if with_journal else _FINISH_TIMEOUT,
                halt=self._halt,
                halt_timeout=_HALT_TIMEOUT_WITH_JOURNAL if with_journal else _HALT_TIMEOUT,
                left=self._tell_left,
            )
        except Exception as error:
            told, job = too_many_open_files(error) or system_error(error), self._job
            if told is None:
                raise
            if job is None or not job.handed:
                raise UnusableInputError(f"{told}; nothing was sent") from None
            job.end(f"stopped: {told}")
            return None

    def _tell_left(self) -> None:
        self._clear()
        if self._job is not None and self._job.partial_results is not None:
            tell(f"plexypay: the results until then are in {self._job.partial_results}")

    def _halt(self) -> bool:
        return self._job is not None and self._job.halt()

    def _finish(self, received: signal.Signals) -> bool:
        job = self._job
        if job is None:
            return False
        job.end(_stopped_by(received))
        if self.journal_path is not None and job.under_way:
            self._write(
                f"plexypay: {_stopped_by(received)}:"
                f" {_counted(job.under_way, 'row was taken and is', 'rows were taken and are')} not done: the"
                f" job goes on with them for {_FINISH_TIMEOUT_WITH_JOURNAL:.0f} seconds at the most;"
                " once more ends it at once"
            )
        return True

    def _open(self, *, keep_repeats: bool = True) -> tuple[Lines, Iterator[Row | BadRow]]:
        lines = self.source.lines()
        with_journal = self.journal_path is not None
        refused = (
            f"{_NEEDED_BY_JOURNAL}: add the column"
            if with_journal
            else f"{_TWICE}; add the column, or {_NO_REFERENCES}"
        )
        rows = open_rows(
            lines,
            self.source.name,
            without_references=None if self.no_references else refused,
            major=self.major,
        )
        required = _NEEDED_BY_JOURNAL if with_journal else f"{_TWICE}; give it one, or {_NO_REFERENCES}"
        checked = check_references(
            rows, required=None if self.no_references else required, keep_repeats=keep_repeats
        )
        return lines, self._doubts.noted(checked)

    def _count(self, rows: Iterator[Row | BadRow]) -> int:
        """Return how many rows there are, and tell what is doubtful before anything is sent."""
        count = 0
        for row in rows:
            count += 1
            for told in row.warnings:
                tell(f"plexypay: warning: line {row.line}: {told}")
        return count

    def _noted(self, rows: Iterator[Row | BadRow]) -> Iterator[Row | BadRow]:
        """Yield the rows, and note which ones later rows repeat, where no journal has their links."""
        for row in rows:
            if row.repeats is not None and self.allow_repeats and self.journal_path is None:
                self._repeated_lines.add(row.repeats)
            yield row

    def check(self) -> int:
        """Read every row, tell what is wrong and what is in the file, send nothing; return the exit code.

        Raises:
            UnusableInputError: The input cannot be read, or has no row.
        """
        with reading(self.source.name):
            lines, rows = self._open()
            summary = self._summary(lines, None)
            results = CheckResults.of(self.results_path, self.source, lines.dialect, overwrite=self.overwrite)
            with results, journal_rows(self.journal_path, alone=True) as known:
                wrong = self._read_all(summary, rows, known, results=results)
        if not summary.rows:
            raise UnusableInputError(f"there is no row in {self.source.name}: {_NO_ROW}")
        summary.tell(to_error=results.on_standard_output)
        if (change := self.source.change()) is not None:
            tell(f"plexypay: {change}: what came later was not read")
        unmeant = summary.repeated and not self.allow_repeats
        return Exit.INCOMPLETE if wrong or unmeant or change is not None else Exit.OK

    def _summary(self, lines: Lines, known: JournalRows | None) -> FileSummary:
        major = self.major or lines.has_amount_major
        return FileSummary(major, is_done=None if known is None else known.is_done)

    def _look(self, known: JournalRows | None) -> FileSummary:
        """Read all rows, tell the first bad ones, and return the summary."""
        lines, rows = self._open()
        summary = self._summary(lines, known)
        self._read_all(summary, rows, known, problems=Problems(self.source.name, limit=_SHOWN_BEFORE))
        return summary

    def _check(self, known: JournalRows | None) -> FileSummary:
        """Tell all bad rows, and return the summary if none is bad."""
        lines, rows = self._open(keep_repeats=self.allow_repeats)
        summary = self._summary(lines, known)
        if wrong := self._read_all(summary, rows, known, strict=True):
            raise UnusableInputError(
                f"{wrong:,} of {summary.rows:,} rows cannot be sent, so none was (--strict): no link was"
                " created"
            )
        return summary

    def _read_all(
        self,
        summary: FileSummary,
        rows: Iterator[Row | BadRow],
        known: JournalRows | None,
        *,
        problems: Problems | None = None,
        results: CheckResults | None = None,
        strict: bool = False,
    ) -> int:
        """Read all rows, and tell what is wrong with them; return of how many rows something is.

        A last line that may be cut counts if it is `strict`, or what a cut may have left matters.
        """
        if sys.stderr.isatty():
            tell("checking all rows ...")
        wrong = 0
        problems = problems or self._problems
        for each in self._noted(rows):
            row = each if known is None else known.checked(each)
            summary.add(row)
            if isinstance(row, BadRow):
                wrong += 1
                problems.add_bad(row)
                if results is not None:
                    results.add(row, row.explanation)
            elif row.ends_open:
                wrong += strict or row.may_be_part
                problems.add(row.line, CUT_OFF if strict else f"warning: {CUT_OFF}")
            elif row.repeats is not None and not self.allow_repeats:
                told = _REPEATS.format(row.repeats)
                problems.add(row.line, told)
                if results is not None:
                    results.add(row, told)
            if row.line == summary.first_past:
                problems.add(row.line, f"warning: {_PAST}")
            for told in row.warnings:
                problems.add(row.line, f"warning: {told}")
        problems.tell_hidden("" if results is None else results.advice)
        if known is not None and summary.rows and not known.is_known:
            tell(f"plexypay: warning: the journal {self.journal_path} {_KNOWS_NONE}")
        return wrong

    async def _create(self, rows: Iterator[Row | BadRow], scale: Scale) -> None:
        async with AsyncExitStack() as stack:
            api_key, connection = self.api_key, self.connection
            max_connections = (
                self.most_adaptive if self.concurrency is None else max(self.concurrency, MOST_ADAPTIVE)
            )
            if api_key is None:
                from ..sandbox import Sandbox

                # An empty name is SQLite's private on-disk database: a million links would fill the memory.
                # Twice the connections, as it may not have noticed yet which ones the client has closed.
                sandbox = Sandbox(database="", faults=self.faults, max_connections=2 * max_connections)
                await stack.enter_async_context(sandbox)
                api_key, connection = Secret(sandbox.api_key), Connection.of_sandbox(sandbox.base_url)
            client = self._client(api_key, connection, max_connections)
            if isinstance(client, str):
                raise UnusableInputError(client)
            await stack.enter_async_context(client)
            journal = None
            if self.journal_path is not None:
                journal = stack.enter_context(Journal(self.journal_path))
            began = time.monotonic()
            # A bar and results on the same terminal would be written over each other.
            shares = self._destination is not None and self._destination.path is None and sys.stdout.isatty()
            progress = PlainProgress(scale) if shares else choose_progress(scale)
            await stack.enter_async_context(progress.shown())
            self._write, self._clear = progress.write, progress.clear
            self._job = job = BulkCreateJob(
                rows=rows,
                tally=self._tally,
                problems=self._problems,
                journal=journal,
                open_results=None if self._destination is None else self._open_results,
                secret=api_key,
                in_thread=not self.source.repeatable,
                repeated_lines=self._repeated_lines,
                allow_repeats=self.allow_repeats,
                write=progress.write,
                # A sandbox of this process ends with it.
                same_server=None if self.api_key is None else self.same_server,
            )
            await stack.enter_async_context(FirstFailures(job, client, self.timeout).told())
            try:
                await job.run(
                    client, concurrency=self.concurrency, max_rate=self.max_rate, timeout=self.timeout
                )
            finally:
                self._tally.seconds = time.monotonic() - began
                self._is_sandbox = client.is_sandbox

    def _open_results(self, *, mark: str = "", known: Container[str] | None = None) -> Results:
        assert self._destination is not None  # noqa: S101
        self._results = self._destination.open(overwrite=self.overwrite, mark=mark, known=known)
        return self._results

    def _client(
        self, api_key: Secret[str], connection: Connection, max_connections: int
    ) -> AsyncPlexyPay | str:
        """Return the client, or why it cannot be made: the error itself has frames that hold the key."""
        try:
            return AsyncPlexyPay(
                api_key, timeout=self.timeout, max_connections=max_connections, **connection.options()
            )
        except ConfigurationError as error:
            return str(error)

    def _has_all(self, job: BulkCreateJob, left: int | None, received: signal.Signals | None) -> bool:
        """Tell whether a signal came when there was nothing left to do."""
        by_signal = received is not None and job.ended_by == _stopped_by(received)
        is_whole = left == 0 and not self._tally.not_created and self.source.change() is None
        return by_signal and is_whole and job.unsaved is None

    def _tell_what_to_do(self, job: BulkCreateJob, left: int | None, received: signal.Signals | None) -> None:
        tally = self._tally
        unknown = tally.outcomes[RowOutcome.UNKNOWN]
        where = self._where(job) or ""
        if self.api_key is None and tally.created:
            tell("plexypay: these links were made in the sandbox of this run and have ended with it")
        elif self._is_sandbox:
            by = " (PLEXYPAY_BASE_URL is its address)" if self.connection.base_url is None else ""
            tell(f"plexypay: this was a sandbox, not Plexy Pay: no money moves by these links{by}")
        if job.repeated and not self.allow_repeats:
            tell(
                f"plexypay: {_counted(job.repeated, 'row repeats', 'rows repeat')} an earlier row, its order"
                " reference and its data: no second link was made. Look whether orders have lost references"
                " of their own; give --allow-repeats if the repeats are meant"
            )
        if job.ended_by is not None:
            rows = "the rows" if left is None else _counted(left, "row", "rows")
            were = "was" if left == 1 else "were"
            after = f", and {rows} after line {max(job.last_line, 1):,} {were} not attempted"
            tell(f"plexypay: {job.ended_by}; {tally.told_links()}{'' if left == 0 else after}")
            if job.not_sent.count:
                see = f": see {where}" if where else f": {job.not_sent.named()}"
                held_back = _counted(job.not_sent.count, "row before that was", "rows before that were")
                tell(f"plexypay: {held_back} read and not sent either{see}")
            if job.refused.count:
                see = f": see {where}" if where else f": {job.refused.named()}"
                held_back = _counted(job.refused.count, "row was", "rows were")
                tell(f"plexypay: {held_back} refused for the time being, and not sent again{see}")
            if self.journal_path is not None and not os.path.exists(self.journal_path):
                is_file = self.results_path not in (None, ON_STANDARD_OUTPUT)
                named = ", with another name for --results" if is_file else ""
                tell(
                    f"plexypay: put the journal back, or run the same command again{named}: it finds"
                    " the links that exist by their order references"
                )
            elif self._has_all(job, left, received):
                tell("plexypay: nothing is left to do: every row of the file has its link")
            elif self.journal_path is not None:
                tell("plexypay: run the same command again: it goes on where it stopped")
            elif tally.created or unknown:
                tell(f"plexypay: {self._how_to_find_links()}")
            else:
                tell("plexypay: no row has a link by this run: the same file can be run again")
        for line in job.reasons.told():
            tell(f"plexypay: {without_secret(line, job.secret)}")
        if unknown:
            which = f' ("unknown" in {where})' if where else f" ({job.unknown.named()})"
            tell(
                f"plexypay: of {_counted(unknown, 'row', 'rows')}{which} it is not known whether there"
                f" is a link{self._told_of_unknown(job)}"
            )
        if not tally.done and job.ended_by is None:
            tell(f"plexypay: there is no row in {self.source.name}: nothing was sent; {_NO_ROW}")

    def _told_of_unknown(self, job: BulkCreateJob) -> str:
        """Return what to do about rows of which it is not known whether they have a link."""
        if self.journal_path is not None:
            return ": run the same command again, it looks for their order references first"
        if self.no_references:
            return f": {_LOOK_FOR_THEM}" + ("" if job.ended_by is not None else _BEFORE_RUNNING)
        # What has ended a job is told with what to do about all of its rows.
        return "" if job.ended_by is not None else f": {_AGAIN}"


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _stopped_by(received: signal.Signals) -> str:
    return f"stopped by {'Ctrl-C' if received is signal.SIGINT else received.name}"
