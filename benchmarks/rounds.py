"""How contenders are compared: in turn, each run in a fresh process, by the medians of all rounds."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .server import CLIENT_CPU, pin
from .turns import plain_environment


class Run(NamedTuple):
    """What one run took, or the medians of several."""

    rate: float
    """Calls per second."""
    cpu: float
    """Microseconds of this process on the CPU for each call: what a shared machine blurs least."""
    slow: float
    """Milliseconds that the slowest of a hundred calls took: the 99th percentile."""

    @classmethod
    def of(cls, taken: Sequence[float], seconds: float, cpu: float) -> Run:
        """Return the figures of calls that took so many seconds each, and all of them so many."""
        slow = sorted(taken)[len(taken) * 99 // 100]
        return cls(len(taken) / seconds, cpu / len(taken) * 1e6, slow * 1e3)


def timed(work: Callable[[], list[float]]) -> Run:
    """Time what makes calls and returns how many seconds each took."""
    started, cpu = time.perf_counter(), time.process_time()
    taken = work()
    return Run.of(taken, time.perf_counter() - started, time.process_time() - cpu)


def contend(work: Callable[[], Run]) -> None:
    """Run one contender here, on the clients' CPU, and print its figures."""
    pin(CLIENT_CPU)
    print(json.dumps(work()))


def measured(module: str, *arguments: object) -> Run:
    """Run one contender of a benchmark in a fresh process."""
    command = [sys.executable, "-m", module, "--run", *map(str, arguments)]
    out = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=600, env=plain_environment()
    ).stdout
    return Run(*json.loads(out))


def in_turn(module: str, names: Sequence[str], rounds: int, *arguments: object) -> dict[str, list[Run]]:
    """Run contenders in turn, `rounds` times, and return their runs; prints the medians and the spread."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            runs[name].append(measured(module, name, *arguments))
    for name, taken in runs.items():
        run = median(taken)
        lowest, highest = min(each.rate for each in taken), max(each.rate for each in taken)
        print(
            f"  {name:32} {run.rate:7,.0f} calls/s ({lowest:,.0f} to {highest:,.0f})"
            f" {run.cpu:7.1f} µs of CPU/call  p99 {run.slow:6.2f} ms",
            flush=True,
        )
    return runs


def median(runs: Sequence[Run]) -> Run:
    """Return the median of each figure."""
    return Run(*(statistics.median(figure) for figure in zip(*runs, strict=True)))


def compared(runs: dict[str, list[Run]], name: str, to: str, bar: float) -> bool:
    """Print how the rate of one contender compares with another's; tell whether the bar is met."""
    ours, theirs = median(runs[name]), median(runs[to])
    found = ours.rate / theirs.rate
    pairs = [mine.rate / other.rate for mine, other in zip(runs[name], runs[to], strict=True)]
    print(
        f"  {name} / {to}: {found:.3f} (pairs {min(pairs):.3f} to {max(pairs):.3f}; bar {bar}:"
        f" {'met' if found >= bar else 'missed'}); by CPU {theirs.cpu / ours.cpu:.3f};"
        f" p99 {ours.slow / theirs.slow:.2f}",
        flush=True,
    )
    return found >= bar
