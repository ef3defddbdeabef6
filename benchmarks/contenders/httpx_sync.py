"""httpx's sync client, one for all threads: `json=`, `.json()` and dicts."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import httpx

from . import KEY, PATH, SUCCESS_URL, SyncCreate


@contextlib.contextmanager
def opened(url: str, _: int) -> Generator[SyncCreate]:
    """Open a client with its own limits."""
    with httpx.Client(base_url=url, headers={"Authorization": KEY}) as client:

        def create(n: int) -> str:
            body = {
                "amount": 100 + n,
                "currency": "KZT",
                "description": "Invoice",
                "orderReference": f"ORD-{n}",
                "metadata": {"successUrl": SUCCESS_URL},
            }
            response = client.post(PATH, json=body)
            response.raise_for_status()
            return str(response.json()["url"])

        yield create
