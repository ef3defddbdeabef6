"""A request of aiohttp's, and its body, which tells when it is written and is taken in fewer steps.

The shorter way is an optimisation alone: it makes what aiohttp makes, and where aiohttp is not built as it
must be for this, aiohttp does the work.
"""

# What it uses of aiohttp is private, and so looked at before: see `takes_bodies_as_known`.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import zlib
from typing import Any

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from multidict import CIMultiDict

from .._core.sending import Sending
from .outbox import LARGEST_AT_ONCE, Outbox

__all__ = ["SENT_ONCE", "Body", "Request", "takes_bodies_as_known"]

CONTENT_TYPE = "application/json"
SENT_ONCE = "the connection was lost before an answer, and this call is sent once"
_STEPS = frozenset({0x45B7AB37})
"""Checksums of the names that aiohttp uses to take a body, where `Request` does the same."""


def takes_bodies_as_known() -> bool:
    """Tell whether aiohttp's request takes a body as `Request` does, in this version of aiohttp."""
    try:
        names = aiohttp.ClientRequest.update_body_from_data.__code__.co_names
    except AttributeError:
        return False
    return zlib.crc32(" ".join(names).encode()) in _STEPS


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

    def __init__(self, content: bytes, sending: Sending, outbox: Outbox | None) -> None:
        self._value = content
        self.length = length = len(content)
        self.outbox = outbox if length <= LARGEST_AT_ONCE else None
        """What sends it with others; None where aiohttp does all."""
        self.sending = sending

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.length

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


class Request(aiohttp.ClientRequest):
    """A request of aiohttp's that takes our bodies in fewer steps: about a microsecond less for each."""

    # What aiohttp reads without another package: an old Brotli beside it is not to be relied on.
    DEFAULT_HEADERS = {  # noqa: RUF012 - aiohttp's own name, which it does not change
        hdrs.ACCEPT: "application/json",
        hdrs.ACCEPT_ENCODING: "gzip, deflate",
    }

    if takes_bodies_as_known():

        def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
            """Take a body, of which nothing has to be found out where it is one of ours."""
            if type(body) is not Body or self._body is not None or self.chunked or self._skip_auto_headers:
                super().update_body_from_data(body, _stacklevel + 1)
                return
            self._body = body
            setdefault = self.headers.setdefault
            setdefault(hdrs.CONTENT_LENGTH, str(body.length))
            setdefault(hdrs.CONTENT_TYPE, CONTENT_TYPE)
