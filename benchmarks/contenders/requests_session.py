"""requests with one session for all threads, and a connection for each of them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from . import KEY, PATH, SUCCESS_URL, SyncCreate


def posting(session: requests.Session, url: str, n: int) -> str:
    """Create a link: `json=`, `.json()` and dicts."""
    body: dict[str, Any] = {
        "amount": 100 + n,
        "currency": "KZT",
        "description": "Invoice",
        "orderReference": f"ORD-{n}",
        "metadata": {"successUrl": SUCCESS_URL},
    }
    response = session.post(f"{url}{PATH}", json=body)
    response.raise_for_status()
    return str(response.json()["url"])


@contextlib.contextmanager
def opened(url: str, threads: int) -> Generator[SyncCreate]:
    """Open a session."""
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=threads))
        session.headers["Authorization"] = KEY
        yield lambda n: posting(session, url, n)
