"""When and how often the client sent what it sent: by that its claims are measured, not by what arrived.

On a busy machine a request lies in a socket for a second before it is read. A client that has waited as long
as it says may then say that nothing was done; and of a connection that is closed meanwhile no server hears.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
import pytest
from aiohttp.connector import Connection

from plexypay_async._http.guard import GuardedRequest, StaleConnectionError

from .recording_server import SENT_AT

__all__ = ["SendingClock"]


class SendingClock:
    """Counts what goes out, and writes on each request when it did."""

    def __init__(self) -> None:
        self.sent: Counter[tuple[str, str]] = Counter()
        """How often a method was sent to a path, by the HTTP library too."""

    def start(self, patch: pytest.MonkeyPatch) -> None:
        """Begin, for as long as the patch lasts."""
        send, sent = GuardedRequest.send, self.sent

        async def timed(request: GuardedRequest, connection: Connection) -> aiohttp.ClientResponse:
            asked = request.method, request.url.path
            request.headers[SENT_AT] = f"{asyncio.get_running_loop().time():.6f}"
            sent[asked] += 1
            try:
                return await send(request, connection)
            except StaleConnectionError:
                sent[asked] -= 1
                raise

        patch.setattr(GuardedRequest, "send", timed)
