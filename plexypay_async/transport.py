"""One attempt over HTTP: the only room that knows aiohttp.

An attempt ends in a whole answer, an answer cut in its body, or an error that says whether the request may
have reached the server. There is one session per event loop; it closes with the client, or with its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import platform
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import aiohttp
import attrs
from multidict import CIMultiDict
from yarl import URL

from .deadlines import Deadlines, Watch
from .errors import ConfigurationError, ConnectError, OutcomeUnknownError, PlexyPayError
from .limits import AdaptivePace, JobRetryBudget, ProbeQueue, RateClock
from .resolver import DaemonResolver
from .sending import Body, Outbox, Sending, request_class
from .settings import Settings
from .slots import Slots, loop_of_task
from .version import __version__
from .wire import WireRequest, WireResponse

__all__ = ["Connections", "Transport", "Wire", "is_lasting"]

CLOSING_ELSEWHERE = 5.0
"""Seconds that a loop in another thread gets to close its connections; it may be at something that lasts."""


@attrs.frozen
class Wire:
    """How a client's options reach the transport: the key of each request, and its time-outs."""

    settings: Settings
    timeout: aiohttp.ClientTimeout
    """For a request with a body: its watch counts the silence, at a third of the price of a timer."""
    timeout_of_get: aiohttp.ClientTimeout
    """For a GET: without a body nothing notes when it is written."""
    fixed_headers: CIMultiDict[str] | None = attrs.field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Wire:
        """Prepare what does not change from request to request."""
        connect, read = settings.connect_timeout, settings.read_timeout
        timeout = aiohttp.ClientTimeout(total=None, connect=connect)
        timeout_of_get = aiohttp.ClientTimeout(total=None, connect=connect, sock_read=read)
        key = settings.api_key
        # Of aiohttp's own kind, or it would make one of them for each request.
        fixed_headers = CIMultiDict({"Authorization": key}) if isinstance(key, str) else None
        return cls(settings, timeout, timeout_of_get, fixed_headers)

    def headers(self, further: Mapping[str, str] | None) -> CIMultiDict[str]:
        """Return the headers of one request."""
        fixed = self.fixed_headers
        if fixed is None:
            fixed = CIMultiDict({"Authorization": self.settings.current_key()})
        return fixed if further is None else CIMultiDict({**further, **fixed})


class Connections:
    """One event loop's session, its slots and its deadlines."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession, limit: int, *, owned: bool
    ) -> None:
        self.loop = loop
        self.slots = Slots(loop, limit)
        self.deadlines = Deadlines(loop)
        self.pace = AdaptivePace(limit)
        """How many requests of bulk jobs may be under way at once, as far as the server has shown."""
        self.rate_clock = RateClock()
        self._probes: ProbeQueue | None = None
        self._session = session
        self._outbox = Outbox(loop)
        self._keeper = _kept_open(session, self.deadlines) if owned else None

    def probes(self, budget: JobRetryBudget) -> ProbeQueue:
        """Return the queue of bulk jobs for the client's one retry budget."""
        if self._probes is None:
            self._probes = ProbeQueue(budget, self.loop)
        return self._probes

    async def open(self) -> None:
        """Tie the session to the life of its loop."""
        if self._keeper is not None:
            # Started, the generator is known to the loop, which closes it when it shuts down.
            await anext(self._keeper)

    async def close(self) -> None:
        """Close the session, unless it is the caller's."""
        if self._probes is not None:
            self._probes.close()
        if self._keeper is None:
            self.deadlines.close()
        else:
            with contextlib.suppress(RuntimeError):
                # Its loop may be closing it at this moment.
                await self._keeper.aclose()

    @property
    def is_open(self) -> bool:
        """Whether there is a session to close."""
        return self._keeper is not None and not self._session.closed

    def forget(self) -> None:
        """Leave the session, whose loop is closed, to the garbage collector."""
        self.loop.set_exception_handler(_ignore)
        _open_sessions.pop(self._session, None)

    async def send(self, request: WireRequest, wire: Wire, sending: Sending) -> WireResponse:
        """Send a request once and return its answer.

        Raises:
            ConnectError: Nothing was sent.
            OutcomeUnknownError: It may have been sent, and no status came back.
        """
        method = request.method
        body: Body | None = None
        timeout = wire.timeout
        if method == "GET":
            sending.begun = True
            timeout = wire.timeout_of_get
        else:
            # Without a payload nothing would note the writing, so an empty body is one too.
            body = Body(request.body or b"", sending, self._outbox)
        headers = wire.fixed_headers
        if headers is None or request.headers is not None:
            headers = wire.headers(request.headers)
        failure: tuple[PlexyPayError, BaseException | None]
        handled = sys.exception()
        try:
            response = await self._session.request(
                method,
                _url(wire.settings.base_url + request.target),
                data=body,
                headers=headers,
                skip_auto_headers=None if request.body else _NO_CONTENT_TYPE,
                allow_redirects=False,
                timeout=timeout,
            )
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            failure = _failure(error, request, sending), _bare(error, handled)
        except asyncio.CancelledError:
            if not sending.watch.end_silence():
                raise
            silence = aiohttp.SocketTimeoutError("Timeout on reading data from socket")
            failure = _failure(silence, request, sending), silence
        else:
            key, stream = headers["Authorization"], response.content
            # As a rule all of it is here by now, and aiohttp has given the connection back. A session of the
            # caller's may trace what is read.
            if stream.is_eof() and stream.exception() is None and self._keeper is not None:
                return WireResponse(response.status, stream.read_nowait(), _retry_after(response), key=key)
            return await _read(response, key, sending.watch)
        finally:
            sending.watch.end_silence()
        # Raised outside the handler, so that aiohttp's own error is not its context.
        raise failure[0] from failure[1]


@functools.lru_cache(256)
def _url(text: str) -> URL:
    """Return an address; a URL that is used again keeps the parts that aiohttp asks it for."""
    return URL(text, encoded=True)


_NO_CONTENT_TYPE = ("Content-Type",)
_FIRST_FAILURE = 300


def _retry_after(response: aiohttp.ClientResponse) -> str | None:
    return None if response.status < _FIRST_FAILURE else response.headers.get("Retry-After")


async def _read(response: aiohttp.ClientResponse, key: str, watch: Watch) -> WireResponse:
    status, retry_after = response.status, _retry_after(response)
    try:
        content = await (response.read() if response.content.is_eof() else _heard(response, watch))
    except (aiohttp.ClientError, OSError):
        return WireResponse(status, b"", retry_after, complete=False)
    except asyncio.CancelledError:
        if not watch.end_silence():
            raise
        return WireResponse(status, b"", retry_after, complete=False)
    return WireResponse(status, content, retry_after, key=key)


async def _heard(response: aiohttp.ClientResponse, watch: Watch) -> bytes:
    """Read a body that is still coming, and tell the watch of each part."""
    parts: list[bytes] = []
    try:
        while not response.content.at_eof():
            watch.heard()
            parts.append(await response.content.readany())
    except BaseException:
        response.close()
        raise
    # aiohttp's own read also gives the connection back.
    parts.append(await response.read())
    return b"".join(parts)


# The garbage collector must not meet an open session: it would warn before the keeper could close it.
_open_sessions: dict[aiohttp.ClientSession, asyncio.AbstractEventLoop] = {}


async def _kept_open(session: aiohttp.ClientSession, deadlines: Deadlines) -> AsyncGenerator[None]:
    """Close the session when its client does, when its client is collected, or when its loop shuts down."""
    for other, loop in list(_open_sessions.items()):
        if loop.is_closed():
            _open_sessions.pop(other, None)
    _open_sessions[session] = asyncio.get_running_loop()
    try:
        yield
    finally:
        deadlines.close()
        try:
            await session.close()
        finally:
            _open_sessions.pop(session, None)


class Transport:
    """The connections of a client and of all clients derived from it, for each loop that uses them."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession | None = None) -> None:
        self._settings = settings
        self._session = session
        self._by_loop: dict[asyncio.AbstractEventLoop, Connections] = {}
        self.closed = False

    async def connections(self) -> Connections:
        """Return the running loop's connections, opened at the first call.

        Raises:
            ConfigurationError: The client is closed, a session given belongs to another loop, or the caller
                is no task of asyncio's.
        """
        loop = loop_of_task()
        return self.opened(loop) or await self._open(loop)

    def opened(self, loop: asyncio.AbstractEventLoop) -> Connections | None:
        """Return the running loop's connections, where they are open."""
        return None if self.closed else self._by_loop.get(loop)

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Connections:
        if self.closed:
            raise ConfigurationError("this client is closed")
        for other in [known for known in self._by_loop if known.is_closed()]:
            del self._by_loop[other]
        connections = self._new(loop)
        self._by_loop[loop] = connections
        await connections.open()
        return connections

    def _new(self, loop: asyncio.AbstractEventLoop) -> Connections:
        limit = self._settings.max_connections
        given = self._session
        # Only a loopback base URL may be plain http, and a proxy would take the key elsewhere in clear text.
        plain = self._settings.base_url.startswith("http://")
        if given is None:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=limit, resolver=DaemonResolver()),
                headers=_base_headers(),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._settings.trust_env and not plain,
                request_class=request_class(),
            )
            return Connections(loop, session, limit, owned=True)
        if given.closed:
            raise ConfigurationError("session: it is closed")
        if plain and (given.trust_env or getattr(given, "_default_proxy", None) is not None):
            raise ConfigurationError(
                "session: it has a proxy, and plain http would go through it in clear text"
            )
        connector = given.connector
        # aiohttp offers no public way to ask a session for its loop without a deprecation warning.
        if getattr(connector, "_loop", loop) is not loop:
            raise ConfigurationError("session: it belongs to another event loop; give none to use several")
        if connector is not None and connector.limit:
            limit = min(limit, connector.limit)
        return Connections(loop, given, limit, owned=False)

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
        orphans: list[Connections] = []
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

    def let_go(self) -> list[Connections]:
        """Forget every connection without closing it, and return them: a fork has left them to the parent."""
        dropped = list(self._by_loop.values())
        self._by_loop.clear()
        return dropped


async def _closed(connections: Connections) -> None:
    await connections.close()
    # Sockets close a turn after their session.
    await asyncio.sleep(0)


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    del loop, context


def _drop(orphans: list[Connections]) -> None:
    """Drop connections whose loops were closed before them, without warnings that nobody can heed."""
    # What else is garbage warns as it would.
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        while orphans:
            orphans.pop().forget()
        gc.collect()


def _close_there(
    loop: asyncio.AbstractEventLoop, connections: Connections, done: Callable[[], None] | None = None
) -> None:
    task = loop.create_task(_closed(connections))
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    if done is not None:
        task.add_done_callback(lambda _: done())


_closing: set[asyncio.Task[None]] = set()


def _base_headers() -> dict[str, str]:
    agent = f"plexypay/{__version__} Python/{platform.python_version()} aiohttp/{aiohttp.__version__}"
    return {"User-Agent": agent, "Accept": "application/json"}


def _failure(error: Exception, request: WireRequest, sending: Sending) -> PlexyPayError:
    call = f"{request.method} {request.target}"
    if isinstance(error, RuntimeError):
        # aiohttp raises it before it sends anything: the session or its loop is closed.
        return ConfigurationError(f"{call}: this client, or the session given to it, is closed")
    connecting = isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    # A DELETE or PUT may have been sent before aiohttp connected once more; a GET has no body to tell.
    if not sending.begun or (request.method == "GET" and connecting):
        return ConnectError(f"{call}: no connection: {_told(error)}")
    return OutcomeUnknownError(f"{call}: no answer: {_told(error)}")


def _told(error: BaseException) -> str:
    # The request that a ClientResponseError shows has the key in its headers.
    # Its message goes on with what the server sent, which may be the key again.
    text = str(error)
    if isinstance(error, aiohttp.ClientResponseError):
        text = error.message.partition(":")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _bare(error: BaseException, handled: BaseException | None) -> BaseException | None:
    """Return an error as a cause that shows no frame of aiohttp's, whose locals hold the API key.

    What the caller was handling when it made the call is the caller's, and keeps its frames.
    """
    if isinstance(error, aiohttp.ClientResponseError):
        return None
    seen: BaseException | None = error
    while seen is not None and seen is not handled:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error


def is_lasting(error: ConnectError) -> bool:
    """Tell whether trying again cannot help: the server's certificate does not prove who it is."""
    return isinstance(error.__cause__, aiohttp.ClientConnectorCertificateError)
