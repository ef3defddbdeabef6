"""How calls are timed: every coroutine and thread makes at least one, and a failure is not lost."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from benchmarks.timing import figures_of, timed_coroutines, timed_threads, timed_work


def test_figures_are_per_call() -> None:
    taken = [0.001] * 98 + [0.002, 0.5]

    assert figures_of(taken, seconds=2.0, cpu=0.01) == pytest.approx(
        {"rate": 50, "cpu": 100, "p50": 1, "p99": 500, "calls": 100}
    )


def test_each_coroutine_makes_a_call_however_short_the_time() -> None:
    under_way: list[int] = []
    most: list[int] = []

    async def create(n: int) -> str:
        under_way.append(n)
        most.append(len(under_way))
        await asyncio.sleep(0)
        under_way.remove(n)
        return ""

    assert asyncio.run(timed_coroutines(create, 7, 0.0))["calls"] == 7
    assert max(most) == 7


def test_each_thread_makes_a_call_however_short_the_time() -> None:
    callers: set[int] = set()

    def create(_: int) -> str:
        callers.add(threading.get_ident())
        return ""

    assert timed_threads(create, 5, 0.0)["calls"] == 5
    assert len(callers) == 5


def test_calls_are_made_until_the_time_is_over() -> None:
    def create(_: int) -> str:
        time.sleep(0.001)
        return ""

    began = time.monotonic()
    figures = timed_threads(create, 1, 0.2)

    assert time.monotonic() - began >= 0.2
    assert figures["p50"] >= 1
    assert 1 < figures["calls"] <= 200


@pytest.mark.parametrize("good", [0, 25], ids=["at the beginning", "in the midst"])
def test_a_thread_that_fails_is_told(good: int) -> None:
    def create(n: int) -> str:
        if n >= good:
            raise OSError("gone")
        return ""

    with pytest.raises(RuntimeError, match=r"a call failed: OSError\('gone'\)"):
        timed_threads(create, 2, 30.0)
    with pytest.raises(OSError, match="gone"):
        timed_threads(create, 1, 30.0)


def test_a_single_thread_is_the_callers() -> None:
    callers: set[int] = set()

    def create(_: int) -> str:
        callers.add(threading.get_ident())
        return ""

    timed_threads(create, 1, 0.0)

    assert callers == {threading.get_ident()}


def test_a_coroutine_that_fails_is_told() -> None:
    async def create(n: int) -> str:
        if n >= 9:
            raise OSError("gone")
        return ""

    with pytest.raises(OSError, match="gone"):
        asyncio.run(timed_coroutines(create, 2, 30.0))


def test_work_is_done_until_the_time_is_over_and_counted_each() -> None:
    def work() -> None:
        until = time.process_time() + 0.001
        while time.process_time() < until:
            pass

    assert 1_000 <= timed_work(work, 0.05) < 10_000
