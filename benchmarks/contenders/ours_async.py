"""This library's async client."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from plexypay_async import AsyncPlexyPay

from . import KEY, SUCCESS_URL, AsyncCreate


@contextlib.asynccontextmanager
async def opened(url: str, connections: int) -> AsyncGenerator[AsyncCreate]:
    """Open a client with so many connections."""
    async with AsyncPlexyPay(KEY, base_url=url, max_connections=connections) as plexy:

        async def create(n: int) -> str:
            link = await plexy.payment_links.create(
                amount=100 + n,
                currency="KZT",
                description="Invoice",
                order_reference=f"ORD-{n}",
                success_url=SUCCESS_URL,
            )
            return link.url or ""

        yield create
