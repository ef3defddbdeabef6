"""Names that are imported from their modules when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import FrameType
from typing import Any

from .pay import _NAMES  # pyright: ignore[reportPrivateUsage]

__all__ = ["SHARED", "imported", "names_of"]

SHARED = {
    name: f"plexypay_async.{room}"
    for room, names in {
        "bulk.journal": "Journal",
        "cards": "Card CardPadding EncryptedCard StoredCard encrypt_card encrypt_cvv",
        "errors": (
            "APIError AuthenticationError ConfigurationError ConnectError DeadlineExceededError "
            "IdempotencyError InvalidRequestError NotFoundError OrderReferenceConflictError Outcome "
            "OutageError OutcomeUnknownError PermissionDeniedError PlexyPayError RateLimitedError "
            "RefusedError ServiceUnavailableError SomethingWentWrongError UnprocessableError "
            "UnreadableResponseError WebhookAuthenticationError WebhookError WebhookInProgressError "
            "WebhookNotMarkedError WebhookPayloadError"
        ),
        "answered": "Answered",
        "api.operation": "Evidence",
        "money": "Money",
        "observer": (
            "ObservedAttempt ObservedCall ObservedJob ObservedPause ObservedRow ObservedWebhook Observer"
        ),
        "pagination": "Page",
        "api.replay": "Replay",
        "webhooks.seen": "SeenWebhooks",
        "retry_policy": "RetryPolicy",
        "webhooks": "PaymentOrderEvent TransactionEvent UnknownEvent WebhookEvent WebhookReceiver",
        "webhooks.checkout": (
            "CheckoutEvent CheckoutEventSubject CheckoutWebhookReceiver PaymentFailedEvent "
            "PaymentSucceededEvent RefundSucceededEvent UnknownCheckoutEvent"
        ),
    }.items()
    for name in names.split()
}
"""For each public name that both packages have, its module."""
SHARED.update({name: f"plexypay_async.pay.{room}" for name, room in _NAMES.items()})


def names_of(own: Mapping[str, str]) -> list[str]:
    """Return all public names of a package, given its own ones with their modules."""
    return sorted({*SHARED, *own})


def imported(package: dict[str, Any], name: str, own: Mapping[str, str]) -> Any:
    """Return what a package has under a name, imported from its module, and keep it there.

    Raises:
        AttributeError: It has no such name.
    """
    if name == "__all__" and not _is_help(sys._getframe(2)):  # pyright: ignore[reportPrivateUsage]
        return names_of(own)
    module = own.get(name) or SHARED.get(name)
    if module is None:
        raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
    package[name] = value = getattr(import_module(module), name)
    return value


def _is_help(asking: FrameType) -> bool:
    """Tell whether it is `help()` that asks: of what a package lists, it would print each class in full."""
    return asking.f_code.co_name == "docmodule"
