"""Deadlines: a call is cut a little late, never early, and never for another's reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from plexypay_async._core.deadlines import TICK, Deadlines, Watch

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


async def heard_until_silent(
    deadlines: Deadlines, work: Any, *, read_timeout: float, deadline: float = 30
) -> str:
    """Do `work` with a watch that bears so much silence, and say how it ended."""
    watch = deadlines.watch(asyncio.get_running_loop().time() + deadline, read_timeout)
    try:
        await work(watch)
        ended = "done"
    except asyncio.CancelledError:
        if watch.end_silence():
            ended = "silent"
        elif watch.done():
            return "cut"
        else:
            watch.done()
            raise
    watch.end_silence()
    watch.done()
    return ended


async def listen(watch: Watch) -> None:
    watch.heard()
    await asyncio.Event().wait()


@pytest.mark.parametrize("read_timeout", [0.01, 0.06, 0.12])
async def test_silence_is_cut_late_but_not_early(read_timeout: float) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()

    assert await heard_until_silent(Deadlines(loop), listen, read_timeout=read_timeout) == "silent"

    assert read_timeout <= loop.time() - started < read_timeout + 0.5
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_silence_counts_from_what_was_heard_last() -> None:
    loop = asyncio.get_running_loop()
    last: list[float] = []

    async def talk_for_a_while(watch: Watch) -> None:
        for _ in range(8):
            watch.heard()
            last.append(loop.time())
            await asyncio.sleep(0.05)
        await asyncio.Event().wait()

    assert await heard_until_silent(Deadlines(loop), talk_for_a_while, read_timeout=0.2) == "silent"
    assert len(last) == 8
    assert 0.2 <= loop.time() - last[-1] < 0.7


async def test_what_has_not_begun_to_listen_is_not_silent() -> None:
    async def wait(watch: Watch) -> None:
        await asyncio.sleep(0.3)

    assert await heard_until_silent(Deadlines(asyncio.get_running_loop()), wait, read_timeout=0.05) == "done"


async def test_after_a_silence_the_deadline_stands() -> None:
    loop = asyncio.get_running_loop()
    watch = Deadlines(loop).watch(loop.time() + 0.3, 0.05)
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await listen(watch)
        assert watch.end_silence()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await asyncio.Event().wait()
    assert not watch.end_silence()
    assert watch.done()


async def test_a_deadline_that_passed_while_a_silence_was_dealt_with_still_cuts(
    skip_time: Callable[[float], None],
) -> None:
    loop = asyncio.get_running_loop()
    watch = Deadlines(loop).watch(loop.time() + 1, 0.05)
    with pytest.raises(asyncio.CancelledError):
        await listen(watch)
    await asyncio.sleep(0.2)
    skip_time(2)
    assert watch.end_silence()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await asyncio.Event().wait()
    assert watch.done()


async def test_a_deadline_that_passes_before_the_silence_does_is_the_deadline() -> None:
    ended = await heard_until_silent(
        Deadlines(asyncio.get_running_loop()), listen, read_timeout=30, deadline=0.05
    )

    assert ended == "cut"


async def test_the_callers_cancellation_is_not_taken_for_silence() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())

    async def interrupted(watch: Watch) -> None:
        watch.heard()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            me = asyncio.current_task()
            assert me is not None
            me.cancel()
            raise

    task = asyncio.create_task(heard_until_silent(deadlines, interrupted, read_timeout=0.01))

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_silence_takes_no_timer_of_its_own(timers: list[asyncio.TimerHandle]) -> None:
    deadlines = Deadlines(asyncio.get_running_loop())

    ended = await asyncio.gather(
        *(heard_until_silent(deadlines, listen, read_timeout=0.05) for _ in range(200))
    )

    assert ended == ["silent"] * 200
    assert len(timers) <= 5


async def test_many_deadlines_share_one_timer(timers: list[asyncio.TimerHandle]) -> None:
    deadlines = Deadlines(asyncio.get_running_loop())

    ended = await asyncio.gather(*(watched(deadlines, 0.05, asyncio.Event().wait()) for _ in range(500)))

    assert ended == ["cut"] * 500
    assert len(timers) <= 4


async def test_closing_cuts_the_calls_under_way_and_stops_the_timer(
    timers: list[asyncio.TimerHandle],
) -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    watches: list[Watch] = []

    async def call() -> str:
        watch = deadlines.watch(loop.time() + 30)
        watches.append(watch)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not watch.was_closed():
                raise
            # Told once, and no deadline of its own has passed.
            ended = (watch.was_closed(), watch.done())
            return f"closed, {ended}"
        return "went on"

    calls = [asyncio.ensure_future(call()) for _ in range(3)]
    await asyncio.sleep(0)
    watches[2].done()
    deadlines.close()
    deadlines.close()

    async with asyncio.timeout(5):
        assert await asyncio.gather(*calls[:2]) == ["closed, (False, False)"] * 2
    assert [one.cancelling() for one in calls[:2]] == [0, 0]
    # A call that had ended is not cut.
    assert not calls[2].done()
    assert [timer.cancelled() for timer in timers] == [True]
    assert not deadlines.buckets
    calls[2].cancel()


async def test_a_cancellation_of_the_callers_is_no_closing() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    told: list[bool] = []

    async def call() -> None:
        watch = deadlines.watch(asyncio.get_running_loop().time() + 30)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append(watch.was_closed())
            watch.done()
            raise

    for closes_too in (False, True):
        running = asyncio.ensure_future(call())
        await asyncio.sleep(0)
        running.cancel()
        if closes_too:
            deadlines.close()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert told == [False, False]
    deadlines.close()


async def test_neither_a_silence_nor_a_deadline_is_a_closing() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    for deadline, read_timeout in ((30.0, 0.01), (0.01, 30.0)):
        watch = Watch(deadlines, loop.time() + deadline, read_timeout, loop.time())
        watch.heard()
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()
        assert not watch.was_closed()
        watch.done()
        task = asyncio.current_task()
        while task is not None and task.cancelling():
            task.uncancel()


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
