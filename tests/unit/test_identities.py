"""References of orders and ids of customers: what is refused, and brought into one form, at every door."""

from __future__ import annotations

import pickle
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import (
    AuthorizeWalletPayment,
    ConfigurationError,
    CreatePaymentLink,
    CreatePayout,
    CreateSettlementOrder,
    CreateSplitRequest,
    ListCustomerTransactions,
    OrderDetails,
    RefundPayment,
    RetrieveCustomer,
    RetrieveCustomerCardTokens,
    RetrievePaymentLinkByOrderReference,
    RetrieveTransactionByOrderReference,
    SearchPayments,
    WaitForTransaction,
)
from plexypay_async.api.identities import StoredIdentity, folded_identity, identity_of

SPELLINGS = {
    "INV\u200b-1": "has U+200B ZERO WIDTH SPACE at character 4; remove it",
    "\ufeffINV-1": "has U+FEFF ZERO WIDTH NO-BREAK SPACE at character 1; remove it",
    "INV\u00ad-1": "has U+00AD SOFT HYPHEN at character 4; remove it",
    "\u200eINV-1": "has U+200E LEFT-TO-RIGHT MARK at character 1; remove it",
    "INV-1\u202c": "has U+202C POP DIRECTIONAL FORMATTING at character 6; remove it",
    "INV-1\0": "has U+0000 NULL at character 6; remove it",
    "INV-1\n": "has U+000A LINE FEED at character 6; remove it",
    "INV\t1": "has U+0009 TAB at character 4; remove it",
    "INV\u0085": "has U+0085 (a control character) at character 4; remove it",
    "INV\u2028-1": "has U+2028 LINE SEPARATOR at character 4; remove it",
    "INV\u2029-1": "has U+2029 PARAGRAPH SEPARATOR at character 4; remove it",
    "INV\ud800-1": "has U+D800 (half of a surrogate pair) at character 4; remove it",
    "INV\ufdd0-1": "has U+FDD0 (not a character) at character 4; remove it",
    "INV\uffff-1": "has U+FFFF (not a character) at character 4; remove it",
    "INV\U0001fffe": "has U+1FFFE (not a character) at character 4; remove it",
    "INV\u3164-1": "has U+3164 HANGUL FILLER at character 4; remove it",
    "INV\u00a01": "has U+00A0 NO-BREAK SPACE at character 4; write a common space",
    " INV-1": "has U+0020 SPACE at character 1, its beginning; remove it",
    "INV-1 ": "has U+0020 SPACE at character 6, its end; remove it",
    "  ": "must not be empty",
    "": "must not be empty",
}


@pytest.mark.parametrize("text", SPELLINGS, ids=ascii)
def test_what_is_not_seen_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        identity_of("order_reference", text)
    assert str(caught.value) == f"order_reference: {SPELLINGS[text]}"


@pytest.mark.parametrize(
    "text", ["INV-1", "a", "№ 15/а", "Ұлт «3»", "请求", "INV 1", "😀", "'INV", '="1"', "\U000e0fff"]
)
def test_what_is_seen_is_taken(text: str) -> None:
    assert identity_of("x", text) == text


def test_one_reference_has_one_form() -> None:
    composed, decomposed = "Зака́з-й", unicodedata.normalize("NFD", "Зака́з-й")
    assert composed != decomposed
    assert CreatePaymentLink(amount=1, currency="KZT", order_reference=decomposed) == CreatePaymentLink(
        amount=1, currency="KZT", order_reference=unicodedata.normalize("NFC", composed)
    )


DOORS: dict[str, Callable[[str], Any]] = {
    "order_reference": lambda text: CreatePaymentLink(amount=1, currency="KZT", order_reference=text),
    "customer_id": lambda text: CreatePaymentLink(amount=1, currency="KZT", customer_id=text),
    "extra['orderReference']": lambda text: CreatePayout(extra={"orderReference": text}),
    "order_reference of a look-up": RetrievePaymentLinkByOrderReference,
    "order_reference of a transaction": RetrieveTransactionByOrderReference,
    "order_reference of a wait": lambda text: WaitForTransaction(order_reference=text),
    "order_reference of a search": lambda text: SearchPayments(order_reference=text),
    "order_reference of a refund": lambda text: RefundPayment("1", order_reference=text),
    "order_reference of a wallet": lambda text: AuthorizeWalletPayment(amount=1, order_reference=text),
    "order_details.order_reference": lambda text: OrderDetails(
        amount=1, currency="KZT", order_reference=text
    ),
    "request_id": lambda text: CreateSettlementOrder(amount=Decimal(1), currency="KZT", request_id=text),
    "id of a customer": RetrieveCustomer,
    "id of a customer with cards": RetrieveCustomerCardTokens,
    "id of a customer with transactions": ListCustomerTransactions,
    "extra['customerId'] of a split request": lambda text: CreateSplitRequest(extra={"customerId": text}),
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_it(door: str) -> None:
    make = DOORS[door]
    make("INV-1")
    make("Чек № 1")
    with pytest.raises(ConfigurationError) as caught:
        make("INV\u200b-1")
    name = door.partition(" ")[0]
    assert str(caught.value) == f"{name}: has U+200B ZERO WIDTH SPACE at character 4; remove it"


@pytest.mark.parametrize("door", [door for door in DOORS if not door.startswith("extra")])
def test_every_door_brings_it_into_one_form(door: str) -> None:
    made = DOORS[door]("Зака\u0438\u0306")
    name = door.partition(" ")[0].rpartition(".")[2]
    assert getattr(made, name) == "Зака\u0439"


def test_extra_is_sent_as_it_is_and_so_must_have_that_form() -> None:
    with pytest.raises(ConfigurationError, match="not in Unicode's form NFC"):
        CreatePayout(extra={"orderReference": "Зака\u0438\u0306"})


def test_what_the_server_has_is_asked_for_as_it_is() -> None:
    request = RetrievePaymentLinkByOrderReference(StoredIdentity("INV\u200b-1 "))
    assert request.order_reference == "INV\u200b-1 "
    assert pickle.loads(pickle.dumps(request)) == request


@pytest.mark.parametrize("text", [text for text in SPELLINGS if text.strip()], ids=ascii)
def test_another_spelling_is_known_as_the_same(text: str) -> None:
    assert identity_of("x", folded_identity(text)) == folded_identity(text)
