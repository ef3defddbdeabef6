"""A sandbox between its start and its stop: the parts that need its database, its socket and its loop."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import os
import re
import socket
import sqlite3
from collections.abc import Sequence
from typing import Any, Self

import attrs
import orjson
from aiohttp import web
from aiohttp.typedefs import Handler as HTTPHandler

from .._privacy.secret import Secret
from .._version import SANDBOX_HEADER
from ..api.operation import Declaration, Evidence
from ..apis import APIS
from ..errors import ConfigurationError
from .admin import Admin
from .clock import Clock
from .connections import ServerConnections
from .database import open_database
from .deliveries.dispatcher import Dispatcher
from .deliveries.settings import WebhookSettings
from .deliveries.store import DeliveryStore
from .exchange import Handler
from .faults import Faults
from .front import MAX_BODY, Front, door
from .handlers.group import GroupHandlers, name_in_sandbox
from .pages.checkout import Checkout
from .pages.index import IndexPage
from .pages.session import SessionPages
from .shopper_api import ShopperAPI
from .site import Site
from .state.state import SandboxState
from .thread import SandboxLoop
from .traffic import Traffic

__all__ = ["RunningSandbox", "Setup"]

_BACKLOG = 1024
# When the sandbox stops: seconds for requests to end, and then again for cancelling those that did not.
_GRACE = 0.2
# Bytes of a request's first line and of each header, and how many headers it may have.
_LONGEST_LINE = 8190
_MOST_HEADERS = 128


def _check_positive(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigurationError(f"{attribute.name}: must be positive, got {value}")


@attrs.frozen(kw_only=True)
class Setup:
    """What a sandbox keeps from one start to the next."""

    host: str
    port: int
    database: str | os.PathLike[str] | None
    site: Site
    webhooks: WebhookSettings
    clock: Clock
    faults: Faults
    requests: Traffic
    handlers: Sequence[tuple[Declaration[...], type[GroupHandlers]]]
    max_page_size: int = attrs.field(validator=_check_positive)
    request_timeout: float = attrs.field(validator=_check_positive)
    max_connections: int = attrs.field(validator=_check_positive)


class RunningSandbox:
    """A sandbox that runs: its state, its handlers, its webhooks and its HTTP server.

    Args:
        setup: What it keeps from one start to the next.
        api_key: The key that requests must carry.
        listener: Where it listens.
        connection: Its database.
    """

    def __init__(
        self, setup: Setup, api_key: Secret[str], listener: socket.socket, connection: sqlite3.Connection
    ) -> None:
        self.base_url: str = _base_url(listener)
        self.loop: SandboxLoop = SandboxLoop()
        self.state: SandboxState = SandboxState(
            connection, setup.clock, lambda changed: self.dispatcher.tell(changed)
        )
        self.dispatcher: Dispatcher = Dispatcher(
            DeliveryStore(connection, setup.clock), self.state.links, setup.faults, setup.webhooks, self.loop
        )
        groups = {
            handlers: handlers(self.state, self.base_url, setup.max_page_size)
            for _, handlers in setup.handlers
        }
        self.operations: list[tuple[Declaration[...], Handler]] = [
            (declaration, getattr(groups[handlers], declaration.name.partition(".")[2]))
            for declaration, handlers in setup.handlers
        ]
        self.connections: ServerConnections = ServerConnections(
            limit=setup.max_connections, timeout=setup.request_timeout
        )
        self._setup = setup
        self._listener = listener
        self._connection = connection
        self._front = Front(api_key, setup.faults, setup.requests)
        self._server: asyncio.Server | None = None
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_GRACE,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=_MOST_HEADERS,
        )

    @classmethod
    async def open(cls, setup: Setup, api_key: Secret[str]) -> Self:
        """Take the address, and open the database.

        Raises:
            ConfigurationError: The database is not one of a sandbox.
            sqlite3.Error: The database cannot be opened.
            OSError: The address cannot be listened on.
        """
        listener = await _listen(setup.host, setup.port)
        try:
            connection = open_database(setup.database, [*SandboxState.schemas, DeliveryStore.schema])
        except BaseException:
            listener.close()
            raise
        setup.webhooks.own_port = listener.getsockname()[1]
        return cls(setup, api_key, listener, connection)

    async def begin(self) -> None:
        """Begin to serve and to deliver."""
        self.dispatcher.begin(self.state.pass_time)
        await self._runner.setup()
        serve = self._runner.server
        assert serve is not None  # noqa: S101
        self._server = await asyncio.get_running_loop().create_server(
            self.connections.watching(serve), sock=self._listener, backlog=_BACKLOG
        )

    def reset(self) -> None:
        """Forget all state, requests and faults, and return the clock to real time."""
        self.state.clear()
        self.dispatcher.clear()
        self._setup.requests.clear()
        self._setup.faults.clear()
        self._setup.clock.reset()

    async def end(self) -> None:
        """Stop serving and delivering, end what hangs, and close the database."""
        self._front.stop()
        try:
            await self.dispatcher.end()
        finally:
            if self._server is not None:
                self._server.close()
            await self._runner.cleanup()
            self.connections.end()
            self._listener.close()
            self._connection.close()

    def _application(self) -> web.Application:
        front, setup = self._front, self._setup

        @web.middleware
        async def answer_unknown(request: web.Request, handler: HTTPHandler) -> web.StreamResponse:
            refused = request.match_info.http_exception
            return await (handler(request) if refused is None else front.unknown(request, refused))

        application = web.Application(
            middlewares=[door(setup.site, self.connections), answer_unknown], client_max_size=MAX_BODY
        )
        application.on_response_prepare.append(_add_sandbox_header)
        # A path without parameters wins over one that could swallow it.
        for declaration, handler in sorted(self.operations, key=lambda served: served[0].path.count("{")):
            assumed = declaration.evidence is Evidence.ASSUMED
            application.router.add_route(
                declaration.method,
                # aiohttp's own pattern for a parameter does not match braces in its value.
                re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", declaration.path),
                front.route(
                    name_in_sandbox(declaration),
                    handler,
                    {"X-Evidence": "assumed"} if assumed else None,
                    declaration.api,
                ),
            )
        Admin(self.state, self.dispatcher, setup.faults, setup.requests, self.base_url, self.reset).serve(
            application
        )
        IndexPage(self.state, self.dispatcher, self.base_url).serve(application)
        Checkout(self.state).serve(application)
        SessionPages(self.state.checkout).serve(application)
        ShopperAPI(self.state.checkout, self.base_url).serve(application)
        application.router.add_get("/openapi.json", self._described)
        return application

    async def _described(self, request: web.Request) -> web.Response:
        """Answer the OpenAPI document of an API that is served, for which no key is needed."""
        from ..api.openapi import openapi_document

        api = next((api for api in APIS if api.name == request.query.get("api")), APIS[0])
        body = orjson.dumps(openapi_document(api, self.base_url))
        return web.Response(body=body, content_type="application/json")


async def _add_sandbox_header(_: web.Request, response: web.StreamResponse) -> None:
    response.headers[SANDBOX_HEADER] = "1"


async def _listen(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    # One socket, also for a name with several addresses: port 0 would be another port on each.
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG)


def _base_url(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    host = ipaddress.ip_address(address.partition("%")[0])
    if host.is_unspecified:
        host = ipaddress.ip_address("127.0.0.1" if host.version == 4 else "::1")
    return f"http://[{host}]:{port}" if host.version == 6 else f"http://{host}:{port}"
