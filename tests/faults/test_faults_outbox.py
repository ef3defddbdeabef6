"""Requests that leave together: as aiohttp sends them, without a task for each, and none by mistake."""

from __future__ import annotations

import asyncio
import copy
import itertools
import sys
from collections.abc import Coroutine
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay, OutcomeUnknownError
from plexypay_async._core.deadlines import Deadlines
from plexypay_async._core.sending import Sending
from plexypay_async._http.guard import GuardedRequest
from plexypay_async._http.outbox import LARGEST_AT_ONCE, Outbox
from plexypay_async._http.request import Body

from .scripted import CREATED, DROP, KEY, LINKS, Script, Seen, scripted, serving

CREATE = f"POST {LINKS}"
OWN = aiohttp.ClientRequest
AMOUNTS = itertools.count(100)


class Unguarded(aiohttp.ClientRequest):
    """What aiohttp sends by itself, with the headers that a client sends by default."""

    DEFAULT_HEADERS = GuardedRequest.DEFAULT_HEADERS


def leave_together(monkeypatch: pytest.MonkeyPatch, *, together: bool) -> None:
    """Take the outbox, or leave all to aiohttp, whatever the version of Python."""
    monkeypatch.setattr(Outbox, "where_it_helps", lambda loop: Outbox(loop) if together else None)


@pytest.fixture(autouse=True)
def joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the requests leave together on every version of Python."""
    leave_together(monkeypatch, together=True)


async def create(plexy: AsyncPlexyPay, **fields: Any) -> None:
    # The server answers each alike: with one amount for all it were one answer sent again.
    await plexy.payment_links.create(**{"amount": next(AMOUNTS), "currency": "KZT", **fields})


class CountedTasks:
    """Counts the tasks that are made on the running loop."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        """Make a task as the loop itself does."""
        self.count += 1
        return asyncio.Task(coroutine, loop=loop, **options)


async def tasks_of_ten_calls() -> int:
    """Return how many tasks are made while ten calls run on connections that are open."""
    loop: Any = asyncio.get_running_loop()
    counted = CountedTasks()
    async with scripted({CREATE: CREATED}) as (plexy, script):
        await asyncio.gather(*(create(plexy) for _ in range(10)))
        loop.set_task_factory(counted)
        try:
            await asyncio.gather(*(create(plexy) for _ in range(10)))
        finally:
            loop.set_task_factory(None)
        assert script.count(CREATE) == 20
    return counted.count


@pytest.mark.asyncio
async def test_a_request_takes_no_task_of_its_own() -> None:
    assert await tasks_of_ten_calls() == 10


@pytest.mark.asyncio
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="aiohttp starts its tasks at once there")
async def test_aiohttp_makes_one_for_each_on_this_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._http.transport.GuardedRequest", Unguarded)
    assert await tasks_of_ten_calls() == 20


async def arrived(method: str, body: Any, **options: Any) -> Seen:
    route = f"{method} /v1/anything"
    async with scripted({route: CREATED}, **options) as (plexy, script):
        await plexy.request(method, "/v1/anything", json=body)
    assert script.count(route) == 1
    return script.seen[0]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [None, 0, 10, LARGEST_AT_ONCE, LARGEST_AT_ONCE + 1])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_arrives_is_what_aiohttp_sends(
    method: str, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = None if size is None or method == "DELETE" else {"description": "x" * size}
    ours = await arrived(method, body)
    monkeypatch.setattr("plexypay_async._http.transport.GuardedRequest", Unguarded)
    theirs = await arrived(method, body)
    assert (ours.route, ours.body) == (theirs.route, theirs.body)
    assert {**ours.headers, "host": ""} == {**theirs.headers, "host": ""}
    assert list(ours.headers) == list(theirs.headers)


@pytest.mark.asyncio
async def test_a_body_that_the_connection_cannot_take_at_once_arrives_whole() -> None:
    seen = await arrived("POST", {"description": "x" * 2**25})
    assert len(seen.body) > 2**25


@pytest.mark.asyncio
@pytest.mark.parametrize("told", ["before", "after"])
async def test_a_connection_lost_before_the_writing_says_that_nothing_was_sent(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a keep-alive connection that the server closed in the same turn of the loop."""
    add, lost = Outbox.add, [False]

    def add_and_lose(self: Outbox, request: Any, writer: Any, conn: Any, length: Any) -> None:
        transport = conn.protocol.transport
        if told == "after":
            # It closes, and aiohttp hears of it only after the turn of the outbox.
            add(self, request, writer, conn, length)
        if not lost[0]:
            lost[0] = True
            transport.abort()
        if told == "before":
            add(self, request, writer, conn, length)

    monkeypatch.setattr(Outbox, "add", add_and_lose)
    async with scripted({CREATE: CREATED}) as (plexy, script):
        # It is repeated, though it has no order reference: a request that was not sent can be.
        await create(plexy)
        assert script.counts == {CREATE: 1}
    assert lost[0]


@pytest.mark.asyncio
async def test_a_connection_lost_after_the_writing_leaves_the_outcome_unknown() -> None:
    async with scripted({CREATE: DROP}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        assert script.counts == {CREATE: 1}


@pytest.mark.asyncio
async def test_those_of_one_turn_are_written_though_one_of_them_was_given_up() -> None:
    async with serving(Script({CREATE: CREATED})) as server, AsyncPlexyPay(KEY, base_url=server.url) as plexy:
        await asyncio.gather(*(create(plexy) for _ in range(3)))
        calls = [asyncio.create_task(create(plexy, order_reference=f"ORD-{n}")) for n in range(3)]
        await asyncio.sleep(0)
        calls[0].cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in ended] == [asyncio.CancelledError, type(None), type(None)]
        references = {seen.json.get("orderReference") for seen in server.script.seen}
        assert references >= {None, "ORD-1", "ORD-2"}


@pytest.mark.asyncio
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("status", [200, 408])
async def test_what_lies_on_a_connection_already_is_no_answer(
    status: int, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the 408 of a server that has closed a connection for having been idle."""
    leave_together(monkeypatch, together=together)
    body = b'{"id":"not yours","url":"https://pay.example"}'
    unasked = b"HTTP/1.1 %d Unasked\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
    first = Script({CREATE: CREATED})
    async with serving(first) as server, AsyncPlexyPay(KEY, base_url=server.url) as plexy:
        await create(plexy)
        connections = await plexy._execution.transport.connections()
        session: Any = connections._session  # type: ignore[attr-defined]
        (protocols,) = session.connector._conns.values()
        protocols[0][0].data_received(unasked)
        link = await plexy.payment_links.create(amount=100, currency="KZT")
        assert link.id != "not yours"
        assert first.count(CREATE) == 2


class Struck:
    """A request in whose writing a signal's exception strikes, and one as it should be."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.written = 0
        self._error = error

    async def write_bytes(self, *_: Any) -> None:
        self.written += 1
        if self._error is not None:
            raise self._error


def test_what_strikes_one_request_does_not_hold_back_those_of_its_turn() -> None:
    loop = asyncio.new_event_loop()
    outbox, conn, writer = Outbox(loop), type("Connection", (), {"protocol": object()}), None
    requests = [Struck(KeyboardInterrupt()), Struck(), Struck()]
    for request in requests:
        outbox.add(request, writer, conn, None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.sleep(0))
    assert [request.written for request in requests] == [1, 0, 0]
    loop.run_until_complete(asyncio.sleep(0))
    assert [request.written for request in requests] == [1, 1, 1]
    loop.close()


class Stuck:
    """A request whose writing has to wait, and one after it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def write_bytes(self, *_: Any) -> None:
        self.said.append("begun")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.said.append("closed")


@pytest.mark.asyncio
async def test_a_connection_that_takes_nothing_does_not_hold_up_the_others() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    first, closed, second = Stuck(), Stuck(), Stuck()
    open_connection: Any = type("Connection", (), {"protocol": object()})
    given_up: Any = type("Connection", (), {"protocol": None})
    writer: Any = None
    for request, conn in ((first, open_connection), (closed, given_up), (second, open_connection)):
        outbox.add(request, writer, conn, None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert not first.said
    await asyncio.sleep(0)
    assert first.said == second.said == ["begun", "closed"]
    assert not closed.said


@pytest.mark.asyncio
async def test_a_body_is_what_it_was_made_of() -> None:
    loop = asyncio.get_running_loop()
    sending = Sending(Deadlines(loop).watch(loop.time() + 5))
    body = Body('{"a":"ü"}'.encode(), sending, Outbox(loop))
    written: list[bytes] = []

    class Writer:
        transport = None

        async def write(self, chunk: bytes) -> None:
            written.append(chunk)

    writer: Any = Writer()
    await body.write(writer)
    assert written == [await body.as_bytes()] == [body.decode().encode()] == ['{"a":"ü"}'.encode()]
    assert (body.size, body.content_type, body.filename, body.encoding) == (
        10,
        "application/json",
        None,
        None,
    )
    assert not sending.begun
    assert copy.deepcopy(body) is body
    sending.watch.done()


@pytest.mark.asyncio
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="aiohttp starts its tasks at once there")
async def test_with_another_version_aiohttp_sends_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_together(monkeypatch, together=False)
    assert await tasks_of_ten_calls() == 20


@pytest.mark.asyncio
async def test_a_tracer_around_aiohttps_own_send_is_not_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[str] = []
    own = OWN.send

    async def send(self: aiohttp.ClientRequest, conn: Any) -> aiohttp.ClientResponse:
        traced.append(self.method)
        return await own(self, conn)

    monkeypatch.setattr(OWN, "send", send)
    await arrived("POST", {"a": 1})
    assert traced == ["POST"]
