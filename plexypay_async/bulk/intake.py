"""Where the workers of a bulk job get their rows, which are claimed in its journal first, if it has one."""

from __future__ import annotations

import abc
import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from operator import attrgetter
from typing import Any

import attrs

from .._core.execution import Execution
from .._core.record import LATE_WORK, EarlierRun
from .._wire.messages import WireRequest
from ..api.identities import StoredIdentity
from ..errors import ConfigurationError, PlexyPayError, UnreadableResponseError
from ..pay.payment_links import BulkResult, CreatePaymentLink, PaymentLinks
from .earlier_rows import EarlierRows, OrderReferences
from .journal import Journal
from .journal_format import Entry, State, digest_of
from .spreadsheets import meant_reference
from .taken import kept_link
from .unsent import (
    REFERENCE_MISSING,
    differs,
    differs_from_journal,
    holder_in,
    made_nothing,
    refused,
    repeating,
)

__all__ = ["EncodedLink", "Intake", "Item", "JournalIntake", "RequestSource", "RespeltLink"]

_CREATE = PaymentLinks.create

CLAIM_BATCH = 64
MOST_LATER = 1000
"""How many claimed rows of an earlier run are put off; with more of them, workers wait instead."""
WRITE_AFTER = 0.05
"""Seconds after which a result is written, if no claim is written with it before."""


@attrs.frozen
class EncodedLink:
    """A request that is encoded already, which a source may yield in place of the request.

    Its keys are in order, and its path is the declared one: the client must override no path.
    """

    request: CreatePaymentLink
    wire_request: WireRequest
    is_only_one: bool = False
    """Whether no other row of a job without a journal has its order reference: if that is taken, it may be
    looked up, and no two rows share a link."""


@attrs.frozen
class RespeltLink:
    """A request whose reference is spelt otherwise in its source; an earlier version may have sent that."""

    request: CreatePaymentLink
    spelling: str


@attrs.define
class Item:
    """A request that a worker has taken."""

    index: int
    request: CreatePaymentLink
    wire_request: WireRequest | None = None
    """The request as it goes out, where it was encoded already."""
    earlier: EarlierRun | None = None
    """What an earlier run has done about it."""
    link_id: str | None = None
    """The id of its link, where the journal has no more of it than that."""
    link_is_sealed: bool = False
    """Whether the journal's seal proves the id: then the link is never created again."""
    claimed_anew: bool = False
    """Whether no other row of the job has its reference, and none of an earlier run as far as is known."""
    repeats: int | None = None
    """The index of an earlier row of the job that it repeats: with a journal, of one that has ended."""
    spelling: str | None = None
    """Another spelling of its order reference, under which it is looked up first."""
    holder: str | None = None
    """The id of another order's link that had its reference in an earlier run: it is looked up first."""
    result: BulkResult | None = None
    """Its result, where it needs no request."""


class Buffered(AsyncIterator[CreatePaymentLink]):
    """An async source that can say at once whether it has a request at hand."""

    @property
    @abc.abstractmethod
    def has_one(self) -> bool:
        """Whether `take` may be called."""

    @abc.abstractmethod
    def take(self) -> CreatePaymentLink:
        """Return the next request, which is at hand."""


class RequestSource:
    """Reads one iterable of requests, plain or async, one by one."""

    def __init__(
        self,
        requests: Iterable[CreatePaymentLink] | AsyncIterable[CreatePaymentLink],
        *,
        look_first: bool = False,
    ) -> None:
        self._earlier = EarlierRun(may_have_done=True) if look_first else None
        self.references: OrderReferences | None = None
        """The order references of the rows; None where repeats are told elsewhere."""
        self.failure: BaseException | None = None
        """What the iterable raised; the caller gets it once the requests under way are done."""
        self.ended = False
        self._index = 0
        self._plain: Iterator[CreatePaymentLink] | None = None
        self._async: AsyncIterator[CreatePaymentLink] | None = None
        self._lock = asyncio.Lock()
        self._ahead: asyncio.Future[CreatePaymentLink] | None = None
        self._stopped = False
        self._buffered = requests if isinstance(requests, Buffered) else None
        if isinstance(requests, AsyncIterable):
            self._async = aiter(requests)
        elif isinstance(requests, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            self._plain = iter(requests)
        else:
            raise ConfigurationError(f"links: expected an iterable, got {type(requests).__name__}")

    async def next(self, *, wait: bool = True, until: float | None = None) -> Item | None:
        """Return the next request; None at the end, or where none is there yet.

        Args:
            wait: Whether to wait for one.
            until: The loop's time at which to wait no longer.
        """
        if self._plain is not None:
            return self.next_at_hand()
        if self.ended:
            return None
        try:
            # What is at hand is taken without a task and a lock, which cost half as much as the link.
            found = self._at_hand() or await self._next_async(wait=wait, until=until)
        except StopAsyncIteration:
            self.ended = True
        except Exception as error:  # noqa: BLE001 - the caller's own, handed to the caller
            self._fail(error)
        else:
            return None if found is None else self._item(found[0])
        return None

    def next_at_hand(self) -> Item | None:
        """Return the next request where it takes no wait; None at the end too."""
        if self.ended:
            return None
        if self._plain is None:
            found = self._at_hand()
            return None if found is None else self._item(found[0])
        try:
            request = next(self._plain)
        except StopIteration:
            self.ended = True
        except Exception as error:  # noqa: BLE001 - the caller's own, handed to the caller
            self._fail(error)
        else:
            return self._item(request)
        return None

    def _fail(self, failure: BaseException) -> None:
        self.ended, self.failure = True, failure

    def _item(self, request: CreatePaymentLink | EncodedLink | RespeltLink) -> Item | None:
        index = self._index
        self._index += 1
        if isinstance(request, CreatePaymentLink):
            reference = request.order_reference
            if reference is None or self.references is None:
                return Item(index, request, None, self._earlier)
            first = self.references.first(reference, index)
            if first == index:
                return Item(index, request, None, self._earlier, None, False, True)
            return Item(index, request, result=repeating(index, request, first))
        if isinstance(request, EncodedLink):
            only = request.is_only_one
            return Item(index, request.request, request.wire_request, self._earlier, claimed_anew=only)
        if isinstance(request, RespeltLink):  # pyright: ignore[reportUnnecessaryIsInstance]
            return Item(index, request.request, None, self._earlier, spelling=request.spelling)
        told = f"links[{index}]: expected a CreatePaymentLink, got {type(request).__name__}"
        self._fail(ConfigurationError(told))
        return None

    def _at_hand(self) -> tuple[CreatePaymentLink] | None:
        if self._buffered is None or self._ahead is not None or not self._buffered.has_one:
            return None
        return (self._buffered.take(),)

    async def _next_async(self, *, wait: bool, until: float | None) -> tuple[CreatePaymentLink] | None:
        assert self._async is not None  # noqa: S101
        async with self._lock:
            if self.ended:
                raise StopAsyncIteration
            if (ready := self._at_hand()) is not None:
                return ready
            if self._ahead is None:
                self._ahead = asyncio.ensure_future(_anext(self._async))
                await asyncio.sleep(0)
                if self._stopped:
                    self._ahead.cancel()
            if not wait and not self._ahead.done():
                return None
            ahead = self._ahead
            # Waited for, not awaited: a worker that is cancelled meanwhile must not cancel it for the others.
            seconds = None if until is None else max(0.0, until - asyncio.get_running_loop().time())
            await asyncio.wait([ahead], timeout=seconds)
            if not ahead.done() or self._stopped:
                return None
            self._ahead = None
            if ahead.cancelled():
                # The source did it itself: without an error the job would seem to have been completed.
                self._fail(asyncio.CancelledError("the source of the links was cancelled"))
                return None
            try:
                # In a tuple, since a source may yield None by mistake.
                return (ahead.result(),)
            finally:
                # An error of the source's has this frame in its traceback: without this, a reference cycle.
                del ahead

    def stop(self) -> None:
        """Read no more; whoever waits for a request is told that there is none."""
        self._stopped = self.ended = True
        if self._ahead is not None:
            self._ahead.cancel()

    def left(self) -> list[Item]:
        """Return the request that was read and not taken; call it once it is stopped."""
        ahead = self._ahead
        if ahead is None or not ahead.done() or ahead.cancelled() or ahead.exception() is not None:
            return []
        self._ahead = None
        item = self._item(ahead.result())
        return [] if item is None else [item]

    async def close(self) -> None:
        """Close a source that is a generator."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
        closing: object = self._async
        if isinstance(closing, AsyncGenerator):
            await closing.aclose()
        plain: object = self._plain
        if isinstance(plain, Generator):
            plain.close()


async def _anext(source: AsyncIterator[CreatePaymentLink]) -> CreatePaymentLink:
    return await anext(source)


class Intake:
    """Gives requests out as they come, without a journal.

    A row whose order reference an earlier one has is not sent: after a lost answer the look-up would find
    the link of that one.
    """

    def __init__(self, source: RequestSource) -> None:
        self._source = source
        self._references = source.references = OrderReferences()
        self.take_now = source.next_at_hand
        self.take = source.next
        self.stop = source.stop
        self.left = source.left

    def finish(self, item: Item, result: BulkResult) -> list[BulkResult]:
        """Forget the reference of a row for which nothing was made, so that it may come again."""
        if result.error is not None and item.claimed_anew and made_nothing(result.error):
            self._references.forget(str(item.request.order_reference))
        return [result]

    @property
    def ended(self) -> bool:
        """Whether no further request is to be read."""
        return self._source.ended

    async def close(self) -> None:
        """Delete what is kept of earlier rows."""
        self._references.close()


class JournalIntake:
    """Gives out requests that are claimed in the journal first, in batches."""

    def __init__(
        self, source: RequestSource, journal: Journal, execution: Execution, *, ordered: bool
    ) -> None:
        self._source = source
        self._journal = journal
        self._ordered = ordered
        self._now = asyncio.get_running_loop().time
        self._late_work_until = self._now() + LATE_WORK
        self._later: deque[Item] = deque()
        self._codec = execution.codec(_CREATE)
        self._ready: deque[Item] = deque()
        self._lock = asyncio.Lock()
        self._open: dict[str, _Open] = {}
        self._repeats = 0
        self._fewer_repeats = asyncio.Event()
        self._writes: set[asyncio.Future[tuple[list[Entry], Sequence[int | None]]]] = set()
        self._flush: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._stopped = False
        self._done: list[tuple[str, str, Any]] = []
        self._failed: list[tuple[str, str, str | None]] = []
        self._older: dict[str, str] = {}
        self._earlier_rows = EarlierRows(is_first_job=True)
        self._is_first_job = True

    async def begin(self) -> None:
        """Read from the journal what must be known before the first row."""
        self._older, self._earlier_rows = await self._journal.call(self._read_journal)

    def _read_journal(self) -> tuple[dict[str, str], EarlierRows]:
        self._is_first_job = self._journal.is_empty()
        earlier_rows = EarlierRows(is_first_job=self._is_first_job)
        return self._journal.older_spellings(meant_reference), earlier_rows

    def _claimed(self, *changes: Any) -> tuple[list[Entry], Sequence[int | None]]:
        entries, claims = self._journal.exchange(*changes), changes[-1]
        return entries, self._earlier_rows.note(claims, entries)

    def take_now(self) -> Item | None:
        """Return the next request, whose claim is durable; None if that takes a wait, and after the last."""
        if self._ready and not self._later and self._failure is None and not self._stopped:
            return self._ready.popleft()
        return None

    async def take(self) -> Item | None:
        """Return the next request, whose claim is durable; None after the last."""
        while not self._stopped:
            if self._failure is not None:
                raise self._failure
            if self._later_is_due:
                return self._later.popleft()
            if self._ready:
                return self._ready.popleft()
            async with self._lock:
                if not self._ready and not self._later_is_due:
                    await self._claim_batch()
                if not self._ready and self._source.ended and not self._stopped:
                    return self._later.popleft() if self._later else None
        return None

    @property
    def _later_is_due(self) -> bool:
        return bool(self._later) and (len(self._later) >= MOST_LATER or self._now() >= self._late_work_until)

    async def _claim_batch(self) -> None:
        if self._repeats >= CLAIM_BATCH and self._later:
            # The rows that are repeated may be among those put off, which no worker would finish.
            self._ready.extend(self._later)
            self._later.clear()
            return
        while self._repeats >= CLAIM_BATCH and not self._stopped:
            # Workers have all the rows that are repeated, and will finish them.
            self._fewer_repeats.clear()
            await self._fewer_repeats.wait()
        claimed: list[tuple[Item, str, bytes]] = []
        ready: list[Item] = []
        try:
            await self._gather(claimed, ready)
            if claimed:
                ready += await self._exchange(claimed)
        except BaseException:
            # They were read and are not sent; each needs a result.
            ready += [item for item, _, _ in claimed]
            self._ready.extend(sorted(ready, key=_index))
            raise
        # In the order of the source: a job in order holds results back until that of the next row is there.
        for item in sorted(ready, key=_index):
            # Unless the results come in order, rows that the server may still be at work on are put off.
            is_late = item.earlier is not None and item.earlier.late_work_until > 0
            later = is_late and item.link_id is None and not self._ordered
            (self._later if later else self._ready).append(item)

    async def _gather(self, claimed: list[tuple[Item, str, bytes]], ended: list[Item]) -> None:
        """Read the rows of a batch: those to be claimed, and those that are refused already."""
        while len(claimed) + len(ended) < CLAIM_BATCH and self._repeats < CLAIM_BATCH:
            # A slow source must not hold up the rows that were put off.
            until = self._late_work_until if self._later else None
            item = await self._source.next(wait=not claimed and not ended, until=until)
            if item is None:
                break
            if (older := self._older.get(item.request.order_reference or "")) is not None:
                # An earlier version has sent it so: under the reference of today it would get a second link.
                item.request = attrs.evolve(item.request, order_reference=StoredIdentity(older))
                item.wire_request = None
            reference = item.request.order_reference
            if reference is None:
                ended.append(_refused(item, REFERENCE_MISSING))
                continue
            try:
                if item.wire_request is None:
                    item.wire_request = self._codec.encode(item.request, ordered=True)
            except PlexyPayError as error:
                item.result = BulkResult(
                    index=item.index, request=item.request, error=error.with_traceback(None)
                )
                ended.append(item)
                continue
            digest = digest_of(item.wire_request.body)
            open_row = self._open.get(reference)
            if open_row is None:
                self._open[reference] = _Open(item.index, digest)
                claimed.append((item, reference, digest))
            elif open_row.digest == digest:
                open_row.repeats.append(item)
                self._repeats += 1
            else:
                ended.append(_refused(item, differs(reference, open_row.row)))

    async def _exchange(self, claimed: list[tuple[Item, str, bytes]]) -> list[Item]:
        rows = [(item.index, reference, digest) for item, reference, digest in claimed]
        items: list[Item] = []
        entries, repeated = await self._write(rows)
        for (item, reference, digest), entry, earlier in zip(claimed, entries, repeated, strict=True):
            if entry.state in (State.CLAIMED, State.DONE) and entry.digest != digest:
                why = differs_from_journal(reference, entry.row, entry.link)
                items += [
                    _refused(each, why, entry.link) for each in (item, *self._closed(reference).repeats)
                ]
                continue
            item.repeats = earlier
            self._prepare(item, entry)
            items.append(item)
        return items

    def _prepare(self, item: Item, entry: Entry) -> None:
        """Set how a row is to be sent, by what the journal knew of it."""
        item.claimed_anew = entry.state in (None, State.FAILED)
        if item.claimed_anew:
            if entry.state is State.FAILED:
                item.earlier, item.holder = EarlierRun(may_have_done=False), entry.link
            return
        link = None if entry.answer is None else kept_link(self._codec, entry.answer, item.request)
        if link is not None:
            item.result = BulkResult(
                index=item.index, request=item.request, link=link, recovered=True, from_journal=True
            )
            return
        item.link_id, item.link_is_sealed = entry.link, entry.sealed
        item.earlier = EarlierRun(may_have_done=True, late_work_until=self._late_work_until)

    async def _write(self, claims: list[tuple[int, str, bytes]]) -> tuple[list[Entry], Sequence[int | None]]:
        writing = asyncio.ensure_future(self._exchanged(claims))
        self._writes.add(writing)
        writing.add_done_callback(self._writes.discard)
        # A write goes on even if the worker that waits for it is cancelled.
        return await asyncio.shield(writing)

    async def _exchanged(
        self, claims: list[tuple[int, str, bytes]]
    ) -> tuple[list[Entry], Sequence[int | None]]:
        done, self._done = self._done, []
        failed, self._failed = self._failed, []
        try:
            return await self._journal.call(self._claimed, done, failed, claims)
        except BaseException:
            # What could not be written now is tried again with the next write.
            self._done[:0], self._failed[:0] = done, failed
            raise

    async def _write_soon(self) -> None:
        """Write results even where no claim is written with them: a kill then leaves less to look up."""
        await asyncio.sleep(WRITE_AFTER)
        self._flush = None
        try:
            await self._write([])
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must not go on without a journal
            self._failure = error

    def _closed(self, reference: str) -> _Open:
        row = self._open.pop(reference)
        self._repeats -= len(row.repeats)
        self._fewer_repeats.set()
        return row

    def finish(self, item: Item, result: BulkResult) -> list[BulkResult]:
        """Note a row's result for the journal; return it, with those of the rows that repeat the row."""
        reference = item.request.order_reference
        if reference is None:
            return [result]
        open_row = self._open.get(reference)
        if open_row is None or open_row.row != item.index:
            return [result]
        self._closed(reference)
        if item.result is None:
            if result.link is not None:
                # An answer that was purged is not kept again.
                if not item.link_is_sealed:
                    self._done.append((reference, result.link.id, result.link.raw))
            elif isinstance(result.error, UnreadableResponseError) and result.link_id is not None:
                # It exists, and is never created again; the next run retrieves it.
                if not item.link_is_sealed:
                    self._done.append((reference, result.link_id, result.error.raw))
            elif (error := result.error) is not None and made_nothing(error):
                told = f"{type(error).__name__}: {error}"
                self._failed.append((reference, told, holder_in(error) or item.holder))
            if self._flush is None:
                self._flush = asyncio.get_running_loop().create_task(self._write_soon())
        first = item.repeats
        if first is not None:
            result = attrs.evolve(result, repeats=first)
        repeats = [
            attrs.evolve(
                result,
                index=repeat.index,
                request=repeat.request,
                retries=0,
                repeats=item.index if first is None else first,
            )
            for repeat in open_row.repeats
        ]
        return [result, *repeats]

    @property
    def ended(self) -> bool:
        """Whether no further request is to be read."""
        return self._source.ended

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True
        self._source.stop()
        self._fewer_repeats.set()

    def left(self) -> list[Item]:
        """Return what was read and not taken, once it is stopped."""
        items = [*self._ready, *self._later, *self._source.left()]
        for item in items:
            if not (self._is_first_job or item.claimed_anew or item.result or item.earlier):
                # It was not looked for in the journal, which may have it from an earlier run.
                item.earlier = EarlierRun(may_have_done=True, late_work_until=self._late_work_until)
        self._release(items)
        self._ready.clear()
        self._later.clear()
        return sorted(items, key=_index)

    def _release(self, items: Iterable[Item]) -> None:
        """Note for the journal that claimed rows are not sent, so that the next run need not look them up."""
        for item in items:
            reference = item.request.order_reference
            if item.claimed_anew and item.result is None and reference is not None:
                self._failed.append((reference, "not sent: the job had ended", item.holder))

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._flush is not None:
            self._flush.cancel()
            await asyncio.gather(self._flush, return_exceptions=True)
        if self._writes:
            await asyncio.wait(self._writes)
        self._release([*self._ready, *self._later])
        if self._done or self._failed:
            await self._write([])
        else:
            await self._journal.call(self._journal.check_place)
        self._earlier_rows.close()
        if self._failure is not None:
            raise self._failure


@attrs.define
class _Open:
    row: int
    digest: bytes
    repeats: list[Item] = attrs.Factory(list["Item"])


_index = attrgetter("index")


def _refused(item: Item, why: str, link_id: str | None = None) -> Item:
    item.result = refused(item.index, item.request, why, link_id=link_id)
    return item
