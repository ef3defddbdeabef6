"""Amounts in major units, as transactions have them: read and written exactly, kept as minor units.

In the API's answers every currency has two decimals: nothing else is known about the API. The pages that
customers read use the decimals of ISO 4217.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from .exchange import LARGEST, Fields, Refusal

__all__ = ["MoneyFields", "displayed", "in_major_units"]

_CENT = Decimal("0.01")
_MOST = Decimal(LARGEST).scaleb(-2)

_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def in_major_units(minor: int) -> Any:
    """Return an amount as JSON shows it in major units: 2200000 is ``22000``, 5641 is ``56.41``."""
    whole, cents = divmod(minor, 100)
    # A float of more than 15 digits would be another amount.
    return orjson.Fragment(f"{whole}.{cents:02}".rstrip("0")) if cents else whole


def displayed(minor: int, currency: str) -> str:
    """Return an amount of minor units as customers read it: ``22 000.00 KZT``, ``500 JPY``, ``1.250 KWD``.

    The spaces do not break. A currency that ISO 4217 does not know has two decimals.
    """
    code = currency.upper()
    amount = Decimal(minor).scaleb(-_decimals(code))
    return f"{amount:,f} {code}".replace(",", _NO_BREAK_SPACE).replace(" ", _NO_BREAK_SPACE)


def _decimals(code: str) -> int:
    """Return how many decimals a currency has."""
    # Read when it is first needed: its table is XML.
    from iso4217 import Currency

    try:
        exponent = Currency(code).exponent
    except ValueError:
        exponent = None
    return 2 if exponent is None else exponent


class MoneyFields(Fields):
    """The fields of a body of which some are amounts in major units; an empty body has no fields."""

    def __init__(self, body: bytes, *, source: str) -> None:
        super().__init__(body or b"{}", source=source)
        try:
            self._values = json.loads(body or b"{}", parse_float=Decimal, parse_int=_whole)
        except RecursionError:
            raise Refusal(3, "body: nested too deep", source=source) from None

    def major_units(self, name: str) -> int | None:
        """Return an amount of major units as minor units."""
        value = self._values.get(name)
        if value is None:
            return None
        if type(value) not in (int, Decimal):
            raise self._bad_type(name, "expected a number")
        amount = Decimal(value)
        if amount <= 0:
            raise self.bad_value(name, "must be positive")
        if amount > _MOST:
            raise self.bad_value(name, "too large")
        if amount.quantize(_CENT) != amount:
            raise self.bad_value(name, "has more than two decimals")
        return int(amount.quantize(_CENT).scaleb(2))

    def required_major_units(self, name: str) -> int:
        """Return an amount of major units, which must be given, as minor units."""
        return self.given(name, self.major_units(name))


def _whole(digits: str) -> int | Decimal:
    # Python refuses to make an int of thousands of digits.
    return int(digits) if len(digits) <= 20 else Decimal(digits)
