"""A cancelled call leaves no connection behind on which its answer, or a copy of it, may still come."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from plexypay_async import AsyncPlexyPay, RetryPolicy

MISSING = b'{"code":4,"message":"not found","source":"links","type":"apiError"}'
HEAD = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
    MISSING
)


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(8))
async def test_a_call_that_is_cancelled_as_its_answer_comes_gives_its_connection_up(turns: int) -> None:
    opened, wrote = 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                # In two parts, so that the body is read apart from the head.
                writer.write(HEAD)
                await writer.drain()
                await asyncio.sleep(0.02)
                writer.write(MISSING)
                wrote.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with AsyncPlexyPay("key", base_url=url, retry=RetryPolicy(max_attempts=1)) as plexy:
        calling = asyncio.ensure_future(plexy.payment_links.retrieve("pl_1"))
        await wrote.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        was_cancelled = calling.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await calling
        with contextlib.suppress(Exception):
            await plexy.payment_links.retrieve("pl_2")
    server.close()

    # A refusal closes it as well.
    assert opened == 2, f"cancelled: {was_cancelled}"
