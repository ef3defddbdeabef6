"""Mutated signed deliveries: no forged one is accepted, and nothing but a `WebhookError` comes out."""

from __future__ import annotations

import gc
import time
from collections import Counter

import pytest

from plexypay_async import WebhookAuthenticationError, WebhookError, WebhookPayloadError

from .mutations import Delivery
from .signed import RECEIVER, deliveries

MOST_SECONDS = 0.05


def received(delivery: Delivery) -> tuple[str, float]:
    """Return what came of a delivery, and the processor time that it took."""
    began = time.process_time()
    try:
        event = RECEIVER.receive(delivery.headers, delivery.body)
        key = event.dedupe_key
    except WebhookError as error:
        return type(error).__name__, time.process_time() - began
    took = time.process_time() - began
    assert key.isprintable()
    assert key.startswith("checkout:")
    assert 0 < len(key) <= 511
    return type(event).__name__, took


def campaign(count: int, seed: int) -> float:
    """Receive so many mutated deliveries and return the longest processor time."""
    outcomes: Counter[str] = Counter()
    longest = 0.0
    for delivery in deliveries(count, seed):
        outcome, took = received(delivery)
        assert (outcome != WebhookAuthenticationError.__name__) == delivery.authentic, delivery
        if took > MOST_SECONDS / 2:
            took = min(took, *(received(delivery)[1] for _ in range(3)))
        outcomes[outcome] += 1
        longest = max(longest, took)
    assert outcomes.total() == count
    for kind in (
        *("PaymentSucceededEvent", "PaymentFailedEvent", "RefundSucceededEvent", "UnknownCheckoutEvent"),
        WebhookPayloadError.__name__,
    ):
        assert outcomes[kind] > count / 200, kind
    assert outcomes[WebhookAuthenticationError.__name__] > count / 3
    return longest


def test_three_thousand_mutated_signed_deliveries() -> None:
    campaign(3_000, seed=7)


@pytest.mark.campaign
def test_a_hundred_thousand_mutated_signed_deliveries_each_within_fifty_milliseconds() -> None:
    gc.collect()
    gc.freeze()
    try:
        longest = campaign(100_000, seed=2026)
    finally:
        gc.unfreeze()
    assert longest <= MOST_SECONDS
