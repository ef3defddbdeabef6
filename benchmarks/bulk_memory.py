"""A million links in one job against jobs of ten thousand: its memory, and its rate at its end.

``python -m benchmarks.bulk_memory [COUNT] [--journal]``. The long job and the short ones, each a hundredth of
it, run in two processes that take turns, one being held while the other works: what a shared machine does
from one second to the next meets both alike. The rate of each turn is compared within the turn. A short job
opens its connections anew, some 25 ms of CPU: two hundredths of a job of 10,000, and most of one of 100.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple

from .bulk_contenders import LOOP, Run, peak_memory, run_async, run_async_journal
from .server import CLIENT_CPU, pin, served

WINDOWS = 100
"""The long job is timed in so many parts, each as long as a short job."""
TURN = 2
"""The windows between two short jobs. The last one counts: the first begins with answers that lay ready."""
MEMORY, RATE = 10.0, 0.95


class Turn(NamedTuple):
    """A window of the long job, and the short job after it."""

    window: Run
    short: Run

    @property
    def by_clock(self) -> float:
        """Return the rate of the long job, that of the short one being 1."""
        return self.window.rate / self.short.rate

    @property
    def by_cpu(self) -> float:
        """Return the same by the time on the CPU."""
        return self.short.cost / self.window.cost


class LongRun(NamedTuple):
    """What the two processes have shown."""

    windows: list[Run]
    turns: list[Turn]

    @property
    def beginning(self) -> list[Turn]:
        """The turns of its first third."""
        return self.turns[: len(self.turns) // 3]

    @property
    def end(self) -> list[Turn]:
        """The turns of its last third."""
        return self.turns[-(len(self.turns) // 3) :]

    @property
    def grown(self) -> float:
        """By how many MiB the peak memory is above that of a process that has run one short job."""
        return self.windows[-1].peak - self.turns[0].short.peak


class Steps:
    """A process that works in steps: it takes one for each line that it is given, and prints a `Run`."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bulk_memory", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Steps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Its input ends, and with that the process.
        with contextlib.suppress(BrokenPipeError):
            self._process.__exit__(kind, error, traceback)
        if error is None and self._process.returncode:
            raise RuntimeError(f"a process ended with {self._process.returncode}")

    def next(self) -> Run:
        """Let it take a step."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process ended early, with {self._process.wait()}")
        return Run(*json.loads(line))


def long_run(url: str, count: int, *, journal: bool = False) -> LongRun:
    """Run the long job and the short ones in turn, each in a process of its own."""
    further = ["--journal"] if journal else []
    windows: list[Run] = []
    turns: list[Turn] = []
    with (
        Steps(str(count), "--process", "long", "--url", url, *further) as long,
        Steps(str(count), "--process", "short", "--url", url, *further) as short,
    ):
        for number in range(1, WINDOWS + 1):
            windows.append(long.next())
            if number % TURN == 0:
                turns.append(Turn(windows[-1], short.next()))
    return LongRun(windows, turns)


def be_long(url: str, count: int, *, journal: bool) -> None:
    """Be the long job's process: a step is a window of it."""
    sys.stdin.readline()
    began, used = time.perf_counter(), time.process_time()
    each = count // WINDOWS

    def window() -> None:
        nonlocal began, used
        tell(time.perf_counter() - began, time.process_time() - used, each)
        sys.stdin.readline()
        began, used = time.perf_counter(), time.process_time()

    (run_async_journal if journal else run_async)(url, count, LOOP, window, each)


def be_short(url: str, count: int, *, journal: bool) -> None:
    """Be the short jobs' process: a step is a job."""
    run = run_async_journal if journal else run_async
    for _ in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        run(url, count // WINDOWS, LOOP)
        tell(time.perf_counter() - began, time.process_time() - used, count // WINDOWS)


def tell(seconds: float, cpu: float, links: int) -> None:
    """Print a step's figures."""
    print(json.dumps(Run(seconds, cpu, peak_memory(), links)), flush=True)


def median_of(turns: Sequence[Turn], figure: Callable[[Turn], float]) -> float:
    """Return the median of a figure over turns."""
    return statistics.median(map(figure, turns))


def line(label: str, turns: Sequence[Turn]) -> str:
    """Describe the medians of turns."""
    told = [f"{label}, {len(turns)} turns:"]
    for name, runs in (
        ("window", [turn.window for turn in turns]),
        ("short job", [turn.short for turn in turns]),
    ):
        rate, cost = (
            statistics.median(run.rate for run in runs),
            statistics.median(run.cost for run in runs),
        )
        told.append(f"{name} {rate:,.0f} links/s {cost:.1f} µs of CPU/link")
    return "  ".join(told)


def main(count: int, *, journal: bool) -> bool:
    """Print the figures and how they compare; tell whether the bars are met."""
    with served() as url:
        found = long_run(url, count, journal=journal)
    kept = "a journal" if journal else "no journal"
    print(f"{count:,} links, {LOOP}, {kept}; short jobs of {count // WINDOWS:,}")
    print(line("first third", found.beginning))
    print(line(" last third", found.end))
    began, ended = (median_of(turns, lambda turn: turn.by_clock) for turns in (found.beginning, found.end))
    by_cpu = median_of(found.end, lambda turn: turn.by_cpu)
    print(
        f"rate at the end / of a short job: {ended:.3f} (bar {RATE}: {said(ended >= RATE)});"
        f" by CPU {by_cpu:.3f}; at the beginning {began:.3f}"
    )
    print(
        f"peak memory: {found.turns[0].short.peak:.1f} MiB after a short job,"
        f" {found.windows[-1].peak:.1f} after the long one: {found.grown:+.1f}"
        f" (bar {MEMORY}: {said(found.grown < MEMORY)})"
    )
    return ended >= RATE and found.grown < MEMORY


def said(met: bool) -> str:
    """Return the word for a bar."""
    return "met" if met else "missed"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure how a long job differs from short ones.")
    parser.add_argument("count", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--journal", action="store_true")
    parser.add_argument("--process", choices=("long", "short"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.count < WINDOWS or given.count % WINDOWS:
        parser.error(f"COUNT: expected a multiple of {WINDOWS}")
    if given.process is None:
        sys.exit(not main(given.count, journal=given.journal))
    pin(CLIENT_CPU)
    run_async(given.url, 200, LOOP)
    (be_long if given.process == "long" else be_short)(given.url, given.count, journal=given.journal)
