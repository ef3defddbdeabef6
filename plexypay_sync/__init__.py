"""Plexy Pay for code without an event loop: the same names as `plexypay_async`, without await.

Names are imported when they are first used.

PYTEST_DONT_REWRITE: so that pytest does not warn where this is imported before it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plexypay_async.api.beneficiaries import (
        Beneficiaries,
        Beneficiary,
        BeneficiarySettlement,
        BeneficiaryTransfer,
        CreateBeneficiary,
        ListBeneficiaries,
        RetrieveBeneficiary,
        SettleBeneficiary,
        TransferFromBeneficiary,
        UpdateBeneficiary,
    )
    from plexypay_async.api.customers import (
        CardToken,
        CardTokens,
        CreateCustomer,
        Customer,
        Customers,
        ListCustomers,
        ListCustomerTransactions,
        RetrieveCustomer,
        RetrieveCustomerCardTokens,
    )
    from plexypay_async.api.direct_payments import (
        Address,
        BrowserDetails,
        ContinueThreeDSecure,
        CreateDirectPayment,
        CustomerDetails,
        DirectPayment,
        DirectPaymentKeys,
        DirectPayments,
        DirectRecurring,
        DirectRecurringType,
        OrderDetails,
        RetrieveDirectPaymentKeys,
        ThreeDSecure,
        ThreeDSecureStatus,
        TransactionType,
    )
    from plexypay_async.api.merchant import (
        Merchant,
        MerchantAccount,
        RetrieveMerchant,
    )
    from plexypay_async.api.payment_links import (
        BulkResult,
        CancelPaymentLink,
        CreateManyPaymentLinks,
        CreatePaymentLink,
        ListPaymentLinks,
        PaymentLink,
        PaymentLinks,
        PaymentLinkStatistics,
        PaymentLinkStatus,
        PaymentLinkSummary,
        Recurring,
        RecurringType,
        RetrievePaymentLink,
        RetrievePaymentLinkByOrderReference,
        RetrievePaymentLinkStatistics,
        UpdatePaymentLinkExpiration,
    )
    from plexypay_async.api.payments import (
        CancelPayment,
        CapturePayment,
        PaymentResult,
        Payments,
        RefundPayment,
        RefundResult,
    )
    from plexypay_async.api.payouts import (
        CreatePayout,
        ListPayouts,
        Payout,
        Payouts,
        PayoutTransaction,
        SavedPayoutCard,
        SavePayoutCard,
    )
    from plexypay_async.api.recurring import (
        ChargeRecurringPayment,
        RecurringPayment,
        RecurringPayments,
    )
    from plexypay_async.api.settlement_orders import (
        CreateSettlementOrder,
        ListSettlementOrders,
        RetrieveSettlementOrder,
        SettlementOrder,
        SettlementOrders,
        SettlementOrderStatus,
    )
    from plexypay_async.api.split_requests import (
        CreateSplitRequest,
        DeleteSplitRequest,
        ListSplitRequests,
        RetrieveSplitRequest,
        SplitRequest,
        SplitRequests,
        UpdateSplitRequest,
    )
    from plexypay_async.api.transactions import (
        ListTransactions,
        RetrieveTransaction,
        RetrieveTransactionByOrderReference,
        RetrieveTransactionByPaymentLink,
        RetrieveTransactionHistory,
        Transaction,
        TransactionHistory,
        Transactions,
        TransactionStatus,
        WaitForTransaction,
    )
    from plexypay_async.api.wallet import (
        AuthorizeWalletPayment,
        CancelWalletPayment,
        CaptureWalletPayment,
        ListWalletTransactions,
        RefundWalletPayment,
        RetrieveWalletTransaction,
        Wallet,
        WalletTransaction,
        WalletTransactionStatus,
    )
    from plexypay_async.bulk.journal import Journal
    from plexypay_async.cards import (
        Card,
        CardPadding,
        EncryptedCard,
        StoredCard,
        encrypt_card,
    )
    from plexypay_async.errors import (
        APIError,
        AuthenticationError,
        ConfigurationError,
        ConnectError,
        DeadlineExceededError,
        InvalidRequestError,
        NotFoundError,
        OrderReferenceConflictError,
        Outcome,
        OutcomeUnknownError,
        PermissionDeniedError,
        PlexyPayError,
        RateLimitedError,
        RefusedError,
        ServiceUnavailableError,
        SomethingWentWrongError,
        UnprocessableError,
        UnreadableResponseError,
        WebhookAuthenticationError,
        WebhookError,
        WebhookInProgressError,
        WebhookPayloadError,
    )
    from plexypay_async.operation import (
        Evidence,
        Replay,
    )
    from plexypay_async.pagination import Page
    from plexypay_async.seen import SeenWebhooks
    from plexypay_async.settings import RetryPolicy
    from plexypay_async.webhooks import (
        PaymentOrderEvent,
        TransactionEvent,
        UnknownEvent,
        WebhookEvent,
        WebhookReceiver,
    )

    from .client import PlexyPay
    from .pagination import Pages

__all__ = [
    "APIError",
    "Address",
    "AuthenticationError",
    "AuthorizeWalletPayment",
    "Beneficiaries",
    "Beneficiary",
    "BeneficiarySettlement",
    "BeneficiaryTransfer",
    "BrowserDetails",
    "BulkResult",
    "CancelPayment",
    "CancelPaymentLink",
    "CancelWalletPayment",
    "CapturePayment",
    "CaptureWalletPayment",
    "Card",
    "CardPadding",
    "CardToken",
    "CardTokens",
    "ChargeRecurringPayment",
    "ConfigurationError",
    "ConnectError",
    "ContinueThreeDSecure",
    "CreateBeneficiary",
    "CreateCustomer",
    "CreateDirectPayment",
    "CreateManyPaymentLinks",
    "CreatePaymentLink",
    "CreatePayout",
    "CreateSettlementOrder",
    "CreateSplitRequest",
    "Customer",
    "CustomerDetails",
    "Customers",
    "DeadlineExceededError",
    "DeleteSplitRequest",
    "DirectPayment",
    "DirectPaymentKeys",
    "DirectPayments",
    "DirectRecurring",
    "DirectRecurringType",
    "EncryptedCard",
    "Evidence",
    "InvalidRequestError",
    "Journal",
    "ListBeneficiaries",
    "ListCustomerTransactions",
    "ListCustomers",
    "ListPaymentLinks",
    "ListPayouts",
    "ListSettlementOrders",
    "ListSplitRequests",
    "ListTransactions",
    "ListWalletTransactions",
    "Merchant",
    "MerchantAccount",
    "NotFoundError",
    "OrderDetails",
    "OrderReferenceConflictError",
    "Outcome",
    "OutcomeUnknownError",
    "Page",
    "Pages",
    "PaymentLink",
    "PaymentLinkStatistics",
    "PaymentLinkStatus",
    "PaymentLinkSummary",
    "PaymentLinks",
    "PaymentOrderEvent",
    "PaymentResult",
    "Payments",
    "Payout",
    "PayoutTransaction",
    "Payouts",
    "PermissionDeniedError",
    "PlexyPay",
    "PlexyPayError",
    "RateLimitedError",
    "Recurring",
    "RecurringPayment",
    "RecurringPayments",
    "RecurringType",
    "RefundPayment",
    "RefundResult",
    "RefundWalletPayment",
    "RefusedError",
    "Replay",
    "RetrieveBeneficiary",
    "RetrieveCustomer",
    "RetrieveCustomerCardTokens",
    "RetrieveDirectPaymentKeys",
    "RetrieveMerchant",
    "RetrievePaymentLink",
    "RetrievePaymentLinkByOrderReference",
    "RetrievePaymentLinkStatistics",
    "RetrieveSettlementOrder",
    "RetrieveSplitRequest",
    "RetrieveTransaction",
    "RetrieveTransactionByOrderReference",
    "RetrieveTransactionByPaymentLink",
    "RetrieveTransactionHistory",
    "RetrieveWalletTransaction",
    "RetryPolicy",
    "SavePayoutCard",
    "SavedPayoutCard",
    "SeenWebhooks",
    "ServiceUnavailableError",
    "SettleBeneficiary",
    "SettlementOrder",
    "SettlementOrderStatus",
    "SettlementOrders",
    "SomethingWentWrongError",
    "SplitRequest",
    "SplitRequests",
    "StoredCard",
    "ThreeDSecure",
    "ThreeDSecureStatus",
    "Transaction",
    "TransactionEvent",
    "TransactionHistory",
    "TransactionStatus",
    "TransactionType",
    "Transactions",
    "TransferFromBeneficiary",
    "UnknownEvent",
    "UnprocessableError",
    "UnreadableResponseError",
    "UpdateBeneficiary",
    "UpdatePaymentLinkExpiration",
    "UpdateSplitRequest",
    "WaitForTransaction",
    "Wallet",
    "WalletTransaction",
    "WalletTransactionStatus",
    "WebhookAuthenticationError",
    "WebhookError",
    "WebhookEvent",
    "WebhookInProgressError",
    "WebhookPayloadError",
    "WebhookReceiver",
    "encrypt_card",
]

_OWN = {"Pages": "pagination", "PlexyPay": "client"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = _OWN.get(name)
    value = getattr(import_module("plexypay_async" if room is None else f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
