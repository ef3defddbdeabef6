"""A sandbox of its own for each test, and a check that nothing of a job is left on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay
from plexypay_async.sandbox import Sandbox

from .rows import a_client


@pytest.fixture(autouse=True)
def _settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier runs of a test are settled soon: their requests were answered or were never sent."""
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 0.02)


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A running sandbox in memory."""
    async with Sandbox(seed=1) as running:
        yield running


@pytest_asyncio.fixture
async def plexy(sandbox: Sandbox) -> AsyncIterator[AsyncPlexyPay]:
    """A client with short pauses, after which no task of the library's is left."""
    async with a_client(sandbox) as client:
        yield client
    names = {str(task.get_coro()) for task in asyncio.all_tasks()}
    assert not [name for name in names if "plexypay_async/bulk" in name or "_Worker" in name]
