"""stripe-python's async client on its aiohttp back end, pointed at the loopback server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import aiohttp
import stripe

from . import KEY, SUCCESS_URL, AsyncCreate

stripe.enable_telemetry = False


@contextlib.asynccontextmanager
async def opened(url: str, connections: int) -> AsyncGenerator[AsyncCreate]:
    """Open a client with so many connections."""
    http_client = stripe.AIOHTTPClient(connector=aiohttp.TCPConnector(limit=connections))
    try:
        client = stripe.StripeClient(KEY, base_addresses={"api": url}, http_client=http_client)
        yield creating(client)
    finally:
        await http_client.close_async()  # type: ignore[no-untyped-call]


def creating(client: stripe.StripeClient) -> AsyncCreate:
    """Return what creates links with a client."""

    async def create(n: int) -> str:
        link = await client.v1.payment_links.create_async(
            {
                "line_items": [{"price": "price_1", "quantity": 1}],
                "after_completion": {"type": "redirect", "redirect": {"url": SUCCESS_URL}},
                "metadata": {"order_reference": f"ORD-{n}"},
            }
        )
        return link.url

    return create
