"""Amounts beyond what a number of JSON is sure to hold are exact or refused, never rounded without a word."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import ConfigurationError, CreatePaymentLink, OrderDetails, UnreadableResponseError
from plexypay_async._core.raw_request import raw_request
from plexypay_async._wire.api_errors import error_of
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse, decode_json, read_json, read_small
from plexypay_async.pay.customers import Customers
from plexypay_async.pay.description import PAY
from plexypay_async.pay.payment_links import PaymentLinks
from plexypay_async.pay.payments import Payments
from plexypay_async.pay.settlement_orders import SettlementOrders
from plexypay_async.pay.transactions import Transactions

LONG = ["1234567890123456.78", "18446744073709551617", "18446744073709551617.5", "0.12345678901234567890123"]
USUAL = ["22000", "56.41", "0.3", "56.410000000000004", "1e3", "9007199254740993", "18446744073709551615"]


def transaction(amount: str, identifier: str = "t-1") -> bytes:
    return f'{{"id": "{identifier}", "status": "charged", "amount": {amount}, "rate": 1.5}}'.encode()


@pytest.mark.parametrize("amount", [*LONG, *USUAL])
@pytest.mark.parametrize("identifier", ["t-1", "t-12345678901234567890"])
def test_an_answers_amount_of_major_units_is_read_as_it_is_written(amount: str, identifier: str) -> None:
    body = transaction(amount, identifier)
    one = OperationCodec(Transactions.retrieve).decode(WireResponse(200, body))
    page = WireResponse(200, b'{"data": [' + body + b'], "page": 1, "size": 10, "total": 1}')
    (listed,) = ListingCodec(Transactions.list).decode(page).items
    for read in (one, listed):
        assert read.amount == Decimal(amount)
        assert type(read.amount) is Decimal
        assert type(read.raw["rate"]) is float
        assert read.raw["amount"] == (Decimal(amount) if amount in LONG else read.amount) or amount in USUAL


def test_other_answers_of_amounts_are_read_exactly_too() -> None:
    refunded = OperationCodec(Payments.refund).decode(
        WireResponse(200, b'{"id": "t-1", "success": true, "remainingBalance": 1234567890123456.78}')
    )
    assert refunded.remaining_balance == Decimal("1234567890123456.78")
    order = OperationCodec(SettlementOrders.retrieve).decode(
        WireResponse(200, b'{"id": "s-1", "status": "new", "amount": 18446744073709551617}')
    )
    assert order.amount == Decimal("18446744073709551617")


@pytest.mark.parametrize("digits", [310, 4300, 5000])
def test_a_number_that_no_float_holds_costs_no_answer(digits: int) -> None:
    body = b'{"id": "t-1", "status": "charged", "amount": 5, "a": ' + b"9" * digits + b', "b": 1e400}'
    read = OperationCodec(Transactions.retrieve).decode(WireResponse(200, body))
    assert read.amount == 5
    assert read.raw["a"] == Decimal("9" * digits)
    assert read.raw["b"] == Decimal("1e400")
    (listed,) = ListingCodec(Transactions.list).decode(WireResponse(200, b'{"data": [' + body + b"]}")).items
    assert listed.raw == read.raw


@pytest.mark.parametrize(
    "body", [b'{"n": NaN}', b'{"n": "\\ud800"}', b'{"n": 1e9999999999999999999}', b"[" * 100_000]
)
def test_what_python_alone_would_read_is_no_json(body: bytes) -> None:
    with pytest.raises(UnreadableResponseError, match="not JSON"):
        OperationCodec(Transactions.retrieve).decode(WireResponse(200, body))


@pytest.mark.parametrize("number", ["1e-400", "-2.5E-0400", "123e-4000"])
def test_a_number_near_to_zero_is_not_zero_in_a_raw_answer(number: str) -> None:
    body = f'{{"n": {number}, "m": 0.5}}'.encode()
    value = read_small(body, read_json(body))
    assert value == {"n": Decimal(number), "m": 0.5}


def test_a_byte_order_mark_is_passed_over() -> None:
    body = b"\xef\xbb\xbf" + transaction("5")
    assert OperationCodec(Transactions.retrieve).decode(WireResponse(200, body)).amount == 5
    page = WireResponse(200, b"\xef\xbb\xbf" + b'{"data": [' + transaction("5") + b"]}")
    assert len(ListingCodec(Transactions.list).decode(page).items) == 1
    error = error_of(WireResponse(404, b'\xef\xbb\xbf{"code": 5, "message": "no"}'), "x", PAY.errors)
    assert (error.code, error.message) == (5, "no")


@pytest.mark.parametrize("amount", ["1e19", "9007199254740993.5", "1e400"])
def test_an_answers_amount_of_minor_units_is_refused_where_it_would_be_rounded(amount: str) -> None:
    body = f'{{"id": "pl_1", "amount": {amount}, "currency": "KZT", "status": "active", "url": "u"}}'
    with pytest.raises(UnreadableResponseError, match=r"amount: expected an integer|not JSON"):
        OperationCodec(PaymentLinks.retrieve).decode(WireResponse(200, body.encode()))


@pytest.mark.parametrize(
    "amount",
    [
        *("18446744073709551615", "9007199254740993", "100.0", '"18446744073709551617"'),
        *("18446744073709551617", "-9223372036854775809", "9007199254740993.0"),
    ],
)
def test_an_answers_amount_of_minor_units_is_read_exactly(amount: str) -> None:
    body = f'{{"id": "pl_1", "amount": {amount}, "currency": "KZT", "status": "active", "url": "u"}}'
    link = OperationCodec(PaymentLinks.retrieve).decode(WireResponse(200, body.encode()))
    assert link.amount == Decimal(amount.strip('"'))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("-9223372036854775809", -9223372036854775809),
        ("0.12345678901234567890", Decimal("0.12345678901234567890")),
        ("1234567890123456.78", Decimal("1234567890123456.78")),
        ("1.5", 1.5),
    ],
)
def test_numbers_survive_in_raw(written: str, read: Any) -> None:
    more = f'"more": {{"deep": [{written}]}}'
    link = (
        f'{{"id": "pl_1", "amount": 1, "currency": "KZT", "status": "active", "url": "u", {more}}}'.encode()
    )
    alone = OperationCodec(PaymentLinks.retrieve).decode(WireResponse(200, link))
    page = ListingCodec(PaymentLinks.list).decode(WireResponse(200, b'{"data": [' + link + b"]}"))
    customer = OperationCodec(Customers.retrieve).decode(
        WireResponse(200, f'{{"id": {{"Value": "c"}}, {more}}}'.encode())
    )
    for raw in (alone.raw, page.items[0].raw, customer.raw):
        assert raw["more"]["deep"] == [read]
        assert type(raw["more"]["deep"][0]) is type(read)
    assert decode_json(WireResponse(200, b"[" + written.encode() + b"]"), "GET /v1/x") == [read]
    assert page.digest == page.digest
    with pytest.raises(UnreadableResponseError) as caught:
        OperationCodec(PaymentLinks.retrieve).decode(WireResponse(200, link.replace(b'"KZT"', b"5")))
    assert caught.value.raw["more"]["deep"] == [read]
    assert pickle.loads(pickle.dumps(caught.value)).raw == caught.value.raw


def test_a_page_with_numbers_beyond_64_bits_and_no_ids_has_a_digest() -> None:
    read = ListingCodec(Customers.list).decode(WireResponse(200, b'{"data": [{"n": 18446744073709551617}]}'))
    assert len(read.digest) == 16


def test_what_no_amount_is_so_small_or_large_is_refused() -> None:
    with pytest.raises(UnreadableResponseError, match="amount"):
        OperationCodec(Transactions.retrieve).decode(
            WireResponse(200, transaction("1.00000000000000001e-90"))
        )


@pytest.mark.parametrize(
    "amount", [Decimal("1234567890123456.78"), Decimal(LONG[1]), int(LONG[1]), 2**53 + 1]
)
def test_a_requests_amount_of_major_units_is_refused_where_it_would_be_rounded(amount: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^order_details\.amount: "):
        OrderDetails(amount=amount, currency="KZT")


@pytest.mark.parametrize("name", ["amount", "extra", "metadata"])
def test_a_requests_number_of_more_than_64_bits_is_refused(name: str) -> None:
    number = int(LONG[1])
    fields: dict[str, Any] = {"amount": 1, name: number if name == "amount" else {"amount": number}}
    with pytest.raises(ConfigurationError, match=rf"^{name}"):
        CreatePaymentLink(currency="KZT", **fields)
    with pytest.raises(ConfigurationError, match=r"^json\['amount'\]"):
        raw_request("POST", "/v1/x", None, {"amount": number}, None)


def test_numbers_of_64_bits_go_out_as_they_are() -> None:
    body = raw_request("POST", "/v1/x", None, {"amount": 2**64 - 1, "other": 2**53 + 1}, None).body
    assert body == b'{"amount":18446744073709551615,"other":9007199254740993}'
