"""An order reference that the server calls taken: nothing has failed, so it is looked up without a pause."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, CreatePaymentLink, Outcome, RetryPolicy, UnprocessableError
from plexypay_sync import PlexyPay
from tests.observers.recording import Recording

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    DROP,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    TAKEN,
    Answer,
    code,
    link,
    page,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
LOOK_UP = f"GET {BY_REFERENCE}/ORD-1"
LIST = f"GET {LINKS}"
ORDER: dict[str, Any] = {"amount": 2_200_000, "currency": "KZT", "order_reference": "ORD-1"}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "plexypay.calls")
    return caplog


def _told(log: pytest.LogCaptureFixture, words: str) -> list[tuple[int, str]]:
    found = [(each.levelno, each.getMessage()) for each in log.records if words in each.getMessage()]
    return [(level, text.rpartition("(")[0].strip()) for level, text in found]


def _pauses(seen: Recording) -> list[tuple[str, str]]:
    return [(pause.reason, type(pause.error).__name__) for pause in seen.of("call_paused")]


def _warnings(log: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in log.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("answer", [TAKEN, code(1153, 400), code(5, 409)], ids=str)
async def test_what_was_there_is_found_without_a_pause_or_a_warning(
    answer: Answer, log: pytest.LogCaptureFixture
) -> None:
    seen = Recording()
    # A pause would outlast the call.
    options: dict[str, Any] = {"retry": RetryPolicy(base=600, cap=600), "observers": [seen]}
    async with scripted({POST: answer, LOOK_UP: FOUND}, **options) as (plexy, script):
        for _ in range(2):
            assert (await plexy.payment_links.create_or_retrieve(**ORDER)).id == "pl_1"
        assert script.counts == {POST: 2, LOOK_UP: 2}
    assert _pauses(seen) == []
    assert [(call.outcome, call.recovered, call.attempts) for call in seen.of("call_ended")] == [
        (Outcome.DONE, True, 1)
    ] * 2
    assert _warnings(log) == []
    text = "payment_links.create 'ORD-1': found an existing one"
    assert _told(log, "found") == [(logging.DEBUG, text)] * 2


async def test_the_sync_client_pauses_and_warns_no_more(log: pytest.LogCaptureFixture) -> None:
    async with serving({POST: TAKEN, LOOK_UP: FOUND}) as server:

        def ensure() -> str:
            slow = RetryPolicy(base=600, cap=600)
            with PlexyPay(KEY, base_url=server.url, retry=slow, timeout=5) as plexy:
                return plexy.payment_links.create_or_retrieve(**ORDER).id

        assert await asyncio.to_thread(ensure) == "pl_1"
    assert _warnings(log) == []


async def test_it_is_no_failure_of_the_server_nor_a_repeat_to_be_paid_for() -> None:
    async with scripted({POST: TAKEN, LOOK_UP: FOUND}) as (plexy, _):
        budget = plexy._execution.budget  # pyright: ignore[reportPrivateUsage]
        await plexy.payment_links.create_or_retrieve(**ORDER)
        assert plexy.failing is None
        assert budget.latest_failure is None
        assert budget.tokens == budget.capacity


async def test_what_is_not_found_at_once_is_looked_for_again_after_a_pause(
    log: pytest.LogCaptureFixture,
) -> None:
    seen = Recording()
    routes = {POST: TAKEN, LOOK_UP: [NOT_FOUND, FOUND]}
    async with scripted(routes, observers=[seen]) as (plexy, script):
        await plexy.payment_links.create_or_retrieve(**ORDER)
        assert script.counts == {POST: 1, LOOK_UP: 2}
    assert _pauses(seen) == [("backoff", "UnprocessableError")]
    assert _told(log, "found an") == [
        (logging.WARNING, "payment_links.create 'ORD-1': found an existing one")
    ]


async def test_what_is_never_found_is_refused_as_the_server_says() -> None:
    routes = {POST: TAKEN, LOOK_UP: NOT_FOUND, LIST: page()}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(UnprocessableError) as caught:
            await plexy.payment_links.create_or_retrieve(**ORDER)
        assert script.counts == {POST: 1, LOOK_UP: 2, LIST: 1}
    assert caught.value.outcome is Outcome.REJECTED


async def test_one_attempt_is_one_look() -> None:
    routes = {POST: TAKEN, LOOK_UP: NOT_FOUND, LIST: page()}
    async with scripted(routes, retry=RetryPolicy(max_attempts=1)) as (plexy, script):
        with pytest.raises(UnprocessableError):
            await plexy.payment_links.create_or_retrieve(**ORDER)
        assert script.count(LOOK_UP) == 1


@pytest.mark.parametrize(
    ("refusal", "pause"),
    [
        (code(5, 422, "as scripted", Retry_After="0"), ("retry-after", "UnprocessableError")),
        (Answer(409), ("backoff", "APIError")),
    ],
    ids=["the server asks for a pause", "not the API's word"],
)
async def test_a_pause_that_has_a_reason_is_kept(refusal: Answer, pause: tuple[str, str]) -> None:
    seen = Recording()
    async with scripted({POST: refusal, LOOK_UP: FOUND}, observers=[seen]) as (plexy, _):
        await plexy.payment_links.create_or_retrieve(**ORDER)
    assert _pauses(seen) == [pause]


async def test_a_look_up_that_fails_is_asked_again_after_a_pause(log: pytest.LogCaptureFixture) -> None:
    seen = Recording()
    async with scripted({POST: TAKEN, LOOK_UP: [CODE_1, FOUND]}, observers=[seen]) as (plexy, _):
        await plexy.payment_links.create_or_retrieve(**ORDER)
    assert [reason for reason, _ in _pauses(seen)] == ["backoff"]
    assert len(_warnings(log)) == 1


async def test_a_create_that_was_repeated_looks_at_once_and_is_still_told_of(
    log: pytest.LogCaptureFixture,
) -> None:
    seen = Recording()
    routes = {POST: [CODE_1, TAKEN], LOOK_UP: FOUND}
    async with scripted(routes, observers=[seen]) as (plexy, script):
        await plexy.payment_links.create(**ORDER)
        assert script.counts == {POST: 2, LOOK_UP: 1}
    assert _pauses(seen) == [("backoff", "ServiceUnavailableError")]
    assert len(_warnings(log)) == 1


async def test_a_create_whose_answer_was_lost_says_that_it_was_found_by_a_look_up(
    log: pytest.LogCaptureFixture,
) -> None:
    async with scripted({POST: DROP, LOOK_UP: FOUND}) as (plexy, _):
        await plexy.payment_links.create(**ORDER)
    assert _told(log, "found") == [(logging.WARNING, "payment_links.create 'ORD-1': found by a look-up")]


async def test_rows_of_a_job_that_is_run_again_are_found_without_a_pause(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    references = [f"ORD-{number}" for number in range(1, 9)]

    async def run(plexy: AsyncPlexyPay) -> list[Any]:
        links = [
            CreatePaymentLink(amount=2_200_000, currency="KZT", order_reference=each) for each in references
        ]
        job = plexy.payment_links.create_many(links, journal=tmp_path / "journal")
        async with asyncio.timeout(30):
            return [result async for result in job]

    found = {f"GET {BY_REFERENCE}/{each}": Answer(200, link(each, id=f"pl_{each}")) for each in references}
    seen = Recording()
    refused = [code(3, 400)] * len(references)
    options: dict[str, Any] = {"retry": RetryPolicy(base=600, cap=600), "observers": [seen]}
    async with scripted({POST: [*refused, TAKEN], **found}, **options) as (plexy, script):
        assert all(result.error is not None for result in await run(plexy))
        log.clear()
        results = await run(plexy)
        assert script.count(POST) == 2 * len(references)
    assert [result.error for result in results] == [None] * len(references)
    assert all(result.recovered for result in results)
    assert seen.of("call_paused") == []
    assert _warnings(log) == []


async def test_in_an_outage_it_is_looked_up_when_a_probe_may_go_out() -> None:
    seen = Recording()
    async with scripted({POST: TAKEN, LOOK_UP: FOUND}, observers=[seen]) as (plexy, _):
        budget = plexy._execution.budget  # pyright: ignore[reportPrivateUsage]
        for _ in range(50):
            budget.note_failure()
        await plexy.payment_links.create_or_retrieve(**ORDER)
        assert plexy.failing is None
    assert [reason for reason, _ in _pauses(seen)] == ["outage", "outage"]
