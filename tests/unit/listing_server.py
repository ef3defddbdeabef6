"""A listing in the process, which notes how it is read."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from aioresponses import CallbackResult
from yarl import URL

from plexypay_async import AsyncPlexyPay, RetryPolicy

from .mocked_http import MockedHTTP

BASE = "https://api.example"
QUICK = RetryPolicy(max_attempts=2, base=0, cap=0)

Body = dict[str, Any]


def item(number: int) -> Body:
    return {"id": f"pl_{number}", "amount": number + 1, "currency": "KZT", "status": "active"}


class ListingServer:
    """Serves `count` payment links in pages; `answer` may be replaced to misbehave."""

    def __init__(self, http: MockedHTTP, count: int, *, max_size: int = 1000, has_total: bool = True) -> None:
        self.count = count
        self.max_size = max_size
        self.has_total = has_total
        self.asked: list[int] = []
        self.sizes: list[int] = []
        self.queries: list[dict[str, str]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.latency = 0.0
        self.answer: Callable[[int, int], Body | int] = self.page
        """Returns a page's body by number and size, or the HTTP status of a failure."""
        pattern = re.compile(re.escape(f"{BASE}/v1/payment-links?"))
        http.get(pattern, callback=self._answered, repeat=True)

    def page(self, page: int, size: int) -> Body:
        """Return an honest page."""
        size = min(size, self.max_size)
        first = (page - 1) * size
        body: Body = {
            "data": [item(number) for number in range(first, min(first + size, self.count))],
            "page": page,
            "size": size,
        }
        return {**body, "total": self.count} if self.has_total else body

    async def _answered(self, url: URL, **_: Any) -> CallbackResult:
        page, size = int(url.query["page"]), int(url.query["size"])
        self.asked.append(page)
        self.sizes.append(size)
        self.queries.append(dict(url.query))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            answer = self.answer(page, size)
        finally:
            self.in_flight -= 1
        if isinstance(answer, int):
            return CallbackResult(status=answer, body=b'{"message": "no"}')
        return CallbackResult(body=json.dumps(answer))

    async def settled(self) -> None:
        """Wait until nothing is under way and nothing new is asked."""
        asked = -1
        while self.in_flight or asked != len(self.asked):
            asked = len(self.asked)
            await asyncio.sleep(self.latency + 0.005)


def a_client(**options: Any) -> AsyncPlexyPay:
    given: dict[str, Any] = {"base_url": BASE, "retry": QUICK, **options}
    return AsyncPlexyPay("key", **given)


def ids(first: int, end: int) -> list[str]:
    return [f"pl_{number}" for number in range(first, end)]
