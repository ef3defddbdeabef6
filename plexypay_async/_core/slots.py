"""The running event loop, and a client's slots on it.

The slots say how many requests may be under way at once, first come first served.
aiohttp's own limit would count the wait for a connection against the time to connect. An `asyncio.Semaphore`
takes five function calls for a slot that is free, which is as a rule; these take one.
"""

from __future__ import annotations

import asyncio
from collections import deque

from ..errors import ConfigurationError

__all__ = ["Slots", "loop_of_task", "running_loop"]


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        ConfigurationError: There is none of asyncio's, as under trio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    raise ConfigurationError(
        "an async client needs asyncio's event loop, and none is running here: use asyncio.run, or the sync"
        " client, which needs none (under trio: trio.to_thread.run_sync)"
    )


def loop_of_task() -> asyncio.AbstractEventLoop:
    """Return the running event loop of the task that calls this.

    Raises:
        ConfigurationError: There is no loop, or the caller is no task of it, as in trio's guest mode.
    """
    loop = running_loop()
    if asyncio.current_task(loop) is None:
        raise ConfigurationError(
            "an async client is to be awaited in a task of asyncio's: other code drives it"
        )
    return loop


class Slots:
    """So many slots on one event loop.

    Whoever finds `free` above zero takes one from it; else `wait` returns with one. `give` gives it back.
    """

    __slots__ = ("_count", "_loop", "_waiting", "free")

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        self._loop = loop
        self._count = count
        self.free = count
        """How many nobody has; above zero only while nobody waits."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def taken(self) -> int:
        """How many somebody has."""
        return self._count - self.free

    async def wait(self) -> None:
        """Wait for a slot, which is then the caller's."""
        slot: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(slot)
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():
                # It was given at the moment of the cancellation.
                self.give()
            raise

    async def wait_if_none(self) -> None:
        """Take a slot, after a wait where none is free."""
        if self.free:
            self.free -= 1
        else:
            await self.wait()

    def give(self) -> None:
        """Give a slot to the one that has waited longest, or back."""
        while self._waiting:
            slot = self._waiting.popleft()
            if not slot.done():
                # It never counts as free, so nobody slips in before its owner wakes.
                slot.set_result(None)
                return
        self.free += 1
