"""The token, the headers and customers' data: in no error, and in no frame that one came through."""

from __future__ import annotations

import base64
import json
import signal
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    ConfigurationError,
    PlexyPayError,
    SeenWebhooks,
    WebhookAuthenticationError,
    WebhookInProgressError,
    WebhookPayloadError,
    WebhookReceiver,
)
from plexypay_async.sandbox.deliveries.settings import PAUSES, WebhookSettings, checkout_secret, webhook_token
from tests.frames import exposures

from .deliveries import TOKEN, transaction_event

OLD_TOKEN = "whk_fedcba9876543210"
NAME, NUMBER, COOKIE = "Айгерим Holder", "4918914107195005", "session-of-a-customer"
SECRETS = (TOKEN, OLD_TOKEN, base64.b64encode(TOKEN.encode()).decode(), NAME, NUMBER, COOKIE)

RECEIVER = WebhookReceiver([TOKEN, OLD_TOKEN])
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Cookie": COOKIE}
BODY = transaction_event(description=NAME, last4=NUMBER)


class Pairs:
    """Headers that fail when they are read, as those of a request that ended may."""

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self.pairs = pairs

    def items(self) -> Iterator[tuple[Any, Any]]:
        yield from self.pairs
        raise KeyError(TOKEN, NAME)


def released(body: bytes) -> memoryview:
    view = memoryview(body)
    view.release()
    return view


def event(name: object = "transaction.charged", **fields: Any) -> bytes:
    return json.dumps({"name": name, "merchantId": NAME, "card": NUMBER, **fields}).encode()


DELIVERIES: dict[str, tuple[type[PlexyPayError], Any, Any]] = {
    "no header": (WebhookAuthenticationError, {"Cookie": COOKIE}, BODY),
    "two headers": (WebhookAuthenticationError, {**HEADERS, "authorization": OLD_TOKEN}, BODY),
    "the token and more": (WebhookAuthenticationError, {"Authorization": f"Bearer {TOKEN}x"}, BODY),
    "another scheme": (WebhookAuthenticationError, {"Authorization": f"Basic {TOKEN}"}, BODY),
    "the token in base64": (WebhookAuthenticationError, {"Authorization": f"Basic {SECRETS[2]}"}, BODY),
    "no text": (WebhookAuthenticationError, {"Authorization": [TOKEN]}, BODY),
    "an empty one": (WebhookAuthenticationError, {"Authorization": "Bearer ", "Cookie": COOKIE}, BODY),
    "headers that are none": (ConfigurationError, [("Authorization", TOKEN)], BODY),
    "headers that fail": (ConfigurationError, Pairs(*HEADERS.items()), BODY),
    "a body that is text": (ConfigurationError, HEADERS, BODY.decode()),
    "a body that is decoded": (ConfigurationError, HEADERS, json.loads(BODY)),
    "a body that was let go": (ConfigurationError, HEADERS, released(BODY)),
    "too long": (WebhookPayloadError, HEADERS, BODY + b" " * 2**20),
    "too many values": (WebhookPayloadError, HEADERS, event(data=[NAME] * 2_001)),
    "too deep": (WebhookPayloadError, HEADERS, event(data=json.loads("[" * 40 + f'"{NUMBER}"' + "]" * 40))),
    "no JSON": (WebhookPayloadError, HEADERS, BODY[:-1] + NAME.encode()),
    "no UTF-8": (WebhookPayloadError, HEADERS, BODY[:-2] + b"\xff" + NAME.encode()),
    "half a pair": (WebhookPayloadError, HEADERS, BODY[:-2] + b', "a": "\\ud800"}}'),
    "a field twice": (WebhookPayloadError, HEADERS, BODY[:-2] + f', "id": "{NUMBER}"}}}}'.encode()),
    "a long number": (WebhookPayloadError, HEADERS, BODY[:-2] + b', "n": ' + b"1" * 31 + b"}}"),
    "no object": (WebhookPayloadError, HEADERS, json.dumps([NAME]).encode()),
    "no name": (WebhookPayloadError, HEADERS, event(name=[NAME])),
    "no data": (WebhookPayloadError, HEADERS, event()),
    "data of another kind": (WebhookPayloadError, HEADERS, event(data=[NUMBER])),
    "no id": (WebhookPayloadError, HEADERS, event(data={"description": NAME})),
    "an id that cannot be shown": (WebhookPayloadError, HEADERS, event(data={"id": NUMBER + "\n"})),
    "an amount of another kind": (WebhookPayloadError, HEADERS, event(data={"id": "t", "amount": NAME})),
    "a status of another kind": (WebhookPayloadError, HEADERS, event(data={"id": "t", "status": [NAME]})),
    "a merchant of another kind": (
        WebhookPayloadError,
        HEADERS,
        json.dumps({"name": "transaction.charged", "merchantId": [NAME], "data": {"id": "t"}}).encode(),
    ),
    "an order": (WebhookPayloadError, HEADERS, event("payment_order.paid", data={"beneficiary": NAME})),
}


def assert_hidden(error: BaseException) -> None:
    assert exposures(error, SECRETS) == []


@pytest.mark.parametrize("name", DELIVERIES)
def test_no_error_of_a_delivery_shows_anything_of_it(name: str) -> None:
    expected, headers, body = DELIVERIES[name]
    with pytest.raises(expected) as caught:
        RECEIVER.receive(headers, body, seen=lambda _: False)

    assert type(caught.value) is expected
    assert_hidden(caught.value)
    assert caught.value.__context__ is None


def test_what_seen_raises_comes_through_no_frame_that_holds_the_event() -> None:
    def seen(_: str) -> bool:
        raise ConnectionError("redis is down")

    with pytest.raises(ConnectionError) as caught:
        RECEIVER.receive(HEADERS, BODY, seen=seen)
    assert_hidden(caught.value)


def test_nor_does_what_the_store_raises(tmp_path: Path) -> None:
    seen = SeenWebhooks(tmp_path / "seen.sqlite")
    received = RECEIVER.receive(HEADERS, BODY)
    with (
        seen.handling(received.dedupe_key),
        pytest.raises(WebhookInProgressError) as in_progress,
        seen.handling(received.dedupe_key),
    ):
        pytest.fail("handled twice")
    assert_hidden(in_progress.value)
    for file in tmp_path.iterdir():
        file.unlink()
    seen.path.mkdir()
    with pytest.raises(ConfigurationError) as caught:
        RECEIVER.receive(HEADERS, BODY, seen=seen)
    assert_hidden(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_in_the_middle_comes_through_no_frame_that_holds_the_delivery() -> None:
    class Interrupting(Pairs):
        def items(self) -> Iterator[tuple[Any, Any]]:
            yield "Authorization", TOKEN
            signal.raise_signal(signal.SIGINT)

    # What is started in the background, as by a shell, may have been told to pass it over.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            RECEIVER.receive(Interrupting(), BODY)
    finally:
        signal.signal(signal.SIGINT, before)
    assert_hidden(caught.value)


@pytest.mark.parametrize(
    "tokens",
    [
        lambda: [TOKEN, OLD_TOKEN, 5],
        lambda: [TOKEN, "short"],
        lambda: TOKEN.encode(),
        lambda: f"Bearer {TOKEN}",
        lambda: f" {TOKEN}",
        lambda: f"{TOKEN}\n",
        lambda: [TOKEN, None],
        lambda: {OLD_TOKEN: TOKEN, "": ""},
    ],
)
def test_no_error_of_a_receivers_making_shows_its_tokens(tokens: Callable[[], Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        WebhookReceiver(tokens())
    assert_hidden(caught.value)


def test_a_token_is_in_no_frame_when_the_next_cannot_be_had() -> None:
    class Tokens:
        def __iter__(self) -> Iterator[str]:
            yield TOKEN
            raise LookupError("no such secret")

    with pytest.raises(LookupError) as caught:
        WebhookReceiver(Tokens())
    assert_hidden(caught.value)


def test_a_receiver_that_a_frame_refers_to_shows_no_token() -> None:
    def handler(receiver: WebhookReceiver, bound: Callable[..., Any]) -> None:
        raise RuntimeError("of the shop")

    elsewhere = types.FunctionType(
        handler.__code__.replace(co_filename="shop.py"), {"RuntimeError": RuntimeError}
    )
    with pytest.raises(RuntimeError) as caught:
        elsewhere(RECEIVER, RECEIVER.receive)
    assert_hidden(caught.value)


def test_the_sandboxs_settings_show_no_token() -> None:
    def settings(token: str) -> WebhookSettings:
        return WebhookSettings(
            url=None, token=webhook_token(token), hosts=(), ports=(), pauses=PAUSES, timeout=1.0
        )

    def handler(held: WebhookSettings) -> None:
        raise RuntimeError("of the sandbox")

    elsewhere = types.FunctionType(
        handler.__code__.replace(co_filename="s.py"), {"RuntimeError": RuntimeError}
    )
    made = settings(TOKEN)
    with pytest.raises(RuntimeError) as caught:
        elsewhere(made)
    assert_hidden(caught.value)
    with pytest.raises(ConfigurationError) as refused:
        made.token = webhook_token(f"{TOKEN}\n")
    assert_hidden(refused.value)
    with pytest.raises(ConfigurationError) as of_checkout:
        checkout_secret(f"{TOKEN}\n", TOKEN)
    assert_hidden(of_checkout.value)
    assert made.token.reveal() == TOKEN
