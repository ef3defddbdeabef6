"""Listings: pages that fetch themselves while they are read, several at once, and can be resumed.

A listing holds the pages of its window and no more. Pages are numbered from 1 by the server; while links are
being made or cancelled its pages shift, and the server shows an item at their seam twice, or not at all. The
iteration over items leaves repeats out; what was not shown, nobody can tell.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter, deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import attrs
import orjson

from ._composed_docs import help_shows_fields
from ._privacy.hiding import shown
from .answered import Answered
from .errors import ConfigurationError, Outcome, PlexyPayError, UnreadableResponseError
from .json_form import JSONResult

__all__ = [
    "DEFAULT_PAGE_SIZE",
    "DEFAULT_WINDOW",
    "AsyncPages",
    "Page",
    "PageBody",
    "PageSource",
    "RepeatFilter",
]

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 100
DEFAULT_WINDOW = 8
_CURSOR = re.compile(r"p([1-9][0-9]{0,17})-s([1-9][0-9]{0,8})-([0-9a-f]{12})(?:-([0-9a-f]{16}))?")
REPEATS_BEFORE_ERROR = 2
EMPTY_BEFORE_ERROR = 100
PAGES_REMEMBERED = 8
_AGAIN = "the same items again and again, the last time as page {}"


@help_shows_fields
@attrs.frozen(kw_only=True)
class Page(JSONResult, Generic[T]):
    """One page of a listing."""

    items: tuple[T, ...]
    """What is listed on it, in the server's order."""
    page: int
    """Its number, from 1."""
    size: int
    """How many items the server puts on a page."""
    total: int | None
    """How many items there are in all, where the server says so."""
    next_cursor: str | None
    """Where `resume` goes on after this page; None on the last one."""
    raw: Mapping[str, Any] = attrs.field(repr=False, eq=False)
    """The decoded answer."""
    answered: Answered[None] | None = attrs.field(default=None, repr=False, eq=False)
    """How it was answered: the status, the headers, the request's id, seconds and attempts."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@attrs.frozen
class PageBody(Generic[T]):
    """A page as the server has answered it."""

    items: tuple[T, ...]
    """What is listed on it, in the server's order."""
    page: int | None
    """The number that it gives itself, from 1; None where it gives none."""
    size: int | None
    """How many items it says that a page has; None where it does not say."""
    total: int | None
    """How many items it says that there are in all; None where it does not say."""
    raw: Mapping[str, Any]
    """The decoded answer."""
    entries: Sequence[Any] | None
    """The items as they came; None where the server has written null, or none in a form not published."""
    answered: Answered[None] | None = None
    """How it was answered."""
    misfit: PlexyPayError | None = None
    """The error that it is where it gives itself another number than the one asked for, each time."""

    @property
    def names(self) -> list[str]:
        """What tells the items apart: of each its id, or all of it where it has none of its own."""
        # By the ids where there are any: an item may change between two looks at the same page.
        ids = [getattr(item, "id", None) for item in self.items]
        count = Counter(ids)
        return [
            str(id) if id and count[id] == 1 else _written(entry)
            for id, entry in zip(ids, self.entries or (), strict=True)
        ]

    @property
    def digest(self) -> str:
        """What two answers with the same items, in whatever order, have in common."""
        return hashlib.sha256(orjson.dumps(sorted(self.names))).hexdigest()[:16]

    def is_again(self, first: PageBody[T], size: int) -> bool:
        """Tell whether this may be the first page once more, but for items that came or went meanwhile.

        Of two full pages only the same items say so: the others may have been pushed on.
        """
        if len(self.items) == len(first.items) == size:
            return self.digest == first.digest
        shared = len(set(self.names).intersection(first.names))
        return 2 * shared >= min(len(self.items), len(first.items)) > 0

    def only(self, names: Collection[str]) -> PageBody[T]:
        """Return the page with its items of these names alone."""
        kept = [index for index, name in enumerate(self.names) if name in names]
        items, entries = self.items, self.entries or ()
        return attrs.evolve(
            self, items=tuple([items[index] for index in kept]), entries=[entries[index] for index in kept]
        )


def _written(entry: Any) -> str:
    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        # A number of more than 64 bits.
        return repr(entry)


@attrs.frozen
class PageSource(Generic[T]):
    """What fetches the pages of one listing, with the filters that it was asked for."""

    name: str
    """The listing's name."""
    asked: str
    """Its path and filters, by which a cursor of another listing is told."""
    size: int | None
    """The page size that the caller has asked for, if any."""
    fetch: Callable[[int, int], Coroutine[Any, Any, PageBody[T]]]
    """Fetches one page, given its number and its size; it raises `PlexyPayError` where the call failed.

    A page that gives itself another number comes with the error that it is.
    """


@attrs.frozen
class _Position:
    page: int
    size: int
    before: str = ""
    """The digest of the page before it, in a listing without a total."""


class AsyncPages(Generic[T]):
    """A listing that has not been asked yet: iterate over its items, or over its `pages`.

    Each iteration starts anew. An error while reading carries `cursor`, with which `resume` goes on at the
    first page that was not delivered.

    Where new items push older ones on to a page that is read later, the items leave out those that one of the
    eight pages before had, by their ids; `pages` are as the server shows them. Items that others pull back to
    a page that was read already are missed, and nothing tells of it.
    """

    def __init__(
        self, source: PageSource[T], *, window: int = DEFAULT_WINDOW, start: _Position | None = None
    ) -> None:
        self._source = source
        self._window = window
        self._start = start or _Position(1, source.size or DEFAULT_PAGE_SIZE)
        self._digest = hashlib.sha256(source.asked.encode()).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._source.name} from page {self._start.page}>"

    def __aiter__(self) -> AsyncIterator[T]:
        return self._items()

    async def _items(self) -> AsyncGenerator[T]:
        repeats = RepeatFilter()
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for item in repeats.new(page.items):
                    yield item

    async def first_page(self) -> Page[T]:
        """Fetch one page: the first, or the one that `resume` starts at.

        Where the listing turns out not to be paged, the one that `resume` starts at has only what is not on
        the first.

        Raises:
            PlexyPayError: The call failed.
        """
        body, position = await self._first()
        rest = await self._rest_at_start(body)
        return self._page(body, position) if rest is None else self._page(rest, position, more=False)

    def prefetch(self, window: int) -> AsyncPages[T]:
        """Return the same listing with another window: how many pages may be under way or waiting at once.

        The default is 8; 1 fetches strictly one page after the other, each when it is asked for. Several at
        once need the `total` that the server gives. Without it a page is handed out when the next one is
        known, since a server that does not page answers with the same items again; and with a window of more
        than 1 the one after that is under way.

        Raises:
            ConfigurationError: `window` is not a positive int.
        """
        if type(window) is not int or window < 1:
            raise ConfigurationError(f"window: expected an int of at least 1, got {shown(window)}")
        return AsyncPages(self._source, window=window, start=self._start)

    def resume(self, cursor: str) -> AsyncPages[T]:
        """Return the same listing from where `cursor` points, a page's `next_cursor` or an error's `cursor`.

        Raises:
            ConfigurationError: `cursor` is none, or comes from a listing with other filters.
        """
        match = None
        if isinstance(cursor, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            match = _CURSOR.fullmatch(cursor)
        if match is None:
            raise ConfigurationError(f"cursor: {shown(cursor, 60)} is not one of {self._source.name}")
        if match[3] != self._digest:
            raise ConfigurationError("cursor: it belongs to a listing with other filters")
        start = _Position(int(match[1]), int(match[2]), match[4] or "")
        return AsyncPages(self._source, window=self._window, start=start)

    async def pages(self) -> AsyncGenerator[Page[T]]:
        """Iterate over the pages, in order; the next ones are fetched while one is used.

        Raises:
            PlexyPayError: A page failed, or the server repeats a page; `cursor` says where to resume.
        """
        repeats = _RepeatDetector()
        body, position = await self._first()
        if body.total is None:
            async with aclosing(self._pages_without_total(body, position)) as pages:
                async for page in pages:
                    yield page
            return
        ahead: deque[tuple[_Position, asyncio.Task[PageBody[T]]]] = deque()
        size = position.size
        following = position.page + 1
        try:
            while True:
                self._check(body, position, repeats)
                page = self._page(body, position)
                if self._window > 1:
                    last = self._last_page(body, position)
                    while len(ahead) < (self._window if body.total is not None else 1) and following <= last:
                        ahead.append(self._ahead(_Position(following, size)))
                        following += 1
                yield page
                if page.next_cursor is None:
                    return
                first = body if position.page == 1 else None
                if ahead:
                    position, task = ahead.popleft()
                    body = await self._result(task, position)
                else:
                    position = _Position(position.page + 1, size)
                    following = position.page + 1
                    body = await self._fetch_or_mark(position)
                body = _credible(body, position)
                if first is not None and body.total is None:
                    rest = await self._rest_or_mark(body, attrs.evolve(position, before=first.digest), first)
                    if rest is not None:
                        yield self._page(rest, position, more=False)
                        return
        finally:
            await _cancel([task for _, task in ahead])

    async def _pages_without_total(self, body: PageBody[T], position: _Position) -> AsyncGenerator[Page[T]]:
        """Iterate over the pages of a listing that ends with an empty one, or that is not paged.

        One that is not paged answers each page's number with the same items. So a page is handed out when the
        one after it is known.
        """
        repeats = _RepeatDetector()
        ahead: asyncio.Task[PageBody[T]] | None = None
        failure: PlexyPayError | None = None
        try:
            rest = await self._rest_at_start(body)
            if rest is not None:
                if rest.items:
                    yield self._page(rest, position, more=False)
                return
            while True:
                self._check(body, position, repeats)
                following = _Position(position.page + 1, position.size, body.digest)
                next_body: PageBody[T] | None = None
                if body.items and rest is None:
                    try:
                        next_body = await (ahead or self._fetch(following))
                        if position.page == 1:
                            rest = await self._rest(next_body, following, body)
                            next_body = next_body if rest is None else rest
                    except PlexyPayError as error:
                        failure, next_body = error, None
                ahead = None
                ends = failure is None and not (next_body and next_body.items)
                if next_body is not None and not ends and rest is None and self._window > 1:
                    _, ahead = self._ahead(_Position(following.page + 1, following.size))
                yield self._page(body, position, more=not ends)
                if failure is not None:
                    raise self._marked(failure, following) from failure.__cause__
                if next_body is None or ends:
                    return
                body, position = next_body, following
        finally:
            await _cancel([] if ahead is None else [ahead])

    async def _rest(
        self, body: PageBody[T], position: _Position, first: PageBody[T] | None
    ) -> PageBody[T] | None:
        """Return what of a second page is new, where it shows that the server does not page; None otherwise.

        It is the first page once more then, and so is the third. What came or went between two looks makes
        little difference. Where pages are pushed on by new items, the third is none of it.

        Args:
            body: The second page.
            position: Where it is, with the digest of the first.
            first: The first page; None where the listing was resumed.
        """
        if not body.items:
            return None
        size, misfit = position.size, body.misfit
        if body.digest == position.before:
            # Since a listing was left, as many may have come as the server puts on a page.
            is_sure = first is not None and len(body.items) != size
            if is_sure if misfit is None else misfit.attempts:
                return body.only(())
        else:
            if first is None:
                first = await self._fetch(_Position(1, size))
            if not body.is_again(first, size):
                return None
        third = await self._source.fetch(position.page + 1, size)
        if third.is_again(first or body, size):
            # What is not on the third either may have gone before the first was asked for again.
            return body.only(set(third.names).difference((first or body).names))
        misfit = misfit or third.misfit
        if misfit is not None:
            raise misfit from misfit.__cause__
        return None

    async def _rest_at_start(self, body: PageBody[T]) -> PageBody[T] | None:
        """Return what is new on the page at which a listing was resumed, where the server does not page."""
        start = self._start
        if body.total is not None:
            return None
        if start.page != 2:
            # Whoever got a cursor of a later page has seen pages that differ: this one may go round.
            if body.items and body.digest == start.before:
                following = _Position(start.page + 1, start.size)
                if (await self._fetch_or_mark(following)).digest == start.before:
                    raise self._marked(self._wrong(_AGAIN.format(following.page)), start)
            return None
        return await self._rest_or_mark(body, start, None)

    async def _rest_or_mark(
        self, body: PageBody[T], position: _Position, first: PageBody[T] | None
    ) -> PageBody[T] | None:
        try:
            return await self._rest(body, position, first)
        except PlexyPayError as error:
            raise self._marked(error, position) from error.__cause__

    async def _first(self) -> tuple[PageBody[T], _Position]:
        """Fetch the page that the listing starts at, and tell where it is."""
        body = await self._fetch_or_mark(self._start)
        position = self._counted(body)
        return _credible(body, position), position

    def _check(self, body: PageBody[T], position: _Position, repeats: _RepeatDetector) -> None:
        """Refuse a page that goes round."""
        wrong: str | None = None
        if repeats.seen(body):
            wrong = _AGAIN.format(position.page)
        elif repeats.empty >= EMPTY_BEFORE_ERROR:
            wrong = f"{repeats.empty} empty pages on end below a total of {body.total}"
        if wrong is not None:
            raise self._marked(self._wrong(wrong), position)

    def _ahead(self, position: _Position) -> tuple[_Position, asyncio.Task[PageBody[T]]]:
        task = asyncio.get_running_loop().create_task(self._fetch(position))
        return position, task

    async def _result(self, task: asyncio.Task[PageBody[T]], position: _Position) -> PageBody[T]:
        try:
            return await task
        except asyncio.CancelledError:
            await _cancel([task])
            raise
        except PlexyPayError as error:
            raise self._marked(error, position) from error.__cause__

    async def _fetch_or_mark(self, position: _Position) -> PageBody[T]:
        try:
            return await self._fetch(position)
        except PlexyPayError as error:
            raise self._marked(error, position) from error.__cause__

    async def _fetch(self, position: _Position) -> PageBody[T]:
        """Fetch a page; one that gives itself another number is an error, unless it may be all there is."""
        body = await self._source.fetch(position.page, position.size)
        misfit = body.misfit
        if misfit is not None and not (
            position.page == 2 and body.page == 1 and body.total is None and body.digest == position.before
        ):
            raise misfit from misfit.__cause__
        return body

    def _counted(self, body: PageBody[T]) -> _Position:
        """Return where the first answer is, by the size that the server gives: it may clamp the one asked.

        A cursor counts by the size of the listing that it came from.
        """
        start = self._start
        if start.page > 1:
            return start
        if body.size is not None and body.size > 0:
            return _Position(1, body.size)
        shown = len(body.items)
        if 0 < shown < start.size and body.total is not None and body.total > shown:
            # Fewer than asked for, though there are more: this is what the server puts on a page.
            return _Position(1, shown)
        return start

    def _page(self, body: PageBody[T], position: _Position, *, more: bool | None = None) -> Page[T]:
        if more is None:
            more = position.page < self._last_page(body, position)
        before = body.digest if body.total is None else ""
        return Page(
            items=body.items,
            page=position.page,
            size=position.size,
            total=body.total,
            next_cursor=self._cursor(_Position(position.page + 1, position.size, before)) if more else None,
            raw=body.raw,
            answered=body.answered,
        )

    @staticmethod
    def _last_page(body: PageBody[T], position: _Position) -> int:
        """Return the number of the last page, as far as this page's answer tells."""
        if body.total is not None:
            if position.page == 1 and len(body.items) >= body.total:
                # Though more were asked for by pages: the server does not page.
                return 1
            return -(-body.total // position.size)
        # Without a total only an empty page says that there are no more.
        return position.page + 1 if body.items else position.page

    def _cursor(self, position: _Position) -> str:
        before = position.before and f"-{position.before}"
        return f"p{position.page}-s{position.size}-{self._digest}{before}"

    def _marked(self, error: PlexyPayError, position: _Position) -> PlexyPayError:
        error.cursor = self._cursor(position)
        return error

    def _wrong(self, what: str) -> UnreadableResponseError:
        error = UnreadableResponseError(
            f"{self._source.name}: the server answers with {what}", status=200, outcome=Outcome.DONE
        )
        error.operation = self._source.name
        return error


def _credible(body: PageBody[T], position: _Position) -> PageBody[T]:
    """Return a page without its total where that is smaller than what has been shown up to its end."""
    if body.total is None or not body.items:
        return body
    shown = (position.page - 1) * position.size + len(body.items)
    return attrs.evolve(body, total=None) if body.total < shown else body


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class RepeatFilter:
    """Leaves out the items of a page that one of the pages before it had: new ones have pushed them on.

    They are told by their id and the time when they were made. Where one page has the same id twice, ids do
    not tell items apart, and nothing more is left out.
    """

    def __init__(self) -> None:
        self._shown: deque[frozenset[Any]] = deque(maxlen=PAGES_REMEMBERED)
        self._tells_apart = True

    def new(self, items: Sequence[T]) -> Sequence[T]:
        """Return the items of the next page that none of those before it had."""
        if not self._tells_apart:
            return items
        names = [(getattr(item, "id", None), getattr(item, "created_at", None)) for item in items]
        named = [name for name in names if type(name[0]) is str and name[0]]
        of_page = frozenset(named)
        if len({id for id, _ in named}) < len(named):
            self._tells_apart = False
            self._shown.clear()
            return items
        again = {name for before in self._shown for name in before & of_page}
        self._shown.append(of_page)
        if not again:
            return items
        return [item for item, name in zip(items, names, strict=True) if name not in again]


class _RepeatDetector:
    """Notices that the pages go round, in constant memory (Brent's cycle detection).

    One repeat may be honest: as many new items as a page holds push it one number on. Two are not.
    """

    def __init__(self) -> None:
        self.empty = 0
        """How many pages on end had no items."""
        self._kept: str | None = None
        self._hits = 0
        self._pages = 0
        self._keep_next_at: int = 1

    def seen(self, body: PageBody[Any]) -> bool:
        if not body.items:
            self.empty += 1
            return False
        self.empty = 0
        digest = body.digest
        if digest == self._kept:
            self._hits += 1
            if self._hits >= REPEATS_BEFORE_ERROR:
                return True
        self._pages += 1
        if self._pages == self._keep_next_at:
            self._keep_next_at *= 2
            if digest != self._kept:
                self._kept = digest
                self._hits = 0
        return False
