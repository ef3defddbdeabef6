"""How a campaign makes its calls: under short time-outs, cancelled and closed upon at random."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from plexypay_async import AsyncPlexyPay, RetryPolicy

from .campaign_calls import CALLS, CampaignCall
from .claims import CANCELLED, HUNG, Claim, claim_of

__all__ = ["LATEST", "LATE_WORK", "READ_TIMEOUT", "Clients", "MeddledClients", "make_calls"]

KEY = "pr_0123456789abcdef0123456789abcdef"
SHORT = RetryPolicy(max_attempts=4, base=0.005, cap=0.05)
READ_TIMEOUT = 0.3
LATE_WORK = 0.3
LATEST = 0.4
"""Less than READ_TIMEOUT and LATE_WORK together, after which a request cannot be at work any more."""
TIMEOUTS = (0.1, 0.5, 1.5, 4.0)
GRACE = 10.0
"""Seconds after its deadline within which a call has ended, even on a busy machine."""
LIFE = 400
"""So many calls a client lives at the most, until it is closed in the midst of some."""


class Clients:
    """Clients that are closed with calls under way, now and then, and replaced."""

    def __init__(self, url: str, chances: random.Random) -> None:
        self._url = url
        self._chances = chances
        self._left = 0
        self._client: AsyncPlexyPay | None = None
        self._derived: list[AsyncPlexyPay] = []

    async def one(self, timeout: int) -> AsyncPlexyPay:
        """Return a client with one of the time-outs."""
        self._left -= 1
        if self._left <= 0:
            self._left = self._chances.randrange(LIFE // 2, LIFE)
            before, self._client = self._client, self._new()
            self._derived = [self._client.with_options(timeout=each) for each in TIMEOUTS]
            if before is not None:
                await before.close()
        return self._derived[timeout]

    def _new(self) -> AsyncPlexyPay:
        return AsyncPlexyPay(KEY, **self._options)

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self._url,
            "read_timeout": READ_TIMEOUT,
            "max_connections": 150,
            "retry": SHORT,
        }

    async def close(self) -> None:
        """Close the client that is in use."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class MeddledClients(Clients):
    """Clients whose key function and whose tracer, on a session of the caller's, raise now and then."""

    def __init__(self, url: str, chances: random.Random) -> None:
        super().__init__(url, chances)
        self._sessions: list[aiohttp.ClientSession] = []

    def _new(self) -> AsyncPlexyPay:
        tracing = aiohttp.TraceConfig()
        for hook in (
            tracing.on_request_start,
            tracing.on_request_headers_sent,
            tracing.on_request_chunk_sent,
            tracing.on_response_chunk_received,
            tracing.on_request_end,
            tracing.on_connection_reuseconn,
        ):
            hook.append(self._meddle)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=150),
            trace_configs=[tracing],
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._sessions.append(session)
        return AsyncPlexyPay(self._key, session=session, **self._options)

    def _key(self) -> str:
        self._raise_now_and_then()
        return KEY

    async def _meddle(self, *_: object) -> None:
        self._raise_now_and_then()

    def _raise_now_and_then(self) -> None:
        if self._chances.random() < 0.02:
            kind = self._chances.choice((RuntimeError, KeyError, RecursionError, OSError))
            raise kind("not the library's")

    async def close(self) -> None:
        """Close the client that is in use, and the sessions of all."""
        await super().close()
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            await session.close()


async def make_calls(
    numbers: Iterable[int],
    concurrency: int,
    seed: int,
    take: Callable[[Claim], None],
    *,
    named: Sequence[Clients],
    unnamed: Sequence[Clients],
) -> None:
    """Make the calls of these numbers and close the clients.

    Args:
        numbers: Each call's number says what it calls, on which client, and when it is cancelled.
        concurrency: How many are under way at once.
        seed: What chance is drawn from.
        take: Takes what each call claims when it ends.
        named: The clients of the calls whose answers name whose they are.
        unnamed: The clients of the other calls.
    """
    waiting = iter(numbers)

    async def work() -> None:
        for number in waiting:
            chances = random.Random(f"{seed}:{number}")
            call = CALLS[number % len(CALLS)]
            clients = chances.choice(named if call.named else unnamed)
            take(await _claim(call, number, chances, clients))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    finally:
        for each in (*named, *unnamed):
            await each.close()


async def _claim(call: CampaignCall, number: int, chances: random.Random, clients: Clients) -> Claim:
    marker = call.marker(number)
    plexy = await clients.one(chances.randrange(len(TIMEOUTS)))
    calling = asyncio.ensure_future(call.make(plexy, marker, number))
    if chances.random() < 0.15:
        await asyncio.wait([calling], timeout=chances.random() ** 4 * 2 * READ_TIMEOUT)
        calling.cancel()
    await asyncio.wait([calling], timeout=max(TIMEOUTS) + GRACE)
    if not calling.done():
        waits = ", ".join(_waiting_at(calling))
        calling.cancel()
        await asyncio.wait([calling], timeout=GRACE)
        return Claim(call, marker, HUNG, f"it waits at {waits}")
    if calling.cancelled():
        return Claim(call, marker, CANCELLED)
    return claim_of(call, marker, calling.exception() or calling.result())


def _waiting_at(task: asyncio.Future[Any]) -> list[str]:
    """Tell where a task waits, from the outside in."""
    frames: list[str] = []
    coroutine: Any = task.get_coro() if isinstance(task, asyncio.Task) else None
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        frames.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        coroutine = coroutine.cr_await
    return frames
