"""The SQLite database that holds what the sandbox knows.

The calls are made straight in the event loop: each takes microseconds, where a hop to a thread would take
more, and no two of them overlap. A file survives the sandbox, killed or stopped, though not a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from ..errors import ConfigurationError
from ..private_files import connect, make_private_database

__all__ = ["atomically", "open_database"]

_APPLICATION_ID = 0x506C7850
_VERSION = 1
_NO_FILE = ("", ":memory:")
"""Names of SQLite's own: a private database on the disk, deleted when it is closed, and one in memory."""


def open_database(path: str | os.PathLike[str] | None, schemas: Iterable[str]) -> sqlite3.Connection:
    """Open the database at `path`, or one in memory, with the tables of `schemas` in it.

    The connection commits each statement by itself. It may be read from other threads.

    Raises:
        ConfigurationError: The file is no sandbox's database, or of another version of it; or it is a
            symbolic link or another user's, or cannot be made.
        sqlite3.OperationalError: It cannot be opened.
    """
    connection = _connect(path)
    try:
        _check(connection, path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_VERSION}")
        for schema in schemas:
            connection.executescript(schema)
        if path is not None and path not in _NO_FILE:
            make_private_database(path)
    except OSError as error:
        connection.close()
        raise ConfigurationError(f"database: {path}: {error.strerror}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: str | os.PathLike[str] | None) -> sqlite3.Connection:
    if path is None or path in _NO_FILE:
        name = ":memory:" if path is None else path
        return sqlite3.connect(name, isolation_level=None, check_same_thread=False)
    try:
        return connect(path, isolation_level=None, check_same_thread=False)
    except OSError as error:
        raise ConfigurationError(f"database: {path}: {error.strerror}") from None


@contextmanager
def atomically(connection: sqlite3.Connection) -> Generator[None]:
    """Do several changes as one: all of them are in the file or none. One within another is part of it."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: str | os.PathLike[str] | None) -> None:
    try:
        (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        raise ConfigurationError(f"database: {path} is not an SQLite database") from None
    if tables and application != _APPLICATION_ID:
        raise ConfigurationError(f"database: {path} is not a sandbox's database")
    if tables and version != _VERSION:
        raise ConfigurationError(
            f"database: {path} is of version {version} of the sandbox's tables, this is version {_VERSION}"
        )
