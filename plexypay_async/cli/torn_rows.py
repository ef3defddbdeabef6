"""Rows of a CSV file that were torn: by a cut at the file's end, or by a double quote that is not closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["CUT_OFF", "may_be_part", "row_within"]

CUT_OFF = (
    "the last line does not end: if the file was cut off there, this row is not whole; look whether its last"
    " cell is, and press Enter behind it"
)

_LONGEST_AMOUNT = 40


def may_be_part(columns: Sequence[str], cells: Sequence[str], line: bytes | None) -> bool:
    """Tell whether a file whose last line does not end may have been cut within a cell that matters.

    A double quote that closes the cell shows its end, and so does a currency's third letter. A description
    is for people, who see it.

    Args:
        columns: The columns of the file.
        cells: Those of the last row.
        line: The file's last line.
    """
    is_shown = (line or b"").endswith(b'"') or len(cells) > len(columns)
    return not is_shown and columns[-1] not in ("currency", "description")


def row_within(columns: Sequence[str], width: int, delimiter: str, lines: Sequence[bytes]) -> int | None:
    """Return how many lines below a row's first another row begins in it, if one does.

    With two double quotes missing, all that stands between two others is one cell to a reader of CSV: rows,
    too. A row has one amount and one currency: where two of its lines have an amount in its place, and two a
    currency in its place, it is more than one.

    Args:
        columns: The columns of the file.
        width: How many cells its header has, empty ones at its end among them.
        delimiter: What separates its cells.
        lines: Those of the row, as they stand in the file.
    """
    amount = next((n for n, column in enumerate(columns) if column in ("amount", "amount_major")), None)
    if amount is None or "currency" not in columns:
        return None
    currency = columns.index("currency")
    with_amount: list[int] = []
    currencies = 0
    for number, line in enumerate(lines):
        cells = [_bare(cell) for cell in line.decode("utf-8", "replace").split(delimiter)]
        # What comes before a place may be a text with separators in it, and so may what comes behind it.
        if any(_is_amount(cell) for cell in _in_place(cells, amount, width)):
            with_amount.append(number)
        currencies += any(_is_currency(cell) for cell in _in_place(cells, currency, width))
    return with_amount[1] if len(with_amount) > 1 and currencies > 1 else None


def _in_place(cells: Sequence[str], place: int, width: int) -> Iterator[str]:
    """Yield the cells that stand in a place, counted from the beginning of a line and from its end."""
    yield from cells[place : place + 1]
    from_end = place - width + len(cells)
    if from_end >= 0:
        yield cells[from_end]


def _bare(cell: str) -> str:
    return cell.strip().strip('"').strip()


def _is_amount(cell: str) -> bool:
    """Tell whether an amount may stand in a cell, in any form in which one is read."""
    return len(cell) <= _LONGEST_AMOUNT and any(character.isdigit() for character in cell)


def _is_currency(cell: str) -> bool:
    return len(cell) == 3 and cell.isascii() and cell.isalpha()
