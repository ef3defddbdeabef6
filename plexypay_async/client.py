"""`AsyncPlexyPay`: settings in, one attribute per API group."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from ._core.call import Call, call_of
from ._core.execution import Execution
from ._core.listing import pages_of
from ._core.retry_budget import RetryBudget
from ._core.slots import loop_of_task
from ._foreign import prepared, refused
from ._http.transport import HTTPTransport
from ._privacy.hiding import masked_card_numbers, shortened, shown, without_own_frames
from ._wire.messages import WireRequest, WireResponse, decode_json, encode_json
from ._wire.targets import query_of
from .api.facades import Async
from .api.fields import Request, check_json
from .api.operation import Bulk, Declaration, Evidence, Listing, Operation, Wait
from .api.replay import Replay
from .errors import ConfigurationError, Outcome, PlexyPayError
from .groups import Groups
from .pagination import AsyncPages
from .settings import KEPT_ALIVE, LARGEST_RESPONSE, LONGEST_HEADER, APIKey, RetryPolicy, Settings, concealed

if TYPE_CHECKING:
    from ._http import ClientSession
    from .api.payment_links import BulkResult

__all__ = ["AsyncPlexyPay"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_OUT_OF_A_PATH = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_FRAMING = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that tell where a message ends, how it is coded, or what becomes of the connection."""


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
        session: ClientSession | None = None,
        trust_env: bool = False,
    ) -> None:
        # An error tracker shows the arguments of every frame that an exception passes.
        key = concealed(api_key)
        del api_key
        try:
            settings = prepared(
                Settings.of,
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
        except ConfigurationError as error:
            # An address may have a password in it.
            without_own_frames(error)
            raise
        budget = RetryBudget(settings.retry.max_attempts, settings.max_connections)
        self._use(Execution(settings, HTTPTransport(settings, session), budget), derived=False)

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

        Closing the returned client does nothing; closing this one closes both. What a subclass has set on
        this one is on the returned one too; `__init__` is not called.

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
        settings = prepared(
            self._execution.settings.changed,
            api_key=key,
            timeout=timeout,
            read_timeout=read_timeout,
            retry=retry,
            paths=paths,
        )
        client = self._twin()
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
            headers: Further headers, in ASCII. Those that say how a message is sent are the client's own, as
                the key is.
            replay: What may be repeated after a failure: `Replay.MONEY` for a POST unless given, else
                `Replay.SAFE`.

        Returns:
            The decoded JSON, or None for an empty body.

        Raises:
            ConfigurationError: An argument is unusable; nothing was sent.
            PlexyPayError: The call failed.
        """
        try:
            call = prepared(raw_call, self._execution, method, path, params, json, headers, replay)
            return await call.run()
        except BaseException as error:
            without_own_frames(error)
            raise

    @property
    def is_sandbox(self) -> bool | None:
        """Whether what answers is a sandbox: no money moves there. None before the first answer.

        Evidence: the `Sandbox` of this library says so in a header of every answer.
        """
        return self._execution.transport.is_sandbox

    async def close(self) -> None:
        """Close the client's connections; calls made after this raise `ConfigurationError`."""
        if not self._derived:
            transport = self._execution.transport
            if asyncio._get_running_loop() is None:
                # As under trio, where nothing can have been opened.
                transport.close_outside()
            else:
                await transport.close()

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
            try:
                # As `prepared` does it, which would cost each call two more of Python's.
                try:
                    under_way = call_of(execution, operation, make(*args, **kwargs))
                except PlexyPayError:
                    raise
                except Exception as error:  # noqa: BLE001 - raised below
                    refusal = refused(error)
                else:
                    return await under_way.run()
                raise refusal from refusal.__cause__
            except BaseException as error:
                without_own_frames(error)
                raise

        return call

    def bind_listing(self, listing: Listing[..., Any]) -> Callable[..., Any]:
        """Return the function that opens `listing`."""
        execution, make = self.execution, listing.request

        def prepare(*args: Any, **kwargs: Any) -> AsyncPages[Any]:
            request: Request = make(*args, **kwargs)
            return pages_of(execution, listing, request)

        def call(*args: Any, **kwargs: Any) -> AsyncPages[Any]:
            try:
                return prepared(prepare, *args, **kwargs)
            except BaseException as error:
                without_own_frames(error)
                raise

        return call

    def bind_bulk(self, bulk: Bulk[..., Any]) -> Callable[..., Any]:
        """Return the function that starts `bulk`."""
        execution, make = self.execution, bulk.options

        def call(*args: Any, **kwargs: Any) -> AsyncGenerator[BulkResult]:
            from .bulk.job import BulkJob

            try:
                return prepared(lambda: BulkJob(execution, make(*args, **kwargs))).results()
            except BaseException as error:
                without_own_frames(error)
                raise

        return call

    def bind_wait(self, wait: Wait[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function that waits as `wait` says."""
        execution, make = self.execution, wait.options

        async def call(*args: Any, **kwargs: Any) -> Any:
            from ._core.polling import Polling

            try:
                loop_of_task()
                return await prepared(lambda: Polling(execution, make(*args, **kwargs))).run()
            except BaseException as error:
                without_own_frames(error)
                raise

        return call


class _JSONDecoder:
    """Reads whatever JSON a raw request is answered with."""

    def __init__(self, name: str) -> None:
        self.name = name

    def decode(self, response: WireResponse) -> Any:
        reads = self.name.startswith("GET ")
        return decode_json(response, self.name, outcome=Outcome.DONE if reads else Outcome.UNKNOWN)

    def proves(self, request: Any, answer: WireResponse) -> bool:
        """Tell that nobody knows what such an answer says."""
        return False


def raw_call(
    execution: Execution,
    method: str,
    path: str,
    params: Mapping[str, Any] | None,
    json: Any,
    headers: Mapping[str, str] | None,
    replay: Replay | None,
) -> Call[Any]:
    """Return the call that a client's `request` performs.

    Raises:
        ConfigurationError: An argument is unusable.
    """
    verb = str(method).upper()
    wire_request = raw_request(verb, path, params, json, headers)
    if replay is None:
        replay = Replay.MONEY if verb == "POST" else Replay.SAFE
    if not isinstance(replay, Replay):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"replay: expected a Replay, got {type(replay).__name__}")
    declaration = Declaration[...](verb, "", dict, Evidence.PUBLISHED, replay)
    declaration.name = shortened(masked_card_numbers(f"{verb} {path}"), 300)
    return Call(execution, _JSONDecoder(declaration.name), wire_request, declaration)


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
        raise ConfigurationError(f"method: expected one of {', '.join(METHODS)}, got {shown(method)}")
    if json is not None and method == "GET":
        raise ConfigurationError("json: a GET carries no body")
    target = checked_path(path)
    if params is not None and not isinstance(params, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"params: expected a mapping, got {type(params).__name__}")
    query = query_of(params) if params else ""
    if query:
        target = f"{target}{'&' if '?' in target else '?'}{query}"
    body = None
    if json is not None:
        check_json("json", json)
        body = encode_json(json)
    return WireRequest(method, target, body, checked_headers(headers))


def checked_path(path: Any) -> str:
    """Return a path, with a query or without, percent-encoded where the caller left that out.

    Raises:
        ConfigurationError: It is no path, or leads elsewhere than it seems to.
    """
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        raise ConfigurationError(f"path: expected a path such as /v1/anything, got {path!r:.60}")
    if _OUT_OF_A_PATH.search(path) is not None:
        raise ConfigurationError(f"path: {path!r:.60} has a backslash or a control character")
    # A server may decode a path before it takes it apart.
    segments = re.split("/|%2f|%5c", path.partition("?")[0], flags=re.IGNORECASE)
    dots = [re.sub("%2e", ".", segment.partition(";")[0], flags=re.IGNORECASE) for segment in segments]
    if "#" in path or "." in dots or ".." in dots:
        raise ConfigurationError(f"path: {path!r:.60} has a fragment or a dot segment")
    try:
        return quote(path, safe="/?%:@!$&'()*+,;=~-._")
    except UnicodeEncodeError:
        raise ConfigurationError("path: not valid Unicode text") from None


def checked_headers(headers: Any) -> Mapping[str, str] | None:
    """Refuse headers that are none, that would replace the key, or that say how a message is sent.

    Raises:
        ConfigurationError: A name or a value is unusable.
    """
    if headers is None:
        return None
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers: expected a mapping, got {type(headers).__name__}")
    checked: dict[str, str] = {}
    names: set[str] = set()
    for name, value in headers.items():  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError("headers: names and values must be strings")
        folded = name.lower()
        if folded == "authorization":
            raise ConfigurationError(
                "headers: Authorization is the client's own; use with_options(api_key=...)"
            )
        if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is None:
            raise ConfigurationError(f"headers: {name!r:.60} is no header name")
        if folded in _FRAMING or folded.startswith("proxy-"):
            raise ConfigurationError(
                f"headers: {shortened(name, 60)} says how a message is sent, which is the client's own"
            )
        if folded in names:
            raise ConfigurationError(f"headers: {shortened(name, 60)} is given twice")
        if re.fullmatch(r"[\t -~]*", value) is None:
            raise ConfigurationError(
                f"headers[{name!r:.60}]: has a line break, another control character"
                " or a letter outside ASCII"
            )
        names.add(folded)
        checked[name] = value
    return checked
