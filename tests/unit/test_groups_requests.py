"""What the calls of each group send: method, target, body and headers, and which requests are refused."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest

from plexypay_async import (
    AuthorizeWalletPayment,
    Beneficiaries,
    ChargeRecurringPayment,
    ConfigurationError,
    CreateBeneficiary,
    CreateCustomer,
    CreatePayout,
    CreateSettlementOrder,
    CreateSplitRequest,
    Customers,
    ListBeneficiaries,
    ListCustomers,
    ListCustomerTransactions,
    ListPayouts,
    ListSettlementOrders,
    ListSplitRequests,
    ListWalletTransactions,
    MerchantAccount,
    Outcome,
    Payouts,
    RecurringPayments,
    RetrieveCustomer,
    SettlementOrders,
    SplitRequests,
    Wallet,
)
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireRequest
from plexypay_async.api.fields import BodyInExtra
from plexypay_async.api.index import every_declaration
from plexypay_async.api.operation import Declaration, Listing, Operation
from plexypay_async.gate import CreateOrder
from plexypay_async.pay.description import PAY

ID = "a/б {id}"
QUOTED = "a%2F%D0%B1%20%7Bid%7D"
FIELDS = {"name": "Ы", "nested": {"amount": 1.5, "list": [None, True]}}
ORDERS = "/v1/merchants/settlement-payment-orders"
BENEFICIARIES = "/v1/merchants/beneficiaries"


def encoded(operation: Any, *arguments: Any, **options: Any) -> WireRequest:
    wire: WireRequest = OperationCodec(operation).encode(operation.request(*arguments, **options))
    return wire


def parts(wire: WireRequest) -> tuple[Any, ...]:
    return wire.method, wire.target, wire.body, wire.headers


def body_of(wire: WireRequest) -> Any:
    assert wire.body is not None
    return json.loads(wire.body)


# ------------------------------------------------------------------------------- bodies known in part or not


@pytest.mark.parametrize(
    ("operation", "arguments", "method", "target"),
    [
        (SplitRequests.create, (), "POST", "/v1/split-requests"),
        (SplitRequests.update, (ID,), "PUT", f"/v1/split-requests/{QUOTED}"),
        (Payouts.create, (), "POST", "/v1/payouts"),
        (Payouts.save_card, (), "POST", "/v1/payouts/cards"),
        (Customers.create, (), "POST", "/v1/customers"),
        (Beneficiaries.create, (), "POST", BENEFICIARIES),
        (Beneficiaries.update, (ID,), "PUT", f"{BENEFICIARIES}/{QUOTED}"),
        (Beneficiaries.transfer, (ID,), "POST", f"{BENEFICIARIES}/{QUOTED}/transfer"),
        (Beneficiaries.settle, (ID,), "POST", f"{BENEFICIARIES}/{QUOTED}/settlements"),
        (Wallet.capture, (ID,), "POST", f"/v1/wallet/{QUOTED}/capture"),
        (Wallet.refund, (ID,), "POST", f"/v1/wallet/{QUOTED}/refund"),
        (Wallet.cancel, (ID,), "POST", f"/v1/wallet/{QUOTED}/cancel"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_body_of_unknown_fields(operation: Any, arguments: Any, method: str, target: str) -> None:
    with_fields = encoded(operation, *arguments, extra={**FIELDS, "id": "in the body"})

    assert (with_fields.method, with_fields.target) == (method, target)
    assert body_of(with_fields) == {**FIELDS, "id": "in the body"}
    if issubclass(operation.request, BodyInExtra):
        nothings: tuple[dict[str, Any] | None, ...] = (None, {})
        for nothing in nothings:
            with pytest.raises(ConfigurationError, match=r"^extra: must not be empty"):
                encoded(operation, *arguments, extra=nothing)
        return
    without = encoded(operation, *arguments)
    assert (without.method, without.target, without.body) == (method, target, None)


@pytest.mark.parametrize(
    ("operation", "arguments", "method", "target"),
    [
        (SplitRequests.retrieve, (ID,), "GET", f"/v1/split-requests/{QUOTED}"),
        (SplitRequests.delete, (ID,), "DELETE", f"/v1/split-requests/{QUOTED}"),
        (SettlementOrders.retrieve, (ID,), "GET", f"{ORDERS}/{QUOTED}"),
        (Customers.retrieve, (ID,), "GET", f"/v1/customers/{QUOTED}"),
        (Customers.card_tokens, (ID,), "GET", f"/v1/customers/{QUOTED}/card-tokens"),
        (Beneficiaries.retrieve, (ID,), "GET", f"{BENEFICIARIES}/{QUOTED}"),
        (MerchantAccount.retrieve, (), "GET", "/v1/merchants/me"),
        (Wallet.retrieve, (ID,), "GET", f"/v1/wallet/transaction/{QUOTED}"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_read(operation: Any, arguments: Any, method: str, target: str) -> None:
    assert parts(encoded(operation, *arguments)) == (method, target, None, None)
    assert encoded(operation, *arguments, extra={"full": True}).target == f"{target}?full=true"


LISTINGS = [
    (SplitRequests.list, ListSplitRequests, (), "/v1/split-requests"),
    (SettlementOrders.list, ListSettlementOrders, (), ORDERS),
    (Payouts.list, ListPayouts, (), "/v1/payouts"),
    (Customers.list, ListCustomers, (), "/v1/customers"),
    (Customers.transactions, ListCustomerTransactions, (ID,), f"/v1/customers/{QUOTED}/transactions"),
    (Beneficiaries.list, ListBeneficiaries, (), BENEFICIARIES),
    (Wallet.list, ListWalletTransactions, (), "/v1/wallet/transactions/"),
]
each_listing = pytest.mark.parametrize(
    ("listing", "request_class", "arguments", "path"),
    LISTINGS,
    ids=lambda value: getattr(value, "name", None),
)


@each_listing
def test_a_page_of_a_list(listing: Any, request_class: Any, arguments: Any, path: str) -> None:
    codec = ListingCodec(listing)

    found, values = codec.filters(request_class(*arguments, extra={"store": "s&1"}))

    wire = codec.encode(found, values, 2, 50)
    assert parts(wire) == ("GET", f"{path}?store=s%261&page=2&size=50", None, None)


@each_listing
@pytest.mark.parametrize("size", [0, -1, True, 10.0, "10"], ids=repr)
def test_a_size_is_a_positive_int(
    listing: Any, request_class: Any, arguments: Any, path: str, size: Any
) -> None:
    with pytest.raises(ConfigurationError, match=r"^size: expected a positive int"):
        request_class(*arguments, size=size)
    assert request_class(*arguments, size=7).size == 7


GROUPS = {"split_requests", "settlement_orders", "customers", "beneficiaries", "wallet"}
BY_ID = [
    declaration
    for declaration in every_declaration(PAY)
    if declaration.path_parameters and declaration.name.partition(".")[0] in GROUPS
]


@pytest.mark.parametrize("declaration", BY_ID, ids=lambda declaration: declaration.name)
@pytest.mark.parametrize("value", ["", "..", None, 5], ids=repr)
def test_what_cannot_be_part_of_a_path(declaration: Declaration[...], value: Any) -> None:
    (name,) = declaration.path_parameters

    body = {"extra": FIELDS} if issubclass(declaration.request, BodyInExtra) else {}  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        _encode(declaration, declaration.request(value, **body))


def _encode(declaration: Declaration[...], request: Any) -> None:
    if isinstance(declaration, Listing):
        ListingCodec(declaration).filters(request)
    else:
        assert isinstance(declaration, Operation)
        OperationCodec(declaration).encode(request)


def test_extra_that_json_cannot_carry() -> None:
    for request_class in (CreateCustomer, CreatePayout, CreateBeneficiary, CreateSplitRequest):
        with pytest.raises(ConfigurationError, match=r"^extra\['amount'\]: a Decimal cannot"):
            request_class(extra={"amount": Decimal("1.5")})
    with pytest.raises(ConfigurationError, match=r"^extra: expected a mapping"):
        RetrieveCustomer("c", extra=5)  # type: ignore[arg-type]


# --------------------------------------------------------------------------------- amounts of unknown unit


def charge(**fields: Any) -> ChargeRecurringPayment:
    given: dict[str, Any] = {
        "amount": 1099,
        "currency": "KZT",
        "card_token_id": "ct-1",
        "initial_transaction_id": "t-1",
        **fields,
    }
    return ChargeRecurringPayment(**given)


def order(**fields: Any) -> CreateSettlementOrder:
    given: dict[str, Any] = {"amount": 10000, "currency": "KZT", **fields}
    return CreateSettlementOrder(**given)


def wallet(**fields: Any) -> AuthorizeWalletPayment:
    given: dict[str, Any] = {"amount": 100, **fields}
    return AuthorizeWalletPayment(**given)


@pytest.mark.parametrize("build", [charge, order])
@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, Decimal(0), Decimal("-1.5"), 1099.0, "1099", Decimal("NaN"), Decimal("Infinity")],
    ids=repr,
)
def test_an_amount_is_positive_and_exact(build: Any, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^amount: ") as caught:
        build(amount=value)

    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("build", [charge, order])
def test_the_message_about_a_float_claims_no_unit(build: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^amount: expected a Decimal or an int, got float 19\.99$"):
        build(amount=19.99)


@pytest.mark.parametrize("build", [charge, order])
def test_an_amount_of_more_digits_than_a_json_number_holds(build: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"amount: .* more digits than a JSON number"):
        build(amount=Decimal("0.12345678901234567890"))


@pytest.mark.parametrize(
    ("operation", "build"), [(RecurringPayments.charge, charge), (SettlementOrders.create, order)]
)
@pytest.mark.parametrize(
    ("amount", "written"),
    [(1099, b"1099"), (Decimal("10.99"), b"10.99"), (Decimal(1099), b"1099"), (Decimal("0.10"), b"0.1")],
)
def test_an_amount_is_sent_as_it_is_given(operation: Any, build: Any, amount: Any, written: bytes) -> None:
    body = OperationCodec(operation).encode(build(amount=amount)).body

    assert body is not None
    assert b'"amount":' + written + b"," in body


@pytest.mark.parametrize("build", [charge, order, wallet])
@pytest.mark.parametrize("value", [398, "", "KZ", "ТГН"], ids=ascii)
def test_a_currency_is_three_letters(build: Any, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^currency: expected three letters"):
        build(currency=value)
    assert build(currency="kzt").currency == "KZT"


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (charge, "card_token_id"),
        (charge, "initial_transaction_id"),
        (order, "beneficiary_id"),
        (order, "request_id"),
        (wallet, "order_reference"),
        (wallet, "idempotency_key"),
    ],
)
@pytest.mark.parametrize("value", ["", " ", 5, b"x"], ids=repr)
def test_text_is_text(build: Any, name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        build(**{name: value})


@pytest.mark.parametrize("value", [0, -1, True, 1.5, Decimal(100), "100", None], ids=repr)
def test_a_wallets_amount_is_in_minor_units(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^amount: "):
        wallet(amount=value)


# ---------------------------------------------------------------------------------------- idempotency keys


def test_a_wallet_authorization() -> None:
    wire = OperationCodec(Wallet.authorize).encode(
        wallet(
            amount=2_200_000,
            order_reference="ORD-1",
            currency="kzt",
            idempotency_key="k 1",
            extra={"customerId": "c1"},
        )
    )

    assert (wire.method, wire.target) == ("POST", "/v1/wallet/authorize")
    assert wire.headers == {"Idempotency-Key": "k 1"}
    assert body_of(wire) == {
        "amount": 2_200_000,
        "orderReference": "ORD-1",
        "currency": "KZT",
        "customerId": "c1",
    }


def test_a_wallet_authorization_of_an_amount_alone() -> None:
    assert body_of(OperationCodec(Wallet.authorize).encode(wallet())) == {"amount": 100}


def test_a_settlement_order() -> None:
    wire = OperationCodec(SettlementOrders.create).encode(
        order(beneficiary_id="b-1", request_id="r-1", extra={"comment": "July"})
    )

    assert (wire.method, wire.target, wire.headers) == ("POST", ORDERS, None)
    assert body_of(wire) == {
        "amount": 10000,
        "currency": "KZT",
        "beneficiary_id": "b-1",
        "requestId": "r-1",
        "comment": "July",
    }


@pytest.mark.parametrize(("build", "name"), [(wallet, "idempotency_key"), (order, "request_id")])
def test_a_request_has_one_key_of_its_own(build: Any, name: str) -> None:
    request = build()
    key = getattr(request, name)

    assert UUID(key).version == 4
    assert str(UUID(key)) == key
    assert getattr(build(), name) != key
    for same in (attrs.evolve(request), pickle.loads(pickle.dumps(request))):
        assert getattr(same, name) == key


@pytest.mark.parametrize(
    ("build", "operation"), [(wallet, Wallet.authorize), (order, SettlementOrders.create)]
)
def test_encoding_twice_gives_the_same_key(build: Any, operation: Any) -> None:
    codec, request = OperationCodec(operation), build()

    assert parts(codec.encode(request)) == parts(codec.encode(request))


@pytest.mark.parametrize(
    "value", ["ключ", "a\nb", "a\r\nX-Other: b", " a", "a ", "\x00", "a\x7f", "é"], ids=ascii
)
def test_an_idempotency_key_is_a_headers_text(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^idempotency_key: expected printable ASCII"):
        wallet(idempotency_key=value)


@pytest.mark.parametrize("name", ["idempotency_key", "idempotencyKey", "Idempotency-Key", "IDEMPOTENCY_KEY"])
def test_an_idempotency_key_is_no_field_of_the_body(name: str) -> None:
    told = rf"^extra\['{name}'\]: idempotency_key is a field of its own"
    with pytest.raises(ConfigurationError, match=told):
        CreateOrder(product_id=101, extra={name: "order-1001"})


@pytest.mark.parametrize(
    ("build", "operation", "name"),
    [
        (charge, RecurringPayments.charge, "cardTokenId"),
        (order, SettlementOrders.create, "requestId"),
        (wallet, Wallet.authorize, "amount"),
    ],
)
def test_extra_may_not_repeat_a_field(build: Any, operation: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^extra\['{name}'\]: \w+ is a field of its own"):
        build(extra={name: "x"})
    # One that was put there since.
    request = build(extra=(extra := {"other": "x"}))
    extra[name] = "x"
    with pytest.raises(ConfigurationError, match=rf"^extra\['{name}'\]: the request has this field already"):
        OperationCodec(operation).encode(request)
