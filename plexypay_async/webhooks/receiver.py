"""Webhooks: authenticate a delivery, then read its event. No I/O, no framework, no aiohttp.

Evidence: the bodies, the names of the events and ``Authorization: Bearer <token>`` are published; the token
without the scheme, and plain strings in place of ``{"Value": ...}``, are observed. There is no signature and
no id of a delivery: deliveries repeat and get lost (observed), so see `WebhookEvent.dedupe_key`.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, cast, overload

import attrs

from .._privacy.secret import Secret
from ..api.fields import Model, wire_names
from ..api.settlement_orders import SettlementOrder, SettlementOrderStatus
from ..api.transactions import Transaction, TransactionStatus
from ..errors import (
    ConfigurationError,
    PlexyPayError,
    WebhookAuthenticationError,
    WebhookError,
    WebhookPayloadError,
)

if TYPE_CHECKING:
    from .._wire.converter import Structure

__all__ = [
    "PaymentOrderEvent",
    "TransactionEvent",
    "UnknownEvent",
    "WebhookEvent",
    "WebhookReceiver",
]

_Subject = TypeVar("_Subject", Transaction, SettlementOrder)
_Error = TypeVar("_Error", bound=BaseException)

MAX_BODY = 2**20
"""Bytes; a real delivery has about a thousand."""
_MAX_DEPTH = 32
_MAX_VALUES = 2_000
_MAX_DIGITS = 30
_LONGEST_NAME = 255
_SCHEME = re.compile(rb"bearer[ \t]+", re.IGNORECASE)
_SHORTEST_TOKEN = 8
_LONG_TOKEN = 24
"""Characters from which on a token of words or digits is not one that others have too."""
_FEWEST_CHARACTERS = 4
"""How many different ones a token has."""
_MAKE_ONE = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
_WELL_KNOWN = re.compile(
    "(?:secret|token|password|passwd|passphrase|pass|change|me|it|now|test|testing|tester|example|sample|demo"
    "|default|dummy|fake|placeholder|key|api|auth|authorization|bearer|credential|webhook|hook|web|callback"
    "|my|your|our|the|a|an|is|this|here|replace|insert|put|set|with|plexy|pay|merchant|shop|store|admin|root"
    "|user|guest|login|letmein|welcome|qwerty|qwertyuiop|asdfgh|abc|abcdef|abcdefgh|xyz|foo|bar|baz|none|null"
    "|undefined|todo|dev|local|localhost|staging|prod|production|live|public|private|super|top|very|good|new"
    "|old)+"
)
_ID_FIELDS = ("id", "payment_order_id", "transactionId")
_DESCRIPTIVE = frozenset(
    {
        *("created_at", "updated_at", "authed_at", "confirmed_at", "processed_at"),
        *("description", "payment_method", "last4", "payer_ip", "secure_3d", "recurring_type"),
        *("store_id", "terminal_id", "rrn"),
    }
)
"""Fields of a transaction that nobody decides by: in a form that cannot be read, they are None."""


class _Headers(Protocol):
    """What has headers as pairs: a mapping, or a framework's own kind of one."""

    def items(self) -> Iterable[tuple[Any, Any]]: ...


# ----------------------------------------------------------------------------------------------- events


@attrs.frozen(kw_only=True)
class WebhookEvent(Model):
    """What every event has; `raw` is the delivery's whole body, decoded."""

    name: str
    """Such as ``transaction.charged``."""
    merchant_id: str | None = None

    @property
    def dedupe_key(self) -> str:
        """What all deliveries of the same event share, for a receiver to handle it once.

        ``name:id:digest`` of the transaction or payment order, as the API has no id of an event; the digest
        binds the merchant and the subject's status to it. An event that the library does not know has a
        digest of its content: the same thing may happen to its subject twice. At most 511 characters, all
        printable.
        """
        content = json.dumps(self.raw, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


@attrs.frozen(kw_only=True)
class TransactionEvent(WebhookEvent):
    """A transaction has changed: ``transaction.created``, ``authorized``, ``rejected``, ``failed``,
    ``charged``, ``cancelled`` or ``refunded``.

    The unit of the amounts is **ambiguous in the vendor's own words**, and nothing is converted: before goods
    leave, compare the amount of the retrieved payment link (minor units) or transaction (major units).

    Deliveries come late and out of order: `name` is what happened, `transaction` how it stood then.
    """  # noqa: D205 - the names are one list

    transaction: Transaction
    """Its `status` is that of the event's name where the delivery has none."""

    @property
    def dedupe_key(self) -> str:
        """Such as ``transaction.charged:txn_abcdef123456:...``; see `WebhookEvent.dedupe_key`."""
        return _bound_key(self, self.transaction)

    @property
    def is_paid(self) -> bool:
        """Whether the order may be taken as paid: a payment that is authorized or charged.

        A refund and a reversal are transactions too, and are charged in their turn: for them, as for any
        `type` but ``payment`` and none, it is False. Both the event's name and its transaction must say so.
        Authorized and charged are two events with two keys: what is done once an order is paid is to be done
        once for the order, not once for each event.
        """
        return (
            self.name in _PAID_EVENTS
            and self.transaction.is_paid
            and (self.transaction.type or "payment").lower() == "payment"
        )


@attrs.frozen(kw_only=True)
class PaymentOrderEvent(WebhookEvent):
    """A settlement payment order has changed: ``payment_order.created``, ``paid`` or ``failed``.

    The unit of `payment_order.amount` is **not published**. `merchant_id` is the delivery's own, which in the
    published example is not that of the order.
    """

    payment_order: SettlementOrder
    """Its `status` is that of the event's name where the delivery has none."""

    @property
    def dedupe_key(self) -> str:
        """Such as ``payment_order.paid:4854228f-...:...``; see `WebhookEvent.dedupe_key`."""
        return _bound_key(self, self.payment_order)


def _bound_key(event: WebhookEvent, subject: Transaction | SettlementOrder) -> str:
    status = None if subject.status is None else str(subject.status)
    bound = json.dumps([event.name, subject.id, event.merchant_id, status])
    return f"{event.name}:{subject.id}:{hashlib.sha256(bound.encode()).hexdigest()[:32]}"


@attrs.frozen(kw_only=True)
class UnknownEvent(WebhookEvent):
    """An authentic event whose name the library does not know; all there is of it is in `raw`.

    Acknowledge it: what nobody understands is delivered again and again otherwise.
    """


# --------------------------------------------------------------------------------------------- receiver


class WebhookReceiver:
    """Authenticates deliveries and reads their events; thread-safe, and without any I/O.

    Neither an error of its own nor any frame of its tracebacks holds a token, headers or a body.

    Args:
        tokens: The token that deliveries carry, without ``Bearer``, or several while it is rotated: each of 8
            characters or more, and no well-known word.

    Raises:
        ConfigurationError: There is no token, or one cannot be sent in a header or can be guessed. The
            message shows none.

    Evidence: ``Authorization: Bearer <token>`` published; the token alone observed.
    """

    __slots__ = ("_tokens",)

    def __init__(self, tokens: str | Iterable[str]) -> None:
        self._tokens: tuple[Secret[bytes], ...] = ()
        checked = _checked_tokens(tokens)
        del tokens
        if isinstance(checked, str):
            raise ConfigurationError(checked)
        self._tokens = checked
        _structures()

    def __repr__(self) -> str:
        return f"<WebhookReceiver of {len(self._tokens)} token{'s' if len(self._tokens) > 1 else ''}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a WebhookReceiver cannot be pickled, since its tokens would be readable; build one there"
        )

    @overload
    def receive(
        self, headers: _Headers, body: bytes | bytearray | memoryview
    ) -> TransactionEvent | PaymentOrderEvent | UnknownEvent: ...

    @overload
    def receive(
        self, headers: _Headers, body: bytes | bytearray | memoryview, *, seen: Callable[[str], bool]
    ) -> TransactionEvent | PaymentOrderEvent | UnknownEvent | None: ...

    def receive(
        self,
        headers: _Headers,
        body: bytes | bytearray | memoryview,
        *,
        seen: Callable[[str], bool] | None = None,
    ) -> TransactionEvent | PaymentOrderEvent | UnknownEvent | None:
        """Return the event of a delivery; answer 200 once it is handled.

        Args:
            headers: The request's headers, a mapping of text or bytes in any letter case.
            body: The request's body, as it came.
            seen: Asked with the event's `dedupe_key` whether it was handled before; if so, the answer is
                None, and the delivery is to be acknowledged and dropped. It must only look: what is marked
                here and lost in a crash is never delivered again. See `SeenWebhooks`.

        Raises:
            WebhookAuthenticationError: The delivery does not carry the token: answer 401. The body was not
                looked at.
            WebhookPayloadError: It is authentic, and no event: answer 400. Over 1 MiB, not JSON, not an
                object, nested more than 32 deep, more than 2 000 values, a field twice, a number of more
                than 30 digits, or an id, a reference, a status, a type or an amount of a wrong type. A time
                or a description that cannot be read is None, and in `raw`.
            ConfigurationError: `body` is no bytes, or `headers` no mapping: a mistake in the calling code.
        """
        # Error trackers show what this frame holds when it raises: nothing of the delivery then.
        received: _Received | BaseException
        try:
            received = _received(headers, body, self._tokens)
        except BaseException as interrupt:  # noqa: BLE001 - it is raised below
            received = _bare(interrupt)
        del headers, body
        if isinstance(received, BaseException):
            raise received
        if seen is not None and seen(received().dedupe_key):
            return None
        return received()


_Event = TransactionEvent | PaymentOrderEvent | UnknownEvent
_Received = Callable[[], _Event]
"""An event in the closure of a function, where no walk over a frame's locals comes."""


def _received(headers: Any, body: Any, tokens: tuple[Secret[bytes], ...]) -> _Received | PlexyPayError:
    """Return the event of a delivery, or what is wrong with it."""
    try:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise ConfigurationError(
                f"body: expected the request's raw bytes, got {type(body).__name__}; what a framework has "
                "decoded or parsed is not what was sent"
            )
        if not _is_one_of(_authorization(headers), tokens):
            raise WebhookAuthenticationError("the Authorization header does not carry an expected token")
        event = _event_of(_document(cast("bytes", body)))
    except (ConfigurationError, WebhookError) as error:
        return _bare(error)
    except Exception as error:  # noqa: BLE001 - of an object of the caller's, and it may show what it holds
        return ConfigurationError(f"reading the headers or the body failed with {type(error).__name__}")
    return lambda: event


def _bare(error: _Error) -> _Error:
    """Take the frames away that an error has come through, and the errors that it came of."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _is_one_of(given: bytes, tokens: tuple[Secret[bytes], ...]) -> bool:
    # Every token is compared, and to its end: the time says nothing of which one came close.
    found = False
    for token in tokens:
        found |= hmac.compare_digest(given, token.reveal())
    return found


def _checked_tokens(tokens: Any) -> tuple[Secret[bytes], ...] | str:
    """Return the tokens, or what is wrong with them, which shows none."""
    if isinstance(tokens, str):
        tokens = (tokens,)
    elif isinstance(tokens, (bytes, bytearray)) or not isinstance(tokens, Iterable):
        return (
            f"tokens: expected a string or several, got {type(tokens).__name__}; it is the token that "
            "webhooks are to carry"
        )
    checked: dict[Secret[bytes], None] = {}
    for token in cast("Iterable[Any]", tokens):
        wrong = _wrong_token(token)
        if wrong is not None:
            return f"tokens: {wrong}"
        checked[Secret(token.encode())] = None
        # The next one may raise.
        del token
    if not checked:
        return "tokens: there is none, and without one any delivery would be a forged one"
    return tuple(checked)


def _wrong_token(token: Any) -> str | None:
    if not isinstance(token, str):
        return f"expected strings, got {type(token).__name__}"
    if not token:
        return "must not be empty"
    if re.fullmatch(r"[ -~]+", token) is None:
        return "one has a control character or a letter outside ASCII"
    if token != token.strip():
        return "one begins or ends with a space"
    if token.lower().split()[0] == "bearer":
        return 'give the token alone, without the scheme "Bearer"'
    if len(token) < _SHORTEST_TOKEN:
        return f"one has fewer than {_SHORTEST_TOKEN} characters and can be guessed; {_MAKE_ONE}"
    if len(set(token)) < _FEWEST_CHARACTERS or _is_well_known(token):
        return f"one is well known and can be guessed; {_MAKE_ONE}"
    return None


def _is_well_known(token: str) -> bool:
    """Tell whether a token is short and made of words that stand in everybody's examples, or of digits."""
    letters = re.sub("[^a-z]", "", token.lower())
    return len(token) < _LONG_TOKEN and (token.isdecimal() or _WELL_KNOWN.fullmatch(letters) is not None)


def _authorization(headers: Any) -> bytes:
    """Return the one token that a delivery carries, without its scheme."""
    if not callable(getattr(headers, "items", None)):
        raise ConfigurationError(f"headers: expected a mapping, got {type(headers).__name__}")
    found = [value for name, value in headers.items() if _is_authorization(name)]
    if not found:
        raise WebhookAuthenticationError("there is no Authorization header")
    if len(found) > 1:
        raise WebhookAuthenticationError("there is more than one Authorization header")
    (value,) = found
    if isinstance(value, str):
        # Whatever a server made of the header's bytes is encoded, one to one, and compared.
        value = value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes):
        raise WebhookAuthenticationError(
            f"the Authorization header is no text and no bytes, but of type {type(value).__name__}"
        )
    value = value.strip(b" \t")
    scheme = _SCHEME.match(value)
    given = value if scheme is None else value[scheme.end() :]
    if not given:
        raise WebhookAuthenticationError("the Authorization header is empty")
    return given


def _is_authorization(name: Any) -> bool:
    if isinstance(name, str):
        return name.lower() == "authorization"
    return isinstance(name, bytes) and name.lower() == b"authorization"


# --------------------------------------------------------------------------------------------- payloads


def _document(body: bytes | bytearray | memoryview) -> dict[str, Any]:
    """Return the object that a body is; one that only looks like an object of JSON is refused."""
    import orjson

    from .._wire.messages import values_in

    data = bytes(body)
    if len(data) > MAX_BODY:
        raise WebhookPayloadError(f"the body has {len(data)} bytes; an event has at most {MAX_BODY}")
    if values_in(data) > _MAX_VALUES:
        raise WebhookPayloadError(f"the body has more than {_MAX_VALUES} values")
    try:
        # First the one that looks at numbers before it reads them: a long one takes its time.
        value: Any = json.loads(
            data.decode(), object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction
        )
        # The strict judge of the encoding, half a surrogate pair, NaN, and numbers beyond a float. It keeps
        # the last of two equal fields, and makes a float of a long integer.
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


def _integer(text: str) -> int:
    _check_digits(text)
    return int(text)


def _fraction(text: str) -> float:
    _check_digits(text)
    return float(text)


def _check_digits(text: str) -> None:
    if len(text) > _MAX_DIGITS:
        raise _AmbiguousError(f"a number has more than {_MAX_DIGITS} digits")


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


# ----------------------------------------------------------------------------------- events of payloads

_TRANSACTION_EVENTS = {
    f"transaction.{status}": status.value
    for status in (
        TransactionStatus.CREATED,
        TransactionStatus.AUTHORIZED,
        TransactionStatus.REJECTED,
        TransactionStatus.FAILED,
        TransactionStatus.CHARGED,
        TransactionStatus.CANCELLED,
        TransactionStatus.REFUNDED,
    )
}
_PAID_EVENTS = (f"transaction.{TransactionStatus.AUTHORIZED}", f"transaction.{TransactionStatus.CHARGED}")
_PAYMENT_ORDER_EVENTS = {f"payment_order.{status}": status.value for status in SettlementOrderStatus}


def _event_of(document: dict[str, Any]) -> TransactionEvent | PaymentOrderEvent | UnknownEvent:
    if "name" not in document:
        raise WebhookPayloadError("name: is missing")
    name = document["name"]
    if type(name) is not str or not name:
        got = "an empty string" if name == "" else type(name).__name__
        raise WebhookPayloadError(f"name: expected the event's name, got {got}")
    if name in _TRANSACTION_EVENTS:
        transaction = _subject(Transaction, name, document, _TRANSACTION_EVENTS[name])
        merchant_id = _merchant_id(document, "merchantId", name)
        return TransactionEvent(name=name, merchant_id=merchant_id, transaction=transaction, raw=document)
    if name in _PAYMENT_ORDER_EVENTS:
        order = _subject(SettlementOrder, name, document, _PAYMENT_ORDER_EVENTS[name])
        merchant_id = _merchant_id(document, "merchant_id", name)
        return PaymentOrderEvent(name=name, merchant_id=merchant_id, payment_order=order, raw=document)
    merchants = (document.get(field) for field in ("merchantId", "merchant_id"))
    merchant_id = next((merchant for merchant in merchants if type(merchant) is str), None)
    return UnknownEvent(name=name, merchant_id=merchant_id, raw=document)


def _merchant_id(document: dict[str, Any], field: str, name: str) -> str | None:
    value = document.get(field)
    if type(value) is int:
        return str(value)
    if value is not None and type(value) is not str:
        raise WebhookPayloadError(f"{name}: {field}: expected a string, got {type(value).__name__}")
    return value


def _subject(kind: type[_Subject], name: str, document: dict[str, Any], status: str) -> _Subject:
    """Return what an event is about, with the status of the event's name where it has none itself."""
    if "data" not in document:
        raise WebhookPayloadError(f"{name}: data: is missing")
    data = document["data"]
    if type(data) is not dict:
        raise WebhookPayloadError(f"{name}: data: expected an object, got {type(data).__name__}")
    known = cast("dict[str, Any]", data)
    if all(known.get(field) is None for field in _ID_FIELDS):
        raise WebhookPayloadError(f"{name}: data: {_ID_FIELDS[kind is SettlementOrder]} is missing")
    has_status = known.get("status") not in (None, "")
    made = _readable(kind, name, known if has_status else {**known, "status": status})
    if not _is_plain_id(made.id):
        raise WebhookPayloadError(
            f"{name}: data: the id must be printable and of 1 to {_LONGEST_NAME} characters"
        )
    return made if made.raw is known else attrs.evolve(made, raw=known)


def _readable(kind: type[_Subject], name: str, data: dict[str, Any]) -> _Subject:
    """Return what an event is about; that it was paid must not be lost for a time in another form."""
    from .._wire.converter import misfits, reason

    structure = _structures()[kind]
    try:
        made: _Subject = structure(data, kind)
    except Exception as error:  # noqa: BLE001 - any body gives an event or this error
        unread = misfits(error)
        if not unread or not unread <= _DESCRIPTIVE:
            raise WebhookPayloadError(f"{name}: data: {reason(error)}") from None
        fields = attrs.fields_dict(kind)
        dropped = {spelt for field in unread for spelt in wire_names(fields[field])}
        made = structure({field: value for field, value in data.items() if field not in dropped}, kind)
    return made


def _is_plain_id(value: Any) -> bool:
    return (
        type(value) is str and 0 < len(value.strip()) == len(value) <= _LONGEST_NAME and value.isprintable()
    )


@functools.cache
def _structures() -> Mapping[type[Model], Structure]:
    # Made with the first receiver: the converter would double what the import costs, and no delivery waits.
    from .._wire.converter import converter

    return {kind: converter.get_structure_hook(kind) for kind in (Transaction, SettlementOrder)}
