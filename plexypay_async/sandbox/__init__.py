"""A local Plexy Pay for tests and trials, over real HTTP, without an account."""

from __future__ import annotations

from .clock import Clock
from .deliveries.delivery import Delivery, DeliveryAttempt, DeliveryState
from .deliveries.log import Deliveries
from .faults import Cut, Fault, Faults, ForeignBody, Misdelivery, Work
from .server import Sandbox
from .traffic import ArrivedRequest, Traffic

__all__ = [
    "ArrivedRequest",
    "Clock",
    "Cut",
    "Deliveries",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "Fault",
    "Faults",
    "ForeignBody",
    "Misdelivery",
    "Sandbox",
    "Traffic",
    "Work",
]
