"""Sockets, tasks and memory stay flat over many calls that fail, are cancelled, or lose their client.

``python -m pytest tests/campaigns -m campaign -n 0 -s`` prints the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import attrs
import pytest

from .call_runner import LATE_WORK, Clients, make_calls
from .claims import Claim

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")

MEBIBYTE = 2**20
GROWN = 12
"""So many MiB the process may have grown by; a KiB kept of each call would be fifteen times it."""


@attrs.frozen
class Held:
    """What the process holds once nothing is under way."""

    sockets: int
    tasks: int
    memory: int
    """Bytes that are resident."""

    @classmethod
    async def now(cls) -> Held:
        """Count, as soon as what was closed has gone."""
        for _ in range(20):
            await asyncio.sleep(0.01)
        gc.collect()
        links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        targets = []
        for link in links:
            with contextlib.suppress(FileNotFoundError):
                targets.append(os.readlink(link))
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return cls(sum("socket:" in target for target in targets), len(asyncio.all_tasks()), resident)

    def __str__(self) -> str:
        return f"{self.sockets} sockets, {self.tasks} tasks, {self.memory / MEBIBYTE:.1f} MiB"


@contextlib.asynccontextmanager
async def _served_apart(seed: int) -> AsyncGenerator[str]:
    """Serve the lossy proxy in a process of its own, whose memory is not counted."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.campaigns.lossy_proxy",
        str(seed),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield (await server.stdout.readline()).decode().strip()
    finally:
        # It ends with its input.
        server.stdin.close()
        await server.wait()


async def _campaign(calls: int, concurrency: int, seed: int) -> None:
    ends: Counter[str] = Counter()

    def take(claim: Claim) -> None:
        ends[str(claim.ended)] += 1

    began = time.perf_counter()
    async with _served_apart(seed) as url:
        clients = [Clients(url, random.Random(f"{seed}:{number}")) for number in range(4)]
        held: list[Held] = []
        warmed = calls // 4
        for numbers in (range(1, warmed), range(warmed, calls + 1)):
            await make_calls(numbers, concurrency, seed, take, named=clients, unnamed=clients)
            held.append(await Held.now())
    warm, end = held
    print(f"\n{calls} calls in {time.perf_counter() - began:.1f} s, seed {seed}: {dict(ends)}")
    print(f"after {warmed} calls: {warm}; at the end: {end}")
    assert ends.total() == calls
    assert not ends["hung"]
    assert end.sockets <= warm.sockets
    assert end.tasks <= warm.tasks
    assert end.memory - warm.memory < GROWN * MEBIBYTE


@pytest.fixture(autouse=True)
def _settles_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._core.record.LATE_WORK", LATE_WORK)


@pytest.mark.asyncio
async def test_three_thousand_calls_leave_nothing_behind() -> None:
    await _campaign(3_000, 100, seed=16)


@pytest.mark.campaign
@pytest.mark.asyncio
async def test_two_hundred_thousand_calls_leave_nothing_behind() -> None:
    await _campaign(200_000, 200, seed=random.randrange(2**32))
