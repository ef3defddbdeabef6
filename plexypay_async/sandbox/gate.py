"""What a request to the API passes: it is recorded, struck by faults, authenticated, handled and answered."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable, Mapping

import attrs
import orjson
from aiohttp import hdrs, web

from .._privacy.secret import Secret
from .exchange import ApiRequest, ApiResponse, Handler, Refusal, error_body
from .faults import Cut, Fault, Faults, ForeignBody
from .site import is_same_text
from .traffic import ArrivedRequest, Traffic

__all__ = ["Gate", "respond"]

_JSON = "application/json"
# aiohttp does not tell a handler that its client has gone: the handler has to look.
_LOOK_EVERY = 0.05
_OWN_PATHS = ("/_sandbox/", "/checkout/")


def respond(response: ApiResponse, headers: Mapping[str, str] | None = None) -> web.Response:
    """Write what an operation answers as an HTTP response."""
    try:
        body = orjson.dumps(response.document)
    except TypeError:
        # orjson stops at 64 bits, and a sum of amounts can have more.
        body = json.dumps(response.document).encode()
    return web.Response(status=response.status, body=body, content_type=_JSON, headers=headers)


@attrs.define(eq=False)
class Gate:
    """Everything that the API's requests pass through on their way to a handler."""

    api_key: Secret[str]
    faults: Faults
    traffic: Traffic
    _stopping: asyncio.Event = attrs.field(factory=asyncio.Event)

    def stop(self) -> None:
        """End the requests that hang."""
        self._stopping.set()

    def route(
        self, operation: str, handler: Handler, headers: Mapping[str, str] | None
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the HTTP handler of an operation; `headers` are on each of its answers."""

        async def serve(request: web.Request) -> web.StreamResponse:
            def work(body: bytes) -> web.Response:
                asked = ApiRequest(request.match_info, request.query, body, request.headers)
                return respond(handler(asked), headers)

            return await self._pass(request, operation, work, headers)

        return serve

    async def unknown(self, request: web.Request, refused: web.HTTPException) -> web.StreamResponse:
        """Answer a request to a path or with a method that is no operation's."""
        if request.path == "/_sandbox" or request.path.startswith(_OWN_PATHS):
            return _refuse(request, refused)
        return await self._pass(request, None, lambda _: _refuse(request, refused), None)

    async def _pass(
        self,
        request: web.Request,
        operation: str | None,
        answer: Callable[[bytes], web.Response],
        headers: Mapping[str, str] | None,
    ) -> web.StreamResponse:
        def work() -> web.Response:
            try:
                self._authenticate(request)
                return answer(body)
            except Refusal as refusal:
                return respond(refusal.response, headers)

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
            return await self._misbehave(request, fault, worked)
        finally:
            strike.release()

    async def _misbehave(
        self, request: web.Request, fault: Fault, worked: web.Response | None
    ) -> web.StreamResponse:
        if fault.cut is Cut.BODY and worked is not None:
            return await _cut_in_body(request, worked)
        if fault.hang:
            await self._hang(request)
        if fault.hang or fault.cut is not None:
            return _cut(request)
        error, headers = fault.error()
        headers = {**headers, "X-Sandbox-Fault": str(fault.id)}
        if fault.body in (ForeignBody.HTML, ForeignBody.EMPTY):
            return _page(error.status, headers, is_empty=fault.body is ForeignBody.EMPTY)
        return respond(error, headers)

    async def _hang(self, request: web.Request) -> None:
        while request.transport is not None:
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._stopping.wait()
            except TimeoutError:
                continue
            return

    def _authenticate(self, request: web.Request) -> None:
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is None:
            message = "Authorization: missing; send the API key"
        elif is_same_text(given, self.api_key):
            return
        elif given.lower().startswith("bearer "):
            message = "Authorization: send the API key alone, without Bearer"
        else:
            message = "Authorization: invalid API key"
        raise Refusal(3, message, status=401)


def _refuse(request: web.Request, refused: web.HTTPException) -> web.Response:
    if isinstance(refused, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(refused.allowed_methods))
        body = error_body(3, f"method {request.method} not allowed; allowed: {allowed}")
        return respond(ApiResponse(405, body), {hdrs.ALLOW: allowed})
    return respond(ApiResponse(404, error_body(4, f"no such path: {request.path[:200]}")))


def _page(status: int, headers: Mapping[str, str], *, is_empty: bool) -> web.Response:
    title = f"{status} {http.client.responses.get(status, 'Unknown')}"
    text = (
        "" if is_empty else f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    # Never written: the connection is closed by now.
    return web.Response()


async def _cut_in_body(request: web.Request, whole: web.Response) -> web.StreamResponse:
    body = (whole.text or "").encode()
    begun = web.StreamResponse(status=whole.status, headers=whole.headers)
    begun.content_length = len(body)
    await begun.prepare(request)
    await begun.write(body[: max(1, len(body) // 2)])
    if request.transport is not None:
        request.transport.close()
    return begun
