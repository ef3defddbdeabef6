"""Plain http stays on this machine, whatever proxies the environment or a given session names."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError
from plexypay_sync import PlexyPay

from .scripted import FOUND, KEY, ONCE, Script, serving

pytestmark = pytest.mark.asyncio


def use_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("no_proxy", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, url.replace("http://", "http://user:secret-of-the-proxy@"))


@pytest.mark.parametrize("facade", ["async", "sync"])
async def test_no_proxy_of_the_environment_sees_plain_http(
    facade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_without_await(url: str) -> None:
        with PlexyPay(KEY, base_url=url, trust_env=True, retry=ONCE) as plexy:
            plexy.payment_links.retrieve("pl_1")

    async with serving({"*": FOUND}) as server, serving({"*": FOUND}) as proxy:
        use_proxy(monkeypatch, proxy.url)
        if facade == "async":
            async with AsyncPlexyPay(KEY, base_url=server.url, trust_env=True, retry=ONCE) as plexy:
                await plexy.payment_links.retrieve("pl_1")
        else:
            await asyncio.to_thread(asked_without_await, server.url)
    assert server.script.count() == 1
    assert proxy.script.connections == 0


@pytest.mark.parametrize("how", ["environment", "default"])
async def test_a_session_with_a_proxy_is_refused_for_plain_http(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script({"*": FOUND})
    async with serving(script) as proxy:
        use_proxy(monkeypatch, proxy.url)
        options: dict[str, Any] = {"trust_env": True} if how == "environment" else {"proxy": proxy.url}
        async with aiohttp.ClientSession(**options) as session:
            plexy = AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1", session=session)
            with pytest.raises(ConfigurationError, match=r"^session: it has a proxy") as caught:
                await plexy.payment_links.retrieve("pl_1")
    assert script.connections == 0
    assert "secret-of-the-proxy" not in str(caught.value)
