"""`AsyncPlexyPay`: the async client of the Pay API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from .._client import taking_options
from ..api.description import API
from ..api.facades import Async
from ..client import AsyncClient
from ..network import TLSSource
from ..observer import Observer
from ..settings import KEPT_ALIVE, LARGEST_RESPONSE, LONGEST_HEADER, APIKey, RetryPolicy
from . import Groups
from .description import PAY

if TYPE_CHECKING:
    from .._http import ClientSession

__all__ = ["AsyncPlexyPay"]


@taking_options
class AsyncPlexyPay(AsyncClient, Groups[Async]):
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

    api: ClassVar[API] = PAY

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
