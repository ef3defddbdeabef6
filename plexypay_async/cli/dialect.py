"""How a CSV file is written: its separator, and what stands before its header."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from .._privacy.printable import printable
from ..bulk.spreadsheets import with_marks

__all__ = ["DELIMITERS", "Dialect"]

DELIMITERS = (",", ";", "\t", "|")

_TO_QUOTE = re.compile(r'[,;\t|"\r\n]')
"""In quotes, a cell is whole for a program that splits at several separators, as LibreOffice may."""


@attrs.frozen
class Dialect:
    """The form of a file of rows: JSON Lines, or CSV with a separator.

    Args:
        json_lines: Whether it is JSON Lines; what follows is about CSV.
        delimiter: What separates the cells.
        named: Whether a first line such as ``sep=;`` names it.
        mark: Whether it begins with a byte-order mark, by which Excel knows UTF-8.
        kept: Control characters that are written as they are: none where a terminal would obey them.
    """

    json_lines: bool = False
    delimiter: str = ","
    named: bool = False
    mark: bool = False
    kept: str = "\t\r\n"

    def beginning(self, columns: Iterable[str]) -> str:
        """Return what a CSV file begins with, up to the header's line ending."""
        named = f"sep={self.delimiter}\r\n" if self.named else ""
        return ("\ufeff" if self.mark else "") + named + self.delimiter.join(columns)

    def line(self, values: Iterable[object]) -> str:
        """Return a line of CSV that is shown in a spreadsheet and not calculated, whatever it splits at."""
        return self.delimiter.join(map(self._cell, values)) + "\r\n"

    def _cell(self, value: object) -> str:
        if value is None:
            return ""
        text = str(value)
        if isinstance(value, str):
            text = with_marks(printable(text, keep=self.kept))
        return '"' + text.replace('"', '""') + '"' if _TO_QUOTE.search(text) else text
