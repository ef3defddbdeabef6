"""`create_many` for code without an event loop: requests and results cross between two threads in batches.

The caller's iterable is read in the caller's thread, to which its database connections belong, while the job
runs on the event loop's. No request is read while a result is there to be yielded, since the iterable may
block; results that come while it blocks wait until it has returned.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Generator, Iterator
from typing import cast

import attrs

from plexypay_async._core.execution import Execution
from plexypay_async.bulk.frames import without_job_frames
from plexypay_async.bulk.intake import Buffered
from plexypay_async.bulk.job import BulkJob
from plexypay_async.bulk.unsent import not_sent
from plexypay_async.errors import ConfigurationError
from plexypay_async.pay.payment_links import (
    BulkResult,
    CreateManyPaymentLinks,
    CreatePaymentLink,
    JobProgress,
)

from .portal import Portal

__all__ = ["SyncBulkJob"]

BATCH = 256
"""How many requests may wait for the loop, and how many results for the caller."""
LONGEST_WAIT = 0.02
"""Seconds that results wait for further ones, to wake the caller for all of them at once."""


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
        self._crossing = _Crossing(portal)
        self._tell = options.on_progress
        told = None if self._tell is None else self._crossing.note_progress
        self._job = BulkJob(execution, attrs.evolve(options, links=self._crossing, on_progress=told))

    def results(self) -> Generator[BulkResult]:
        """Run the job, and yield a result for each request.

        Leaving the generator stops the job and closes a source that is a generator. What ends the job before
        its source ends is raised once every row that was read has its result.
        """
        source = iter(self._links)
        failure: BaseException | None = None
        try:
            failure = yield from self._exchange(source)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - raised below, without the frames that hold rows
            failure = without_job_frames(error, of_caller=True)
        finally:
            self._stop()
            if isinstance(source, Generator):
                cast("Generator[CreatePaymentLink]", source).close()
        if failure is not None:
            # Its traceback holds this frame, which must not hold rows.
            del self, source
            try:
                raise failure
            finally:
                del failure

    def _exchange(
        self, source: Iterator[CreatePaymentLink]
    ) -> Generator[BulkResult, None, BaseException | None]:
        """Hand requests over and yield results; return the error that the job ends with, if any."""
        run, crossing = self._portal.run, self._crossing
        failure: BaseException | None = None
        run(crossing.start, self._job)
        while True:
            # Asked before the results are taken: one that comes in between is then not missed.
            done = crossing.done
            if (progress := crossing.take_progress()) is not None and self._tell is not None and not failure:
                try:
                    self._tell(progress)
                except Exception as error:  # noqa: BLE001 - the caller's own, raised once all is done
                    crossing.put_last()
                    failure = without_job_frames(error, of_caller=True)
            if (result := crossing.next_result()) is not None:
                yield result
            elif done:
                # The job's own error tells more than what the source raised meanwhile.
                failure = run(crossing.end) or failure
                if failure is not None and self._job.cut:
                    yield from crossing.left(failure)
                return failure
            elif crossing.takes_more:
                try:
                    crossing.put(next(source))
                except StopIteration:
                    crossing.put_last()
                except Exception as error:  # noqa: BLE001 - the caller's own, raised once all is done
                    crossing.put_last()
                    failure = without_job_frames(error, of_caller=True)
            else:
                run(crossing.wait_for_change)

    def _stop(self) -> None:
        stop = self._crossing.stop
        try:
            self._portal.run_if_started(stop)
        except KeyboardInterrupt:
            self._portal.interrupt_again()
            self._portal.post(stop)
        except ConfigurationError:
            # The generator was collected on the loop's own thread, which cannot wait for itself.
            self._portal.post(stop)


class _Crossing(Buffered):
    """Requests on their way to the event loop, as the source of the job, and results on their way back.

    The caller's thread and the loop's each put into one queue and take from the other. They wake each other
    only where the other may be waiting: waking a thread costs half as much as a link.
    """

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.done = False
        """Whether no further result will come."""
        self._ended = False
        self._read = 0
        """How many requests have crossed."""
        self._failure: BaseException | None = None
        """The error that the job has ended with."""
        self._progress: JobProgress | None = None
        """How far the job is, where the caller was not told yet."""
        self._requests: deque[CreatePaymentLink] = deque()
        self._results: deque[BulkResult] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._hungry = False
        """Whether the job waits for a request."""
        self._full = False
        """Whether the job waits until results are taken."""
        self._due = False
        """Whether results have waited long enough for others to cross with them."""
        self._timer: asyncio.TimerHandle | None = None
        self._pump: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------------------- in the caller's thread

    @property
    def takes_more(self) -> bool:
        """Whether there is room for another request, and there may be one."""
        return not self._ended and len(self._requests) < BATCH

    def put(self, request: CreatePaymentLink) -> None:
        """Hand a request over."""
        self._requests.append(request)
        self._read += 1
        if self._hungry:
            self._wake()

    def put_last(self) -> None:
        """Say that there are no more requests."""
        self._ended = True
        self._wake()

    def take_progress(self) -> JobProgress | None:
        """Return how far the job is, where that is to be told."""
        progress, self._progress = self._progress, None
        return progress

    def next_result(self) -> BulkResult | None:
        """Return a result that is here, if any."""
        if not self._results:
            return None
        result = self._results.popleft()
        if self._full and len(self._results) <= BATCH // 2:
            self._wake()
        return result

    def left(self, failure: BaseException) -> Generator[BulkResult]:
        """Yield a result for each request that the job has not taken before it ended."""
        while self._requests:
            index = self._read - len(self._requests)
            yield not_sent(index, self._requests.popleft(), failure)

    def _wake(self) -> None:
        self._hungry = self._full = False
        # If that loop has ended, the next wait raises.
        self._portal.wake(self._loop, self._changed.set)

    # --------------------------------------------------------------------------------------- on the loop

    async def start(self, job: BulkJob) -> None:
        self._loop = asyncio.get_running_loop()
        self._pump = self._loop.create_task(self._run(job))

    async def wait_for_change(self) -> None:
        """Wait for half a batch of room or of results, or until some results have waited long enough.

        Raises:
            ConfigurationError: The job is another loop's.
        """
        self._check_loop()
        self._rest()
        half = BATCH // 2
        if self._results:
            self._deliver_soon()
        while not (
            self.done
            or self._due
            or len(self._results) >= half
            or self._progress is not None
            or (not self._ended and len(self._requests) <= half)
        ):
            await self._wait()
        self._rest()

    def note_progress(self, progress: JobProgress) -> None:
        """Keep what is to be told of the job; what was not told before is out of date."""
        self._progress = progress
        self._changed.set()

    async def end(self) -> BaseException | None:
        """Wait until the job has closed everything; return the error that it ends with, if any.

        Raises:
            ConfigurationError: The job is another loop's.
        """
        self._check_loop()
        if self._pump is not None:
            await asyncio.wait([self._pump])
        failure, self._failure = self._failure, None
        return None if failure is None else without_job_frames(failure, of_caller=True)

    async def stop(self) -> None:
        """Stop the job and wait until it has released its connections and its journal."""
        if self._pump is not None and self._loop is asyncio.get_running_loop():
            pump, self._pump = self._pump, None
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            self._rest()

    def _check_loop(self) -> None:
        if self._loop is not asyncio.get_running_loop():
            raise ConfigurationError(
                "this job began before a fork, or on an event loop that has ended; its last requests may have"
                " been sent: with a journal, run it again"
            )

    async def _run(self, job: BulkJob) -> None:
        generator = job.results()
        try:
            async for result in generator:
                self._results.append(result)
                if len(self._results) == BATCH // 2:
                    self._changed.set()
                elif self._timer is None:
                    self._deliver_soon()
                while len(self._results) >= BATCH:
                    self._full = True
                    # The caller may have taken some before it could see that it is to wake this thread.
                    if len(self._results) >= BATCH:
                        await self._wait()
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            # It is not raised here, where a SystemExit would end the loop of all clients.
            self._failure = error
        finally:
            self.done = True
            self._changed.set()
            await generator.aclose()

    def _deliver_soon(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LONGEST_WAIT, self._deliver)

    def _deliver(self) -> None:
        self._timer = None
        if self._results:
            self._due = True
            self._changed.set()

    def _rest(self) -> None:
        self._due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def __aiter__(self) -> _Crossing:
        return self

    async def __anext__(self) -> CreatePaymentLink:
        while True:
            # Asked before the requests are: the last one is put before `_ended` is set.
            ended = self._ended
            if self._requests:
                return self.take()
            if ended:
                raise StopAsyncIteration
            self._hungry = True
            if not self._requests and not self._ended:
                await self._wait()

    @property
    def has_one(self) -> bool:
        """Whether a request has crossed that nobody has taken."""
        return bool(self._requests)

    def take(self) -> CreatePaymentLink:
        """Return the next request."""
        request = self._requests.popleft()
        if len(self._requests) == BATCH // 2:
            self._changed.set()
        return request
