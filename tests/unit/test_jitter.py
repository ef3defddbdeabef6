"""Pauses are spread: callers that failed together do not come back together."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest

from plexypay_async import APIError, AsyncPlexyPay, RetryPolicy

from .listing_server import BASE
from .mocked_http import MockedHTTP

pytestmark = pytest.mark.asyncio

CALLERS = 200
BOUND = 0.4


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that calls ask for, none of which is waited out."""
    asked: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float, result: Any = None) -> Any:
        asked.append(seconds)
        return await sleep(0, result)

    monkeypatch.setattr("plexypay_async._core.call.asyncio.sleep", noted)
    # Those that wait for the end of an outage have no pause of their own.
    monkeypatch.setattr("plexypay_async._core.retry_budget.OUTAGE_AFTER", math.inf)
    return asked


async def _fail(mocked_http: MockedHTTP, callers: int, attempts: int, **answer: Any) -> None:
    mocked_http.get(f"{BASE}/v1/payment-links/pl_1", status=503, payload={"code": 1}, repeat=True, **answer)
    retry = RetryPolicy(max_attempts=attempts, base=BOUND, cap=4 * BOUND)
    async with AsyncPlexyPay("key", base_url=BASE, retry=retry, max_connections=callers) as plexy:
        calls = [plexy.payment_links.retrieve("pl_1") for _ in range(callers)]
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(error, APIError) for error in ended)


async def test_a_pause_is_anything_from_nothing_to_its_bound(
    mocked_http: MockedHTTP, pauses: list[float]
) -> None:
    await _fail(mocked_http, CALLERS, 2)

    assert len(pauses) == CALLERS
    assert 0 <= min(pauses) < BOUND * 0.1
    assert BOUND * 0.9 < max(pauses) <= BOUND
    assert 0.35 * BOUND < sum(pauses) / CALLERS < 0.65 * BOUND


async def test_the_bound_doubles_up_to_the_cap(mocked_http: MockedHTTP, pauses: list[float]) -> None:
    for _ in range(60):
        await _fail(mocked_http, 1, 6)

    for attempt, bound in enumerate([BOUND, 2 * BOUND, 4 * BOUND, 4 * BOUND, 4 * BOUND]):
        drawn = pauses[attempt::5]
        assert 0.6 * bound < max(drawn) <= bound


async def test_callers_that_were_told_when_to_come_back_do_not_come_all_at_once(
    mocked_http: MockedHTTP, pauses: list[float]
) -> None:
    await _fail(mocked_http, CALLERS, 2, headers={"Retry-After": "3"})

    assert min(pauses) >= 3
    assert max(pauses) <= 3 + BOUND
    assert max(pauses) - min(pauses) > BOUND / 2


async def test_a_programs_own_seed_steers_no_pause_and_is_left_alone(
    mocked_http: MockedHTTP, pauses: list[float]
) -> None:
    before = random.getstate()
    try:
        for _ in range(2):
            random.seed(7)
            state = random.getstate()
            await _fail(mocked_http, 1, 2)
            assert random.getstate() == state
    finally:
        random.setstate(before)
    first, second = pauses
    assert first != second
