"""A client that is closed amid a job: the job ends at once, and tells of each row what is known."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, BulkResult, ConfigurationError, Journal, Outcome
from plexypay_async._core.admission import JobAdmission
from plexypay_sync import PlexyPay

from .ledger_server import Ledger, ledger, never
from .rows import QUICK, a_client, rows

AT_ONCE = 2.0
"""Seconds within which a job has ended, of the 600 that each of its rows would have."""
COUNT = 40
LIMITS: dict[str, dict[str, Any]] = {
    "places": {"concurrency": 2},
    "rate": {"max_rate": 50},
    "any": {},
}
limits = pytest.mark.parametrize("limit", LIMITS)
journals = pytest.mark.parametrize("journalled", [False, True], ids=["plain", "journal"])


def slow(server: Ledger) -> None:
    async def wait(_: str) -> None:
        await asyncio.sleep(0.05)

    server.before = wait


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.002)


def check(results: list[BulkResult], ended: BaseException | None, server: Ledger) -> None:
    """Each row is told once, and none of what was not made, or of what may have been, lies."""
    assert isinstance(ended, ConfigurationError)
    assert "this client is closed" in str(ended)
    assert len({result.index for result in results}) == len(results)
    # Of those that were not read there is nothing to tell.
    assert {result.request.order_reference for result in results} >= set(server.creates)
    outcomes = {None if each.error is None else each.error.outcome for each in results}
    assert outcomes <= {None, Outcome.UNKNOWN, Outcome.NOT_SENT}
    for result in results:
        reference = result.request.order_reference or ""
        if result.link is not None:
            assert reference in server.links
        if result.error is not None and result.error.outcome is Outcome.NOT_SENT:
            assert reference not in server.creates


@pytest.mark.asyncio
@journals
@limits
async def test_a_job_ends_with_its_client(limit: str, journalled: bool, tmp_path: Path) -> None:
    results: list[BulkResult] = []
    journal = tmp_path / "job.journal" if journalled else None
    async with ledger() as server:
        slow(server)
        plexy = a_client(server, max_connections=4)

        async def job() -> None:
            made = plexy.payment_links.create_many(rows(COUNT), journal=journal, **LIMITS[limit])
            async for result in made:
                results.append(result)  # noqa: PERF401 - what came before the end counts

        running = asyncio.create_task(job())
        await until(lambda: server.creates.total() >= 6)
        await plexy.close()
        done, _ = await asyncio.wait({running}, timeout=AT_ONCE)
        assert done, "it has not ended"
        check(results, running.exception(), server)
        # What was at the server when the client was closed may have been done, and is not told otherwise.
        assert any(result.link is not None for result in results)


@pytest.mark.asyncio
@journals
async def test_a_job_that_waits_for_its_rate_ends_with_its_client(journalled: bool, tmp_path: Path) -> None:
    """Its rows would wait for minutes, one after the other."""
    results: list[BulkResult] = []
    journal = tmp_path / "job.journal" if journalled else None
    async with ledger() as server:
        plexy = a_client(server, timeout=600.0)

        async def job() -> None:
            async for result in plexy.payment_links.create_many(rows(COUNT), max_rate=0.1, journal=journal):
                results.append(result)  # noqa: PERF401 - what came before the end counts

        running = asyncio.create_task(job())
        await until(lambda: bool(results))
        await plexy.close()
        done, _ = await asyncio.wait({running}, timeout=AT_ONCE)
        assert done, "it has not ended"
        check(results, running.exception(), server)
        assert server.creates.total() == 1
        outcomes = [result.error.outcome for result in results if result.error is not None]
        assert set(outcomes) == {Outcome.NOT_SENT}
        assert len(outcomes) >= 10


@pytest.mark.asyncio
async def test_a_later_run_finds_what_the_closed_one_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "job.journal"
    async with ledger() as server:
        slow(server)
        plexy = a_client(server, max_connections=4)

        async def job(client: AsyncPlexyPay) -> list[BulkResult]:
            return [each async for each in client.payment_links.create_many(rows(COUNT), journal=journal)]

        running = asyncio.create_task(job(plexy))
        await until(lambda: server.creates.total() >= 6)
        await plexy.close()
        with pytest.raises(ConfigurationError):
            await asyncio.wait_for(running, AT_ONCE)
        async with a_client(server) as again:
            results = await asyncio.wait_for(job(again), 30)
        assert all(result.link is not None for result in results)
        assert not server.twice
        assert len(server.links) == COUNT


@pytest.mark.asyncio
@journals
@limits
async def test_a_job_of_the_sync_facade_ends_with_its_client(
    limit: str, journalled: bool, tmp_path: Path
) -> None:
    results: list[BulkResult] = []
    ended: list[BaseException] = []
    journal = tmp_path / "job.journal" if journalled else None
    async with ledger() as server:
        slow(server)
        plexy = PlexyPay("key", base_url=server.base_url, retry=QUICK, max_connections=4)

        def job() -> None:
            made = plexy.payment_links.create_many(rows(COUNT), journal=journal, **LIMITS[limit])
            try:
                for result in made:
                    results.append(result)  # noqa: PERF402 - what came before the end counts
            except BaseException as error:  # noqa: BLE001 - looked at below
                ended.append(error)

        thread = threading.Thread(target=job, daemon=True)
        thread.start()
        await until(lambda: server.creates.total() >= 6)
        began = time.monotonic()
        await asyncio.to_thread(plexy.close)
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive()
        assert time.monotonic() - began < 5 * AT_ONCE
        check(results, ended[0] if ended else None, server)


@pytest.mark.asyncio
async def test_a_job_that_waits_out_an_outage_ends_with_its_client() -> None:
    async def down(_: str) -> bool:
        return False

    async with ledger() as server:
        server.before = down
        plexy = a_client(server)

        async def job() -> None:
            async for _ in plexy.payment_links.create_many(rows(COUNT)):
                pass

        running = asyncio.create_task(job())
        await until(lambda: server.creates.total() >= 20)
        await plexy.close()
        done, _ = await asyncio.wait({running}, timeout=AT_ONCE)
        assert done, "it has not ended"
        with contextlib.suppress(ConfigurationError):
            running.result()


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", [{"max_rate": 0.1}, {"concurrency": 1}], ids=["rate", "one worker"])
async def test_rows_of_an_earlier_run_are_not_said_to_be_not_sent(
    limit: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run is closed before it has looked for what the first one has made."""
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 0.3)
    journal, count = tmp_path / "job.journal", 8

    async def job(client: AsyncPlexyPay, results: list[BulkResult], **options: Any) -> None:
        async for result in client.payment_links.create_many(rows(count), journal=journal, **options):
            results.append(result)  # noqa: PERF401 - what came before the end counts

    async with ledger() as server:
        server.after = never
        plexy = a_client(server, timeout=60.0)
        running = asyncio.create_task(job(plexy, []))
        await until(lambda: len(server.links) == count)
        await plexy.close()
        with pytest.raises(ConfigurationError):
            await asyncio.wait_for(running, AT_ONCE)
        server.after = None
        plexy = a_client(server, timeout=600.0)
        results: list[BulkResult] = []
        running = asyncio.create_task(job(plexy, results, **limit))
        # They are claimed, and wait for their time and for their turn.
        await asyncio.sleep(0.15)
        await plexy.close()
        with pytest.raises(ConfigurationError):
            await asyncio.wait_for(running, 2 * AT_ONCE)
        assert len(results) == count
        for result in results:
            assert result.error is not None
            assert result.error.outcome is Outcome.UNKNOWN
            assert result.error.order_reference == result.request.order_reference
        results = []
        async with a_client(server) as again:
            await asyncio.wait_for(job(again, results), 30)
        assert all(result.recovered for result in results)
        assert not server.twice


@pytest.mark.asyncio
async def test_rows_of_an_earlier_run_whose_time_ends_in_an_outage_stay_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up is never asked: the row waits for its turn to probe a server that is down."""
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 0.1)
    journal = tmp_path / "job.journal"

    async def job(client: AsyncPlexyPay, timeout: float = 30.0) -> list[BulkResult]:
        made = client.payment_links.create_many(rows(4), journal=journal, timeout=timeout)
        return [each async for each in made]

    async with ledger() as server:
        server.after = never
        plexy = a_client(server, timeout=60.0)
        running = asyncio.create_task(job(plexy))
        await until(lambda: len(server.links) == 4)
        await plexy.close()
        with pytest.raises(ConfigurationError):
            await asyncio.wait_for(running, AT_ONCE)
        server.after = None
        with monkeypatch.context() as patch:
            patch.setattr(JobAdmission, "is_outage", lambda _: True)
            patch.setattr(JobAdmission, "probe", never)
            async with a_client(server) as plexy:
                plexy._execution.budget.jobs.failures_on_end = 100
                results = await asyncio.wait_for(job(plexy, 0.5), 20)
        assert {None if each.error is None else each.error.outcome for each in results} == {Outcome.UNKNOWN}
        async with a_client(server) as again:
            results = await asyncio.wait_for(job(again), 30)
        assert all(result.recovered for result in results)
        assert not server.twice


@pytest.mark.asyncio
async def test_a_row_that_was_not_yet_claimed_may_be_of_an_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal fails before it has said what it knows of the rows that were read."""
    journal = tmp_path / "job.journal"

    async def job(client: AsyncPlexyPay, results: list[BulkResult]) -> None:
        async for result in client.payment_links.create_many(rows(4), journal=journal):
            results.append(result)  # noqa: PERF401 - what came before the end counts

    def failing(*_: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    async with ledger() as server:
        for outcome in (Outcome.NOT_SENT, Outcome.UNKNOWN):
            results: list[BulkResult] = []
            async with a_client(server) as plexy:
                with monkeypatch.context() as patch:
                    patch.setattr(Journal, "exchange", failing)
                    with pytest.raises(sqlite3.OperationalError):
                        await asyncio.wait_for(job(plexy, results), 20)
                told = {None if each.error is None else each.error.outcome for each in results}
                assert told == {outcome}
                assert len(results) == 4
                # From now on there is an earlier run.
                await asyncio.wait_for(job(plexy, []), 20)
        assert not server.twice
