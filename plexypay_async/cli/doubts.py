"""What is doubtful about a file's rows, and shows in one of them: it is told, and the rows are sent.

Each thing is told of once in a file, of few rows: who reads it is to look at the file, not at a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from .amounts import amount_told
from .rows import BadRow, Row

__all__ = ["Doubts"]

_MOST_PAIRS = 10
"""Order references that differ in zeros alone, of which each is told."""
_MIXED = (
    "the amount {major} in line {line} looks like major units, and {minor} in line {other} is read as minor"
    " units ({worth}): name the column amount_major, or give --amounts major, if all are major units"
)
_ZEROS = (
    "the order reference {reference!r} differs from that in line {other} in zeros at the front alone, and"
    " each gets a link of its own: remove one of the rows if they are the same order, whose zeros a"
    " spreadsheet has dropped"
)
_NOT_TOLD = "; further ones of this kind are not told"


@attrs.define
class Doubts:
    """The doubts about one file; what was told of a file stays told where it is read again."""

    _minor: Row | None = None
    """The first row whose amount is read as minor units."""
    _major: BadRow | None = None
    """The first row whose amount looks like major units in their place."""
    _told_mixed: bool = False
    _pairs: set[int] = attrs.field(factory=set[int])

    def noted(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        """Yield the rows, those that show something doubtful with their warnings."""
        for row in rows:
            # Most rows show nothing.
            if (
                isinstance(row, Row)
                and row.same_but_zeros is None
                and (self._minor is not None or row.amount is None or row.amount.column != "amount")
            ):
                yield row
                continue
            told = tuple(self._of(row))
            yield attrs.evolve(row, warnings=told) if told else row

    def _of(self, row: Row | BadRow) -> Iterator[str]:
        if row.same_but_zeros is not None and row.line not in self._pairs:
            yield from self._of_zeros(row, row.same_but_zeros)
        if isinstance(row, BadRow):
            if row.seems_major is not None and self._major is None:
                self._major = row
        elif self._minor is None and row.amount is not None and row.amount.column == "amount":
            self._minor = row
        if not self._told_mixed and self._minor is not None and self._major is not None:
            self._told_mixed = True
            yield self._mixed(self._minor, self._major)

    def _mixed(self, minor: Row, major: BadRow) -> str:
        request = minor.request
        return _MIXED.format(
            major=major.seems_major,
            line=major.line,
            minor=request.amount,
            other=minor.line,
            worth=amount_told(request.amount, request.currency),
        )

    def _of_zeros(self, row: Row | BadRow, other: int) -> Iterator[str]:
        if len(self._pairs) < _MOST_PAIRS:
            self._pairs.add(row.line)
            told = _ZEROS.format(reference=row.order_reference, other=other)
            yield told + (_NOT_TOLD if len(self._pairs) == _MOST_PAIRS else "")
