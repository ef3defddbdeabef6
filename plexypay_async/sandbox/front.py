"""What a request passes on its way to its handler.

Every request passes `door`: it must arrive completely, and be one to serve. A request to an API then passes
the `Front`: it is recorded, struck by faults, authenticated, handled and answered.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

import attrs
import orjson
from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler as HTTPHandler
from aiohttp.typedefs import Middleware

from .._privacy.secret import Secret
from ..api.description import API
from ..api.index import every_declaration
from ..apis import APIS
from .connections import ServerConnections
from .error_bodies import declined, written_for
from .exchange import ApiRequest, ApiResponse, Handler, Refusal, error_body
from .faults import Cut, Fault, Faults, ForeignBody
from .pages.checkout_page import message_page
from .pages.missing import is_for_a_person, missing_page
from .site import Site, is_same_text
from .traffic import ArrivedRequest, Traffic

__all__ = ["MAX_BODY", "Front", "door", "respond"]

MAX_BODY = 1 << 20
"""Bytes of a request's body, decompressed."""

_REQUEST_ID = "X-Request-Id"
_JSON = "application/json"
# Seconds between looks: aiohttp does not tell a handler that its client has gone.
_LOOK_EVERY = 0.05
_OWN_PATHS = ("/_sandbox/", "/checkout/")
_ASK_FOR_TOKEN = {hdrs.WWW_AUTHENTICATE: 'Basic realm="Plexy Pay sandbox", charset="UTF-8"'}


def respond(response: ApiResponse, headers: Mapping[str, str] | None = None) -> web.Response:
    """Write what an operation answers as an HTTP response."""
    if response.status == HTTPStatus.NO_CONTENT:
        return web.Response(status=response.status, headers=headers)
    try:
        body = orjson.dumps(response.document)
    except TypeError:
        # orjson stops at 64 bits, and a sum of amounts can have more.
        body = json.dumps(response.document).encode()
    return web.Response(status=response.status, body=body, content_type=_JSON, headers=headers)


def door(site: Site, connections: ServerConnections) -> Middleware:
    """Return the middleware that lets requests in."""

    @web.middleware
    async def serve(request: web.Request, handler: HTTPHandler) -> web.StreamResponse:
        try:
            await _arrival(request)
        except web.HTTPRequestEntityTooLarge:
            return _refuse_at_door(
                request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: larger than {MAX_BODY} bytes"
            )
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            return _refuse_at_door(request, HTTPStatus.BAD_REQUEST, "body: unreadable or incomplete")
        with connections.request(request):
            refusal = site.refusal(request)
            if refusal is None:
                return await handler(request)
            response = _refuse_at_door(request, *refusal)
            if response.status == HTTPStatus.UNAUTHORIZED:
                response.headers.update(_ASK_FOR_TOKEN)
            return response

    return serve


@attrs.define(eq=False)
class Front:
    """Everything that the APIs' requests pass through on their way to a handler."""

    api_key: Secret[str]
    faults: Faults
    traffic: Traffic
    _stopping: asyncio.Event = attrs.field(factory=asyncio.Event)

    def stop(self) -> None:
        """End the requests that hang."""
        self._stopping.set()

    def route(
        self, operation: str, handler: Handler, headers: Mapping[str, str] | None, api: API
    ) -> HTTPHandler:
        """Return the HTTP handler of an API's operation; `headers` are on each of its answers."""

        async def serve(request: web.Request) -> web.StreamResponse:
            def work(body: bytes) -> web.Response:
                asked = ApiRequest(request.match_info, request.query, body, request.headers)
                return respond(handler(asked), headers)

            return await self._serve(request, operation, work, headers, api)

        return serve

    async def unknown(self, request: web.Request, refused: web.HTTPException) -> web.StreamResponse:
        """Answer a request to a path or with a method that is no operation's.

        A person who has mistyped an address has called no API.
        """
        if is_for_a_person(request):
            return missing_page(request.path, refused)
        if request.path == "/_sandbox" or request.path.startswith(_OWN_PATHS):
            return _refuse_path(request, refused)
        api = _of_path(request.path)
        return await self._serve(request, None, lambda _: _refuse_path(request, refused, api.name), None, api)

    async def _serve(
        self,
        request: web.Request,
        operation: str | None,
        answer: Callable[[bytes], web.Response],
        headers: Mapping[str, str] | None,
        api: API,
    ) -> web.StreamResponse:
        def work() -> web.Response:
            try:
                self._authenticate(request, api.key_header)
                return _named(answer(body))
            except Refusal as refusal:
                return _named(respond(written_for(api.name, refusal), headers))

        self.traffic.record(ArrivedRequest(request.method, request.raw_path, operation, request.headers))
        body = await request.read()
        strike = self.faults.strike(operation)
        if strike is None:
            return work()
        fault = strike.fault
        try:
            if fault is not None and fault.cut is Cut.LATE:
                # The client does not wait for the work, which is done later.
                _cut(request)
            if strike.latency:
                await asyncio.sleep(strike.latency)
            if fault is None:
                return work()
            worked = work() if strike.works else None
            return await self._misbehave(request, fault, worked, api)
        finally:
            strike.release()

    async def _misbehave(
        self, request: web.Request, fault: Fault, worked: web.Response | None, api: API
    ) -> web.StreamResponse:
        if fault.cut is Cut.BODY and worked is not None:
            return await _cut_in_body(request, worked)
        if fault.decline is not None and worked is not None:
            return _declined(worked, fault.decline, str(fault.id), api)
        if fault.hang:
            await self._hang(request)
        if fault.hang or fault.cut is not None:
            return _cut(request)
        error, headers = fault.error()
        headers = {**headers, "X-Sandbox-Fault": str(fault.id)}
        if fault.body in (ForeignBody.HTML, ForeignBody.EMPTY):
            return _page(error.status, headers, is_empty=fault.body is ForeignBody.EMPTY)
        if fault.body is not None:
            # What is in between speaks no API's words, and gives no id.
            return respond(error, headers)
        return _named(respond(written_for(api.name, error), headers))

    async def _hang(self, request: web.Request) -> None:
        while request.transport is not None:
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._stopping.wait()
            except TimeoutError:
                continue
            return

    def _authenticate(self, request: web.Request, header: str) -> None:
        given = request.headers.get(header)
        if given is None:
            message = f"{header}: missing; send the API key"
        elif is_same_text(given, self.api_key):
            return
        elif given.lower().startswith("bearer "):
            message = f"{header}: send the API key alone, without Bearer"
        else:
            message = f"{header}: invalid API key"
        raise Refusal(3, message, status=401)


def _named(response: web.Response) -> web.Response:
    """Give the answer to a request to an API an id of the request, a new one."""
    response.headers[_REQUEST_ID] = f"req_{secrets.token_hex(12)}"
    return response


def _of_path(path: str) -> API:
    """Return the API that a path without an operation would be of."""
    roots = {api: {one.path.split("/")[1] for one in every_declaration(api)} for api in APIS}
    return next((api for api in reversed(APIS) if path.split("/")[1] in roots[api]), APIS[0])


async def _arrival(request: web.Request) -> None:
    if request.content_type.startswith("multipart/"):
        # aiohttp reads the parts of a form from the stream: `read` would leave nothing for it.
        await request.content.wait_eof()
    else:
        await request.read()


def _refuse_at_door(request: web.Request, status: HTTPStatus, message: str) -> web.Response:
    if request.path == "/" or request.path.startswith("/checkout/"):
        return message_page("Not from here", message, status=status)
    source = "sandbox" if request.path.startswith("/_sandbox") else "keys"
    response = respond(ApiResponse(status, error_body(3, message, source=source)))
    return response if source == "sandbox" else _named(response)


def _refuse_path(request: web.Request, refused: web.HTTPException, api: str = "") -> web.Response:
    """Refuse a path as the API of this name does, or in the sandbox's own way."""
    if isinstance(refused, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(refused.allowed_methods))
        body = error_body(3, f"method {request.method} not allowed; allowed: {allowed}")
        return respond(written_for(api, ApiResponse(405, body)), {hdrs.ALLOW: allowed})
    body = error_body(4, f"no such path: {request.path[:200]}")
    return respond(written_for(api, ApiResponse(404, body)))


def _page(status: int, headers: Mapping[str, str], *, is_empty: bool) -> web.Response:
    title = f"{status} {http.client.responses.get(status, 'Unknown')}"
    text = (
        "" if is_empty else f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _declined(answer: web.Response, status: int, fault: str, api: API) -> web.Response:
    """Give an answer that refuses a payment another status, and the body that goes with it."""
    document: Any = orjson.loads(answer.text or "null")
    if answer.status != HTTPStatus.OK or not isinstance(document, dict):
        return answer
    told = declined(api.name, status, cast("dict[str, Any]", document))
    if told is None:
        return answer
    return _named(respond(ApiResponse(status, told), {"X-Sandbox-Fault": fault}))


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    # Never written: the connection is closed by now.
    return web.Response()


async def _cut_in_body(request: web.Request, whole: web.Response) -> web.StreamResponse:
    body = (whole.text or "").encode()
    if not body:
        return _cut(request)
    begun = web.StreamResponse(status=whole.status, headers=whole.headers)
    begun.content_length = len(body)
    await begun.prepare(request)
    await begun.write(body[: max(1, len(body) // 2)])
    if request.transport is not None:
        request.transport.close()
    return begun
