"""No outcome lies: every operation class against an in-between that loses, delays and answers for the server.

``python -m pytest tests/campaigns -m campaign -n 0 -s`` prints the figures.
"""

from __future__ import annotations

import gc
import random
import time
from collections import Counter

import pytest

from .call_runner import LATE_WORK, LATEST, READ_TIMEOUT, Clients, MeddledClients, make_calls
from .claims import Claim, lies_of, told_of
from .lossy_proxy import drawn_by_chance, lossy_proxy
from .recording_server import RecordingServer
from .sending_clock import SendingClock

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")

SHOWN = 1
"""So many lies of each kind and operation are told at length."""


async def _campaign(calls: int, concurrency: int, seed: int, clock: SendingClock) -> None:
    began = time.perf_counter()
    claims: list[Claim] = []
    server = RecordingServer()
    once = drawn_by_chance(LATEST, READ_TIMEOUT / 2)
    twice = drawn_by_chance(LATEST, READ_TIMEOUT / 2, twice=True)
    async with (
        lossy_proxy(server, once, seed, READ_TIMEOUT + LATE_WORK) as plain,
        lossy_proxy(server, twice, seed, READ_TIMEOUT + LATE_WORK) as doubling,
    ):
        # A neighbour's answer can be told where it names another than what was asked for.
        unnamed, named = (
            [Clients(proxy.base_url, random.Random(f"{seed}:{number}")) for number in range(3)]
            for proxy in (plain, doubling)
        )

        named.append(MeddledClients(plain.base_url, random.Random(f"{seed}:meddled")))
        numbers = range(1, calls + 1)
        await make_calls(numbers, concurrency, seed, claims.append, named=named, unnamed=unnamed)
        await plain.settled()
        await doubling.settled()
    # Of a connection that aiohttp has lost to a tracer's exception it warns here, and in no other test.
    gc.collect()
    took = time.perf_counter() - began
    lies = lies_of(claims, server.record, clock.sent)
    print(f"\n{calls} calls in {took:.1f} s, seed {seed}")
    print(told_of(claims, lies))
    print(
        ", ".join(f"{count} x {kind}" for kind, count in sorted((plain.befallen + doubling.befallen).items()))
    )
    shown: Counter[tuple[str, str]] = Counter()
    for lie in lies:
        shown[lie.kind, lie.claim.call.title] += 1
        if shown[lie.kind, lie.claim.call.title] <= SHOWN:
            print(lie)
    assert len(claims) == calls
    assert not lies, f"{len(lies)} lies in {calls} calls, seed {seed}"


@pytest.fixture(autouse=True)
def _settles_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._core.record.LATE_WORK", LATE_WORK)


@pytest.mark.asyncio
async def test_no_outcome_lies(clock: SendingClock) -> None:
    await _campaign(1_500, 200, seed=16, clock=clock)


@pytest.mark.campaign
@pytest.mark.asyncio
async def test_no_outcome_of_fifty_thousand_lies(clock: SendingClock) -> None:
    await _campaign(50_000, 400, seed=random.randrange(2**32), clock=clock)
