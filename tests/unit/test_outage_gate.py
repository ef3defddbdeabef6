"""The gate of single calls, by a clock that is moved by hand: who goes out, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from plexypay_async import ConfigurationError, ServiceUnavailableError
from plexypay_async._core.outage_gate import FIRST, FOR_EACH, TURN, OutageGate
from plexypay_async._core.retry_budget import (
    MANY,
    OUTAGE_AFTER,
    OUTAGE_LASTS,
    PROBE_INTERVAL,
    REFILL,
    RETRY_COST,
    STALE_AFTER,
    RetryBudget,
)
from plexypay_async._core.slots import Slots

pytestmark = pytest.mark.asyncio


class HandClock:
    """A loop whose time stands still unless it is moved, and the library's clock with it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self._timers: list[asyncio.TimerHandle] = []
        self._loop = asyncio.get_running_loop()
        self.create_future = self._loop.create_future
        clock = SimpleNamespace(monotonic=lambda: self.now)
        patch.setattr("plexypay_async._core.retry_budget.time", clock)

    def is_closed(self) -> bool:
        return False

    def call_later(self, delay: float, callback: Callable[[], Any]) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(self.now + delay, callback, (), self._loop)
        self._timers.append(timer)
        return timer

    @property
    def pending(self) -> list[asyncio.TimerHandle]:
        return [timer for timer in self._timers if not timer.cancelled()]

    async def move(self, seconds: float = 0.0) -> None:
        """Let so many seconds pass, call what is due, and let the tasks that it wakes run."""
        end = self.now + seconds
        while due := [timer for timer in self.pending if timer.when() <= end + 1e-9]:
            timer = min(due, key=asyncio.TimerHandle.when)
            self._timers.remove(timer)
            self.now = max(self.now, timer.when())
            timer._run()
        self.now = end
        await turns()


async def turns() -> None:
    """Let all tasks come to where they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


class Scene:
    """A gate with calls that wait at it."""

    def __init__(self, patch: pytest.MonkeyPatch, *, slots: int = 100, attempts: int = 8) -> None:
        self.clock = HandClock(patch)
        self.budget = RetryBudget(attempts, slots)
        self.slots = Slots(asyncio.get_running_loop(), slots)
        self.gate = self.another_gate()
        self.waiting: list[asyncio.Task[int]] = []

    def another_gate(self) -> OutageGate:
        return OutageGate(self.budget, self.slots, cast("asyncio.AbstractEventLoop", self.clock))

    def fail(self, times: int = MANY) -> None:
        for _ in range(times):
            self.budget.note_failure(ServiceUnavailableError("down"))

    async def calls(self, count: int, price: int = 0) -> None:
        self.waiting += [asyncio.create_task(self.gate.wait(price)) for _ in range(count)]
        await turns()

    def answer(self) -> None:
        """A call that is under way succeeds."""
        self.budget.give(0)
        # The budget opens the gates of the running loop, which the clock is not.
        if self.gate in self.budget.holding:
            self.gate.answered(ends_outage=self.lasted)

    lasted = False

    @property
    def gone(self) -> int:
        return sum(task.done() for task in self.waiting)


@pytest_asyncio.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


async def test_two_probes_a_second_go_out_whatever_becomes_of_them(scene: Scene) -> None:
    scene.fail()
    await scene.calls(100)
    assert scene.gone == 0
    for _ in range(60):
        # None of them is answered: the next one goes out all the same.
        await scene.clock.move(PROBE_INTERVAL)
    assert scene.gone == 61
    assert all(task.result() == 0 for task in scene.waiting if task.done())


async def test_two_gates_of_one_client_share_the_probes(scene: Scene) -> None:
    scene.fail()
    other = scene.another_gate()
    await scene.calls(50)
    scene.waiting += [asyncio.create_task(other.wait(0)) for _ in range(50)]
    await turns()
    await scene.clock.move(10.0)
    assert 20 <= scene.gone <= 21


async def test_the_first_answer_lets_ten_go_and_each_one_after_it_two(scene: Scene) -> None:
    scene.fail()
    await scene.calls(100)
    await scene.clock.move(OUTAGE_LASTS)
    probes = scene.gone
    scene.lasted = True
    scene.answer()
    await turns()
    assert scene.gone == probes + FIRST
    scene.lasted = False
    for number in range(1, 6):
        scene.answer()
        await turns()
        assert scene.gone == probes + FIRST + number * FOR_EACH


async def test_the_rest_goes_on_although_no_answer_comes(scene: Scene) -> None:
    scene.fail()
    await scene.calls(35)
    scene.answer()
    await turns()
    assert scene.gone == FOR_EACH
    # Those that went fail, and are too few to mean anything.
    scene.fail(FOR_EACH)
    await scene.clock.move(PROBE_INTERVAL + 4 * TURN)
    assert scene.gone == 35
    assert scene.clock.pending == []
    assert not scene.budget.holding


async def test_repeats_pay_when_the_outage_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, slots=1)
    scene.fail()
    await scene.calls(20, RETRY_COST)
    scene.lasted = True
    scene.answer()
    await turns()
    # 35 tokens are seven repeats.
    assert [task.result() for task in scene.waiting if task.done()] == [RETRY_COST] * 7
    await scene.clock.move(PROBE_INTERVAL + TURN)
    assert 7 < scene.gone <= 7 + 2 + (PROBE_INTERVAL + TURN) * REFILL / RETRY_COST


async def test_a_turn_that_is_cancelled_is_the_next_ones(scene: Scene) -> None:
    scene.fail()
    await scene.calls(3)
    (timer,) = scene.clock.pending
    scene.clock._timers.remove(timer)
    # It has its turn, and is cancelled before it knows.
    timer._run()
    scene.waiting[0].cancel()
    await turns()
    await scene.clock.move()
    assert scene.waiting[0].cancelled()
    assert scene.waiting[1].done()
    assert not scene.waiting[2].done()


async def test_ten_thousand_that_give_up_leave_nothing_behind(scene: Scene) -> None:
    scene.fail()
    await scene.calls(10_000)
    last = scene.waiting.pop()
    for task in scene.waiting:
        task.cancel()
    await turns()
    assert len(scene.gate._waiting) == 1
    await scene.clock.move(PROBE_INTERVAL)
    assert last.done()
    assert scene.clock.pending == []
    assert not scene.budget.holding


async def test_closing_tells_all_that_wait_and_all_that_come(scene: Scene) -> None:
    scene.fail()
    await scene.calls(3)
    scene.gate.close()
    await turns()
    await scene.calls(1)
    for task in scene.waiting:
        with pytest.raises(ConfigurationError, match="closed"):
            task.result()
    assert scene.clock.pending == []


# ------------------------------------------------------------------------------- what an outage is


async def test_a_few_failures_mean_an_outage_when_they_have_lasted(scene: Scene) -> None:
    scene.fail(OUTAGE_AFTER)
    assert not scene.gate.is_shut()
    scene.clock.now += OUTAGE_LASTS
    assert scene.gate.is_shut()
    scene.budget.give(0)
    assert not scene.gate.is_shut()


async def test_fewer_failures_than_requests_under_way_mean_none(scene: Scene) -> None:
    scene.slots.free -= 30
    scene.fail(29)
    scene.clock.now += OUTAGE_LASTS
    assert not scene.gate.is_shut()
    scene.fail(1)
    assert scene.gate.is_shut()


async def test_many_failures_mean_one_at_once_however_many_are_under_way(scene: Scene) -> None:
    scene.slots.free -= 100
    scene.fail(MANY - 1)
    assert not scene.gate.is_shut()
    scene.fail(1)
    assert scene.gate.is_shut()


@pytest.mark.parametrize("passed", [STALE_AFTER + 0.1, 86_400.0, -86_400.0])
async def test_old_failures_say_nothing(scene: Scene, passed: float) -> None:
    scene.fail()
    assert scene.gate.is_shut()
    scene.clock.now += passed
    assert not scene.gate.is_shut()
    assert scene.budget.failures_on_end == 0
    scene.fail(OUTAGE_AFTER - 1)
    scene.clock.now += passed
    scene.fail(1)
    assert scene.budget.failures_on_end == 1


async def test_an_outage_without_answers_is_not_old_while_probes_go_out(scene: Scene) -> None:
    scene.fail()
    await scene.calls(200)
    await scene.clock.move(3 * STALE_AFTER)
    assert scene.gate.is_shut()
    assert scene.gone <= 3 * STALE_AFTER / PROBE_INTERVAL + 1


async def test_a_clock_that_is_set_back_does_not_hold_a_probe_back(scene: Scene) -> None:
    scene.fail()
    assert scene.gate.may_probe()
    assert not scene.gate.may_probe()
    scene.clock.now -= 86_400.0
    assert scene.budget.until_probe() == PROBE_INTERVAL


# ---------------------------------------------------------------------------------- the budget's rate


async def test_tokens_come_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    budget, taken = scene.budget, 0
    while budget.take(RETRY_COST):
        taken += 1
    assert taken == 700
    for _ in range(100):
        scene.clock.now += 0.1
        while budget.take(RETRY_COST):
            taken += 1
    assert 700 + 10 * REFILL / RETRY_COST - 1 <= taken <= 700 + 10 * REFILL / RETRY_COST
    # Never more than it holds, and no time counts twice.
    scene.clock.now += 86_400.0
    assert budget.take(budget.capacity)
    assert not budget.take(1)
    scene.clock.now -= 43_200.0
    assert not budget.take(1)
    scene.clock.now += 1.0
    assert budget.take(REFILL)
    assert not budget.take(1)


async def test_calls_wait_for_tokens_and_go_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, slots=1)
    assert scene.budget.take(scene.budget.capacity)
    await scene.calls(20, RETRY_COST)
    await scene.clock.move(1.0)
    gone = scene.gone
    assert 9 <= gone <= 10
    assert [task.done() for task in scene.waiting] == [True] * gone + [False] * (20 - gone)
    # What a repeat has paid comes back with its success, for the next one.
    scene.budget.pay_in(RETRY_COST)
    scene.answer()
    await turns()
    assert gone < scene.gone <= gone + FOR_EACH


async def test_a_calm_budget_is_left_alone(scene: Scene) -> None:
    budget = scene.budget
    assert budget.is_calm
    assert budget.take(RETRY_COST)
    assert not budget.is_calm
    budget.give(RETRY_COST)
    assert budget.is_calm
    scene.fail(1)
    assert not budget.is_calm
    budget.give(0)
    assert (budget.is_calm, budget.failures_on_end) == (True, 0)


async def test_after_a_fork_nobody_waits_at_the_parents_gate(scene: Scene) -> None:
    scene.fail()
    await scene.calls(1)
    scene.gate.abandon()
    scene.budget.give(0)
    assert scene.budget.is_calm
    scene.gate.close()
    await turns()
