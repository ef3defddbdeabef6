"""Listings without an event loop: pages are fetched on the portal's loop, items are iterated here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, Generic, Protocol, TypeVar

from plexypay_async.errors import ConfigurationError
from plexypay_async.pagination import AsyncPages, Page, RepeatFilter

__all__ = ["Page", "Pages"]

T = TypeVar("T")


class Bridge(Protocol):
    """The way to the event loop in another thread; see `portal.Portal`."""

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function there, and wait for its result."""
        ...

    def post(self, function: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run a coroutine function there some time soon."""
        ...

    def interrupt_again(self) -> None:
        """Raise KeyboardInterrupt in the main thread in a moment."""
        ...


class Pages(Generic[T]):
    """A listing that has not been asked yet: iterate over its items, or over its `pages`.

    Each iteration starts anew. An error while reading carries `cursor`, with which `resume` goes on at the
    first page that was not delivered. The next pages are fetched while the items of one are used.

    Where new items push older ones on to a page that is read later, the items leave out those that one of the
    eight pages before had, by their ids; `pages` are as the server shows them. Items that others pull back to
    a page that was read already are missed, and nothing tells of it.
    """

    def __init__(self, portal: Bridge, pages: AsyncPages[T]) -> None:
        self._portal = portal
        self._pages = pages

    def __repr__(self) -> str:
        return repr(self._pages).replace("AsyncPages", type(self).__name__)

    def __iter__(self) -> Iterator[T]:
        repeats = RepeatFilter()
        for page in self.pages():
            yield from repeats.new(page.items)

    def first_page(self) -> Page[T]:
        """Fetch one page: the first, or the one that `resume` starts at.

        Where the listing turns out not to be paged, the one that `resume` starts at has only what is not on
        the first.

        Raises:
            PlexyPayError: The call failed.
        """
        return self._portal.run(self._pages.first_page)

    def prefetch(self, window: int) -> Pages[T]:
        """Return the same listing with another window: how many pages may be under way or waiting at once.

        The default is 8; 1 fetches strictly one page after the other, each when it is asked for. Several at
        once need the `total` that the server gives. Without it a page is handed out when the next one is
        known, since a server that does not page answers with the same items again; and with a window of more
        than 1 the one after that is under way.

        Raises:
            ConfigurationError: `window` is not a positive int.
        """
        return Pages(self._portal, self._pages.prefetch(window))

    def resume(self, cursor: str) -> Pages[T]:
        """Return the same listing from where `cursor` points, a page's `next_cursor` or an error's `cursor`.

        Raises:
            ConfigurationError: `cursor` is none, or comes from a listing with other filters.
        """
        return Pages(self._portal, self._pages.resume(cursor))

    def pages(self) -> Iterator[Page[T]]:
        """Iterate over the pages, in order; the next ones are fetched while one is used.

        Raises:
            PlexyPayError: A page failed, or the server repeats a page; `cursor` says where to resume.
        """
        reading = _Reading(self._pages.pages())
        try:
            while (page := self._portal.run(reading.next)) is not None:
                yield page
        finally:
            try:
                # Not waited for: the garbage collector may come here, in any thread.
                self._portal.post(reading.close)
            except KeyboardInterrupt:
                self._portal.interrupt_again()
                self._portal.post(reading.close)


class _Reading(Generic[T]):
    """One iteration over pages, which belongs to the event loop that began it."""

    def __init__(self, pages: AsyncGenerator[Page[T]]) -> None:
        self._pages: AsyncGenerator[Page[T]] | None = pages
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking = False

    async def next(self) -> Page[T] | None:
        """Return the next page, or None after the last."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError(
                "this iteration began before a fork, or on an event loop that has ended;"
                " resume from the last page's next_cursor"
            )
        if self._pages is None:
            return None
        self._asking = True
        try:
            return await anext(self._pages, None)
        finally:
            self._asking = False

    async def close(self) -> None:
        """Stop the fetching of pages that nobody will read."""
        # One that is still asked is being cancelled, and closes by that.
        if self._loop is asyncio.get_running_loop() and not self._asking:
            pages, self._pages = self._pages, None
            if pages is not None:
                # Dropped here and not in the caller's thread: see the portal's jobs.
                await pages.aclose()
