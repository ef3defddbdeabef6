"""No outcome lies: every operation class against an in-between that loses, delays and answers for the server.

``python -m pytest tests/campaigns -m campaign -n 0 -s`` prints the figures.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import pytest

from plexypay_async import AsyncPlexyPay, RetryPolicy

from .campaign_calls import CALLS
from .claims import CANCELLED, Claim, claim_of, lies_of, told_of
from .lossy_proxy import drawn_by_chance, lossy_proxy
from .recording_server import RecordingServer

KEY = "pr_0123456789abcdef0123456789abcdef"
SHORT = RetryPolicy(max_attempts=4, base=0.005, cap=0.05)
READ_TIMEOUT = 0.3
SETTLING = 0.3
LATEST = 0.4
"""Less than READ_TIMEOUT and SETTLING together, after which a request cannot be at work any more."""
TIMEOUTS = (0.05, 0.3, 1.5, 4.0)
LIFE = 400
"""So many calls a client lives at the most, until it is closed in the midst of some."""
SHOWN = 2
"""So many lies of each kind are told at length."""


class Clients:
    """Clients that are closed with calls under way, now and then, and replaced."""

    def __init__(self, url: str, chances: random.Random) -> None:
        self._url = url
        self._chances = chances
        self._left = 0
        self._client: AsyncPlexyPay | None = None
        self._derived: list[AsyncPlexyPay] = []

    async def one(self, timeout: int) -> AsyncPlexyPay:
        """Return a client with one of the time-outs."""
        if not self._left:
            self._left = self._chances.randrange(LIFE // 2, LIFE)
            await self.close()
            client = AsyncPlexyPay(
                KEY, base_url=self._url, read_timeout=READ_TIMEOUT, max_connections=150, retry=SHORT
            )
            self._client = client
            self._derived = [client.with_options(timeout=each) for each in TIMEOUTS]
        self._left -= 1
        return self._derived[timeout]

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


async def _campaign(calls: int, concurrency: int, seed: int) -> None:
    began = time.perf_counter()
    claims: list[Claim] = []
    numbers = iter(range(1, calls + 1))
    server = RecordingServer()
    once = drawn_by_chance(LATEST, READ_TIMEOUT / 2)
    twice = drawn_by_chance(LATEST, READ_TIMEOUT / 2, twice=True)
    async with lossy_proxy(server, once, seed) as plain, lossy_proxy(server, twice, seed) as doubling:
        # A neighbour's answer can be told where it names another than what was asked for.
        unnamed, named = (
            [Clients(proxy.base_url, random.Random(f"{seed}:{number}")) for number in range(3)]
            for proxy in (plain, doubling)
        )

        async def work() -> None:
            for number in numbers:
                call = CALLS[number % len(CALLS)]
                marker = call.marker(number)
                chances = random.Random(f"{seed}:{number}")
                pool = chances.choice(named if call.named else unnamed)
                plexy = await pool.one(chances.randrange(len(TIMEOUTS)))
                calling = asyncio.ensure_future(call.make(plexy, marker, number))
                if chances.random() < 0.15:
                    await asyncio.wait([calling], timeout=chances.random() ** 4 * 2 * READ_TIMEOUT)
                    calling.cancel()
                await asyncio.wait([calling])
                if calling.cancelled():
                    claims.append(Claim(call, marker, CANCELLED))
                else:
                    claims.append(claim_of(call, marker, calling.exception() or calling.result()))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(work())
        finally:
            for pool in (*unnamed, *named):
                await pool.close()
        await plain.settled()
        await doubling.settled()
    took = time.perf_counter() - began
    lies = lies_of(claims, server.record)
    print(f"\n{calls} calls in {took:.1f} s, seed {seed}")
    print(told_of(claims, lies))
    print(
        ", ".join(f"{count} x {kind}" for kind, count in sorted((plain.befallen + doubling.befallen).items()))
    )
    shown: Counter[str] = Counter()
    for lie in lies:
        shown[lie.kind] += 1
        if shown[lie.kind] <= SHOWN:
            print(lie)
    assert len(claims) == calls
    assert not lies, f"{len(lies)} lies in {calls} calls, seed {seed}"


@pytest.fixture(autouse=True)
def _settles_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async.recovery.SETTLING", SETTLING, raising=False)


@pytest.mark.asyncio
async def test_no_outcome_lies() -> None:
    await _campaign(1_500, 200, seed=16)


@pytest.mark.campaign
@pytest.mark.asyncio
async def test_no_outcome_of_fifty_thousand_lies() -> None:
    await _campaign(50_000, 400, seed=random.randrange(2**32))
