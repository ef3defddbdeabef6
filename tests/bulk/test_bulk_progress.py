"""`on_progress`: what a job tells its caller, and what becomes of the job where that function raises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from plexypay_async import BulkResult, ConfigurationError, CreatePaymentLink, JobProgress
from plexypay_async.bulk import reporting
from plexypay_async.sandbox import Fault, Sandbox

from .ledger_server import ledger
from .rows import CREATE, a_client, row, rows, run

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "LOOK_EVERY", 0.005)
    monkeypatch.setattr(reporting, "TELL_EVERY", 0.01)


def sums(progress: JobProgress) -> tuple[int, int, int, int]:
    return progress.created, progress.recovered, progress.failed, progress.under_way


async def collect(made: AsyncGenerator[BulkResult], results: list[BulkResult]) -> None:
    async with aclosing(made):
        async for result in made:
            results.append(result)  # noqa: PERF401 - what came before an error is looked at


async def test_the_last_report_has_the_sums_of_all_rows(sandbox: Sandbox, tmp_path: Any) -> None:
    told: list[JobProgress] = []
    requests = [*rows(40), row(3, amount=99)]
    async with a_client(sandbox) as plexy:
        await run(plexy, rows(10), journal=tmp_path / "journal")
        results = await run(plexy, requests, journal=tmp_path / "journal", on_progress=told.append)

    assert sums(told[-1]) == (30, 10, 1, 0)
    assert sum(result.error is None for result in results) == 40
    done = [progress.created + progress.recovered + progress.failed for progress in told]
    assert done == sorted(done)


async def test_it_tells_the_limit_and_why(sandbox: Sandbox) -> None:
    told: list[JobProgress] = []
    sandbox.faults.add(Fault(operation=CREATE, capacity=12, latency=0.01))
    async with a_client(sandbox) as plexy:
        await run(plexy, rows(400), on_progress=told.append)

    assert told[0].limit == 10
    assert any("more fails above" in progress.reason for progress in told)
    assert all(1 <= progress.limit <= 100 for progress in told)
    assert 5 <= told[-1].limit <= 25


async def test_a_fixed_concurrency_is_told_as_such(sandbox: Sandbox) -> None:
    told: list[JobProgress] = []
    async with a_client(sandbox) as plexy:
        await run(plexy, rows(20), concurrency=7, on_progress=told.append)

    assert (told[-1].limit, told[-1].reason) == (7, "fixed by concurrency")


async def test_it_goes_on_telling_while_no_row_ends(sandbox: Sandbox) -> None:
    told: list[JobProgress] = []
    waiting = asyncio.Event()

    async def source() -> AsyncIterator[CreatePaymentLink]:
        yield row(0)
        await waiting.wait()

    def tell(progress: JobProgress) -> None:
        told.append(progress)
        if progress.created == 1:
            waiting.set()

    async with a_client(sandbox) as plexy, asyncio.timeout(30):
        await run(plexy, source(), on_progress=tell)

    assert told


async def test_the_servers_own_word_is_told_and_believed(sandbox: Sandbox) -> None:
    told: list[JobProgress] = []
    sandbox.faults.add(Fault(operation=CREATE, status=429, retry_after="0", times=1))
    async with a_client(sandbox) as plexy:
        await run(plexy, rows(50), on_progress=told.append)

    assert any("429" in progress.reason for progress in told)
    assert told[-1].created == 50


async def test_what_it_raises_ends_the_job_and_loses_nothing() -> None:
    results: list[BulkResult] = []

    def tell(progress: JobProgress) -> None:
        if progress.created >= 5:
            raise LookupError("the window was closed")

    async def take(_: str) -> None:
        await asyncio.sleep(0.01)

    async with ledger() as server, a_client(server) as plexy:
        server.before = take
        with pytest.raises(LookupError, match="the window was closed") as raised:
            await collect(plexy.payment_links.create_many(rows(5000), on_progress=tell), results)

        assert len(results) < 5000
        assert sorted(result.index for result in results) == list(range(len(results)))
        has_link = {result.request.order_reference for result in results if result.link is not None}
        assert has_link == set(server.links)
        assert not server.twice
    frames = [entry.name for entry in raised.traceback]
    assert frames[-1] == "tell"


async def test_what_it_raises_at_the_very_end_is_raised(sandbox: Sandbox) -> None:
    def tell(progress: JobProgress) -> None:
        if not progress.under_way and progress.created == 3:
            raise LookupError("too late")

    results: list[BulkResult] = []
    async with a_client(sandbox) as plexy:
        with pytest.raises(LookupError, match="too late"):
            await collect(plexy.payment_links.create_many(rows(3), on_progress=tell), results)
    assert len(results) == 3


async def test_what_is_no_function_is_refused(sandbox: Sandbox) -> None:
    async with a_client(sandbox) as plexy:
        with pytest.raises(ConfigurationError, match="on_progress: expected a function, got str"):
            plexy.payment_links.create_many(rows(1), on_progress="print")  # type: ignore[arg-type]


@pytest.mark.parametrize("concurrency", [None, 10])
async def test_a_wait_that_the_server_asks_for_holds_every_row(
    concurrency: int | None, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault(operation=CREATE, status=429, retry_after="1", times=1))
    loop = asyncio.get_running_loop()
    ended: list[float] = []
    async with a_client(sandbox) as plexy:
        began = loop.time()
        job = plexy.payment_links.create_many(rows(300), concurrency=concurrency)
        async with aclosing(job) as results:
            async for result in results:
                assert result.error is None
                ended.append(loop.time() - began)

    assert len(ended) == 300
    # Ten were under way, and what took their places until the 429 was read.
    assert sum(each < 0.9 for each in ended) < 100
