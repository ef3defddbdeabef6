"""A request in the steps that it takes and no more.

aiohttp finds everything out for each request anew: its headers, its address, its cookies, whether it may be
redirected, who looks on. The requests of a client differ in their targets and lengths alone, so the headers
that aiohttp writes are kept. A request is then a connection of aiohttp's, one write, and an answer that
aiohttp's parser reads: a whole create takes two thirds of the time.

An optimisation alone. What goes through a proxy or on a session of the caller's, what is large, and PUT and
DELETE are aiohttp's work, and so is everything where aiohttp is built otherwise than what stands here, or
something has been put around it.
"""

# What it uses of aiohttp is private, and so looked at before: see `is_built_as_needed`.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
import types
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import aiohttp
from aiohttp import client_proto, hdrs, helpers, http_exceptions, http_writer
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from .._core.sending import Sending
from .._privacy.secret import Secret
from .body import CONTENT_TYPE
from .guard import GuardedRequest, StaleConnectionError, checked

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection

__all__ = [
    "LARGEST_AT_ONCE",
    "METHODS",
    "AnyResponse",
    "DirectRequests",
    "DirectResponse",
    "Head",
    "is_built_as_needed",
]

METHODS = frozenset({"GET", "POST", "PATCH"})
"""Those that go out so. The others aiohttp may send twice by itself, and knows how that is told."""
LARGEST_AT_ONCE = 2**15
"""So many bytes are written without waiting for the connection to take them: half of what it holds back."""
_INFORMATIONAL, _SWITCHING = range(100, 200), 101
_STEPS: dict[tuple[str, str], int] = {
    ("ClientSession", "_request"): 0xFC220AF2,
    ("ClientRequest", "send"): 0xA3511757,
    ("ClientRequest", "write_bytes"): 0x04D68C39,
    ("ClientResponse", "start"): 0x82CB2870,
    ("TCPConnector", "connect"): 0x8D9AC03B,
    ("TCPConnector", "_get"): 0xF2BD59A3,
}
"""The steps of aiohttp's that a direct request takes by itself, each with a checksum of the names that it
uses."""


def _passed_by() -> tuple[Any, ...]:
    """Return the methods of aiohttp that are not called for a direct request, or once for many."""
    session, request, response = aiohttp.ClientSession, aiohttp.ClientRequest, aiohttp.ClientResponse
    return (
        session._request,
        session._prepare_headers,
        session._build_url,
        request.__init__,
        request.update_headers,
        request.update_auto_headers,
        request.update_body_from_data,
        request.send,
        request.write_bytes,
        response.__init__,
        response.start,
        response.read,
        aiohttp.TCPConnector.connect,
        aiohttp.TCPConnector._get,
        http_writer.StreamWriter.write_headers,
    )


def _loaded() -> tuple[Any, ...]:
    try:
        return _passed_by()
    except AttributeError:
        return (None,)


_AS_LOADED = _loaded()
"""Those methods as they were when this was loaded: where something has been put around one of them since, it
is to be called."""


class Head:
    """The head of a client's requests of one method, but for their targets and the lengths of bodies."""

    __slots__ = ("connection_key", "key", "of", "origin", "reads")

    def __init__(
        self,
        key: Secret[str],
        origin: URL,
        connection_key: ConnectionKey,
        of: Callable[[bytes, int], bytes],
        *,
        reads: bool,
    ) -> None:
        self.reads = reads
        """Whether they are GETs."""
        self.key = key
        """The API key that stands in it."""
        self.origin = origin
        """Where they go, without a path."""
        self.connection_key = connection_key
        """By which aiohttp keeps the connections to there."""
        self.of = of
        """Gives it for a target and a body of so many bytes, and hides the API key as a `Secret` does."""


class DirectResponse:
    """An answer of which the head has come, with what is needed of a response of aiohttp's."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(self, connection: Connection, message: Any, payload: aiohttp.StreamReader) -> None:
        self._connection: Connection | None = connection
        self.status: int = message.code
        self.headers: CIMultiDictProxy[str] = message.headers
        self.content = payload
        if self.status != _SWITCHING:
            payload.on_eof(self._give_back)

    def _give_back(self) -> None:
        """Give the connection back to the pool: all of the body is here."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    @property
    def closed(self) -> bool:
        """Whether the connection is given back or given up."""
        return self._connection is None

    def close(self) -> None:
        """Give the connection up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def read(self) -> bytes:
        """Do nothing at the body's end: the request is written, and nobody wants to be told."""
        return b""


AnyResponse: TypeAlias = aiohttp.ClientResponse | DirectResponse


class DirectRequests:
    """The requests of one session that go out directly, on connections that aiohttp opens and keeps.

    Args:
        session: A session that nobody traces, without a proxy and without middlewares.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        connector: Any = session.connector
        self._session = session
        self._connector: aiohttp.BaseConnector = connector
        self._loop = session._loop
        self._idle_connection = connector._get
        self._of_answers: dict[str, Any] = {
            "timer": helpers.TimerNoop(),
            "read_until_eof": True,
            "auto_decompress": session._auto_decompress,
            "read_bufsize": session._read_bufsize,
            "timeout_ceil_threshold": connector._timeout_ceil_threshold,
            "max_line_size": session._max_line_size,
            "max_field_size": session._max_field_size,
            "max_headers": session._max_headers,
        }

    @classmethod
    def where_it_helps(cls, session: aiohttp.ClientSession) -> Self | None:
        """Return those of a session where aiohttp is built as they need, else None."""
        return cls(session) if is_built_as_needed() else None

    def are_possible(self) -> bool:
        """Tell whether the session is open, and aiohttp does by itself what it did when this was loaded."""
        session = self._session
        return (
            not session.closed
            and getattr(session._request, "__func__", None) is _AS_LOADED[0]
            and _passed_by() == _AS_LOADED
        )

    def head(
        self,
        method: str,
        url: URL,
        key: Secret[str],
        headers: Callable[[], CIMultiDict[str]],
        *,
        has_body: bool,
    ) -> Head:
        """Return the head of requests to a host, as aiohttp writes it.

        Args:
            method: Their method.
            url: Where one of them goes.
            key: The API key.
            headers: Gives the headers with that key.
            has_body: Whether they have a body that is not empty.
        """
        session = self._session
        all_headers = session._prepare_headers(headers())
        made = GuardedRequest(method, url, headers=all_headers, loop=self._loop, session=session)
        made.headers.popall("Content-Length", None)
        if method != hdrs.METH_GET:
            made.headers["Content-Length"] = "0"
        if has_body:
            made.headers.setdefault("Content-Type", CONTENT_TYPE)
        if self._connector.force_close:
            made.headers.setdefault("Connection", "close")
        written: Any = http_writer
        lines: bytes = written._serialize_headers("", made.headers)
        start, version = f"{method} ".encode(), b" HTTP/1.1"
        if method == hdrs.METH_GET:
            end = version + lines
            return Head(
                key,
                url.origin(),
                made.connection_key,
                lambda target, _: b"%b%b%b" % (start, target, end),
                reads=True,
            )
        before, name, after = lines.rpartition(b"\r\nContent-Length: ")
        amid, end = version + before + name, after.removeprefix(b"0")
        return Head(
            key,
            url.origin(),
            made.connection_key,
            lambda target, length: b"%b%b%b%d%b" % (start, target, amid, length, end),
            reads=False,
        )

    async def read(
        self, head: Head, target: bytes, sending: Sending, timeout: aiohttp.ClientTimeout
    ) -> DirectResponse:
        """Send a GET, once more where its connection is lost, as aiohttp does; else it is as `answer`."""
        try:
            return await self.answer(head, target, b"", sending, timeout)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if isinstance(error, (aiohttp.ClientConnectorError, StaleConnectionError)):
                raise
        sending.watch.rest()
        return await self.answer(head, target, b"", sending, timeout)

    async def answer(
        self, head: Head, target: bytes, body: bytes, sending: Sending, timeout: aiohttp.ClientTimeout
    ) -> DirectResponse:
        """Send a request, and return its answer once the head of that is here.

        Args:
            head: Its head.
            target: Its path and query, as they are sent.
            body: Its body.
            sending: What will be known of the attempt.
            timeout: How long it may take to connect.

        Raises:
            StaleConnectionError: The connection is of no use, and nothing was sent.
            aiohttp.ClientError: As aiohttp raises it for a request.
        """
        connection: Connection | None = None
        try:
            connection = await self._idle_connection(head.connection_key, _NO_TRACES)
            if connection is None:
                connection = await self._opened(head, timeout)
            protocol: Any = connection.protocol
            sending.memory = memory = await checked(protocol, sending, self._loop)
            sending.connection = protocol
            protocol.set_response_params(**self._of_answers)
            _write(protocol.transport, head, target, body, sending)
            # Who looks at what waits here is not to see it.
            del body
            sending.written_at = memory.used_at = sending.went_at = sending.watch.heard()
            message, payload = await protocol.read()
            while message.code in _INFORMATIONAL and message.code != _SWITCHING:
                sending.watch.heard()
                message, payload = await protocol.read()
            sending.response = response = DirectResponse(connection, message, payload)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, http_exceptions.HttpProcessingError):
                raise aiohttp.ClientResponseError(
                    _NO_REQUEST, (), status=error.code, message=error.message, headers=error.headers
                ) from error
            if _is_of_the_system(error):
                raise aiohttp.ClientOSError(*error.args) from error
            raise
        return response

    async def _opened(self, head: Head, timeout: aiohttp.ClientTimeout) -> Connection:
        """Let aiohttp open a connection."""
        # Without a header, for a connection needs none.
        opening = GuardedRequest("POST", head.origin, loop=self._loop, session=self._session)
        try:
            return await self._connector.connect(opening, _NO_TRACES, timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {head.origin}") from error


def _write(transport: Any, head: Head, target: bytes, body: bytes, sending: Sending) -> None:
    """Write a request at once, and note that it may have left."""
    if transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
    # What a GET finds does no harm when it is asked for twice.
    sending.writings += not head.reads
    sending.begun = True
    transport.write(head.of(target, len(body)) + body)


def _is_of_the_system(error: BaseException) -> bool:
    """Tell what aiohttp takes for an error of the system's, and not one of its own or a signal's handler."""
    if isinstance(error, aiohttp.ClientError) or not isinstance(error, OSError):
        return False
    return error.errno is not None or not isinstance(error, TimeoutError)


_NO_TRACES: list[Any] = []
_NO_REQUEST = aiohttp.RequestInfo(URL(), "", CIMultiDictProxy(CIMultiDict[str]()), URL())
"""Nothing of a request: its headers show the API key."""


def is_built_as_needed() -> bool:
    """Tell whether aiohttp's insides are as direct requests use them, and nothing is around them."""
    written: Any = http_writer
    try:
        return (
            all(_is_aiohttps_own(method) for method in _passed_by())
            and all(
                _checksum(getattr(getattr(aiohttp, owner), name)) == checksum
                for (owner, name), checksum in _STEPS.items()
            )
            and _parameters(written._serialize_headers) == {"status_line", "headers"}
            and _parameters(client_proto.ResponseHandler.set_response_params) == _HOW_ANSWERS_ARE_READ
        )
    except (AttributeError, TypeError, ValueError):
        return False


_HOW_ANSWERS_ARE_READ = {
    *("self", "timer", "skip_payload", "read_until_eof", "auto_decompress", "read_timeout", "read_bufsize"),
    *("timeout_ceil_threshold", "max_line_size", "max_field_size", "max_headers"),
}


def _is_aiohttps_own(method: Any) -> bool:
    """Tell a function of aiohttp's from what was put around one before, which may show its name and code."""
    return (
        type(method) is types.FunctionType
        and Path(method.__code__.co_filename).parent == Path(client_proto.__file__).parent
    )


def _checksum(method: Any) -> int | None:
    """Return the checksum of the names that a coroutine function uses; None for any other function."""
    if not inspect.iscoroutinefunction(method):
        return None
    return zlib.crc32(" ".join(sorted(set(_names_in(method.__code__)))).encode())


def _names_in(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function uses, with those of the functions in it.

    Whether a comprehension is a function depends on the version of Python, and their order with it.
    """
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


def _parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)
