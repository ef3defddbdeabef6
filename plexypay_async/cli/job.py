"""One bulk job: rows in, payment links and results out, in constant memory."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from typing import cast

from .._privacy.secret import Secret
from ..api.payment_links import BulkResult, CreatePaymentLink
from ..bulk.intake import EncodedLink
from ..bulk.journal import Journal
from ..client import AsyncPlexyPay
from ..errors import APIError, AuthenticationError, Outcome, PermissionDeniedError, PlexyPayError
from .account import without_secret
from .background import iterate_in_thread
from .exits import UnusableInputError
from .report import Problems, Tally
from .results import ResultsFile, RowOutcome, RowResult, as_json
from .rows import BadRow, Row

__all__ = ["BulkCreateJob"]

_REFUSALS = AuthenticationError, PermissionDeniedError
"""Told of their rows once another answer has come: else they are of the key, and told once."""

_ROWS_PER_TURN = 100
"""Bad rows after which other tasks get a turn: reading them waits for nothing."""

_INTERRUPTED = "stopped while it was under way: it may have been sent"
_LOOKED_UP_NEXT = "; the next run with this journal looks for it first"


class BulkCreateJob:
    """Create a link for every row that can be sent, and record what became of each row.

    Args:
        rows: The input's rows.
        tally: The sums to keep.
        problems: Where bad and failed rows are told.
        journal: The opened journal, if there is one; it is closed by whoever opened it.
        open_results: Makes the results file, if one is wanted; called once it is sure that the job can begin.
        secret: The API key, which is struck from every text that the server sends.
        in_thread: Whether reading a row may block, as it does on a pipe.
        write: Writes a line to the user.
    """

    def __init__(
        self,
        rows: Iterator[Row | BadRow],
        *,
        tally: Tally,
        problems: Problems,
        journal: Journal | None,
        open_results: Callable[[], ResultsFile] | None,
        secret: Secret[str],
        in_thread: bool,
        write: Callable[[str], None],
    ) -> None:
        self._rows = rows
        self._tally = tally
        self._problems = problems
        self._journal = journal
        self._open_results = open_results
        self._results: ResultsFile | None = None
        self._secret = secret
        self._in_thread = in_thread
        self._write = write
        self._under_way: dict[int, Row] = {}
        self._stack = AsyncExitStack()
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun = False
        self._refusals: list[tuple[int, str]] = []
        self.not_sent = 0
        """How many rows were read and not sent, since the job had ended."""
        self.ended_by: str | None = None
        """Why no more rows are taken, if that is so before the input's end."""
        self.last_line = 0
        """Where the last row begins that was taken; the rows behind it were not attempted."""

    async def run(
        self,
        client: AsyncPlexyPay,
        *,
        concurrency: int | None,
        max_rate: float | None,
        timeout: float,
    ) -> None:
        """Work through all rows; the arguments are those of `create_many`.

        When it is cancelled, the rows under way are recorded as unknown: their requests may have been sent.

        Raises:
            UnusableInputError: The job cannot begin, because of its journal or its results; nothing was sent.
        """
        failure: str | None = None
        try:
            async with (
                aclosing(self._requests()) as requests,
                aclosing(
                    client.payment_links.create_many(
                        cast("AsyncIterable[CreatePaymentLink]", requests),
                        concurrency=concurrency,
                        max_rate=max_rate,
                        journal=self._journal,
                        timeout=timeout,
                    )
                ) as results,
            ):
                async for result in results:
                    self._settle(result)
        except UnusableInputError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, what became of the rows is told
            message = without_secret(str(error), self._secret)
            if not self._begun and isinstance(error, (PlexyPayError, sqlite3.Error)):
                failure = message
            else:
                self.end(f"stopped: {_why(error, message)}")
                if isinstance(error, _REFUSALS):
                    # Every row would say the same: it is said once, with the job's end.
                    self._refusals.clear()
        finally:
            self._abandon()
            self._tell_refusals()
            await self._stack.aclose()
        # Out of the handler, for the error not to have the other one, with its frames, as its context.
        if failure is not None:
            raise UnusableInputError(failure)

    def end(self, reason: str) -> None:
        """Take no more rows; those under way come to their end. The first reason stays."""
        if self.ended_by is None:
            self.ended_by = reason
            if not self._stopping.done():
                # The input may be a pipe that never sends another row.
                self._stopping.set_result(None)

    @property
    def under_way(self) -> int:
        """How many rows were taken and are not settled."""
        return len(self._under_way)

    async def _requests(self) -> AsyncGenerator[CreatePaymentLink | EncodedLink]:
        """Yield what can be sent; tell and record what cannot."""
        # The first row is asked for when the journal is known to be this account's: until then, results of
        # an earlier run, or of one that holds the journal now, stay as they are.
        self._begun = True
        if self._open_results is not None:
            self._results = self._stack.enter_context(self._open_results())
        index = 0
        rows = self._rows_apart() if self._in_thread else self._rows_here()
        try:
            async with aclosing(rows):
                async for row in rows:
                    if self.ended_by is not None:
                        return
                    self.last_line = row.line
                    if isinstance(row, BadRow):
                        self._reject(row)
                    else:
                        self._under_way[index] = row
                        index += 1
                        yield row.request if row.encoded is None else EncodedLink(row.request, row.encoded)
        except OSError as error:
            self.end(f"stopped: cannot read the input any further: {error.strerror}")

    def _rows_apart(self) -> AsyncGenerator[Row | BadRow]:
        return iterate_in_thread(self._rows, until=self._stopping)

    async def _rows_here(self) -> AsyncGenerator[Row | BadRow]:
        bad = 0
        for row in self._rows:
            if isinstance(row, BadRow):
                bad += 1
                if bad % _ROWS_PER_TURN == 0:
                    await asyncio.sleep(0)
            yield row

    def _reject(self, row: BadRow) -> None:
        self._problems.add(row.line, row.explanation, self._write)
        self._record(
            RowResult(
                line=row.line,
                order_reference=row.order_reference,
                outcome=RowOutcome.INVALID,
                error_message=row.explanation,
            )
        )

    def _settle(self, result: BulkResult) -> None:
        row = self._under_way.pop(result.index)
        self._tally.retries += result.retries
        if result.link is not None:
            self._tell_refusals()
            self._record(
                RowResult(
                    line=row.line,
                    order_reference=row.request.order_reference,
                    outcome=self._outcome_of_link(row, result),
                    link_id=result.link.id,
                    url=result.link.url,
                )
            )
        elif result.error is not None:
            self._settle_failed(row, result.index, result.error)

    def _outcome_of_link(self, row: Row, result: BulkResult) -> RowOutcome:
        if row.repeats is not None:
            return RowOutcome.REPEATED
        if result.from_journal:
            return RowOutcome.JOURNAL
        return RowOutcome.RECOVERED if result.recovered else RowOutcome.CREATED

    def _settle_failed(self, row: Row, index: int, error: PlexyPayError) -> None:
        reference = row.request.order_reference
        # Its line is told before it.
        message = without_secret(str(error), self._secret).removeprefix(f"row {index}: ")
        shown = message if reference is None else f"order {reference}: {message}"
        if _is_not_sent(error):
            self.not_sent += 1
        elif isinstance(error, _REFUSALS):
            self._refusals.append((row.line, shown))
        else:
            if isinstance(error, APIError):
                self._tell_refusals()
            self._problems.add(row.line, shown, self._write)
        self._record(
            RowResult(
                line=row.line,
                order_reference=reference,
                outcome=_outcome_of(error),
                error=type(error).__name__,
                error_code=error.code if isinstance(error, APIError) else None,
                error_message=message,
            )
        )

    def _tell_refusals(self) -> None:
        """Tell the refusals that turned out to be about their rows."""
        for line, shown in self._refusals:
            self._problems.add(line, shown, self._write)
        self._refusals.clear()

    def _abandon(self) -> None:
        """Record the rows of which no result will come."""
        for index in sorted(self._under_way):
            row = self._under_way[index]
            self._record(
                RowResult(
                    line=row.line,
                    order_reference=row.request.order_reference,
                    outcome=RowOutcome.UNKNOWN,
                    error="Interrupted",
                    error_message=_INTERRUPTED if self._journal is None else _INTERRUPTED + _LOOKED_UP_NEXT,
                )
            )
        self._under_way.clear()

    def _record(self, result: RowResult) -> None:
        self._tally.count(result.outcome)
        if self._results is None:
            return
        try:
            self._results.write(result)
        except OSError as error:
            # What happened must not be lost: the rows under way are told on the terminal instead.
            self._write(as_json(result))
            self.end(f"stopped: cannot write {self._results.path}: {error.strerror}")


def _is_not_sent(error: PlexyPayError) -> bool:
    return type(error) is PlexyPayError and error.outcome is Outcome.NOT_SENT


def _why(error: Exception, message: str) -> str:
    if isinstance(error, _REFUSALS):
        return f"the server refuses the API key: {message}"
    return (
        message if isinstance(error, (PlexyPayError, sqlite3.Error)) else f"{type(error).__name__}: {message}"
    )


def _outcome_of(error: PlexyPayError) -> RowOutcome:
    # DONE means that the link exists and its address is not known: that too is to be looked up.
    return RowOutcome.UNKNOWN if error.outcome in (Outcome.UNKNOWN, Outcome.DONE) else RowOutcome.FAILED
