"""Rows of a CSV file that were torn: by a cut at the file's end, or by a double quote that is not closed."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["may_be_part", "row_within"]


def may_be_part(columns: Sequence[str], cells: Sequence[str], line: bytes | None) -> bool:
    """Tell whether a file that ends without a line feed may have been cut within a cell that matters.

    A double quote that closes the cell shows its end, and so does a currency's third letter. A description
    is for people, who see it.

    Args:
        columns: The columns of the file.
        cells: Those of the last row.
        line: The file's last line.
    """
    is_shown = (line or b"").endswith(b'"') or len(cells) > len(columns)
    return not is_shown and columns[-1] not in ("currency", "description")


def row_within(columns: Sequence[str], delimiter: str, cells: Sequence[str]) -> int | None:
    """Return how many lines below a row's first another row stands within one of its cells, if one does.

    With two double quotes missing, all that stands between two others is one cell to a reader of CSV: rows,
    too. They are known by an amount and a currency in their places.

    Args:
        columns: The columns of the file.
        delimiter: What separates its cells.
        cells: Those of the row.
    """
    amount = next((n for n, column in enumerate(columns) if column in ("amount", "amount_major")), None)
    if amount is None or "currency" not in columns:
        return None
    places = amount, columns.index("currency")
    above = 0
    for cell in cells:
        *lines, last = cell.split("\n")
        for n, line in enumerate(lines):
            # The beginning of a cell may be the end of a row, and its end the beginning of one.
            if _has_both(line, delimiter, places, len(columns)) or (
                n > 0 and _has_both(line, delimiter, places)
            ):
                return above + n
        if lines and _has_both(last, delimiter, places):
            return above + len(lines)
        above += len(lines)
    return None


def _has_both(line: str, delimiter: str, places: tuple[int, int], width: int | None = None) -> bool:
    """Tell whether an amount and a currency stand in a line, counted from its end where there is a width."""
    cells = [cell.strip(' "\r\xa0') for cell in line.split(delimiter)]
    moved = 0 if width is None else len(cells) - width
    if not all(0 <= place + moved < len(cells) for place in places):
        return False
    amount, currency = (cells[place + moved] for place in places)
    return amount[-1:].isdigit() and len(currency) == 3 and currency.isascii() and currency.isalpha()
