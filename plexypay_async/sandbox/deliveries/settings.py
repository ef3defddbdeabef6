"""Where webhooks go, how they authenticate, and when they are tried again.

A link's ``callbackUrl`` must not make the sandbox send requests to whatever else listens on this machine: a
database, a cache, a metadata service. So webhooks go only to the ports of this machine that were named, and
to those that servers under development usually have.

Evidence: ``Authorization: Bearer <token>`` and that 200 acknowledges a delivery are published. The pauses and
the time that a receiver has are the sandbox's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import yarl

from ..._privacy.secret import Secret
from ...errors import ConfigurationError
from ..site import host_of, is_loopback_name, numeric_address

__all__ = ["DEVELOPMENT_PORTS", "PAUSES", "WebhookSettings", "is_loopback_address"]

PAUSES = (5.0, 30.0, 120.0, 600.0, 3600.0)
"""Seconds of the sandbox's clock between one attempt and the next."""

DEVELOPMENT_PORTS = (3000, 5000, 8000, 8080, 8791)
"""The ports of this machine to which webhooks go without being told so: those at which web frameworks serve
by default, and that of ``plexypay listen``."""

_SCHEMES = ("http", "https")
_ANY = "*"


class WebhookSettings:
    """The settings of a sandbox's webhooks, which may be changed while it runs.

    Webhooks go to this machine alone unless told otherwise: test data may hold the addresses of real shops.
    Only a loopback address and ``localhost`` are taken for this machine, without a look-up. Of this machine
    they go to `DEVELOPMENT_PORTS`, to the ports that are named, and to that of the default address; never to
    the sandbox itself, which they could steer.
    """

    def __init__(
        self,
        *,
        url: str | None,
        token: str,
        hosts: Iterable[str],
        ports: Iterable[int | str] = (),
        pauses: Iterable[float],
        timeout: float,
    ) -> None:
        if isinstance(hosts, str):
            raise ConfigurationError("webhook_hosts: expected several, such as ['shop.internal']")
        self.hosts = frozenset(_checked_host(host) for host in hosts)
        if isinstance(ports, (str, int)):
            raise ConfigurationError("webhook_ports: expected several, such as [9000], or ['*'] for any")
        self.ports = frozenset(DEVELOPMENT_PORTS) | {_checked_port(port) for port in ports}
        self.own_port: int | None = None
        """That of the sandbox, once it listens."""
        try:
            self.pauses = tuple(_checked_seconds("webhook_pauses", pause) for pause in pauses)
        except TypeError:
            raise ConfigurationError("webhook_pauses: expected several, such as [5, 30, 120]") from None
        self.timeout = _checked_seconds("webhook_timeout", timeout)
        if not self.timeout:
            raise ConfigurationError("webhook_timeout: must be positive")
        self._url = ""
        self._token = Secret("")
        self.set_url(url)
        self.set_token(token)

    @property
    def url(self) -> str | None:
        """Where webhooks go whose link has no ``callbackUrl``."""
        return self._url or None

    @property
    def token(self) -> str:
        """What they carry as ``Authorization: Bearer``."""
        return self._token.reveal()

    def set_url(self, url: str | None) -> None:
        """Take another default address; webhooks may go to it."""
        problem = None if url is None else _problem(url)
        if problem is not None:
            raise ConfigurationError(f"webhook_url: {problem}")
        self._url = url or ""

    def set_token(self, token: str) -> None:
        """Take another token."""
        if _is_token(token):
            self._token = Secret(token)
            return
        # Not shown: it might be a real one.
        del token
        raise ConfigurationError("webhook_token: expected printable ASCII text")

    def refusal(self, url: str) -> str | None:
        """Return why nothing is delivered to an address, or None where it may be."""
        problem = _problem(url)
        if problem is not None:
            return problem
        host = _host(url)
        if _is_this_machine(host):
            return self.refusal_of_port(yarl.URL(url).port)
        if _ANY in self.hosts or self.names(host):
            return None
        return f"{host} is not this machine; allow it with webhook_hosts=[{host!r}] or --webhook-host {host}"

    def names(self, host: str) -> bool:
        """Whether a host was named as one to which webhooks go."""
        return host in self.hosts or bool(self._url and host == _host(self._url))

    def refusal_of_port(self, port: int | None) -> str | None:
        """Return why nothing is delivered to a port of this machine, or None where it may be."""
        if port == self.own_port:
            return f"port {port} of this machine is the sandbox itself"
        if _ANY in self.ports or port in self.ports:
            return None
        if self._url and _is_this_machine(_host(self._url)) and port == yarl.URL(self._url).port:
            return None
        return (
            f"port {port} of this machine is not open to webhooks; allow it with webhook_ports=[{port}] or"
            f" --webhook-port {port}"
        )


def is_loopback_address(text: str) -> bool:
    """Whether a numeric address, as a look-up gives it, is of this machine."""
    return _is_this_machine(text.partition("%")[0])


def _problem(url: object) -> str | None:
    shown = repr(url if not isinstance(url, str) or len(url) <= 200 else url[:197] + "...")
    try:
        parsed = yarl.URL(url) if isinstance(url, str) and url.isprintable() else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.scheme not in _SCHEMES or not parsed.host:
        return f"expected an http or https address, got {shown}"
    if parsed.user is not None or parsed.password is not None:
        return "holds a user or password; webhooks authenticate by their token"
    return None


def _host(url: str) -> str:
    return (yarl.URL(url).host or "").rstrip(".").lower()


def _is_this_machine(host: str) -> bool:
    address = numeric_address(host)
    if address is None:
        return is_loopback_name(host)
    # A server that listens on all addresses is reached by the unspecified one too.
    return address.is_loopback or address.is_unspecified


def _is_token(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isprintable() and text.strip() == text != ""


def _checked_host(host: object) -> str:
    if host == _ANY:
        return _ANY
    name = host_of(host)
    if not name:
        raise ConfigurationError(f"webhook_hosts: expected host names such as 'shop.internal', got {host!r}")
    return name.rstrip(".").lower()


def _checked_port(port: object) -> int | str:
    if port == _ANY:
        return _ANY
    if isinstance(port, int) and not isinstance(port, bool) and 1 <= port <= 65535:
        return port
    raise ConfigurationError(f"webhook_ports: expected numbers from 1 to 65535 or '*', got {port!r}")


def _checked_seconds(name: str, seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
        raise ConfigurationError(f"{name}: expected seconds from 0, got {seconds!r}")
    return float(seconds)
