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
from ..bulk.journal_format import digest_of
from ..errors import ConfigurationError
from ..pay.payment_links import PaymentLink, PaymentLinks
from .leading_zeros import as_number
from .rows import BadRow, Row

__all__ = ["check_references"]

_COLUMN = "order_reference"
_OF_BAD_ROW = b""
"""In the place of a digest: no row has the same content."""
_SCHEMA = """
CREATE TABLE seen (reference TEXT PRIMARY KEY, line INTEGER, digest BLOB) WITHOUT ROWID;
CREATE TABLE numbers (number TEXT PRIMARY KEY, reference TEXT, line INTEGER) WITHOUT ROWID
"""


def check_references(
    rows: Iterable[Row | BadRow], *, required: str | None, keep_repeats: bool = True
) -> Iterator[Row | BadRow]:
    """Yield the rows as a job takes them, with their encoded requests.

    A row that repeats an order reference with other content is a bad row, and so is one that repeats a bad
    row's. Of a reference of digits, the line of an earlier one that differs in zeros at the front alone is
    noted: a spreadsheet drops such zeros, and keeps those behind a letter.

    Args:
        rows: The input's rows.
        required: What to tell of a row without an order reference; None takes it.
        keep_repeats: Whether a row that repeats a reference with equal content is a row, with the line of the
            first in `repeats`; else it is a bad row.
    """
    codec = OperationCodec(PaymentLinks.create)
    with temporary_database(_SCHEMA) as database:
        for row in rows:
            if isinstance(row, BadRow):
                yield _checked_bad(database, row, required)
            elif row.order_reference is not None:
                checked = _checked(database, codec, row, row.order_reference)
                yield checked if keep_repeats or checked.repeats is None else _repeated(checked)
            else:
                yield (
                    row if required is None else BadRow(row.line, "order_reference", f"is empty: {required}")
                )


def _checked_bad(database: sqlite3.Connection, row: BadRow, required: str | None) -> BadRow:
    """Add what is wrong with a bad row's order reference, so that it is told with the rest."""
    if row.order_reference is not None:
        # Which of the rows with its reference is the order's, nobody knows.
        first, _ = _first(database, row.order_reference, row.line, _OF_BAD_ROW)
        if first != row.line:
            return _with_fault(row, f"is the same as in line {first}: give it a reference of its own")
        same = _same_but_zeros(database, row.order_reference, row.line)
        return row if same is None else attrs.evolve(row, same_but_zeros=same)
    if row.lacks_reference and required is not None:
        return _with_fault(row, f"is empty: {required}")
    return row


def _with_fault(row: BadRow, told: str) -> BadRow:
    return attrs.evolve(row, reason=f"{row.reason}; column {_COLUMN}: {told}", not_utf_8=False)


def _repeated(row: Row | BadRow) -> BadRow:
    reason = (
        f"is the same as in line {row.repeats}, and so is the rest of the row: remove it, give it a reference"
        " of its own, or give --allow-repeats if the repeat is meant"
    )
    return BadRow(row.line, _COLUMN, reason, row.order_reference, row.repeats)


def _checked(
    database: sqlite3.Connection, codec: OperationCodec[PaymentLink], row: Row, reference: str
) -> Row | BadRow:
    try:
        encoded = codec.encode(row.request, ordered=True)
    except ConfigurationError as error:
        return BadRow(row.line, None, str(error), reference)
    digest = digest_of(encoded.body)
    first, digest_of_first = _first(database, reference, row.line, digest)
    if digest_of_first == digest:
        if first != row.line:
            return attrs.evolve(row, encoded=encoded, repeats=first)
        return attrs.evolve(
            row, encoded=encoded, same_but_zeros=_same_but_zeros(database, reference, row.line)
        )
    reason = f"is the same as in line {first}, and the rest of the row is not: correct one of the two"
    return BadRow(row.line, _COLUMN, reason, reference)


def _same_but_zeros(database: sqlite3.Connection, reference: str, line: int) -> int | None:
    """Return the line of an earlier row whose reference is the same number, written with other zeros."""
    number = as_number(reference)
    if number is None:
        return None
    added = database.execute("INSERT OR IGNORE INTO numbers VALUES (?, ?, ?)", (number, reference, line))
    if added.rowcount == 1:
        return None
    first: tuple[str, int] = database.execute(
        "SELECT reference, line FROM numbers WHERE number = ?", (number,)
    ).fetchone()
    return None if first[0] == reference else first[1]


def _first(database: sqlite3.Connection, reference: str, line: int, digest: bytes) -> tuple[int, bytes]:
    """Return the line and digest of the first row with this reference, which may be this very row."""
    added = database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (reference, line, digest))
    if added.rowcount == 1:
        return line, digest
    first: tuple[int, bytes] = database.execute(
        "SELECT line, digest FROM seen WHERE reference = ?", (reference,)
    ).fetchone()
    return first
