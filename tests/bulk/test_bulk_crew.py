"""Rows that pause before they are sent again hold no worker: others are worked at meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import CreatePaymentLink, RetryPolicy
from plexypay_async.bulk.crew import SPARE, Crew
from tests.faults.scripted import (
    BY_REFERENCE,
    CREATED,
    FOUND,
    LINKS,
    NOT_FOUND,
    ONCE,
    SILENCE,
    Seen,
    fitting,
    scripted,
)

from .ledger_server import Ledger, ledger
from .rows import a_client, row, rows, run

pytestmark = pytest.mark.asyncio

SLOW = RetryPolicy(base=0.6, cap=0.6)
"""Pauses many times as long as an answer takes."""


class FailingOnce:
    """A server's hook that fails the first request of some rows; notes how many requests are under way."""

    def __init__(self, server: Ledger, *, every: int) -> None:
        self._server = server
        self._every = every
        self._under_way = 0
        self.most = 0

    async def __call__(self, reference: str) -> bool:
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await asyncio.sleep(0.004)
        self._under_way -= 1
        number = int(reference.partition("-")[2])
        return number % self._every != 0 or self._server.creates[reference] > 1


@pytest.fixture
def full_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pause is as long as it can be."""
    monkeypatch.setattr("plexypay_async._core.pauses.jittered", lambda value: value)


async def _done_within_a_pause(count: int, **options: Any) -> tuple[int, FailingOnce]:
    """Run a job in which every fifth row fails once; return how many rows were done in half a second."""
    async with ledger() as server, a_client(server, retry=SLOW, max_connections=10) as plexy:
        server.before = hook = FailingOnce(server, every=5)
        done = 0
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.5
        async with aclosing(plexy.payment_links.create_many(rows(count), **options)) as results:
            async for result in results:
                assert result.error is None
                done += loop.time() < until
        assert server.twice == []
        assert len(server.links) == count
        return done, hook


@pytest.mark.usefixtures("full_pauses")
async def test_rows_that_pause_hold_nothing_up() -> None:
    done, hook = await _done_within_a_pause(150)

    # Of 150 rows, thirty pause, which is three times as many as there are connections.
    assert done > 110
    assert hook.most <= 10


async def test_rows_that_wait_for_a_proof_hold_nothing_up() -> None:
    """What has become of a lost request is looked up seconds later; other rows are done meanwhile."""

    def is_lost(reference: str) -> bool:
        return int(reference.partition("-")[2]) < 2

    def create(seen: Seen) -> Any:
        return SILENCE if is_lost(seen.json["orderReference"]) else fitting(CREATED, seen)

    def find(seen: Seen) -> Any:
        return NOT_FOUND if is_lost(seen.path.rpartition("/")[2]) else fitting(FOUND, seen)

    routes = {f"POST {LINKS}": create, f"GET {BY_REFERENCE}/*": find}
    options: dict[str, Any] = {"retry": ONCE, "read_timeout": 0.2, "max_connections": 2}
    async with scripted(routes, **options) as (plexy, _):
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with aclosing(plexy.payment_links.create_many(rows(20), timeout=20)) as results:
            done = [(result.error is None, loop.time() - began) async for result in results]
    assert [is_done for is_done, _ in done] == [True] * 18 + [False] * 2
    assert done[17][1] < 3 < done[18][1]


@pytest.mark.usefixtures("full_pauses")
async def test_with_a_concurrency_of_its_own_a_job_has_no_other_workers() -> None:
    done, hook = await _done_within_a_pause(100, concurrency=10)

    # The ten workers all wait with rows that have failed, the fiftieth being the last.
    assert done <= 50
    assert hook.most <= 10


@pytest.mark.usefixtures("full_pauses")
async def test_only_so_many_rows_are_in_memory_however_many_pause() -> None:
    read = 0

    def source() -> Iterator[CreatePaymentLink]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield row(number)

    async def fail_first(reference: str) -> bool:
        return int(reference.partition("-")[2]) % 4 == 3 or server.creates[reference] > 1

    async with ledger() as server, a_client(server, retry=SLOW, max_connections=10) as plexy:
        server.before = fail_first
        async with aclosing(plexy.payment_links.create_many(source())) as results:
            await anext(results)
            await asyncio.sleep(0.45)
            held = read - sum(map(len, server.links.values()))
    assert 15 < held <= 10 * (1 + SPARE)


@pytest.mark.usefixtures("full_pauses")
async def test_while_nothing_works_no_other_rows_are_begun() -> None:
    async def fail(_: str) -> bool:
        return False

    async with ledger() as server, a_client(server, retry=SLOW, max_connections=10) as plexy:
        server.before = fail
        async with aclosing(plexy.payment_links.create_many(rows(1000), timeout=0.5)) as results:
            await anext(results)
        begun = len(server.creates)
    assert 10 <= begun <= 17


@pytest.mark.usefixtures("full_pauses")
@pytest.mark.parametrize("ordered", [False, True])
async def test_each_row_has_its_result_once(ordered: bool, tmp_path: Path) -> None:
    async with ledger() as server, a_client(server, retry=SLOW, max_connections=4) as plexy:
        server.before = FailingOnce(server, every=3)
        done = await run(plexy, rows(60), ordered=ordered, journal=tmp_path / "job.journal")

        indices = [result.index for result in done]
        assert (indices if ordered else sorted(indices)) == list(range(60))
        assert {result.retries for result in done} == {0, 1}
        assert server.twice == []


async def test_a_job_that_is_left_amid_pauses_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with ledger() as server, a_client(server, retry=RetryPolicy(base=30, cap=30)) as plexy:
        server.before = FailingOnce(server, every=2)
        async with aclosing(plexy.payment_links.create_many(rows(300))) as results:
            for _ in range(20):
                await anext(results)
        names = {task.get_coro() for task in asyncio.all_tasks() - before}
        assert not [coro for coro in names if "_Worker" in repr(coro)]


class Idle:
    """A worker that waits until it is told."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def run(self) -> None:
        await self.told.wait()


async def test_a_crew_grows_with_what_pauses_and_shrinks_again() -> None:
    made: list[Idle] = []
    hiring = True

    def make() -> Idle:
        made.append(Idle())
        return made[-1]

    crew = Crew(2, make, may_grow=True, is_hiring=lambda: hiring)
    crew.begin()
    assert len(made) == 2
    crew.paused()
    assert len(made) == 3
    hiring = False
    crew.paused()
    assert len(made) == 3
    hiring = True
    for _ in range(20):
        crew.paused()
    assert len(made) == 2 * (1 + SPARE)
    assert crew.here is None
    assert not crew.leaves()
    for _ in range(22):
        crew.resumed()
    # Who asks is none of its workers.
    assert not crew.leaves()
    await crew.end()


async def test_a_worker_too_many_leaves() -> None:
    left: list[bool] = []

    class Asking:
        async def run(self) -> None:
            await asyncio.sleep(0)
            left.append(crew.leaves())

    crew: Crew[Asking] = Crew(1, Asking, may_grow=True, is_hiring=lambda: True)
    crew.begin()
    crew.paused()
    crew.resumed()
    await asyncio.sleep(0.01)
    assert left == [True, False]
    await crew.end()
