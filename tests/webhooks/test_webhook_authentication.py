"""Who may deliver: the tokens, the headers they come in, and that nothing is read before."""

from __future__ import annotations

import copy
import hmac
import pickle
import secrets
from collections.abc import Callable, Iterable
from http.client import HTTPMessage
from types import MappingProxyType
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from plexypay_async import (
    ConfigurationError,
    TransactionEvent,
    WebhookAuthenticationError,
    WebhookError,
    WebhookReceiver,
)

from .deliveries import PUBLISHED, TOKEN


def message(*values: str) -> HTTPMessage:
    made = HTTPMessage()
    for value in values:
        made["authorization"] = value
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
        {"Authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer {TOKEN}", "Content-Type": "application/json"},
        {"AUTHORIZATION": f"BEARER {TOKEN}"},
        {"Authorization": f"bEaReR \t {TOKEN} \t"},
        {"Authorization": TOKEN},
        {"Authorization": f"  {TOKEN} "},
        {b"authorization": f"Bearer {TOKEN}".encode()},
        {b"Authorization": TOKEN},
        {"authorization": TOKEN.encode()},
        {"Authorization": TOKEN, 5: None, None: "x"},
        MappingProxyType({"Authorization": TOKEN}),
        CIMultiDictProxy(CIMultiDict([("Cookie", "a"), ("Cookie", "b"), ("AuthorizatioN", TOKEN)])),
        message(f"Bearer {TOKEN}"),
        Pairs(("Authorization", TOKEN)),
    ],
)
def test_the_token_in_every_form(headers: Any) -> None:
    event = WebhookReceiver(TOKEN).receive(headers, PUBLISHED)

    assert type(event) is TransactionEvent
    assert event.name == "transaction.charged"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Authorization": TOKEN},
        {"Authorization": ""},
        {"Authorization": "   "},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer{TOKEN}"},
        {"Authorization": f"Bearer Bearer {TOKEN}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN},"},
        {"Authorization": f"Bearer {TOKEN}, Bearer {TOKEN}"},
        {"Authorization": f"Bearer\u00a0{TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}\x00"},
        {"Authorization": f"Bearer {TOKEN}\n"},
        {"Authorization": TOKEN[:-1]},
        {"Authorization": TOKEN[1:]},
        {"Authorization": TOKEN.upper()},
        {"Authorization": TOKEN + "\ud800"},
        {"Authorization": "\udc77" + TOKEN[1:]},
        {"Authorization": "ÿ" * 100_000},
        {"Authorization": None},
        {"Authorization": 5},
        {"Authorization": [TOKEN]},
        {"Authorization": TOKEN, "authorization": TOKEN},
        {"Authorization": TOKEN, b"AUTHORIZATION": b"other"},
        CIMultiDict([("Authorization", "other"), ("Authorization", TOKEN)]),
        message("other", TOKEN),
        Pairs(("Authorization", TOKEN), ("authorization", TOKEN)),
    ],
)
def test_what_does_not_carry_the_token_is_refused(headers: Any) -> None:
    with pytest.raises(WebhookAuthenticationError) as caught:
        WebhookReceiver(TOKEN).receive(headers, PUBLISHED)

    assert "Authorization" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.outcome is None


def test_no_body_is_read_before_its_sender_is_known() -> None:
    for body in (b"no JSON", b"[" * 2_000_000, b""):
        with pytest.raises(WebhookAuthenticationError):
            WebhookReceiver(TOKEN).receive({"Authorization": "Bearer wrong"}, body)


def test_every_token_is_compared_in_constant_time_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = ["first-4711", "second-4711", "third-4711"]
    compared: list[tuple[bytes, bytes]] = []
    original = hmac.compare_digest

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return original(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    receiver = WebhookReceiver(tokens)
    for token in tokens:
        compared.clear()
        receiver.receive({"Authorization": f"Bearer {token}"}, PUBLISHED)
        assert compared == [(token.encode(), other.encode()) for other in tokens]


def test_a_string_is_one_token_and_not_its_letters() -> None:
    receiver = WebhookReceiver("k3y-zx9q")

    for letter in "k3y-zx9q":
        with pytest.raises(WebhookAuthenticationError):
            receiver.receive({"Authorization": letter}, PUBLISHED)
    receiver.receive({"Authorization": "k3y-zx9q"}, PUBLISHED)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, iter, dict.fromkeys])
def test_several_tokens_while_they_are_rotated(kind: Callable[[list[str]], Iterable[str]]) -> None:
    receiver = WebhookReceiver(kind(["2025-zx9q", "2026-zx9q"]))

    for token in ("2025-zx9q", "2026-zx9q"):
        receiver.receive({"Authorization": token}, PUBLISHED)
    with pytest.raises(WebhookAuthenticationError):
        receiver.receive({"Authorization": "2025-zx9qq"}, PUBLISHED)
    assert repr(receiver) == "<WebhookReceiver of 2 tokens>"


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (None, "got NoneType"),
        (5, "got int"),
        (b"token", "got bytes"),
        (bytearray(b"token"), "got bytearray"),
        ("", "must not be empty"),
        ([], "there is none"),
        ((), "there is none"),
        (iter([]), "there is none"),
        ([TOKEN, ""], "must not be empty"),
        ([TOKEN, None], "got NoneType"),
        ([TOKEN, b"other"], "got bytes"),
        ("tökén", "outside ASCII"),
        ("token\n", "control character"),
        ("to\x7fken", "control character"),
        (" token", "begins or ends with a space"),
        ("token ", "begins or ends with a space"),
        (" ", "begins or ends with a space"),
        ("Bearer token", 'without the scheme "Bearer"'),
        ("bearer", 'without the scheme "Bearer"'),
    ],
)
def test_what_is_no_token_is_refused(tokens: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        WebhookReceiver(tokens)

    assert str(caught.value).startswith("tokens: ")
    assert "token\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("headers", [None, 5, "Authorization: x", [("Authorization", TOKEN)]])
def test_headers_that_are_no_mapping_are_the_callers_mistake(headers: Any) -> None:
    with pytest.raises(ConfigurationError, match="headers: expected a mapping, got"):
        WebhookReceiver(TOKEN).receive(headers, PUBLISHED)


@pytest.mark.parametrize("body", [None, PUBLISHED.decode(), {"name": "transaction.charged"}, 5])
def test_a_body_that_is_no_bytes_is_the_callers_mistake(body: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"raw bytes, got {type(body).__name__}") as caught:
        WebhookReceiver(TOKEN).receive({"Authorization": TOKEN}, body)

    assert not isinstance(caught.value, WebhookError)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_every_kind(kind: Callable[[bytes], Any]) -> None:
    event = WebhookReceiver(TOKEN).receive({"Authorization": TOKEN}, kind(PUBLISHED))

    assert event.name == "transaction.charged"


def test_no_token_is_shown_or_pickled() -> None:
    receiver = WebhookReceiver(TOKEN)

    assert repr(receiver) == str(receiver) == "<WebhookReceiver of 1 token>"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(receiver)
    assert not hasattr(receiver, "__dict__")


# ------------------------------------------------------------------------------------- tokens to guess


@pytest.mark.parametrize(
    "token",
    [
        *("secret", "token", "x", "a1b2c3d", "1234567"),
        *(
            "password",
            "changeme",
            "Change-Me!",
            "test-test",
            "test1234",
            "webhook-token",
            "webhook_secret_2026",
        ),
        *(
            "my-secret-token",
            "MySecretToken1",
            "your-api-token",
            "YOUR_TOKEN_HERE",
            "plexypay",
            "plexy-pay-webhook",
        ),
        *("secretsecret", "localhost", "qwerty123", "example-token", "admin123", "the-default-key"),
        *("12345678", "20261128", "aaaaaaaa", "abababababababababababababab", "--------"),
    ],
)
def test_a_token_that_others_guess_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="can be guessed") as caught:
        WebhookReceiver([TOKEN, token])

    told = str(caught.value)
    assert 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"' in told
    assert TOKEN not in told
    if len(token) > 8:
        assert token not in told


@pytest.mark.parametrize(
    "token",
    [
        "sandbox-key",
        "sandbox-token",
        "k3y-zx9q",
        "correct horse battery staple",
        "pr_0123456789abcdef0123456789abcdef",
        "9f86d081884c7d659a2feaa0c55ad015",
        "31415926535897932384626433832795",
        "dGVzdC10b2tlbi1vZi1hLXNob3A",
    ],
)
def test_a_token_of_enough_characters_is_taken(token: str) -> None:
    WebhookReceiver(token).receive({"Authorization": f"Bearer {token}"}, PUBLISHED)


def test_every_token_that_is_made_as_advised_is_taken() -> None:
    for _ in range(2_000):
        WebhookReceiver(secrets.token_urlsafe(32))
        WebhookReceiver(secrets.token_hex(16))
