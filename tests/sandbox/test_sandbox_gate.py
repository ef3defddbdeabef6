"""Digital goods in the sandbox, over real sockets and by both facades."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyGate,
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RetryPolicy,
)
from plexypay_async.gate import Order, OrderContent, OrderStatus, ProductTypeCode, TopupRequest
from plexypay_async.pagination import AsyncPages
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyGate

AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
OTHER = "5c1f4f9d-8b5a-4e8b-8c0e-1d1c2f3a4b5c"
VOUCHER, TRANSFER, TOPUP = 101, 202, 456
ONCE = RetryPolicy(max_attempts=1)
Perform = Callable[..., Any]


@pytest.fixture
def served() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(params=["async", "sync"])
def call(request: pytest.FixtureRequest, served: Sandbox) -> Perform:
    """Perform a call by one of the facades; a listing is read to its end."""

    async def by_async(operation: Callable[[Any], Any], options: dict[str, Any]) -> Any:
        async with AsyncPlexyGate(**options) as gate:
            result = operation(gate)
            if isinstance(result, AsyncPages):
                return [item async for item in result]
            return await result

    def perform(operation: Callable[[Any], Any], **options: Any) -> Any:
        options = {"api_key": served.api_key, "agent_id": AGENT, "base_url": served.base_url, **options}
        if request.param == "async":
            return asyncio.run(by_async(operation, options))
        with PlexyGate(**options) as gate:
            result = operation(gate)
            return list(result) if "Pages" in type(result).__name__ else result

    return perform


def ordered(call: Perform, **fields: Any) -> Order:
    order: Order = call(lambda gate: gate.orders.create(**{"product_id": VOUCHER, **fields}))
    return order


def available(call: Perform, currency_code: str = "USD", **options: Any) -> Decimal:
    amount: Decimal = call(lambda gate: gate.balance.retrieve(), **options).of(currency_code).available
    return amount


def content_of(order: Order) -> Any:
    assert order.order_content is not None
    return order.order_content.reveal()


def test_the_catalogue_has_a_product_of_each_type(call: Perform) -> None:
    codes = {kind.id: kind.code for kind in call(lambda gate: gate.product_types.list())}
    products = call(lambda gate: gate.products.list())

    assert set(codes.values()) == set(ProductTypeCode)
    assert sorted(codes[product.product_type_id] for product in products) == sorted(ProductTypeCode)
    categories = {category.id for category in call(lambda gate: gate.product_categories.list())}
    assert {product.category_id for product in products} == categories
    for product in products:
        assert call(lambda gate, id=product.id: gate.products.retrieve(id)) == product
    assert next(product.price for product in products if product.id == TRANSFER) == Decimal("4.99")


def test_a_voucher_is_ordered_waited_for_and_revealed(call: Perform, served: Sandbox) -> None:
    pending = ordered(call, external_ref="INV-1001", currency_code="usd")
    assert (pending.status, pending.is_final) == (OrderStatus.PENDING, False)
    assert (pending.charged_amount, pending.currency_code) == (Decimal("12.50"), "USD")
    assert (pending.balance_before, pending.balance_after) == (Decimal("1000.00"), Decimal("987.50"))
    assert pending.created_at is not None
    assert pending.completed_at is pending.failed_at is None
    assert list(content_of(pending)) == ["vendor_order_id"]

    served.clock.advance(seconds=6)
    done = call(lambda gate: gate.orders.wait(pending.id, timeout=10))

    assert (done.id, done.status, done.is_final) == (pending.id, OrderStatus.COMPLETED, True)
    assert (done.external_ref, done.idempotency_key) == ("INV-1001", pending.idempotency_key)
    assert done.completed_at == pending.created_at + timedelta(seconds=5)
    assert type(done.order_content) is OrderContent
    assert len(content_of(done)["voucher_code"]) == 14
    assert available(call) == Decimal("987.50")


def test_a_wait_goes_on_until_the_order_is_through(call: Perform, served: Sandbox) -> None:
    order = ordered(call)
    ringing = threading.Timer(0.4, lambda: served.clock.advance(minutes=1))
    ringing.start()
    done = call(lambda gate: gate.orders.wait(order.id, timeout=20, interval=0.05))
    ringing.join()

    assert done.status is OrderStatus.COMPLETED
    assert served.requests.count("gate.orders.retrieve") > 2


def test_a_wait_ends_with_its_time(call: Perform) -> None:
    order = ordered(call)
    with pytest.raises(DeadlineExceededError, match="its status is 'pending'") as caught:
        call(lambda gate: gate.orders.wait(order.id, timeout=0.3, interval=0.05))
    assert caught.value.operation == "orders.wait"


def test_a_failed_order_is_returned_and_costs_nothing(call: Perform, served: Sandbox) -> None:
    order = ordered(call, external_ref="fail-1")
    assert available(call) == Decimal("987.50")
    served.clock.advance(seconds=6)

    failed = call(lambda gate: gate.orders.wait(order.id, timeout=10))

    assert (failed.status, failed.is_final) == (OrderStatus.FAILED, True)
    assert failed.failed_at is not None
    assert failed.completed_at is None
    assert available(call) == Decimal("1000.00")


def test_a_top_up_is_charged_by_its_amount(call: Perform, served: Sandbox) -> None:
    topup = TopupRequest(amount=Decimal("20.00"), customer_account={"steam_login": "player123"})
    order = ordered(call, product_id=TOPUP, topup_request=topup)
    assert order.charged_amount == Decimal("25.00")
    served.clock.advance(seconds=6)
    assert list(content_of(call(lambda gate: gate.orders.retrieve(order.id)))) == ["vendor_order_id"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"product_id": 999}, "no such product"),
        ({"product_id": TOPUP}, "topup_request: required"),
        ({"currency_code": "KZT"}, "currency_code: the product is in USD"),
        ({"topup_request": TopupRequest(amount=5, customer_account={"a": 1})}, "only for a direct_top_up"),
        (
            {
                "product_id": TOPUP,
                "topup_request": TopupRequest(amount=Decimal("5.50"), customer_account={"a": 1}),
            },
            "in steps of 1",
        ),
        (
            {"product_id": TOPUP, "topup_request": TopupRequest(amount=101, customer_account={"a": 1})},
            "5 to 100",
        ),
        (
            {"product_id": TOPUP, "topup_request": TopupRequest(amount=5, customer_account={})},
            "customer_account: must not be empty",
        ),
    ],
)
def test_what_cannot_be_ordered_is_refused(
    call: Perform, served: Sandbox, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message) as caught:
        ordered(call, **fields)
    assert (caught.value.status, caught.value.outcome) == (400, Outcome.REJECTED)
    assert caught.value.idempotency_key is not None
    assert served.gate_orders() == []


def test_a_balance_that_does_not_suffice_orders_nothing(call: Perform, served: Sandbox) -> None:
    for number in range(16):
        ordered(call, product_id=TRANSFER, external_ref=f"INV-{number}")
    assert available(call, "EUR") == Decimal("0.32")
    with pytest.raises(InvalidRequestError, match="insufficient_balance") as caught:
        ordered(call, product_id=TRANSFER)
    assert caught.value.outcome is Outcome.REJECTED
    assert len(served.gate_orders()) == 16
    assert available(call, "USD") == Decimal("1000.00")


def test_the_same_key_is_the_same_order(call: Perform, served: Sandbox) -> None:
    first = ordered(call, external_ref="INV-1", idempotency_key="order-1001")
    again = ordered(call, external_ref="INV-1", idempotency_key="order-1001")
    assert again == first
    with pytest.raises(OutcomeUnknownError, match="was used with another body") as caught:
        ordered(call, external_ref="INV-2", idempotency_key="order-1001")
    assert (caught.value.status, caught.value.idempotency_key) == (409, "order-1001")
    # A reference is no key.
    assert ordered(call, external_ref="INV-1").id != first.id
    assert len(served.gate_orders()) == 2
    assert available(call) == Decimal("975.00")


def test_what_is_not_there_is_not_found(call: Perform) -> None:
    for operation in (
        lambda gate: gate.orders.retrieve(str(uuid.uuid4())),
        lambda gate: gate.orders.wait(str(uuid.uuid4()), timeout=10),
        lambda gate: gate.products.retrieve(7),
    ):
        with pytest.raises(NotFoundError) as caught:
            call(operation)
        assert caught.value.outcome is Outcome.REJECTED


def test_each_agent_has_its_own_orders_and_balance(call: Perform) -> None:
    order = ordered(call)

    with pytest.raises(NotFoundError):
        call(lambda gate: gate.orders.retrieve(order.id), agent_id=OTHER)
    assert call(lambda gate: gate.orders.list(), agent_id=OTHER) == []
    assert available(call, agent_id=OTHER) == Decimal("1000.00")
    with pytest.raises(PlexyPayError):
        call(lambda gate: gate.balance.retrieve(), agent_id="no-agent")


def test_orders_are_listed_by_pages_and_filters(call: Perform, served: Sandbox) -> None:
    orders = [ordered(call, external_ref=f"INV-{number}") for number in range(5)]
    orders.append(ordered(call, product_id=TRANSFER, external_ref="fail"))
    served.clock.advance(seconds=6)

    listed = call(lambda gate: gate.orders.list(size=2))
    assert [order.id for order in listed] == [order.id for order in reversed(orders)]
    assert served.requests.count("gate.orders.list") == 3
    failed = call(lambda gate: gate.orders.list(status=OrderStatus.FAILED))
    assert [order.id for order in failed] == [orders[-1].id]
    assert len(call(lambda gate: gate.orders.list(product_id=VOUCHER))) == 5
    assert len(call(lambda gate: gate.orders.list(status="completed", product_id=TRANSFER))) == 0


def test_deposits_are_listed(call: Perform) -> None:
    deposits = call(lambda gate: gate.deposits.list())
    posted = [deposit for deposit in deposits if deposit.status == "posted"]

    assert {(deposit.currency_code, deposit.amount) for deposit in posted} == {
        ("USD", Decimal("1000.00")),
        ("EUR", Decimal("100.00")),
    }
    (pending,) = call(lambda gate: gate.deposits.list(status="pending"))
    assert (pending.method, pending.posted_at, pending.external_ref) == ("manual", None, None)
    assert len({deposit.id for deposit in deposits}) == len(deposits) == 3


def test_a_wrong_key_is_refused_and_orders_nothing(call: Perform, served: Sandbox) -> None:
    with pytest.raises(AuthenticationError) as caught:
        call(lambda gate: gate.orders.create(product_id=VOUCHER), api_key="another-key")
    assert (caught.value.status, caught.value.outcome) == (401, Outcome.REJECTED)
    assert served.gate_orders() == []


def test_the_health_is_told(call: Perform) -> None:
    assert call(lambda gate: gate.health.check()).status == "ok"


@pytest.mark.parametrize("fault", ["status=500", "status=503,body=html", "cut=after", "cut=body"])
def test_an_order_survives_a_fault_and_is_one(call: Perform, served: Sandbox, fault: str) -> None:
    served.faults.add(f"{fault},times=1,operation=gate.orders.create")
    order = ordered(call, external_ref="INV-1")

    (kept,) = served.gate_orders()
    assert (kept["id"], kept["external_ref"]) == (order.id, "INV-1")
    assert served.requests.count("gate.orders.create") == 2


def test_an_unknown_order_is_settled_by_its_key(call: Perform, served: Sandbox) -> None:
    served.faults.add("cut=after,operation=gate.*")
    with pytest.raises(PlexyPayError) as caught:
        call(lambda gate: gate.orders.create(product_id=VOUCHER, external_ref="INV-1"), retry=ONCE)
    key = caught.value.idempotency_key
    assert caught.value.outcome is Outcome.UNKNOWN
    assert key is not None
    served.faults.clear()

    (listed,) = [order for order in call(lambda gate: gate.orders.list()) if order.idempotency_key == key]
    assert ordered(call, external_ref="INV-1", idempotency_key=key).id == listed.id
    assert len(served.gate_orders()) == 1


@pytest.mark.parametrize("amount", [10.0, float("nan"), "10.00", True, 0, Decimal(-1), Decimal("NaN")])
def test_an_amount_that_may_be_another_one_is_refused_before_it_is_sent(amount: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"topup_request\.amount"):
        TopupRequest(amount=amount, customer_account={"steam_login": "player123"})


def test_the_state_is_kept_in_a_file_and_forgotten_by_a_reset(tmp_path: Any) -> None:
    for restarted in (False, True):
        with (
            Sandbox(database=tmp_path / "sandbox.sqlite") as sandbox,
            PlexyGate(sandbox.api_key, agent_id=AGENT, base_url=sandbox.base_url) as gate,
        ):
            if not restarted:
                gate.orders.create(product_id=VOUCHER)
                continue
            assert [order["agent_id"] for order in sandbox.gate_orders()] == [AGENT]
            assert len(list(gate.orders.list())) == 1
            sandbox.reset()
            assert sandbox.gate_orders() == []
            assert len(list(gate.deposits.list())) == 3
