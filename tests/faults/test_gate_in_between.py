"""What something in between answers for the Gate API: by it no order is claimed, and none denied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from plexypay_async import AsyncPlexyGate, NotFoundError, Outcome, OutcomeUnknownError, PlexyPayError
from plexypay_async.gate import Order
from plexypay_sync import PlexyGate

from .failures import THREE
from .scripted import DROP, ONCE, Answer, Cut, Step, serving

pytestmark = pytest.mark.asyncio

KEY = "gate_0123456789abcdef0123456789abcdef"
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
ORDERS = f"/agent/{AGENT}/orders"
CREATE = f"POST {ORDERS}"
PAGE = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
BODIES: dict[str, Any] = {
    "a code": {"code": "request_timeout", "message": "no answer in time"},
    "a number": {"code": 7, "message": "no answer in time"},
    "an error": {"error": "no answer in time"},
    "an error inside": {"error": {"code": "unavailable", "message": "no answer in time"}},
    "a page": PAGE,
    "nothing": b"",
}
LONG = "The request was accepted by the edge, and nothing is known of what became of it there."
FOREIGN: dict[str, Step] = {
    "an id and a state": Answer(200, {"id": "req-1", "status": "accepted"}),
    "an id and an error": Answer(201, {"id": "req-1", "status": "error", "message": LONG}),
    "accepted": Answer(202, {"id": "req-1", "status": "queued"}),
    "an id that is a number": Answer(200, {"id": 17, "status": "error"}),
    "a state that is a number": Answer(200, {"id": "req-1", "status": 503}),
    "an id alone": Answer(200, {"id": "req-1", "message": LONG}),
    "a message": Answer(200, {"message": LONG}),
    "a code": Answer(200, {"code": 404}),
    "a cut state": Cut(Answer(200, {"status": "error", "message": LONG})),
    "a cut id and state": Cut(Answer(201, {"id": "req-1", "status": "error", "message": LONG})),
    "nothing": Answer(201),
    "no content": Answer(204),
    "a page": Answer(200, PAGE),
}


@pytest.fixture(params=["async", "sync"])
def waited(request: pytest.FixtureRequest) -> Callable[[Sequence[Step]], Awaitable[tuple[Any, int]]]:
    """Wait for an order on one of the facades; return what came of it, and how often it was asked for."""

    def in_thread(options: dict[str, Any]) -> Order:
        with PlexyGate(KEY, **options) as gate:
            return gate.orders.wait("o-1", timeout=20, interval=0.005)

    async def wait(steps: Sequence[Step]) -> tuple[Any, int]:
        async with serving({f"GET {ORDERS}/o-1": list(steps)}) as server:
            options: dict[str, Any] = {"agent_id": AGENT, "base_url": server.url, "retry": ONCE}
            try:
                if request.param == "sync":
                    return await asyncio.to_thread(in_thread, options), server.script.count()
                async with AsyncPlexyGate(KEY, **options) as gate:
                    return await gate.orders.wait("o-1", timeout=20, interval=0.005), server.script.count()
            except PlexyPayError as error:
                return error, server.script.count()

    return wait


async def ordered(*steps: Step) -> tuple[Order | PlexyPayError, list[str]]:
    """Order something, and return what came of it, with the keys that the server saw."""
    async with (
        serving({CREATE: list(steps)}) as server,
        AsyncPlexyGate(KEY, agent_id=AGENT, base_url=server.url, retry=THREE, timeout=5.0) as gate,
    ):
        result: Order | PlexyPayError
        try:
            result = await gate.orders.create(product_id=101, idempotency_key="order-1001")
        except PlexyPayError as error:
            result = error
        return result, [seen.headers["idempotency-key"] for seen in server.script.seen]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("status", [302, 402, 408, 409, 410, 422, 425, 499, 501, 520])
async def test_whoever_says_it_a_status_that_may_come_after_the_work_denies_nothing(
    status: int, body: Any
) -> None:
    result, keys = await ordered(Answer(status, body, {"Location": "/elsewhere"}))

    assert type(result) is OutcomeUnknownError
    assert result.status == status
    assert result.idempotency_key == "order-1001"
    assert "idempotency_key='order-1001' is safe to repeat" in str(result)
    # What has run out of time is asked again, with the same key.
    assert keys == ["order-1001"] * (3 if status in (408, 425, 499) else 1)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_a_status_that_is_given_before_any_work_denies_it_unless_it_was_sent_before(
    status: int, body: Any
) -> None:
    result, keys = await ordered(Answer(status, body))
    assert isinstance(result, PlexyPayError)
    assert (result.outcome, keys) == (Outcome.REJECTED, ["order-1001"])

    result, keys = await ordered(DROP, Answer(status, body))
    assert isinstance(result, OutcomeUnknownError)
    assert keys == ["order-1001"] * 2


@pytest.mark.parametrize("step", FOREIGN.values(), ids=FOREIGN)
async def test_a_success_that_names_nothing_of_the_order_is_none(step: Step) -> None:
    result, keys = await ordered(step)

    assert type(result) is OutcomeUnknownError
    assert result.outcome is Outcome.UNKNOWN
    assert result.idempotency_key == "order-1001"
    assert keys == ["order-1001"] * 3


@pytest.mark.parametrize("named", [{"idempotency_key": "order-1001"}, {"product_id": 101}], ids=str)
async def test_an_order_that_names_what_was_asked_for_is_taken(named: dict[str, Any]) -> None:
    order = {"id": "5c1f4f9d", "status": "pending", **named}
    for steps in ([Answer(201, order)], [Answer(202, order)], [Answer(409, {"code": "busy"})]):
        result, keys = await ordered(DROP, *steps)
        assert keys == ["order-1001"] * 2
        if steps[0].status == 409:
            assert isinstance(result, OutcomeUnknownError)
        else:
            assert isinstance(result, Order)
            assert result.id == "5c1f4f9d"


async def test_an_order_that_is_cut_is_done_where_it_names_the_key() -> None:
    order = {"id": "5c1f4f9d", "idempotency_key": "order-1001", "status": "pending", "region_code": LONG}
    result, _ = await ordered(Cut(Answer(201, order)))

    assert isinstance(result, PlexyPayError)
    assert result.outcome is Outcome.DONE


def seen(status: str) -> Answer:
    return Answer(200, {"id": "o-1", "product_id": 101, "status": status})


@pytest.mark.parametrize("status", [408, 425, 429, 499, 500, 502, 503, 504, 520])
async def test_an_order_is_waited_for_while_something_in_between_runs_out_of_time(
    waited: Callable[[Sequence[Step]], Awaitable[tuple[Any, int]]], status: int
) -> None:
    away = [Answer(status, PAGE), Answer(status, {"code": "timeout"})]
    order, asked = await waited([*away, seen("pending"), *away, seen("completed")])

    assert (order.status, asked) == ("completed", 6)


async def test_an_order_that_was_there_is_waited_for_though_something_does_not_find_it(
    waited: Callable[[Sequence[Step]], Awaitable[tuple[Any, int]]],
) -> None:
    order, asked = await waited([seen("pending"), Answer(404, PAGE), Answer(404), seen("failed")])
    assert (order.status, asked) == ("failed", 4)

    missing, asked = await waited([Answer(404, {"message": "order not found"}), seen("failed")])
    assert (type(missing), asked) == (NotFoundError, 1)
