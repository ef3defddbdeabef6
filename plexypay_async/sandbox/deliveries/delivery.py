"""One webhook: what is sent, where it goes, and what became of it."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import attrs
import orjson

from ..clock import written_time

__all__ = ["Delivery", "DeliveryAttempt", "DeliveryState"]


class DeliveryState(enum.StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    """It is under way, or waits for its next attempt."""
    DELIVERED = "delivered"
    """It was answered with 200."""
    FAILED = "failed"
    """No attempt was answered with 200, and there are no more."""
    REFUSED = "refused"
    """The sandbox does not deliver to this address; `Delivery.reason` says why."""
    LOST = "lost"
    """The fault ``delivery=never`` struck it: it is never sent."""


@attrs.frozen
class DeliveryAttempt:
    """One request to the receiver."""

    at: datetime
    """When it ended, by the sandbox's clock, in UTC."""
    status: int | None
    """The HTTP status; None where there was no answer."""
    error: str | None
    """Why there was no answer."""


@attrs.frozen
class Delivery:
    """One webhook, and what became of it."""

    id: str
    """The delivery's id, in the sandbox alone."""
    event: str
    """Such as ``transaction.charged``."""
    url: str
    """The receiver's address."""
    body: bytes = attrs.field(repr=False)
    """What is sent, the same in each attempt."""
    state: DeliveryState
    """What became of it."""
    fault: str | None
    """The fault that struck it: ``twice``, ``late``, ``reordered`` or ``never``."""
    reason: str | None
    """Why the address is refused."""
    created_at: datetime
    """When the event came about, by the sandbox's clock, in UTC."""
    next_attempt_at: datetime | None
    """When it is due, by the sandbox's clock, in UTC; None where nothing is to come."""
    attempts: tuple[DeliveryAttempt, ...]
    """The oldest first."""

    @property
    def payload(self) -> dict[str, Any]:
        """The body, decoded."""
        payload: dict[str, Any] = orjson.loads(self.body)
        return payload

    def shown(self) -> dict[str, Any]:
        """Return it as an object that JSON can carry."""
        return {
            "id": self.id,
            "event": self.event,
            "url": self.url,
            "state": self.state,
            "fault": self.fault,
            "reason": self.reason,
            "createdAt": written_time(self.created_at),
            "nextAttemptAt": None if self.next_attempt_at is None else written_time(self.next_attempt_at),
            "attempts": [
                {"at": written_time(attempt.at), "status": attempt.status, "error": attempt.error}
                for attempt in self.attempts
            ],
            "payload": orjson.Fragment(self.body),
        }
