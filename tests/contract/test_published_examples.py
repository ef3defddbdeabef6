"""Every payload that the vendor published is read and written as it stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

from plexypay_async import (
    APIError,
    CreatePaymentLink,
    Outcome,
    PaymentLink,
    PaymentLinkStatus,
    PaymentLinkSummary,
    Recurring,
    ServiceUnavailableError,
    SomethingWentWrongError,
)
from plexypay_async._wire.api_errors import error_of
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import wire_name
from plexypay_async.pay.description import PAY
from plexypay_async.pay.payment_links import PaymentLinks

EXAMPLES = Path(__file__).parent / "examples"

USED = {
    "error-message-only.http500.json",
    "error-padded-code.json",
    "error-string-code.json",
    "error.json",
    "payment-link-create.request.json",
    "payment-link.json",
    "payment-link.newer.json",
    "payment-links-page.json",
}
OF_OTHER_TESTS = {
    "capture.json",
    "direct-payment-3ds.json",
    "merchant-initiated.json",
    "merchant-initiated.request.json",
    "refund.json",
    "transaction.json",
    "transactions-page.json",
    "v1-2023.cancel.json",
    "v1-2023.capture.request.json",
    "v1-2023.direct-payment-continue-3ds.request.json",
    "v1-2023.direct-payment-continued.json",
    "v1-2023.direct-payment-create.request.json",
    "v1-2023.direct-payment-declined.json",
    "v1-2023.payment-search.json",
    "v1-2023.refund-full.request.json",
    "v1-2023.refund.request.json",
    "v1.transaction-live-other-spelling.json",
    "webhook-payment-order.json",
    "webhook-transaction.json",
}

MIDNIGHT = datetime(2025, 3, 14, tzinfo=UTC)
CREATED = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
UPDATED = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
RETURN_URLS = {
    "cancelUrl": "https://example.com/cancel",
    "failureUrl": "https://example.com/failure",
    "successUrl": "https://example.com/success",
}


def answer(name: str, status: int = 200) -> WireResponse:
    return WireResponse(status, (EXAMPLES / name).read_bytes())


def published(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_bytes())


def test_every_published_example_is_known() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == USED | OF_OTHER_TESTS


@pytest.mark.parametrize(
    "operation",
    [
        PaymentLinks.create,
        PaymentLinks.retrieve,
        PaymentLinks.retrieve_by_order_reference,
        PaymentLinks.update_expiration,
        PaymentLinks.cancel,
    ],
    ids=lambda operation: operation.name,
)
def test_payment_link(operation: Any) -> None:
    link = OperationCodec(operation).decode(answer("payment-link.json", 201))

    assert link == PaymentLink(
        id="pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f",
        amount=1_000_000,
        currency="USD",
        status=PaymentLinkStatus.ACTIVE,
        description="Payment for services",
        order_reference="ORD123456",
        created_at=CREATED,
        updated_at=UPDATED,
        expires_at=MIDNIGHT,
        url="https://checkout.plexypay.com/pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f",
        metadata={**RETURN_URLS, "callbackUrl": "https://example.com/callback"},
        customer_id="example",
        auto_clearing=None,
        validation=None,
        created_by=None,
    )
    assert link.status is PaymentLinkStatus.ACTIVE
    assert link.raw == published("payment-link.json")
    for time in (link.created_at, link.updated_at, link.expires_at):
        assert time.tzinfo is UTC


def test_newer_payment_link() -> None:
    link = OperationCodec(PaymentLinks.retrieve).decode(answer("payment-link.newer.json"))

    assert link == PaymentLink(
        id="pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f",
        amount=1_000_000,
        currency="KZT",
        status=PaymentLinkStatus.ACTIVE,
        description="Payment for services",
        order_reference="ORD123456",
        created_at=CREATED,
        updated_at=UPDATED,
        expires_at=MIDNIGHT,
        url="https://checkout.plexypay.com/pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f",
        metadata={**RETURN_URLS, "callbackUrl": "https://example.com/callback"},
        customer_id="string",
        auto_clearing=True,
        validation=False,
        created_by="string",
    )
    assert link.raw == published("payment-link.newer.json")


def test_page_of_payment_links() -> None:
    page = ListingCodec(PaymentLinks.list).decode(answer("payment-links-page.json"))

    assert (page.page, page.size, page.total) == (1, 10, 100)
    assert page.items == (
        PaymentLinkSummary(
            id="pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f",
            amount=1_000_000,
            currency="USD",
            status=PaymentLinkStatus.ACTIVE,
            description="Payment for services",
            order_reference="ORD123456",
            created_at=CREATED,
            updated_at=UPDATED,
            expires_at=MIDNIGHT,
        ),
    )
    assert page.raw == published("payment-links-page.json")
    assert page.items[0].raw == published("payment-links-page.json")["data"][0]


def test_a_list_item_carries_exactly_the_fields_of_the_summary() -> None:
    (item,) = published("payment-links-page.json")["data"]

    assert set(item) == {wire_name(field) for field in attrs.fields(PaymentLinkSummary)} - {"raw"}


REQUEST_WITH_METADATA = CreatePaymentLink(
    amount=1_000_000,
    currency="USD",
    customer_id="5e9f8f8f-9d9e-9e9d-9e9f-8f8f8f9d9e9f",
    description="Payment for services",
    expires_at=MIDNIGHT,
    metadata=RETURN_URLS,
    order_reference="ORD123456",
    recurring=Recurring(
        expiry=MIDNIGHT,
        frequency=30,
        parent_transaction_id="5e9f8f8f-9d9e-9e9d-9e9f-8f8f8f9d9e9f",
        type="cof_initial",
    ),
    auto_clearing=True,
)
REQUEST_WITH_SHORTHANDS = CreatePaymentLink(
    amount=1_000_000,
    currency="usd",
    customer_id="5e9f8f8f-9d9e-9e9d-9e9f-8f8f8f9d9e9f",
    description="Payment for services",
    expires_at=MIDNIGHT,
    cancel_url="https://example.com/cancel",
    failure_url="https://example.com/failure",
    success_url="https://example.com/success",
    order_reference="ORD123456",
    recurring=Recurring(
        expiry=MIDNIGHT, frequency=30, parent_transaction_id="5e9f8f8f-9d9e-9e9d-9e9f-8f8f8f9d9e9f"
    ),
    auto_clearing=True,
)


def typed(value: Any) -> Any:
    """Pair every value with its JSON type, for `1 == True == 1.0` in Python."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {key: typed(inner) for key, inner in members.items()}
    return type(value).__name__, value


@pytest.mark.parametrize("request_", [REQUEST_WITH_METADATA, REQUEST_WITH_SHORTHANDS])
def test_create_is_written_as_published(request_: CreatePaymentLink) -> None:
    wire = OperationCodec(PaymentLinks.create).encode(request_)

    assert (wire.method, wire.target) == ("POST", "/v1/payment-links")
    assert wire.body is not None
    assert typed(json.loads(wire.body)) == typed(published("payment-link-create.request.json"))


@pytest.mark.parametrize(
    ("name", "message", "source"),
    [
        ("error.json", "service unavailable", "keys"),
        ("error-string-code.json", "service unavailable", "keys"),
        ("error-padded-code.json", "something went wrong", "paymentLinks"),
    ],
)
def test_code_1_in_its_three_spellings(name: str, message: str, source: str) -> None:
    error = error_of(answer(name, 503), "payment_links.create", PAY.errors)

    assert type(error) is ServiceUnavailableError
    assert (error.status, error.code, error.type) == (503, 1, "apiError")
    assert (error.message, error.source) == (message, source)
    assert error.outcome is Outcome.REJECTED
    assert error.operation == "payment_links.create"


def test_the_message_decides_nothing() -> None:
    # "0001" was published with the message of code 2.
    assert isinstance(
        error_of(answer("error-padded-code.json", 500), "x", PAY.errors), ServiceUnavailableError
    )


def test_an_error_with_a_message_alone() -> None:
    error: APIError = error_of(answer("error-message-only.http500.json", 500), "payments.refund", PAY.errors)

    assert type(error) is SomethingWentWrongError
    assert (error.status, error.code, error.source, error.type) == (500, None, None, None)
    assert error.message == published("error-message-only.http500.json")["message"]
    assert error.outcome is Outcome.UNKNOWN
