"""SQLite files of the library's own, their transactions, and temporary databases.

A file is known by the application id in its header, and its format by the version there. It is private, as
`private_files` says. A Python without `sqlite3` can import this module.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import ConfigurationError
from .private_files import connect, make_private_database

if TYPE_CHECKING:
    import sqlite3

__all__ = ["SQLiteFile", "TemporaryFolderError", "atomically", "execute_all", "temporary_database"]


class TemporaryFolderError(Exception):
    """What is kept in a temporary database has no room; the message names the folder."""


@attrs.frozen(kw_only=True)
class SQLiteFile:
    """One file of a kind that this library makes.

    Args:
        path: The file; it need not exist.
        kind: What messages call it, before its path.
        application_id: The number in the header of every file of this kind, and of no other.
        version: The format that is read and written.
        schema: The statements that make an empty file one of this format.
        upgrades: For each older format that is still read, the statements that turn it into this one.
    """

    path: str | os.PathLike[str]
    kind: str
    application_id: int
    version: int
    schema: str = ""
    upgrades: Mapping[int, str] = attrs.Factory(dict[int, str])

    def connect(self, *, make: bool = True, **options: Any) -> sqlite3.Connection:
        """Open the file, or make an empty one; each statement commits by itself, except in `atomically`.

        Args:
            make: Whether one that is missing is made.
            options: As of `sqlite3.connect`.

        Raises:
            ConfigurationError: It cannot be opened, is a symbolic link, or belongs to another user.
        """
        import sqlite3

        try:
            return connect(self.path, make=make, isolation_level=None, **options)
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, FileNotFoundError) and not os.path.isdir(os.path.dirname(self.path) or "."):
                raise self.error("there is no such folder") from None
            raise self.error(getattr(error, "strerror", error)) from None

    def check_or_make(self, connection: sqlite3.Connection) -> None:
        """Refuse a file of another kind or format. Make an empty one, and upgrade an older one.

        Call it within a transaction: another process may be making the file at the same moment.

        Raises:
            ConfigurationError: It belongs to another program, or has a format that is not read.
            sqlite3.Error: It is damaged, or no SQLite file, or cannot be written.
        """
        application, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        if application == self.application_id:
            if version == self.version:
                return
            statements = self.upgrades.get(version)
            if statements is None:
                raise self.error(f"its format is {version}, and this plexypay reads {self.version}")
        # A process that was killed while it made the file leaves it empty, or an empty database.
        elif application or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise self.error("this SQLite file belongs to another program; it was left as it is")
        else:
            statements = self.schema
        execute_all(connection, statements)
        connection.execute(f"PRAGMA application_id = {self.application_id}")
        connection.execute(f"PRAGMA user_version = {self.version}")

    def make_private(self) -> None:
        """Take the rights of others to the file away; call it once a transaction has begun, or after one.

        Raises:
            ConfigurationError: It, or a file of SQLite's beside it, was replaced by one that is not private.
        """
        try:
            make_private_database(self.path)
        except OSError as error:
            raise self.error(error.strerror) from None

    def error(self, reason: object) -> ConfigurationError:
        """Return the error that says what is wrong with this file."""
        return ConfigurationError(f"{self.kind} {self.path}: {reason}")


@contextlib.contextmanager
def atomically(connection: sqlite3.Connection) -> Generator[None]:
    """Do several changes as one: all of them are in the file or none. One within another is part of it."""
    import sqlite3

    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has done it by itself after some errors, such as a full disk.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def temporary_database(schema: str) -> Generator[sqlite3.Connection]:
    """Open a database that is deleted when the block ends, within one transaction that never ends.

    Nothing in it can be undone. It is in memory while it is small, and moves to the disk as it grows, so that
    a file of millions of rows takes no more memory than a small one. Another thread may go on with it.

    Raises:
        TemporaryFolderError: Instead of what SQLite raises within the block.
    """
    import sqlite3

    try:
        # An empty name is SQLite's private on-disk database.
        connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        with contextlib.closing(connection):
            connection.execute("PRAGMA journal_mode = OFF")
            execute_all(connection, schema)
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise TemporaryFolderError(
            f"there is no room in the temporary folder {_temporary_folder()} ({error}): make some, or set"
            " TMPDIR to a folder with more"
        ) from None


def _temporary_folder() -> str:
    """Return the folder that SQLite takes, as it documents."""
    if os.name == "nt":
        return tempfile.gettempdir()
    given = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    for folder in (*given, "/var/tmp", "/usr/tmp", "/tmp"):  # noqa: S108
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return os.getcwd()


def execute_all(connection: sqlite3.Connection, statements: str) -> None:
    """Execute statements that a semicolon separates, as part of a transaction that is under way."""
    for statement in statements.split(";"):
        connection.execute(statement)
