"""The socket of a recording server: reads requests on loopback, and leaves to its kind what comes of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator
from typing import TypeVar

from .recording_server import Answer, Asked, RecordingServer

__all__ = ["PLACES", "Front", "cut", "head_of", "listening", "reset_on_close", "written"]

PLACES = ("before the head", "in the head", "before the body", "in the body", "after the body")
"""Where an answer may be cut; at the last place it is whole."""


class Front:
    """Speaks HTTP/1.1, as far as a request goes."""

    base_url: str

    def __init__(self, server: RecordingServer) -> None:
        self.server = server
        self._serving: set[asyncio.Task[None]] = set()

    async def exchange(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer a request, or not; False where the connection is to be closed."""
        raise NotImplementedError

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to serve one connection."""
        # A task of its own, since asyncio's own reports every one that is cancelled.
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.exchange(await self._asked(reader), reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    async def _asked(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.split("\r\n")
        method, target, _ = start.split(" ")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return self.server.asked(method, target, headers, body)

    async def close(self) -> None:
        """Drop all connections."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        failed = [error for error in await asyncio.gather(*serving, return_exceptions=True) if error]
        assert not failed, failed


_F = TypeVar("_F", bound=Front)


@contextlib.asynccontextmanager
async def listening(front: _F) -> AsyncGenerator[_F]:
    """Serve on loopback for the length of a block."""
    accepting = await asyncio.start_server(front.connected, "127.0.0.1", 0, backlog=1024)
    host, port = accepting.sockets[0].getsockname()[:2]
    front.base_url = f"http://{host}:{port}"
    try:
        yield front
    finally:
        accepting.close()
        await front.close()
        await accepting.wait_closed()


def head_of(status: int, *further: str, kind: str = "application/json") -> bytes:
    """Return an answer's head."""
    return "\r\n".join((f"HTTP/1.1 {status} Told", f"Content-Type: {kind}", *further, "", "")).encode()


def written(answer: Answer | tuple[int, bytes]) -> bytes:
    """Return an answer as it is on the wire."""
    status, body = (answer.status, answer.body) if isinstance(answer, Answer) else answer
    further = ["Location: /elsewhere"] if 300 <= status < 400 else []
    kind = "text/html" if body.startswith(b"<") else "application/json"
    return head_of(status, *further, f"Content-Length: {len(body)}", kind=kind) + body


def cut(content: bytes, place: str) -> bytes:
    """Return as much of an answer as comes before a place in it."""
    head = content.index(b"\r\n\r\n") + 4
    match place:
        case "before the head":
            return b""
        case "in the head":
            return content[: head // 2]
        case "before the body":
            return content[:head]
        case "in the body":
            return content[: (head + len(content)) // 2]
        case _:
            return content


def reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Let the connection be reset when it is closed."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
