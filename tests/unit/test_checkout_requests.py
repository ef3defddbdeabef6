"""Requests of the Checkout API: who may say what of a payment, and what is not shown of it."""

from __future__ import annotations

import json
import pickle
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import ConfigurationError, Money
from plexypay_async._wire.encoder import RequestEncoder
from plexypay_async.api.fields import Request
from plexypay_async.api.openapi import openapi_document
from plexypay_async.api.operation import Operation
from plexypay_async.checkout import (
    Address,
    BrowserInfo,
    CancelOrder,
    Channel,
    CreateOrder,
    CreatePayment,
    CreateSession,
    LineItem,
    Order,
    OrderReference,
    Orders,
    OrderState,
    Payments,
    RetrieveBalance,
    RetrieveCardDetails,
    Sessions,
    ShopperName,
    SubmitPaymentDetails,
)
from plexypay_async.checkout.description import CHECKOUT
from tests.frames import exposures

CIPHERTEXT, CLIENT_DATA, ORDER_DATA = "adyenjs_0_1_25$cipher", "eyJyaXNrIjoxfQ", "Ab02b4c0!order"
CARD = {"type": "scheme", "encryptedCardNumber": CIPHERTEXT, "encryptedSecurityCode": CIPHERTEXT}
STATE: dict[str, Any] = {
    "riskData": {"clientData": CLIENT_DATA},
    "paymentMethod": CARD,
    "storePaymentMethod": True,
    "browserInfo": {"colorDepth": 24, "unknown": None},
    "origin": "https://shop.example",
    "clientStateDataIndicator": True,
}
DETAILS = {"details": {"redirectResult": CIPHERTEXT}, "paymentData": CLIENT_DATA}
ORDER = OrderReference(psp_reference="MHCDBZCH4NF96292", order_data=ORDER_DATA)


def payment(state_data: Mapping[str, Any] = STATE, **fields: Any) -> CreatePayment:
    known: dict[str, Any] = {
        "amount": Money(2_200_000, "KZT"),
        "reference": "ORD-1",
        "return_url": "https://s",
    }
    return CreatePayment(**{**known, "state_data": state_data, **fields})


def part(state_data: Mapping[str, Any] = STATE, **fields: Any) -> CreatePayment:
    return payment(state_data, **{"amount": None, "order": ORDER, **fields})


def written(operation: Operation[..., Any], request: Request, account: str | None = "ACME") -> Any:
    given = {} if account is None else {"merchant_account": account}
    return json.loads(RequestEncoder(operation, operation.path, given).encode(request).body or b"null")


# ----------------------------------------------------------------------------- what the page has to say


def test_what_the_page_gives_is_sent_unchanged_beside_the_servers_fields() -> None:
    body = written(Payments.create, payment())

    assert body == {
        "merchantAccount": "ACME",
        "amount": {"currency": "KZT", "value": 2_200_000},
        "reference": "ORD-1",
        "returnUrl": "https://s",
        **STATE,
    }
    assert [name for name in body if name in STATE] == list(STATE)
    assert written(Payments.details, SubmitPaymentDetails(state_data=DETAILS)) == {
        "merchantAccount": "ACME",
        **DETAILS,
    }


@pytest.mark.parametrize(
    "name",
    [
        *(
            "amount",
            "Amount",
            "AMOUNT",
            "currency",
            "value",
            "reference",
            "merchantAccount",
            "merchant_account",
        ),
        *("merchantaccount", "returnUrl", "shopperReference", "shopperIP", "lineItems", "authenticationData"),
        *("recurringProcessingModel", "shopperInteraction", "channel", "countryCode", "captureDelayHours"),
        *(
            "additionalAmount",
            "splits",
            "metadata",
            "order_data",
            "Order",
            "extra",
            "stateData",
            "idempotencyKey",
        ),
        *("Idempotency-Key", "sessionData", "", "paymentmethod", "__proto__"),
    ],
)
def test_no_page_gives_what_is_the_servers_to_say(name: str) -> None:
    for given in (0, {"currency": "KZT", "value": 1}, None):
        with pytest.raises(ConfigurationError, match="no page may give this") as caught:
            payment({**STATE, name: given})
        assert repr(name) in str(caught.value)
        with pytest.raises(ConfigurationError, match="no page may give this"):
            SubmitPaymentDetails(state_data={**DETAILS, name: given})
        with pytest.raises(ConfigurationError, match="no page may give this"):
            RetrieveBalance(state_data={**STATE, name: given})


def test_what_the_server_could_say_itself_is_told_to_be_said_there() -> None:
    with pytest.raises(ConfigurationError, match="it is your server's to say: give shopper_reference there"):
        payment({**STATE, "shopperReference": "somebody-else"})
    with pytest.raises(
        ConfigurationError, match="if your server has checked it, take it out and give it in extra"
    ):
        payment({**STATE, "captureDelayHours": 0})

    assert written(Payments.create, payment(extra={"captureDelayHours": 0}))["captureDelayHours"] == 0


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"origin": "https://other.example"}, "origin"),
        (
            {
                "browser_info": BrowserInfo(
                    accept_header="*/*",
                    color_depth=24,
                    language="ru-RU",
                    screen_height=1080,
                    screen_width=1920,
                    user_agent="Mozilla/5.0",
                    time_zone_offset=-300,
                )
            },
            "browser_info",
        ),
    ],
)
def test_a_field_has_one_author(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"both your server \({name}\) and the page give it"):
        payment(**fields)

    others = {key: value for key, value in STATE.items() if key not in ("origin", "browserInfo")}
    assert written(Payments.create, payment(others, **fields))


def test_extra_takes_no_field_from_the_page() -> None:
    doubled = payment(extra={"paymentMethod": {"type": "other"}})

    with pytest.raises(ConfigurationError, match=r"'paymentMethod'.*has this field already"):
        written(Payments.create, doubled)
    for name in ("amount", "Reference", "merchant_account", "stateData", "returnUrl"):
        with pytest.raises(ConfigurationError, match="is a field of its own"):
            payment(extra={name: 1})


@pytest.mark.parametrize(
    ("state_data", "told"),
    [
        (None, "expected a mapping, got NoneType"),
        ("{}", "expected a mapping, got str"),
        ({}, "state_data\\['paymentMethod'\\]: expected an object"),
        ({"paymentMethod": None}, "expected an object"),
        ({"paymentMethod": "scheme"}, "expected an object"),
        ({"paymentMethod": [CARD]}, "expected an object"),
        ({"paymentMethod": {"amount": Decimal(1)}}, "cannot be written as JSON"),
        ({"paymentMethod": {"a": float("nan")}}, "cannot be written as JSON"),
        ({"paymentMethod": {"a": "\ud800"}}, "not valid Unicode text"),
        ({5: CARD}, "keys must be strings"),
    ],
)
def test_what_is_no_object_of_the_sdk_is_refused(state_data: Any, told: str) -> None:
    for make in (payment, lambda data: RetrieveBalance(state_data=data)):
        with pytest.raises(ConfigurationError, match=told):
            make(state_data)


def test_details_without_details_are_refused() -> None:
    for wrong in ({}, {"details": None}, {"details": "x"}, {"paymentData": CLIENT_DATA}):
        with pytest.raises(ConfigurationError, match="state_data\\['details'\\]: expected an object"):
            SubmitPaymentDetails(state_data=wrong)


# ------------------------------------------------------------------------ an order that is paid in parts


def test_a_part_of_an_order_has_no_amount_of_its_own() -> None:
    body = written(Payments.create, part())

    assert "amount" not in body
    assert body["order"] == {"pspReference": "MHCDBZCH4NF96292", "orderData": ORDER_DATA}
    with pytest.raises(ConfigurationError, match="amount: an order has its own"):
        payment(order=ORDER)
    with pytest.raises(ConfigurationError, match="amount: missing"):
        payment(amount=None)


@pytest.mark.parametrize(
    "given",
    [
        {"pspReference": "ANOTHER", "orderData": ORDER_DATA},
        {"orderData": ORDER_DATA},
        {"pspReference": ["MHCDBZCH4NF96292"]},
        None,
        "MHCDBZCH4NF96292",
    ],
)
def test_no_page_pays_by_another_order_than_the_servers(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not the order that your server has given"):
        part({**STATE, "order": given})
    with pytest.raises(ConfigurationError, match="give the Order that your server keeps"):
        payment({**STATE, "order": given})


def test_the_servers_data_of_an_order_is_sent_whatever_the_page_says() -> None:
    state = {**STATE, "order": {"pspReference": "MHCDBZCH4NF96292", "orderData": "of a cheaper one"}}
    request = part(state)

    assert written(Payments.create, request)["order"]["orderData"] == ORDER_DATA
    assert state["order"]["orderData"] == "of a cheaper one", "the page's object is left as it is"


def test_an_order_is_given_as_it_was_answered() -> None:
    order = Order(psp_reference="MHCDBZCH4NF96292", order_data=ORDER_DATA)
    state = OrderState(psp_reference="MHCDBZCH4NF96292", order_data=ORDER_DATA)

    for given in (order, state, ORDER):
        assert part(order=given).order == ORDER
        assert written(Orders.cancel, CancelOrder(order=given))["order"]["pspReference"] == "MHCDBZCH4NF96292"
    with pytest.raises(ConfigurationError, match="this one has no psp_reference and order_data"):
        part(order=OrderState(psp_reference="MHCDBZCH4NF96292"))
    nothing: Any = None
    with pytest.raises(ConfigurationError, match="order: missing"):
        CancelOrder(order=nothing)
    with pytest.raises(ConfigurationError, match="expected OrderReference, got str"):
        part(order="MHCDBZCH4NF96292")


# ------------------------------------------------------------------------------------------- other fields


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (2_200_000, "expected Money, such as Money.major"),
        (Decimal(22000), "expected Money"),
        ({"currency": "KZT", "value": 1}, "expected Money"),
        (22000.5, "expected Money"),
    ],
)
def test_an_amount_is_money(amount: Any, told: str) -> None:
    for make in (payment, session, lambda **fields: CreateOrder(reference="r", **fields)):
        with pytest.raises(ConfigurationError, match=told):
            make(amount=amount)


def session(**fields: Any) -> CreateSession:
    known: dict[str, Any] = {"amount": Money(1, "KZT"), "reference": "ORD-1", "return_url": "https://s"}
    return CreateSession(**{**known, **fields})


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: session(reference=""), "reference: must not be empty"),
        (lambda: session(reference="ORD-1\u200b"), "reference: has U\\+200B"),
        (lambda: session(return_url=" "), "return_url: must not be empty"),
        (lambda: session(idempotency_key="k" * 256), "has 256 characters; the API takes 255"),
        (lambda: session(idempotency_key=" k"), "printable ASCII"),
        (lambda: session(idempotency_key="к"), "printable ASCII"),
        (lambda: session(shopper_name="Aigerim"), "shopper_name: expected ShopperName, got str"),
        (lambda: session(billing_address={"city": "Almaty"}), "expected Address, got dict"),
        (lambda: session(line_items=LineItem()), "expected a list of LineItem, got LineItem"),
        (lambda: session(line_items=[{"id": "1"}]), "line_items\\[0\\]: expected LineItem, got dict"),
        (lambda: session(blocked_payment_methods="scheme"), "expected a list of texts, got str"),
        (lambda: session(channel=5), "channel: expected a string"),
        (lambda: session(date_of_birth="04.09.1996"), "date_of_birth: expected a date"),
        (lambda: session(date_of_birth=datetime(1996, 9, 4)), "date_of_birth: expected a date"),
        (lambda: LineItem(amount_excluding_tax=3.31), "amount_excluding_tax: expected an int, got float"),  # type: ignore[arg-type]
        (lambda: LineItem(quantity=True), "quantity: expected an int, got bool"),
        (lambda: RetrieveCardDetails(encrypted_card_number="4111 1111 1111 1111"), "is a number in plain"),
        (lambda: RetrieveCardDetails(encrypted_card_number=""), "expected the text that the browser's SDK"),
    ],
)
def test_an_unusable_value_is_refused(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        make()
    assert "4111" not in str(caught.value)
    assert "1996" not in str(caught.value)


def test_values_are_written_as_the_api_takes_them() -> None:
    body = written(
        Sessions.create,
        session(
            date_of_birth=date(1996, 9, 4),
            channel=Channel.WEB,
            shopper_name=ShopperName(first_name="Aigerim"),
            blocked_payment_methods=["ancv"],
            merchant_account="OTHER",
        ),
    )

    assert body["dateOfBirth"] == "1996-09-04"
    assert body["channel"] == "Web"
    assert body["shopperName"] == {"firstName": "Aigerim"}
    assert body["blockedPaymentMethods"] == ["ancv"]
    assert body["merchantAccount"] == "OTHER"
    assert "idempotencyKey" not in body
    assert written(Payments.create, payment(shopper_ip="192.0.2.1"))["shopperIP"] == "192.0.2.1"
    with pytest.raises(ConfigurationError, match="merchant_account: missing"):
        written(Sessions.create, session(), account=None)


def test_each_request_has_a_key_of_its_own_unless_given() -> None:
    made = {payment().idempotency_key, payment().idempotency_key, session().idempotency_key}

    assert len(made) == 3
    assert {uuid.UUID(key).version for key in made} == {4}
    assert payment(idempotency_key="k" * 255).idempotency_key == "k" * 255


@pytest.mark.parametrize(
    "request_",
    [
        payment(
            shopper_name=ShopperName(first_name="Aigerim"),
            line_items=[LineItem(quantity=1, amount_excluding_tax=100)],
            date_of_birth="1996-09-04",
            billing_address=Address(country="KZ"),
        ),
        part(),
        session(blocked_payment_methods=["ancv"]),
        SubmitPaymentDetails(state_data=DETAILS),
        CancelOrder(order=ORDER),
        CreateOrder(amount=Money(1, "KZT"), reference="ORD-1"),
        RetrieveCardDetails(encrypted_card_number=CIPHERTEXT),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_request_is_made_again_of_its_json(request_: Request) -> None:
    plain = json.loads(json.dumps(request_.to_dict()))
    again = type(request_).from_dict(plain)

    assert again.to_dict() == request_.to_dict()


def test_a_description_of_the_api_has_what_the_page_gives_in_its_place() -> None:
    schemas = openapi_document(CHECKOUT, "https://api.plexypay.com")["components"]["schemas"]

    for name, needed in (
        ("CreatePayment", "paymentMethod"),
        ("SubmitPaymentDetails", "details"),
        ("RetrieveBalance", "paymentMethod"),
    ):
        assert "stateData" not in schemas[name]["properties"]
        assert schemas[name]["properties"][needed]["type"] == "object"
        assert needed in schemas[name]["required"]


# -------------------------------------------------------------------------------------- what is not shown

PRIVATE = (CIPHERTEXT, CLIENT_DATA, ORDER_DATA, "aigerim@example.test", "Abay", "1996", "192.0.2.7")
SHOWN: dict[str, Callable[[], Any]] = {
    "a payment": lambda: payment(
        shopper_email="aigerim@example.test",
        shopper_ip="192.0.2.7",
        date_of_birth="1996-09-04",
        billing_address=Address(city="Abay", street="Abay", country="KZ"),
    ),
    "a part": part,
    "details": lambda: SubmitPaymentDetails(state_data=DETAILS),
    "a balance": lambda: RetrieveBalance(state_data=STATE),
    "a card": lambda: RetrieveCardDetails(encrypted_card_number=CIPHERTEXT),
    "an order": lambda: CancelOrder(order=ORDER),
    "an order's answer": lambda: Order(psp_reference="p", order_data=ORDER_DATA),
    "a session": lambda: session(
        shopper_email="aigerim@example.test", shopper_name=ShopperName(first_name="Abay")
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_no_repr_shows_what_the_page_gave_or_who_pays(name: str) -> None:
    shown = repr(SHOWN[name]())

    assert [secret for secret in PRIVATE if secret in shown] == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: payment({**STATE, "amount": 1}),
        lambda: payment({**STATE, "order": {"pspReference": "x", "orderData": ORDER_DATA}}),
        lambda: payment(amount=None),
        lambda: payment(reference=None),
        lambda: part({**STATE, "order": {"pspReference": CIPHERTEXT}}),
        lambda: payment({"paymentMethod": {"encryptedCardNumber": CIPHERTEXT, "bad": object()}}),
        lambda: SubmitPaymentDetails(state_data={**DETAILS, "more": CIPHERTEXT}),
        lambda: RetrieveBalance(state_data={**STATE, "amount": CLIENT_DATA}),
        lambda: payment(shopper_email="aigerim@example.test", idempotency_key=""),
        lambda: payment(date_of_birth="1996-13-04"),
        lambda: OrderReference(psp_reference="", order_data=ORDER_DATA),
        lambda: Address(city="Abay", postal_code=1996),  # type: ignore[arg-type]
        lambda: payment(social_security_number=1996),
        lambda: session(telephone_number=1996),
        lambda: ShopperName(first_name="Abay", last_name=7),  # type: ignore[arg-type]
    ],
)
def test_no_refusal_shows_it_either(make: Callable[[], Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()

    assert exposures(caught.value, PRIVATE) == []
    assert exposures(pickle.loads(pickle.dumps(caught.value)), PRIVATE) == []
