"""What may be wrong on the wire with the answers of a server that does all of its work.

Each kind of fault befalls a share of the answers. All but the cuts before the answer leave the work done.
"""

from __future__ import annotations

import asyncio
import gzip
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import orjson

from .loopback_front import PLACES, Front, cut, head_of, reset_on_close, written
from .recording_server import Answer, Asked, RecordingServer

__all__ = ["WIRE_FAULTS", "WireFaults"]

MILLISECOND = 0.001
ANOTHER = orjson.dumps(
    {
        "id": "pl_ffffffffffffffffffffffffffffffff",
        "amount": 1,
        "currency": "KZT",
        "status": "active",
        "url": "https://pay.example/of-somebody-else",
        "orderReference": "of-somebody-else",
    }
)


class WireFaults(Front):
    """Does all work, and lets one kind of fault befall a share of the answers."""

    def __init__(self, server: RecordingServer, fault: str, seed: int, silence: float) -> None:
        super().__init__(server)
        self.silence = silence
        """Seconds of silence that the client bears."""
        self.struck = 0
        """How many answers the fault has befallen."""
        self._strike, self._share = WIRE_FAULTS[fault]
        self._name = fault
        self._seed = seed
        self._requests: Counter[str] = Counter()

    async def exchange(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Do the work and answer, rightly or not."""
        number = self._requests[asked.marker] = self._requests[asked.marker] + 1
        chances = random.Random(f"{self._seed}:{asked.marker}:{number}")
        # An attempt may be lost before its work too.
        undone = chances.random() < 0.3 and self._name.endswith("before the head")
        if chances.random() >= self._share:
            writer.write(written(self.server.perform(asked)))
            await writer.drain()
            return True
        self.struck += 1
        self.server.record.note(asked.marker, f"{asked.operation}: {self._name}{', not done' * undone}")
        answer = Answer(200) if undone else self.server.perform(asked)
        return await self._strike(self, answer, reader, writer, chances)


Strike: TypeAlias = Callable[
    [WireFaults, Answer, asyncio.StreamReader, asyncio.StreamWriter, random.Random], Awaitable[bool]
]


def _cut(place: str, *, reset: bool) -> Strike:
    async def strike(
        front: WireFaults,
        answer: Answer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        chances: random.Random,
    ) -> bool:
        writer.write(cut(written(answer), place))
        await writer.drain()
        if reset:
            # Sent first, or the reset would overtake it.
            await asyncio.sleep(MILLISECOND)
            reset_on_close(writer)
        return False

    return strike


def _sent(content: Callable[[Answer], bytes], *, keep: bool = False) -> Strike:
    async def strike(
        front: WireFaults,
        answer: Answer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        chances: random.Random,
    ) -> bool:
        writer.write(content(answer))
        await writer.drain()
        return keep

    return strike


def _then(after: Callable[[Answer], bytes], *, most: float, keep: bool = True) -> Strike:
    """Send the right answer, and something further on the same connection up to so many seconds later."""

    async def strike(
        front: WireFaults,
        answer: Answer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        chances: random.Random,
    ) -> bool:
        writer.write(written(answer) if most else written(answer) + after(answer))
        await writer.drain()
        if most:
            await asyncio.sleep(chances.random() * most)
            writer.write(after(answer))
            await writer.drain()
        return keep

    return strike


async def _byte_by_byte(
    front: WireFaults,
    answer: Answer,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    chances: random.Random,
) -> bool:
    content = written(answer)
    for place in range(len(content)):
        writer.write(content[place : place + 1])
        await asyncio.sleep(0)
    return True


async def _paused(
    front: WireFaults,
    answer: Answer,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    chances: random.Random,
) -> bool:
    content = written(answer)
    begun = cut(content, chances.choice(PLACES[:-1]))
    writer.write(begun)
    # Half of them are longer than the client bears.
    await asyncio.sleep(chances.random() * 2 * front.silence)
    writer.write(content[len(begun) :])
    await writer.drain()
    return True


async def _never(
    front: WireFaults,
    answer: Answer,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    chances: random.Random,
) -> bool:
    await reader.read()
    return False


def _of_length(*lengths: Callable[[int], int]) -> Callable[[Answer], bytes]:
    def content(answer: Answer) -> bytes:
        body = answer.body
        further = (f"Content-Length: {length(len(body))}" for length in lengths)
        return head_of(answer.status, *further) + body

    return content


def _gzip_cut(answer: Answer, *, measured: bool) -> bytes:
    packed = gzip.compress(answer.body)
    length = f"Content-Length: {len(packed)}" if measured else "Connection: close"
    return head_of(answer.status, "Content-Encoding: gzip", length) + packed[: len(packed) // 2]


def _until_closed(answer: Answer) -> bytes:
    body = answer.body
    return head_of(answer.status, "Connection: close") + body[: len(body) // 2]


def _chunks_cut(answer: Answer) -> bytes:
    body = answer.body
    half = body[: len(body) // 2]
    return (
        head_of(answer.status, "Transfer-Encoding: chunked") + f"{len(half):x}\r\n".encode() + half + b"\r\n"
    )


SHARE = 0.15
WIRE_FAULTS: dict[str, tuple[Strike, float]] = {
    **{
        f"{'reset' if reset else 'closed'} {place}": (_cut(place, reset=reset), SHARE)
        for place in PLACES
        for reset in (False, True)
    },
    "answered twice at once": (_then(written, most=0.0), SHARE),
    "answered twice, the second late": (_then(written, most=5 * MILLISECOND), SHARE),
    "garbage before the status line": (
        _sent(lambda answer: b"\x00\xffnonsense\r\n" + written(answer)),
        SHARE,
    ),
    "a length that is too long": (_sent(_of_length(lambda length: length + 10)), SHARE),
    "a length that is too short": (_sent(_of_length(lambda length: length - 10), keep=True), SHARE),
    "a length that is negative": (_sent(_of_length(lambda length: -length)), SHARE),
    "two lengths": (_sent(_of_length(lambda length: length, lambda length: length - 10), keep=True), SHARE),
    "byte by byte": (_byte_by_byte, SHARE),
    "pauses": (_paused, 0.05),
    "black holes": (_never, 0.05),
    "an answer of somebody else's, unasked": (
        _then(lambda _: written((201, ANOTHER)), most=5 * MILLISECOND),
        SHARE,
    ),
    "an empty answer, unasked": (_then(lambda _: written((200, b"")), most=5 * MILLISECOND), SHARE),
    "a time-out of the idle connection": (
        _then(lambda _: written((408, b"")), most=5 * MILLISECOND, keep=False),
        SHARE,
    ),
    "gzip cut": (_sent(lambda answer: _gzip_cut(answer, measured=True)), SHARE),
    "gzip without a length, cut": (_sent(lambda answer: _gzip_cut(answer, measured=False)), SHARE),
    "no length, cut": (_sent(_until_closed), SHARE),
    "chunks cut": (_sent(_chunks_cut), SHARE),
}
"""Each kind of fault, and the share of answers that it befalls."""
