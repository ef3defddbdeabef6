"""How a job ends that something foreign ends: with that error, and after every row has been told."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import BulkResult, CreatePaymentLink, Journal, Outcome, OutcomeUnknownError
from plexypay_async._core.call import Call
from plexypay_async.bulk.journal_format import State
from plexypay_sync import PlexyPay

from .ledger_server import ledger
from .rows import a_client, row, rows, run, run_to_error
from .sandbox_thread import SandboxThread


def strike(patch: pytest.MonkeyPatch, error: BaseException, at: int = 1) -> None:
    """Let one of a job's calls end in an exception that is no error of the library's."""
    whole, count = Call.run, 0

    async def run(call: Call[Any]) -> Any:
        nonlocal count
        count += 1
        if count == at:
            raise error
        return await whole(call)

    patch.setattr(Call, "run", run)


def told(results: list[BulkResult], count: int) -> dict[str, int]:
    """Count the results by what they say; there is one for each of so many rows."""
    assert sorted(result.index for result in results) == list(range(count))
    outcomes = [
        "link" if result.error is None else str(result.error.outcome and result.error.outcome.value)
        for result in results
    ]
    return {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}


FOREIGN = [RuntimeError("x"), KeyError("x"), RecursionError("x"), SystemExit(3), asyncio.CancelledError()]


@pytest.mark.asyncio
@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("journal", [False, True])
async def test_a_job_ends_with_what_ends_a_worker(
    error: BaseException,
    count: int,
    ordered: bool,
    journal: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strike(monkeypatch, error)
    path = tmp_path / "journal" if journal else None
    async with ledger() as server, a_client(server) as plexy:
        results, raised = await run_to_error(plexy, rows(count), seconds=20, ordered=ordered, journal=path)

        assert raised is error
        # The row that was struck may have been sent; those that were not begun were not sent.
        assert told(results, len(results))["unknown"] == 1
        (struck,) = [r for r in results if r.error is not None and r.error.outcome is Outcome.UNKNOWN]
        assert isinstance(struck.error, OutcomeUnknownError)
        assert type(error).__name__ in str(struck.error)
        assert struck.error.order_reference == f"ORD-{struck.index}"
        for result in results:
            assert (result.link is not None) == (f"ORD-{result.index}" in server.links)
        if ordered:
            assert [result.index for result in results] == list(range(len(results)))


@pytest.mark.asyncio
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("struck", [0, 7])
async def test_rows_under_way_are_settled_and_given_before_the_error(
    ordered: bool, struck: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, failed = RuntimeError("x"), asyncio.Event()
    async with ledger() as server, a_client(server) as plexy:
        whole = Call.run

        async def struck_run(call: Call[Any]) -> Any:
            if call.record.order_reference != f"ORD-{struck}":
                return await whole(call)
            async with asyncio.timeout(20):
                while server.creates.total() < 7:
                    await asyncio.sleep(0.001)
            failed.set()
            raise error

        async def wait(_: str) -> None:
            await failed.wait()
            await asyncio.sleep(0.02)

        monkeypatch.setattr(Call, "run", struck_run)
        server.before = wait
        results, raised = await run_to_error(plexy, rows(50), seconds=20, ordered=ordered, concurrency=8)

    assert raised is error
    assert told(results, 8) == {"link": 7, "unknown": 1}
    assert server.creates.total() == 7


@pytest.mark.asyncio
async def test_a_source_that_never_gives_another_row_does_not_hold_the_end_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strike(monkeypatch, RuntimeError("x"), 2)
    closed = False

    async def source() -> AsyncIterator[CreatePaymentLink]:
        nonlocal closed
        try:
            for request in rows(3):
                yield request
            await asyncio.Event().wait()
        finally:
            closed = True

    async with ledger() as server, a_client(server) as plexy:
        results, raised = await run_to_error(plexy, source(), seconds=20)

    assert isinstance(raised, RuntimeError)
    assert told(results, len(results))["unknown"] == 1
    assert closed


@pytest.mark.asyncio
async def test_rows_that_were_claimed_and_not_sent_need_no_look_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    with monkeypatch.context() as patch:
        strike(patch, RuntimeError("x"), 3)
        async with ledger() as server, a_client(server) as plexy:
            results, _ = await run_to_error(plexy, rows(60), journal=path, concurrency=1)
            assert told(results, 60) == {"link": 2, "not_sent": 57, "unknown": 1}
            with Journal(path) as journal:
                journal.open()
                assert journal.counts() == {State.DONE: 2, State.CLAIMED: 1, State.FAILED: 57}

            patch.undo()
            again = await run(plexy, rows(60), journal=path)
            assert [result.error for result in again] == [None] * 60
            assert set(server.look_ups) <= {"ORD-0", "ORD-2"}
            assert server.twice == []


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [sqlite3.OperationalError("full"), TypeError("x"), RuntimeError("x")])
@pytest.mark.parametrize("ordered", [False, True])
async def test_links_that_were_made_are_given_though_the_journal_fails(
    error: Exception, ordered: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = Journal.exchange, 0

    def failing(self: Journal, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise error
        return whole(self, *arguments)

    async with ledger() as server, a_client(server) as plexy:
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "exchange", failing)
            results, raised = await run_to_error(
                plexy, rows(300), seconds=30, journal=tmp_path / "journal", ordered=ordered, concurrency=64
            )
        assert raised is error
        assert told(results, len(results))["link"] == len(server.links) == 64
        again = await run(plexy, rows(300), journal=tmp_path / "journal")

    assert [result.error for result in again] == [None] * 300
    assert server.twice == []


@pytest.mark.asyncio
async def test_what_could_not_be_written_is_written_at_the_end_where_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, failures = Journal.exchange, 0

    def failing(self: Journal, done: Any, failed: Any, claims: Any) -> Any:
        nonlocal failures
        if done and not failures:
            failures += 1
            raise sqlite3.OperationalError("disk I/O error")
        return whole(self, done, failed, claims)

    async with ledger() as server, a_client(server) as plexy:
        monkeypatch.setattr(Journal, "exchange", failing)
        results, raised = await run_to_error(plexy, rows(300), journal=tmp_path / "journal")

    assert isinstance(raised, sqlite3.OperationalError)
    with Journal(tmp_path / "journal") as journal:
        journal.open()
        assert journal.counts()[State.DONE] == told(results, len(results))["link"]
        assert State.CLAIMED not in journal.counts()


# ------------------------------------------------------------------------------------------ the other facade


@pytest.fixture(scope="module")
def served() -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        yield running


def consumed(plexy: PlexyPay, links: Any, **options: Any) -> tuple[list[BulkResult], BaseException | None]:
    """Run a job on the sync facade within a bounded time."""
    results: list[BulkResult] = []
    ended: list[BaseException | None] = []

    def consume() -> None:
        try:
            for result in plexy.payment_links.create_many(links, **options):
                results.append(result)  # noqa: PERF402 - what came before the error counts
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            ended.append(error)
        else:
            ended.append(None)

    thread = threading.Thread(target=consume, daemon=True)
    thread.start()
    thread.join(20)
    assert ended, "the job hangs"
    return results, ended[0]


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("count", [1, 600])
def test_the_sync_facade_ends_with_it_too_and_its_loop_lives_on(
    served: SandboxThread, error: BaseException, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.reset()
    with PlexyPay(served.api_key, base_url=served.base_url, timeout=10) as plexy:
        with monkeypatch.context() as patch:
            strike(patch, error, min(count, 100))
            source = rows(count)
            results, raised = consumed(plexy, source, journal=tmp_path / "journal")

        assert raised is error
        outcomes = told(results, len(results))
        assert outcomes["unknown"] == 1
        assert outcomes.get("link", 0) == len(served.links())
        assert plexy.payment_links.statistics() is not None
        again, none = consumed(plexy, source, journal=tmp_path / "journal")
        assert none is None
        assert [result.error for result in again] == [None] * count


def test_rows_that_crossed_and_were_not_taken_are_told(
    served: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0

    def source() -> Iterator[CreatePaymentLink]:
        nonlocal read
        for number in range(5000):
            read += 1
            yield row(number)

    served.reset()
    strike(monkeypatch, RuntimeError("x"), 5)
    with PlexyPay(served.api_key, base_url=served.base_url, timeout=10) as plexy:
        results, raised = consumed(plexy, source(), concurrency=2)

    assert isinstance(raised, RuntimeError)
    assert told(results, read)["unknown"] == 1
