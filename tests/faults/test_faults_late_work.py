"""What an earlier run has sent may still be at work: its "not found" is asked too early to prove anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, BulkResult, CreatePaymentLink, Journal, Outcome, RetryPolicy
from plexypay_async.bulk.journal_format import State
from plexypay_async.bulk.partition import create_partition

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    KEY,
    LINKS,
    NOT_FOUND,
    SHORT,
    SILENCE,
    TAKEN,
    Answer,
    Script,
    Seen,
    Server,
    Step,
    code,
    link,
    page,
    serving,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
LOOK_UP = f"GET {BY_REFERENCE}/*"
LISTING = f"GET {LINKS}"
ROW = CreatePaymentLink(amount=2_200_000, currency="KZT", order_reference="ORD-1")
NO_ROUTE = Answer(404, b"<html>no route</html>")


class Shop:
    """A server that answers as it is told to, and knows what it has made."""

    def __init__(self) -> None:
        self.made: set[str] = set()
        self.arrived = asyncio.Event()
        self.post: Step = SILENCE
        self.find: Step | None = None
        """What look-ups are answered; None for the truth."""

    def create(self, seen: Seen) -> Step:
        self.arrived.set()
        if callable(self.post):
            return self.post(seen)
        return self.post

    def make(self, seen: Seen) -> Step:
        """Make the link, as a server that works."""
        reference = seen.json["orderReference"]
        if reference in self.made:
            return TAKEN
        self.made.add(reference)
        return Answer(201, link(reference))

    def make_behind_a_page(self, seen: Seen) -> Step:
        """Make the link, and let something in between answer that the request was bad."""
        self.make(seen)
        return Answer(400, b"<html>bad request</html>")

    def look_up(self, seen: Seen) -> Step:
        if self.find is not None:
            return self.find
        reference = seen.path.rpartition("/")[2]
        return Answer(200, link(reference)) if reference in self.made else NOT_FOUND

    def listing(self, _: Seen) -> Step:
        return page(*(link(reference) for reference in sorted(self.made)))

    @property
    def script(self) -> Script:
        return Script({POST: self.create, LOOK_UP: self.look_up, LISTING: self.listing})


@pytest.fixture(autouse=True)
def _looks_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests are about is not how long a later run waits before it looks."""
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.journal"


@asynccontextmanager
async def shop_open() -> AsyncIterator[tuple[Shop, Server]]:
    shop = Shop()
    async with serving(shop.script) as server:
        yield shop, server


async def run(server: Server, path: Path, **options: Any) -> BulkResult:
    """Run a job of one row with a client of its own."""
    chosen: dict[str, Any] = {"retry": SHORT, "timeout": 5.0, **options}
    async with AsyncPlexyPay(KEY, base_url=server.url, **chosen) as plexy:
        job = plexy.payment_links.create_many([ROW], journal=path, timeout=chosen["timeout"])
        (result,) = [result async for result in job]
    return result


async def leave_at_work(shop: Shop, server: Server, path: Path) -> None:
    """Cut a job while its request is at the server, which may do the work later."""
    job = asyncio.create_task(run(server, path))
    await asyncio.wait_for(shop.arrived.wait(), 10)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)


def state_of(path: Path) -> dict[State, int]:
    with Journal(path) as journal:
        journal.open()
        return journal.counts()


# -------------------------------------------------------------------------------- what another run has sent


@pytest.mark.parametrize(
    ("refusal", "told"),
    [(CODE_1, "code 1"), (Answer(429, {"message": "slow down"}), "429"), (NO_ROUTE, "404")],
    ids=["code 1", "429", "404 of a gateway"],
)
async def test_a_row_of_an_earlier_run_is_not_refused_before_that_is_proved(
    refusal: Answer, told: str, path: Path
) -> None:
    async with shop_open() as (shop, server):
        await leave_at_work(shop, server, path)
        shop.post = refusal
        result = await run(server, path, timeout=0.3)
        assert result.error is not None
        assert result.error.outcome is Outcome.UNKNOWN, told
        assert state_of(path) == {State.CLAIMED: 1}
        # Now it arrives, and the next run finds it.
        shop.made.add("ORD-1")
        result = await run(server, path)
    assert result.link is not None
    assert result.recovered


async def test_a_row_of_an_earlier_run_is_refused_once_its_request_cannot_be_at_work(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async._core.record.LATE_WORK", 0.05)
    async with shop_open() as (shop, server):
        await leave_at_work(shop, server, path)
        shop.post = code(5, 422, "the amount is too large")
        result = await run(server, path, read_timeout=0.05, timeout=1.0)
    assert result.error is not None
    assert result.error.outcome is Outcome.REJECTED


async def test_a_partition_that_is_run_again_is_not_refused_before_that_is_proved() -> None:
    rows = [{"amount": 2_200_000, "currency": "KZT", "order_reference": "ORD-1"}]
    async with shop_open() as (shop, server):
        settings = {"api_key": KEY, "base_url": server.url, "retry": RetryPolicy(base=0.002, cap=0.01)}
        lost = asyncio.create_task(run_once(server))
        await asyncio.wait_for(shop.arrived.wait(), 10)
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        shop.post = CODE_1
        (record,) = await asyncio.to_thread(create_partition, rows, {**settings, "timeout": 0.5})
        assert record["outcome"] == "unknown"
        shop.made.add("ORD-1")
        (record,) = await asyncio.to_thread(create_partition, rows, {**settings, "timeout": 5.0})
    assert (record["outcome"], record["link_id"]) == ("recovered", "pl_1")


async def run_once(server: Server) -> None:
    """Send a row as a worker does that is lost then."""
    async with AsyncPlexyPay(KEY, base_url=server.url, retry=SHORT) as plexy:
        await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


# ------------------------------------------------------------------------- a failed row whose link is there


@pytest.mark.parametrize(
    "find",
    [NO_ROUTE, Answer(400, b"<html>bad request</html>"), Answer(200, b"<html>welcome</html>")],
    ids=["404 of a gateway", "400 of a gateway", "a page"],
)
async def test_a_failed_row_that_exists_is_unknown_where_the_look_up_cannot_tell(
    find: Answer, path: Path
) -> None:
    async with shop_open() as (shop, server):
        shop.made.add("KNOWN")
        shop.post = shop.make_behind_a_page
        first = await run(server, path, timeout=1.0)
        assert first.error is not None
        assert first.error.outcome is Outcome.REJECTED
        assert state_of(path) == {State.FAILED: 1}
        shop.post, shop.find = shop.make, find
        second = await run(server, path, timeout=0.5)
        assert second.error is not None
        assert second.error.outcome is Outcome.UNKNOWN
        assert state_of(path) == {State.CLAIMED: 1}
        # And where it can tell again, the row is recovered.
        shop.find = None
        third = await run(server, path)
    assert third.link is not None
    assert third.recovered


async def test_a_failed_row_that_exists_is_recovered_where_the_look_up_tells(path: Path) -> None:
    async with shop_open() as (shop, server):
        shop.post = shop.make_behind_a_page
        await run(server, path, timeout=1.0)
        shop.post = shop.make
        result = await run(server, path)
    assert result.link is not None
    assert result.recovered
