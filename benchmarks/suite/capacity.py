"""Goodput of `create_many` against a server of fifty places, which answers code 1 above them.

`benchmarks.bulk_capacity` asks the same of the sandbox, in more detail.
"""

from __future__ import annotations

import asyncio
import time

from ..bulk_capacity import arrived, create
from ..cases import Case, Column, Contender, Figures, Scale
from ..server import Behaviour

TITLE = "Goodput of create_many against a server of 50 places"
COLUMNS = (
    Column("rate", "links/s"),
    Column("per_link", "requests/link", 3),
    Column("cpu", "µs CPU/link", 1),
)
CAPACITY, LATENCY = 50, 0.035
FIXED = (25, 50, 100, 500)
ADAPTIVE = "adaptive"
CASE = f"{CAPACITY} places, {LATENCY * 1000:.0f} ms"


def fixed_name(concurrency: int) -> str:
    """Return the name of a contender."""
    return f"fixed {concurrency}"


def cases(scale: Scale) -> list[Case]:
    """Return the one case."""
    contenders = [
        Contender(fixed_name(concurrency), {"concurrency": concurrency})
        for concurrency in scale.of(FIXED, (50,), (50,))
    ]
    return [
        Case(
            CASE,
            (*contenders, Contender(ADAPTIVE, {"concurrency": 0})),
            {"count": scale.of(10_000, 1_000, 60)},
            Behaviour(latency=LATENCY, capacity=CAPACITY),
            rounds=scale.of(None, 1, 1),
        )
    ]


def run(url: str, *, concurrency: int, count: int) -> Figures:
    """Run one contender, after a little of what is not measured; 0 stands for no fixed concurrency."""
    asyncio.run(create(url, 20, 20, start=count))
    before, cpu = arrived(url), time.process_time()
    seconds = asyncio.run(create(url, count, concurrency))
    used = time.process_time() - cpu
    return {
        "rate": count / seconds,
        "per_link": (arrived(url) - before) / count,
        "cpu": used / count * 1e6,
    }
