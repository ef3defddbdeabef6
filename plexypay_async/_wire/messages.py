"""Requests and answers as they travel, and the JSON in them.

No I/O and no models; `codec` goes between these and the models.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar, cast

import orjson

from .._privacy.hiding import MASK, masked, masked_card_numbers
from .._privacy.secret import Secret
from ..answered import Answered, AnswerHeaders, request_id_in, request_id_told
from ..api.checks import check_json
from ..errors import (
    ConfigurationError,
    Outcome,
    PlexyPayError,
    RefusedError,
    UnreadableResponseError,
)

__all__ = [
    "BODY_METHODS",
    "LONG_NUMBER",
    "NUMBERS_MARKED",
    "Decoder",
    "WireRequest",
    "WireResponse",
    "as_written",
    "check_empty",
    "date_of",
    "decode_json",
    "encode_json",
    "hidden_id",
    "id_in",
    "read_exactly",
    "read_json",
    "read_otherwise",
    "read_small",
    "seconds_kept",
    "seconds_to_wait",
    "text_in",
    "unreadable",
    "values_in",
    "with_evidence",
    "without_key",
]

D = TypeVar("D", covariant=True)
E = TypeVar("E", bound=PlexyPayError)

NUMBERS_MARKED = bytes(
    ord(" ") if chr(code) in ":,[ \t\r\n" else ord("0") if chr(code) in "-.0123456789" else ord("x")
    for code in range(256)
)
"""Translates a body so that `LONG_NUMBER` is in it where it has such a one: cheaper than a pattern."""
LONG_NUMBER = b" " + b"0" * 16
"""A number of so many digits, sign and point among them, which a float may not hold as it is written.

It begins where a number of JSON may: the digits of a text, as of an id, follow a quotation mark or a letter.
"""

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
NO_CONTENT = 204
_SMALL = re.compile(rb"[0-9.][eE]-0*(?:[3-9][0-9]{2}|[0-9]{4})")
_IDS = ("id", "transactionId", "walletTransactionId", "payment_order_id")
_LARGEST_ID = 10**40
SHOWN = 500
"""How many characters of a body an error carries."""
LOOKED_AT = 2**13
"""So many bytes of a body are looked at for its beginning."""
LARGEST_RAW = 2**16
"""Bytes of an answer up to which an error keeps what was decoded of it."""
DEEPEST = 100
"""How deep an answer may be nested of which an error keeps the whole."""
COUNTED_FROM = 2**20
"""Bytes of a success from which on its values are counted before it is read as JSON."""
MOST_VALUES = 500_000
"""So many values a success may have: a page of a thousand links has about 30 000."""


class WireRequest:
    """A request as it goes out, but for the host and the key."""

    __slots__ = ("body", "headers", "method", "target", "template")

    def __init__(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        template: str | None = None,
    ) -> None:
        self.method: str = method
        self.target: str = target
        """Path and query, percent-encoded."""
        self.body: bytes | None = body
        self.headers: Mapping[str, str] | None = headers
        self.template: str | None = template
        """The path with names in place of values; None where nobody has declared it."""

    def __repr__(self) -> str:
        # The body may hold card data.
        return f"<WireRequest {self.method} {masked_card_numbers(self.target)}>"


class WireResponse:
    """An answer as it came in."""

    complete = True
    """False where the connection ended before the body did."""
    cause: BaseException | None = None
    """What ended it."""
    elapsed: float | None = None
    """Seconds from the sending of its request until it had come, where somebody wants to know."""

    def __init__(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        key: Secret[str] | None = None,
    ) -> None:
        self._key = key
        self.status = status
        self.is_success: bool = 200 <= status < 300
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

    def kept_headers(self) -> AnswerHeaders:
        """Return the headers without the key, should the server have sent it back."""
        key = self._key
        return AnswerHeaders(
            {
                name: value if key is None else without_key(value, key)
                for name, value in (self.headers or {}).items()
            }
        )

    @property
    def request_id(self) -> str | None:
        """The id that the answer gives its request, without the key, should the server have sent it back."""
        found = None if self.headers is None else request_id_in(self.headers)
        return found if found is None or self._key is None else without_key(found, self._key)

    def evidence(self) -> Answered[None]:
        """Return how the request was answered, without what was answered."""
        headers = self.kept_headers()
        return Answered(
            value=None,
            status=self.status,
            headers=headers,
            request_id=request_id_in(headers),
            elapsed=self.elapsed,
            attempts=0,
            recovered=False,
        )

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

    def refusal(self, response: WireResponse) -> RefusedError | None:
        """Return the refusal that an answer which is no 2xx tells of."""
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


def read_json(body: bytes) -> Any:
    """Read JSON; a number that neither an `int` of 64 bits nor a `float` holds is an `int` or a `Decimal`.

    A byte order mark before it is passed over.

    Raises:
        ValueError: The body is not JSON.
    """
    try:
        value = orjson.loads(body)
    except ValueError:
        return read_otherwise(body)
    return read_exactly(body, value) if has_long_number(body) else value


def has_long_number(body: bytes) -> bool:
    """Tell whether there is a number in JSON of which a `float` may not hold all digits."""
    return LONG_NUMBER in (b" " + body).translate(NUMBERS_MARKED)


def read_small(body: bytes, value: Any) -> Any:
    """Read once more what has a number so near to zero that a `float` is zero.

    Looking for one costs more than the typed calls would spend on it: no field of theirs is so small.
    """
    return value if _SMALL.search(body) is None else read_exactly(body, value)


def read_exactly(body: bytes, value: Any) -> Any:
    """Read once more what may have a number that its usual reading, `value`, does not hold as written."""
    try:
        return json.loads(body, parse_float=as_written)
    except (ValueError, RecursionError):
        # Python's own reader takes fewer digits, and less depth.
        return value


def read_otherwise(body: bytes) -> Any:
    """Read JSON that orjson refuses: a number that no `float` holds, or a byte order mark before it all.

    Raises:
        ValueError: It is not JSON for Python's reader either, or is no Unicode text.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_float=as_written, parse_int=_integer_as_written)
        # Neither half a surrogate pair nor a NaN can be written again.
        json.dumps(value, ensure_ascii=False, allow_nan=False, default=str).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


_MOST_DIGITS = 4300
"""Digits that Python reads as an `int`."""


def _integer_as_written(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MOST_DIGITS else Decimal(text)


def as_written(text: str) -> float | Decimal:
    """Return the number that a text is: a `Decimal` where a `float` would not be written as it is."""
    value = float(text)
    try:
        exact = Decimal(text)
        return value if Decimal(repr(value)) == exact else exact
    except ArithmeticError:
        # An exponent beyond that of a `Decimal`.
        return value


def read_decimals(body: bytes) -> Any:
    """Read JSON with a `Decimal` for each number that has a point or an exponent.

    Raises:
        ValueError: It is not JSON for Python's reader, or is nested too deep for it.
    """
    text = body.decode("utf-8-sig")
    try:
        return json.loads(text, parse_float=_decimal_as_written, parse_int=_integer_as_written)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _decimal_as_written(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except ArithmeticError:
        # An exponent beyond that of a `Decimal`.
        return float(text)


def _number_as_written(value: Any) -> orjson.Fragment:
    """Write a `Decimal` as a number with just its digits; a JSON writer that meets it calls this."""
    if isinstance(value, Decimal):
        return orjson.Fragment(Decimal.__str__(value))
    raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")


def encode_json(value: Any, *, ordered: bool = False, decimals: bool = False) -> bytes:
    """Write a value as JSON; `ordered` sorts the keys of each object, `decimals` takes a `Decimal` as well.

    Raises:
        ConfigurationError: JSON cannot carry it, for example a number of more than 64 bits.
    """
    option = orjson.OPT_SORT_KEYS if ordered else 0
    try:
        return orjson.dumps(value, _number_as_written if decimals else None, option)
    except TypeError as error:
        told = str(error)
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            # It names the place.
            check_json(name, inner, decimals=decimals)
    raise ConfigurationError(f"the request cannot be written as JSON: {told}")


def decode_json(
    response: WireResponse,
    what: str,
    *,
    shown: bool = True,
    outcome: Outcome = Outcome.UNKNOWN,
) -> Any:
    """Read a body as JSON; an empty one is None. Unless `shown`, an error holds nothing of it.

    `outcome` is that of an answer that cannot be read.

    Raises:
        UnreadableResponseError: The body is not JSON.
    """
    try:
        return read_json(response.body)
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


def with_evidence(error: E, response: WireResponse) -> E:
    """Give an error what is known of the answer that it is about, and return it."""
    if response.headers is not None:
        error.headers = kept = response.kept_headers()
        # What the API says in its error is its own; a header may be of something in between.
        error.request_id = error.request_id or request_id_in(kept)
    if (told := request_id_told(error.request_id)) and error.args:
        # It is what the vendor's support asks for, and a log may have nothing but the text.
        error.args = (f"{str(error).removesuffix('.')}{told}",)
    error.elapsed = response.elapsed
    return error


def unreadable(
    response: WireResponse,
    message: str,
    *,
    shown: bool = True,
    outcome: Outcome = Outcome.UNKNOWN,
    raw: Any = None,
) -> UnreadableResponseError:
    """Return the error of an answer that cannot be read: the work is done where that is proved.

    Unless `shown`, it holds nothing of the body, which may have a customer's data, but for the id in it.
    """
    beginning = response.beginning if shown else ""
    told = f"; its body begins: {beginning[:120]!r}" if shown else ""
    error = UnreadableResponseError(
        f"{message} (HTTP {response.status}){told}",
        status=response.status,
        body=beginning,
        raw=response.hidden_in(raw) if shown and len(response.body) <= LARGEST_RAW else None,
        outcome=outcome,
    )
    error.named = hidden_id(response, raw)
    return with_evidence(error, response)


def hidden_id(response: WireResponse, document: Any) -> str | None:
    """Return the id that the JSON of an answer names; None where there is none, or a card's number in it."""
    named = id_in(cast("dict[str, Any]", document)) if type(document) is dict else None
    hidden = "" if named is None else response.hidden(named)[:SHOWN]
    return hidden if hidden and MASK not in hidden else None


def id_in(fields: dict[str, Any]) -> str | None:
    """Return the id that an object of JSON names, such as that of a transaction."""
    values = (text_in(fields, name) for name in _IDS)
    return next((value for value in values if value is not None), None)


def text_in(fields: dict[str, Any], name: str) -> str | None:
    """Return a text or a number as text, also from ``{"Value": ...}``; None where there is none."""
    value = fields.get(name)
    if type(value) is dict:
        wrapped = cast("dict[str, Any]", value)
        value = None if wrapped.get("Valid") is False else wrapped.get("Value")
    if type(value) is int and abs(value) < _LARGEST_ID:
        return str(value)
    return value if type(value) is str and value.strip() else None


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
