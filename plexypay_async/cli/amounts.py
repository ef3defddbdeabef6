"""Amounts in major units, as they are told to people and written into tables."""

from __future__ import annotations

import functools

from ..errors import ConfigurationError
from ..money import Money

__all__ = ["amount_told", "in_major_units", "number_told"]


def amount_told(amount: int, currency: str) -> str:
    """Return an amount of **minor** units as people read it, such as ``77,000.00 KZT``.

    Of a currency whose decimals are not known it is ``5 minor units of XAU``.
    """
    number = number_told(amount, currency)
    return f"{number} of {currency}" if _decimals(currency) is None else f"{number} {currency}"


def number_told(amount: int, currency: str) -> str:
    """Return it without the currency, such as ``77,000.00``, or ``5 minor units``."""
    decimals = _decimals(currency)
    return f"{amount:,} minor units" if decimals is None else _with_point(amount, decimals, ",")


def in_major_units(amount: int, currency: str) -> str | None:
    """Return an amount of **minor** units as a plain number of major units, such as ``77000.00``.

    None for a currency whose decimals are not known.
    """
    decimals = _decimals(currency)
    return None if decimals is None else _with_point(amount, decimals, "")


@functools.lru_cache(maxsize=256)
def _decimals(currency: str) -> int | None:
    try:
        # The amount itself may be a sum, and larger than any that is `Money`.
        return -int(Money(1, currency).in_major_units.as_tuple().exponent)
    except ConfigurationError:
        return None


def _with_point(amount: int, decimals: int, mark: str) -> str:
    whole, part = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole:{mark}}" + (f".{part:0{decimals}}" if decimals else "")
