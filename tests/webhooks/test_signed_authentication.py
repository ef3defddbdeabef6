"""Who may deliver to the Checkout API's receiver: signatures, their time, and that nothing is read before."""

from __future__ import annotations

import copy
import hmac
import pickle
import time
from collections.abc import Callable, Iterable
from http.client import HTTPMessage
from types import MappingProxyType
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from plexypay_async import ConfigurationError, WebhookAuthenticationError, WebhookError
from plexypay_async.webhooks.checkout import CheckoutWebhookReceiver, PaymentSucceededEvent

from .signed import PUBLISHED, SECRET, signature, signed

OLD_SECRET = "whsec_900150983cd24fb0d6963f7d"
TRUE = signature(PUBLISHED)


def now() -> int:
    return int(time.time())


def value(*signatures: str, off: int = 0) -> str:
    return ",".join([f"t={now() + off}", *(f"v1={each}" for each in signatures or (TRUE,))])


def message(*values: str) -> HTTPMessage:
    made = HTTPMessage()
    for each in values:
        made["plexy-signature"] = each
    return made


class Pairs:
    """What is no mapping of Python's and has `items`, as some frameworks' headers."""

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self.pairs = pairs

    def items(self) -> Iterable[tuple[Any, Any]]:
        return iter(self.pairs)


@pytest.mark.parametrize(
    "headers",
    [
        lambda: {"Plexy-Signature": value()},
        lambda: {"plexy-signature": value(), "Content-Type": "application/json"},
        lambda: {"PLEXY-SIGNATURE": f" {value()}\t"},
        lambda: {"Plexy-Signature": f"v1={TRUE},t={now()}"},
        lambda: {"Plexy-Signature": f"t={now()} , v1={TRUE}"},
        lambda: {"Plexy-Signature": value("0" * 64, TRUE, "f" * 64)},
        lambda: {"Plexy-Signature": f"t={now()},v0=old,v1={TRUE},v2=new"},
        lambda: {b"plexy-signature": value().encode()},
        lambda: {b"Plexy-Signature": value()},
        lambda: {"Plexy-Signature": value(), 5: None, None: "x"},
        lambda: MappingProxyType({"Plexy-Signature": value()}),
        lambda: CIMultiDictProxy(
            CIMultiDict([("Cookie", "a"), ("Cookie", "b"), ("plexy-SIGNATURE", value())])
        ),
        lambda: message(value()),
        lambda: Pairs(("Plexy-Signature", value())),
        lambda: {"Plexy-Signature": value(off=-290)},
        lambda: {"Plexy-Signature": value(off=290)},
    ],
)
def test_a_signature_in_every_form(headers: Callable[[], Any]) -> None:
    event = CheckoutWebhookReceiver(SECRET).receive(headers(), PUBLISHED)

    assert type(event) is PaymentSucceededEvent
    assert event.id == "evt_1234567890"


@pytest.mark.parametrize(
    "headers",
    [
        dict,
        lambda: {"X-Plexy-Signature": value()},
        lambda: {"Authorization": f"Bearer {SECRET}"},
        lambda: {"Plexy-Signature": SECRET},
        lambda: {"Plexy-Signature": ""},
        lambda: {"Plexy-Signature": TRUE},
        lambda: {"Plexy-Signature": f"v1={TRUE}"},
        lambda: {"Plexy-Signature": f"t={now()}"},
        lambda: {"Plexy-Signature": f"t={now()},v0={TRUE}"},
        lambda: {"Plexy-Signature": f"t={now()},V1={TRUE}"},
        lambda: {"Plexy-Signature": f"t={now()};v1={TRUE}"},
        lambda: {"Plexy-Signature": value(TRUE.upper())},
        lambda: {"Plexy-Signature": value(TRUE[:-1])},
        lambda: {"Plexy-Signature": value(TRUE + "0")},
        lambda: {"Plexy-Signature": value("")},
        lambda: {"Plexy-Signature": value(signature(PUBLISHED + b"\n"))},
        lambda: {"Plexy-Signature": value(signature(PUBLISHED, OLD_SECRET))},
        lambda: {"Plexy-Signature": value(signature(f"{now()}.".encode() + PUBLISHED))},
        lambda: {"Plexy-Signature": f"t={now()},t={now()},v1={TRUE}"},
        lambda: {"Plexy-Signature": f"t=-{now()},v1={TRUE}"},
        lambda: {"Plexy-Signature": f"t={now()}.0,v1={TRUE}"},
        lambda: {"Plexy-Signature": f"t={'1' * 13},v1={TRUE}"},
        lambda: {"Plexy-Signature": f"t=\u0661\u0662,v1={TRUE}"},
        lambda: {"Plexy-Signature": value(*[TRUE] * 17)},
        lambda: {"Plexy-Signature": value() + "," + "x" * 5000},
        lambda: {"Plexy-Signature": "ÿ" * 100_000},
        lambda: {"Plexy-Signature": value() + "\ud800"},
        lambda: {"Plexy-Signature": None},
        lambda: {"Plexy-Signature": [value()]},
        lambda: {"Plexy-Signature": value(), "plexy-signature": value()},
        lambda: message(value("0" * 64), value()),
        lambda: CIMultiDict([("Plexy-Signature", value()), ("Plexy-Signature", value())]),
    ],
)
def test_what_is_not_signed_is_refused(headers: Callable[[], Any]) -> None:
    with pytest.raises(WebhookAuthenticationError) as caught:
        CheckoutWebhookReceiver(SECRET).receive(headers(), PUBLISHED)

    assert "Plexy-Signature" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert TRUE not in str(caught.value)
    assert caught.value.outcome is None


def test_no_body_is_read_before_its_sender_is_known() -> None:
    for body in (b"no JSON", b"[" * 2_000_000, b""):
        with pytest.raises(WebhookAuthenticationError):
            CheckoutWebhookReceiver(SECRET).receive({"Plexy-Signature": value()}, body)


def test_another_body_is_refused_however_it_is_read() -> None:
    for other in (PUBLISHED + b" ", PUBLISHED.replace(b"5000", b"5001"), PUBLISHED.replace(b": ", b":")):
        with pytest.raises(WebhookAuthenticationError, match="expected signature"):
            CheckoutWebhookReceiver(SECRET).receive(signed(PUBLISHED), other)


# -------------------------------------------------------------------------------------------- the time


@pytest.mark.parametrize(("off", "told"), [(-310, "ago"), (310, "ahead"), (-(10**8), "ago")])
def test_a_time_too_far_off_is_refused(off: int, told: str) -> None:
    with pytest.raises(WebhookAuthenticationError, match=f"s {told}, and 300 s are the most"):
        CheckoutWebhookReceiver(SECRET).receive(signed(PUBLISHED, off=off), PUBLISHED)


@pytest.mark.parametrize("tolerance", [None, 10_000])
def test_the_tolerance_can_be_set(tolerance: float | None) -> None:
    receiver = CheckoutWebhookReceiver(SECRET, tolerance=tolerance)

    assert receiver.receive(signed(PUBLISHED, off=-9_000), PUBLISHED).type == "payment.succeeded"
    with pytest.raises(WebhookAuthenticationError, match="30 s are the most"):
        CheckoutWebhookReceiver(SECRET, tolerance=30).receive(signed(PUBLISHED, off=-60), PUBLISHED)


def test_a_delivery_with_a_new_time_is_taken_and_the_events_id_alone_tells_it() -> None:
    receiver = CheckoutWebhookReceiver(SECRET)
    handled: set[str] = set()
    first = receiver.receive(signed(PUBLISHED), PUBLISHED, seen=handled.__contains__)
    assert first is not None
    handled.add(first.dedupe_key)

    # Whoever has seen the delivery writes another time and needs no secret for it.
    again = {"Plexy-Signature": f"t={now() + 100},v1={TRUE}"}
    assert receiver.receive(again, PUBLISHED).id == first.id
    assert receiver.receive(again, PUBLISHED, seen=handled.__contains__) is None


def test_with_the_time_in_what_is_signed_a_new_time_is_refused() -> None:
    receiver = CheckoutWebhookReceiver(SECRET, signed="t.body")
    at = now() - 200
    true = signature(f"{at}.".encode() + PUBLISHED)

    assert receiver.receive({"Plexy-Signature": f"t={at},v1={true}"}, PUBLISHED).id == "evt_1234567890"
    for header in (f"t={now()},v1={true}", f"t=0{at},v1={true}", f"t={at},v1={TRUE}"):
        with pytest.raises(WebhookAuthenticationError, match="expected signature"):
            receiver.receive({"Plexy-Signature": header}, PUBLISHED)


# ----------------------------------------------------------------------------------------- the secrets


def test_every_secret_is_compared_in_constant_time_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["first-4711", "second-4711", "third-4711"]
    compared: list[tuple[bytes, bytes]] = []
    original = hmac.compare_digest

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return original(one, other)

    receiver = CheckoutWebhookReceiver(keys)
    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    for key in keys:
        compared.clear()
        given = [signature(PUBLISHED, key), "0" * 64]
        receiver.receive({"Plexy-Signature": value(*given)}, PUBLISHED)
        assert compared == [
            (each.encode(), signature(PUBLISHED, other).encode()) for other in keys for each in given
        ]


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, iter, dict.fromkeys])
def test_several_secrets_while_they_are_rotated(kind: Callable[[list[str]], Iterable[str]]) -> None:
    receiver = CheckoutWebhookReceiver(kind([SECRET, OLD_SECRET]))

    for secret in (SECRET, OLD_SECRET):
        receiver.receive(signed(PUBLISHED, secret), PUBLISHED)
    with pytest.raises(WebhookAuthenticationError):
        receiver.receive(signed(PUBLISHED, SECRET + "0"), PUBLISHED)
    assert repr(receiver) == "<CheckoutWebhookReceiver of 2 secrets>"


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        (None, "expected a string or several, got NoneType; it is the secret"),
        (b"whsec_5d41402abc4b2a76", "got bytes"),
        ("", "must not be empty"),
        ([], "there is none"),
        ([SECRET, ""], "must not be empty"),
        ([SECRET, None], "got NoneType"),
        (f"{SECRET}\n", "control character"),
        (f" {SECRET}", "begins or ends with a space"),
        ("whsec_test", "can be guessed"),
        ("whsec_secret", "can be guessed"),
        ("whsec_", "can be guessed"),
    ],
)
def test_what_is_no_secret_is_refused(secrets: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        CheckoutWebhookReceiver(secrets)

    assert str(caught.value).startswith("secrets: ")
    assert SECRET not in str(caught.value)


def test_unusable_options_are_refused() -> None:
    wrong: Any = "t.header"
    with pytest.raises(ConfigurationError, match="signed: expected"):
        CheckoutWebhookReceiver(SECRET, signed=wrong)
    for tolerance in (0, -1, float("nan"), True, "300"):
        with pytest.raises(ConfigurationError, match="tolerance: expected"):
            CheckoutWebhookReceiver(SECRET, tolerance=tolerance)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("headers", [None, 5, "Plexy-Signature: x", [("Plexy-Signature", "x")]])
def test_headers_that_are_no_mapping_are_the_callers_mistake(headers: Any) -> None:
    with pytest.raises(ConfigurationError, match="headers: expected a mapping, got"):
        CheckoutWebhookReceiver(SECRET).receive(headers, PUBLISHED)


@pytest.mark.parametrize("body", [None, PUBLISHED.decode(), {"id": "evt_1"}, 5])
def test_a_body_that_is_no_bytes_is_the_callers_mistake(body: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"raw bytes, got {type(body).__name__}") as caught:
        CheckoutWebhookReceiver(SECRET).receive(signed(PUBLISHED), body)

    assert not isinstance(caught.value, WebhookError)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("of", ["body", "t.body"])
def test_bytes_of_every_kind(kind: Callable[[bytes], Any], of: Any) -> None:
    at = now()
    content = PUBLISHED if of == "body" else f"{at}.".encode() + PUBLISHED
    headers = {"Plexy-Signature": f"t={at},v1={signature(content)}"}

    event = CheckoutWebhookReceiver(SECRET, signed=of).receive(headers, kind(PUBLISHED))
    assert event.type == "payment.succeeded"


def test_no_secret_is_shown_or_pickled() -> None:
    receiver = CheckoutWebhookReceiver(SECRET)

    assert repr(receiver) == str(receiver) == "<CheckoutWebhookReceiver of 1 secret>"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="its secrets would be readable"):
            leak(receiver)
    assert not hasattr(receiver, "__dict__")
