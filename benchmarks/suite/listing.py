"""Reading a listing of 100,000 items, 100 on a page, from a server at hand and from one 50 ms away."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any

from ..bulk_contenders import peak_memory, run_on
from ..cases import Case, Column, Contender, Figures, Scale
from ..contenders import KEY, PATH
from ..server import Behaviour

TITLE = "Listing, by how many pages are under way at once"
COLUMNS = (
    Column("rate", "items/s"),
    Column("cpu", "µs CPU/item", 2),
    Column("peak", "peak MiB", 1),
)
TOTAL = 100_000
SIZE = 100
LATENCIES = (0.0, 0.05)
WINDOWS = (1, 2, 4, 8, 16)
DEFAULT = 8


def case_name(latency: float) -> str:
    """Return the name of a case."""
    return f"{latency * 1000:.0f} ms latency"


def contender_name(window: int) -> str:
    """Return the name of a contender."""
    return f"window {window}, the default" if window == DEFAULT else f"window {window}"


def contenders(windows: tuple[int, ...], scale: Scale) -> tuple[Contender, ...]:
    """Return who runs: the async client by its window, the sync one, and one page after the other by hand."""
    ours = tuple(
        Contender(contender_name(window), {"name": "async", "window": window}, ("uvloop",))
        for window in windows
    )
    if scale.name == "quick":
        return ours
    return (
        *ours,
        Contender("sync, window 8", {"name": "sync", "window": 8}, ("uvloop",)),
        Contender("aiohttp by hand, page after page", {"name": "aiohttp", "window": 1}, ("uvloop",)),
    )


def cases(scale: Scale) -> list[Case]:
    """Return a case for each latency."""
    total = scale.of(TOTAL, 5_000, 300)
    windows = scale.of(WINDOWS, (1, 8), (1, 8))
    return [
        Case(
            case_name(latency),
            contenders(windows, scale),
            {"total": total},
            Behaviour(latency=scale.of(latency, latency, latency / 10), total=total),
            rounds=scale.of(None, 1, 1),
        )
        for latency in scale.of(LATENCIES, LATENCIES[1:], LATENCIES[1:])
    ]


async def read_async(url: str, window: int) -> AsyncGenerator[int]:
    """Read with the async client: first a page, and once more all; yields how many items there were."""
    from plexypay_async import AsyncPlexyPay

    async with AsyncPlexyPay(KEY, base_url=url) as plexy:
        pages = plexy.payment_links.list(size=SIZE).prefetch(window)
        yield len(await pages.first_page())
        read = 0
        async for link in pages:
            read += bool(link.id)
        yield read


def read_sync(url: str, window: int) -> Generator[int]:
    """Read so with the sync client."""
    from plexypay_sync import PlexyPay

    with PlexyPay(KEY, base_url=url) as plexy:
        pages = plexy.payment_links.list(size=SIZE).prefetch(window)
        yield len(pages.first_page())
        yield sum(bool(link.id) for link in pages)


async def read_by_hand(url: str) -> AsyncGenerator[int]:
    """Read so as one would by hand, into dicts."""
    import aiohttp

    async with aiohttp.ClientSession(headers={"Authorization": KEY}) as session:

        async def fetched(page: int) -> dict[str, Any]:
            async with session.get(f"{url}{PATH}", params={"page": page, "size": SIZE}) as response:
                response.raise_for_status()
                answer: dict[str, Any] = await response.json()
                return answer

        yield len((await fetched(1))["data"])
        read, page, total = 0, 1, 1
        while read < total:
            answer = await fetched(page)
            read += sum(bool(item["id"]) for item in answer["data"])
            total, page = answer["total"], page + 1
        yield read


class Reading:
    """Times what comes after the first page."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def figures(self, read: int, total: int) -> Figures:
        """Return what was found once all is read."""
        seconds, used = time.perf_counter() - self._began, time.process_time() - self._cpu
        if read != total:
            raise RuntimeError(f"{read} items of {total}")
        return {"rate": read / seconds, "cpu": used / read * 1e6, "peak": peak_memory()}


def run(url: str, *, name: str, window: int, total: int) -> Figures:
    """Run one contender, after one page that is not measured."""
    if name == "sync":
        steps = read_sync(url, window)
        next(steps)
        reading = Reading()
        return reading.figures(next(steps), total)
    found: list[Figures] = []

    async def main() -> None:
        async with aclosing(read_async(url, window) if name == "async" else read_by_hand(url)) as steps:
            await anext(steps)
            reading = Reading()
            found.append(reading.figures(await anext(steps), total))

    run_on("uvloop", main())
    return found[0]
