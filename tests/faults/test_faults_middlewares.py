"""A given session's middlewares: one that gives a request another body, and one that reads the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    RetryPolicy,
    UnprocessableError,
)

from .scripted import (
    CODE_1,
    CREATED,
    DROP,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    SHORT,
    SILENCE,
    Answer,
    Late,
    Script,
    Step,
    code,
    now,
    page,
    serving,
)

pytestmark = pytest.mark.asyncio

SIGNED = b'{"amount": 5, "signed": true}'
Send = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
Call = Callable[[AsyncPlexyPay], Awaitable[Any]]


async def sign(request: aiohttp.ClientRequest, send: Send) -> aiohttp.ClientResponse:
    """Send another body, as a gateway that wants bodies signed may need."""
    if request.method != "GET":
        await request.update_body(SIGNED)
    return await send(request)


async def read_it(request: aiohttp.ClientRequest, send: Send) -> aiohttp.ClientResponse:
    """Read the answer before the library does, as one that logs does."""
    response = await send(request)
    await response.read()
    return response


@asynccontextmanager
async def through(
    middleware: Any, routes: dict[str, Any], **options: Any
) -> AsyncGenerator[tuple[AsyncPlexyPay, Script]]:
    chosen: dict[str, Any] = {"retry": SHORT, "timeout": 5.0, **options}
    async with (
        serving(routes) as server,
        aiohttp.ClientSession(middlewares=(middleware,)) as session,
        AsyncPlexyPay(KEY, base_url=server.url, session=session, **chosen) as plexy,
    ):
        yield plexy, server.script


def create(plexy: AsyncPlexyPay) -> Awaitable[Any]:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


WRITES: dict[str, Call] = {
    "refund": lambda plexy: plexy.payments.refund("t", amount=5),
    "customer": lambda plexy: plexy.customers.create(extra={"name": "a"}),
    "payout": lambda plexy: plexy.payouts.create(extra={"amount": 5}),
    "link": create,
}


# --------------------------------------------------------------------------------------------- another body


@pytest.mark.parametrize("lost", [DROP, SILENCE], ids=["closed", "silence"])
@pytest.mark.parametrize("kind", WRITES)
async def test_what_must_not_be_repeated_is_sent_once(kind: str, lost: Step) -> None:
    # Of the link nothing is found, and yet it may come.
    routes = {"GET */by-order-reference/*": NOT_FOUND, "GET *": page(), "POST *": lost}
    policy = RetryPolicy(max_attempts=2, base=0.002, cap=0.01)
    async with through(sign, routes, read_timeout=0.3, retry=policy) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await WRITES[kind](plexy)
        posts = [seen.body for seen in script.seen if seen.method == "POST"]
    assert caught.value.outcome is Outcome.UNKNOWN
    # The order reference protects a link's repeat, once the look-up has found nothing.
    assert posts == [SIGNED] * (2 if kind == "link" else 1)


@pytest.mark.parametrize("kind", WRITES)
async def test_after_a_call_on_the_same_connection_it_is_sent_once_too(kind: str) -> None:
    routes = {f"GET {LINKS}/pl_1": FOUND, "GET *": DROP, "POST *": DROP}
    async with through(sign, routes, timeout=0.5) as (plexy, script):
        await plexy.payment_links.retrieve("pl_1")
        with pytest.raises(OutcomeUnknownError):
            await WRITES[kind](plexy)
        assert [seen.method for seen in script.seen].count("POST") == 1


async def test_what_carries_a_key_is_repeated_with_it() -> None:
    async with through(sign, {"POST *": DROP}, timeout=1.0) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await plexy.wallet.authorize(amount=5, currency="KZT", order_reference="ORD-1")
        assert script.count("POST *") > 1
    key = caught.value.idempotency_key
    assert all(key in seen.headers.values() for seen in script.seen)
    assert len(caught.value.attempts) == len(script.seen)


@pytest.mark.parametrize("kind", ["refund", "customer"])
async def test_the_silence_of_a_server_is_cut_after_the_read_timeout(kind: str) -> None:
    async with through(sign, {"POST *": SILENCE}, read_timeout=0.2, timeout=5.0) as (plexy, _):
        began = now()
        with pytest.raises(OutcomeUnknownError):
            await WRITES[kind](plexy)
        assert now() - began < 1.0


async def test_an_answer_that_takes_less_than_the_read_timeout_is_waited_for() -> None:
    refunded = Answer(200, {"success": True, "originalTransactionId": "t"})
    async with through(sign, {"POST *": Late(0.2, refunded)}, read_timeout=0.5) as (plexy, script):
        assert (await plexy.payments.refund("t")).success
        assert script.seen[0].body == SIGNED


async def test_a_refund_after_code_1_takes_another_connection() -> None:
    refunded = Answer(200, {"success": True, "originalTransactionId": "t"})
    async with through(sign, {"POST *": [CODE_1, refunded]}) as (plexy, script):
        assert (await plexy.payments.refund("t")).success
        assert (script.count(), script.connections) == (2, 2)


# ------------------------------------------------------------------------------------ an answer that is read


@pytest.mark.parametrize("kind", ["refund", "customer", "link"])
async def test_a_success_that_was_read_already_is_a_success(kind: str) -> None:
    answers = {
        "refund": Answer(200, {"success": True, "originalTransactionId": "t"}),
        "customer": Answer(201, {"id": "c-1"}),
        "link": CREATED,
    }
    async with through(read_it, {"POST *": answers[kind]}) as (plexy, script):
        result = await WRITES[kind](plexy)
        assert script.count() == 1
    assert result.raw


async def test_a_read_that_was_read_already_is_read() -> None:
    async with through(read_it, {f"GET {LINKS}/pl_1": FOUND}) as (plexy, script):
        assert (await plexy.payment_links.retrieve("pl_1")).id == "pl_1"
        assert script.count() == 1


@pytest.mark.parametrize("kind", ["refund", "customer", "link"])
async def test_a_refusal_that_was_read_already_is_a_refusal(kind: str) -> None:
    async with through(read_it, {"POST *": code(5, 422, "it cannot be done")}) as (plexy, script):
        with pytest.raises(UnprocessableError, match="it cannot be done") as caught:
            await WRITES[kind](plexy)
        assert script.count() == 1
    assert caught.value.code == 5


async def test_a_not_found_that_was_read_already_is_not_found() -> None:
    async with through(read_it, {"GET *": NOT_FOUND}) as (plexy, _):
        with pytest.raises(NotFoundError) as caught:
            await plexy.payment_links.retrieve("pl_1")
    assert caught.value.code == 4
