"""Request bodies that are kept or compared whole."""

from __future__ import annotations

from typing import Any, cast

import orjson

from .exchange import Refusal

__all__ = ["canonical", "read_document"]


def read_document(body: bytes, *, source: str) -> dict[str, Any]:
    """Read a body that must be an object of JSON; none at all is an empty one.

    Raises:
        Refusal: It is something else, or nested deeper than can be written again, with code 3.
    """
    if not body:
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(3, f"body: not valid JSON: {error}", source=source) from None
    if not isinstance(document, dict):
        raise Refusal(3, "body: expected a JSON object", source=source)
    try:
        orjson.dumps(document)
    except TypeError:
        # The only thing that can be read and not be written.
        raise Refusal(3, "body: nested too deep", source=source) from None
    return cast("dict[str, Any]", document)


def canonical(document: dict[str, Any]) -> str:
    """Write an object so that two of them are equal where their texts are."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
