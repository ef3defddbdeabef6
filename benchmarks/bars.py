"""The bars: what the library is to reach, as ratios of medians within one run, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .cases import Result
from .pace import (
    LEAST_SHARE,
    MOST_FALL,
    MOST_LATENCY,
    MOST_REQUESTS,
    MOST_REQUESTS_OF_FIVE,
    MOST_RETURN,
    REQUESTS_ON_THE_WAY,
    SHARE_ON_THE_WAY,
)
from .suite import capacity, codec, create, faults, imports, listing, million, outage, pace, sync, tls

OURS, BY_HAND = "plexypay", "aiohttp by hand"
TOO_SMALL = "not measured at this scale"


class Ref(NamedTuple):
    """Where a figure is found; without a case, in the first one that was measured."""

    benchmark: str
    contender: str
    figure: str
    case: str = ""


class Bar(NamedTuple):
    """A bound on a figure, or on its ratio to the best of others."""

    text: str
    of: Ref
    to: tuple[Ref, ...] = ()
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"

    def holds(self, value: float) -> bool:
        """Tell whether a value is within the bound."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


class Verdict(NamedTuple):
    """A bar, and what was found."""

    text: str
    bound: str
    value: float | None
    lowest: float | None
    """Of the rounds taken one by one, where there is a round of each."""
    highest: float | None
    said: str
    """``met``, ``missed``, or why there is no value."""


class NotMeasuredError(Exception):
    """A figure that is not there; says why."""


class Found:
    """The results of a run, by where they are."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = results

    def has(self, benchmark: str) -> bool:
        """Tell whether a benchmark was run."""
        return any(result.benchmark == benchmark for result in self._results)

    def result(self, ref: Ref) -> Result:
        """Return a result with at least one round.

        Raises:
            NotMeasuredError: There is none.
        """
        for result in self._results:
            if (result.benchmark, result.contender) == ref[:2] and ref.case in ("", result.case):
                if not result.runs:
                    raise NotMeasuredError(f"{result.contender}: {result.reason}")
                return result
        raise NotMeasuredError(TOO_SMALL)

    def median(self, ref: Ref) -> float:
        """Return the median of a figure."""
        return self.result(ref).median(ref.figure)

    def _is_there(self, ref: Ref) -> bool:
        try:
            self.result(ref)
        except NotMeasuredError as error:
            return str(error) != TOO_SMALL
        return True

    def verdict(self, bar: Bar) -> Verdict:
        """Return what was found of a bar."""
        try:
            value, by_round = self._value(bar)
        except NotMeasuredError as error:
            return Verdict(bar.text, bar.bound, None, None, None, str(error))
        lowest, highest = (min(by_round), max(by_round)) if by_round else (None, None)
        said = "met" if bar.holds(value) else "missed"
        return Verdict(bar.text, bar.bound, value, lowest, highest, said)

    def _value(self, bar: Bar) -> tuple[float, list[float]]:
        of = self.result(bar.of)
        over = [run[bar.of.figure] for run in of.runs]
        if not bar.to:
            return of.median(bar.of.figure), over
        # The best of the others is the one that is hardest to beat.
        others = [ref for ref in bar.to if self._is_there(ref)] or bar.to
        best = (max if bar.at_least is not None else min)(others, key=self.median)
        under = [run[best.figure] for run in self.result(best).runs]
        return of.median(bar.of.figure) / self.median(best), [
            ours / theirs for ours, theirs in zip(over, under, strict=False)
        ]


def create_bars() -> list[Bar]:
    """Return the bars of the async create."""
    bars: list[Bar] = []
    main = create.case_name(create.MAIN)
    for loop in ("uvloop", "asyncio"):
        for concurrency in create.CONCURRENCIES:
            case = create.case_name(concurrency)
            ours = Ref("create", f"{OURS}, {loop}", "rate", case)
            by_hand = Ref("create", f"{BY_HAND}, {loop}", "rate", case)
            least = 1.0 if concurrency == create.MAIN else 0.95
            bars.append(Bar(f"create, {case}, {loop}: rate / {BY_HAND}", ours, (by_hand,), at_least=least))
    for figure, name, most in (("cpu", "CPU", 1.0), ("p99", "99th percentile", 1.1)):
        ours, by_hand = (Ref("create", f"{who}, uvloop", figure, main) for who in (OURS, BY_HAND))
        bars.append(Bar(f"create, {main}, uvloop: {name} / {BY_HAND}", ours, (by_hand,), at_most=most))
    for rival in ("stripe on aiohttp", "stripe on httpx", "square"):
        ours, theirs = (Ref("create", f"{who}, uvloop", "rate", main) for who in (OURS, rival))
        bars.append(Bar(f"create, {main}, uvloop: rate / {rival}", ours, (theirs,), at_least=10))
    return bars


def other_bars() -> list[Bar]:
    """Return the bars of all other benchmarks."""
    bars: list[Bar] = []
    for threads, least in ((1, 1.8), (50, 4.0)):
        case = sync.case_name(threads)
        rivals = tuple(Ref("sync", name, "rate", case) for name in sync.RIVALS)
        ours = Ref("sync", f"{OURS}, uvloop", "rate", case)
        bars.append(Bar(f"sync create, {case}, uvloop: rate / requests", ours, rivals, at_least=least))
    bulk = Ref("bulk", "async", "rate")
    long = Ref("million", "async", "held", million.CASE)
    window = Ref("listing", listing.contender_name(listing.DEFAULT), "rate", listing.case_name(0.05))
    aiohttp, webhooks = (Ref("imports", each, "own") for each in ("import aiohttp", imports.WEBHOOKS))
    page = Ref("codec", OURS, "cpu", codec.WORK["page"])
    adaptive = Ref("capacity", capacity.ADAPTIVE, "rate")
    fixed = tuple(adaptive._replace(contender=capacity.fixed_name(each)) for each in capacity.FIXED)
    return [
        *bars,
        Bar("bulk: sync create_many / async", bulk._replace(contender="sync"), (bulk,), at_least=0.9),
        Bar(f"bulk: create_many / {BY_HAND}", bulk, (bulk._replace(contender=BY_HAND),), at_least=0.9),
        Bar(f"bulk, {million.CASE}: rate at its end / of short jobs", long, at_least=0.95),
        Bar(f"bulk, {million.CASE}: MiB of growth", long._replace(figure="grown"), at_most=10),
        Bar(
            "listing, 50 ms: prefetch / page after page",
            window,
            (window._replace(contender=listing.contender_name(1)),),
            at_least=6,
        ),
        Bar(
            f"codec, {codec.WORK['page']}: CPU / pydantic",
            page,
            (page._replace(contender="pydantic"),),
            at_most=0.8,
        ),
        Bar(
            "import: AsyncPlexyPay / aiohttp",
            aiohttp._replace(contender="from plexypay_async import AsyncPlexyPay"),
            (aiohttp,),
            at_most=1.2,
        ),
        Bar("import: webhooks / aiohttp", webhooks, (aiohttp,), at_most=0.5),
        Bar("import: webhooks load aiohttp", webhooks._replace(figure="aiohttp"), at_most=0),
        Bar("capacity: adaptive / best fixed concurrency", adaptive, fixed, at_least=0.9),
        Bar("capacity: adaptive, requests per link", adaptive._replace(figure="per_link"), at_most=1.1),
    ]


def outage_bars() -> list[Bar]:
    """Return the bars of single calls in a blip and in an outage."""
    bars: list[Bar] = []
    blips = [outage.blip_name(kind, blip) for kind in outage.BLIP_KINDS for blip in outage.BLIPS]
    outages = [outage.outage_name(kind) for kind in outage.OUTAGE_KINDS]
    for case in (*blips, *outages):
        for figure, name, most in (("lost", "calls lost", 0), ("twice", "links made twice", 0)):
            bars.append(Bar(f"{case}: {name}", Ref("outage", outage.OURS, figure, case), at_most=most))
    for case in outages:
        for figure, name, most in (
            ("most", "requests in any second after the first", 10),
            ("after", "seconds until the full rate after it", 2),
        ):
            bars.append(Bar(f"{case}: {name}", Ref("outage", outage.OURS, figure, case), at_most=most))
    return bars


def pace_bars() -> list[Bar]:
    """Return the bars of the pace: against simulated servers, and against one that fails by chance."""
    bars: list[Bar] = []

    def add(group: str, figure: str, *, at_least: float | None = None, at_most: float | None = None) -> None:
        heading = next(column.heading for column in pace.COLUMNS if column.figure == figure)
        ref = Ref("pace", group, figure)
        bars.append(Bar(f"pace, {group}: {heading}", ref, at_least=at_least, at_most=at_most))

    for group in pace.GROUPS:
        if group == "a capacity that drops":
            add(group, pace.FALL, at_most=MOST_FALL)
            add(group, pace.BACK, at_most=MOST_RETURN)
            continue
        add(group, pace.SHARE, at_least=SHARE_ON_THE_WAY if group == "long ways" else LEAST_SHARE)
        if group != "faults that come and go":
            most = {"short jobs": MOST_REQUESTS_OF_FIVE, "long ways": REQUESTS_ON_THE_WAY}
            add(group, pace.REQUESTS, at_most=most.get(group, MOST_REQUESTS))
    add("a queue", pace.LATENCY, at_most=MOST_LATENCY)
    for rate, places in (
        *((rate, 0) for rate in faults.RATES),
        *((rate, faults.PLACES) for rate in faults.RATES_OF_PLACES),
    ):
        case = faults.case_name(rate, places)
        ours = Ref("faults", faults.ADAPTIVE, "rate", case)
        fixed = tuple(ours._replace(contender=faults.fixed_name(each)) for each in faults.FIXED)
        text = f"create_many, {case}: adaptive / best fixed"
        bars.append(Bar(text, ours, fixed if places else fixed[-1:], at_least=LEAST_SHARE))
    return bars


def tls_bars() -> list[Bar]:
    """Return the bars of what goes over TLS."""
    bars: list[Bar] = []
    for loop in ("uvloop", "asyncio"):
        for concurrency in create.CONCURRENCIES:
            case = create.case_name(concurrency)
            ours, by_hand = (Ref("tls", f"{who}, {loop}", "rate", case) for who in (OURS, BY_HAND))
            least = 1.0 if concurrency <= 10 else 1.1
            bars.append(
                Bar(f"TLS, create, {case}, {loop}: rate / {BY_HAND}", ours, (by_hand,), at_least=least)
            )
    for threads, least in ((1, 2.5), (50, 4.0)):
        case = sync.case_name(threads)
        rivals = tuple(Ref("tls", name, "rate", case) for name in sync.RIVALS)
        ours = Ref("tls", f"{OURS}, uvloop", "rate", case)
        bars.append(Bar(f"TLS, sync create, {case}, uvloop: rate / requests", ours, rivals, at_least=least))
    job = tls.job_name(tls.LINKS)
    by_hand = (Ref("tls", f"{BY_HAND}, uvloop", "rate", job),)
    for ours, told in (
        ("async", f"TLS, {job}: create_many / {BY_HAND}"),
        # What whoever wants it sooner can have of it, and by hand too: the workers there are a hundred.
        (tls.ON_MORE, f"TLS, {job}: create_many on 200 connections / {BY_HAND} on 100"),
    ):
        bars.append(Bar(told, Ref("tls", f"{ours}, uvloop", "rate", job), by_hand, at_least=1.2))
    return bars


def held_at_500(found: Found) -> Verdict:
    """Return whether the rate at 500 calls at once is that at 100, by itself or as aiohttp's is."""
    text, bound = (
        "create, uvloop: rate at 500 at once / at 100, or its ratio to aiohttp's own",
        "at least 0.9",
    )
    held: list[float] = []
    try:
        for who in (OURS, BY_HAND):
            at_500, at_100 = (
                found.median(Ref("create", f"{who}, uvloop", "rate", create.case_name(concurrency)))
                for concurrency in (500, 100)
            )
            held.append(at_500 / at_100)
    except NotMeasuredError as error:
        return Verdict(text, bound, None, None, None, str(error))
    value = max(held[0], held[0] / held[1])
    return Verdict(text, bound, value, None, None, "met" if value >= 0.9 else "missed")


def verdicts(results: Sequence[Result]) -> list[Verdict]:
    """Return a verdict on each bar of the benchmarks that were run."""
    found = Found(results)
    all_bars = (*create_bars(), *tls_bars(), *other_bars(), *pace_bars(), *outage_bars())
    bars = [bar for bar in all_bars if found.has(bar.of.benchmark)]
    told = [found.verdict(bar) for bar in bars]
    return [*told, held_at_500(found)] if found.has("create") else told
