"""The options that the clients of all APIs take, each as `AsyncPlexyPay` explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from .network import TLSSource
from .observer import Observer
from .settings import RetryPolicy

__all__ = ["ClientOptions"]


class ClientOptions(TypedDict, total=False):
    """Options of a client besides its key and address; see `AsyncPlexyPay` for what each means."""

    timeout: float
    """Seconds for a whole call: waiting for a connection, all attempts and all pauses; 60 unless given."""
    connect_timeout: float
    """Seconds for making a connection; 5 unless given."""
    read_timeout: float
    """Seconds of silence after which an attempt is given up; 30 unless given."""
    keepalive_timeout: float
    """Seconds that an idle connection is kept; 15 unless given, and 0 makes one for each request."""
    max_connections: int
    """How many connections there may be, and so requests under way at once; 100 unless given."""
    max_response_size: int
    """Bytes of an answer's body above which it is not read; 32 MiB unless given."""
    max_header_size: int
    """Bytes of one header of an answer above which it is not read; 8190 unless given."""
    retry: RetryPolicy
    """When and how often calls are repeated."""
    paths: Mapping[str, str] | None
    """Other paths for operations, by name."""
    trust_env: bool
    """Take the proxy from the environment."""
    proxy: str | None
    """The URL of the http proxy that leads to the API."""
    ssl: TLSSource | None
    """Whom to trust in place of the system's authorities: the path of a CA bundle, or an `ssl.SSLContext`."""
    default_headers: Mapping[str, str] | None
    """Further headers of each request, in ASCII."""
    app_info: tuple[str, str | None] | None
    """The name and the version of your program, for the User-Agent."""
    allow_http: bool
    """Allow plain http to another machine, for a sandbox in a network of your own."""
    observers: Iterable[Observer]
    """What is told of each call, attempt and pause; see `Observer`."""
