"""Creating links without an event loop, in one thread and in fifty."""

from __future__ import annotations

from ..cases import Case, Column, Contender, Figures, Scale
from ..contenders import SYNC, opened_sync
from ..timing import on_both_loops, timed_threads, without_uvloop

TITLE = "Sync create, by the number of threads"
COLUMNS = (
    Column("rate", "calls/s"),
    Column("cpu", "µs CPU/call", 1),
    Column("p50", "p50 ms", 2),
    Column("p99", "p99 ms", 2),
)
THREADS = (1, 50)
RIVALS = ("requests", "requests, one session")
"""The faster of them is what the bars compare with."""


def case_name(threads: int) -> str:
    """Return the name of a case."""
    return f"{threads} thread{'s' if threads > 1 else ''}"


def contenders(threads: int, scale: Scale) -> tuple[Contender, ...]:
    """Return who runs: this library with and without uvloop, and the others, which have no event loop."""
    on_uvloop, on_asyncio = on_both_loops("plexypay")
    others = [
        Contender(name, {"name": name, "loop": ""}, written.needs)
        for name, written in SYNC.items()
        if name != "plexypay"
    ]
    if scale.name == "quick":
        return (on_uvloop, *(other for other in others if other.name in RIVALS))
    return (on_uvloop, on_asyncio, *others)


def cases(scale: Scale) -> list[Case]:
    """Return a case for each number of threads."""
    return [
        Case(case_name(threads), contenders(threads, scale), {"threads": threads, "seconds": scale.seconds})
        for threads in scale.of(THREADS, THREADS, (4,))
    ]


def run(url: str, *, name: str, loop: str, threads: int, seconds: float) -> Figures:
    """Run one contender."""
    if loop == "asyncio":
        without_uvloop()
    with opened_sync(name, url, threads) as create:
        return timed_threads(create, threads, seconds)
