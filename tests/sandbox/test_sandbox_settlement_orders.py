"""Settlement payment orders over real HTTP: repeatable by their ``requestId``, and paid by the clock."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from plexypay_async.api.operation import declarations
from plexypay_async.pay.settlement_orders import SettlementOrders
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

ORDERS = "/v1/merchants/settlement-payment-orders"
ORDER = {"amount": 10_000, "currency": "KZT", "beneficiary_id": "aed26d75-2c00-49a1-a626-14d45b8f0dfb"}


async def test_every_declared_operation_is_served(sandbox: Sandbox) -> None:
    declared = {item.name: (item.method, item.path) for item in declarations(SettlementOrders).values()}
    assert len(declared) == 3
    assert {name: at for name, at in sandbox.served().items() if name in declared} == declared


async def test_an_order_has_the_fields_of_its_webhook(ask: Any, example: Callable[[str], Any]) -> None:
    published = example("webhook-payment-order.json")["data"]
    status, order, headers = await ask("POST", ORDERS, ORDER | {"requestId": "r-1"})
    assert status == 201
    assert "X-Evidence" not in headers
    assert order.keys() == published.keys() | {"id"}
    assert {name: type(order[name]) for name in published} == {
        name: type(value) for name, value in published.items()
    }
    assert order.items() >= ORDER.items()
    assert order["status"] == "created"
    assert order["id"] == order["payment_order_id"] == str(uuid.UUID(order["id"]))
    assert order["merchant_id"] == (await ask("GET", "/v1/merchants/me")).body["id"]


async def test_retrieve_shows_the_order_as_created(ask: Any) -> None:
    _, order, _ = await ask("POST", ORDERS, ORDER)
    status, found, headers = await ask("GET", f"{ORDERS}/{order['id']}")
    assert (status, found, headers["X-Evidence"]) == (200, order, "assumed")


async def test_an_id_that_is_not_known(ask: Any) -> None:
    status, body, headers = await ask("GET", f"{ORDERS}/none")
    assert (status, headers["X-Evidence"]) == (404, "assumed")
    assert body == {
        "code": 4,
        "message": "settlement payment order not found",
        "source": "settlementPaymentOrders",
        "type": "apiError",
    }


@pytest.mark.parametrize("amount", [1, 10_000, 2**53 + 1, 56.41, 0.1, 1e22])
async def test_an_amount_comes_back_as_it_was_posted(ask: Any, amount: float) -> None:
    _, order, _ = await ask("POST", ORDERS, ORDER | {"amount": amount})
    assert (order["amount"], type(order["amount"])) == (amount, type(amount))
    assert (await ask("GET", f"{ORDERS}/{order['id']}")).body == order


async def test_the_same_request_id_and_body_find_the_same_order(ask: Any) -> None:
    body = ORDER | {"requestId": "r-1"}
    first = await ask("POST", ORDERS, body)
    second = await ask("POST", ORDERS, dict(reversed(body.items())))
    assert (second.status, second.body) == (first.status, first.body) == (201, first.body)
    assert (await ask("GET", ORDERS)).body["total"] == 1


@pytest.mark.parametrize(
    "other", [{"amount": 10_001}, {"currency": "USD"}, {"beneficiary_id": None}, {"note": "x"}]
)
async def test_the_same_request_id_with_another_body_is_refused(ask: Any, other: dict[str, Any]) -> None:
    body = ORDER | {"requestId": "r-1"}
    _, order, _ = await ask("POST", ORDERS, body)
    status, refusal, _ = await ask("POST", ORDERS, body | other)
    assert (status, refusal) == (
        422,
        {
            "code": 5,
            "message": "requestId: was used with another body",
            "source": "settlementPaymentOrders",
            "type": "validationError",
        },
    )
    assert (await ask("GET", ORDERS)).body["data"] == [order]


async def test_without_a_request_id_each_order_is_a_new_one(ask: Any) -> None:
    ids = {(await ask("POST", ORDERS, ORDER)).body["id"] for _ in range(3)}
    assert len(ids) == 3


async def test_a_race_for_one_request_id_makes_one_order(ask: Any) -> None:
    replies = await asyncio.gather(*(ask("POST", ORDERS, ORDER | {"requestId": "r-1"}) for _ in range(30)))
    assert len({reply.body["id"] for reply in replies}) == 1
    assert (await ask("GET", ORDERS)).body["total"] == 1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "body: not valid JSON: "),
        (b"[]", 400, "body: expected a JSON object, got an array"),
        ({"currency": "KZT"}, 400, "amount: required"),
        ({"amount": 1}, 400, "currency: required"),
        (ORDER | {"amount": "1"}, 400, "amount: expected a number, got a string"),
        (ORDER | {"amount": True}, 400, "amount: expected a number, got a boolean"),
        (ORDER | {"amount": 0}, 422, "amount: must be positive, got 0"),
        (ORDER | {"amount": -0.5}, 422, "amount: must be positive, got -0.5"),
        (ORDER | {"currency": "tenge"}, 422, "currency: expected three letters such as KZT, got 'tenge'"),
        (ORDER | {"beneficiary_id": 7}, 400, "beneficiary_id: expected a string, got an integer"),
        (ORDER | {"requestId": 7}, 400, "requestId: expected a string, got an integer"),
        (ORDER | {"requestId": ""}, 422, "requestId: must not be empty"),
    ],
)
async def test_what_cannot_be_is_refused(ask: Any, body: Any, status: int, message: str) -> None:
    answered, refusal, _ = await ask("POST", ORDERS, body)
    assert (answered, refusal["code"]) == (status, {400: 3, 422: 5}[status])
    assert refusal["message"].startswith(message)
    assert (await ask("GET", ORDERS)).body["total"] == 0


async def test_an_order_is_paid_after_ten_minutes(ask: Any, sandbox: Sandbox) -> None:
    _, first, _ = await ask("POST", ORDERS, ORDER | {"requestId": "r-1"})
    sandbox.clock.advance(minutes=9)
    assert (await ask("GET", f"{ORDERS}/{first['id']}")).body == first
    _, second, _ = await ask("POST", ORDERS, ORDER)
    sandbox.clock.advance(minutes=1)
    assert [order["status"] for order in (await ask("GET", ORDERS)).body["data"]] == ["created", "paid"]
    assert (await ask("GET", f"{ORDERS}/{first['id']}")).body == first | {"status": "paid"}
    repeated = await ask("POST", ORDERS, ORDER | {"requestId": "r-1"})
    assert (repeated.status, repeated.body) == (201, first | {"status": "paid"})
    sandbox.clock.advance(minutes=9)
    assert (await ask("GET", f"{ORDERS}/{second['id']}")).body["status"] == "paid"


async def test_the_list_is_paged_the_newest_first(ask: Any) -> None:
    made = [(await ask("POST", ORDERS, ORDER | {"amount": number})).body for number in range(1, 8)]
    status, page, headers = await ask("GET", f"{ORDERS}?page=2&size=3")
    assert (status, headers["X-Evidence"]) == (200, "assumed")
    assert page == {"data": made[::-1][3:6], "page": 2, "size": 3, "total": 7}
    assert (await ask("GET", f"{ORDERS}?page=0")).status == 400
    past = await ask("GET", f"{ORDERS}?page=999999999999999999&size=100")
    assert (past.status, past.body["data"], past.body["total"]) == (200, [], 7)


async def test_a_paid_order_stays_paid_in_the_next_sandbox(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    path = tmp_path / "sandbox.db"
    async with Sandbox(database=path) as first:
        order = await sent(first, session, "POST", ORDERS, ORDER | {"requestId": "r-1"})
        first.clock.advance(minutes=10)
        paid = await sent(first, session, "GET", f"{ORDERS}/{order['id']}")
        assert paid["status"] == "paid"
    async with Sandbox(database=path) as second:
        assert await sent(second, session, "GET", f"{ORDERS}/{order['id']}") == paid
        assert await sent(second, session, "POST", ORDERS, ORDER | {"requestId": "r-1"}) == paid


async def sent(
    sandbox: Sandbox, session: aiohttp.ClientSession, method: str, path: str, body: Any = None
) -> Any:
    headers = {"Authorization": sandbox.api_key}
    async with session.request(method, sandbox.base_url + path, json=body, headers=headers) as response:
        return await response.json()


async def test_a_reset_forgets_orders(ask: Any, sandbox: Sandbox) -> None:
    _, order, _ = await ask("POST", ORDERS, ORDER | {"requestId": "r-1"})
    sandbox.reset()
    assert (await ask("GET", ORDERS)).body["data"] == []
    _, again, _ = await ask("POST", ORDERS, ORDER | {"requestId": "r-1"})
    assert again["id"] != order["id"]
