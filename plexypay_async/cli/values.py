"""The value of one cell: what is accepted, and what to write instead of what is not.

A value comes from a CSV cell, then it is text, or from JSON Lines, then it may be of any JSON type. Every
function returns what `CreatePaymentLink` takes, or raises `BadValueError` with a reason that tells its reader
what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

__all__ = ["CONVERTERS", "BadValueError", "shown", "text"]

_LARGEST_AMOUNT = 2**63 - 1
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_HAS_TIME_OF_DAY = re.compile(r"\d[T t]\d")


class BadValueError(Exception):
    """A value that cannot be sent; the message is the reason."""


def shown(value: object, limit: int = 40) -> str:
    """Return a value as a message may show it: on one line, with nothing unprintable, not too long."""
    written = repr(value)
    return written if len(written) <= limit else written[: limit - 3] + "..."


def amount(value: object) -> int:
    """Read an amount: a whole positive number of **minor** units (22 000 KZT is ``2200000``)."""
    if type(value) is int:
        number = value
    elif isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 30:
        number = int(value)
    else:
        raise BadValueError(
            f"{shown(value)} is not a whole number of minor units: write digits only (22 000 KZT is 2200000)"
        )
    if number <= 0:
        raise BadValueError(f"{number} is not an amount: write a number of minor units greater than 0")
    if number > _LARGEST_AMOUNT:
        raise BadValueError(f"{shown(value)} is larger than any amount the API can hold: write minor units")
    return number


def currency(value: object) -> str:
    """Read a currency: three ASCII letters in any case."""
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha():
        return value.upper()
    raise BadValueError(f"{shown(value)} is not a currency: write three letters, such as KZT")


def moment(value: object) -> datetime:
    """Read a point in time: ISO 8601 with a time of day and an offset from UTC."""
    example = "write a date, a time and an offset, such as 2099-12-31T23:59:59Z or ...+05:00"
    if not isinstance(value, str):
        raise BadValueError(f"{shown(value)} is not a time: {example}")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise BadValueError(f"{shown(value)} is not an ISO 8601 time: {example}") from None
    if _HAS_TIME_OF_DAY.search(value) is None:
        raise BadValueError(f"{shown(value)} has no time of day: {example}")
    if parsed.utcoffset() is None:
        raise BadValueError(f"{shown(value)} has no offset from UTC: {example}")
    try:
        parsed.astimezone(UTC)
    except OverflowError:
        raise BadValueError(f"{shown(value)} is outside the years 1 to 9999 in UTC: {example}") from None
    return parsed


def flag(value: object) -> bool:
    """Read true or false, in one of the three usual spellings and any letter case."""
    if value is True or value is False:
        return value
    known = _FLAGS.get(value.lower()) if isinstance(value, str) else None
    if known is None:
        raise BadValueError(f"{shown(value)} is neither true nor false: write true or false")
    return known


def text(value: object) -> str:
    """Read text that can be sent as UTF-8."""
    if not isinstance(value, str):
        raise BadValueError(f"{shown(value)} is not text: write it in quotes")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadValueError(f"{shown(value)} is not UTF-8 text: save the file as UTF-8") from None
    return value


CONVERTERS: dict[str, Callable[[object], Any]] = {
    "amount": amount,
    "currency": currency,
    "description": text,
    "order_reference": text,
    "expires_at": moment,
    "customer_id": text,
    "auto_clearing": flag,
    "success_url": text,
    "failure_url": text,
    "cancel_url": text,
    "callback_url": text,
}
"""The columns, in the order in which the documentation names them, and how each is read."""
