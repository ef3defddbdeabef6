"""`create_many` of `PlexyPay`: the same results, from an iterable that is read in the caller's thread."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from plexypay_sync import (
    BulkResult,
    ConfigurationError,
    CreatePaymentLink,
    Journal,
    PlexyPay,
    UnprocessableError,
)

from .rows import CREATE, QUICK, Source, expected, row, rows
from .sandbox_thread import SandboxThread


@pytest.fixture(scope="module")
def _running() -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        yield running


@pytest.fixture
def sandbox(_running: SandboxThread) -> SandboxThread:
    """An empty sandbox without faults, on a thread of its own."""
    _running.reset()
    return _running


@pytest.fixture
def plexy(sandbox: SandboxThread) -> Iterator[PlexyPay]:
    with PlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=10, retry=QUICK) as client:
        yield client


def stored(sandbox: SandboxThread) -> dict[str, int]:
    links = sandbox.links()
    found = {link["orderReference"]: link["amount"] for link in links}
    assert len(found) == len(links)
    return found


def portal_tasks() -> int:
    """How many tasks run on the portal's loop beside the one that counts."""
    import asyncio

    from plexypay_sync.portal import portal

    async def count() -> int:
        await asyncio.sleep(0)
        return len(asyncio.all_tasks()) - 1

    return portal.run(count)


@pytest.mark.parametrize("count", [0, 1, 700])
@pytest.mark.parametrize("ordered", [False, True])
def test_every_row_has_its_result(sandbox: SandboxThread, plexy: PlexyPay, count: int, ordered: bool) -> None:
    links = rows(count)

    results = list(plexy.payment_links.create_many(links, ordered=ordered))

    assert [result.index for result in (results if ordered else sorted(results, key=_index))] == list(
        range(count)
    )
    for result in results:
        assert result.request is links[result.index]
        assert result.link is not None
        assert result.link.order_reference == f"ORD-{result.index}"
    assert stored(sandbox) == expected(count)
    assert portal_tasks() == 0


def _index(result: BulkResult) -> int:
    return result.index


def test_the_iterable_is_read_in_the_callers_thread(plexy: PlexyPay) -> None:
    threads: set[int] = set()

    def source() -> Iterator[CreatePaymentLink]:
        for request in rows(600):
            threads.add(threading.get_ident())
            yield request

    assert len(list(plexy.payment_links.create_many(source()))) == 600
    assert threads == {threading.get_ident()}


def test_a_source_may_call_the_client_itself(plexy: PlexyPay) -> None:
    def source() -> Iterator[CreatePaymentLink]:
        for request in rows(5):
            plexy.payment_links.statistics()
            yield request

    assert len(list(plexy.payment_links.create_many(source()))) == 5


def test_rows_of_a_slow_iterable_are_sent_as_they_come(sandbox: SandboxThread, plexy: PlexyPay) -> None:
    read = 0

    def source() -> Iterator[CreatePaymentLink]:
        nonlocal read
        for number in range(1000):
            # No row comes before the third last one has been sent.
            until = time.monotonic() + 30
            while sandbox.count(CREATE) < number - 2:
                assert time.monotonic() < until, f"row {number - 3} was not sent"
                time.sleep(0.001)
            read += 1
            time.sleep(0.01)
            yield row(number)

    results = plexy.payment_links.create_many(source())
    assert next(results).index == 0
    assert read < 1000
    assert [next(results).index for _ in range(7)] == list(range(1, 8))
    assert read < 1000
    results.close()


def test_the_source_is_read_no_further_than_the_window(plexy: PlexyPay) -> None:
    source = Source(5000)
    results = plexy.payment_links.create_many(source, concurrency=4)
    for _ in range(3):
        next(results)
    time.sleep(0.2)
    # What waits on the loop and what waits for the caller, 256 each, and the workers' window.
    assert source.read <= 2 * 256 + 3 * 4 + 3
    results.close()
    assert portal_tasks() == 0


@pytest.mark.parametrize("journal", [False, True])
def test_an_error_of_the_source_comes_after_what_was_under_way(
    sandbox: SandboxThread, plexy: PlexyPay, tmp_path: Path, journal: bool
) -> None:
    source = Source(50, fails_at=10)
    results: list[BulkResult] = []
    path = tmp_path / "journal" if journal else None
    sandbox.add_fault("latency=0.02")

    def consume() -> None:
        for result in plexy.payment_links.create_many(source, journal=path):
            results.append(result)  # noqa: PERF402 - what came before the error counts

    with pytest.raises(LookupError, match="row is bad"):
        consume()

    assert sorted(result.index for result in results) == list(range(10))
    assert all(result.link is not None for result in results)
    assert source.closed
    assert portal_tasks() == 0
    if path is not None:
        count = sandbox.count()
        assert all(result.recovered for result in plexy.payment_links.create_many(rows(10), journal=path))
        assert sandbox.count() == count


@pytest.mark.parametrize("leaving", ["break", "close", "raise", "drop"])
def test_leaving_early_stops_the_job_and_closes_the_source(
    sandbox: SandboxThread, plexy: PlexyPay, leaving: str, tmp_path: Path
) -> None:
    source = Source(5000)
    sandbox.add_fault("latency=0.005")
    held = [plexy.payment_links.create_many(iter(source), concurrency=4, journal=tmp_path / "journal")]

    def consume() -> None:
        for _ in held[0]:
            if leaving == "raise":
                raise ZeroDivisionError
            break

    if leaving == "raise":
        with pytest.raises(ZeroDivisionError):
            consume()
    else:
        consume()
    if leaving == "close":
        held[0].close()
    held.clear()
    gc.collect()

    assert source.closed
    assert portal_tasks() == 0
    # What was on its way may still arrive. Each look is a turn of the server's loop.
    for _ in range(50):
        sandbox.count()
    count = sandbox.count()
    time.sleep(0.05)
    assert sandbox.count() == count < 600
    # The journal is free.
    assert len(list(plexy.payment_links.create_many(rows(3), journal=tmp_path / "journal"))) == 3


def test_a_generator_that_was_never_begun_leaves_nothing(sandbox: SandboxThread, plexy: PlexyPay) -> None:
    source = Source(5)
    plexy.payment_links.create_many(source).close()
    assert (source.read, sandbox.count()) == (0, 0)


def test_a_generator_dropped_on_the_loops_own_thread_stops_its_job(
    sandbox: SandboxThread, plexy: PlexyPay
) -> None:
    from plexypay_sync.portal import portal

    kept = [plexy.payment_links.create_many(Source(5000), concurrency=4)]
    next(kept[0])

    async def drop() -> None:
        # As the garbage collector may do.
        kept.clear()

    portal.run(drop)
    deadline = time.monotonic() + 20
    while portal_tasks() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert portal_tasks() == 0


def test_a_failure_is_a_result(sandbox: SandboxThread, plexy: PlexyPay) -> None:
    sandbox.add_fault(f"code=5,times=2,operation={CREATE}")

    results = list(plexy.payment_links.create_many(rows(10), concurrency=1))

    assert [type(result.error) for result in results[:2]] == [UnprocessableError] * 2
    assert all(result.link is not None for result in results[2:])


def test_a_row_with_the_reference_of_an_earlier_one_is_not_sent(
    sandbox: SandboxThread, plexy: PlexyPay
) -> None:
    results = list(plexy.payment_links.create_many([*rows(300), row(0)], ordered=True))

    assert [result.repeats for result in results] == [None] * 300 + [0]
    assert [result.link is None for result in results] == [False] * 300 + [True]
    assert "row 0 of this job has the order reference 'ORD-0' already" in str(results[300].error)


def test_a_row_whose_link_an_earlier_job_made_is_recovered(sandbox: SandboxThread, plexy: PlexyPay) -> None:
    before, again = (list(plexy.payment_links.create_many(rows(20), ordered=True)) for _ in range(2))

    assert [result.link for result in again] == [result.link for result in before]
    assert all(result.recovered for result in again)


def test_a_journal_keeps_what_is_done(sandbox: SandboxThread, plexy: PlexyPay, tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        first = list(plexy.payment_links.create_many(rows(300), journal=journal, ordered=True))
        count = sandbox.count()
        second = list(plexy.payment_links.create_many(rows(300), journal=journal, ordered=True))

    assert sandbox.count() == count
    assert [result.link for result in second] == [result.link for result in first]
    assert all(result.recovered for result in second)


def test_what_the_job_raises_reaches_the_caller(plexy: PlexyPay, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no journal")
    with pytest.raises(ConfigurationError, match="this file is no journal"):
        list(plexy.payment_links.create_many(rows(3), journal=tmp_path / "text"))
    assert portal_tasks() == 0


@pytest.mark.parametrize("bad", [5, "x", {"amount": 1}, None])
def test_an_item_that_is_no_request_is_named(sandbox: SandboxThread, plexy: PlexyPay, bad: Any) -> None:
    links: list[Any] = [*rows(3), bad, *rows(3, 10)]
    results: list[BulkResult] = []

    def consume() -> None:
        for result in plexy.payment_links.create_many(links):
            results.append(result)  # noqa: PERF402 - what came before the error counts

    with pytest.raises(ConfigurationError, match=r"links\[3\]: expected a CreatePaymentLink"):
        consume()
    assert sorted(result.index for result in results) == [0, 1, 2]


def test_an_async_iterable_is_refused(plexy: PlexyPay) -> None:
    async def source() -> AsyncIterator[CreatePaymentLink]:
        yield row(0)

    # Checkers refuse it too.
    links: Any = source()
    with pytest.raises(ConfigurationError, match="use AsyncPlexyPay for an async one"):
        plexy.payment_links.create_many(links)


def test_threads_run_jobs_of_their_own_on_one_client(sandbox: SandboxThread, plexy: PlexyPay) -> None:
    failures: list[BaseException] = []

    def job(number: int) -> None:
        try:
            results = list(plexy.payment_links.create_many(rows(100, 100 * number)))
            assert sorted(result.index for result in results) == list(range(100))
            assert all(result.error is None for result in results)
        except BaseException as error:  # noqa: BLE001 - raised in the test
            failures.append(error)

    threads = [threading.Thread(target=job, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert stored(sandbox) == expected(600)
