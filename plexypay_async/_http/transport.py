"""The sessions of a client: one for each event loop, which closes with the client or with its loop."""

from __future__ import annotations

import asyncio
import gc
import platform
import ssl
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import attrs

from .._core.slots import loop_of_task
from .._privacy.secret import Secret
from .._version import __version__
from ..api.description import API
from ..errors import CLIENT_CLOSED, ConfigurationError
from ..network import Proxy, checked_proxy, fields_in_headers, flaw_of_context
from ..settings import Settings
from .connections import HTTPConnections, RequestOptions, with_the_own_key
from .guard import GuardedRequest
from .opening import PacedConnector, keep_room_for_readings
from .resolver import DaemonResolver

__all__ = ["HTTPTransport", "check_session"]

CLOSING_ELSEWHERE = 5.0
"""Seconds that a loop in another thread gets to close its connections; it may be at something that lasts."""


class HTTPTransport:
    """The connections of a client and of all clients derived from it, for each loop that uses them."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession | None = None) -> None:
        if session is not None:
            check_session(session, settings.api)
            for name in ("proxy", "ssl"):
                if getattr(settings, name) is not None:
                    raise ConfigurationError(
                        f"{name}: the connections are those of the given session; make the session with it"
                    )
        keep_room_for_readings()
        self._settings = settings
        self._proxy = settings.way
        self._session = session
        self._by_loop: dict[asyncio.AbstractEventLoop, HTTPConnections] = {}
        self.closed = False

    @property
    def is_sandbox(self) -> bool | None:
        """Whether the server is a sandbox; None before the first answer."""
        told = [connections.is_sandbox for connections in self._by_loop.values()]
        return next((answer for answer in told if answer is not None), None)

    async def connections(self) -> HTTPConnections:
        """Return the running loop's connections, opened at the first call.

        Raises:
            ConfigurationError: The client is closed, a session given belongs to another loop, or the caller
                is no task of asyncio's.
        """
        loop = loop_of_task()
        return self.opened(loop) or await self._open(loop)

    def options(self, settings: Settings) -> RequestOptions:
        """Prepare what a client's settings mean for each request."""
        # As the session's own defaults they would go to a proxy too, and in clear text.
        taken = None if self._session is None else _taken_over(self._session.headers, settings.api)
        return RequestOptions.of(settings, taken)

    def opened(self, loop: asyncio.AbstractEventLoop) -> HTTPConnections | None:
        """Return the running loop's connections, where they are open."""
        return None if self.closed else self._by_loop.get(loop)

    async def _open(self, loop: asyncio.AbstractEventLoop) -> HTTPConnections:
        if self.closed:
            raise ConfigurationError(CLIENT_CLOSED)
        for other in [known for known in self._by_loop if known.is_closed()]:
            del self._by_loop[other]
        connections = self._new(loop)
        self._by_loop[loop] = connections
        await connections.open()
        return connections

    def _new(self, loop: asyncio.AbstractEventLoop) -> HTTPConnections:
        settings, given = self._settings, self._session
        limit = settings.max_connections
        if given is None:
            connector: aiohttp.BaseConnector = PacedConnector(
                limit=limit,
                resolver=DaemonResolver(),
                ssl=settings.ssl or True,
                keepalive_timeout=settings.keepalive_timeout or None,
                force_close=not settings.keepalive_timeout,
            )
            session = self._session_over(connector, self._proxy)
            return HTTPConnections(loop, session, limit, proxy=self._proxy)
        _check_open(given)
        # A proxy would take the key elsewhere in clear text.
        if settings.is_plain and (given.trust_env or getattr(given, "_default_proxy", None) is not None):
            raise ConfigurationError(
                "session: it has a proxy, and plain http would go through it in clear text"
            )
        shared = given.connector
        # aiohttp offers no public way to ask a session for its loop without a deprecation warning.
        if shared is None or getattr(shared, "_loop", loop) is not loop:
            raise ConfigurationError("session: it belongs to another event loop; give none to use several")
        if shared.limit:
            limit = min(limit, shared.limit)
        proxy = _proxy_of(given, settings)
        session = self._session_over(
            shared,
            proxy,
            trace_configs=given.trace_configs,
            # The last one is the nearest to the wire.
            middlewares=(*getattr(given, "_middlewares", ()), with_the_own_key),
            connector_owner=False,
        )
        return HTTPConnections(loop, session, limit, given, proxy)

    def _session_over(
        self, connector: aiohttp.BaseConnector, proxy: Proxy | None, **options: Any
    ) -> aiohttp.ClientSession:
        """Return a session whose defaults are what the library needs, whoever made its connector.

        The environment's proxy is never left to aiohttp: it would read a .netrc with it, whose credentials
        take the key's place.
        """
        return aiohttp.ClientSession(
            connector=connector,
            headers=_base_headers(self._settings),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=GuardedRequest,
            max_line_size=self._settings.max_header_size,
            max_field_size=self._settings.max_header_size,
            proxy=None if proxy is None else proxy.url,
            **options,
        )

    async def close(self) -> None:
        """Close the connections of every loop that is still there."""
        self.closed = True
        here = asyncio.get_running_loop()
        for loop, connections in list(self._by_loop.items()):
            if loop is here:
                del self._by_loop[loop]
                await connections.close()
            # A loop at rest closes them itself when it shuts down; let go of here, they could not be closed.
            elif loop.is_running():
                loop.call_soon_threadsafe(_close_there, loop, connections)

    def close_outside(self) -> None:
        """Close the connections from outside any event loop, or let go of those that none can close now.

        Loops at rest are run shortly for it, so they must be the caller's: no other thread may run them now.
        A loop that another thread runs is waited for, since it may be stopped as soon as this returns.
        """
        self.closed = True
        orphans: list[HTTPConnections] = []
        elsewhere: list[threading.Event] = []
        for loop in list(self._by_loop):
            if loop.is_running():
                closed = threading.Event()
                loop.call_soon_threadsafe(_close_there, loop, self._by_loop[loop], closed.set)
                if loop is not asyncio._get_running_loop():
                    elsewhere.append(closed)
            elif loop.is_closed():
                orphans.append(self._by_loop.pop(loop))
            else:
                loop.run_until_complete(_closed(self._by_loop.pop(loop)))
        for closed in elsewhere:
            closed.wait(CLOSING_ELSEWHERE)
        if any(connections.is_open for connections in orphans):
            _drop(orphans)

    def let_go(self) -> list[HTTPConnections]:
        """Forget every connection without closing it, and return them: a fork has left them to the parent."""
        dropped = list(self._by_loop.values())
        self._by_loop.clear()
        for connections in dropped:
            connections.leave_gate()
        return dropped


async def _closed(connections: HTTPConnections) -> None:
    await connections.close()
    # Sockets close a turn after their session.
    await asyncio.sleep(0)


def _drop(orphans: list[HTTPConnections]) -> None:
    """Drop connections whose loops were closed before them, without warnings that nobody can heed."""
    # What else is garbage warns as it would.
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        while orphans:
            orphans.pop().forget()
        gc.collect()


def _close_there(
    loop: asyncio.AbstractEventLoop, connections: HTTPConnections, done: Callable[[], None] | None = None
) -> None:
    task = loop.create_task(_closed(connections))
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    if done is not None:
        task.add_done_callback(lambda _: done())


_closing: set[asyncio.Task[None]] = set()


_NOT_TAKEN = frozenset(
    {
        *("accept", "accept-encoding", "authorization", "connection", "content-length", "content-type"),
        *("cookie", "host", "proxy-authorization", "proxy-connection", "transfer-encoding", "user-agent"),
    }
)
"""Default headers of a given session that do not go out: they are the request's own, the client's, or for a
proxy."""


def _taken_over(headers: Mapping[str, str], api: API) -> Mapping[str, str]:
    not_taken = _NOT_TAKEN | {api.key_header.lower()}
    return {name: value for name, value in headers.items() if name.lower() not in not_taken}


def _check_open(session: aiohttp.ClientSession) -> None:
    if session.closed:
        raise ConfigurationError("session: it is closed")


def check_session(session: Any, api: API) -> None:
    """Refuse what is no session, or one whose default is not used and may be meant to matter, or is unsafe.

    Raises:
        ConfigurationError: It is not an open `aiohttp.ClientSession`, it has a default `auth` or a default
            header that is each call's own, or its connector takes anybody's certificate.
    """
    if not isinstance(session, aiohttp.ClientSession):
        raise ConfigurationError(f"session: expected an aiohttp.ClientSession, got {type(session).__name__}")
    _check_open(session)
    if session.auth is not None:
        raise ConfigurationError(
            "session: it has an auth of its own, and the API key takes that header; make it without"
        )
    for name in session.headers:
        if (field := fields_in_headers(api).get(name.lower())) is not None:
            raise ConfigurationError(
                f"session: its default header {name} is each call's own, and would be the same for several"
                f" calls here; make it without, and give {field}= to the call"
            )
    trust = getattr(session.connector, "_ssl", True)
    if trust is False:
        raise ConfigurationError(
            "session: its connector takes anybody's certificate (ssl=False), so that anybody could read the"
            " API key; make it with an ssl.SSLContext that knows whom to trust"
        )
    if isinstance(trust, ssl.SSLContext) and (flaw := flaw_of_context(trust)) is not None:
        raise ConfigurationError(f"session: of its connector, {flaw}")


def _base_headers(settings: Settings) -> dict[str, str]:
    app = "/".join(part for part in settings.app_info or () if part)
    versions = (app, f"Python/{platform.python_version()}", f"aiohttp/{aiohttp.__version__}")
    return {"User-Agent": " ".join(part for part in (f"plexypay/{__version__}", *versions) if part)}


def _proxy_of(session: aiohttp.ClientSession, settings: Settings) -> Proxy | None:
    """Return the proxy of a given session, with its credentials in UTF-8 as everywhere.

    Raises:
        ConfigurationError: It is none, or has credentials that its own encoding cannot write.
    """
    own = getattr(session, "_default_proxy", None)
    if own is None:
        return attrs.evolve(settings, trust_env=True).way if session.trust_env else None
    proxy = checked_proxy(Secret(str(own)), "session: its proxy")
    auth = getattr(session, "_default_proxy_auth", None)
    if proxy is None or auth is None:
        return proxy
    credentials = _credentials(auth)
    if credentials is None:
        raise ConfigurationError(
            f"session: its proxy_auth has a letter that {auth.encoding} does not have; make it with"
            ' encoding="utf-8"'
        )
    return attrs.evolve(proxy, credentials=credentials)


def _credentials(auth: Any) -> Secret[bytes] | None:
    """Return credentials as they are sent; None where their encoding cannot write them."""
    try:
        return Secret(f"{auth.login}:{auth.password}".encode(auth.encoding))
    except UnicodeEncodeError:
        return None
