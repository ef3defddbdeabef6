"""The limit of the machine: bytes over asyncio protocols, no HTTP client and no JSON library at all."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from typing import cast
from urllib.parse import urlsplit

from . import KEY, PATH, SUCCESS_URL, AsyncCreate

BODY = (
    b'{"amount":%d,"currency":"KZT","description":"Invoice","orderReference":"ORD-%d",'
    b'"metadata":{"successUrl":"' + SUCCESS_URL.encode() + b'"}}'
)
HEAD = (
    f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {KEY}\r\n"
    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
).encode()
CREATED, LENGTH, END, URL = b"HTTP/1.1 201 ", b"Content-Length: ", b"\r\n\r\n", b'"url":"'


class Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to send."""
        # uvloop's own transports do not derive from asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Settle the request once its answer is whole."""
        received = self._received = self._received + data if self._received else data
        if (end := received.find(END)) < 0:
            return
        at = received.index(LENGTH) + len(LENGTH)
        if len(received) >= end + len(END) + int(received[at : received.index(b"\r", at)]):
            self._received = b""
            if self._answer is not None:
                self._answer.set_result(received)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that is under way."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Send a request; return its answer to be."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer


@contextlib.asynccontextmanager
async def opened(url: str, connections: int) -> AsyncGenerator[AsyncCreate]:
    """Open so many connections."""
    loop, address = asyncio.get_running_loop(), urlsplit(url)
    host, port = address.hostname or "", address.port or 80
    tls = ssl.create_default_context() if address.scheme == "https" else None
    made = [await loop.create_connection(Connection, host, port, ssl=tls) for _ in range(connections)]
    idle = [connection for _, connection in made]

    async def create(n: int) -> str:
        connection = idle.pop()
        body = BODY % (100 + n, n)
        answer = await connection.ask(HEAD % len(body) + body)
        idle.append(connection)
        if not answer.startswith(CREATED):
            raise RuntimeError(repr(answer[:80]))
        at = answer.index(URL) + len(URL)
        return answer[at : answer.index(b'"', at)].decode()

    try:
        yield create
    finally:
        for transport, _ in made:
            transport.close()
