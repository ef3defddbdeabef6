"""What requests of several groups have in common: page sizes, amounts of unknown unit, keys made anew."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from ..errors import ConfigurationError
from ..fields import check_major_units

__all__ = ["check_amount", "check_size", "key_or_new"]


def check_size(value: Any) -> None:
    """Refuse anything but None and a positive `int` as a listing's `size`."""
    if value is not None and (type(value) is not int or value <= 0):
        raise ConfigurationError(f"size: expected a positive int, got {value!r}")


def check_amount(name: str, value: Any) -> None:
    """Refuse anything but a positive `Decimal` or `int` that JSON carries without loss, in whatever unit."""
    if type(value) is not int and not isinstance(value, Decimal):
        raise ConfigurationError(
            f"{name}: expected a Decimal or an int, got {type(value).__name__} {value!r:.60}"
        )
    check_major_units(name, value)


def key_or_new(value: str | None) -> str:
    """Return the caller's key, or a new UUID of version 4."""
    return str(uuid.uuid4()) if value is None else value
