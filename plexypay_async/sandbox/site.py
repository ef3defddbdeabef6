"""Whom the sandbox serves: by which names it is called, and whose pages may send it something.

A web page can make its visitor's browser send requests to this machine. It can even point its own name here
after it was loaded (DNS rebinding): the browser then takes the sandbox for that page's own site, and lets the
page read the answers. So the ``Host`` of each request must be a name of this sandbox, and a request that
changes something must not come from a page of another site. Programs other than browsers send no headers that
name a site, and are served.

There are two exceptions. A shop's page posts to the bank's page, as to a real bank's. And it may call what
its shopper's browser needs for a session of the Checkout API, which takes the session's data.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

import yarl
from aiohttp import hdrs, web

from .._privacy.secret import Secret
from ..errors import ConfigurationError

__all__ = [
    "BANK_PAGES",
    "SHOPPER_CALLS",
    "Site",
    "checked_each",
    "checked_host",
    "is_cross_site",
    "is_loopback",
    "is_loopback_name",
    "is_same_text",
    "numeric_address",
]

T = TypeVar("T")

BANK_PAGES = "/checkout/3ds/"
SHOPPER_CALLS = "/v2/checkoutshopper/"
_ADMIN = "/_sandbox"
_SAFE_METHODS = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)


class Site:
    """The names of a sandbox, and the token of its own paths.

    Args:
        host: The address or name to listen on.
        allowed_hosts: Further names by which it may be called.
        admin_token: What the sandbox's own paths, ``/_sandbox`` and ``/``, ask for; None: nothing.

    Raises:
        ConfigurationError: A name is not possible.
    """

    def __init__(self, host: str, allowed_hosts: Iterable[str], admin_token: Secret[str] | None) -> None:
        allowed = checked_each(
            "allowed_hosts", allowed_hosts, partial(checked_host, "allowed_hosts"), such_as=["sandbox"]
        )
        self._names = {_plain(name) for name in (host, *allowed)}
        # An address, unlike a name, cannot be pointed elsewhere by DNS. A sandbox on a loopback address is
        # reached by loopback addresses alone.
        self._takes_addresses = not is_loopback(host)
        self._admin_token = admin_token

    def refusal(self, request: web.Request) -> tuple[HTTPStatus, str] | None:
        """Return the status and the reason with which a request is refused, or None where it is served."""
        called = request.headers.getall(hdrs.HOST, [])
        name = _host_name(called[0]) if len(called) == 1 else None
        if name is None:
            return (HTTPStatus.FORBIDDEN, "Host: expected the name of this sandbox, once")
        if not self._is_own(name):
            return (
                HTTPStatus.FORBIDDEN,
                f"Host: {name[:200]!r} is not a name of this sandbox; allow it with allowed_hosts=[...] or"
                " --allowed-host",
            )
        is_for_all = request.path.startswith((BANK_PAGES, SHOPPER_CALLS))
        changes = request.method not in _SAFE_METHODS and not is_for_all
        if changes and is_cross_site(request):
            return (HTTPStatus.FORBIDDEN, "Origin: the request comes from a page of another site")
        if self._admin_token is not None and _is_own_path(request) and not self._has_token(request):
            return (
                HTTPStatus.UNAUTHORIZED,
                "Authorization: the sandbox's own paths need its admin token: Bearer <token>, or the token as"
                " password",
            )
        return None

    def _is_own(self, name: str) -> bool:
        if name in self._names or is_loopback_name(name):
            return True
        address = numeric_address(name)
        return address is not None and (self._takes_addresses or address.is_loopback)

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "basic":
            # What a browser sends once its user was asked for a name and a password.
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return self._admin_token is not None and is_same_text(given, self._admin_token)


def is_cross_site(request: web.Request) -> bool:
    """Whether a page of another site makes a browser send this request, whose Host is known to be right.

    Programs other than browsers send neither of the headers that would say so.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site not in (None, "same-origin", "none"):
        return True
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or (origin == "null" and site == "same-origin"):
        # A page that sends no referrer sends ``Origin: null``.
        return False
    called = request.headers.get(hdrs.HOST, "")
    return origin not in (f"http://{called}", f"https://{called}")


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address or a name of one; no name is looked up."""
    name = _plain(host)
    address = numeric_address(name)
    return is_loopback_name(name) if address is None else address.is_loopback


def is_same_text(given: str, secret: Secret[str]) -> bool:
    """Whether a header's text is the secret, compared in constant time."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), secret.reveal().encode())


def _is_own_path(request: web.Request) -> bool:
    path = request.path
    return path in ("/", _ADMIN) or path.startswith(f"{_ADMIN}/")


def is_loopback_name(name: str) -> bool:
    """Whether a name leads to this machine whatever a look-up says."""
    # RFC 6761: no resolver leads them elsewhere.
    return name == "localhost" or name.endswith(".localhost")


def _plain(host: str) -> str:
    return host.partition("%")[0].strip("[]").rstrip(".").lower()


def _host_name(called: str) -> str | None:
    try:
        url = yarl.URL(f"http://{called}")
        name = url.host
    except ValueError:
        return None
    if not name or url.user is not None or url.raw_path != "/" or url.query_string or url.fragment:
        return None
    return _plain(name)


def checked_host(parameter: str, name: object) -> str:
    """Return a host's name as addresses have it; a `ConfigurationError` if it is none, or has a port."""
    try:
        host = yarl.URL.build(scheme="http", host=name).host if isinstance(name, str) else None
    except ValueError:
        host = None
    if not host or not str(name).isprintable():
        raise ConfigurationError(
            f"{parameter}: expected host names without a port, such as 'sandbox', got {name!r}"
        )
    return host.rstrip(".").lower()


def checked_each(name: str, values: Iterable[Any], check: Callable[[Any], T], *, such_as: object) -> list[T]:
    """Check each value of a parameter that takes several, and return what `check` returns."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise ConfigurationError(f"{name}: expected several, such as {such_as}")
    return [check(value) for value in values]


def numeric_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a numeric address, IPv4 too where it is written as IPv6; None for a name."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
