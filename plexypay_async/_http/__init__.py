"""One attempt over HTTP: the only room of the client that knows aiohttp. Private."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # For the client, which only hands a session of the caller's on.
    from aiohttp import ClientSession as ClientSession
