"""One event loop's connections, and one attempt on them.

An attempt ends in a whole answer, an answer cut in its body, or an error that says whether the request may
have reached the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import Any, TypeAlias

import aiohttp
import attrs
from multidict import CIMultiDict
from yarl import URL

from .._core.concurrency import AdaptiveLimit, FixedLimit, Hold, RateClock
from .._core.deadlines import Deadlines
from .._core.outage_gate import OutageGate
from .._core.retry_budget import JobRetryBudget, ProbeQueue, RetryBudget
from .._core.sending import ConnectionMemory, Sending
from .._core.slots import Slots
from .._privacy.secret import Secret
from .._version import SANDBOX_HEADER
from .._wire.messages import COUNTED_FROM, WireRequest, WireResponse, seconds_kept
from ..errors import PlexyPayError
from ..network import Proxy, merged_headers
from ..settings import Settings
from .body import Body
from .direct import LARGEST_AT_ONCE, METHODS, AnyResponse, DirectRequests, Head
from .failures import failed, looked_at
from .guard import SENDING, StaleConnectionError

__all__ = ["HTTPConnections", "RequestOptions", "with_the_own_key"]

Address: TypeAlias = tuple[URL, bytes | None]
"""A URL, and its path and query as they are written; None where that is left to aiohttp."""
MOST_ADDRESSES = 256
"""So many addresses are kept of a client: those with an id in them are many."""
MOST_REMEMBERED = 2**18
"""Bytes of an answer that is remembered, to be known if it is sent again: as many as are read at once."""
LOOK_AFTER = 0.1
"""Seconds without an answer on any connection after which one is looked at before it is used: a loop that was
busy has not read yet that the server closed it. What must not be repeated looks each time."""


@attrs.frozen(eq=False, repr=False)
class RequestOptions:
    """How a client's options reach the transport: the key of each request, and its time-outs."""

    settings: Settings
    timeout: aiohttp.ClientTimeout
    """For a request with a body: its watch counts the silence, at a third of the price of a timer."""
    timeout_of_get: aiohttp.ClientTimeout
    """For a GET: without a body nothing notes when it is written."""
    default_headers: Mapping[str, str] | None = attrs.field(repr=False)
    """Those of the client, and of a session that was given to it."""
    fixed: tuple[Secret[str], Callable[[], CIMultiDict[str]]] | None = attrs.field(repr=False)
    """The key, and what gives the headers with it and hides them as a `Secret` does; None where a function
    gives the key anew for each request."""
    looked_at: int
    """Bytes from which on an answer is looked at: it may be too large, or unfold too far."""
    addresses: dict[str, Address] = attrs.field(factory=dict[str, Address], repr=False)
    """Addresses by their targets: a URL that is used again keeps the parts that aiohttp asks it for."""
    heads: dict[tuple[str, bool], Head] = attrs.field(factory=dict[tuple[str, bool], Head], repr=False)
    """The heads of direct requests, by method and by whether they have a body."""

    def address(self, target: str) -> Address:
        """Return an address, and keep it for a while."""
        if len(self.addresses) >= MOST_ADDRESSES:
            self.addresses.clear()
        url = URL(self.settings.base_url + target, encoded=True)
        written = url.raw_path_qs
        # What is not to be written as it is, aiohttp quotes or refuses.
        is_plain = written.isascii() and written.isprintable() and " " not in written
        address = self.addresses[target] = url, written.encode() if is_plain else None
        return address

    @classmethod
    def of(cls, settings: Settings, taken: Mapping[str, str] | None = None) -> RequestOptions:
        """Prepare what does not change from request to request; `taken` are headers of a given session."""
        connect, read = settings.connect_timeout, settings.read_timeout
        timeout = aiohttp.ClientTimeout(total=None, connect=connect)
        timeout_of_get = aiohttp.ClientTimeout(total=None, connect=connect, sock_read=read)
        key = settings.api_key
        # A session's own default headers would go to a proxy too.
        default_headers = merged_headers(taken, settings.default_headers)
        fixed = None if callable(key) else (key, headers_of(key, settings.api.key_header, default_headers))
        looked_at = min(settings.max_response_size + 1, COUNTED_FROM)
        return cls(settings, timeout, timeout_of_get, default_headers, fixed, looked_at)


def headers_of(
    key: Secret[str], key_header: str, further: Mapping[str, str] | None = None
) -> Callable[[], CIMultiDict[str]]:
    # Of aiohttp's own kind, or it would make one of them for each request.
    headers = CIMultiDict({**(further or {}), key_header: key.reveal()})
    return lambda: headers


def _headers_to(proxy: Proxy) -> Callable[[], CIMultiDict[str]] | None:
    """Return what gives the headers that a proxy alone gets, and hides them as a `Secret` does."""
    authorization = proxy.authorization
    if authorization is None:
        return None
    headers = CIMultiDict({"Proxy-Authorization": authorization.reveal()})
    return lambda: headers


class HTTPConnections:
    """One event loop's session, its slots and its deadlines."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        session: aiohttp.ClientSession,
        limit: int,
        given: aiohttp.ClientSession | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self.loop = loop
        self.slots = Slots(loop, limit)
        self.deadlines = Deadlines(loop)
        self._hold = Hold()
        self.concurrency_limit = AdaptiveLimit(limit, hold=self._hold)
        """How many requests of bulk jobs may be under way at once, as far as the server has shown."""
        self.fixed_limit = FixedLimit(self._hold)
        """What bulk jobs with a concurrency of their own go by."""
        self.rate_clock = RateClock()
        self._probes: ProbeQueue | None = None
        self._gate: OutageGate | None = None
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
        self._direct = DirectRequests.where_it_helps(session) if self._is_plain and proxy is None else None
        self._proxy = None if proxy is None else _address_of(proxy)
        """What messages call the proxy, if there is one."""
        # By each request: aiohttp would write a password that is in the proxy's address in Latin-1 alone.
        self._headers_to_proxy = None if proxy is None else _headers_to(proxy)
        self._keeper = _kept_open(session, self.deadlines)

    def probes(self, budget: JobRetryBudget) -> ProbeQueue:
        """Return the queue of bulk jobs for the client's one retry budget."""
        if self._probes is None:
            self._probes = ProbeQueue(budget, self.loop)
        return self._probes

    def gate(self, budget: RetryBudget) -> OutageGate:
        """Return the gate of single calls, for the client's one retry budget."""
        if self._gate is None:
            self._gate = OutageGate(budget, self.slots, self.loop)
        return self._gate

    async def open(self) -> None:
        """Tie the session to the life of its loop."""
        # Started, the generator is known to the loop, which closes it when it shuts down.
        await anext(self._keeper)

    async def close(self) -> None:
        """Close the session; a connector of the caller's stays open."""
        if self._probes is not None:
            self._probes.close()
        if self._gate is not None:
            self._gate.close()
        self.rate_clock.close()
        self._hold.close()
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

    def leave_gate(self) -> None:
        """Let nobody look after those that wait at the gate: a fork has left them to the parent."""
        if self._gate is not None:
            self._gate.abandon()

    def forget(self) -> None:
        """Leave the session, whose loop is closed, to the garbage collector."""
        self.loop.set_exception_handler(_ignore)
        _open_sessions.pop(self._session, None)

    async def send(
        self, request: WireRequest, options: RequestOptions, sending: Sending
    ) -> WireResponse | PlexyPayError:
        """Send a request once and return its answer, or the error that says what became of it.

        Args:
            request: What is asked.
            options: What the client's settings mean for it.
            sending: What will be known of the attempt.

        Raises:
            ConfigurationError: The function that gives the key has raised, or gave no key.
        """
        handled, stale = sys.exception(), 0
        while True:
            key, headers = _key_and_headers(request, options)
            response, content = None, b""
            try:
                response = await self._answering(request, options, sending, key, headers)
                stream = response.content
                # As a rule all of it is here by now, and aiohttp has given the connection back.
                if stream.is_eof() and stream.exception() is None:
                    # A middleware may have read it, and a tracer wants to be told.
                    content = stream.read_nowait() if self._is_plain else await response.read()
                else:
                    content = await _read(response, sending, options.settings.max_response_size)
                if response.status < _FINAL:
                    # The server has changed the protocol, which nobody asked for.
                    response.close()
                if sending.memory is not None:
                    _remember(sending.memory, request, response, content, sending)
            except BaseException as error:  # noqa: BLE001 - hooks and middlewares may raise anything
                # Nothing was sent on a stale one, and the pool has one connection less.
                if type(error) is not StaleConnectionError or stale >= self._most_stale:
                    return self._failed(error, request, sending, response, key, handled)
                stale += 1
            finally:
                sending.watch.end_silence()
            if response is not None:
                break
        if sending.written_at is not None:
            self.heard_at = sending.written_at
        if self.is_sandbox is None:
            self.is_sandbox = SANDBOX_HEADER in response.headers
        answer = WireResponse(response.status, content, response.headers, key)
        if len(content) < options.looked_at:
            return answer
        return looked_at(answer, request, options.settings.max_response_size)

    def _answering(
        self,
        request: WireRequest,
        options: RequestOptions,
        sending: Sending,
        key: Secret[str],
        headers: Callable[[], CIMultiDict[str]],
    ) -> Coroutine[Any, Any, AnyResponse]:
        """Return what sends a request and gives the response."""
        direct, method, body = self._direct, request.method, request.body or b""
        reads = method == "GET"
        if reads:
            sending.begun = True
        elif self.loop.time() - self.heard_at > LOOK_AFTER:
            sending.look = True
        url, target = options.addresses.get(request.target) or options.address(request.target)
        if (
            direct is None
            or target is None
            or method not in METHODS
            or len(body) > LARGEST_AT_ONCE
            or not direct.are_possible()
        ):
            return self._by_aiohttp(request, options, sending, headers, url)
        named = method, body != b""
        head = options.heads.get(named) if request.headers is None else None
        if head is None or head.key != key:
            head = direct.head(method, url, key, headers, has_body=body != b"")
            if request.headers is None:
                options.heads[named] = head
        if reads:
            return direct.read(head, target, sending, options.timeout)
        return direct.answer(head, target, body, sending, options.timeout)

    def _by_aiohttp(
        self,
        request: WireRequest,
        options: RequestOptions,
        sending: Sending,
        headers: Callable[[], CIMultiDict[str]],
        url: URL,
    ) -> Coroutine[Any, Any, aiohttp.ClientResponse]:
        """Return what gives aiohttp's response."""
        timeout, body = options.timeout, None
        if request.method == "GET":
            timeout = options.timeout_of_get
            SENDING.set(sending)
        else:
            # Without a payload nothing would note the writing, so an empty body is one too.
            body = Body(request.body or b"", sending)
        if self._given is not None:
            # A middleware of the caller's may change both the body and the headers.
            SENDING.set(sending)
            KEY_OF_REQUEST.set((options.settings.api.key_header, headers))
        # Not by `request`, whose context manager takes as long as a header.
        return self._session._request(  # pyright: ignore[reportPrivateUsage]
            request.method,
            url,
            data=body,
            headers=headers(),
            skip_auto_headers=None if request.body else _NO_CONTENT_TYPE,
            allow_redirects=False,
            timeout=timeout,
            proxy_headers=None if self._headers_to_proxy is None else self._headers_to_proxy(),
        )

    def _failed(
        self,
        error: BaseException,
        request: WireRequest,
        sending: Sending,
        response: AnyResponse | None,
        key: Secret[str],
        handled: BaseException | None,
    ) -> WireResponse | PlexyPayError:
        """Return what became of an attempt that ended in an exception.

        Raises:
            BaseException: It is none of an attempt's, as when the caller cancels the call.
        """
        # aiohttp may have given it back already, and what comes on it may be of this request still.
        sending.drop_connection()
        if isinstance(error, asyncio.CancelledError):
            if not sending.watch.end_silence():
                if response is not None:
                    response.close()
                raise error
            error = aiohttp.SocketTimeoutError("Timeout on reading data from socket")
            if self._is_closed:
                error = aiohttp.ClientConnectionError("the client was closed")
        elif not isinstance(error, Exception):
            raise error
        return failed(
            error,
            request,
            sending,
            response,
            key=key,
            handled=handled,
            is_closed=self._is_closed,
            proxy=self._proxy,
        )


def _remember(
    memory: ConnectionMemory, request: WireRequest, response: AnyResponse, content: bytes, sending: Sending
) -> None:
    """Remember an answer, by which the same one is known if it comes again on its connection."""
    told = response.headers
    if len(content) <= MOST_REMEMBERED:
        if response.status < _REDIRECTS and memory.has_had(content, told):
            # It may be that one, sent again: its own would be taken for that to the next one.
            sending.drop_connection()
        memory.answers.append((request.target, content, told, request.headers))
    if memory.kept_for is None:
        memory.kept_for = seconds_kept(told.get("Keep-Alive", ""))


def _key_and_headers(
    request: WireRequest, options: RequestOptions
) -> tuple[Secret[str], Callable[[], CIMultiDict[str]]]:
    """Return the API key to send, and what gives the headers with it.

    Raises:
        ConfigurationError: The function that gives the key has raised, or gave no key.
    """
    if options.fixed is not None and request.headers is None:
        return options.fixed
    key = options.settings.current_key()
    further = merged_headers(options.default_headers, request.headers)
    return key, headers_of(key, options.settings.api.key_header, further)


def _address_of(proxy: Proxy) -> str:
    """Return a proxy as messages call it."""
    url = URL(proxy.url)
    return f"the proxy {url.host_subcomponent}:{url.port}"


_NO_CONTENT_TYPE = ("Content-Type",)
_FINAL = 200
"""Statuses below tell of no answer."""
_REDIRECTS = 300
"""Statuses from here on are no success; what names no request then is left to rest, or dropped."""


async def _read(response: AnyResponse, sending: Sending, most: int) -> bytes:
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


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    del loop, context


KEY_OF_REQUEST: ContextVar[tuple[str, Callable[[], CIMultiDict[str]]]] = ContextVar("plexypayKEY_OF_REQUEST")


async def with_the_own_key(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send the client's own key, whatever a tracer or a middleware has made of the headers."""
    key_header, headers = KEY_OF_REQUEST.get()
    request.headers[key_header] = headers()[key_header]
    request.headers.pop("Cookie", None)
    return await handler(request)
