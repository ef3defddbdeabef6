"""A server that makes a link of whatever it is told to, for any number of accounts, and counts them.

It refuses no repeated order reference: an order that is sent twice has two links here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import orjson
from aiohttp import web

_LINKS = "/v1/payment-links"
_LOOK_UP = f"{_LINKS}/by-order-reference/"


class CountingServer:
    """Links by the account that made them; it serves on loopback, in a thread of its own."""

    base_url: str
    _loop: asyncio.AbstractEventLoop
    _told: asyncio.Event

    def __init__(self) -> None:
        self.links: dict[str, list[dict[str, Any]]] = {}
        """In the order in which they were made."""
        self.at_first_create: Callable[[], object] | None = None
        """Called once, when the next create has arrived."""
        self._serves = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="counting-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._serves.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._told.set)
        self._thread.join(30)

    def _serve(self) -> None:
        asyncio.run(self._serve_until_told())

    async def _serve_until_told(self) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}"
        self._serves.set()
        await self._told.wait()
        await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        links = self.links.setdefault(request.headers["Authorization"], [])
        if request.method == "POST" and request.path == _LINKS:
            body = orjson.loads(await request.read())
            called, self.at_first_create = self.at_first_create, None
            if called is not None:
                called()
            links.append({**body, "id": f"pl_{len(links)}", "status": "active", "url": "https://pay.example"})
            return _json(links[-1], 201)
        if request.method == "GET" and request.path.startswith(_LOOK_UP):
            reference = unquote(request.rel_url.raw_path.removeprefix(_LOOK_UP))
            found = [link for link in links if link.get("orderReference") == reference]
            if found:
                return _json(found[0], 200)
        error = {"code": 4, "message": "there is none", "source": "paymentLinks", "type": "apiError"}
        return _json(error, 404)


def _json(document: Any, status: int) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")
