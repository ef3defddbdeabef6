"""Single creates through an outage: what is lost, what the server has to bear, how soon all is well again.

`benchmarks.suite.outage` has the cases.
"""

from __future__ import annotations

import asyncio
import bisect
import sys
import time
from collections import Counter

from plexypay_async import AsyncPlexyPay, Outcome, PlexyPayError

from .cases import Figures
from .outage_server import Outages, Report

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
    # By this clock, for the server may have ended it before it was asked for all of them.
    return figures(outages.report(), tally) | {"after": max(0.0, taken - seconds)}


async def outage(
    url: str,
    outages: Outages,
    kind: str,
    seconds: float,
    callers: int,
    read_timeout: float = 30.0,
    around: tuple[float, float] = (WARM_UP, AFTERWARDS),
) -> Figures:
    """Let so many callers create one link after the other, through an outage and a little longer."""
    warm_up, afterwards = around
    tally, ended = Tally(), False

    async def caller() -> None:
        while not ended:
            await tally.create(plexy)

    async with client(url, read_timeout) as plexy:
        tasks = [asyncio.create_task(caller()) for _ in range(callers)]
        await asyncio.sleep(warm_up)
        await asyncio.to_thread(outages.begin, kind, seconds)
        await asyncio.sleep(seconds + afterwards)
        ended = True
        await asyncio.gather(*tasks)
    report = outages.report()
    since = min(2.0, warm_up / 2)
    rate = sum(report.began - since <= at < report.began for at in report.arrived) / since
    return figures(report, tally) | {
        "rate": rate,
        "after": full_after(report.arrived, report.ended, rate, afterwards),
    }


def figures(report: Report, tally: Tally) -> Figures:
    """Return what a run has come to."""
    began, ended = report.began, report.ended
    lost = sum(tally.lost.values())
    if lost:
        print(dict(tally.lost), file=sys.stderr)
    held = [at for at in report.arrived if began + ONSET <= at < ended]
    # In any second that begins with a request.
    most = max((bisect.bisect_left(held, at + 1) - number for number, at in enumerate(held)), default=0)
    return {
        "done": tally.done,
        "lost": lost,
        "unknown": tally.unknown,
        "twice": report.twice,
        "onset": sum(began <= at < began + ONSET for at in report.arrived),
        "most": most,
    }


def full_after(arrived: list[float], ended: float, rate: float, afterwards: float) -> float:
    """Return the seconds after which half a second has all of the rate; those that were looked at if none."""
    bins = Counter(int((at - ended) / BIN) for at in arrived if at >= ended)
    for first in range(int(afterwards / BIN) - WINDOW):
        if sum(bins[first + number] for number in range(WINDOW)) >= FULL * rate * BIN * WINDOW:
            return first * BIN
    return afterwards
