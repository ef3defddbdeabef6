"""The pace of bulk jobs against simulated servers: the worst of each kind. `benchmarks.pace` shows all."""

from __future__ import annotations

from ..cases import Case, Column, Contender, Figures, Scale
from ..pace import SEEDS, figures, scenarios

TITLE = "The pace of bulk jobs against simulated servers: the worst of each kind"
SHARE, REQUESTS, LATENCY, FALL, BACK = "share", "requests", "latency", "fall", "back"
COLUMNS = (
    Column(SHARE, "rate / best fixed", 2),
    Column(REQUESTS, "requests beside faults", 2),
    Column(LATENCY, "latency, of the unloaded", 2),
    Column(FALL, "round trips to a drop", 1),
    Column(BACK, "and back", 1),
)
CASE = "faults of 0 to 20%, answers after 1 to 200 ms"
GROUPS = {
    "capacity of 5": "capacity 5,",
    "capacity of 50": "capacity 50,",
    "capacity of 500": "capacity 500,",
    "a capacity that drops": "drop",
    "a capacity that grows": "ramp",
    "faults that come and go": "faults from",
    "a queue": "queue",
    "no capacity": "no capacity",
    "short jobs": "links at",
    "long ways": "on the way",
}
"""By what their scenarios are called."""
OF_NAME = {
    "rate / best fixed": SHARE,
    "requests": REQUESTS,
    "latency": LATENCY,
    "trips to the drop": FALL,
    "trips back": BACK,
}


def cases(scale: Scale) -> list[Case]:
    """Return the one case."""
    few = scale.of(0, 1, 1)
    groups = scale.of(tuple(GROUPS), tuple(GROUPS), tuple(GROUPS)[:2])
    contenders = tuple(Contender(group, {"group": group}) for group in groups)
    return [Case(CASE, contenders, {"few": few}, behaviour=None, rounds=1)]


def run(_: str, *, group: str, few: int) -> Figures:
    """Run the scenarios of one group, or a few of them with one seed; 0 stands for what none of them asks."""
    every = [each for each in scenarios() if GROUPS[group] in each.name]
    found: dict[str, list[float]] = {figure: [] for figure in OF_NAME.values()}
    for scenario in every[: few or None]:
        for figure in figures(scenario, seeds=SEEDS[: few or None]):
            found[OF_NAME[figure.name]].append(figure.value)
    worst = {name: max(values, default=0.0) for name, values in found.items()}
    return {**worst, SHARE: min(found[SHARE], default=1.0)}
