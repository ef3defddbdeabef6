"""Objects as plain JSON and back: every model, by names of its own and the API's, and what frameworks do."""

from __future__ import annotations

import enum
import json
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import plexypay_async
from plexypay_async import (
    BulkResult,
    ConfigurationError,
    ContinueThreeDSecure,
    CreateDirectPayment,
    CreatePaymentLink,
    DirectPayment,
    Money,
    OrderDetails,
    PaymentLink,
    Recurring,
    RefundPayment,
    Transaction,
)
from plexypay_async._privacy.secret import Secret
from plexypay_async._privacy.secret_object import SecretObject
from plexypay_async.api.fields import Model, OpenEnum, Request
from plexypay_async.api.identities import StoredIdentity
from plexypay_async.api.index import every_declaration
from plexypay_async.apis import APIS
from plexypay_async.json_form import JSONForm, _written
from tests.frames import exposures


def _subclasses(kind: type[Any]) -> set[type[Any]]:
    found = set(kind.__subclasses__())
    return found.union(*(_subclasses(each) for each in found)) if found else found


for _name in dir(plexypay_async):
    getattr(plexypay_async, _name)
for _api in APIS:
    every_declaration(_api)
MODELS = sorted(
    (each for each in _subclasses(Model) if each.__module__.startswith("plexypay_async")),
    key=lambda each: each.__qualname__,
)


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        kinds = [each for each in arguments if each is not type(None)]
        inner = _values(str) if str in kinds else st.one_of([_values(each) for each in kinds])
        return st.none() | inner if len(kinds) < len(arguments) else inner
    if origin is tuple:
        return st.lists(_values(arguments[0]), max_size=2).map(tuple)
    if origin in (dict, Mapping) or kind in (dict, Mapping):
        return st.dictionaries(st.text(max_size=4), st.text(max_size=4) | st.integers(-9, 9), max_size=2)
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        return st.sampled_from([*kind, kind("not known yet")])
    if isinstance(kind, type) and issubclass(kind, datetime):
        return st.datetimes(timezones=st.just(UTC))
    if isinstance(kind, type) and issubclass(kind, SecretObject):
        # It stays behind.
        return st.none()
    if isinstance(kind, type) and attrs.has(kind):
        return _made(kind)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(max_size=8),
        bool: st.booleans(),
        int: st.integers(0, 2**53),
        Decimal: st.decimals(
            allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9
        ),
        Any: st.none() | st.text(max_size=3) | st.integers(0, 9),
    }
    return simple[kind]


def _made(kind: type[Any]) -> st.SearchStrategy[Any]:
    fields = [field for field in attrs.fields(attrs.resolve_types(kind)) if field.name != "raw"]
    return st.builds(kind, **{field.name: _values(field.type) for field in fields})


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("wire", [False, True], ids=["own names", "the API's"])
def test_every_model_comes_back_as_it_was(kind: type[Model], wire: bool) -> None:
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(_made(kind))
    def check(model: Model) -> None:
        written = model.to_dict(wire=wire)
        for text in (json.dumps(written), orjson.dumps(written)):
            assert type(model).from_dict(json.loads(text), wire=wire) == model

    check()


def test_there_are_models_to_look_at() -> None:
    assert len(MODELS) > 25
    assert {PaymentLink, Transaction} <= set(MODELS)


LINK = PaymentLink(
    id="pl_1",
    url="https://pay.example/pl_1",
    status="active",  # type: ignore[arg-type]
    amount=2_200_000,
    currency="KZT",
    order_reference="ORD-1",
    expires_at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5))),
)


def test_names_are_the_models_own_unless_the_apis_are_asked_for() -> None:
    own = LINK.to_dict()
    assert (own["order_reference"], own["expires_at"]) == ("ORD-1", "2030-01-01T22:04:05Z")
    assert own["description"] is None
    wire = LINK.to_dict(wire=True)
    assert (wire["orderReference"], wire["amount"]) == ("ORD-1", 2_200_000)
    assert "description" not in wire
    assert "raw" not in own
    again = PaymentLink.from_dict(wire, wire=True)
    assert again == LINK
    assert again.raw == wire


def test_amounts_of_major_units_are_texts_or_numbers_by_choice() -> None:
    transaction = Transaction.from_dict(
        {"id": "t", "amount": "22000.50", "currency": "KZT", "status": "charged"}
    )
    assert transaction.amount == Decimal("22000.50")
    assert transaction.to_dict()["amount"] == "22000.50"
    assert transaction.to_dict(decimals="number")["amount"] == 22000.5
    assert (
        Transaction.from_dict({"id": "t", "amount": 22000, "currency": "KZT", "status": "charged"}).to_dict(
            decimals="number"
        )["amount"]
        == 22000
    )


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"id": "pl_1"}, r"^\w+: is missing"),
        ({**LINK.to_dict(), "amount": "much"}, r"^amount: expected an integer, got str"),
        ({**LINK.to_dict(), "expires_at": "tomorrow"}, r"^expires_at: expected a time of ISO 8601"),
        ([], "expected an object, got list"),
    ],
)
def test_what_does_not_fit_is_named(given_: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        PaymentLink.from_dict(given_)


def test_a_request_travels_as_json() -> None:
    request = CreatePaymentLink(
        amount=100,
        currency="KZT",
        order_reference="ORD-1",
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        recurring=Recurring(frequency=2),
        metadata={"till": 7},
        extra={"newField": [1]},
    )
    again = CreatePaymentLink.from_dict(json.loads(json.dumps(request.to_dict())))
    assert again == request
    with pytest.raises(ConfigurationError, match="has no amout; known are amount, "):
        CreatePaymentLink.from_dict({"amount": 1, "currency": "KZT", "amout": 1})
    with pytest.raises(ConfigurationError, match="amount: must be positive"):
        CreatePaymentLink.from_dict({"amount": -1, "currency": "KZT"})


def test_requests_have_it_all() -> None:
    requests = [each for each in _subclasses(Request) if each.__module__.startswith("plexypay_async")]
    assert len(requests) > 30
    assert all(issubclass(each, JSONForm) for each in requests)


def test_a_bulk_result_says_what_became_of_its_row() -> None:
    request = CreatePaymentLink(amount=100, currency="KZT")
    made = BulkResult(index=0, request=request, link=LINK).to_dict()
    assert (made["link"]["id"], made["error"], made["request"]["amount"]) == ("pl_1", None, 100)
    error = ConfigurationError("no such thing")
    failed = json.loads(json.dumps(BulkResult(index=1, request=request, error=error).to_dict()))
    assert failed["error"]["type"] == "ConfigurationError"
    assert (failed["error"]["message"], failed["error"]["outcome"]) == ("no such thing", "not_sent")


def test_money_travels_too() -> None:
    money = Money(2_200_000, "KZT")
    assert Money.from_dict(json.loads(json.dumps(money.to_dict()))) == money


def test_a_secret_is_not_written() -> None:
    with pytest.raises(ConfigurationError, match="a Secret has no form in JSON") as caught:
        _written({"key": Secret("secret-text")}, "text", wire=False)
    assert "secret-text" not in str(caught.value)


# ------------------------------------------------------------------------------------ what is not shown

NUMBER, CVV = "4242424242424242", "737"
BROWSER = {
    "accept_header": "*/*",
    "language": "ru",
    "color_depth": "24",
    "screen_height": "1",
    "screen_width": "1",
    "time_zone": "-300",
    "user_agent": "test",
}
PAYMENT: dict[str, Any] = {
    "transaction_type": "sale",
    "browser_details": BROWSER,
    "order_details": {"amount": "56.41", "currency": "EUR"},
}
ENCRYPTED = {f"encrypted_{name}": "AA==" for name in ("card_number", "expiry_month", "expiry_year")}


@pytest.mark.parametrize(
    "card",
    [
        {**ENCRYPTED, "encrypted_cvv": int(CVV)},
        {**ENCRYPTED, "encrypted_cvv": [CVV]},
        {**ENCRYPTED, "encrypted_card_number": NUMBER, "encrypted_cvv": CVV},
        {**ENCRYPTED, "encrypted_cvv": {"cvv": CVV}},
        {"token_id": int(CVV)},
        [{"number": NUMBER, "cvv": CVV}],
        int(CVV),
        {"number": NUMBER, "cvv": CVV, NUMBER: 1},
    ],
    ids=[
        "a number",
        "a list",
        "in plain",
        "an object",
        "a token",
        "a list of cards",
        "alone",
        "of other names",
    ],
)
def test_no_part_of_a_card_is_shown(card: Any) -> None:
    with pytest.raises(ConfigurationError, match="card") as caught:
        CreateDirectPayment.from_dict({**PAYMENT, "card_data": card})
    assert not exposures(caught.value, [NUMBER, CVV])


@pytest.mark.parametrize(
    ("kind", "given_", "told"),
    [
        (DirectPayment, {"card_mask": int(CVV)}, "^card_mask: expected a string, got int$"),
        (DirectPayment, {"three_ds": {"type": int(CVV)}}, r"^three_ds\.type: expected a string, got int$"),
        (ContinueThreeDSecure, {"cres": int(CVV), "transaction_id": "t"}, "^cres: .* got int$"),
        (PaymentLink, {**LINK.to_dict(), "amount": [CVV]}, "^amount: expected an integer, got list$"),
        (PaymentLink, {**LINK.to_dict(), "expires_at": f"{NUMBER} {CVV}"}, "^expires_at: expected a time"),
        (PaymentLink, {**LINK.to_dict(), "amount": "much"}, "^amount: .* got str 'much'$"),
    ],
)
def test_a_value_is_shown_where_the_field_is(kind: Any, given_: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        kind.from_dict(given_)
    assert caught.value.__context__ is None
    assert not exposures(caught.value, [NUMBER])


def test_an_answer_with_the_apis_names_shows_as_little() -> None:
    with pytest.raises(ConfigurationError, match=r"^cardMask: expected a string, got list$") as caught:
        DirectPayment.from_dict({"cardMask": [NUMBER], "cardholderName": "A B"}, wire=True)
    assert not exposures(caught.value, [NUMBER, "A B"])


class Refusing(dict[str, Any]):
    """A mapping that cannot be read, with something in it."""

    def get(self, key: str, default: Any = None) -> Any:
        raise KeyboardInterrupt


@pytest.mark.parametrize("kind", [CreateDirectPayment, DirectPayment])
def test_whatever_ends_the_reading_has_no_frame_with_what_was_given(kind: Any) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        kind.from_dict(Refusing(number=NUMBER))
    # The caller's own mapping has a frame of its own.
    assert not exposures(caught.value, [NUMBER])


# ---------------------------------------------------------------------------------------- what is taken


@pytest.mark.parametrize("time", ["2030-01-01T00:00:00", "2030-01-01", "20300101", datetime(2030, 1, 1)])
def test_a_time_of_a_request_has_its_zone(time: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^expires_at: expected a time of ISO 8601 with its zone"):
        CreatePaymentLink.from_dict({"amount": 1, "currency": "KZT", "expires_at": time})
    # The API writes UTC.
    read = PaymentLink.from_dict({**LINK.to_dict(), "expires_at": time})
    assert read.expires_at == datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("time", ["1711111112345", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
@pytest.mark.parametrize("kind", [CreatePaymentLink, PaymentLink])
def test_what_the_wire_reads_as_no_time_is_none(time: str, kind: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^expires_at: expected a time of ISO 8601"):
        kind.from_dict({**LINK.to_dict(), "expires_at": time} if kind is PaymentLink else _with(time))


def _with(time: str) -> dict[str, Any]:
    return {"amount": 1, "currency": "KZT", "expires_at": time}


@pytest.mark.parametrize("time", ["2017-01-01t00:00:00z", "2016-12-31T23:59:60Z"])
def test_a_time_of_an_answer_is_read_as_the_wires(time: str) -> None:
    read = PaymentLink.from_dict({**LINK.to_dict(), "expires_at": time})
    assert read.expires_at == datetime(2017, 1, 1, tzinfo=UTC)


class Reference(str, enum.Enum):  # noqa: UP042 - its `str()` is not its text
    """References of orders, as shops have them."""

    FIRST = "ORD-1"


def test_a_reference_is_its_text_whatever_its_class_makes_of_str() -> None:
    made = CreatePaymentLink.from_dict({"amount": 1, "currency": "KZT", "order_reference": Reference.FIRST})
    assert made.order_reference == "ORD-1"
    assert type(made.order_reference) is str
    request = CreatePaymentLink(
        amount=1, currency="KZT", order_reference=Reference.FIRST, metadata={Reference.FIRST: 1}
    )
    written = request.to_dict()
    assert (written["order_reference"], written["metadata"]) == ("ORD-1", {"ORD-1": 1})
    assert CreatePaymentLink.from_dict(written).order_reference == "ORD-1"


def test_a_reference_that_exists_stays_one() -> None:
    request = CreatePaymentLink(amount=1, currency="KZT", order_reference=StoredIdentity("a\u200bb"))
    again = CreatePaymentLink.from_dict(request.to_dict())
    assert again == request
    assert type(again.order_reference) is StoredIdentity


NO_AMOUNTS = [
    "1_000",
    " 5 ",
    "\u0661",
    "1e3",
    "1E+999999999",
    "NaN",
    "Infinity",
    "+5",
    "5.",
    ".5",
    "0x1",
    True,
]
NOT_HOLDABLE = [
    *(Decimal("NaN"), Decimal("Infinity"), Decimal("1E+41"), Decimal("1E+999999999"), Decimal("1E-41")),
    10**41,
]


def _transaction(amount: Any) -> Transaction:
    return Transaction.from_dict({"id": "t", "amount": amount, "currency": "KZT", "status": "charged"})


@pytest.mark.parametrize(
    "amount", [*NO_AMOUNTS, *NOT_HOLDABLE, 0.30000000000000004, float("inf"), float("nan")]
)
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^amount: expected an integer, or a text of digits"):
        _transaction(amount)
    with pytest.raises(ConfigurationError, match=r"^order_details\.amount: "):
        CreateDirectPayment.from_dict(
            {**PAYMENT, "card_data": ENCRYPTED, "order_details": {"amount": amount, "currency": "EUR"}}
        )


def test_a_float_is_read_of_answers_alone() -> None:
    assert _transaction(22000.5).amount == Decimal("22000.5")
    with pytest.raises(ConfigurationError, match=r"^amount: .* got float 22000\.5$"):
        RefundPayment.from_dict({"id": "t", "amount": 22000.5})


@pytest.mark.parametrize("amount", [Decimal("1E+999999999"), Decimal("-1E-999999"), Decimal("NaN")])
@pytest.mark.parametrize("decimals", ["text", "number"])
def test_no_amount_is_written_that_could_not_be_read(amount: Decimal, decimals: Any) -> None:
    transaction = attrs.evolve(_transaction("1"), amount=amount)
    with pytest.raises(ConfigurationError, match=r"^amount: .* is no amount that can be written"):
        transaction.to_dict(decimals=decimals)


@pytest.mark.parametrize("amount", ["0.30000000000000004", "9007199254740993", "0.1234567890123456789"])
def test_a_number_is_not_written_where_it_would_be_another_one(amount: str) -> None:
    transaction = _transaction(amount)
    with pytest.raises(ConfigurationError, match=r'^amount: .* has more digits .* \(decimals="text"\)'):
        transaction.to_dict(decimals="number")
    assert Transaction.from_dict(transaction.to_dict()) == transaction


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**41) + 1, max_value=10**41 - 1))
def test_what_is_written_is_read_as_the_same_amount(amount: Decimal) -> None:
    for decimals in ("text", "number"):
        try:
            transaction = attrs.evolve(_transaction("1"), amount=amount)
            written = json.loads(json.dumps(transaction.to_dict(decimals=decimals)))
        except ConfigurationError:
            assert decimals == "number" or abs(amount.adjusted()) > 40
        else:
            assert Transaction.from_dict(written).amount == amount


def test_an_amount_inside_another_object_is_named_by_its_place() -> None:
    details = OrderDetails(amount=Decimal("56.41"), currency="EUR")
    object.__setattr__(details, "amount", Decimal("NaN"))
    with pytest.raises(ConfigurationError, match=r"^order_details\.amount: NaN is no amount"):
        _written(details, "text", wire=False, place="order_details")
