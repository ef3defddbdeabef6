"""How the answers of each group are read: nulls, arrays, unknown states, refusals, and what is no answer."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import (
    Beneficiaries,
    BeneficiarySettlement,
    BeneficiaryTransfer,
    CardTokens,
    Customers,
    MerchantAccount,
    Outcome,
    Payouts,
    RecurringPayments,
    RefusedError,
    SettlementOrder,
    SettlementOrders,
    SettlementOrderStatus,
    SplitRequests,
    TransactionStatus,
    UnreadableResponseError,
    Wallet,
    WalletTransaction,
    WalletTransactionStatus,
)
from plexypay_async.codec import ListingCodec, OperationCodec
from plexypay_async.wire import WireResponse


def read(operation: Any, value: Any) -> Any:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return OperationCodec(operation).decode(WireResponse(200, body))


def items(listing: Any, value: Any) -> Any:
    return ListingCodec(listing).decode(WireResponse(200, json.dumps(value).encode())).items


# --------------------------------------------------------------------------------- answers of unknown fields

OF_UNKNOWN_FIELDS: list[Any] = [
    SplitRequests.create,
    SplitRequests.retrieve,
    SplitRequests.update,
    Payouts.create,
    Payouts.save_card,
    Customers.create,
    Customers.retrieve,
    Beneficiaries.create,
    Beneficiaries.update,
    Beneficiaries.retrieve,
    Beneficiaries.transfer,
    Beneficiaries.settle,
    MerchantAccount.retrieve,
]
each_of_unknown_fields = pytest.mark.parametrize(
    "operation", OF_UNKNOWN_FIELDS, ids=lambda operation: operation.name
)


@each_of_unknown_fields
@pytest.mark.parametrize(
    ("body", "id_"),
    [
        ({"id": "i-1", "name": "Ы", "amount": 1.5}, "i-1"),
        ({"id": None, "name": None}, None),
        ({"name": "x"}, None),
        ({"id": 17}, "17"),
        ({}, None),
    ],
)
def test_what_is_not_typed_is_in_raw(operation: Any, body: Any, id_: str | None) -> None:
    answer = read(operation, body)

    assert (answer.id, answer.raw) == (id_, body)


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OF_UNKNOWN_FIELDS if operation.method != "GET"],
    ids=lambda operation: operation.name,
)
def test_an_empty_answer_of_what_was_done_is_an_empty_model(operation: Any) -> None:
    answer = read(operation, b"")

    assert (answer.id, answer.raw) == (None, {})


@each_of_unknown_fields
@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b'"done"', b'{"id": [5]}', b'{"id"'])
def test_what_is_no_such_object_is_unreadable(operation: Any, body: bytes) -> None:
    with pytest.raises(UnreadableResponseError) as caught:
        read(operation, body)

    assert caught.value.outcome is Outcome.DONE


@pytest.mark.parametrize(
    "listing",
    [SplitRequests.list, Payouts.list, Customers.list, Beneficiaries.list],
    ids=lambda listing: listing.name,
)
def test_the_items_of_a_list(listing: Any) -> None:
    several = [{"id": "i-1", "name": "Ы"}, {"name": None}]

    for body in (several, {"data": several, "page": 1, "size": 10, "total": 2}):
        one, other = items(listing, body)
        assert (one.id, one.raw) == ("i-1", several[0])
        assert (other.id, other.raw) == (None, several[1])
    assert items(listing, {"data": None}) == items(listing, []) == ()


@pytest.mark.parametrize(("body"), [b"", b"{}", b"null", b'{"deleted": true}', b"[]"])
def test_a_deletion_may_answer_nothing(body: bytes) -> None:
    assert read(SplitRequests.delete, body) is None


def test_a_deletion_may_answer_what_was_deleted() -> None:
    deleted = read(SplitRequests.delete, {"id": "s-1", "parts": []})

    assert (deleted.id, deleted.raw) == ("s-1", {"id": "s-1", "parts": []})


@pytest.mark.parametrize(
    "body",
    [
        [{"token": "ct-1"}, {"token": None}],
        {"data": [{"token": "ct-1"}, {"token": None}], "total": 2},
    ],
)
def test_card_tokens(body: Any) -> None:
    tokens = read(Customers.card_tokens, body)

    assert [token.raw for token in tokens.data] == [{"token": "ct-1"}, {"token": None}]
    assert tokens.raw == (body if isinstance(body, dict) else {"data": body})


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, [], {"tokens": [1]}])
def test_no_card_tokens(body: Any) -> None:
    assert read(Customers.card_tokens, body) == CardTokens(data=())


@pytest.mark.parametrize("body", [{"data": {}}, {"data": "x"}, ["x"], [None], "x", 5, None])
def test_what_is_no_list_of_card_tokens(body: Any) -> None:
    with pytest.raises(UnreadableResponseError, match=r"customers\.card_tokens: the answer does not fit"):
        read(Customers.card_tokens, body)


def test_a_customers_transactions() -> None:
    listed = {"transactionId": "t-1", "amount": 320.5, "status": "TRANSACTION_STATUS_AUTHED", "rrn": None}

    for body in ([listed], {"data": [listed]}):
        (transaction,) = items(Customers.transactions, body)
        assert (transaction.id, transaction.amount) == ("t-1", Decimal("320.5"))
        assert transaction.status is TransactionStatus.AUTHORIZED


@pytest.mark.parametrize(
    ("operation", "model"),
    [(Beneficiaries.transfer, BeneficiaryTransfer), (Beneficiaries.settle, BeneficiarySettlement)],
)
def test_moves_of_a_beneficiarys_balance(operation: Any, model: Any) -> None:
    assert read(operation, {"success": True}) == model(success=True)
    assert read(operation, {"id": "m-1", "success": None}) == model(id="m-1")


# ----------------------------------------------------------------------------------- answers of known fields


@pytest.mark.parametrize("status", ["authorized", "AUTHORIZED", "TRANSACTION_STATUS_AUTHED"])
def test_a_recurring_payments_status_in_any_spelling(status: str) -> None:
    body = {"id": "t-1", "amount": "10.99", "currency": "KZT", "status": status}

    payment = read(RecurringPayments.charge, body)

    assert payment.status is TransactionStatus.AUTHORIZED
    assert payment.amount == Decimal("10.99")


def test_unknown_states() -> None:
    charged = read(
        RecurringPayments.charge, {"id": "t-1", "amount": 1, "currency": "KZT", "status": "In Review"}
    )
    order = read(SettlementOrders.create, {"id": "o-1", "status": "held"})
    wallet = read(Wallet.retrieve, {"walletTransactionId": "w-1", "walletTransactionStatus": "HELD"})

    assert (charged.status, order.status, wallet.status) == ("In Review", "held", "HELD")
    assert isinstance(charged.status, TransactionStatus)
    assert isinstance(order.status, SettlementOrderStatus)
    assert isinstance(wallet.status, WalletTransactionStatus)


@pytest.mark.parametrize("missing", ["id", "amount", "currency", "status"])
def test_a_recurring_payment_without_a_field_is_unreadable(missing: str) -> None:
    body: dict[str, Any] = {"id": "t-1", "amount": 1, "currency": "KZT", "status": "authorized"}

    for changed in ({**body, missing: None}, {name: body[name] for name in body if name != missing}):
        with pytest.raises(UnreadableResponseError) as caught:
            read(RecurringPayments.charge, changed)
        assert caught.value.outcome is Outcome.DONE


@pytest.mark.parametrize("name", ["payment_order_id", "id"])
def test_a_settlement_order_under_either_id(name: str) -> None:
    order = read(SettlementOrders.create, {name: "o-1"})

    assert order == SettlementOrder(id="o-1")
    assert order.amount is order.status is order.beneficiary_id is None


def test_a_settlement_order_of_nulls() -> None:
    body = dict.fromkeys(["amount", "currency", "status", "beneficiary_id", "merchant_id"])

    assert read(SettlementOrders.retrieve, {**body, "payment_order_id": None, "id": "o-1"}).id == "o-1"
    with pytest.raises(UnreadableResponseError):
        read(SettlementOrders.retrieve, body)


@pytest.mark.parametrize(
    "operation",
    [Wallet.authorize, Wallet.capture, Wallet.refund, Wallet.cancel, Wallet.retrieve],
    ids=lambda operation: operation.name,
)
@pytest.mark.parametrize(
    ("status", "known"),
    [("NEW", "NEW"), ("processing", "PROCESSING"), ("Success", "SUCCESS"), ("FAILED", "FAILED")],
)
def test_a_wallet_transaction(operation: Any, status: str, known: str) -> None:
    body = {
        "walletTransactionId": "w-1",
        "walletTransactionStatus": status,
        "orderReference": "ORD-1",
        "amount": 2_200_000,
        "currency": "KZT",
        "new": 1,
    }

    transaction = read(operation, body)

    assert transaction == WalletTransaction(
        id="w-1",
        status=WalletTransactionStatus(known),
        order_reference="ORD-1",
        amount=2_200_000,
        currency="KZT",
    )
    assert transaction.status is WalletTransactionStatus(known)
    assert transaction.raw == body


def test_a_page_of_wallet_transactions() -> None:
    listed = {
        "walletTransactionId": "w-1",
        "walletTransactionStatus": "NEW",
        "orderReference": None,
        "amount": None,
        "currency": None,
    }

    (transaction,) = items(Wallet.list, {"data": [listed]})

    assert transaction == WalletTransaction(id="w-1", status=WalletTransactionStatus.NEW)
    # Its path is published: an array alone is not what the API says of lists.
    with pytest.raises(UnreadableResponseError):
        items(Wallet.list, [listed])


@pytest.mark.parametrize("amount", [1.5, "x", True, {}])
def test_a_wallets_amount_that_is_no_integer_is_unreadable(amount: Any) -> None:
    with pytest.raises(UnreadableResponseError, match="amount: expected an integer"):
        read(
            Wallet.retrieve,
            {"walletTransactionId": "w", "walletTransactionStatus": "NEW", "amount": amount},
        )


# -------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "operation",
    [
        RecurringPayments.charge,
        SettlementOrders.create,
        Payouts.create,
        Beneficiaries.transfer,
        Beneficiaries.settle,
        Wallet.authorize,
        Wallet.capture,
        Wallet.refund,
        Wallet.cancel,
    ],
    ids=lambda operation: operation.name,
)
def test_a_success_that_says_false_is_a_refusal(operation: Any) -> None:
    with pytest.raises(RefusedError, match="no funds") as caught:
        read(operation, {"success": False, "message": "no funds", "code": 51})

    assert caught.value.outcome is Outcome.REJECTED
    assert caught.value.code == "51"


@pytest.mark.parametrize(
    "operation", [Customers.create, SplitRequests.create, Payouts.save_card], ids=lambda value: value.name
)
def test_where_no_money_moves_nothing_is_known_of_success(operation: Any) -> None:
    assert read(operation, {"id": "i-1", "success": False}).raw["success"] is False
