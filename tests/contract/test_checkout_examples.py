"""Every published payload of the Checkout API: requests are written as it, answers and errors are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import IdempotencyError, InvalidRequestError, Money, Outcome
from plexypay_async._wire.api_errors import error_of
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.encoder import RequestEncoder
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import Request
from plexypay_async.api.operation import Operation
from plexypay_async.checkout import (
    Address,
    AuthenticationData,
    CardDetailsGroup,
    Channel,
    CreatePayment,
    CreateSession,
    LineItem,
    ListPaymentMethods,
    PaymentMethods,
    Payments,
    ResultCode,
    RetrieveCardDetails,
    Sessions,
    ThreeDSRequestData,
)
from plexypay_async.checkout.description import CHECKOUT
from plexypay_async.checkout.values import CheckoutMoney

EXAMPLES = Path(__file__).parent / "checkout_examples"
ACCOUNT = "testMerchantAccount"


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"v2.{name}.json").read_bytes())


def answer(operation: Operation[..., Any], name: str) -> Any:
    """Return what a call returns for a published answer."""
    return OperationCodec(operation).decode(WireResponse(200, (EXAMPLES / f"v2.{name}.json").read_bytes()))


# ------------------------------------------------------------------------------------------ the requests

_HOME = Address(
    city="Ankeborg", country="SE", house_number_or_name="1", postal_code="1234", street="Stargatan"
)
_ENCRYPTED = example("payment-create-card.request")["paymentMethod"]

REQUESTS: dict[str, tuple[Operation[..., Any], Request]] = {
    "session-create-full.request": (
        Sessions.create,
        CreateSession(
            amount=Money(11295, "EUR"),
            return_url="com.mydomain.plexycheckout://",
            reference="flutter-session-test_1759312616273",
            country_code="UK",
            shopper_locale="ru-RU",
            shopper_reference="Test reference",
            store_payment_method_mode="disabled",
            recurring_processing_model="CardOnFile",
            shopper_interaction="Ecommerce",
            channel=Channel.IOS,
            telephone_number="+8613012345678",
            date_of_birth="1996-09-04",
            social_security_number="0108",
            delivery_address=_HOME,
            billing_address=_HOME,
            line_items=[
                LineItem(
                    quantity=1,
                    amount_excluding_tax=331,
                    tax_percentage=2100,
                    description="Shoes",
                    id="Item #1",
                    tax_amount=69,
                    amount_including_tax=400,
                    product_url="URL_TO_PURCHASED_ITEM",
                    image_url="URL_TO_PICTURE_OF_PURCHASED_ITEM",
                )
            ],
        ),
    ),
    "payment-methods.request": (
        PaymentMethods.list,
        ListPaymentMethods(
            amount=Money(11295, "EUR"), country_code="UK", channel="iOS", shopper_reference="Test reference"
        ),
    ),
    "payment-create-card.request": (
        Payments.create,
        CreatePayment(
            amount=Money(10000, "EUR"),
            reference="flutter-test_1759312616273",
            state_data={"paymentMethod": _ENCRYPTED},
            authentication_data=AuthenticationData(
                three_ds_request_data=ThreeDSRequestData(native_three_ds="preferred")
            ),
            channel="iOS",
            return_url="com.mydomain.plexycheckout:///plexyPayment",
        ),
    ),
    "card-details.request": (CardDetailsGroup.retrieve, RetrieveCardDetails(encrypted_card_number="...")),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_it_is_published(name: str) -> None:
    operation, request = REQUESTS[name]
    encoder = RequestEncoder(operation, operation.path, {"merchant_account": ACCOUNT})
    written = encoder.encode(request)

    assert written.body is not None
    assert json.loads(written.body) == example(name)


def test_the_schema_of_a_sessions_request_has_what_the_call_requires() -> None:
    schema = example("session-create.request")
    smallest = CreateSession(amount=Money(1, "KZT"), reference="string", return_url="string")
    encoder = RequestEncoder(Sessions.create, Sessions.create.path, {"merchant_account": "string"})
    written = json.loads(encoder.encode(smallest).body or b"")

    assert written == {**schema, "amount": {"currency": "KZT", "value": 1}}
    assert list(written["amount"]) == list(schema["amount"])


# ------------------------------------------------------------------------------------------- the answers


def test_the_published_session_with_placeholders_for_values() -> None:
    session = answer(Sessions.create, "session")

    assert (session.id, session.session_data) == ("string", "string")
    assert session.expires_at is None, "a placeholder is no time"
    assert session.raw["expiresAt"] == "string"
    assert (session.amount.value, session.amount.currency) == (0, "string")
    assert session.channel is Channel.IOS
    for name in (
        *("merchant_account", "merchant_id", "reference", "return_url", "mode", "url"),
        *("country_code", "shopper_locale", "shopper_reference"),
    ):
        assert getattr(session, name) == "string", name


def test_a_session_with_its_time_in_utc() -> None:
    session = answer(Sessions.create, "session.mock")

    assert session.expires_at == datetime(2023, 10, 10, 9, 48, 26, tzinfo=UTC)
    assert session.amount.equals(CheckoutMoney(amount=2000, currency="EUR"))
    assert session.for_browser() == {"id": "CSFF69355B6EAD2F68", "sessionData": "Ab02b4c0"}


def test_an_authorised_payment() -> None:
    payment = answer(Payments.create, "payment-authorised")

    assert payment.psp_reference == "BNV58BSJF9WQ5K65"
    assert payment.result_code is ResultCode.AUTHORISED
    assert (payment.is_authorised, payment.is_final, payment.requires_action) == (True, True, False)
    assert payment.amount.equals(Money(10000, "KZT"))
    assert payment.merchant_reference == "order-1729012345"
    assert (payment.payment_method.type, payment.payment_method.brand) == ("scheme", "visa")
    assert payment.is_authorised_for(reference="order-1729012345", amount=Money(10000, "KZT"))


@pytest.mark.parametrize("operation", [Payments.create, Payments.details], ids=lambda each: each.name)
def test_an_action_comes_before_the_result_code_that_says_authorised(operation: Any) -> None:
    payment = answer(operation, "payment-action")

    assert payment.result_code is ResultCode.AUTHORISED
    assert (payment.requires_action, payment.is_authorised, payment.is_final) == (True, False, False)
    assert payment.action is payment.raw["action"]
    assert json.dumps(payment.action) == json.dumps(example("payment-action")["action"])
    assert payment.additional_data["networkTxReference"] == "067781471736078"
    assert payment.payment_method.brands == ("string",)
    assert payment.for_browser() == {"resultCode": "Authorised", "action": payment.raw["action"]}


def test_a_part_of_an_order_is_paid() -> None:
    payment = answer(Payments.create, "payment-partially-authorised.mock")

    assert payment.result_code is ResultCode.PARTIALLY_AUTHORISED
    assert (payment.is_partial, payment.is_authorised, payment.is_final) == (True, False, False)
    assert payment.order.psp_reference == "MHCDBZCH4NF96292"
    assert payment.order.remaining_amount.equals(Money(100, "EUR"))
    assert payment.order.expires_at == datetime(2023, 10, 10, 13, 12, 59, tzinfo=UTC)
    assert payment.for_browser() == {"resultCode": "PartiallyAuthorised", "order": payment.raw["order"]}


def test_the_ways_to_pay_go_to_the_browser_as_they_came() -> None:
    listed = answer(PaymentMethods.list, "payment-methods.mock")

    assert [(method.type, method.name) for method in listed.payment_methods] == [
        ("scheme", "Credit Card"),
        ("ancv", "ANCV"),
    ]
    assert listed.payment_methods[0].brands == ("visa", "mc", "amex")
    assert listed.stored_payment_methods == ()
    assert listed.for_browser() == example("payment-methods.mock")


# -------------------------------------------------------------------------------------------- the errors


@pytest.mark.parametrize(
    ("name", "status", "kind", "outcome", "told"),
    [
        ("error", 400, InvalidRequestError, Outcome.REJECTED, ("parameter_missing", "amount", "req_abc123")),
        (
            "error-without-type",
            400,
            InvalidRequestError,
            Outcome.REJECTED,
            ("invalid_request", "amount", None),
        ),
        (
            "error-idempotency",
            409,
            IdempotencyError,
            Outcome.UNKNOWN,
            ("idempotency_key_in_use", None, None),
        ),
    ],
)
def test_the_published_errors(
    name: str, status: int, kind: type[Any], outcome: Outcome, told: tuple[str | None, ...]
) -> None:
    response = WireResponse(status, (EXAMPLES / f"v2.{name}.json").read_bytes())
    error = error_of(response, "payments.create", CHECKOUT.errors)

    assert type(error) is kind
    assert error.outcome is outcome
    assert (error.code, error.param, error.request_id) == told
    assert error.message == example(name)["error"]["message"]


def test_every_published_payload_is_looked_at() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    elsewhere = {"webhook-payment-succeeded"}
    names = {path.name.removeprefix("v2.").removesuffix(".json") for path in EXAMPLES.glob("v2.*.json")}

    assert len(names) == 15
    assert {name for name in names - elsewhere if f'"{name}"' not in text} == set()
