"""What a user would pick, each written as a user would write it, in a file of its own.

Each async file has ``opened(url, connections)``, an async context manager, and each sync one
``opened(url, threads)``, a context manager. What they yield creates the payment link number n and returns its
URL; it raises unless that worked. All talk to the address that they are given and to nothing else.

Each file of models has ``codec(link, page)``: what encodes a request, and decodes these two bodies.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, NamedTuple, TypeAlias

AsyncCreate: TypeAlias = Callable[[int], Awaitable[str]]
SyncCreate: TypeAlias = Callable[[int], str]

Codec: TypeAlias = Mapping[str, Callable[[], object]]
"""``encode``, ``decode`` and ``page``; encoding includes building the request, as each call does."""

KEY = "benchmark-key"
SUCCESS_URL = "https://shop.example/thanks"
PATH = "/v1/payment-links"
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""What names the file of authorities to be trusted, in the environment of a contender over TLS."""


class Written(NamedTuple):
    """A file of this package, and the packages that it imports."""

    module: str
    needs: tuple[str, ...] = ()


ASYNC = {
    "plexypay": Written("ours_async"),
    "aiohttp by hand": Written("aiohttp_by_hand"),
    "httpx": Written("httpx_async", ("httpx",)),
    "stripe on aiohttp": Written("stripe_on_aiohttp", ("stripe",)),
    "stripe on httpx": Written("stripe_on_httpx", ("stripe", "httpx")),
    "square": Written("square_async", ("square",)),
    "raw protocol": Written("raw_protocol"),
}
SYNC = {
    "plexypay": Written("ours_sync"),
    "requests": Written("requests_sessions", ("requests",)),
    "requests, one session": Written("requests_session", ("requests",)),
    "httpx": Written("httpx_sync", ("httpx",)),
    "stripe": Written("stripe_sync", ("stripe",)),
    "square": Written("square_sync", ("square",)),
}


def opened_async(name: str, url: str, connections: int) -> AbstractAsyncContextManager[AsyncCreate]:
    """Open an async contender for so many calls at once."""
    opened: AbstractAsyncContextManager[AsyncCreate] = module_of(ASYNC[name]).opened(url, connections)
    return opened


def opened_sync(name: str, url: str, threads: int) -> AbstractContextManager[SyncCreate]:
    """Open a sync contender for so many threads."""
    opened: AbstractContextManager[SyncCreate] = module_of(SYNC[name]).opened(url, threads)
    return opened


def authorities(otherwise: str) -> str:
    """Return the file of authorities for a client that does not look for it by itself."""
    return os.environ.get(CERTIFICATES[0], otherwise)


def module_of(written: Written) -> Any:
    """Import a contender's file, and with it the packages that it needs."""
    return importlib.import_module(f"{__name__}.{written.module}")


def missing(needs: Sequence[str]) -> str | None:
    """Return why what needs these packages cannot run, or None where all are installed."""
    lacking = [name for name in needs if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else None
