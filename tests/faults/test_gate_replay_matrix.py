"""Each operation of the Gate API through every way to fail: what the server saw, and what was raised."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import attrs
import pytest

from plexypay_async import AsyncPlexyGate, Outcome, PlexyPayError, Replay, RetryPolicy
from plexypay_async.api.index import every_declaration
from plexypay_async.gate.description import GATE

from .failures import HELD, THREE, UNREACHABLE, Cell, cells_of, failing
from .scripted import DROP, RESET, SILENCE, Answer, Cut, Script, Step, serving

pytestmark = pytest.mark.asyncio

KEY = "gate_0123456789abcdef0123456789abcdef"
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
ID = "5c1f4f9d-8b5a-4e8b-8c0e-1d1c2f3a4b5c"
PLACE = f"/agent/{AGENT}"

# As in the matrix of the Pay API: "3/2 Name" is three requests where it fails so for ever, and two where it
# fails once; "1/- Name" is raised at once. No error of this API is published, so that a 5xx, whoever it is
# from, may have done the work, and 400, 401, 404 and 429 alone have not.
MATRIX = """
failure            | safe                   | same key               | outcome
connection refused | 0/- Connect            | 0/- Connect            | not_sent
connect timed out  | 0/- Connect            | 0/- Connect            | not_sent
no slot in time    | 0/- DeadlineExceeded   | 0/- DeadlineExceeded   | not_sent
429                | 3/2 RateLimited        | 3/2 RateLimited        | rejected
400                | 1/- InvalidRequest     | 1/- InvalidRequest     | rejected
401                | 1/- Authentication     | 1/- Authentication     | rejected
404                | 1/- NotFound           | 1/- NotFound           | rejected
500                | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
502 of a gateway   | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
503 of a gateway   | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
504 of a gateway   | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
silent server      | 3/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
closed             | 6/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
reset              | 6/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
deadline           | 1/- DeadlineExceeded   | 1/- DeadlineExceeded   | unknown
cut in its body    | 3/2 UnreadableResponse | 3/2 UnreadableResponse | done
"""
CELLS = cells_of(MATRIX)
PAGE = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
ANSWERED: dict[str, Step] = {
    "429": Answer(429),
    "400": Answer(400, {"code": "insufficient_balance", "message": "the balance does not suffice"}),
    "401": Answer(401, {"message": "who are you?"}),
    "404": Answer(404, {"message": "there is none"}),
    "500": Answer(500, {"message": "something went wrong"}),
    **{f"{status} of a gateway": Answer(status, PAGE) for status in (502, 503, 504)},
    "silent server": SILENCE,
    "closed": DROP,
    "reset": RESET,
    "deadline": SILENCE,
}
ORDER = {"status": "pending", "product_id": 101, "id": ID, "external_ref": "INV-1", "order_content": None}


@attrs.frozen
class Subject:
    """One operation, and how it is asked for."""

    name: str
    route: str
    success: Any
    call: Callable[[AsyncPlexyGate], Awaitable[Any]]

    @property
    def replay(self) -> Replay:
        return DECLARED[self.name].replay

    def answer(self) -> Answer:
        return Answer(201 if self.replay is Replay.SAME_KEY else 200, self.success)


def _page(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "page": 1, "pageSize": 100, "total": len(items)}


DECLARED = {declaration.name: declaration for declaration in every_declaration(GATE)}
SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject(
            "product_types.list",
            f"GET {PLACE}/product-types",
            [{"id": 1, "code": "redeem_card", "name": "Redeemable Card"}],
            lambda gate: gate.product_types.list().first_page(),
        ),
        Subject(
            "product_categories.list",
            f"GET {PLACE}/product-categories",
            _page({"id": 10}),
            lambda gate: gate.product_categories.list().first_page(),
        ),
        Subject(
            "products.list",
            f"GET {PLACE}/products",
            _page({"id": 101, "name": "Game Card"}),
            lambda gate: gate.products.list().first_page(),
        ),
        Subject(
            "products.retrieve",
            f"GET {PLACE}/products/101",
            {"id": 101, "name": "Game Card"},
            lambda gate: gate.products.retrieve(101),
        ),
        Subject(
            "orders.list",
            f"GET {PLACE}/orders",
            _page(ORDER),
            lambda gate: gate.orders.list().first_page(),
        ),
        Subject(
            "orders.create",
            f"POST {PLACE}/orders",
            ORDER,
            lambda gate: gate.orders.create(product_id=101, external_ref="INV-1"),
        ),
        Subject(
            "orders.retrieve",
            f"GET {PLACE}/orders/{ID}",
            ORDER,
            lambda gate: gate.orders.retrieve(ID),
        ),
        Subject(
            "balance.retrieve",
            f"GET {PLACE}/balance",
            {"items": [{"currency_code": "USD", "available": "87.50"}]},
            lambda gate: gate.balance.retrieve(),
        ),
        Subject(
            "deposits.list",
            f"GET {PLACE}/deposits",
            _page({"id": 1, "currency_code": "USD", "amount": "1.00", "status": "posted"}),
            lambda gate: gate.deposits.list().first_page(),
        ),
        Subject("health.check", "GET /health", {"status": "ok"}, lambda gate: gate.health.check()),
    )
}
OF_CLASS = {
    "safe": [subject for subject in SUBJECTS.values() if subject.replay is Replay.SAFE],
    "same key": [subject for subject in SUBJECTS.values() if subject.replay is Replay.SAME_KEY],
}
EVERY = [(subject, cell) for cell in CELLS for subject in OF_CLASS[cell.subject]]
PASSING = [(subject, cell) for subject, cell in EVERY if cell.failure in (*ANSWERED, "cut in its body")]
client = partial(AsyncPlexyGate, KEY, agent_id=AGENT)


def _named(value: Subject | Cell) -> str:
    return value.name if isinstance(value, Subject) else value.failure


def _failing(subject: Subject, cell: Cell) -> Step:
    return ANSWERED.get(cell.failure, Cut(subject.answer()))


def _check_what_was_sent(subject: Subject, script: Script) -> None:
    """Every sending is the same, and carries the same key, where there is one."""
    sent = [seen for seen in script.seen if seen.route == subject.route]
    assert len({(seen.query, seen.body) for seen in sent}) <= 1
    assert {seen.headers["authorization"] for seen in sent} <= {KEY}
    keys = {seen.headers.get("idempotency-key") for seen in sent}
    if subject.replay is not Replay.SAME_KEY:
        assert keys <= {None}
    elif sent:
        (key,) = keys
        assert uuid.UUID(str(key)).version == 4


async def test_the_matrix_is_whole() -> None:
    failures = {*ANSWERED, "cut in its body", *UNREACHABLE, "no slot in time"}

    assert set(SUBJECTS) == set(DECLARED)
    assert sum(map(len, OF_CLASS.values())) == len(SUBJECTS) == 10
    assert [subject.name for subject in OF_CLASS["same key"]] == ["orders.create"]
    assert {cell.failure for cell in CELLS} == failures
    assert len(CELLS) == len(failures) * len(OF_CLASS)


@pytest.mark.parametrize(("subject", "cell"), EVERY, ids=_named)
async def test_a_failure_that_lasts(subject: Subject, cell: Cell) -> None:
    routes = {subject.route: [_failing(subject, cell)], **HELD}
    async with failing(cell.failure, routes, client) as (gate, script):
        with pytest.raises(PlexyPayError) as caught:
            await subject.call(gate)
        error = caught.value
    assert type(error) is cell.error
    assert error.outcome is cell.outcome
    assert error.operation == subject.name
    assert script.count(subject.route) == cell.requests
    _check_what_was_sent(subject, script)
    if subject.replay is Replay.SAME_KEY:
        keys = {seen.headers["idempotency-key"] for seen in script.seen if seen.route == subject.route}
        assert error.idempotency_key is not None
        assert keys <= {error.idempotency_key}
        if error.outcome is Outcome.UNKNOWN:
            assert f"idempotency_key='{error.idempotency_key}' is safe to repeat" in str(error)


@pytest.mark.parametrize(("subject", "cell"), PASSING, ids=_named)
async def test_a_failure_that_passes(subject: Subject, cell: Cell) -> None:
    routes = {subject.route: [_failing(subject, cell), subject.answer()]}
    async with failing(cell.failure, routes, client) as (gate, script):
        if cell.once is None:
            with pytest.raises(cell.error) as caught:
                await subject.call(gate)
            assert caught.value.outcome is cell.outcome
            assert script.count(subject.route) == 1
        else:
            assert await subject.call(gate) is not None
            assert script.count(subject.route) == cell.once
    _check_what_was_sent(subject, script)


@pytest.mark.parametrize(
    "other",
    [{"external_ref": "INV-2"}, {"product_id": 7}, {"idempotency_key": "another"}],
    ids=lambda other: next(iter(other)),
)
async def test_the_answer_to_another_order_is_not_taken(other: dict[str, Any]) -> None:
    subject = SUBJECTS["orders.create"]
    routes = {subject.route: [Answer(201, {**ORDER, **other}), subject.answer()]}
    async with serving(routes) as server, client(base_url=server.url, retry=THREE) as gate:
        order = await gate.orders.create(product_id=101, external_ref="INV-1", idempotency_key="mine")
    assert (order.id, order.external_ref) == (ID, "INV-1")
    assert [seen.headers["idempotency-key"] for seen in server.script.seen] == ["mine", "mine"]


async def test_an_order_under_the_callers_key_keeps_it() -> None:
    subject = SUBJECTS["orders.create"]
    routes = {subject.route: [DROP, ANSWERED["500"], ANSWERED["429"]]}
    async with serving(routes) as server, client(base_url=server.url, retry=THREE) as gate:
        with pytest.raises(PlexyPayError, match="idempotency_key='order-1001' is safe") as caught:
            await gate.orders.create(product_id=101, idempotency_key="order-1001")
    # That the last attempt did nothing does not say so of the others.
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.idempotency_key == "order-1001"
    assert {seen.headers["idempotency-key"] for seen in server.script.seen} == {"order-1001"}


async def test_a_key_of_another_order_is_told_and_not_sent_again() -> None:
    subject = SUBJECTS["orders.create"]
    refusal = Answer(409, {"code": "idempotency_conflict", "message": "used with another body"})
    async with serving({subject.route: refusal}) as server, client(base_url=server.url, retry=THREE) as gate:
        with pytest.raises(PlexyPayError) as caught:
            await gate.orders.create(product_id=101, idempotency_key="order-1001")
    # It may be of this very order, whose first request is still at work.
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.idempotency_key == "order-1001"
    assert "used with another body" in str(caught.value)
    assert server.script.count() == 1


async def test_the_same_answer_to_the_same_key_is_no_stale_one() -> None:
    """It comes byte for byte on the same connection, and names the key that it is the answer to."""
    subject = SUBJECTS["orders.create"]
    ref = {**ORDER, "external_ref": "", "idempotency_key": "order-1001"}
    once = RetryPolicy(max_attempts=1)
    async with (
        serving({subject.route: Answer(201, ref)}) as server,
        client(base_url=server.url, retry=once) as gate,
    ):
        orders = [await gate.orders.create(product_id=101, idempotency_key="order-1001") for _ in range(3)]
    assert [order.id for order in orders] == [ID] * 3
    assert (server.script.count(), server.script.connections) == (3, 1)


async def test_an_answer_of_an_earlier_key_is_not_taken_for_that_of_a_later_one() -> None:
    subject = SUBJECTS["orders.create"]
    first = {**ORDER, "idempotency_key": "first"}
    steps = [
        Answer(201, first),
        Answer(201, first),
        Answer(201, {**first, "id": "2", "idempotency_key": "2"}),
    ]
    async with serving({subject.route: steps}) as server, client(base_url=server.url, retry=THREE) as gate:
        made = [await gate.orders.create(product_id=101, idempotency_key=key) for key in ("first", "2")]
    assert [order.id for order in made] == [ID, "2"]
    assert server.script.count() == 3
