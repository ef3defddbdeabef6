"""What captures and refunds answered, read as it stands, and the refusal that came as an HTTP 500."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import AsyncPlexyPay, Outcome, OutcomeUnknownError, SomethingWentWrongError
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import wire_name, wire_names
from plexypay_async.pay.payments import (
    CapturePayment,
    PaymentResult,
    Payments,
    RefundPayment,
    RefundResult,
    SearchPayments,
)

EXAMPLES = Path(__file__).parent / "examples"
BASE = "https://api.example"


def answer(name: str) -> WireResponse:
    return WireResponse(200, (EXAMPLES / name).read_bytes())


def published(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_bytes())


@pytest.mark.parametrize(
    "operation", [Payments.capture, Payments.cancel], ids=lambda operation: operation.name
)
def test_a_capture(operation: Any) -> None:
    result = OperationCodec(operation).decode(answer("capture.json"))

    assert result == PaymentResult(
        success=True,
        id="05e99c36-499d-4a6f-9e5d-e93d3eb8e63e",
        amount=Decimal("56.41"),
        remaining_balance=Decimal("56.41"),
        order_reference="1667207373325",
        message="Successfully captured the transaction",
        response_code="00",
        auth_code="231351",
        network_transaction_reference="0000003877089021874A",
    )
    assert result.raw == published("capture.json")


def test_a_refund() -> None:
    result = OperationCodec(Payments.refund).decode(answer("refund.json"))

    assert result == RefundResult(
        success=True,
        id="56b5f4ac-c95e-4b89-bd2d-3cf7369857ef",
        amount=Decimal("15.55"),
        remaining_balance=Decimal("40.86"),
        order_reference="1667207373325",
        message="Successfully refunded the transaction",
        response_code="00",
        auth_code="856156",
        network_transaction_reference="0000021266523063630A",
        original_transaction_id="c3bcfd40-285b-496a-82c3-ce1c2271aae2",
    )
    assert result.raw == published("refund.json")
    assert result.amount + result.remaining_balance == Decimal("56.41")  # type: ignore[operator]


@pytest.mark.parametrize(("model", "name"), [(PaymentResult, "capture.json"), (RefundResult, "refund.json")])
def test_the_fields_are_those_of_the_example(model: Any, name: str) -> None:
    assert {wire_name(field) for field in attrs.fields(model)} - {"raw"} == set(published(name))


def test_an_amount_goes_out_as_it_came_in() -> None:
    captured = OperationCodec(Payments.capture).decode(answer("capture.json")).amount
    refunded = OperationCodec(Payments.refund).decode(answer("refund.json")).amount

    capture = OperationCodec(Payments.capture).encode(CapturePayment("t", amount=captured))
    refund = OperationCodec(Payments.refund).encode(RefundPayment("t", amount=refunded))
    assert (capture.body, refund.body) == (b'{"amount":56.41}', b'{"amount":15.55}')
    assert b'"amount": 56.41,' in (EXAMPLES / "capture.json").read_bytes()


@pytest.mark.asyncio
async def test_the_refund_of_what_is_refunded_is_unknown_says_why_and_is_sent_once(
    mocked_http: Any,
) -> None:
    name = "error-message-only.http500.json"
    url = f"{BASE}/v1/payments/01a09b42/refund"
    mocked_http.post(url, status=500, body=(EXAMPLES / name).read_bytes(), repeat=True)

    async with AsyncPlexyPay("key", base_url=BASE) as plexy:
        with pytest.raises(OutcomeUnknownError) as caught:
            await plexy.payments.refund("01a09b42", amount=Decimal("15.55"), order_reference="R-1")
    error = caught.value
    message = published(name)["message"]
    assert str(error) == (
        f"payments.refund: the outcome is unknown (HTTP 500: {message}). "
        "Money may have moved: look for a refund of 15.55 in transactions.history('01a09b42'),"
        " payments.search(order_reference='R-1')"
        " (only by a reference of the refund's own, and only one of several)"
        " and transactions.list() before doing it again."
    )
    assert error.outcome is Outcome.UNKNOWN
    assert (error.operation, error.order_reference) == ("payments.refund", "R-1")
    cause = error.__cause__
    assert type(cause) is SomethingWentWrongError
    assert (cause.message, cause.status, cause.code) == (message, 500, None)
    assert error.attempts == (cause,)
    ((_, calls),) = mocked_http.requests.items()
    assert len(calls) == 1


@pytest.mark.parametrize("as_list", [False, True], ids=["alone", "in a list"])
def test_a_search(as_list: bool) -> None:
    body = (EXAMPLES / "v1-2023.payment-search.json").read_bytes()
    codec = OperationCodec(Payments.search).of(SearchPayments(order_reference="1667207373325"))
    found = codec.decode(WireResponse(200, b"[" + body + b"]" if as_list else body))

    assert (found.id, found.order_reference) == ("6fff162f-1273-4e44-9392-694cdc2e8a22", "1667207373325")
    assert (found.amount, found.currency, found.status) == (Decimal("430.43"), "EUR", "charged")
    assert (found.card_mask, found.card_scheme, found.card_expiry_date) == ("******0000", "visa", "08/49")
    assert (found.cvv_status, found.cvv_status_decoded) == (" 06", "not provided")
    assert found.three_ds is not None
    assert found.three_ds.status == "Y"
    assert found.is_paid
    document = published("v1-2023.payment-search.json")
    assert found.raw == ({"data": [document]} if as_list else document)
    known = {name for field in attrs.fields(type(found)) for name in wire_names(field)}
    assert set(document) <= known, "nothing is left in `raw` alone"
    assert "08/49" not in repr(found)
