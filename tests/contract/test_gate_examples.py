"""The published payloads of the Gate API: requests are written as they are printed, answers read whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async._privacy.secret_object import HIDDEN
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import Model, wire_names
from plexypay_async.api.index import every_declaration
from plexypay_async.gate import (
    AgentBalance,
    AgentDeposit,
    Balance,
    CreateOrder,
    DepositMethod,
    Deposits,
    DepositStatus,
    ListDeposits,
    ListOrders,
    Order,
    OrderContent,
    Orders,
    OrderStatus,
    Product,
    Products,
    ProductType,
    ProductTypeCode,
    ProductTypes,
    RetrieveOrder,
    RetrieveProduct,
    TopupRequest,
)
from plexypay_async.gate.description import GATE

EXAMPLES = Path(__file__).parent / "gate_examples"
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
OF_CLIENT = {"agent_id": AGENT}

ANSWERS: dict[str, Any] = {
    "gate.balance.json": Balance.retrieve,
    "gate.order-created.cut.json": Orders.create,
    "gate.order.json": Orders.retrieve,
    "gate.product.json": Products.retrieve,
}
PAGES: dict[str, Any] = {
    "gate.deposits-page.json": Deposits.list,
    "gate.orders-page.json": Orders.list,
    "gate.product-types.json": ProductTypes.list,
}
ORDER = Order(
    id="5c1f4f9d-8b5a-4e8b-8c0e-1d1c2f3a4b5c",
    product_id=456,
    external_ref="INV-1001",
    idempotency_key="order-1001",
    status=OrderStatus.COMPLETED,
    order_content=OrderContent({"voucher_code": "ABCD-EFGH-IJKL"}),
    currency_code="USD",
    charged_amount=Decimal("12.50"),
    balance_after=Decimal("87.50"),
    balance_before=Decimal("100.00"),
    is_test=False,
    region_code="GLOBAL",
    created_at=datetime(2024, 11, 1, 10, tzinfo=UTC),
    completed_at=datetime(2024, 11, 1, 10, 1, 30, tzinfo=UTC),
)


def published(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_bytes())


def answer(name: str, status: int = 200) -> WireResponse:
    return WireResponse(status, (EXAMPLES / name).read_bytes())


def unread(model: Any, document: dict[str, Any]) -> Iterator[str]:
    """Yield the fields of a document with a value that no field of a model has taken up."""
    fields = attrs.fields(type(model))
    by_name = {name: field.name for field in fields for name in wire_names(field) if field.name != "raw"}
    for name, value in document.items():
        taken = None if name not in by_name else getattr(model, by_name[name])
        if value is not None and taken is None:
            yield name
        elif isinstance(taken, tuple):
            for inner, one in zip(taken, value, strict=True):
                yield from unread(inner, one)


def test_the_operations_are_those_of_the_published_index() -> None:
    declared = {one.name: f"{one.method} {one.path}" for one in every_declaration(GATE)}

    assert declared == {
        "product_types.list": "GET /agent/{agent_id}/product-types",
        "product_categories.list": "GET /agent/{agent_id}/product-categories",
        "products.list": "GET /agent/{agent_id}/products",
        "products.retrieve": "GET /agent/{agent_id}/products/{product_id}",
        "orders.list": "GET /agent/{agent_id}/orders",
        "orders.create": "POST /agent/{agent_id}/orders",
        "orders.retrieve": "GET /agent/{agent_id}/orders/{order_id}",
        "balance.retrieve": "GET /agent/{agent_id}/balance",
        "deposits.list": "GET /agent/{agent_id}/deposits",
        "health.check": "GET /health",
    }


def test_there_is_a_test_for_each_published_payload() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {
        *ANSWERS,
        *PAGES,
        "gate.order-create.request.json",
    }


@pytest.mark.parametrize("name", ANSWERS)
def test_nothing_of_a_published_answer_is_left_in_raw_alone(name: str) -> None:
    read = OperationCodec(ANSWERS[name]).decode(answer(name))

    assert list(unread(read, published(name))) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_a_published_item_is_left_in_raw_alone(name: str) -> None:
    page = ListingCodec(PAGES[name]).decode(answer(name))
    document = published(name)
    items = document if isinstance(document, list) else document["items"]

    assert len(page.items) == len(items) > 0
    for item, one in zip(page.items, items, strict=True):
        assert list(unread(item, one)) == []


@pytest.mark.parametrize("name", [*ANSWERS, *PAGES])
def test_the_whole_answer_is_in_raw_but_for_what_was_bought(name: str) -> None:
    decode = (OperationCodec if name in ANSWERS else ListingCodec)((ANSWERS | PAGES)[name]).decode
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for secret in ('{"voucher_code": "ABCD-EFGH-IJKL"}', '{"vendor_order_id": "LC-123456"}'):
        text = text.replace(secret, json.dumps(HIDDEN))
    read = json.loads(text)

    assert decode(answer(name)).raw == ({"items": read} if isinstance(read, list) else read)


def test_the_published_order_is_written_as_it_is_printed() -> None:
    request = CreateOrder(
        product_id=456,
        currency_code="usd",
        topup_request=TopupRequest(
            amount=Decimal("10.00"),
            customer_account={"steam_login": "player123", "email": "user@example.com"},
        ),
        external_ref="INV-1001",
        idempotency_key="order-1001",
    )
    sent = OperationCodec(Orders.create, parameters=OF_CLIENT).encode(request)

    assert (sent.method, sent.target) == ("POST", f"/agent/{AGENT}/orders")
    assert sent.headers == {"Idempotency-Key": "order-1001"}
    assert json.loads(sent.body or b"") == published("gate.order-create.request.json")
    assert b'"amount":"10.00"' in (sent.body or b"")


def test_an_order_of_a_voucher_has_no_more_than_was_given() -> None:
    sent = OperationCodec(Orders.create, parameters=OF_CLIENT).encode(CreateOrder(product_id=101))

    assert json.loads(sent.body or b"") == {"product_id": 101}


def test_requests_go_where_the_published_ones_do() -> None:
    orders = ListingCodec(Orders.list, parameters=OF_CLIENT)
    listed = orders.encode(*orders.filters(ListOrders(status="completed", product_id=456)), 1, 50)
    deposits = ListingCodec(Deposits.list, parameters=OF_CLIENT)
    posted = deposits.encode(*deposits.filters(ListDeposits(status="posted")), 1, 50)
    order = OperationCodec(Orders.retrieve, parameters=OF_CLIENT).encode(RetrieveOrder(ORDER.id))
    product = OperationCodec(Products.retrieve, parameters=OF_CLIENT).encode(RetrieveProduct(456))

    assert listed.target == f"/agent/{AGENT}/orders?status=completed&product_id=456&page=1&pageSize=50"
    assert posted.target == f"/agent/{AGENT}/deposits?status=posted&page=1&pageSize=50"
    assert order.target == f"/agent/{AGENT}/orders/{ORDER.id}"
    assert product.target == f"/agent/{AGENT}/products/456"


def test_the_published_order_is_read() -> None:
    read = OperationCodec(Orders.retrieve).decode(answer("gate.order.json"))

    assert read == ORDER
    assert read.failed_at is None
    assert read.order_content is not None
    assert read.order_content.reveal() == {"voucher_code": "ABCD-EFGH-IJKL"}


def test_an_order_just_made_is_read_as_far_as_its_page_goes() -> None:
    read = OperationCodec(Orders.create).decode(answer("gate.order-created.cut.json", 201))

    assert (read.id, read.status, read.is_final) == (ORDER.id, OrderStatus.PENDING, False)
    assert (read.created_at, read.region_code) == (None, None)
    assert read.order_content == OrderContent({"vendor_order_id": "LC-123456"})


def test_a_page_of_orders_is_read() -> None:
    page = ListingCodec(Orders.list).decode(answer("gate.orders-page.json"))

    assert (page.page, page.size, page.total) == (1, 50, 1)
    assert page.items == (ORDER,)
    assert "ABCD" not in repr(page)


def test_a_page_of_deposits_is_read() -> None:
    page = ListingCodec(Deposits.list).decode(answer("gate.deposits-page.json"))

    assert (page.page, page.size, page.total) == (1, 50, 2)
    posted, pending = page.items
    assert posted == AgentDeposit(
        id=1201,
        currency_code="USD",
        amount=Decimal("250.00"),
        method=DepositMethod.BANK_WIRE,
        status=DepositStatus.POSTED,
        external_ref="WIRE-2024-10-17",
        created_at=datetime(2024, 10, 17, 9, tzinfo=UTC),
        posted_at=datetime(2024, 10, 17, 10, 15, tzinfo=UTC),
    )
    assert (pending.external_ref, pending.posted_at, pending.status) == (None, None, "pending")


def test_the_types_of_products_are_read_of_an_array_without_pages() -> None:
    page = ListingCodec(ProductTypes.list).decode(answer("gate.product-types.json"))

    assert [item.code for item in page.items] == list(ProductTypeCode)
    assert page.items[2] == ProductType(id=3, code=ProductTypeCode.DIRECT_TOP_UP, name="Direct Top-up")


def test_a_product_is_read_with_exact_numbers() -> None:
    read = OperationCodec(Products.retrieve).decode(answer("gate.product.json"))

    assert read == Product(
        id=456,
        name="Steam Wallet Top Up",
        slug="steam-top-up",
        category_id=10,
        product_type_id=3,
        region_code="GLOBAL",
        currency_code="USD",
        logo="https://cdn.example.com/logos/steam.png",
        price=Decimal(10),
        min_amount=Decimal(5),
        max_amount=Decimal(100),
        step=Decimal(1),
        description="Instant Steam balance top-up.",
        is_active=True,
    )
    other = json.dumps({**published("gate.product.json"), "price": 0.1, "step": None}).encode()
    assert OperationCodec(Products.retrieve).decode(WireResponse(200, other)).price == Decimal("0.1")


def test_the_balances_are_read_in_an_object_and_in_an_array() -> None:
    items = published("gate.balance.json")["items"]
    for body in ({"items": items}, items):
        read = OperationCodec(Balance.retrieve).decode(WireResponse(200, json.dumps(body).encode()))

        assert read.of("usd") == AgentBalance(
            currency_code="USD",
            available=Decimal("87.50"),
            updated_at=datetime(2024, 11, 1, 10, 1, 30, tzinfo=UTC),
        )
        assert [item.currency_code for item in read.items] == ["USD", "EUR"]
        assert read.of("KZT") is None


def test_no_model_has_a_field_that_no_example_shows() -> None:
    for kind, name in (
        (Order, "gate.order.json"),
        (Product, "gate.product.json"),
        (AgentDeposit, "gate.deposits-page.json"),
        (ProductType, "gate.product-types.json"),
        (AgentBalance, "gate.balance.json"),
    ):
        document = published(name)
        shown = document if isinstance(document, list) else document.get("items", [document])
        model: type[Model] = kind
        names = {name for field in attrs.fields(model) if field.name != "raw" for name in wire_names(field)}
        assert names == set(shown[0]), kind
