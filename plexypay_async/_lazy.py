"""Names that are imported from their modules when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from . import api

__all__ = ["SHARED", "importer"]

SHARED = {
    name: f"plexypay_async.{room}"
    for room, names in {
        "bulk.journal": "Journal",
        "cards": "Card CardPadding EncryptedCard StoredCard encrypt_card",
        "errors": (
            "APIError AuthenticationError ConfigurationError ConnectError DeadlineExceededError "
            "InvalidRequestError NotFoundError OrderReferenceConflictError Outcome "
            "OutcomeUnknownError PermissionDeniedError PlexyPayError RateLimitedError RefusedError "
            "ServiceUnavailableError SomethingWentWrongError UnprocessableError "
            "UnreadableResponseError WebhookAuthenticationError WebhookError WebhookInProgressError "
            "WebhookPayloadError"
        ),
        "operation": "Evidence",
        "pagination": "Page",
        "replay": "Replay",
        "seen": "SeenWebhooks",
        "settings": "RetryPolicy",
        "webhooks": "PaymentOrderEvent TransactionEvent UnknownEvent WebhookEvent WebhookReceiver",
    }.items()
    for name in names.split()
}
"""For each public name that both packages have, its module."""
SHARED.update(
    {
        name: f"plexypay_async.api.{room}"
        for name, room in api._NAMES.items()  # pyright: ignore[reportPrivateUsage]
    }
)


def importer(package: dict[str, Any], modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package, which imports a name from its module and keeps it."""

    def imported(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        value = package[name] = getattr(import_module(module), name)
        return value

    return imported
