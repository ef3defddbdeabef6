"""What tests of direct requests share: what went out so, a call, and connections that write otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_async._http.direct import DirectRequests


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how many bytes had the bodies of the requests that go out directly from now on."""
    own, sizes = DirectRequests.answer, list[int]()

    async def answer(self: DirectRequests, head: Any, target: bytes, body: bytes, *args: Any) -> Any:
        sizes.append(len(body))
        return await own(self, head, target, body, *args)

    monkeypatch.setattr(DirectRequests, "answer", answer)
    return sizes


async def create(plexy: AsyncPlexyPay, **fields: Any) -> None:
    """Create a link without a reference."""
    await plexy.payment_links.create(**{"amount": 100, "currency": "KZT", **fields})


class _Struck:
    def __init__(self, own: Any, strike: Callable[[Callable[[bytes], None], bytes], None]) -> None:
        self._own = own
        self._strike = strike

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def write(self, content: bytes) -> None:
        self._strike(self._own.write, content)


def strike_writing(
    patch: pytest.MonkeyPatch, strike: Callable[[Callable[[bytes], None], bytes], None]
) -> None:
    """Have each new connection write by this function: it gets the own `write`, and what is to go out."""
    own = aiohttp.TCPConnector._create_connection

    async def create_connection(*args: Any) -> Any:
        protocol: Any = await own(*args)
        protocol.transport = _Struck(protocol.transport, strike)
        return protocol

    patch.setattr(aiohttp.TCPConnector, "_create_connection", create_connection)
