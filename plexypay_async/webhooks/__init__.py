"""Webhooks: who sent a delivery, what it says (`receiver`), and whether it was handled before (`seen`)."""

from .receiver import (
    PaymentOrderEvent,
    TransactionEvent,
    UnknownEvent,
    WebhookEvent,
    WebhookReceiver,
)

__all__ = [
    "PaymentOrderEvent",
    "TransactionEvent",
    "UnknownEvent",
    "WebhookEvent",
    "WebhookReceiver",
]
