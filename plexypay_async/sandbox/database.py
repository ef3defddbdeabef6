"""The SQLite database that holds what the sandbox knows.

Calls are made directly on the event loop: each takes microseconds, less than the way to another thread and
back, and no two overlap. A file survives the stop or the end of the process, but not a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable

from .._files.sqlite_file import SQLiteFile, atomically

__all__ = ["open_database"]

_APPLICATION_ID = 0x506C7850
_VERSION = 1
_NO_FILE = ("", ":memory:")
"""SQLite's names for a private database on the disk, deleted when it is closed, and for one in memory."""


def open_database(path: str | os.PathLike[str] | None, schemas: Iterable[str]) -> sqlite3.Connection:
    """Open the database at `path`, or one in memory, with the tables of `schemas` in it.

    The connection commits each statement by itself. It may be read from other threads.

    Raises:
        ConfigurationError: The file is no sandbox's database, or of another version of it; or it is a
            symbolic link or another user's, or cannot be made.
        sqlite3.OperationalError: It cannot be written.
    """
    if path is None or path in _NO_FILE:
        file = None
        name = ":memory:" if path is None else path
        connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
    else:
        file = SQLiteFile(path=path, kind="database", application_id=_APPLICATION_ID, version=_VERSION)
        connection = file.connect(check_same_thread=False)
    try:
        if file is not None:
            _check_or_make(file, connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        for schema in schemas:
            connection.executescript(schema)
        if file is not None:
            file.make_private()
    except BaseException:
        connection.close()
        raise
    return connection


def _check_or_make(file: SQLiteFile, connection: sqlite3.Connection) -> None:
    try:
        with atomically(connection):
            file.check_or_make(connection)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        raise file.error("it is not an SQLite database") from None
