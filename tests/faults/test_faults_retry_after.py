"""`Retry-After`, and the budget that keeps an outage from becoming a storm of retries."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from plexypay_async import (
    APIError,
    CreatePaymentLink,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    PaymentLink,
    PlexyPayError,
    RateLimitedError,
    RetryPolicy,
    ServiceUnavailableError,
)

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CREATED,
    DROP,
    FOUND,
    LINKS,
    NOT_FOUND,
    ONCE,
    SHORT,
    SILENCE,
    Answer,
    code,
    now,
    scripted,
)

pytestmark = pytest.mark.asyncio

ROUTE = f"GET {LINKS}/pl_1"


def retrieve(plexy: Any) -> Any:
    return plexy.payment_links.retrieve("pl_1")


def create(plexy: Any, reference: str = "ORD-1") -> Any:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference=reference)


async def _pause(**headers: str) -> float:
    """Seconds between the first sending and the second."""
    times: list[float] = []

    def note(_: Any) -> Any:
        times.append(now())
        return code(1, 503, **headers) if len(times) == 1 else FOUND

    async with scripted({ROUTE: note}) as (plexy, _):
        await retrieve(plexy)
    return times[1] - times[0]


# --------------------------------------------------------------------------------------------- Retry-After


@pytest.mark.parametrize("seconds", ["0.25", " 0.25 "])
async def test_a_server_is_never_asked_earlier_than_it_said(seconds: str) -> None:
    for _ in range(2):
        assert 0.25 <= await _pause(Retry_After=seconds) < 0.75


async def test_a_date_is_waited_for() -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    assert await _pause(Retry_After=format_datetime(at, usegmt=True)) < 2.5
    assert datetime.now(UTC) >= at


@pytest.mark.parametrize(
    "header",
    [
        "0",
        "-5",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "nan",
        "soon",
        "",
        "Wed, 99 Foo 2015",
        "Wed, 21 Oct 2015 07:28:00 +9999999999",
        "Wed, 21 Oct 99999999999 07:28:00 GMT",
        "Wed, 21 Oct 2015 99999999999:28:00 GMT",
    ],
)
async def test_a_header_that_says_nothing_usable_leaves_the_backoff(header: str) -> None:
    assert await _pause(Retry_After=header) < 0.5


@pytest.mark.parametrize("header", ["60", "1e9", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize(
    ("status", "number", "kind"), [(429, 3, RateLimitedError), (503, 1, ServiceUnavailableError)]
)
@pytest.mark.parametrize("call", [retrieve, create])
async def test_a_wait_past_the_deadline_is_given_up_at_once(
    header: str, status: int, number: int, kind: type[APIError], call: Any
) -> None:
    async with scripted({"*": code(number, status, Retry_After=header)}, timeout=3.0) as (plexy, script):
        began = now()
        with pytest.raises(kind) as caught:
            await call(plexy)
        assert now() - began < 1.5
        assert script.count() == 1
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 60
    assert caught.value.attempts == ()


async def test_a_429_is_waited_for_where_money_moves() -> None:
    times: list[float] = []

    def limit(_: Any) -> Any:
        times.append(now())
        return code(3, 429, Retry_After="0.2") if len(times) < 3 else FOUND

    async with scripted({"*": limit}) as (plexy, _):
        await plexy.request("POST", "/v1/payments/1/capture")
    assert [later - earlier >= 0.2 for earlier, later in itertools.pairwise(times)] == [True, True]


async def test_a_look_up_waits_as_long_as_the_server_said() -> None:
    times: list[float] = []

    def note(answer: Any) -> Any:
        def step(_: Any) -> Any:
            times.append(now())
            return answer

        return step

    routes = {f"POST {LINKS}": note(code(2, 500, Retry_After="0.2")), f"GET {BY_REFERENCE}/*": note(FOUND)}
    async with scripted(routes) as (plexy, _):
        await create(plexy)
    assert times[1] - times[0] >= 0.2


# -------------------------------------------------------------------------------------------------- budget


AT_ONCE = RetryPolicy(base=0.002, cap=0.01, outage="fail")


@pytest.fixture
def _no_refill(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that only successes refill, and no outage: how long a test takes is the machine's to say."""
    monkeypatch.setattr("plexypay_async._core.retry_budget.REFILL", 0)
    monkeypatch.setattr("plexypay_async._core.retry_budget.OUTAGE_LASTS", 60.0)


@pytest.mark.usefixtures("_no_refill")
async def test_the_budget_empties_and_calls_then_raise_their_last_error() -> None:
    """35 tokens: seven retries, whoever makes them; after that each call is sent once."""
    async with scripted({"*": CODE_1}, max_connections=1, retry=AT_ONCE) as (plexy, script):
        for expected in (8, 1, 1, 1):
            before = script.count()
            with pytest.raises(ServiceUnavailableError) as caught:
                await retrieve(plexy)
            assert script.count() - before == expected
            assert len(caught.value.attempts) == expected - 1


async def test_an_empty_budget_is_waited_for() -> None:
    """Seven retries at once, and ten more each second, within the call's own time."""
    async with scripted({"*": CODE_1}, max_connections=1) as (plexy, script):
        with pytest.raises(ServiceUnavailableError):
            await retrieve(plexy)
        script.on("*", CODE_1, CODE_1, FOUND)
        assert isinstance(await retrieve(plexy), PaymentLink)


@pytest.mark.usefixtures("_no_refill")
async def test_what_waits_for_the_budget_in_vain_ends_at_its_deadline() -> None:
    async with scripted({"*": CODE_1}, max_connections=1, timeout=0.5) as (plexy, script):
        with pytest.raises(ServiceUnavailableError):
            await retrieve(plexy)
        with pytest.raises(DeadlineExceededError, match="code 1") as caught:
            await retrieve(plexy)
        assert script.count() == 8 + 1
    assert caught.value.outcome is Outcome.REJECTED


@pytest.mark.usefixtures("_no_refill")
async def test_silence_costs_twice_as_much() -> None:
    options: Any = {"max_connections": 1, "read_timeout": 0.02, "retry": AT_ONCE}
    async with scripted({"*": SILENCE}, **options) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await retrieve(plexy)
        assert script.count() == 1 + 35 // 10


@pytest.mark.usefixtures("_no_refill")
async def test_a_success_gives_back_what_its_last_retry_took() -> None:
    async with scripted({"*": CODE_1}, max_connections=1, retry=AT_ONCE) as (plexy, script):
        with pytest.raises(ServiceUnavailableError):
            await retrieve(plexy)
        script.on("*", FOUND)
        for _ in range(4):
            await retrieve(plexy)
        script.on("*", CODE_1, FOUND)
        with pytest.raises(ServiceUnavailableError):
            await retrieve(plexy)
        await retrieve(plexy)
        # Five tokens by now: a retry takes them, and its success gives them back, as often as one likes.
        for _ in range(10):
            script.on("*", CODE_1, FOUND)
            assert isinstance(await retrieve(plexy), PaymentLink)


@pytest.mark.usefixtures("_no_refill")
@pytest.mark.parametrize("answer", [NOT_FOUND, code(3, 400), code(5, 422), Answer(404)])
async def test_an_honest_refusal_gives_back_what_a_success_does(answer: Any) -> None:
    """A poller of what is not there yet meets a fault now and then."""
    async with scripted({"*": FOUND}, max_connections=1, retry=AT_ONCE) as (plexy, script):
        for _ in range(20):
            script.on("*", CODE_1, answer)
            with pytest.raises(APIError) as caught:
                await retrieve(plexy)
            assert caught.value.status == answer.status
        assert script.count() == 40
        assert plexy.failing is None


@pytest.mark.usefixtures("_no_refill")
@pytest.mark.parametrize("answer", [CODE_1, Answer(502, b"<html>"), Answer(503, b"<html>")])
async def test_a_refusal_by_a_server_that_does_not_work_gives_nothing_back(answer: Answer) -> None:
    policy = RetryPolicy(max_attempts=2, base=0.002, cap=0.01, outage="fail")
    async with scripted({"*": answer}, max_connections=2, retry=policy) as (plexy, script):
        for _ in range(4):
            with pytest.raises(APIError):
                await retrieve(plexy)
        assert plexy.failing is not None
        # Ten tokens are two retries.
        assert script.count() == 4 + 2


@pytest.mark.usefixtures("_no_refill")
async def test_the_budget_is_shared_with_derived_clients_and_between_calls() -> None:
    async with scripted({"*": CODE_1}, max_connections=2, retry=AT_ONCE) as (plexy, script):
        other = plexy.with_options(timeout=3)
        results = await asyncio.gather(
            *(retrieve(client) for client in (plexy, other) * 10), return_exceptions=True
        )
        assert {type(result) for result in results} == {ServiceUnavailableError}
        # 70 tokens pay for 14 retries.
        assert script.count() == 20 + 14


@pytest.mark.usefixtures("_no_refill")
async def test_an_empty_budget_refuses_no_look_up() -> None:
    async with scripted({"*": CODE_1}, max_connections=1, retry=AT_ONCE) as (plexy, script):
        with pytest.raises(ServiceUnavailableError):
            await retrieve(plexy)
        script.on("*", DROP)
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy)
        assert script.count(f"POST {LINKS}") == 1
        assert script.count(f"GET {BY_REFERENCE}/ORD-1") >= 8
        assert "ORD-1" in str(caught.value)
        script.on("*", DROP, CODE_1, FOUND)
        assert isinstance(await create(plexy), PaymentLink)


@pytest.mark.parametrize("lost", [DROP, SILENCE], ids=["disconnect", "read-timeout"])
@pytest.mark.parametrize("attempts", [1, 2])
async def test_the_smallest_client_can_look_up_a_lost_answer(lost: Any, attempts: int) -> None:
    policy = RetryPolicy(max_attempts=attempts, base=0.002, cap=0.01)
    routes = {f"POST {LINKS}": lost, f"GET {BY_REFERENCE}/*": FOUND}
    async with scripted(routes, max_connections=1, read_timeout=0.05, retry=policy) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.count() == 2


async def test_no_retries_means_no_retries() -> None:
    async with scripted({"*": CODE_1}, retry=ONCE) as (plexy, script):
        for _ in range(3):
            with pytest.raises(PlexyPayError):
                await retrieve(plexy)
        assert script.count() == 3
        with pytest.raises(PlexyPayError):
            await retrieve(plexy.with_options(retry=SHORT))
        assert script.count() == 11


# ---------------------------------------------------------------------------- what does not end the backoff

STEADY = RetryPolicy(base=0.15, cap=0.15)


async def _least_pause(monkeypatch: pytest.MonkeyPatch, **headers: str) -> float:
    """Seconds between the sendings where each draw of the backoff is its greatest."""
    monkeypatch.setattr("plexypay_async._core.pauses.jittered", lambda value: value)
    times: list[float] = []

    def note(_: Any) -> Any:
        times.append(now())
        return code(1, 503, **headers) if len(times) < 3 else FOUND

    async with scripted({ROUTE: note}, retry=STEADY) as (plexy, _):
        await retrieve(plexy)
    return min(later - earlier for earlier, later in itertools.pairwise(times))


def _http_date(hours: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)


@pytest.mark.parametrize(
    "header", ["0", "0.0", "-0", "-5", "-1e9", "-inf", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"]
)
async def test_no_header_makes_a_pause_shorter_than_the_backoff(
    header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await _least_pause(monkeypatch, Retry_After=header) >= STEADY.base - 0.005


@pytest.mark.parametrize("hours", [-7, -0.5, 0.5, 7])
async def test_a_date_is_measured_from_the_answers_own(hours: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's clock is hours off, or ours is: what it asked for is one second."""
    date = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    later = format_datetime(date + timedelta(seconds=1), usegmt=True)
    pause = await _least_pause(monkeypatch, Date=format_datetime(date, usegmt=True), Retry_After=later)
    assert 1.0 <= pause < 1.5


@pytest.mark.parametrize("hours", [-7, 7])
async def test_a_date_before_the_answers_own_leaves_the_backoff(
    hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Date": _http_date(hours), "Retry_After": _http_date(hours - 1)}
    assert STEADY.base - 0.005 <= await _least_pause(monkeypatch, **headers) < 0.5


async def test_a_zero_does_not_switch_the_backoff_of_a_job_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._core.pauses.jittered", lambda value: value)
    times: list[float] = []

    def note(seen: Any) -> Any:
        times.append(now())
        return code(1, 503, Retry_After="0") if len(times) < 3 else CREATED

    row = CreatePaymentLink(amount=2_200_000, currency="KZT", order_reference="ORD-1")
    async with scripted({f"POST {LINKS}": note}, retry=STEADY) as (plexy, _):
        (result,) = [result async for result in plexy.payment_links.create_many([row])]
    assert result.error is None
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= STEADY.base - 0.005
