"""Draws the main results of a run as SVG, in the width of the README, for light and for dark backgrounds.

``python -m benchmarks --from results.json --picture docs/benchmarks.svg`` draws what was measured before.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from . import machine
from .cases import Result
from .suite import bulk, create, faults, listing, sync, tls

WIDTH, MARGIN, GAP = 830, 20, 30
PANEL = (WIDTH - 2 * MARGIN - GAP) // 2
LABEL, VALUE = 150, 64
"""The widths of a bar's name, and of its value."""
ROW, BAR, HEADING, LINE = 24, 15, 46, 17
DRAWN = ("create", "sync", "listing", "bulk", "faults", "tls")
"""The benchmarks that it shows."""
OTHERS = (
    *(
        "aiohttp by hand",
        "aiohttp, warm",
        "aiohttp, 200",
        "stripe on aiohttp",
        "stripe on httpx",
        "stripe",
        "httpx",
        "requests",
    ),
    "square",
)
COMMAND = "python -m benchmarks --picture docs/benchmarks.svg"
COMMAND_OF_TLS = "python -m benchmarks tls --picture docs/benchmarks-tls.svg"

# The card has a background of its own, so that it can be read on any page.
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .unit, .note { fill: #59636e }
  .note { font-size: 12px }
  .bar { fill: #afb8c1 }
  .ours { fill: #1a7f37 }
  .mark { stroke: #59636e; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .unit, .note { fill: #9198a1 }
    .bar { fill: #656c76 }
    .ours { fill: #3fb950 }
    .mark { stroke: #9198a1 }
  }
"""


class Bar(NamedTuple):
    """One bar of a panel."""

    label: str
    value: float
    is_ours: bool


class Panel(NamedTuple):
    """Bars that are compared with each other."""

    title: str
    unit: str
    bars: list[Bar]
    decimals: int = 0
    mark: float | None = None
    """Where a line is drawn."""

    @property
    def height(self) -> int:
        """How much room it takes."""
        return HEADING + ROW * len(self.bars)


def of_case(
    results: Sequence[Result], benchmark: str, case: str, names: Mapping[str, str], figure: str = "rate"
) -> list[Bar]:
    """Return the medians of some contenders of one case, under other names; ours stand out."""
    medians = {
        result.contender: result.median(figure)
        for result in results
        if (result.benchmark, result.case) == (benchmark, case) and result.runs
    }
    return [
        Bar(label, medians[name], label not in OTHERS) for name, label in names.items() if name in medians
    ]


def by_concurrency(results: Sequence[Result], benchmark: str = "create") -> list[Bar]:
    """Return our rate as a share of hand-written aiohttp's, by the number of calls at once."""
    bars: list[Bar] = []
    for concurrency in create.CONCURRENCIES:
        names = {f"{who}, uvloop": who for who in ("plexypay", "aiohttp by hand")}
        found = of_case(results, benchmark, create.case_name(concurrency), names)
        if len(found) == len(names):
            bars.append(Bar(f"{concurrency} at once", found[0].value / found[1].value, is_ours=True))
    return bars


def by_faults(results: Sequence[Result], rates: Sequence[float], places: int = 0) -> list[Bar]:
    """Return the adaptive rate as a share of the best fixed one, by the share of faults."""
    fixed = {faults.fixed_name(each): str(each) for each in faults.FIXED}
    bars: list[Bar] = []
    for rate in rates:
        case = faults.case_name(rate, places)
        ours = of_case(results, "faults", case, {faults.ADAPTIVE: f"{rate:.0%} of requests fail"})
        if ours and (others := of_case(results, "faults", case, fixed)):
            share = ours[0].value / max(other.value for other in others)
            bars.append(Bar(ours[0].label, share, is_ours=True))
    return bars


def of_faults(results: Sequence[Result]) -> list[Panel]:
    """Return the panels of what faults by chance cost a bulk job."""
    found: list[Panel] = []
    for rates, places in ((faults.RATES, 0), (faults.RATES_OF_PLACES, faults.PLACES)):
        title = f"Bulk, {faults.LATENCY * 1000:.0f} ms, 100 connections"
        if places:
            title = f"Bulk, a server of {places} places, {faults.LATENCY_OF_PLACES * 1000:.0f} ms"
        bars = by_faults(results, rates, places)
        found.append(Panel(title, "× best fixed", bars, decimals=2, mark=1.0))
    return found


def over_tls(
    results: Sequence[Result], async_names: Mapping[str, str], sync_names: Mapping[str, str]
) -> list[Panel]:
    """Return the panels of what goes over TLS."""
    cold, warm = (tls.job_name(tls.LINKS, warm=warm) for warm in (False, True))
    jobs = {
        cold: {
            "async, uvloop": "plexypay",
            "aiohttp by hand, uvloop": "aiohttp by hand",
            f"{tls.ON_MORE}, uvloop": "plexypay, 200",
            f"{tls.BY_HAND_ON_MORE}, uvloop": "aiohttp, 200",
        },
        warm: {"async, uvloop": "plexypay, warm", "aiohttp by hand, uvloop": "aiohttp, warm"},
    }
    return [
        Panel(
            f"TLS: async create, {create.MAIN} at once",
            "calls/s",
            of_case(results, "tls", create.case_name(create.MAIN), async_names),
        ),
        Panel(
            "TLS: create, by calls at once",
            "× aiohttp by hand",
            by_concurrency(results, "tls"),
            decimals=2,
            mark=1.0,
        ),
        *(
            Panel(
                f"TLS: sync create, {sync.case_name(threads)}",
                "calls/s",
                of_case(results, "tls", sync.case_name(threads), sync_names),
            )
            for threads in sync.THREADS
        ),
        Panel(
            f"TLS: a whole {cold}",
            "links/s",
            [bar for case, names in jobs.items() for bar in of_case(results, "tls", case, names)],
        ),
        Panel(
            f"TLS: {tls.first_name(create.MAIN)}",
            "calls/s",
            of_case(results, "tls", tls.first_name(create.MAIN), async_names),
        ),
    ]


def panels(results: Sequence[Result]) -> list[Panel]:
    """Return what there is to draw."""
    async_names = {
        f"{name}, uvloop": name
        for name in ("plexypay", "aiohttp by hand", "stripe on aiohttp", "stripe on httpx", "httpx", "square")
    }
    sync_names = {
        "plexypay, uvloop": "plexypay",
        **{name: name for name in ("requests", "httpx", "stripe", "square")},
    }
    listed = {
        listing.contender_name(window): f"{window} page{'s' if window > 1 else ''} at once"
        for window in listing.WINDOWS
    }
    bulk_names = {
        "async": "plexypay",
        "async with journal": "plexypay, journal",
        "sync": "plexypay, sync",
        "aiohttp by hand": "aiohttp by hand",
    }
    measured_bulk = next((result.case for result in results if result.benchmark == "bulk"), "")
    found = [
        Panel(
            f"Async create, {create.MAIN} at once",
            "calls/s",
            of_case(results, "create", create.case_name(create.MAIN), async_names),
        ),
        Panel(
            "Async create, by calls at once",
            "× aiohttp by hand",
            by_concurrency(results),
            decimals=2,
            mark=1.0,
        ),
        *(
            Panel(
                f"Sync create, {sync.case_name(threads)}",
                "calls/s",
                of_case(results, "sync", sync.case_name(threads), sync_names),
            )
            for threads in sync.THREADS
        ),
        Panel(
            "Listing, 50 ms latency",
            "items/s",
            of_case(results, "listing", listing.case_name(0.05), listed),
        ),
        Panel(
            f"{bulk.TITLE}, {measured_bulk}", "links/s", of_case(results, "bulk", measured_bulk, bulk_names)
        ),
        *of_faults(results),
        *over_tls(results, async_names, sync_names),
    ]
    return [panel for panel in found if panel.bars]


def text(x: float, y: float, content: str, kind: str = "", *, at_end: bool = False) -> str:
    """Return a line of text."""
    anchor = ' text-anchor="end"' if at_end else ""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{style}{anchor}>{escape(content)}</text>'


def drawn_panel(panel: Panel, left: int, top: int) -> list[str]:
    """Return a panel as SVG."""
    room = PANEL - LABEL - VALUE
    longest = max([bar.value for bar in panel.bars] + ([panel.mark] if panel.mark else []))
    parts = [
        text(left, top + 15, panel.title, "title"),
        text(left + PANEL, top + 15, panel.unit, "unit", at_end=True),
    ]
    mark = None if panel.mark is None else left + LABEL + panel.mark / longest * room
    for number, bar in enumerate(panel.bars):
        y = top + HEADING - 16 + ROW * number
        width = max(1.0, bar.value / longest * room)
        shown = f"{bar.value:,.{panel.decimals}f}"
        end = left + LABEL + width
        # The line would cross the value of a bar that ends before it.
        value_at = max(end, mark) if mark is not None and mark < end + VALUE else end
        parts += [
            text(left, y + 12, bar.label),
            f'<rect class="{"ours" if bar.is_ours else "bar"}" x="{left + LABEL}" y="{y}" width="{width:.1f}"'
            f' height="{BAR}" rx="2"><title>{escape(bar.label)}: {shown} {escape(panel.unit)}</title></rect>',
            text(value_at + 6, y + 12, shown),
        ]
    if mark is not None:
        y = top + HEADING - 20
        parts.append(
            f'<line class="mark" x1="{mark:.1f}" y1="{y}" x2="{mark:.1f}" y2="{y + ROW * len(panel.bars)}"/>'
        )
    return parts


def drawn(results: Sequence[Result], document: Mapping[str, Any]) -> str:
    """Return the picture of a run: two columns of panels, what they were measured on, and how to do so again.

    Raises:
        ValueError: The run has nothing of what is drawn.
    """
    shown = panels(results)
    if not shown:
        raise ValueError(f"nothing to draw: it shows {', '.join(DRAWN)}, of which none was measured")
    parts: list[str] = []
    top = MARGIN
    for row in range(0, len(shown), 2):
        pair = shown[row : row + 2]
        for column, panel in enumerate(pair):
            parts += drawn_panel(panel, MARGIN + column * (PANEL + GAP), top)
        top += max(panel.height for panel in pair)
    scale = document["scale"]
    command = COMMAND_OF_TLS if {result.benchmark for result in results} == {"tls"} else COMMAND
    notes = [
        *textwrap.wrap(f"On uvloop, against a server on loopback. {machine.line(document['machine'])}.", 125),
        f"Medians of the rounds of a run at {scale['name']} scale. {command}",
    ]
    for line in notes:
        parts.append(text(MARGIN, top + 12, line, "note"))
        top += LINE
    height = top + MARGIN // 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
            f' viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
            '<title id="title">plexypay against its alternatives</title>',
            f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
            *parts,
            "</svg>",
            "",
        ]
    )
