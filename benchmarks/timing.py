"""How calls are timed: from many coroutines or many threads at once, for so many seconds."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Callable

from .cases import Contender, Figures
from .contenders import AsyncCreate, SyncCreate

clock = time.perf_counter


def figures_of(taken: list[float], seconds: float, cpu: float) -> Figures:
    """Return what calls have shown, given the seconds of each.

    The CPU time is this process's, in µs for each call: what the noise of a shared machine touches least.
    """
    ordered = sorted(taken)
    count = len(ordered)
    return {
        "rate": count / seconds,
        "cpu": cpu / count * 1e6,
        "p50": ordered[count // 2] * 1e3,
        "p99": ordered[count * 99 // 100] * 1e3,
        "calls": float(count),
    }


async def timed_coroutines(create: AsyncCreate, concurrency: int, seconds: float) -> Figures:
    """Make calls, so many at once, and one each at the least; what is under way at the end counts too."""
    numbers = itertools.count()
    # Every connection is open, and every cache warm, before anything is timed.
    await asyncio.gather(*(create(next(numbers)) for _ in range(concurrency)))
    await create(next(numbers))
    taken: list[float] = []
    began, cpu = clock(), time.process_time()
    until = began + seconds

    async def work() -> None:
        ended = 0.0
        while ended < until:
            started = clock()
            await create(next(numbers))
            ended = clock()
            taken.append(ended - started)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return figures_of(taken, clock() - began, time.process_time() - cpu)


def timed_threads(create: SyncCreate, threads: int, seconds: float) -> Figures:
    """Make calls from so many threads, and one each at the least; what is under way at the end counts too.

    A single one is the thread that calls this: a script has no other.

    Raises:
        RuntimeError: A thread's call failed.
    """
    numbers = itertools.count()
    ready, go = threading.Barrier(threads + 1), threading.Event()
    taken: list[float] = []
    failures: list[BaseException] = []
    until = 0.0

    def warm() -> None:
        for _ in range(max(3, 20 // threads)):
            create(next(numbers))

    def calls() -> None:
        ended = 0.0
        while ended < until:
            started = clock()
            create(next(numbers))
            ended = clock()
            taken.append(ended - started)

    def work() -> None:
        try:
            warm()
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
            failures.append(error)
        ready.wait()
        go.wait()
        try:
            calls()
        except Exception as error:  # noqa: BLE001 - the same
            failures.append(error)

    started: list[threading.Thread] = []
    if threads == 1:
        warm()
    else:
        started = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for thread in started:
            thread.start()
        ready.wait()
    began, cpu = clock(), time.process_time()
    until = began + seconds
    if threads == 1:
        calls()
    go.set()
    for thread in started:
        thread.join()
    spent, used = clock() - began, time.process_time() - cpu
    if failures:
        raise RuntimeError(f"a call failed: {failures[0]!r}") from failures[0]
    return figures_of(taken, spent, used)


def timed_work(work: Callable[[], object], seconds: float) -> float:
    """Return the microseconds on the CPU that one piece of work takes; it is done again and again."""
    times = 1
    for _ in range(3):
        work()
    while True:
        began, cpu = clock(), time.process_time()
        for _ in range(times):
            work()
        used = time.process_time() - cpu
        if clock() - began >= seconds:
            return used / times * 1e6
        times *= 2


def on_both_loops(name: str, *needs: str) -> tuple[Contender, Contender]:
    """Return a contender as it runs on each event loop."""
    return (
        Contender(f"{name}, uvloop", {"name": name, "loop": "uvloop"}, (*needs, "uvloop")),
        Contender(f"{name}, asyncio", {"name": name, "loop": "asyncio"}, needs),
    )


def without_uvloop() -> None:
    """Let this process find no uvloop, as where it is not installed."""
    sys.modules["uvloop"] = None  # type: ignore[assignment]
