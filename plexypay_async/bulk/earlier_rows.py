"""Which earlier row of a job one repeats.

A journal that was empty at the job's beginning tells it: every row in it is of this job. Of any other
journal the job keeps what it has claimed in a temporary database, since a row that an earlier run has claimed
keeps its number of that run. Without a journal the job keeps the order references of its rows: the latest in
memory, the others in a temporary database.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import sys
from collections.abc import Sequence

from .._files.sqlite_file import TemporaryFolderError, temporary_database
from ..errors import ConfigurationError
from .journal_format import Entry, State

__all__ = ["EarlierRows", "OrderReferences"]

KEPT_IN_MEMORY = 30_000
"""Order references; they take about 130 bytes each, and 170 where they have 25 characters."""
_MOVED_AT_ONCE = 500
_BITS = 1 << 23
"""Bits of the filter that knows most new references for new without a look into the database: a mebibyte."""

_SCHEMA = "CREATE TABLE claimed (reference TEXT PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID"


class EarlierRows:
    """The rows that a job has claimed, by their references.

    Args:
        is_first_job: Whether the journal was empty at the job's beginning.
    """

    def __init__(self, *, is_first_job: bool) -> None:
        self._is_first_job = is_first_job
        self._opened = contextlib.ExitStack()
        self._database: sqlite3.Connection | None = None
        self._failed = False

    def note(
        self, claims: Sequence[tuple[int, str, bytes]], entries: Sequence[Entry]
    ) -> Sequence[int | None]:
        """Note claimed rows; return for each the earlier row of this job that it repeats.

        Args:
            claims: (row, reference, digest) as they were claimed.
            entries: What the journal knew of each before.
        """
        if self._is_first_job:
            return [
                None if entry.state is None or entry.digest != digest else entry.row
                for (_, _, digest), entry in zip(claims, entries, strict=True)
            ]
        if not self._failed:
            try:
                return [
                    self._noted(row, reference, digest, entry)
                    for (row, reference, digest), entry in zip(claims, entries, strict=True)
                ]
            except (TemporaryFolderError, sqlite3.Error):
                # Without room for it, the job goes on: what is sent does not depend on it.
                self._failed = True
        return [None] * len(claims)

    def _noted(self, row: int, reference: str, digest: bytes, entry: Entry) -> int | None:
        is_other = entry.digest != digest
        if is_other and entry.state is not State.FAILED:
            # It is refused.
            return None
        database = self._database
        if database is None:
            database = self._database = self._opened.enter_context(temporary_database(_SCHEMA))
        how = "REPLACE" if is_other else "IGNORE"
        added = database.execute(f"INSERT OR {how} INTO claimed VALUES (?, ?)", (reference, row))  # noqa: S608
        if added.rowcount == 1:
            return None
        found: tuple[int] = database.execute(
            "SELECT row FROM claimed WHERE reference = ?", (reference,)
        ).fetchone()
        return found[0]

    def close(self) -> None:
        """Delete what was noted."""
        self._opened.close()


class OrderReferences:
    """The order references of a job without a journal, with the indexes of their rows.

    However many rows there are, it takes some 6 MiB. Where the temporary folder has no room, all stay in
    memory.
    """

    def __init__(self) -> None:
        self._latest: dict[str, int] = {}
        self._older = contextlib.ExitStack()
        self._database: sqlite3.Connection | None = None
        self._may_be_older = bytearray()
        self._most = KEPT_IN_MEMORY

    def first(self, reference: str, index: int) -> int:
        """Note a row's reference; return the index of the first row that has it, which may be this very row.

        Raises:
            ConfigurationError: The temporary database can no longer be read.
        """
        latest = self._latest
        first = latest.setdefault(reference, index)
        if first == index and (self._database is not None or len(latest) > self._most):
            return self._first_of_all(reference, index)
        return first

    def _first_of_all(self, reference: str, index: int) -> int:
        if len(self._latest) > self._most:
            self._move()
        database = self._database
        if database is None:
            return index
        place = hash(reference) % _BITS
        if self._may_be_older[place >> 3] >> (place & 7) & 1:
            try:
                found = database.execute(
                    "SELECT row FROM claimed WHERE reference = ?", (reference,)
                ).fetchone()
            except sqlite3.Error as error:
                raise ConfigurationError(
                    f"the order references of earlier rows, in the temporary folder, cannot be read: {error}"
                ) from None
            if found is not None:
                del self._latest[reference]
                return int(found[0])
        return index

    def _move(self) -> None:
        """Move the oldest references from memory into the database."""
        oldest = list(itertools.islice(self._latest.items(), _MOVED_AT_ONCE))
        try:
            if self._database is None:
                database = self._older.enter_context(temporary_database(_SCHEMA))
                self._database, self._may_be_older = database, bytearray(_BITS >> 3)
            self._database.executemany("INSERT OR REPLACE INTO claimed VALUES (?, ?)", oldest)
        except (TemporaryFolderError, sqlite3.Error):
            # What was moved before is still there. No further attempt: it would cost every row its time.
            self._most = sys.maxsize
            return
        latest, may_be_older = self._latest, self._may_be_older
        for reference, _ in oldest:
            place = hash(reference) % _BITS
            may_be_older[place >> 3] |= 1 << (place & 7)
            del latest[reference]

    def forget(self, reference: str) -> None:
        """Let the reference of a row for which nothing was made come again."""
        if self._latest.pop(reference, None) is None and self._database is not None:
            # Where it cannot be deleted, a further row with it is refused: none is sent twice.
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("DELETE FROM claimed WHERE reference = ?", (reference,))

    def close(self) -> None:
        """Delete what was noted."""
        self._older.close()
