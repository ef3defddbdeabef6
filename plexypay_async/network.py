"""The way to the API: a proxy, whom to trust over TLS, and what a client says of itself.

Nothing here is sent or opened. Every check is made when a client is built.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any, TypeAlias, cast
from urllib.parse import unquote_to_bytes, urlsplit

import attrs

from ._privacy.hiding import shortened, shown
from ._privacy.secret import Secret
from .api.description import API
from .errors import ConfigurationError
from .json_form import wire_name

__all__ = [
    "Proxy",
    "TLSSource",
    "checked_app",
    "checked_default_headers",
    "checked_headers",
    "checked_proxy",
    "context_of",
    "fields_in_headers",
    "flaw_of_context",
    "merged_headers",
    "proxy_of_environment",
]

TLSSource: TypeAlias = ssl.SSLContext | str | os.PathLike[str]
"""An `ssl.SSLContext`, or the path of a file or folder of the certificate authorities to trust."""

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

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - HTTP's own word


@attrs.frozen(eq=False)
class Proxy:
    """A proxy, whose credentials no repr shows."""

    url: str
    """Its address, without credentials."""
    credentials: Secret[bytes] | None = attrs.field(default=None, repr=False)
    """User name and password, with a colon between them, in the bytes that curl would send."""

    def __str__(self) -> str:
        return self.url

    @property
    def authorization(self) -> Secret[str] | None:
        """What tells the proxy who asks: the value of the header ``Proxy-Authorization``."""
        if self.credentials is None:
            return None
        return Secret(f"Basic {base64.b64encode(self.credentials.reveal()).decode()}")


def checked_proxy(given: Any, name: str = "proxy", port: int | None = None) -> Proxy | None:
    """Return a proxy that was given as a URL; None for none.

    Args:
        given: Such as ``http://user:password@proxy.example:3128``; special characters of the password are
            percent-encoded.
        name: What the message calls it. No message shows the URL, which may hold a password.
        port: The port of an http proxy whose URL names none; without it, that of http, which is 80.

    Raises:
        ConfigurationError: It is no URL of an HTTP proxy.
    """
    if given is None or isinstance(given, Proxy):
        return given
    if isinstance(given, Secret):
        given = cast("Secret[str]", given).reveal()
    if not isinstance(given, str):
        raise ConfigurationError(f"{name}: expected a URL, got {type(given).__name__}")
    if not given.strip():
        # As of a variable that is not set. Nobody should believe that there is a proxy where there is none.
        raise ConfigurationError(f"{name}: must not be empty; for no proxy, leave it out or give None")
    found = _read_proxy(given, port)
    del given
    if isinstance(found, str):
        raise ConfigurationError(f"{name}: {found}")
    return found


def _read_proxy(text: str, default_port: int | None) -> Proxy | str:
    """Return a proxy, or what is wrong with its URL; a traceback would show its password."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return "expected a URL such as http://proxy.example:3128; a port is a number up to 65535"
    if parts.scheme not in ("http", "https"):
        kind = f"; {shortened(parts.scheme, 20)} is not supported" if parts.scheme and host else ""
        return f"expected a URL such as http://proxy.example:3128{kind}"
    if not host or not host.isascii():
        return "it has no host, or one that is not in its ASCII form (xn--...)"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return "it must have no path: a character of the password such as / or # must be percent-encoded"
    if re.search(r"[\s\x00-\x1f\x7f]", text.strip()) is not None:
        return "it has a space or a control character"
    if port is None and parts.scheme == "http":
        port = default_port
    shown_host = f"[{host}]" if ":" in host else host
    url = f"{parts.scheme}://{shown_host}" + ("" if port is None else f":{port}")
    if parts.username is None:
        return Proxy(url)
    try:
        # Bytes of the environment that are no UTF-8 go out as they are.
        user, password = (
            unquote_to_bytes(part.encode("utf-8", "surrogateescape"))
            for part in (parts.username, parts.password or "")
        )
    except UnicodeEncodeError:
        return "its credentials are not valid Unicode text"
    if b":" in user or re.search(rb"[\x00-\x1f\x7f]", user + password) is not None:
        return "its user name has a colon, or its credentials a control character"
    return Proxy(url, Secret(user + b":" + password))


_PORT_OF_CURL = 1080
"""The port of a proxy of the environment that names none."""


def proxy_of_environment(host: str) -> Proxy | None:
    """Return the proxy that the environment names for https to a host, chosen as curl does.

    It is ``https_proxy``, else ``HTTPS_PROXY``, else ``all_proxy``, else ``ALL_PROXY``, unless ``no_proxy``
    or ``NO_PROXY`` names the host. An address without a scheme is that of an http proxy, and one of an http
    proxy without a port has the port 1080.

    Raises:
        ConfigurationError: A variable holds no URL of an HTTP proxy; the message names it.
    """
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if _is_excepted(host, excepted):
        return None
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        given = os.environ.get(name, "").strip()
        if given:
            secret = Secret(given if "://" in given else f"http://{given}")
            del given
            return checked_proxy(secret, name, _PORT_OF_CURL)
    return None


def _is_excepted(host: str, excepted: str) -> bool:
    """Tell whether a list such as ``.corp.example, 10.0.0.0/8`` names a host, as curl reads it.

    An entry has no port, and ``*`` means every host only where it is the whole list.
    """
    if excepted.strip() == "*":
        return True
    address, host = _address(host), host.lower().removesuffix(".")
    for entry in re.split(r"[\s,]+", excepted.strip().lower()):
        if address is not None:
            with contextlib.suppress(ValueError):
                if address in ipaddress.ip_network(entry, strict=False):
                    return True
            continue
        name = entry.removesuffix(".").removeprefix(".")
        if name and (host == name or host.endswith(f".{name}")):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def context_of(given: Any) -> ssl.SSLContext | None:
    """Return the TLS context that was given, or one that trusts a bundle of authorities and nobody else.

    Args:
        given: An `ssl.SSLContext`, which may have a client's certificate; or the path of a file of
            certificates (PEM), or of a folder of them as OpenSSL hashes it. None for the system's.

    Raises:
        ConfigurationError: It is neither, verifies nothing, or holds no certificate.
    """
    if given is None:
        return None
    if isinstance(given, bool):
        raise ConfigurationError(
            "ssl: TLS cannot be switched off; to trust a company's own authority, give the path of its"
            " certificate, or an ssl.SSLContext"
        )
    if isinstance(given, ssl.SSLContext):
        if (flaw := flaw_of_context(given)) is not None:
            raise ConfigurationError(f"ssl: {flaw}")
        return given
    if not isinstance(given, (str, os.PathLike)):
        raise ConfigurationError(
            f"ssl: expected an ssl.SSLContext or the path of a CA bundle, got {type(given).__name__}"
        )
    path = os.fspath(cast("str | os.PathLike[str]", given))
    if not path:
        raise ConfigurationError(
            "ssl: the path of the CA bundle is empty; for the system's authorities, leave it out or give None"
        )
    try:
        if os.path.isdir(path):
            context = ssl.create_default_context(capath=path)
            if not any(re.fullmatch(r"[0-9a-f]{8}\.\d+", name) for name in os.listdir(path)):
                raise ConfigurationError(
                    f"ssl: {shown(path)} holds no certificate under the name that OpenSSL looks for"
                    " (openssl rehash makes them)"
                )
        else:
            context = ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"ssl: {shown(path)} holds no certificates in PEM form ({error.reason or error})"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"ssl: cannot read {shown(path)}: {error.strerror or error}") from None
    return context


def flaw_of_context(context: ssl.SSLContext) -> str | None:
    """Return why anybody could read the API key through connections of a TLS context, and what to do."""
    if context.verify_mode is not ssl.CERT_REQUIRED:
        return (
            "the context does not verify the server's certificate, so that anybody could read the API key;"
            " use ssl.create_default_context(cafile=...)"
        )
    if context.protocol is ssl.PROTOCOL_TLS_SERVER:
        return "the context is a server's; use ssl.create_default_context()"
    if not context.check_hostname:
        return (
            "the context takes a certificate of any host (check_hostname is False), so that everybody who has"
            " one could read the API key; use ssl.create_default_context(cafile=...), or set it to True"
        )
    return None


def checked_app(given: Any) -> tuple[str, str | None] | None:
    """Return what a program says of itself in the User-Agent: its name, and its version or None.

    Raises:
        ConfigurationError: It is no such pair, or has a character that no header's token has.
    """
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(cast("Any", given)) != 2:
        raise ConfigurationError('app_info: expected a name and a version, such as ("shop", "1.2")')
    name, version = cast("tuple[Any, Any]", given)
    for part in (name,) if version is None else (name, version):
        if not isinstance(part, str) or re.fullmatch(_TOKEN, part) is None or len(part) > 100:
            raise ConfigurationError(
                f"app_info: {shown(part)} is no name or version: up to 100 letters of ASCII, digits and .-_+"
            )
    return name, version


def checked_headers(
    headers: Any, argument: str = "headers", *, key_header: str = "Authorization"
) -> Mapping[str, str] | None:
    """Refuse headers that are none, that would replace the key, or that say how a message is sent.

    Raises:
        ConfigurationError: A name or a value is unusable.
    """
    if headers is None:
        return None
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"{argument}: expected a mapping, got {type(headers).__name__}")
    checked: dict[str, str] = {}
    names: set[str] = set()
    for name, value in headers.items():  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError(f"{argument}: names and values must be strings")
        folded = name.lower()
        own = {each.lower(): each for each in ("Authorization", key_header)}.get(folded)
        if own is not None:
            raise ConfigurationError(f"{argument}: {own} is the client's own; use with_options(api_key=...)")
        if re.fullmatch(_TOKEN, name) is None:
            raise ConfigurationError(f"{argument}: {name!r:.60} is no header name")
        if folded in _FRAMING or folded.startswith("proxy-"):
            raise ConfigurationError(
                f"{argument}: {shortened(name, 60)} says how a message is sent, which is the client's own"
            )
        if folded in names:
            raise ConfigurationError(f"{argument}: {shortened(name, 60)} is given twice")
        if re.fullmatch(r"[\t -~]*", value) is None:
            raise ConfigurationError(
                f"{argument}[{name!r:.60}]: has a line break, another control character"
                " or a letter outside ASCII"
            )
        names.add(folded)
        checked[name] = value
    return checked


def checked_default_headers(
    headers: Any, argument: str = "default_headers", api: API | None = None
) -> Mapping[str, str] | None:
    """Refuse headers of several requests that are none, or that are the client's own or a call's.

    See `checked_headers`. Without an API, what is its own in a header is not looked at.
    """
    key_header = "Authorization" if api is None else api.key_header
    checked = checked_headers(headers, argument, key_header=key_header)
    for name in checked or ():
        folded = name.lower()
        if folded in ("user-agent", "accept", "accept-encoding", "content-type"):
            raise ConfigurationError(
                f"{argument}: {shortened(name, 60)} is the client's own"
                + ("; app_info names your program" if folded == "user-agent" else "")
            )
        if api is not None and (field := fields_in_headers(api).get(folded)) is not None:
            raise ConfigurationError(
                f"{argument}: {shortened(name, 60)} is each call's own, and would be the same for several"
                f" calls here; give {field}= to the call"
            )
    return checked


@functools.cache
def fields_in_headers(api: API) -> Mapping[str, str]:
    """Return the fields of an API's requests that are sent as headers, by their names in lower case."""
    from .api.index import every_declaration

    return {
        wire_name(field).lower(): field.name
        for declaration in every_declaration(api)
        for field in attrs.fields(cast("type[Any]", declaration.request))
        if field.metadata.get("header")
    }


def merged_headers(
    default: Mapping[str, str] | None, own: Mapping[str, str] | None
) -> Mapping[str, str] | None:
    """Return the client's headers and those of one request, which go before them."""
    if not default or not own:
        return own or default
    names = {name.lower() for name in own}
    return {**{name: value for name, value in default.items() if name.lower() not in names}, **own}
