"""A sandbox of its own for each test, and a plain HTTP client that knows nothing of the library."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import aiohttp
import pytest
import pytest_asyncio

from plexypay_async.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[1] / "contract" / "examples"


class Reply(NamedTuple):
    """What came back: the status, the decoded JSON and the headers."""

    status: int
    body: Any
    headers: Any


Ask: TypeAlias = Callable[..., Coroutine[Any, Any, Reply]]


@pytest.fixture
def example() -> Callable[[str], Any]:
    """Read one of the vendor's published payloads."""
    return lambda name: json.loads((EXAMPLES / name).read_text())


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A running sandbox in memory."""
    async with Sandbox(seed=1) as running:
        yield running


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client, whose cleanup fails the test where a socket is left."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as opened:
        yield opened


@pytest.fixture
def ask(sandbox: Sandbox, session: aiohttp.ClientSession) -> Ask:
    """Send a request to the sandbox with its key, and read the JSON that comes back."""

    async def send(
        method: str, path: str, body: Any = None, *, key: str | None = sandbox.api_key, **options: Any
    ) -> Reply:
        headers = {} if key is None else {"Authorization": key}
        if isinstance(body, bytes):
            options["data"] = body
        elif body is not None:
            options["json"] = body
        async with session.request(method, sandbox.base_url + path, headers=headers, **options) as response:
            assert response.content_type == "application/json"
            return Reply(response.status, await response.json(), response.headers)

    return send
