"""The connections that a local server holds: a limited number, and none for a request that does not arrive.

aiohttp's server waits for the rest of a request as long as its client likes, and takes any number of
connections. So each connection has a `_WatchedConnection` between itself and aiohttp's protocol, which sees
when bytes come; `ServerConnections.request` says when a whole request has come, and when it is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from aiohttp import web

__all__ = ["ServerConnections"]


class ServerConnections:
    """Watches a server's connections.

    When the first bytes of a request come together with the end of the request before it, they are not
    noticed: the connection counts as idle, and aiohttp closes it after an hour.

    Args:
        limit: How many are held. One more takes the place of the one that has waited longest without a
            request under way; where all have one, it is closed.
        timeout: Seconds for a request to arrive: from the first of its bytes, or from the beginning of the
            connection, to the end of its body. The connection is closed after them.
        tell: Called with a sentence about each connection that is closed for one of these two reasons.
    """

    def __init__(self, *, limit: int, timeout: float, tell: Callable[[str], None] = lambda _: None) -> None:
        self.tell = tell
        self._limit = limit
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._held: set[_WatchedConnection] = set()
        # Both in the order in which they began to wait.
        self._arriving: dict[_WatchedConnection, float] = {}
        self._idle: dict[_WatchedConnection, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._held)

    def watching(self, serve: Callable[[], asyncio.BaseProtocol]) -> Callable[[], asyncio.Protocol]:
        """Return a protocol factory of watched connections, given aiohttp's."""
        return lambda: _WatchedConnection(self, serve())

    @contextmanager
    def request(self, request: web.Request) -> Generator[None]:
        """Keep a connection open while its request, which has arrived completely, is answered."""
        watched = None if request.transport is None else request.transport.get_protocol()
        if not isinstance(watched, _WatchedConnection):
            # The client has gone.
            yield
            return
        watched.is_busy = True
        self._arriving.pop(watched, None)
        try:
            yield
        finally:
            watched.is_busy = False
            if watched in self._held:
                if watched.has_more:
                    # Whether it is a whole request, only aiohttp's parser knows.
                    self._await(watched)
                else:
                    self._idle[watched] = None

    def end(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def opened(self, watched: _WatchedConnection) -> None:
        """Watch a new connection, and close another if there are too many."""
        if len(self._held) >= self._limit:
            longest_waiting = next(iter(self._idle), None) or next(iter(self._arriving), None)
            if longest_waiting is None:
                watched.close(f"there are {self._limit} with a request under way")
                return
            longest_waiting.close(f"there are more than {self._limit}, and it was the oldest")
        self._held.add(watched)
        self._await(watched)

    def received(self, watched: _WatchedConnection) -> None:
        """Start the timeout of a request if the bytes that came are its first."""
        if watched in self._idle:
            del self._idle[watched]
            self._await(watched)

    def closed(self, watched: _WatchedConnection) -> None:
        """Forget a connection."""
        self._held.discard(watched)
        self._arriving.pop(watched, None)
        self._idle.pop(watched, None)

    def _await(self, watched: _WatchedConnection) -> None:
        self._arriving[watched] = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._let_go)

    def _let_go(self) -> None:
        self._timer = None
        latest = self._loop.time() - self._timeout
        for watched, since in list(self._arriving.items()):
            if since > latest:
                self._timer = self._loop.call_at(since + self._timeout, self._let_go)
                return
            watched.close(f"its request was not complete after {self._timeout:g} seconds")


class _WatchedConnection(asyncio.Protocol):
    """Stands between a connection and aiohttp's protocol for it, and passes everything on."""

    def __init__(self, connections: ServerConnections, inner: asyncio.BaseProtocol) -> None:
        assert isinstance(inner, asyncio.Protocol)  # noqa: S101
        self._connections = connections
        self._inner = inner
        self._transport: asyncio.BaseTransport | None = None
        self.is_busy = False
        """Whether a request is being answered."""
        self.has_more = False
        """Whether bytes came while a request was being answered."""

    def close(self, reason: str) -> None:
        """Close the connection at once, forget it, and tell the reason unless it was closing already."""
        self._connections.closed(self)
        if isinstance(self._transport, asyncio.Transport):
            if not self._transport.is_closing():
                peer = self._transport.get_extra_info("peername")
                self._connections.tell(
                    f"closed a connection from {peer[0] if peer else 'somebody'}: {reason}"
                )
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._inner.connection_made(transport)
        self._connections.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.is_busy:
            self.has_more = True
        else:
            self._connections.received(self)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.closed(self)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
