"""What an operation's handler is given and gives back, and the published error bodies.

Handlers know nothing of HTTP's machinery: they take a `Call`, return an `Answer` or raise a `Refusal`.
Bodies are read and written here as plain JSON, without the library's own codec: the sandbox checks the
library, so it must not share the library's mistakes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeAlias, TypeVar, cast

import attrs
import orjson

from .clock import read_time

__all__ = [
    "ERRORS",
    "Answer",
    "Call",
    "Fields",
    "Handler",
    "PublishedError",
    "Refusal",
    "canonical",
    "encode",
    "error_body",
    "read_document",
]

_T = TypeVar("_T")


@attrs.define
class Call:
    """One request to an operation: the values in its path, its query, its raw body and its headers."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]
    """Their names are found in any letter case."""


@attrs.define
class Answer:
    """What an operation answers: a status and a document that JSON can carry."""

    status: int
    document: Any


Handler: TypeAlias = Callable[[Call], Answer]


@attrs.frozen
class PublishedError:
    """One line of the vendor's table of errors, and the status that goes with it (which is assumed)."""

    message: str
    type: str
    status: int


ERRORS: Mapping[int, PublishedError] = {
    1: PublishedError("service unavailable", "apiError", 503),
    2: PublishedError("something went wrong", "apiError", 500),
    3: PublishedError("invalid request params", "apiError", 400),
    4: PublishedError("not found", "apiError", 404),
    5: PublishedError("unprocessable entity", "validationError", 422),
}


def error_body(code: int, message: str | None = None, *, source: str = "keys") -> dict[str, Any]:
    """Return the published body of an error, with a message of its own where one is given."""
    published = ERRORS[code]
    return {
        "code": code,
        "message": published.message if message is None else message,
        "source": source,
        "type": published.type,
    }


class Refusal(Exception):
    """The sandbox does not do what it was asked; carries the published error that says so."""

    def __init__(
        self, code: int, message: str | None = None, *, source: str = "keys", status: int | None = None
    ) -> None:
        super().__init__(message)
        self.answer = Answer(
            ERRORS[code].status if status is None else status, error_body(code, message, source=source)
        )


def encode(document: Any) -> bytes:
    """Write a document as JSON."""
    try:
        return orjson.dumps(document)
    except TypeError:
        # orjson stops at 64 bits, which a sum of amounts can pass.
        return json.dumps(document).encode()


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


class Fields:
    """The fields of a request's JSON body, each read strictly and refused by its name.

    A field that is null counts as not given.
    """

    def __init__(self, body: bytes, *, source: str) -> None:
        self.source = source
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refusal(3, f"body: not valid JSON: {error}", source=source) from None
        if not isinstance(document, dict):
            raise Refusal(3, f"body: expected a JSON object, got {_kind(document)}", source=source)
        self._values: dict[str, Any] = document
        self._prefix = ""

    def text(self, name: str) -> str | None:
        """Return a string."""
        return self._typed(name, str, "a string")

    def integer(self, name: str) -> int | None:
        """Return a whole number; ``10.0`` is none."""
        return self._typed(name, int, "an integer")

    def boolean(self, name: str) -> bool | None:
        """Return true or false."""
        return self._typed(name, bool, "true or false")

    def object(self, name: str) -> dict[str, Any] | None:
        """Return an object as it is."""
        return cast("dict[str, Any] | None", self._typed(name, dict, "an object"))

    def nested(self, name: str) -> Self | None:
        """Return the fields of an object."""
        values = self.object(name)
        if values is None:
            return None
        inner = object.__new__(type(self))
        inner.source = self.source
        inner._values = values
        inner._prefix = f"{self._prefix}{name}."
        return inner

    def time(self, name: str) -> int | None:
        """Return a time in microseconds since 1970; a string that is none is a bad value."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return read_time(text)
        except (ValueError, OverflowError):
            raise self.bad_value(
                name,
                f"expected an ISO 8601 time with a zone such as 2025-03-14T00:00:00Z, got {_shown(text)}",
            ) from None

    def missing(self, name: str) -> Refusal:
        """Return the refusal of a body that lacks a required field."""
        return Refusal(3, f"{self._prefix}{name}: required", source=self.source)

    def bad_value(self, name: str, message: str) -> Refusal:
        """Return the refusal of a value of the right type that cannot be."""
        return Refusal(5, f"{self._prefix}{name}: {message}", source=self.source)

    def _typed(self, name: str, expected: type[_T], described: str) -> _T | None:
        value = self._values.get(name)
        if value is not None and type(value) is not expected:
            raise Refusal(
                3, f"{self._prefix}{name}: expected {described}, got {_kind(value)}", source=self.source
            )
        return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "an integer", float: "a fraction", str: "a string", list: "an array"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "an object")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
