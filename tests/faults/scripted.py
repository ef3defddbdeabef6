"""A raw HTTP server that answers from a script, byte by byte, and notes what it saw.

It speaks HTTP without a framework, because half of what it plays no framework would send: an answer cut in
its body, a reset, silence, garbage.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import re
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, TypeAlias, cast

import attrs

from plexypay_async import AsyncPlexyPay, RetryPolicy

KEY = "pr_0123456789abcdef0123456789abcdef"
LINKS = "/v1/payment-links"
BY_REFERENCE = f"{LINKS}/by-order-reference"
SHORT = RetryPolicy(base=0.002, cap=0.01)
ONCE = RetryPolicy(max_attempts=1, base=0.002, cap=0.01)


@attrs.frozen
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def route(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.frozen
class Answer:
    """A whole answer; a body that is no bytes goes out as JSON."""

    status: int
    body: Any = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def head(self, length: int) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Scripted"]
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {length}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    @property
    def whole(self) -> bytes:
        return self.head(len(self.content)) + self.content

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@attrs.frozen
class Cut:
    """An answer whose connection ends in the middle of the body."""

    answer: Answer


@attrs.frozen
class Trickle:
    """An answer whose body comes a byte at a time, and never to its end."""

    answer: Answer
    every: float = 0.01


@attrs.frozen
class Parts:
    """An answer whose body comes in so many parts, with a pause before each; `sent` of them, then silence."""

    answer: Answer
    parts: int
    every: float
    sent: int | None = None


@attrs.frozen
class Raw:
    """Any bytes, after which the connection is closed."""

    content: bytes


@attrs.frozen
class Again:
    """An answer that is sent once more on its connection, so many seconds later, as some proxies do."""

    answer: Answer
    after: float
    is_apart: bool = False
    """Whether head and body of the first one come apart, as they do of many servers."""


@attrs.frozen
class Late:
    """A step that is taken only after some seconds."""

    seconds: float
    step: Step


class Play(enum.Enum):
    """What can be done instead of answering."""

    DROP = "close the connection"
    RESET = "reset the connection"
    SILENCE = "never answer"


DROP, RESET, SILENCE = Play.DROP, Play.RESET, Play.SILENCE

Step: TypeAlias = "Answer | Cut | Trickle | Parts | Raw | Again | Late | Play | Callable[[Seen], Step]"


def code(number: int | str, status: int, message: str = "as scripted", **headers: str) -> Answer:
    """An error as the vendor publishes them; `Retry_After=` gives the header."""
    body = {"code": number, "message": message, "source": "paymentLinks", "type": "apiError"}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


CODE_1 = code(1, 503)
CODE_2 = code(2, 500)
NOT_FOUND = code(4, 404)
TAKEN = code(5, 422, "Payment link with provided Order Reference already exists")


def link(reference: str | None = "ORD-1", **fields: Any) -> dict[str, Any]:
    """A payment link as the server shows it."""
    return {
        "id": "pl_1",
        "amount": 2_200_000,
        "currency": "KZT",
        "orderReference": reference,
        "status": "active",
        "url": "https://pay.example/pl_5e9f",
        "createdAt": "2025-03-01T12:00:00Z",
        **fields,
    }


def page(*items: Mapping[str, Any]) -> Answer:
    """The first page of a listing."""
    return Answer(200, {"data": list(items), "page": 1, "size": 100, "total": len(items)})


CREATED = Answer(201, link())
"""Of a create, it names what was asked for."""
FOUND = Answer(200, link())
"""It names the id or the order reference that was asked for."""


def fitting(answer: Answer, seen: Seen) -> Answer:
    """What `CREATED` and `FOUND` are to one request."""
    if seen.path.startswith(f"{BY_REFERENCE}/"):
        return Answer(answer.status, link(seen.path.rpartition("/")[2]))
    if seen.path.startswith(f"{LINKS}/"):
        return Answer(answer.status, link(id=seen.path.rpartition("/")[2]))
    asked = seen.json if seen.route == f"POST {LINKS}" else {}
    names = {name: asked[name] for name in ("amount", "currency") if name in asked}
    return Answer(answer.status, link(asked.get("orderReference"), **names))


def now() -> float:
    """The loop's time, which is the library's."""
    return asyncio.get_running_loop().time()


class Script:
    """What is answered to each ``METHOD /path``; the last step of a route is played for ever."""

    def __init__(self, routes: Mapping[str, Any] | None = None) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.is_numbered = True
        """Whether each answer has a number of its own in its headers, as servers date theirs."""
        self._steps: dict[str, list[Step]] = {}
        for route, steps in (routes or {}).items():
            self.on(route, *(cast("list[Step]", steps) if type(steps) is list else [steps]))

    def on(self, route: str, *steps: Step) -> None:
        """Play these steps for a route, from now on; ``*`` stands for any characters."""
        self._steps[route] = list(steps)

    def count(self, route: str = "*") -> int:
        """How many requests of a route arrived."""
        return sum(_matches(route, seen.route) for seen in self.seen)

    @property
    def counts(self) -> dict[str, int]:
        """How many requests arrived, by route."""
        return {route: self.count(route) for route in dict.fromkeys(seen.route for seen in self.seen)}

    def next(self, seen: Seen) -> Step:
        """Note a request and return what to do."""
        self.seen.append(seen)
        for route, steps in self._steps.items():
            if _matches(route, seen.route):
                step = steps.pop(0) if len(steps) > 1 else steps[0]
                if step is CREATED or step is FOUND:
                    return fitting(step, seen)
                return step(seen) if callable(step) else step
        return code(4, 404, f"nothing is scripted for {seen.route}")


def _matches(pattern: str, route: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), route) is not None


class Server:
    """A listening script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Bound and not listening, the port refuses connections, and nobody else can take it.
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._mistakes: list[Exception] = []
        self._answers = 0

    async def listen(self) -> None:
        """Begin to take connections."""
        self._server = await asyncio.start_server(self._accept, sock=self.socket, backlog=512)

    async def close(self) -> None:
        """End every connection and free the port."""
        if self._server is not None and self.socket.fileno() >= 0:
            # A connection that asyncio is just taking over when its server closes is never closed.
            asyncio.get_running_loop().remove_reader(self.socket)
            for _ in range(3):
                await asyncio.sleep(0)
        if self._server is not None:
            self._server.close()
        for writer in self._serving.values():
            writer.transport.abort()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self.socket.close()
        if self._mistakes:
            raise self._mistakes[0]

    def write(self, content: bytes) -> None:
        """Write what nobody has asked for on every connection; it is in the kernel when this returns."""
        for writer in self._serving.values():
            writer.write(content)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine: a task that is cancelled before its first step would leave its connection open.
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving[task] = writer
        task.add_done_callback(self._serving.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.script.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._play(self.script.next(await _request(reader)), reader, writer):
                    pass
        except Exception as error:  # noqa: BLE001 - a mistake in a script fails the test that wrote it
            self._mistakes.append(error)
        finally:
            writer.close()

    def _numbered(self, answer: Answer) -> bytes:
        """Return an answer with a number of its own, as servers date theirs; sent again it has the same."""
        if not self.script.is_numbered:
            return answer.whole
        self._answers += 1
        return attrs.evolve(answer, headers={**answer.headers, "X-Number": str(self._answers)}).whole

    async def _play(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take a step; tell whether the connection goes on."""
        match step:
            case Answer():
                writer.write(self._numbered(step))
                await writer.drain()
                return True
            case Again():
                content = self._numbered(step.answer)
                if step.is_apart:
                    head, _, body = content.partition(b"\r\n\r\n")
                    writer.write(head + b"\r\n\r\n")
                    await asyncio.sleep(0.005)
                    writer.write(body)
                else:
                    writer.write(content)
                asyncio.get_running_loop().call_later(step.after, _write_if_open, writer, content)
                await writer.drain()
                return True
            case Late():
                await asyncio.sleep(step.seconds)
                return await self._play(step.step, reader, writer)
            case Cut():
                content = step.answer.content or b"{"
                writer.write(step.answer.head(len(content) + 1) + content[: len(content) // 2 + 1])
                await writer.drain()
            case Trickle():
                writer.write(step.answer.head(1_000_000))
                while not reader.at_eof():
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(step.every)
            case Parts():
                content = step.answer.content
                size = -(-len(content) // step.parts)
                writer.write(step.answer.head(len(content)))
                for part in range(step.parts if step.sent is None else step.sent):
                    await asyncio.sleep(step.every)
                    writer.write(content[part * size : (part + 1) * size])
                    await writer.drain()
                if step.sent is None:
                    return True
                await reader.read()
            case Raw():
                writer.write(step.content)
                await writer.drain()
            case Play():
                if step is SILENCE:
                    await reader.read()
                if step is RESET:
                    sock: socket.socket = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    writer.transport.abort()
            case _:
                raise AssertionError(f"no step: {step!r}")
        return False


def _write_if_open(writer: asyncio.StreamWriter, content: bytes) -> None:
    if not writer.is_closing():
        writer.write(content)


async def _request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.split("\r\n")
    method, target, _ = start.split(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    path, _, query = target.partition("?")
    return Seen(method, path, query, headers, body)


@contextlib.asynccontextmanager
async def serving(
    script: Script | Mapping[str, Any], *, listening: bool = True
) -> AsyncGenerator[Server, None]:
    """Serve a script on loopback for the length of a block; not `listening`, its port refuses."""
    server = Server(script if isinstance(script, Script) else Script(script))
    try:
        if listening:
            await server.listen()
        yield server
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def scripted(
    routes: Mapping[str, Any] | Script, *, listening: bool = True, **options: Any
) -> AsyncGenerator[tuple[AsyncPlexyPay, Script], None]:
    """A client with short pauses, and the script that it talks to."""
    options = {"retry": SHORT, "timeout": 5.0, **options}
    async with (
        serving(routes, listening=listening) as server,
        AsyncPlexyPay(KEY, base_url=server.url, **options) as plexy,
    ):
        yield plexy, server.script
