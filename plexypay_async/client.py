"""`AsyncPlexyPay`: settings in, one attribute per API group."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from .errors import ConfigurationError
from .execution import Call, Execution
from .fields import Request
from .groups import Groups
from .limits import RetryBudget
from .operation import Async, Bulk, Listing, Operation, Replay, Wait
from .pagination import AsyncPages
from .settings import KEPT_ALIVE, LARGEST_RESPONSE, LONGEST_HEADER, APIKey, RetryPolicy, Settings, concealed
from .transport import Transport
from .wire import WireRequest, WireResponse, decode_json, encode_json, query_of

if TYPE_CHECKING:
    import aiohttp

    from .api.payment_links import BulkResult

__all__ = ["AsyncPlexyPay"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class AsyncPlexyPay(Groups[Async]):
    """A client of the Plexy Pay API for asyncio.

    Built without a running loop. One client serves any number of concurrent calls, and several event loops in
    turn; it keeps its connections until it is closed, or until their loop ends.

    Args:
        api_key: The key, or a function that returns the one to use now and does not block (keys rotate).
            ``PLEXYPAY_API_KEY`` unless given.
        base_url: ``PLEXYPAY_BASE_URL``, or the vendor's host, unless given. Plain http is for loopback only.
        timeout: Seconds for a **whole call**: waiting for a connection, all attempts and all pauses.
        connect_timeout: Seconds for making a connection.
        read_timeout: Seconds of silence after which an attempt is given up.
        keepalive_timeout: Seconds that an idle connection is kept; 0 makes one for each request. Calls that
            must not be repeated take none that has been idle for two seconds.
        max_connections: How many connections each event loop may have, and so how many requests are under
            way at once; further calls wait, within their `timeout`.
        max_response_size: Bytes of an answer's body, decompressed, above which it is not read.
        max_header_size: Bytes of one header of an answer above which it is not read.
        retry: When and how often calls are repeated.
        paths: Other paths for operations, by name: ``{"payment_links.statistics": "/v1/..."}``.
        session: An `aiohttp.ClientSession` of yours, on its own loop, whose connections are used and not
            closed. Its default headers, trace configs, middlewares and proxy are taken over; whatever else
            it does by default, such as raising for a status, sending cookies or timing out, it does not do
            to the library's requests. One with an `auth` of its own is refused.
        trust_env: Take proxies from the environment.

    Raises:
        ConfigurationError: A value is missing or unusable; the message names it.
    """

    def __init__(
        self,
        api_key: APIKey | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 60.0,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        keepalive_timeout: float = KEPT_ALIVE,
        max_connections: int = 100,
        max_response_size: int = LARGEST_RESPONSE,
        max_header_size: int = LONGEST_HEADER,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - immutable
        paths: Mapping[str, str] | None = None,
        session: aiohttp.ClientSession | None = None,
        trust_env: bool = False,
    ) -> None:
        # An error tracker shows the arguments of every frame that an exception passes.
        key = concealed(api_key)
        del api_key
        settings = Settings.of(
            key,
            base_url=base_url,
            timeout=timeout,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            keepalive_timeout=keepalive_timeout,
            max_connections=max_connections,
            max_response_size=max_response_size,
            max_header_size=max_header_size,
            retry=retry,
            paths=paths,
            trust_env=trust_env,
        )
        budget = RetryBudget(settings.retry.max_attempts, settings.max_connections)
        self._use(Execution(settings, Transport(settings, session), budget), derived=False)

    def _use(self, execution: Execution, *, derived: bool) -> None:
        self._execution = execution
        self._caller = AsyncCaller(execution)
        self._derived = derived

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._execution.settings.base_url}>"

    def with_options(
        self,
        *,
        api_key: APIKey | None = None,
        timeout: float | None = None,
        read_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        paths: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a client with other options on the same connections and the same retry budget.

        Closing the returned client does nothing; closing this one closes both.

        Args:
            api_key: Another key, or a function that returns one.
            timeout: Seconds for a whole call.
            read_timeout: Seconds of silence after which an attempt is given up.
            retry: When and how often calls are repeated.
            paths: Other paths for operations, in place of this client's.

        Raises:
            ConfigurationError: A value is unusable.
        """
        key = concealed(api_key)
        del api_key
        settings = self._execution.settings.changed(
            api_key=key, timeout=timeout, read_timeout=read_timeout, retry=retry, paths=paths
        )
        client = type(self).__new__(type(self))
        client._use(self._execution.derived(settings), derived=True)
        return client

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        replay: Replay | None = None,
    ) -> Any:
        """Call what the library does not know yet.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: The path, percent-encoded, such as ``/v1/anything``.
            params: The query; None values are left out, times are sent in UTC.
            json: The body.
            headers: Further headers; the key is the client's own.
            replay: What may be repeated after a failure: `Replay.MONEY` for a POST unless given, else
                `Replay.SAFE`.

        Returns:
            The decoded JSON, or None for an empty body.

        Raises:
            ConfigurationError: An argument is unusable; nothing was sent.
            PlexyPayError: The call failed.
        """
        verb = str(method).upper()
        wire_request = raw_request(verb, path, params, json, headers)
        if replay is None:
            replay = Replay.MONEY if verb == "POST" else Replay.SAFE
        if not isinstance(replay, Replay):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"replay: expected a Replay, got {type(replay).__name__}")
        # A traceback that shows local variables would show it.
        del json
        return await Call(self._execution, _JSONDecoder(f"{verb} {path}"), wire_request, replay).run()

    @property
    def is_sandbox(self) -> bool | None:
        """Whether what answers is a sandbox: no money moves there. None before the first answer.

        Evidence: the `Sandbox` of this library says so in a header of every answer.
        """
        return self._execution.transport.is_sandbox

    async def close(self) -> None:
        """Close the client's connections; calls made after this raise `ConfigurationError`."""
        if not self._derived:
            await self._execution.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncCaller:
    """Turns declarations into coroutine functions."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def __repr__(self) -> str:
        return f"<AsyncPlexyPay {self.execution.settings.base_url}>"

    def bind(self, operation: Operation[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function that performs `operation`."""
        execution, make = self.execution, operation.request

        async def call(*args: Any, **kwargs: Any) -> Any:
            performed = execution.call(operation, make(*args, **kwargs))
            # A traceback that shows local variables would show them.
            del args, kwargs
            return await performed.run()

        return call

    def bind_listing(self, listing: Listing[..., Any]) -> Callable[..., Any]:
        """Return the function that opens `listing`."""
        execution, make = self.execution, listing.request

        def call(*args: Any, **kwargs: Any) -> AsyncPages[Any]:
            request: Request = make(*args, **kwargs)
            return AsyncPages(execution, listing, request)

        return call

    def bind_bulk(self, bulk: Bulk[..., Any]) -> Callable[..., Any]:
        """Return the function that starts `bulk`."""
        execution, make = self.execution, bulk.options

        def call(*args: Any, **kwargs: Any) -> AsyncGenerator[BulkResult]:
            from .bulk.job import BulkJob

            return BulkJob(execution, make(*args, **kwargs)).results()

        return call

    def bind_wait(self, wait: Wait[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function that waits as `wait` says."""
        execution, make = self.execution, wait.options

        async def call(*args: Any, **kwargs: Any) -> Any:
            from .polling import Polling

            return await Polling(execution, make(*args, **kwargs)).run()

        return call


class _JSONDecoder:
    """Reads whatever JSON a raw request is answered with."""

    def __init__(self, name: str) -> None:
        self.name = name

    def decode(self, response: WireResponse) -> Any:
        return decode_json(response, self.name)


def raw_request(
    method: str,
    path: str,
    params: Mapping[str, Any] | None,
    json: Any,
    headers: Mapping[str, str] | None,
) -> WireRequest:
    """Check and encode a request given by method and path.

    Raises:
        ConfigurationError: An argument is unusable.
    """
    if method not in METHODS:
        raise ConfigurationError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"path: expected a path such as /v1/anything, got {path!r}")
    if "#" in path or any(part in (".", "..") for part in path.split("?")[0].split("/")):
        raise ConfigurationError(f"path: {path!r} has a fragment or a dot segment")
    if json is not None and method == "GET":
        raise ConfigurationError("json: a GET carries no body")
    query = query_of(params) if params else ""
    target = quote(path, safe="/?%:@!$&'()*+,;=~-._")
    if query:
        target = f"{target}{'&' if '?' in target else '?'}{query}"
    body = None if json is None else encode_json(json)
    return WireRequest(method, target, body, checked_headers(headers))


def checked_headers(headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Refuse headers that are none, or that would replace the key.

    Raises:
        ConfigurationError: A name or a value is unusable.
    """
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("headers: names and values must be strings")
        if name.lower() == "authorization":
            raise ConfigurationError(
                "headers: Authorization is the client's own; use with_options(api_key=...)"
            )
        if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is None:
            raise ConfigurationError(f"headers: {name!r} is no header name")
        if re.search(r"[\x00\r\n]", value) is not None:
            raise ConfigurationError(f"headers[{name!r}]: has a line break")
    return headers
