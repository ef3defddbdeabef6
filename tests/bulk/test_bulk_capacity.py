"""The adaptive limit and the retry budget against a server of fifty places, in figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay, RetryPolicy

from .rows import rows
from .test_bulk_killed import sandbox_process

pytestmark = [pytest.mark.asyncio, pytest.mark.campaign]

LATENCY = 0.035


@attrs.frozen
class Measured:
    """One run against the server."""

    rate: float
    """Links per second."""
    per_link: float
    """Requests per link."""


@pytest_asyncio.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    fault = f"capacity=50,latency={LATENCY},operation=payment_links.create"
    async with sandbox_process(tmp_path / "state", fault) as base_url:
        yield base_url


async def arrived(base_url: str) -> int:
    """How many requests the sandbox has seen."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": "sandbox-key"}) as session,
        session.get(f"{base_url}/_sandbox/requests") as answer,
    ):
        document: dict[str, Any] = await answer.json()
        return int(document["total"])


async def measured(base_url: str, count: int, start: int, **options: Any) -> Measured:
    most = max(100, options.get("concurrency") or 0)
    before = await arrived(base_url)
    async with AsyncPlexyPay(
        "sandbox-key", base_url=base_url, max_connections=most, retry=RetryPolicy()
    ) as plexy:
        began = time.perf_counter()
        errors = [
            result.error
            async for result in plexy.payment_links.create_many(rows(count, start), **options)
            if result.error is not None
        ]
        took = time.perf_counter() - began
    assert errors == []
    return Measured(count / took, (await arrived(base_url) - before) / count)


async def test_the_adaptive_limit_against_the_best_fixed_one(address: str) -> None:
    count, start = 6000, 0
    fixed: dict[int, Measured] = {}
    await measured(address, 500, 10_000_000)
    for concurrency in (10, 25, 40, 50, 60, 100):
        fixed[concurrency] = await measured(address, count, start, concurrency=concurrency)
        start += count
        await asyncio.sleep(0.2)
    adaptive = await measured(address, count, start)
    best = max(fixed, key=lambda concurrency: fixed[concurrency].rate)
    for concurrency, run in fixed.items():
        print(f"fixed {concurrency:3}: {run.rate:5.0f} links/s, {run.per_link:.3f} requests per link")
    print(
        f"adaptive : {adaptive.rate:5.0f} links/s, {adaptive.per_link:.3f} requests per link: "
        f"{adaptive.rate / fixed[best].rate:.2f} of the best, {best}"
    )

    assert adaptive.rate >= 0.9 * fixed[best].rate
    assert adaptive.per_link <= 1.1


async def test_the_retry_budget_holds_a_concurrency_far_above_the_capacity(address: str) -> None:
    run = await measured(address, 10_000, 0, concurrency=500)
    print(f"fixed 500: {run.rate:5.0f} links/s, {run.per_link:.3f} requests per link")

    assert run.per_link < 1.5
