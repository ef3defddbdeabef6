"""Requests are checked when they are built, with a message that names the field."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest

from plexypay_async import (
    CancelPaymentLink,
    ConfigurationError,
    CreatePaymentLink,
    ListPaymentLinks,
    Outcome,
    Recurring,
    RecurringType,
    RetrievePaymentLink,
    UpdatePaymentLinkExpiration,
)
from plexypay_async.pay.links import PaymentLinkStatus
from plexypay_async.pay.transactions import TransactionStatus

Build = Callable[..., Any]


def create(**fields: Any) -> CreatePaymentLink:
    given: dict[str, Any] = {"amount": 100, "currency": "KZT", **fields}
    return CreatePaymentLink(**given)


def update(**fields: Any) -> UpdatePaymentLinkExpiration:
    given: dict[str, Any] = {"external_id": "pl_1", **fields}
    return UpdatePaymentLinkExpiration(**given)


class Amount(enum.IntEnum):
    TEN = 10


NAIVE = datetime(2099, 1, 1)
LOOPED: dict[str, Any] = {}
LOOPED["self"] = LOOPED


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -1, 100.0, 0.5, Decimal(100), "100", Amount.TEN, 2**63, 10**30, [100]],
    ids=repr,
)
def test_an_amount_is_a_positive_int(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^amount: ") as caught:
        create(amount=value)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("value", [1, 2_200_000, 2**63 - 1])
def test_amounts(value: int) -> None:
    assert create(amount=value).amount == value


def test_the_message_about_a_float_says_the_unit() -> None:
    with pytest.raises(ConfigurationError, match=r"int of minor units .* got float 19.99"):
        create(amount=19.99)


@pytest.mark.parametrize(
    "value",
    [None, 398, "", "KZ", "KZTT", "K T", "K2T", "ТГН", "KZT\n", " KZT", b"KZT", "ßA", "ﬁa", "Uſd"],
    ids=ascii,
)
def test_a_currency_is_three_ascii_letters(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^currency: expected three letters"):
        create(currency=value)


@pytest.mark.parametrize(("value", "kept"), [("kzt", "KZT"), ("Usd", "USD"), ("EUR", "EUR"), ("XTS", "XTS")])
def test_currencies(value: str, kept: str) -> None:
    assert create(currency=value).currency == kept


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (create, "expires_at"),
        (update, "expires_at"),
        (ListPaymentLinks, "created_from"),
        (ListPaymentLinks, "created_to"),
    ],
)
def test_a_time_is_aware(build: Build, field: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{field}: 2099-01-01T00:00:00 has no time zone"):
        build(**{field: NAIVE})
    for value in ("2099-01-01T00:00:00Z", 4070908800, date(2099, 1, 1), timedelta(days=1)):
        with pytest.raises(ConfigurationError, match=rf"^{field}: expected a datetime"):
            build(**{field: value})
    time = NAIVE.replace(tzinfo=timezone(timedelta(hours=5)))
    assert getattr(build(**{field: time}), field) == time


def test_the_past_is_for_the_server_to_judge() -> None:
    past = datetime(2001, 1, 1, tzinfo=UTC)

    assert create(expires_at=past).expires_at == past
    assert update(expires_at=past).expires_at == past


def test_an_expiration_must_be_given() -> None:
    with pytest.raises(ConfigurationError, match=r"^expires_at: expected a datetime, got NoneType"):
        update(expires_at=None)


UNUSABLE: list[tuple[Build, str, list[Any]]] = [
    (create, "description", [5, b"x", ["x"]]),
    (create, "order_reference", [5, "", "  ", b"x"]),
    (create, "customer_id", [5, object()]),
    (create, "auto_clearing", ["true", 1, 0]),
    (create, "validation", ["false", 1.0]),
    (create, "recurring", [{"type": "cof_initial"}, "cof_initial", True]),
    (create, "metadata", ["{}", [("a", 1)], 5, {1: "a"}, {"a": {None: 1}}, {"a": [{b"x": 1}]}]),
    (create, "metadata", [{"a": float("nan")}, {"a": [float("inf")]}, LOOPED]),
    (create, "success_url", ["", 5]),
    (create, "failure_url", [" ", {}]),
    (create, "cancel_url", ["", b"https://a"]),
    (create, "callback_url", ["", True]),
    (create, "extra", ["x", [1], {1: 2}]),
    (ListPaymentLinks, "status", ["", 5]),
    (ListPaymentLinks, "size", [0, -1, "10", 1.0, True]),
    (ListPaymentLinks, "extra", ["x"]),
    (update, "extra", [5]),
    (Recurring, "type", ["", None, 5]),
    (Recurring, "frequency", [0, -30, "30", 30.0, True]),
    (Recurring, "expiry", [NAIVE, "2099-01-01"]),
    (Recurring, "parent_transaction_id", [5]),
]


@pytest.mark.parametrize(("build", "field", "values"), UNUSABLE)
def test_the_message_names_the_field(build: Build, field: str, values: list[Any]) -> None:
    given = {"expires_at": datetime(2099, 1, 1, tzinfo=UTC)} if build is update else {}
    for value in values:
        with pytest.raises(ConfigurationError, match=rf"^(recurring\.)?{field}[:\[]"):
            build(**given, **{field: value})


@pytest.mark.parametrize("build", [RetrievePaymentLink, CancelPaymentLink])
def test_extra_is_checked_on_the_smallest_request_too(build: Build) -> None:
    with pytest.raises(ConfigurationError, match=r"^extra: expected a mapping, got list"):
        build("pl_1", extra=["x"])


def test_the_place_inside_metadata_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^metadata\['cart'\]\[1\]\['price'\]: nan cannot be written"
    ):
        create(metadata={"cart": [1, {"price": float("nan")}]})


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**63) - 1,
        "\ud800",
        {1, 2},
        Ellipsis,
        b"bytes",
        Decimal("1.5"),
        NAIVE,
        date(2099, 1, 1),
        1j,
        int,
    ],
    ids=ascii,
)
@pytest.mark.parametrize("field", ["metadata", "extra"])
def test_what_json_cannot_carry_is_refused_where_it_stands(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{field}\['cart'\]\[0\]: "):
        create(**{field: {"cart": [value]}})


@pytest.mark.parametrize(
    "value", [None, True, 0, -(2**63), 2**64 - 1, 0.5, "Ы", RecurringType.COF_INITIAL, [], (1,)]
)
def test_what_json_can_carry(value: Any) -> None:
    assert create(metadata={"cart": [value]}).metadata == {"cart": [value]}


@pytest.mark.parametrize(
    ("shorthand", "key"),
    [
        ("success_url", "successUrl"),
        ("failure_url", "failureUrl"),
        ("cancel_url", "cancelUrl"),
        ("callback_url", "callbackUrl"),
    ],
)
def test_a_url_is_given_once(shorthand: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{shorthand}: metadata has '{key}' too"):
        create(**{shorthand: "https://a", "metadata": {key: "https://a"}})


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(ConfigurationError) as caught:
        create(description=list(range(10_000)))

    assert len(str(caught.value)) < 120


def test_requests_are_frozen_and_take_keywords_alone() -> None:
    request = create()
    untyped: Any = CreatePaymentLink

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.amount = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        untyped(100, "KZT")
    with pytest.raises(TypeError):
        untyped(amount=100)


def test_requests_compare_and_copy() -> None:
    assert create(description="a") == create(description="a")
    assert create(description="a") != create(description="b")
    assert attrs.evolve(create(), amount=5) == create(amount=5)
    with pytest.raises(ConfigurationError, match=r"^amount: must be positive"):
        attrs.evolve(create(), amount=-5)


def test_a_known_recurring_type_and_any_other() -> None:
    assert Recurring().type is RecurringType.COF_INITIAL
    assert Recurring(type="ucof").type == "ucof"


def test_a_state_that_is_not_known_is_told_of_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert ListPaymentLinks(status="actve").status == "actve"
        ListPaymentLinks(status="ACTIVE")
        ListPaymentLinks(status=PaymentLinkStatus.PAID)
        ListPaymentLinks()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("plexypay", "WARNING")
    assert record.getMessage() == (
        "payment_links.list: status 'actve' is none of the known: active, paid, expired, cancelled; it is"
        " sent as it is"
    )


@pytest.mark.parametrize(
    ("value", "known"),
    [("charged", True), ("TRANSACTION_STATUS_AUTHED", True), ("THREE_D_SECURE", False), ("chargd", False)],
)
def test_which_values_of_an_enumeration_are_known(value: str, known: bool) -> None:
    assert TransactionStatus.knows(value) is known
    assert TransactionStatus.knows(TransactionStatus(value)) is known
