"""Plexy Pay for code without an event loop: the same names as `plexypay_async`, without await.

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from plexypay_async.bulk.journal import Journal
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
        WebhookPayloadError,
    )
    from plexypay_async.operation import Evidence, Replay
    from plexypay_async.pagination import Page
    from plexypay_async.settings import RetryPolicy

    from .client import PlexyPay
    from .pagination import Pages

__all__ = [
    "APIError",
    "AuthenticationError",
    "BulkResult",
    "CancelPaymentLink",
    "ConfigurationError",
    "ConnectError",
    "CreateManyPaymentLinks",
    "CreatePaymentLink",
    "DeadlineExceededError",
    "Evidence",
    "InvalidRequestError",
    "Journal",
    "ListPaymentLinks",
    "NotFoundError",
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
    "PermissionDeniedError",
    "PlexyPay",
    "PlexyPayError",
    "RateLimitedError",
    "Recurring",
    "RecurringType",
    "RefusedError",
    "Replay",
    "RetrievePaymentLink",
    "RetrievePaymentLinkByOrderReference",
    "RetrievePaymentLinkStatistics",
    "RetryPolicy",
    "ServiceUnavailableError",
    "SomethingWentWrongError",
    "UnprocessableError",
    "UnreadableResponseError",
    "UpdatePaymentLinkExpiration",
    "WebhookAuthenticationError",
    "WebhookError",
    "WebhookPayloadError",
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
