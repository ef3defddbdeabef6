"""Order references that are the same number, written with other zeros at the front.

A spreadsheet reads ``000123`` as a number and exports ``123``. In a job with a journal that is the dangerous
case: the order has a link under its reference with the zeros, and would get a second one. References with a
letter or another mark in them are texts to a spreadsheet, and keep their zeros.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Self

from .._files.sqlite_file import temporary_database
from ..bulk.journal import Journal
from ..bulk.journal_format import State
from .rows import BadRow, Row

__all__ = ["KnownNumbers", "as_number"]

_SCHEMA = """
CREATE TABLE known (number TEXT, reference TEXT, has_link INTEGER, PRIMARY KEY (number, reference))
 WITHOUT ROWID;
CREATE TABLE in_file (number TEXT PRIMARY KEY) WITHOUT ROWID
"""
_OTHER = (
    "the journal knows {known!r}, which differs in zeros at the front alone: a spreadsheet may have dropped"
    " them, and this order would get a second link. Write {known} if it is that order (format the column as"
    " text), or give it a reference that differs in more"
)


def as_number(reference: str) -> str | None:
    """Return a reference of digits without the zeros at its front; None for any other."""
    return (reference.lstrip("0") or "0") if reference.isascii() and reference.isdecimal() else None


class KnownNumbers:
    """The references of digits that a journal knew at a job's beginning.

    They are in a temporary database, so that a journal of millions of rows takes no more memory than a small
    one. It is made on one thread and asked on another.
    """

    def __init__(self) -> None:
        self._opened = contextlib.ExitStack()
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def note(self, journal: Journal) -> None:
        """Take what an open journal knows; call it on the journal's thread.

        Raises:
            TemporaryFolderError: The temporary folder has no room.
        """
        database = self._opened.enter_context(temporary_database(_SCHEMA))
        database.executemany(
            "INSERT INTO known VALUES (?, ?, ?)",
            (
                (number, reference, state is not State.FAILED)
                for reference, state in journal.references_of_digits()
                if (number := as_number(reference)) is not None
            ),
        )
        self._database = database

    def checked(self, row: Row | BadRow) -> Row | BadRow:
        """Return a row, or the bad row of one whose order may have a link under another spelling.

        Where an earlier row of the file, which can be sent, has a spelling that the journal knows, whoever
        reads the file sees both: it is warned of, and neither is refused.
        """
        database, reference = self._database, row.order_reference
        if database is None or isinstance(row, BadRow) or reference is None:
            return row
        number = as_number(reference)
        if number is None:
            return row
        known: list[tuple[str, int]] = database.execute(
            "SELECT reference, has_link FROM known WHERE number = ?", (number,)
        ).fetchall()
        others = [each for each, has_link in known if has_link]
        if any(each == reference for each, _ in known):
            database.execute("INSERT OR IGNORE INTO in_file VALUES (?)", (number,))
            return row
        if not others or database.execute("SELECT 1 FROM in_file WHERE number = ?", (number,)).fetchone():
            return row
        return BadRow(row.line, "order_reference", _OTHER.format(known=others[0]), reference)
