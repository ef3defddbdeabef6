"""Sync `payment_links.create` against `requests.Session`, in one thread and in fifty.

``python -m benchmarks.sync_calls [ROUNDS] [COUNT]`` (extras ``bench`` and ``speedups``). The bars are 1.8 in
one thread and 4 in fifty, where the faster of two rivals counts: a session for each thread, and one session
with fifty connections for all.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from .rounds import BODY, FIELDS, KEY, PATH, Run, compared, contend, in_turn, median, timed
from .server import served

OURS, OURS_ASYNCIO = "plexypay, uvloop", "plexypay, asyncio"
SESSIONS, SESSION = "requests, a session per thread", "requests, one session"
BARS = {1: 1.8, 50: 4.0}

Create: TypeAlias = Callable[[], object]
"""Creates one link; raises unless that worked."""


@contextlib.contextmanager
def plexypay(url: str) -> Generator[Callable[[], AbstractContextManager[Create]]]:
    """Make calls with one client for all threads."""
    from plexypay_sync import PlexyPay

    with PlexyPay(KEY, base_url=url) as plexy:
        yield lambda: contextlib.nullcontext(lambda: plexy.payment_links.create(**FIELDS).url)


@contextlib.contextmanager
def plexypay_asyncio(url: str) -> Generator[Callable[[], AbstractContextManager[Create]]]:
    """Make them where uvloop is not installed."""
    sys.modules["uvloop"] = None  # type: ignore[assignment]
    with plexypay(url) as contender:
        yield contender


def posting(session: Any, url: str) -> Create:
    """Return what one would write with requests."""

    def create() -> object:
        response = session.post(f"{url}{PATH}", json=BODY)
        response.raise_for_status()
        return response.json()["url"]

    return create


@contextlib.contextmanager
def sessions(url: str) -> Generator[Callable[[], AbstractContextManager[Create]]]:
    """Make calls with a session for each thread."""
    import requests

    @contextlib.contextmanager
    def opened() -> Iterator[Create]:
        with requests.Session() as session:
            session.headers["Authorization"] = KEY
            yield posting(session, url)

    yield opened


@contextlib.contextmanager
def one_session(url: str) -> Generator[Callable[[], AbstractContextManager[Create]]]:
    """Make calls with one session for all threads, and a connection for each."""
    import requests
    from requests.adapters import HTTPAdapter

    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=max(BARS)))
        session.headers["Authorization"] = KEY
        yield lambda: contextlib.nullcontext(posting(session, url))


CONTENDERS = {
    OURS: plexypay,
    OURS_ASYNCIO: plexypay_asyncio,
    SESSIONS: sessions,
    SESSION: one_session,
}


def calls(create: Create, count: int) -> list[float]:
    """Make calls one after the other; return the seconds of each."""
    taken: list[float] = []
    clock = time.perf_counter
    for _ in range(count):
        began = clock()
        create()
        taken.append(clock() - began)
    return taken


def calls_in_threads(opened: Callable[[], AbstractContextManager[Create]], threads: int, count: int) -> Run:
    """Make calls in so many threads at once, after some that are not measured."""
    ready, go = threading.Barrier(threads + 1), threading.Event()
    taken: list[float] = []

    def work() -> None:
        with opened() as create:
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
    with CONTENDERS[name](url) as opened:
        if threads > 1:
            return calls_in_threads(opened, threads, count)
        with opened() as create:
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
