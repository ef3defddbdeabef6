"""What is read from a signed delivery: the events and their keys; what is hidden, what observers are told."""

from __future__ import annotations

import copy
import json
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    ConfigurationError,
    ObservedWebhook,
    Observer,
    PlexyPayError,
    SeenWebhooks,
    WebhookAuthenticationError,
    WebhookPayloadError,
)
from plexypay_async.webhooks.checkout import (
    CheckoutWebhookReceiver,
    PaymentFailedEvent,
    PaymentSucceededEvent,
    RefundSucceededEvent,
    UnknownCheckoutEvent,
)
from tests.frames import exposures

from .signed import PUBLISHED, RECEIVER, SECRET, event, received, signature, signed

# ------------------------------------------------------------------------------------------- the events


def test_the_published_event() -> None:
    found = received(PUBLISHED)

    assert type(found) is PaymentSucceededEvent
    assert (found.id, found.type) == ("evt_1234567890", "payment.succeeded")
    assert found.created == datetime(2023, 3, 23, tzinfo=UTC)
    assert found.data.id == "pay_abc123"
    assert (found.data.amount, found.data.currency, found.data.status) == (5000, "USD", "succeeded")
    assert found.is_paid
    assert found.dedupe_key == "checkout:evt_1234567890"
    assert found.raw == json.loads(PUBLISHED)
    assert found.data.raw == found.raw["data"]
    for twin in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert twin == found
        assert twin.raw == found.raw


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("payment.succeeded", PaymentSucceededEvent),
        ("payment.failed", PaymentFailedEvent),
        ("refund.succeeded", RefundSucceededEvent),
        ("payment.disputed", UnknownCheckoutEvent),
        ("Payment.Succeeded", UnknownCheckoutEvent),
    ],
)
def test_each_type_has_its_class_and_what_is_unknown_is_kept(type: str, kind: type[Any]) -> None:
    found = received(event(type))

    assert found.__class__ is kind
    assert found.type == type
    assert found.raw["data"]["id"] == "pay_abc123"


@pytest.mark.parametrize(
    ("data", "paid"),
    [
        ({"id": "p"}, True),
        ({"id": "p", "status": "SUCCEEDED"}, True),
        ({"id": "p", "status": "failed"}, False),
        ({"id": "p", "status": ""}, False),
    ],
)
def test_an_event_that_contradicts_itself_is_not_paid(data: dict[str, Any], paid: bool) -> None:
    assert received(event(data=data)).is_paid is paid


@pytest.mark.parametrize("created", [None, "2023-03-23", 1e9, -1, 10**15, True])
def test_a_time_that_cannot_be_read_is_none_and_in_raw(created: Any) -> None:
    found = received(event(created=created))

    assert found.created is None
    assert found.raw["created"] == created


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (event(id=None), "id: is missing"),
        (event(id=5), "id: is no plain text"),
        (event(id=""), "id: is no plain text"),
        (event(id="evt_1\n"), "id: is no plain text"),
        (event(id="e" * 256), "id: is no plain text"),
        (event(type=None), "type: is missing"),
        (event(type=["payment.succeeded"]), "type: is no plain text"),
        (event(data=None), "payment.succeeded: data: is missing"),
        (event(data=[]), "payment.succeeded: data: expected an object, got list"),
        (event(data={}), "payment.succeeded: data: id: id is missing"),
        (event(data={"id": ""}), "payment.succeeded: data: id: is empty"),
        (event(data={"id": " p"}), "payment.succeeded: data: the id must be printable"),
        (event(data={"id": "p", "amount": "5000.5"}), "payment.succeeded: data: amount: expected an integer"),
        (event(data={"id": "p", "amount": True}), "payment.succeeded: data: amount: expected an integer"),
        (event(data={"id": "p", "status": 5}), "payment.succeeded: data: status: expected a string"),
        (PUBLISHED.rstrip()[:-1] + b', "id": "evt_2"}', "the same field twice"),
        (b"[]", "the body is no object"),
        (b"", "it is not JSON"),
        (PUBLISHED + b" " * 2**20, "bytes; an event has at most"),
    ],
)
def test_an_authentic_delivery_that_is_no_event_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(WebhookPayloadError) as caught:
        received(body)

    assert told in str(caught.value)
    assert caught.value.outcome is None


def test_an_event_is_handled_once_by_its_id_whatever_else_is_in_it(tmp_path: Path) -> None:
    seen = SeenWebhooks(tmp_path / "seen.sqlite")
    handled = 0
    for body in (PUBLISHED, PUBLISHED, event("payment.failed"), event(id="evt_2")):
        found = RECEIVER.receive(signed(body), body, seen=seen)
        if found is None:
            continue
        with seen.handling(found.dedupe_key) as first:
            handled += first
    assert handled == 2


# ---------------------------------------------------------------------------------------- the observers


class Told(Observer):
    """Keeps the webhooks that it is told of."""

    def __init__(self) -> None:
        self.webhooks: list[ObservedWebhook] = []

    def webhook_received(self, webhook: ObservedWebhook) -> None:
        self.webhooks.append(webhook)


def test_observers_are_told_of_each_delivery() -> None:
    told = Told()
    receiver = CheckoutWebhookReceiver(SECRET, observers=[told])
    receiver.receive(signed(PUBLISHED), PUBLISHED)
    receiver.receive(signed(PUBLISHED), PUBLISHED, seen=lambda _: True)
    unknown = event("payment.disputed")
    receiver.receive(signed(unknown), unknown)
    with pytest.raises(WebhookAuthenticationError) as caught:
        receiver.receive({}, PUBLISHED)

    first, repeated, other, refused = told.webhooks
    assert (first.event, first.is_known, first.transaction_id) == ("payment.succeeded", True, "pay_abc123")
    assert (first.repeated, first.error) == (False, None)
    assert repeated.repeated
    assert (other.event, other.is_known, other.transaction_id) == ("payment.disputed", False, None)
    assert (refused.event, refused.error) == (None, caught.value)


# ------------------------------------------------------------------------------------- what is not shown

OLD_SECRET = "whsec_900150983cd24fb0d6963f7d"
NAME, NUMBER, COOKIE = "Айгерим Holder", "4918914107195005", "session-of-a-customer"
HIDDEN = event(data={"id": "p", "description": NAME, "last4": NUMBER})
SHOWN = (SECRET, OLD_SECRET, NAME, NUMBER, COOKIE, signature(HIDDEN))


class Failing:
    """Headers that fail when they are read, as those of a request that ended may."""

    def __init__(self, ending: Callable[[], None]) -> None:
        self.ending = ending

    def items(self) -> Iterator[tuple[Any, Any]]:
        yield from {**signed(HIDDEN), "Cookie": COOKIE}.items()
        self.ending()


def fail() -> None:
    raise KeyError(SECRET, NAME)


def bad(body: bytes) -> tuple[type[PlexyPayError], Any, Any]:
    return WebhookPayloadError, {**signed(body), "Cookie": COOKIE}, body


DELIVERIES: dict[str, Callable[[], tuple[type[PlexyPayError], Any, Any]]] = {
    "no header": lambda: (WebhookAuthenticationError, {"Cookie": COOKIE}, HIDDEN),
    "the secret itself": lambda: (WebhookAuthenticationError, {"Plexy-Signature": SECRET}, HIDDEN),
    "of another body": lambda: (WebhookAuthenticationError, signed(PUBLISHED), HIDDEN),
    "too old": lambda: (WebhookAuthenticationError, signed(HIDDEN, off=-1000), HIDDEN),
    "two headers": lambda: (
        WebhookAuthenticationError,
        {**signed(HIDDEN), "plexy-signature": OLD_SECRET},
        HIDDEN,
    ),
    "headers that are none": lambda: (ConfigurationError, [(SECRET, COOKIE)], HIDDEN),
    "headers that fail": lambda: (ConfigurationError, Failing(fail), HIDDEN),
    "a body that is decoded": lambda: (ConfigurationError, signed(HIDDEN), json.loads(HIDDEN)),
    "no JSON": lambda: bad(HIDDEN[:-1] + NAME.encode()),
    "no id": lambda: bad(event(id=None, data={"id": NAME})),
    "an id of another kind": lambda: bad(event(id=[NUMBER, NAME])),
    "an amount of another kind": lambda: bad(event(data={"id": "p", "amount": NAME})),
    "a field twice": lambda: bad(HIDDEN[:-1] + f', "id": "{NUMBER}"}}'.encode()),
}


@pytest.mark.parametrize("name", DELIVERIES)
def test_no_error_of_a_delivery_shows_anything_of_it(name: str) -> None:
    expected, headers, body = DELIVERIES[name]()
    receiver = CheckoutWebhookReceiver([SECRET, OLD_SECRET])
    with pytest.raises(expected) as caught:
        receiver.receive(headers, body, seen=lambda _: False)

    assert type(caught.value) is expected
    assert exposures(caught.value, SHOWN) == []
    assert caught.value.__context__ is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_in_the_middle_comes_through_no_frame_that_holds_the_delivery() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            RECEIVER.receive(Failing(lambda: signal.raise_signal(signal.SIGINT)), HIDDEN)
    finally:
        signal.signal(signal.SIGINT, before)
    assert exposures(caught.value, SHOWN) == []


@pytest.mark.parametrize(
    "secrets", [lambda: [SECRET, OLD_SECRET, 5], lambda: SECRET.encode(), lambda: f"{SECRET}\n"]
)
def test_no_error_of_a_receivers_making_shows_its_secrets(secrets: Callable[[], Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CheckoutWebhookReceiver(secrets())
    assert exposures(caught.value, SHOWN) == []


def test_what_seen_raises_comes_through_no_frame_that_holds_the_event() -> None:
    def seen(_: str) -> bool:
        raise ConnectionError("redis is down")

    with pytest.raises(ConnectionError) as caught:
        RECEIVER.receive(signed(HIDDEN), HIDDEN, seen=seen)
    assert exposures(caught.value, SHOWN) == []
