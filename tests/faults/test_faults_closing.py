"""A client that is closed while its calls are under way: each ends at once, and says what it did."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, Outcome, PlexyPayError, RetryPolicy
from plexypay_sync import PlexyPay

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    DROP,
    KEY,
    LINKS,
    SHORT,
    SILENCE,
    Answer,
    Parts,
    Script,
    Seen,
    link,
    serving,
)

pytestmark = pytest.mark.asyncio

AT_ONCE = 1.0
"""Seconds within which each call ends."""
BODY = Parts(Answer(200, link()), parts=4, every=0.01, sent=2)
REFUND = "POST /v1/payments/t/refund"


class HalfAHead:
    """A server that begins a head and does not end it."""

    def __init__(self) -> None:
        self.requests = 0
        self.url = ""

    async def __aenter__(self) -> HalfAHead:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        await asyncio.sleep(0.02)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
        await reader.read()
        writer.close()


def create(plexy: Any) -> Any:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


def refund(plexy: Any) -> Any:
    return plexy.payments.refund("t")


def retrieve(plexy: Any) -> Any:
    return plexy.payment_links.retrieve("pl_1")


def put(plexy: Any) -> Any:
    return plexy.request("PUT", "/v1/things/1", json={})


SLOW = RetryPolicy(base=20.0, cap=20.0)
LOOKING_UP = {f"POST {LINKS}": DROP, f"GET {BY_REFERENCE}/ORD-1": SILENCE}

# What is asked for, how it is answered, how often that is seen before the close, and what is known then.
CASES: dict[str, tuple[Any, Any, int, Outcome | None]] = {
    "silent create": (create, {"*": SILENCE}, 1, Outcome.UNKNOWN),
    "silent refund": (refund, {"*": SILENCE}, 1, Outcome.UNKNOWN),
    "silent read": (retrieve, {"*": SILENCE}, 1, None),
    "body of a create": (create, {"*": BODY}, 1, Outcome.UNKNOWN),
    "body of a refund": (refund, {"*": BODY}, 1, Outcome.UNKNOWN),
    "body of a read": (retrieve, {"*": BODY}, 1, None),
    "looking up": (create, LOOKING_UP, 2, Outcome.UNKNOWN),
}
sessions = pytest.mark.parametrize("given", [False, True], ids=["own session", "given session"])


async def until(what: Callable[[], bool]) -> None:
    for _ in range(500):
        if what():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


def check(error: BaseException | None, outcome: Outcome | None) -> None:
    assert isinstance(error, PlexyPayError)
    if outcome is None:
        # Nothing can be done by a read.
        assert isinstance(error, ConfigurationError)
        assert "closed" in str(error)
    else:
        assert error.outcome is outcome


async def close_at(
    url: str, call: Any, ready: Callable[[], bool], *, given: bool, count: int = 1, **options: Any
) -> list[BaseException | None]:
    """Close a client once its calls have come to something; return how each of them ended."""
    session = aiohttp.ClientSession() if given else None
    before = asyncio.all_tasks()
    options = {"retry": SHORT, "timeout": 60.0, **options}
    plexy = AsyncPlexyPay(KEY, base_url=url, session=session, **options)
    calls = [asyncio.ensure_future(call(plexy)) for _ in range(count)]
    await until(ready)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await plexy.close()
    done, pending = await asyncio.wait(calls, timeout=AT_ONCE)
    took = time.monotonic() - began
    for each in pending:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert not pending
    assert took < AT_ONCE
    await asyncio.sleep(0.02)
    if session is not None:
        assert not session.closed
        await session.close()
        await asyncio.sleep(0.02)
    # The server's own, for connections that it has not seen end, are no client's.
    left = [task for task in asyncio.all_tasks() - before if "_serve" not in repr(task)]
    assert left == []
    assert all(not each.cancelled() for each in done)
    return [each.exception() for each in calls]


@sessions
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_call_under_way_ends_with_what_is_known(case: Any, given: bool) -> None:
    call, routes, requests, outcome = case
    async with serving(routes) as server:
        (error,) = await close_at(server.url, call, lambda: server.script.count() >= requests, given=given)
    check(error, outcome)
    assert error is not None
    if call is create:
        assert error.order_reference == "ORD-1"  # type: ignore[attr-defined]


@sessions
@pytest.mark.parametrize(("call", "outcome"), [(refund, Outcome.UNKNOWN), (retrieve, None)])
async def test_a_call_whose_head_is_coming_ends(call: Any, outcome: Outcome | None, given: bool) -> None:
    async with HalfAHead() as server:
        (error,) = await close_at(server.url, call, lambda: server.requests == 1, given=given)
    check(error, outcome)


@sessions
@pytest.mark.parametrize(
    ("call", "answer", "outcomes"),
    [
        (refund, CODE_1, (Outcome.NOT_SENT, Outcome.REJECTED)),
        (retrieve, CODE_1, (Outcome.NOT_SENT, Outcome.REJECTED)),
        (create, CODE_1, (Outcome.NOT_SENT, Outcome.REJECTED)),
        (put, Answer(502), (Outcome.UNKNOWN,)),
    ],
    ids=["refund", "read", "create", "put"],
)
async def test_a_call_in_a_pause_ends_with_what_its_attempts_have_done(
    call: Any, answer: Any, outcomes: tuple[Outcome, ...], given: bool
) -> None:
    async with serving({"*": answer}) as server:
        # A pause has full jitter; the server asks for ten seconds.
        slow = Answer(answer.status, answer.body, {"Retry-After": "10"})
        server.script.on("*", slow)
        (error,) = await close_at(
            server.url, call, lambda: server.script.count() == 1, given=given, retry=SLOW
        )
        assert server.script.count() == 1
    assert isinstance(error, PlexyPayError)
    assert error.outcome in outcomes
    assert error.attempts


@sessions
async def test_calls_that_wait_for_a_connection_were_not_sent(given: bool) -> None:
    async with serving({"*": SILENCE}) as server:
        errors = await close_at(
            server.url, refund, lambda: server.script.count() == 1, given=given, count=5, max_connections=1
        )
        assert server.script.count() == 1
    outcomes = [error.outcome for error in errors if isinstance(error, PlexyPayError)]
    assert sorted(str(outcome) for outcome in outcomes) == sorted(
        map(str, [Outcome.UNKNOWN, *[Outcome.NOT_SENT] * 4])
    )


async def test_closing_a_derived_client_ends_nothing() -> None:
    slow = Parts(Answer(200, link(id="pl_1")), parts=4, every=0.1)
    async with serving({"*": slow}) as server, AsyncPlexyPay(KEY, base_url=server.url) as plexy:
        calling = asyncio.ensure_future(retrieve(plexy))
        await until(lambda: server.script.count() == 1)
        await plexy.with_options(timeout=1.0).close()
        assert (await calling).id == "pl_1"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_sync_facade_is_closed_from_another_thread(case: Any) -> None:
    call, routes, requests, outcome = case

    def run(url: str, script: Script) -> tuple[list[BaseException], float, float]:
        plexy = PlexyPay(KEY, base_url=url, retry=SHORT, timeout=60.0)
        ended: list[BaseException] = []
        ended_at: list[float] = []

        def perform() -> None:
            try:
                call(plexy)
            except BaseException as error:  # noqa: BLE001 - looked at in the test
                ended.append(error)
            ended_at.append(time.monotonic())

        thread = threading.Thread(target=perform, daemon=True)
        thread.start()
        limit = time.monotonic() + 5
        while script.count() < requests and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(0.1)
        began = time.monotonic()
        plexy.close()
        closed = time.monotonic() - began
        thread.join(5)
        return ended, (ended_at[0] - began if ended_at else 99.0), closed

    async with serving(routes) as server:
        ended, took, closed = await asyncio.to_thread(run, server.url, server.script)
    assert took < AT_ONCE
    assert closed < AT_ONCE
    (error,) = ended
    check(error, outcome)


async def test_a_close_while_a_call_opens_its_connection_sends_nothing_after_it() -> None:
    def noted(seen: Seen) -> Any:
        return Answer(200, link(id="pl_1"))

    async with serving({"*": noted}) as server:
        plexy = AsyncPlexyPay(KEY, base_url=server.url)
        calls = [asyncio.ensure_future(refund(plexy)) for _ in range(5)]
        await asyncio.sleep(0)
        await plexy.close()
        await asyncio.wait(calls, timeout=AT_ONCE)
        arrived = server.script.count()
        await asyncio.sleep(0.1)
        assert server.script.count() == arrived
    for call in calls:
        error = call.exception()
        assert isinstance(error, PlexyPayError)
        assert error.outcome is Outcome.UNKNOWN or arrived == 0
