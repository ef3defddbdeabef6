"""Creating thousands of links, 100 at once: `create_many` on both facades, with a journal, and by hand."""

from __future__ import annotations

from ..bulk_contenders import CONTENDERS, run_here
from ..cases import Case, Column, Contender, Figures, Scale

TITLE = "Bulk, 100 at once"
COLUMNS = (
    Column("rate", "links/s"),
    Column("cpu", "µs CPU/link", 1),
    Column("peak", "peak MiB", 1),
)
COUNTS = (10_000, 100_000)
ROUNDS = 15
"""Of the shorter jobs at full scale: each lasts a second, in which a shared machine may differ by a third."""
SHORT = ("async", "sync", "aiohttp by hand")
LONG = ("async", "aiohttp by hand")
"""Who runs the longer jobs too."""


def case_name(count: int) -> str:
    """Return the name of a case."""
    return f"{count:,} links"


def cases(scale: Scale) -> list[Case]:
    """Return a case for each length of the job."""
    counts = scale.of(COUNTS, (2_000,), (50,))
    return [
        Case(
            case_name(count),
            tuple(
                Contender(name, {"name": name, "loop": "uvloop"}, ("uvloop",))
                for name in (scale.of(tuple(CONTENDERS), SHORT, SHORT) if count == counts[0] else LONG)
            ),
            {"count": count},
            rounds=ROUNDS if count == COUNTS[0] else None,
        )
        for count in counts
    ]


def run(url: str, *, name: str, loop: str, count: int) -> Figures:
    """Run one contender."""
    found = run_here(name, url, count, loop)
    return {"rate": found.rate, "cpu": found.cost, "peak": found.peak}
