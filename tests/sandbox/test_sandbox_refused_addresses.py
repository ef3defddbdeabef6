"""Addresses to which no webhook goes: told of in the log, once for each, and not without end."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from plexypay_async.sandbox import Sandbox
from plexypay_async.sandbox.deliveries.settings import LONGEST_TOLD, MOST_TOLD

from .conftest import Ask

pytestmark = pytest.mark.asyncio


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.DEBUG, "plexypay.sandbox")
    return lambda: [each.getMessage() for each in caplog.records if each.name == "plexypay.sandbox"]


async def _paid(ask: Ask, sandbox: Sandbox, address: str) -> None:
    body = {"amount": 100, "currency": "KZT", "metadata": {"callbackUrl": address}}
    sandbox.pay((await ask("POST", "/v1/payment-links", body)).body["id"])
    await sandbox.deliveries.settled()


async def test_an_address_is_told_of_once_with_what_to_allow(ask: Ask, sandbox: Sandbox, told: Any) -> None:
    for number in range(3):
        await _paid(ask, sandbox, f"http://localhost:6379/orders/{number}?token=secret")
    await _paid(ask, sandbox, "https://shop.example/hooks")
    assert told() == [
        "no webhook goes to http://localhost:6379: port 6379 of this machine is not open to webhooks;"
        " allow it with webhook_ports=[6379] or --webhook-port 6379",
        "no webhook goes to https://shop.example: shop.example is not this machine; allow it with"
        " webhook_hosts=['shop.example'] or --webhook-host shop.example",
    ]


async def test_what_may_hold_a_password_is_not_shown(ask: Ask, sandbox: Sandbox, told: Any) -> None:
    for address in ("https://user:secret@shop.example/", "ftp://user:secret@shop.example/", "secret"):
        await _paid(ask, sandbox, address)
    (text,) = told()
    assert "secret" not in text
    assert "http or https address" in text


async def test_a_line_is_one_line_and_not_long(ask: Ask, sandbox: Sandbox, told: Any) -> None:
    await _paid(ask, sandbox, f"http://{'x' * 60}.{'y' * 60}.{'z' * 5000}\u202e.example/")
    assert all(text.isascii() and len(text) < 3 * LONGEST_TOLD for text in told())


async def test_there_are_not_more_lines_than_anybody_reads(ask: Ask, sandbox: Sandbox, told: Any) -> None:
    for number in range(MOST_TOLD + 5):
        await _paid(ask, sandbox, f"http://localhost:{20000 + number}/")
    lines = told()
    assert len(lines) == MOST_TOLD + 1
    assert lines[-1] == "no webhook goes to further addresses either; GET /_sandbox/deliveries says which"
    assert len(set(lines)) == len(lines)


async def test_what_goes_is_not_told_of(ask: Ask, sandbox: Sandbox, told: Any) -> None:
    sandbox.hold_webhooks = True
    await _paid(ask, sandbox, "http://localhost:6379/")
    assert told() == []
