"""The sandbox describes what it serves at ``/openapi.json``."""

from __future__ import annotations

from typing import Any

import pytest

from plexypay_async.api.openapi import openapi_document
from plexypay_async.apis import APIS
from plexypay_async.pay.description import PAY
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio


async def test_the_document_is_answered_without_a_key(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1")

    reply = await ask("GET", "/openapi.json", key=None)

    assert reply.status == 200
    assert reply.body == openapi_document(PAY, sandbox.base_url)
    assert reply.body["servers"] == [{"url": sandbox.base_url}]
    assert sandbox.requests.count() == 0


async def test_it_describes_what_is_served(ask: Any, sandbox: Sandbox) -> None:
    described: dict[str, tuple[str, str]] = {}
    for api in APIS:
        prefix = "" if api is PAY else f"{api.name}."
        paths = (await ask("GET", f"/openapi.json?api={api.name}")).body["paths"]
        described |= {
            prefix + operation["operationId"]: (method.upper(), path)
            for path, of_path in paths.items()
            for method, operation in of_path.items()
        }
    assert described == dict(sandbox.served())


MADE = {
    "payment_links.create": ("/v1/payment-links", {"amount": 100, "currency": "KZT"}),
    "split_requests.create": ("/v1/split-requests", {}),
    "settlement_orders.create": (
        "/v1/merchants/settlement-payment-orders",
        {"amount": 1, "currency": "KZT", "requestId": "r-1"},
    ),
    "payouts.save_card": ("/v1/payouts/cards", {}),
    "customers.create": ("/v1/customers", {}),
    "beneficiaries.create": ("/v1/merchants/beneficiaries", {}),
}


async def test_the_statuses_of_what_is_made_are_described(ask: Any) -> None:
    # Of every other success in this folder, `ask` sees to it.
    described = {
        operation["operationId"]: {int(status) for status in operation["responses"] if status != "default"}
        for of_path in (await ask("GET", "/openapi.json")).body["paths"].values()
        for operation in of_path.values()
    }
    answered = {name: (await ask("POST", path, body)).status for name, (path, body) in MADE.items()}

    assert set(answered.values()) == {201}
    assert {name for name, statuses in described.items() if 201 in statuses} == MADE.keys()
    assert all(200 in statuses for statuses in described.values())
