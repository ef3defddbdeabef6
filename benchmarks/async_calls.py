"""Async `payment_links.create` against aiohttp written by hand, on one event loop, at growing concurrency.

``python -m benchmarks.async_calls [ROUNDS] [COUNT]`` (extra ``speedups`` for the rows with uvloop). The bar
is 1.0 at 100 concurrent. As many connections as calls at once, for both.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator

from .bulk_contenders import LOOP, run_on
from .contenders import AsyncCreate, opened_async
from .rounds import Run, compared, contend, in_turn
from .server import served

OURS, BY_HAND = "plexypay", "aiohttp by hand"
CONCURRENCIES = (1, 10, 100, 500)
BAR_AT, BAR = 100, 1.0


async def calls(create: AsyncCreate, count: int, concurrency: int) -> list[float]:
    """Make calls, so many at once; return the seconds of each."""
    taken: list[float] = []
    clock = time.perf_counter

    async def work(source: Iterator[int]) -> None:
        for number in source:
            began = clock()
            await create(number)
            taken.append(clock() - began)

    source = iter(range(count))
    await asyncio.gather(*(work(source) for _ in range(concurrency)))
    return taken


def run(name: str, url: str, loop: str, concurrency: int, count: int) -> Run:
    """Run one contender."""
    runs: list[Run] = []

    async def main() -> None:
        async with opened_async(name, url, concurrency) as create:
            # Every connection is open, and every cache warm, before it is measured.
            await calls(create, max(200, 2 * concurrency), concurrency)
            started, cpu = time.perf_counter(), time.process_time()
            taken = await calls(create, count, concurrency)
            runs.append(Run.of(taken, time.perf_counter() - started, time.process_time() - cpu))

    run_on(loop, main())
    return runs[0]


def main(rounds: int, count: int) -> bool:
    """Print the medians and their ratios on each event loop; tell whether the bar is met."""
    met = True
    with served() as url:
        for loop in sorted({"asyncio", LOOP}):
            for concurrency in CONCURRENCIES:
                print(
                    f"{loop}, {concurrency} concurrent, {count:,} calls, {rounds} rounds,"
                    f" Python {sys.version.split()[0]}",
                    flush=True,
                )
                runs = in_turn(
                    "benchmarks.async_calls", (OURS, BY_HAND), rounds, url, loop, concurrency, count
                )
                enough = compared(runs, OURS, BY_HAND, BAR)
                met = met and (enough or concurrency != BAR_AT)
    return met


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        name, url, loop, concurrency, count = sys.argv[2:]
        contend(lambda: run(name, url, loop, int(concurrency), int(count)))
    else:
        given = [int(argument) for argument in sys.argv[1:]]
        sys.exit(not main(*[*given, *(5, 10_000)[len(given) :]]))
