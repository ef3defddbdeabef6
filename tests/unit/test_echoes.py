"""What an answer names that is not what was asked for: it is then the answer to another request."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import attrs
import orjson
import pytest

from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import wire_name
from plexypay_async.api.index import every_declaration
from plexypay_async.api.operation import Operation
from plexypay_async.pay.description import PAY
from plexypay_async.pay.direct_payments import DirectPayments
from plexypay_async.pay.payment_links import PaymentLinks
from plexypay_async.pay.payments import Payments
from plexypay_async.pay.transactions import Transactions

from .sample_requests import arguments

ECHOING: list[Operation[..., Any]] = [
    declaration
    for declaration in every_declaration(PAY)
    if isinstance(declaration, Operation) and declaration.echoes
]
ECHOES = [(operation, asked) for operation in ECHOING for asked in operation.echoes]
NAMED = [(operation, asked, field) for operation, asked in ECHOES for field in operation.echoes[asked]]
NOT_COMPARED = {
    "beneficiaries.settle": {"id"},
    "beneficiaries.transfer": {"id"},
    "payments.capture": {"amount"},
    "payments.refund": {"order_reference", "id"},
    # Compared where the search goes by it, as `decisive_reference`.
    "payments.search": {"order_reference"},
}
"""What both name and is not compared, mostly since the answer's is the new record's own."""


def told(value: Any) -> str:
    return value.name if isinstance(value, Operation) else str(value)


each_echo = pytest.mark.parametrize(("operation", "asked"), ECHOES, ids=told)
each_named = pytest.mark.parametrize(("operation", "asked", "field"), NAMED, ids=told)


def request_of(operation: Operation[..., Any]) -> Any:
    """Return a request that asks for all that its answer may name."""
    request_class: Any = operation.request
    if operation is DirectPayments.create:
        return SimpleNamespace(order_reference="order_reference-1")
    if operation is Payments.search:
        return SimpleNamespace(transaction_id="id-1", decisive_reference="order_reference-1")
    made = request_class(**arguments(request_class, operation.echoes))
    assert all(getattr(made, asked) is not None for asked in operation.echoes)
    return made


def answer_of(operation: Operation[..., Any], **named: Any) -> Any:
    """Return an answer that names these values, and nothing else that is compared."""
    model: Any = operation.answer.model
    values = {field: None for fields in operation.echoes.values() for field in fields} | named
    if operation is Transactions.history:
        return model(raw={"transactionId": values["transaction_id"]})
    return attrs.evolve(model(**arguments(model)), **values)


def another(value: Any) -> Any:
    return value + ("-other" if isinstance(value, str) else 1)


def test_all_that_both_name_is_compared() -> None:
    assert {(operation.name, asked) for operation, asked in ECHOES} >= {
        ("payment_links.create", "order_reference"),
        ("payment_links.create", "amount"),
        ("payment_links.create", "currency"),
        ("payment_links.retrieve", "external_id"),
        ("payment_links.update_expiration", "external_id"),
        ("payment_links.cancel", "external_id"),
        ("direct_payments.create", "order_reference"),
        ("direct_payments.continue_3ds", "id"),
        ("payments.capture", "id"),
        ("payments.cancel", "id"),
        ("payments.refund", "id"),
        ("transactions.history", "id"),
        ("wallet.capture", "wallet_transaction_id"),
        ("wallet.cancel", "wallet_transaction_id"),
        ("wallet.retrieve", "wallet_transaction_id"),
    }
    for operation in every_declaration(PAY):
        if isinstance(operation, Operation):
            kinds: list[Any] = [operation.request, operation.answer.model]
            asked, answered = ({field.name for field in attrs.fields(kind)} for kind in kinds)
            both = {"id", "order_reference", "amount", "currency"} & asked & answered
            assert both - set(operation.echoes) <= NOT_COMPARED.get(operation.name, set()), operation.name


@each_named
def test_what_is_compared_is_read_from_the_answer(
    operation: Operation[..., Any], asked: str, field: str
) -> None:
    known = {one.name: one for one in attrs.fields(operation.answer.model)}
    wanted = getattr(request_of(operation), asked)
    document = {
        "id": "i-1",
        "success": True,
        "status": "active",
        "walletTransactionStatus": "NEW",
        "walletTransactionId": "w-1",
        "amount": 1500,
        "currency": "KZT",
        "url": "https://pay.example/1",
        "data": [],
        (wire_name(known[field]) if field in known else "transactionId"): wanted,
    }
    body = orjson.dumps(document, default=float)
    read = OperationCodec(operation).decode(WireResponse(200, body))

    assert getattr(read, field) == wanted


@each_named
def test_an_answer_that_names_what_was_asked_fits(
    operation: Operation[..., Any], asked: str, field: str
) -> None:
    request = request_of(operation)

    assert operation.misfit(request, answer_of(operation, **{field: getattr(request, asked)})) is None


@pytest.mark.parametrize("operation", ECHOING, ids=told)
def test_an_answer_that_names_all_that_was_asked_is_told_at_once(operation: Operation[..., Any]) -> None:
    request = request_of(operation)
    named = {fields[0]: getattr(request, asked) for asked, fields in operation.echoes.items()}
    answer = answer_of(operation, **named)

    assert operation.misfit(request, answer) is None
    # The two calls of C with which a call asks first say the same.
    assert operation.asked(request) == operation.named(answer)


@pytest.mark.parametrize("operation", ECHOING, ids=told)
def test_an_answer_that_names_nothing_fits(operation: Operation[..., Any]) -> None:
    assert operation.misfit(request_of(operation), answer_of(operation)) is None


@each_named
def test_an_answer_that_names_another_is_told(operation: Operation[..., Any], asked: str, field: str) -> None:
    request = request_of(operation)
    wanted = getattr(request, asked)
    other = another(wanted)
    answer = answer_of(operation, **{field: other})

    first = operation.echoes[asked][0]
    assert operation.misfit(request, answer) == f"{first} {other!r} instead of {wanted!r}"
    assert operation.asked(request) != operation.named(answer)


@each_echo
def test_one_that_differs_is_enough(operation: Operation[..., Any], asked: str) -> None:
    request = request_of(operation)
    named = {fields[0]: getattr(request, one) for one, fields in operation.echoes.items()}
    first = operation.echoes[asked][0]
    answer = answer_of(operation, **{**named, first: another(named[first])})

    misfit = operation.misfit(request, answer)
    assert misfit is not None
    assert misfit.startswith(f"{first} ")
    assert operation.asked(request) != operation.named(answer)


@each_echo
def test_what_was_not_asked_for_may_be_anything(operation: Operation[..., Any], asked: str) -> None:
    request = request_of(operation)
    named = {one: getattr(request, one) for one in operation.echoes}
    unasked = SimpleNamespace(**{**named, asked: None})
    others = {field: another(named[asked]) for field in operation.echoes[asked]}

    assert operation.misfit(unasked, answer_of(operation, **others)) is None


@each_echo
def test_letters_count_but_in_a_currency(operation: Operation[..., Any], asked: str) -> None:
    request = request_of(operation)
    wanted = getattr(request, asked)
    if not isinstance(wanted, str):
        return
    first = operation.echoes[asked][0]
    misfit = operation.misfit(request, answer_of(operation, **{first: wanted.swapcase()}))

    assert (misfit is None) is (asked == "currency")


def test_an_amount_is_compared_by_its_value() -> None:
    for asked, answered, fits in (
        (Decimal("15.50"), Decimal("15.5"), True),
        (1500, Decimal("1500.00"), True),
        (Decimal("15.50"), Decimal("15.51"), False),
        (Decimal(1500), Decimal(15), False),
    ):
        request = SimpleNamespace(id="t-1", amount=asked)
        misfit = Payments.refund.misfit(request, answer_of(Payments.refund, amount=answered))
        assert (misfit is None) is fits


def test_a_transaction_is_known_by_either_of_its_ids() -> None:
    request = SimpleNamespace(id="p-1")
    for named, fits in (
        ({"id": "t-1", "payment_id": "p-1"}, True),
        ({"id": "p-1", "payment_id": "t-1"}, True),
        ({"id": "t-1", "payment_id": None}, False),
        ({"id": "t-1", "payment_id": "p-2"}, False),
    ):
        misfit = Transactions.retrieve.misfit(request, answer_of(Transactions.retrieve, **named))
        assert (misfit is None) is fits, named


def test_a_link_found_by_its_reference_is_compared_by_that() -> None:
    operation = PaymentLinks.retrieve_by_order_reference
    request = SimpleNamespace(order_reference="ORD-1")

    assert operation.misfit(request, answer_of(operation, order_reference="ORD-1")) is None
    told_of = operation.misfit(request, answer_of(operation, order_reference="ORD-2"))
    assert told_of == "order_reference 'ORD-2' instead of 'ORD-1'"
