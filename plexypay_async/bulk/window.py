"""Workers over one iterator: however many requests there are, only a window of them is in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING

import attrs

from ..api.payment_links import CreatePaymentLink, PaymentLink, PaymentLinks
from ..errors import PlexyPayError

if TYPE_CHECKING:
    from ..client import AsyncPlexyPay
    from ..execution import Execution

__all__ = ["BulkResult", "create_each"]


@attrs.frozen(kw_only=True)
class BulkResult:
    """What became of one request: a link or an error, never both."""

    index: int
    """The request's position in its source, from 0."""
    request: CreatePaymentLink
    link: PaymentLink | None
    error: PlexyPayError | None
    recovered: bool = False
    """Whether the link was found by a look-up after its answer was lost."""
    retries: int = 0
    """How often the create was sent again."""


async def create_each(
    client: AsyncPlexyPay,
    requests: Iterable[CreatePaymentLink] | AsyncIterable[CreatePaymentLink],
    *,
    concurrency: int,
) -> AsyncGenerator[BulkResult]:
    """Create a payment link for each request, with `concurrency` of them under way at once.

    Results come in the order in which they are done. The source is read as far as there are workers free and
    no further than the consumer keeps up. Leaving the generator stops its workers.

    Raises:
        Exception: What the source itself raises, once the links under way are settled and yielded.
    """
    execution = client._execution  # pyright: ignore[reportPrivateUsage]
    source = _Source(requests)
    results: asyncio.Queue[BulkResult | None] = asyncio.Queue(maxsize=concurrency)
    workers = [asyncio.create_task(_work(execution, source, results)) for _ in range(concurrency)]
    working = concurrency
    try:
        while working:
            result = await results.get()
            if result is None:
                working -= 1
            else:
                yield result
        if source.failure is not None:
            raise source.failure
    finally:
        for worker in workers:
            worker.cancel()
        ended = await asyncio.gather(*workers, return_exceptions=True)
        await source.close()
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome


async def _work(execution: Execution, source: _Source, results: asyncio.Queue[BulkResult | None]) -> None:
    operation = PaymentLinks.create
    try:
        while (taken := await source.take()) is not None:
            index, request = taken
            link: PaymentLink | None = None
            error: PlexyPayError | None = None
            recovered, retries = False, 0
            try:
                call = execution.call(operation, request)
                try:
                    link = await call.run()
                finally:
                    recovered, retries = call.recovered, call.retries
            except PlexyPayError as failure:
                error = failure.with_traceback(None)
            await results.put(
                BulkResult(
                    index=index, request=request, link=link, error=error, recovered=recovered, retries=retries
                )
            )
    finally:
        if not _cancelled():
            await results.put(None)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Source:
    """One source of requests, plain or async, that many workers take from."""

    def __init__(self, requests: Iterable[CreatePaymentLink] | AsyncIterable[CreatePaymentLink]) -> None:
        self.failure: Exception | None = None
        self._index = 0
        self._lock = asyncio.Lock()
        self._ended = False
        self._plain = iter(requests) if isinstance(requests, Iterable) else None
        self._async: AsyncIterator[CreatePaymentLink] | None = (
            None if isinstance(requests, Iterable) else aiter(requests)
        )

    async def take(self) -> tuple[int, CreatePaymentLink] | None:
        """Return the next request and its position; None after the last, or when the source has raised."""
        if self._ended:
            return None
        try:
            if self._plain is not None:
                request = next(self._plain)
            else:
                request = await self._next_async()
        except (StopIteration, StopAsyncIteration):
            self._ended = True
            return None
        except Exception as error:  # noqa: BLE001 - the caller's own error is handed to the caller
            self._ended = True
            self.failure = self.failure or error
            return None
        index = self._index
        self._index += 1
        return index, request

    async def _next_async(self) -> CreatePaymentLink:
        assert self._async is not None  # noqa: S101
        # An async generator must not be asked twice at once.
        async with self._lock:
            if self._ended:
                raise StopAsyncIteration
            return await anext(self._async)

    async def close(self) -> None:
        """Close a source that is a generator."""
        closing = getattr(self._async, "aclose", None)
        if closing is not None:
            await closing()
        closing = getattr(self._plain, "close", None)
        if closing is not None:
            closing()
