"""A request on its way out through aiohttp: on a clean connection only, and without a task for its body."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.payload import Payload
from multidict import CIMultiDict

from .deadlines import Watch

if TYPE_CHECKING:
    from aiohttp.connector import Connection

__all__ = ["Body", "CheckedRequest", "Outbox", "Sending", "request_class"]

LARGEST_AT_ONCE = 2**15
"""So many bytes are written without waiting for the connection to take them: half of what it holds back."""
TOGETHER = sys.version_info < (3, 12)
"""Whether requests go out by the outbox: from Python 3.12 on aiohttp writes without waiting for a task."""
_SEND = aiohttp.ClientRequest.send
"""aiohttp's own, as it was when this was loaded."""


class Sending:
    """What is known of one attempt's request while it is under way."""

    __slots__ = ("begun", "once", "watch", "writings")

    def __init__(self, watch: Watch, *, once: bool = False) -> None:
        self.watch = watch
        """The call's; it cuts an attempt that hears nothing for too long."""
        self.once = once
        """Whether aiohttp's own second sending, of a PUT or DELETE after a disconnect, must not happen."""
        self.begun = False
        """Whether a byte of the request may have left."""
        self.writings = 0
        """How often the writing of its body began."""

    @property
    def repeated(self) -> bool:
        """Whether aiohttp sent it twice by itself, as it does for DELETE and PUT after a disconnect."""
        return self.writings > 1


class Body(Payload):
    """A request body of JSON that notes when its writing begins.

    aiohttp tells from no timeout whether a request was sent, and a trace costs a seventh of the throughput;
    headers and body leave together, so this is the moment. Nothing refers to it in turn: with a cycle in
    every call, the garbage collector would run for a tenth of the time.
    """

    # All bodies share them, and none is changed: a set of headers for each costs as much as its writing.
    _headers = CIMultiDict({"Content-Type": "application/json"})
    _encoding = None
    _filename = None
    _autoclose = True
    _value: bytes

    def __init__(self, content: bytes, sending: Sending, outbox: Outbox) -> None:
        self.outbox = outbox
        self._value = content
        self._size = len(content)
        self._sending = sending

    def __deepcopy__(self, _: dict[int, Any]) -> Body:
        # aioresponses copies what a request is given, and must not come by way of this to the event loop.
        return self

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._value.decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return the body as it is."""
        return self._value

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Note the writing, and write the body, or as much of it as the headers say."""
        transport = writer.transport
        sending = self._sending
        if transport is not None and not transport.is_closing():
            if sending.writings and sending.once:
                # Headers wait for the body's first byte, so nothing has left this second time.
                raise ConnectionError("the connection was lost before an answer, and this call is sent once")
            sending.writings += 1
            sending.begun = True
        await writer.write(self._value if content_length is None else self._value[:content_length])
        sending.watch.heard()


class Outbox:
    """The requests of one event loop that leave together, at the next turn of the loop.

    On Python 3.11 aiohttp makes a task for each body, which takes a tenth of the throughput; one callback
    for all of a turn takes next to nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[CheckedRequest, StreamWriter, Connection, int | None]] = deque()

    def add(
        self, request: CheckedRequest, writer: StreamWriter, conn: Connection, length: int | None
    ) -> None:
        """Write a request's body, and the headers that the writer holds, with those of the others."""
        if not self._waiting:
            self._loop.call_soon(self._write)
        self._waiting.append((request, writer, conn, length))

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        try:
            while waiting:
                request, writer, conn, length = waiting.popleft()
                if conn.protocol is None:
                    # Closed meanwhile, before anything was sent.
                    continue
                writing = request.write_bytes(writer, conn, length)
                try:
                    writing.send(None)
                except StopIteration:
                    continue
                # The connection does not take even this little: this closes it.
                writing.close()
        finally:
            # A signal's exception may have struck one of them: the others go out in the next turn.
            if waiting:
                if not self._waiting:
                    self._loop.call_soon(self._write)
                self._waiting.extendleft(reversed(waiting))


class CheckedRequest(aiohttp.ClientRequest):
    """A request that goes out on a clean connection only, and by its body's outbox where that is faster."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Begin the request, and return the response to be read.

        Raises:
            ServerDisconnectedError: The connection is of no use, and nothing was sent: what lies there
                already, such as a 408 for having been idle, is no answer to this request.
        """
        body, protocol = self._body, conn.protocol
        if protocol is not None and protocol.should_close:
            raise aiohttp.ServerDisconnectedError
        # What may have to wait for the connection, or is to be traced, is left to aiohttp.
        if (
            not TOGETHER
            or type(body) is not Body
            or (body.size or 0) > LARGEST_AT_ONCE
            or protocol is None
            or protocol.writing_paused
            or self.proxy is not None
            or self.compress
            or self.chunked
            or self._continue is not None
            or self._traces
        ):
            return await super().send(conn)
        writer = StreamWriter(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        body.outbox.add(self, writer, conn, self._get_content_length())
        response = self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )
        self.response = response  # type: ignore[assignment] # its own class leaves it without a type
        return response


def request_class() -> type[aiohttp.ClientRequest]:
    """Return what a client's own session makes its requests of.

    Another version of aiohttp may make its responses of other parts, and what has been put around aiohttp's
    own `send`, such as a tracer, must not be passed by: then it keeps its own class.
    """
    known = aiohttp.__version__.startswith("3.14.")
    as_it_was = aiohttp.ClientRequest.send is _SEND and not hasattr(_SEND, "__wrapped__")
    return CheckedRequest if known and as_it_was else aiohttp.ClientRequest
