"""A job without a journal: no two of its rows share a link, and a row whose reference exists is looked up."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    BulkResult,
    ConfigurationError,
    CreatePaymentLink,
    OrderReferenceConflictError,
    Outcome,
    UnprocessableError,
)
from plexypay_async._files.sqlite_file import TemporaryFolderError
from plexypay_async.bulk import earlier_rows
from plexypay_async.bulk.earlier_rows import OrderReferences
from plexypay_async.bulk.intake import RequestSource

from .ledger_server import Ledger, ledger
from .rows import a_client, row, rows, run

pytestmark = pytest.mark.asyncio


def refusing(server: Ledger) -> Ledger:
    server.refuse_taken = True
    return server


async def lost(_: str) -> bool:
    """A hook after the work, with which its answer is lost."""
    return False


def told(results: list[BulkResult]) -> dict[int, Any]:
    """What a caller would act on, by index."""
    return {
        result.index: (result.link_id, type(result.error), result.recovered, result.repeats)
        for result in results
    }


# -------------------------------------------------------------------------------------------------- repeats


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("apart", [0, 300])
@pytest.mark.parametrize("amount", [1, 9], ids=["the same data", "other data"])
async def test_a_row_whose_reference_an_earlier_one_has_is_not_sent(
    apart: int, ordered: bool, amount: int
) -> None:
    links = [*rows(apart + 1), row(0, amount=amount), *rows(5, 1000)]
    async with ledger() as server, a_client(server) as plexy:
        results = await run(plexy, links, ordered=ordered)
        assert server.twice == []
        assert server.creates["ORD-0"] == 1
    if ordered:
        assert [result.index for result in results] == list(range(apart + 7))
    repeated = [result for result in results if result.repeats is not None]
    assert [(result.index, result.repeats, result.link) for result in repeated] == [(apart + 1, 0, None)]
    error = repeated[0].error
    assert isinstance(error, ConfigurationError)
    assert error.outcome is Outcome.NOT_SENT
    assert error.order_reference == "ORD-0"
    assert str(error) == (
        f"row {apart + 1}: not sent: row 0 of this job has the order reference 'ORD-0' already; see the"
        " result of that row for the link, and give this one a reference of its own if it is another order"
    )
    assert all(result.link is not None for result in results if result.repeats is None)


async def test_a_row_is_not_sent_while_the_one_that_it_repeats_is_under_way() -> None:
    seen, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: str) -> bool:
        seen.set()
        await go_on.wait()
        return True

    async def links() -> AsyncIterator[CreatePaymentLink]:
        yield row(0)
        await seen.wait()
        yield row(0)

    async with ledger() as server, a_client(server) as plexy:
        server.before, server.after = wait, lost
        results: list[BulkResult] = []
        async with asyncio.timeout(20):
            async for result in plexy.payment_links.create_many(links(), concurrency=2):
                results.append(result)
                go_on.set()
        assert server.creates.total() == 1
    assert told(results) == {
        1: (None, ConfigurationError, False, 0),
        0: ("pl_ORD-0_0", type(None), True, None),
    }
    assert [result.index for result in results] == [1, 0]


async def test_rows_without_a_reference_repeat_none() -> None:
    source = RequestSource([])
    source.references = OrderReferences()
    items = [source._item(row(0, order_reference=None)) for _ in range(3)]  # pyright: ignore[reportPrivateUsage]
    assert [item.result for item in items if item is not None] == [None] * 3


# --------------------------------------------------------------------- references that leave the memory


@pytest.fixture
def few_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_rows, "KEPT_IN_MEMORY", 600)


@pytest.mark.usefixtures("few_in_memory")
async def test_a_row_far_behind_the_one_that_it_repeats_is_not_sent() -> None:
    links = [*rows(2000), row(3), *rows(5, 3000), row(1900), row(3)]
    async with ledger() as server, a_client(server) as plexy:
        results = await run(plexy, links)
        assert server.twice == []
        assert server.creates.total() == 2005
    repeats = {result.index: result.repeats for result in results if result.repeats is not None}
    assert repeats == {2000: 3, 2006: 1900, 2007: 3}


@pytest.mark.usefixtures("few_in_memory")
async def test_the_references_are_those_of_a_dict() -> None:
    chance = random.Random(5)
    references, expected = OrderReferences(), dict[str, int]()
    for index in range(20_000):
        reference = f"ORD-{chance.randrange(6000)}"
        assert references.first(reference, index) == expected.setdefault(reference, index)
        if chance.random() < 0.1:
            forgotten = f"ORD-{chance.randrange(6000)}"
            references.forget(forgotten)
            expected.pop(forgotten, None)
    in_memory = references._latest  # pyright: ignore[reportPrivateUsage]
    assert len(in_memory) <= 601
    assert len(expected) > 4000
    references.close()


@pytest.mark.usefixtures("few_in_memory")
async def test_without_room_in_the_temporary_folder_all_stay_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_room(_: str) -> Any:
        raise TemporaryFolderError("there is no room")

    monkeypatch.setattr(earlier_rows, "temporary_database", without_room)
    references = OrderReferences()
    for index in range(2000):
        assert references.first(f"ORD-{index}", index) == index
    assert [references.first(f"ORD-{index}", 3000) for index in (0, 700, 1999)] == [0, 700, 1999]


@pytest.mark.usefixtures("few_in_memory")
async def test_a_temporary_file_that_can_no_longer_be_read_ends_the_job() -> None:
    references = OrderReferences()
    for index in range(2000):
        references.first(f"ORD-{index}", index)
    database = references._database  # pyright: ignore[reportPrivateUsage]
    assert database is not None
    database.execute("DROP TABLE claimed")
    with pytest.raises(ConfigurationError, match="order references of earlier rows, in the temporary folder"):
        references.first("ORD-0", 2000)
    references.close()


# ------------------------------------------------------------------------------------- rows that come again


async def twice(server: Ledger, first: CreatePaymentLink, second: CreatePaymentLink) -> list[BulkResult]:
    """The results of a row that comes again once the first has its result."""
    had = asyncio.Event()

    async def links() -> AsyncIterator[CreatePaymentLink]:
        yield first
        await had.wait()
        yield second

    results: list[BulkResult] = []
    async with a_client(server) as plexy, asyncio.timeout(20):
        async for result in plexy.payment_links.create_many(links(), concurrency=1):
            results.append(result)
            had.set()
    return results


async def test_a_row_that_failed_may_come_again() -> None:
    async with ledger() as server:

        async def refuse_once(reference: str) -> bool:
            server.refuse_taken = server.creates[reference] == 1
            return True

        # A reference that is refused, and that no link has.
        server.links["ORD-0"], server.before = [], refuse_once
        first, second = await twice(server, row(0), row(0, amount=5))
    assert isinstance(first.error, UnprocessableError)
    assert told([second]) == {1: ("pl_ORD-0_0", type(None), False, None)}
    assert second.link is not None
    assert second.link.amount == 5


async def test_a_row_that_could_not_be_sent_may_come_again() -> None:
    metadata: dict[str, Any] = {}
    unwritable = row(0, metadata=metadata)
    metadata["changed"] = object()
    async with ledger() as server:
        first, second = await twice(server, unwritable, row(0))
    assert first.error is not None
    assert first.error.outcome is Outcome.NOT_SENT
    assert second.link is not None


async def test_a_row_whose_outcome_is_unknown_or_done_does_not_come_again() -> None:
    async with ledger() as server:

        async def unread(reference: str) -> bool:
            server.links[reference][0]["amount"] = "many"
            return True

        server.after = unread
        first, second = await twice(server, row(0), row(0))
        assert server.creates.total() == 1
    assert first.error is not None
    assert first.error.outcome is not Outcome.REJECTED
    assert second.repeats == 0


# ---------------------------------------------------------------------------------- references that exist


@pytest.mark.parametrize("journal", [False, True], ids=["without a journal", "with a journal"])
@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, ("pl_ORD-0_0", type(None), True, None)),
        ({"amount": 999}, (None, OrderReferenceConflictError, False, None)),
        ({"currency": "USD"}, (None, OrderReferenceConflictError, False, None)),
        ({"status": "cancelled"}, (None, OrderReferenceConflictError, False, None)),
        ({"status": "paid"}, ("pl_ORD-0_0", type(None), True, None)),
        (None, (None, UnprocessableError, False, None)),
    ],
    ids=["the same", "another amount", "another currency", "cancelled", "paid", "none has it"],
)
async def test_a_row_whose_reference_exists_ends_alike_with_and_without_a_journal(
    tmp_path: Path, change: dict[str, object] | None, wanted: tuple[Any, ...], journal: bool
) -> None:
    options = {"journal": tmp_path / "orders.journal"} if journal else {}
    async with ledger() as server, a_client(refusing(server)) as plexy:
        await run(plexy, rows(2))
        if change is None:
            server.links["ORD-0"] = []
        else:
            server.links["ORD-0"][0].update(change)
        results = await run(plexy, rows(3), **options)
        # One each for what was refused.
        assert server.look_ups == {"ORD-0": 1, "ORD-1": 1}
        assert server.creates == {"ORD-0": 2, "ORD-1": 2, "ORD-2": 1}
    assert told(results) == {
        0: wanted,
        1: ("pl_ORD-1_0", type(None), True, None),
        2: ("pl_ORD-2_0", type(None), False, None),
    }


# ------------------------------------------------------------------------------------------------ at random


@pytest.mark.parametrize("journal", [False, True], ids=["without a journal", "with a journal"])
@pytest.mark.parametrize("seed", range(5))
async def test_no_two_rows_share_a_link_however_answers_are_lost(
    tmp_path: Path, seed: int, journal: bool
) -> None:
    chances = random.Random(seed)
    links = [
        row(number, order_reference=f"ORD-{chances.randrange(80)}", amount=chances.choice((100, 200)))
        for number in range(160)
    ]

    async def sometimes(_: str) -> bool:
        await asyncio.sleep(chances.random() * 0.002)
        return chances.random() > 0.3

    options: dict[str, Any] = {"journal": tmp_path / "orders.journal"} if journal else {}
    async with ledger() as server, a_client(server, read_timeout=1.0) as plexy:
        server.refuse_taken = chances.random() < 0.5
        server.before, server.after = sometimes, sometimes
        results = await run(
            plexy, links, concurrency=chances.choice((1, 2, 20)), ordered=chances.random() < 0.5, **options
        )
        made = {link["id"]: link for each in server.links.values() for link in each}
        assert server.twice == []
    assert sorted(result.index for result in results) == list(range(160))
    shared = Counter(result.link_id for result in results if result.repeats is None and result.link_id)
    assert shared
    assert set(shared.values()) == {1}
    for result in results:
        assert result.request is links[result.index]
        if result.link_id is not None:
            link = made[result.link_id]
            wanted = result.request.order_reference, result.request.amount
            assert (link["orderReference"], link["amount"]) == wanted
        if result.repeats is not None:
            assert links[result.repeats].order_reference == result.request.order_reference
            assert result.repeats < result.index
