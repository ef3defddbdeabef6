"""The events of webhooks, and how they are read from deliveries.

Evidence: the bodies are published, and the names of the events but ``transaction.3d``, which follows from the
published form ``transaction.<status>``; plain strings in place of ``{"Value": ...}`` are observed. There is
no id of a delivery: deliveries repeat and get lost (observed), so see `WebhookEvent.dedupe_key`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import attrs

from ..api.fields import Model
from ..errors import WebhookPayloadError
from ..pay.settlement_orders import SettlementOrder, SettlementOrderStatus
from ..pay.transactions import Transaction, TransactionStatus
from .payloads import LONGEST_ID, is_plain_id

if TYPE_CHECKING:
    from .._wire.converter import Structure

__all__ = [
    "Event",
    "PaymentOrderEvent",
    "TransactionEvent",
    "UnknownEvent",
    "WebhookEvent",
    "event_of",
    "structures",
]

_Subject = TypeVar("_Subject", Transaction, SettlementOrder)

_ID_FIELDS = ("id", "payment_order_id", "transactionId")

_TRANSACTION_EVENTS = {f"transaction.{status}": status.value for status in TransactionStatus}
_PAID_EVENTS = (f"transaction.{TransactionStatus.AUTHORIZED}", f"transaction.{TransactionStatus.CHARGED}")
_PAYMENT_ORDER_EVENTS = {f"payment_order.{status}": status.value for status in SettlementOrderStatus}


@attrs.frozen(kw_only=True)
class WebhookEvent(Model):
    """What every event has; `raw` is the delivery's whole body, decoded."""

    name: str
    """Such as ``transaction.charged``."""
    merchant_id: str | None = None
    """The merchant's id; ``merchantId`` or ``merchant_id`` in the delivery. Published."""

    @property
    def dedupe_key(self) -> str:
        """What all deliveries of the same event share, for a receiver to handle it once.

        ``name:id:digest`` of the transaction or payment order, as the API has no id of an event; the digest
        binds the merchant and the subject's status to it. An event that the library does not know has a
        digest of its content: the same thing may happen to its subject twice. At most 511 characters, all
        printable.
        """
        content = json.dumps(self.raw, sort_keys=True, separators=(",", ":"), default=str)
        return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


@attrs.frozen(kw_only=True)
class TransactionEvent(WebhookEvent):
    """A transaction has changed: ``transaction.created``, ``3d``, ``authorized``, ``rejected``, ``failed``,
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


Event: TypeAlias = TransactionEvent | PaymentOrderEvent | UnknownEvent


# ------------------------------------------------------------------------------------------ from payloads


def event_of(document: dict[str, Any]) -> Event:
    """Return the event that an authentic delivery tells.

    Raises:
        WebhookPayloadError: It tells none, or a field that decides something cannot be read.
    """
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
    if not is_plain_id(made.id):
        raise WebhookPayloadError(
            f"{name}: data: the id must be printable and of 1 to {LONGEST_ID} characters"
        )
    return made if made.raw is known else attrs.evolve(made, raw=known)


def _readable(kind: type[_Subject], name: str, data: dict[str, Any]) -> _Subject:
    """Return what an event is about."""
    from .._wire.converter import reason

    try:
        made: _Subject = structures()[kind](data, kind)
    except Exception as error:  # noqa: BLE001 - any body gives an event or this error
        raise WebhookPayloadError(f"{name}: data: {reason(error)}") from None
    return made


@functools.cache
def structures() -> Mapping[type[Model], Structure]:
    """Return what reads the subjects of events.

    A receiver asks for it when it is made: the converter would double the time of the import, and the first
    delivery should not wait for it.
    """
    from .._wire.converter import converter

    return {kind: converter.get_structure_hook(kind) for kind in (Transaction, SettlementOrder)}
