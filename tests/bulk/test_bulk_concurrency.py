"""How fast a job asks: the adaptive limit, a rate of its own, and limits that jobs share."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, TypeAlias, cast

import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay, ConnectError, Outcome
from plexypay_async._core.concurrency import (
    BURST,
    AdaptiveLimit,
    FixedLimit,
    Hold,
    RateClock,
    RateLimit,
    Unlimited,
)
from plexypay_async._core.pace import Sign
from plexypay_async._core.retry_budget import PROBE_INTERVAL, JobRetryBudget, ProbeQueue
from plexypay_async.sandbox import Sandbox

from .ledger_server import ledger
from .rows import CREATE, QUICK, a_client, now, rows, run

pytestmark = pytest.mark.asyncio


TRIP = 0.05
"""Seconds of a round trip, by the tests' own clock."""


class Clock:
    """A clock that stands still between two round trips."""

    now = 1.0

    def __call__(self) -> float:
        return self.now


def adaptive(ceiling: int) -> AdaptiveLimit:
    return AdaptiveLimit(ceiling, Clock())


class Load:
    """More requests than the limit lets through, in round trips."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self._limit = limit
        self.clock = cast(Clock, limit._clock)
        self._waiting = [asyncio.create_task(limit.enter()) for _ in range(300)]

    async def round(self, *, troubles: int = 0, capacity: int | None = None, learned: bool = True) -> int:
        """Let all that are under way end, and as many wait anew; return how many they were.

        The failures are spread evenly among them; with a capacity, they are those that are above it.
        """
        for _ in range(3):
            await asyncio.sleep(0)
        under_way = [task for task in self._waiting if task.done()]
        self._waiting = [task for task in self._waiting if not task.done()]
        self._waiting += [asyncio.create_task(self._limit.enter()) for _ in under_way]
        self.clock.now += TRIP
        if capacity is not None:
            troubles = max(0, len(under_way) - capacity)
        for number, task in enumerate(under_way):
            total = len(under_way)
            fails = number * troubles // total != (number + 1) * troubles // total
            sign = Sign.TROUBLE if fails else Sign.FINE
            self._limit.leave(task.result(), sign if learned else Sign.NOTHING)
        return len(under_way)

    async def end(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._waiting = []


@pytest_asyncio.fixture
async def load() -> AsyncIterator[Callable[[AdaptiveLimit], Load]]:
    loads: list[Load] = []

    def begin(limit: AdaptiveLimit) -> Load:
        loads.append(Load(limit))
        return loads[-1]

    yield begin
    for each in loads:
        await each.end()


Begin: TypeAlias = Callable[[AdaptiveLimit], Load]


async def test_the_limit_more_than_doubles_every_round_trip_until_the_ceiling(load: Begin) -> None:
    trips = load(adaptive(100))

    assert [await trips.round() for _ in range(6)] == [10, 25, 62, 100, 100, 100]


async def test_a_small_client_never_goes_above_its_connections(load: Begin) -> None:
    trips = load(adaptive(3))

    assert [await trips.round() for _ in range(3)] == [3, 3, 3]


async def test_the_limit_is_at_a_capacity_a_few_round_trips_after_the_first_refusals(load: Begin) -> None:
    limit = adaptive(100)
    trips = load(limit)
    for _ in range(3):
        await trips.round()
    assert limit.limit == 100

    await trips.round(capacity=50)

    # The step was too large, and is taken back; what is still too much goes with the next failures.
    assert limit.limit == 62
    for _ in range(3):
        await trips.round(capacity=50)
    assert limit.limit <= 55
    assert "more fails above" in limit.pace.reason


@pytest.mark.parametrize("share", [0.01, 0.2])
async def test_failures_by_chance_leave_the_limit(load: Begin, share: float) -> None:
    limit = adaptive(100)
    trips = load(limit)
    under_way: list[int] = []
    due = 0.0
    for _ in range(60):
        due += share * limit.limit
        failing = int(due)
        due -= failing
        under_way.append(await trips.round(troubles=failing))

    # The same share fails however many are under way: hardly fewer are asked for.
    assert sum(under_way[20:]) / 40 >= 90


async def test_a_server_that_fails_nearly_all_is_asked_for_little(load: Begin) -> None:
    limit = adaptive(100)
    trips = load(limit)
    for _ in range(3):
        await trips.round()

    for _ in range(60):
        await trips.round(troubles=limit.limit)

    assert 1 <= limit.limit <= 2


async def test_the_servers_own_word_halves_the_limit_once_a_round_trip(load: Begin) -> None:
    limit = adaptive(100)
    trips = load(limit)
    for _ in range(3):
        await trips.round()
    assert limit.limit == 100

    trips.clock.now += TRIP
    before = trips.clock.now
    for _ in range(20):
        limit.pace.told_to_slow_down(before - TRIP, before)
    assert limit.limit == 50
    limit.pace.told_to_slow_down(before + TRIP, before + 2 * TRIP)
    assert limit.limit == 25
    assert "slow down" in limit.pace.reason


LIMITS: dict[str, Callable[[Hold], AdaptiveLimit | FixedLimit]] = {
    "adaptive": lambda hold: AdaptiveLimit(100, hold=hold),
    "fixed": FixedLimit,
}


@pytest.mark.parametrize("one", LIMITS)
@pytest.mark.parametrize("other", LIMITS)
async def test_retry_after_holds_all_jobs_of_a_client(one: str, other: str) -> None:
    hold = Hold()
    told, held = LIMITS[one](hold), LIMITS[other](hold)
    ticket = await told.enter()
    began = now()

    told.leave(ticket, Sign.SLOWER, 0.1)
    assert told.enter_now() is None
    assert held.enter_now() is None
    others = [asyncio.create_task(held.enter()) for _ in range(3)]
    await asyncio.sleep(0.01)
    others[0].cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*others[1:])

    assert now() - began >= 0.09
    assert held.enter_now() is not None
    assert others[0].cancelled()


@pytest.mark.parametrize("kind", LIMITS)
async def test_a_later_retry_after_counts_where_it_ends_later(kind: str) -> None:
    limit = LIMITS[kind](Hold())
    began = now()
    tickets = [await limit.enter() for _ in range(3)]
    for ticket, seconds in zip(tickets, (0.1, 0.3, 0.05), strict=True):
        limit.leave(ticket, Sign.SLOWER, seconds)
    async with asyncio.timeout(10):
        await limit.enter()
    assert now() - began >= 0.29


@pytest.mark.parametrize("kind", LIMITS)
async def test_a_hold_ends_with_its_client(kind: str) -> None:
    hold = Hold()
    limit = LIMITS[kind](hold)
    limit.leave(await limit.enter(), Sign.SLOWER, 30)
    waiting = asyncio.create_task(limit.enter())
    await asyncio.sleep(0)
    hold.close()
    async with asyncio.timeout(10):
        await waiting


@pytest.mark.parametrize("kind", LIMITS)
@pytest.mark.parametrize("seconds", [0.0, 3600])
async def test_a_wait_of_an_hour_is_each_rows_own(kind: str, seconds: float) -> None:
    limit = LIMITS[kind](Hold())
    limit.leave(await limit.enter(), Sign.SLOWER, seconds)
    assert limit.enter_now() is not None


async def test_an_idle_client_learns_nothing_of_the_server() -> None:
    limit = adaptive(100)
    for _ in range(300):
        limit.leave(await limit.enter(), Sign.FINE)
    assert limit.limit == 10


async def test_what_tells_nothing_of_the_server_leaves_the_limit(load: Begin) -> None:
    limit = adaptive(100)

    await load(limit).round(learned=False)

    assert (limit.limit, limit.under_way) == (10, 10)


async def test_places_are_given_in_the_order_of_the_asking() -> None:
    limit = AdaptiveLimit(1)
    first = await limit.enter()
    order: list[int] = []

    async def ask(number: int) -> None:
        ticket = await limit.enter()
        order.append(number)
        limit.leave(ticket, Sign.FINE)

    asking = [asyncio.create_task(ask(number)) for number in range(5)]
    await asyncio.sleep(0)
    limit.leave(first, Sign.FINE)
    late = asyncio.create_task(ask(5))
    await asyncio.gather(*asking, late)

    assert order == [0, 1, 2, 3, 4, 5]
    assert limit.under_way == 0


@pytest.mark.parametrize("given", [False, True], ids=["while waiting", "when the place was just given"])
async def test_a_cancelled_waiter_takes_no_place_with_it(given: bool) -> None:
    limit = AdaptiveLimit(1)
    ticket = await limit.enter()
    cancelled = asyncio.create_task(limit.enter())
    other = asyncio.create_task(limit.enter())
    await asyncio.sleep(0)
    if given:
        limit.leave(ticket, Sign.FINE)
        cancelled.cancel()
    else:
        cancelled.cancel()
        limit.leave(ticket, Sign.FINE)

    async with asyncio.timeout(10):
        limit.leave(await other, Sign.FINE)
    assert cancelled.cancelled()
    assert limit.under_way == 0


async def test_a_rate_keeps_its_distance_also_where_the_limit_held_it_up() -> None:
    began = now()
    under = AdaptiveLimit(1)
    held = await under.enter()
    clock = RateClock()
    limit = RateLimit(50, under, clock)
    entered: list[float] = []
    moments: list[float] = []

    async def ask() -> None:
        ticket = await limit.enter()
        entered.append(now())
        moments.append(clock.next)
        limit.leave(ticket, Sign.FINE)

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(ask())
        # The moments of all six pass.
        await asyncio.sleep(0.15)
        under.leave(held, Sign.FINE)

    assert len(entered) == 6
    # Each waits for the moment that the one before it has set, and sets one no earlier than the rate allows.
    assert all(later >= moment for moment, later in zip(moments, entered[1:], strict=False))
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(gap >= 1 / 50 - 1e-9 for gap in gaps)
    assert moments[0] >= began + 0.15 - BURST + 1 / 50
    assert entered[-1] - entered[0] < 2


async def test_a_cancelled_waiter_of_a_rate_lets_the_next_one_through() -> None:
    limit = RateLimit(20, Unlimited(), RateClock())
    await limit.enter()
    began = now()
    cancelled, other = asyncio.create_task(limit.enter()), asyncio.create_task(limit.enter())
    await turns()
    cancelled.cancel()
    async with asyncio.timeout(10):
        await other
    assert cancelled.cancelled()
    assert now() - began >= 1 / 20 - BURST


async def test_jobs_with_a_rate_share_it(sandbox: Sandbox) -> None:
    async with a_client(sandbox) as plexy:
        began = now()
        jobs = (run(plexy, rows(20, 100 * number), max_rate=50) for number in range(2))
        results = await asyncio.gather(*jobs)
        took = now() - began
    assert [result.error for job in results for result in job] == [None] * 40
    assert took > 0.9 * 39 / 50


# ------------------------------------------------------------------------------------- the probe queue


class HandClock:
    """A loop whose time stands still unless it is moved, for a queue with a timer."""

    def __init__(self) -> None:
        self.now = 100.0
        self._timers: list[asyncio.TimerHandle] = []
        self._loop = asyncio.get_running_loop()
        self.create_future = self._loop.create_future

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], Any]) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, (), self._loop)
        self._timers.append(timer)
        return timer

    def due(self) -> asyncio.TimerHandle | None:
        self._timers = [timer for timer in self._timers if not timer.cancelled()]
        timer = min(self._timers, default=None, key=asyncio.TimerHandle.when)
        return timer if timer is not None and timer.when() <= self.now else None

    async def move(self, seconds: float = 0.0) -> None:
        """Let so many seconds pass, call what is due, and let the tasks that it wakes run."""
        self.now += seconds
        while (timer := self.due()) is not None:
            self._timers.remove(timer)
            timer._run()
        await turns()


async def turns() -> None:
    """Let all tasks come to where they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def queue_on(clock: HandClock, budget: JobRetryBudget) -> ProbeQueue:
    return ProbeQueue(budget, cast("asyncio.AbstractEventLoop", clock))


async def test_one_waiter_at_a_time_goes_out_as_a_probe() -> None:
    clock, budget = HandClock(), JobRetryBudget(35)
    budget.tokens = 0
    queue = queue_on(clock, budget)
    waiting = [asyncio.create_task(queue.wait(5)) for _ in range(5)]

    def gone() -> list[bool]:
        return [task.done() for task in waiting]

    # The first at once, and each other when the interval is over, not earlier.
    await turns()
    await clock.move()
    assert gone() == [True, False, False, False, False]
    assert waiting[0].result() is True
    await clock.move(0.99 * PROBE_INTERVAL)
    assert gone() == [True, False, False, False, False]
    await clock.move(0.01 * PROBE_INTERVAL + 1e-9)
    assert gone() == [True, True, False, False, False]
    # A timer that wakes late lets no more than one go.
    await clock.move(10 * PROBE_INTERVAL)
    assert gone() == [True, True, True, False, False]
    assert waiting[2].result() is True
    # A probe's success pays for the next, which goes at once.
    queue.answered(probe=True)
    await turns()
    assert gone() == [True, True, True, True, False]
    assert waiting[3].result() is False
    assert budget.tokens == 0
    # One that cannot pay goes back into the queue.
    queue.answered(probe=False)
    await turns()
    assert not waiting[4].done()
    await clock.move(PROBE_INTERVAL)
    assert waiting[4].result() is True
    queue.close()


async def test_a_cancelled_waiter_does_not_swallow_the_probe() -> None:
    clock = HandClock()
    queue = queue_on(clock, JobRetryBudget(35))
    first, cancelled, other = (asyncio.create_task(queue.wait(0)) for _ in range(3))
    await turns()
    await clock.move()
    assert first.result() is True
    cancelled.cancel()

    await clock.move(PROBE_INTERVAL)

    assert cancelled.cancelled()
    assert other.result() is True
    queue.close()


async def test_closing_lets_all_go() -> None:
    clock = HandClock()
    queue = queue_on(clock, JobRetryBudget(35))
    waiting = [asyncio.create_task(queue.wait(0)) for _ in range(4)]
    await turns()
    await clock.move()

    queue.close()
    await turns()

    assert [task.result() for task in waiting] == [True] * 4
    clock.now += 10 * PROBE_INTERVAL
    assert clock.due() is None


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
        assert server.creates.total() < 1.7 * 300


@pytest.mark.parametrize("later", [False, True], ids=["begun together", "begun later"])
async def test_two_jobs_of_one_client_have_half_each(later: bool) -> None:
    under_way = 0
    order: list[int] = []

    async def take(reference: str) -> bool:
        nonlocal under_way
        under_way += 1
        try:
            await asyncio.sleep(0.005)
            return under_way <= 20
        finally:
            under_way -= 1

    async def job(plexy: AsyncPlexyPay, number: int, count: int) -> None:
        async with aclosing(plexy.payment_links.create_many(rows(count, 10_000 * number))) as results:
            async for result in results:
                assert result.error is None
                order.append(number)

    async with ledger() as server, a_client(server) as plexy:
        server.before = take
        first = asyncio.create_task(job(plexy, 0, 1200))
        while later and len(order) < 300:
            await asyncio.sleep(0.005)
        already = len(order)
        await asyncio.gather(first, job(plexy, 1, 600))

    # From when both have begun until the first of them is about to end.
    both = order[already + 200 : already + 1000]
    assert 0.4 <= both.count(0) / len(both) <= 0.6


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
        arrivals.append(now())

    async with ledger() as server, a_client(server) as plexy:
        server.before = note
        await run(plexy, rows(60), max_rate=100, concurrency=concurrency)

    # 59 distances, the first of which may be shorter by the burst.
    assert 0.5 <= arrivals[-1] - arrivals[0] < 1.0
    # In no tenth of a second more than the rate allows, and what a timer may catch up.
    for begin in arrivals:
        assert sum(begin <= at < begin + 0.1 for at in arrivals) <= 16


async def test_refused_connections_do_not_raise_the_limit() -> None:
    async with ledger() as server:
        address = server.base_url
    async with AsyncPlexyPay("key", base_url=address, retry=QUICK) as plexy:
        results = await run(plexy, rows(20), timeout=0.3)
        connections = await plexy._execution.transport.connections()
        assert connections.concurrency_limit.limit == 10

    for result in results:
        assert result.error is not None
        assert result.error.outcome is Outcome.NOT_SENT
        assert isinstance(result.error, ConnectError) or isinstance(result.error.__cause__, ConnectError)
