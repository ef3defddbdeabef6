"""What stands in a request's first line: paths and queries, percent-encoded."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote, urlencode

from .._privacy.hiding import shown
from .._times import written_time
from ..api.operation import parameters_of
from ..errors import ConfigurationError

__all__ = ["filled", "path_of", "query_of"]

LONGEST_PARAMETER = 1000
"""Characters of what is filled into a path; an id has some dozens."""


def path_of(template: str, values: Mapping[str, Any]) -> str:
    """Fill a path template, percent-encoding every value with nothing left safe.

    Raises:
        ConfigurationError: A value is empty, ``.`` or ``..``, too long, or not a string.
    """
    for name in parameters_of(template):
        value = values[name]
        if not isinstance(value, str):
            raise ConfigurationError(f"{name}: expected a string, got {type(value).__name__}")
        if value.strip() in ("", ".", ".."):
            raise ConfigurationError(f"{name}: {shown(value)} cannot be part of a path")
        if len(value) > LONGEST_PARAMETER:
            raise ConfigurationError(f"{name}: longer than {LONGEST_PARAMETER} characters")
        try:
            template = template.replace(f"{{{name}}}", quote(value, safe="").replace("{", "%7B"))
        except UnicodeEncodeError:
            raise ConfigurationError(f"{name}: not valid Unicode text") from None
    return template


def filled(template: str, values: Mapping[str, str]) -> str:
    """Fill in those of a template's parameters that are given here; the others stay.

    Raises:
        ConfigurationError: A value cannot be part of a path.
    """
    for name in set(parameters_of(template)).intersection(values):
        template = template.replace(f"{{{name}}}", path_of(f"{{{name}}}", values))
    return template


def query_of(values: Mapping[str, Any]) -> str:
    """Write a query string, with times in UTC and booleans as JSON writes them."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("a query parameter's name must be a string")
        if value is None:
            continue
        many = cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else (value,)
        pairs.extend((name, _query_value(name, one)) for one in many)
    try:
        return urlencode(pairs)
    except UnicodeEncodeError:
        raise ConfigurationError("a query parameter is not valid Unicode text") from None


def _query_value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ConfigurationError(f"{name}: {value.isoformat()} has no time zone")
        return written_time(value)
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{name}: {value} is no number")
    if isinstance(value, (str, int, float)):
        try:
            return str(value)
        except ValueError:
            raise ConfigurationError(f"{name}: a number too long to be written") from None
    raise ConfigurationError(f"{name}: a query parameter cannot be a {type(value).__name__}")
