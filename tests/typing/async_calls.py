# pyright: strict
"""What type checkers infer on `AsyncPlexyPay`. Read by them, never run."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type

from plexypay_async import (
    AsyncPages,
    AsyncPlexyPay,
    BulkResult,
    CreatePaymentLink,
    Evidence,
    Journal,
    Page,
    PaymentLink,
    PaymentLinkStatistics,
    PaymentLinkStatus,
    PaymentLinkSummary,
    PlexyPayError,
    Recurring,
    Replay,
    RetryPolicy,
)
from plexypay_async.api.payment_links import PaymentLinks
from plexypay_async.operation import Async

EXPIRY = datetime(2099, 1, 1, tzinfo=UTC)


async def operations(plexy: AsyncPlexyPay) -> None:
    assert_type(plexy.payment_links, PaymentLinks[Async])
    link = assert_type(await plexy.payment_links.create(amount=100, currency="KZT"), PaymentLink)
    await plexy.payment_links.create(
        amount=2_200_000,
        currency="KZT",
        description="Заказ",
        order_reference="ORD-1",
        expires_at=EXPIRY,
        customer_id="c1",
        auto_clearing=False,
        recurring=Recurring(frequency=30, expiry=EXPIRY),
        validation=True,
        metadata={"cart": [1, 2]},
        success_url="https://example.com",
        failure_url=None,
        cancel_url="https://example.com",
        callback_url="https://example.com",
        extra={"storeId": "s1"},
    )
    assert_type(await plexy.payment_links.retrieve("pl_1"), PaymentLink)
    assert_type(await plexy.payment_links.retrieve(external_id="pl_1", extra={"a": 1}), PaymentLink)
    assert_type(await plexy.payment_links.retrieve_by_order_reference("ORD-1"), PaymentLink)
    assert_type(await plexy.payment_links.update_expiration("pl_1", expires_at=EXPIRY), PaymentLink)
    assert_type(await plexy.payment_links.cancel("pl_1"), PaymentLink | None)
    assert_type(await plexy.payment_links.statistics(), PaymentLinkStatistics)
    assert_type(plexy.payment_links.cancel("pl_1"), Coroutine[Any, Any, PaymentLink | None]).close()

    assert_type(link.amount, int)
    assert_type(link.status, PaymentLinkStatus)
    assert_type(link.url, str)
    assert_type(link.expires_at, datetime | None)
    assert_type(link.metadata, Mapping[str, Any] | None)
    assert_type(link.raw, Mapping[str, Any])


async def listings(plexy: AsyncPlexyPay) -> None:
    listing = assert_type(
        plexy.payment_links.list(status="active", created_from=EXPIRY, created_to=EXPIRY, size=50),
        AsyncPages[PaymentLinkSummary],
    )
    async for link in plexy.payment_links.list(status=PaymentLinkStatus.PAID):
        assert_type(link, PaymentLinkSummary)
    async for page in listing.pages():
        assert_type(page, Page[PaymentLinkSummary])
        assert_type(page.items, tuple[PaymentLinkSummary, ...])
        assert_type(page.next_cursor, str | None)
        for link in page:
            assert_type(link.order_reference, str | None)
    first = assert_type(await listing.first_page(), Page[PaymentLinkSummary])
    if first.next_cursor is not None:
        assert_type(listing.resume(first.next_cursor), AsyncPages[PaymentLinkSummary])
    assert_type(listing.prefetch(1), AsyncPages[PaymentLinkSummary])


async def bulk(plexy: AsyncPlexyPay, links: list[CreatePaymentLink]) -> None:
    many = assert_type(plexy.payment_links.create_many(links), AsyncGenerator[BulkResult])
    async for result in plexy.payment_links.create_many(
        (link for link in links),
        concurrency=10,
        max_rate=50,
        journal="july.journal",
        ordered=True,
        timeout=60,
    ):
        assert_type(result, BulkResult)
        assert_type(result.index, int)
        assert_type(result.request, CreatePaymentLink)
        assert_type(result.link, PaymentLink | None)
        assert_type(result.error, PlexyPayError | None)
        assert_type(result.recovered, bool)
        assert_type(result.retries, int)
    plexy.payment_links.create_many(links=links, journal=Path("july.journal"), max_rate=0.5)
    with Journal("july.journal") as journal:
        plexy.payment_links.create_many(links, journal=journal)
    await many.aclose()


async def bulk_of_an_async_source(plexy: AsyncPlexyPay, links: AsyncIterator[CreatePaymentLink]) -> None:
    async for result in plexy.payment_links.create_many(links):
        assert_type(result, BulkResult)


async def clients() -> None:
    async with AsyncPlexyPay() as plexy:
        assert_type(plexy, AsyncPlexyPay)
    AsyncPlexyPay(
        "key", base_url="http://localhost", timeout=5, retry=RetryPolicy(max_attempts=1, codes=frozenset())
    )
    AsyncPlexyPay(lambda: "key", paths={"payment_links.statistics": "/v1/stats"}, trust_env=True)
    assert_type(plexy.with_options(api_key="key", timeout=5), AsyncPlexyPay)
    assert_type(await plexy.request("GET", "/v1/x", params={"a": 1}, replay=Replay.SAFE), Any)
    assert_type(await plexy.close(), None)


def classes() -> None:
    assert_type(PaymentLinks.create.method, str)
    assert_type(PaymentLinks.create.path, str)
    assert_type(PaymentLinks.create.name, str)
    assert_type(PaymentLinks.create.evidence, Evidence)
    assert_type(PaymentLinks.create.replay, Replay)
    assert_type(PaymentLinks.list.method, str)
    assert_type(PaymentLinks.list.item, type[PaymentLinkSummary])
    assert_type(CreatePaymentLink(amount=1, currency="KZT").amount, int)


def errors(error: PlexyPayError) -> None:
    assert_type(error.attempts, tuple[PlexyPayError, ...])
    assert_type(error.order_reference, str | None)
    assert_type(error.cursor, str | None)


def as_a_callable(plexy: AsyncPlexyPay) -> Callable[[str], Coroutine[Any, Any, PaymentLink]]:
    return plexy.payment_links.retrieve
