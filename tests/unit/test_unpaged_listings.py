"""Listings of servers that do not page, or name the items otherwise: over real sockets, on both facades."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from plexypay_async import AsyncPlexyPay, OutcomeUnknownError, RetryPolicy, UnreadableResponseError
from plexypay_sync import PlexyPay

Answer = Callable[[int, int], Any]
ONCE = RetryPolicy(max_attempts=1, base=0.002, cap=0.01)
QUICK = RetryPolicy(base=0.002, cap=0.01)


def link(number: int) -> dict[str, Any]:
    return {"id": f"pl_{number}", "amount": 100 + number, "currency": "KZT", "status": "active"}


def links(first: int, end: int) -> list[dict[str, Any]]:
    return [link(number) for number in range(first, end)]


def ids(first: int, end: int) -> list[str]:
    return [f"pl_{number}" for number in range(first, end)]


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[int]]]:
    """Answer each page as told, on a thread; yield the address and the pages that were asked for."""
    asked: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            page, size = int(query["page"][0]), int(query["size"][0])
            asked.append(page)
            body = json.dumps(answer(page, size)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def paged(page: int, size: int) -> dict[str, Any]:
    first = (page - 1) * size
    return {"data": links(first, min(first + size, 25)), "page": page}


KINDS: dict[str, tuple[Answer, int]] = {
    "an array": (lambda page, size: links(0, 7), 7),
    "an array as long as a page": (lambda page, size: links(0, size), 10),
    "an empty array": (lambda page, size: [], 0),
    "no total": (lambda page, size: {"data": links(0, 7)}, 7),
    "no total, paged": (paged, 25),
    "items": (lambda page, size: {"items": links(0, 7)}, 7),
    "the group's name": (lambda page, size: {"paymentLinks": links(0, 7), "total": 7}, 7),
    "the group's last word": (lambda page, size: {"links": links(0, 7)}, 7),
    "another list than data": (lambda page, size: {"data": None, "items": links(0, 7)}, 7),
    "all, though more than asked for": (lambda page, size: {"data": links(0, 25), "total": 25}, 25),
    "all, and the size asked for": (lambda page, size: {"data": links(0, 25), "total": 25, "size": size}, 25),
    "a total of more": (lambda page, size: {"data": links(0, 7), "total": 9}, 7),
    "a total of more, and more than asked for": (lambda page, size: {"data": links(0, 25), "total": 27}, 25),
    "an array longer than a page": (lambda page, size: links(0, 25), 25),
    "page 1": (lambda page, size: {"data": links(0, 7), "page": 1}, 7),
    "page 1, as long as a page": (lambda page, size: {"data": links(0, 10), "page": 1, "size": 10}, 10),
    "page 1, longer than a page": (lambda page, size: {"data": links(0, 25), "page": 1}, 25),
    "a total of none, paged": (lambda page, size: {**paged(page, size), "total": 0}, 25),
    "a negative total, paged": (lambda page, size: {**paged(page, size), "total": -1}, 25),
    "an empty total, paged": (lambda page, size: {**paged(page, size), "total": ""}, 25),
    "a total of the page, paged": (lambda page, size: {**paged(page, size), "total": 9}, 25),
    "an odd size and page, paged": (lambda page, size: {**paged(page, size), "page": {}, "size": "x"}, 25),
}

by_kind = pytest.mark.parametrize(("answer", "count"), KINDS.values(), ids=KINDS)
windows = pytest.mark.parametrize("window", [1, 8])


@by_kind
@windows
@pytest.mark.parametrize("retry", [ONCE, QUICK], ids=["once", "again"])
@pytest.mark.asyncio
async def test_each_item_once(answer: Answer, count: int, window: int, retry: RetryPolicy) -> None:
    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url, retry=retry) as plexy:
            listing = plexy.payment_links.list(size=10).prefetch(window)
            assert [item.id async for item in listing] == ids(0, count)
            pages = [page async for page in listing.pages()]
            assert not pages or pages[-1].next_cursor is None


@by_kind
@windows
def test_each_item_once_without_an_event_loop(answer: Answer, count: int, window: int) -> None:
    with serving(answer) as (url, _), PlexyPay("key", base_url=url, retry=QUICK) as plexy:
        assert [item.id for item in plexy.payment_links.list(size=10).prefetch(window)] == ids(0, count)


@pytest.mark.asyncio
async def test_a_group_of_one_word_and_an_inner_listing() -> None:
    customers = [{"id": "c-1"}, {"id": "c-2"}]
    transactions = [{"transactionId": "t-1", "amount": 5, "status": "charged"}]

    def answer(page: int, size: int) -> Any:
        return {"customers": customers, "transactions": transactions}

    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            assert [customer.id async for customer in plexy.customers.list()] == ["c-1", "c-2"]
            assert [each.id async for each in plexy.customers.transactions("c-1")] == ["t-1"]
            assert [each.id async for each in plexy.transactions.list()] == ["t-1"]


@windows
@pytest.mark.asyncio
async def test_a_full_page_may_be_pushed_on_by_as_many_new_items(window: int) -> None:
    # Ten new ones arrive between the first page and the second, which therefore is the first once more.
    def answer(page: int, size: int) -> Any:
        return {**paged(max(1, page - 1), size), "page": page}

    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            read = [item.id async for item in plexy.payment_links.list(size=10).prefetch(window)]

    assert read == ids(0, 25)


@windows
@pytest.mark.asyncio
async def test_a_page_that_repeats_after_others_is_an_error(window: int) -> None:
    with serving(lambda page, size: {"data": links((page % 2) * 5, (page % 2) * 5 + 5)}) as (url, asked):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            with pytest.raises(UnreadableResponseError, match="again and again"):
                async for _ in plexy.payment_links.list(size=10).prefetch(window):
                    pass
    assert len(asked) < 20


@windows
@pytest.mark.asyncio
async def test_what_failed_after_a_page_is_resumed_there_and_hands_nothing_out_twice(window: int) -> None:
    fails = True

    def answer(page: int, size: int) -> Any:
        return "no page" if fails and page == 2 else paged(page, size)

    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing, read = plexy.payment_links.list(size=10).prefetch(window), list[str]()
            with pytest.raises(UnreadableResponseError) as caught:  # noqa: PT012
                async for item in listing:
                    read.append(item.id)
            assert read == ids(0, 10)
            fails = False
            assert caught.value.cursor is not None
            read += [item.id async for item in listing.resume(caught.value.cursor)]

    assert read == ids(0, 25)


@pytest.mark.asyncio
async def test_the_cursor_after_the_only_page_of_a_server_that_does_not_page_hands_out_nothing() -> None:
    with serving(lambda page, size: links(0, 7)) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10)
            page = await listing.first_page()
            assert [item.id for item in page.items] == ids(0, 7)
            # One page alone does not tell that it is all.
            assert page.next_cursor is not None
            assert [item async for item in listing.resume(page.next_cursor)] == []


@by_kind
@pytest.mark.asyncio
async def test_each_item_once_page_by_page(answer: Answer, count: int) -> None:
    with serving(answer) as (url, asked):
        async with AsyncPlexyPay("key", base_url=url, retry=QUICK) as plexy:
            listing = plexy.payment_links.list(size=10)
            page = await listing.first_page()
            read = [item.id for item in page]
            while page.next_cursor is not None:
                assert len(asked) < 10
                page = await listing.resume(page.next_cursor).first_page()
                read += [item.id for item in page]
    assert read == ids(0, count)


@windows
@pytest.mark.asyncio
async def test_a_full_page_that_was_pushed_on_is_no_end_for_a_resumed_listing_either(window: int) -> None:
    def answer(page: int, size: int) -> Any:
        return {**paged(max(1, page - 1), size), "page": page}

    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10).prefetch(window)
            page = await listing.first_page()
            assert page.next_cursor is not None
            rest = listing.resume(page.next_cursor)
            assert [item.id async for item in rest] == ids(0, 25)
            assert [item.id for item in await rest.first_page()] == ids(0, 10)


@windows
@pytest.mark.asyncio
async def test_a_later_page_that_comes_again_is_an_error_for_a_resumed_listing_too(window: int) -> None:
    # The server answers what is beyond its last page with that.
    with serving(lambda page, size: {"data": paged(min(page, 3), size)["data"]}) as (url, asked):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10).prefetch(window)
            with pytest.raises(UnreadableResponseError, match="again and again"):
                async for _ in listing:
                    pass
            pages = listing.pages()
            await anext(pages)
            cursor = (await anext(pages)).next_cursor
            await pages.aclose()
            assert cursor is not None
            with pytest.raises(UnreadableResponseError, match="again and again"):
                async for _ in listing.resume(cursor):
                    pass
    assert len(asked) < 20


@pytest.mark.asyncio
async def test_a_later_page_that_comes_again_is_an_error_page_by_page() -> None:
    with serving(lambda page, size: {"data": paged(min(page, 3), size)["data"]}) as (url, asked):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing, read = plexy.payment_links.list(size=10), list[str]()
            page = await listing.first_page()
            with pytest.raises(UnreadableResponseError, match="again and again") as caught:  # noqa: PT012
                while page.next_cursor is not None and len(asked) < 20:
                    read += [item.id for item in page]
                    page = await listing.resume(page.next_cursor).first_page()
    assert (read, asked) == (ids(0, 25), [1, 2, 1, 3, 4, 5])
    assert caught.value.cursor == page.next_cursor


@windows
@pytest.mark.asyncio
async def test_a_later_page_that_was_pushed_on_comes_again_page_by_page(window: int) -> None:
    with serving(lambda page, size: {"data": paged(page - (page > 2), size)["data"]}) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10).prefetch(window)
            page = await listing.first_page()
            read = [item.id for item in page]
            while page.next_cursor is not None:
                page = await listing.resume(page.next_cursor).first_page()
                read += [item.id for item in page]
    assert read == ids(0, 20) + ids(10, 25)


@pytest.mark.asyncio
async def test_a_look_for_the_end_that_fails_says_where_to_go_on() -> None:
    fails = True

    def answer(page: int, size: int) -> Any:
        return "no page" if fails and page == 3 else links(0, size)

    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10)
            page = await listing.first_page()
            assert page.next_cursor is not None
            rest = listing.resume(page.next_cursor)
            for read in (rest.first_page, lambda: anext(aiter(rest))):
                with pytest.raises(UnreadableResponseError) as caught:
                    await read()
                assert caught.value.cursor == page.next_cursor
            fails = False
            assert [item async for item in rest] == []


# ---------------------------------------------------------------------- what changes between two fetches

Wrapped = Callable[[list[dict[str, Any]]], Any]
WRAPPED: dict[str, Wrapped] = {
    "an array": lambda found: found,
    "data": lambda found: {"data": found},
}
in_both_forms = pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)

CHANGED: dict[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "one came": lambda before: [link(99), *before],
    "half as many came": lambda before: [*links(90, 90 + len(before) // 2), *before],
    "one went": lambda before: before[1:],
    "one went and one came": lambda before: [*before[1:], link(99)],
    "another order": lambda before: before[::-1],
    "another state": lambda before: [{**each, "status": "paid"} for each in before],
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize("count", [7, 25])
@in_both_forms
@windows
@pytest.mark.asyncio
async def test_what_changes_meanwhile_hands_nothing_out_twice(
    changed: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], count: int, wrapped: Wrapped, window: int
) -> None:
    first = links(0, count)
    with serving(lambda page, size: wrapped(first if page == 1 else changed(first))) as (url, asked):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10).prefetch(window)
            read = [item.id async for item in listing]
    assert read[:count] == ids(0, count)
    assert len(set(read)) == len(read), "each once"
    assert asked in ([1, 2], [1, 2, 3])


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize("count", [7, 25])
@in_both_forms
@pytest.mark.asyncio
async def test_what_changes_meanwhile_hands_nothing_out_twice_when_it_is_resumed(
    changed: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], count: int, wrapped: Wrapped
) -> None:
    found = links(0, count)
    with serving(lambda page, size: wrapped(found)) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10)
            page = await listing.first_page()
            assert [item.id for item in page] == ids(0, count)
            assert page.next_cursor is not None
            found = changed(found)
            rest = listing.resume(page.next_cursor)
            assert [item async for item in rest] == []
            last = await rest.first_page()
            assert (last.items, last.next_cursor) == ((), None)


@pytest.mark.parametrize("pushed", [0, 1, 3, 5, 9])
@pytest.mark.parametrize("size", [10, 50])
@windows
@pytest.mark.asyncio
async def test_short_pages_that_are_pushed_on_lose_nothing(window: int, size: int, pushed: int) -> None:
    # It puts ten on a page without saying so, and some come before the second is asked for.
    found = links(0, 25)

    def answer(page: int, size: int) -> Any:
        there = found if page == 1 else [*links(90, 90 + pushed), *found]
        return {"data": there[(page - 1) * 10 : page * 10]}

    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=size).prefetch(window)
            read = [item.id async for item in listing]
            page = await listing.first_page()
            assert page.next_cursor is not None
            rest = [item.id async for item in listing.resume(page.next_cursor)]
    assert read == ids(0, 25)
    assert rest == ids(10 - pushed, 25)


@windows
@pytest.mark.asyncio
async def test_a_short_page_that_was_pushed_on_meanwhile_is_no_end_for_a_resumed_listing(window: int) -> None:
    found = links(0, 25)
    with serving(lambda page, size: {"data": found[(page - 1) * 10 : page * 10]}) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=50).prefetch(window)
            page = await listing.first_page()
            assert page.next_cursor is not None
            found = [*links(80, 90), *found]
            assert [item.id async for item in listing.resume(page.next_cursor)] == ids(0, 25)


@pytest.mark.asyncio
async def test_what_goes_while_a_listing_is_resumed_does_not_come_again() -> None:
    found, gone = links(0, 7), False

    def answer(page: int, size: int) -> Any:
        return {"data": found[1:] if gone and (page, len(asked)) != (2, 2) else found}

    with serving(answer) as (url, asked):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10)
            page = await listing.first_page()
            assert page.next_cursor is not None
            found, gone = [link(99), *found], True
            assert [item.id async for item in listing.resume(page.next_cursor)] == []
    assert asked == [1, 2, 1, 3]


@windows
@pytest.mark.asyncio
async def test_a_resumed_listing_whose_last_page_is_the_second(window: int) -> None:
    with serving(lambda page, size: {"data": paged(page + 1, size)["data"]}) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10).prefetch(window)
            page = await listing.first_page()
            assert page.next_cursor is not None
            rest = listing.resume(page.next_cursor)
            assert [item.id async for item in rest] == ids(20, 25)
            assert [item.id for item in await rest.first_page()] == ids(20, 25)


@windows
@pytest.mark.asyncio
async def test_one_late_answer_of_page_1_ends_no_listing(window: int) -> None:
    # Asked once, its one answer may be another request's: the next page tells.
    def answer(page: int, size: int) -> Any:
        return {"data": links(page * 7 - 7, page * 7) if page != 2 else links(0, 7), "page": page % 2 or 1}

    with serving(answer) as (url, asked):
        async with AsyncPlexyPay("key", base_url=url, retry=ONCE) as plexy:
            read = list[str]()
            with pytest.raises(OutcomeUnknownError, match="page 1 when asked for page 2") as caught:  # noqa: PT012
                async for item in plexy.payment_links.list(size=10).prefetch(window):
                    read.append(item.id)
    assert (read, asked) == (ids(0, 7), [1, 2, 3])
    assert caught.value.cursor is not None


@pytest.mark.asyncio
async def test_a_page_1_of_other_items_ends_no_listing() -> None:
    def answer(page: int, size: int) -> Any:
        return {"data": links(page * 10, page * 10 + 7), "page": 1}

    with serving(answer) as (url, asked):
        async with AsyncPlexyPay("key", base_url=url, retry=QUICK) as plexy:
            with pytest.raises(UnreadableResponseError, match="page 1 when asked for page 2"):
                async for _ in plexy.payment_links.list(size=10):
                    pass
    assert asked == [1, 2, 2, 2]


@pytest.mark.asyncio
async def test_a_cursor_of_a_page_with_a_total_that_was_all() -> None:
    total = 30
    with serving(lambda page, size: {"data": links(0, 25), "total": total}) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            listing = plexy.payment_links.list(size=10)
            cursor = (await listing.first_page()).next_cursor
            assert cursor is not None
            total = 25
            assert [item async for item in listing.resume(cursor)] == []


# ----------------------------------------------------------------------------- items without an ``id``


def transaction(number: int, identifier: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "transactionId": {"Value": f"t_{number}", "Valid": True},
        "amount": 1,
        "status": "charged",
    }


@pytest.mark.parametrize("identifier", [None, "", {"Value": "", "Valid": False}], ids=repr)
@pytest.mark.parametrize("total", [None, 10])
@pytest.mark.parametrize("size", [2, 20])
@windows
@pytest.mark.asyncio
async def test_ids_under_another_name(identifier: Any, total: int | None, size: int, window: int) -> None:
    def answer(page: int, size: int) -> Any:
        rows = [transaction(number, identifier) for number in range(page * 2 - 2, min(page * 2, 10))]
        return {"data": rows, "total": total}

    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            read = [item.id async for item in plexy.transactions.list(size=size).prefetch(window)]
    assert read == [f"t_{number}" for number in range(10)]


@pytest.mark.parametrize("identifier", [None, "", "0"], ids=repr)
@windows
@pytest.mark.asyncio
async def test_items_that_no_id_tells_apart(identifier: Any, window: int) -> None:
    def answer(page: int, size: int) -> Any:
        return {"data": [{"id": identifier, "name": f"c-{page}-{n}"} for n in range(3 if page < 4 else 0)]}

    with serving(answer) as (url, _):
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            read = [item.raw["name"] async for item in plexy.customers.list(size=10).prefetch(window)]
    assert read == [f"c-{page}-{n}" for page in (1, 2, 3) for n in range(3)]


# ------------------------------------------------------------------------------------ under what name

ROW = {
    "id": "x-1",
    "walletTransactionId": "x-1",
    "walletTransactionStatus": "NEW",
    "payment_order_id": "x-1",
    "amount": 1,
    "currency": "KZT",
    "status": "paid",
}


@pytest.mark.parametrize(
    ("group", "name"),
    [
        *(
            ("wallet", name)
            for name in ("transactions", "walletTransactions", "wallet_transactions", "wallet")
        ),
        *(("payouts", name) for name in ("payouts", "transactions", "payoutTransactions")),
        *(("settlement_orders", name) for name in ("settlementPaymentOrders", "paymentOrders", "orders")),
        *(("split_requests", name) for name in ("splitRequests", "split_requests", "requests")),
        *(("beneficiaries", name) for name in ("beneficiaries", "items")),
        *(("payment_links", name) for name in ("payment_links", "paymentLinks", "links")),
    ],
)
@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {}}], ids=repr)
def test_a_list_under_another_name(group: str, name: str, data: Any) -> None:
    with (
        serving(lambda page, size: {**data, name: [ROW], "total": 1}) as (url, _),
        PlexyPay("key", base_url=url) as plexy,
    ):
        assert [item.id for item in getattr(plexy, group).list()] == ["x-1"]


def test_an_overridden_path_names_the_list_too() -> None:
    with (
        serving(lambda page, size: {"money-out": None, "moneyOut": [ROW]}) as (url, _),
        PlexyPay("key", base_url=url, paths={"payouts.list": "/v2/money-out"}) as plexy,
    ):
        assert [item.id for item in plexy.payouts.list()] == ["x-1"]
