"""Amounts of major units: `Decimal` in and out, losing nothing, as JSON numbers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from plexypay_async import ConfigurationError, Outcome, UnreadableResponseError
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.index import every_declaration
from plexypay_async.pay.description import PAY
from plexypay_async.pay.payments import CapturePayment, Payments, RefundPayment
from plexypay_async.pay.transactions import Transactions

CAPTURE = OperationCodec(Payments.capture)
REFUND = OperationCodec(Payments.refund)
RETRIEVE = OperationCodec(Transactions.retrieve)


def captured(amount: Any) -> bytes | None:
    return CAPTURE.encode(CapturePayment("t", amount=amount)).body


def refunded(amount: Any) -> bytes | None:
    return REFUND.encode(RefundPayment("t", amount=amount)).body


both = pytest.mark.parametrize("written", [captured, refunded])
Written = Callable[[Any], bytes | None]


def read(number: str) -> Decimal | None:
    return RETRIEVE.decode(
        WireResponse(200, f'{{"id": "t", "status": "created", "amount": {number}}}'.encode())
    ).amount


def exactly(body: bytes | None) -> Any:
    """Return the amount of a body, read without floats."""
    assert body is not None
    return Decimal(json.loads(body, parse_float=Decimal, parse_int=Decimal)["amount"])


# -------------------------------------------------------------------------------------------------- out


@both
@pytest.mark.parametrize(
    ("amount", "body"),
    [
        (Decimal("56.41"), b'{"amount":56.41}'),
        (Decimal("0.1"), b'{"amount":0.1}'),
        (Decimal("0.10"), b'{"amount":0.1}'),
        (Decimal("15.55"), b'{"amount":15.55}'),
        (Decimal("100"), b'{"amount":100}'),
        (Decimal("100.00"), b'{"amount":100}'),
        (Decimal("1E+2"), b'{"amount":100}'),
        (Decimal("22000"), b'{"amount":22000}'),
        (Decimal("9007199254740992"), b'{"amount":9007199254740992}'),
        (Decimal("90071992547409.25"), b'{"amount":90071992547409.25}'),
        (1, b'{"amount":1}'),
        (32000, b'{"amount":32000}'),
    ],
    ids=repr,
)
def test_how_an_amount_is_written(written: Written, amount: Decimal | int, body: bytes) -> None:
    assert written(amount) == body


def test_the_whole_amount_is_asked_for_by_sending_none() -> None:
    assert captured(None) == b"{}"
    assert refunded(None) == b"{}"


@both
@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (Decimal("NaN"), "NaN is no amount"),
        (Decimal("sNaN"), "sNaN is no amount"),
        (Decimal("Infinity"), "Infinity is no amount"),
        (Decimal("-Infinity"), "-Infinity is no amount"),
        (Decimal(0), "must be positive, got 0"),
        (Decimal("-0.00"), "must be positive, got -0.00"),
        (Decimal("-56.41"), "must be positive, got -56.41"),
        (0, "must be positive, got 0"),
        (-1, "must be positive, got -1"),
        (56.41, "expected a Decimal of major units .*, got float 56.41"),
        (float("nan"), "expected a Decimal of major units .*, got float nan"),
        (True, "expected a Decimal of major units .*, got bool True"),
        ("56.41", "expected a Decimal of major units .*, got str '56.41'"),
        (b"1", "expected a Decimal of major units"),
        ([1], "expected a Decimal of major units"),
        (Decimal("12345678901234567.89"), "more digits than a JSON number carries without loss"),
        (Decimal("0.12345678901234567891"), "more digits than a JSON number carries without loss"),
        (2**53 + 1, "more digits than a JSON number carries without loss"),
        (2**64, "larger than any amount"),
        (10**5000, "larger than any amount"),
        (-(10**5000), "larger than any amount"),
        (Decimal("1E+400"), "more digits than a JSON number carries without loss"),
        (Decimal("1E-400"), "more digits than a JSON number carries without loss"),
    ],
    ids=lambda value: hex(value)[:24] if isinstance(value, int) else repr(value)[:24],
)
def test_what_is_no_amount_is_refused_when_the_request_is_built(
    written: Written, amount: Any, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^amount: .*{told}") as caught:
        written(amount)
    assert caught.value.outcome is Outcome.NOT_SENT


def scaled(digits: int, exponent: int) -> Decimal:
    return Decimal(digits).scaleb(exponent)


AMOUNTS = st.one_of(
    st.decimals(min_value=0, allow_nan=False, allow_infinity=False),
    st.decimals(min_value=0, max_value=10**15, places=2),
    st.builds(scaled, st.integers(1, 10**18), st.integers(-30, 30)),
    st.integers(1, 2**70),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.filter_too_much])
@given(amount=AMOUNTS)
@example(Decimal("1E+300"))
@example(Decimal("5E-324"))
@example(Decimal("1E+22"))
@example(Decimal("9007199254740993"))
@example(Decimal("4503599627370497.5"))
def test_an_amount_that_is_accepted_arrives_as_it_was_given(amount: Decimal | int) -> None:
    request: RefundPayment | None = None
    with contextlib.suppress(ConfigurationError):
        request = RefundPayment("t", amount=amount)
    assume(request is not None)
    assert request is not None
    if type(amount) is int and amount >= 2**64:
        with pytest.raises(ConfigurationError):
            REFUND.encode(request)
    else:
        assert exactly(REFUND.encode(request).body) == amount


@settings(max_examples=200)
@given(cents=st.integers(1, 10**15 - 1), places=st.integers(0, 6))
def test_every_amount_of_fifteen_digits_is_accepted(cents: int, places: int) -> None:
    amount = scaled(cents, -places)

    assert exactly(refunded(amount)) == amount


# --------------------------------------------------------------------------------------------------- in


@pytest.mark.parametrize(
    ("number", "amount"),
    [
        ("56.41", Decimal("56.41")),
        ('"56.41"', Decimal("56.41")),
        ("15.55", Decimal("15.55")),
        ("0.1", Decimal("0.1")),
        ("32000", Decimal(32000)),
        ('"32000"', Decimal(32000)),
        ("32000.0", Decimal(32000)),
        ("0", Decimal(0)),
        ("-15.55", Decimal("-15.55")),
        ('"-15.55"', Decimal("-15.55")),
        ("1e2", Decimal(100)),
        ("5.641e1", Decimal("56.41")),
        ("9007199254740993", Decimal(9007199254740993)),
        ("18446744073709551615", Decimal(18446744073709551615)),
        ('"12345678901234567.89"', Decimal("12345678901234567.89")),
    ],
)
def test_how_an_amount_is_read(number: str, amount: Decimal) -> None:
    found = read(number)

    assert type(found) is Decimal
    assert found == amount


@pytest.mark.parametrize(
    "number",
    [
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        '"NaN"',
        '"sNaN"',
        '"Infinity"',
        '"-inf"',
        '"1e2"',
        '""',
        '" 56.41"',
        '"56,41"',
        '"1_000"',
        '"٥٦"',
        '"56."',
        '".5"',
        '"+5"',
        "true",
        "[56.41]",
        '{"Value": 56.41}',
        '"' + "9" * 31 + '"',
    ],
)
def test_what_is_no_amount_is_unreadable(number: str) -> None:
    with pytest.raises(UnreadableResponseError) as caught:
        read(number)
    assert caught.value.outcome is Outcome.DONE


def test_an_amount_that_is_not_there_is_none() -> None:
    assert read("null") is None


@settings(max_examples=200)
@given(digits=st.integers(-(10**15) + 1, 10**15 - 1), places=st.integers(0, 6))
def test_every_amount_of_fifteen_digits_is_read_as_it_was_written(digits: int, places: int) -> None:
    amount = scaled(digits, -places)

    assert read(f"{amount:f}") == amount
    assert read(f'"{amount:f}"') == amount


# ------------------------------------------------------------------------------------------- every model


def test_no_amount_of_major_units_is_a_float() -> None:
    """An answer's float would have lost what the server wrote, before anybody sees it."""
    for declaration in every_declaration(PAY):
        models: list[Any] = [declaration.request]
        answer = getattr(declaration, "answer", None)
        models.append(declaration.item if answer is None else answer.model)  # type: ignore[attr-defined]
        for model in models:
            attrs.resolve_types(model)
            for field in attrs.fields(model):
                assert "float" not in str(field.type), f"{model.__name__}.{field.name}"
