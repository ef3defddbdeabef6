# pyright: strict
"""What type checkers infer on `PlexyPay`. Read by them, never run."""

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type

from plexypay_async.api.payment_links import PaymentLinks
from plexypay_async.operation import Sync
from plexypay_sync import (
    BulkResult,
    CreatePaymentLink,
    Evidence,
    Journal,
    Page,
    Pages,
    PaymentLink,
    PaymentLinkStatistics,
    PaymentLinkStatus,
    PaymentLinkSummary,
    PlexyPay,
    PlexyPayError,
    Recurring,
    Replay,
    RetryPolicy,
)

EXPIRY = datetime(2099, 1, 1, tzinfo=UTC)


def operations(plexy: PlexyPay) -> None:
    assert_type(plexy.payment_links, PaymentLinks[Sync])
    link = assert_type(plexy.payment_links.create(amount=100, currency="KZT"), PaymentLink)
    plexy.payment_links.create(
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
    assert_type(plexy.payment_links.retrieve("pl_1"), PaymentLink)
    assert_type(plexy.payment_links.retrieve(external_id="pl_1", extra={"a": 1}), PaymentLink)
    assert_type(plexy.payment_links.retrieve_by_order_reference("ORD-1"), PaymentLink)
    assert_type(plexy.payment_links.update_expiration("pl_1", expires_at=EXPIRY), PaymentLink)
    assert_type(plexy.payment_links.cancel("pl_1"), PaymentLink | None)
    assert_type(plexy.payment_links.statistics(), PaymentLinkStatistics)

    assert_type(link.amount, int)
    assert_type(link.status, PaymentLinkStatus)
    assert_type(link.url, str)
    assert_type(link.expires_at, datetime | None)
    assert_type(link.metadata, Mapping[str, Any] | None)
    assert_type(link.raw, Mapping[str, Any])


def listings(plexy: PlexyPay) -> None:
    listing = assert_type(
        plexy.payment_links.list(status="active", created_from=EXPIRY, created_to=EXPIRY, size=50),
        Pages[PaymentLinkSummary],
    )
    for link in plexy.payment_links.list(status=PaymentLinkStatus.PAID):
        assert_type(link, PaymentLinkSummary)
    for page in listing.pages():
        assert_type(page, Page[PaymentLinkSummary])
        assert_type(page.items, tuple[PaymentLinkSummary, ...])
        assert_type(page.next_cursor, str | None)
        for link in page:
            assert_type(link.order_reference, str | None)
    first = assert_type(listing.first_page(), Page[PaymentLinkSummary])
    if first.next_cursor is not None:
        assert_type(listing.resume(first.next_cursor), Pages[PaymentLinkSummary])
    assert_type(listing.prefetch(1), Pages[PaymentLinkSummary])


def bulk(plexy: PlexyPay, links: list[CreatePaymentLink]) -> None:
    many = assert_type(plexy.payment_links.create_many(links), Generator[BulkResult])
    for result in plexy.payment_links.create_many(
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
    many.close()


def clients() -> None:
    with PlexyPay() as plexy:
        assert_type(plexy, PlexyPay)
    PlexyPay(
        "key", base_url="http://localhost", timeout=5, retry=RetryPolicy(max_attempts=1, codes=frozenset())
    )
    PlexyPay(lambda: "key", paths={"payment_links.statistics": "/v1/stats"}, trust_env=True)
    assert_type(plexy.with_options(api_key="key", timeout=5), PlexyPay)
    assert_type(plexy.request("GET", "/v1/x", params={"a": 1}, replay=Replay.SAFE), Any)
    assert_type(plexy.close(), None)


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


def as_a_callable(plexy: PlexyPay) -> Callable[[str], PaymentLink]:
    return plexy.payment_links.retrieve
