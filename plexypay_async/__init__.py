"""Plexy Pay for asyncio: typed payment links, retries that never pay twice, pages that fetch themselves.

Names are imported when they are first used, so that the models and the errors never import aiohttp.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api.payment_links import (
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
    from .bulk.journal import Journal
    from .client import AsyncPlexyPay
    from .errors import (
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
    from .operation import Evidence, Replay
    from .pagination import AsyncPages, Page
    from .settings import RetryPolicy

__all__ = [
    "APIError",
    "AsyncPages",
    "AsyncPlexyPay",
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
    "PaymentLink",
    "PaymentLinkStatistics",
    "PaymentLinkStatus",
    "PaymentLinkSummary",
    "PaymentLinks",
    "PermissionDeniedError",
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

_ROOMS = {
    "AsyncPages": "pagination",
    "AsyncPlexyPay": "client",
    "Evidence": "operation",
    "Journal": "bulk.journal",
    "Page": "pagination",
    "Replay": "operation",
    "RetryPolicy": "settings",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = _ROOMS.get(name)
    if room is None:
        room = "errors" if name == "Outcome" or name.endswith("Error") else "api.payment_links"
    value = getattr(import_module(f".{room}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
