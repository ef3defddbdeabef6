"""Single creates through a blip and an outage: what is lost, and what the server has to bear.

Against servers of its own, which fail when they are told to: `benchmarks.outage_server`.
"""

from __future__ import annotations

import asyncio

from .. import outage
from ..cases import Case, Column, Contender, Figures, Scale
from ..outage_server import served

TITLE = "Creates with a minute each, through a time in which everything fails"
COLUMNS = (
    Column("done", "links"),
    Column("lost", "calls lost", less_is_better=True),
    Column("unknown", "of unknown outcome", less_is_better=True),
    Column("twice", "links twice", less_is_better=True),
    Column("onset", "requests, 1st s", less_is_better=True),
    Column("most", "most in a later s", less_is_better=True),
    Column("after", "s until all is well", 1, less_is_better=True),
)
OURS = "plexypay"
BLIPS = (1.0, 2.0, 5.0)
BLIP_KINDS, OUTAGE_KINDS = ("code 1", "cut"), ("code 1", "cut", "gateway", "refused", "mixed")


def blip_name(kind: str, seconds: float) -> str:
    """Return the name of the case of a blip."""
    return f"500 at once, {seconds:g} s of {kind}"


def outage_name(kind: str, seconds: float = 30.0) -> str:
    """Return the name of the case of an outage."""
    return f"500 in a loop, {seconds:g} s of {kind}"


def cases(scale: Scale) -> list[Case]:
    """Return a case for each length of a blip, and for each kind of an outage."""
    calls, seconds = scale.of(500, 500, 20), scale.of(30.0, 5.0, 0.3)
    around = scale.of((outage.WARM_UP, outage.AFTERWARDS), (2.0, 3.0), (0.3, 0.3))
    blips = [
        Case(
            blip_name(kind, blip),
            (Contender(OURS),),
            {"shape": "blip", "kind": kind, "seconds": scale.of(blip, blip, 0.1), "calls": calls},
            behaviour=None,
            rounds=scale.of(3, 1, 1),
        )
        for kind in scale.of(BLIP_KINDS, ("code 1",), ("cut",))
        for blip in scale.of(BLIPS, (2.0,), (1.0,))
    ]
    outages = [
        Case(
            outage_name(kind, seconds),
            (Contender(OURS),),
            {"shape": "outage", "kind": kind, "seconds": seconds, "calls": calls, "around": around},
            behaviour=None,
            rounds=1,
        )
        for kind in scale.of(OUTAGE_KINDS, ("code 1",), ("code 1",))
    ]
    return [*blips, *outages]


def run(
    url: str, *, shape: str, kind: str, seconds: float, calls: int, around: tuple[float, float] = (0.0, 0.0)
) -> Figures:
    """Run one contender against a server of its own."""
    del url
    with served(outage.LATENCY) as (own, outages):
        if shape == "blip":
            return asyncio.run(outage.blip(own, outages, kind, seconds, calls))
        warm_up, afterwards = around
        return asyncio.run(outage.outage(own, outages, kind, seconds, calls, around=(warm_up, afterwards)))
