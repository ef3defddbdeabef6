"""The results of a bulk job on their way to its consumer, in order or as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ..pay.payment_links import BulkResult

__all__ = ["ResultQueue"]

ORDERED_WINDOW = 8
"""A job in order runs ahead of what it has yielded by at most so many requests for each worker."""


class ResultQueue:
    """Results on their way to the consumer; workers wait for it where it is slower."""

    def __init__(self, workers: int, *, ordered: bool, stop: Callable[[], None]) -> None:
        self.failure: BaseException | None = None
        """What has ended the job before its source did, if anything."""
        self.closed = False
        """Whether nobody takes results any more: the workers are cancelled."""
        self.count: Callable[[list[BulkResult]], None] | None = None
        """Told of all results, where somebody asks for the job's progress."""
        self._stop = stop
        self._working = 0
        self._room = workers
        self._ready: deque[BulkResult] = deque()
        self._wanted: asyncio.Future[None] | None = None
        self._held: deque[asyncio.Future[None]] = deque()
        self._ordered = ordered
        self._ahead = ORDERED_WINDOW * workers
        self._next = 0
        self._early: dict[int, BulkResult] = {}

    def take(self) -> BulkResult | None:
        """Return the next result, or None where none is ready."""
        if not self._ready:
            return None
        result = self._ready.popleft()
        if self._held and len(self._ready) <= self._room:
            self._release()
        return result

    async def more(self) -> bool:
        """Wait until a result is ready; False once every worker has ended and all is taken."""
        while not self._ready:
            if not self._working:
                if not self._early:
                    return False
                # These wait for a row that will have no result, since a failure has ended its worker.
                self._ready.append(self._early.pop(min(self._early)))
                break
            self._wanted = asyncio.get_running_loop().create_future()
            try:
                await self._wanted
            finally:
                self._wanted = None
        return True

    def put(self, results: list[BulkResult]) -> bool:
        """Hand results over; tell whether there is room for more."""
        if self.count is not None:
            self.count(results)
        for result in results:
            if not self._ordered:
                self._ready.append(result)
                continue
            self._early[result.index] = result
            while (early := self._early.pop(self._next, None)) is not None:
                self._ready.append(early)
                self._next += 1
        if self._wanted is not None and self._ready:
            self._wake()
        return len(self._ready) <= self._room and not (self._ordered and self._is_full(results[0].index))

    async def room(self, results: list[BulkResult]) -> None:
        """Wait until there is room for more than these."""
        # The first is of the worker's own row; rows that repeat it may be far ahead of it.
        while self.failure is None and self._is_full(results[0].index):
            held = asyncio.get_running_loop().create_future()
            self._held.append(held)
            await held

    def _is_full(self, index: int) -> bool:
        far_ahead = self._ordered and index >= self._next + self._ahead
        return len(self._ready) > self._room or far_ahead

    @property
    def is_ending(self) -> bool:
        """Whether the job ends, or nobody takes its results."""
        return self.closed or self.failure is not None

    def begun(self) -> None:
        """Note that a worker begins."""
        self._working += 1

    def ended(self) -> None:
        """Note that a worker has ended."""
        self._working -= 1
        if not self._working:
            self._wake()

    def fail(self, error: BaseException) -> None:
        """End the job with an error, once the requests under way are done."""
        if self.closed:
            return
        if self.failure is None:
            self.failure = error
        self._stop()
        # The workers that wait for room: the row that they wait for may not come any more.
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, deque()
        for waiting in held:
            if not waiting.done():
                waiting.set_result(None)

    def _wake(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)
