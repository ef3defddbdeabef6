"""Jobs that end by a foreign exception at a random place: each ends, and every row that was read is told."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    BulkResult,
    CreatePaymentLink,
    Outcome,
    PlexyPayError,
    RetryPolicy,
)
from plexypay_async._core.call import Call
from plexypay_async._wire.codec import OperationCodec
from plexypay_async.bulk.journal import Journal
from plexypay_sync import PlexyPay

from .ledger_server import Ledger, ledger
from .rows import row

EXCEPTIONS: tuple[type[Exception], ...] = (
    RuntimeError,
    KeyError,
    RecursionError,
    ValueError,
    OSError,
    ZeroDivisionError,
    LookupError,
    sqlite3.OperationalError,
    PlexyPayError,
)
ENDING: tuple[type[BaseException], ...] = (SystemExit, asyncio.CancelledError, GeneratorExit)
PLACES = ("key", "source", "tracer", "journal", "decoder", "call", "leaving", "cancelled", "nowhere")
SECONDS = 20.0
"""Within which each job has to end; as a rule it takes some milliseconds."""
QUICK = RetryPolicy(max_attempts=3, base=0.0005, cap=0.002)


class Strikes:
    """Raises an exception at its turn, and perhaps at each one after it."""

    def __init__(self, error: Callable[[], BaseException], at: int, *, once: bool) -> None:
        self._error = error
        self._at = at
        self._once = once
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        if self.count == self._at or (self.count > self._at and not self._once):
            raise self._error()


@attrs.define
class Plan:
    """One job: what it does, and where it is struck."""

    seed: int
    place: str
    rows: int
    ordered: bool
    journal: bool
    slow: bool
    sync: bool
    concurrency: int | None
    at: int
    once: bool
    error: Callable[[], BaseException]

    def reference(self, number: int) -> str:
        """A row's reference; a request of a job that was cut may arrive while the next one runs."""
        return f"JOB-{self.seed}-{number}"

    @classmethod
    def drawn(cls, seed: int) -> Plan:
        chances = random.Random(seed)
        place = chances.choice(PLACES)
        sync = chances.random() < 0.15 and place not in ("tracer", "cancelled")
        kinds: tuple[type[BaseException], ...] = EXCEPTIONS
        if place == "call":
            kinds = (*EXCEPTIONS, *ENDING)
        kind = chances.choice(kinds)
        rows = chances.randint(1, 20)
        return cls(
            seed=seed,
            place=place,
            rows=rows,
            ordered=chances.random() < 0.5,
            journal=place == "journal" or chances.random() < 0.4,
            slow=chances.random() < 0.5,
            sync=sync,
            concurrency=chances.choice((None, 1, 2, 8)),
            at=chances.randint(1, 2 if place == "journal" else rows),
            # A hook that raises each time is an outage, which each row rides out for its whole time.
            once=place == "tracer" or chances.random() < 0.5,
            error=lambda: kind("struck"),
        )


class Rows:
    """The source, which counts what was read of it."""

    def __init__(self, plan: Plan, strike: Callable[[], None]) -> None:
        self._plan = plan
        self._strike = strike
        self.read = 0

    def __iter__(self) -> Iterator[CreatePaymentLink]:
        for number in range(self._plan.rows):
            if self._plan.place == "source":
                self._strike()
            self.read += 1
            yield row(number, order_reference=self._plan.reference(number))

    async def slowly(self) -> AsyncIterator[CreatePaymentLink]:
        for request in self:
            await asyncio.sleep(0)
            yield request


async def perform(plan: Plan, server: Ledger, folder: Path) -> tuple[list[BulkResult], Rows, str]:
    """Run one job, and return its results, its source and how it ended."""
    strike = Strikes(plan.error, plan.at, once=plan.once)
    source = Rows(plan, strike)
    options: dict[str, Any] = {
        "ordered": plan.ordered,
        "concurrency": plan.concurrency,
        "timeout": 1.0,
        "journal": folder / f"{plan.seed}.journal" if plan.journal else None,
    }
    client: dict[str, Any] = {
        "base_url": server.base_url,
        "retry": QUICK,
        "timeout": 1.0,
        "read_timeout": 0.5,
    }

    def key() -> str:
        strike()
        return "key"

    api_key: Any = key if plan.place == "key" else "key"
    with pytest.MonkeyPatch.context() as patch:
        if plan.place == "journal":
            _strike_before(patch, Journal, "exchange", strike)
        if plan.place == "decoder":
            _strike_before(patch, OperationCodec, "decode", strike)
        if plan.place == "call":
            _strike_before(patch, Call, "run", strike)
        if plan.sync:
            return await asyncio.to_thread(_in_this_thread, plan, source, api_key, client, options)
        session = None
        if plan.place == "tracer":
            trace = aiohttp.TraceConfig()

            async def hook(*_: Any) -> None:
                strike()

            signal = random.Random(plan.seed).choice(("on_request_start", "on_request_end"))
            getattr(trace, signal).append(hook)
            session = aiohttp.ClientSession(trace_configs=[trace])
        try:
            async with AsyncPlexyPay(api_key, session=session, **client) as plexy:
                return await _on_this_loop(plan, source, plexy, options)
        finally:
            if session is not None:
                await session.close()


def _strike_before(patch: pytest.MonkeyPatch, owner: type, name: str, strike: Callable[[], None]) -> None:
    whole: Any = getattr(owner, name)

    def struck(*arguments: Any) -> Any:
        strike()
        return whole(*arguments)

    patch.setattr(owner, name, struck)


async def _on_this_loop(
    plan: Plan, source: Rows, plexy: AsyncPlexyPay, options: dict[str, Any]
) -> tuple[list[BulkResult], Rows, str]:
    results: list[BulkResult] = []
    links: Any = source.slowly() if plan.slow else source

    async def consume() -> str:
        try:
            async for result in plexy.payment_links.create_many(links, **options):
                results.append(result)
                if plan.slow:
                    await asyncio.sleep(0)
                if plan.place == "leaving" and len(results) == plan.at:
                    raise plan.error()
        except BaseException as error:  # noqa: BLE001 - how it ends is counted
            return type(error).__name__
        return "its end"

    job = asyncio.create_task(consume())
    if plan.place == "cancelled":
        asyncio.get_running_loop().call_later(plan.at * 0.0005, job.cancel)
    _, waiting = await asyncio.wait([job], timeout=SECONDS)
    assert not waiting, f"{plan} hangs"
    return results, source, "cancelled before it began" if job.cancelled() else job.result()


def _in_this_thread(
    plan: Plan, source: Rows, api_key: Any, client: dict[str, Any], options: dict[str, Any]
) -> tuple[list[BulkResult], Rows, str]:
    results: list[BulkResult] = []
    try:
        with PlexyPay(api_key, **client) as plexy:
            for result in plexy.payment_links.create_many(source, **options):
                results.append(result)
                if plan.place == "leaving" and len(results) == plan.at:
                    raise plan.error()
    except BaseException as error:  # noqa: BLE001 - how it ends is counted
        return results, source, type(error).__name__
    return results, source, "its end"


def check(plan: Plan, server: Ledger, results: list[BulkResult], source: Rows) -> None:
    indices = [result.index for result in results]
    assert len(set(indices)) == len(indices), plan
    if plan.ordered:
        assert indices == sorted(indices), plan
    if plan.sync and plan.journal and not results:
        # It could not begin, since the key that the journal asks for was not to be had.
        assert plan.reference(0) not in server.links, plan
    elif plan.place not in ("leaving", "cancelled"):
        # Every row that was read is told, whatever has ended the job.
        assert sorted(indices) == list(range(source.read)), plan
    for result in results:
        made = plan.reference(result.index) in server.links
        if result.link is not None:
            assert made, plan
        elif result.error is not None and result.error.outcome in (Outcome.NOT_SENT, Outcome.REJECTED):
            assert not made, f"{plan}: {result.error!r}"
    assert not [name for name in server.twice if name.startswith(plan.reference(0)[:-1])], plan


def sockets() -> int:
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue
    return count


async def campaign(jobs: int, folder: Path, patch: pytest.MonkeyPatch, first: int = 0) -> None:
    # A slow digest for each job would be most of the time.
    patch.setitem(__import__("plexypay_async._privacy.secret", fromlist=["_KEY_DIGEST"])._KEY_DIGEST, "n", 2)
    ended: Counter[str] = Counter()
    places: Counter[str] = Counter()
    told = links = 0
    longest = 0.0
    began = time.perf_counter()
    async with ledger() as server:
        with PlexyPay("key", base_url=server.base_url) as warm:
            await asyncio.to_thread(warm.payment_links.list().first_page)
        await asyncio.sleep(0.05)
        open_before = sockets()
        tasks_before = len(asyncio.all_tasks())
        for seed in range(first, first + jobs):
            plan = Plan.drawn(seed)
            server.links.clear()
            started = time.perf_counter()
            results, source, how = await perform(plan, server, folder)
            took = time.perf_counter() - started
            longest = max(longest, took)
            assert took < SECONDS, plan
            check(plan, server, results, source)
            ended[how] += 1
            places[plan.place + (" (sync)" if plan.sync else "")] += 1
            told += len(results)
            links += sum(result.link is not None for result in results)
            own = [
                name
                for task in asyncio.all_tasks()
                if "plexypay_async/bulk" in (name := str(task.get_coro())) or "_Worker" in name
            ]
            assert not own, plan
        for _ in range(200):
            if sockets() <= open_before and len(asyncio.all_tasks()) <= tasks_before:
                break
            await asyncio.sleep(0.01)
        assert sockets() <= open_before
        assert len(asyncio.all_tasks()) <= tasks_before
    print(
        f"{jobs} jobs in {time.perf_counter() - began:.0f} s, the longest {longest:.2f} s; {told} results,"
        f" {links} of them links; places {dict(places)}; ended by {dict(ended)}; none hung, no task or socket"
        " left"
    )


@pytest.mark.asyncio
@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts sockets in /proc")
async def test_a_hundred_jobs_that_are_struck_end_and_tell_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await campaign(120, tmp_path, monkeypatch)


@pytest.mark.campaign
@pytest.mark.asyncio
@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts sockets in /proc")
async def test_ten_thousand_jobs_that_are_struck_end_and_tell_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await campaign(10_000, tmp_path, monkeypatch, first=1000)
