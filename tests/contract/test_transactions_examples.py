"""The observed transactions and the published webhook's, read as they stand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import wire_name
from plexypay_async.pay.transactions import Transaction, Transactions, TransactionStatus

EXAMPLES = Path(__file__).parent / "examples"


def answer(name: str) -> WireResponse:
    return WireResponse(200, (EXAMPLES / name).read_bytes())


def published(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_bytes())


@pytest.mark.parametrize(
    "operation",
    [
        Transactions.retrieve,
        Transactions.retrieve_by_payment_link,
        Transactions.retrieve_by_order_reference,
    ],
    ids=lambda operation: operation.name,
)
def test_a_single_transaction(operation: Any) -> None:
    transaction = OperationCodec(operation).decode(answer("transaction.json"))

    assert transaction == Transaction(
        id="01a09b42-0903-75b3-9007-f2ee24c2ac30",
        payment_id="01a09b42-0903-75b3-9007-f2ee24c2ac30",
        status=TransactionStatus.CHARGED,
        amount=Decimal(32000),
        order_reference="booking-1",
    )
    assert transaction.raw == published("transaction.json")


def test_a_page_of_transactions() -> None:
    page = ListingCodec(Transactions.list).decode(answer("transactions-page.json"))

    assert (page.page, page.size, page.total) == (1, 50, 1)
    assert page.items == (
        Transaction(
            id="01a09b42-0903-75b3-9007-f2ee24c2ac30",
            status=TransactionStatus.CHARGED,
            amount=Decimal(32000),
            order_reference="booking-1",
            rrn="624857977792",
            created_at=datetime(2026, 9, 5, 10, 14, 11, tzinfo=UTC),
        ),
    )
    assert page.items[0].status is TransactionStatus.CHARGED
    assert page.items[0].raw == published("transactions-page.json")["data"][0]
    assert page.raw == published("transactions-page.json")


def test_the_list_and_the_single_one_are_the_same_transaction() -> None:
    (listed,) = ListingCodec(Transactions.list).decode(answer("transactions-page.json")).items
    alone = OperationCodec(Transactions.retrieve).decode(answer("transaction.json"))

    for name in ("id", "status", "amount", "order_reference", "is_paid", "is_final"):
        assert getattr(listed, name) == getattr(alone, name), name
    assert (listed.is_paid, listed.is_final) == (True, True)


def test_the_transaction_of_a_webhook() -> None:
    data = published("webhook-transaction.json")["data"]
    transaction = OperationCodec(Transactions.retrieve).decode(WireResponse(200, json.dumps(data).encode()))

    assert transaction == Transaction(
        id="txn_abcdef123456",
        status=TransactionStatus.CHARGED,
        amount=Decimal(1000),
        balance=Decimal(9000),
        currency="USD",
        type="payment",
        last4="6789",
        payment_method="card",
        payer_ip="192.168.1.1",
        order_reference="INV-1001",
        description="Order payment",
        created_at=datetime(2024, 4, 1, 12, 0, tzinfo=UTC),
        updated_at=datetime(2024, 4, 1, 12, 5, tzinfo=UTC),
        authed_at=datetime(2024, 4, 1, 12, 2, tzinfo=UTC),
        confirmed_at=datetime(2024, 4, 1, 12, 3, tzinfo=UTC),
        processed_at=datetime(2024, 4, 1, 12, 4, tzinfo=UTC),
        processed_amount=Decimal(1000),
        store_id="store_1234",
        terminal_id="term_5678",
        secure_3d=True,
        parent_transaction_id="txn_parent1234",
        recurring_type="subscription",
        rrn="RRN987654321",
        payment_link_id="pl_019a2a21f46f706ea202a75adabcbb80",
        payment_session_id="019a2a22-1b0d-7732-9672-134baf97b06c",
        card_token_id="4400437244977189",
        customer_id="01989f41-a6eb-77d4-a666-9361fb25bec6",
    )
    assert transaction.raw == data


def test_every_field_of_the_examples_is_typed_and_no_field_is_invented() -> None:
    names = {
        name
        for field in attrs.fields(Transaction)
        if field.name != "raw"
        for name in (wire_name(field), *field.metadata.get("aliases", ()))
    }
    (listed,) = published("transactions-page.json")["data"]

    assert names == {
        *listed,
        *published("transaction.json"),
        *published("webhook-transaction.json")["data"],
    }
