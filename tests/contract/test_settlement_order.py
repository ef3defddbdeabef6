"""The published webhook of a settlement payment order: its data is read as an order."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import SettlementOrder, SettlementOrders, SettlementOrderStatus
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import wire_name

WEBHOOK: Any = json.loads((Path(__file__).parent / "examples" / "webhook-payment-order.json").read_bytes())
DATA = WEBHOOK["data"]

ORDER = SettlementOrder(
    id="4854228f-7246-41c3-9b2d-b44aa629ffac",
    amount=Decimal(10000),
    currency="KZT",
    status=SettlementOrderStatus.CREATED,
    beneficiary_id="aed26d75-2c00-49a1-a626-14d45b8f0dfb",
    merchant_id="1f071894-7df7-42c1-a9c8-039b876ca592",
)


@pytest.mark.parametrize(
    "operation", [SettlementOrders.create, SettlementOrders.retrieve], ids=lambda operation: operation.name
)
def test_the_data_as_an_answer(operation: Any) -> None:
    order = OperationCodec(operation).decode(WireResponse(200, json.dumps(DATA).encode()))

    assert order == ORDER
    assert order.status is SettlementOrderStatus.CREATED
    assert type(order.amount) is Decimal
    assert order.raw == DATA


def test_the_data_as_an_item_of_a_list() -> None:
    page = ListingCodec(SettlementOrders.list).decode(
        WireResponse(200, json.dumps({"data": [DATA]}).encode())
    )

    assert page.items == (ORDER,)


def test_the_model_has_exactly_the_published_fields() -> None:
    assert {wire_name(field) for field in attrs.fields(SettlementOrder)} - {"raw"} == set(DATA)


def test_the_states_are_those_of_the_webhooks_names() -> None:
    group, _, status = WEBHOOK["name"].partition(".")

    assert (group, status) == ("payment_order", DATA["status"])
    assert [known.value for known in SettlementOrderStatus] == ["created", "paid", "failed"]
