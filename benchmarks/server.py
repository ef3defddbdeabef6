"""A server on loopback that costs as little as it can: every request gets the same answer, a payment link.

``python -m benchmarks.server [LATENCY] [CPU]`` serves until its input ends, and prints its address first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Generator
from typing import cast

BODY = (
    b'{"id":"pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f","amount":2200000,"currency":"KZT",'
    b'"description":"Invoice","orderReference":"ORD-1","status":"active",'
    b'"url":"https://pay.example/pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f",'
    b'"metadata":{"successUrl":"https://shop.example/thanks"},"customerId":null,'
    b'"createdAt":"2025-03-01T12:00:00Z","updatedAt":"2025-03-01T12:00:00Z","expiresAt":"2099-03-01T12:00:00Z"}'
)
ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SERVER_CPU, CLIENT_CPU = 1, 0


class CannedAnswers(asyncio.Protocol):
    """Answers each whole request with `ANSWER`, after `latency` seconds."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        # uvloop's own transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is whole by now."""
        received = self._received + data
        while (end := received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(received, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(received) < size:
                break
            received = received[size:]
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._answer)
            else:
                self._answer()
        self._received = received

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)


def pin(cpu: int) -> None:
    """Stay on one CPU, where there are two and the system can say so."""
    pinned(0, cpu)


def pinned(process: int, cpu: int) -> None:
    """Keep a process, by its id, on one CPU; 0 is this one."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(process)) > 1:
        os.sched_setaffinity(process, {sorted(os.sched_getaffinity(process))[cpu]})


async def serve(latency: float) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: CannedAnswers(latency), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextlib.contextmanager
def served(latency: float = 0.0) -> Generator[str]:
    """Serve from a process of its own on the second CPU; yields the address."""
    command = [sys.executable, "-m", "benchmarks.server", str(latency), str(SERVER_CPU)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def main(latency: float, cpu: int) -> None:
    """Serve on a CPU, with uvloop where it is installed."""
    pin(cpu)
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(latency))
    else:
        uvloop.run(serve(latency))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
