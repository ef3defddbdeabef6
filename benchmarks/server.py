"""A server on loopback that costs as little as it can: it answers from what is canned.

Of a creation's body it looks at the amount and the order reference alone, to answer with them.

``python -m benchmarks.server [--latency SECONDS] [--capacity N] [--fault-rate SHARE] [--total N] [--cpu N]
[--certificates FILE]`` serves until its input ends, and prints its address first; with certificates over TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple, cast

from . import answers, certificates

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CREATE = b"POST /v1/payment-links "
LIST = b"GET /v1/payment-links?"
RETRIEVE = b"GET /v1/payment-links/"
REQUESTS = b"GET /_sandbox/requests "
"""Answers how many requests have come, as the sandbox does."""
SERVER_CPU, CLIENT_CPU = 1, 0


class Behaviour(NamedTuple):
    """How a server answers."""

    latency: float = 0.0
    """Seconds that each answer takes."""
    capacity: int = 0
    """How many requests may be at work at once; those above are answered with code 1, at once. 0: any."""
    fault_rate: float = 0.0
    """The share of the creations that are answered with code 1, evenly spread."""
    total: int = 100_000
    """How many items are listed."""
    tls: bool = False
    """Whether it speaks TLS 1.3, with the certificates that it is given."""

    def arguments(self) -> list[str]:
        """Return this as the command line has it, but for the certificates that TLS takes."""
        return [
            f"--{name.replace('_', '-')}={value}" for name, value in self._asdict().items() if name != "tls"
        ]


class Traffic:
    """What all connections share."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.arrived = 0
        self.at_work = 0
        self._due = 0.0

    def is_faulty(self) -> bool:
        """Tell whether it is the turn of a fault."""
        self._due += self.behaviour.fault_rate
        if self._due < 1:
            return False
        self._due -= 1
        return True

    def answer(self, received: bytes) -> bytes:
        """Return the answer to a request."""
        if received.startswith(REQUESTS):
            return answers.response(b"200 OK", b'{"total":%d}' % self.arrived)
        self.arrived += 1
        if received.startswith(CREATE):
            if self.behaviour.fault_rate and self.is_faulty():
                return answers.UNAVAILABLE
            return answers.created(received)
        target = received[: received.index(b"\r\n")]
        if target.startswith(LIST):
            return answers.page(target, self.behaviour.total)
        if target.startswith(RETRIEVE):
            return answers.FOUND
        return answers.CREATED_BY.get(target.rpartition(b" ")[0], answers.UNKNOWN)


class CannedAnswers(asyncio.Protocol):
    """Answers each whole request of one connection."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
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
            self._take(received[:size])
            received = received[size:]
        self._received = received

    def _take(self, received: bytes) -> None:
        traffic = self._traffic
        behaviour = traffic.behaviour
        answer = traffic.answer(received)
        if not behaviour.latency:
            self._write(answer)
        elif behaviour.capacity and traffic.at_work >= behaviour.capacity:
            self._write(answers.UNAVAILABLE)
        else:
            traffic.at_work += 1
            asyncio.get_running_loop().call_later(behaviour.latency, self._finish, answer)

    def _finish(self, answer: bytes) -> None:
        self._traffic.at_work -= 1
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def pin(cpu: int) -> None:
    """Stay on one CPU, where there are two and the system can say so."""
    pinned(0, cpu)


def pinned(process: int, cpu: int) -> None:
    """Keep a process, by its id, on one CPU; 0 is this one."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(process)) > 1:
        os.sched_setaffinity(process, {sorted(os.sched_getaffinity(process))[cpu]})


async def serve(behaviour: Behaviour, files: Path | None = None) -> None:
    """Serve until standard input ends, over TLS with certificates."""
    loop = asyncio.get_running_loop()
    traffic = Traffic(behaviour)
    tls = None if files is None else certificates.of_server(files)
    server = await loop.create_server(
        lambda: CannedAnswers(traffic), certificates.HOST, 0, backlog=1024, ssl=tls
    )
    scheme = "http" if tls is None else "https"
    print(f"{scheme}://{certificates.HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextlib.contextmanager
def served(
    latency: float = 0.0,
    *,
    capacity: int = 0,
    fault_rate: float = 0.0,
    total: int = 100_000,
    files: Path | None = None,
) -> Generator[str]:
    """Serve from a process of its own on the second CPU, over TLS with certificates; yields the address.

    Raises:
        ValueError: A capacity without a latency: a request would never be at work while another comes.
    """
    if capacity and not latency:
        raise ValueError("capacity: needs a latency, or no two requests are ever at work at once")
    behaviour = Behaviour(latency, capacity, fault_rate, total)
    command = [sys.executable, "-m", "benchmarks.server", *behaviour.arguments(), f"--cpu={SERVER_CPU}"]
    if files is not None:
        command.append(f"--certificates={files}")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def main(behaviour: Behaviour, cpu: int, files: Path | None) -> None:
    """Serve on a CPU, with uvloop where it is installed."""
    pin(cpu)
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(behaviour, files))
    else:
        uvloop.run(serve(behaviour, files))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve canned answers on loopback.")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--capacity", type=int, default=0)
    parser.add_argument("--fault-rate", type=float, default=0.0)
    parser.add_argument("--total", type=int, default=100_000)
    parser.add_argument("--cpu", type=int, default=0)
    parser.add_argument("--certificates", type=Path)
    given = parser.parse_args()
    behaviour = Behaviour(given.latency, given.capacity, given.fault_rate, given.total)
    main(behaviour, given.cpu, given.certificates)
