"""Which earlier row of a job one repeats, where the earlier one has ended already.

A journal that was empty at the job's beginning tells it: every row in it is of this job. Of any other
journal the job keeps what it has claimed in a temporary database, since a row that an earlier run has claimed
keeps its number of that run.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence

from .._files.sqlite_file import TemporaryFolderError, temporary_database
from .journal import Entry, State

__all__ = ["EarlierRows"]

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
