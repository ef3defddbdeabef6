"""Amounts as they stand in the cells of files: of major units, and of minor ones that may be major.

People's tools write a currency beside the digits, such as ``22 000,50 ₸``. It is taken off where it is the
row's own beyond doubt; what is left is read by `Money.major`.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from .._privacy.hiding import shown
from ..errors import ConfigurationError
from ..money import Money, number_of

__all__ = ["advice", "major_units", "minor_units"]

_SIGNS = dict(
    zip(
        "₸₽€₴₼₾֏₺₹₮₪₫₦",
        ("KZT", "RUB", "EUR", "UAH", "AZN", "GEL", "AMD", "TRY", "INR", "MNT", "ILS", "VND", "NGN"),
        strict=True,
    )
)
"""Signs that one currency has. Others, such as $, £ and ¥, stand for several, so that none is certain."""
_PARTS = re.compile(r"([^0-9]*)([0-9](?:.*[0-9])?)([^0-9]*)", re.DOTALL)
_LONGEST = 80
"""Characters: what is longer is no amount, with or without a currency."""
_ALONE = "write the number alone"


def minor_units(written: str | Decimal | int, currency: str) -> int:
    """Return the **minor** units of an amount that is written in **major** units.

    Args:
        written: As `Money.major` takes it; text may have the currency's code or sign beside it.
        currency: The row's currency, three letters.

    Raises:
        ConfigurationError: As of `Money.major`, or since what stands beside the number is not the row's
            currency beyond doubt. The message begins with ``amount: `` or ``currency: ``.
    """
    if isinstance(written, str):
        written = _without_currency(written.strip(), currency)
    return Money.major(written, currency).amount


def major_units(written: str) -> Decimal:
    """Return the number that an amount in **major** units is written as, whatever its currency is.

    Args:
        written: As `Money.major` takes it: ``22 000,50`` too.

    Raises:
        ConfigurationError: It can be read in two ways (``1.000``), or in none. The message begins with
            ``amount: ``.
    """
    return number_of(written)


def _without_currency(written: str, currency: str) -> str:
    parts = None if len(written) > _LONGEST else _PARTS.fullmatch(written)
    if parts is None:
        return written
    beside = [part.strip() for part in (parts[1], parts[3]) if part.strip()]
    if len(beside) != 1 or not _names_currency(beside[0]):
        # Nothing, or what is none: whoever reads the amount tells of it.
        return written
    (found,) = beside
    told = f"amount: {shown(written, _LONGEST)}"
    code = found.upper() if len(found) == 3 and found.isascii() and found.isalpha() else _SIGNS.get(found)
    if code is None and len(found) == 1:
        raise ConfigurationError(f"{told}: {found} stands for several currencies: {_ALONE}")
    if code is None:
        raise ConfigurationError(f"{told}: {found} is no currency's code: {_ALONE}")
    if code != currency.upper():
        raise ConfigurationError(
            f"{told} is marked as {code}, and the row's currency is {currency.upper()}: correct one of them"
        )
    return parts[2]


def _names_currency(text: str) -> bool:
    """Tell whether a text is meant as a currency: its sign, or a word such as ``KZT`` and ``тг.``."""
    return unicodedata.category(text) == "Sc" if len(text) == 1 else text.rstrip(".").isalpha()


def advice(written: object, currency: object, option: str) -> str | None:
    """Tell what to write in place of an amount that is no whole number of minor units.

    Args:
        written: What stands in the cell.
        currency: What stands in the row's cell of the currency.
        option: How amounts are read as major units.

    Returns:
        The advice, first of all to have the whole column read as major units, and with the figure where it
        can be only one; None where it is no amount of major units.
    """
    if not isinstance(written, (str, Decimal)) or not isinstance(currency, str):
        return None
    currency = currency.strip()
    try:
        amount = minor_units(written, currency)
        major = Money(amount, currency).in_major_units
    except ConfigurationError:
        return None
    told = (
        f"name the column amount_major, or give {option}: all its amounts are then read as major units. If"
        " all are minor units,"
    )
    if major == major.to_integral_value():
        # 2200000.00 may be minor units in a column that a spreadsheet shows with decimals.
        return f"{told} write digits only"
    return f"{told} write {amount} here"
