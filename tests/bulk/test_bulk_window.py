"""The window of a bulk job: how far it reads ahead, and that it ends without leaving anything behind."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, BulkResult, ConfigurationError, CreatePaymentLink
from plexypay_async.sandbox import Sandbox

from .ledger_server import ledger
from .rows import CREATE, LOOK_UP, Source, a_client, row, rows, run, run_to_error

pytestmark = pytest.mark.asyncio


async def no_task_is_left(before: set[asyncio.Task[Any]]) -> None:
    """Wait, a bounded time, until every task that is new is one of the sandbox's connections."""
    async with asyncio.timeout(30):
        while [task for task in asyncio.all_tasks() - before if "aiohttp" not in repr(task)]:
            await asyncio.sleep(0)


async def settled(source: Source) -> None:
    """Wait until the source has not been read for a while."""
    read = -1
    while read != source.read:
        read = source.read
        await asyncio.sleep(0.05)


# ------------------------------------------------------------------------------------------ back-pressure


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("concurrency", [1, 4, 16])
async def test_the_source_is_read_no_further_than_the_window(
    plexy: AsyncPlexyPay, concurrency: int, ordered: bool
) -> None:
    source = Source(500)
    options: dict[str, Any] = {"concurrency": concurrency, "ordered": ordered}

    async with aclosing(plexy.payment_links.create_many(source, **options)) as results:
        for consumed in range(1, 4):
            await anext(results)
            await settled(source)
            # At most a result waiting for each worker, and one in each worker's hand.
            assert consumed <= source.read <= consumed + 1 + 2 * concurrency


async def test_a_slow_consumer_and_a_slow_row_hold_an_ordered_job_back() -> None:
    source = Source(2000)

    async def hold_one(reference: str) -> None:
        if reference == "ORD-3":
            await asyncio.Event().wait()

    async with (
        ledger() as server,
        a_client(server) as plexy,
        aclosing(plexy.payment_links.create_many(source, concurrency=4, ordered=True)) as results,
    ):
        server.before = hold_one
        # One result stays ready and is not taken, while a row in front of all others does not come.
        await anext(results)
        await settled(source)
        assert 8 < source.read <= 8 * 4 + 4 + 4


@pytest.mark.parametrize("ordered", [False, True])
async def test_with_a_journal_a_batch_more_is_read_ahead(
    plexy: AsyncPlexyPay, tmp_path: Path, ordered: bool
) -> None:
    source = Source(1000)
    results = plexy.payment_links.create_many(source, concurrency=2, journal=tmp_path / "j", ordered=ordered)

    async with aclosing(results):
        await anext(results)
        await settled(source)
        assert source.read <= 64 + 2 * 2 + 2


@pytest.mark.parametrize("kind", ["no reference", "repeated", "unencodable", "in conflict"])
@pytest.mark.parametrize("ordered", [False, True])
async def test_rows_that_need_no_request_are_not_read_ahead_either(
    sandbox: Sandbox, plexy: AsyncPlexyPay, tmp_path: Path, kind: str, ordered: bool
) -> None:
    read = 0
    if kind == "repeated":
        sandbox.faults.add("latency=0.15,times=1")

    def source() -> Iterator[CreatePaymentLink]:
        nonlocal read
        yield row(0)
        for number in range(1, 3000):
            read += 1
            yield {
                "no reference": row(number, order_reference=None),
                "repeated": row(0),
                "unencodable": row(number, description="\ud800"),
                "in conflict": row(0, amount=5000 + number),
            }[kind]

    options: dict[str, Any] = {"journal": tmp_path / "j", "ordered": ordered, "concurrency": 3}
    async with aclosing(plexy.payment_links.create_many(source(), **options)) as results:
        for consumed in range(1, 4):
            await anext(results)
            await asyncio.sleep(0.05)
            assert read <= consumed + 5 * 64
        indexes = [result.index async for result in results]
    assert len(indexes) == 3000 - 3
    if ordered:
        assert indexes == sorted(indexes)


async def test_nothing_is_read_before_the_first_result_is_asked_for(
    sandbox: Sandbox, plexy: AsyncPlexyPay
) -> None:
    source = Source(10)
    results = plexy.payment_links.create_many(source, concurrency=4)
    await asyncio.sleep(0.01)
    assert source.read == 0
    await results.aclose()
    assert sandbox.requests.count() == 0


async def test_what_is_done_is_not_held(plexy: AsyncPlexyPay) -> None:
    alive: list[weakref.ref[CreatePaymentLink]] = []
    most = 0

    def source() -> Iterator[CreatePaymentLink]:
        nonlocal most
        for number in range(400):
            request = row(number)
            alive[:] = [kept for kept in alive if kept() is not None] + [weakref.ref(request)]
            most = max(most, len(alive))
            yield request

    async for _ in plexy.payment_links.create_many(source(), concurrency=8):
        pass

    assert most <= 8 * 2 + 3


# ------------------------------------------------------------------------------------------------- ending


@pytest.mark.parametrize("slowly", [False, True])
@pytest.mark.parametrize("journal", [False, True])
async def test_an_error_of_the_source_comes_after_what_was_under_way(
    sandbox: Sandbox, plexy: AsyncPlexyPay, tmp_path: Path, slowly: bool, journal: bool
) -> None:
    source = Source(50, fails_at=10)
    sandbox.faults.add("latency=0.02")
    results: list[BulkResult] = []
    path = tmp_path / "journal" if journal else None

    async def consume() -> None:
        requests = source.slowly() if slowly else source
        async for result in plexy.payment_links.create_many(requests, concurrency=4, journal=path):
            results.append(result)  # noqa: PERF401 - what came before the error counts

    before = asyncio.all_tasks()
    with pytest.raises(LookupError, match="row is bad"):
        await consume()
    await no_task_is_left(before)

    assert sorted(result.index for result in results) == list(range(10))
    assert all(result.link is not None for result in results)
    assert source.closed
    if path is not None:
        # All was recorded: the same rows again ask nothing of the server.
        count = sandbox.requests.count()
        assert [result.recovered for result in await run(plexy, rows(10), journal=path)] == [True] * 10
        assert sandbox.requests.count() == count


async def test_a_source_that_is_cancelled_does_not_end_the_job_in_silence(plexy: AsyncPlexyPay) -> None:
    async def source() -> AsyncIterator[CreatePaymentLink]:
        yield row(0)
        raise asyncio.CancelledError

    results: list[int] = []

    async def consume() -> None:
        async for result in plexy.payment_links.create_many(source(), concurrency=3):
            results.append(result.index)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(consume())
    assert results == [0]


@pytest.mark.parametrize("slowly", [False, True])
@pytest.mark.parametrize("journal", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
async def test_leaving_early_stops_the_workers_and_closes_the_source(
    sandbox: Sandbox, plexy: AsyncPlexyPay, tmp_path: Path, slowly: bool, journal: bool, ordered: bool
) -> None:
    source = Source(1000)
    sandbox.faults.add("latency=0.01")
    await plexy.payment_links.statistics()
    before = asyncio.all_tasks()
    options: dict[str, Any] = {"journal": tmp_path / "j" if journal else None, "ordered": ordered}

    requests = source.slowly() if slowly else iter(source)
    async with aclosing(plexy.payment_links.create_many(requests, concurrency=4, **options)) as results:
        async for result in results:
            if result.index >= 5:
                break
    # At once, not some time later.
    assert not [task for task in asyncio.all_tasks() - before if "aiohttp" not in repr(task)]
    assert source.closed
    # What was on its way may still arrive.
    await asyncio.sleep(0.05)
    created = sandbox.requests.count()
    await asyncio.sleep(0.05)
    assert sandbox.requests.count() == created < 50


async def test_breaking_without_closing_leaves_no_task(sandbox: Sandbox, plexy: AsyncPlexyPay) -> None:
    before = asyncio.all_tasks()
    async for _ in plexy.payment_links.create_many(Source(1000), concurrency=4):
        break
    await no_task_is_left(before)


@pytest.mark.parametrize("journal", [False, True])
async def test_a_cancelled_consumer_stops_the_workers(
    sandbox: Sandbox, plexy: AsyncPlexyPay, tmp_path: Path, journal: bool
) -> None:
    sandbox.faults.add("hang=true")
    source = Source(1000)
    requests = iter(source)
    path = tmp_path / "journal" if journal else None
    before = asyncio.all_tasks()

    async def consume() -> None:
        async for _ in plexy.payment_links.create_many(requests, concurrency=4, journal=path):
            pass

    consumer = asyncio.create_task(consume())
    async with asyncio.timeout(30):
        while sandbox.requests.count() < 4:
            await asyncio.sleep(0.001)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    await no_task_is_left(before)

    assert source.closed
    assert sandbox.payment_links() == []
    if path is not None:
        # It let go of the journal: another job takes it, and looks up what was cut.
        sandbox.faults.clear()
        assert len(await run(plexy, rows(4), journal=path)) == 4
        assert sandbox.requests.count(LOOK_UP) >= 4
        assert sandbox.requests.count(CREATE) == 8


@pytest.mark.parametrize("after", range(12))
async def test_a_job_can_be_cancelled_at_any_await(sandbox: Sandbox, tmp_path: Path, after: int) -> None:
    """Cancelled some steps after its begin, wherever that is, a job leaves no task and frees its journal."""
    async with a_client(sandbox) as plexy:
        await plexy.payment_links.statistics()
        before = asyncio.all_tasks()
        source = Source(500)
        path = tmp_path / "journal"
        consumer = asyncio.create_task(run(plexy, source.slowly(), journal=path, concurrency=3))
        for _ in range(2**after // 2):
            await asyncio.sleep(0)
        consumer.cancel()
        await asyncio.gather(consumer, return_exceptions=True)
        await no_task_is_left(before)

        results = await run(plexy, rows(40), journal=path)

    assert [result.error for result in results] == [None] * 40
    stored = [link["orderReference"] for link in sandbox.payment_links()]
    assert len(stored) == len(set(stored))


async def test_an_error_of_the_consumer_stops_the_workers(sandbox: Sandbox, plexy: AsyncPlexyPay) -> None:
    async def consume() -> None:
        async for _ in plexy.payment_links.create_many(Source(1000), concurrency=4):
            raise ZeroDivisionError

    before = asyncio.all_tasks()
    with pytest.raises(ZeroDivisionError):
        await consume()
    await no_task_is_left(before)

    assert sandbox.requests.count() < 50


async def test_jobs_at_once_on_one_client_do_not_mix(sandbox: Sandbox, plexy: AsyncPlexyPay) -> None:
    jobs = [run(plexy, rows(50, 50 * number), ordered=number % 2 == 0) for number in range(4)]

    for number, results in enumerate(await asyncio.gather(*jobs)):
        assert sorted(result.index for result in results) == list(range(50))
        for result in results:
            assert result.link is not None
            assert result.link.order_reference == f"ORD-{50 * number + result.index}"
    assert len(sandbox.payment_links()) == 200


async def test_an_ordered_job_of_one_worker_passes_refused_rows_in_every_place(
    plexy: AsyncPlexyPay, tmp_path: Path
) -> None:
    links = [row(n, order_reference=None) if n % 3 == 2 or n >= 54 else row(n) for n in range(200)]
    links[20] = row(7)

    results = await run(plexy, links, journal=tmp_path / "journal", ordered=True, concurrency=1)

    assert [result.index for result in results] == list(range(200))


async def test_closing_the_client_ends_a_job_that_waits_for_the_server(sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1")
    async with a_client(sandbox) as plexy:
        job = asyncio.create_task(run_to_error(plexy, rows(100), concurrency=4))
        async with asyncio.timeout(30):
            while sandbox.requests.count() < 10:
                await asyncio.sleep(0.001)
    results, error = await job

    assert isinstance(error, ConfigurationError)
    assert "closed" in str(error)
    # Every row that was read has a result, and the others were not read.
    assert sorted(result.index for result in results) == list(range(len(results)))
    assert all(result.error is not None for result in results)
