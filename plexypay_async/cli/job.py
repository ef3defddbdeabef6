"""One bulk job: rows in, payment links and results out, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

from ..api.payment_links import CreatePaymentLink
from ..bulk import BulkResult, create_each
from ..client import AsyncPlexyPay
from ..errors import APIError, AuthenticationError, Outcome, PermissionDeniedError, PlexyPayError
from .background import iterate_in_thread
from .report import Problems, Tally
from .results import ResultsFile, RowOutcome, RowResult, as_json
from .rows import BadRow, Row

__all__ = ["BulkJob"]

_REFUSALS_IN_A_ROW = 3
"""After so many 401 or 403 answers and no other answer between, the key and not the row is at fault."""

_ROWS_PER_TURN = 100
"""Bad rows after which other tasks get a turn: reading them waits for nothing."""

_SHORTEST_SECRET = 4

_INTERRUPTED = "stopped while it was under way: it may have been sent"


class BulkJob:
    """Create a link for every row that can be sent, and record what became of each row.

    Args:
        rows: The input's rows.
        tally: The sums to keep.
        problems: Where bad and failed rows are told.
        results: The results file, if one is wanted; it is closed by whoever opened it.
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
        results: ResultsFile | None,
        secret: str,
        in_thread: bool,
        write: Callable[[str], None],
    ) -> None:
        self._rows = rows
        self._tally = tally
        self._problems = problems
        self._results = results
        self._secret = secret
        self._in_thread = in_thread
        self._write = write
        self._under_way: dict[int, Row] = {}
        self._refusals: list[tuple[int, str]] = []
        self._refused_key = False
        self.ended_by: str | None = None
        """Why no more rows are taken, if that is so before the input's end."""
        self.last_line = 0
        """Where the last row begins that was taken; the rows behind it were not attempted."""

    async def run(self, client: AsyncPlexyPay, concurrency: int) -> None:
        """Work through all rows, `concurrency` links at a time.

        When it is cancelled, the rows under way are recorded as unknown: their requests may have been sent.
        """
        try:
            async with (
                aclosing(self._requests()) as requests,
                aclosing(create_each(client, requests, concurrency=concurrency)) as results,
            ):
                async for result in results:
                    self._settle(result)
                    if self.ended_by is not None and not self._under_way:
                        # The input may be a pipe that never sends another row.
                        break
        finally:
            self._abandon()
            self._tell_refusals()

    def end(self, reason: str) -> None:
        """Take no more rows; those under way come to their end. The first reason stays."""
        if self.ended_by is None:
            self.ended_by = reason

    async def _requests(self) -> AsyncGenerator[CreatePaymentLink]:
        """Yield what can be sent; tell and record what cannot."""
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
                        yield row.request
        except OSError as error:
            self.end(f"stopped: cannot read the input any further: {error.strerror}")

    def _rows_apart(self) -> AsyncGenerator[Row | BadRow]:
        return iterate_in_thread(self._rows)

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
                    outcome=RowOutcome.RECOVERED if result.recovered else RowOutcome.CREATED,
                    link_id=result.link.id,
                    url=result.link.url,
                )
            )
        elif result.error is not None:
            self._settle_failed(row, result.error)

    def _settle_failed(self, row: Row, error: PlexyPayError) -> None:
        reference = row.request.order_reference
        message = self._without_secret(str(error))
        shown = message if reference is None else f"order {reference}: {message}"
        if isinstance(error, (AuthenticationError, PermissionDeniedError)):
            self._count_refusal(row.line, shown, message)
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

    def _without_secret(self, text: str) -> str:
        # A server may quote the key that it refuses. A key of a few letters is none, and part of other words.
        return text.replace(self._secret, "[API key]") if len(self._secret) >= _SHORTEST_SECRET else text

    def _count_refusal(self, line: int, shown: str, message: str) -> None:
        if self._refused_key:
            return
        self._refusals.append((line, shown))
        if len(self._refusals) >= _REFUSALS_IN_A_ROW:
            # Every row would say the same: it is said once, when the job ends.
            self._refused_key = True
            self._refusals.clear()
            self.end(f"stopped: the server refuses the API key: {message}")

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
                    error_message=_INTERRUPTED,
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


def _outcome_of(error: PlexyPayError) -> RowOutcome:
    # DONE means that the link exists and its address is not known: that too is to be looked up.
    return RowOutcome.UNKNOWN if error.outcome in (Outcome.UNKNOWN, Outcome.DONE) else RowOutcome.FAILED
