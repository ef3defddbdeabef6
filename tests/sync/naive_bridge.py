"""The naive bridge in the portal's place: the tests of the ten points must fail on it.

``python -m pytest tests/sync --naive-bridge`` runs them so, here and in the scripts' own processes, and fails
where one of them passes. The bridge hands each coroutine, and each step of an iteration, to a loop on a
daemon thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class NaivePortal:
    """Runs coroutine functions on its own thread, as one would write it at first."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        from plexypay_sync.portal import _new_event_loop

        if self._loop is None:
            loop = _new_event_loop()
            threading.Thread(target=loop.run_forever, name="plexypay", daemon=True).start()
            self._loop = loop
        return self._loop

    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
        return asyncio.run_coroutine_threadsafe(function(*args, **kwargs), self._running_loop()).result()

    def run_if_started(self, function: Callable[..., Coroutine[Any, Any, object]]) -> None:
        if self._loop is not None:
            self.run(function)

    def post(self, function: Callable[[], Coroutine[Any, Any, object]]) -> None:
        self.run(function)

    def renew_after_fork(self, transport: object) -> None:
        """Do nothing."""

    def each(self, generator: AsyncGenerator[T]) -> Iterator[T]:
        """Iterate without an event loop, as one would write it at first: each item by itself."""

        async def step() -> T:
            return await anext(generator)

        async def close() -> None:
            await generator.aclose()

        try:
            while True:
                try:
                    item = self.run(step)
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self.run(close)


def install() -> None:
    """Put the naive bridge in the portal's place, in this process."""
    import plexypay_sync.client
    import plexypay_sync.portal
    from plexypay_async.bulk.job import BulkJob
    from plexypay_sync.bulk import SyncBulkJob
    from plexypay_sync.pagination import Pages

    async def items(pages: Any) -> AsyncGenerator[Any]:
        async for item in pages:
            yield item

    naive: Any = NaivePortal()
    plexypay_sync.portal.portal = plexypay_sync.client.portal = naive  # type: ignore[attr-defined]

    def begin(self: Any, portal: object, execution: Any, options: Any) -> None:
        self.job = BulkJob(execution, options)

    changed: list[tuple[Any, str, Any]] = [
        (Pages, "__iter__", lambda self: naive.each(items(self._pages))),
        (Pages, "pages", lambda self: naive.each(self._pages.pages())),
        (SyncBulkJob, "__init__", begin),
        (SyncBulkJob, "results", lambda self: naive.each(self.job.results())),
    ]
    for owner, name, function in changed:
        setattr(owner, name, function)
