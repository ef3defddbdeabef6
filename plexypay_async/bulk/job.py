"""A bulk job: workers over one source of requests, at the server's pace, with or without a journal.

Only a window of the job is in memory, however many requests there are: what the workers hold, what the
consumer has not taken yet, and one batch of journal claims.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

from ..api.payment_links import (
    BulkResult,
    CreateManyPaymentLinks,
    PaymentLink,
    PaymentLinks,
    RetrievePaymentLink,
)
from ..errors import APIError, ConfigurationError, PlexyPayError
from ..execution import Call, Execution, Patience
from ..limits import OpenPace, Pace, RatedPace
from .intake import Intake, Item, JournalIntake, Source
from .journal import Journal, State

__all__ = ["BulkJob"]

T = TypeVar("T")

_CREATE = PaymentLinks.create

ORDERED_WINDOW = 8
"""A job in order runs ahead of what it has yielded by this many times the number of its workers."""


class BulkJob:
    """One run of `create_many`.

    Raises:
        ConfigurationError: An argument is unusable; nothing was sent.
    """

    def __init__(
        self, execution: Execution, options: CreateManyPaymentLinks, *, look_first: bool = False
    ) -> None:
        most = execution.settings.max_connections
        concurrency = options.concurrency
        if concurrency is not None and concurrency > most:
            raise ConfigurationError(
                f"concurrency: {concurrency} is above the client's max_connections of {most}"
            )
        journal = options.journal
        if journal is not None and not isinstance(journal, (Journal, str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"journal: expected a Journal or a path, got {type(journal).__name__}")
        self._execution = execution
        self._options = options
        self._workers = most if concurrency is None else concurrency
        self._timeout = execution.settings.changed(timeout=options.timeout).timeout
        if options.max_rate is not None:
            # More would spend their links' time in the queue for the rate.
            self._workers = min(self._workers, math.ceil(options.max_rate * self._timeout / 4))
        self._look_first = look_first

    async def results(self) -> AsyncGenerator[BulkResult]:
        """Run the job and yield a result for each request, as they come or in order.

        Leaving the generator stops the workers and closes the source.
        """
        connections = await self._execution.transport.connections()
        options = self._options
        pace: Pace = connections.pace if options.concurrency is None else OpenPace()
        if options.max_rate is not None:
            pace = RatedPace(options.max_rate, pace, connections.rate_clock)
        patience = Patience(self._timeout, pace, connections.probes(self._execution.budget.jobs))
        source = Source(options.links)
        journal = options.journal
        opened: Journal | None = None
        held: Journal | None = None
        if journal is not None and not isinstance(journal, Journal):
            journal = opened = Journal(journal)
        try:
            if journal is None:
                intake: Intake | JournalIntake = Intake(source, look_first=self._look_first)
            else:
                journal.hold()
                held = journal
                await self._enter(journal)
                intake = JournalIntake(source, journal, self._execution, ordered=options.ordered)
            outbox = _Outbox(self._workers, ordered=options.ordered)
            workers = [
                asyncio.create_task(_Worker(self._execution, intake, outbox, patience).run())
                for _ in range(self._workers)
            ]
            try:
                while True:
                    # What is ready is handed over without a coroutine for each.
                    while (result := outbox.take()) is not None:
                        yield result
                    if not await outbox.more():
                        break
            finally:
                ended = await _to_the_end(_wound_up(workers, intake, source))
            for outcome in ended:
                if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                    raise outcome
            if source.failure is not None:
                raise source.failure
        finally:
            if held is not None:
                held.release()
            if opened is not None:
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, opened.close))

    async def _enter(self, journal: Journal) -> None:
        """Open the journal, and make sure that it is of this account."""
        await journal.call(journal.open)
        settings = self._execution.settings
        key = settings.current_key()
        if await journal.call(journal.belongs_to, settings.base_url, key):
            return
        refused = f"journal {journal.path}: it was begun with another API key"
        kept: Any = await journal.call(journal.any_done)
        if kept is None:
            counts: dict[State, int] = await journal.call(journal.counts)
            if not counts.get(State.CLAIMED):
                # Nothing was created with the other key, which may have been a mistyped one.
                await journal.call(journal.take_key, key)
                return
            raise ConfigurationError(
                f"{refused}, and holds no link that could show that this one is of the account;"
                " run it with the first key once more"
            )
        call = self._execution.call(PaymentLinks.retrieve, RetrievePaymentLink(kept["id"]))
        try:
            found = await call.run()
            if found.id != kept["id"]:
                raise ConfigurationError(f"{refused}, and this one finds {found.id} for {kept['id']}")
        except APIError as error:
            if error.status not in (401, 403, 404):
                raise
            raise ConfigurationError(
                f"{refused}, and this one does not find its link {kept['id']}"
            ) from error
        await journal.call(journal.take_key, key)


async def _wound_up(
    workers: list[asyncio.Task[None]], intake: Intake | JournalIntake, source: Source
) -> list[BaseException | None]:
    # Where all went well they have ended by themselves.
    for worker in workers:
        worker.cancel()
    ended = await asyncio.gather(*workers, return_exceptions=True)
    try:
        await intake.close()
    finally:
        await source.close()
    return ended


async def _to_the_end(winding_up: Coroutine[Any, Any, T]) -> T:
    """Wait for something that must not be cut, however often its caller is cancelled meanwhile."""
    task = asyncio.get_running_loop().create_task(winding_up)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # noqa: BLE001 - raised below, with the task's result
            break
    if cancelled is not None:
        raise cancelled
    return task.result()


class _Outbox:
    """Results on their way to the consumer; workers wait where it does not keep up."""

    def __init__(self, workers: int, *, ordered: bool) -> None:
        self._working = workers
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
        """Wait until a result is ready; False once every worker has ended, or one has failed."""
        while not self._ready:
            if not self._working:
                if not self._early:
                    return False
                # Behind a row that has no result, such as one that a failure has cut.
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
        # Repeats may lie far ahead of their row, which is what the worker holds.
        while self._is_full(results[0].index):
            held = asyncio.get_running_loop().create_future()
            self._held.append(held)
            await held

    def _is_full(self, index: int) -> bool:
        far_ahead = self._ordered and index >= self._next + self._ahead
        return len(self._ready) > self._room or far_ahead

    def ended(self) -> None:
        """Note that a worker has no more to give."""
        self._working -= 1
        if not self._working:
            self._wake()

    def fail(self) -> None:
        """End now: a worker has failed in a way that is no result."""
        self._working = 0
        self._wake()

    def _release(self) -> None:
        held, self._held = self._held, deque()
        for waiting in held:
            if not waiting.done():
                waiting.set_result(None)

    def _wake(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)


class _Worker:
    """Takes a request, performs it, hands its result over, and takes the next."""

    def __init__(
        self, execution: Execution, intake: Intake | JournalIntake, outbox: _Outbox, patience: Patience
    ) -> None:
        self._execution = execution
        self._intake = intake
        self._outbox = outbox
        self._patience = patience

    async def run(self) -> None:
        """Work until there is no more to take."""
        intake, outbox = self._intake, self._outbox
        try:
            while (item := intake.take_now() or await intake.take()) is not None:
                result = item.result or await self._perform(item)
                results = intake.settled(item, result)
                if not outbox.put(results):
                    await outbox.room(results)
        except BaseException:
            # Such as a journal that cannot be written: nothing more is to be sent.
            outbox.fail()
            raise
        outbox.ended()

    async def _perform(self, item: Item) -> BulkResult:
        link: PaymentLink | None = None
        error: PlexyPayError | None = None
        call: Call[PaymentLink] | None = None
        try:
            call = self._execution.call(
                _CREATE,
                item.request,
                patience=self._patience,
                look_first=item.look_first,
                settled_at=item.settled_at,
            )
            link = await call.run()
        except PlexyPayError as failure:
            error = failure.with_traceback(None)
        return BulkResult(
            index=item.index,
            request=item.request,
            link=link,
            error=error,
            recovered=call is not None and call.recovered,
            retries=0 if call is None else call.retries,
        )
