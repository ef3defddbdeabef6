"""A million links in one job against jobs of ten thousand: the rate and the memory at its end.

What `benchmarks.bulk_memory` measures, as part of the suite; it takes minutes, so `--quick` leaves it out.
"""

from __future__ import annotations

import statistics

from ..bulk_memory import long_run, median_of
from ..cases import Case, Column, Contender, Figures, Scale
from .bulk import case_name

TITLE = "Bulk, a long job against short ones that take turns with it"
COLUMNS = (
    Column("rate", "links/s"),
    Column("cpu", "µs CPU/link", 1),
    Column("held", "at its end / short", 3),
    Column("held_cpu", "by CPU", 3),
    Column("began", "at its beginning / short", 3),
    Column("grown", "MiB grown", 1),
)
COUNT = 1_000_000
CASE = case_name(COUNT)


def cases(scale: Scale) -> list[Case]:
    """Return the one case, or none."""
    count = scale.of(COUNT, 0, 1_000)
    if not count:
        return []
    return [Case(case_name(count), (Contender("async", {"count": count}, ("uvloop",)),), rounds=1)]


def run(url: str, *, count: int) -> Figures:
    """Run the long job, and the short ones beside it."""
    found = long_run(url, count)
    return {
        "rate": statistics.median(window.rate for window in found.windows),
        "cpu": statistics.median(window.cost for window in found.windows),
        "held": median_of(found.end, lambda turn: turn.by_clock),
        "held_cpu": median_of(found.end, lambda turn: turn.by_cpu),
        "began": median_of(found.beginning, lambda turn: turn.by_clock),
        "grown": found.grown,
    }
