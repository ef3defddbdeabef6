"""The order of the input for results that were written as rows ended."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import BinaryIO

from .._files.private_files import open_private
from .._files.sqlite_file import TemporaryFolderError, temporary_database

__all__ = ["READ_AT_ONCE", "LineOrder"]

_SCHEMA = "CREATE TABLE places (line INTEGER, place INTEGER, length INTEGER)"
_NOTED_AT_ONCE = 1000
READ_AT_ONCE = 1 << 15
"""Bytes. Rows end near each other that stand near each other in the input: one reading serves many."""


class LineOrder:
    """Where each line's result stands in a file, so that the file can be copied in the input's order.

    The places are kept in a temporary database. Without room for it, the order stays as it is.
    """

    def __init__(self) -> None:
        self._beginning = 0
        self._end = 0
        self._last_line = 0
        self._is_ordered = True
        self._opened = contextlib.ExitStack()
        self._database: sqlite3.Connection | None = None
        self._places: list[tuple[int, int, int]] = []
        self.failure: str | None = None
        """Why the input's order cannot be told."""

    def begin(self, length: int) -> None:
        """Note how many bytes stand before the first result."""
        self._beginning = self._end = length

    def note(self, line: int, length: int) -> None:
        """Note the next result in the file: the line that it is about, and its bytes."""
        self._places.append((line, self._end, length))
        self._end += length
        self._is_ordered = self._is_ordered and line >= self._last_line
        self._last_line = line
        if len(self._places) >= _NOTED_AT_ONCE:
            self._keep()

    def _keep(self) -> None:
        if self.failure is None:
            try:
                if self._database is None:
                    self._database = self._opened.enter_context(temporary_database(_SCHEMA))
                self._database.executemany("INSERT INTO places VALUES (?, ?, ?)", self._places)
            except (TemporaryFolderError, sqlite3.Error) as error:
                self.failure = str(error)
        self._places.clear()

    @property
    def is_kept(self) -> bool:
        """Whether the results stand in the input's order already."""
        return self._is_ordered

    def copy(self, source: BinaryIO, path: str) -> os.stat_result:
        """Make a private file of this name with the results in the input's order; it is durable then.

        Returns:
            Which file it is.

        Raises:
            OSError: It cannot be made, or the source is shorter than what was noted; nothing is left of it.
            TemporaryFolderError: The order cannot be read.
        """
        self._keep()
        if self.failure is not None or self._database is None:
            raise TemporaryFolderError(self.failure)
        with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as target:
            try:
                self._write(self._database, source, target)
                target.flush()
                os.fsync(target.fileno())
                return os.fstat(target.fileno())
            except BaseException as error:
                with contextlib.suppress(OSError):
                    os.unlink(path)
                if isinstance(error, sqlite3.Error):
                    raise TemporaryFolderError(str(error)) from None
                raise

    def _write(self, database: sqlite3.Connection, source: BinaryIO, target: BinaryIO) -> None:
        source.seek(0)
        target.write(_read(source, self._beginning))
        # The place settles it where a line has several results.
        for place, length in database.execute("SELECT place, length FROM places ORDER BY line, place"):
            source.seek(place)
            target.write(_read(source, length))

    def close(self) -> None:
        """Delete what was noted."""
        self._opened.close()


def _read(source: BinaryIO, length: int) -> bytes:
    data = source.read(length)
    if len(data) < length:
        raise OSError(None, "the results are shorter than what was written")
    return data
