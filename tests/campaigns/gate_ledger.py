"""A server of the Gate API that charges for every key that it is told, and what befalls requests to it.

It knows an order by its key alone: what is asked for twice with two keys is ordered twice and charged twice.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import orjson

from .loopback_front import PLACES
from .lossy_proxy import HTML, MESSAGE, PASSED, Draw, Fate
from .recording_server import Answer, Asked, RecordingServer

__all__ = ["AGENT", "KINDS", "PRICE", "GateLedger", "befalling"]

AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
PRICE = 1250
"""In hundredths of a dollar."""
_ORDERS = f"/agent/{AGENT}/orders"


class GateLedger(RecordingServer):
    """Orders by key, and what they have cost."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, dict[str, Any]] = {}
        """By the idempotency key."""
        self.charged: Counter[str] = Counter()
        """What was charged in hundredths of a dollar, by `external_ref`."""

    def asked(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Asked:
        """Tell what a request asks for: its call is known by the reference in it."""
        assert (method, target) == ("POST", _ORDERS), (method, target)
        fields: dict[str, Any] = orjson.loads(body)
        return Asked(
            method,
            "orders.create",
            str(fields["external_ref"]),
            target,
            fields,
            headers["idempotency-key"],
        )

    def perform(self, asked: Asked) -> Answer:
        """Make the order of a key, and charge for it; the same key shows it again."""
        key = str(asked.key)
        order = self.orders.get(key)
        if order is None:
            self.charged[asked.marker] += PRICE
            self.record.done[asked.marker] += 1
            number = len(self.orders)
            order = {
                "id": f"{number:08x}-8b5a-4e8b-8c0e-1d1c2f3a4b5c",
                "product_id": asked.fields["product_id"],
                "external_ref": asked.marker,
                "idempotency_key": key,
                "status": "pending",
                "order_content": {"vendor_order_id": f"LC-{number:06}"},
                "currency_code": "USD",
                "charged_amount": "12.50",
                "is_test": False,
                "region_code": "GLOBAL",
                "created_at": "2024-11-01T10:00:00Z",
                "completed_at": None,
                "failed_at": None,
            }
            self.orders[key] = order
        return Answer(201, order)


KINDS = (
    "500 without a code",
    "502, 503 or 504 of a gateway",
    "cut before the work",
    "cut after the work",
    "cut in the body",
    "no answer",
    "a late answer",
    "an answer twice",
    "429",
)


def befalling(share: float, read_timeout: float) -> Draw:
    """Return a way to draw fates of which each kind befalls this share of the requests.

    Args:
        share: The share of each.
        read_timeout: For how many seconds the client bears silence.
    """

    def draw(chances: random.Random, asked: Asked) -> Fate:
        number = int(chances.random() / share)
        if number >= len(KINDS):
            return PASSED
        kind = KINDS[number]
        # Some is done only after the client has given it up, and with its own repeat.
        work = chances.choice((None, 0.0, 1.5 * read_timeout))
        when = "not done" if work is None else "done" if work == 0.0 else "done late"
        told = f"{kind}, {when}"
        match kind:
            case "500 without a code":
                return Fate(told, work, (500, MESSAGE))
            case "502, 503 or 504 of a gateway":
                return Fate(told, work, (chances.choice((502, 503, 504)), HTML))
            case "cut before the work":
                return Fate(kind, None, place=PLACES[0], reset=chances.random() < 0.5)
            case "cut after the work":
                place = chances.choice(PLACES[:3])
                return Fate(kind, 0.0, place=place, reset=chances.random() < 0.5)
            case "cut in the body":
                return Fate(kind, 0.0, place="in the body")
            case "no answer":
                return Fate(told, work, silent=True)
            case "a late answer":
                # Half of them later than it is waited for.
                return Fate(kind, 0.0, pause=2 * read_timeout * chances.random())
            case "an answer twice":
                return Fate(kind, 0.0, again_after=chances.choice((0.0, 0.002, 0.005)))
            case _:
                return Fate(kind, None, (429, b""))

    return draw
