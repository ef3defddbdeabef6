"""How a command reaches the API: its address, a proxy, and whom to trust over TLS."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from .._privacy.secret import Secret
from .exits import UnusableInputError

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Connection", "add_connection", "given_beside_sandbox", "given_options"]

_OPTIONS = ("base_url", "proxy", "ca_file", "client_cert", "client_key", "allow_http")


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the options of a connection."""
    group = parser.add_argument_group("connection")
    group.add_argument("--base-url", metavar="URL", help="the API's address")
    group.add_argument(
        "--proxy",
        metavar="URL",
        help="the proxy that leads to the API, such as http://proxy.example:3128; unless given, the"
        " environment's, where credentials are better kept too",
    )
    group.add_argument(
        "--ca-file",
        metavar="FILE",
        help="the certificate authorities to trust in place of the system's, in PEM form: such as your"
        " company's own",
    )
    group.add_argument(
        "--client-cert",
        metavar="FILE",
        help="the certificate that this program proves itself with, in PEM form",
    )
    group.add_argument(
        "--client-key", metavar="FILE", help="its private key, unless it is in the file of the certificate"
    )
    group.add_argument(
        "--allow-http",
        action="store_true",
        help="allow plain http to another machine: for a sandbox in a network of your own",
    )


class Connection(NamedTuple):
    """How the API is reached."""

    base_url: str | None = None
    """Its address; None leaves it to the environment."""
    proxy: Secret[str] | None = None
    """The proxy's URL, which may have a password; None leaves it to the environment."""
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    allow_http: bool = False
    trust_env: bool = True
    """Whether the environment's proxy is taken."""

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Return what the arguments of a command say.

        Raises:
            SystemExit: They do not go together.
        """
        if arguments.client_key is not None and arguments.client_cert is None:
            arguments.parser.error("--client-key needs --client-cert")
        given: dict[str, Any] = {name: getattr(arguments, name) for name in _OPTIONS}
        if arguments.proxy is not None:
            given["proxy"] = arguments.proxy = Secret(arguments.proxy)
        return cls(**given)

    @classmethod
    def of_sandbox(cls, base_url: str) -> Self:
        """Return the way to a sandbox in this process."""
        return cls(base_url=base_url, trust_env=False)

    def options(self) -> dict[str, Any]:
        """Return the options of a client that say the same.

        Raises:
            UnusableInputError: A file of certificates cannot be used.
        """
        return {
            "base_url": self.base_url,
            "proxy": self.proxy,
            "ssl": self._context(),
            "allow_http": self.allow_http,
            "trust_env": self.trust_env,
        }

    def _context(self) -> SSLContext | None:
        if self.ca_file is None and self.client_cert is None:
            return None
        import ssl

        from ..errors import ConfigurationError
        from ..network import context_of

        try:
            context = context_of(self.ca_file) or ssl.create_default_context()
        except ConfigurationError as error:
            raise UnusableInputError(f"--ca-file: {str(error).removeprefix('ssl: ')}") from None
        if self.client_cert is not None:
            for name in filter(None, (self.client_cert, self.client_key)):
                if not os.access(name, os.R_OK) or os.path.isdir(name):
                    raise UnusableInputError(f"--client-cert: cannot read {name}")
            try:
                # Nobody may be there to be asked for a password.
                context.load_cert_chain(self.client_cert, self.client_key, password=lambda: b"")
            except (ssl.SSLError, OSError, ValueError) as error:
                raise UnusableInputError(
                    f"--client-cert: {self.client_cert} and its key cannot be used"
                    f" ({getattr(error, 'reason', None) or error}): both must be in PEM form and belong"
                    " together, and the key must have no password"
                ) from None
        return context


def given_options(arguments: argparse.Namespace) -> list[str]:
    """Return the options of the connection as they were given, but for a proxy, which may have a password."""
    found: list[str] = []
    for name in _OPTIONS:
        value, option = getattr(arguments, name), f"--{name.replace('_', '-')}"
        if value is True:
            found.append(option)
        elif isinstance(value, str) and name != "proxy":
            found += [option, value]
    return found


def given_beside_sandbox(arguments: argparse.Namespace) -> str | None:
    """Return the option that has no meaning where the sandbox of this process is used, if one is given."""
    given = (name for name in _OPTIONS if getattr(arguments, name))
    return next((f"--{name.replace('_', '-')}" for name in given), None)
