"""Square's generated sync client, on httpx, one for all threads, pointed at the loopback server."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import httpx
from square import Square

from . import KEY, SUCCESS_URL, SyncCreate


@contextlib.contextmanager
def opened(url: str, _: int) -> Generator[SyncCreate]:
    """Open a client with its own limits and its own time-out."""
    with httpx.Client(timeout=60) as http_client:
        client = Square(token=KEY, base_url=url, httpx_client=http_client)

        def create(n: int) -> str:
            answer = client.checkout.payment_links.create(
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
