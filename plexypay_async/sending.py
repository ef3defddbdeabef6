"""A request on its way out through aiohttp: on a clean connection only, and without a task for its body."""

from __future__ import annotations

import asyncio
import select
import sys
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.payload import Payload
from multidict import CIMultiDict

from .deadlines import Watch

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

__all__ = ["Body", "GuardedRequest", "Outbox", "Sending", "StaleConnectionError"]

LARGEST_AT_ONCE = 2**15
"""So many bytes are written without waiting for the connection to take them: half of what it holds back."""
FRESH = 2.0
"""Seconds without a request after which what must not be repeated takes another connection: servers close
theirs after five and more, and a request that meets the close on its way has an outcome that nobody knows."""
LOOK_AFTER = 0.1
"""Seconds without an answer on any connection after which one is looked at before it is used: a loop that was
busy has not read yet that the server closed it. What must not be repeated looks each time."""
ON_A_NEW_CONNECTION: ContextVar[bool] = ContextVar("plexypay_on_a_new_connection", default=False)
"""Whether the GET that is sent now takes no connection that was used before."""
_AIOHTTPS = aiohttp.ClientRequest
_SEND = _AIOHTTPS.send
"""aiohttp's own, as it was when this was loaded."""
TOGETHER = (
    sys.version_info < (3, 12)
    and aiohttp.__version__.startswith("3.14.")
    and not hasattr(_SEND, "__wrapped__")
)
"""Whether requests may go out by the outbox: from Python 3.12 on aiohttp writes without waiting for a task,
and another version of it may make its responses of other parts."""


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A connection from the pool is of no use, and nothing was sent on it: another one is to be taken."""


class Sending:
    """What is known of one attempt's request while it is under way."""

    begun = False
    """Whether a byte of the request may have left."""
    writings = 0
    """How often the writing of its body began."""
    written_at: float | None = None
    """The loop's time at which its body was written."""
    protocol: ResponseHandler | None = None
    """The connection that it went out on; None for a GET, which has no body."""
    response: aiohttp.ClientResponse | None = None
    """The response as it is made, which a hook's exception may keep from coming back."""
    look = False
    """Whether the event loop may have been busy since it last read, so that connections are looked at."""
    new = False
    """Whether it takes no connection that was used before: answers of others may be on their way there."""
    parts: list[bytes] | None = None
    """What has come of a body that came in several parts."""

    def __init__(self, watch: Watch, *, once: bool = False, fresh: bool = False) -> None:
        self.watch = watch
        """The call's; it cuts an attempt that hears nothing for too long."""
        self.once = once
        """Whether aiohttp's own second sending, of a PUT or DELETE after a disconnect, must not happen."""
        self.fresh = fresh
        """Whether it takes no connection that has been idle for so long that the server may close it now."""

    def drop_connection(self) -> None:
        """Close the connection that it went out on, which is not to be trusted with another request."""
        protocol: ResponseHandler | None = self.protocol or getattr(self.response, "_protocol", None)
        if protocol is not None:
            protocol.close()

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
        self._size = self.length = len(content)
        self.sending = sending

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
        sending = self.sending
        if transport is not None and not transport.is_closing():
            if sending.writings and sending.once:
                # Headers wait for the body's first byte, so nothing has left this second time.
                raise ConnectionError("the connection was lost before an answer, and this call is sent once")
            sending.writings += 1
            sending.begun = True
        await writer.write(self._value if content_length is None else self._value[:content_length])
        now = sending.written_at = sending.watch.heard()
        if sending.protocol is not None:
            sending.protocol._plexypay_used_at = now  # type: ignore[attr-defined]


class Outbox:
    """The requests of one event loop that leave together, at the next turn of the loop.

    On Python 3.11 aiohttp makes a task for each body, which takes a tenth of the throughput; one callback
    for all of a turn takes next to nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[GuardedRequest, StreamWriter, Connection, int | None]] = deque()

    def add(
        self, request: GuardedRequest, writer: StreamWriter, conn: Connection, length: int | None
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


class GuardedRequest(aiohttp.ClientRequest):
    """A request that goes out on a clean connection only, and by its body's outbox where that is faster."""

    # What aiohttp reads without another package: an old Brotli beside it is not to be relied on.
    DEFAULT_HEADERS = {  # noqa: RUF012 - aiohttp's own name, which it does not change
        hdrs.ACCEPT: "application/json",
        hdrs.ACCEPT_ENCODING: "gzip, deflate",
    }

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Begin the request, and return the response to be read.

        Raises:
            StaleConnectionError: The connection is of no use, and nothing was sent: the server has closed it
                or may do so now, or what lies there already, such as a 408 for having been idle, is no
                answer to this request.
        """
        body, protocol = self._body, conn.protocol
        ours = body if type(body) is Body else None
        sending = None if ours is None else ours.sending
        if protocol is not None:
            if protocol.should_close:
                raise StaleConnectionError
            if sending is None:
                # A GET has no body to tell this, nor to note when it is written.
                if ON_A_NEW_CONNECTION.get() and hasattr(protocol, "_plexypay_used_at"):
                    raise StaleConnectionError
                protocol._plexypay_used_at = self.loop.time()  # type: ignore[attr-defined]
            else:
                sending.protocol = protocol
                if (sending.look or sending.fresh) and not _is_usable(protocol, self.loop.time(), sending):
                    raise StaleConnectionError
        # What may have to wait for the connection, or is to be traced, is left to aiohttp, and so is all
        # where something, such as a tracer, has been put around its `send`.
        if (
            not TOGETHER
            or _AIOHTTPS.send is not _SEND
            or ours is None
            or sending is None
            or ours.length > LARGEST_AT_ONCE
            or protocol is None
            or protocol.writing_paused
            or self.proxy is not None
            or self.compress
            or self.chunked
            or self._continue is not None
            or self._traces
        ):
            response = await super().send(conn)
            if sending is not None:
                sending.response = response
            return response
        writer = StreamWriter(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        ours.outbox.add(self, writer, conn, self._get_content_length())
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
        sending.response = response
        return response


def _is_usable(protocol: ResponseHandler, now: float, sending: Sending) -> bool:
    """Tell whether a request may go out on a connection that may have been idle."""
    used_at: float | None = getattr(protocol, "_plexypay_used_at", None)
    if used_at is None:
        # It was opened for this request.
        return True
    too_old = sending.new or (sending.fresh and now - used_at >= FRESH)
    return not too_old and not _has_news(protocol)


def _has_news(protocol: ResponseHandler) -> bool:
    """Tell whether something lies on an idle connection that the event loop has not read: an end, mostly."""
    transport = protocol.transport
    socket = None if transport is None else transport.get_extra_info("socket")
    if socket is None:
        return False
    descriptor = socket.fileno()
    if descriptor < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
