"""Jobs killed with SIGKILL and run again on their journal: each row ends as one link."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .ledger_server import ledger

pytestmark = pytest.mark.asyncio

JOB = """
import asyncio, collections, json, sys
from plexypay_async import AsyncPlexyPay, CreatePaymentLink, RetryPolicy

async def main(base_url, journal, count):
    links = (CreatePaymentLink(amount=n + 1, currency="KZT", order_reference=f"ORD-{n}")
             for n in range(count))
    seen = collections.Counter()
    retry = RetryPolicy(base=0.01, cap=0.2)
    async with AsyncPlexyPay("sandbox-key", base_url=base_url, retry=retry) as plexy:
        async for result in plexy.payment_links.create_many(links, journal=journal):
            if result.link is None or result.link.amount != result.index + 1:
                print(result, file=sys.stderr)
            seen["link" if result.link else "error"] += 1
            seen["recovered"] += result.recovered
            seen["retries"] += result.retries
    print(json.dumps(seen))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""
FAULTS = ("code=1,rate=0.03", "code=2,work=random,rate=0.03", "cut=before,rate=0.02", "cut=after,rate=0.02")


@contextlib.asynccontextmanager
async def started(base_url: str, journal: Path, count: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    job = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", JOB, base_url, str(journal), str(count)), stdout=subprocess.PIPE
    )
    try:
        yield job
    finally:
        with contextlib.suppress(ProcessLookupError):
            job.kill()
        await job.wait()


async def killed(base_url: str, journal: Path, count: int, after: float) -> bool:
    """Run the job and kill it after some seconds; tell whether it had not ended before."""
    async with started(base_url, journal, count) as job:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after):
                await job.wait()
        return job.returncode is None


async def finished(base_url: str, journal: Path, count: int, limit: float) -> str:
    async with started(base_url, journal, count) as job, asyncio.timeout(limit):
        out, _ = await job.communicate()
        assert job.returncode == 0
        return out.decode().strip()


async def test_killed_three_times_on_a_server_that_would_create_twice(tmp_path: Path) -> None:
    chances = random.Random(3)

    async def misbehave(_: str) -> bool:
        await asyncio.sleep(0.02)
        return chances.random() >= 0.03

    async with ledger() as server:
        server.before = server.after = misbehave
        kills = 0
        for part in (40, 120, 220):
            async with started(server.base_url, tmp_path / "journal", 300) as job, asyncio.timeout(20):
                while len(server.links) < part and job.returncode is None:
                    await asyncio.sleep(0.001)
                kills += job.returncode is None
        told = await finished(server.base_url, tmp_path / "journal", 300, 20)

    assert kills == 3
    assert '"link": 300' in told
    assert {reference: made[0]["amount"] for reference, made in server.links.items()} == {
        f"ORD-{number}": number + 1 for number in range(300)
    }
    assert server.twice == []


@contextlib.asynccontextmanager
async def sandbox_process(database: Path, *faults: str) -> AsyncGenerator[str]:
    """A sandbox in a process of its own; yields its address."""
    arguments = [
        "-m",
        "plexypay_async.cli",
        "sandbox",
        "--port",
        "0",
        "--seed",
        "11",
        "--database",
        str(database),
    ]
    for fault in faults:
        arguments += ["--fault", fault]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            line = (await process.stdout.readline()).decode()
        yield line.split(" on ")[1].split(";")[0]
    finally:
        process.terminate()
        await process.wait()


async def stored(base_url: str) -> list[dict[str, Any]]:
    """Read every link of the sandbox without the library."""
    found: list[dict[str, Any]] = []
    async with aiohttp.ClientSession(headers={"Authorization": "sandbox-key"}) as session:
        while True:
            page = {"page": len(found) // 100 + 1, "size": 100}
            async with session.get(f"{base_url}/v1/payment-links", params=page) as answer:
                items = (await answer.json())["data"]
            found += items
            if len(items) < 100:
                return found


@pytest.mark.campaign
async def test_five_thousand_rows_killed_at_twenty_instants(tmp_path: Path) -> None:
    count, chances = 5000, random.Random(20)
    create = ",operation=payment_links.create"
    async with sandbox_process(tmp_path / "state", *(fault + create for fault in FAULTS)) as base_url:
        began = time.monotonic()
        instants: list[float] = []
        kills = 0
        while kills < 20 and len(instants) < 60:
            instants.append(chances.uniform(0.25, 0.6))
            kills += await killed(base_url, tmp_path / "journal", count, instants[-1])
        told = await finished(base_url, tmp_path / "journal", count, 120)
        took = time.monotonic() - began
        links = await stored(base_url)

    references = [link["orderReference"] for link in links]
    print(
        f"{count} rows, {kills} kills after {min(instants):.2f} to {max(instants):.2f} s each, {took:.1f} s: "
        f"{len(links)} links, {len(references) - len(set(references))} twice, "
        f"{count - len(set(references))} lost; the last run: {told}"
    )
    assert kills == 20
    assert {link["orderReference"]: link["amount"] for link in links} == {
        f"ORD-{number}": number + 1 for number in range(count)
    }
    assert len(links) == count
    assert f'"link": {count}' in told
