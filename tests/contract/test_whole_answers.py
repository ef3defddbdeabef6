"""Every published answer is read into fields as a whole, and published requests are written as printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import (
    PaymentLinks,
    PaymentLinkSummary,
    RecurringPayments,
    Transactions,
    TransactionStatus,
)
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.converter import converter
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import Model, wire_names
from plexypay_async.api.operation import Operation
from plexypay_async.pay.direct_payments import DirectPayments
from plexypay_async.pay.payments import CapturePayment, Payments, RefundPayment
from plexypay_async.pay.transactions import Transaction
from plexypay_async.webhooks.receiver import WebhookReceiver

EXAMPLES = Path(__file__).parent / "examples"

ANSWERS: dict[str, Operation[..., Any]] = {
    "capture.json": Payments.capture,
    "direct-payment-3ds.json": DirectPayments.create,
    "merchant-initiated.json": RecurringPayments.charge,
    "payment-link.json": PaymentLinks.retrieve,
    "payment-link.newer.json": PaymentLinks.retrieve,
    "refund.json": Payments.refund,
    "transaction.json": Transactions.retrieve,
    "v1-2023.cancel.json": Payments.cancel,
    "v1-2023.direct-payment-continued.json": DirectPayments.continue_3ds,
    "v1-2023.payment-search.json": Payments.search,
    "v1.transaction-live-other-spelling.json": Transactions.retrieve,
}
PAGES: dict[str, type[Model]] = {
    "payment-links-page.json": PaymentLinkSummary,
    "transactions-page.json": Transaction,
}
IN_RAW_ALONE: dict[str, set[str]] = {}
"""Fields of an example that have none of their own, and why."""


def example(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_bytes())


def unread(model: Any, document: dict[str, Any], place: str = "") -> Iterator[str]:
    """Yield the fields of a document with a value that no field of a model has taken up."""
    fields = attrs.fields(type(model))
    by_name = {name: field.name for field in fields for name in wire_names(field) if field.name != "raw"}
    for name, value in document.items():
        taken = None if name not in by_name else getattr(model, by_name[name])
        if value is not None and taken is None:
            yield f"{place}{name}"
        elif isinstance(taken, Model) and isinstance(value, dict):
            yield from unread(taken, value, f"{place}{name}.")


@pytest.mark.parametrize("name", ANSWERS)
def test_nothing_of_a_published_answer_is_left_in_raw_alone(name: str) -> None:
    read = OperationCodec(ANSWERS[name]).decode(WireResponse(200, (EXAMPLES / name).read_bytes()))

    assert set(unread(read, example(name))) == IN_RAW_ALONE.get(name, set())


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_a_published_item_is_left_in_raw_alone(name: str) -> None:
    kind = PAGES[name]
    for document in example(name)["data"]:
        item = converter.get_structure_hook(kind)(document, kind)
        assert set(unread(item, document)) == IN_RAW_ALONE.get(name, set())


@pytest.mark.parametrize("name", ["webhook-transaction.json", "webhook-payment-order.json"])
def test_nothing_of_a_published_webhook_is_left_in_raw_alone(name: str) -> None:
    body = (EXAMPLES / name).read_bytes()
    event: Any = WebhookReceiver("whk_0123456789abcdef").receive(
        {"Authorization": "Bearer whk_0123456789abcdef"}, body
    )
    subject = event.transaction if name == "webhook-transaction.json" else event.payment_order

    assert set(unread(subject, example(name)["data"])) == IN_RAW_ALONE.get(name, set())


def test_every_published_answer_is_among_these() -> None:
    answers = {
        path.name
        for path in EXAMPLES.glob("*.json")
        if ".request." not in path.name and not path.name.startswith("error")
    }
    # It is a refusal, which has a test of its own.
    declined = {"v1-2023.direct-payment-declined.json"}
    webhooks = {"webhook-transaction.json", "webhook-payment-order.json"}
    assert answers == {*ANSWERS, *PAGES, *declined, *webhooks}


def test_a_cancel_of_2023() -> None:
    read = OperationCodec(Payments.cancel).decode(
        WireResponse(200, (EXAMPLES / "v1-2023.cancel.json").read_bytes())
    )

    assert (read.success, read.amount, read.remaining_balance) == (True, Decimal("15.55"), Decimal("15.55"))
    assert read.response_code == "00"


def test_the_other_spelling_of_a_live_transaction() -> None:
    name = "v1.transaction-live-other-spelling.json"
    read = OperationCodec(Transactions.retrieve).decode(WireResponse(200, (EXAMPLES / name).read_bytes()))

    assert read.status is TransactionStatus.AUTHORIZED
    assert (read.amount, read.order_reference, read.payment_id) == (Decimal(32000), "booking-1", read.id)


@pytest.mark.parametrize(
    ("name", "operation", "request_"),
    [
        ("v1-2023.capture.request.json", Payments.capture, CapturePayment("t-1", amount=Decimal("56.41"))),
        (
            "v1-2023.refund.request.json",
            Payments.refund,
            RefundPayment(
                "t-1",
                amount=Decimal("56.41"),
                order_reference="1667207373325",
                description="refund transaction",
            ),
        ),
        (
            "v1-2023.refund-full.request.json",
            Payments.refund,
            RefundPayment("t-1", order_reference="1667207373325", description="refund transaction"),
        ),
    ],
)
def test_a_request_of_2023(name: str, operation: Operation[..., Any], request_: Any) -> None:
    written = json.loads(OperationCodec(operation).encode(request_).body or b"{}")

    # The vendor's null stands for the whole amount, as a field that is left out does.
    assert written == {key: value for key, value in example(name).items() if value is not None}
