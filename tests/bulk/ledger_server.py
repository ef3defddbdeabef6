"""A server that creates whatever it is told to, a repeated order reference too: what arrives twice shows.

The sandbox refuses a repeated reference, as the API does, and so would hide that it was sent again.

``python -m tests.bulk.ledger_server [--seed N] [--latency SECONDS]`` serves an `UnreliableLedger` until
SIGTERM. It prints its address, and ``GET /_ledger/report`` says what has come to pass.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import enum
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

import orjson
from aiohttp import web

Hook: TypeAlias = Callable[[str], Awaitable[bool | None]]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Ledger:
    """The links by order reference, and what a hook does before or after each create's work."""

    base_url: str

    def __init__(self) -> None:
        self.links: dict[str, list[dict[str, Any]]] = {}
        self.creates: Counter[str] = Counter()
        self.look_ups: Counter[str] = Counter()
        self.keys: set[str] | None = None
        """The keys that are accepted; any if None."""
        self.refuse_taken = False
        """Whether a repeated reference is refused, as the API does."""
        self.before: Hook | None = None
        """Called with the reference before the work; answers with code 1 instead if it returns False."""
        self.after: Hook | None = None
        """Called after the work; the connection is closed without an answer if it returns False."""
        self.found_instead: tuple[int, str] | None = None
        """The status and the text that every look-up is answered with, if that is not what it finds."""

    async def create(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        reference = body["orderReference"]
        self.creates[reference] += 1
        if self.before is not None and await self.before(reference) is False:
            return _error(1, 503)
        if self.refuse_taken and reference in self.links:
            return _error(5, 422)
        made = self.links.setdefault(reference, [])
        number = len(made)
        made.append(
            {"id": f"pl_{reference}_{number}", "status": "active", "url": "https://pay.example", **body}
        )
        if self.after is not None and await self.after(reference) is False and request.transport is not None:
            request.transport.abort()
        return _answer(made[number], 201)

    async def look_up(self, request: web.Request) -> web.StreamResponse:
        reference = request.match_info["reference"]
        self.look_ups[reference] += 1
        if self.found_instead is not None:
            status, text = self.found_instead
            return web.Response(status=status, text=text)
        made = self.links.get(reference)
        return _answer(made[0]) if made else _error(4, 404)

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        found = [
            link for made in self.links.values() for link in made if link["id"] == request.match_info["id"]
        ]
        return _answer(found[0]) if found else _error(4, 404)

    async def listing(self, request: web.Request) -> web.StreamResponse:
        every = [link for made in self.links.values() for link in made]
        return _answer({"data": every[:100], "page": 1, "size": 100, "total": len(every)})

    @property
    def twice(self) -> list[str]:
        """The references with more than one link."""
        return [reference for reference, made in self.links.items() if len(made) > 1]


def _answer(document: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")


def _error(code: int, status: int) -> web.Response:
    return _answer({"code": code, "message": "as told", "source": "paymentLinks", "type": "apiError"}, status)


class Fault(enum.Enum):
    """What may befall a request."""

    CODE_1 = "code 1"
    CODE_2 = "code 2, nothing done"
    CODE_2_DONE = "code 2, work done"
    CUT_BEFORE = "cut before the work"
    CUT_AFTER = "cut after the work"


RATES = {
    Fault.CODE_1: 0.03,
    Fault.CODE_2: 0.015,
    Fault.CODE_2_DONE: 0.015,
    Fault.CUT_BEFORE: 0.02,
    Fault.CUT_AFTER: 0.02,
}
STRAGGLING = 0.01, 2.0
"""The share of requests that wait longer for their work, and for how many more seconds at most."""


class UnreliableLedger(Ledger):
    """A ledger with faults by chance, on creates and reads alike, that works on for a client that is gone.

    It keeps what happened to each reference, which tells how a link came twice.
    """

    def __init__(self, seed: int, latency: float) -> None:
        super().__init__()
        self._chances = random.Random(seed)
        self._latency = latency
        self._began = time.monotonic()
        self._events: dict[str, list[str]] = {}
        self._arrived: set[str] = set()
        self._at_work: Counter[str] = Counter()
        self._sendings = 0
        self._needless = 0
        self._orphaned = 0

    async def create(self, request: web.Request) -> web.StreamResponse:
        # Read before anything else: it is to be done even if the client dies meanwhile.
        reference = orjson.loads(await request.read())["orderReference"]
        self._sendings += 1
        self._arrived.add(reference)
        self._needless += reference in self.links or self._at_work[reference] > 0
        self._at_work[reference] += 1
        try:
            return await self._befallen(request, "create", reference, super().create)
        finally:
            self._at_work[reference] -= 1

    async def look_up(self, request: web.Request) -> web.StreamResponse:
        return await self._befallen(request, "look-up", request.match_info["reference"], super().look_up)

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        return await self._befallen(request, "retrieve", request.match_info["id"], super().retrieve)

    async def listing(self, request: web.Request) -> web.StreamResponse:
        return await self._befallen(request, "listing", "", super().listing)

    async def _befallen(
        self, request: web.Request, what: str, reference: str, work: Handler
    ) -> web.StreamResponse:
        """Do the work, or not, as the fault says that is drawn for this request; most have none."""
        fault = self._drawn()
        before = self._latency * self._chances.random()
        after = self._latency - before
        share, longest = STRAGGLING
        if self._chances.random() < share:
            before += longest * self._chances.random()
        self._note(reference, f"{what} arrived" + (f", to be: {fault.value}" if fault else ""))
        await asyncio.sleep(before)
        if fault is Fault.CODE_1:
            return _error(1, 503)
        if fault is Fault.CODE_2:
            return _error(2, 500)
        if fault is Fault.CUT_BEFORE:
            return _cut(request)
        gone = request.transport is None
        answer = await work(request)
        self._orphaned += gone and what == "create"
        self._note(reference, f"{what} done, status {answer.status}" + (", client gone" if gone else ""))
        await asyncio.sleep(after)
        if fault is Fault.CODE_2_DONE:
            return _error(2, 500)
        return _cut(request) if fault is Fault.CUT_AFTER else answer

    def _drawn(self) -> Fault | None:
        chance = self._chances.random()
        for fault, rate in RATES.items():
            chance -= rate
            if chance < 0:
                return fault
        return None

    def _note(self, reference: str, event: str) -> None:
        self._events.setdefault(reference, []).append(f"{time.monotonic() - self._began:.3f} {event}")

    async def report(self, _: web.Request) -> web.Response:
        """Say what is there, once nothing is at work."""
        while self._at_work.total():
            await asyncio.sleep(0.01)
        return _answer(
            {
                "links": [
                    [reference, link["amount"]] for reference, made in self.links.items() for link in made
                ],
                "sendings": self._sendings,
                "again": self._sendings - len(self._arrived),
                "needless": self._needless,
                "orphaned": self._orphaned,
                "look_ups": self.look_ups.total(),
                "twice": {reference: self._events[reference] for reference in self.twice},
            }
        )


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@contextlib.asynccontextmanager
async def ledger() -> AsyncGenerator[Ledger]:
    """Serve a ledger on loopback."""
    async with _served(Ledger()) as served:
        yield served


_L = TypeVar("_L", bound=Ledger)


@contextlib.asynccontextmanager
async def _served(served: _L) -> AsyncGenerator[_L]:
    @web.middleware
    async def authenticated(request: web.Request, handler: Handler) -> web.StreamResponse:
        if served.keys is not None and request.headers.get("Authorization") not in served.keys:
            return _error(3, 401)
        return await handler(request)

    application = web.Application(middlewares=[authenticated])
    application.router.add_post("/v1/payment-links", served.create)
    application.router.add_get("/v1/payment-links", served.listing)
    application.router.add_get("/v1/payment-links/by-order-reference/{reference}", served.look_up)
    application.router.add_get("/v1/payment-links/{id}", served.retrieve)
    if isinstance(served, UnreliableLedger):
        application.router.add_get("/_ledger/report", served.report)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        served.base_url = f"http://{host}:{port}"
        yield served
    finally:
        await runner.cleanup()


async def never(_: str) -> bool | None:
    """A hook that never returns."""
    await asyncio.Event().wait()
    return None


async def main(seed: int, latency: float) -> None:
    """Serve an unreliable ledger until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with _served(UnreliableLedger(seed, latency)) as served:
        print(f"ledger on {served.base_url}; stop it with SIGTERM", flush=True)
        await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a ledger with faults by chance.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.seed, arguments.latency))
