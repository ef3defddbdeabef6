"""A million links in one job against ten thousand: the rate and the memory at either end.

What `benchmarks.bulk_memory` measures, as part of the suite; it takes minutes, so it runs at full scale only.
"""

from __future__ import annotations

import statistics

from ..bulk_memory import change, long_run, rate_by_clock, rate_by_cpu
from ..cases import Case, Column, Contender, Figures, Scale

TITLE = "Bulk, a long job against short ones"
COLUMNS = (
    Column("rate", "links/s"),
    Column("cpu", "µs CPU/link", 1),
    Column("held", "rate, last/first", 3),
    Column("held_cpu", "by CPU", 3),
    Column("grown", "MiB grown", 1),
)
COUNT = 1_000_000
CASE = f"{COUNT:,} links"


def cases(scale: Scale) -> list[Case]:
    """Return the one case, or none."""
    if scale.name != "full":
        return []
    return [Case(CASE, (Contender("async", {"count": COUNT}, ("uvloop",)),), rounds=1)]


def run(url: str, *, count: int) -> Figures:
    """Run the long job, and the short ones beside its ends."""
    windows, first, last = long_run(url, count, journal=False)
    short = statistics.median(each.peak for each in first.short + last.short)
    return {
        "rate": statistics.median(map(rate_by_clock, windows)),
        "cpu": statistics.median(each.cost for each in windows),
        "held": 1 + change([*map(rate_by_clock, first.windows)], [*map(rate_by_clock, last.windows)]),
        "held_cpu": 1 + change([*map(rate_by_cpu, first.windows)], [*map(rate_by_cpu, last.windows)]),
        "grown": windows[-1].peak - short,
    }
