"""A million links against ten thousand: the peak memory grows by less than 10 MiB, the rate stays within 5 %.

``python -m benchmarks.bulk_memory [COUNT] [--journal]``. The rate is that of windows of 10,000 links within
the one long run: the last ones against the first ones after the warm-up. The bar holds by the clock and by
the time on the CPU. Short runs take turns with those windows, the long run being held meanwhile: where their
rate changes too, it is the machine that has changed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from .bulk_contenders import (
    LOOP,
    WINDOW,
    Run,
    measured,
    peak_memory,
    run_async,
    run_async_journal,
)
from .server import CLIENT_CPU, pin, served

TURNS = 5
"""The short runs at either end of the long one."""
TURN = 3
"""The windows between two of them, the first of which is not counted: it begins with what was held."""
EDGE = TURNS * TURN
MEMORY, RATE = 10.0, 0.05


class End(NamedTuple):
    """What one end of the long run has shown."""

    windows: list[Run]
    short: list[Run]

    def line(self, label: str) -> str:
        """Describe the medians."""
        told = [f"{label:>6}:"]
        for name, runs in (("windows", self.windows), ("short runs", self.short)):
            rate, cost = (
                statistics.median(run.rate for run in runs),
                statistics.median(run.cost for run in runs),
            )
            told.append(f"{len(runs):2} {name} {rate:7,.0f} links/s {cost:6.1f} µs of CPU/link")
        return "  ".join(told)


def watched(url: str, count: int, *, journal: bool) -> None:
    """Be the long run: print each window as JSON, and go on when a line comes in."""
    pin(CLIENT_CPU)
    run = run_async_journal if journal else run_async
    run(url, 200, LOOP)
    began, used = time.perf_counter(), time.process_time()

    def window() -> None:
        nonlocal began, used
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        print(json.dumps(Run(seconds, cpu, peak_memory(), WINDOW)), flush=True)
        sys.stdin.readline()
        began, used = time.perf_counter(), time.process_time()

    run(url, count, LOOP, window)


def long_run(url: str, count: int, *, journal: bool) -> tuple[list[Run], End, End]:
    """Run it in a process of its own; return all of its windows, and its two ends."""
    total = count // WINDOW
    name = "async with journal" if journal else "async"
    command = [sys.executable, "-m", "benchmarks.bulk_memory", str(count), "--watched", url]
    windows: list[Run] = []
    first, last = End([], []), End([], [])
    with subprocess.Popen(
        [*command, *(["--journal"] if journal else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            windows.append(Run(*json.loads(line)))
            done = len(windows)
            end = first if done <= EDGE else last if done > total - EDGE else None
            if end is not None:
                place = done if end is first else done - (total - EDGE)
                if place % TURN != 1:
                    end.windows.append(windows[-1])
                if place % TURN == 0:
                    end.short.append(measured(name, url, WINDOW))
            process.stdin.write("\n")
            process.stdin.flush()
    if process.returncode or len(windows) != total:
        raise RuntimeError(f"the long run ended with {process.returncode} after {len(windows)} windows")
    return windows, first, last


def rate_by_clock(run: Run) -> float:
    """Return the links per second."""
    return run.rate


def rate_by_cpu(run: Run) -> float:
    """Return the links per second on the CPU."""
    return run.links / run.cpu


def change(first: Sequence[float], last: Sequence[float]) -> float:
    """Return by how much the median of the last is above that of the first."""
    return statistics.median(last) / statistics.median(first) - 1


def main(count: int, *, journal: bool) -> bool:
    """Print the figures and how they compare; tell whether the bars are met."""
    with served() as url:
        windows, first, last = long_run(url, count, journal=journal)
    print(f"{count:,} links, {LOOP}, {'a journal' if journal else 'no journal'}, windows of {WINDOW:,}")
    print(first.line("first"))
    print(last.line("last"))
    met = True
    for name, of in (("clock", rate_by_clock), ("CPU", rate_by_cpu)):
        own = change([of(run) for run in first.windows], [of(run) for run in last.windows])
        machine = change([of(run) for run in first.short], [of(run) for run in last.short])
        met = met and abs(own) <= RATE
        print(
            f"rate by {name}: {own:+.1%} (bar {RATE:.0%}: {said(abs(own) <= RATE)}); "
            f"the short runs beside it: {machine:+.1%}"
        )
    short = statistics.median(run.peak for run in first.short + last.short)
    grown = windows[-1].peak - short
    print(
        f"peak memory: {short:.1f} MiB in the short runs, {windows[-1].peak:.1f} in the long one "
        f"({windows[0].peak:.1f} after its first window): {grown:+.1f} (bar {MEMORY}: {said(grown < MEMORY)})"
    )
    return met and grown < MEMORY


def said(met: bool) -> str:
    """Return the word for a bar."""
    return "met" if met else "missed"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure how a long job differs from a short one.")
    parser.add_argument("count", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--journal", action="store_true")
    parser.add_argument("--watched", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.watched is not None:
        watched(given.watched, given.count, journal=given.journal)
    elif given.count < 2 * EDGE * WINDOW or given.count % WINDOW:
        parser.error(f"COUNT: expected a multiple of {WINDOW}, from {2 * EDGE * WINDOW}")
    else:
        sys.exit(not main(given.count, journal=given.journal))
