"""A transaction that its assumed path does not find is asked for by the search of 2023, on both facades."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    DeadlineExceededError,
    NotFoundError,
    Outcome,
    Payment,
    PlexyPayError,
    RetryPolicy,
    ServiceUnavailableError,
    Transaction,
    UnreadableResponseError,
)
from plexypay_sync import PlexyPay

from .scripted import CODE_1, KEY, NOT_FOUND, SILENCE, Answer, Server, scripted, serving

pytestmark = pytest.mark.asyncio

BY_REFERENCE = "GET /v1/transactions/by-order-reference/ORD-1"
SEARCH = "GET /v1/payments/search"
QUICK = RetryPolicy(max_attempts=3, base=0.002, cap=0.01)
OPERATION = "transactions.retrieve_by_order_reference"

Finding: TypeAlias = Callable[..., Awaitable[Any]]


def payment(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"t-{number}", "orderReference": "ORD-1", "amount": 56.41, "status": "charged", **fields}


async def _async(server: Server, **options: Any) -> Any:
    async with AsyncPlexyPay(KEY, base_url=server.url, **options) as plexy:
        return await plexy.transactions.retrieve_by_order_reference("ORD-1")


async def _sync(server: Server, **options: Any) -> Any:
    def find() -> Any:
        with PlexyPay(KEY, base_url=server.url, **options) as plexy:
            return plexy.transactions.retrieve_by_order_reference("ORD-1")

    return await asyncio.to_thread(find)


@pytest.fixture(params=[_async, _sync], ids=["async", "sync"])
def finding(request: pytest.FixtureRequest) -> Finding:
    facade: Finding = request.param

    def find(server: Server, **options: Any) -> Awaitable[Any]:
        return facade(server, **{"retry": QUICK, "timeout": 10, **options})

    return find


REFUND = payment(9, type="refund", createdAt="2026-03-03T00:00:00Z")
UNTYPED_REFUND = payment(8, originalTransactionId="t-1", createdAt="2026-03-03T00:00:00Z")
NAMELESS_REFUND = {**REFUND, "orderReference": None}
OTHERS = payment(7, orderReference="ORD-7", createdAt="2026-03-04T00:00:00Z")
OLD, NEW = (payment(day, createdAt=f"2026-03-0{day}T00:00:00Z") for day in (1, 2))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (payment(1), "t-1"),
        ([payment(1), payment(2)], "t-1"),
        ([OLD, NEW], "t-2"),
        ({"data": [REFUND, NEW, OLD], "page": 1, "size": 10, "total": 3}, "t-2"),
        ({"payments": [OLD, REFUND]}, "t-1"),
        ([UNTYPED_REFUND, OLD], "t-1"),
        ([OTHERS, OLD], "t-1"),
        ([OTHERS, payment(3, orderReference=None)], "t-3"),
        ([OTHERS, REFUND, NAMELESS_REFUND], "t-9"),
        ([payment(3, orderReference=None), REFUND], "t-9"),
        ([payment(3, orderReference=None, createdAt="2026-03-09T00:00:00Z"), OLD], "t-1"),
    ],
    ids=[
        *(
            "object",
            "list without times",
            "list",
            "page",
            "page under another key",
            "a refund without a type",
        ),
        *("one of another order", "one that names none", "a refund of that reference alone"),
        *("a refund before what names none", "a payment before a newer one that names none"),
    ],
)
async def test_the_search_is_asked_after_a_404(finding: Finding, body: Any, found: str) -> None:
    async with serving({BY_REFERENCE: NOT_FOUND, SEARCH: Answer(200, body)}) as server:
        transaction = await finding(server)

        assert server.script.counts == {BY_REFERENCE: 1, SEARCH: 1}
        assert server.script.seen[-1].query == "orderReference=ORD-1"
    assert type(transaction) is Payment
    assert isinstance(transaction, Transaction)
    assert (transaction.id, transaction.amount) == (found, Decimal("56.41"))
    assert transaction.raw == (body if isinstance(body, dict) else {"data": body})


async def test_what_the_assumed_path_finds_is_not_searched(finding: Finding) -> None:
    async with serving({BY_REFERENCE: Answer(200, payment(1))}) as server:
        assert type(await finding(server)) is Transaction
        assert server.script.counts == {BY_REFERENCE: 1}


async def test_your_own_path_is_taken_at_its_word(finding: Finding) -> None:
    async with serving({"GET /v1/find/ORD-1": NOT_FOUND}) as server:
        with pytest.raises(NotFoundError) as caught:
            await finding(server, paths={OPERATION: "/v1/find/{order_reference}"})
        assert server.script.counts == {"GET /v1/find/ORD-1": 1}
    assert not getattr(caught.value, "__notes__", [])


@pytest.mark.parametrize(
    "answer", [NOT_FOUND, Answer(200, []), Answer(200, {"data": [NAMELESS_REFUND], "total": 1})]
)
async def test_what_neither_finds_is_not_found(finding: Finding, answer: Answer) -> None:
    async with serving({BY_REFERENCE: NOT_FOUND, SEARCH: answer}) as server:
        with pytest.raises(NotFoundError, match="HTTP 404") as caught:
            await finding(server)
        assert server.script.counts == {BY_REFERENCE: 1, SEARCH: 1}
    searched, assumed = caught.value.__notes__
    assert "payments.search (/v1/payments/search), asked after it, found nothing either" in searched
    assert f'paths={{"{OPERATION}"' in assumed
    assert (caught.value.operation, caught.value.outcome) == (OPERATION, Outcome.REJECTED)


async def test_a_search_that_cannot_tell_is_no_not_found(finding: Finding) -> None:
    async with serving({BY_REFERENCE: NOT_FOUND, SEARCH: CODE_1}) as server:
        with pytest.raises(ServiceUnavailableError) as caught:
            await finding(server)
        assert server.script.count(SEARCH) > 1
    assert any("payments.search was asked because" in note for note in caught.value.__notes__)
    assert [type(error) for error in caught.value.attempts] == [NotFoundError]


async def test_a_search_that_breaks_off_is_asked_again(finding: Finding) -> None:
    async with serving({BY_REFERENCE: NOT_FOUND, SEARCH: [CODE_1, Answer(200, payment(1))]}) as server:
        assert (await finding(server)).id == "t-1"
        assert server.script.counts == {BY_REFERENCE: 1, SEARCH: 2}


async def test_the_timeout_is_that_of_both(finding: Finding) -> None:
    async with serving({BY_REFERENCE: NOT_FOUND, SEARCH: SILENCE}) as server:
        with pytest.raises(DeadlineExceededError):
            await finding(server, timeout=0.4)


async def test_the_payment_of_another_order_is_never_returned(finding: Finding) -> None:
    other = Answer(200, [payment(2, orderReference="ORD-2")])
    async with serving({BY_REFERENCE: NOT_FOUND, SEARCH: other}) as server:
        with pytest.raises(UnreadableResponseError, match="order_reference 'ORD-2' instead of 'ORD-1'"):
            await finding(server)


async def test_the_id_decides_where_both_are_given() -> None:
    answer = Answer(200, payment(1, orderReference="ORD-2"))
    async with scripted({SEARCH: answer}, retry=QUICK) as (plexy, script):
        found = await plexy.payments.search(order_reference="ORD-1", transaction_id="t-1")
        assert (found.id, found.order_reference) == ("t-1", "ORD-2")
        assert "transactionId=t-1" in script.seen[-1].query
        with pytest.raises(PlexyPayError, match="id 't-1' instead of 't-2'"):
            await plexy.payments.search(transaction_id="t-2")


@pytest.mark.parametrize("wanted", ["t-1", "t-2", "t-8", "t-9"])
async def test_the_id_is_found_among_others_of_whatever_kind(wanted: str) -> None:
    found = Answer(200, [NEW, REFUND, UNTYPED_REFUND, OLD, OTHERS])
    async with scripted({SEARCH: found}, retry=QUICK) as (plexy, script):
        assert (await plexy.payments.search(transaction_id=wanted)).id == wanted
        assert script.counts == {SEARCH: 1}
        with pytest.raises(PlexyPayError, match="id 't-2' instead of 't-5'"):
            await plexy.payments.search(transaction_id="t-5")


async def test_calls_at_once_get_each_its_own() -> None:
    async with scripted({SEARCH: Answer(200, [OLD, NEW, REFUND])}) as (plexy, _):
        names = ["t-1", "t-2", "t-9"] * 5
        found = await asyncio.gather(*(plexy.payments.search(transaction_id=name) for name in names))
    assert [each.id for each in found] == names


async def test_the_note_names_the_path_that_was_asked(finding: Finding) -> None:
    async with serving({BY_REFERENCE: NOT_FOUND, "GET /v1/find": NOT_FOUND}) as server:
        with pytest.raises(NotFoundError) as caught:
            await finding(server, paths={"payments.search": "/v1/find"})
    assert "payments.search (/v1/find), asked after it" in caught.value.__notes__[0]


async def test_a_list_without_a_payment_is_not_found() -> None:
    async with scripted({SEARCH: Answer(200, {"data": [NAMELESS_REFUND], "total": 1})}, retry=QUICK) as (
        plexy,
        script,
    ):
        with pytest.raises(NotFoundError, match=r"payments\.search: none of the 1 in the answer") as caught:
            await plexy.payments.search(order_reference="ORD-1")
        assert script.counts == {SEARCH: 1}
    assert (caught.value.operation, caught.value.outcome) == ("payments.search", Outcome.REJECTED)
    assert caught.value.order_reference == "ORD-1"


async def test_a_lost_refund_that_is_not_found_may_be_at_work_still() -> None:
    async with scripted({SEARCH: NOT_FOUND}, retry=QUICK) as (plexy, _):
        with pytest.raises(NotFoundError) as caught:
            await plexy.payments.search(order_reference="ORD-1-refund-1")
    (note,) = caught.value.__notes__
    assert "A refund whose answer was lost may be at work still for a while: look again" in note
    assert "transactions.history of the payment shows it too" in note


async def test_a_search_for_nothing_is_not_sent() -> None:
    async with scripted({SEARCH: NOT_FOUND}, retry=QUICK) as (plexy, script):
        with pytest.raises(ConfigurationError, match="give one of them"):
            await plexy.payments.search()
        with pytest.raises(ConfigurationError, match="order_reference: must not be empty"):
            await plexy.payments.search(order_reference="", transaction_id="t-1")
        assert script.counts == {}
