"""Listings whose items shift while they are read: what was shown before is left out of the items."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plexypay_async import UnreadableResponseError
from plexypay_async.pagination import PAGES_REMEMBERED, RepeatFilter
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay

from .listing_server import Body, ListingServer, a_client, ids, item
from .mocked_http import MockedHTTP

pytestmark = pytest.mark.asyncio


class Shifting:
    """A listing, newest first, that gets `comes` new items after each page."""

    def __init__(self, server: ListingServer, comes: int) -> None:
        self.server = server
        self.comes = comes
        self.items = [item(number) for number in range(server.count)]
        self.made = 0
        server.answer = self.page

    def page(self, page: int, size: int) -> Body:
        first = (page - 1) * size
        body: Body = {"data": self.items[first : first + size], "page": page, "size": size}
        if self.server.has_total:
            body["total"] = len(self.items)
        for _ in range(self.comes):
            self.made += 1
            self.items.insert(0, {**item(0), "id": f"new_{self.made}"})
        return body


@pytest.mark.parametrize("has_total", [True, False])
@pytest.mark.parametrize("comes", [1, 3, 9])
async def test_what_new_items_push_on_is_delivered_once(
    mocked_http: MockedHTTP, has_total: bool, comes: int
) -> None:
    shifting = Shifting(ListingServer(mocked_http, 40, has_total=has_total), comes)
    async with a_client() as plexy:
        read = [link.id async for link in plexy.payment_links.list(size=10).prefetch(1)]
    assert shifting.made > comes
    assert read == ids(0, 40)


async def test_pages_are_as_the_server_shows_them(mocked_http: MockedHTTP) -> None:
    Shifting(ListingServer(mocked_http, 20), 1)
    async with a_client() as plexy:
        listing = plexy.payment_links.list(size=10).prefetch(1)
        pages = [[link.id for link in page.items] async for page in listing.pages()]
    assert [page[0] for page in pages[1:]] == [page[-1] for page in pages[:-1]]
    assert [len(page) for page in pages[:2]] == [10, 10]


async def test_repeats_are_told_by_the_id_though_the_item_has_changed(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 4)
    changed = {**item(1), "status": "paid"}

    def answer(page: int, size: int) -> Body:
        data = [item(0), item(1)] if page == 1 else [changed, item(2)]
        return {"data": data, "page": page, "size": 2, "total": 4}

    server.answer = answer
    async with a_client() as plexy:
        read = [(link.id, link.status) async for link in plexy.payment_links.list(size=2)]
    assert read == [("pl_0", "active"), ("pl_1", "active"), ("pl_2", "active")]


async def test_what_was_made_at_another_time_is_another(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 4)

    def answer(page: int, size: int) -> Body:
        data = [item(0), {**item(1), "createdAt": f"2026-11-2{page}T12:00:00Z"}, item(1 + page)]
        return {"data": data, "page": page, "size": 3, "total": 6}

    server.answer = answer
    async with a_client() as plexy:
        read = [link.id async for link in plexy.payment_links.list(size=3)]
    assert read == ["pl_0", "pl_1", "pl_2", "pl_1", "pl_3"]


async def test_a_server_that_goes_round_is_still_an_error(mocked_http: MockedHTTP) -> None:
    server = ListingServer(mocked_http, 1000)
    server.answer = lambda page, size: {**server.page(1, size), "page": page}
    read: list[str] = []
    async with a_client() as plexy:

        async def read_all() -> None:
            async for link in plexy.payment_links.list(size=10):
                read.append(link.id)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(UnreadableResponseError, match="again and again"):
            await read_all()
    assert read == ids(0, 10)


class _Item:
    def __init__(self, id: Any, created_at: Any = None) -> None:
        self.id = id
        self.created_at = created_at


async def test_what_has_no_id_is_never_left_out() -> None:
    repeats = RepeatFilter()
    for _ in range(2):
        assert len(repeats.new([_Item(None), _Item(""), object()])) == 3


async def test_so_many_pages_are_remembered_and_no_more() -> None:
    repeats = RepeatFilter()
    first = [_Item("a"), _Item("b")]
    assert repeats.new(first) is first
    for number in range(PAGES_REMEMBERED - 1):
        repeats.new([_Item(f"other {number}")])
    assert repeats.new(first) == []
    for number in range(PAGES_REMEMBERED):
        repeats.new([_Item(f"another {number}")])
    assert repeats.new(first) is first


async def test_where_a_page_has_an_id_twice_ids_tell_nothing_apart() -> None:
    repeats = RepeatFilter()
    repeats.new([_Item("a"), _Item("b")])
    twice = [_Item("c", 1), _Item("c", 2), _Item("b")]
    assert repeats.new(twice) is twice
    assert len(repeats.new([_Item("a"), _Item("b")])) == 2


async def test_the_sync_client_delivers_each_once() -> None:
    def read_while_links_are_made(sandbox: Sandbox) -> tuple[list[str], list[str]]:
        with PlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:

            def make(reference: str) -> str:
                return plexy.payment_links.create(amount=500, currency="KZT", order_reference=reference).id

            made = [make(f"ORD-{number}") for number in range(45)]
            read: list[str] = []
            for link in plexy.payment_links.list(size=10).prefetch(1):
                if len(read) in (5, 15, 25):
                    make(f"NEW-{len(read)}")
                read.append(link.id)
            return made, read

    async with Sandbox() as sandbox:
        made, read = await asyncio.to_thread(read_while_links_are_made, sandbox)
    assert len(read) == len(set(read))
    assert sorted(read) == sorted(made)
