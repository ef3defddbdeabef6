"""Deadlines: a call is cut a little late, never early, and never for another's reason."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from plexypay_async.deadlines import TICK, Deadlines

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.TimerHandle]:
    """The timers that deadlines have set on the test's loop so far."""
    loop = asyncio.get_running_loop()
    call_at = loop.call_at
    made: list[asyncio.TimerHandle] = []

    def noted(when: float, callback: Any, *args: Any, **options: Any) -> asyncio.TimerHandle:
        timer = call_at(when, callback, *args, **options)
        if isinstance(getattr(callback, "__self__", None), Deadlines):
            made.append(timer)
        return timer

    monkeypatch.setattr(loop, "call_at", noted)
    return made


async def watched(deadlines: Deadlines, seconds: float, work: Any) -> str:
    """Do `work` under a deadline, and say how it ended."""
    watch = deadlines.watch(asyncio.get_running_loop().time() + seconds)
    try:
        await work
    except asyncio.CancelledError:
        if not watch.done():
            raise
        return "cut"
    watch.done()
    return "done"


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.06, 0.12])
async def test_a_call_is_cut_late_but_not_early(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()

    assert await watched(Deadlines(loop), seconds, asyncio.Event().wait()) == "cut"

    assert seconds <= loop.time() - started < seconds + 0.5
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_call_in_time_is_left_alone(timers: list[asyncio.TimerHandle]) -> None:
    deadlines = Deadlines(asyncio.get_running_loop())

    assert await watched(deadlines, 0.05, asyncio.sleep(0)) == "done"
    await asyncio.sleep(3 * TICK)

    # An idle client wakes nobody.
    assert len(timers) == 1


async def test_each_call_has_its_own_deadline() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    release = asyncio.Event()

    async def first_then_rest() -> str:
        ended = await watched(deadlines, 0.02, asyncio.Event().wait())
        release.set()
        return ended

    ended = await asyncio.gather(
        first_then_rest(), watched(deadlines, 30, release.wait()), watched(deadlines, 30, asyncio.sleep(0))
    )

    assert list(ended) == ["cut", "done", "done"]


async def test_the_callers_own_cancellation_is_not_taken_for_the_deadline() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    task = asyncio.create_task(watched(deadlines, 30, asyncio.Event().wait()))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_beside_the_deadline_wins() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())

    async def late_to_react() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            me = asyncio.current_task()
            assert me is not None
            me.cancel()
            raise

    task = asyncio.create_task(watched(deadlines, 0, late_to_react()))

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_inside_a_timeout_of_the_callers() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())

    async with asyncio.timeout(30):
        assert await watched(deadlines, 0.01, asyncio.Event().wait()) == "cut"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await watched(deadlines, 30, asyncio.Event().wait())


async def test_many_deadlines_share_one_timer(timers: list[asyncio.TimerHandle]) -> None:
    deadlines = Deadlines(asyncio.get_running_loop())

    ended = await asyncio.gather(*(watched(deadlines, 0.05, asyncio.Event().wait()) for _ in range(500)))

    assert ended == ["cut"] * 500
    assert len(timers) <= 4


async def test_closing_stops_the_timer(timers: list[asyncio.TimerHandle]) -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    deadlines.watch(asyncio.get_running_loop().time() + 30)

    deadlines.close()
    deadlines.close()

    assert [timer.cancelled() for timer in timers] == [True]


async def test_a_deadline_needs_a_task() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    outcome: asyncio.Future[str] = loop.create_future()

    def outside_a_task() -> None:
        try:
            deadlines.watch(loop.time())
        except RuntimeError as error:
            outcome.set_result(str(error))

    loop.call_soon(outside_a_task)

    assert await outcome == "a deadline needs a running task"
    deadlines.close()
