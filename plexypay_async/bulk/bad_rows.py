"""What is wrong with a row: one fault, or all of them at once, in words for whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

__all__ = ["BadRowError", "Faults", "shown"]

_MOST_FAULTS = 10
"""Faults of one row that are told; an object of JSON may have a million keys that are no columns."""


class BadRowError(Exception):
    """A row, or one of its cells, that cannot be sent.

    Args:
        reason: What is wrong, and what to write instead.
        column: The column that is to blame, if one is.
        not_utf_8: Whether nothing else is wrong than that its bytes are no text in UTF-8.
    """

    def __init__(self, reason: str, column: str | None = None, *, not_utf_8: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column
        self.not_utf_8 = not_utf_8
        self.order_reference: str | None = None
        """The row's own, where it has one."""
        self.lacks_reference = False
        """Whether the row could be read, and has no order reference."""
        self.seems_major: str | None = None
        """An amount in the place of minor units that looks like one of major units, as it is written."""

    def __str__(self) -> str:
        return self.reason if self.column is None else f"column {self.column}: {self.reason}"


class Faults:
    """The faults of one row, in the order in which they were found."""

    # Here, since most rows have none.
    _more = 0
    _seems_major: str | None = None
    _not_utf_8 = False

    def __init__(self) -> None:
        self._told: list[BadRowError] = []
        self._columns: set[str | None] = set()

    def __bool__(self) -> bool:
        return bool(self._told)

    def add(self, error: BadRowError) -> None:
        """Take one more; of cells that are not UTF-8, the first one tells it of the file."""
        self._columns.add(error.column)
        self._seems_major = self._seems_major or error.seems_major
        if error.not_utf_8 and self._not_utf_8:
            return
        self._not_utf_8 = self._not_utf_8 or error.not_utf_8
        if len(self._told) < _MOST_FAULTS:
            self._told.append(error)
        else:
            self._more += 1

    def may_be_of(self, columns: Iterable[str]) -> bool:
        """Tell whether one of these columns is to blame for a fault, or an unknown one may stand for it."""
        return None in self._columns or not self._columns.isdisjoint(columns)

    def as_one(self) -> BadRowError:
        """Return them as one error: the first one's column, and the reasons of all."""
        first, *others = self._told
        told = [first.reason, *map(str, others), *([f"and {self._more:,} more"] if self._more else [])]
        joined = BadRowError("; ".join(told), first.column, not_utf_8=self._not_utf_8 and len(told) == 1)
        joined.seems_major = self._seems_major
        return joined


def shown(value: object, limit: int = 40) -> str:
    """Return a value as a message may show it: on one line, with nothing unprintable, not too long."""
    try:
        written = str(value) if isinstance(value, Decimal) else repr(value)
    except ValueError:
        # An integer of more digits than Python writes.
        return f"this {type(value).__name__}"
    return written if len(written) <= limit else written[: limit - 3] + "..."
