"""Decoding: strict about types, generous about what the server adds."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import orjson
import pytest

from plexypay_async import (
    Outcome,
    PaymentLink,
    PaymentLinkStatus,
    PaymentLinkSummary,
    UnreadableResponseError,
)
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireRequest, WireResponse
from plexypay_async.pagination import PageBody
from plexypay_async.pay.payment_links import PaymentLinks

RETRIEVE = OperationCodec(PaymentLinks.retrieve)
CANCEL = OperationCodec(PaymentLinks.cancel)
STATISTICS = OperationCodec(PaymentLinks.statistics)
LIST = ListingCodec(PaymentLinks.list)

LINK = {"id": "pl_1", "amount": 100, "currency": "KZT", "status": "active", "url": "https://pay.example/1"}


def response(value: Any, status: int = 200) -> WireResponse:
    return WireResponse(status, value if isinstance(value, bytes) else orjson.dumps(value))


def link(**changes: Any) -> PaymentLink:
    return RETRIEVE.decode(response({**LINK, **changes}))


def page(value: Any) -> PageBody[PaymentLinkSummary]:
    return LIST.decode(response(value))


# ------------------------------------------------------------------------------------------------ types


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", None),
        ("id", 5),
        ("id", True),
        ("id", ["pl_1"]),
        ("id", {}),
        ("currency", None),
        ("currency", 398),
        ("url", None),
        ("url", False),
        ("amount", None),
        ("amount", "x"),
        ("amount", ""),
        ("amount", " 100"),
        ("amount", "1e2"),
        ("amount", "1_000"),
        ("amount", "100.0"),
        ("amount", "١٠٠"),
        ("amount", 100.5),
        ("amount", True),
        ("amount", []),
        ("amount", "9" * 5000),
        ("status", None),
        ("status", 1),
        ("status", {}),
        ("orderReference", 7),
        ("id", {"Value": 5}),
        ("id", {"Value": "pl_1", "Valid": False}),
        ("id", {"Value": "pl_1", "other": 1}),
    ],
)
def test_a_decisive_field_of_a_wrong_type_is_an_error_that_names_it(field: str, value: Any) -> None:
    with pytest.raises(UnreadableResponseError) as caught:
        link(**{field: value})

    error = caught.value
    names = {"orderReference": "order_reference"}
    assert f"PaymentLink: {names.get(field, field)}: " in str(error)
    assert error.raw == {**LINK, field: value}
    assert error.outcome is Outcome.DONE
    assert error.status == 200
    assert error.body.startswith('{"id":')


@pytest.mark.parametrize(
    ("field", "attribute", "value"),
    [
        ("description", "description", 5),
        ("customerId", "customer_id", {"other": "x"}),
        ("customerId", "customer_id", 5),
        ("autoClearing", "auto_clearing", "true"),
        ("autoClearing", "auto_clearing", 1),
        ("validation", "validation", 0),
        ("createdBy", "created_by", []),
        ("metadata", "metadata", "{}"),
        ("metadata", "metadata", []),
        ("createdAt", "created_at", 1741824000),
        ("createdAt", "created_at", "1712053100000"),
        ("createdAt", "created_at", "1712053100000000000"),
        ("createdAt", "created_at", {"Value": "1712053100000"}),
        ("createdAt", "created_at", ""),
        ("createdAt", "created_at", "yesterday"),
        ("createdAt", "created_at", "2025-02-30T00:00:00Z"),
        ("createdAt", "created_at", "2025-03-01T12:00:61Z"),
        ("createdAt", "created_at", "0001-01-01T00:00:00+10:00"),
        ("createdAt", "created_at", "9999-12-31T23:59:60Z"),
        ("expiresAt", "expires_at", {}),
    ],
)
def test_a_descriptive_field_that_cannot_be_read_is_none_and_in_raw(
    field: str, attribute: str, value: Any
) -> None:
    found = link(updatedAt="2025-03-01T12:00:00Z", **{field: value})

    assert getattr(found, attribute) is None
    assert found.raw[field] == value
    assert found.updated_at == datetime(2025, 3, 1, 12, tzinfo=UTC)
    listed = page({"data": [{**LINK, field: value}], "total": 1}).items[0]
    assert listed.id == "pl_1"
    assert listed.raw[field] == value


@pytest.mark.parametrize("field", ["id", "currency", "status", "url", "orderReference", "description"])
def test_a_wrapped_text_is_read(field: str) -> None:
    plain = {**LINK, "orderReference": "o", "description": "d"}

    for wrapped in ({"Value": plain[field]}, {"Value": plain[field], "Valid": True}):
        found = RETRIEVE.decode(response({**plain, field: wrapped}))
        assert found == RETRIEVE.decode(response(plain))
        assert found.raw[field] == wrapped


@pytest.mark.parametrize("field", ["id", "amount", "currency", "status", "url"])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(UnreadableResponseError, match=f"{field} is missing"):
        RETRIEVE.decode(response({key: value for key, value in LINK.items() if key != field}))


@pytest.mark.parametrize("value", [100, "100", 100.0, "0100"])
def test_an_amount_is_coerced_where_nothing_is_lost(value: Any) -> None:
    amount = link(amount=value).amount

    assert amount == 100
    assert type(amount) is int


def test_amounts_beyond_64_bits_are_exact() -> None:
    assert link(amount="12345678901234567890123").amount == 12345678901234567890123


@pytest.mark.parametrize("field", ["description", "orderReference", "customerId", "metadata", "createdAt"])
def test_null_is_none_where_a_field_is_optional(field: str) -> None:
    assert link(**{field: None}) == link()


def test_text_is_read_as_it_is() -> None:
    assert link(description="Оплата заказа №5 — \u0000 \U0001f600").description == (
        "Оплата заказа №5 — \u0000 \U0001f600"
    )
    assert link(description="None").description == "None"
    assert link(description="").description == ""


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2025-03-01T12:00:00Z", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("2025-03-01T12:00:00.000000Z", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("2025-03-01T12:00:00.5Z", datetime(2025, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2025-03-01T12:00:00.123456Z", datetime(2025, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2025-03-01T12:00:00.123456789Z", datetime(2025, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2025-03-01T17:00:00+05:00", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("2025-03-01T12:00:00", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("2025-03-01 12:00:00", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("2025-03-01t12:00:00z", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("2025-03-01T12:00:60Z", datetime(2025, 3, 1, 12, 1, tzinfo=UTC)),
        ("2016-12-31t23:59:60.5z", datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2017-01-01T04:59:60+05:00", datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_utc(written: str, time: datetime) -> None:
    created_at = link(createdAt=written).created_at

    assert created_at == time
    assert created_at is not None
    assert created_at.tzinfo is UTC


# ------------------------------------------------------------------------------------------- open enums


@pytest.mark.parametrize("status", ["active", "on_hold"])
@pytest.mark.parametrize("odd", [{}, {"amount": "100"}], ids=["published", "odd"])
def test_a_link_without_an_address_cannot_be_read(status: str, odd: dict[str, Any]) -> None:
    with pytest.raises(UnreadableResponseError, match="url: is empty") as caught:
        link(url="", status=status, **odd)
    assert caught.value.raw["url"] == ""


@pytest.mark.parametrize("status", ["paid", "expired", "CANCELLED"])
def test_a_link_that_takes_no_payment_any_more_needs_no_address(status: str) -> None:
    assert link(url="", status=status).url == ""


@pytest.mark.parametrize("written", ["cancelled", "Cancelled", "CANCELLED", "cAnCeLlEd"])
def test_a_known_status_in_any_letter_case(written: str) -> None:
    assert link(status=written).status is PaymentLinkStatus.CANCELLED


@pytest.mark.parametrize("written", ["on_hold", "On Hold", "", "неизвестно", "name", "mro", "__class__"])
def test_an_unknown_status_is_a_member_that_equals_its_string(written: str) -> None:
    status = link(status=written).status

    assert isinstance(status, PaymentLinkStatus)
    assert status == written
    assert (status.value, str(status), f"{status}") == (written, written, written)
    assert hash(status) == hash(written)
    assert {written: 1}[status] == 1
    assert status not in list(PaymentLinkStatus)
    assert link(status=written) == link(status=written)


def test_an_unknown_status_pickles() -> None:
    status = link(status="on_hold").status

    assert pickle.loads(pickle.dumps(status)) == "on_hold"
    assert isinstance(pickle.loads(pickle.dumps(status)), PaymentLinkStatus)
    assert copy.deepcopy(status) == status


def test_a_status_is_open_to_strings_alone() -> None:
    with pytest.raises(ValueError, match="5 is not a valid PaymentLinkStatus"):
        PaymentLinkStatus(5)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- answers


def test_unknown_fields_stay_in_raw() -> None:
    read = link(fee={"amount": 5}, brand_new=[1])

    assert read.raw["fee"] == {"amount": 5}
    assert read.raw["brand_new"] == [1]
    assert read == link()
    assert not hasattr(read, "fee")


def test_a_field_called_raw_is_not_taken_for_ours() -> None:
    assert link(raw="theirs").raw["raw"] == "theirs"
    assert link(raw="theirs").raw["id"] == "pl_1"


def test_raw_is_neither_shown_nor_compared() -> None:
    assert "secret_field" not in repr(link(secret_field=1))
    assert link(a=1) == link(a=2)
    assert hash(link(a=1)) == hash(link(a=2))


def test_models_are_frozen_slotted_and_hashable() -> None:
    read = link(metadata={"a": ["b"]})

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        read.amount = 5  # type: ignore[misc]
    assert not hasattr(read, "__dict__")
    assert {read: "found"}[link(metadata={"a": ["b"]})] == "found"


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_models_pickle(protocol: int) -> None:
    read = link(metadata={"a": 1}, createdAt="2025-03-01T12:00:00Z", fee=5, status="on_hold")

    loaded = pickle.loads(pickle.dumps(read, protocol))

    assert loaded == read
    assert loaded.raw == read.raw


@pytest.mark.parametrize(
    "body", [b"", b"  \n", b"null", b"[]", b"5", b'"x"', b"true", b"<html>", b'{"id":', b"\xff"]
)
def test_an_answer_that_is_no_object(body: bytes) -> None:
    with pytest.raises(UnreadableResponseError, match=r"payment_links\.retrieve: the answer"):
        RETRIEVE.decode(response(body))


def test_a_body_is_shown_only_by_its_beginning() -> None:
    with pytest.raises(UnreadableResponseError) as caught:
        RETRIEVE.decode(response(b"<" + "я".encode() * 5000))

    assert len(caught.value.body) == 500
    assert len(str(caught.value)) < 300


def test_cancel_answers_none_where_there_is_no_content() -> None:
    assert CANCEL.decode(response(b"", 204)) is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b"", 201),
        (b" ", 200),
        (b"null", 200),
        (b"null", 204),
        (b"{}", 200),
        (b"{}", 204),
        (b'{"success": true}', 200),
        (b'{"success": true}', 204),
        (b"[]", 200),
        (b'{"id": null}', 200),
        (b'{"code": 1, "message": "busy"}', 200),
        (b"<html>", 200),
    ],
)
def test_no_other_answer_without_a_link_says_that_it_is_cancelled(body: bytes, status: int) -> None:
    with pytest.raises(UnreadableResponseError) as caught:
        CANCEL.decode(response(body, status))
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.status == status
    if body != b"<html>":
        told = "payment_links.cancel: nothing in the answer says that it was done"
        assert str(caught.value).startswith(told)


def test_cancel_answers_the_link_where_there_is_one() -> None:
    assert CANCEL.decode(response({**LINK, "status": "Cancelled"})) == link(status="cancelled")


def test_a_broken_link_in_the_answer_of_cancel_is_an_error() -> None:
    with pytest.raises(UnreadableResponseError, match="does not fit") as caught:
        CANCEL.decode(response({"id": "pl_1"}))
    assert caught.value.outcome is Outcome.DONE


def test_statistics_are_read_from_raw() -> None:
    assert STATISTICS.decode(response({"paid": 3})).raw == {"paid": 3}
    with pytest.raises(UnreadableResponseError):
        STATISTICS.decode(response([1]))


def test_the_wire_is_shown_without_its_bodies() -> None:
    request = WireRequest("POST", "/v1/x", b'{"encryptedCvv": "x"}', {"X": "y"})

    assert repr(request) == "<WireRequest POST /v1/x>"
    assert repr(response({"a": "secret"}, 201)) == "<WireResponse 201, 14 bytes>"


# ------------------------------------------------------------------------------------------------ pages


def test_a_page() -> None:
    read = page({"data": [LINK], "page": "1", "size": 10.0, "total": "100"})

    assert [item.id for item in read.items] == ["pl_1"]
    assert (read.page, read.size, read.total) == (1, 10, 100)


@pytest.mark.parametrize("value", [{"data": []}, {"data": None}, {"data": [], "total": None, "page": None}])
def test_an_empty_page(value: Any) -> None:
    read = page(value)

    assert (read.items, read.page, read.size, read.total) == ((), None, None, None)


def test_an_item_that_does_not_fit_is_named_by_its_index() -> None:
    with pytest.raises(UnreadableResponseError, match=r"data\[1\]: amount: expected an integer, got str"):
        page({"data": [LINK, {**LINK, "amount": "x"}]})


NO_PAGES: list[Any] = [
    None,
    5,
    {"data": {}},
    {"data": "x"},
    {"data": [None]},
    {"data": [[]]},
]


@pytest.mark.parametrize("value", NO_PAGES)
def test_what_is_no_page(value: Any) -> None:
    with pytest.raises(UnreadableResponseError, match=r"payment_links\.list"):
        page(value)


ODD_COUNTS: dict[str, list[Any]] = {
    "total": ["", "many", -1, {}, True],
    "size": [1.5, "x"],
    "page": [True, {}, "first"],
}


@pytest.mark.parametrize(
    "counts", [{name: value} for name, values in ODD_COUNTS.items() for value in values], ids=repr
)
def test_a_count_that_cannot_be_read_costs_no_item(counts: dict[str, Any]) -> None:
    body = {"data": [LINK], **counts}
    read = page(body)

    assert [item.id for item in read.items] == ["pl_1"]
    assert (read.page, read.size, read.total, read.raw) == (None, None, None, body)
    empty = page({"data": [], **counts})
    # It may say that there are items, and so does not say plainly that nothing was made.
    assert (empty.items, empty.entries) == ((), None)


@pytest.mark.parametrize("other", [{"items": [LINK]}, {"links": [LINK]}, {"payment_links": {"id": "x"}}])
def test_an_empty_list_beside_another_says_not_plainly_that_there_is_nothing(other: Any) -> None:
    assert page({"data": [], **other}).entries is None
    assert page({"data": []}).entries == []


def test_an_object_without_data_is_no_page() -> None:
    # Taken for an empty page it would end a listing quietly.
    with pytest.raises(UnreadableResponseError):
        page({"success": False, "message": "try again"})
