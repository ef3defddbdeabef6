"""What the handler of an operation is given and gives back, and the published error bodies.

Handlers know nothing of the HTTP server: they take an `ApiRequest`, and return an `ApiResponse` or raise a
`Refusal`. Bodies are read and written here as plain JSON, without the library's own codec: the sandbox checks
the library, so it must not share the library's mistakes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeAlias, TypeVar, cast

import attrs
import orjson

from .clock import read_time

__all__ = [
    "ERRORS",
    "LARGEST",
    "ApiRequest",
    "ApiResponse",
    "Fields",
    "Handler",
    "OwnRefusal",
    "PageQuery",
    "PublishedError",
    "Refusal",
    "error_body",
    "in_base64",
    "json_text",
    "published_error",
    "read_document",
]

_T = TypeVar("_T")

LARGEST = 2**63 - 1
"""The largest whole number that the database holds."""


@attrs.define
class ApiRequest:
    """One request to an operation: the values in its path, its query, its raw body and its headers."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]
    """Their names are found in any letter case."""


@attrs.define
class ApiResponse:
    """What an operation answers: a status and a document that JSON can carry."""

    status: int
    document: Any


Handler: TypeAlias = Callable[[ApiRequest], ApiResponse]


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


def published_error(code: int) -> PublishedError:
    """Return what is published about an error; a code that is not published has status 400."""
    return ERRORS.get(code) or PublishedError(f"error {code}", "apiError", 400)


def error_body(code: int, message: str | None = None, *, source: str = "keys") -> dict[str, Any]:
    """Return the published body of an error, with a message of its own where one is given."""
    published = published_error(code)
    return {
        "code": code,
        "message": published.message if message is None else message,
        "source": source,
        "type": published.type,
    }


class Refusal(Exception):
    """The sandbox refuses a request; carries the published error that it answers."""

    def __init__(
        self, code: int, message: str | None = None, *, source: str = "keys", status: int | None = None
    ) -> None:
        super().__init__(message)
        self.response: ApiResponse = ApiResponse(
            published_error(code).status if status is None else status,
            error_body(code, message, source=source),
        )


class OwnRefusal(Refusal):
    """A refusal in the very words of an API, whatever its form of errors is otherwise."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        super().__init__(3)
        self.response = ApiResponse(status, document)


def json_text(document: Mapping[str, Any], *, name: str, source: str, is_sorted: bool = False) -> str:
    """Write an object that was read from a request; when sorted, equal objects give equal texts.

    Raises:
        Refusal: It is nested deeper than can be written, with code 3; the message calls it `name`.
    """
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS if is_sorted else None).decode()
    except TypeError:
        # Deep nesting is the one thing that orjson reads and does not write.
        raise Refusal(3, f"{name}: nested too deep", source=source) from None


def in_base64(document: Mapping[str, Any]) -> str:
    """Write an object as JSON in Base64 for URLs, without padding, as the messages of 3-D Secure are."""
    return base64.urlsafe_b64encode(orjson.dumps(document)).decode().rstrip("=")


def read_document(body: bytes, *, source: str) -> dict[str, Any]:
    """Read a body that must be an object of JSON.

    Raises:
        Refusal: It is something else, with code 3.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(3, f"body: not valid JSON: {error}", source=source) from None
    if not isinstance(document, dict):
        raise Refusal(3, f"body: expected a JSON object, got {_kind(document)}", source=source)
    return cast("dict[str, Any]", document)


@attrs.frozen
class PageQuery:
    """Which page of a listing is asked for.

    Evidence: the query and the shape of the answer are published for payment links and observed for
    transactions; for every other listing they are assumed to be the same.
    """

    page: int
    """Its number, from 1."""
    size: int

    @classmethod
    def read(cls, query: Mapping[str, str], *, most: int, source: str, default: int = 10) -> PageQuery:
        """Read ``page`` and ``size``, 1 and `default` unless given; a size above `most` is taken as `most`.

        Raises:
            Refusal: One of them is no whole number from 1, with code 3.
        """
        return cls(_positive(query, "page", 1, source), min(_positive(query, "size", default, source), most))

    @property
    def offset(self) -> int:
        """How many items come before the page, as far as the database can count."""
        return min((self.page - 1) * self.size, LARGEST)

    def response(
        self,
        find: Callable[[int, int], tuple[Sequence[_T], int]],
        show: Callable[[_T], Any] = lambda item: item,
    ) -> ApiResponse:
        """Return the response that shows the page.

        `find` takes the offset and the size, and returns the page's items and how many there are in all.
        """
        items, total = find(self.offset, self.size)
        data = [show(item) for item in items]
        return ApiResponse(200, {"data": data, "page": self.page, "size": self.size, "total": total})


class Fields:
    """The fields of a request's JSON body, read strictly: a refusal names the field.

    A field that is null counts as not given.
    """

    def __init__(self, body: bytes, *, source: str) -> None:
        self.source = source
        self._values = read_document(body, source=source)
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

    def given(self, name: str, value: _T | None) -> _T:
        """Return the value of a required field.

        Raises:
            Refusal: It is not given, with code 3.
        """
        if value is None:
            raise self._bad_type(name, "required")
        return value

    def required_text(self, name: str, *, may_be_empty: bool = False) -> str:
        """Return a string that must be given, and hold something unless it `may_be_empty`."""
        text = self.given(name, self.text(name))
        if not may_be_empty and not text.strip():
            raise self._bad_type(name, "required, and must not be empty")
        return text

    def currency(self, name: str, *, default: str | None = None) -> str:
        """Return a currency, of three letters; it must be given unless there is a default."""
        text = self.text(name)
        currency = self.given(name, default if text is None else text)
        if re.fullmatch("[A-Za-z]{3}", currency) is None:
            raise self.bad_value(name, f"expected three letters such as KZT, got {currency[:60]!r}")
        return currency

    def minor_units(self, name: str) -> int:
        """Return an amount of minor units, which must be given, be positive and fit into the database."""
        amount = self.given(name, self.integer(name))
        self.check_positive(name, amount)
        if amount > LARGEST:
            raise self.bad_value(name, f"too large: {amount}")
        return amount

    def check_positive(self, name: str, number: float) -> None:
        """Refuse a number that is not positive."""
        if number <= 0:
            raise self.bad_value(name, f"must be positive, got {number}")

    def canonical(self) -> str:
        """Return the whole body as text that is the same for equal bodies."""
        return json_text(self._values, name="body", source=self.source, is_sorted=True)

    def bad_value(self, name: str, message: str) -> Refusal:
        """Return the refusal of a value that has the right type but is not possible."""
        return Refusal(5, f"{self._prefix}{name}: {message}", source=self.source)

    def _bad_type(self, name: str, message: str) -> Refusal:
        return Refusal(3, f"{self._prefix}{name}: {message}", source=self.source)

    def _typed(self, name: str, expected: type[_T], described: str) -> _T | None:
        value = self._values.get(name)
        if value is not None and type(value) is not expected:
            raise self._bad_type(name, f"expected {described}, got {_kind(value)}")
        return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "an integer", float: "a fraction", str: "a string", list: "an array"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "an object")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _positive(query: Mapping[str, str], name: str, default: int, source: str) -> int:
    text = query.get(name)
    if text is None:
        return default
    # 18 digits are more than any listing has.
    if re.fullmatch("[0-9]{1,18}", text) is None or int(text) == 0:
        raise Refusal(3, f"{name}: expected a whole number from 1, got {text[:60]!r}", source=source)
    return int(text)
