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
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse


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
READS = [operation for operation in OF_UNKNOWN_FIELDS if operation.method == "GET"]
WRITES = [operation for operation in OF_UNKNOWN_FIELDS if operation.method != "GET"]
SAYING_SUCCESS = (Beneficiaries.transfer, Beneficiaries.settle)


def named(operation: Any) -> str:
    return str(operation.name)


each_of_unknown_fields = pytest.mark.parametrize("operation", OF_UNKNOWN_FIELDS, ids=named)
each_read = pytest.mark.parametrize("operation", READS, ids=named)
each_write = pytest.mark.parametrize("operation", WRITES, ids=named)


@each_of_unknown_fields
@pytest.mark.parametrize(
    ("body", "id_"),
    [
        ({"id": "i-1", "name": "Ы", "amount": 1.5}, "i-1"),
        ({"id": 17}, "17"),
        ({"id": "i-1", "success": None, "type": None}, "i-1"),
        ({"id": "i-1", "type": "split"}, "i-1"),
    ],
)
def test_what_is_not_typed_is_in_raw(operation: Any, body: Any, id_: str) -> None:
    answer = read(operation, body)

    assert (answer.id, answer.raw) == (id_, body)


@each_read
@pytest.mark.parametrize("body", [{"id": None, "name": None}, {"name": "x"}, {}])
def test_what_is_read_may_have_no_id(operation: Any, body: Any) -> None:
    answer = read(operation, body)

    assert (answer.id, answer.raw) == (None, body)


@each_write
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"{}",
        b"[]",
        b"null",
        b'"done"',
        b'[{"id": "i-1"}]',
        b'{"id": null, "name": null}',
        b'{"name": "x"}',
        b'{"ID": "i-1"}',
        b'{"data": {"id": "i-1"}}',
        b'{"code": 1, "message": "busy"}',
        b'{"error": "x"}',
        b'{"status": "error"}',
        b'{"success": null}',
        b'{"success": 1}',
        b'{"success": "true"}',
        b'{"id": "i-1", "success": "false"}',
        b'{"id": "i-1", "type": "apiError"}',
        b'{"id": "i-1", "type": "validationError"}',
    ],
)
def test_a_write_is_done_where_its_answer_has_the_id_alone(operation: Any, body: bytes) -> None:
    with pytest.raises(UnreadableResponseError) as caught:
        read(operation, body)

    told = f"{operation.name}: nothing in the answer says that it was done"
    assert str(caught.value).startswith(told)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert body.decode().strip()[:100] in caught.value.body


@each_write
def test_a_success_proves_a_write_where_the_api_says_it(operation: Any) -> None:
    if operation in SAYING_SUCCESS:
        answer = read(operation, {"success": True})
        assert (answer.id, answer.success) == (None, True)
        return
    with pytest.raises(
        UnreadableResponseError, match="nothing in the answer says that it was done"
    ) as caught:
        read(operation, {"success": True})
    assert caught.value.outcome is Outcome.UNKNOWN


def test_the_message_of_what_is_no_success_is_told() -> None:
    with pytest.raises(UnreadableResponseError, match=r"says that it was done: busy \(HTTP 200\)"):
        read(Customers.create, {"code": 1, "message": "busy"})


@each_write
@pytest.mark.parametrize("body", [b"<html>", b'{"id"', b'{"id": "i-1"', b"\xff"])
def test_a_write_whose_answer_is_no_json_is_unknown(operation: Any, body: bytes) -> None:
    with pytest.raises(UnreadableResponseError, match="the answer is not JSON") as caught:
        read(operation, body)

    assert caught.value.outcome is Outcome.UNKNOWN


@each_write
@pytest.mark.parametrize("body", [b'{"id": [5]}', b'{"id": {"x": 1}}', b'{"id": true}'])
def test_a_write_that_has_an_id_and_does_not_fit_is_done(operation: Any, body: bytes) -> None:
    with pytest.raises(UnreadableResponseError, match="the answer does not fit") as caught:
        read(operation, body)

    assert caught.value.outcome is Outcome.DONE


@each_read
@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b"", b'"done"', b'{"id": [5]}', b'{"id"'])
def test_what_was_read_and_is_no_such_object_is_unreadable(operation: Any, body: bytes) -> None:
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


def test_a_deletion_may_answer_no_content() -> None:
    assert OperationCodec(SplitRequests.delete).decode(WireResponse(204, b"")) is None


@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"deleted": true}', b'{"success": true}', b"[]"])
def test_a_deletion_that_answers_anything_else_is_unknown(status: int, body: bytes) -> None:
    if (status, body) == (204, b""):
        return
    with pytest.raises(
        UnreadableResponseError, match="nothing in the answer says that it was done"
    ) as caught:
        OperationCodec(SplitRequests.delete).decode(WireResponse(status, body))
    assert caught.value.outcome is Outcome.UNKNOWN


def test_a_deletion_may_answer_what_was_deleted() -> None:
    deleted = read(SplitRequests.delete, {"id": "s-1", "parts": []})

    assert (deleted.id, deleted.raw) == ("s-1", {"id": "s-1", "parts": []})


@pytest.mark.parametrize(
    "body",
    [
        [{"token": "ct-1"}, {"token": None}],
        {"data": [{"token": "ct-1"}, {"token": None}], "total": 2},
        *(
            {"data": None, name: [{"token": "ct-1"}, {"token": None}]}
            for name in ("items", "cardTokens", "card_tokens", "tokens", "cards")
        ),
        {"data": {}, "items": [{"token": "ct-1"}, {"token": None}]},
    ],
)
def test_card_tokens(body: Any) -> None:
    tokens = read(Customers.card_tokens, body)

    assert [token.raw for token in tokens.data] == [{"token": "ct-1"}, {"token": None}]
    assert tokens.raw == (body if isinstance(body, dict) else {"data": body})


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, [], {"tokens": []}])
def test_no_card_tokens(body: Any) -> None:
    assert read(Customers.card_tokens, body) == CardTokens(data=())


@pytest.mark.parametrize("body", [{"data": {}}, {"data": "x"}, ["x"], {"tokens": [1]}, [None], "x", 5, None])
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
        # Its id says that the card was charged, and nothing else does.
        assert caught.value.outcome is (Outcome.UNKNOWN if missing == "id" else Outcome.DONE)


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
    assert items(Wallet.list, [listed]) == (transaction,)


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
def test_where_no_money_moves_a_success_that_says_false_leaves_it_unknown(operation: Any) -> None:
    with pytest.raises(
        UnreadableResponseError, match="nothing in the answer says that it was done"
    ) as caught:
        read(operation, {"id": "i-1", "success": False})
    assert caught.value.outcome is Outcome.UNKNOWN
    assert read(operation, {"id": "i-1", "success": True}).raw["success"] is True


@pytest.mark.parametrize(
    "more", [{"error": None}, {"code": None}, {"code": "00"}, {"code": 0}, {"errors": []}]
)
def test_fields_of_errors_that_say_nothing_leave_a_success(more: dict[str, Any]) -> None:
    body = json.dumps({"id": "c-1", **more}).encode()

    assert OperationCodec(Customers.create).decode(WireResponse(201, body)).id == "c-1"


@pytest.mark.parametrize(
    "more", [{"error": "x"}, {"error": {"inner": 1}}, {"code": 1}, {"code": "0001", "message": "busy"}]
)
def test_an_id_beside_an_error_proves_nothing(more: dict[str, Any]) -> None:
    body = json.dumps({"id": "req-77", **more}).encode()

    with pytest.raises(UnreadableResponseError, match="nothing in the answer says") as caught:
        OperationCodec(Customers.create).decode(WireResponse(200, body))
    assert caught.value.outcome is Outcome.UNKNOWN
