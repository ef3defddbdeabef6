"""The wire itself: requests and answers as they travel, JSON, paths and queries, and the API's errors.

No I/O and no models; `codec` goes between these and the models.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote, urlencode

import orjson

from .errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnprocessableError,
    UnreadableResponseError,
)
from .fields import check_json, written_time
from .operation import parameters_of

__all__ = [
    "BODY_METHODS",
    "WireRequest",
    "WireResponse",
    "decode_json",
    "encode_json",
    "error_of",
    "path_of",
    "query_of",
    "seconds_to_wait",
    "unreadable",
]

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
SHOWN = 500
"""How many characters of a body an error carries."""


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
        return f"<WireRequest {self.method} {self.target}>"


class WireResponse:
    """An answer as it came in."""

    __slots__ = ("_key", "body", "complete", "is_success", "retry_after", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        retry_after: str | None = None,
        *,
        complete: bool = True,
        key: str = "",
    ) -> None:
        self._key = key
        self.status = status
        self.is_success = 200 <= status < 300
        """Whether the status is a 2xx."""
        self.body = body
        self.retry_after = retry_after
        self.complete = complete
        """False where the connection ended before the body did."""

    def __repr__(self) -> str:
        return f"<WireResponse {self.status}, {len(self.body)} bytes>"

    def hidden(self, text: str) -> str:
        """Return a text of the server's without the API key that it may have sent back."""
        key = self._key
        if not key:
            return text
        quoted = orjson.dumps(key)[1:-1].decode()
        for spelt in (key, quoted, quoted.replace("/", "\\/")):
            text = text.replace(spelt, "[the API key]")
        return text

    @property
    def beginning(self) -> str:
        """The beginning of the body, for an error."""
        # Hidden first: a cut through the key would leave its beginning.
        return self.hidden(self.body.decode("utf-8", "replace"))[:SHOWN]


# ------------------------------------------------------------------------------------------------- JSON


def encode_json(value: Any) -> bytes:
    """Write a value as JSON.

    Raises:
        ConfigurationError: JSON cannot carry it, for example a number of more than 64 bits.
    """
    try:
        return orjson.dumps(value)
    except TypeError as error:
        told = str(error)
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            # It names the place.
            check_json(name, inner)
    raise ConfigurationError(f"the request cannot be written as JSON: {told}")


def decode_json(response: WireResponse, what: str, *, shown: bool = True) -> Any:
    """Read a body as JSON; an empty one is None. Unless `shown`, an error holds nothing of it.

    Raises:
        UnreadableResponseError: The body is not JSON.
    """
    if not response.body.strip():
        return None
    try:
        return orjson.loads(response.body)
    except ValueError:
        raise unreadable(response, f"{what}: the answer is not JSON", shown=shown) from None


def unreadable(response: WireResponse, message: str, *, shown: bool = True) -> UnreadableResponseError:
    """Return the error of an answer that cannot be read; after a 2xx the work itself is done.

    Unless `shown`, it holds nothing of the body, which may have a customer's data.
    """
    beginning = response.beginning if shown else ""
    told = f"; its body begins: {beginning[:120]!r}" if shown else ""
    return UnreadableResponseError(
        f"{message} (HTTP {response.status}){told}",
        status=response.status,
        body=beginning,
        outcome=Outcome.DONE if response.is_success else Outcome.UNKNOWN,
    )


# ---------------------------------------------------------------------------------------------- targets


def path_of(template: str, values: Mapping[str, Any]) -> str:
    """Fill a path template, percent-encoding every value with nothing left safe.

    Raises:
        ConfigurationError: A value is empty, ``.`` or ``..``, or not a string.
    """
    for name in parameters_of(template):
        value = values[name]
        if not isinstance(value, str):
            raise ConfigurationError(f"{name}: expected a string, got {type(value).__name__}")
        if value.strip() in ("", ".", ".."):
            raise ConfigurationError(f"{name}: {value!r} cannot be part of a path")
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

_BY_CODE: dict[int, type[APIError]] = {
    1: ServiceUnavailableError,
    2: SomethingWentWrongError,
    3: InvalidRequestError,
    4: NotFoundError,
    5: UnprocessableError,
}
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


def error_of(response: WireResponse, what: str, now: datetime | None = None) -> APIError:
    """Return the error that an answer which is no 2xx stands for.

    By the body's code where there is one, in any of its published spellings (``1``, ``"1"``, ``"0001"``),
    else by the status; 401, 403 and 429 always go by the status. `now` is what a `Retry-After` date is
    measured from, the local clock unless given.
    """
    try:
        body: Any = orjson.loads(response.body)
    except ValueError:
        body = None
    fields = cast("dict[str, Any]", body) if type(body) is dict else {}
    code = _code_of(fields.get("code"))
    message = fields.get("message")
    status = response.status
    kind = _STATUS_ALONE.get(status)
    if kind is None and code is not None:
        kind = _BY_CODE.get(code)
    if kind is None:
        kind = _BY_STATUS.get(status)
    if kind is None and status == 503 and type(message) is str:
        kind = ServiceUnavailableError
    if kind is None:
        kind = SomethingWentWrongError if status >= 500 else APIError
    if type(message) is not str or not message:
        described = response.beginning.strip()[:120]
        message = f"no message; the body begins: {described!r}" if described else "no message, empty body"
    source, origin = _optional_text(fields.get("source")), _optional_text(fields.get("type"))
    return kind(
        response.hidden(message),
        status=status,
        code=code,
        source=source and response.hidden(source),
        type=origin and response.hidden(origin),
        retry_after=seconds_to_wait(response.retry_after, now),
        operation=what,
    )


def _code_of(value: Any) -> int | None:
    if type(value) is int:
        return value
    if type(value) is str and value.strip().isascii() and value.strip().isdigit() and len(value) <= 20:
        return int(value)
    return None


def _optional_text(value: Any) -> str | None:
    return value if type(value) is str else None


def seconds_to_wait(retry_after: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header: seconds or an HTTP date; None where it is absent or unreadable."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if seconds == seconds else None
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())
