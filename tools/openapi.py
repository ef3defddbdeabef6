"""The OpenAPI document of an API, made from the declarations: ``python -m tools.openapi [API]``.

It writes the whole of ``docs/openapi.yaml`` to its output, or of ``docs/openapi-gate.yaml`` for ``gate``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, cast

from plexypay_async.api.description import API
from plexypay_async.api.openapi import openapi_document
from plexypay_async.apis import api_of
from plexypay_async.pay.description import PAY

__all__ = ["openapi_yaml", "written"]

_HEAD = "# Made from the declarations in plexypay_async/{name} by `make openapi`; not the vendor's.\n"
_NOT_PUBLISHED = "https://api.example"
_PLAIN_KEY = re.compile(r"[A-Za-z/$][\w/{}$.-]*")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def openapi_yaml(api: API = PAY) -> str:
    """Return the text of an API's document: ``docs/openapi.yaml`` for the Pay API."""
    return _HEAD.format(name=api.name) + written(openapi_document(api, api.base_url or _NOT_PUBLISHED))


def written(document: Any) -> str:
    """Write what JSON can carry as YAML, in the order of its keys."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(document))


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in cast("Mapping[str, Any]", value).items():
            yield from _entry(f"{_key(key)}:", inner)
    elif isinstance(value, list) and value:
        for inner in value:
            first, *others = _lines(inner)
            yield f"- {first}"
            yield from (f"  {line}" for line in others)
    else:
        # JSON is YAML.
        yield json.dumps(value, ensure_ascii=False)


def _entry(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, str) and _is_block(value):
        yield f"{key} |-"
        yield from (f"  {line}" for line in value.split("\n"))
    elif isinstance(value, (Mapping, list)) and value:
        yield key
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{key} {json.dumps(value, ensure_ascii=False)}"


def _is_block(text: str) -> bool:
    """Tell whether a text stays what it is in a block of lines."""
    lines = text.split("\n")
    has_spaces = any(line != line.rstrip() for line in lines) or text.startswith(" ")
    return len(lines) > 1 and bool(lines[0]) and bool(lines[-1]) and not has_spaces


def _key(key: str) -> str:
    is_plain = _PLAIN_KEY.fullmatch(key) is not None and key.lower() not in _WORDS
    return key if is_plain else json.dumps(key, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(openapi_yaml(api_of((sys.argv[1:] or [PAY.name])[0])))
