"""What the sandbox holds of clients that do not come to an end: so much, and so long."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

HEAD = b"POST /v1/payment-links HTTP/1.1\r\nHost: localhost\r\nAuthorization: sandbox-key\r\n"
WHOLE = b"GET /_sandbox/clock HTTP/1.1\r\nHost: localhost\r\n\r\n"
LINK = b'{"amount":100,"currency":"KZT"}'
TIMEOUT = 0.3

Opened: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(sandbox: Sandbox) -> AsyncIterator[Callable[[], asyncio.Future[Opened]]]:
    """Open plain connections, and close them at the end."""
    host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Opened:
        reader, writer = await asyncio.open_connection(host, int(port))
        writers.append(writer)
        return reader, writer

    try:
        yield lambda: asyncio.ensure_future(connect())
    finally:
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side has closed the connection; whether it did so in time."""
    try:
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


async def head_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.readuntil(b"\r\n")


async def whole_answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await reader.readexactly(length)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"P",
        HEAD,
        HEAD + b"Content-Length: 31\r\n\r\n",
        HEAD + b"Content-Length: 31\r\n\r\n" + LINK[:10],
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"POST /checkout/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 100\r\n\r\n--x\r\n",
        b"POST /_sandbox/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 31\r\n\r\ncode",
    ],
)
async def test_a_half_sent_request_is_let_go(sent: bytes) -> None:
    async with Sandbox(request_timeout=TIMEOUT) as sandbox, connected(sandbox) as connect:
        reader, writer = await connect()
        writer.write(sent)
        assert await ended(reader)
        assert sandbox.payment_links() == []


async def test_half_of_the_next_request_is_let_go_too() -> None:
    async with Sandbox(request_timeout=TIMEOUT) as sandbox, connected(sandbox) as connect:
        reader, writer = await connect()
        writer.write(WHOLE)
        assert b" 200 " in await whole_answer(reader)
        # What waits between two requests has sent nothing by halves.
        await asyncio.sleep(3 * TIMEOUT)
        writer.write(WHOLE)
        assert b" 200 " in await whole_answer(reader)
        writer.write(WHOLE[:20])
        assert await ended(reader)


async def test_half_of_a_request_that_comes_during_another_is_let_go() -> None:
    async with (
        Sandbox(request_timeout=TIMEOUT, faults=["latency=0.2,times=1"]) as sandbox,
        connected(sandbox) as connect,
    ):
        reader, writer = await connect()
        writer.write(b"GET /v1/payment-links HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(10):
            while not sandbox.requests.count():
                await asyncio.sleep(0.01)
        writer.write(WHOLE + HEAD)
        assert b" 401 " in await whole_answer(reader)
        assert b" 200 " in await whole_answer(reader)
        assert await ended(reader)


async def test_bytes_that_trickle_in_do_not_prolong_it() -> None:
    async with Sandbox(request_timeout=TIMEOUT) as sandbox, connected(sandbox) as connect:
        reader, writer = await connect()

        async def trickle() -> None:
            for byte in HEAD * 100:
                writer.write(bytes([byte]))
                await asyncio.sleep(TIMEOUT / 10)

        trickling = asyncio.ensure_future(trickle())
        assert await ended(reader)
        trickling.cancel()


async def test_what_takes_long_to_answer_is_no_half_sent_request() -> None:
    async with Sandbox(request_timeout=TIMEOUT, faults=[f"latency={4 * TIMEOUT}"]) as sandbox:
        async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
            link = await plexy.payment_links.create(amount=100, currency="KZT")
        assert [stored["id"] for stored in sandbox.payment_links()] == [link.id]


async def test_a_connection_more_takes_the_place_of_an_idle_one() -> None:
    async with Sandbox(max_connections=3) as sandbox, connected(sandbox) as connect:
        first, second, third = [await connect() for _ in range(3)]
        for reader, writer in (second, first, third):
            writer.write(WHOLE)
            assert b" 200 " in await whole_answer(reader)
        fourth, writer = await connect()
        writer.write(WHOLE)
        assert b" 200 " in await head_of(fourth)
        # The second was idle for the longest time.
        assert await ended(second[0])
        for reader, writer in (first, third):
            writer.write(WHOLE)
            assert b" 200 " in await head_of(reader)


async def test_half_sent_requests_keep_nobody_out() -> None:
    async with Sandbox(max_connections=5) as sandbox, connected(sandbox) as connect:
        for _ in range(50):
            _, writer = await connect()
            writer.write(HEAD)
        async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
            await plexy.payment_links.create(amount=100, currency="KZT")
        assert len(sandbox.payment_links()) == 1
        assert len(sandbox._started().connections) <= 5  # pyright: ignore[reportPrivateUsage]


async def test_no_answer_is_given_up_for_a_connection_more() -> None:
    async with Sandbox(max_connections=2, faults=["hang=true"]) as sandbox, connected(sandbox) as connect:
        hanging = [await connect() for _ in range(2)]
        for _, writer in hanging:
            writer.write(HEAD + b"Content-Length: 31\r\n\r\n" + LINK)
        async with asyncio.timeout(10):
            while sandbox.requests.count() < 2:
                await asyncio.sleep(0.01)
        refused, writer = await connect()
        writer.write(WHOLE)
        assert await ended(refused)
        for reader, _ in hanging:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await reader.read(1)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
        HEAD + b"X: " + b"a" * 20_000,
        HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(500)) + b"\r\n",
    ],
)
async def test_a_head_is_bounded(sandbox: Sandbox, sent: bytes) -> None:
    async with connected(sandbox) as connect:
        reader, writer = await connect()
        writer.write(sent)
        assert b" 400 " in await head_of(reader)
        assert await ended(reader)


@pytest.mark.parametrize("path", ["/v1/payment-links", "/_sandbox/faults", "/checkout/x", "/", "/nothing"])
@pytest.mark.parametrize("encoding", ["", "chunked", "gzip"])
async def test_a_body_is_bounded(sandbox: Sandbox, path: str, encoding: str) -> None:
    big = b"a" * (3 << 20)
    if encoding == "chunked":
        framed = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(big), big)
    else:
        body = gzip.compress(big) if encoding else big
        zipped = b"Content-Encoding: gzip\r\n" if encoding else b""
        framed = zipped + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with connected(sandbox) as connect:
        reader, writer = await connect()
        writer.write(b"POST %b HTTP/1.1\r\nHost: localhost\r\n" % path.encode() + framed)
        answer = await whole_answer(reader)
        assert b" 413 " in answer.partition(b"\r\n")[0]
        assert b"body: larger than 1048576 bytes" in answer


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_a_body_that_cannot_be_read(sandbox: Sandbox, framed: bytes) -> None:
    async with connected(sandbox) as connect:
        reader, writer = await connect()
        writer.write(HEAD + framed)
        assert b" 400 " in await head_of(reader)
