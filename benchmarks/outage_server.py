"""A server that has an outage when it is told to, and notes when each request came.

It makes whatever link it is asked for, a repeated order reference too: what is made twice shows.

``python -m benchmarks.outage_server [--latency SECONDS] [--cpu N]`` prints its address and that of its
control, and serves until its input ends. The control answers ``GET /begin/KIND/SECONDS`` and ``GET /report``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Generator
from typing import Any, NamedTuple, cast

from . import answers
from .server import LENGTH, SERVER_CPU, pin

KINDS = ("code 1", "cut before", "cut after", "cut", "gateway", "silence", "refused", "mixed")
"""What an outage can be: code 1, connections cut before or after the work, or now so and now so, a gateway's
502 and 503 without a code, no answer at all, no listener, and all but the last two at random."""
MIXED = ("code 1", "cut before", "cut after", "gateway")
CREATE = b"POST /v1/payment-links "
BY_REFERENCE = b"GET /v1/payment-links/by-order-reference/"
REFERENCE = re.compile(rb'"orderReference": *"([^"]*)"')
NOT_FOUND = answers.response(b"404 Not Found", b'{"code":4,"message":"no such link","type":"apiError"}')
GATEWAYS = tuple(
    answers.response(status, b"<html>no upstream</html>").replace(b"application/json", b"text/html")
    for status in (b"502 Bad Gateway", b"503 Service Unavailable")
)


class Report(NamedTuple):
    """What has come to pass, by the server's clock."""

    arrived: list[float]
    """When each request came."""
    made: int
    """How many order references have a link."""
    twice: int
    """How many have more than one."""
    began: float
    """When the latest outage began, and when it ended."""
    ended: float


class State:
    """What all connections share."""

    def __init__(self, latency: float, seed: int) -> None:
        self.latency = latency
        self.arrived: list[float] = []
        self.links: dict[bytes, bytes] = {}
        self.made: Counter[bytes] = Counter()
        self.kind: str | None = None
        self.began = self.ended = 0.0
        self.transports: set[asyncio.Transport] = set()
        self._random = random.Random(seed)

    def fault(self) -> str | None:
        """Return what the request that has just come meets."""
        if self.kind == "mixed":
            return self._random.choice(MIXED)
        if self.kind == "cut":
            return self._random.choice(("cut before", "cut after"))
        return self.kind

    def gateway(self) -> bytes:
        """Return what a gateway answers without the server."""
        return self._random.choice(GATEWAYS)

    def work(self, received: bytes) -> bytes:
        """Do what a request asks for, and return the answer."""
        if received.startswith(CREATE):
            answer = answers.created(received)
            if (reference := REFERENCE.search(received)) is not None:
                self.made[reference[1]] += 1
                self.links[reference[1]] = answer
            return answer
        target = received[: received.index(b"\r\n")].rpartition(b" ")[0]
        if target.startswith(BY_REFERENCE):
            return self.links.get(target.removeprefix(BY_REFERENCE), NOT_FOUND)
        if target.startswith(b"GET /v1/payment-links?"):
            return answers.response(b"200 OK", b'{"data":[],"page":1,"size":100,"total":0}')
        return NOT_FOUND

    def report(self) -> Report:
        """Return what has come to pass."""
        twice = sum(count > 1 for count in self.made.values())
        return Report(self.arrived, len(self.made), twice, self.began, self.ended)


class Served(asyncio.Protocol):
    """Answers, or fails, each whole request of one connection."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        self._transport = cast(asyncio.Transport, transport)
        self._state.transports.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._state.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is whole by now."""
        received = self._received + data
        while (end := received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(received, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(received) < size:
                break
            self._take(received[:size])
            received = received[size:]
        self._received = received

    def _take(self, received: bytes) -> None:
        state = self._state
        state.arrived.append(time.monotonic())
        match state.fault():
            case None:
                asyncio.get_running_loop().call_later(state.latency, self._finish, received)
            case "code 1":
                self._transport.write(answers.UNAVAILABLE)
            case "gateway":
                self._transport.write(state.gateway())
            case "cut before":
                self._transport.abort()
            case "cut after":
                state.work(received)
                self._transport.abort()
            case _:
                # Silence.
                pass

    def _finish(self, received: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._state.work(received))


class Control:
    """Begins and ends outages, and reports."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._server: asyncio.Server | None = None
        self._port = 0

    async def listen(self) -> str:
        """Listen for the client's requests; return the address."""
        loop = asyncio.get_running_loop()
        state = self._state
        self._server = await loop.create_server(
            lambda: Served(state), "127.0.0.1", self._port, backlog=2048, reuse_address=True
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{self._port}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question, and close."""
        line = (await reader.readline()).decode()
        while (await reader.readline()).strip():
            pass
        target = line.split(" ")[1].replace("%20", " ")
        body: Any = None
        if target.startswith("/begin/"):
            kind, seconds = target.split("/")[2:]
            self._begin(kind, float(seconds))
        elif target == "/report":
            body = self._state.report()._asdict()
        writer.write(answers.response(b"200 OK", json.dumps(body).encode()))
        await writer.drain()
        writer.close()

    def _begin(self, kind: str, seconds: float) -> None:
        state = self._state
        state.kind, state.began = kind, time.monotonic()
        asyncio.get_running_loop().call_later(seconds, self._end)
        if kind == "refused" and self._server is not None:
            self._server.close()
            for transport in list(state.transports):
                transport.abort()

    def _end(self) -> None:
        state = self._state
        was_refused, state.kind, state.ended = state.kind == "refused", None, time.monotonic()
        if was_refused:
            self._listening = asyncio.ensure_future(self.listen())


async def serve(latency: float, seed: int) -> None:
    """Serve until standard input ends."""
    control = Control(State(latency, seed))
    address = await control.listen()
    asked = await asyncio.start_server(control.answer, "127.0.0.1", 0)
    print(address, f"http://127.0.0.1:{asked.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class Outages:
    """The other end of a server's control."""

    def __init__(self, control: str) -> None:
        self._control = control

    def begin(self, kind: str, seconds: float) -> None:
        """Begin an outage, which ends by itself."""
        self._ask(f"/begin/{kind.replace(' ', '%20')}/{seconds}")

    def report(self) -> Report:
        """Return what has come to pass."""
        return Report(**self._ask("/report"))

    def _ask(self, target: str) -> Any:
        with urllib.request.urlopen(self._control + target, timeout=30) as answer:
            return json.load(answer)


@contextlib.contextmanager
def served(latency: float, seed: int = 1) -> Generator[tuple[str, Outages]]:
    """Serve from a process of its own on the second CPU; yields the address, and what begins outages."""
    command = [sys.executable, "-m", "benchmarks.outage_server", f"--latency={latency}", f"--seed={seed}"]
    command.append(f"--cpu={SERVER_CPU}")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address, control = process.stdout.readline().split()
        yield address, Outages(control)
        process.communicate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve payment links, and fail when told to.")
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cpu", type=int, default=0)
    given = parser.parse_args()
    pin(given.cpu)
    asyncio.run(serve(given.latency, given.seed))
