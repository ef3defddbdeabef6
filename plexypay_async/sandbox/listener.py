"""A local address for trials of webhooks: it authenticates what is delivered, and hands the events on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import WebhookAuthenticationError, WebhookError
from ..webhooks import WebhookEvent, WebhookReceiver
from ..webhooks.payloads import MAX_BODY
from .connections import ServerConnections

__all__ = ["webhook_listener"]

_GRACE = 0.1
"""Seconds for the requests under way when it ends."""


@asynccontextmanager
async def webhook_listener(
    receiver: WebhookReceiver,
    host: str,
    port: int,
    *,
    take: Callable[[WebhookEvent], bool],
    tell: Callable[[str], None],
    limit: int = 100,
    timeout: float = 10.0,
) -> AsyncGenerator[list[str]]:
    """Serve an address while the block runs, which gets the URLs that were opened.

    Args:
        receiver: What authenticates the deliveries and reads their events.
        host: The address to open. A name may stand for several.
        port: Its port; 0 is any free one.
        take: Called with each event; returns whether it was taken, which is answered with 200. Otherwise the
            answer is 503.
        tell: Called with a sentence about each delivery that was refused and each connection that was closed
            because of its age.
        limit: How many connections are held; one more takes the place of the oldest.
        timeout: Seconds after which a connection is closed, whether its request has come completely or not.

    Raises:
        OSError: The address cannot be opened.
    """

    def refuse(request: web.Request, status: int, reason: str) -> web.Response:
        tell(f"refused a delivery from {request.remote} with {status}: {reason}")
        return web.Response(status=status, text=f"{reason}\n")

    async def deliver(request: web.Request) -> web.Response:
        try:
            event = receiver.receive(request.headers, await request.read())
        except WebhookError as error:
            return refuse(request, 401 if isinstance(error, WebhookAuthenticationError) else 400, str(error))
        except ConnectionError:
            return refuse(request, 400, "the connection was closed before the whole body had come")
        except web.RequestPayloadError:
            return refuse(request, 400, "the body cannot be decoded")
        except web.HTTPRequestEntityTooLarge:
            return refuse(request, 413, f"the body has more than {MAX_BODY} bytes")
        return web.Response(status=200 if take(event) else 503)

    application = web.Application(client_max_size=MAX_BODY + 1, middlewares=[_one_request])
    application.router.add_post("/{path:.*}", deliver)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=_GRACE)
    await runner.setup()
    assert runner.server is not None  # noqa: S101
    # As no request is reported to it as arrived, the timeout covers the whole time of a connection.
    connections = ServerConnections(limit=limit, timeout=timeout, tell=tell)
    try:
        server = await asyncio.get_running_loop().create_server(
            connections.watching(runner.server), host, port
        )
        try:
            yield [_url(*each.getsockname()[:2]) for each in server.sockets]
        finally:
            # Not awaited: from Python 3.12 on that would also wait for the connections.
            server.close()
    finally:
        await runner.cleanup()
        connections.end()


@web.middleware
async def _one_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Close a connection after its answer, so that its time is that of one request."""
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        refused.force_close()
        raise
    response.force_close()
    return response


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
