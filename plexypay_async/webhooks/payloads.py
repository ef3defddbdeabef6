"""The body of a delivery as a JSON object, within limits that no real event comes near."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar, cast

from ..errors import WebhookPayloadError

__all__ = ["LONGEST_ID", "MAX_BODY", "document_of", "is_plain_id"]

_Number = TypeVar("_Number", int, float | Decimal)

MAX_BODY = 2**20
"""Bytes; a real delivery has about a thousand."""
LONGEST_ID = 255
"""Characters of an id by which an event is known again."""
_MAX_DEPTH = 32
_MAX_VALUES = 2_000
_MAX_DIGITS = 30


def document_of(body: bytes | bytearray | memoryview) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        WebhookPayloadError: It is none, is too large, or is one that two JSON readers would not read alike.
    """
    import orjson

    from .._wire.messages import as_written, values_in

    # Some writers put a byte order mark before what they send.
    data = bytes(body).removeprefix(BOM_UTF8)
    if len(data) > MAX_BODY:
        raise WebhookPayloadError(f"the body has {len(data)} bytes; an event has at most {MAX_BODY}")
    if values_in(data) > _MAX_VALUES:
        raise WebhookPayloadError(f"the body has more than {_MAX_VALUES} values")
    try:
        # Python's reader comes first, since it can refuse a long number before it spends time on it.
        value: Any = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=partial(_number, int),
            parse_float=partial(_number, as_written),
        )
        # orjson refuses what Python's reader takes: half a surrogate pair, NaN, numbers beyond a float. It
        # cannot replace it, for it keeps the last of two equal fields, and rounds long integers.
        orjson.loads(data)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        told = str(error) if isinstance(error, _AmbiguousError) else "it is not JSON"
        raise WebhookPayloadError(f"the body cannot be read: {told}") from None
    if not isinstance(value, dict):
        raise WebhookPayloadError(f"the body is no object but of type {type(value).__name__}")
    document = cast("dict[str, Any]", value)
    _check_depth(document)
    return document


class _AmbiguousError(ValueError):
    """JSON that two readers would not read alike."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _AmbiguousError("an object has the same field twice")
    return made


def _number(kind: Callable[[str], _Number], text: str) -> _Number:
    if len(text) > _MAX_DIGITS:
        raise _AmbiguousError(f"a number has more than {_MAX_DIGITS} digits")
    return kind(text)


def _check_depth(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (cast("dict[str, Any]", outer).values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> WebhookPayloadError:
    return WebhookPayloadError(f"the body is nested more than {_MAX_DEPTH} deep")


def is_plain_id(value: Any) -> bool:
    """Tell whether a value may be an id by which an event is known again: printable, and not too long."""
    return type(value) is str and 0 < len(value.strip()) == len(value) <= LONGEST_ID and value.isprintable()
