"""Fixtures for tests of code that uses the library: a sandbox, and clients of it. docs/testing.md shows them.

pytest loads this file wherever the library is installed, also for those who use none of it, so all that takes
time to import is imported by the fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from plexypay_sync import PlexyPay

    from .pay.client import AsyncPlexyPay
    from .sandbox import Sandbox
    from .settings import RetryPolicy

__all__ = [
    "plexypay_aioresponses",
    "plexypay_base_url",
    "plexypay_client",
    "plexypay_sandbox",
    "plexypay_sync_client",
]

_TIMEOUT = 10.0


@pytest.fixture(scope="session")
def _plexypay_running() -> Iterator[Sandbox]:
    from .sandbox import Sandbox

    # A server under test listens where there is a free port, and links may name it.
    with Sandbox(webhook_ports=["*"]) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def plexypay_base_url(_plexypay_running: Sandbox) -> str:
    """The address of the sandbox, the same in all tests of the process; its key is ``sandbox-key``.

    For what is set up once for many tests, such as a server of yours; its tests use `plexypay_sandbox`, too.
    """
    return _plexypay_running.base_url


@pytest.fixture
def plexypay_sandbox(_plexypay_running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A local Plexy Pay, empty and without faults at the start of each test, on a thread of its own.

    A test calls its methods, be the test async or not: ``plexypay_sandbox.pay(link.id)``. Meanwhile
    ``PLEXYPAY_BASE_URL`` and ``PLEXYPAY_API_KEY`` point at it, so that clients that take their settings from
    there reach it and not the vendor; ``PLEXYPAY_WEBHOOK_TOKEN`` is what its webhooks carry.
    ``plexypay_sandbox.webhook_url = ...`` holds for the one test, and so does ``hold_webhooks = True``.
    Webhooks go to any port of this machine.
    """
    from .pay.description import PAY

    sandbox = _plexypay_running
    sandbox.reset()
    monkeypatch.setenv(PAY.key_variable, sandbox.api_key)
    monkeypatch.setenv(PAY.base_url_variable, sandbox.base_url)
    monkeypatch.setenv("PLEXYPAY_WEBHOOK_TOKEN", sandbox.webhook_token)
    yield sandbox
    sandbox.reset()
    sandbox.webhook_url, sandbox.webhook_token, sandbox.hold_webhooks = None, sandbox.api_key, False


@pytest.fixture
def plexypay_aioresponses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An `aioresponses.aioresponses` that works with aiohttp 3.14, and answers all requests of a test.

    aioresponses 0.7.9 builds responses without the `stream_writer` that aiohttp requires since 3.14; with
    this they have one. A request that nothing was set up for fails to connect.
    """
    from unittest.mock import Mock

    import aiohttp
    from aioresponses import aioresponses

    class Bridged(aiohttp.ClientResponse):
        def __init__(self, method: str, url: Any, **options: Any) -> None:
            options.setdefault("stream_writer", Mock())
            super().__init__(method, url, **options)

    monkeypatch.setattr("aioresponses.core.ClientResponse", Bridged)
    with aioresponses() as mocked:
        yield mocked


@pytest.fixture
def plexypay_client(plexypay_sandbox: Sandbox) -> Iterator[AsyncPlexyPay]:
    """An `AsyncPlexyPay` of the sandbox for one test, on whatever event loop that has; it closes by itself.

    A call may take 10 seconds, and its retries hardly pause.
    """
    from .pay.client import AsyncPlexyPay

    client = AsyncPlexyPay(
        plexypay_sandbox.api_key,
        base_url=plexypay_sandbox.base_url,
        timeout=_TIMEOUT,
        retry=_quick_retries(),
    )
    yield client
    client._execution.transport.close_outside()  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def plexypay_sync_client(plexypay_sandbox: Sandbox) -> Iterator[PlexyPay]:
    """A `PlexyPay` of the sandbox for one test; it closes by itself.

    A call may take 10 seconds, and its retries hardly pause.
    """
    from plexypay_sync import PlexyPay

    with PlexyPay(
        plexypay_sandbox.api_key,
        base_url=plexypay_sandbox.base_url,
        timeout=_TIMEOUT,
        retry=_quick_retries(),
    ) as client:
        yield client


def _quick_retries() -> RetryPolicy:
    from .settings import RetryPolicy

    return RetryPolicy(base=0.001, cap=0.01)
