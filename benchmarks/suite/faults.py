"""What faults cost `create_many`: a share of the requests, from none to a fifth, is answered with code 1.

The rate is that of the first 95 % of the links. The last rows wait for the pauses before their repeats, which
double up to twenty seconds: how long that takes is chance, and no pace makes it shorter.
"""

from __future__ import annotations

import asyncio
import time

from ..bulk_capacity import arrived, create
from ..cases import Case, Column, Contender, Figures, Scale
from ..server import Behaviour

TITLE = "Goodput of create_many by the share of requests that are answered with code 1, until 95 % are done"
COLUMNS = (
    Column("rate", "links/s"),
    Column("per_link", "requests/link", 3),
    Column("cpu", "µs CPU/link", 1),
)
COUNTED = 0.95
RATES = (0.0, 0.01, 0.05, 0.1, 0.2)
RATES_OF_PLACES = (0.0, 0.05, 0.2)
LATENCY = 0.02
PLACES, LATENCY_OF_PLACES = 50, 0.2
FIXED, ADAPTIVE = (50, 100), "adaptive"


def fixed_name(concurrency: int) -> str:
    """Return the name of a contender."""
    return f"fixed {concurrency}"


def case_name(rate: float, places: int = 0) -> str:
    """Return the name of a case."""
    latency = LATENCY_OF_PLACES if places else LATENCY
    return f"{rate:.0%} faults, {latency * 1000:.0f} ms{f', {places} places' if places else ''}"


def _case(rate: float, scale: Scale, *, places: int = 0) -> Case:
    contenders = [Contender(fixed_name(each), {"concurrency": each}) for each in FIXED]
    count = scale.of(3_000 if places else 10_000, 150, 60)
    return Case(
        case_name(rate, places),
        (*(contenders if places else contenders[-1:]), Contender(ADAPTIVE, {"concurrency": 0})),
        {"count": count},
        Behaviour(latency=LATENCY_OF_PLACES if places else LATENCY, capacity=places, fault_rate=rate),
        rounds=scale.of(3 if places else None, 1, 1),
    )


def cases(scale: Scale) -> list[Case]:
    """Return a case for each share of faults, without a capacity and with one."""
    return [
        *(_case(rate, scale) for rate in scale.of(RATES, (0.1,), (0.1,))),
        *(_case(rate, scale, places=PLACES) for rate in scale.of(RATES_OF_PLACES, (), ())),
    ]


def run(url: str, *, concurrency: int, count: int) -> Figures:
    """Run one contender, after a little of what is not measured; 0 stands for no fixed concurrency."""
    asyncio.run(create(url, 20, 20, start=count))
    before, cpu = arrived(url), time.process_time()
    counted = int(count * COUNTED)
    seconds = asyncio.run(create(url, count, concurrency, counted=counted))
    used = time.process_time() - cpu
    return {
        "rate": counted / seconds,
        "per_link": (arrived(url) - before) / count,
        "cpu": used / count * 1e6,
    }
