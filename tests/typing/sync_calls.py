# pyright: strict
"""What type checkers infer on `PlexyPay`. Read by them, never run."""

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

from plexypay_async.api.facades import Sync
from plexypay_async.pay.payment_links import PaymentLinks
from plexypay_sync import (
    Address,
    Answered,
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
    Pages,
    Payment,
    PaymentLink,
    PaymentLinkStatistics,
    PaymentLinkStatus,
    PaymentLinkSummary,
    PaymentOrderEvent,
    PaymentResult,
    Payout,
    PayoutTransaction,
    PlexyPay,
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


def every_group(plexy: PlexyPay) -> None:
    charged = plexy.recurring.charge(
        amount=Decimal(1099), currency="KZT", card_token_id="ct", initial_transaction_id="t"
    )
    assert_type(charged, RecurringPayment)
    assert_type(charged.amount, Decimal)
    assert_type(charged.status, TransactionStatus | None)
    plexy.recurring.charge(
        amount=1099, currency="KZT", card_token_id="ct", initial_transaction_id="t", extra={"a": 1}
    )

    assert_type(plexy.direct_payments.keys(), DirectPaymentKeys)

    assert_type(plexy.transactions.retrieve("t"), Transaction)
    assert_type(plexy.transactions.retrieve_by_payment_link("pl_1"), Transaction)
    assert_type(plexy.transactions.retrieve_by_order_reference("ORD-1"), Transaction)
    assert_type(plexy.transactions.history("t"), TransactionHistory)
    assert_type(plexy.transactions.wait("t", until="charged", timeout=5), Transaction)
    assert_type(plexy.transactions.list(size=5), Pages[Transaction])

    assert_type(plexy.payments.search(order_reference="ORD-1"), Payment)
    assert_type(plexy.payments.cancel("t"), PaymentResult)
    assert_type(plexy.payments.capture("t", amount=Decimal("56.41")), PaymentResult)
    refund = assert_type(plexy.payments.refund("t", amount=5, order_reference="R-1"), RefundResult)
    assert_type(refund.amount, Decimal | None)

    assert_type(plexy.split_requests.create(extra={"a": 1}), SplitRequest)
    assert_type(plexy.split_requests.update("s", extra={"a": 1}), SplitRequest)
    assert_type(plexy.split_requests.retrieve("s"), SplitRequest)
    assert_type(plexy.split_requests.delete("s"), SplitRequest | None)
    assert_type(plexy.split_requests.list(), Pages[SplitRequest])

    order = plexy.settlement_orders.create(amount=10000, currency="KZT", beneficiary_id="b", request_id=None)
    assert_type(order, SettlementOrder)
    assert_type(order.status, SettlementOrderStatus | None)
    assert_type(plexy.settlement_orders.retrieve("o"), SettlementOrder)
    assert_type(plexy.settlement_orders.list(), Pages[SettlementOrder])

    assert_type(plexy.payouts.create(extra={"a": 1}), Payout)
    assert_type(plexy.payouts.save_card(extra={"a": 1}), SavedPayoutCard)
    assert_type(plexy.payouts.list(), Pages[PayoutTransaction])

    assert_type(plexy.customers.create(extra={"a": 1}), Customer)
    assert_type(plexy.customers.retrieve("c"), Customer)
    assert_type(plexy.customers.card_tokens("c").data, tuple[CardToken, ...])
    assert_type(plexy.customers.list(), Pages[Customer])
    assert_type(plexy.customers.transactions("c", size=5), Pages[Transaction])

    assert_type(plexy.beneficiaries.create(extra={"a": 1}), Beneficiary)
    assert_type(plexy.beneficiaries.update("b", extra={"a": 1}), Beneficiary)
    assert_type(plexy.beneficiaries.retrieve("b"), Beneficiary)
    assert_type(plexy.beneficiaries.list(), Pages[Beneficiary])
    assert_type(plexy.beneficiaries.transfer("b", extra={"a": 1}), BeneficiaryTransfer)
    assert_type(plexy.beneficiaries.settle("b"), BeneficiarySettlement)

    assert_type(plexy.merchant.retrieve(), Merchant)

    held = plexy.wallet.authorize(amount=100, order_reference="ORD-1", idempotency_key="k")
    assert_type(held, WalletTransaction)
    assert_type(held.status, WalletTransactionStatus)
    assert_type(held.amount, int | None)
    assert_type(plexy.wallet.authorize(amount=100, currency=None, idempotency_key=None), WalletTransaction)
    assert_type(plexy.wallet.capture("w"), WalletTransaction)
    assert_type(plexy.wallet.refund("w"), WalletTransaction)
    assert_type(plexy.wallet.cancel(wallet_transaction_id="w"), WalletTransaction)
    assert_type(plexy.wallet.retrieve("w"), WalletTransaction)
    assert_type(plexy.wallet.list(), Pages[WalletTransaction])


def direct_payments(plexy: PlexyPay, card: EncryptedCard, browser: BrowserDetails) -> None:
    payment = plexy.direct_payments.create(
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
    assert_type(plexy.direct_payments.continue_3ds(cres="c", transaction_id="t"), DirectPayment)


def requests() -> None:
    assert_type(AuthorizeWalletPayment(amount=1).idempotency_key, str)
    assert_type(CreateSettlementOrder(amount=1, currency="KZT").request_id, str)


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
    many.close()


def webhooks(headers: Mapping[str, str], raw: Mapping[bytes, bytes], body: bytes) -> None:
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
    with seen.handling(event.dedupe_key) as first:
        assert_type(first, bool)


def clients() -> None:
    with PlexyPay() as plexy:
        assert_type(plexy, PlexyPay)
    PlexyPay(
        "key", base_url="http://localhost", timeout=5, retry=RetryPolicy(max_attempts=1, codes=frozenset())
    )
    PlexyPay(lambda: "key", paths={"payment_links.statistics": "/v1/stats"}, trust_env=True)
    assert_type(plexy.with_options(api_key="key", timeout=5), PlexyPay)
    assert_type(plexy.request("GET", "/v1/x", params={"a": 1}, replay=Replay.SAFE), Any)
    assert_type(plexy.request("GET", "/v1/x", decimals=True), Any)
    assert_type(plexy.request.with_response("GET", "/v1/x"), Answered[Any])
    assert_type(plexy.request.with_options(timeout=5)("GET", "/v1/x"), Any)
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
