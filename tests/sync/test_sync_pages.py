"""Listings without an event loop: pages cross the bridge, and a listing left early stops fetching."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from plexypay_async.pagination import Page as AsyncPage
from plexypay_sync import (
    ConfigurationError,
    Page,
    Pages,
    PaymentLinkSummary,
    PlexyPay,
    ServiceUnavailableError,
)
from plexypay_sync.portal import portal

from .servers import ThreadedSandbox

LINKS = 25
LIST = "payment_links.list"


@pytest.fixture
def ids(plexy: PlexyPay) -> list[str]:
    """Create links and give their ids as a listing shows them, the newest first."""
    made = [plexy.payment_links.create(amount=number + 1, currency="KZT").id for number in range(LINKS)]
    return made[::-1]


def eventually(happened: Callable[[], bool]) -> None:
    """Wait until something is so, a bounded time."""
    limit = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < limit, "it did not happen within 30 s"
        time.sleep(0.005)


def tasks_on_the_loop() -> int:
    """Count what goes on on the portal's loop, this question aside."""

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return portal.run(count)


@pytest.mark.parametrize("window", [1, 2, 8])
def test_items_come_in_order_and_once(plexy: PlexyPay, ids: list[str], window: int) -> None:
    pages = plexy.payment_links.list(size=4).prefetch(window)
    assert [item.id for item in pages] == ids
    assert [item.id for item in pages] == ids, "each iteration starts anew"


def test_pages_say_where_they_are(plexy: PlexyPay, ids: list[str]) -> None:
    pages = list(plexy.payment_links.list(size=10).pages())
    assert [(page.page, page.size, page.total, len(page)) for page in pages] == [
        (1, 10, LINKS, 10),
        (2, 10, LINKS, 10),
        (3, 10, LINKS, 5),
    ]
    assert [item.id for page in pages for item in page] == ids
    assert pages[-1].next_cursor is None
    assert Page is AsyncPage
    assert isinstance(pages[0].items[0], PaymentLinkSummary)


def test_an_empty_listing_has_one_empty_page(plexy: PlexyPay) -> None:
    assert list(plexy.payment_links.list()) == []
    assert [page.items for page in plexy.payment_links.list().pages()] == [()]


def test_the_first_page_alone_is_one_request(
    sandbox: ThreadedSandbox, plexy: PlexyPay, ids: list[str]
) -> None:
    page = plexy.payment_links.list(size=10).first_page()
    assert [item.id for item in page] == ids[:10]
    assert sandbox.count(LIST) == 1


def test_resume_goes_on_where_a_page_ended(plexy: PlexyPay, ids: list[str]) -> None:
    listing = plexy.payment_links.list(size=10)
    cursor = listing.first_page().next_cursor
    assert cursor is not None
    assert [item.id for item in listing.resume(cursor)] == ids[10:]
    assert [item.id for item in listing.prefetch(1).resume(cursor).first_page()] == ids[10:20]
    with pytest.raises(ConfigurationError, match="other filters"):
        plexy.payment_links.list(status="active").resume(cursor)


def test_an_error_tells_where_to_resume(sandbox: ThreadedSandbox, plexy: PlexyPay, ids: list[str]) -> None:
    once = plexy.with_options(timeout=30)
    listing = once.payment_links.list(size=5).prefetch(1)
    seen: list[str] = []
    reading = iter(listing)
    seen += [next(reading).id for _ in range(10)]
    sandbox.add_fault(f"code=1,retry_after=60,operation={LIST}")
    with pytest.raises(ServiceUnavailableError) as caught:
        next(reading)
    sandbox.on_loop(lambda running: running.faults.clear())
    assert caught.value.cursor is not None
    seen += [item.id for item in listing.resume(caught.value.cursor)]
    assert seen == ids


def test_pages_are_fetched_ahead_and_no_further_than_the_window(
    sandbox: ThreadedSandbox, plexy: PlexyPay, ids: list[str]
) -> None:
    pages = plexy.payment_links.list(size=1).prefetch(4).pages()
    next(pages)
    eventually(lambda: sandbox.count(LIST) == 5)
    next(pages)
    eventually(lambda: sandbox.count(LIST) == 6)
    pages = plexy.payment_links.list(size=1).prefetch(1).pages()
    next(pages)
    next(pages)
    assert sandbox.count(LIST) == 8


def a_break(pages: Pages[PaymentLinkSummary]) -> None:
    for _ in pages:
        break


def an_exception_in_the_body(pages: Pages[PaymentLinkSummary]) -> None:
    try:
        for item in pages:
            raise KeyError(item.id)
    except KeyError as error:
        # Kept, its traceback would keep the iterator alive as well.
        error.__traceback__ = None


def an_abandoned_iterator(pages: Pages[PaymentLinkSummary]) -> None:
    next(iter(pages))


def an_iterator_in_a_cycle(pages: Pages[PaymentLinkSummary]) -> None:
    cycle: list[object] = [iter(pages)]
    cycle.append(cycle)
    next(cycle[0])  # type: ignore[call-overload]


def an_abandoned_thread(pages: Pages[PaymentLinkSummary]) -> None:
    thread = threading.Thread(target=a_break, args=(pages,))
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "leave",
    [
        a_break,
        an_exception_in_the_body,
        an_abandoned_iterator,
        an_iterator_in_a_cycle,
        an_abandoned_thread,
    ],
)
def test_leaving_early_stops_the_fetching(
    sandbox: ThreadedSandbox,
    plexy: PlexyPay,
    ids: list[str],
    leave: Callable[[Pages[PaymentLinkSummary]], None],
) -> None:
    before = tasks_on_the_loop()
    # The first page is alone and comes at once; of those fetched ahead all but one are told to wait.
    sandbox.add_fault(f"capacity=1,latency=0.01,retry_after=50,operation={LIST}")
    leave(plexy.with_options(timeout=100).payment_links.list(size=1))

    def stopped() -> bool:
        # Again and again: a collection does nothing while another thread is at one.
        if leave is an_iterator_in_a_cycle:
            gc.collect()
        return tasks_on_the_loop() <= before

    eventually(stopped)
    assert plexy.payment_links.statistics().raw is not None


def test_a_closed_iterator_stays_closed(plexy: PlexyPay, ids: list[str]) -> None:
    pages = plexy.payment_links.list(size=5).pages()
    assert isinstance(pages, Iterator)
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert list(pages) == []


def raise_amid(pages: Pages[PaymentLinkSummary], error: BaseException) -> None:
    for _ in pages:
        raise error


def test_errors_of_the_loop_body_pass_through(plexy: PlexyPay, ids: list[str]) -> None:
    for mine in (TimeoutError("mine"), RuntimeError("mine"), asyncio.CancelledError("mine")):
        with pytest.raises(type(mine), match="mine") as caught:
            raise_amid(plexy.payment_links.list(size=5), mine)
        assert caught.value is mine


def test_calls_between_items(plexy: PlexyPay, ids: list[str]) -> None:
    amounts = [
        plexy.payment_links.retrieve(item.id).amount for item in plexy.payment_links.list(size=3).prefetch(2)
    ]
    assert amounts == list(range(LINKS, 0, -1))


def test_closing_the_client_amid_an_iteration(plexy: PlexyPay, ids: list[str]) -> None:
    reading = plexy.payment_links.list(size=1).prefetch(1).pages()
    next(reading)
    plexy.close()
    with pytest.raises(ConfigurationError, match="closed"):
        next(reading)
