"""What every request passes first, whatever its path: it must arrive completely, and be one to serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Middleware

from .connections import ServerConnections
from .exchange import ApiResponse, error_body
from .gate import respond
from .pages.checkout_page import message_page
from .site import Site

__all__ = ["MAX_BODY", "door"]

MAX_BODY = 1 << 20
"""Bytes of a request's body, decompressed."""

_ASK_FOR_TOKEN = {hdrs.WWW_AUTHENTICATE: 'Basic realm="Plexy Pay sandbox", charset="UTF-8"'}


def door(site: Site, connections: ServerConnections) -> Middleware:
    """Return the middleware that lets requests in."""

    @web.middleware
    async def serve(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            await _arrival(request)
        except web.HTTPRequestEntityTooLarge:
            return _refused(
                request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: larger than {MAX_BODY} bytes"
            )
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            return _refused(request, HTTPStatus.BAD_REQUEST, "body: it cannot be read, or broke off")
        with connections.request(request):
            refusal = site.refusal(request)
            if refusal is None:
                return await handler(request)
            response = _refused(request, *refusal)
            if response.status == HTTPStatus.UNAUTHORIZED:
                response.headers.update(_ASK_FOR_TOKEN)
            return response

    return serve


async def _arrival(request: web.Request) -> None:
    if request.content_type.startswith("multipart/"):
        # aiohttp reads the parts of a form from the stream: `read` would leave nothing for it.
        await request.content.wait_eof()
    else:
        await request.read()


def _refused(request: web.Request, status: HTTPStatus, message: str) -> web.Response:
    if request.path == "/" or request.path.startswith("/checkout/"):
        return message_page("Not from here", message, status=status)
    source = "sandbox" if request.path.startswith("/_sandbox") else "keys"
    return respond(ApiResponse(status, error_body(3, message, source=source)))
