"""A sandbox of its own for each test, a plain HTTP client that knows nothing of the library, a receiver."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from plexypay_async.api.openapi import openapi_document
from plexypay_async.pay.description import PAY
from plexypay_async.sandbox import Sandbox

from .checkout_shopper import CheckoutFacade, closed, opened

DOCUMENT = openapi_document(PAY, "http://sandbox")
COMPONENTS = {"components": DOCUMENT["components"]}
DESCRIBED = {
    operation["operationId"]: operation
    for of_path in DOCUMENT["paths"].values()
    for operation in of_path.values()
}
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
            if path.startswith("/v1/") and response.status < 300:
                check_described(sandbox, response.status, await response.json())
            return Reply(response.status, await response.json(), response.headers)

    return send


@pytest_asyncio.fixture(params=["async", "sync"])
async def checkout(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[CheckoutFacade]:
    """A client of the sandbox's Checkout API, of each facade in turn."""
    client = await opened(request.param, sandbox)
    yield CheckoutFacade(client)
    await closed(client)


def check_described(sandbox: Sandbox, status: int, document: Any) -> None:
    """Check that the OpenAPI document has the success that was answered last: its status and its body."""
    *_, last = sandbox.requests
    if last.operation is None:
        return
    responses = DESCRIBED[last.operation]["responses"]
    assert str(status) in responses, f"{last.operation}: {status}"
    if find_spec("jsonschema") is not None:
        validator: Any = import_module("jsonschema").Draft202012Validator
        schema = responses[str(status)]["content"]["application/json"]["schema"]
        faults = [error.message for error in validator({**schema, **COMPONENTS}).iter_errors(document)]
        assert faults == [], last.operation


class Received(NamedTuple):
    """One webhook as it arrived."""

    path: str
    headers: Any
    body: Any

    @property
    def name(self) -> str:
        return str(self.body["name"])


class Receiver:
    """A merchant's server: what came, and what it answers: the next of `answers`, else 200."""

    def __init__(self) -> None:
        self.base_url = ""
        self.received: list[Received] = []
        self.answers: list[int | Callable[[], Awaitable[int]]] = []
        self.answer_headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"{self.base_url}/webhooks"

    @property
    def names(self) -> list[str]:
        return [webhook.name for webhook in self.received]

    async def receive(self, request: web.Request) -> web.Response:
        assert request.method == "POST"
        self.received.append(Received(request.path, request.headers, await request.json()))
        answer = self.answers.pop(0) if self.answers else 200
        status = answer if isinstance(answer, int) else await answer()
        return web.Response(status=status, headers=self.answer_headers)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A running server that webhooks can be sent to."""
    made = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.receive)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base_url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
    yield made
    await runner.cleanup()
