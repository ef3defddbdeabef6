"""Creating links from an event loop, 1, 10, 100 and 500 at once."""

from __future__ import annotations

from typing import Any

from ..bulk_contenders import run_on
from ..cases import Case, Column, Contender, Figures, Scale
from ..contenders import ASYNC, opened_async
from ..timing import on_both_loops, timed_coroutines

TITLE = "Async create, by how many are under way at once"
COLUMNS = (
    Column("rate", "calls/s"),
    Column("cpu", "µs CPU/call", 1),
    Column("p50", "p50 ms", 2),
    Column("p99", "p99 ms", 2),
)
CONCURRENCIES = (1, 10, 100, 500)
MAIN = 100
"""The one in which all contenders run."""
QUICK = ("plexypay", "aiohttp by hand", "stripe on aiohttp", "square")
"""Who runs at quick scale."""


def case_name(concurrency: int) -> str:
    """Return the name of a case."""
    return f"{concurrency} at once"


def contenders(concurrency: int, scale: Scale) -> tuple[Contender, ...]:
    """Return who runs: all on uvloop, and at full scale the two that the bars compare on asyncio too."""
    found: list[Contender] = []
    for name, written in ASYNC.items():
        if scale.name == "quick" and name not in QUICK:
            continue
        on_uvloop, on_asyncio = on_both_loops(name, *written.needs)
        found.append(on_uvloop)
        if scale.name == "full" and (concurrency == MAIN or name in ("plexypay", "aiohttp by hand")):
            found.append(on_asyncio)
    return tuple(found)


def cases(scale: Scale) -> list[Case]:
    """Return a case for each number of calls at once."""
    return [
        Case(
            case_name(concurrency),
            contenders(concurrency, scale),
            {"concurrency": concurrency, "seconds": scale.seconds},
        )
        for concurrency in scale.of(CONCURRENCIES, (MAIN,), (10,))
    ]


def run(url: str, *, name: str, loop: str, concurrency: int, seconds: float, **_: Any) -> Figures:
    """Run one contender."""
    found: list[Figures] = []

    async def main() -> None:
        async with opened_async(name, url, concurrency) as create:
            found.append(await timed_coroutines(create, concurrency, seconds))

    run_on(loop, main())
    return found[0]
