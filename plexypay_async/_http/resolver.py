"""Host names, looked up on daemon threads.

The event loop's own look-up runs on threads that Python waits for: a name server that hangs would keep a
program from ending after Ctrl-C, and `asyncio.run` from returning after a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["DaemonResolver"]


class DaemonResolver(AbstractResolver):
    """Resolves a host name on a thread of its own; the connector caches what it finds."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: There are none.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def settle(addresses: list[ResolveResult] | None, error: OSError | None) -> None:
            if found.done():
                return
            if error is not None:
                found.set_exception(error)
            else:
                found.set_result(addresses or [])

        def look_up() -> None:
            addresses: list[ResolveResult] | None = None
            failure: OSError | None = None
            try:
                addresses = _addresses(host, port, family)
            except OSError as error:
                failure = error
            except UnicodeError as error:
                failure = OSError(f"{host!r} is no host name: {error}")
            # Nobody waits any more where the loop has ended meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, addresses, failure)

        try:
            threading.Thread(target=look_up, name="plexypay-resolver", daemon=True).start()
        except RuntimeError as error:
            raise OSError(f"{host!r} cannot be looked up: {error}") from None
        return await found

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    addresses: list[ResolveResult] = []
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    for kind, _, protocol, _, address in found:
        numeric: Any = address[0]
        if kind == socket.AF_INET6 and len(address) > 3 and address[3]:
            # A link-local address is nothing without its interface.
            numeric, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        addresses.append(
            ResolveResult(
                hostname=host,
                host=str(numeric),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
        )
    return addresses
