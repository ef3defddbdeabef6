"""How connections are opened and chosen.

Those over TLS are opened one after the other, so that the first is of use at once. A handshake costs a core
about half a millisecond, several times a request. Of a hundred that begin together each waits for all the
others, and until the last one nearly no request is on its way.

One that rests is not chosen while there is another, or room for one: see `_http.guard`.
"""

# What it uses of aiohttp is private, and without it connections are chosen as aiohttp does.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

import aiohttp

from .._core.sending import ConnectionMemory

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["PACE", "READ_AT_ONCE", "REST", "PacedConnector", "keep_room_for_readings"]

REST = 0.1
"""Seconds that a connection rests after an answer that names no request: one that a proxy sends twice comes a
few milliseconds later, and is seen then. What must not be repeated takes another connection."""

PACE = 0.001
"""Seconds in which a connection may begin at the least, however long a turn of the event loop takes: where
much else is to be done, a hundred begin within a tenth of a second, or as long as their handshakes last."""

READ_AT_ONCE = 2**18
"""Bytes that asyncio, and uvloop over TLS, make room for at each reading of a connection."""

_NO_CONNECTIONS: Mapping[Any, Any] = {}


class PacedConnector(aiohttp.TCPConnector):
    """Begins a TLS connection in each turn of the event loop, in the order in which they are wanted.

    None waits for another to end: over a network, where a handshake is mostly waiting, all are under way
    within so many turns. The wait counts towards the time to connect.

    Evidence: of a hundred calls at once on uvloop, the first request left after 12 to 15 ms of the client's
    CPU time, which had been 49 to 55, and all of them on average after 67 to 75, which had been 84 to 86.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]
        self._waiting_turns: deque[asyncio.Future[None]] = deque()
        self._is_paced = False
        self._begun_at = 0.0

    def _get(self, key: ConnectionKey, traces: list[Trace]) -> Awaitable[Connection | None]:  # type: ignore[override]
        """Return an idle connection that does not rest; none where one may be opened instead.

        Where all are in use or rest, the one that has been idle for longest is taken, and waited for.
        """
        # aiohttp puts another mapping in its place now and then. Without one, all connections are as good.
        idle: deque[tuple[ResponseHandler, float]] | None = getattr(self, "_conns", _NO_CONNECTIONS).get(key)
        if idle and _rests(idle[0][0], self._loop.time()) and not self._brings_forward(idle):
            # Idle ones count too: aiohttp counts what is in use.
            has_room = not self.limit or len(self._acquired) + len(idle) < self.limit
            if has_room:
                return _none()
        return super()._get(key, traces)

    def _brings_forward(self, idle: deque[tuple[ResponseHandler, float]]) -> bool:
        """Bring the first connection that does not rest to the front; tell whether there is one."""
        now = self._loop.time()
        for at, (protocol, _) in enumerate(idle):
            if not _rests(protocol, now):
                chosen = idle[at]
                del idle[at]
                idle.appendleft(chosen)
                return True
        return False

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        """Make a connection as aiohttp does, in its turn where it is one over TLS.

        Raises:
            aiohttp.ClientError: There is none: nothing was sent.
        """
        keep_room_for_readings()
        if req.is_ssl():
            await self._turn()
        return await super()._create_connection(req, traces, timeout)

    async def _turn(self) -> None:
        """Wait until a connection may begin; the first one at once."""
        if not self._is_paced:
            self._begun_at = self._loop.time()
            # First, since a signal's handler may raise amid this, and nothing else would begin any more.
            self._loop.call_soon(self._begin)
            self._is_paced = True
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting_turns.append(turn)
        await turn

    def _begin(self) -> None:
        """Let the next one begin, or as many as the time since the last is enough for."""
        try:
            now, waiting = self._loop.time(), self._waiting_turns
            room = max(1, int((now - self._begun_at) / PACE))
            self._begun_at = now
            begun = 0
            while waiting and begun < room:
                # Whoever gave up meanwhile takes nobody's turn.
                if not waiting[0].done():
                    waiting[0].set_result(None)
                    begun += 1
                waiting.popleft()
            if begun:
                self._loop.call_soon(self._begin)
            else:
                self._is_paced = False
        except BaseException:
            # What a signal's handler raises is no reason to let the others wait.
            self._loop.call_soon(self._begin)
            raise


def keep_room_for_readings() -> None:
    """Let the C library keep the room that a reading needs, instead of asking the system for it each time.

    glibc has the system map each block of 128 KiB and more, and unmap it, until one that was mapped has been
    given back as a whole; from then on it keeps those of up to that size. The blocks that are read into never
    teach it, for they are given back shrunk to what has come. Elsewhere it does nothing, nor where the
    environment gives `malloc` a limit, nor as long as a hole among what is allocated holds the block: so it
    is done with each connection, in 4 µs.

    Evidence: mallopt(3) on `M_MMAP_THRESHOLD`. Of a create on uvloop over TLS, or on asyncio without, the
    three calls to the system and the new pages took 14 to 17 µs of 65 to 70. Whether a program had given
    back such a block before was chance: a large module that it had imported was enough.
    """
    bytes(2 * READ_AT_ONCE)


def _rests(protocol: ResponseHandler, now: float) -> bool:
    memory: ConnectionMemory | None = getattr(protocol, "_plexypay_memory", None)
    return memory is not None and memory.unclear_at is not None and now < memory.unclear_at + REST


async def _none() -> None:
    return None
