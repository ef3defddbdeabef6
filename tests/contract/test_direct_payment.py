"""The published answer of a direct payment that asks for 3-D Secure."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import wire_name
from plexypay_async.pay.direct_payments import DirectPayment, DirectPayments, ThreeDSecure, ThreeDSecureStatus

EXAMPLE = (Path(__file__).parent / "examples" / "direct-payment-3ds.json").read_bytes()


@pytest.mark.parametrize("operation", [DirectPayments.create, DirectPayments.continue_3ds], ids=repr)
def test_3d_secure_is_required(operation: Any) -> None:
    payment = OperationCodec(operation).decode(WireResponse(200, EXAMPLE))

    assert payment == DirectPayment(
        id="d9ed7581-048d-434c-9a63-7bbd361c0dec",
        order_reference="1667207373325",
        amount=Decimal(221),
        currency="EUR",
        payment_method="card",
        success=True,
        captured=True,
        message="Authentication required",
        action="3ds-required",
        three_ds=ThreeDSecure(
            status=ThreeDSecureStatus.CHALLENGE,
            type="challengeflow",
            html="<form></form>",
            action="https://www.threedsecurempi.com/EMVTDS/AUT?Action=ProcessCReq",
            creq="eyJhY3N",
            session_data="eyJ0cmFuc2Fj",
        ),
        card_token_id="ba6d17c0-c020-4ea9-9351-105ac3039c2c",
        card_mask="******1111",
        card_expiry_date="07/27",
        cardholder_name="John Doe",
        card_scheme="visa",
    )
    assert payment.requires_3ds
    assert payment.raw == json.loads(EXAMPLE)


def test_every_field_of_the_example_is_known() -> None:
    document = json.loads(EXAMPLE)

    assert set(document) <= {wire_name(field) for field in attrs.fields(DirectPayment)}
    assert set(document["threeDS"]) <= {wire_name(field) for field in attrs.fields(ThreeDSecure)}
