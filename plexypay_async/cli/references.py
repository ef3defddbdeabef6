"""Order references that occur more than once in an input.

Those that were seen are kept in a temporary database, so that an input of millions of rows takes no more
memory than a small one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import attrs

from .._files.sqlite_file import temporary_database
from .._wire.codec import OperationCodec
from ..api.payment_links import PaymentLink, PaymentLinks
from ..bulk.journal import digest_of
from ..errors import ConfigurationError
from .rows import BadRow, Row

__all__ = ["check_references", "check_repeats"]

_SCHEMA = "CREATE TABLE seen (reference TEXT PRIMARY KEY, line INTEGER, digest BLOB) WITHOUT ROWID"


def check_references(rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
    """Yield the rows as a journal takes them, with their encoded requests.

    A row without an order reference is a bad row, and so is one that repeats a reference with other content.
    One that repeats it with equal content has the line of the first in `repeats`.
    """
    codec = OperationCodec(PaymentLinks.create)
    with temporary_database(_SCHEMA) as database:
        for row in rows:
            yield row if isinstance(row, BadRow) else _checked(database, codec, row)


def _checked(database: sqlite3.Connection, codec: OperationCodec[PaymentLink], row: Row) -> Row | BadRow:
    reference = row.order_reference
    if reference is None:
        return BadRow(row.line, "order_reference", "is empty: a job with a journal needs one on every row")
    try:
        encoded = codec.encode(row.request, ordered=True)
    except ConfigurationError as error:
        return BadRow(row.line, None, str(error), reference)
    digest = digest_of(encoded.body)
    first, digest_of_first = _first(database, reference, row.line, digest)
    if digest_of_first == digest:
        return attrs.evolve(row, encoded=encoded, repeats=None if first == row.line else first)
    reason = f"is the same as in line {first}, and the rest of the row is not: correct one of the two"
    return BadRow(row.line, "order_reference", reason, reference)


def check_repeats(rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
    """Yield the rows of a job without a journal; one that repeats an order reference is a bad row."""
    with temporary_database(_SCHEMA) as database:
        for row in rows:
            reference = row.order_reference
            if isinstance(row, Row) and reference is not None:
                first, _ = _first(database, reference, row.line)
                if first != row.line:
                    reason = f"is the same as in line {first}: the server takes each order reference once"
                    yield BadRow(row.line, "order_reference", reason, reference)
                    continue
            yield row


def _first(
    database: sqlite3.Connection, reference: str, line: int, digest: bytes | None = None
) -> tuple[int, bytes | None]:
    """Return the line and digest of the first row with this reference, which may be this very row."""
    added = database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (reference, line, digest))
    if added.rowcount == 1:
        return line, digest
    first: tuple[int, bytes | None] = database.execute(
        "SELECT line, digest FROM seen WHERE reference = ?", (reference,)
    ).fetchone()
    return first
