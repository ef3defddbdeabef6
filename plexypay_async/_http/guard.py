"""The guard: a request goes out on a connection that is clean, whoever opened it and whatever wraps `send`.

A connection from the pool may have an answer lying on it that is nobody's, such as a proxy's 408 for having
been idle, or the server may be about to close it. What lies there would be taken for the answer to the next
request.
"""

from __future__ import annotations

import asyncio
import select
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import hdrs

from .._core.sending import ConnectionMemory, Sending
from .._foreign import bare
from .body import SENT_ONCE, Body
from .opening import REST

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

__all__ = ["SENDING", "GuardedRequest", "StaleConnectionError", "checked"]

FRESH = 2.0
"""Seconds without a request after which what must not be repeated takes another connection: servers close
theirs after five and more, and a request that meets the close on its way has an outcome that nobody knows."""
SENDING: ContextVar[Sending | None] = ContextVar("plexypay_sending", default=None)
"""What is sent now, for a request without a body of ours that could tell: a GET, and what a middleware of the
caller's has changed."""


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A connection from the pool is of no use, and nothing was sent on it: another one is to be taken."""


class GuardedRequest(aiohttp.ClientRequest):
    """A request that goes out on a clean connection only."""

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
        sending = SENDING.get() if ours is None else ours.sending
        if protocol is not None and sending is not None:
            memory = await checked(protocol, sending, self.loop)
            sending.connection, sending.memory = protocol, memory
            if ours is None:
                self._note(sending, memory)
        response = await super().send(conn)
        if sending is not None:
            sending.response = response
        return response

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write the body; on Python 3.11 in a task, whose frames nobody takes from what a signal raises."""
        failure = await self._written(writer, conn, content_length)
        # This frame must not hold the key.
        del self, writer, conn
        if failure is not None:
            raise failure

    async def _written(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None
    ) -> BaseException | None:
        try:
            await super().write_bytes(writer, conn, content_length)
        except BaseException as error:  # noqa: BLE001 - raised by the caller of this
            return bare(error)
        return None

    def _note(self, sending: Sending, memory: ConnectionMemory) -> None:
        """Note that a request goes out whose body cannot: a GET, or one to which a middleware gave a body."""
        memory.used_at = sending.went_at = self.loop.time()
        if self.method != hdrs.METH_GET:
            if sending.writings and sending.once:
                raise ConnectionError(SENT_ONCE)
            sending.writings += 1
            sending.begun = True
            sending.written_at = sending.watch.heard()


async def checked(
    protocol: ResponseHandler, sending: Sending, loop: asyncio.AbstractEventLoop
) -> ConnectionMemory:
    """Return what is remembered of a connection on which a request may go out.

    Raises:
        StaleConnectionError: It is of no use.
    """
    remembering: Any = protocol
    try:
        memory: ConnectionMemory = remembering._plexypay_memory
    except AttributeError:
        memory = remembering._plexypay_memory = ConnectionMemory()
    if memory.unclear_at is not None and not sending.fresh:
        # An answer that a proxy sends twice arrives, so that it is seen before a request goes out.
        await asyncio.sleep(max(0.0, memory.unclear_at + REST - loop.time()))
        sending.look, memory.unclear_at = True, None
    if protocol.should_close or (sending.look and not _is_usable(protocol, memory, loop.time(), sending)):
        raise StaleConnectionError
    return memory


def _is_usable(protocol: ResponseHandler, memory: ConnectionMemory, now: float, sending: Sending) -> bool:
    """Tell whether a request may go out on a connection that may have been idle."""
    if memory.used_at is None:
        # It was opened for this request.
        return True
    too_old = now - memory.used_at >= min(FRESH, (memory.kept_for or FRESH * 2) / 2)
    if sending.new or (sending.fresh and (too_old or memory.unclear_at is not None)):
        return False
    return not _has_news(protocol)


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
