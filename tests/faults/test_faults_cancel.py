"""Cancelling a link twice is cancelling it once."""

from __future__ import annotations

from typing import Any

import pytest

from plexypay_async import (
    APIError,
    AsyncPlexyPay,
    AuthenticationError,
    NotFoundError,
    Outcome,
    PaymentLink,
    UnprocessableError,
    UnreadableResponseError,
)
from plexypay_async.sandbox import Fault, Sandbox

from .scripted import (
    CODE_1,
    CODE_2,
    DROP,
    LINKS,
    NOT_FOUND,
    ONCE,
    RESET,
    SHORT,
    SILENCE,
    Answer,
    Step,
    code,
    link,
    scripted,
)

pytestmark = pytest.mark.asyncio

DELETE = f"DELETE {LINKS}/pl_1"
GET = f"GET {LINKS}/pl_1"
CANCELLED = Answer(200, link(id="pl_1", status="cancelled"))
ALREADY = code(5, 422, "the link is cancelled already")


def cancel(plexy: Any) -> Any:
    return plexy.payment_links.cancel("pl_1")


async def test_an_answer_that_says_that_it_has_no_content_is_none() -> None:
    async with scripted({DELETE: Answer(204)}) as (plexy, script):
        assert await cancel(plexy) is None
        assert script.counts == {DELETE: 1}


NO_SUCCESS = [
    Answer(200),
    Answer(200, b"  "),
    Answer(200, {}),
    Answer(200, {"code": 1, "message": "busy"}),
    Answer(200, {"error": "x"}),
    Answer(200, {"status": "error"}),
    Answer(200, b"<html>welcome</html>"),
]


@pytest.mark.parametrize("answer", NO_SUCCESS, ids=repr)
async def test_a_success_status_that_says_nothing_is_settled_by_reading_the_link(answer: Answer) -> None:
    async with scripted({DELETE: answer, GET: CANCELLED}) as (plexy, script):
        assert (await cancel(plexy)).status == "cancelled"
        assert script.counts == {DELETE: 1, GET: 1}


@pytest.mark.parametrize("answer", NO_SUCCESS, ids=repr)
async def test_a_success_status_that_says_nothing_is_unknown_while_the_link_is_active(answer: Answer) -> None:
    active = Answer(200, link(id="pl_1"))
    async with scripted({DELETE: answer, GET: active}, retry=ONCE) as (plexy, script):
        with pytest.raises(UnreadableResponseError) as caught:
            await cancel(plexy)
        assert script.counts == {DELETE: 1, GET: 1}
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_an_answer_with_the_link_is_the_link() -> None:
    async with scripted({DELETE: CANCELLED}) as (plexy, _):
        assert (await cancel(plexy)).status == "cancelled"


@pytest.mark.parametrize("refusal", [ALREADY, NOT_FOUND, code(3, 400), code(5, 409), Answer(404)], ids=repr)
async def test_a_refusal_of_the_first_sending_is_raised(refusal: Answer) -> None:
    async with scripted({DELETE: refusal, GET: CANCELLED}) as (plexy, script):
        with pytest.raises(APIError) as caught:
            await cancel(plexy)
        assert script.counts == {DELETE: 1}
    assert caught.value.outcome is Outcome.REJECTED


@pytest.mark.parametrize("refusal", [ALREADY, NOT_FOUND, code(3, 400), code(5, 409)], ids=repr)
@pytest.mark.parametrize("first", [CODE_1, CODE_2, SILENCE], ids=["code 1", "code 2", "silence"])
async def test_a_refusal_of_a_repeat_is_a_success_if_the_link_is_cancelled(
    first: Step, refusal: Answer
) -> None:
    async with scripted({DELETE: [first, refusal], GET: CANCELLED}, read_timeout=0.05) as (plexy, script):
        cancelled = await cancel(plexy)
        assert isinstance(cancelled, PaymentLink)
        assert script.counts == {DELETE: 2, GET: 1}


@pytest.mark.parametrize("lost", [DROP, RESET], ids=["disconnect", "reset"])
async def test_a_refusal_of_the_repeat_that_aiohttp_made_by_itself_counts_as_one_of_a_repeat(
    lost: Step,
) -> None:
    async with scripted({DELETE: [lost, ALREADY], GET: CANCELLED}) as (plexy, script):
        assert isinstance(await cancel(plexy), PaymentLink)
        assert script.counts == {DELETE: 2, GET: 1}


@pytest.mark.parametrize("spelt", ["Cancelled", "CANCELLED", "cancelled"])
async def test_the_state_is_known_in_any_letter_case(spelt: str) -> None:
    routes = {DELETE: [CODE_2, ALREADY], GET: Answer(200, link(id="pl_1", status=spelt))}
    async with scripted(routes) as (plexy, _):
        assert isinstance(await cancel(plexy), PaymentLink)


@pytest.mark.parametrize("state", ["active", "paid", "expired"])
async def test_a_refusal_of_a_repeat_is_raised_if_the_link_is_not_cancelled(state: str) -> None:
    routes = {DELETE: [CODE_1, code(5, 422, "it is paid")], GET: Answer(200, link(id="pl_1", status=state))}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(UnprocessableError, match="it is paid") as caught:
            await cancel(plexy)
        assert script.counts == {DELETE: 2, GET: 1}
    assert len(caught.value.attempts) == 1


@pytest.mark.parametrize("answer", [NOT_FOUND, Answer(401), Answer(200, b"<html>")], ids=repr)
async def test_a_refusal_of_a_repeat_is_raised_if_the_link_cannot_be_read(answer: Answer) -> None:
    async with scripted({DELETE: [CODE_1, NOT_FOUND], GET: answer}) as (plexy, _):
        with pytest.raises(NotFoundError):
            await cancel(plexy)


async def test_the_link_is_read_until_an_answer_comes() -> None:
    routes = {DELETE: [CODE_1, ALREADY], GET: [CODE_1, CODE_2, CANCELLED]}
    async with scripted(routes) as (plexy, script):
        assert isinstance(await cancel(plexy), PaymentLink)
        assert script.counts == {DELETE: 2, GET: 3}


async def test_a_wrong_key_at_a_repeat_is_raised() -> None:
    async with scripted({DELETE: [CODE_1, Answer(401)], GET: CANCELLED}) as (plexy, script):
        with pytest.raises(AuthenticationError):
            await cancel(plexy)
        assert script.count(GET) == 0


@pytest.mark.parametrize("cut", ["after", "body"])
async def test_a_link_whose_cancellation_lost_its_answer_is_cancelled(cut: Any) -> None:
    async with (
        Sandbox() as sandbox,
        AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url, retry=SHORT, timeout=5) as plexy,
    ):
        made = await plexy.payment_links.create(amount=1, currency="KZT")
        sandbox.faults.add(Fault(cut=cut, times=1))
        await plexy.payment_links.cancel(made.id)
        assert (await plexy.payment_links.retrieve(made.id)).status == "cancelled"
