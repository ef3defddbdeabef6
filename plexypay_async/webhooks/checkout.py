"""Webhooks of the Checkout API: who has signed a delivery, and what it says.

Evidence: published, but for what is marked as assumed. A retry schedule is not published. Amounts are in
**minor** units.
"""

from __future__ import annotations

import functools
import hmac
import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

import attrs

from .._privacy.secret import Secret
from ..api.checks import check_seconds
from ..api.fields import Model
from ..errors import ConfigurationError, WebhookAuthenticationError, WebhookPayloadError
from ..observer import ObservedWebhook, Observer
from .payloads import LONGEST_ID, document_of, is_plain_id
from .receiving import Receiver
from .tokens import checked_tokens, header_in

if TYPE_CHECKING:
    from .._wire.converter import Structure

__all__ = [
    "CheckoutEvent",
    "CheckoutEventSubject",
    "CheckoutWebhookReceiver",
    "PaymentFailedEvent",
    "PaymentSucceededEvent",
    "RefundSucceededEvent",
    "UnknownCheckoutEvent",
]

Signed: TypeAlias = Literal["body", "t.body"]
"""What a signature is made of."""

HEADER = "Plexy-Signature"
TOLERANCE = 300.0
"""Seconds. Evidence: published."""
_LONGEST_HEADER = 4096
_MOST_SIGNATURES = 16
_TIME = re.compile(rb"[0-9]{1,12}")
_SIGNATURE = re.compile(rb"[0-9a-f]{64}")
_LATEST = 253_402_300_799
"""The last second of the calendar, in seconds since 1970."""


# -------------------------------------------------------------------------------------------- the events


@attrs.frozen(kw_only=True)
class CheckoutEventSubject(Model):
    """The payment or the refund that an event is about.

    `amount` is in **minor** units of `currency`, which is **assumed** from the rest of the API: a published
    example has 5000 USD. How its `id`, such as ``pay_abc123``, belongs to a `psp_reference` is not published.

    Evidence: published.
    """

    checked: ClassVar[tuple[str, ...]] = ("id",)

    id: str
    """The payment's or the refund's id, such as ``pay_abc123``."""
    amount: int | None = None
    """What it is over, in **minor** units of `currency`; the unit is assumed."""
    currency: str | None = None
    """Three letters, such as ``USD``."""
    status: str | None = None
    """Such as ``succeeded``."""


@attrs.frozen(kw_only=True)
class CheckoutEvent(Model):
    """What every event has; `raw` is the delivery's whole body, decoded. Times are in UTC."""

    id: str
    """The event's own, such as ``evt_1234567890``: the same in each of its deliveries."""
    type: str
    """Such as ``payment.succeeded``."""
    created: datetime | None = None
    """When the event came about, in UTC; None where the delivery does not say it."""

    @property
    def dedupe_key(self) -> str:
        """What all deliveries of the same event share, for a receiver to handle it once: ``checkout:`` and
        its `id`. Events of the Pay API have other keys, so that both may be in one `SeenWebhooks`.
        """  # noqa: D205 - one sentence
        return f"checkout:{self.id}"


@attrs.frozen(kw_only=True)
class PaymentSucceededEvent(CheckoutEvent):
    """``payment.succeeded``: a payment is authorized or paid.

    Before goods leave, compare what is paid with what the order costs.
    """

    data: CheckoutEventSubject
    """The payment."""

    @property
    def is_paid(self) -> bool:
        """Whether its payment is paid by its own word too: it has no `status`, or ``succeeded``."""
        return self.data.status is None or self.data.status.lower() == "succeeded"


@attrs.frozen(kw_only=True)
class PaymentFailedEvent(CheckoutEvent):
    """``payment.failed``: a payment has failed, or was refused."""

    data: CheckoutEventSubject
    """The payment."""


@attrs.frozen(kw_only=True)
class RefundSucceededEvent(CheckoutEvent):
    """``refund.succeeded``: money has gone back."""

    data: CheckoutEventSubject
    """The refund."""


@attrs.frozen(kw_only=True)
class UnknownCheckoutEvent(CheckoutEvent):
    """An authentic event whose type the library does not know; all there is of it is in `raw`.

    Acknowledge it: what nobody understands is delivered again and again otherwise.
    """


Event: TypeAlias = PaymentSucceededEvent | PaymentFailedEvent | RefundSucceededEvent | UnknownCheckoutEvent

_KNOWN: dict[str, type[PaymentSucceededEvent | PaymentFailedEvent | RefundSucceededEvent]] = {
    "payment.succeeded": PaymentSucceededEvent,
    "payment.failed": PaymentFailedEvent,
    "refund.succeeded": RefundSucceededEvent,
}


def event_of(document: dict[str, Any]) -> Event:
    """Return the event that an authentic delivery tells.

    Raises:
        WebhookPayloadError: It tells none, or a field that decides something cannot be read.
    """
    for field in ("id", "type"):
        if not is_plain_id(document.get(field)):
            told = "is missing" if document.get(field) is None else "is no plain text"
            raise WebhookPayloadError(
                f"{field}: {told}; it must be printable and of 1 to {LONGEST_ID} characters"
            )
    known: dict[str, Any] = {
        "id": document["id"],
        "type": document["type"],
        "created": _created(document.get("created")),
        "raw": document,
    }
    kind = _KNOWN.get(document["type"])
    if kind is None:
        return UnknownCheckoutEvent(**known)
    return kind(**known, data=_subject(document))


def _created(value: Any) -> datetime | None:
    if type(value) is not int or not 0 <= value <= _LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)


def _subject(document: dict[str, Any]) -> CheckoutEventSubject:
    from .._wire.converter import reason

    name, data = document["type"], document.get("data")
    if type(data) is not dict:
        told = "is missing" if data is None else f"expected an object, got {type(data).__name__}"
        raise WebhookPayloadError(f"{name}: data: {told}")
    try:
        made: CheckoutEventSubject = structure()(data, CheckoutEventSubject)
    except Exception as error:  # noqa: BLE001 - any body gives an event or this error
        raise WebhookPayloadError(f"{name}: data: {reason(error)}") from None
    if not is_plain_id(made.id):
        raise WebhookPayloadError(
            f"{name}: data: the id must be printable and of 1 to {LONGEST_ID} characters"
        )
    return made


@functools.cache
def structure() -> Structure:
    """Return what reads the subjects of events; a receiver asks for it when it is made."""
    from .._wire.converter import converter

    hook: Structure = converter.get_structure_hook(CheckoutEventSubject)
    return hook


# ------------------------------------------------------------------------------------------- the receiver


class CheckoutWebhookReceiver(Receiver[Event]):
    """Checks who has signed a delivery and reads its event; thread-safe, and without any I/O.

    Neither an error of its own nor any frame of its tracebacks holds a secret, headers or a body.

    A delivery carries ``Plexy-Signature: t=<seconds since 1970>,v1=<hex>``, where ``v1`` is the HMAC-SHA256
    of the raw body with the endpoint's secret. **The time is not in what is signed**: whoever has seen a
    delivery can send it again with a new ``t``. So `tolerance` keeps no replay out, and only `seen` does,
    which knows an event by its `id`. That changes once the vendor signs the time: see `signed`.

    Args:
        secrets: The endpoint's secret, such as ``whsec_...``, all of it; or several while it is rotated.
        signed: What is signed: ``"body"``, which is published, or ``"t.body"``, the time, a dot and the body,
            as other vendors do, **assumed**. With that, a replay is refused once `tolerance` is over.
        tolerance: Seconds that ``t`` may be off, either way, by this machine's clock; None for any. The
            published 300 unless given. A delivery that was queued for longer is refused too, where the
            vendor does not write a new ``t``, which is not published.
        observers: What is told of each delivery; see `Observer`. It learns neither secret nor body.

    Raises:
        ConfigurationError: There is no secret, or one can be guessed; or an option is unusable. The message
            shows no secret.

    Evidence: published, on two pages.
    """

    __slots__ = ("_hashed", "_signs_time", "_tolerance")

    def __init__(
        self,
        secrets: str | Iterable[str],
        *,
        signed: Signed = "body",
        tolerance: float | None = TOLERANCE,
        observers: Iterable[Observer] = (),
    ) -> None:
        self._hashed: tuple[Secret[bytes], ...] = ()
        checked = checked_tokens(secrets, "secrets", "it is the secret that webhooks are signed with")
        del secrets
        if isinstance(checked, str):
            raise ConfigurationError(checked)
        if signed not in get_args(Signed):
            raise ConfigurationError(f'signed: expected "body" or "t.body", got {signed!r:.60}')
        self._hashed = checked
        self._signs_time = signed == "t.body"
        self._tolerance = None if tolerance is None else check_seconds("tolerance", tolerance)
        super().__init__(observers)
        structure()

    def __repr__(self) -> str:
        count = len(self._hashed)
        return f"<CheckoutWebhookReceiver of {count} secret{'s' if count > 1 else ''}>"

    def _authenticate(self, headers: Any, body: bytes | bytearray | memoryview) -> None:
        written, signatures = _parts_of(header_in(headers, HEADER))
        content = b".".join((written, body)) if self._signs_time else bytes(body)
        # Every pair is compared, and to its end: the time says nothing of which one came close.
        found = False
        for secret in self._hashed:
            expected = secret.keyed_digest(content).hex().encode()
            for signature in signatures:
                found |= hmac.compare_digest(signature, expected)
        if not found:
            raise WebhookAuthenticationError(f"the {HEADER} header does not carry an expected signature")
        if self._tolerance is not None and abs(off := time.time() - int(written)) > self._tolerance:
            when = "ago" if off > 0 else "ahead"
            raise WebhookAuthenticationError(
                f"the time in the {HEADER} header is {abs(off):.0f} s {when}, and {self._tolerance:g} s are "
                "the most; look whether this machine's clock is right"
            )

    def _read(self, body: bytes | bytearray | memoryview) -> Event:
        return event_of(document_of(body))

    def _key(self, event: Event) -> str:
        return event.dedupe_key

    def _describe(self, event: Event, webhook: ObservedWebhook) -> str:
        webhook.is_known = not isinstance(event, UnknownCheckoutEvent)
        if not isinstance(event, UnknownCheckoutEvent):
            webhook.transaction_id = event.data.id
        return event.type


def _parts_of(value: bytes) -> tuple[bytes, Sequence[bytes]]:
    """Return the time in a signature header, as it is written, and the signatures of the version 1."""
    parts = [part.strip(b" \t").partition(b"=") for part in value[:_LONGEST_HEADER].split(b",")]
    times = [text for name, _, text in parts if name == b"t"]
    signatures = [text for name, _, text in parts if name == b"v1"]
    if (
        len(value) > _LONGEST_HEADER
        or len(times) != 1
        or _TIME.fullmatch(times[0]) is None
        or not 0 < len(signatures) <= _MOST_SIGNATURES
        or not all(_SIGNATURE.fullmatch(text) for text in signatures)
    ):
        raise WebhookAuthenticationError(
            f"the {HEADER} header is not of the form t=<seconds>,v1=<64 digits of hex>"
        )
    return times[0], signatures
