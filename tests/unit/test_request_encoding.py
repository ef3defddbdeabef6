"""Encoding: what goes to the path, to the query and to the body."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexypay_async import (
    CancelPaymentLink,
    ConfigurationError,
    CreatePaymentLink,
    ListPaymentLinks,
    ListPayouts,
    PaymentLinkStatus,
    Recurring,
    RefundPayment,
    RetrievePaymentLink,
    RetrievePaymentLinkByOrderReference,
    UpdatePaymentLinkExpiration,
)
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import encode_json
from plexypay_async._wire.targets import path_of, query_of
from plexypay_async.api.fields import check_extra, wire_name
from plexypay_async.api.index import every_declaration
from plexypay_async.pay.description import PAY
from plexypay_async.pay.payment_links import PaymentLinks

CREATE = OperationCodec(PaymentLinks.create)
RETRIEVE = OperationCodec(PaymentLinks.retrieve)
LIST = ListingCodec(PaymentLinks.list)
ALMATY = timezone(timedelta(hours=5))


def body_of(request: Any, codec: OperationCodec[Any] = CREATE) -> Any:
    wire = codec.encode(request)
    assert wire.body is not None
    return orjson.loads(wire.body)


def created(**fields: Any) -> Any:
    given: dict[str, Any] = {"amount": 100, "currency": "KZT", **fields}
    return body_of(CreatePaymentLink(**given))


# ----------------------------------------------------------------------------------------------- bodies


def test_what_is_not_given_is_not_sent() -> None:
    assert created() == {"amount": 100, "currency": "KZT"}


def test_false_and_empty_are_sent() -> None:
    assert created(auto_clearing=False, validation=False, description="", metadata={}) == {
        "amount": 100,
        "currency": "KZT",
        "autoClearing": False,
        "validation": False,
        "description": "",
        "metadata": {},
    }


def test_the_currency_is_sent_in_capitals() -> None:
    assert created(currency="kzt")["currency"] == "KZT"


@pytest.mark.parametrize(
    ("time", "written"),
    [
        (datetime(2099, 1, 1, tzinfo=UTC), "2099-01-01T00:00:00Z"),
        (datetime(2099, 1, 1, 4, 30, tzinfo=ALMATY), "2098-12-31T23:30:00Z"),
        (datetime(2099, 1, 1, 0, 0, 0, 1500, tzinfo=UTC), "2099-01-01T00:00:00.001500Z"),
    ],
)
def test_times_are_sent_in_utc(time: datetime, written: str) -> None:
    assert created(expires_at=time)["expiresAt"] == written


def test_a_recurring_link() -> None:
    assert created(recurring=Recurring(frequency=30))["recurring"] == {"type": "cof_initial", "frequency": 30}
    assert created(recurring=Recurring(type="ucof"))["recurring"] == {"type": "ucof"}


def test_shorthands_are_merged_into_metadata() -> None:
    metadata = {"successUrl": "https://a", "cart": [1, {"sku": "Ы"}]}

    body = created(
        metadata=metadata, failure_url="https://b", cancel_url="https://c", callback_url="https://d"
    )

    assert body["metadata"] == {
        "successUrl": "https://a",
        "cart": [1, {"sku": "Ы"}],
        "failureUrl": "https://b",
        "cancelUrl": "https://c",
        "callbackUrl": "https://d",
    }
    assert metadata == {"successUrl": "https://a", "cart": [1, {"sku": "Ы"}]}


def test_a_shorthand_alone_makes_metadata() -> None:
    assert created(success_url="https://a")["metadata"] == {"successUrl": "https://a"}


def test_any_mapping_is_metadata() -> None:
    assert created(metadata=MappingProxyType({"a": 1}), success_url="https://a")["metadata"] == {
        "a": 1,
        "successUrl": "https://a",
    }


def test_encoding_twice_gives_the_same() -> None:
    request = CreatePaymentLink(
        amount=1, currency="KZT", metadata={"a": 1}, success_url="https://a", extra={"b": 2}
    )

    assert body_of(request) == body_of(request)
    assert request.metadata == {"a": 1}


def test_extra_fields_go_into_the_body() -> None:
    assert created(extra={"storeId": "s1", "nothing": None}) == {
        "amount": 100,
        "currency": "KZT",
        "storeId": "s1",
        "nothing": None,
    }


def of_its_own(key: str, field: str) -> str:
    return rf"^extra\['{key}'\]: {field} is a field of its own: give it there$"


@pytest.mark.parametrize(
    ("fields", "name", "field"),
    [
        ({"extra": {"amount": 5}}, "amount", "amount"),
        ({"extra": {"metadata": {}}, "success_url": "https://a"}, "metadata", "metadata"),
        ({"extra": {"orderReference": "B"}, "order_reference": "A"}, "orderReference", "order_reference"),
        ({"extra": {"orderReference": "B"}}, "orderReference", "order_reference"),
        ({"extra": {"order_reference": "B"}}, "order_reference", "order_reference"),
        ({"extra": {"OrderReference": "B"}}, "OrderReference", "order_reference"),
        ({"extra": {"orderReference": None}}, "orderReference", "order_reference"),
        ({"extra": {"CURRENCY": "USD"}}, "CURRENCY", "currency"),
        ({"extra": {"storeId": "s1", "customerId": "c"}}, "customerId", "customer_id"),
        ({"extra": {"metadata": {"a": 1}}}, "metadata", "metadata"),
        ({"extra": {"expiresAt": "2099-01-01"}}, "expiresAt", "expires_at"),
    ],
)
def test_extra_holds_no_field_of_its_own(fields: Mapping[str, Any], name: str, field: str) -> None:
    with pytest.raises(ConfigurationError, match=of_its_own(name, field)):
        created(**fields)


def test_no_request_takes_a_field_of_its_own_in_extra() -> None:
    seen = 0
    for declaration in every_declaration(PAY):
        request: Any = declaration.request
        own = {field.name: wire_name(field) for field in attrs.fields(request) if field.kw_only}
        # What is a part of the path is given by its position, and may be in the body besides.
        assert set(declaration.path_parameters) == {
            field.name for field in attrs.fields(request) if not field.kw_only
        }
        for name, key in own.items():
            if name == "extra" or attrs.fields_dict(request)[name].metadata.get("inside"):
                continue
            made = object.__new__(request)
            object.__setattr__(made, "extra", {key: "x"})
            with pytest.raises(ConfigurationError, match=of_its_own(re.escape(key), name)):
                check_extra(made)
            seen += 1
    assert seen > 40


@pytest.mark.parametrize(
    ("build", "name", "field"),
    [
        (lambda extra: ListPaymentLinks(extra=extra), "from", "created_from"),
        (lambda extra: ListPayouts(extra=extra), "size", "size"),
        (lambda extra: RefundPayment("t", extra=extra), "amount", "amount"),
        (
            lambda extra: UpdatePaymentLinkExpiration(
                "pl_1", expires_at=datetime(2099, 1, 1, tzinfo=UTC), extra=extra
            ),
            "expiresAt",
            "expires_at",
        ),
    ],
)
def test_it_is_refused_when_the_request_is_made(
    build: Callable[[dict[str, Any]], Any], name: str, field: str
) -> None:
    with pytest.raises(ConfigurationError, match=of_its_own(name, field)):
        build({name: "x"})


class Plan(enum.Enum):
    GOLD = Ellipsis


@pytest.mark.parametrize(
    "value",
    [2**64, -(2**63) - 1, "\ud800", {1, 2}, Ellipsis, b"bytes", Decimal("1.5"), 1j, Plan.GOLD, range],
    ids=str,
)
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        created(metadata={"key": value})
    with pytest.raises(ConfigurationError):
        created(extra={"key": [value]})
    with pytest.raises(ConfigurationError, match=r"^key: "):
        encode_json({"key": value})


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        created(description="\ud800")


# ------------------------------------------------------------------------------------------------ paths


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("pl_5e9f", "pl_5e9f"),
        ("a/b", "a%2Fb"),
        ("../../admin", "..%2F..%2Fadmin"),
        ("...", "..."),
        ("%2e", "%252e"),
        ("%2e%2e", "%252e%252e"),
        ("заказ", "%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7"),
        ("a?b=c", "a%3Fb%3Dc"),
        ("a#b", "a%23b"),
        ("{x}", "%7Bx%7D"),
        ("{external_id}", "%7Bexternal_id%7D"),
        ("a b+c&d;e", "a%20b%2Bc%26d%3Be"),
        ("a\r\nHost: b", "a%0D%0AHost%3A%20b"),
        ("\\", "%5C"),
        ("a:b@c", "a%3Ab%40c"),
    ],
)
def test_a_path_value_is_encoded_with_nothing_left_safe(value: str, written: str) -> None:
    wire = RETRIEVE.encode(RetrievePaymentLink(value))

    assert (wire.method, wire.target, wire.body) == ("GET", f"/v1/payment-links/{written}", None)


@pytest.mark.parametrize("value", ["", " ", ".", "..", " .. ", "\n", "\ud800", None, 5, b"x"])
def test_a_path_value_that_would_change_the_path_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="external_id: "):
        RETRIEVE.encode(RetrievePaymentLink(value))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_path_value_is_one_segment_that_reads_back(value: str) -> None:
    if value.strip() in ("", ".", ".."):
        return
    target = path_of("/v1/things/{id}/parts", {"id": value})

    assert urlsplit(target)[2:] == (target, "", "")
    assert target.count("/") == 4
    assert unquote(target.split("/")[3]) == value


def test_several_path_values() -> None:
    assert path_of("/a/{one}/{two}", {"one": "{two}", "two": "{one}"}) == "/a/%7Btwo%7D/%7Bone%7D"


def test_where_the_parts_of_a_request_go() -> None:
    expires_at = datetime(2099, 1, 1, tzinfo=UTC)
    patch = OperationCodec(PaymentLinks.update_expiration).encode(
        UpdatePaymentLinkExpiration("pl_1", expires_at=expires_at, extra={"reason": "late"})
    )
    delete = OperationCodec(PaymentLinks.cancel).encode(CancelPaymentLink("pl_1", extra={"force": True}))
    find = OperationCodec(PaymentLinks.retrieve_by_order_reference).encode(
        RetrievePaymentLinkByOrderReference("ЗАКАЗ/1")
    )

    assert (patch.method, patch.target) == ("PATCH", "/v1/payment-links/pl_1")
    assert orjson.loads(patch.body or b"") == {"expiresAt": "2099-01-01T00:00:00Z", "reason": "late"}
    assert (delete.method, delete.target, delete.body) == (
        "DELETE",
        "/v1/payment-links/pl_1?force=true",
        None,
    )
    assert find.target == "/v1/payment-links/by-order-reference/%D0%97%D0%90%D0%9A%D0%90%D0%97%2F1"


def test_another_path() -> None:
    codec = OperationCodec(PaymentLinks.retrieve, "/v2/links/{external_id}/full")

    assert codec.encode(RetrievePaymentLink("pl_1")).target == "/v2/links/pl_1/full"


# ---------------------------------------------------------------------------------------------- queries


def test_the_filters_of_a_listing() -> None:
    path, values = LIST.filters(
        ListPaymentLinks(
            status=PaymentLinkStatus.ACTIVE,
            created_from=datetime(2025, 1, 1, tzinfo=UTC),
            created_to=datetime(2025, 2, 1, 5, tzinfo=ALMATY),
            extra={"customerId": "Ж&?"},
        )
    )
    wire = LIST.encode(path, values, 2, 50)

    assert wire.method == "GET"
    assert urlsplit(wire.target).path == "/v1/payment-links"
    assert dict(parse_qsl(urlsplit(wire.target).query)) == {
        "status": "active",
        "from": "2025-01-01T00:00:00Z",
        "to": "2025-02-01T00:00:00Z",
        "customerId": "Ж&?",
        "page": "2",
        "size": "50",
    }


@pytest.mark.parametrize(
    ("values", "query"),
    [
        ({}, ""),
        ({"a": None}, ""),
        ({"a": True, "b": False}, "a=true&b=false"),
        ({"a": 1, "b": 1.5, "c": "x y"}, "a=1&b=1.5&c=x+y"),
        ({"a": ["x", 2], "b": ()}, "a=x&a=2"),
        ({"a": PaymentLinkStatus.PAID}, "a=paid"),
        ({"a": PaymentLinkStatus("new one")}, "a=new+one"),
        ({"a": datetime(2025, 1, 1, 5, tzinfo=ALMATY)}, "a=2025-01-01T00%3A00%3A00Z"),
        ({"a&b": "c=d"}, "a%26b=c%3Dd"),
    ],
)
def test_a_query(values: Mapping[str, Any], query: str) -> None:
    assert query_of(values) == query


@pytest.mark.parametrize(
    "value", [datetime(2025, 1, 1), {}, Ellipsis, b"x", [None], [[1]], "\ud800"], ids=ascii
)
def test_what_a_query_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        query_of({"name": value})


@pytest.mark.parametrize("name", ["success_url", "failure_url", "cancel_url", "callback_url"])
def test_an_address_to_return_to_is_a_whole_one(name: str) -> None:
    for address in (
        "",
        "shop.example",
        "/paid",
        "javascript:alert(1)",
        "https://",
        "https://a b",
        " https://a",
    ):
        with pytest.raises(ConfigurationError, match=f"^{name}: "):
            CreatePaymentLink(amount=1, currency="KZT", **dict[str, Any]({name: address}))
    for address in ("https://shop.example/paid?order=1", "myapp://paid", "HTTP://localhost:8000"):
        made = CreatePaymentLink(amount=1, currency="KZT", **dict[str, Any]({name: address}))
        assert getattr(made, name) == address
