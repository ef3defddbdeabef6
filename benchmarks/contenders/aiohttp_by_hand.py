"""Hand-written aiohttp: `json=`, `.json()` and dicts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp

from . import KEY, PATH, SUCCESS_URL, AsyncCreate


@contextlib.asynccontextmanager
async def opened(url: str, connections: int) -> AsyncGenerator[AsyncCreate]:
    """Open a session with so many connections."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections), headers={"Authorization": KEY}
    ) as session:

        async def create(n: int) -> str:
            body = {
                "amount": 100 + n,
                "currency": "KZT",
                "description": "Invoice",
                "orderReference": f"ORD-{n}",
                "metadata": {"successUrl": SUCCESS_URL},
            }
            async with session.post(f"{url}{PATH}", json=body) as response:
                response.raise_for_status()
                link: dict[str, Any] = await response.json()
            return str(link["url"])

        yield create
