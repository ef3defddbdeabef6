"""Direct payments: what goes out, what is refused before it does, and how answers are read."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
from multidict import CIMultiDict

from plexypay_async import ConfigurationError, Outcome, RefusedError, UnreadableResponseError
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.operation import Evidence, Operation
from plexypay_async.api.replay import Replay
from plexypay_async.cards import Card, EncryptedCard, StoredCard, encrypt_cvv
from plexypay_async.pay.direct_payments import (
    Address,
    BrowserDetails,
    ContinueThreeDSecure,
    CreateDirectPayment,
    CustomerDetails,
    DirectPayment,
    DirectPaymentKeys,
    DirectPayments,
    DirectRecurring,
    DirectRecurringType,
    OrderDetails,
    RetrieveDirectPaymentKeys,
    ScaExemption,
    ThreeDSecure,
    ThreeDSecureStatus,
    TransactionType,
)

BILLING = Address(
    first_name="John",
    last_name="Doe",
    address_line1="Abay 1",
    address_line2="",
    postal_code="050000",
    phone="+77010000000",
    country="KZ",
)
BILLED = ("first_name", "last_name", "address_line1", "address_line2", "postal_code", "phone", "country")
SEALED = EncryptedCard("bnVtYmVy", "bW9udGg", "eWVhcg", "Y3Z2", "bmFtZQ")


def browser(**fields: Any) -> BrowserDetails:
    given: dict[str, Any] = {
        "accept_header": "text/html",
        "language": "ru-RU",
        "color_depth": 24,
        "screen_height": 1080,
        "screen_width": 1920,
        "time_zone": -300,
        "user_agent": "Mozilla/5.0",
    }
    return BrowserDetails(**{**given, **fields})


def order(**fields: Any) -> OrderDetails:
    return OrderDetails(**{"amount": Decimal("56.41"), "currency": "KZT", **fields})


def create(**fields: Any) -> CreateDirectPayment:
    given: dict[str, Any] = {
        "transaction_type": TransactionType.SALE,
        "browser_details": browser(),
        "terminal_id": "87b5eee0-5fb7-4ace-9fb9-175ce38b354b",
        "order_details": order(),
        "card_data": SEALED,
        "customer_details": CustomerDetails(billing_address=BILLING),
        "three_ds_notification_url": "https://shop.example/3ds",
    }
    return CreateDirectPayment(**{**given, **fields})


def body(operation: Operation[..., Any], request: Any) -> Any:
    encoded = OperationCodec(operation).encode(request).body
    assert encoded is not None
    return json.loads(encoded, parse_float=Decimal)


def answered(document: Any, operation: Operation[..., Any] = DirectPayments.create) -> Any:
    return OperationCodec(operation).decode(WireResponse(200, json.dumps(document).encode()))


# ------------------------------------------------------------------------------------------ what goes out


def test_the_declarations() -> None:
    told = {
        operation.name: (operation.method, operation.path, operation.evidence, operation.replay)
        for operation in (DirectPayments.keys, DirectPayments.create, DirectPayments.continue_3ds)
    }

    assert told == {
        "direct_payments.keys": ("GET", "/v1/payments/direct/keys", Evidence.ASSUMED, Replay.SAFE),
        "direct_payments.create": ("POST", "/v1/payments/direct", Evidence.PUBLISHED, Replay.MONEY),
        "direct_payments.continue_3ds": ("POST", "/v1/3ds/callback", Evidence.LEGACY, Replay.MONEY),
    }


def test_a_whole_request() -> None:
    address = Address(
        first_name="Айгерим",
        last_name="Q",
        address_line1="Abay 1",
        address_line2="apt. 2",
        postal_code="050000",
        city="Almaty",
        phone="+77010000000",
        country="KZ",
    )
    request = create(
        transaction_type="auth",
        order_details=order(
            description="Обувь",
            order_reference="ORD-1",
            cart_reference="CART-1",
            items=[{"name": "shoes", "price": {"value": 1}}],
            currency="kzt",
        ),
        customer_details=CustomerDetails(email="a@b.kz", delivery_address=address, billing_address=address),
        three_ds_notification_url="https://shop.example/3ds",
        external_user_id="user-1",
        skip_three_ds=False,
        moto=True,
        recurring=DirectRecurring(recurring_type=DirectRecurringType.UCOF, parent_transaction_id="t-1"),
        sca_exemption=ScaExemption.LOW_VALUE,
        extra={"storeId": "s-1"},
    )

    wired = {
        "firstName": "Айгерим",
        "lastName": "Q",
        "addressLine1": "Abay 1",
        "addressLine2": "apt. 2",
        "postalCode": "050000",
        "city": "Almaty",
        "phone": "+77010000000",
        "country": "KZ",
    }
    assert body(DirectPayments.create, request) == {
        "terminalId": "87b5eee0-5fb7-4ace-9fb9-175ce38b354b",
        "transactionType": "auth",
        "browserDetails": {
            "acceptHeader": "text/html",
            "language": "ru-RU",
            "colorDepth": "24",
            "screenHeight": "1080",
            "screenWidth": "1920",
            "timeZone": "-300",
            "userAgent": "Mozilla/5.0",
            "javaEnabled": False,
        },
        "orderDetails": {
            "amount": Decimal("56.41"),
            "currency": "KZT",
            "description": "Обувь",
            "orderReference": "ORD-1",
            "cartReference": "CART-1",
            "items": [{"name": "shoes", "price": {"value": 1}}],
        },
        "customerDetails": {"email": "a@b.kz", "deliveryAddress": wired, "billingAddress": wired},
        "threeDSNotificationUrl": "https://shop.example/3ds",
        "paymentMethod": "card",
        "cardData": {
            "encryptedCardNumber": "bnVtYmVy",
            "encryptedExpiryMonth": "bW9udGg",
            "encryptedExpiryYear": "eWVhcg",
            "encryptedCvv": "Y3Z2",
            "encryptedCardholderName": "bmFtZQ",
        },
        "externalUserId": "user-1",
        "skipThreeDS": False,
        "moto": True,
        "recurring": {"recurringType": "ucof", "parentTransactionId": "t-1"},
        "scaExemption": "low_value",
        "storeId": "s-1",
    }


def test_what_is_not_given_is_not_sent() -> None:
    assert body(DirectPayments.create, create()).keys() == {
        "terminalId",
        "customerDetails",
        "threeDSNotificationUrl",
        "transactionType",
        "browserDetails",
        "orderDetails",
        "cardData",
        "paymentMethod",
    }
    sent = body(DirectPayments.create, create(card_data=StoredCard("tok-1")))
    assert sent["cardData"].keys() == {"tokenId"}
    assert sent["customerDetails"].keys() == {"billingAddress"}
    assert "city" not in sent["customerDetails"]["billingAddress"]


def test_a_stored_card() -> None:
    assert body(DirectPayments.create, create(card_data=StoredCard("tok-1")))["cardData"] == {
        "tokenId": "tok-1"
    }


def test_a_stored_card_whose_code_was_entered_anew() -> None:
    card = StoredCard("tok-1", encrypt_cvv("173", padding=lambda field: field[::-1]))

    sent = body(DirectPayments.create, create(card_data=card))["cardData"]
    assert sent == {"tokenId": "tok-1", "encryptedCvv": "Mzcx"}
    assert "Mzcx" not in repr(card)


def without(*missing: str) -> CustomerDetails:
    return CustomerDetails(billing_address=attrs.evolve(BILLING, **dict.fromkeys(missing)))


MISSING: list[tuple[str, Callable[[], Any], str]] = [
    ("terminal_id", lambda: create(terminal_id=None), "a UUID that the vendor tells you"),
    (
        "three_ds_notification_url",
        lambda: create(three_ds_notification_url=None),
        "sends the customer back after 3-D Secure",
    ),
    ("customer_details.billing_address", lambda: create(customer_details=None), "with first_name, last_name"),
    (
        "customer_details.billing_address",
        lambda: create(customer_details=CustomerDetails(delivery_address=BILLING)),
        "give the card holder's Address",
    ),
    *(
        (
            f"customer_details.billing_address.{name}",
            lambda name=name: create(customer_details=without(name)),
            "give the Address of the card holder with it",
        )
        for name in BILLED
    ),
    (
        "customer_details.billing_address.last_name",
        lambda: create(customer_details=without("phone", "country", "last_name")),
        r"\(as are phone, country\)",
    ),
    (
        "customer_details.billing_address.phone",
        lambda: create(customer_details=CustomerDetails(billing_address=attrs.evolve(BILLING, phone=" "))),
        "give the Address",
    ),
    (
        "card_data.encrypted_cvv",
        lambda: create(card_data=EncryptedCard("YQ", "Yg", "Yw", None, "ZQ")),
        "a card's first use requires it",
    ),
    (
        "card_data.encrypted_cardholder_name",
        lambda: create(card_data=EncryptedCard("YQ", "Yg", "Yw", "ZA")),
        "give the Card its cardholder_name",
    ),
    (
        "recurring.parent_transaction_id",
        lambda: DirectRecurring(recurring_type="ucof"),
        "made with cof_initial",
    ),
    *(
        (
            "recurring.parent_transaction_id",
            lambda kind=kind, parent=parent: DirectRecurring(
                recurring_type=kind, parent_transaction_id=parent
            ),
            "made with cof_initial",
        )
        for kind in ("UCOF", " ucof", "Ucof\n", DirectRecurringType.UCOF)
        for parent in (None, "", " ")
    ),
]


@pytest.mark.parametrize(
    ("name", "build", "told"), MISSING, ids=[f"{i}-{each[0]}" for i, each in enumerate(MISSING)]
)
def test_what_the_table_requires_is_asked_for(name: str, build: Callable[[], Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        build()

    assert str(caught.value).startswith(f"{name}: missing")
    assert caught.value.outcome is Outcome.NOT_SENT


def test_no_city_is_required() -> None:
    assert create().customer_details.billing_address.city is None  # type: ignore[union-attr]


@pytest.mark.parametrize("items", [[{"a": 1}], ({"a": 1}, {"b": None}), []], ids=repr)
def test_items_are_sent_as_they_are(items: Any) -> None:
    assert body(DirectPayments.create, create(order_details=order(items=items)))["orderDetails"][
        "items"
    ] == list(items)


@pytest.mark.parametrize(
    ("amount", "written"),
    [(Decimal("56.41"), b"56.41"), (5, b"5"), (Decimal("5.00"), b"5"), (Decimal("0.1"), b"0.1")],
    ids=str,
)
def test_the_amount_is_a_number_of_major_units(amount: Any, written: bytes) -> None:
    encoded = OperationCodec(DirectPayments.create).encode(create(order_details=order(amount=amount)))

    assert b'"amount":' + written + b"," in (encoded.body or b"")


def test_continuing_3d_secure() -> None:
    request = ContinueThreeDSecure(cres="eyJ0", transaction_id="t-1")

    assert body(DirectPayments.continue_3ds, request) == {"cres": "eyJ0", "transactionId": "t-1"}
    assert "eyJ0" not in repr(request)


def test_the_call_that_settles_an_unknown_outcome() -> None:
    def advice(operation: Operation[..., Any], request: Any) -> str:
        assert operation.settled_by is not None
        return operation.settled_by.advice(request, "it")

    named = create(order_details=order(order_reference="ORD-1"))
    assert named.order_reference == "ORD-1"
    amount = named.order_details.amount
    assert advice(DirectPayments.create, named) == (
        f"look for a payment of {amount} in payments.search(order_reference='ORD-1') and transactions.list()"
        " before it."
    )
    assert advice(DirectPayments.create, create()) == (
        f"look for a payment of {amount} in transactions.list() before it."
    )
    assert advice(DirectPayments.continue_3ds, ContinueThreeDSecure(cres="c", transaction_id="t-1")) == (
        "look for a status other than '3d' in transactions.retrieve('t-1') before it."
    )


def test_a_request_does_not_show_who_pays_with_what() -> None:
    billing = attrs.evolve(BILLING, first_name="Айгерим", phone="+7701")
    customer = CustomerDetails(email="a@b.kz", billing_address=billing)

    shown = repr(create(customer_details=customer))

    for secret in ("bnVtYmVy", "Y3Z2", "a@b.kz", "Айгерим", "+7701"):
        assert secret not in shown
    assert "country='KZ'" in shown


# ------------------------------------------------------------------------------ what is refused before it

WRONG: list[tuple[str, Callable[[], Any]]] = [
    ("transaction_type", lambda: create(transaction_type="")),
    ("browser_details", lambda: create(browser_details={"language": "ru"})),
    ("browser_details", lambda: create(browser_details=None)),
    ("browser_details.language", lambda: browser(language=None)),
    ("browser_details.accept_header", lambda: browser(accept_header="")),
    ("browser_details.user_agent", lambda: browser(user_agent=b"x")),
    ("browser_details.color_depth", lambda: browser(color_depth=24.0)),
    ("browser_details.screen_height", lambda: browser(screen_height=True)),
    ("browser_details.screen_width", lambda: browser(screen_width=None)),
    ("browser_details.time_zone", lambda: browser(time_zone="")),
    ("browser_details.java_enabled", lambda: browser(java_enabled="false")),
    ("order_details", lambda: create(order_details=None)),
    ("order_details", lambda: create(order_details={"amount": 1})),
    ("order_details.amount", lambda: order(amount=56.41)),
    ("order_details.amount", lambda: order(amount=0)),
    ("order_details.amount", lambda: order(amount=True)),
    ("order_details.amount", lambda: order(amount=Decimal("NaN"))),
    ("order_details.amount", lambda: order(amount=Decimal("0.12345678901234567890"))),
    ("order_details.currency", lambda: order(currency="TENGE")),
    ("order_details.description", lambda: order(description=1)),
    ("order_details.order_reference", lambda: order(order_reference=" ")),
    ("order_details.cart_reference", lambda: order(cart_reference=1)),
    ("order_details.items", lambda: order(items={"a": 1})),
    ("order_details.items", lambda: order(items="ab")),
    ("order_details.items[1]", lambda: order(items=[{}, 5])),
    ("order_details.items[0]['a']", lambda: order(items=[{"a": Decimal(1)}])),
    ("card_data", lambda: create(card_data=None)),
    ("card_data", lambda: create(card_data={"tokenId": "t"})),
    ("card_data", lambda: create(card_data=Card("4111111111111111", 7, 2027, "123"))),
    ("customer_details", lambda: create(customer_details={"email": "a"})),
    ("customer_details.email", lambda: CustomerDetails(email=1)),  # type: ignore[arg-type]
    ("customer_details.billing_address", lambda: CustomerDetails(billing_address={})),  # type: ignore[arg-type]
    ("address.city", lambda: Address(city=1)),  # type: ignore[arg-type]
    ("recurring", lambda: create(recurring="ucof")),
    ("recurring.recurring_type", lambda: DirectRecurring(recurring_type="")),
    ("recurring.parent_transaction_id", lambda: DirectRecurring(parent_transaction_id=1)),  # type: ignore[arg-type]
    ("three_ds_notification_url", lambda: create(three_ds_notification_url="")),
    ("external_user_id", lambda: create(external_user_id=1)),
    ("sca_exemption", lambda: create(sca_exemption="")),
    ("skip_three_ds", lambda: create(skip_three_ds="yes")),
    ("moto", lambda: create(moto=1)),
    ("payment_method", lambda: create(payment_method=None)),
    ("extra", lambda: create(extra=[])),
    ("cres", lambda: ContinueThreeDSecure(cres="", transaction_id="t")),
    ("cres", lambda: ContinueThreeDSecure(cres=1, transaction_id="t")),  # type: ignore[arg-type]
    ("transaction_id", lambda: ContinueThreeDSecure(cres="c", transaction_id="")),
]


@pytest.mark.parametrize(("name", "build"), WRONG, ids=[f"{i}-{name}" for i, (name, _) in enumerate(WRONG)])
def test_a_wrong_value_is_refused_by_its_name(name: str, build: Callable[[], Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build()

    assert str(caught.value).startswith(f"{name}: ")
    assert caught.value.outcome is Outcome.NOT_SENT
    assert "4111" not in str(caught.value)


# ------------------------------------------------------------------------------------------- the browser


class Werkzeug:
    """Headers that are no mapping, as Flask's are."""

    def items(self) -> list[tuple[str, str]]:
        return [("Accept", "*/*"), ("User-Agent", "Mozilla/5.0"), ("Accept-Language", "kk-KZ")]


SCREEN: dict[str, Any] = {"color_depth": 24, "screen_height": 1080, "screen_width": "1920", "time_zone": -300}


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*", "User-Agent": "Mozilla/5.0", "Accept-Language": "kk-KZ"},
        {"ACCEPT": "*/*", "user-agent": "Mozilla/5.0", "accept-language": "kk-KZ,ru;q=0.9"},
        CIMultiDict(
            [
                ("accept", "*/*"),
                ("Accept", "image/png"),
                ("User-agent", "Mozilla/5.0"),
                ("ACCEPT-LANGUAGE", "kk-KZ"),
            ]
        ),
        Werkzeug(),
    ],
    ids=["dict", "letter case", "aiohttp", "werkzeug"],
)
def test_a_browser_is_known_by_its_headers(headers: Any) -> None:
    assert BrowserDetails.from_headers(headers, **SCREEN) == BrowserDetails(
        accept_header="*/*",
        language="kk-KZ",
        color_depth="24",
        screen_height="1080",
        screen_width="1920",
        time_zone="-300",
        user_agent="Mozilla/5.0",
    )


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("ru-RU", "ru-RU"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru-RU"),
        ("en;q=0.5, kk ; q=0.9", "kk"),
        ("*;q=0.9, ru;q=0.1", "ru"),
        ("en;q=x, ru;q=0.1", "ru"),
        ("en;q=0, ru", "ru"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(accepted: str, language: str) -> None:
    headers = {"Accept": "*/*", "User-Agent": "x", "Accept-Language": accepted}

    assert BrowserDetails.from_headers(headers, **SCREEN).language == language
    assert BrowserDetails.from_headers(headers, language="de", **SCREEN).language == "de"


@pytest.mark.parametrize(
    ("headers", "missing"),
    [
        ({"User-Agent": "x", "Accept-Language": "ru"}, "headers: the browser's Accept is not there"),
        ({"Accept": "x", "Accept-Language": "ru"}, "headers: the browser's User-Agent is not there"),
        ({"Accept": "x", "User-Agent": " ", "Accept-Language": "ru"}, "headers: the browser's User-Agent"),
        ({"Accept": "x", "User-Agent": "x"}, "headers: the browser's Accept-Language is not there"),
        ({"Accept": "x", "User-Agent": "x", "Accept-Language": "*"}, "language: Accept-Language names none"),
        (
            {"Accept": "x", "User-Agent": "x", "Accept-Language": ";q=1"},
            "language: Accept-Language names none",
        ),
    ],
)
def test_what_the_headers_lack_is_told(headers: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{missing}"):
        BrowserDetails.from_headers(headers, **SCREEN)


def test_a_language_that_is_given_needs_no_header() -> None:
    made = BrowserDetails.from_headers(
        {"Accept": "x", "User-Agent": "y"}, language="ru", java_enabled=True, **SCREEN
    )

    assert (made.language, made.java_enabled) == ("ru", True)


# ------------------------------------------------------------------------------------------- the answers


def test_a_payment_that_is_done() -> None:
    payment = answered(
        {
            "id": "t-1",
            "amount": 56.41,
            "currency": "KZT",
            "success": True,
            "captured": False,
            "responseCode": "00",
            "authCode": "A1",
            "cvvStatus": "M",
            "networkTransactionReference": "n-1",
            "cardScheme": "visa",
            "cardExpiryDate": "07/27",
            "cardholderName": "John Doe",
            "threeDS": {"status": "Y", "type": "frictionless"},
            "more": 1,
        }
    )

    assert payment == DirectPayment(
        id="t-1",
        amount=Decimal("56.41"),
        currency="KZT",
        success=True,
        captured=False,
        response_code="00",
        auth_code="A1",
        cvv_status="M",
        network_transaction_reference="n-1",
        card_scheme="visa",
        card_expiry_date="07/27",
        cardholder_name="John Doe",
        three_ds=ThreeDSecure(status=ThreeDSecureStatus.AUTHENTICATED, type="frictionless"),
    )
    assert not payment.requires_3ds
    assert payment.raw["more"] == 1
    assert "07/27" not in repr(payment)
    assert "John Doe" not in repr(payment)


@pytest.mark.parametrize("operation", [DirectPayments.create, DirectPayments.continue_3ds], ids=repr)
@pytest.mark.parametrize("success", [True, False, None])
def test_3d_secure_is_an_answer_whatever_it_says_of_success(success: bool | None, operation: Any) -> None:
    payment = answered(
        {"id": "t-1", "success": success, "action": "3ds-required", "threeDS": {"status": "C"}}, operation
    )

    assert payment.requires_3ds
    assert payment.success is success


@pytest.mark.parametrize(
    ("fields", "required"),
    [
        ({}, False),
        ({"action": "3ds-required"}, True),
        ({"three_ds": ThreeDSecure(status=ThreeDSecureStatus("c"))}, True),
        ({"three_ds": ThreeDSecure(status=ThreeDSecureStatus("Y"))}, False),
        ({"three_ds": ThreeDSecure()}, False),
        ({"action": "redirect"}, False),
    ],
    ids=repr,
)
def test_whether_3d_secure_is_required(fields: dict[str, Any], required: bool) -> None:
    assert DirectPayment(**fields).requires_3ds is required


REDIRECTS: list[tuple[dict[str, Any], str | None]] = [
    ({"redirectUrl": "https://bank.example/a"}, "https://bank.example/a"),
    ({"redirectURL": "HTTPS://bank.example/a"}, "HTTPS://bank.example/a"),
    ({"threeDS": {"redirect_url": "https://bank.example/a"}}, "https://bank.example/a"),
    ({"redirect": {"url": "https://bank.example/a", "method": "GET"}}, "https://bank.example/a"),
    ({"action": "redirect", "threeDSRedirect": "https://bank.example/a"}, "https://bank.example/a"),
    (
        {"threeDS": {"url": "https://a", "b": {"redirectTo": "https://bank.example/a"}}},
        "https://bank.example/a",
    ),
    ({"redirectUrl": "shop://paid"}, None),
    ({"redirectUrl": None, "redirect": 1, "url": "https://shop.example"}, None),
    ({"successRedirectUrl": "https://shop.example", "redirect": {"failure": "https://shop.example"}}, None),
    ({"threeDS": {"action": "https://bank.example/a", "creq": "e"}}, None),
]


@pytest.mark.parametrize("operation", [DirectPayments.create, DirectPayments.continue_3ds], ids=repr)
@pytest.mark.parametrize(("fields", "url"), REDIRECTS, ids=repr)
def test_an_address_to_send_the_customer_to(operation: Any, fields: Any, url: str | None) -> None:
    document = {
        "id": "t-1",
        "success": True,
        **{key: each for key, each in fields.items() if key != "action"},
    }
    payment = answered(document, operation)

    assert payment.redirect_url == url
    assert payment.requires_3ds is (url is not None)
    assert url is None or url not in repr(payment)


@pytest.mark.parametrize("more", [{"responseCode": "00"}, {"authCode": "A1"}, {"threeDS": {"status": "Y"}}])
def test_a_payment_that_is_made_needs_no_redirect(more: dict[str, Any]) -> None:
    document = {"id": "t-1", "success": True, "redirectUrl": "https://shop.example/a", **more}

    assert not answered(document).requires_3ds


def test_a_decline_with_an_address_is_a_decline() -> None:
    document = {"id": "t-1", "success": False, "code": "51", "redirectUrl": "https://shop.example/a"}

    with pytest.raises(RefusedError):
        answered(document)


@pytest.mark.parametrize("operation", [DirectPayments.create, DirectPayments.continue_3ds], ids=repr)
@pytest.mark.parametrize(
    "decline",
    [{"code": "51"}, {"code": 51}, {"responseCode": "51"}, {"code": "51", "responseCode": "05"}],
    ids=repr,
)
def test_a_decline_is_raised_with_its_code_and_answer(operation: Any, decline: dict[str, Any]) -> None:
    document = {"id": "t-1", "success": False, "message": "Insufficient funds", **decline}

    with pytest.raises(RefusedError, match="refused with code 51: Insufficient funds") as caught:
        answered(document, operation)

    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.code, error.message, error.outcome) == ("51", "Insufficient funds", Outcome.REJECTED)
    # Its answer holds a card's data, which an error does not carry to another process.
    assert error.answer is None
    if not isinstance(decline.get("code"), int):
        assert isinstance(caught.value.answer, DirectPayment)
        assert caught.value.answer.id == "t-1"
        assert not caught.value.answer.requires_3ds


def test_an_unknown_3d_secure_status_equals_its_string() -> None:
    payment = answered({"id": "t-1", "success": True, "threeDS": {"status": "I"}})

    assert payment.three_ds.status == "I"
    assert not payment.requires_3ds


def test_an_answer_with_a_success_alone() -> None:
    names = ("id", "amount", "threeDS", "action", "code", "cardTokenId")

    assert answered({**dict.fromkeys(names), "success": True}) == DirectPayment(success=True)
    assert answered({"success": True}) == DirectPayment(success=True)


@pytest.mark.parametrize(
    "document", [{}, {"id": None, "success": None}, {"amount": 1.5}, {"threeDS": "C"}, [], None], ids=repr
)
def test_an_answer_that_says_nothing_of_the_payment_leaves_it_unknown(document: Any) -> None:
    with pytest.raises(
        UnreadableResponseError, match="nothing in the answer says that it was done"
    ) as caught:
        answered(document)

    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("document", [{"id": 5}, {"threeDS": "C"}, {"amount": "many"}], ids=repr)
def test_a_success_that_does_not_fit_is_done(document: dict[str, Any]) -> None:
    with pytest.raises(UnreadableResponseError, match="the answer does not fit DirectPayment") as caught:
        answered({"success": True, **document})

    assert caught.value.outcome is Outcome.DONE


@pytest.mark.parametrize(
    ("document", "raw"),
    [
        ({"publicKey": "MIIB"}, {"publicKey": "MIIB"}),
        ([{"key": "MIIB"}], {"data": [{"key": "MIIB"}]}),
        ({}, {}),
    ],
    ids=repr,
)
def test_the_keys_are_raw(document: Any, raw: Any) -> None:
    keys = answered(document, DirectPayments.keys)

    assert isinstance(keys, DirectPaymentKeys)
    assert keys.raw == raw


def test_the_keys_are_asked_for_with_a_query_of_the_callers() -> None:
    codec = OperationCodec(DirectPayments.keys)

    assert codec.encode(RetrieveDirectPaymentKeys()).target == "/v1/payments/direct/keys"
    assert codec.encode(RetrieveDirectPaymentKeys(extra={"storeId": "s"})).target.endswith("keys?storeId=s")
