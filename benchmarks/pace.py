"""The law of bulk jobs' pace against simulated servers: seconds of theirs take milliseconds here.

``python -m benchmarks.pace [NAME ...]`` runs all scenarios, or those whose names contain one of these, prints
what the law has reached in each beside the bars, and ends with 0 where all are met. The law is the library's
own class, not a copy. Each figure is the median of three seeds.
"""

from __future__ import annotations

import enum
import heapq
import random
import statistics
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from plexypay_async._core.pace import Pace

SEEDS = (1, 2, 3)
REFUSED_AFTER = 0.001
"""Seconds of a refusal that comes at once."""
LEAST_SHARE, MOST_REQUESTS, MOST_REQUESTS_OF_FIVE, MOST_LATENCY = 0.9, 1.1, 1.3, 2.0
MOST_FALL, MOST_RETURN = 5.0, 20.0
SHARE_ON_THE_WAY, REQUESTS_ON_THE_WAY = 0.8, 1.15
"""Where requests and answers are long on their way, a server is at its capacity now and then from half of it
on: how much is refused grows slowly, and no level is plainly the one above which all is."""
AT_CAPACITY = 1.25
"""Up to so much of the capacity, a level is taken for the capacity's."""


class Law(Protocol):
    """What decides how many requests are under way."""

    limit: int

    def answered(self, sent: float, now: float, failed: bool, full: bool) -> None:
        """Learn from an answer."""
        ...


class Stage(enum.Enum):
    """Where a request is when something happens to it."""

    SENT = enum.auto()
    """It arrives at the server."""
    DONE = enum.auto()
    """Its work is done, and its place is free."""
    ANSWERED = enum.auto()
    """Its answer arrives."""


class Fixed:
    """A fixed concurrency."""

    def __init__(self, limit: int) -> None:
        self.limit = self.level = limit

    def answered(self, sent: float, now: float, failed: bool, full: bool) -> None:
        """Learn nothing."""


class Server(NamedTuple):
    """A server, and how long it is asked."""

    capacity: int
    latency: float
    """Seconds that an answer takes, and up to a tenth more or less."""
    faults: float = 0.0
    """The share of what it takes that fails by chance, after as long as an answer takes."""
    slow_refusals: bool = False
    """Whether a refusal takes as long as an answer, or comes at once."""
    queues: bool = False
    """Whether what is above the capacity waits for its turn, and nothing is refused."""
    trips: int = 400
    """How long it is asked, in round trips."""
    changes: tuple[tuple[int, int], ...] = ()
    """New capacities, each after so many round trips."""
    weather: tuple[tuple[int, float], ...] = ()
    """New shares of faults, likewise."""
    links: int | None = None
    """How many links the job has; None for as many as it can make."""
    ceiling: int = 100
    on_the_way: float = 0.0
    """The share of the latency that a request and its answer are on their way, and take no place."""


class Run(NamedTuple):
    """What a law has reached."""

    rate: float
    """Links per round trip."""
    requests: float
    """Requests per link."""
    latency: float
    """The mean of the answers', in unloaded ones."""
    levels: list[tuple[float, int]]
    """The level after each answer, with the round trip that it came in."""


def simulated(law: Law, server: Server, seed: int) -> Run:
    """Run a job against a server; the same seed gives the same run."""
    chance = random.Random(seed)
    capacity, faults, latency = server.capacity, server.faults, server.latency
    end = server.trips * latency
    changes, weather = deque(server.changes), deque(server.weather)
    way = latency * server.on_the_way / 2
    events: list[tuple[float, int, float, bool, Stage]] = []
    queue: deque[tuple[float, bool]] = deque()
    under_way = at_work = attempts = links = 0
    waited = now = 0.0
    number = 0
    levels: list[tuple[float, int]] = []

    def schedule(after: float, sent: float, stage: Stage, *, failed: bool) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (now + after, number, sent, failed, stage))

    def work(sent: float, *, failed: bool) -> None:
        nonlocal at_work
        at_work += 1
        schedule((latency - 2 * way) * chance.uniform(0.9, 1.1), sent, Stage.DONE, failed=failed)

    def arrive(sent: float, *, failed: bool) -> None:
        if at_work < capacity:
            work(sent, failed=failed)
        elif server.queues:
            queue.append((sent, failed))
        else:
            refused = latency * chance.uniform(0.9, 1.1) if server.slow_refusals else REFUSED_AFTER
            schedule(refused, sent, Stage.ANSWERED, failed=True)

    def send() -> None:
        nonlocal under_way, attempts
        under_way += 1
        attempts += 1
        failed = chance.random() < faults
        if way:
            schedule(way * chance.uniform(0.5, 1.5), now, Stage.SENT, failed=failed)
        else:
            arrive(now, failed=failed)

    def fill() -> None:
        while under_way < law.limit and (server.links is None or links + under_way < server.links):
            send()

    fill()
    while events:
        now, _, sent, failed, stage = heapq.heappop(events)
        if now > end:
            now = end
            break
        while changes and changes[0][0] * latency <= now:
            capacity = changes.popleft()[1]
        while weather and weather[0][0] * latency <= now:
            faults = weather.popleft()[1]
        if stage is Stage.SENT:
            arrive(sent, failed=failed)
            continue
        if stage is Stage.DONE:
            at_work -= 1
            while queue and at_work < capacity:
                since, fails = queue.popleft()
                work(since, failed=fails)
            if way:
                schedule(way * chance.uniform(0.5, 1.5), sent, Stage.ANSWERED, failed=failed)
                continue
        law.answered(sent, now, failed, under_way >= law.limit)
        under_way -= 1
        if not failed:
            links += 1
            waited += now - sent
        levels.append((now / latency, getattr(law, "level", law.limit)))
        fill()
    done = max(links, 1)
    return Run(links / (now / latency), attempts / done, waited / done / latency, levels)


class Scenario(NamedTuple):
    """A server, and what the law is to reach there."""

    name: str
    server: Server
    least_share: float | None = LEAST_SHARE
    """Of the rate of the best fixed concurrency."""
    most_requests: float | None = MOST_REQUESTS
    """Per link, beside those that the faults cost anyway."""
    most_latency: float | None = None
    fall: tuple[int, int] | None = None
    """After which round trip the capacity drops, and to what."""
    back: tuple[int, int] | None = None
    """After which round trip it returns, and to what."""


def matrix() -> Iterator[Scenario]:
    """Yield random faults at every latency, capacity and kind of refusal."""
    for capacity in (5, 50, 500):
        for latency in (0.001, 0.02, 0.2):
            for slow in (False, True):
                if slow and latency <= REFUSED_AFTER:
                    # Refusals that come at once take as long there.
                    continue
                for faults in (0.0, 0.01, 0.05, 0.1, 0.2):
                    server = Server(capacity, latency, faults, slow_refusals=slow)
                    if capacity == 5:
                        server = server._replace(trips=1500)
                    elif capacity == 500:
                        server = server._replace(ceiling=1000, trips=200)
                    kind = "slow" if slow else "fast"
                    name = (
                        f"capacity {capacity}, {latency * 1000:.0f} ms, {kind} refusals, {faults:.0%} faults"
                    )
                    yield Scenario(name, server)


def changing() -> Iterator[Scenario]:
    """Yield capacities that drop to a third and return, ramps, and weather."""
    for capacity in (50, 500):
        for slow in (False, True):
            for faults in (0.0, 0.05, 0.1, 0.2):
                low = capacity // 3
                server = Server(
                    capacity,
                    0.02,
                    faults,
                    slow_refusals=slow,
                    trips=300,
                    changes=((100, low), (200, capacity)),
                    ceiling=2 * capacity,
                )
                kind = "slow" if slow else "fast"
                name = f"drop {capacity} to {low} and back, {kind} refusals, {faults:.0%} faults"
                yield Scenario(name, server, None, None, fall=(100, low), back=(200, capacity))
    for slow in (False, True):
        kind = "slow" if slow else "fast"
        ramp = tuple((50 * each, 10 + round(2.7 * each)) for each in range(1, 30))
        server = Server(10, 0.02, 0.05, slow_refusals=slow, trips=1500, changes=ramp)
        yield Scenario(f"ramp 10 to 90, {kind} refusals, 5% faults", server)
        server = Server(50, 0.02, slow_refusals=slow, trips=400, weather=((100, 0.2), (250, 0.0)))
        yield Scenario(f"faults from 0 to 20% and back, {kind} refusals", server, most_requests=None)


def others() -> Iterator[Scenario]:
    """Yield servers that queue, ones without a capacity, and short jobs."""
    for capacity in (20, 50, 100):
        for faults in (0.0, 0.05, 0.2):
            server = Server(capacity, 0.02, faults, queues=True, ceiling=4 * capacity)
            yield Scenario(f"queue behind {capacity}, {faults:.0%} faults", server, most_latency=MOST_LATENCY)
    for faults in (0.0, 0.01, 0.05, 0.1, 0.2):
        yield Scenario(f"no capacity, {faults:.0%} faults", Server(10_000, 0.02, faults, trips=200))
    for part in (0.05, 0.3, 0.9):
        for slow in (False, True):
            for faults in (0.0, 0.05, 0.2):
                kind = "slow" if slow else "fast"
                server = Server(50, 0.2, faults, slow_refusals=slow, on_the_way=part, trips=200, ceiling=500)
                name = f"{part:.0%} on the way, {kind} refusals, {faults:.0%} faults"
                yield Scenario(name, server, SHARE_ON_THE_WAY, REQUESTS_ON_THE_WAY)
    for links in (300, 500):
        for slow in (False, True):
            kind = "slow" if slow else "fast"
            server = Server(5, 0.035, slow_refusals=slow, links=links, trips=10_000)
            yield Scenario(
                f"{links} links at a capacity of 5, {kind} refusals",
                server,
                most_requests=MOST_REQUESTS_OF_FIVE,
            )


def scenarios() -> list[Scenario]:
    """Return all scenarios."""
    return [*matrix(), *changing(), *others()]


def best_fixed(server: Server) -> float:
    """Return the rate of the best of several fixed concurrencies.

    Where requests are on their way for a part of the time, a server is at its capacity now and then from
    half of it on, and the rate grows on with every further request that is refused: there, the best is the
    best of those that keep within the bar of the requests themselves.
    """
    # Of a capacity that changes, the best one would be another for every part.
    capacities = {server.capacity, *(capacity for _, capacity in server.changes)}
    parts: tuple[float, ...] = (0.5, 0.9, 1.0, 1.2)
    if server.on_the_way:
        # How many are under way where so many are at work.
        capacities = {round(each / (1 - server.on_the_way)) for each in capacities}
        parts = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
    tried = {max(1, round(part * each)) for each in capacities for part in parts}
    within = {min(each, server.ceiling) for each in tried}
    runs = [simulated(Fixed(each), server, SEEDS[0]) for each in within]
    anyway = 1 - share_of_faults(server)
    return max(run.rate for run in runs if not server.on_the_way or run.requests * anyway <= MOST_REQUESTS)


def share_of_faults(server: Server) -> float:
    """Return the share of faults that a job meets from beginning to end, on the average."""
    share, since, total = server.faults, 0, 0.0
    for trip, following in server.weather:
        total += share * (trip - since)
        share, since = following, trip
    return (total + share * (server.trips - since)) / server.trips


def trips_until(run: Run, since: int, is_there: Callable[[int], bool]) -> float:
    """Return the round trips from a moment on until the level is where it should be; infinity for never."""
    return next(
        (trip - since for trip, level in run.levels if trip >= since and is_there(level)), float("inf")
    )


class Figure(NamedTuple):
    """What was measured in a scenario, and its bar."""

    name: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        word = "at least" if self.at_least else "at most"
        said = "met" if self.holds else "MISSED"
        return f"{self.name} {self.value:.2f} ({word} {self.bound:g}: {said})"


def figures(
    scenario: Scenario, law: Callable[[int], Law] = Pace, seeds: Sequence[int] = SEEDS
) -> list[Figure]:
    """Run a scenario and return what was reached."""
    server = scenario.server
    runs = [simulated(law(server.ceiling), server, seed) for seed in seeds]
    found: list[Figure] = []

    def add(name: str, values: list[float], bound: float | None, *, at_least: bool = False) -> None:
        if bound is not None:
            found.append(Figure(name, statistics.median(values), bound, at_least))

    if scenario.least_share is not None:
        best = best_fixed(server)
        add("rate / best fixed", [run.rate / best for run in runs], scenario.least_share, at_least=True)
    anyway = 1 - share_of_faults(server)
    add("requests", [run.requests * anyway for run in runs], scenario.most_requests)
    add("latency", [run.latency for run in runs], scenario.most_latency)
    if scenario.fall is not None:
        since, low = scenario.fall
        fell = [trips_until(run, since, lambda level: level <= AT_CAPACITY * low) for run in runs]
        add("trips to the drop", fell, MOST_FALL)
    if scenario.back is not None:
        since, high = scenario.back
        rose = [trips_until(run, since, lambda level: level >= 0.9 * high) for run in runs]
        add("trips back", rose, MOST_RETURN)
    return found


def main(names: Sequence[str]) -> bool:
    """Print a line for each scenario; tell whether all bars are met."""
    missed = total = 0
    for scenario in scenarios():
        if names and not any(name in scenario.name for name in names):
            continue
        found = figures(scenario)
        total += len(found)
        missed += sum(not figure.holds for figure in found)
        print(f"{scenario.name}: {'; '.join(map(str, found))}", flush=True)
    print(f"{total - missed} of {total} bars met")
    return missed == 0


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
