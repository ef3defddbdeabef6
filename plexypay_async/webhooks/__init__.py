"""Webhooks: who sent a delivery and what it says (`receiver`), and whether it was handled before (`seen`)."""

from .events import PaymentOrderEvent, TransactionEvent, UnknownEvent, WebhookEvent
from .receiver import WebhookReceiver

__all__ = [
    "PaymentOrderEvent",
    "TransactionEvent",
    "UnknownEvent",
    "WebhookEvent",
    "WebhookReceiver",
]
