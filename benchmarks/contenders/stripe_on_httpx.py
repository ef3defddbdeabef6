"""stripe-python's async client on its httpx back end, its default, pointed at the loopback server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import stripe

from . import KEY, AsyncCreate, authorities
from .stripe_on_aiohttp import creating

stripe.enable_telemetry = False
stripe.ca_bundle_path = authorities(stripe.ca_bundle_path)


@contextlib.asynccontextmanager
async def opened(url: str, _: int) -> AsyncGenerator[AsyncCreate]:
    """Open a client; how many connections it keeps is not the user's to say."""
    http_client = stripe.HTTPXClient()
    try:
        yield creating(stripe.StripeClient(KEY, base_addresses={"api": url}, http_client=http_client))
    finally:
        await http_client.close_async()  # type: ignore[no-untyped-call]
