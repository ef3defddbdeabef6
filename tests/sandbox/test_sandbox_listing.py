"""The listing: pages, filters, order, and what it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

LINKS = 25


@pytest_asyncio.fixture
async def filled(ask: Any, sandbox: Sandbox) -> AsyncIterator[list[str]]:
    """Create links a minute apart, cancel each fifth, and give their ids, the oldest first."""
    ids: list[str] = []
    for number in range(LINKS):
        body = {"amount": number + 1, "currency": "KZT", "orderReference": f"A-{number}"}
        link = (await ask("POST", "/v1/payment-links", body)).body
        if number % 5 == 0:
            await ask("DELETE", f"/v1/payment-links/{link['id']}")
        ids.append(link["id"])
        sandbox.clock.advance(minutes=1)
    yield ids


async def test_a_page_is_as_published(ask: Any, filled: list[str], example: Callable[[str], Any]) -> None:
    published = example("payment-links-page.json")
    status, page, headers = await ask("GET", "/v1/payment-links")
    assert status == 200
    assert "X-Evidence" not in headers
    assert page.keys() == published.keys()
    assert page["data"][0].keys() == published["data"][0].keys()
    assert (page["page"], page["size"], page["total"]) == (1, 10, LINKS)
    assert [item["id"] for item in page["data"]] == filled[::-1][:10]


@pytest.mark.parametrize("query", ["", "&status=active", "&from=2000-01-01T00:00:00Z"])
async def test_the_pages_together_are_everything_once(ask: Any, filled: list[str], query: str) -> None:
    seen: list[str] = []
    for page in range(1, 5):
        body = (await ask("GET", f"/v1/payment-links?page={page}&size=7{query}")).body
        assert (body["page"], body["size"]) == (page, 7)
        seen += [item["id"] for item in body["data"]]
    expected = [id for number, id in enumerate(filled) if number % 5 or query != "&status=active"]
    assert seen == expected[::-1]


async def test_a_page_past_the_end_is_empty(ask: Any, filled: list[str]) -> None:
    for query in ("page=4", "page=999999999999999999", "page=9&status=active"):
        status, body, _ = await ask("GET", f"/v1/payment-links?{query}")
        assert (status, body["data"]) == (200, [])
    assert body["total"] == LINKS - LINKS // 5


@pytest.mark.parametrize("status", ["cancelled", "Cancelled", "CANCELLED"])
async def test_status_in_any_letter_case(ask: Any, filled: list[str], status: str) -> None:
    body = (await ask("GET", f"/v1/payment-links?status={status}")).body
    assert [item["id"] for item in body["data"]] == filled[::5][::-1]
    assert {item["status"] for item in body["data"]} == {"cancelled"}


async def test_an_unknown_status_matches_nothing(ask: Any, filled: list[str]) -> None:
    body = (await ask("GET", "/v1/payment-links?status=lost")).body
    assert (body["data"], body["total"]) == ([], 0)


async def test_from_is_inclusive_and_to_exclusive(ask: Any, filled: list[str], sandbox: Sandbox) -> None:
    times = [link["createdAt"] for link in sandbox.payment_links()]
    query = f"from={quote(times[5])}&to={quote(times[8])}"
    body = (await ask("GET", f"/v1/payment-links?{query}")).body
    assert [item["id"] for item in body["data"]] == filled[5:8][::-1]
    assert body["total"] == 3
    body = (await ask("GET", f"/v1/payment-links?{query}&status=cancelled")).body
    assert [item["id"] for item in body["data"]] == [filled[5]]


async def test_a_count_is_not_remembered_past_a_change(ask: Any, filled: list[str]) -> None:
    path = "/v1/payment-links?status=active&size=1"
    first = (await ask("GET", path)).body["total"]
    await ask("DELETE", f"/v1/payment-links/{filled[1]}")
    assert (await ask("GET", path)).body["total"] == first - 1


async def test_size_is_clamped(session: aiohttp.ClientSession) -> None:
    async with Sandbox(max_page_size=2) as sandbox:
        headers = {"Authorization": sandbox.api_key}
        url = f"{sandbox.base_url}/v1/payment-links"
        for _ in range(3):
            await (await session.post(url, json={"amount": 1, "currency": "KZT"}, headers=headers)).read()
        async with session.get(url, params={"size": "50"}, headers=headers) as response:
            page = await response.json()
    assert (page["size"], len(page["data"]), page["total"]) == (2, 2, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"),
        ("page", "-1"),
        ("page", "x"),
        ("page", ""),
        ("page", "1.0"),
        ("page", "%D9%A1"),
        ("page", "9" * 5000),
        ("size", "0"),
        ("size", "ten"),
        ("from", "yesterday"),
        ("from", "2025-03-01"),
        ("to", "2025-03-01T00:00:00"),
        ("to", "0001-01-01T00:00:00%2B14:00"),
        ("to", ""),
    ],
)
async def test_a_bad_parameter_is_refused_by_its_name(ask: Any, name: str, value: str) -> None:
    status, body, _ = await ask("GET", f"/v1/payment-links?{name}={value}")
    assert (status, body["code"], body["type"]) == (400, 3, "apiError")
    assert body["message"].startswith(f"{name}: expected ")
    assert len(body["message"]) < 200
