"""The question at a terminal before a job sends anything, with a summary of what the file holds.

It is asked of people alone: in a pipe or from cron nobody would answer.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator
from typing import Self
from urllib.parse import urlsplit

import attrs

from ..bulk.journal import Journal
from ..bulk.journal_format import digest_of
from ..errors import ConfigurationError, PlexyPayError
from ..pay.description import PAY
from ..settings import chosen_base_url
from .exits import UnusableInputError
from .leading_zeros import KnownNumbers
from .rows import BadRow, Row
from .source import Source
from .summary import FileSummary
from .terminal import ask, has_somebody_to_ask, tell

__all__ = ["Confirmation", "JournalRows", "journal_rows"]

_MOST_SUMS = 3
"""Currencies whose sums are in the question; the summary above it has all."""


@attrs.frozen
class Confirmation:
    """Asks whether the links of a file are to be created.

    Args:
        source: The opened input.
        host: Where the links would be created.
        journal_path: The journal, if there is one.
    """

    source: Source
    host: str
    journal_path: str | None

    @classmethod
    def at_terminal(cls, source: Source, *, base_url: str | None, journal_path: str | None) -> Self | None:
        """Return what asks; None where nobody is there to answer, or the input is no file.

        Args:
            source: The input as it was opened, before it is spooled.
            base_url: The API's address; None leaves it to the environment.
            journal_path: The journal, if there is one.

        Raises:
            UnusableInputError: The API's address cannot be used.
        """
        if not (source.repeatable and has_somebody_to_ask()):
            return None
        try:
            host = urlsplit(chosen_base_url(base_url, PAY)).netloc
        except ConfigurationError as error:
            raise UnusableInputError(str(error)) from None
        return cls(source, host, journal_path)

    def confirm(self, summary: FileSummary) -> None:
        """Show the summary of the input, and ask; return where the job is to begin.

        A file of which no row can be sent is not asked about.

        Raises:
            UnusableInputError: It was not answered with yes, or the file has changed since it was opened;
                nothing was sent.
        """
        if summary.links and not self._agreed(summary):
            raise UnusableInputError("not confirmed: nothing was sent")
        if (change := self.source.change()) is not None:
            raise UnusableInputError(
                f"{change}; nothing was sent: run the command again to see what it holds"
            )

    def _agreed(self, summary: FileSummary) -> bool:
        try:
            summary.tell(("sent to", self.host), to_error=True)
            goes_on = _has_begun(self.journal_path)
            if goes_on:
                done = "what it has done is not made again"
                if summary.is_done is not None:
                    done = f"{summary.done:,} of {summary.links:,} are done by the journal"
                    done += ": nothing is left to make" if summary.done == summary.links else ""
                tell(f"plexypay: the job of {self.journal_path} goes on: {done}")
            return ask(f"{_question(summary, goes_on=goes_on)} [y/N]").lower() in ("y", "yes")
        except OSError:
            # The terminal is gone.
            return False


@attrs.define
class JournalRows:
    """What an open journal tells of a file's rows before any is sent."""

    _journal: Journal
    _numbers: KnownNumbers
    is_known: bool = False
    """Whether it knows one of those that were looked at, or nothing at all."""

    def checked(self, row: Row | BadRow) -> Row | BadRow:
        """Return a row as the job will take it: a bad one where its order has a link under other zeros."""
        if not self.is_known and row.order_reference is not None:
            with contextlib.suppress(sqlite3.Error):
                self.is_known = self._journal.knows(row.order_reference)
        return self._numbers.checked(row)

    def is_done(self, row: Row) -> bool:
        """Tell whether it has a row's link."""
        if row.order_reference is None or row.encoded is None:
            return False
        with contextlib.suppress(sqlite3.Error):
            return self._journal.is_done(row.order_reference, digest_of(row.encoded.body))
        return False


@contextlib.contextmanager
def journal_rows(journal_path: str | None, *, alone: bool = False) -> Generator[JournalRows | None]:
    """Yield what a journal tells of rows; None without a journal that can be read.

    Args:
        journal_path: The journal, if there is one.
        alone: Whether no job begins after that, which would tell what is wrong with the journal.

    Raises:
        TemporaryFolderError: The temporary folder has no room.
    """
    if journal_path is None or not _has_begun(journal_path):
        yield None
        return
    with Journal(journal_path) as journal, KnownNumbers() as numbers:
        try:
            journal.open(make=False)
            numbers.note(journal)
            is_known = journal.is_empty()
        except (PlexyPayError, sqlite3.Error) as error:
            if alone:
                where = "" if isinstance(error, PlexyPayError) else f"journal {journal_path}: "
                tell(f"plexypay: warning: {where}{error}; the rows were not compared with it")
            yield None
            return
        yield JournalRows(journal, numbers, is_known)


def _has_begun(journal_path: str | None) -> bool:
    return journal_path is not None and os.path.exists(journal_path) and os.path.getsize(journal_path) > 0


def _question(summary: FileSummary, *, goes_on: bool) -> str:
    left = summary.links - summary.done
    if not left:
        return "Write their links into the results again?"
    other = "other " if summary.done else ""
    links = f"{left:,} {other}payment {'link' if left == 1 else 'links'}"
    sums = summary.sums
    if len(sums) > _MOST_SUMS:
        told = f"sums in {len(sums)} currencies"
    else:
        told = " and ".join(each for each in (", ".join(sums[:-1]), sums[-1]) if each)
    return f"{'Go on with' if goes_on else 'Create'} {links} for {told}?"
