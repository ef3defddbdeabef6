"""Cursors: a listing goes on where it stopped or broke, and a listing that is left leaves nothing behind."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    NotFoundError,
    PlexyPayError,
    SomethingWentWrongError,
)

from .listing_server import ListingServer, a_client, ids
from .mocked_http import MockedHTTP

pytestmark = pytest.mark.asyncio


async def no_task_is_left() -> None:
    """Wait, a bounded time, until the test's own task is the only one."""
    async with asyncio.timeout(30):
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)


# ---------------------------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("window", [1, 8])
async def test_every_page_says_where_the_rest_is(mocked_http: MockedHTTP, window: int) -> None:
    ListingServer(mocked_http, 45)

    async with a_client() as plexy:
        listing = plexy.payment_links.list(size=10).prefetch(window)
        async for page in listing.pages():
            if page.next_cursor is not None:
                rest = [link.id async for link in listing.resume(page.next_cursor)]
                assert rest == ids(page.page * 10, 45)


async def test_a_cursor_works_in_another_process(mocked_http: MockedHTTP) -> None:
    ListingServer(mocked_http, 45)

    async with a_client() as plexy:
        cursor = (await plexy.payment_links.list(size=10, status="paid").first_page()).next_cursor
    assert cursor is not None
    async with a_client() as plexy:
        rest = [link.id async for link in plexy.payment_links.list(size=10, status="paid").resume(cursor)]

    assert rest == ids(10, 45)


async def test_a_cursor_keeps_its_size(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 45, max_size=10)

    async with a_client() as plexy:
        cursor = (await plexy.payment_links.list(size=50).first_page()).next_cursor
        assert cursor is not None
        rest = [link.id async for link in plexy.payment_links.list().resume(cursor)]

    assert rest == ids(10, 45)
    assert server.sizes == [50, 10, 10, 10, 10]


async def test_the_first_page_of_a_resumed_listing(mocked_http: MockedHTTP) -> None:
    ListingServer(mocked_http, 45)

    async with a_client() as plexy:
        listing = plexy.payment_links.list(size=10)
        cursor = (await listing.first_page()).next_cursor
        assert cursor is not None
        second = await listing.resume(cursor).first_page()

    assert (second.page, [link.id for link in second]) == (2, ids(10, 20))


async def test_a_cursor_of_other_filters_is_refused(mocked_http: MockedHTTP) -> None:
    ListingServer(mocked_http, 45)

    async with a_client() as plexy:
        cursor = (await plexy.payment_links.list(size=10, status="paid").first_page()).next_cursor
        assert cursor is not None
        others: list[dict[str, Any]] = [{}, {"status": "active"}, {"status": "paid", "extra": {"a": 1}}]
        for filters in others:
            with pytest.raises(
                ConfigurationError, match="cursor: it belongs to a listing with other filters"
            ):
                plexy.payment_links.list(**filters).resume(cursor)
        elsewhere = plexy.with_options(paths={"payment_links.list": "/v2/links"})
        with pytest.raises(ConfigurationError, match="other filters"):
            elsewhere.payment_links.list(status="paid").resume(cursor)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "p2",
        "p0-s10-0123456789ab",
        "p2-s0-0123456789ab",
        "p2-s10-xyz",
        "p-1-s10-0123456789ab",
        None,
        2,
        "p" * 999,
    ],
)
async def test_what_is_no_cursor(cursor: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^cursor: .* is not one of payment_links\.list") as caught:
        a_client().payment_links.list().resume(cursor)
    assert len(str(caught.value)) < 120


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("window", [1, 2, 8])
@pytest.mark.parametrize("broken", [1, 2, 5, 10])
async def test_pages_before_an_error_are_delivered_and_the_rest_can_be_resumed(
    mocked_http: MockedHTTP, window: int, broken: int
) -> None:
    server = ListingServer(mocked_http, 95)
    server.latency = 0.001
    server.answer = lambda page, size: 404 if page == broken else server.page(page, size)

    read: list[str] = []
    async with a_client() as plexy:
        listing = plexy.payment_links.list(size=10).prefetch(window)

        async def read_on() -> None:
            async for link in listing:
                read.append(link.id)

        with pytest.raises(NotFoundError) as caught:
            await read_on()
        assert read == ids(0, (broken - 1) * 10)
        await no_task_is_left()

        server.answer = server.page
        error: PlexyPayError = pickle.loads(pickle.dumps(caught.value))
        assert error.cursor is not None
        read += [link.id async for link in listing.resume(error.cursor)]

    assert read == ids(0, 95)


async def test_several_pages_fail_and_the_first_is_told(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 100)
    server.answer = lambda page, size: {3: 500, 4: 404, 5: 400}.get(page) or server.page(page, size)

    async with a_client() as plexy:
        with pytest.raises(SomethingWentWrongError) as caught:
            async for _ in plexy.payment_links.list(size=10):
                pass
        await no_task_is_left()

    assert caught.value.cursor is not None
    assert caught.value.cursor.startswith("p3-s10-")
    assert len(caught.value.attempts) == 1


async def test_a_page_is_asked_for_again(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 30)
    failed: set[int] = set()

    def once(page: int, size: int) -> Any:
        if page in failed:
            return server.page(page, size)
        failed.add(page)
        return 503

    server.answer = once

    async with a_client() as plexy:
        assert [link.id async for link in plexy.payment_links.list(size=10)] == ids(0, 30)


async def test_the_first_page_marks_its_error(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 30)
    server.answer = lambda page, size: 503 if page == 1 else 404

    async with a_client() as plexy:
        with pytest.raises(SomethingWentWrongError) as caught:
            await plexy.payment_links.list(size=10).first_page()

    assert caught.value.cursor is not None
    assert caught.value.cursor.startswith("p1-s10-")


# --------------------------------------------------------------------------------------------- leaving


async def test_breaking_out_of_a_listing_leaves_no_task(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 1000)
    server.latency = 0.001

    async with a_client() as plexy:
        async for _ in plexy.payment_links.list(size=10):
            break
        await no_task_is_left()
        async for page in plexy.payment_links.list(size=10).pages():
            if page.page == 3:
                break
        await no_task_is_left()
        assert server.in_flight == 0


async def test_an_error_of_the_readers_leaves_no_task(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 1000)

    async def read(plexy: AsyncPlexyPay) -> None:
        async for _ in plexy.payment_links.list(size=10):
            raise LookupError

    async with a_client() as plexy:
        with pytest.raises(LookupError):
            await read(plexy)
        await no_task_is_left()

    assert server.in_flight == 0


@pytest.mark.parametrize("at", [1, 2])
async def test_a_cancelled_reader_leaves_no_task(mocked_http: MockedHTTP, at: int) -> None:
    server = ListingServer(mocked_http, 1000)
    stuck = asyncio.Event()
    honest = server.page

    def slow_from(page: int, size: int) -> Any:
        if page == at:
            stuck.set()
        return honest(page, size)

    server.answer = slow_from
    server.latency = 0.005

    async with a_client() as plexy:

        async def read() -> None:
            async for _ in plexy.payment_links.list(size=10):
                await asyncio.sleep(0.001)

        reader = asyncio.create_task(read())
        await stuck.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await no_task_is_left()
        assert server.in_flight == 0


async def test_a_reader_cancelled_while_it_waits_for_a_page_ahead(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 1000)

    async with a_client() as plexy:
        pages = plexy.payment_links.list(size=10).pages()
        await anext(pages)
        server.latency = 30
        waiting = asyncio.ensure_future(anext(pages))
        async with asyncio.timeout(30):
            while server.in_flight < 8:
                await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await no_task_is_left()

    assert server.in_flight == 0


async def test_closing_the_iterator_ends_the_fetching(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 1000)
    server.latency = 0.002

    async with a_client() as plexy:
        pages = plexy.payment_links.list(size=10).pages()
        await anext(pages)
        await asyncio.sleep(0)
        await pages.aclose()
        await no_task_is_left()
        assert [page async for page in pages] == []

    assert server.in_flight == 0
