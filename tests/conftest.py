"""What all tests share: asyncio's debug mode on CI, and HTTP mocked at the narrowest seam."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses
from yarl import URL


def pytest_configure(config: pytest.Config) -> None:
    """Run every test's event loop in debug mode on CI, where a blocked loop or a lost coroutine must show."""
    if os.environ.get("CI"):
        config.option.asyncio_debug = True


class BridgedResponse(aiohttp.ClientResponse):
    """A response that aioresponses can build: it passes no `stream_writer`, which aiohttp 3.14 requires."""

    def __init__(self, method: str, url: URL, **options: Any) -> None:
        options.setdefault("stream_writer", Mock())
        super().__init__(method, url, **options)


@pytest.fixture
def mocked_http(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Answer aiohttp's requests without a socket; a request that nothing was set up for fails to connect."""
    monkeypatch.setattr("aioresponses.core.ClientResponse", BridgedResponse)
    with aioresponses() as mocked:
        yield mocked
