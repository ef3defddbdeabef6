"""What a benchmark is made of: cases, and the contenders in each, which take turns."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from .server import Behaviour

T = TypeVar("T")

Figures: TypeAlias = dict[str, float]
"""What one run has shown, by name."""

NAMES = (
    *("create", "sync", "tls", "listing", "bulk", "million", "capacity", "faults", "pace", "outage"),
    *("codec", "layers", "imports"),
)
"""The benchmarks, in the order in which they run; each is a module of `benchmarks.suite`."""


class Scale(NamedTuple):
    """How much is measured."""

    name: str
    rounds: int
    seconds: float
    """How long one run makes calls, where nothing else says when it ends."""

    def of(self, full: T, quick: T, smoke: T) -> T:
        """Return what this scale takes of three."""
        return {"full": full, "quick": quick, "smoke": smoke}[self.name]


FULL = Scale("full", 5, 2.0)
QUICK = Scale("quick", 2, 0.25)
SMOKE = Scale("smoke", 1, 0.02)
"""Shows that the suite runs, and nothing of how fast anything is."""


class Column(NamedTuple):
    """How a figure is shown."""

    figure: str
    heading: str
    decimals: int = 0
    less_is_better: bool = False


class Contender(NamedTuple):
    """Something that is measured, under the name that it has in the tables."""

    name: str
    options: Mapping[str, Any] = {}
    needs: tuple[str, ...] = ()
    """The packages that it imports."""


class Case(NamedTuple):
    """Contenders that are compared with each other."""

    name: str
    contenders: tuple[Contender, ...]
    options: Mapping[str, Any] = {}
    behaviour: Behaviour | None = Behaviour()
    """The server's; None where none is needed."""
    rounds: int | None = None
    """How often each contender runs, where that is not the scale's to say."""


class Benchmark(Protocol):
    """What a module of `benchmarks.suite` has."""

    TITLE: str
    COLUMNS: Sequence[Column]
    """The first is what the contenders are compared by."""

    def cases(self, scale: Scale) -> list[Case]:
        """Return what is measured; an empty list where a scale is too small for it."""
        ...

    def run(self, url: str, **options: Any) -> Figures:
        """Run one contender here, in a process of its own, with the options of its case and its own."""
        ...


class Result(NamedTuple):
    """What the rounds of one contender in one case have shown."""

    benchmark: str
    case: str
    contender: str
    runs: list[Figures]
    reason: str | None = None
    """Why there are none, or no more."""

    def median(self, figure: str) -> float:
        """Return the median of all rounds."""
        return statistics.median(run[figure] for run in self.runs)

    def spread(self, figure: str) -> tuple[float, float]:
        """Return the lowest and the highest of all rounds."""
        values = [run[figure] for run in self.runs]
        return min(values), max(values)


def benchmark_of(name: str) -> Benchmark:
    """Return a benchmark by its name."""
    return cast(Benchmark, importlib.import_module(f"benchmarks.suite.{name}"))
