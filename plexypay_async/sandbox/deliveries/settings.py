"""Where webhooks go, how they authenticate, and when they are tried again.

A link's ``callbackUrl`` must not make the sandbox send requests to whatever else listens on this machine: a
database, a cache, a metadata service. So webhooks go only to the ports of this machine that were named, and
to those that servers under development usually have.

Evidence: ``Authorization: Bearer <token>``, for events of the Checkout API ``Plexy-Signature``, and that 200
acknowledges a delivery are published. The pauses and the time that a receiver has are the sandbox's own.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterable
from functools import partial

import attrs
import yarl

from ..._privacy.hiding import shortened
from ..._privacy.printable import OneLine
from ..._privacy.secret import Secret
from ...errors import ConfigurationError
from ..site import checked_each, checked_host, is_loopback, numeric_address

__all__ = [
    "DEVELOPMENT_PORTS",
    "PAUSES",
    "WebhookSettings",
    "checkout_secret",
    "is_loopback_address",
    "webhook_token",
]

PAUSES = (5.0, 30.0, 120.0, 600.0, 3600.0)
"""Seconds of the sandbox's clock between one attempt and the next."""

DEVELOPMENT_PORTS = (3000, 5000, 8000, 8080, 8791)
"""The ports of this machine to which webhooks go without being named: those at which web frameworks serve
by default, and that of ``plexypay listen``."""

LOG = logging.getLogger("plexypay.sandbox")
"""The sandbox's logger; what is logged by it is one line for each record, and none where nobody wants any."""
LOG.addFilter(OneLine())
LOG.addHandler(logging.NullHandler())

MOST_TOLD, LONGEST_TOLD = 50, 300
"""Refused addresses that are told of, and the characters of why."""

_SCHEMES = ("http", "https")
_ANY = "*"


def _check_url(_: object, attribute: attrs.Attribute[str | None], url: str | None) -> None:
    problem = None if url is None else _problem(url)
    if problem is not None:
        raise ConfigurationError(f"{attribute.metadata['parameter']}: {problem}")


def _checked_hosts(hosts: Iterable[str]) -> frozenset[str]:
    return frozenset(checked_each("webhook_hosts", hosts, _checked_host, such_as=["shop.internal"]))


def _checked_ports(ports: Iterable[int | str]) -> frozenset[int | str]:
    named = checked_each("webhook_ports", ports, _checked_port, such_as=[9000])
    return frozenset(DEVELOPMENT_PORTS) | frozenset(named)


def _checked_pauses(pauses: Iterable[float]) -> tuple[float, ...]:
    check = partial(_checked_seconds, "webhook_pauses")
    return tuple(checked_each("webhook_pauses", pauses, check, such_as=[5, 30, 120]))


def _checked_timeout(timeout: float) -> float:
    if _checked_seconds("webhook_timeout", timeout) == 0:
        raise ConfigurationError("webhook_timeout: must be positive")
    return timeout


@attrs.define(kw_only=True)
class WebhookSettings:
    """The settings of a sandbox's webhooks, of which the first four may be set while it runs.

    Webhooks go to this machine alone unless told otherwise: test data may hold the addresses of real shops.
    Only a loopback address and ``localhost`` are taken for this machine, without a look-up. Of this machine
    they go to `DEVELOPMENT_PORTS`, to the ports that are named, and to that of the default address; never to
    the sandbox itself, which they could steer.
    """

    url: str | None = attrs.field(validator=_check_url, metadata={"parameter": "webhook_url"})
    """Where webhooks go whose link has no ``callbackUrl``."""
    token: Secret[str]
    """What they carry as ``Authorization: Bearer``."""
    checkout_url: str | None = attrs.field(
        default=None, validator=_check_url, metadata={"parameter": "checkout_webhook_url"}
    )
    """Where the Checkout API's webhooks go; to `url` unless given."""
    checkout_secret: Secret[str] = attrs.field(factory=lambda: checkout_secret(None, ""))
    """What these are signed with."""
    hosts: frozenset[str] = attrs.field(converter=_checked_hosts)
    ports: frozenset[int | str] = attrs.field(converter=_checked_ports)
    pauses: tuple[float, ...] = attrs.field(converter=_checked_pauses)
    timeout: float = attrs.field(converter=_checked_timeout)
    held: bool = False
    """Whether nothing is sent: what is due waits until a test hands it over."""
    own_port: int | None = None
    """That of the sandbox, once it listens."""
    _told: set[str] = attrs.field(factory=set[str], init=False)
    """The refused addresses that were told of."""

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

    def tell_refusal(self, url: str, refusal: str) -> None:
        """Log that nothing goes to an address, once for each host and port, and no further ones after many.

        Args:
            url: The address, as a request has given it.
            refusal: Why, and what to allow.
        """
        is_address = _problem(url) is None
        # Not its path, in which each order may differ.
        where = str(yarl.URL(url).origin()) if is_address else ""
        if where in self._told or len(self._told) > MOST_TOLD:
            return
        self._told.add(where)
        if len(self._told) > MOST_TOLD:
            LOG.warning("no webhook goes to further addresses either; GET /_sandbox/deliveries says which")
        elif is_address:
            LOG.warning(
                "no webhook goes to %s: %s", shortened(where, LONGEST_TOLD), shortened(refusal, LONGEST_TOLD)
            )
        else:
            # Not shown: it may hold a password.
            LOG.warning("no webhook goes to what is no http or https address, or holds a user or password")

    def names(self, host: str) -> bool:
        """Whether a host was named as one to which webhooks go."""
        return host in self.hosts or any(host == _host(url) for url in self._default_urls)

    @property
    def _default_urls(self) -> list[str]:
        return [url for url in (self.url, self.checkout_url) if url]

    def refusal_of_port(self, port: int | None) -> str | None:
        """Return why nothing is delivered to a port of this machine, or None where it may be."""
        if port == self.own_port:
            return f"port {port} of this machine is the sandbox itself"
        if _ANY in self.ports or port in self.ports:
            return None
        if any(_is_this_machine(_host(url)) and port == yarl.URL(url).port for url in self._default_urls):
            return None
        return (
            f"port {port} of this machine is not open to webhooks; allow it with webhook_ports=[{port}] or"
            f" --webhook-port {port}"
        )


def is_loopback_address(text: str) -> bool:
    """Whether a numeric address, as a look-up gives it, is of this machine."""
    return _is_this_machine(text.partition("%")[0])


def webhook_token(text: object) -> Secret[str]:
    """Return a token that webhooks can carry; any other text is a `ConfigurationError`."""
    token = _printable(text)
    # Not shown: it might be a real one.
    del text
    if token is None:
        raise ConfigurationError("webhook_token: expected printable ASCII text")
    return token


def checkout_secret(text: object, api_key: str) -> Secret[str]:
    """Return what webhooks can be signed with, made of the API key where it is None.

    Any other text than printable ASCII is a `ConfigurationError`.
    """
    if text is None:
        digest = hashlib.sha256(f"checkout webhooks of {api_key}".encode()).hexdigest()
        return Secret(f"whsec_{digest[:32]}")
    secret = _printable(text)
    # Not shown: they might be real ones.
    del text, api_key
    if secret is None:
        raise ConfigurationError("checkout_webhook_secret: expected printable ASCII text")
    return secret


def _printable(text: object) -> Secret[str] | None:
    is_usable = isinstance(text, str) and text.isascii() and text.isprintable() and text.strip() == text != ""
    return Secret(str(text)) if is_usable else None


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
    # A server that listens on all addresses is reached by the unspecified one too.
    return is_loopback(host) or (address is not None and address.is_unspecified)


def _checked_host(host: object) -> str:
    return _ANY if host == _ANY else checked_host("webhook_hosts", host)


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
