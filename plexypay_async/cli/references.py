"""Order references in a job with a journal: every row has one, and equal references mean equal rows."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator

import attrs

from ..api.payment_links import PaymentLink, PaymentLinks
from ..bulk.journal import digest_of
from ..codec import OperationCodec
from ..errors import ConfigurationError
from .rows import BadRow, Row

__all__ = ["check_references"]


def check_references(rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
    """Yield the rows as a journal takes them.

    A row without an order reference is a bad row, and so is one that repeats a reference with other content;
    it names the first one's line. One that repeats it with equal content knows the first one's line.

    The references are kept in a temporary SQLite database, which moves to the disk as it grows.
    """
    codec = OperationCodec(PaymentLinks.create)
    # An empty name is SQLite's private on-disk database, deleted when it is closed. Rows of a pipe are read
    # by a thread, and what is left of them is dropped by another.
    with contextlib.closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute(
            "CREATE TABLE seen (reference TEXT PRIMARY KEY, line INTEGER, digest BLOB) WITHOUT ROWID"
        )
        database.execute("BEGIN")
        for row in rows:
            yield row if isinstance(row, BadRow) else _checked(database, codec, row)


def _checked(database: sqlite3.Connection, codec: OperationCodec[PaymentLink], row: Row) -> Row | BadRow:
    reference = row.request.order_reference
    if reference is None:
        return BadRow(row.line, "order_reference", "is empty: a job with a journal needs one on every row")
    try:
        digest = digest_of(codec.encode(row.request).body or b"{}")
    except ConfigurationError as error:
        return BadRow(row.line, None, str(error), reference)
    added = database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (reference, row.line, digest))
    if added.rowcount == 1:
        return row
    line, first = database.execute(
        "SELECT line, digest FROM seen WHERE reference = ?", (reference,)
    ).fetchone()
    if first == digest:
        return attrs.evolve(row, repeats=line)
    return BadRow(
        row.line,
        "order_reference",
        f"is the same as in line {line}, and the rest of the row is not: correct one of the two",
        reference,
    )
