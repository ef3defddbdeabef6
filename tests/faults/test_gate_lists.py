"""Lists of the Gate API, in all forms in which a server may write what is not published of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from plexypay_async import AsyncPlexyGate, ConfigurationError, UnreadableResponseError

from .scripted import Answer, Script, Seen, serving

pytestmark = pytest.mark.asyncio

KEY = "gate_0123456789abcdef0123456789abcdef"
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
PLACE = f"/agent/{AGENT}"
CATEGORIES = [{"id": number, "name": f"c{number}"} for number in range(1, 8)]
client = partial(AsyncPlexyGate, KEY, agent_id=AGENT)


def paged(items: list[Any], *counts: str) -> Any:
    """Answer the page that is asked for, with some of the counts."""

    def answer(seen: Seen) -> Answer:
        asked = dict(pair.split("=") for pair in seen.query.split("&"))
        page, size = int(asked["page"]), int(asked["pageSize"])
        known = {"page": page, "pageSize": size, "total": len(items)}
        body = {"items": items[(page - 1) * size : page * size]}
        return Answer(200, body | {name: known[name] for name in counts})

    return answer


async def read(path: str, answer: Any, listing: str, **asked: Any) -> tuple[list[Any], Script]:
    group, _, call = listing.partition(".")
    async with serving({f"GET {PLACE}/{path}": answer}) as server, client(base_url=server.url) as gate:
        items = [item async for item in getattr(getattr(gate, group), call)(**asked)]
    return items, server.script


ids = [category["id"] for category in CATEGORIES]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(paged(CATEGORIES, "page", "pageSize", "total"), id="a page as of orders"),
        pytest.param(paged(CATEGORIES, "total"), id="a page with a total alone"),
        pytest.param(paged(CATEGORIES), id="pages without counts"),
        pytest.param(Answer(200, CATEGORIES), id="an array"),
        pytest.param(Answer(200, {"items": CATEGORIES}), id="an object that is not paged"),
        pytest.param(Answer(200, {"categories": CATEGORIES}), id="under another name"),
    ],
)
@pytest.mark.parametrize("size", [None, 3, 7])
async def test_categories_are_read_in_every_form(answer: Any, size: int | None) -> None:
    items, _ = await read("product-categories", answer, "product_categories.list", size=size)

    assert [item.id for item in items] == ids


@pytest.mark.parametrize("answer", [Answer(200, []), Answer(200, {"items": []}), paged([], "total")])
async def test_an_empty_list_is_empty(answer: Any) -> None:
    items, _ = await read("products", answer, "products.list")

    assert items == []


async def test_items_without_an_id_of_their_own_are_told_apart_too() -> None:
    doubled = [{**CATEGORIES[0], "name": name} for name in ("a", "b")] + CATEGORIES[1:]
    items, _ = await read("product-categories", Answer(200, doubled), "product_categories.list")

    assert [item.raw["name"] for item in items] == ["a", "b", *(f"c{number}" for number in ids[1:])]


async def test_types_are_asked_for_once_and_without_a_page() -> None:
    types = [{"id": number, "code": f"kind_{number}", "name": "Kind"} for number in range(1, 130)]
    items, script = await read("product-types", Answer(200, types), "product_types.list")

    assert [item.id for item in items] == [kind["id"] for kind in types]
    assert items[0].code == "kind_1"
    assert [(seen.path, seen.query) for seen in script.seen] == [(f"{PLACE}/product-types", "")]


async def test_the_size_and_the_filters_go_under_the_apis_names() -> None:
    orders = [{"id": f"o{number}", "status": "completed"} for number in range(5)]
    answer = paged(orders, "page", "pageSize", "total")
    items, script = await read("orders", answer, "orders.list", size=2, status="completed", product_id=7)

    assert [item.id for item in items] == [order["id"] for order in orders]
    assert sorted(seen.query for seen in script.seen) == [
        f"status=completed&product_id=7&page={page}&pageSize=2" for page in (1, 2, 3)
    ]


async def test_a_page_breaks_off_at_an_order_that_cannot_be_read_and_says_where() -> None:
    orders: list[Any] = [{"id": f"o{number}", "status": "completed"} for number in range(4)]
    orders[3] = {"id": None, "order_content": {"voucher_code": "ABCD-EFGH-IJKL"}}
    answer = paged(orders, "page", "pageSize", "total")
    async with serving({f"GET {PLACE}/orders": answer}) as server, client(base_url=server.url) as gate:
        pages = gate.orders.list(size=2)
        assert [order.id for order in (await pages.first_page()).items] == ["o0", "o1"]
        with pytest.raises(UnreadableResponseError, match=r"items\[1\]: id") as caught:
            _ = [order async for order in pages]
        assert caught.value.cursor is not None
        assert (caught.value.body, caught.value.raw) == ("", None)


@pytest.mark.parametrize("asked", [{"size": 0}, {"product_id": "7"}, {"status": 7}, {"extra": {"page": 2}}])
async def test_a_filter_of_the_wrong_kind_is_refused_before_anything_is_sent(asked: Any) -> None:
    async with serving({}) as server, client(base_url=server.url) as gate:
        with pytest.raises(ConfigurationError):
            await gate.orders.list(**asked).first_page()
    assert server.script.count() == 0


@pytest.mark.parametrize("product_id", ["456", 4.0, True, 0, -1, 2**63])
async def test_a_number_of_a_product_that_is_none_is_refused(product_id: Any) -> None:
    async with serving({}) as server, client(base_url=server.url) as gate:
        with pytest.raises(ConfigurationError, match="product_id"):
            await gate.products.retrieve(product_id)
        with pytest.raises(ConfigurationError, match="product_id"):
            await gate.orders.create(product_id=product_id)
    assert server.script.count() == 0
