"""Where a link could come twice although a journal is kept: each was seen to happen, or nearly."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    CreatePaymentLink,
    Journal,
    OutcomeUnknownError,
)
from plexypay_async._privacy.secret import Secret
from plexypay_async.bulk.journal_format import State, digest_of

from .ledger_server import Ledger, ledger
from .rows import Source, a_client, row, rows, run

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.journal"


def counts(path: Path) -> dict[State, int]:
    with Journal(path) as journal:
        journal.open()
        return journal.counts()


async def leave_claimed(server: Ledger, path: Path, *, made: bool) -> None:
    """Cut a job of one row while its request is at the server."""
    arrived = asyncio.Event()

    async def stay(_: str) -> bool | None:
        arrived.set()
        await asyncio.sleep(30)
        return None

    server.before, server.after = (None, stay) if made else (stay, None)
    async with a_client(server) as plexy:
        job = asyncio.create_task(run(plexy, rows(1), journal=path))
        await asyncio.wait_for(arrived.wait(), 30)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    server.before = server.after = None
    assert counts(path) == {State.CLAIMED: 1}


async def test_a_refused_second_look_at_a_journal_keeps_it_locked(path: Path) -> None:
    script = "import sys; from plexypay_async import Journal; Journal(sys.argv[1]).open()"
    with Journal(path) as first:
        first.open()
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="another job of this process is using it"):
                Journal(path).open()
        other = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", script, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert other.returncode == 1
    assert "another process is using it" in other.stderr
    with Journal(path) as again:
        again.open()


async def test_a_conflict_stays_claimed_and_is_never_sent_blindly(path: Path) -> None:
    async with ledger() as server:
        await leave_claimed(server, path, made=True)
        server.links["ORD-0"][0]["status"] = "expired"
        for _ in range(2):
            async with a_client(server) as plexy:
                (result,) = await run(plexy, rows(1), journal=path)
            # It may be the link of the run that was cut, which has expired meanwhile.
            assert type(result.error) is OutcomeUnknownError
            assert counts(path) == {State.CLAIMED: 1}
        assert len(server.links["ORD-0"]) == 1


async def test_a_refusal_of_what_an_earlier_run_may_have_made_is_looked_up(path: Path) -> None:
    async with ledger() as server:
        await leave_claimed(server, path, made=False)

        async def late(reference: str) -> None:
            # The request of the run that was cut lands between the look-up and the create.
            body = {"amount": rows(1)[0].amount, "currency": "KZT", "orderReference": reference}
            server.links[reference] = [
                {"id": "pl_late", "status": "active", "url": "https://pay.example", **body}
            ]

        server.refuse_taken = True
        async with a_client(server) as plexy:
            await plexy.payment_links.create(amount=1, currency="KZT", order_reference="known")
            server.before = late
            (result,) = await run(plexy, rows(1), journal=path)
    assert result.error is None
    assert result.link is not None
    assert result.link.id == "pl_late"
    assert result.recovered


async def test_a_request_of_the_run_that_was_cut_is_given_time_to_land(
    path: Path, monkeypatch: pytest.MonkeyPatch, skip_time: Callable[[float], None]
) -> None:
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 60)
    async with ledger() as server:
        arrived, released = asyncio.Event(), asyncio.Event()

        async def stay(reference: str) -> None:
            if reference == "ORD-0" and server.creates[reference] == 1:
                arrived.set()
                await released.wait()

        server.before = stay
        async with a_client(server) as plexy:
            job = asyncio.create_task(run(plexy, rows(1), journal=path))
            await asyncio.wait_for(arrived.wait(), 30)
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

        async with a_client(server) as plexy:
            again = plexy.payment_links.create_many(rows(20), journal=path, concurrency=1)
            others = [await anext(again) for _ in range(19)]
            # The first row waits for what may still be at work; the others do not wait for it.
            assert {result.index for result in others} == set(range(1, 20))
            assert not server.look_ups["ORD-0"]
            released.set()
            skip_time(60)
            (last,) = [result async for result in again]
        assert last.link is not None
        assert (last.index, last.recovered, last.from_journal) == (0, True, False)
        assert server.creates["ORD-0"] == 1
        assert server.twice == []


async def test_a_row_put_off_is_settled_however_often_it_is_repeated(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 0.3)
    async with ledger() as server:
        await leave_claimed(server, path, made=True)
        async with a_client(server) as plexy:
            results = await run(plexy, rows(1) * 100, journal=path)
        assert sorted(result.index for result in results) == list(range(100))
        assert [result.error for result in results] == [None] * 100
        assert server.twice == []


async def test_a_row_put_off_does_not_wait_for_a_slow_source(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 0.1)
    async with ledger() as server:
        await leave_claimed(server, path, made=True)
        settled = asyncio.Event()

        async def waits_for_the_first() -> AsyncIterator[CreatePaymentLink]:
            yield row(0)
            await settled.wait()
            yield row(1)

        async with a_client(server) as plexy, asyncio.timeout(20):
            links = waits_for_the_first()
            async for result in plexy.payment_links.create_many(links, journal=path, concurrency=2):
                assert result.error is None
                settled.set()
        assert set(server.links) == {"ORD-0", "ORD-1"}
        assert server.twice == []


async def test_a_job_in_order_waits_for_a_claimed_row_in_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 0.2)
    async with ledger() as server:
        await leave_claimed(server, path, made=True)
        async with a_client(server) as plexy:
            # Two workers, so that the row that waits is far behind what they may run ahead.
            results = await run(plexy, rows(200), journal=path, ordered=True, concurrency=2)
        assert [result.index for result in results] == list(range(200))
        assert [result.index for result in results if result.recovered] == [0]
        assert server.twice == []


async def test_rows_put_off_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 30)
    monkeypatch.setattr("plexypay_async.bulk.intake.MOST_LATER", 10)
    body = '{"amount":%d,"currency":"KZT","orderReference":"ORD-%d"}'
    claims = [(n, f"ORD-{n}", digest_of((body % (n + 1, n)).encode())) for n in range(1000)]
    async with ledger() as server, a_client(server) as plexy:
        with Journal(path) as journal:
            journal.open()
            journal.belongs_to(server.base_url, Secret("key"))
            journal.exchange([], [], claims)
        source = Source(1000)
        job = asyncio.create_task(run(plexy, source, journal=path, concurrency=5))
        while source.read < 64:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert source.read <= 2 * 64
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        assert not server.creates


async def test_a_mistyped_key_does_not_take_the_journal(path: Path) -> None:
    async with ledger() as server:
        server.keys = {"right"}
        async with AsyncPlexyPay("wrong", base_url=server.base_url) as plexy:
            results = await run(plexy, rows(3), journal=path)
        assert all(result.error is not None for result in results)
        async with AsyncPlexyPay("right", base_url=server.base_url) as plexy:
            results = await run(plexy, rows(3), journal=path)
        assert [result.error for result in results] == [None] * 3


async def test_a_journal_torn_to_nothing_is_not_taken_for_a_new_one(path: Path) -> None:
    path.touch()
    Path(f"{path}-wal").write_bytes(b"what the lost journal knew")
    with Journal(path) as journal, pytest.raises(ConfigurationError, match="the file is damaged"):
        journal.open()


async def test_a_second_cancellation_loses_no_result(path: Path) -> None:
    async with ledger() as server:
        held = asyncio.Event()

        async def stay_but_one(reference: str) -> None:
            if reference != "ORD-0":
                held.set()
                await asyncio.sleep(30)

        server.before = stay_but_one
        async with a_client(server) as plexy:
            job = asyncio.create_task(run(plexy, rows(20), journal=path))
            await asyncio.wait_for(held.wait(), 30)
            while not server.links:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.02)
            job.cancel()
            await asyncio.sleep(0)
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
            assert [task for task in asyncio.all_tasks() if "_Worker" in repr(task)] == []
    assert counts(path)[State.DONE] == 1
