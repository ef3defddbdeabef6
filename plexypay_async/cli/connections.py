"""The connections of ``plexypay listen``: so many at the most, and none for longer than a request takes.

aiohttp's server waits for the rest of a request as long as its client likes, and takes any number of
connections. So a protocol of ours stands between each connection and aiohttp's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .terminal import tell

__all__ = ["Connections"]


class Connections:
    """Bounds the connections of a server that closes each one after its answer.

    Args:
        limit: How many are held. One more takes the place of the oldest.
        timeout: Seconds from the beginning of a connection to its end, the answer included.
    """

    def __init__(self, *, limit: int, timeout: float) -> None:
        self.timeout = timeout
        self._limit = limit
        # In the order in which they came.
        self._held: dict[_Bounded, None] = {}

    def bounded(self, serve: Callable[[], asyncio.BaseProtocol]) -> Callable[[], asyncio.Protocol]:
        """Return a factory of protocols that are bounded, given aiohttp's."""
        return lambda: _Bounded(self, serve())

    def opened(self, connection: _Bounded) -> None:
        """Take a connection up, in the place of the oldest where there are enough."""
        if len(self._held) >= self._limit:
            next(iter(self._held)).let_go(f"there are more than {self._limit}, and it was the oldest")
        self._held[connection] = None

    def closed(self, connection: _Bounded) -> None:
        """Forget a connection."""
        self._held.pop(connection, None)


class _Bounded(asyncio.Protocol):
    """Passes all on between a connection and aiohttp's protocol of it, and lets go of it in time."""

    def __init__(self, connections: Connections, inner: asyncio.BaseProtocol) -> None:
        assert isinstance(inner, asyncio.Protocol)  # noqa: S101
        self._connections = connections
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def let_go(self, why: str) -> None:
        """Close the connection at once, and say why."""
        self._connections.closed(self)
        if self._transport is not None and not self._transport.is_closing():
            peer = self._transport.get_extra_info("peername")
            tell(f"plexypay: let go of a connection from {peer[0] if peer else 'somebody'}: {why}")
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        timeout = self._connections.timeout
        self._timer = asyncio.get_running_loop().call_later(
            timeout, self.let_go, f"its request was not whole after {timeout:g} seconds"
        )
        self._connections.opened(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._connections.closed(self)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
