"""One bulk job: rows in, payment links and results out, in constant memory."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Container, Iterator, Sequence
from contextlib import aclosing
from typing import Any, cast

import attrs

from .._files.sqlite_file import TemporaryFolderError
from .._privacy.secret import Secret
from ..bulk.intake import EncodedLink
from ..bulk.journal import Journal
from ..errors import (
    APIError,
    AuthenticationError,
    ConnectError,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
)
from ..pay.client import AsyncPlexyPay
from ..pay.payment_links import BulkResult, CreatePaymentLink, JobProgress
from .account import without_secret
from .amounts import in_major_units
from .background import iterate_in_thread
from .exits import UnusableInputError
from .leading_zeros import KnownNumbers
from .report import Problems, Tally
from .results import Results, RowOutcome, RowResult, as_json
from .row_errors import told_to_people
from .rows import BadRow, Row
from .stopped import Reasons, RowList, attempts_before, is_cut, told_of_cut, was_refused
from .torn_rows import CUT_OFF

__all__ = ["BulkCreateJob"]

_REFUSALS = AuthenticationError, PermissionDeniedError
"""Whether they are about a row is known when another answer comes; until then they may be about the key."""

_OF_NO_ANSWER = ConnectError, DeadlineExceededError, OutcomeUnknownError
"""What says more of the server, or of the way to it, than of the row."""

_ROWS_PER_TURN = 100
"""After so many rows other tasks get a turn: while bad ones are read, nothing else is awaited."""

_INTERRUPTED = "stopped while it was under way: it may have been sent"
_LOOKED_UP_NEXT = "; the next run with this journal looks for it first"


@attrs.define(eq=False, kw_only=True)
class BulkCreateJob:
    """Create a link for every row that can be sent, and record what became of each row.

    Args:
        rows: The input's rows.
        tally: The sums to keep.
        problems: Where bad and failed rows are reported.
        journal: The opened journal, if there is one; it is closed by whoever opened it.
        open_results: Makes the results file, if one is wanted, given the journal's `mark` and the digests
            that are `known` to it; called once it is sure that the job can begin.
        secret: The API key, which is struck from every text that the server sends.
        in_thread: Whether reading a row may block, as it does on a pipe.
        repeated_lines: Without a journal: the lines of the rows that later ones repeat.
        allow_repeats: Whether rows that repeat others are meant, and so no problem.
        write: Writes a line to the user.
        same_server: Options with which another command reaches the same server; None where none does.
    """

    rows: Iterator[Row | BadRow]
    tally: Tally
    problems: Problems
    journal: Journal | None
    open_results: Callable[..., Results] | None
    secret: Secret[str]
    in_thread: bool
    write: Callable[[str], None]
    same_server: Sequence[str] | None = ()
    repeated_lines: Container[int] = ()
    allow_repeats: bool = False
    not_sent: RowList = attrs.field(init=False, factory=RowList)
    """The rows that were read and not sent, because the job had ended."""
    refused: RowList = attrs.field(init=False, factory=RowList)
    """The rows that were refused for the time being, and not sent again because of that."""
    unknown: RowList = attrs.field(init=False, factory=RowList)
    """The rows of which it is not known whether there is a link."""
    reasons: Reasons = attrs.field(init=False, factory=Reasons)
    """Why rows have no link, where that is no answer about them."""
    ended_by: str | None = attrs.field(init=False, default=None)
    """Why no more rows are taken, if that is so before the input's end."""
    last_line: int = attrs.field(init=False, default=0)
    """Where the last row begins that was taken; the rows after it were not attempted."""
    unsaved: str | None = attrs.field(init=False, default=None)
    """Why the results could not get their name, and where they are, if that is so."""
    is_read_whole: bool | None = attrs.field(init=False, default=None)
    """Whether the input was read to its end; None where the job has stopped asking for rows."""
    handed: int = attrs.field(init=False, default=0)
    """How many rows were given to be sent; with none, no request was sent for any."""
    _client: AsyncPlexyPay | None = attrs.field(init=False, default=None)
    _halting: asyncio.Task[None] | None = attrs.field(init=False, default=None)
    _under_way: dict[int, Row] = attrs.field(init=False, factory=dict[int, Row])
    _stopping: asyncio.Future[None] = attrs.field(
        init=False, factory=lambda: asyncio.get_running_loop().create_future()
    )
    _begun: bool = attrs.field(init=False, default=False)
    _results: Results | None = attrs.field(init=False, default=None)
    _refusals: list[tuple[int, str]] = attrs.field(init=False, factory=list[tuple[int, str]])
    may_be_part: bool = attrs.field(init=False, default=False)
    """Whether the last row was sent although a cell that matters may be cut off in it."""
    repeated: int = attrs.field(init=False, default=0)
    """How many rows repeat the order reference and the data of an earlier one."""
    _settled: dict[int, tuple[RowOutcome, dict[str, Any]]] = attrs.field(
        init=False, factory=dict[int, tuple[RowOutcome, dict[str, Any]]]
    )
    """What became of the rows that later ones repeat, by their lines."""
    _waiting: dict[int, list[Row]] = attrs.field(init=False, factory=dict[int, list[Row]])

    async def run(
        self, client: AsyncPlexyPay, *, concurrency: int | None, max_rate: float | None, timeout: float
    ) -> None:
        """Work through all rows; the arguments are those of `create_many`.

        When it is cancelled, the rows under way are recorded as unknown: their requests may have been sent.
        `halt` ends it with what is known of each.

        Raises:
            UnusableInputError: The job cannot begin, because of its journal or its results; nothing was sent.
        """
        failure: str | None = None
        unusable = False
        self._client = client
        try:
            async with aclosing(self._requests()) as requests:
                results = client.payment_links.create_many(
                    cast("AsyncIterable[CreatePaymentLink]", requests),
                    concurrency=concurrency,
                    max_rate=max_rate,
                    journal=self.journal,
                    timeout=timeout,
                    on_progress=self._note_progress,
                )
                async with aclosing(results):
                    async for result in results:
                        self._record_result(result)
        except UnusableInputError:
            unusable = True
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, what became of the rows is reported
            failure = self._failed(error)
        finally:
            self._abandon()
            self._tell_refusals()
            if self._results is not None and (unusable or failure is not None or not self.tally.done):
                self._results.discard()
            elif self._results is not None:
                await self._save(self._results)
            if self._halting is not None:
                await asyncio.gather(self._halting, return_exceptions=True)
        # Not raised in the handler: the other error, whose frames hold the key, would be its context.
        if failure is not None:
            raise UnusableInputError(failure)

    def _note_progress(self, progress: JobProgress) -> None:
        self.tally.limit, self.tally.limit_reason = progress.limit, progress.reason

    async def _save(self, results: Results) -> None:
        """Give the results their name, which the journal notes before: its next run may replace them."""
        try:
            digest = results.finish()
            if self.journal is not None and digest is not None:
                # Where it cannot, the job has ended because of that, and its next run asks.
                with contextlib.suppress(PlexyPayError, sqlite3.Error):
                    await self.journal.call(self.journal.note_results, digest)
            results.publish()
        except OSError as error:
            where = results.partial and f"; the results are in {results.partial}"
            self.unsaved = f"cannot write {results.path}: {error.strerror}{where or ''}"

    @property
    def partial_results(self) -> str | None:
        """Where the results are while the job runs."""
        return None if self._results is None else self._results.partial

    def _failed(self, error: Exception) -> str | None:
        """End the job, or return why it could not begin."""
        message = without_secret(str(error), self.secret)
        is_explained = isinstance(error, (PlexyPayError, sqlite3.Error, OSError))
        if self._halting is not None and isinstance(error, PlexyPayError) and is_cut(error):
            return None
        if self.journal is not None and isinstance(error, sqlite3.Error):
            message = f"journal {self.journal.path}: {message}"
        if is_explained and not self._begun:
            return message
        if isinstance(error, _REFUSALS):
            # Every row would say the same: it is said once, with the job's end.
            self._refusals.clear()
            message = f"the server refuses the API key: {message}"
        elif not is_explained:
            message = f"{type(error).__name__}: {message}"
        self.end(f"stopped: {message}")
        return None

    def end(self, reason: str) -> None:
        """Take no more rows; those under way are finished. The first reason stays."""
        if self.ended_by is None:
            self.ended_by = reason
            if not self._stopping.done():
                # The input may be a pipe that never sends another row.
                self._stopping.set_result(None)

    def halt(self) -> bool:
        """Close the client, so that the rows under way end at once with what is known of each.

        Returns:
            Whether it had begun, so that this ends it.
        """
        if self._client is None:
            return False
        if self._halting is None:
            self._halting = asyncio.ensure_future(self._client.close())
        return True

    @property
    def under_way(self) -> int:
        """How many rows were taken and have no result yet."""
        return len(self._under_way)

    async def _requests(self) -> AsyncGenerator[CreatePaymentLink | EncodedLink]:
        """Yield what can be sent; tell and record what cannot."""
        # The first row is asked for when the journal is known to be this account's and is held by this run:
        # until then, the results of another run must stay as they are.
        if self.open_results is not None:
            about: dict[str, Any] = {}
            if self.journal is not None:
                about["mark"], about["known"] = await self.journal.call(self.journal.results)
            self._results = self.open_results(**about)
        self._begun = True
        rows = iterate_in_thread(self.rows, until=self._stopping) if self.in_thread else self._rows_here()
        try:
            async with aclosing(rows), self._known_numbers() as known:
                async for each in rows:
                    if self.ended_by is not None:
                        return
                    row = known.checked(each)
                    self.last_line = row.line
                    self._note_repeat(row)
                    for told in row.warnings:
                        self.write(f"plexypay: warning: line {row.line}: {told}")
                    if isinstance(row, BadRow):
                        self.problems.add_bad(row, self.write)
                        self._record(row, RowOutcome.INVALID, error_message=row.explanation)
                    elif row.repeats is not None and self.journal is None:
                        self._record_repeat(row, row.repeats)
                    else:
                        if row.ends_open:
                            self.write(f"plexypay: warning: line {row.line}: {CUT_OFF}")
                            self.may_be_part = row.may_be_part
                        self._under_way[self.handed] = row
                        self.handed += 1
                        if row.encoded is None:
                            yield row.request
                        else:
                            # Rows that repeat its order reference are not sent where there is no journal.
                            yield EncodedLink(row.request, row.encoded, self.journal is None)
            # A pipe's rows end with the job, too.
            self.is_read_whole = True if self.ended_by is None else None
        except OSError as error:
            self._break_off(f"cannot read the input any further: {error.strerror or error}")
        except TemporaryFolderError as error:
            self._break_off(str(error))

    @contextlib.asynccontextmanager
    async def _known_numbers(self) -> AsyncGenerator[KnownNumbers]:
        with KnownNumbers() as known:
            if self.journal is not None:
                await self.journal.call(known.note, self.journal)
            yield known

    def _break_off(self, reason: str) -> None:
        """End the job because of its input; where nothing was sent yet, it has not begun.

        Raises:
            UnusableInputError: Nothing was sent.
        """
        if not self.handed:
            raise UnusableInputError(f"{reason}; nothing was sent")
        self.is_read_whole = False
        self.end(f"stopped: {reason}")

    def _note_repeat(self, row: Row | BadRow) -> None:
        if row.repeats is None:
            return
        self.repeated += 1
        if not self.allow_repeats and isinstance(row, Row):
            told = f"order {row.order_reference}: is the same row as in line {row.repeats}"
            self.problems.add(row.line, told, self.write)

    def _record_repeat(self, row: Row, first: int) -> None:
        """Record what became of the row that this one repeats, as soon as it is known."""
        settled = self._settled.get(first)
        if settled is None:
            self._waiting.setdefault(first, []).append(row)
            return
        outcome, columns = settled
        has_link = outcome in (RowOutcome.CREATED, RowOutcome.RECOVERED)
        self._record(row, RowOutcome.REPEATED if has_link else outcome, **columns)

    async def _rows_here(self) -> AsyncGenerator[Row | BadRow]:
        for count, row in enumerate(self.rows, 1):
            if count % _ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
            yield row

    def _record_result(self, result: BulkResult) -> None:
        row = self._under_way.pop(result.index)
        self.tally.retries += result.retries
        if result.link is not None:
            self._tell_refusals()
            if row.repeats is not None:
                outcome = RowOutcome.REPEATED
            elif result.from_journal:
                outcome = RowOutcome.JOURNAL
            else:
                outcome = RowOutcome.RECOVERED if result.recovered else RowOutcome.CREATED
            self._record(row, outcome, link_id=result.link.id, url=result.link.url)
        elif result.error is not None:
            self._record_error(row, result, result.error)

    def _record_error(self, row: Row, result: BulkResult, error: PlexyPayError) -> None:
        # The row is known by its line, which stands before the message.
        message = without_secret(str(error), self.secret).removeprefix(f"row {result.index}: ")
        message = told_to_people(message, error, row.request, self.same_server)
        shown = message if row.order_reference is None else f"order {row.order_reference}: {message}"
        if self._halting is not None and result.link_id is None and is_cut(error):
            self._record_cut(row, error)
            return
        if isinstance(error, _OF_NO_ANSWER):
            self.reasons.note(error)
        if type(error) is PlexyPayError and error.outcome is Outcome.NOT_SENT:
            self.not_sent.add(row.line)
        elif isinstance(error, _REFUSALS):
            self._refusals.append((row.line, shown))
        else:
            if isinstance(error, APIError):
                self._tell_refusals()
            self.problems.add(row.line, shown, self.write)
        if result.link_id is not None and result.url is not None:
            # Another field of the link's answer could not be read.
            outcome = RowOutcome.RECOVERED if result.recovered else RowOutcome.CREATED
        else:
            # DONE means that the link exists and its URL is not known: that too is to be looked up.
            is_lost = error.outcome in (Outcome.UNKNOWN, Outcome.DONE)
            outcome = RowOutcome.UNKNOWN if is_lost else RowOutcome.FAILED
        self._record(
            row,
            outcome,
            link_id=result.link_id,
            url=result.url,
            error=type(error).__name__,
            error_code=error.code if isinstance(error, APIError) else None,
            error_message=message,
        )

    def _record_cut(self, row: Row, error: PlexyPayError) -> None:
        """Record a row whose call the halt has ended; its line is named at the end."""
        outcome, message = RowOutcome.FAILED, told_of_cut(error, with_journal=self.journal is not None)
        if error.outcome not in (Outcome.NOT_SENT, Outcome.REJECTED):
            outcome = RowOutcome.UNKNOWN
            message += "" if self.journal is None else _LOOKED_UP_NEXT
        elif was_refused(error):
            self.refused.add(row.line)
        else:
            self.not_sent.add(row.line)
        if attempts := attempts_before(error):
            self.reasons.note(attempts[-1])
        message = without_secret(message, self.secret)
        self._record(row, outcome, error="Interrupted", error_message=message)

    def _tell_refusals(self) -> None:
        """Tell the refusals of single rows: an answer of another kind has shown that the key is accepted."""
        for line, shown in self._refusals:
            self.problems.add(line, shown, self.write)
        self._refusals.clear()

    def _abandon(self) -> None:
        """Record the rows of which no result will come."""
        message = _INTERRUPTED if self.journal is None else _INTERRUPTED + _LOOKED_UP_NEXT
        for _, row in sorted(self._under_way.items()):
            self._record(row, RowOutcome.UNKNOWN, error="Interrupted", error_message=message)
        self._under_way.clear()

    def _record(self, row: Row | BadRow, outcome: RowOutcome, **columns: Any) -> None:
        """Count a row, and write its line of the results with these other columns."""
        self.tally.outcomes[outcome] += 1
        if outcome is RowOutcome.UNKNOWN:
            self.unknown.add(row.line)
        if row.line in self.repeated_lines:
            self._settled[row.line] = outcome, columns
            for repeat in self._waiting.pop(row.line, ()):
                self._record_repeat(repeat, row.line)
        if self._results is None:
            return
        if isinstance(row, Row):
            request = row.request
            columns |= {
                "amount_major": in_major_units(request.amount, request.currency),
                "currency": request.currency,
                "description": request.description,
            }
        result = RowResult(line=row.line, order_reference=row.order_reference, outcome=outcome, **columns)
        try:
            self._results.write(result)
        except OSError as error:
            # What happened must not be lost: the rows under way are shown on the terminal instead.
            self.write(as_json(result))
            self.end(f"stopped: cannot write {self._results.path}: {error.strerror}")
