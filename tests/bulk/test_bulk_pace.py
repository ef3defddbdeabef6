"""How fast a job asks: the adaptive limit, a rate of its own, and limits that jobs share."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay, ConnectError, Outcome
from plexypay_async.limits import AdaptivePace, OpenPace, ProbeQueue, RateClock, RatedPace, RetryBudget
from plexypay_async.sandbox import Sandbox

from .ledger_server import ledger
from .rows import CREATE, QUICK, a_client, rows, run

pytestmark = pytest.mark.asyncio


class Load:
    """More requests than the pace lets through, in round trips."""

    def __init__(self, pace: AdaptivePace) -> None:
        self._pace = pace
        self._waiting = [asyncio.create_task(pace.enter()) for _ in range(300)]

    async def round(self, *, troubles: int = 0, learned: bool = True) -> int:
        """Let all that are under way end, and as many wait anew; return how many they were."""
        for _ in range(3):
            await asyncio.sleep(0)
        under_way = [task for task in self._waiting if task.done()]
        self._waiting = [task for task in self._waiting if not task.done()]
        self._waiting += [asyncio.create_task(self._pace.enter()) for _ in under_way]
        for number, task in enumerate(under_way):
            self._pace.leave(task.result(), trouble=number < troubles if learned else None)
        return len(under_way)

    async def end(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._waiting = []


@pytest_asyncio.fixture
async def load() -> AsyncIterator[Callable[[AdaptivePace], Load]]:
    loads: list[Load] = []

    def begin(pace: AdaptivePace) -> Load:
        loads.append(Load(pace))
        return loads[-1]

    yield begin
    for each in loads:
        await each.end()


Begin: TypeAlias = Callable[[AdaptivePace], Load]


async def test_the_limit_doubles_every_round_trip_until_the_ceiling(load: Begin) -> None:
    trips = load(AdaptivePace(100))

    assert [await trips.round() for _ in range(6)] == [10, 20, 40, 80, 100, 100]


async def test_a_small_client_never_goes_above_its_connections(load: Begin) -> None:
    trips = load(AdaptivePace(3))

    assert [await trips.round() for _ in range(3)] == [3, 3, 3]


async def test_trouble_takes_a_tenth_once_a_round_trip_and_ends_the_doubling(load: Begin) -> None:
    pace = AdaptivePace(100)
    trips = load(pace)
    for _ in range(2):
        await trips.round()
    assert pace.limit == 40

    await trips.round(troubles=40)
    assert pace.limit == pytest.approx(36)
    await trips.round(troubles=1)
    assert 32.4 <= pace.limit <= 33.5
    before = pace.limit
    await trips.round()
    assert before + 0.9 < pace.limit <= before + 1.1


async def test_the_limit_never_falls_below_one(load: Begin) -> None:
    pace = AdaptivePace(10)
    trips = load(pace)
    for _ in range(60):
        await trips.round(troubles=100)
    assert pace.limit == 1
    assert await trips.round() == 1


async def test_an_idle_client_learns_nothing_of_the_server() -> None:
    pace = AdaptivePace(100)
    for _ in range(100):
        pace.leave(await pace.enter(), trouble=False)
    assert pace.limit == 10


async def test_what_tells_nothing_of_the_server_leaves_the_limit(load: Begin) -> None:
    pace = AdaptivePace(100)

    await load(pace).round(learned=False)

    assert (pace.limit, pace.under_way) == (10, 10)


async def test_places_are_given_in_the_order_of_the_asking() -> None:
    pace = AdaptivePace(1)
    first = await pace.enter()
    order: list[int] = []

    async def ask(number: int) -> None:
        ticket = await pace.enter()
        order.append(number)
        pace.leave(ticket, trouble=False)

    asking = [asyncio.create_task(ask(number)) for number in range(5)]
    await asyncio.sleep(0)
    pace.leave(first, trouble=False)
    late = asyncio.create_task(ask(5))
    await asyncio.gather(*asking, late)

    assert order == [0, 1, 2, 3, 4, 5]
    assert pace.under_way == 0


@pytest.mark.parametrize("given", [False, True], ids=["while waiting", "when the place was just given"])
async def test_a_cancelled_waiter_takes_no_place_with_it(given: bool) -> None:
    pace = AdaptivePace(1)
    ticket = await pace.enter()
    cancelled = asyncio.create_task(pace.enter())
    other = asyncio.create_task(pace.enter())
    await asyncio.sleep(0)
    if given:
        pace.leave(ticket, trouble=False)
        cancelled.cancel()
    else:
        cancelled.cancel()
        pace.leave(ticket, trouble=False)

    async with asyncio.timeout(1):
        pace.leave(await other, trouble=False)
    assert cancelled.cancelled()
    assert pace.under_way == 0


async def test_a_rate_keeps_its_distance_also_where_the_pace_held_it_up() -> None:
    under = AdaptivePace(1)
    held = await under.enter()
    pace = RatedPace(50, under, RateClock())
    entered: list[float] = []

    async def ask() -> None:
        ticket = await pace.enter()
        entered.append(time.monotonic())
        pace.leave(ticket, trouble=False)

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(ask())
        await asyncio.sleep(0.15)
        under.leave(held, trouble=False)

    gaps = [later - earlier for earlier, later in itertools.pairwise(entered)]
    assert all(0.008 <= gap <= 0.2 for gap in gaps)


async def test_a_cancelled_waiter_of_a_rate_lets_the_next_one_through() -> None:
    pace = RatedPace(20, OpenPace(), RateClock())
    await pace.enter()
    cancelled, other = asyncio.create_task(pace.enter()), asyncio.create_task(pace.enter())
    await asyncio.sleep(0.01)
    cancelled.cancel()
    async with asyncio.timeout(0.5):
        await other


async def test_jobs_with_a_rate_share_it(sandbox: Sandbox) -> None:
    async with a_client(sandbox) as plexy:
        began = time.monotonic()
        jobs = (run(plexy, rows(20, 100 * number), max_rate=50) for number in range(2))
        results = await asyncio.gather(*jobs)
        took = time.monotonic() - began
    assert [result.error for job in results for result in job] == [None] * 40
    assert took > 0.9 * 39 / 50


# ------------------------------------------------------------------------------------- the probe queue


async def test_one_waiter_at_a_time_goes_out_as_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async.limits.PROBE_INTERVAL", 0.05)
    budget = RetryBudget(8, 1)
    budget.tokens = 0
    queue = ProbeQueue(budget, asyncio.get_running_loop())
    waiting = [asyncio.create_task(queue.wait(5)) for _ in range(4)]

    await asyncio.sleep(0.02)
    assert [task.done() for task in waiting] == [True, False, False, False]
    assert waiting[0].result() is True
    await asyncio.sleep(0.05)
    assert [task.done() for task in waiting] == [True, True, False, False]
    # A probe's success pays for the next, which goes at once.
    queue.answered(probe=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert waiting[2].result() is False
    assert budget.tokens == 0
    # One that cannot pay goes back into the queue.
    queue.answered(probe=False)
    await asyncio.sleep(0)
    assert not waiting[3].done()
    await asyncio.wait_for(waiting[3], 1)
    queue.close()


async def test_a_cancelled_waiter_does_not_swallow_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async.limits.PROBE_INTERVAL", 0.05)
    queue = ProbeQueue(RetryBudget(8, 1), asyncio.get_running_loop())
    await queue.wait(0)
    cancelled, other = asyncio.create_task(queue.wait(0)), asyncio.create_task(queue.wait(0))
    await asyncio.sleep(0)
    cancelled.cancel()

    async with asyncio.timeout(0.5):
        assert await other is True
    queue.close()


async def test_closing_lets_all_go() -> None:
    queue = ProbeQueue(RetryBudget(8, 1), asyncio.get_running_loop())
    await queue.wait(0)
    waiting = [asyncio.create_task(queue.wait(0)) for _ in range(3)]
    await asyncio.sleep(0)

    queue.close()

    async with asyncio.timeout(0.2):
        assert await asyncio.gather(*waiting) == [True] * 3


# ------------------------------------------------------------------------------------ against a server


async def test_a_job_adapts_to_a_servers_capacity(sandbox: Sandbox) -> None:
    sandbox.faults.add(f"capacity=10,latency=0.005,operation={CREATE}")
    async with a_client(sandbox) as plexy:
        results = await run(plexy, rows(500))

    assert [result.error for result in results] == [None] * 500
    assert sandbox.requests.count(CREATE) < 900


async def test_jobs_of_one_client_share_its_limit() -> None:
    under_way = most = 0

    async def count(_: str) -> bool:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            await asyncio.sleep(0.005)
            return under_way <= 12
        finally:
            under_way -= 1

    async with ledger() as server, a_client(server) as plexy:
        server.before = count
        jobs = await asyncio.gather(*(run(plexy, rows(100, 100 * number)) for number in range(3)))
        assert [result.error for results in jobs for result in results] == [None] * 300
        assert most < 40
        assert server.creates.total() < 1.5 * 300


async def test_a_fixed_concurrency_is_kept() -> None:
    under_way = most = 0

    async def count(_: str) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1

    async with ledger() as server, a_client(server) as plexy:
        server.before = count
        await run(plexy, rows(100), concurrency=7)
    assert most == 7


@pytest.mark.parametrize("concurrency", [None, 5])
async def test_a_rate_is_kept(concurrency: int | None) -> None:
    arrivals: list[float] = []

    async def note(_: str) -> None:
        arrivals.append(time.monotonic())

    async with ledger() as server, a_client(server) as plexy:
        server.before = note
        await run(plexy, rows(60), max_rate=100, concurrency=concurrency)

    assert 0.5 <= arrivals[-1] - arrivals[0] < 0.9
    # In no tenth of a second more than the rate allows, and what a timer may catch up.
    for begin in arrivals:
        assert sum(begin <= at < begin + 0.1 for at in arrivals) <= 16


async def test_refused_connections_do_not_raise_the_limit() -> None:
    async with ledger() as server:
        address = server.base_url
    async with AsyncPlexyPay("key", base_url=address, retry=QUICK) as plexy:
        results = await run(plexy, rows(20), timeout=0.3)
        connections = await plexy._execution.transport.connections()
        assert connections.pace.limit == 10

    for result in results:
        assert result.error is not None
        assert result.error.outcome is Outcome.NOT_SENT
        assert isinstance(result.error, ConnectError) or isinstance(result.error.__cause__, ConnectError)
