"""Square's generated async client, on httpx, pointed at the loopback server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import httpx
from square import AsyncSquare

from . import KEY, SUCCESS_URL, AsyncCreate


@contextlib.asynccontextmanager
async def opened(url: str, _: int) -> AsyncGenerator[AsyncCreate]:
    """Open a client with its own limits and its own time-out."""
    async with httpx.AsyncClient(timeout=60) as http_client:
        client = AsyncSquare(token=KEY, base_url=url, httpx_client=http_client)

        async def create(n: int) -> str:
            answer = await client.checkout.payment_links.create(
                idempotency_key=f"ORD-{n}",
                quick_pay={
                    "name": "Invoice",
                    "price_money": {"amount": 100 + n, "currency": "USD"},
                    "location_id": "L1",
                },
                checkout_options={"redirect_url": SUCCESS_URL},
            )
            link = answer.payment_link
            if link is None or link.url is None:
                raise RuntimeError(f"no link: {answer}")
            return str(link.url)

        yield create
