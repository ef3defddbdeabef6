"""Sync `payment_links.create` against `requests.Session`, in one thread and in fifty.

``python -m benchmarks.sync_calls [ROUNDS] [COUNT]`` (extras ``bench`` and ``speedups``). The bars are 1.8 in
one thread and 4 in fifty, where the faster of two rivals counts: a session for each thread, and one session
with fifty connections for all.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time

from .contenders import SyncCreate, opened_sync
from .rounds import Run, compared, contend, in_turn, median, timed
from .server import served
from .timing import without_uvloop

OURS, OURS_ASYNCIO = "plexypay, uvloop", "plexypay, asyncio"
SESSIONS, SESSION = "requests, a session per thread", "requests, one session"
BARS = {1: 1.8, 50: 4.0}
NUMBERS = itertools.count()

CONTENDERS = {
    OURS: "plexypay",
    OURS_ASYNCIO: "plexypay",
    SESSIONS: "requests",
    SESSION: "requests, one session",
}
"""Their names among the suite's contenders."""


def calls(create: SyncCreate, count: int) -> list[float]:
    """Make calls one after the other; return the seconds of each."""
    taken: list[float] = []
    clock = time.perf_counter
    for number in itertools.islice(NUMBERS, count):
        began = clock()
        create(number)
        taken.append(clock() - began)
    return taken


def calls_in_threads(create: SyncCreate, threads: int, count: int) -> Run:
    """Make calls in so many threads at once, after some that are not measured."""
    ready, go = threading.Barrier(threads + 1), threading.Event()
    taken: list[float] = []

    def work() -> None:
        calls(create, 20)
        ready.wait()
        go.wait()
        taken.extend(calls(create, count // threads))

    started = [threading.Thread(target=work) for _ in range(threads)]
    for thread in started:
        thread.start()
    ready.wait()

    def finish() -> list[float]:
        go.set()
        for thread in started:
            thread.join()
        if len(taken) != count // threads * threads:
            raise RuntimeError(f"{len(taken)} calls of {count} succeeded")
        return taken

    return timed(finish)


def run(name: str, url: str, threads: int, count: int) -> Run:
    """Run one contender."""
    if name == OURS_ASYNCIO:
        without_uvloop()
    with opened_sync(CONTENDERS[name], url, threads) as create:
        if threads > 1:
            return calls_in_threads(create, threads, count)
        calls(create, 200)
        return timed(lambda: calls(create, count))


def main(rounds: int, count: int) -> bool:
    """Print the medians and their ratios; tell whether both bars are met."""
    met = True
    with served() as url:
        for threads, bar in BARS.items():
            names = (OURS, OURS_ASYNCIO, SESSIONS, SESSION) if threads > 1 else (OURS, OURS_ASYNCIO, SESSIONS)
            print(
                f"{threads} thread{'s' if threads > 1 else ''}, {count:,} calls, {rounds} rounds,"
                f" Python {sys.version.split()[0]}",
                flush=True,
            )
            runs = in_turn("benchmarks.sync_calls", names, rounds, url, threads, count)
            rival = max(names[2:], key=lambda name: median(runs[name]).rate)
            met = compared(runs, OURS, rival, bar) and met
            compared(runs, OURS_ASYNCIO, rival, bar)
    return met


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        name, url, threads, count = sys.argv[2:]
        contend(lambda: run(name, url, int(threads), int(count)))
    else:
        given = [int(argument) for argument in sys.argv[1:]]
        sys.exit(not main(*[*given, *(5, 10_000)[len(given) :]]))
