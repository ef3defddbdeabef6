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
from contextvars import ContextVar
from typing import Any

import aiohttp
import attrs
from multidict import CIMultiDict
from yarl import URL

from .._core.deadlines import Deadlines
from .._core.limits import AdaptivePace, JobRetryBudget, ProbeQueue, RateClock
from .._core.sending import Sending
from .._core.slots import Slots, loop_of_task
from .._foreign import bare, is_of_the_caller, shows_password
from .._privacy.hiding import masked_card_numbers, shortened, without_userinfo
from .._privacy.secret import Secret
from .._version import SANDBOX_HEADER, __version__
from .._wire.wire import COUNTED_FROM, MOST_VALUES, WireRequest, WireResponse, seconds_kept, values_in
from ..errors import (
    ConfigurationError,
    ConnectError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    UnreadableResponseError,
)
from ..settings import Settings
from .guard import SENDING, Body, GuardedRequest, StaleConnectionError
from .outbox import Outbox
from .resolver import DaemonResolver

__all__ = ["Connections", "RequestOptions", "Transport", "check_session"]

LOOK_AFTER = 0.1
"""Seconds without an answer on any connection after which one is looked at before it is used: a loop that was
busy has not read yet that the server closed it. What must not be repeated looks each time."""
CLOSING_ELSEWHERE = 5.0
"""Seconds that a loop in another thread gets to close its connections; it may be at something that lasts."""


@attrs.frozen
class RequestOptions:
    """How a client's options reach the transport: the key of each request, and its time-outs."""

    settings: Settings
    timeout: aiohttp.ClientTimeout
    """For a request with a body: its watch counts the silence, at a third of the price of a timer."""
    timeout_of_get: aiohttp.ClientTimeout
    """For a GET: without a body nothing notes when it is written."""
    fixed: tuple[Secret[str], Callable[[], CIMultiDict[str]]] | None = attrs.field(repr=False)
    """The key, and what gives the headers with it and hides them as a `Secret` does; None where a function
    gives the key anew for each request."""
    looked_at: int
    """Bytes from which on an answer is looked at: it may be too large, or unfold too far."""

    @classmethod
    def of(cls, settings: Settings) -> RequestOptions:
        """Prepare what does not change from request to request."""
        connect, read = settings.connect_timeout, settings.read_timeout
        timeout = aiohttp.ClientTimeout(total=None, connect=connect)
        timeout_of_get = aiohttp.ClientTimeout(total=None, connect=connect, sock_read=read)
        key = settings.api_key
        fixed = None if callable(key) else (key, _headers_of(key))
        return cls(
            settings, timeout, timeout_of_get, fixed, min(settings.max_response_size + 1, COUNTED_FROM)
        )


def _headers_of(key: Secret[str], further: Mapping[str, str] | None = None) -> Callable[[], CIMultiDict[str]]:
    # Of aiohttp's own kind, or it would make one of them for each request.
    headers = CIMultiDict({**(further or {}), "Authorization": key.reveal()})
    return lambda: headers


class Connections:
    """One event loop's session, its slots and its deadlines."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        session: aiohttp.ClientSession,
        limit: int,
        given: aiohttp.ClientSession | None = None,
    ) -> None:
        self.loop = loop
        self.slots = Slots(loop, limit)
        self.deadlines = Deadlines(loop)
        self.pace = AdaptivePace(limit)
        """How many requests of bulk jobs may be under way at once, as far as the server has shown."""
        self.rate_clock = RateClock()
        self._probes: ProbeQueue | None = None
        self.heard_at = loop.time()
        """When a request was last sent that was answered: the loop has read all connections since then."""
        self.is_sandbox: bool | None = None
        """Whether the server is a sandbox; None before its first answer."""
        self._session = session
        self._given = given
        self._is_plain = given is None and not session.trace_configs
        """Whether nothing but the library sees its requests and answers."""
        # So many connections of the pool may turn out to be of no use, one after the other.
        self._most_stale = (0 if session.connector is None else session.connector.limit) or 100
        self._outbox = Outbox.where_it_helps(loop) if self._is_plain and not session.trust_env else None
        self._keeper = _kept_open(session, self.deadlines)

    def probes(self, budget: JobRetryBudget) -> ProbeQueue:
        """Return the queue of bulk jobs for the client's one retry budget."""
        if self._probes is None:
            self._probes = ProbeQueue(budget, self.loop)
        return self._probes

    async def open(self) -> None:
        """Tie the session to the life of its loop."""
        # Started, the generator is known to the loop, which closes it when it shuts down.
        await anext(self._keeper)

    async def close(self) -> None:
        """Close the session; a connector of the caller's stays open."""
        if self._probes is not None:
            self._probes.close()
        with contextlib.suppress(RuntimeError):
            # Its loop may be closing it at this moment.
            await self._keeper.aclose()

    @property
    def is_open(self) -> bool:
        """Whether there is a session to close."""
        return not self._session.closed

    @property
    def _is_closed(self) -> bool:
        return (
            self.loop.is_closed() or self._session.closed or (self._given is not None and self._given.closed)
        )

    def forget(self) -> None:
        """Leave the session, whose loop is closed, to the garbage collector."""
        self.loop.set_exception_handler(_ignore)
        _open_sessions.pop(self._session, None)

    async def send(
        self, request: WireRequest, options: RequestOptions, sending: Sending
    ) -> WireResponse | PlexyPayError:
        """Send a request once and return its answer, or the error that says what became of it.

        Raises:
            ConfigurationError: The function that gives the key has raised, or gave no key.
        """
        timeout, body = options.timeout, None
        if request.method == "GET":
            sending.begun = True
            timeout = options.timeout_of_get
            SENDING.set(sending)
        else:
            # Without a payload nothing would note the writing, so an empty body is one too.
            body = Body(request.body or b"", sending, self._outbox)
            if self.loop.time() - self.heard_at > LOOK_AFTER:
                sending.look = True
        settings = options.settings
        if options.fixed is None or request.headers is not None:
            key = settings.current_key()
            headers = _headers_of(key, request.headers)
        else:
            key, headers = options.fixed
        if self._given is not None:
            # A middleware of the caller's may change both the body and the headers.
            SENDING.set(sending)
            _key_of_request.set(headers)
        handled = sys.exception()
        response: aiohttp.ClientResponse | None = None
        try:
            stale = 0
            while True:
                try:
                    # Not by `request`, whose context manager takes as long as a header.
                    response = await self._session._request(  # pyright: ignore[reportPrivateUsage]
                        request.method,
                        _url(settings.base_url + request.target),
                        data=body,
                        headers=headers(),
                        skip_auto_headers=None if request.body else _NO_CONTENT_TYPE,
                        allow_redirects=False,
                        timeout=timeout,
                    )
                    break
                except StaleConnectionError:
                    # Nothing was sent, and the pool has one connection less.
                    stale += 1
                    if stale > self._most_stale:
                        raise
            if self.is_sandbox is None:
                self.is_sandbox = SANDBOX_HEADER in response.headers
            stream = response.content
            # As a rule all of it is here by now, and aiohttp has given the connection back.
            if stream.is_eof() and stream.exception() is None:
                # A middleware may have read it, and a tracer wants to be told.
                content = stream.read_nowait() if self._is_plain else await response.read()
                if (memory := sending.memory) is not None:
                    memory.answers.append((request.target, content))
                    if memory.kept_for is None:
                        memory.kept_for = seconds_kept(response.headers.get("Keep-Alive", ""))
            else:
                content = await _read(response, sending, settings.max_response_size)
        except asyncio.CancelledError:
            if not sending.watch.end_silence():
                if response is not None:
                    response.close()
                raise
            silence: aiohttp.ClientError = aiohttp.SocketTimeoutError("Timeout on reading data from socket")
            if self._is_closed:
                silence = aiohttp.ClientConnectionError("the client was closed")
            return self._broken(silence, request, sending, response, key, handled)
        except Exception as error:  # noqa: BLE001 - hooks and middlewares may raise anything
            return self._broken(error, request, sending, response, key, handled)
        finally:
            sending.watch.end_silence()
        if sending.written_at is not None:
            self.heard_at = sending.written_at
        answer = WireResponse(response.status, content, response.headers, key=key)
        return (
            answer
            if len(content) < options.looked_at
            else _looked_at(answer, request, settings.max_response_size)
        )

    def _broken(
        self,
        error: BaseException,
        request: WireRequest,
        sending: Sending,
        response: aiohttp.ClientResponse | None,
        key: Secret[str],
        handled: BaseException | None,
    ) -> WireResponse | PlexyPayError:
        """Return what became of an attempt that ended in an exception: whoever raised it, and wherever."""
        seen = sending.response if response is None else response
        cause = _shown(error, handled)
        if seen is not None and seen.status:
            # A hook or a middleware may have raised after the answer had come.
            stream = seen.content
            whole = stream.is_eof() and stream.exception() is None
            content = b"".join(sending.parts or ()) or getattr(seen, "_body", None) or b""
            if not content:
                # What a broken stream holds it gives to nobody; whether it began as a success is to be told.
                content = stream.read_nowait() if whole else b"".join(getattr(stream, "_buffer", ()))
            if not seen.closed:
                seen.close()
            answer = WireResponse(seen.status, content, seen.headers, key=key)
            answer.complete, answer.cause = whole, cause
            return _looked_at(answer, request, len(content))
        failure = self._failure(error, request, sending)
        failure.__cause__ = cause
        failure.lasting = _is_lasting(failure, error)
        return failure

    def _failure(self, error: BaseException, request: WireRequest, sending: Sending) -> PlexyPayError:
        call = f"{request.method} {_shown_target(request)}"
        if self._is_closed and (not sending.begun or request.method == "GET"):
            return ConfigurationError(f"{call}: this client, or the session given to it, is closed")
        connecting = isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
        # A DELETE or PUT may have been sent before aiohttp connected once more; a GET has no body to tell.
        if not sending.begun or (request.method == "GET" and connecting):
            return ConnectError(f"{call}: no connection: {_told(error)}")
        return OutcomeUnknownError(f"{call}: no answer: {_told(error)}")


@functools.lru_cache(256)
def _url(text: str) -> URL:
    """Return an address; a URL that is used again keeps the parts that aiohttp asks it for."""
    return URL(text, encoded=True)


_NO_CONTENT_TYPE = ("Content-Type",)


async def _read(response: aiohttp.ClientResponse, sending: Sending, most: int) -> bytes:
    """Read a body that is still coming, and tell the watch of each part; end at one that is too large."""
    content, size = response.content, 0
    parts = sending.parts = list[bytes]()
    while not content.at_eof():
        sending.watch.heard()
        part = await content.readany()
        size += len(part)
        parts.append(part)
        if size > most:
            response.close()
            return b"".join(parts)
    # aiohttp's own read tells tracers of the end, and waits for the writer.
    await response.read()
    return b"".join(parts)


def _looked_at(
    answer: WireResponse, request: WireRequest, most: int
) -> WireResponse | UnreadableResponseError:
    """Return an answer, or the error of one that is too large, or would be when it is read as JSON."""
    body = answer.body
    if len(body) > most:
        told = f"the answer is larger than {most} bytes; max_response_size allows for more"
        return _too_large(told, answer.status, request)
    if not answer.is_success or len(body) < COUNTED_FROM or values_in(body) <= MOST_VALUES:
        return answer
    return _too_large(f"the answer has more than {MOST_VALUES} values", answer.status, request)


def _shown_target(request: WireRequest) -> str:
    return shortened(masked_card_numbers(request.target), 300)


def _too_large(told: str, status: int, request: WireRequest) -> UnreadableResponseError:
    return UnreadableResponseError(
        f"{_shown_target(request)}: {told}", status=status, outcome=Outcome.UNKNOWN
    )


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
        if session is not None:
            check_session(session)
        self._settings = settings
        self._session = session
        self._by_loop: dict[asyncio.AbstractEventLoop, Connections] = {}
        self.closed = False

    @property
    def is_sandbox(self) -> bool | None:
        """Whether the server is a sandbox; None before the first answer."""
        told = [connections.is_sandbox for connections in self._by_loop.values()]
        return next((answer for answer in told if answer is not None), None)

    async def connections(self) -> Connections:
        """Return the running loop's connections, opened at the first call.

        Raises:
            ConfigurationError: The client is closed, a session given belongs to another loop, or the caller
                is no task of asyncio's.
        """
        loop = loop_of_task()
        return self.opened(loop) or await self._open(loop)

    def options(self, settings: Settings) -> RequestOptions:
        """Prepare what a client's settings mean for each request."""
        return RequestOptions.of(settings)

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
        settings, given = self._settings, self._session
        limit = settings.max_connections
        # Only a loopback base URL may be plain http, and a proxy would take the key elsewhere in clear text.
        plain = settings.base_url.startswith("http://")
        if given is None:
            connector: aiohttp.BaseConnector = aiohttp.TCPConnector(
                limit=limit,
                resolver=DaemonResolver(),
                keepalive_timeout=settings.keepalive_timeout or None,
                force_close=not settings.keepalive_timeout,
            )
            return Connections(
                loop, self._session_over(connector, trust_env=settings.trust_env and not plain), limit
            )
        _check_open(given)
        if plain and (given.trust_env or getattr(given, "_default_proxy", None) is not None):
            raise ConfigurationError(
                "session: it has a proxy, and plain http would go through it in clear text"
            )
        shared = given.connector
        # aiohttp offers no public way to ask a session for its loop without a deprecation warning.
        if shared is None or getattr(shared, "_loop", loop) is not loop:
            raise ConfigurationError("session: it belongs to another event loop; give none to use several")
        if shared.limit:
            limit = min(limit, shared.limit)
        session = self._session_over(
            shared,
            trust_env=given.trust_env,
            headers=given.headers,
            trace_configs=given.trace_configs,
            # The last one is the nearest to the wire.
            middlewares=(*getattr(given, "_middlewares", ()), _with_the_own_key),
            proxy=getattr(given, "_default_proxy", None),
            connector_owner=False,
        )
        return Connections(loop, session, limit, given)

    def _session_over(
        self,
        connector: aiohttp.BaseConnector,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> aiohttp.ClientSession:
        """Return a session whose defaults are what the library needs, whoever made its connector."""
        own = {name: value for name, value in (headers or {}).items() if name.lower() not in _NOT_TAKEN}
        return aiohttp.ClientSession(
            connector=connector,
            headers={**own, **_base_headers()},
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=GuardedRequest,
            max_line_size=self._settings.max_header_size,
            max_field_size=self._settings.max_header_size,
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


_NOT_TAKEN = frozenset(
    {
        *("accept", "accept-encoding", "authorization", "connection", "content-length", "content-type"),
        *("cookie", "host", "transfer-encoding", "user-agent"),
    }
)
"""Default headers of a given session that do not go out: they are the request's own, or the client's."""


_key_of_request: ContextVar[Callable[[], CIMultiDict[str]]] = ContextVar("plexypay_key_of_request")


async def _with_the_own_key(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send the client's own key, whatever a tracer or a middleware has made of the headers."""
    request.headers["Authorization"] = _key_of_request.get()()["Authorization"]
    request.headers.pop("Cookie", None)
    return await handler(request)


def _check_open(session: aiohttp.ClientSession) -> None:
    if session.closed:
        raise ConfigurationError("session: it is closed")


def check_session(session: Any) -> None:
    """Refuse what is no session, or one with a default that is not used and may be meant to matter.

    Raises:
        ConfigurationError: It is not an open `aiohttp.ClientSession`, or it has a default `auth`.
    """
    if not isinstance(session, aiohttp.ClientSession):
        raise ConfigurationError(f"session: expected an aiohttp.ClientSession, got {type(session).__name__}")
    _check_open(session)
    if session.auth is not None:
        raise ConfigurationError(
            "session: it has an auth of its own, and the API key takes that header; make it without"
        )


def _base_headers() -> dict[str, str]:
    agent = f"plexypay/{__version__} Python/{platform.python_version()} aiohttp/{aiohttp.__version__}"
    return {"User-Agent": agent}


def _told(error: BaseException) -> str:
    # The request that a ClientResponseError shows has the key in its headers.
    # Its message goes on with what the server sent, which may be the key again.
    text = str(error)
    if isinstance(error, aiohttp.ClientResponseError):
        text = error.message.partition(":")[0]
    if isinstance(error, aiohttp.InvalidURL) and "@" in text:
        # Of a proxy, and its password may hold anything.
        text = f"[hidden]@{text.rpartition('@')[2]}"
    text = masked_card_numbers(without_userinfo(text))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _shown(error: BaseException, handled: BaseException | None) -> BaseException | None:
    """Return an error as a cause; none of a ClientResponseError, which shows the headers of the request.

    What holds the password of a proxy is stood in for by an error that has its name and its masked text.
    """
    if isinstance(error, aiohttp.ClientResponseError):
        return None
    bare(error, handled)
    is_of_a_proxy = isinstance(error, aiohttp.InvalidURL) and "@" in str(error)
    if not is_of_a_proxy and not shows_password(error, handled):
        return error
    # It is asked later whether the attempt ended in silence.
    return TimeoutError(_told(error)) if isinstance(error, TimeoutError) else ConnectionError(_told(error))


def _is_lasting(failure: PlexyPayError, error: BaseException) -> bool:
    """Tell whether trying again cannot help after an exception that has ended an attempt.

    The server's certificate does not prove who it is, or what raised is no matter of the network: a hook or
    a middleware of the caller's, before the request was sent or after it.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return True
    if isinstance(error, (aiohttp.ClientError, OSError)):
        return False
    return isinstance(failure, ConnectError) or is_of_the_caller(error)
