"""What a value that a caller gives must be: texts, amounts, times, keys, and what JSON can carry."""

from __future__ import annotations

import enum
import math
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from .._privacy.hiding import shortened, shown
from ..errors import ConfigurationError

__all__ = [
    "LONGEST",
    "check_amount",
    "check_bool",
    "check_currency",
    "check_given",
    "check_holdable",
    "check_json",
    "check_json_object",
    "check_key",
    "check_major_units",
    "check_minor_units",
    "check_optional_text",
    "check_seconds",
    "check_size",
    "check_text",
    "check_time",
    "in_capitals",
    "key_or_new",
    "of_money",
    "says_nothing",
]

LONGEST = 1e9
"""Seconds of any time-out at the most; clocks overflow further on."""
_SURROGATE = "[\ud800-\udfff]"
_FIRST_TOO_LARGE = 2**63


def check_text(name: str, value: Any) -> None:
    """Refuse anything but a non-empty string."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected a string, got {_shown(value)}")
    if not value.strip():
        raise ConfigurationError(f"{name}: must not be empty")


def check_given(name: str, value: Any, what_to_do: str) -> None:
    """Refuse that something is missing which the API requires, and say what to give."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ConfigurationError(f"{name}: missing; {what_to_do}")


def check_optional_text(name: str, value: Any) -> None:
    """Refuse anything but a string or None."""
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected a string, got {_shown(value)}")


def check_minor_units(name: str, value: Any) -> None:
    """Refuse anything but a positive `int`: an amount of minor units has no fraction."""
    if type(value) is int and 0 < value < _FIRST_TOO_LARGE:
        return
    if type(value) is not int:
        raise ConfigurationError(
            f"{name}: expected an int of minor units (22 000 KZT is 2200000), got {_shown(value)}"
            f"{_in_minor_units(value)}"
        )
    check_holdable(name, value)
    raise ConfigurationError(f"{name}: must be positive, got {value}")


def check_holdable(name: str, value: int) -> None:
    """Refuse a number that no API can hold, before it is written anywhere: Python refuses to write some."""
    if abs(value) >= _FIRST_TOO_LARGE:
        raise ConfigurationError(f"{name}: larger than any amount the API can hold")


def check_major_units(name: str, value: Any) -> None:
    """Refuse anything but a positive `Decimal` or `int` that JSON carries without loss."""
    if type(value) is not int and not isinstance(value, Decimal):
        raise ConfigurationError(
            f'{name}: expected a Decimal of major units (22 000 KZT is Decimal("22000")), got {_shown(value)}'
            f"{of_money(value, 'in_major_units')}"
        )
    if type(value) is int:
        check_holdable(name, value)
    if isinstance(value, Decimal) and not value.is_finite():
        raise ConfigurationError(f"{name}: {shortened(str(value), 60)} is no amount")
    if value <= 0:
        raise ConfigurationError(f"{name}: must be positive, got {shortened(str(value), 60)}")
    try:
        exact = Decimal(repr(float(value))) == value
    except OverflowError:
        exact = False
    if not exact:
        raise ConfigurationError(
            f"{name}: {shortened(str(value), 60)} has more digits than a JSON number carries without loss"
        )


def check_amount(name: str, value: Any) -> None:
    """Refuse anything but a positive `Decimal` or `int` that JSON carries without loss, in whatever unit."""
    if type(value) is not int and not isinstance(value, Decimal):
        told = of_money(value, "in_major_units")
        raise ConfigurationError(f"{name}: expected a Decimal or an int, got {_shown(value)}{told}")
    check_major_units(name, value)


def check_seconds(name: str, value: Any, *, zero: bool = False) -> float:
    """Refuse what is no positive number of seconds that a clock can count; `zero` allows for 0."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= LONGEST or (value == 0 and not zero):
        given, apart = shown(value), ""
        if name == "timeout" and isinstance(value, (tuple, list)):
            apart = "; connect_timeout and read_timeout are options of their own"
        elif isinstance(value, timedelta):
            apart = "; give its .total_seconds()"
        raise ConfigurationError(
            f"{name}: expected a positive number of seconds{' or 0' * zero}, got {given}{apart}"
        )
    return float(value)


def check_size(value: Any) -> None:
    """Refuse anything but None and a positive `int` of nine digits at the most as a listing's `size`."""
    if value is not None and (type(value) is not int or not 0 < value < 10**9):
        raise ConfigurationError(f"size: expected a positive int, got {_shown(value)}")


def key_or_new(value: str | None) -> str:
    """Return the caller's idempotency key, or a new UUID of version 4."""
    return str(uuid.uuid4()) if value is None else value


# A header's value loses the spaces at its ends on the way.
_HEADER_TEXT = r"[!-~]([ -~]*[!-~])?"


def check_key(name: str, value: Any) -> None:
    """Refuse anything but printable ASCII as an idempotency key, which goes in a header."""
    check_text(name, value)
    if re.fullmatch(_HEADER_TEXT, value) is None:
        raise ConfigurationError(
            f"{name}: expected printable ASCII without spaces at its ends, got {value!r:.60}"
        )


def check_currency(name: str, value: Any) -> None:
    """Refuse anything but three ASCII letters."""
    if not isinstance(value, str) or len(value) != 3 or not value.isascii() or not value.isalpha():
        raise ConfigurationError(f"{name}: expected three letters such as KZT, got {_shown(value)}")


def in_capitals(value: str) -> str:
    """Write ASCII letters in capitals; anything else is left as it is for the checks to refuse."""
    return value.upper() if isinstance(value, str) and value.isascii() else value  # pyright: ignore[reportUnnecessaryIsInstance]


def check_time(name: str, value: Any) -> None:
    """Refuse anything but an aware datetime."""
    if not isinstance(value, datetime):
        raise ConfigurationError(f"{name}: expected a datetime, got {_shown(value)}")
    if value.utcoffset() is None:
        raise ConfigurationError(
            f"{name}: {value.isoformat()} has no time zone; give one, such as tzinfo=datetime.UTC"
        )
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ConfigurationError(f"{name}: {value.isoformat()} is beyond the calendar in UTC") from None


def check_bool(name: str, value: Any) -> None:
    """Refuse anything but True and False."""
    if value is not True and value is not False:
        raise ConfigurationError(f"{name}: expected True or False, got {_shown(value)}")


def check_json_object(name: str, value: Any) -> None:
    """Refuse a mapping that JSON cannot carry as it is."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name}: expected a mapping, got {type(value).__name__}")
    _check_json(name, value, 0, others=False, decimals=False)  # pyright: ignore[reportUnknownArgumentType]


def check_json(name: str, value: Any, *, decimals: bool = False) -> None:
    """Refuse what JSON cannot carry as it is; times, UUIDs, enumerations and dataclasses may be in it.

    So may a `Decimal` where `decimals` are written as numbers.
    """
    _check_json(name, value, 0, others=True, decimals=decimals)


def _is_dataclass(value: object) -> bool:
    """Tell an object of a dataclass, without loading dataclasses, and without asking the object."""
    return hasattr(type(value), "__dataclass_fields__")


def _check_json(name: str, value: Any, depth: int, *, others: bool, decimals: bool) -> None:
    if depth > 100:
        raise ConfigurationError(f"{name:.200}: nested more than 100 deep")
    if value is None or isinstance(value, bool):
        return
    if others and isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        if not value.isascii() and re.search(_SURROGATE, value) is not None:
            raise ConfigurationError(f"{name}: not valid Unicode text")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ConfigurationError(f"{name}: a number of more than 64 bits cannot be written as JSON")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigurationError(f"{name}: {value} cannot be written as JSON")
    elif decimals and isinstance(value, Decimal):
        if not value.is_finite():
            raise ConfigurationError(f"{name}: {value} cannot be written as JSON")
    elif isinstance(value, Mapping):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            if not isinstance(key, str):
                raise ConfigurationError(f"{name}: keys must be strings, got {type(key).__name__}")  # pyright: ignore[reportUnknownArgumentType]
            if not key.isascii() and re.search(_SURROGATE, key) is not None:
                raise ConfigurationError(f"{name}: a key is not valid Unicode text")
            _check_json(f"{name}[{key!r:.60}]", inner, depth + 1, others=others, decimals=decimals)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            _check_json(f"{name}[{index}]", inner, depth + 1, others=others, decimals=decimals)
    elif others and _is_dataclass(value):
        import dataclasses

        for field in dataclasses.fields(value):
            inner = getattr(value, field.name)
            _check_json(f"{name}.{field.name}", inner, depth + 1, others=True, decimals=decimals)
    elif not (others and isinstance(value, (date, time, uuid.UUID))):
        told = "; give a number, or text such as str(value)" if isinstance(value, Decimal) else ""
        raise ConfigurationError(f"{name}: a {type(value).__name__} cannot be written as JSON{told}")


def _shown(value: Any) -> str:
    kind, text = type(value).__name__, shown(value, 60)
    if text == f"a {kind}":
        return kind
    # Such as Decimal('22000.50').
    return text if text.startswith(f"{kind}(") else f"{kind} {text}"


_WRITTEN = r"(?:Decimal\()?'?([0-9]{1,12}([.,][0-9]{1,2})?)'?\)?"
"""An amount as `shown` writes it: fewer digits than a card's number has."""


def _in_minor_units(value: Any) -> str:
    """Say how to make minor units of what is no `int`."""
    if not isinstance(value, (str, float, Decimal)):
        return of_money(value, "amount")
    written = re.fullmatch(_WRITTEN, shown(value, 60))
    if written is None:
        # No figure that the caller has not given: it would be copied.
        return '; of major units as text, give Money.major(text, "KZT").amount'
    text = written[1]
    of_major = f'Money.major("{text}", "KZT").amount'
    if written[2] is not None:
        return f"; of major units, give {of_major}"
    return f'; of minor units, give int("{text}"), and of major ones {of_major}'


def of_money(value: Any, attribute: str) -> str:
    """Say which attribute of a `Money` to give, where that was given in the place of a number."""
    is_money = type(getattr(value, "amount", None)) is int and hasattr(value, "in_major_units")
    return f"; give its .{attribute}" if is_money else ""


def says_nothing(value: Any) -> bool:
    """Tell whether a text is empty, or an integer negative or larger than the API can hold."""
    return value == "" or (type(value) is int and not 0 <= value < _FIRST_TOO_LARGE)
