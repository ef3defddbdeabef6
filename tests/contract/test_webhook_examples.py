"""The published webhooks, as the bytes that were published, and the forms that merchants see."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    PaymentOrderEvent,
    SettlementOrder,
    SettlementOrderStatus,
    TransactionEvent,
    TransactionStatus,
    WebhookReceiver,
)

EXAMPLES = Path(__file__).parent / "examples"
WRAPPED = ("paymentLinkId", "paymentSessionId", "cardTokenId", "customerId")
RECEIVER = WebhookReceiver("s3cret-of-the-shop")


def published(name: str) -> bytes:
    return (EXAMPLES / name).read_bytes()


def received(body: bytes | dict[str, Any]) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RECEIVER.receive({"Authorization": "Bearer s3cret-of-the-shop"}, data)


def test_a_transactions_webhook() -> None:
    body = published("webhook-transaction.json")
    event = received(body)

    assert type(event) is TransactionEvent
    assert (event.name, event.merchant_id) == ("transaction.charged", "123456")
    assert event.dedupe_key.startswith("transaction.charged:txn_abcdef123456:")
    assert event.is_paid
    assert event.raw == json.loads(body)
    assert event.transaction.raw == json.loads(body)["data"]
    assert event.transaction.id == "txn_abcdef123456"
    assert event.transaction.status is TransactionStatus.CHARGED
    assert (event.transaction.amount, event.transaction.currency) == (Decimal(1000), "USD")
    assert event.transaction.order_reference == "INV-1001"
    assert event.transaction.payment_link_id == "pl_019a2a21f46f706ea202a75adabcbb80"
    assert event.transaction.payment_session_id == "019a2a22-1b0d-7732-9672-134baf97b06c"
    assert event.transaction.card_token_id == "4400437244977189"
    assert event.transaction.customer_id == "01989f41-a6eb-77d4-a666-9361fb25bec6"


def test_the_wrapped_form_and_the_plain_one_are_the_same_transaction() -> None:
    wrapped = json.loads(published("webhook-transaction.json"))
    plain = {**wrapped, "data": {**wrapped["data"]}}
    for name in WRAPPED:
        plain["data"][name] = plain["data"][name]["Value"]

    assert received(plain).transaction == received(wrapped).transaction
    assert received(plain).raw == plain


@pytest.mark.parametrize("nothing", [None, {"Value": None}, {}])
def test_a_wrapped_field_may_hold_nothing(nothing: Any) -> None:
    body = json.loads(published("webhook-transaction.json"))
    for name in WRAPPED:
        body["data"][name] = nothing
    transaction = received(body).transaction

    assert (transaction.payment_link_id, transaction.payment_session_id) == (None, None)
    assert (transaction.card_token_id, transaction.customer_id) == (None, None)


@pytest.mark.parametrize(
    "status", ["created", "authorized", "rejected", "failed", "charged", "cancelled", "refunded"]
)
def test_every_published_name_without_a_status(status: str) -> None:
    body = json.loads(published("webhook-transaction.json"))
    del body["data"]["status"]
    event = received({**body, "name": f"transaction.{status}"})

    assert type(event) is TransactionEvent
    assert event.transaction.status is TransactionStatus(status)
    assert event.transaction.raw == body["data"]
    assert event.is_paid == (status in ("authorized", "charged"))


def test_a_payment_orders_webhook() -> None:
    body = published("webhook-payment-order.json")
    event = received(body)

    assert type(event) is PaymentOrderEvent
    assert event.name == "payment_order.created"
    assert event.merchant_id == "6c0afdee-33ad-4d36-aef1-b4c70508a780"
    assert event.payment_order == SettlementOrder(
        id="4854228f-7246-41c3-9b2d-b44aa629ffac",
        amount=Decimal(10000),
        currency="KZT",
        status=SettlementOrderStatus.CREATED,
        beneficiary_id="aed26d75-2c00-49a1-a626-14d45b8f0dfb",
        merchant_id="1f071894-7df7-42c1-a9c8-039b876ca592",
    )
    assert event.dedupe_key.startswith("payment_order.created:4854228f-7246-41c3-9b2d-b44aa629ffac:")
    assert event.raw == json.loads(body)


@pytest.mark.parametrize("status", ["created", "paid", "failed"])
def test_every_published_name_of_a_payment_order(status: str) -> None:
    body = json.loads(published("webhook-payment-order.json"))
    body["data"]["status"] = None
    event = received({**body, "name": f"payment_order.{status}"})

    assert type(event) is PaymentOrderEvent
    assert event.payment_order.status is SettlementOrderStatus(status)
    assert event.payment_order.raw == body["data"]
