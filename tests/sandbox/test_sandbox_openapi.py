"""The sandbox describes what it serves at ``/openapi.json``."""

from __future__ import annotations

from typing import Any

import pytest

from plexypay_async.api.openapi import openapi_document
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio


async def test_the_document_is_answered_without_a_key(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1")

    reply = await ask("GET", "/openapi.json", key=None)

    assert reply.status == 200
    assert reply.body == openapi_document(sandbox.base_url)
    assert reply.body["servers"] == [{"url": sandbox.base_url}]
    assert sandbox.requests.count() == 0


async def test_it_describes_what_is_served(ask: Any, sandbox: Sandbox) -> None:
    paths = (await ask("GET", "/openapi.json")).body["paths"]

    described = {
        operation["operationId"]: (method.upper(), path)
        for path, of_path in paths.items()
        for method, operation in of_path.items()
    }
    assert described == dict(sandbox.served())
