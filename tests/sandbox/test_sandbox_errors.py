"""The published error bodies, each for the mistake that it belongs to."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

LINK = {"amount": 2_200_000, "currency": "KZT"}


@pytest.mark.parametrize("key", [None, "wrong", "Bearer sandbox-key", "sandbox-key2", "SANDBOX-KEY"])
async def test_a_wrong_key(ask: Any, sandbox: Sandbox, key: str | None) -> None:
    for method, path in (("POST", "/v1/payment-links"), ("GET", "/v1/payment-links"), ("GET", "/v1/nothing")):
        status, body, _ = await ask(method, path, LINK, key=key)
        assert (status, body["source"], body["type"]) == (401, "keys", "apiError")
        assert body["message"].startswith("Authorization: ")
        assert key is None or key not in body["message"]
    assert sandbox.payment_links() == []


async def test_bodies_have_the_published_shape(ask: Any, example: Callable[[str], Any]) -> None:
    published = example("error.json")
    for method, path, body in (
        ("GET", "/v1/payment-links/pl_none", None),
        ("GET", "/v1/nothing", None),
        ("PUT", "/v1/payment-links", None),
        ("POST", "/v1/payment-links", {}),
        ("POST", "/v1/payment-links", LINK | {"amount": 0}),
    ):
        reply = await ask(method, path, body)
        assert list(reply.body) == list(published)
        assert {name: type(value) for name, value in reply.body.items()} == {
            name: type(value) for name, value in published.items()
        }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/payment-links/pl_none"),
        ("GET", "/v1/payment-links/by-order-reference/none"),
        ("PATCH", "/v1/payment-links/pl_none"),
        ("DELETE", "/v1/payment-links/pl_none"),
        ("POST", "/_sandbox/payment-links/pl_none/pay"),
        ("GET", "/v1/payment-links/"),
        ("GET", "/v1/payment-links/a/b/c"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1"),
    ],
)
async def test_what_is_not_there(ask: Any, method: str, path: str) -> None:
    status, body, _ = await ask(method, path, {"expiresAt": "2099-01-01T00:00:00Z"})
    assert (status, body["code"], body["type"]) == (404, 4, "apiError")


async def test_a_method_that_is_not_allowed(ask: Any) -> None:
    status, body, headers = await ask("PUT", "/v1/payment-links/pl_none", {})
    assert (status, body["type"]) == (405, "apiError")
    assert {method.strip() for method in headers["Allow"].split(",")} == {"DELETE", "GET", "PATCH"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b'{"amount": NaN}', b"\xff", b"[]", b"7", b"null", b'"x"']
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_malformed_body(ask: Any, method: str, body: bytes) -> None:
    path = "/v1/payment-links" if method == "POST" else "/v1/payment-links/pl_none"
    status, answer, _ = await ask(method, path, body)
    assert (status, answer["code"]) == (400, 3)
    assert answer["message"].startswith("body: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amount", None),
        ("amount", "1"),
        ("amount", 10.0),
        ("amount", True),
        ("amount", []),
        ("currency", None),
        ("currency", 398),
        ("description", 1),
        ("orderReference", 1),
        ("expiresAt", 1),
        ("customerId", {}),
        ("metadata", []),
        ("metadata", "x"),
        ("autoClearing", "true"),
        ("autoClearing", 1),
        ("validation", 0),
        ("recurring", []),
        ("recurring.type", None),
        ("recurring.frequency", "30"),
        ("recurring.parentTransactionId", 1),
    ],
)
async def test_a_wrong_type(ask: Any, sandbox: Sandbox, name: str, value: Any) -> None:
    outer, _, inner = name.partition(".")
    body = LINK | ({outer: {"type": "cof_initial", inner: value}} if inner else {outer: value})
    status, answer, _ = await ask("POST", "/v1/payment-links", body)
    assert (status, answer["code"], answer["source"]) == (400, 3, "paymentLinks")
    assert answer["message"].startswith(f"{name}: ")
    assert sandbox.payment_links() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amount", 0),
        ("amount", -1),
        ("amount", 2**63),
        ("currency", "KZ"),
        ("currency", "KZTT"),
        ("currency", "K1T"),
        ("currency", "ТНГ"),
        ("currency", "KZT\n"),
        ("currency", ""),
        ("orderReference", ""),
        ("expiresAt", "tomorrow"),
        ("expiresAt", "2099-01-01"),
        ("expiresAt", "2099-01-01T00:00:00"),
        ("expiresAt", "2020-01-01T00:00:00Z"),
        ("expiresAt", "9999-12-31T23:59:59-14:00"),
        ("expiresAt", ""),
        ("recurring.frequency", 0),
        ("recurring.expiry", "soon"),
    ],
)
async def test_a_bad_value(ask: Any, sandbox: Sandbox, name: str, value: Any) -> None:
    outer, _, inner = name.partition(".")
    body = LINK | ({outer: {"type": "cof_initial", inner: value}} if inner else {outer: value})
    status, answer, _ = await ask("POST", "/v1/payment-links", body)
    assert (status, answer["code"], answer["type"]) == (422, 5, "validationError")
    assert answer["message"].startswith(f"{name}: ")
    assert sandbox.payment_links() == []


async def test_values_that_are_let_through(ask: Any) -> None:
    for body in (
        {"amount": 1, "currency": "XXX"},
        {"amount": 2**63 - 1, "currency": "kzt"},
        LINK | {"unheardOf": {"a": 1}},
        LINK | {"expiresAt": "9999-12-31T23:59:59Z"},
        LINK | {"recurring": {"type": "cof_initial", "frequency": 30, "expiry": "2025-03-14T00:00:00Z"}},
    ):
        assert (await ask("POST", "/v1/payment-links", body)).status == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"expiresAt": None}, 400),
        ({"expiresAt": 7}, 400),
        ({"expiresAt": "soon"}, 422),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, 422),
    ],
)
async def test_an_expiration_that_cannot_be(ask: Any, body: Any, status: int) -> None:
    _, link, _ = await ask("POST", "/v1/payment-links", LINK)
    reply = await ask("PATCH", f"/v1/payment-links/{link['id']}", body)
    assert (reply.status, reply.body["code"]) == (status, 3 if status == 400 else 5)
    assert reply.body["message"].startswith("expiresAt: ")


async def test_a_body_that_is_too_large(ask: Any, sandbox: Sandbox) -> None:
    status, body, _ = await ask("POST", "/v1/payment-links", data=io.BytesIO(b"x" * 2_000_000))
    assert (status, body["code"]) == (413, 3)
    assert sandbox.payment_links() == []
