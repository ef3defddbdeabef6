"""This library's sync client, one for all threads."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from plexypay_sync import PlexyPay

from . import KEY, SUCCESS_URL, SyncCreate


@contextlib.contextmanager
def opened(url: str, threads: int) -> Generator[SyncCreate]:
    """Open a client."""
    with PlexyPay(KEY, base_url=url, max_connections=max(threads, 10)) as plexy:

        def create(n: int) -> str:
            link = plexy.payment_links.create(
                amount=100 + n,
                currency="KZT",
                description="Invoice",
                order_reference=f"ORD-{n}",
                success_url=SUCCESS_URL,
            )
            return link.url or ""

        yield create
