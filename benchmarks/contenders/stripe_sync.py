"""stripe-python's sync client, on requests, one for all threads, pointed at the loopback server."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import stripe

from . import KEY, SUCCESS_URL, SyncCreate, authorities

stripe.enable_telemetry = False
stripe.ca_bundle_path = authorities(stripe.ca_bundle_path)


@contextlib.contextmanager
def opened(url: str, _: int) -> Generator[SyncCreate]:
    """Open a client; it keeps a session for each thread by itself."""
    http_client = stripe.RequestsClient()
    client = stripe.StripeClient(KEY, base_addresses={"api": url}, http_client=http_client)

    def create(n: int) -> str:
        link = client.v1.payment_links.create(
            {
                "line_items": [{"price": "price_1", "quantity": 1}],
                "after_completion": {"type": "redirect", "redirect": {"url": SUCCESS_URL}},
                "metadata": {"order_reference": f"ORD-{n}"},
            }
        )
        return link.url

    try:
        yield create
    finally:
        http_client.close()  # type: ignore[no-untyped-call]
