"""A page of the published form is read at once, and never otherwise than item by item."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import PaymentLinks, PlexyPayError, Transactions
from plexypay_async._wire.codec import ListingCodec
from plexypay_async._wire.messages import WireResponse

ITEM = {
    "id": "pl_1",
    "amount": 2_200_000,
    "currency": "KZT",
    "status": "active",
    "description": "Invoice",
    "orderReference": "ORD-1",
    "createdAt": "2025-03-01T12:00:00Z",
    "updatedAt": "2025-03-01T12:00:00Z",
    "expiresAt": None,
}
PAGE: dict[str, Any] = {
    "data": [ITEM, {**ITEM, "id": "pl_2", "status": "Paid"}],
    "page": 1,
    "size": 2,
    "total": 2,
}


def item_with(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda page: page["data"][1].update(fields)


def item_without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda page: page["data"][1].pop(name)


def page_with(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda page: page.update(fields)


def page_without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda page: page.pop(name)


VALUES: list[Any] = [None, "", 0, -1, 1.5, True, [], {}, "x" * 50]
CHANGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda page: None,
    *(item_with(**{name: value}) for name in ITEM for value in VALUES),
    *(item_without(name) for name in ITEM),
    *(item_with(status=status) for status in ("ACTIVE", "expired", "new one", "Active ")),
    *(item_with(id=value) for value in (5, {"Value": "pl_2", "Valid": True})),
    *(item_with(amount=value) for value in ("100", 100.0, 2**63, 2**64, 10**30, Decimal("1.5"))),
    *(
        item_with(createdAt=time)
        for time in (
            "2025-03-01T17:00:00+05:00",
            "2025-03-01T12:00:00",
            "2025-03-01t12:00:00z",
            "2025-02-30T12:00:00Z",
            "2016-12-31T23:59:60Z",
            "1740830400000",
        )
    ),
    item_with(more="text"),
    item_with(more=1.5),
    item_with(more=123456789012345678.5),
    item_with(more={"deep": [0.1, 12345678901234567890123]}),
    lambda page: page["data"].append(None),
    lambda page: page["data"].append("pl_3"),
    lambda page: page["data"].append([]),
    lambda page: page["data"].clear(),
    *(page_with(data=value) for value in (None, {}, "text", {"0": ITEM})),
    *(
        page_with(**{name: value})
        for name in ("page", "size", "total")
        for value in (None, "2", 2.0, -1, True)
    ),
    *map(page_without, PAGE),
    page_with(more=0.1234567890123456789),
    page_with(items=[ITEM]),
]


def read(codec: ListingCodec[Any], body: bytes) -> Any:
    try:
        return codec.decode(WireResponse(200, body))
    except PlexyPayError as error:
        return type(error), str(error), error.outcome


@pytest.mark.parametrize("change", CHANGES, ids=map(str, range(len(CHANGES))))
def test_at_once_is_as_one_by_one(change: Callable[[dict[str, Any]], Any]) -> None:
    page = copy.deepcopy(PAGE)
    change(page)
    body = json.dumps(page, default=float).encode()
    at_once, one_by_one = ListingCodec(PaymentLinks.list), ListingCodec(PaymentLinks.list)
    one_by_one._rows = None
    found, expected = read(at_once, body), read(one_by_one, body)
    assert found == expected
    if not isinstance(expected, tuple):
        assert (repr(found.raw), repr(found.entries)) == (repr(expected.raw), repr(expected.entries))
        assert [repr(item.raw) for item in found.items] == [repr(item.raw) for item in expected.items]
        assert [repr(item) for item in found.items] == [repr(item) for item in expected.items]


def test_numbers_that_a_float_changes_are_kept_as_written() -> None:
    body = json.dumps({**PAGE, "data": [{**ITEM, "more": 0}]}).replace(
        '"more": 0', '"more": 1234567890123456.789'
    )
    page = ListingCodec(PaymentLinks.list).decode(WireResponse(200, body.encode()))
    assert page.items[0].raw["more"] == Decimal("1234567890123456.789")


def test_the_published_form_is_read_at_once() -> None:
    codec = ListingCodec(PaymentLinks.list)
    assert codec._usual_page(json.dumps(PAGE).encode()) is not None
    with_more = {**PAGE, "data": [{**ITEM, "more": "text"}]}
    assert codec._usual_page(json.dumps(with_more).encode()) is not None
    # What holds other models than its own is read item by item.
    assert ListingCodec(Transactions.list)._rows is None
