"""Requests that go out directly: the same to the server and to the caller as those that aiohttp sends."""

from __future__ import annotations

import asyncio
import copy
import gzip
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay, OutcomeUnknownError, PlexyPayError
from plexypay_async._core.deadlines import Deadlines
from plexypay_async._core.sending import Sending
from plexypay_async._http import direct, guard
from plexypay_async._http.body import Body
from plexypay_async._http.direct import LARGEST_AT_ONCE, DirectRequests

from .direct_calls import counted, create, strike_writing
from .scripted import (
    CODE_1,
    CREATED,
    DROP,
    KEY,
    LINKS,
    NOT_FOUND,
    ONCE,
    RESET,
    SILENCE,
    Answer,
    Cut,
    Late,
    Parts,
    Raw,
    Script,
    Seen,
    link,
    scripted,
    serving,
)

CREATE = f"POST {LINKS}"
ANYTHING = "/v1/anything"


@pytest.fixture(autouse=True)
def went(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes had the bodies of the requests that went out directly."""
    return counted(monkeypatch)


def by_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave all to aiohttp."""
    monkeypatch.setattr(DirectRequests, "where_it_helps", lambda session: None)


# ----------------------------------------------------------------------------- what the server sees


async def arrived(method: str, body: Any, client: dict[str, Any] | None = None, **options: Any) -> list[Seen]:
    """Return what arrives of two requests: on a new connection, and on one that was used before."""
    route = f"{method} {ANYTHING}"
    steps = [Answer(201, {"id": "a"}), Answer(201, {"id": "b"})]
    async with scripted({route: steps}, **(client or {})) as (plexy, script):
        for _ in range(2):
            await plexy.request(method, ANYTHING, json=body, **options)
    assert script.count(route) == 2
    return script.seen


def shown(seen: Seen) -> tuple[Any, ...]:
    # The port is another one each time.
    headers = [(name, value if name != "host" else "") for name, value in seen.headers.items()]
    return seen.route, seen.query, headers, seen.body


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [None, 0, 10, LARGEST_AT_ONCE, LARGEST_AT_ONCE + 1])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "options", [{}, {"headers": {"X-Own": "o", "Idempotency-Key": "k"}}], ids=["", "own"]
)
@pytest.mark.parametrize("client", [{}, {"keepalive_timeout": 0}], ids=["kept", "closed"])
async def test_what_arrives_is_what_aiohttp_sends(
    method: str,
    size: int | None,
    options: dict[str, Any],
    client: dict[str, Any],
    went: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = None if size is None or method in ("GET", "DELETE") else {"description": "x" * size}
    options = {**options, "params": {"q": "a b&c", "é": "ü"}}
    ours = await arrived(method, body, client, **options)
    directly = list(went)
    is_direct = method == "GET" or (method in ("POST", "PATCH") and (size or 0) < LARGEST_AT_ONCE - 100)
    assert len(directly) == (2 if is_direct else 0)
    by_aiohttp(monkeypatch)
    theirs = await arrived(method, body, client, **options)
    assert [shown(seen) for seen in ours] == [shown(seen) for seen in theirs]


@pytest.mark.asyncio
async def test_a_body_that_the_connection_cannot_take_at_once_arrives_whole() -> None:
    seen = await arrived("POST", {"description": "x" * 2**25})
    assert [len(one.body) > 2**25 for one in seen] == [True, True]


@pytest.mark.asyncio
async def test_a_key_that_changes_is_sent_as_it_is_now(went: list[int]) -> None:
    keys = [f"pr_{n}" * 10 for n in (1, 1, 2, 3)]
    given = iter(keys)
    async with (
        serving({CREATE: CREATED}) as server,
        AsyncPlexyPay(lambda: next(given), base_url=server.url) as plexy,
    ):
        for amount in range(1, 5):
            await create(plexy, amount=amount)
    assert [seen.headers["authorization"] for seen in server.script.seen] == keys
    assert len(went) == 4


@pytest.mark.asyncio
async def test_headers_of_one_call_are_not_those_of_the_next(went: list[int]) -> None:
    async with scripted({CREATE: CREATED}) as (plexy, script):
        await create(plexy, amount=1)
        body = {"amount": 2, "currency": "KZT"}
        await plexy.request("POST", LINKS, json=body, headers={"X-Shop": "1"})
        await create(plexy, amount=3)
    assert [seen.headers.get("x-shop") for seen in script.seen] == [None, "1", None]
    assert len(went) == 3


class CountedTasks:
    """Counts the tasks that are made on the running loop."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        """Make a task as the loop itself does."""
        self.count += 1
        return asyncio.Task(coroutine, loop=loop, **options)


@pytest.mark.asyncio
async def test_a_request_takes_no_task_of_its_own() -> None:
    loop: Any = asyncio.get_running_loop()
    counted = CountedTasks()
    async with scripted({CREATE: CREATED}) as (plexy, script):
        await asyncio.gather(*(create(plexy, amount=n) for n in range(1, 11)))
        loop.set_task_factory(counted)
        try:
            await asyncio.gather(*(create(plexy, amount=n) for n in range(11, 21)))
        finally:
            loop.set_task_factory(None)
        assert script.count(CREATE) == 20
        assert script.connections == 10
    assert counted.count == 10


# ----------------------------------------------------------------------------- what the caller hears

BODY = b'{"id": "pl_1", "url": "https://pay.example", "amount": 100, "currency": "KZT"}'
CHUNKED = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:9], BODY[9:])) + b"0\r\n\r\n"


def raw(head: str, content: bytes = b"") -> Raw:
    return Raw(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + content)


SIZED = f"Content-Length: {len(BODY)}"
STEPS: dict[str, Callable[[], Any]] = {
    "created": lambda: Answer(201, link(None, amount=100)),
    "created, the body later": lambda: Parts(Answer(201, link(None, amount=100)), 3, 0.01),
    "the body never": lambda: Parts(Answer(201, link(None, amount=100)), 3, 0.01, sent=1),
    "code 1": lambda: CODE_1,
    "not found": lambda: NOT_FOUND,
    "nothing (204)": lambda: Answer(204),
    "a redirect": lambda: Answer(302, b"", {"Location": "/elsewhere"}),
    "cookies": lambda: Answer(201, link(None, amount=100), {"Set-Cookie": "a=b"}),
    "cut": lambda: Cut(Answer(201, link(None, amount=100))),
    "closed": lambda: DROP,
    "reset": lambda: RESET,
    "silence": lambda: SILENCE,
    "too late": lambda: Late(0.4, Answer(201, link(None, amount=100))),
    "continue first": lambda: raw(
        f"HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nX: y\n\nHTTP/1.1 201 C\n{SIZED}", BODY
    ),
    "continue, and nothing": lambda: raw("HTTP/1.1 100 Continue"),
    "another protocol": lambda: raw(
        "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: x", b"hello"
    ),
    "no HTTP": lambda: Raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "no HTTP, without an end": lambda: Raw(b"\x15\x03\x01\x00\x02\x02"),
    "a header without an end": lambda: Raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 300_000),
    "a bad length": lambda: raw("HTTP/1.1 201 C\nContent-Length: many", BODY),
    "two lengths": lambda: raw(f"HTTP/1.1 201 C\n{SIZED}\nContent-Length: 1", BODY),
    "a head that is cut": lambda: Raw(b"HTTP/1.1 201 Crea"),
    "HTTP/1.0": lambda: raw("HTTP/1.0 201 C", BODY),
    "until the end": lambda: raw("HTTP/1.1 201 C\nConnection: close", BODY),
    "chunked": lambda: raw("HTTP/1.1 201 C\nTransfer-Encoding: chunked", CHUNKED),
    "chunked, cut": lambda: raw("HTTP/1.1 201 C\nTransfer-Encoding: chunked", CHUNKED[:20]),
    "bad chunks": lambda: raw("HTTP/1.1 201 C\nTransfer-Encoding: chunked", b"zz\r\n" + BODY),
    "gzip": lambda: raw("HTTP/1.1 201 C\nContent-Encoding: gzip\nConnection: close", gzip.compress(BODY)),
    "no gzip": lambda: raw(f"HTTP/1.1 201 C\nContent-Encoding: gzip\n{SIZED}", BODY),
    "two answers": lambda: raw(
        f"HTTP/1.1 201 C\n{SIZED}", BODY + b"HTTP/1.1 201 C\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "more than its length": lambda: raw(f"HTTP/1.1 201 C\n{SIZED}", BODY + b"more"),
}


CALLS: dict[str, tuple[str, Callable[[AsyncPlexyPay], Any]]] = {
    "create": (CREATE, lambda plexy: plexy.payment_links.create(amount=100, currency="KZT")),
    "retrieve": (f"GET {LINKS}/pl_1", lambda plexy: plexy.payment_links.retrieve("pl_1")),
    "a page": (f"GET {LINKS}", lambda plexy: plexy.payment_links.list().first_page()),
}


async def told(call: str, step: Callable[[], Any], *, is_used: bool) -> dict[str, Any]:
    """Return what a caller hears of a call, and what the server and the pool see."""
    route, made = CALLS[call]
    script = Script({"POST /before": Answer(201, {"id": "before"}), route: [step(), step()]})
    heard: dict[str, Any] = {}
    options: dict[str, Any] = {"retry": ONCE, "timeout": 2.0, "read_timeout": 0.2}
    async with serving(script) as server, AsyncPlexyPay(KEY, base_url=server.url, **options) as plexy:
        if is_used:
            await plexy.request("POST", "/before", json={})
        try:
            heard["found"] = (await made(plexy)).raw
        except PlexyPayError as error:
            cause = error.__cause__
            heard["error"] = (type(error), str(error), error.outcome, type(cause), str(cause))
            heard["raw"] = getattr(error, "raw", None)
        connections: Any = await plexy._execution.transport.connections()
        pool = connections._session.connector
        heard["idle"] = sum(map(len, pool._conns.values()))
        heard["in use"] = len(pool._acquired)
    heard["arrived"] = script.counts
    heard["connections"] = script.connections
    return heard


@pytest.mark.asyncio
@pytest.mark.parametrize("is_used", [False, True], ids=["new connection", "used connection"])
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("call", CALLS)
async def test_a_caller_hears_the_same_as_by_aiohttp(
    call: str, name: str, is_used: bool, went: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = await told(call, STEPS[name], is_used=is_used)
    assert len(went) == sum(ours["arrived"].values())
    by_aiohttp(monkeypatch)
    theirs = await told(call, STEPS[name], is_used=is_used)
    assert ours == theirs
    assert not ours["in use"]


@pytest.mark.asyncio
async def test_a_server_that_refuses_is_told_as_by_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[Any, ...]] = []
    for _ in range(2):
        async with scripted({}, listening=False, retry=ONCE) as (plexy, _script):
            with pytest.raises(PlexyPayError) as caught:
                await create(plexy)
        port = str(plexy._execution.settings.base_url).rpartition(":")[2]
        error = caught.value
        heard.append((type(error), str(error).replace(port, ""), error.outcome, type(error.__cause__)))
        by_aiohttp(monkeypatch)
    assert heard[0] == heard[1]


@pytest.mark.asyncio
async def test_a_connection_that_takes_too_long_is_told_as_by_aiohttp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", never)
    heard: list[tuple[Any, ...]] = []
    for _ in range(2):
        async with scripted({}, connect_timeout=0.05, retry=ONCE) as (plexy, script):
            with pytest.raises(PlexyPayError) as caught:
                await create(plexy)
            assert not script.connections
        port = str(plexy._execution.settings.base_url).rpartition(":")[2]
        error = caught.value
        heard.append((type(error), str(error).replace(port, "").replace(LINKS, ""), error.outcome))
        by_aiohttp(monkeypatch)
    assert heard[0] == heard[1]


# ------------------------------------------------------------------------------------------- lost connections


@pytest.mark.asyncio
@pytest.mark.parametrize("is_used", [False, True], ids=["new connection", "used connection"])
async def test_a_connection_lost_before_the_writing_says_that_nothing_was_sent(
    is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a keep-alive connection that the server closed in the same turn of the loop."""
    own, lost = guard.checked, [False]

    async def checked(protocol: Any, *args: Any) -> Any:
        memory = await own(protocol, *args)
        if (memory.used_at is not None) == is_used and not lost[0]:
            lost[0] = True
            protocol.transport.abort()
        return memory

    monkeypatch.setattr(direct, "checked", checked)
    async with scripted({CREATE: CREATED}) as (plexy, script):
        for amount in range(1, 2 + is_used):
            # It is repeated, though it has no order reference: a request that was not sent can be.
            await create(plexy, amount=amount)
        assert script.counts == {CREATE: 1 + is_used}
        assert script.connections == 2
    assert lost[0]


@pytest.mark.asyncio
async def test_a_connection_lost_after_the_writing_leaves_the_outcome_unknown() -> None:
    async with scripted({CREATE: [CREATED, DROP]}) as (plexy, script):
        await create(plexy)
        with pytest.raises(OutcomeUnknownError):
            await create(plexy, amount=101)
        assert script.counts == {CREATE: 2}


@pytest.mark.asyncio
async def test_a_call_that_is_given_up_takes_its_connection_with_it() -> None:
    async with scripted({CREATE: [CREATED, SILENCE, CREATED]}) as (plexy, script):
        await create(plexy)
        call = asyncio.create_task(create(plexy, amount=101))
        while script.count() < 2:
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        connections: Any = await plexy._execution.transport.connections()
        assert not connections._session.connector._acquired
        await create(plexy, amount=102)
        assert script.connections == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("is_direct", [True, False])
@pytest.mark.parametrize("status", [200, 408])
async def test_what_lies_on_a_connection_already_is_no_answer(
    status: int, is_direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the 408 of a server that has closed a connection for having been idle."""
    if not is_direct:
        by_aiohttp(monkeypatch)
    body = b'{"id":"not yours","url":"https://pay.example"}'
    unasked = b"HTTP/1.1 %d Unasked\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
    first = Script({CREATE: CREATED})
    async with serving(first) as server, AsyncPlexyPay(KEY, base_url=server.url) as plexy:
        await create(plexy)
        connections: Any = await plexy._execution.transport.connections()
        (protocols,) = connections._session.connector._conns.values()
        protocols[0][0].data_received(unasked)
        found = await plexy.payment_links.create(amount=101, currency="KZT")
        assert found.id != "not yours"
        assert first.count(CREATE) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("call", ["create", "retrieve"])
async def test_a_server_that_says_that_it_is_at_work_is_not_silent(call: str) -> None:
    """By `102 Processing`, which may come again and again."""

    class Slow(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, _: bytes) -> None:
            loop = asyncio.get_running_loop()
            for number in range(1, 5):
                loop.call_later(number * 0.12, self.transport.write, b"HTTP/1.1 102 Processing\r\n\r\n")
            whole = Answer(200, link(id="pl_1", orderReference=None, amount=100)).whole
            loop.call_later(0.6, self.transport.write, whole)

    server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with AsyncPlexyPay(KEY, base_url=url, retry=ONCE, read_timeout=0.25, timeout=5) as plexy:
            found: Any = await CALLS[call][1](plexy)
    assert found.id == "pl_1"


@pytest.mark.asyncio
async def test_the_silence_of_a_lost_get_is_none_of_its_second_sending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, opened = aiohttp.TCPConnector._create_connection, [0]

    async def slowly(*args: Any) -> Any:
        opened[0] += 1
        await asyncio.sleep(0.3 * (opened[0] > 1))
        return await own(*args)

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", slowly)
    steps = [Late(0.2, DROP), Answer(200, link())]
    options: dict[str, Any] = {"retry": ONCE, "read_timeout": 0.35}
    async with scripted({f"GET {LINKS}/pl_1": steps}, **options) as (plexy, script):
        assert (await plexy.payment_links.retrieve("pl_1")).id == "pl_1"
        assert script.count() == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [TimeoutError, KeyError])
async def test_what_a_signals_handler_raises_is_not_taken_for_a_lost_connection(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GET would be sent again for it."""

    def strike(write: Callable[[bytes], None], content: bytes) -> None:
        write(content)
        raise kind("the job took too long")

    strike_writing(monkeypatch, strike)
    async with scripted({f"GET {LINKS}/pl_1": Answer(200, link())}, retry=ONCE) as (plexy, script):
        with pytest.raises(PlexyPayError, match="the job took too long"):
            await plexy.payment_links.retrieve("pl_1")
        await asyncio.sleep(0.05)
        assert script.count() == 1


@pytest.mark.asyncio
async def test_no_frame_that_waits_for_an_answer_holds_the_request() -> None:
    """Nor its key: who looks at a hanging process writes out what its frames hold."""
    async with scripted({f"POST {ANYTHING}": SILENCE}) as (plexy, script):
        calling = asyncio.create_task(plexy.request("POST", ANYTHING, json={"note": "4111"}))
        while not script.count():
            await asyncio.sleep(0.001)
        here: Any = calling.get_coro()
        frames: list[Any] = []
        while here is not None:
            frames.append(getattr(here, "cr_frame", None))
            here = getattr(here, "cr_await", None)
        # The outer one is the fixture's.
        inside = [frame for frame in frames if frame and frame.f_code.co_filename == direct.__file__][-1]
        assert inside.f_code.co_name == "answer"
        held = " ".join(map(repr, inside.f_locals.values()))
        assert "4111" not in held
        assert KEY not in held
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_body_is_what_it_was_made_of() -> None:
    loop = asyncio.get_running_loop()
    sending = Sending(Deadlines(loop).watch(loop.time() + 5))
    body = Body('{"a":"ü"}'.encode(), sending)
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
