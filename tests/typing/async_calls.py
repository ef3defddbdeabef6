# pyright: strict
"""What type checkers infer on `AsyncPlexyPay`. Read by them, never run."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

from plexypay_async import (
    Address,
    Answered,
    AsyncPages,
    AsyncPlexyPay,
    AuthorizeWalletPayment,
    Beneficiary,
    BeneficiarySettlement,
    BeneficiaryTransfer,
    BrowserDetails,
    BulkResult,
    CardToken,
    CreatePaymentLink,
    CreateSettlementOrder,
    Customer,
    CustomerDetails,
    DirectPayment,
    DirectPaymentKeys,
    EncryptedCard,
    Evidence,
    Journal,
    Merchant,
    OrderDetails,
    Page,
    Payment,
    PaymentLink,
    PaymentLinkStatistics,
    PaymentLinkStatus,
    PaymentLinkSummary,
    PaymentOrderEvent,
    PaymentResult,
    Payout,
    PayoutTransaction,
    PlexyPayError,
    Recurring,
    RecurringPayment,
    RefundResult,
    Replay,
    RetryPolicy,
    SavedPayoutCard,
    ScaExemption,
    SeenWebhooks,
    SettlementOrder,
    SettlementOrderStatus,
    SplitRequest,
    ThreeDSecure,
    Transaction,
    TransactionEvent,
    TransactionHistory,
    TransactionStatus,
    UnknownEvent,
    WalletTransaction,
    WalletTransactionStatus,
    WebhookReceiver,
)
from plexypay_async.api.facades import Async
from plexypay_async.pay.payment_links import PaymentLinks

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


async def every_group(plexy: AsyncPlexyPay) -> None:
    charged = await plexy.recurring.charge(
        amount=Decimal(1099), currency="KZT", card_token_id="ct", initial_transaction_id="t"
    )
    assert_type(charged, RecurringPayment)
    assert_type(charged.amount, Decimal)
    assert_type(charged.status, TransactionStatus | None)
    await plexy.recurring.charge(
        amount=1099, currency="KZT", card_token_id="ct", initial_transaction_id="t", extra={"a": 1}
    )

    assert_type(await plexy.direct_payments.keys(), DirectPaymentKeys)

    assert_type(await plexy.transactions.retrieve("t"), Transaction)
    assert_type(await plexy.transactions.retrieve_by_payment_link("pl_1"), Transaction)
    assert_type(await plexy.transactions.retrieve_by_order_reference("ORD-1"), Transaction)
    assert_type(await plexy.transactions.history("t"), TransactionHistory)
    assert_type(await plexy.transactions.wait("t", until="charged", timeout=5), Transaction)
    assert_type(plexy.transactions.list(size=5), AsyncPages[Transaction])

    assert_type(await plexy.payments.search(order_reference="ORD-1"), Payment)
    assert_type(await plexy.payments.cancel("t"), PaymentResult)
    assert_type(await plexy.payments.capture("t", amount=Decimal("56.41")), PaymentResult)
    refund = assert_type(await plexy.payments.refund("t", amount=5, order_reference="R-1"), RefundResult)
    assert_type(refund.amount, Decimal | None)

    assert_type(await plexy.split_requests.create(extra={"a": 1}), SplitRequest)
    assert_type(await plexy.split_requests.update("s", extra={"a": 1}), SplitRequest)
    assert_type(await plexy.split_requests.retrieve("s"), SplitRequest)
    assert_type(await plexy.split_requests.delete("s"), SplitRequest | None)
    assert_type(plexy.split_requests.list(), AsyncPages[SplitRequest])

    order = await plexy.settlement_orders.create(
        amount=10000, currency="KZT", beneficiary_id="b", request_id=None
    )
    assert_type(order, SettlementOrder)
    assert_type(order.status, SettlementOrderStatus | None)
    assert_type(await plexy.settlement_orders.retrieve("o"), SettlementOrder)
    assert_type(plexy.settlement_orders.list(), AsyncPages[SettlementOrder])

    assert_type(await plexy.payouts.create(extra={"a": 1}), Payout)
    assert_type(await plexy.payouts.save_card(extra={"a": 1}), SavedPayoutCard)
    assert_type(plexy.payouts.list(), AsyncPages[PayoutTransaction])

    assert_type(await plexy.customers.create(extra={"a": 1}), Customer)
    assert_type(await plexy.customers.retrieve("c"), Customer)
    assert_type((await plexy.customers.card_tokens("c")).data, tuple[CardToken, ...])
    assert_type(plexy.customers.list(), AsyncPages[Customer])
    assert_type(plexy.customers.transactions("c", size=5), AsyncPages[Transaction])

    assert_type(await plexy.beneficiaries.create(extra={"a": 1}), Beneficiary)
    assert_type(await plexy.beneficiaries.update("b", extra={"a": 1}), Beneficiary)
    assert_type(await plexy.beneficiaries.retrieve("b"), Beneficiary)
    assert_type(plexy.beneficiaries.list(), AsyncPages[Beneficiary])
    assert_type(await plexy.beneficiaries.transfer("b", extra={"a": 1}), BeneficiaryTransfer)
    assert_type(await plexy.beneficiaries.settle("b"), BeneficiarySettlement)

    assert_type(await plexy.merchant.retrieve(), Merchant)

    held = await plexy.wallet.authorize(amount=100, order_reference="ORD-1", idempotency_key="k")
    assert_type(held, WalletTransaction)
    assert_type(held.status, WalletTransactionStatus)
    assert_type(held.amount, int | None)
    assert_type(
        await plexy.wallet.authorize(amount=100, currency=None, idempotency_key=None), WalletTransaction
    )
    assert_type(await plexy.wallet.capture("w"), WalletTransaction)
    assert_type(await plexy.wallet.refund("w"), WalletTransaction)
    assert_type(await plexy.wallet.cancel(wallet_transaction_id="w"), WalletTransaction)
    assert_type(await plexy.wallet.retrieve("w"), WalletTransaction)
    assert_type(plexy.wallet.list(), AsyncPages[WalletTransaction])


async def direct_payments(plexy: AsyncPlexyPay, card: EncryptedCard, browser: BrowserDetails) -> None:
    payment = await plexy.direct_payments.create(
        transaction_type="sale",
        browser_details=browser,
        order_details=OrderDetails(amount=Decimal("56.41"), currency="EUR", order_reference="ORD-1"),
        card_data=card,
        terminal_id="t",
        customer_details=CustomerDetails(billing_address=Address(country="KZ")),
        three_ds_notification_url="https://shop.example/3ds",
        sca_exemption=ScaExemption.LOW_VALUE,
    )
    assert_type(payment, DirectPayment)
    assert_type(payment.redirect_url, str | None)
    assert_type(payment.requires_3ds, bool)
    assert_type(payment.three_ds, ThreeDSecure | None)
    assert_type(await plexy.direct_payments.continue_3ds(cres="c", transaction_id="t"), DirectPayment)


def requests() -> None:
    assert_type(AuthorizeWalletPayment(amount=1).idempotency_key, str)
    assert_type(CreateSettlementOrder(amount=1, currency="KZT").request_id, str)


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
        on_progress=print,
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


async def webhooks(headers: Mapping[str, str], raw: Mapping[bytes, bytes], body: bytes) -> None:
    receiver = WebhookReceiver("whk_0123456789abcdef")
    event = receiver.receive(headers, body)
    assert_type(event, TransactionEvent | PaymentOrderEvent | UnknownEvent)
    assert_type(event.dedupe_key, str)
    match event:
        case TransactionEvent():
            assert_type(event.transaction, Transaction)
            assert_type(event.is_paid, bool)
        case PaymentOrderEvent():
            assert_type(event.payment_order, SettlementOrder)
        case _:
            assert_type(event, UnknownEvent)
    WebhookReceiver(name for name in ("2025-zx9q", "2026-zx9q")).receive(raw, bytearray(body))
    seen = SeenWebhooks(Path("seen.sqlite"), keep=60, lease=5)
    assert_type(
        receiver.receive(headers, body, seen=seen), TransactionEvent | PaymentOrderEvent | UnknownEvent | None
    )
    async with seen.handling(event.dedupe_key) as first:
        assert_type(first, bool)


async def clients() -> None:
    async with AsyncPlexyPay() as plexy:
        assert_type(plexy, AsyncPlexyPay)
    AsyncPlexyPay(
        "key", base_url="http://localhost", timeout=5, retry=RetryPolicy(max_attempts=1, codes=frozenset())
    )
    AsyncPlexyPay(lambda: "key", paths={"payment_links.statistics": "/v1/stats"}, trust_env=True)
    assert_type(plexy.with_options(api_key="key", timeout=5), AsyncPlexyPay)
    assert_type(await plexy.request("GET", "/v1/x", params={"a": 1}, replay=Replay.SAFE), Any)
    assert_type(await plexy.request("GET", "/v1/x", decimals=True), Any)
    assert_type(await plexy.request.with_response("GET", "/v1/x"), Answered[Any])
    assert_type(await plexy.request.with_options(timeout=5)("GET", "/v1/x"), Any)
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
