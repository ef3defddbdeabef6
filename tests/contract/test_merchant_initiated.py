"""The published merchant-initiated payment, written and read as it stands."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import ChargeRecurringPayment, RecurringPayment, RecurringPayments, TransactionStatus
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import wire_name

EXAMPLES = Path(__file__).parent / "examples"
CHARGE = OperationCodec(RecurringPayments.charge)


def published(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_bytes())


@pytest.mark.parametrize("amount", [1099, Decimal(1099), Decimal("1099.00")])
@pytest.mark.parametrize("currency", ["KZT", "kzt"])
def test_the_request(amount: Any, currency: str) -> None:
    wire = CHARGE.encode(
        ChargeRecurringPayment(
            amount=amount,
            currency=currency,
            card_token_id="6e70c8a6-8f4d-4d2f-8b3a-7a12d5c3b01c",
            initial_transaction_id="8c876a3e-fc28-4e77-b781-b7cfd5cfefb4",
        )
    )

    assert (wire.method, wire.target) == ("POST", "/v1/payments/recurring/merchant/initiated")
    assert wire.body is not None
    body = json.loads(wire.body)
    assert body == published("merchant-initiated.request.json")
    assert type(body["amount"]) is int


def test_the_answer() -> None:
    payment = CHARGE.decode(WireResponse(200, (EXAMPLES / "merchant-initiated.json").read_bytes()))

    assert payment == RecurringPayment(
        id="9f8c3e92-6a0f-4f8e-8bc5-0cb1e95b9c8e",
        amount=Decimal(1099),
        currency="KZT",
        status=TransactionStatus.AUTHORIZED,
    )
    assert type(payment.amount) is Decimal
    assert payment.status.is_paid
    assert payment.raw == published("merchant-initiated.json")


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (ChargeRecurringPayment, "merchant-initiated.request.json"),
        (RecurringPayment, "merchant-initiated.json"),
    ],
)
def test_the_fields_are_those_that_are_published(model: type[Any], example: str) -> None:
    assert {wire_name(field) for field in attrs.fields(model)} - {"raw", "extra"} == set(published(example))
