"""The company's authority, its API over TLS, and an environment without proxies of the machine's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from plexypay_async.sandbox import Sandbox

from .ways import HOST, Authority, Front, Proxy, api_over_tls, proxy_to


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(allowed_hosts=[HOST]) as started:
        yield started


@pytest_asyncio.fixture
async def front(authority: Authority, sandbox: Sandbox) -> AsyncIterator[Front]:
    async with api_over_tls(authority.server_context(HOST, "127.0.0.1"), sandbox) as served:
        yield served


@pytest_asyncio.fixture
async def proxy(front: Front) -> AsyncIterator[Proxy]:
    async with proxy_to(front.port) as served:
        yield served
