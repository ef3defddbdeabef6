"""One transaction model for every shape in which the API shows a transaction, and its states."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import orjson
import pytest

from plexypay_async import UnreadableResponseError
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.pay.transactions import (
    Transaction,
    TransactionHistory,
    Transactions,
    TransactionStatus,
)

RETRIEVE = OperationCodec(Transactions.retrieve)
HISTORY = OperationCodec(Transactions.history)
LIST = ListingCodec(Transactions.list)

LISTED: dict[str, Any] = {
    "transactionId": "01a09b42",
    "amount": 32000,
    "createdAt": "2026-09-05T10:14:11.250000Z",
    "rrn": "624857977792",
    "status": "TRANSACTION_STATUS_CHARGED",
    "orderReference": "booking-1",
}
ALONE: dict[str, Any] = {
    "transactionId": "01a09b42",
    "paymentId": "01a09b42",
    "status": "charged",
    "amount": 320.5,
    "merchantReference": "booking-1",
}
DELIVERED: dict[str, Any] = {
    "id": "01a09b42",
    "amount": 1000,
    "currency": "USD",
    "status": "charged",
    "type": "refund",
    "merchantReference": "booking-1",
    "retrievalReferenceNumber": "624857977792",
    "secure3d": True,
    "paymentLinkId": {"Value": "pl_1"},
    "customerId": None,
}
SHAPES = {"listed": LISTED, "alone": ALONE, "delivered": DELIVERED}


def response(value: Any) -> WireResponse:
    return WireResponse(200, value if isinstance(value, bytes) else orjson.dumps(value))


def transaction(**fields: Any) -> Transaction:
    return RETRIEVE.decode(response({"id": "t", "status": "created", **fields}))


def history(value: Any) -> TransactionHistory:
    return HISTORY.decode(response(value))


# ----------------------------------------------------------------------------------------------- shapes


def test_the_shape_of_a_list() -> None:
    page = LIST.decode(response({"data": [LISTED], "page": 1, "size": 50, "total": 1}))

    assert page.items == (
        Transaction(
            id="01a09b42",
            status=TransactionStatus.CHARGED,
            amount=Decimal(32000),
            order_reference="booking-1",
            rrn="624857977792",
            created_at=datetime(2026, 9, 5, 10, 14, 11, 250000, UTC),
        ),
    )


def test_the_shape_of_a_single_one() -> None:
    assert RETRIEVE.decode(response(ALONE)) == Transaction(
        id="01a09b42",
        payment_id="01a09b42",
        status=TransactionStatus.CHARGED,
        amount=Decimal("320.5"),
        order_reference="booking-1",
    )


def test_the_shape_of_a_webhook() -> None:
    assert RETRIEVE.decode(response(DELIVERED)) == Transaction(
        id="01a09b42",
        status=TransactionStatus.CHARGED,
        amount=Decimal(1000),
        currency="USD",
        type="refund",
        order_reference="booking-1",
        rrn="624857977792",
        secure_3d=True,
        payment_link_id="pl_1",
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_raw_is_what_was_received_under_the_names_it_came_with(shape: str) -> None:
    sent = {**SHAPES[shape], "somethingNew": [1, {"a": None}]}
    found = RETRIEVE.decode(response(sent))

    assert found.raw == sent
    assert list(found.raw) == list(sent)
    assert found == RETRIEVE.decode(response(SHAPES[shape]))
    assert "raw" not in repr(found)


@pytest.mark.parametrize(
    ("field", "first", "other"),
    [
        ("id", "transactionId", "id"),
        ("order_reference", "orderReference", "merchantReference"),
        ("rrn", "rrn", "retrievalReferenceNumber"),
    ],
)
def test_a_field_of_two_names(field: str, first: str, other: str) -> None:
    def read(**given: Any) -> Any:
        rest = {"status": "created"} if field == "id" else {"status": "created", "id": "t"}
        return getattr(RETRIEVE.decode(response({**rest, **given})), field)

    assert read(**{first: "a"}) == "a"
    assert read(**{other: "b"}) == "b"
    assert read(**{other: "b", first: "a"}) == "a"
    assert read(**{first: None, other: "b"}) == "b"
    assert read(**{first: "a", other: None}) == "a"
    assert read(**{other: {"Value": "b"}}) == "b"
    assert read(**{first: {"Value": None}, other: "b"}) == "b"
    for wrong in (5, {"other": "b"}, ["b"], True):
        if field == "rrn":
            assert read(**{other: wrong}) is None
            continue
        with pytest.raises(UnreadableResponseError, match="expected a string"):
            read(**{other: wrong})


def test_without_an_id_or_a_status_it_is_no_transaction() -> None:
    for document in (
        {"status": "created"},
        {"status": "created", "id": None, "transactionId": None},
        {"id": "t"},
        {"id": "t", "status": None},
        {"id": "t", "status": 1},
        [LISTED],
        None,
        "t",
    ):
        with pytest.raises(UnreadableResponseError, match=r"transactions\.retrieve"):
            RETRIEVE.decode(response(document))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("paymentLinkId", "payment_link_id"),
        ("paymentSessionId", "payment_session_id"),
        ("cardTokenId", "card_token_id"),
        ("customerId", "customer_id"),
    ],
)
def test_an_id_that_comes_plain_wrapped_or_null(name: str, field: str) -> None:
    def read(value: Any) -> Any:
        return getattr(transaction(**{name: value}), field)

    assert read("x") == read({"Value": "x"}) == read({"Value": "x", "Valid": True}) == "x"
    for nothing in (None, {"Value": None}, {}):
        assert read(nothing) is None
    assert getattr(transaction(), field) is None
    for wrong in (5, {"Value": 5}, {"Value": {"Value": "x"}}, ["x"], False):
        if field != "payment_link_id":
            assert read(wrong) is None
            continue
        with pytest.raises(UnreadableResponseError, match="expected a string"):
            read(wrong)


def test_any_text_may_come_wrapped() -> None:
    found = transaction(paymentId={"Value": "x"}, createdAt={"Value": "2026-09-05T10:14:11Z"})
    assert (found.payment_id, found.created_at) == ("x", datetime(2026, 9, 5, 10, 14, 11, tzinfo=UTC))
    assert transaction(status={"Value": "charged"}).is_paid


def test_every_other_field_may_be_absent_or_null() -> None:
    names = [field.name for field in attrs.fields(Transaction) if field.default is None]
    absent = transaction()
    null = RETRIEVE.decode(
        response(
            {
                "id": "t",
                "status": "created",
                **dict.fromkeys(
                    (
                        "amount",
                        "currency",
                        "orderReference",
                        "merchantReference",
                        "rrn",
                        "secure3d",
                        "createdAt",
                        "balance",
                    )
                ),
            }
        )
    )

    assert absent == null
    assert {name: getattr(absent, name) for name in names} == dict.fromkeys(names)
    assert len(names) == len(attrs.fields(Transaction)) - 3, "id, status and raw are always there"


def test_a_transaction_is_a_value() -> None:
    found = RETRIEVE.decode(response(DELIVERED))

    assert pickle.loads(pickle.dumps(found)) == found
    assert pickle.loads(pickle.dumps(found)).raw == DELIVERED
    assert copy.deepcopy(found) == found
    assert hash(found) == hash(RETRIEVE.decode(response(DELIVERED)))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        found.amount = Decimal(0)  # type: ignore[misc]


# --------------------------------------------------------------------------------------------- statuses

PAID_FINAL = {
    TransactionStatus.CREATED: (False, False),
    TransactionStatus.THREE_D_SECURE: (False, False),
    TransactionStatus.AUTHORIZED: (True, False),
    TransactionStatus.REJECTED: (False, True),
    TransactionStatus.FAILED: (False, True),
    TransactionStatus.CHARGED: (True, True),
    TransactionStatus.CANCELLED: (False, True),
    TransactionStatus.REFUNDED: (False, True),
}
PUBLISHED = ["created", "3d", "authorized", "rejected", "failed", "charged", "cancelled", "refunded"]
SPELLINGS = [(spelt, spelt) for spelt in PUBLISHED] + [
    ("authed", "authorized"),
    ("new", "created"),
]


def test_the_states_are_the_published_ones() -> None:
    assert [status.value for status in TransactionStatus] == PUBLISHED
    assert set(PAID_FINAL) == set(TransactionStatus)


@pytest.mark.parametrize("status", TransactionStatus, ids=str)
def test_what_each_state_means(status: TransactionStatus) -> None:
    found = transaction(status=status.value)

    assert found.status is status
    assert (status.is_paid, status.is_final) == PAID_FINAL[status]
    assert (found.is_paid, found.is_final) == PAID_FINAL[status]


@pytest.mark.parametrize(("spelt", "meant"), SPELLINGS)
def test_every_spelling_of_a_state(spelt: str, meant: str) -> None:
    for prefix in ("", "TRANSACTION_STATUS_", "transaction_status_", "Transaction_Status_"):
        for written in (spelt, spelt.upper(), spelt.capitalize()):
            status = transaction(status=prefix + written).status
            assert status is TransactionStatus(meant), prefix + written
            assert status.value == meant


@pytest.mark.parametrize(
    "unknown",
    [
        "on_hold",
        "TRANSACTION_STATUS_ON_HOLD",
        "TRANSACTION_STATUS_",
        "",
        " charged",
        "chargé",
        "authed_",
        "İ",
    ],
)
def test_an_unknown_state_equals_its_string(unknown: str) -> None:
    found = transaction(status=unknown)

    assert found.status == unknown
    assert found.status.value == unknown
    assert str(found.status) == unknown
    assert hash(found.status) == hash(unknown)
    assert isinstance(found.status, TransactionStatus)
    assert not found.is_paid
    assert not found.is_final
    assert pickle.loads(pickle.dumps(found.status)) == unknown
    assert [status.value for status in TransactionStatus] == PUBLISHED, "it joins none of the known"


# ---------------------------------------------------------------------------------------------- history

EVENTS: list[dict[str, Any]] = [
    {"status": "TRANSACTION_STATUS_AUTHED", "createdAt": "2026-09-05T10:14:11Z", "actor": "bank"},
    {"status": "charged"},
    {"kind": "note"},
    {"status": "on_hold", "createdAt": None},
]


@pytest.mark.parametrize("document", [EVENTS, {"data": EVENTS}], ids=["an array", "data"])
def test_a_history_in_both_of_its_forms(document: Any) -> None:
    found = history(document)

    assert found.events == tuple(EVENTS)
    assert found.raw == {"data": EVENTS}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"data": []},
        {"data": None},
        {},
        {"events": None},
        {"tags": ["x"], "events": []},
        {"result": {"tags": ["x"]}},
    ],
    ids=repr,
)
def test_a_history_without_events(document: Any) -> None:
    found = history(document)

    assert found.events == ()
    assert found.raw == ({"data": []} if document == [] else document)


@pytest.mark.parametrize(
    "document",
    [
        {"events": EVENTS},
        {"transactionId": "t", "tags": ["a"], "transactionEvents": EVENTS},
        {"data": {"id": "t", "events": EVENTS}},
        {"data": None, "items": EVENTS},
        {"data": [], "events": EVENTS},
        {"tags": ["x"], "refunds": [], "events": EVENTS},
        {"result": {"events": EVENTS}},
        {"data": {"tags": ["x"], "items": []}, "result": {"id": "t", "data": EVENTS}},
    ],
    ids=repr,
)
def test_a_history_under_whatever_name(document: Any) -> None:
    found = history(document)

    assert found.events == tuple(EVENTS)
    assert found.raw == document


ODD_EVENTS: list[Any] = [
    ["a note", 5, None],
    {"data": [{"status": 3, "createdAt": "soon"}]},
    {"data": {}},
    {"data": "x"},
]


@pytest.mark.parametrize("document", ODD_EVENTS, ids=repr)
def test_a_history_is_readable_whatever_an_event_is(document: Any) -> None:
    # It settles whether money has moved, and nothing of an event is published.
    data = document if isinstance(document, list) else document["data"]
    assert history(document).events == (tuple(data) if isinstance(data, list) else ())


NO_HISTORIES: list[tuple[Any, str]] = [
    (None, "expected an object"),
    ("x", "expected an object"),
]


@pytest.mark.parametrize(("document", "told"), NO_HISTORIES, ids=repr)
def test_what_is_no_history(document: Any, told: str) -> None:
    with pytest.raises(UnreadableResponseError, match=told):
        history(document)


def test_only_a_model_that_says_so_is_read_from_an_array() -> None:
    with pytest.raises(UnreadableResponseError, match="expected an object"):
        RETRIEVE.decode(response([ALONE]))
