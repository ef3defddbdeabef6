"""What stands between a client and the recording server, and may do anything to a request and its answer.

What befalls a request is drawn from the seed, the call's marker and the request's number in that call: a call
meets the same faults whatever runs beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import re
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

import attrs

from .loopback_front import PLACES, Front, cut, listening, reset_on_close, written
from .recording_server import Answer, Asked, RecordingServer, api_error

__all__ = ["Fate", "LossyProxy", "drawn_by_chance", "lossy_proxy", "often_twice"]

HTML = b"<!doctype html><html><head><title>Welcome</title></head><body>Please sign in.</body></html>"
MESSAGE = b'{"message":"upstream did not answer in time"}'

FOR_THE_SERVER: tuple[tuple[str, int, bytes], ...] = (
    ("302 page", 302, HTML),
    ("307 empty", 307, b""),
    ("408 empty", 408, b""),
    ("409 page", 409, HTML),
    ("425 empty", 425, b""),
    ("499 empty", 499, b""),
    ("500 page", 500, HTML),
    ("500 message", 500, MESSAGE),
    ("502 page", 502, HTML),
    ("503 message", 503, MESSAGE),
    ("503 page", 503, HTML),
    ("504 page", 504, HTML),
    ("200 page", 200, HTML),
    ('200 {"error":"x"}', 200, b'{"error":"x"}'),
    ('200 {"status":"error"}', 200, b'{"status":"error"}'),
    ('200 {"code":1}', 200, b'{"code":1,"message":"busy"}'),
    ("200 empty", 200, b""),
)
"""What something in between answers, before or after the work, or while it is still to be done."""
WITHOUT_THE_SERVER: tuple[tuple[str, int, bytes], ...] = (
    ("400 page", 400, HTML),
    ("403 page", 403, HTML),
    ("404 page", 404, HTML),
    ("413 page", 413, HTML),
    ("429 empty", 429, b""),
)
"""What it answers before a request reaches the server at all."""


@attrs.frozen
class Fate:
    """What befalls one request, in words, and as the proxy does it."""

    told: str
    work: float | None = 0.0
    """Seconds until the work is done, whatever becomes of the connection; None where it is never done."""
    instead: Answer | tuple[int, bytes] | None = None
    """What is answered instead of what the server says."""
    place: str | None = None
    """Where the answer is cut."""
    reset: bool = False
    """Whether the connection is reset where it is cut, rather than closed."""
    silent: bool = False
    """Whether nothing is answered and the connection stays open."""
    pause: float = 0.0
    """Seconds before the answer."""
    again_after: float | None = None
    """Seconds after which the whole answer is sent a second time."""


PASSED = Fate("passed")
AGAIN_WITHIN = 0.05
"""Seconds: an answer that is sent twice comes twice within so many, or once."""
Draw: TypeAlias = Callable[[random.Random, Asked], Fate]


def drawn_by_chance(
    latest: float, pause: float, *, writes: float = 0.5, reads: float = 0.15, twice: bool = False
) -> Draw:
    """Return a way to draw fates.

    Args:
        latest: How many seconds late the work is at the most that the client believes lost.
        pause: How many seconds an answer is held back at the most, where it does come.
        writes: The share of writes that something befalls.
        reads: The share of reads that something befalls.
        twice: Whether what is only passed on may be answered twice.
    """

    def draw(chances: random.Random, asked: Asked) -> Fate:
        if chances.random() >= (reads if asked.is_read else writes):
            return PASSED
        kind = chances.random()
        if kind < 0.08:
            return Fate("code 1, not done", None, api_error(1))
        if kind < 0.13:
            return Fate("code 2, not done", None, api_error(2))
        if kind < 0.18:
            return Fate("code 2, done", 0.0, api_error(2))
        if kind < 0.23:
            name, status, body = chances.choice(WITHOUT_THE_SERVER)
            return Fate(f"{name}, not done", None, (status, body))
        if kind < 0.27:
            return Fate("a pause", pause=chances.random() * pause)
        if kind < 0.31 and twice:
            apart = chances.choice((0.0, 0.002, 0.005))
            return Fate(f"answered twice, {apart * 1000:g} ms apart", again_after=apart)
        after, when = _work(chances, latest)
        if kind < 0.60:
            name, status, body = chances.choice(FOR_THE_SERVER)
            cuts = bool(body) and chances.random() < 0.15
            told = f"{name}{', cut in the body' * cuts}, {when}"
            return Fate(told, after, (status, body), place="in the body" if cuts else None)
        if kind < 0.68:
            return Fate(f"silence, {when}", after, silent=True)
        reset = chances.random() < 0.5
        how = "reset" if reset else "closed"
        place = chances.choice(PLACES[:-1]) if after == 0.0 else PLACES[0]
        return Fate(f"{how} {place}, {when}", after, place=place, reset=reset)

    return draw


def often_twice(draw: Draw, share: float) -> Draw:
    """Return a way to draw the same fates, with this share of the whole answers sent again, 1 to 8 ms later.

    Whatever they say: successes, refusals, and pages of something in between.
    """

    def drawn(chances: random.Random, asked: Asked) -> Fate:
        fate = draw(chances, asked)
        if fate.silent or fate.place is not None or chances.random() >= share:
            return fate
        return attrs.evolve(
            fate, told=f"{fate.told}, sent again", again_after=0.001 + 0.007 * chances.random()
        )

    return drawn


def _work(chances: random.Random, latest: float) -> tuple[float | None, str]:
    part = chances.random()
    if part < 0.3:
        return None, "not done"
    if part < 0.65:
        return 0.0, "done"
    late = latest * (0.1 + 0.9 * chances.random())
    return late, f"done {late:.2f} s late"


class LossyProxy(Front):
    """Hands requests to the recording server or not, and answers for it or not."""

    def __init__(self, server: RecordingServer, draw: Draw, seed: int, at_work_for: float = math.inf) -> None:
        super().__init__(server)
        self.seed = seed
        self._at_work_for = at_work_for
        self.befallen: Counter[str] = Counter()
        """How often each kind of fate was met."""
        self._draw = draw
        self._requests: Counter[str] = Counter()
        self._late = 0
        self._began = asyncio.get_running_loop().time()

    async def exchange(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Let befall one request what is drawn for it."""
        number = self._requests[asked.marker] = self._requests[asked.marker] + 1
        fate = self._draw(random.Random(f"{self.seed}:{asked.marker}:{number}"), asked)
        self._note(asked, fate)
        if self._is_too_late(asked):
            return False
        answer = self._hand_on(asked, fate)
        if fate.pause:
            await asyncio.sleep(fate.pause)
        if fate.silent:
            # Until the client gives up.
            await reader.read()
            return False
        if fate.place is not None:
            content = cut(written(answer), fate.place)
            if content:
                writer.write(content)
                await writer.drain()
            if fate.reset:
                reset_on_close(writer)
            return False
        writer.write(written(answer))
        await writer.drain()
        if fate.again_after is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(fate.again_after, _write_soon, loop.time(), writer, written(answer))
        return True

    def _hand_on(self, asked: Asked, fate: Fate) -> Answer | tuple[int, bytes]:
        answer = Answer(200)
        if fate.work == 0.0:
            before = self.server.record.done[asked.marker]
            answer = self.server.perform(asked)
            if isinstance(fate.instead, Answer) and self.server.record.done[asked.marker] > before:
                self.server.record.excused[asked.marker] += 1
        elif fate.work is not None:
            self._late += 1
            asyncio.get_running_loop().call_later(fate.work, self._do_late, asked)
        return answer if fate.instead is None else fate.instead

    def _is_too_late(self, asked: Asked) -> bool:
        """Tell whether a request was sent so long ago that no server is at work on it any more."""
        if asked.sent_at is None or asyncio.get_running_loop().time() < asked.sent_at + self._at_work_for:
            return False
        self.befallen["too late to be done"] += 1
        self._tell(asked, f"(too late: {asked.operation} is not done)")
        return True

    def _do_late(self, asked: Asked) -> None:
        self._late -= 1
        if self._is_too_late(asked):
            return
        answer = self.server.perform(asked)
        self._tell(asked, f"(late: {asked.operation} is done, {answer.status})")

    def _note(self, asked: Asked, fate: Fate) -> None:
        self.befallen[_LENGTH.sub("late", fate.told)] += 1
        self._tell(asked, f"{asked.operation}: {fate.told}")

    def _tell(self, asked: Asked, event: str) -> None:
        at = asyncio.get_running_loop().time() - self._began
        self.server.record.note(asked.marker, f"{at:8.3f} {event}")

    async def settled(self) -> None:
        """Wait until all work that is late has been done."""
        while self._late:
            await asyncio.sleep(0.05)


def _write_soon(first: float, writer: asyncio.StreamWriter, content: bytes) -> None:
    """Write an answer again, unless an overloaded machine has let too much time go by since the first."""
    if not writer.is_closing() and asyncio.get_running_loop().time() < first + AGAIN_WITHIN:
        writer.write(content)


_LENGTH = re.compile(r"[0-9.]+ s late")


@contextlib.asynccontextmanager
async def lossy_proxy(
    server: RecordingServer, draw: Draw, seed: int, at_work_for: float = math.inf
) -> AsyncGenerator[LossyProxy]:
    """Stand before a server on loopback that is at work on a request so many seconds after its sending."""
    async with listening(LossyProxy(server, draw, seed, at_work_for)) as proxy:
        yield proxy


async def main(seed: int) -> None:
    """Serve until the standard input ends; print the address."""
    draw = drawn_by_chance(0.4, 0.15)
    async with lossy_proxy(RecordingServer(keeps_history=False), draw, seed) as proxy:
        print(proxy.base_url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
