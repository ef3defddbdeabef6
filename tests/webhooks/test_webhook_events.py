"""What is read from an authentic delivery: the events, their keys, and what is refused."""

from __future__ import annotations

import copy
import json
import pickle
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from plexypay_async import (
    PaymentOrderEvent,
    SettlementOrder,
    Transaction,
    TransactionEvent,
    TransactionStatus,
    UnknownEvent,
    WebhookAuthenticationError,
    WebhookEvent,
    WebhookPayloadError,
)

from .deliveries import HEADERS, PUBLISHED, RECEIVER, received, transaction_event

MEBIBYTE = 2**20

# ------------------------------------------------------------------------------------------- the events


def test_the_status_of_the_data_wins_over_the_names() -> None:
    event = received(transaction_event("transaction.authorized", status="TRANSACTION_STATUS_CHARGED"))

    assert event.name == "transaction.authorized"
    assert event.transaction.status is TransactionStatus.CHARGED


@pytest.mark.parametrize("missing", [{}, {"status": None}, {"status": ""}])
def test_a_missing_status_is_that_of_the_name(missing: dict[str, Any]) -> None:
    event = received(transaction_event("transaction.refunded", **missing))

    assert event.transaction.status is TransactionStatus.REFUNDED
    assert event.transaction.raw == {"id": "txn_1", **missing}


@pytest.mark.parametrize(
    ("data", "paid"),
    [
        ({}, True),
        ({"type": None}, True),
        ({"type": "payment"}, True),
        ({"type": "PAYMENT"}, True),
        ({"type": "refund"}, False),
        ({"type": "reversal"}, False),
        ({"type": "chargeback"}, False),
        ({"status": "authorized"}, True),
        ({"status": "refunded"}, False),
        ({"status": "settled"}, False),
    ],
)
def test_a_refund_that_is_charged_pays_nothing(data: dict[str, Any], paid: bool) -> None:
    assert received(transaction_event(**data)).is_paid is paid


@pytest.mark.parametrize("status", ["created", "rejected", "failed", "cancelled", "refunded"])
def test_what_the_name_does_not_say_is_not_paid(status: str) -> None:
    assert not received(transaction_event(f"transaction.{status}", status="charged")).is_paid


def test_amounts_come_as_they_were_sent() -> None:
    event = received(
        b'{"name":"transaction.charged","data":{"id":"t","amount":10.10,"balance":"0.30",'
        b'"processedAmount":123456789012345678901234567890}}'
    )

    assert event.transaction.amount == Decimal("10.1")
    assert event.transaction.balance == Decimal("0.30")
    assert event.transaction.processed_amount == Decimal(123456789012345678901234567890)
    assert event.raw["data"]["processedAmount"] == 123456789012345678901234567890


def test_times_are_utc() -> None:
    event = received(transaction_event(createdAt="2026-09-05T15:14:11.5+05:00"))

    assert event.transaction.created_at == datetime(2026, 9, 5, 10, 14, 11, 500_000, tzinfo=UTC)
    assert event.transaction.created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("body", "merchant_id"),
    [
        ({"name": "payout.sent", "data": {"id": "po_1"}}, None),
        ({"name": "transaction.4d", "merchantId": "m", "data": {"id": "t"}}, "m"),
        ({"name": "Transaction.charged", "merchant_id": "m", "data": {"id": "t"}}, "m"),
    ],
)
def test_a_name_that_is_not_known(body: dict[str, Any], merchant_id: str | None) -> None:
    event = received(json.dumps(body).encode())

    assert type(event) is UnknownEvent
    assert (event.name, event.raw, event.merchant_id) == (body["name"], body, merchant_id)


def test_the_customer_is_at_the_page_of_the_bank() -> None:
    body = {"name": "transaction.3d", "merchantId": "m", "data": {"id": "t"}}
    event = received(json.dumps(body).encode())

    assert type(event) is TransactionEvent
    assert (event.name, event.merchant_id) == ("transaction.3d", "m")
    assert event.transaction.status is TransactionStatus.THREE_D_SECURE
    assert not event.is_paid
    assert event.dedupe_key.startswith("transaction.3d:t:")


@pytest.mark.parametrize("rest", [{}, {"data": None}, {"data": []}, {"data": {"id": "t"}}, {"merchantId": 7}])
@pytest.mark.parametrize("name", ["new.event", "a:b", "имя", "x" * 256, "\x1b[31m"])
def test_an_unknown_event_is_known_by_its_content(name: str, rest: dict[str, Any]) -> None:
    event = received(json.dumps({"name": name, **rest}).encode())
    again = received(json.dumps({**rest, "name": name}, indent=2).encode())
    # What an unknown name tells of may happen to the same subject twice.
    other = received(json.dumps({"name": name, **rest, "extra": 1}).encode())

    assert type(event) is UnknownEvent
    assert event.name == name
    assert event.dedupe_key == again.dedupe_key
    assert event.dedupe_key != other.dedupe_key
    assert re.fullmatch("sha256:[0-9a-f]{64}", event.dedupe_key)


def test_events_are_values() -> None:
    event = received(transaction_event())

    assert event == received(transaction_event())
    assert event != received(transaction_event("transaction.created"))
    assert pickle.loads(pickle.dumps(event)) == event
    assert pickle.loads(pickle.dumps(event)).raw == event.raw
    assert copy.deepcopy(event) == event
    assert "raw" not in repr(event)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.name = "x"
    for kind in (WebhookEvent, TransactionEvent, PaymentOrderEvent, UnknownEvent):
        assert hasattr(kind, "__slots__")
        assert "__dict__" not in dir(kind)


def test_events_can_be_made_by_hand_for_tests() -> None:
    transaction = Transaction(id="t", status=TransactionStatus.CHARGED)
    event = TransactionEvent(name="transaction.charged", transaction=transaction)
    order = PaymentOrderEvent(name="payment_order.paid", payment_order=SettlementOrder(id="o"))

    assert event.is_paid
    assert re.fullmatch("transaction.charged:t:[0-9a-f]{32}", event.dedupe_key)
    assert re.fullmatch("payment_order.paid:o:[0-9a-f]{32}", order.dedupe_key)
    assert UnknownEvent(name="x", raw={"data": {"id": "1"}}).dedupe_key.startswith("sha256:")


# -------------------------------------------------------------------------------------------- repeats


def test_the_key_binds_the_merchant_and_the_status() -> None:
    def key(name: str = "transaction.charged", merchant: Any = "m", **data: Any) -> str:
        body = {"name": name, "merchantId": merchant, "data": {"id": "txn_1", **data}}
        event = received(json.dumps(body).encode())
        assert isinstance(event.dedupe_key, str)
        return event.dedupe_key

    # A repeat, with what may be another at each delivery, and a status that is the name's.
    assert key() == key(updatedAt="2026-01-01T00:00:00Z", amount=5) == key(status="charged")
    others = [
        key(),
        key(merchant="other"),
        key(merchant=None),
        key(status="refunded"),
        key("transaction.authorized"),
        key("transaction.authorized", status="charged"),
        key(id="txn_2"),
        key(id='txn_1", "m'),
    ]
    assert len(set(others)) == len(others)
    assert all(len(each) <= 511 and each.isprintable() for each in others)


def test_the_key_of_a_payment_order_binds_the_merchant_and_the_status() -> None:
    def key(merchant: str, **data: Any) -> str:
        body = {"name": "payment_order.paid", "merchant_id": merchant, "data": {"id": "o", **data}}
        event = received(json.dumps(body).encode())
        assert isinstance(event.dedupe_key, str)
        return event.dedupe_key

    assert key("m") == key("m", status="paid")
    assert len({key("m"), key("other"), key("m", status="failed")}) == 3


def test_seen_is_asked_for_the_key_and_drops_the_event() -> None:
    asked: list[str] = []

    def seen(key: str) -> bool:
        asked.append(key)
        return len(asked) > 1

    first = RECEIVER.receive(HEADERS, transaction_event(), seen=seen)
    second = RECEIVER.receive(HEADERS, transaction_event(), seen=seen)

    assert first is not None
    assert second is None
    assert asked == [first.dedupe_key] * 2


def test_seen_is_not_asked_about_what_is_refused() -> None:
    asked: list[str] = []

    def seen(key: str) -> bool:
        asked.append(key)
        return False

    with pytest.raises(WebhookPayloadError):
        RECEIVER.receive(HEADERS, b"{}", seen=seen)
    with pytest.raises(WebhookAuthenticationError):
        RECEIVER.receive({"Authorization": "x"}, transaction_event(), seen=seen)
    assert asked == []


# -------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "it is not JSON"),
        (b"   ", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"{} {}", "it is not JSON"),
        (PUBLISHED.rstrip()[:-1], "it is not JSON"),
        (PUBLISHED + b"\0", "it is not JSON"),
        (b"\xef\xbb\xbf" * 2 + PUBLISHED, "it is not JSON"),
        (b" \xef\xbb\xbf" + PUBLISHED, "it is not JSON"),
        (PUBLISHED.decode().encode("utf-16"), "it is not JSON"),
        (b'{"name": "x\xff"}', "it is not JSON"),
        (b'{"name": "\\ud800"}', "it is not JSON"),
        (b'{"name": "x", "data": NaN}', "it is not JSON"),
        (b'{"name": "x", "data": -Infinity}', "it is not JSON"),
        (b'{"name": "x", "data": 1e999}', "it is not JSON"),
        (b"{'name': 'x'}", "it is not JSON"),
        (b'{"name": "x",}', "it is not JSON"),
        (b"null", "is no object but of type NoneType"),
        (b"[" + PUBLISHED + b"]", "is no object but of type list"),
        (b'"transaction.charged"', "is no object but of type str"),
        (b"5", "is no object but of type int"),
        (b'{"name": "x", "name": "x"}', "the same field twice"),
        (PUBLISHED.replace(b'"id": "txn', b'"id": "other", "id": "txn'), "the same field twice"),
        (b'{"name": "x", "data": [{"a": {"b": 1, "b": 1}}]}', "the same field twice"),
        (b'{"name": "x", "data": ' + b"9" * 31 + b"}", "more than 30 digits"),
        (b'{"name": "x", "data": ' + b"9" * 300 + b"}", "more than 30 digits"),
        (b'{"name": "x", "data": ' + b"[" * 32 + b"]" * 32 + b"}", "nested more than 32 deep"),
        (b'{"name": "x", "data": ' + b'{"a":' * 500 + b"1" + b"}" * 501, "nested more than 32 deep"),
        (b'{"name": "x", "data": ' + b"[" * 1000 + b"]" * 1000 + b"}", "nested more than 32 deep"),
        (b'{"name": "x", "data": 0.' + b"9" * 31 + b"}", "more than 30 digits"),
        (b'{"name": "x", "data": 1e' + b"9" * 31 + b"}", "more than 30 digits"),
        (b"[" * 1_900, "nested more than 32 deep|it is not JSON"),
        (b"[" * 500_000, "more than 2000 values"),
        (b'{"name": "x", "data": [' + b"1," * 2_000 + b"1]}", "more than 2000 values"),
        (b'{"name": "' + b"x" * MEBIBYTE + b'"}', "has 1048588 bytes"),
        (b"x" * (MEBIBYTE + 1), "has 1048577 bytes"),
    ],
)
def test_a_body_that_is_no_event(body: bytes, told: str) -> None:
    with pytest.raises(WebhookPayloadError, match=told) as caught:
        received(body)

    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert len(str(caught.value)) < 200


def test_a_byte_order_mark_is_passed_over() -> None:
    event = received(b"\xef\xbb\xbf" + PUBLISHED)
    assert event == received(PUBLISHED)
    assert event.raw == received(PUBLISHED).raw


def test_what_is_just_small_and_flat_enough() -> None:
    filled = b'{"name": "x", "data": "' + b"y" * (MEBIBYTE - 25) + b'"}'
    assert len(filled) == MEBIBYTE
    for body in (
        filled,
        b'{"name": "x", "data": ' + b"[" * 31 + b"]" * 31 + b"}",
        b'{"name": "x", "data": ' + b"9" * 30 + b"}",
        b'{"name": "x", "data": [' + b"1," * 1_900 + b"1]}",
    ):
        assert received(body).name == "x"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "name: is missing"),
        ({"event": "transaction.charged"}, "name: is missing"),
        ({"name": None}, "name: expected the event's name, got NoneType"),
        ({"name": 5}, "name: expected the event's name, got int"),
        ({"name": ["transaction.charged"]}, "name: expected the event's name, got list"),
        ({"name": ""}, "name: expected the event's name, got an empty string"),
        ({"name": "transaction.charged"}, "transaction.charged: data: is missing"),
        ({"name": "transaction.charged", "data": None}, "data: expected an object, got NoneType"),
        ({"name": "transaction.charged", "data": [{"id": "t"}]}, "data: expected an object, got list"),
        ({"name": "transaction.charged", "data": {}}, "transaction.charged: data: id is missing"),
        ({"name": "payment_order.paid", "data": {}}, "data: payment_order_id is missing"),
        (
            {"name": "transaction.charged", "data": {"id": "t"}, "merchantId": True},
            "merchantId: expected a string",
        ),
        (
            {"name": "payment_order.paid", "data": {"id": "o"}, "merchant_id": []},
            "merchant_id: expected a string",
        ),
    ],
)
def test_what_an_event_must_have(body: dict[str, Any], told: str) -> None:
    with pytest.raises(WebhookPayloadError, match=told):
        received(json.dumps(body).encode())


@pytest.mark.parametrize("id", ["", " ", "t ", "a\nb", "a\0b", "x" * 256])
def test_an_id_that_cannot_be_a_key_is_refused(id: str) -> None:
    with pytest.raises(WebhookPayloadError, match="the id must be printable and of 1 to 255 characters"):
        received(transaction_event(id=id))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 5),
        ("status", 5),
        ("status", ["charged"]),
        ("amount", "much"),
        ("amount", True),
        ("amount", [1000]),
        ("currency", 398),
        ("merchantReference", {"a": 1}),
        ("processedAmount", {}),
        ("type", 1),
        ("paymentLinkId", {"Value": 5}),
        ("paymentLinkId", ["pl_1"]),
    ],
)
def test_a_known_field_of_a_wrong_type_is_named_without_its_value(field: str, value: Any) -> None:
    with pytest.raises(WebhookPayloadError, match=r"^transaction\.charged: data: ") as caught:
        received(transaction_event(**{field: value}))

    assert json.dumps(value) not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "attribute", "value"),
    [
        ("secure3d", "secure_3d", "yes"),
        ("createdAt", "created_at", "yesterday"),
        ("createdAt", "created_at", ""),
        ("authedAt", "authed_at", 1714564800),
        ("processedAt", "processed_at", "9999-12-31T23:59:59-14:00"),
        ("last4", "last4", 42),
        ("payerIp", "payer_ip", ["::1"]),
        ("retrievalReferenceNumber", "rrn", 5),
        ("customerId", "customer_id", 5),
    ],
)
@pytest.mark.parametrize("status", ["charged", None])
def test_what_nobody_decides_by_costs_no_event(
    field: str, attribute: str, value: Any, status: str | None
) -> None:
    rest: dict[str, Any] = {
        "confirmedAt": "2024-05-01T12:00:00Z",
        "storeId": {"Value": "s"},
        "status": status,
    }
    event = received(transaction_event(**rest, **{field: value}))

    assert type(event) is TransactionEvent
    assert event.is_paid
    assert getattr(event.transaction, attribute) is None
    assert event.transaction.store_id == "s"
    assert event.transaction.confirmed_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert event.transaction.raw == event.raw["data"]
    assert event.raw["data"][field] == value
    with pytest.raises(WebhookPayloadError, match="amount: expected a number"):
        received(transaction_event(**rest, **{field: value, "amount": "much"}))


@pytest.mark.parametrize("event", ["transaction.charged", "payment_order.paid"])
def test_a_merchants_id_may_be_a_number(event: str) -> None:
    body = {"name": event, "data": {"id": "1"}, "merchantId": 7, "merchant_id": 7}
    assert received(json.dumps(body).encode()).merchant_id == "7"
