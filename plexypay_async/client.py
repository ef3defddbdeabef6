"""`AsyncPlexyPay`: settings in, one attribute per API group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ._client import Client, with_forms
from ._core.call_of import call_of
from ._core.execution import Execution
from ._core.listing import pages_of
from ._core.raw_request import raw_call
from ._core.record import MADE_BEFORE
from ._core.slots import loop_of_task
from ._foreign import prepared, refused, told_of
from ._privacy.hiding import hiding_arguments, without_own_frames
from .answered import Answered
from .api.facades import Async
from .api.fields import Request
from .api.operation import Bulk, Ensured, Listing, Operation, Wait
from .api.replay import Replay
from .errors import PlexyPayError
from .network import TLSSource
from .observer import Observer
from .pagination import AsyncPages
from .settings import KEPT_ALIVE, LARGEST_RESPONSE, LONGEST_HEADER, APIKey, RetryPolicy

if TYPE_CHECKING:
    from ._http import ClientSession
    from .api.payment_links import BulkResult

__all__ = ["AsyncPlexyPay"]


@hiding_arguments
class AsyncPlexyPay(Client[Async]):
    """A client of the Plexy Pay API for asyncio.

    Built without a running loop. One client serves any number of concurrent calls, and several event loops in
    turn; it keeps its connections until it is closed, or until their loop ends.

    Args:
        api_key: The key, or a function that returns the one to use now and does not block (keys rotate).
            ``PLEXYPAY_API_KEY`` unless given.
        base_url: ``PLEXYPAY_BASE_URL``, or the vendor's host, unless given. Plain http is for loopback only,
            unless `allow_http` says otherwise.
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
            closed. Its default headers, trace configs, middlewares and proxy are taken over, and with its
            `trust_env` the environment's proxy; `proxy` and `ssl` are then not to be given. Whatever else
            it does by default, such as raising for a status, sending cookies or timing out, it does not do
            to the library's requests. One with an `auth` of its own is refused, and so is one whose connector
            takes anybody's certificate (``ssl=False``, or a context that verifies nothing or no host name).
        trust_env: Take the proxy from the environment, as curl does: ``https_proxy`` or ``HTTPS_PROXY``, else
            ``all_proxy`` or ``ALL_PROXY``, but for the hosts in ``no_proxy`` or ``NO_PROXY``. A ``.netrc`` is
            never read.
        proxy: The URL of the http proxy that leads to the API, such as ``http://proxy.example:3128``; with
            credentials ``http://user:password@...``, which nothing shows. It goes before the environment's.
        ssl: Whom to trust in place of the system's authorities: the path of a CA bundle (PEM), or an
            `ssl.SSLContext`, which may have a client's certificate too. TLS cannot be switched off.
        default_headers: Further headers of each request, in ASCII.
        app_info: The name and the version of your program, for the User-Agent: ``("shop", "1.2")``.
        allow_http: Allow plain http to another machine, for a sandbox in a network of your own, such as
            ``http://sandbox:8790``. A key that looks like one of the API's own is refused there.
        observers: What is told of each call, attempt and pause, and of bulk jobs; see `Observer`.

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
        proxy: str | None = None,
        ssl: TLSSource | None = None,
        default_headers: Mapping[str, str] | None = None,
        app_info: tuple[str, str | None] | None = None,
        allow_http: bool = False,
        observers: Iterable[Observer] = (),
    ) -> None:
        self._begin(
            api_key,
            session,
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
            proxy=proxy,
            ssl=ssl,
            default_headers=default_headers,
            app_info=app_info,
            allow_http=allow_http,
            observers=observers,
        )

    def _caller_of(self, execution: Execution) -> AsyncCaller:
        return AsyncCaller(execution)

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
            UnreadableResponseError: The answer has a success status and is not JSON, or is the API's own
                error object (a `code`, and a `type` such as ``apiError``): what was written then is of
                unknown outcome, an `OutcomeUnknownError` where it is not repeated.
            PlexyPayError: The call failed.
        """
        try:
            call = prepared(raw_call, self._execution, method, path, params, json, headers, replay)
            return await call.run()
        except BaseException as error:
            without_own_frames(error)
            raise

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
                told_of(error, operation)
                raise

        async def with_response(*args: Any, **kwargs: Any) -> Answered[Any]:
            try:
                under_way = prepared(lambda: call_of(execution, operation, make(*args, **kwargs)))
                under_way.keeps_answers = True
                return under_way.answered(await under_way.run())
            except BaseException as error:
                told_of(error, operation)
                raise

        return with_forms(
            call, operation, execution, lambda other: AsyncCaller(other).bind(operation), with_response
        )

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
                told_of(error, listing)
                raise

        return with_forms(call, listing, execution, lambda other: AsyncCaller(other).bind_listing(listing))

    def bind_bulk(self, bulk: Bulk[..., Any]) -> Callable[..., Any]:
        """Return the function that starts `bulk`."""
        execution, make = self.execution, bulk.options

        def call(*args: Any, **kwargs: Any) -> AsyncGenerator[BulkResult]:
            from .bulk.job import BulkJob

            try:
                return prepared(lambda: BulkJob(execution, make(*args, **kwargs))).results()
            except BaseException as error:
                told_of(error, bulk)
                raise

        return with_forms(call, bulk, execution, lambda other: AsyncCaller(other).bind_bulk(bulk))

    def bind_ensured(self, ensured: Ensured[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function that performs an operation, or finds what was made before."""
        execution, make, operation = self.execution, ensured.options, ensured.operation

        async def call(*args: Any, **kwargs: Any) -> Any:
            try:
                under_way = prepared(
                    lambda: call_of(execution, operation, make(*args, **kwargs), earlier=MADE_BEFORE)
                )
                return await under_way.run()
            except BaseException as error:
                told_of(error, ensured)
                raise

        async def with_response(*args: Any, **kwargs: Any) -> Answered[Any]:
            try:
                under_way = prepared(
                    lambda: call_of(execution, operation, make(*args, **kwargs), earlier=MADE_BEFORE)
                )
                under_way.keeps_answers = True
                return under_way.answered(await under_way.run())
            except BaseException as error:
                told_of(error, ensured)
                raise

        return with_forms(
            call, ensured, execution, lambda other: AsyncCaller(other).bind_ensured(ensured), with_response
        )

    def bind_wait(self, wait: Wait[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function that waits as `wait` says."""
        execution, make = self.execution, wait.options

        async def call(*args: Any, **kwargs: Any) -> Any:
            from ._core.polling import Polling

            try:
                loop_of_task()
                return await prepared(lambda: Polling(execution, make(*args, **kwargs))).run()
            except BaseException as error:
                told_of(error, wait)
                raise

        return with_forms(call, wait, execution, lambda other: AsyncCaller(other).bind_wait(wait))
