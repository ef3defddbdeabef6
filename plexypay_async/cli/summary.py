"""What a file holds, told before anything is sent: rows, sums, smallest and largest amounts, expiries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import attrs

from .amounts import amount_told, number_told
from .report import tell_table
from .rows import BadRow, Row, WrittenAmount

__all__ = ["FileSummary"]

_UNITS = {False: "minor", True: "major"}


@attrs.define
class _Amounts:
    """The amounts of one currency, in minor units."""

    count: int = 0
    total: int = 0
    smallest: int = 0
    largest: int = 0

    def add(self, amount: int) -> None:
        self.smallest = min(self.smallest, amount) if self.count else amount
        self.largest = max(self.largest, amount)
        self.count += 1
        self.total += amount


@attrs.define
class FileSummary:
    """The running summary of a file's rows, in constant memory.

    Args:
        major: Whether the file's column of amounts is read as **major** units.
    """

    major: bool = False
    rows: int = 0
    bad: int = 0
    """Rows that cannot be sent."""
    repeated: int = 0
    """Rows that are equal to an earlier one with their order reference."""
    without_reference: int = 0
    is_done: Callable[[Row], bool] | None = None
    """Tells whether the journal has a row's link; None where there is no journal to go on with."""
    done: int = 0
    """Links that the journal has already."""
    earliest: datetime | None = None
    latest: datetime | None = None
    """The first and the last time at which one of the links expires."""
    past: int = 0
    """How many links expire in the past, by this machine's clock."""
    first_past: int | None = None
    """The line of the first of them."""
    _examples: dict[bool, tuple[str, str]] = attrs.field(factory=dict[bool, tuple[str, str]])
    """How the first amounts in minor units (False) and in major ones (True) are read."""
    _amounts: dict[str, _Amounts] = attrs.field(factory=dict[str, _Amounts])
    _left: dict[str, _Amounts] = attrs.field(factory=dict[str, _Amounts])

    def add(self, row: Row | BadRow) -> None:
        """Count a row."""
        self.rows += 1
        if isinstance(row, BadRow):
            self.bad += 1
            return
        if row.repeats is not None:
            self.repeated += 1
            return
        request = row.request
        self.without_reference += request.order_reference is None
        self._amounts.setdefault(request.currency, _Amounts()).add(request.amount)
        if row.amount is not None:
            self._note_units(row, row.amount)
        if self.is_done is not None and self.is_done(row):
            self.done += 1
        else:
            self._left.setdefault(request.currency, _Amounts()).add(request.amount)
        expiry = request.expires_at
        if expiry is not None:
            if expiry <= datetime.now(UTC):
                self.past += 1
                self.first_past = self.first_past or row.line
            self.earliest = expiry if self.earliest is None else min(self.earliest, expiry)
            self.latest = expiry if self.latest is None else max(self.latest, expiry)

    def _note_units(self, row: Row, written: WrittenAmount) -> None:
        in_major = self.major or written.column == "amount_major"
        if in_major not in self._examples:
            worth = amount_told(row.request.amount, row.request.currency)
            self._examples[in_major] = f"  {written} in line {row.line:,} is", worth

    @property
    def _units(self) -> list[tuple[str, str]]:
        """How amounts are read, with an example of the file itself."""
        told: list[tuple[str, str]] = []
        for in_major in sorted(self._examples) or [self.major]:
            told.append(("  and as" if told else "amounts are read as", f"{_UNITS[in_major]} units"))
            told += [self._examples[in_major]] if in_major in self._examples else []
        return told

    @property
    def _expiries(self) -> list[tuple[str, str]]:
        past = ("  past by this machine's clock", f"{self.past:,}, the first in line {self.first_past}")
        return [
            ("first expiry", _moment(self.earliest)),
            *([past] if self.past else []),
            ("last expiry", _moment(self.latest)),
        ]

    @property
    def links(self) -> int:
        """How many links the file stands for."""
        return sum(amounts.count for amounts in self._amounts.values())

    @property
    def sums(self) -> list[str]:
        """The sum of each currency, such as ``KZT 22,000.50``, of the links that are not done."""
        return [
            f"{currency} {number_told(amounts.total, currency)}"
            for currency, amounts in sorted(self._left.items())
        ]

    def tell(self, *more: tuple[str, str], to_error: bool = False) -> None:
        """Write it to standard output, or to standard error: amounts in major units, times in UTC.

        Args:
            more: Lines to end with, each a name and what is told of it.
            to_error: Whether it goes to standard error.
        """
        tell_table(
            *self._units,
            ("rows", f"{self.rows:,}"),
            ("  bad rows", f"{self.bad:,}"),
            ("  repeated rows", f"{self.repeated:,}"),
            ("  without an order reference", f"{self.without_reference:,}"),
            *(line for currency in sorted(self._amounts) for line in self._lines_of(currency)),
            *self._expiries,
            *more,
            to_error=to_error,
        )

    def _lines_of(self, currency: str) -> list[tuple[str, str]]:
        amounts = self._amounts[currency]
        return [
            (f"{currency}: links", f"{amounts.count:,}"),
            ("  sum", number_told(amounts.total, currency)),
            ("  smallest", number_told(amounts.smallest, currency)),
            ("  largest", number_told(amounts.largest, currency)),
        ]


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
