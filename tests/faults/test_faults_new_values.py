"""What is new and needs no branch: an error class of another code, a replay class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from plexypay_async import (
    APIError,
    ConnectError,
    Outcome,
    PlexyPayError,
    RateLimitedError,
    Replay,
    RetryPolicy,
    ServiceUnavailableError,
)

from .scripted import (
    CODE_1,
    DROP,
    LINKS,
    SILENCE,
    Answer,
    Cut,
    Step,
    code,
    scripted,
)

NEVER = Replay("never")
ROUTE = "POST /v1/anything"


# ---------------------------------------------------------------------------------------- an error of code 6


@pytest.fixture
def quota_error() -> Iterator[type[APIError]]:
    class QuotaError(APIError):
        """Code 6: a code that the API may publish one day."""

        api_code = 6

    yield QuotaError
    # A class counts as long as it is there, and that may be long.
    del QuotaError.api_code


@pytest.mark.asyncio
@pytest.mark.parametrize("told", [6, "6", "0006"])
@pytest.mark.parametrize("status", [422, 500, 400])
async def test_a_class_is_raised_for_its_code(
    told: int | str, status: int, quota_error: type[APIError]
) -> None:
    async with scripted({f"GET {LINKS}/pl_1": code(told, status)}) as (plexy, script):
        with pytest.raises(quota_error) as caught:
            await plexy.payment_links.retrieve("pl_1")
        assert script.count() == 1
    assert type(caught.value) is quota_error
    assert (caught.value.code, caught.value.status) == (6, status)


@pytest.mark.asyncio
async def test_a_policy_may_name_its_code(quota_error: type[APIError]) -> None:
    policy = RetryPolicy(codes=(1, 6), max_attempts=3, base=0.002, cap=0.01)
    async with scripted({f"GET {LINKS}/pl_1": code(6, 500)}, retry=policy) as (plexy, script):
        with pytest.raises(quota_error):
            await plexy.payment_links.retrieve("pl_1")
        assert script.count() == 3


@pytest.mark.asyncio
async def test_without_the_class_its_code_is_told_all_the_same() -> None:
    async with scripted({f"GET {LINKS}/pl_1": code(6, 422)}) as (plexy, _):
        with pytest.raises(APIError) as caught:
            await plexy.payment_links.retrieve("pl_1")
    assert caught.value.code == 6


# ------------------------------------------------------------------------------------- a replay class: never


def test_a_class_allows_nothing_that_it_is_not_told() -> None:
    told = (NEVER.undone, NEVER.code_2, NEVER.unknown, NEVER.looks_up, NEVER.same_key, NEVER.moves_money)
    assert not any(told)
    assert not NEVER.is_protected
    assert NEVER.without_look_up == NEVER


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("step", "error", "outcome"),
    [
        (CODE_1, ServiceUnavailableError, Outcome.REJECTED),
        (Answer(429, {"message": "slow down"}), RateLimitedError, Outcome.REJECTED),
        (code(2, 500), PlexyPayError, Outcome.UNKNOWN),
        (Answer(502, b"<html>"), PlexyPayError, Outcome.UNKNOWN),
        (DROP, PlexyPayError, Outcome.UNKNOWN),
        (SILENCE, PlexyPayError, Outcome.UNKNOWN),
        (Cut(Answer(200, {"id": "x"})), PlexyPayError, Outcome.UNKNOWN),
        (Answer(200, b"<html>"), PlexyPayError, Outcome.UNKNOWN),
    ],
    ids=["code 1", "429", "code 2", "502", "closed", "silence", "cut", "a page"],
)
async def test_what_allows_nothing_is_sent_once_whatever_happens(
    step: Step, error: type[PlexyPayError], outcome: Outcome
) -> None:
    async with scripted({ROUTE: step}, read_timeout=0.1) as (plexy, script):
        with pytest.raises(error) as caught:
            await plexy.request("POST", "/v1/anything", json={}, replay=NEVER)
        assert script.counts == {ROUTE: 1}
    assert caught.value.outcome is outcome


@pytest.mark.asyncio
async def test_what_allows_nothing_connects_once(monkeypatch: pytest.MonkeyPatch) -> None:
    connects = 0
    connect = aiohttp.TCPConnector.connect

    async def counted(self: aiohttp.TCPConnector, *args: Any, **options: Any) -> Any:
        nonlocal connects
        connects += 1
        return await connect(self, *args, **options)

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", counted)
    async with scripted({}, listening=False) as (plexy, _):
        with pytest.raises(ConnectError) as caught:
            await plexy.request("POST", "/v1/anything", json={}, replay=NEVER)
    assert connects == 1
    assert caught.value.outcome is Outcome.NOT_SENT
