"""Amounts as people write them, in major units, made into the minor units that payment links take.

How many decimals a currency has is ISO 4217's (KZT 2, JPY 0, KWD 3). Nothing is ever rounded, and what can be
read in two ways, such as ``1,000``, is refused with both.
"""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Self

import attrs

from ._privacy.hiding import masked_card_numbers, shortened, shown
from .api.checks import check_currency, check_holdable, check_minor_units, in_capitals
from .errors import ConfigurationError
from .json_form import JSONForm

__all__ = ["Money", "number_of"]

_REPLACED = {"RUR": "RUB", "BYR": "BYN", "BYB": "BYN", "AZM": "AZN", "TMM": "TMT", "TRL": "TRY", "UAK": "UAH"}
"""The codes of currencies that were redenominated; bookkeeping programs still write some of them."""
_SPACES = " \u00a0\u2009\u202f"
_APOSTROPHES = "'\u2019"
_MINUS = ("-", "\u2212", "\u2013", "(")
"""What an amount below zero begins with; bookkeepers put it in brackets."""
_LONGEST = 60
_MOST_DECIMALS = 4
"""Those of the currency that has most, CLF."""
_EXACT = Context(prec=500, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""More digits than an amount may have, so that none is rounded away, whatever the caller's own context."""
_FORM = "write digits with a point before the decimals, such as 22000.50"
_GROUPED = re.compile(r"[0-9]{1,3}(?:(?P<mark>[^0-9])[0-9]{3})(?:(?P=mark)[0-9]{3})*")


@attrs.frozen
class Money(JSONForm):
    """An amount of a currency in **minor** units, as payment links take it.

    Args:
        amount: In **minor** units: 22 000 KZT is ``2200000``.
        currency: Three letters, such as ``KZT``; kept in capitals.

    Raises:
        ConfigurationError: The amount is no positive `int`, or the currency no three letters.

    ``create(amount=money.amount, currency=money.currency)`` asks for it.
    """

    amount: int = attrs.field()
    currency: str = attrs.field(converter=in_capitals)

    def __attrs_post_init__(self) -> None:
        check_minor_units("amount", self.amount)
        check_currency("currency", self.currency)

    @classmethod
    def major(cls, amount: str | Decimal | int, currency: str) -> Self:
        """Return what an amount in **major** units is: 22000.50 KZT is 2200050 minor units.

        Text may have a point or a comma before its decimals, and thousands parted by spaces (also those that
        do not break), apostrophes, or the other of the two: ``22 000,50``, ``22'000.50``, ``22,000.50``.

        Args:
            amount: In **major** units; a float is refused, since it may have been rounded already.
            currency: Three letters of ISO 4217, such as ``KZT``.

        Raises:
            ConfigurationError: It can be read in two ways (``1,000``), or in none; it has more decimals than
                the currency; or the currency is not one of ISO 4217 with minor units.
        """
        exponent = _exponent(currency)
        number = _number(amount, in_capitals(currency), exponent)
        if number.adjusted() > _LONGEST:
            raise ConfigurationError(
                f"amount: {_shown(amount)} is larger than any amount the API can hold: look whether it is one"
            )
        if number <= 0:
            raise ConfigurationError(
                f"amount: must be positive, got {_shown(amount)}: give what is to be paid, and leave out what"
                " costs nothing"
            )
        units = number.scaleb(exponent, _EXACT)
        if units != units.to_integral_value(context=_EXACT):
            raise ConfigurationError(
                f"amount: {_shown(amount)} has more decimals than {in_capitals(currency)}, which has"
                f" {exponent}: write no more, for nothing is rounded"
            )
        return cls(int(units), currency)

    @property
    def in_major_units(self) -> Decimal:
        """The amount in **major** units, with as many decimals as the currency has.

        Raises:
            ConfigurationError: The currency is not one of ISO 4217 with minor units.
        """
        return Decimal(self.amount).scaleb(-_exponent(self.currency))


def number_of(written: str) -> Decimal:
    """Return the number that an amount in **major** units is written as, where its currency is not known.

    Raises:
        ConfigurationError: It can be read in two ways (``1,000``), or in none.
    """
    return _read(written, "", _MOST_DECIMALS)


def _exponent(currency: str) -> int:
    """Return how many decimals a currency has, by ISO 4217."""
    currency = in_capitals(currency)
    check_currency("currency", currency)
    # Read when it is first needed: its table is XML.
    from iso4217 import Currency

    try:
        exponent = Currency(currency).exponent
    except ValueError:
        new = _REPLACED.get(currency)
        told = f"write {new}" if new else "correct it, or give the amount in minor units"
        raise ConfigurationError(f"currency: {currency} is no currency of today: {told}") from None
    if exponent is None:
        raise ConfigurationError(f"currency: {currency} has no minor units: give the amount in minor units")
    return exponent


def _shown(amount: str | Decimal | int) -> str:
    if isinstance(amount, Decimal):
        return shortened(masked_card_numbers(str(amount)), _LONGEST)
    return shown(amount, _LONGEST)


def _number(amount: object, currency: str, exponent: int) -> Decimal:
    if isinstance(amount, str):
        return _read(amount, currency, exponent)
    if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)):
        told = ", which may have been rounded already" if isinstance(amount, float) else ""
        raise ConfigurationError(
            f"amount: expected text, a Decimal or an int of major units, got a {type(amount).__name__}{told}"
        )
    if isinstance(amount, int):
        check_holdable("amount", amount)
        return Decimal(amount)
    if not amount.is_finite() or len(amount.as_tuple().digits) > _LONGEST:
        raise ConfigurationError(f"amount: {_shown(amount)} is not an amount of up to {_LONGEST} digits")
    return amount


def _read(written: str, currency: str, exponent: int) -> Decimal:
    """Read an amount of a currency with so many decimals as it is written in one of the usual ways."""
    text = written.strip()
    if not text or len(text) > _LONGEST:
        raise _no_amount(written[:_LONGEST])
    whole, mark, decimals = _parted(text)
    digits = whole
    if not whole.isdecimal():
        grouped = _GROUPED.fullmatch(whole)
        if grouped is None or grouped["mark"] == mark or grouped["mark"] not in f"{_SPACES}{_APOSTROPHES}.,":
            raise _no_amount(text)
        digits = whole.replace(grouped["mark"], "")
    if not digits.isascii() or (mark and not (decimals.isascii() and decimals.isdecimal())):
        raise _no_amount(text)
    # Only a single zero says that what follows is no group of thousands.
    if mark and whole.isdecimal() and len(decimals) == 3 and len(whole) <= 3 and whole != "0":
        raise _ambiguous(text, whole, decimals, currency, exponent)
    return Decimal(f"{digits}.{decimals}" if mark else digits)


def _ambiguous(text: str, whole: str, decimals: str, currency: str, exponent: int) -> ConfigurationError:
    """Return the error of what has one mark and three digits behind it, with how to write either reading."""
    thousands = f"{whole}{decimals}".lstrip("0") or "0"
    units = f"{whole.lstrip('0') or '0'}.{decimals}"
    needed = decimals.rstrip("0")
    told = f"amount: {text!r} can be {thousands} or {units}"
    if len(needed) > exponent:
        meant = f"round it, or, if thousands are meant, write {thousands}"
        return ConfigurationError(f"{told}, and {currency} has {exponent} decimals: {meant}")
    # With three decimals it would be refused again.
    plain = f"{units}0" if len(needed) == len(decimals) else f"{units[: -len(decimals)]}{needed or '0'}"
    return ConfigurationError(f"{told}: write {thousands}, or {plain}")


def _no_amount(text: str) -> ConfigurationError:
    positive = ", and no sign: it must be positive" if text.lstrip().startswith(_MINUS) else ""
    return ConfigurationError(f"amount: {text!r} is not an amount: {_FORM}{positive}")


def _parted(text: str) -> tuple[str, str, str]:
    """Return an amount's whole part, its decimal mark and its decimals; without a mark where it has none."""
    at = max(text.rfind("."), text.rfind(","))
    if at < 0 or text.count(text[at]) > 1:
        # A mark that comes twice parts thousands.
        return text, "", ""
    return text[:at], text[at], text[at + 1 :]
