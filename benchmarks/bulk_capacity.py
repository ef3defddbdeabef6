"""The adaptive limit and the retry budget against a server of fifty places, which refuses what is above them.

``python -m benchmarks.bulk_capacity [ROUNDS] [COUNT]``. The bars: the adaptive limit reaches at least 0.9 of
the rate of the best fixed concurrency, with at most 1.1 requests per link; a fixed concurrency of 500 stays
under 1.5, over 10,000 links, for the retry budget begins full. The contenders run in turn, each in a fresh
process against a fresh sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from typing import NamedTuple

from .server import CLIENT_CPU, SERVER_CPU, pin, pinned

CAPACITY, LATENCY = 50, 0.035
FIXED = (25, 40, 50, 60, 100)
FAR_ABOVE, FAR_ABOVE_COUNT = 500, 10_000
ADAPTIVE = 0
"""The concurrency that stands for none."""
RATE, PER_LINK, PER_LINK_FAR_ABOVE = 0.9, 1.1, 1.5


class Figures(NamedTuple):
    """One run against the server, or the medians of several."""

    rate: float
    """Links per second."""
    per_link: float
    """Requests per link."""


@contextlib.contextmanager
def sandbox() -> Generator[str]:
    """Run a sandbox of so many places on the second CPU; yields its address."""
    fault = f"capacity={CAPACITY},latency={LATENCY},operation=payment_links.create"
    command = [sys.executable, "-m", "plexypay_async.cli", "sandbox", "--port", "0", "--fault", fault]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pinned(process.pid, SERVER_CPU)
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split(" on ")[1].split(";")[0]
        finally:
            process.terminate()


def arrived(url: str) -> int:
    """Return how many requests the sandbox has seen."""
    with urllib.request.urlopen(f"{url}/_sandbox/requests") as answer:
        return int(json.load(answer)["total"])


async def create(url: str, count: int, concurrency: int, start: int = 0, counted: int | None = None) -> float:
    """Create links with a client of its own; return the seconds that they took, or the first so many."""
    from plexypay_async import AsyncPlexyPay, CreatePaymentLink

    links = (
        CreatePaymentLink(amount=100, currency="KZT", order_reference=f"ORD-{n}")
        for n in range(start, start + count)
    )
    async with AsyncPlexyPay("sandbox-key", base_url=url, max_connections=max(100, concurrency)) as plexy:
        began = time.perf_counter()
        seconds, left = 0.0, count if counted is None else counted
        async for result in plexy.payment_links.create_many(links, concurrency=concurrency or None):
            if result.error is not None:
                raise result.error
            left -= 1
            if not left:
                seconds = time.perf_counter() - began
        return seconds


def contend(url: str, count: int, concurrency: int) -> None:
    """Run one contender here, after a little of what is not measured, and print its figures."""
    pin(CLIENT_CPU)
    asyncio.run(create(url, 200, 20, start=count))
    before = arrived(url)
    seconds = asyncio.run(create(url, count, concurrency))
    print(json.dumps(Figures(count / seconds, (arrived(url) - before) / count)))


def measured(count: int, concurrency: int) -> Figures:
    """Run one contender in a fresh process."""
    with sandbox() as url:
        command = [
            sys.executable,
            "-m",
            "benchmarks.bulk_capacity",
            "--run",
            url,
            str(count),
            str(concurrency),
        ]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout
    return Figures(*json.loads(out))


def median(runs: list[Figures]) -> Figures:
    """Return the median of each figure."""
    return Figures(
        statistics.median(run.rate for run in runs), statistics.median(run.per_link for run in runs)
    )


def main(rounds: int, count: int) -> bool:
    """Print the medians and how they compare; tell whether the bars are met."""
    contenders = (*FIXED, FAR_ABOVE, ADAPTIVE)
    runs: dict[int, list[Figures]] = {concurrency: [] for concurrency in contenders}
    for number in range(rounds):
        for concurrency in contenders:
            links = FAR_ABOVE_COUNT if concurrency == FAR_ABOVE else count
            runs[concurrency].append(measured(links, concurrency))
        rates = ", ".join(f"{runs[concurrency][-1].rate:,.0f}" for concurrency in contenders)
        print(f"round {number + 1}: {rates} links/s", flush=True)
    medians = {concurrency: median(taken) for concurrency, taken in runs.items()}
    print(f"{CAPACITY} places, {LATENCY * 1000:.0f} ms, {count:,} links, {rounds} rounds")
    for concurrency, run in medians.items():
        name = f"fixed {concurrency}" if concurrency else "adaptive"
        lowest, highest = (
            min(taken.rate for taken in runs[concurrency]),
            max(taken.rate for taken in runs[concurrency]),
        )
        print(
            f"  {name:10} {run.rate:6,.0f} links/s ({lowest:,.0f} to {highest:,.0f})"
            f"  {run.per_link:.3f} requests per link"
        )
    best = max(FIXED, key=lambda concurrency: medians[concurrency].rate)
    adaptive, far_above = medians[ADAPTIVE], medians[FAR_ABOVE]
    of_best = adaptive.rate / medians[best].rate
    verdicts = [
        (f"adaptive / fixed {best}, by rate: {of_best:.3f}", f"at least {RATE}", of_best >= RATE),
        (
            f"adaptive: {adaptive.per_link:.3f} requests per link",
            f"at most {PER_LINK}",
            adaptive.per_link <= PER_LINK,
        ),
        (
            f"fixed {FAR_ABOVE}: {far_above.per_link:.3f} requests per link",
            f"under {PER_LINK_FAR_ABOVE}",
            far_above.per_link < PER_LINK_FAR_ABOVE,
        ),
    ]
    for figure, bar, met in verdicts:
        print(f"  {figure} (bar: {bar}; {'met' if met else 'missed'})")
    return all(met for _, _, met in verdicts)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        contend(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        given = [int(argument) for argument in sys.argv[1:]]
        sys.exit(not main(*[*given, *(3, 6000)[len(given) :]]))
