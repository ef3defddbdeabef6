"""Single creates through an outage: what is lost, what the server has to bear, and how soon all is well again.

``python -m benchmarks.outage KIND SECONDS [CALLERS] [READ_TIMEOUT]`` measures once, with so many callers in a
loop; ``python -m benchmarks.outage blip KIND SECONDS [CALLS]`` with so many creates at once.
"""

from __future__ import annotations

import asyncio
import bisect
import sys
import time
from collections import Counter

from plexypay_async import AsyncPlexyPay, Outcome, PlexyPayError

from .cases import Figures
from .outage_server import Outages, Report, served

LATENCY = 0.2
WARM_UP, AFTERWARDS = 3.0, 5.0
ONSET = 1.0
"""Seconds of an outage in which the requests that were under way still come."""
BIN = 0.1
WINDOW = 5
"""Bins over which a rate is taken."""
FULL = 0.9
"""The share of the rate before the outage that counts as all of it."""


class Tally:
    """What the calls have come to."""

    def __init__(self) -> None:
        self.done = 0
        self.lost: Counter[str] = Counter()
        self.unknown = 0
        self._number = 0

    async def create(self, plexy: AsyncPlexyPay) -> None:
        """Create one link, and note what came of it."""
        self._number += 1
        try:
            await plexy.payment_links.create(
                amount=100, currency="KZT", order_reference=f"ORD-{self._number}"
            )
        except PlexyPayError as error:
            self.lost[type(error).__name__] += 1
            self.unknown += error.outcome is Outcome.UNKNOWN
        else:
            self.done += 1


def client(url: str, read_timeout: float) -> AsyncPlexyPay:
    """Return a client with a minute for each call."""
    return AsyncPlexyPay("sandbox-key", base_url=url, timeout=60, read_timeout=read_timeout)


async def blip(url: str, outages: Outages, kind: str, seconds: float, calls: int) -> Figures:
    """Make so many calls at once in a short outage."""
    tally = Tally()
    async with client(url, 30.0) as plexy:
        # The connections' own price is not what is measured.
        await tally.create(plexy)
        outages.begin(kind, seconds)
        began = time.perf_counter()
        await asyncio.gather(*(tally.create(plexy) for _ in range(calls)))
        taken = time.perf_counter() - began
    return figures(outages.report(), tally, "blip") | {"seconds": taken}


async def outage(
    url: str, outages: Outages, kind: str, seconds: float, callers: int, read_timeout: float = 30.0
) -> Figures:
    """Let so many callers create one link after the other, through an outage and a little longer."""
    tally, ended = Tally(), False

    async def caller() -> None:
        while not ended:
            await tally.create(plexy)

    async with client(url, read_timeout) as plexy:
        tasks = [asyncio.create_task(caller()) for _ in range(callers)]
        await asyncio.sleep(WARM_UP)
        await asyncio.to_thread(outages.begin, kind, seconds)
        await asyncio.sleep(seconds + AFTERWARDS)
        ended = True
        await asyncio.gather(*tasks)
    return figures(outages.report(), tally, "outage")


def figures(report: Report, tally: Tally, shape: str) -> Figures:
    """Return what a run has come to."""
    began, ended = report.began, report.ended
    lost = sum(tally.lost.values())
    if lost:
        print(dict(tally.lost), file=sys.stderr)
    found: Figures = {
        "lost": lost,
        "unknown": tally.unknown,
        "twice": report.twice,
        "done": tally.done,
        "onset": sum(began <= at < began + ONSET for at in report.arrived),
    }
    held = [at for at in report.arrived if began + ONSET <= at < ended]
    if ended - began > ONSET:
        # The most in any second that begins with a request.
        found["most"] = max(
            (bisect.bisect_left(held, at + 1) - number for number, at in enumerate(held)), default=0
        )
    if shape == "outage":
        before = sum(began - 2 <= at < began for at in report.arrived) / 2
        found |= {"before": before, "full_after": full_after(report.arrived, ended, before)}
    return found


def full_after(arrived: list[float], ended: float, rate: float) -> float:
    """Return the seconds after which half a second has all of the rate; those that were looked at if none."""
    bins = Counter(int((at - ended) / BIN) for at in arrived if at >= ended)
    most = int(AFTERWARDS / BIN) - WINDOW
    for first in range(most):
        if sum(bins[first + number] for number in range(WINDOW)) >= FULL * rate * BIN * WINDOW:
            return first * BIN
    return AFTERWARDS


def measured(shape: str, kind: str, seconds: float, calls: int, read_timeout: float = 30.0) -> Figures:
    """Measure once, against a server in a process of its own."""
    with served(LATENCY) as (url, outages):
        if shape == "blip":
            return asyncio.run(blip(url, outages, kind, seconds, calls))
        return asyncio.run(outage(url, outages, kind, seconds, calls, read_timeout))


if __name__ == "__main__":
    given = sys.argv[1:]
    shape = given.pop(0) if given[0] == "blip" else "outage"
    kind, seconds = given[0], float(given[1])
    calls = int(given[2]) if len(given) > 2 else 500
    print(shape, kind, measured(shape, kind, seconds, calls, *map(float, given[3:])))
