"""What faults cost `create_many`: a share of the requests, from none to a fifth, is answered with code 1."""

from __future__ import annotations

from ..cases import Case, Contender, Figures, Scale
from ..server import Behaviour
from . import capacity

TITLE = "Goodput of create_many by the share of requests that are answered with code 1"
COLUMNS = capacity.COLUMNS
LATENCY = 0.02
RATES = (0.0, 0.01, 0.05, 0.1, 0.2)
FIXED, ADAPTIVE = "fixed 100", "adaptive"


def case_name(rate: float) -> str:
    """Return the name of a case."""
    return f"{rate:.0%} faults, {LATENCY * 1000:.0f} ms"


def cases(scale: Scale) -> list[Case]:
    """Return a case for each share of faults."""
    return [
        Case(
            case_name(rate),
            (Contender(FIXED, {"concurrency": 100}), Contender(ADAPTIVE, {"concurrency": 0})),
            {"count": scale.of(10_000, 150, 60)},
            Behaviour(latency=LATENCY, fault_rate=rate),
            rounds=scale.of(None, 1, 1),
        )
        for rate in scale.of(RATES, (0.1,), (0.1,))
    ]


def run(url: str, *, concurrency: int, count: int) -> Figures:
    """Run one contender."""
    return capacity.run(url, concurrency=concurrency, count=count)
