"""A bulk job: workers that take requests from one source and send them, with or without a journal.

Only a part of the job is in memory, however many requests there are: what the workers hold, what the
consumer has not taken yet, and one batch of journal claims.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

import attrs

from .._core.admission import JobLimits
from .._core.call import Call
from .._core.call_of import call_of
from .._core.concurrency import ConcurrencyLimit, RateLimit, Unlimited
from .._core.decision import may_be_taken
from .._core.execution import Execution
from .._core.record import Doubt
from .._core.slots import loop_of_task
from ..errors import (
    APIError,
    ConfigurationError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    UnreadableResponseError,
)
from ..logs import CALLS, log_failed_row
from ..pay.description import PAY
from ..pay.payment_links import (
    BulkResult,
    CreateManyPaymentLinks,
    CreatePaymentLink,
    PaymentLink,
    PaymentLinks,
    RetrievePaymentLink,
)
from .crew import Crew
from .frames import without_job_frames
from .intake import Intake, Item, JournalIntake, RequestSource
from .journal import Journal
from .journal_format import State
from .lasting import LastingFailures
from .reporting import ProgressReports
from .result_queue import ResultQueue
from .taken import existing, is_of, under_spelling
from .unsent import made_nothing, not_looked_up, not_sent

__all__ = ["BulkJob"]

T = TypeVar("T")

_CREATE = PaymentLinks.create
_RETRIEVE = PaymentLinks.retrieve


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
            # With more workers, the time of a link would run out while it waits for its turn.
            self._workers = min(self._workers, math.ceil(options.max_rate * self._timeout / 4))
        self._look_first = look_first
        self.cut = False
        """Whether a failure has ended it before its source ended."""

    async def results(self) -> AsyncGenerator[BulkResult]:
        """Run the job and yield a result for each request, as they come or in order.

        Leaving the generator stops the workers and closes the source. What ends the job before its source
        ends is raised once the requests under way are done, and every row that was read has its result.

        Raises:
            ConfigurationError: The journal is unusable; nothing was sent. Or it cannot be written any more.
            PlexyPayError: What every row would meet, such as a refused key.
            BaseException: What the source raises, or code of others that a call runs, such as a tracer.
        """
        loop_of_task()
        run = _Run(self._execution, self._options, workers=self._workers, timeout=self._timeout)
        result: BulkResult | None = None
        failure: BaseException | None = None
        try:
            try:
                await run.begin(look_first=self._look_first)
            except Exception as error:  # noqa: BLE001 - raised below, without the frames that it came through
                failure = error
            while failure is None:
                # Without awaiting anything while results are ready.
                while (result := run.queue.take()) is not None:
                    yield result
                if not await run.more():
                    break
        finally:
            self.cut = run.queue.failure is not None
            leaving = isinstance(sys.exception(), GeneratorExit)
            ending = _to_the_end(run.end(failure))
            # The traceback of what is raised holds this frame, which must not hold rows.
            del self, run, result
            failure = await ending
            if leaving and failure is not None:
                raise failure
        if failure is not None:
            try:
                raise failure
            finally:
                del failure


class _Run:
    """A job while it runs: its source, its journal and its workers."""

    def __init__(
        self, execution: Execution, options: CreateManyPaymentLinks, *, workers: int, timeout: float
    ) -> None:
        self._execution = execution
        self._options = options
        self._size = workers
        self._timeout = timeout
        self.queue = ResultQueue(workers, ordered=options.ordered, stop=self._stop)
        self._reports: ProgressReports | None = None
        if (
            options.on_progress is not None
            or execution.settings.observers
            or CALLS.isEnabledFor(logging.INFO)
        ):
            self._reports = ProgressReports(
                options.on_progress, self.queue.fail, execution.settings.observers
            )
            self.queue.count = self._reports.count
        self._source: RequestSource | None = None
        self._intake: Intake | JournalIntake | None = None
        self._lasting: LastingFailures | None = None
        self._crew: Crew[_Worker] | None = None
        self._opened: Journal | None = None
        self._held: Journal | None = None

    async def begin(self, *, look_first: bool) -> None:
        """Open the journal and start the workers."""
        execution, options = self._execution, self._options
        connections = await execution.transport.connections()
        limit: ConcurrencyLimit = (
            connections.concurrency_limit if options.concurrency is None else connections.fixed_limit
        )
        if options.max_rate is not None:
            limit = RateLimit(options.max_rate, limit, connections.rate_clock)
        probes = connections.probes(execution.budget.jobs)
        look_limits = JobLimits(execution.settings, execution.budget, self._timeout, Unlimited(), probes)
        self._lasting = lasting = LastingFailures(
            execution, limit, look_limits, self._refuse, self.queue.fail
        )
        limits = JobLimits(execution.settings, execution.budget, self._timeout, lasting, probes)
        if self._reports is not None:
            limits.observed_job = look_limits.observed_job = self._reports.observed
        journal = options.journal
        self._source = source = RequestSource(options.links, look_first=look_first and journal is None)
        if journal is not None and not isinstance(journal, Journal):
            journal = self._opened = Journal(journal)
        if journal is None:
            intake: Intake | JournalIntake = Intake(source)
        else:
            journal.hold()
            self._held = journal
            await _enter(journal, execution)
            intake = JournalIntake(source, journal, execution, ordered=options.ordered)
            await intake.begin()
        self._intake = intake
        if self._reports is not None:
            adaptive = options.concurrency is None
            pace = connections.concurrency_limit.pace if adaptive else None
            self._reports.begin(limits, pace, self._size)
        self._crew = limits.crew = crew = Crew(
            self._size,
            lambda: _Worker(execution, intake, self.queue, limits, lasting, crew),
            may_grow=options.concurrency is None and options.max_rate is None,
            is_hiring=lambda: not intake.ended and not self.queue.is_ending and not limits.probes.is_failing,
        )
        crew.begin()

    def _refuse(self) -> bool:
        worker = None if self._crew is None else self._crew.here
        return worker is not None and worker.refuse()

    def _stop(self) -> None:
        """Let the workers end: rows that were not sent are not sent any more."""
        if self._intake is not None:
            self._intake.stop()
        if self._lasting is not None:
            self._lasting.close()

    async def more(self) -> bool:
        """Wait until a result is ready; False once every row that was read has had its result."""
        if await self.queue.more():
            return True
        failure, intake = self.queue.failure, self._intake
        if failure is None or intake is None:
            if self._reports is not None:
                self._reports.last()
            return False
        for item in intake.left():
            result = item.result or _not_sent(item, failure)
            self.queue.put(intake.finish(attrs.evolve(item, result=result), result))
        return await self.queue.more()

    async def end(self, failure: BaseException | None) -> BaseException | None:
        """Stop the workers and close everything; return the error that the job ends with, if any."""
        self.queue.closed = True
        if self._crew is not None:
            await self._crew.end()
        if self._reports is not None:
            await self._reports.end()
        source = self._source
        failure = failure or self.queue.failure
        if failure is not None:
            of_caller = self._reports is not None and failure is self._reports.failure
            failure = without_job_frames(failure, of_caller=of_caller)
        elif source is not None and source.failure is not None:
            failure = without_job_frames(source.failure, of_caller=True)
        for part in (self._intake, source, self._opened):
            try:
                if isinstance(part, Journal):
                    await asyncio.get_running_loop().run_in_executor(None, part.close)
                elif part is not None:
                    await part.close()
            except BaseException as error:  # noqa: BLE001 - raised where nothing else was before it
                failure = failure or without_job_frames(error, of_caller=True)
        if self._held is not None:
            self._held.release()
        if self._reports is not None:
            self._reports.ended(failure)
        return failure


async def _enter(journal: Journal, execution: Execution) -> None:
    """Open the journal, and make sure that it belongs to this account."""
    await journal.call(journal.open)
    settings = execution.settings
    key = settings.current_key()
    if await journal.call(journal.belongs_to, settings.base_url, key):
        return
    refused = f"journal {journal.path}: it was begun with another API key"
    kept: str | None = await journal.call(journal.any_link)
    if kept is None:
        counts: dict[State, int] = await journal.call(journal.counts)
        if not counts.get(State.CLAIMED):
            # Nothing was created with the other key, which may have been mistyped.
            await journal.call(journal.take_key, key)
            return
        raise ConfigurationError(
            f"{refused}, and holds no link by which this key could be checked to be of the same account;"
            " run it with the first key once more"
        )
    call = call_of(execution, PaymentLinks.retrieve, RetrievePaymentLink(kept))
    try:
        found = await call.run()
        if found.id != kept:
            raise ConfigurationError(f"{refused}, and this one finds {found.id} for {kept}")
    except UnreadableResponseError as error:
        # The account has it, though not all of it can be read.
        if error.link_id != kept:
            raise
    except APIError as error:
        if error.status not in (401, 403, 404):
            raise
        raise ConfigurationError(f"{refused}, and this one does not find its link {kept}") from error
    await journal.call(journal.take_key, key)


async def _to_the_end(winding_up: Coroutine[Any, Any, T]) -> T:
    """Wait for something that must not be cancelled, however often its caller is."""
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


@attrs.define(eq=False)
class _Worker:
    """Takes a request, performs it, hands its result over, and takes the next."""

    _execution: Execution
    _intake: Intake | JournalIntake
    _queue: ResultQueue
    _limits: JobLimits
    _lasting: LastingFailures
    _crew: Crew[_Worker]
    _call: Call[PaymentLink] | None = attrs.field(default=None, init=False)
    _refused: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._queue.begun()

    def refuse(self) -> bool:
        """Keep its row from being sent; False if it has been sent already."""
        self._refused = self._call is not None and not self._call.sent
        return self._refused

    async def run(self) -> None:
        """Work until no request is left, or others do. An error here ends the job."""
        intake, queue, lasting, crew = self._intake, self._queue, self._lasting, self._crew
        try:
            while True:
                item = intake.take_now()
                if item is None:
                    if lasting.suspects and not intake.ended:
                        # Now rather than with the next row, which the source may give much later.
                        await lasting.look()
                    item = await intake.take()
                    if item is None:
                        break
                result = item.result or await self._perform(item)
                if result.error is not None:
                    reference = result.request.order_reference
                    log_failed_row(_CREATE.name, result.index, reference, result.error)
                results = intake.finish(item, result)
                if not queue.put(results):
                    await queue.room(results)
                if crew.leaves():
                    break
        except BaseException as error:  # noqa: BLE001 - raised where the results are taken
            # It is not raised here, where a SystemExit would end the event loop.
            queue.fail(error)
        finally:
            queue.ended()

    async def _perform(self, item: Item) -> BulkResult:
        link: PaymentLink | None = None
        error: PlexyPayError | None = None
        began = self._lasting.round
        try:
            if item.link_id is not None and (known := await self._known(item, item.link_id)) is not None:
                return known
            if item.spelling is not None and (known := await self._respelt(item, item.spelling)) is not None:
                return known
            if item.holder is not None and (known := await self._of_holder(item)) is not None:
                return known
            call = self._call = call_of(
                self._execution,
                _CREATE,
                item.request,
                job=self._limits,
                wire_request=item.wire_request,
                earlier=item.earlier,
            )
        except PlexyPayError as failure:
            error = _as_known(item, failure.with_traceback(None))
            return BulkResult(index=item.index, request=item.request, error=error)
        try:
            link = await call.run()
        except PlexyPayError as failure:
            error = failure.with_traceback(None)
        except BaseException as foreign:
            if self._queue.closed:
                raise
            error = self._cut_by(foreign, item)
        finally:
            self._call = None
        if self._refused:
            return _not_sent(item, self._queue.failure)
        recovered = call.recovered
        is_anew = item.claimed_anew and item.earlier is None
        if is_anew and isinstance(error, APIError) and may_be_taken(error, PAY.errors):
            # No other row of this job has the reference: no two rows share a link.
            link, error = await self._taken(item.request, error)
            recovered = link is not None
        self._lasting.note(error, began)
        if error is not None and call.record.doubt is Doubt.OPEN:
            error = _as_known(item, error)
        return BulkResult(
            index=item.index,
            request=item.request,
            link=link,
            error=error,
            recovered=recovered,
            retries=call.retries,
        )

    async def _taken(
        self, request: CreatePaymentLink, refusal: APIError
    ) -> tuple[PaymentLink | None, PlexyPayError | None]:
        """Return the link that has the order reference of a refused row, or the row's error."""
        try:
            found: PaymentLink | PlexyPayError = await existing(
                self._execution, request, refusal, self._limits
            )
        except BaseException as foreign:
            if self._queue.closed:
                raise
            self._queue.fail(foreign)
            found = refusal
        return (None, found) if isinstance(found, PlexyPayError) else (found, None)

    async def _respelt(self, item: Item, spelling: str) -> BulkResult | None:
        """Return what another spelling of a row's reference has; None where there is nothing."""
        began = self._lasting.round
        found = await under_spelling(self._execution, item.request, spelling, self._limits)
        if isinstance(found, PlexyPayError):
            self._lasting.note(found, began)
            return BulkResult(index=item.index, request=item.request, error=found)
        if found is None:
            return None
        return BulkResult(index=item.index, request=item.request, link=found, recovered=True)

    async def _of_holder(self, item: Item) -> BulkResult | None:
        """Return what the reference of a row has that was another order's; None where it is free now."""
        known = await self._respelt(item, str(item.request.order_reference))
        if known is None or known.error is None or made_nothing(known.error):
            return known
        # No request that creates it was sent.
        return not_looked_up(item.index, item.request, known.error)

    def _cut_by(self, foreign: BaseException, item: Item) -> PlexyPayError:
        """End the job with an error that is not the library's; return the one of the row that met it."""
        self._queue.fail(foreign)
        return OutcomeUnknownError(
            f"row {item.index}: it may have been sent; the job ended meanwhile ({type(foreign).__name__})",
            operation=_CREATE.name,
            order_reference=item.request.order_reference,
        )

    async def _known(self, item: Item, link_id: str) -> BulkResult | None:
        """Retrieve the link that the journal has for a row; None where the row is to be looked up."""
        request, found, cause = item.request, None, None
        began = self._lasting.round
        call = call_of(self._execution, _RETRIEVE, RetrievePaymentLink(link_id), job=self._limits)
        try:
            found = await call.run()
        except PlexyPayError as error:
            cause = error.with_traceback(None)
        self._lasting.note(cause, began)
        if found is not None and is_of(found, request):
            return BulkResult(index=item.index, request=request, link=found, recovered=True)
        if found is not None and item.link_is_sealed and found.order_reference == request.order_reference:
            cause = _flaw_of(found)
        if not item.link_is_sealed and (cause is None or isinstance(cause, NotFoundError)):
            return None
        if isinstance(cause, UnreadableResponseError):
            # It is there: the seal proves which link is the row's, though not all of its fields can be read.
            unread = BulkResult(index=item.index, request=request, error=cause, recovered=True)
            if unread.link_id == link_id:
                return unread
        told = "it is of another order now" if cause is None else str(cause)
        unknown = OutcomeUnknownError(
            f"row {item.index}: the journal has the link {link_id} for it, which cannot be read ({told});"
            " it is not created again",
            operation=_RETRIEVE.name,
            order_reference=request.order_reference,
        )
        unknown.__cause__ = cause
        return BulkResult(index=item.index, request=request, error=unknown)


def _flaw_of(link: PaymentLink) -> UnreadableResponseError | None:
    """Return the error of a link that shows what no link has, such as a negative amount."""
    told = _CREATE.flaw(link)
    if told is None:
        return None
    error = UnreadableResponseError(f"{_RETRIEVE.name}: the answer cannot be right: {told}", status=200)
    error.link_id, error.link_url = link.id, link.url
    return error


def _as_known(item: Item, error: PlexyPayError) -> PlexyPayError:
    """Return a row's error; one that says that nothing happened does not speak for an earlier run."""
    claimed = item.earlier is not None and item.earlier.may_have_done and item.earlier.late_work_until > 0
    if not claimed or error.outcome is not Outcome.NOT_SENT:
        return error
    unknown = OutcomeUnknownError(
        f"row {item.index}: an earlier run may have created it, and it was not looked for"
        f" ({str(error).removeprefix(f'row {item.index}: ')})",
        operation=_CREATE.name,
        order_reference=item.request.order_reference,
    )
    unknown.__cause__ = error
    return unknown


def _not_sent(item: Item, failure: BaseException | None) -> BulkResult:
    result = not_sent(item.index, item.request, failure)
    return result if result.error is None else attrs.evolve(result, error=_as_known(item, result.error))
