"""`create_many` for code without an event loop: requests and results cross to the loop in batches.

The caller's iterable is read in the caller's thread, where its database connections are at home, while the
job goes on on the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, Generator, Iterator
from typing import cast

import attrs

from plexypay_async.api.payment_links import BulkResult, CreateManyPaymentLinks, CreatePaymentLink
from plexypay_async.bulk.intake import Buffered
from plexypay_async.bulk.job import BulkJob
from plexypay_async.errors import ConfigurationError
from plexypay_async.execution import Execution

from .portal import Portal

__all__ = ["SyncBulkJob"]

BATCH = 256
"""How many requests may wait on the loop, and results for the caller."""
READING = 0.005
"""Seconds after which a slow iterable's requests cross, however few, and so do a slow server's results."""


class SyncBulkJob:
    """One run of `create_many`, between the caller's thread and the loop.

    Raises:
        ConfigurationError: An argument is unusable; nothing was sent.
    """

    def __init__(self, portal: Portal, execution: Execution, options: CreateManyPaymentLinks) -> None:
        if isinstance(options.links, AsyncIterable):
            raise ConfigurationError(
                "links: PlexyPay takes a plain iterable; use AsyncPlexyPay for an async one"
            )
        self._portal = portal
        self._links = options.links
        self._crossing = _Crossing()
        self._job = BulkJob(execution, attrs.evolve(options, links=self._crossing))

    def results(self) -> Generator[BulkResult]:
        """Run the job, and yield a result for each request.

        Leaving the generator stops the job and closes a source that is a generator.
        """
        run, crossing = self._portal.run, self._crossing
        source = iter(self._links)
        ended = False
        failure: Exception | None = None
        try:
            run(crossing.start, self._job)
            while True:
                requests: list[CreatePaymentLink] = []
                if not ended:
                    try:
                        ended = _read(source, requests, crossing.room)
                    except Exception as error:  # noqa: BLE001 - the caller's own, raised once all is settled
                        ended, failure = True, error
                results = run(crossing.exchange, requests, ended)
                if not results and crossing.done:
                    break
                yield from results
        finally:
            try:
                self._portal.run_if_started(crossing.stop)
            except ConfigurationError:
                # Dropped by the garbage collector on the loop's own thread, which cannot wait for itself.
                self._portal.post(crossing.stop)
            if isinstance(source, Generator):
                cast("Generator[CreatePaymentLink]", source).close()
        if failure is not None:
            raise failure


def _read(source: Iterator[CreatePaymentLink], requests: list[CreatePaymentLink], room: int) -> bool:
    """Read as many requests as there is room for, or as come in a moment; tell whether that was all."""
    until = time.monotonic() + READING
    while len(requests) < room:
        try:
            requests.append(next(source))
        except StopIteration:
            return True
        if time.monotonic() > until:
            break
    return False


class _Crossing(Buffered):
    """Requests on their way to the loop, and results on their way back; the job's source is its iterator."""

    def __init__(self) -> None:
        self.done = False
        """Whether no result will come any more."""
        # Set on the loop, with the last requests: told earlier, the job could end before they arrive.
        self._ended = False
        self._requests: deque[CreatePaymentLink] = deque()
        self._results: deque[BulkResult] = deque()
        self._changed = asyncio.Event()
        self._due = False
        """Whether results have waited long enough for others to cross with them."""
        self._timer: asyncio.TimerHandle | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def room(self) -> int:
        """How many more requests may wait."""
        return BATCH - len(self._requests)

    async def start(self, job: BulkJob) -> None:
        """Begin the job, on the loop."""
        self._pump = asyncio.get_running_loop().create_task(self._run(job))

    async def _run(self, job: BulkJob) -> None:
        generator = job.results()
        loop = asyncio.get_running_loop()
        try:
            async for result in generator:
                self._results.append(result)
                if len(self._results) >= BATCH // 2:
                    self._change()
                elif self._timer is None:
                    self._timer = loop.call_later(READING, self._ripen)
                while len(self._results) >= BATCH:
                    await self._wait()
        finally:
            self.done = True
            self._change()
            await generator.aclose()

    async def exchange(self, requests: list[CreatePaymentLink], ended: bool) -> list[BulkResult]:
        """Hand requests over, and return the results there are; wait until there are some, or there is room.

        Raises:
            Exception: What the job itself raises.
        """
        self._requests.extend(requests)
        self._ended = ended
        self._change()
        # Half a batch at a time, of room or of results: a hop to the caller costs half as much as a link.
        half = BATCH // 2
        while not (self.done or self._due or len(self._results) >= half or (not ended and self.room >= half)):
            await self._wait()
        results = list(self._results)
        self._results.clear()
        self._rest()
        self._change()
        if not results and self.done and self._pump is not None:
            await self._pump
        return results

    def _ripen(self) -> None:
        self._due, self._timer = True, None
        self._change()

    def _rest(self) -> None:
        self._due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _change(self) -> None:
        self._changed.set()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def __aiter__(self) -> _Crossing:
        return self

    async def __anext__(self) -> CreatePaymentLink:
        while not self._requests:
            if self._ended:
                raise StopAsyncIteration
            await self._wait()
        return self.take()

    @property
    def has_one(self) -> bool:
        """Whether a request has crossed that nobody has taken."""
        return bool(self._requests)

    def take(self) -> CreatePaymentLink:
        """Return the next request."""
        request = self._requests.popleft()
        if self.room == BATCH // 2:
            self._change()
        return request

    async def stop(self) -> None:
        """Stop the job and wait until it has let go of its connections and its journal."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        self._rest()
