"""Listings: every item once and in order, pages ahead of their reader, and servers that miscount."""

from __future__ import annotations

import asyncio
import math
import weakref
from datetime import UTC, datetime
from typing import Any

import pytest
from aioresponses import CallbackResult
from yarl import URL

from plexypay_async import (
    ConfigurationError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    Page,
    PlexyPayError,
    RetryPolicy,
    UnreadableResponseError,
)

from .listing_server import BASE, ListingServer, a_client, ids
from .mocked_http import MockedHTTP

pytestmark = pytest.mark.asyncio

PATIENT = RetryPolicy(max_attempts=8, base=0, cap=0)
MISBEHAVING_LIMIT = 60
"""How many requests a listing may make before it notices that its server goes round."""


# ------------------------------------------------------------------------------------------------ order


@pytest.mark.parametrize("window", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 95])
@pytest.mark.parametrize("has_total", [True, False])
async def test_every_item_comes_once_and_in_order(
    mocked_http: MockedHTTP, window: int, count: int, has_total: bool
) -> None:
    server = ListingServer(mocked_http, count, has_total=has_total)

    async with a_client() as plexy:
        read = [link.id async for link in plexy.payment_links.list(size=10).prefetch(window)]

    assert read == ids(0, count)
    # Without a total only an empty page tells the end.
    last = max(1, math.ceil(count / 10)) if has_total else math.ceil(count / 10) + 1
    assert sorted(server.asked) == list(range(1, last + 1))


async def test_pages(mocked_http: MockedHTTP) -> None:
    ListingServer(mocked_http, 25)

    async with a_client() as plexy:
        pages = [page async for page in plexy.payment_links.list(size=10).pages()]

    assert [(page.page, page.size, page.total, len(page)) for page in pages] == [
        (1, 10, 25, 10),
        (2, 10, 25, 10),
        (3, 10, 25, 5),
    ]
    assert [link.id for page in pages for link in page] == ids(0, 25)
    assert pages[0].raw["data"][0]["id"] == "pl_0"
    assert [page.next_cursor is None for page in pages] == [False, False, True]
    assert "raw" not in repr(pages[0])


async def test_the_first_page_alone(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 250)

    async with a_client() as plexy:
        page = await plexy.payment_links.list().first_page()
        await server.settled()

    assert (page.page, page.size, page.total, len(page.items)) == (1, 100, 250, 100)
    assert server.asked == [1]


async def test_a_listing_asks_for_nothing_until_it_is_read(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 25)

    async with a_client() as plexy:
        listing = plexy.payment_links.list()
        listing.pages()
        aiter(listing)
        await server.settled()

    assert server.asked == []


async def test_each_iteration_starts_anew(mocked_http: MockedHTTP) -> None:
    ListingServer(mocked_http, 25)

    async with a_client() as plexy:
        listing = plexy.payment_links.list(size=10)
        first, second = [[link.id async for link in listing] for _ in range(2)]

    assert first == second == ids(0, 25)


async def test_two_readers_of_one_listing(mocked_http: MockedHTTP) -> None:
    ListingServer(mocked_http, 45)

    async with a_client() as plexy:
        listing = plexy.payment_links.list(size=10)

        async def read() -> list[str]:
            return [link.id async for link in listing]

        assert list(await asyncio.gather(read(), read())) == [ids(0, 45), ids(0, 45)]


async def test_filters_go_with_every_page(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 30)

    async with a_client() as plexy:
        listing = plexy.payment_links.list(
            status="paid", created_from=datetime(2025, 1, 1, tzinfo=UTC), size=10, extra={"store": "s1"}
        )
        assert len([link async for link in listing]) == 30

    assert [query.pop("page") for query in server.queries] == ["1", "2", "3"]
    expected = {"status": "paid", "from": "2025-01-01T00:00:00Z", "size": "10", "store": "s1"}
    assert server.queries == [expected] * 3


@pytest.mark.parametrize("name", ["page", "size"])
async def test_extra_may_not_count_the_pages(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"extra\['{name}'\]"):
        a_client().payment_links.list(extra={name: 3})


@pytest.mark.parametrize("value", [2**70, "\ud800"], ids=ascii)
async def test_filters_that_cannot_be_sent(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        async for _ in a_client().payment_links.list(extra={"filter": {"a": value}}):
            pass
    with pytest.raises(ConfigurationError):
        async for _ in a_client().payment_links.list(status="\ud800"):
            pass


# ------------------------------------------------------------------------------------------- prefetching


@pytest.mark.parametrize(("window", "most"), [(1, 1), (2, 2), (5, 5), (8, 8), (100, 19)])
async def test_as_many_pages_are_under_way_as_the_window_says(
    mocked_http: MockedHTTP, window: int, most: int
) -> None:
    server = ListingServer(mocked_http, 200)
    server.latency = 0.005

    async with a_client() as plexy:
        assert len([link async for link in plexy.payment_links.list(size=10).prefetch(window)]) == 200

    assert server.most_in_flight == most


async def test_the_default_window_is_eight(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 200)
    server.latency = 0.005

    async with a_client() as plexy:
        assert len([page async for page in plexy.payment_links.list(size=10).pages()]) == 20

    assert server.most_in_flight == 8


async def test_a_slow_reader_stops_the_fetching(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 1000)

    async with a_client() as plexy:
        pages = plexy.payment_links.list(size=10).prefetch(4).pages()
        await anext(pages)
        await server.settled()
        assert sorted(server.asked) == [1, 2, 3, 4, 5]
        await anext(pages)
        await server.settled()
        assert sorted(server.asked) == [1, 2, 3, 4, 5, 6]
        await pages.aclose()


async def test_a_window_of_one_asks_when_it_is_asked(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 30)

    async with a_client() as plexy:
        read = 0
        async for page in plexy.payment_links.list(size=10).prefetch(1).pages():
            await server.settled()
            read += 1
            assert server.asked == list(range(1, read + 1))
            assert page.page == read

    assert server.most_in_flight == 1


async def test_without_a_total_a_page_is_handed_out_when_the_next_is_known(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 50, has_total=False)
    server.latency = 0.002

    async with a_client() as plexy:
        pages = plexy.payment_links.list(size=10).pages()
        await anext(pages)
        await server.settled()
        assert server.asked == [1, 2, 3]
        assert len([page async for page in pages]) == 4

    assert server.most_in_flight == 1
    assert server.asked == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("window", [0, -1, 1.0, "8", None, True])
async def test_a_window_is_a_positive_int(window: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^window: expected an int of at least 1"):
        a_client().payment_links.list().prefetch(window)


# ------------------------------------------------------------------------------- servers that miscount


@pytest.mark.parametrize("window", [1, 8])
async def test_an_empty_page_before_the_total_is_not_the_end(mocked_http: MockedHTTP, window: int) -> None:
    server = ListingServer(mocked_http, 60)
    server.answer = lambda page, size: {**server.page(page, size), **({"data": []} if page in (2, 3) else {})}

    async with a_client() as plexy:
        read = [link.id async for link in plexy.payment_links.list(size=10).prefetch(window)]

    assert read == ids(0, 10) + ids(30, 60)


@pytest.mark.parametrize("window", [1, 8])
async def test_a_server_that_gives_smaller_pages(mocked_http: MockedHTTP, window: int) -> None:
    server = ListingServer(mocked_http, 95, max_size=20)

    async with a_client() as plexy:
        pages = [page async for page in plexy.payment_links.list(size=1000).prefetch(window).pages()]

    assert [link.id for page in pages for link in page] == ids(0, 95)
    assert server.sizes == [1000, 20, 20, 20, 20]
    assert {page.size for page in pages} == {20}


async def test_a_total_that_grows_while_it_is_read(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 20)

    async with a_client() as plexy:
        read: list[str] = []
        async for page in plexy.payment_links.list(size=10).prefetch(1).pages():
            read += [link.id for link in page]
            server.count = 45

    assert read == ids(0, 45)


async def test_a_total_that_shrinks_while_it_is_read(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 100)

    async with a_client() as plexy:
        read: list[str] = []
        async for page in plexy.payment_links.list(size=10).prefetch(1).pages():
            read += [link.id for link in page]
            server.count = 25

    assert read == ids(0, 25)


@pytest.mark.parametrize("size", [None, 0, -5])
async def test_a_size_that_says_nothing(mocked_http: MockedHTTP, size: int | None) -> None:
    server = ListingServer(mocked_http, 25)
    server.answer = lambda page, asked: {**server.page(page, asked), "size": size}

    async with a_client() as plexy:
        assert [link.id async for link in plexy.payment_links.list(size=10)] == ids(0, 25)


@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize(
    ("period", "total"),
    [*((period, 10_000) for period in (1, 2, 3, 7)), *((period, None) for period in (2, 3, 7))],
)
async def test_a_server_that_goes_round_is_noticed(
    mocked_http: MockedHTTP, window: int, period: int, total: int | None
) -> None:
    server = ListingServer(mocked_http, 10_000)

    def answer(page: int, size: int) -> dict[str, Any]:
        return {**server.page((page - 1) % period + 1, size), "page": page, "total": total}

    server.answer = answer

    async with a_client() as plexy:
        with pytest.raises(UnreadableResponseError, match="again and again") as caught:
            async for _ in plexy.payment_links.list(size=10).prefetch(window):
                pass
    assert len(server.asked) < MISBEHAVING_LIMIT

    assert caught.value.operation == "payment_links.list"
    assert caught.value.outcome is Outcome.DONE
    assert caught.value.cursor is not None


@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("at", [1, 2, 4, 5])
async def test_one_honest_shift_is_not_taken_for_a_loop(
    mocked_http: MockedHTTP, window: int, at: int
) -> None:
    # As many new links as a page holds arrive after page `at`: it comes again under the next number.
    server = ListingServer(mocked_http, 100)
    server.answer = lambda page, size: {**server.page(page if page <= at else page - 1, size), "page": page}

    async with a_client() as plexy:
        listing = plexy.payment_links.list(size=10).prefetch(window)
        shown = [link.id async for page in listing.pages() for link in page]
        read = [link.id async for link in listing]

    assert shown == ids(0, at * 10) + ids((at - 1) * 10, 90)
    assert read == ids(0, 90)


@pytest.mark.parametrize("window", [1, 8])
async def test_a_server_that_ignores_the_page_is_asked_twice_more(
    mocked_http: MockedHTTP, window: int
) -> None:
    server = ListingServer(mocked_http, 20)
    server.answer = lambda page, size: server.page(1, size)

    async with a_client(retry=PATIENT) as plexy:
        links = aiter(plexy.payment_links.list(size=10).prefetch(window))
        assert [(await anext(links)).id for _ in range(10)] == ids(0, 10)
        with pytest.raises(
            UnreadableResponseError, match=r"the answer is of another request: page 1 when asked for page 2$"
        ) as caught:
            await anext(links)

    assert server.asked == [1, 2, 2, 2]
    assert [type(error) for error in caught.value.attempts] == [OutcomeUnknownError] * 2
    assert caught.value.cursor is not None
    assert caught.value.cursor.startswith("p2-s10-")


@pytest.mark.parametrize("most", [1, 2])
async def test_no_page_is_asked_for_more_often_than_the_policy_allows(
    mocked_http: MockedHTTP, most: int
) -> None:
    server = ListingServer(mocked_http, 20)
    server.answer = lambda page, size: server.page(1, size)

    async with a_client(retry=RetryPolicy(max_attempts=most, base=0, cap=0)) as plexy:
        links = aiter(plexy.payment_links.list(size=10))
        assert [(await anext(links)).id for _ in range(10)] == ids(0, 10)
        with pytest.raises(
            PlexyPayError, match=r"the answer is of another request: page 1 when asked for page 2$"
        ) as caught:
            await anext(links)

    assert server.asked == [1, *[2] * most]
    assert caught.value.cursor is not None
    assert caught.value.cursor.startswith("p2-s10-")


@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_page_that_came_late_is_passed_over(mocked_http: MockedHTTP, window: int, times: int) -> None:
    server = ListingServer(mocked_http, 30)
    server.answer = lambda page, size: server.page(
        1 if page == 2 and server.asked.count(2) <= times else page, size
    )

    async with a_client(retry=PATIENT) as plexy:
        read = [link.id async for link in plexy.payment_links.list(size=10).prefetch(window)]

    assert read == ids(0, 30)
    assert sorted(server.asked) == [1, *[2] * (times + 1), 3]


@pytest.mark.parametrize("window", [1, 8])
async def test_a_server_that_clamps_the_size_without_saying_so_loses_nothing(
    mocked_http: MockedHTTP, window: int
) -> None:
    server = ListingServer(mocked_http, 95, max_size=10)

    def answer(page: int, size: int) -> dict[str, Any]:
        body = server.page(page, size)
        del body["size"]
        return body

    server.answer = answer
    async with a_client() as plexy:
        assert [link.id async for link in plexy.payment_links.list(size=50).prefetch(window)] == ids(0, 95)


async def test_empty_pages_below_a_total_do_not_go_on_for_ever(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 20)
    server.answer = lambda page, size: {**server.page(page, size), "total": 1_000_000}

    async with a_client() as plexy:
        with pytest.raises(UnreadableResponseError, match="100 empty pages on end below a total of 1000000"):
            async for _ in plexy.payment_links.list(size=10):
                pass
    assert len(server.asked) < 120


# ------------------------------------------------------------------------------------------------ memory


@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=pytest.mark.campaign)])
async def test_no_more_than_the_window_is_ever_held(mocked_http: MockedHTTP, count: int) -> None:
    size, window = 1000, 8
    rows = ",".join(
        f'{{"id":"pl_#_{number}","amount":1,"currency":"KZT","status":"active"}}' for number in range(size)
    )
    asked = 0

    def answered(url: URL, **_: Any) -> CallbackResult:
        nonlocal asked
        asked += 1
        page = url.query["page"]
        mocked_http.requests.clear()
        data = rows.replace("#", page)
        return CallbackResult(body=f'{{"data":[{data}],"page":{page},"size":{size},"total":{count}}}')

    mocked_http.get(f"{BASE}/v1/payment-links?page=1&size={size}", callback=answered)
    for number in range(2, count // size + 1):
        mocked_http.get(f"{BASE}/v1/payment-links?page={number}&size={size}", callback=answered)
    pages: list[weakref.ref[Page[Any]]] = []
    read = most = 0

    async with a_client() as plexy:
        async for page in plexy.payment_links.list(size=size).prefetch(window).pages():
            read += len(page)
            pages = [kept for kept in pages if kept() is not None] + [weakref.ref(page)]
            most = max(most, len(pages))
            assert asked <= page.page + window

    assert read == count
    assert asked == count // size
    assert most <= 2


async def test_a_broken_item_breaks_its_page_alone(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 30)
    broken: dict[str, Any] = {"data": [{"id": 5}], "page": 2, "size": 10, "total": 30}
    server.answer = lambda page, size: broken if page == 2 else server.page(page, size)

    async with a_client() as plexy:
        with pytest.raises(UnreadableResponseError, match=r"data\[0\]") as caught:
            async for _ in plexy.payment_links.list(size=10):
                pass

    assert caught.value.cursor is not None
    assert caught.value.cursor.startswith("p2-s10-")


async def test_a_listing_that_is_not_there(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 30)
    server.answer = lambda page, size: 404

    async with a_client() as plexy:
        with pytest.raises(NotFoundError) as caught:
            await plexy.payment_links.list().first_page()

    assert caught.value.operation == "payment_links.list"
