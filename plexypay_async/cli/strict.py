"""``--strict``: every row is checked before the first request."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator

from .rows import BadRow, Row

__all__ = ["check_rows"]


def check_rows(rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
    """Yield the rows, a repeated order reference as a bad row that names the first one's line.

    Only a whole file can be checked for that. The references are kept in a temporary SQLite database, which
    moves to the disk as it grows, so that a file of millions of rows takes no more memory than a small one.
    """
    # An empty name is SQLite's private on-disk database, deleted when it is closed.
    with contextlib.closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("CREATE TABLE seen (reference TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        database.execute("BEGIN")
        for row in rows:
            yield row if isinstance(row, BadRow) else _unless_seen(database, row)


def _unless_seen(database: sqlite3.Connection, row: Row) -> Row | BadRow:
    reference = row.request.order_reference
    if reference is None:
        return row
    added = database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (reference, row.line))
    if added.rowcount == 1:
        return row
    (first,) = database.execute("SELECT line FROM seen WHERE reference = ?", (reference,)).fetchone()
    return BadRow(
        row.line,
        "order_reference",
        f"is the same as in line {first}: the server takes each order reference once",
        reference,
    )
