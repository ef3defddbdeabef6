"""The law of the adaptive limit, over simulated servers: seconds of theirs take milliseconds here.

All scenarios run with `python -m benchmarks.pace`; these are one of each kind, with the same seeds.
"""

from __future__ import annotations

import math

import pytest

from benchmarks import pace as simulation
from benchmarks.pace import Fixed, Server, figures, scenarios, simulated
from plexypay_async._core.concurrency import AdaptiveLimit
from plexypay_async._core.pace import Pace

REPRESENTATIVE = (
    "capacity 5, 20 ms, slow refusals, 0% faults",
    "capacity 5, 20 ms, fast refusals, 10% faults",
    "capacity 5, 1 ms, fast refusals, 20% faults",
    "capacity 50, 1 ms, fast refusals, 20% faults",
    "capacity 50, 20 ms, fast refusals, 20% faults",
    "capacity 50, 200 ms, slow refusals, 20% faults",
    "capacity 500, 20 ms, slow refusals, 5% faults",
    "drop 50 to 16 and back, fast refusals, 0% faults",
    "drop 50 to 16 and back, slow refusals, 10% faults",
    "faults from 0 to 20% and back, fast refusals",
    "faults from 0 to 20% and back, slow refusals",
    "queue behind 50, 0% faults",
    "queue behind 20, 5% faults",
    "no capacity, 20% faults",
    "90% on the way, fast refusals, 0% faults",
    "300 links at a capacity of 5, fast refusals",
    "500 links at a capacity of 5, slow refusals",
)


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_the_law_meets_the_bars(name: str) -> None:
    (scenario,) = (each for each in scenarios() if each.name == name)

    found = figures(scenario)

    assert found
    assert [str(each) for each in found if not each.holds] == []


def test_the_law_that_is_simulated_is_the_librarys() -> None:
    assert vars(simulation)["Pace"] is Pace
    assert type(AdaptiveLimit(100).pace) is Pace
    assert figures.__defaults__ is not None
    assert figures.__defaults__[0] is Pace


def test_a_burst_of_refusals_at_the_capacity_does_not_cost_the_level_before() -> None:
    pace, now, trip = Pace(100), 1.0, 0.04

    def answer(count: int, *, sent: float, failed: bool = False) -> None:
        for _ in range(count):
            pace.answered(sent, now, failed, full=True)

    for limit in (10, 25, 62):
        assert pace.limit == limit
        sent, now = now, now + trip
        if limit < 62:
            answer(limit, sent=sent)
    # The step was too far: twelve are refused at once, as a server of fifty places does.
    answer(12, sent=now - 0.001, failed=True)
    assert 49 <= pace.limit <= 51
    # One in excess, as its answers were on their way, is refused again and again within an instant.
    now += 2.7 * trip
    answer(39, sent=now - trip)
    answer(5, sent=now - 0.0005, failed=True)
    assert pace.limit >= 40


def test_a_bar_can_be_missed() -> None:
    server = Server(capacity=5, latency=0.02, trips=50)
    scenario = simulation.Scenario("a job that does not adapt", server)

    found = figures(scenario, law=lambda _: Fixed(50))

    assert [each.holds for each in found] == [True, False]
    assert "MISSED" in str(found[1])


def test_a_level_that_never_comes_takes_for_ever() -> None:
    run = simulated(Fixed(3), Server(capacity=5, latency=0.02, trips=5), 1)

    assert simulation.trips_until(run, 0, lambda level: level > 3) == math.inf


def test_a_run_with_the_same_seed_is_the_same() -> None:
    server = Server(capacity=50, latency=0.02, faults=0.1, trips=50)

    assert simulated(Pace(100), server, 7) == simulated(Pace(100), server, 7)


def test_it_says_why() -> None:
    pace = Pace(100)
    assert pace.reason == "begins with 10 at once"

    simulated(pace, Server(capacity=50, latency=0.02, trips=60), 1)
    assert pace.reason.startswith("more fails above")

    pace = Pace(100)
    simulated(pace, Server(capacity=1000, latency=0.02, trips=60), 1)
    assert pace.reason == "no sign of trouble: 100, the most that is allowed"

    pace = Pace(400)
    simulated(pace, Server(capacity=50, latency=0.02, queues=True, trips=400), 1)
    assert pace.reason == "latency grows with what is under way"

    pace.told_to_slow_down(1e6, 1e6)
    assert "429" in pace.reason


def test_a_clock_that_stands_still_harms_nothing() -> None:
    pace = Pace(100)
    for number in range(5000):
        pace.answered(1.0, 1.0, number % 3 == 0, full=True)
    assert 1 <= pace.limit <= 100
