# pyright: strict
"""What type checkers infer on `PlexyGate`. Read by them, never run."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_type

from plexypay_async.gate import (
    AgentBalance,
    AgentBalances,
    AgentDeposit,
    CreateOrder,
    HealthReport,
    Order,
    OrderContent,
    Orders,
    OrderStatus,
    Product,
    ProductCategory,
    ProductType,
    TopupRequest,
)
from plexypay_sync import Answered, Pages, PlexyGate


def catalogue(gate: PlexyGate) -> None:
    assert_type(gate.product_types.list(), Pages[ProductType])
    assert_type(gate.product_categories.list(size=5), Pages[ProductCategory])
    for product in gate.products.list(extra={"category_id": 10}):
        assert_type(product, Product)
        assert_type(product.price, Decimal | None)
    assert_type(gate.products.retrieve(456), Product)


def orders(gate: PlexyGate) -> None:
    topup = TopupRequest(amount=Decimal("10.00"), customer_account={"steam_login": "player123"})
    order = gate.orders.create(
        product_id=456, currency_code="USD", external_ref="INV-1", topup_request=topup, idempotency_key="k"
    )
    assert_type(order, Order)
    assert_type(order.status, OrderStatus)
    assert_type(order.order_content, OrderContent | None)
    if order.order_content is not None:
        assert_type(order.order_content.reveal(), Mapping[str, Any])
    assert_type(gate.orders.create.with_response(product_id=1), Answered[Order])
    assert_type(gate.orders.wait(order.id, timeout=5, interval=0.5), Order)
    assert_type(gate.orders.retrieve(order.id), Order)
    assert_type(gate.orders.list(status="failed", product_id=456), Pages[Order])
    assert_type(Orders.create.path, str)
    assert_type(CreateOrder(product_id=1).idempotency_key, str)


def account(gate: PlexyGate) -> None:
    balances = gate.balance.retrieve()
    assert_type(balances, AgentBalances)
    assert_type(balances.of("USD"), AgentBalance | None)
    assert_type(gate.deposits.list(status="posted"), Pages[AgentDeposit])
    assert_type(gate.health.check(), HealthReport)
    assert_type(gate.with_options(timeout=5), PlexyGate)
