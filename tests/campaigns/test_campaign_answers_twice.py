"""No outcome lies where a fifth of all answers, refusals too, is sent again some milliseconds later.

``python -m pytest tests/campaigns -m campaign -n 0 -s`` prints the figures.
"""

from __future__ import annotations

import random
import time

import pytest

from .call_runner import LATE_WORK, LATEST, READ_TIMEOUT, Clients, make_calls
from .claims import Claim, lies_of, told_of
from .lossy_proxy import drawn_by_chance, lossy_proxy, often_twice
from .recording_server import RecordingServer
from .sending_clock import SendingClock

SHARE = 0.2
SHOWN = 5
"""So many lies are told at length."""


async def _campaign(calls: int, concurrency: int, seed: int, clock: SendingClock) -> None:
    began = time.perf_counter()
    claims: list[Claim] = []
    server = RecordingServer()
    draw = often_twice(drawn_by_chance(LATEST, READ_TIMEOUT / 2), SHARE)
    async with lossy_proxy(server, draw, seed, READ_TIMEOUT + LATE_WORK) as proxy:
        # The answers of some operations name nothing by which a neighbour's could be told.
        clients = [Clients(proxy.base_url, random.Random(f"{seed}:{number}")) for number in range(4)]
        numbers = range(1, calls + 1)
        await make_calls(numbers, concurrency, seed, claims.append, named=clients, unnamed=clients)
        await proxy.settled()
    lies = lies_of(claims, server.record, clock.sent)
    print(f"\n{calls} calls in {time.perf_counter() - began:.1f} s, seed {seed}")
    print(told_of(claims, lies))
    again = sum(count for told, count in proxy.befallen.items() if told.endswith("sent again"))
    print(f"{again} of {proxy.befallen.total()} answers were sent again")
    for lie in lies[:SHOWN]:
        print(lie)
    assert len(claims) == calls
    assert again > calls / 10
    assert not lies, f"{len(lies)} lies in {calls} calls, seed {seed}"


@pytest.fixture(autouse=True)
def _settles_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._core.record.LATE_WORK", LATE_WORK)


@pytest.mark.asyncio
async def test_no_outcome_lies_by_an_answer_sent_again(clock: SendingClock) -> None:
    await _campaign(1_500, 100, seed=34, clock=clock)


@pytest.mark.campaign
@pytest.mark.asyncio
async def test_no_outcome_of_ten_thousand_lies_by_an_answer_sent_again(clock: SendingClock) -> None:
    await _campaign(10_000, 200, seed=random.randrange(2**32), clock=clock)
