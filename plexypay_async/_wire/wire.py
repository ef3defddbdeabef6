"""The wire itself: requests and answers as they travel, JSON, paths and queries, and the API's errors.

No I/O and no models; `codec` goes between these and the models.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import quote, urlencode

import orjson

from .._privacy.hiding import masked, masked_card_numbers, shown
from .._privacy.secret import Secret
from ..api.fields import check_json, written_time
from ..api.operation import parameters_of
from ..errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    SomethingWentWrongError,
    UnprocessableError,
    UnreadableResponseError,
    error_class_of,
)

__all__ = [
    "BODY_METHODS",
    "Decoder",
    "WireRequest",
    "WireResponse",
    "check_empty",
    "code_of",
    "date_of",
    "decode_json",
    "encode_json",
    "error_of",
    "is_of_the_api",
    "path_of",
    "query_of",
    "seconds_kept",
    "seconds_to_wait",
    "unreadable",
    "values_in",
    "without_key",
]

D = TypeVar("D", covariant=True)

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
NO_CONTENT = 204
SHOWN = 500
"""How many characters of a body an error carries."""
LOOKED_AT = 2**13
"""So many bytes of a body are looked at for its beginning."""
LARGEST_ERROR = 2**16
"""Bytes of an answer that is no success beyond which it is no error of the API's, and is not read."""
LONGEST_MESSAGE = 2000
"""How many characters of a server's message an error carries."""
DEEPEST = 100
"""How deep an answer may be nested of which an error keeps the whole."""
COUNTED_FROM = 2**20
"""Bytes of a success from which on its values are counted before it is read as JSON."""
MOST_VALUES = 500_000
"""So many values a success may have: a page of a thousand links has about 30 000."""
LONGEST_PARAMETER = 1000
"""Characters of what is filled into a path; an id has some dozens."""
API_ERROR_TYPES = ("apiError", "validationError")


class WireRequest:
    """A request as it goes out, but for the host and the key."""

    __slots__ = ("body", "headers", "method", "target")

    def __init__(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.method = method
        self.target = target
        """Path and query, percent-encoded."""
        self.body = body
        self.headers = headers

    def __repr__(self) -> str:
        # The body may hold card data.
        return f"<WireRequest {self.method} {masked_card_numbers(self.target)}>"


class WireResponse:
    """An answer as it came in."""

    complete = True
    """False where the connection ended before the body did."""
    cause: BaseException | None = None
    """What ended it."""

    def __init__(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        key: Secret[str] | None = None,
    ) -> None:
        self._key = key
        self.status = status
        self.is_success = 200 <= status < 300
        """Whether the status is a 2xx."""
        self.body = body
        self.headers = headers

    def __repr__(self) -> str:
        return f"<WireResponse {self.status}, {len(self.body)} bytes>"

    @property
    def hides_a_cut(self) -> bool:
        """Whether a body that was cut looks whole: its end is that of the connection, or it is compressed."""
        headers = self.headers
        if headers is None or self.status == NO_CONTENT:
            return False
        if "Content-Encoding" in headers:
            return True
        return "Content-Length" not in headers and "Transfer-Encoding" not in headers

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait, by its own clock where it gave a date."""
        headers = self.headers
        if headers is None or (text := headers.get("Retry-After")) is None:
            return None
        return seconds_to_wait(text, date_of(headers.get("Date")))

    def hidden(self, text: str) -> str:
        """Return the beginning of a server's text, without the key and the cards that it has sent back."""
        text = text[:LOOKED_AT]
        return masked_card_numbers(text if self._key is None else without_key(text, self._key))

    def hidden_in(self, value: Any) -> Any:
        """Return a value of JSON with all of its texts as `hidden` returns them."""
        value = masked(value)
        return value if self._key is None else _without_key_in(value, self._key, 0)

    @property
    def beginning(self) -> str:
        """The beginning of the body, for an error."""
        # Hidden first: a cut through the key would leave its beginning.
        return self.hidden(self.body[:LOOKED_AT].decode("utf-8", "replace"))[:SHOWN]


class Decoder(Protocol[D]):
    """What reads the answers to one operation."""

    name: str

    def decode(self, response: WireResponse) -> D:
        """Return the model of a 2xx answer.

        Raises:
            UnreadableResponseError: It is not one of this operation's answers.
            RefusedError: It says that the work was not done.
        """
        ...

    def proves(self, request: Any, answer: WireResponse) -> bool:
        """Tell whether a success that cannot be read says that what was asked for was done."""
        ...


def without_key(text: str, key: Secret[str]) -> str:
    """Return a text without an API key, in any of the ways in which JSON spells it."""
    return _replaced(text, key.reveal())


def _without_key_in(value: Any, key: Secret[str], depth: int) -> Any:
    if isinstance(value, str):
        return without_key(value, key)
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {without_key(name, key): _without_key_in(inner, key, depth + 1) for name, inner in items}
    if isinstance(value, list):
        return [_without_key_in(inner, key, depth + 1) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def _replaced(text: str, key: str) -> str:
    quoted = orjson.dumps(key)[1:-1].decode()
    for spelt in (key, quoted, quoted.replace("/", "\\/")):
        text = text.replace(spelt, "[the API key]")
    return text


# ------------------------------------------------------------------------------------------------- JSON


def values_in(document: bytes) -> int:
    """Return about how many values a JSON document has: each is an object in memory, however short it is."""
    return document.count(b"{") + document.count(b"[") + document.count(b",")


def encode_json(value: Any, *, ordered: bool = False) -> bytes:
    """Write a value as JSON; `ordered` sorts the keys of each object.

    Raises:
        ConfigurationError: JSON cannot carry it, for example a number of more than 64 bits.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if ordered else 0)
    except TypeError as error:
        told = str(error)
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            # It names the place.
            check_json(name, inner)
    raise ConfigurationError(f"the request cannot be written as JSON: {told}")


def decode_json(
    response: WireResponse,
    what: str,
    *,
    read: Callable[[bytes], Any] = orjson.loads,
    shown: bool = True,
    outcome: Outcome = Outcome.UNKNOWN,
) -> Any:
    """Read a body as JSON; an empty one is None. Unless `shown`, an error holds nothing of it.

    `read` does it, or raises `ValueError`; `outcome` is that of an answer that cannot be read.

    Raises:
        UnreadableResponseError: The body is not JSON.
    """
    try:
        return read(response.body)
    except ValueError:
        check_empty(response, what, shown=shown, outcome=outcome)
    return None


def check_empty(response: WireResponse, what: str, *, shown: bool, outcome: Outcome) -> None:
    """Let an empty body pass.

    Raises:
        UnreadableResponseError: There is a body, which is not JSON.
    """
    if not response.body.strip():
        return
    error = unreadable(response, f"{what}: the answer is not JSON", shown=shown, outcome=outcome)
    error.cut = response.hides_a_cut
    raise error from None


def unreadable(
    response: WireResponse, message: str, *, shown: bool = True, outcome: Outcome = Outcome.UNKNOWN
) -> UnreadableResponseError:
    """Return the error of an answer that cannot be read: the work is done where that is proved.

    Unless `shown`, it holds nothing of the body, which may have a customer's data.
    """
    beginning = response.beginning if shown else ""
    told = f"; its body begins: {beginning[:120]!r}" if shown else ""
    return UnreadableResponseError(
        f"{message} (HTTP {response.status}){told}",
        status=response.status,
        body=beginning,
        outcome=outcome,
    )


# ---------------------------------------------------------------------------------------------- targets


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


# ----------------------------------------------------------------------------------------------- errors

_BY_STATUS: dict[int, type[APIError]] = {
    400: InvalidRequestError,
    404: NotFoundError,
    422: UnprocessableError,
}
_STATUS_ALONE: dict[int, type[APIError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    429: RateLimitedError,
}


def error_of(response: WireResponse, what: str) -> APIError:
    """Return the error that an answer which is no 2xx stands for.

    By the body's code where there is one, in any of its published spellings (``1``, ``"1"``, ``"0001"``),
    else by the status; 401, 403 and 429 always go by the status. Only a code says code 1: a 503 without one
    may be of a gateway that had handed the work on.
    """
    body: Any = None
    if len(response.body) <= LARGEST_ERROR:
        try:
            body = orjson.loads(response.body)
        except ValueError:
            body = None
    fields = cast("dict[str, Any]", body) if type(body) is dict else {}
    code = code_of(fields.get("code"))
    message = fields.get("message")
    status = response.status
    kind = _STATUS_ALONE.get(status)
    if kind is None and code is not None:
        kind = error_class_of(code)
    if kind is None:
        kind = _BY_STATUS.get(status)
    if kind is None:
        kind = SomethingWentWrongError if status >= 500 else APIError
    if type(message) is not str or not message:
        described = response.beginning.strip()[:120]
        message = f"no message; the body begins: {described!r}" if described else "no message, empty body"
    source, origin = _optional_text(fields.get("source")), _optional_text(fields.get("type"))
    return kind(
        response.hidden(message)[:LONGEST_MESSAGE],
        status=status,
        code=code,
        source=source and response.hidden(source)[:SHOWN],
        type=origin and response.hidden(origin)[:SHOWN],
        retry_after=response.retry_after,
        operation=what,
    )


def is_of_the_api(error: APIError) -> bool:
    """Tell whether an answer has the API's own error body, and not that of something in between.

    Its sign is a code, or one of the published types. A code that is the HTTP status is a gateway's habit.
    """
    return (error.code is not None and error.code != error.status) or error.type in API_ERROR_TYPES


def code_of(value: Any) -> int | None:
    """Read an error code in any of its published spellings: ``1``, ``"1"``, ``"0001"``; None for others."""
    if type(value) is int:
        return value
    if type(value) is str and value.strip().isascii() and value.strip().isdigit() and len(value) <= 20:
        return int(value)
    return None


def _optional_text(value: Any) -> str | None:
    return value if type(value) is str else None


def seconds_to_wait(retry_after: str, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header: seconds or an HTTP date; None where it is unreadable.

    A date is measured from `now`, the local clock unless the answer had a date of its own.
    """
    text = retry_after.strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if seconds == seconds else None
    at = date_of(text)
    return None if at is None else max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def seconds_kept(keep_alive: str) -> float:
    """Read from a `Keep-Alive` header how long the server keeps an idle connection; inf if it is silent."""
    found = re.search(r"timeout\s*=\s*(\d{1,6})", keep_alive, re.IGNORECASE)
    return math.inf if found is None else float(found[1])


def date_of(text: str | None) -> datetime | None:
    """Read an HTTP date; None where it is absent or unreadable."""
    if text is None:
        return None
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
