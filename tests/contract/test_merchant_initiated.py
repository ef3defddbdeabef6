"""The published merchant-initiated payment, written and read as it stands."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import (
    ChargeRecurringPayment,
    RecurringPayment,
    RecurringPayments,
    RefusedError,
    TransactionStatus,
    UnreadableResponseError,
)
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
    assert payment.is_paid
    assert payment.raw == published("merchant-initiated.json")


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (ChargeRecurringPayment, "merchant-initiated.request.json"),
        (RecurringPayment, "merchant-initiated.json"),
    ],
)
def test_the_fields_are_those_that_are_published(model: type[Any], example: str) -> None:
    # As of 2023 an answer may have `success` in place of the status.
    fields = {wire_name(field) for field in attrs.fields(model)} - {"raw", "extra", "success"}
    assert fields == set(published(example))


AS_OF_2023 = {"id": "t-1", "amount": 10.99, "currency": "EUR"}


def test_an_answer_as_of_2023_says_success_in_place_of_a_status() -> None:
    payment = CHARGE.decode(WireResponse(200, json.dumps({**AS_OF_2023, "success": True}).encode()))
    assert (payment.id, payment.status, payment.success) == ("t-1", None, True)
    assert payment.is_paid
    with pytest.raises(UnreadableResponseError, match="none of status, success is there"):
        CHARGE.decode(WireResponse(200, json.dumps(AS_OF_2023).encode()))


def test_a_refusal_as_of_2023() -> None:
    with pytest.raises(RefusedError) as caught:
        CHARGE.decode(
            WireResponse(200, json.dumps({**AS_OF_2023, "success": False, "responseCode": "51"}).encode())
        )
    assert caught.value.code == "51"
    assert not caught.value.answer.is_paid


def test_a_success_that_cannot_be_read_is_proved_by_its_word() -> None:
    request = ChargeRecurringPayment(
        amount=Decimal("10.99"), currency="EUR", card_token_id="c", initial_transaction_id="t"
    )
    told = WireResponse(200, json.dumps({**AS_OF_2023, "success": True, "status": 5}).encode())
    with pytest.raises(UnreadableResponseError):
        CHARGE.decode(told)
    assert CHARGE.proves(request, told)
    assert not CHARGE.proves(request, WireResponse(200, json.dumps({**AS_OF_2023, "status": 5}).encode()))
