"""Requests for bulk jobs, sources that note how they are read, and clients with short pauses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from plexypay_async import AsyncPlexyPay, BulkResult, CreatePaymentLink, RetryPolicy

CREATE = "payment_links.create"
LOOK_UP = "payment_links.retrieve_by_order_reference"
QUICK = RetryPolicy(base=0.002, cap=0.02)


def now() -> float:
    """The loop's time, which is the library's."""
    return asyncio.get_running_loop().time()


def row(number: int, **fields: Any) -> CreatePaymentLink:
    values = {"amount": number + 1, "currency": "KZT", "order_reference": f"ORD-{number}", **fields}
    return CreatePaymentLink(**values)


def rows(count: int, start: int = 0) -> list[CreatePaymentLink]:
    return [row(number) for number in range(start, start + count)]


def a_client(server: Any, **options: Any) -> AsyncPlexyPay:
    """A client of a sandbox with short pauses."""
    options = {"retry": QUICK, "timeout": 10.0, **options}
    key = options.pop("api_key", getattr(server, "api_key", "key"))
    return AsyncPlexyPay(key, base_url=server.base_url, **options)


class Source:
    """A source of rows that notes how far it was read and whether it was closed."""

    def __init__(self, count: int, *, fails_at: int | None = None) -> None:
        self.count = count
        self.fails_at = fails_at
        self.read = 0
        self.closed = False

    def __iter__(self) -> Iterator[CreatePaymentLink]:
        try:
            for number in range(self.count):
                if number == self.fails_at:
                    raise LookupError("row is bad")
                self.read += 1
                yield row(number)
        finally:
            self.closed = True

    async def slowly(self, pause: float = 0) -> AsyncIterator[CreatePaymentLink]:
        for request in self:
            await asyncio.sleep(pause)
            yield request


async def run(plexy: AsyncPlexyPay, links: Any, **options: Any) -> list[BulkResult]:
    """Run a job to its end, a bounded time."""
    async with asyncio.timeout(60):
        return [result async for result in plexy.payment_links.create_many(links, **options)]


async def run_to_error(
    plexy: AsyncPlexyPay, links: Any, *, seconds: float = 60, **options: Any
) -> tuple[list[BulkResult], BaseException | None]:
    """Run a job to its end, a bounded time; return what it gave, and what it ended with."""
    results: list[BulkResult] = []
    try:
        async with asyncio.timeout(seconds):
            async for result in plexy.payment_links.create_many(links, **options):
                results.append(result)  # noqa: PERF401 - what came before the error counts
    except BaseException as error:  # noqa: BLE001 - looked at by the test
        return results, error
    return results, None


def amounts(stored: list[dict[str, Any]]) -> dict[str, int]:
    """The amounts of a sandbox's links by order reference, each of which is there once."""
    found = {link["orderReference"]: link["amount"] for link in stored}
    assert len(found) == len(stored)
    return found


def expected(count: int) -> dict[str, int]:
    return {f"ORD-{number}": number + 1 for number in range(count)}
