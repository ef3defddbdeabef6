"""A server that creates whatever it is told to, a repeated order reference too: what arrives twice shows.

The sandbox refuses a repeated reference, as the API does, and so would hide that it was sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

import orjson
from aiohttp import web

Hook: TypeAlias = Callable[[str], Awaitable[bool | None]]


class Ledger:
    """The links by order reference, and what a hook does before or after each create's work."""

    base_url: str

    def __init__(self) -> None:
        self.links: dict[str, list[dict[str, Any]]] = {}
        self.creates: Counter[str] = Counter()
        self.look_ups: Counter[str] = Counter()
        self.keys: set[str] | None = None
        """The keys that are accepted; any if None."""
        self.refuse_taken = False
        """Whether a repeated reference is refused, as the API does."""
        self.before: Hook | None = None
        """Called with the reference before the work; answers with code 1 instead if it returns False."""
        self.after: Hook | None = None
        """Called after the work; the connection is closed without an answer if it returns False."""

    async def create(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        reference = body["orderReference"]
        self.creates[reference] += 1
        if self.before is not None and await self.before(reference) is False:
            return _error(1, 503)
        if self.refuse_taken and reference in self.links:
            return _error(5, 422)
        made = self.links.setdefault(reference, [])
        number = len(made)
        made.append(
            {"id": f"pl_{reference}_{number}", "status": "active", "url": "https://pay.example", **body}
        )
        if self.after is not None and await self.after(reference) is False and request.transport is not None:
            request.transport.abort()
        return _answer(made[number], 201)

    async def look_up(self, request: web.Request) -> web.StreamResponse:
        reference = request.match_info["reference"]
        self.look_ups[reference] += 1
        made = self.links.get(reference)
        return _error(4, 404) if made is None else _answer(made[0])

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        found = [
            link for made in self.links.values() for link in made if link["id"] == request.match_info["id"]
        ]
        return _answer(found[0]) if found else _error(4, 404)

    async def listing(self, request: web.Request) -> web.StreamResponse:
        every = [link for made in self.links.values() for link in made]
        return _answer({"data": every[:100], "page": 1, "size": 100, "total": len(every)})

    @property
    def twice(self) -> list[str]:
        """The references with more than one link."""
        return [reference for reference, made in self.links.items() if len(made) > 1]


def _answer(document: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")


def _error(code: int, status: int) -> web.Response:
    return _answer({"code": code, "message": "as told", "source": "paymentLinks", "type": "apiError"}, status)


@contextlib.asynccontextmanager
async def ledger() -> AsyncGenerator[Ledger]:
    """Serve a ledger on loopback."""
    served = Ledger()

    @web.middleware
    async def authenticated(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if served.keys is not None and request.headers.get("Authorization") not in served.keys:
            return _error(3, 401)
        return await handler(request)

    application = web.Application(middlewares=[authenticated])
    application.router.add_post("/v1/payment-links", served.create)
    application.router.add_get("/v1/payment-links", served.listing)
    application.router.add_get("/v1/payment-links/by-order-reference/{reference}", served.look_up)
    application.router.add_get("/v1/payment-links/{id}", served.retrieve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        served.base_url = f"http://{host}:{port}"
        yield served
    finally:
        await runner.cleanup()


async def never(_: str) -> bool | None:
    """A hook that never returns."""
    await asyncio.Event().wait()
    return None
