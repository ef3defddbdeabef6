"""The contenders of the bulk benchmarks, each run in a process of its own on the first CPU.

``python -m benchmarks.bulk_contenders NAME URL COUNT LOOP [LIMIT]`` creates COUNT links, 100 at once, and
prints a `Run` as JSON. LOOP is ``asyncio`` or ``uvloop``; LIMIT is in seconds.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from .server import CLIENT_CPU, pin

CONCURRENCY, WIDE = 100, 200
LOOP = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
URL = "https://shop.example/thanks"

Window: TypeAlias = Callable[[], None]
"""What the async contenders call each time that so many links are done."""


class Run(NamedTuple):
    """What one run took."""

    seconds: float
    cpu: float
    """Seconds of this process on the CPU: what the noise of a shared machine does not touch."""
    peak: float
    """The highest resident memory, in MiB."""
    links: int

    @property
    def rate(self) -> float:
        """Links per second."""
        return self.links / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds on the CPU for each link."""
        return self.cpu / self.links * 1e6


def fields(count: int) -> Iterator[dict[str, Any]]:
    """Yield the arguments of as many links."""
    for n in range(count):
        yield {
            "amount": 100 + n,
            "currency": "KZT",
            "description": "Invoice",
            "order_reference": f"ORD-{n}",
            "success_url": URL,
        }


def requests(count: int) -> Iterator[Any]:
    """Yield as many requests, built on the way."""
    from plexypay_async import CreatePaymentLink

    for values in fields(count):
        yield CreatePaymentLink(**values)


async def create_many(
    url: str,
    count: int,
    journal: Path | None = None,
    window: Window | None = None,
    each: int = 1,
    connections: int = CONCURRENCY,
) -> None:
    """Create the links with the async client."""
    from plexypay_async import AsyncPlexyPay

    async with AsyncPlexyPay("key", base_url=url, max_connections=connections) as plexy:
        results = plexy.payment_links.create_many(requests(count), concurrency=connections, journal=journal)
        done = 0
        async for result in results:
            if result.error is not None:
                raise result.error
            done += 1
            if window is not None and not done % each:
                window()
    if done != count:
        raise RuntimeError(f"{done} results for {count} requests")


def run_async(url: str, count: int, loop: str, window: Window | None = None, each: int = 1) -> None:
    """Run `create_many` of the async client."""
    run_on(loop, create_many(url, count, None, window, each))


def run_async_wide(url: str, count: int, loop: str) -> None:
    """Run it on twice as many connections."""
    run_on(loop, create_many(url, count, connections=WIDE))


def run_async_journal(url: str, count: int, loop: str, window: Window | None = None, each: int = 1) -> None:
    """Run it with a journal."""
    with tempfile.TemporaryDirectory() as directory:
        run_on(loop, create_many(url, count, Path(directory, "benchmark.journal"), window, each))


def run_sync(url: str, count: int, loop: str) -> None:
    """Run `create_many` of the sync client, whose thread takes uvloop where it is installed."""
    from plexypay_sync import PlexyPay

    if loop == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]
    with PlexyPay("key", base_url=url) as plexy:
        done = 0
        for result in plexy.payment_links.create_many(requests(count), concurrency=CONCURRENCY):
            if result.error is not None:
                raise result.error
            done += 1
    if done != count:
        raise RuntimeError(f"{done} results for {count} requests")


def run_aiohttp_wide(url: str, count: int, loop: str) -> None:
    """Run what one would write by hand with twice as many workers."""
    run_aiohttp(url, count, loop, WIDE)


def run_aiohttp(url: str, count: int, loop: str, workers: int = CONCURRENCY) -> None:
    """Run what one would write by hand: workers over one iterator, JSON out, a status and JSON back."""
    import aiohttp
    import orjson

    async def work(session: aiohttp.ClientSession, source: Iterator[dict[str, Any]]) -> int:
        done = 0
        for values in source:
            body = {
                "amount": values["amount"],
                "currency": values["currency"],
                "description": values["description"],
                "orderReference": values["order_reference"],
                "metadata": {"successUrl": values["success_url"]},
            }
            async with session.post(f"{url}/v1/payment-links", data=orjson.dumps(body)) as response:
                if response.status != 201:
                    raise RuntimeError(str(response.status))
                link = orjson.loads(await response.read())
                done += bool(link["id"] and link["url"])
        return done

    async def main() -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=workers),
            headers={"Authorization": "key", "Content-Type": "application/json"},
        ) as session:
            source = fields(count)
            done = sum(await asyncio.gather(*(work(session, source) for _ in range(workers))))
        if done != count:
            raise RuntimeError(f"{done} results for {count} requests")

    run_on(loop, main())


def run_on(loop: str, main: Any) -> None:
    """Run a coroutine on one of the two event loops."""
    if loop == "uvloop":
        import uvloop

        uvloop.run(main)
    else:
        asyncio.run(main)


CONTENDERS: dict[str, Callable[[str, int, str], None]] = {
    "async": run_async,
    "async with journal": run_async_journal,
    "sync": run_sync,
    "aiohttp by hand": run_aiohttp,
}
WIDER: dict[str, Callable[[str, int, str], None]] = {
    f"async, {WIDE} connections": run_async_wide,
    f"aiohttp by hand, {WIDE} workers": run_aiohttp_wide,
}
"""More connections than a client opens unless it is told to."""


def peak_memory() -> float:
    """Return this process's highest resident memory in MiB."""
    try:
        # What getrusage tells begins with the parent's.
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    return (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def measured(name: str, url: str, count: int, loop: str = LOOP, limit: float = 1800.0) -> Run:
    """Run a contender in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.bulk_contenders", name, url, str(count), loop]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=limit).stdout
    return Run(**json.loads(out))


def median(runs: Sequence[Run]) -> Run:
    """Return the median of each figure of runs of the same length."""
    return Run(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu for run in runs),
        statistics.median(run.peak for run in runs),
        runs[0].links,
    )


def in_turn(names: Sequence[str], url: str, count: int, rounds: int, loop: str = LOOP) -> dict[str, Run]:
    """Run contenders in turn, `rounds` times, and return the medians of each; prints them."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            runs[name].append(measured(name, url, count, loop))
    print(f"{loop}, {count:,} links, {CONCURRENCY} at once, {rounds} rounds, Python {sys.version.split()[0]}")
    medians: dict[str, Run] = {}
    for name, taken in runs.items():
        medians[name] = run = median(taken)
        print(f"  {name:20} {run.rate:8,.0f} links/s {run.cost:7.1f} µs of CPU/link {run.peak:7.1f} MiB")
    return medians


def ratio(runs: dict[str, Run], name: str, to: str, bar: float) -> bool:
    """Print how the rate of one contender compares with another's; tell whether the bar is met."""
    found = runs[name].rate / runs[to].rate
    verdict = "met" if found >= bar else "missed"
    print(
        f"  {name} / {to}: {found:.3f} (bar {bar}: {verdict}); by CPU {runs[to].cost / runs[name].cost:.3f}"
    )
    return found >= bar


def run_here(name: str, url: str, count: int, loop: str) -> Run:
    """Run one contender here, after a little of what is not measured."""
    contender = CONTENDERS[name]
    contender(url, 200, loop)
    started, cpu = time.perf_counter(), time.process_time()
    contender(url, count, loop)
    seconds, used = time.perf_counter() - started, time.process_time() - cpu
    return Run(seconds, used, peak_memory(), count)


def main(name: str, url: str, count: int, loop: str) -> None:
    """Run one contender here and print its figures."""
    pin(CLIENT_CPU)
    print(json.dumps(run_here(name, url, count, loop)._asdict()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
