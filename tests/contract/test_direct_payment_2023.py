"""The vendor's examples of 2023 of direct payments: the request, the end of 3-D Secure, and a decline."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import Outcome, RefusedError
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import wire_name, wire_names
from plexypay_async.cards import EncryptedCard
from plexypay_async.pay.direct_payments import (
    Address,
    BrowserDetails,
    ContinueThreeDSecure,
    CreateDirectPayment,
    CustomerDetails,
    DirectPayment,
    DirectPayments,
    DirectRecurring,
    OrderDetails,
    ThreeDSecure,
    ThreeDSecureStatus,
)

EXAMPLES = Path(__file__).parent / "examples"
CREATE, CONTINUE = DirectPayments.create, DirectPayments.continue_3ds


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"v1-2023.direct-payment-{name}.json").read_bytes())


def of(model: type[Any], document: dict[str, Any]) -> Any:
    """Return a part of a request with the values of its example."""
    names = {wire_name(field): field.name for field in attrs.fields(model)}
    assert set(document) <= set(names)
    return model(**{names[key]: value for key, value in document.items()})


def test_the_request() -> None:
    document = example("create.request")
    customer, card = document["customerDetails"], dict(document["cardData"])
    # In the example a card is sent whole and by its token as well, which the table does not ask for.
    del card["tokenId"]
    request = CreateDirectPayment(
        transaction_type=document["transactionType"],
        terminal_id=document["terminalId"],
        browser_details=of(BrowserDetails, document["browserDetails"]),
        order_details=of(OrderDetails, {**document["orderDetails"], "amount": Decimal("126.27")}),
        customer_details=CustomerDetails(
            email=customer["email"],
            delivery_address=of(Address, customer["deliveryAddress"]),
            billing_address=of(Address, customer["billingAddress"]),
        ),
        three_ds_notification_url=document["threeDSNotificationUrl"],
        card_data=of(EncryptedCard, card),
        external_user_id=document["externalUserId"],
        skip_three_ds=document["skipThreeDS"],
        moto=document["moto"],
        recurring=of(DirectRecurring, document["recurring"]),
    )

    sent = json.loads(OperationCodec(CREATE).encode(request).body or b"")
    assert document.pop("scaExemption") is None
    assert sent == {**document, "cardData": card}


def test_the_end_of_3d_secure_as_it_is_sent() -> None:
    document = example("continue-3ds.request")
    request = ContinueThreeDSecure(cres=document["cres"], transaction_id=document["transactionId"])

    assert json.loads(OperationCodec(CONTINUE).encode(request).body or b"") == document


@pytest.mark.parametrize("operation", [CREATE, CONTINUE], ids=repr)
def test_a_payment_after_3d_secure(operation: Any) -> None:
    document = example("continued")
    payment = OperationCodec(operation).decode(WireResponse(200, json.dumps(document).encode()))

    assert payment == DirectPayment(
        id="05e99c36-499d-4a6f-9e5d-e93d3eb8e63e",
        order_reference="1667207373325",
        amount=Decimal("126.27"),
        currency="EUR",
        payment_method="card",
        success=True,
        captured=True,
        message="Approved and completed successfully",
        three_ds=ThreeDSecure(
            status=ThreeDSecureStatus.AUTHENTICATED,
            electronic_commerce_indicator="05",
            acs_transaction_id="a6b129ce-ec42-46e0-8de1-404fb791166f",
            mpi_transaction_id="d5e94c67-5cf6-41d7-b2ec-3cc011850f70",
            directory_transaction_id="7602cec4-9c63-48fa-ae17-d0ff18d28d78",
        ),
        card_token_id="f9a9d1ea-f1ad-4816-84ef-5af9b672a0b0",
        card_mask="******0000",
        card_expiry_date="07/27",
        cardholder_name="John Doe ",
        card_scheme="visa",
        cvv_status="P",
        cvv_status_decoded="not provided",
        network_transaction_reference="0000018560713233367A",
        response_code="00",
        auth_code="706188",
    )
    assert not payment.requires_3ds
    assert payment.redirect_url is None


@pytest.mark.parametrize("operation", [CREATE, CONTINUE], ids=repr)
@pytest.mark.parametrize("status", [200, 400, 402, 422])
def test_a_decline(operation: Any, status: int) -> None:
    response = WireResponse(status, json.dumps(example("declined")).encode())
    codec = OperationCodec[DirectPayment](operation)
    if status == 200:
        with pytest.raises(RefusedError) as caught:
            codec.decode(response)
        refused: RefusedError | None = caught.value
    else:
        refused = codec.refusal(response)

    assert refused is not None
    assert (refused.code, refused.status, refused.outcome) == ("1013", status, Outcome.REJECTED)
    assert refused.message == "Authentication rejected (suspected fraud)"
    assert refused.answer == DirectPayment(
        id="ada644ec-3db3-4dbd-9112-fae31ca76815",
        order_reference="1667207373325",
        amount=Decimal(221),
        currency="EUR",
        payment_method="card",
        success=False,
        code="1013",
        message="Authentication rejected (suspected fraud)",
        three_ds=ThreeDSecure(
            status=ThreeDSecureStatus.REJECTED,
            electronic_commerce_indicator="07",
            acs_transaction_id="1524fb0e-7f13-4f81-9cab-6a58766bb521",
            mpi_transaction_id="1d4446f5-a7c8-4e05-8231-59ab09a45f37",
            directory_transaction_id="f1398ac1-42fd-4a80-8f07-a26191e293f8",
            status_reason="11",
        ),
        card_token_id="ba6d17c0-c020-4ea9-9351-105ac3039c2c",
        card_mask="******1111",
        card_expiry_date="07/27",
        cardholder_name="John Doe",
        card_scheme="visa",
    )


@pytest.mark.parametrize("name", ["continued", "declined"])
def test_every_field_of_an_answer_is_known(name: str) -> None:
    document = example(name)
    for model, fields in ((DirectPayment, document), (ThreeDSecure, document["threeDS"])):
        assert set(fields) <= {each for field in attrs.fields(model) for each in wire_names(field)}


def test_a_right_spelling_is_read_too() -> None:
    document = {"id": "t", "success": True, "threeDS": {"status": "Y", "acsTransactionId": "a"}}
    payment = OperationCodec(CREATE).decode(WireResponse(200, json.dumps(document).encode()))

    assert payment.three_ds is not None
    assert payment.three_ds.acs_transaction_id == "a"
