"""The body of a request, which tells when it is written."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from multidict import CIMultiDict

from .._core.sending import Sending

__all__ = ["CONTENT_TYPE", "SENT_ONCE", "Body"]

CONTENT_TYPE = "application/json"
SENT_ONCE = "the connection was lost before an answer, and this call is sent once"


class Body(Payload):
    """A request body of JSON that notes when its writing begins.

    aiohttp tells from no timeout whether a request was sent, and a trace costs a seventh of the throughput;
    headers and body leave together, so this is the moment. Nothing refers to it in turn: with a cycle in
    every call, the garbage collector would run for a tenth of the time.
    """

    # All bodies share them, and none is changed: a set of headers for each costs as much as its writing.
    _headers = CIMultiDict({hdrs.CONTENT_TYPE: CONTENT_TYPE})
    _encoding = None
    _filename = None
    _autoclose = True
    _value: bytes

    def __init__(self, content: bytes, sending: Sending) -> None:
        self._value = content
        self.sending = sending

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self._value)

    def __deepcopy__(self, _: dict[int, Any]) -> Body:
        # aioresponses copies what a request is given, and must not come by way of this to the event loop.
        return self

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._value.decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return the body as it is."""
        return self._value

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Note the writing, and write the body, or as much of it as the headers say."""
        transport, sending = writer.transport, self.sending
        if transport is not None and not transport.is_closing():
            if sending.writings and sending.once:
                # Headers wait for the body's first byte, so nothing has left this second time.
                raise ConnectionError(SENT_ONCE)
            sending.writings += 1
            sending.begun = True
        await writer.write(self._value[:content_length])
        sending.written_at = now = sending.watch.heard()
        memory = sending.memory
        if memory is not None:
            memory.used_at = sending.went_at = now
