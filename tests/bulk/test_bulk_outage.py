"""Patience: an outage in the middle of a job is ridden out, without hammering, and left behind at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import attrs
import pytest

from plexypay_async import AsyncPlexyPay, BulkResult, RetryPolicy, ServiceUnavailableError
from plexypay_async.sandbox import Sandbox
from tests.refusing_port import refusing_port

from .ledger_server import Ledger, ledger
from .rows import QUICK, a_client, amounts, expected, now, rows, run

pytestmark = pytest.mark.asyncio

PROBE_INTERVAL = 0.1


@pytest.fixture
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._core.retry_budget.PROBE_INTERVAL", PROBE_INTERVAL)


class Outage:
    """A sandbox that fails from a moment of a job on, and notes when requests arrive meanwhile."""

    def __init__(self, sandbox: Sandbox, fault: str) -> None:
        self._sandbox = sandbox
        self._fault = fault
        self.arrivals: list[float] = []
        self.ended = 0.0

    async def strike(self, after: int, seconds: float) -> None:
        requests = self._sandbox.requests
        while requests.count() < after:
            await asyncio.sleep(0.001)
        self._sandbox.faults.add(self._fault)
        began = now()
        seen = requests.count()
        while now() < began + seconds:
            await asyncio.sleep(0.001)
            self.arrivals += [now() - began] * (requests.count() - seen)
            seen = requests.count()
        self._sandbox.faults.clear()
        self.ended = now()

    def noticed(self, workers: int) -> int:
        """How many requests arrived once it was noticed: by two failures of each worker, or five in all."""
        return max(0, len(self.arrivals) - max(5 + workers, 4 * workers))


@pytest.mark.usefixtures("_quick_probes")
@pytest.mark.parametrize(
    ("fault", "concurrency"),
    [
        ("code=1", None),
        ("code=1", 1),
        ("code=1,retry_after=0", 4),
        ("code=2", None),
        ("cut=before", 4),
        ("cut=after", None),
        ("cut=after", 1),
    ],
)
async def test_an_outage_fails_no_row_and_is_not_hammered(
    sandbox: Sandbox, fault: str, concurrency: int | None
) -> None:
    outage = Outage(sandbox, fault)
    # A cap of 20 s, as by default: whoever naps as long when the outage is over comes too late.
    policy = RetryPolicy(base=0.01, cap=20)
    async with a_client(sandbox, retry=policy, max_connections=20) as plexy:
        striking = asyncio.create_task(outage.strike(60, 1.0))
        results = await run(plexy, rows(150), concurrency=concurrency)
        ended = now()
        await striking

    assert [result.error for result in results] == [None] * 150
    assert amounts(sandbox.payment_links()) == expected(150)
    # aiohttp itself repeats a GET, such as a look-up, whose connection is closed under it.
    sendings = 2 if "cut" in fault else 1
    late = outage.noticed(sendings * (concurrency or 20))
    assert late / sendings <= 1.0 / PROBE_INTERVAL + 2
    assert outage.arrivals[-1] > 0.5
    assert ended - outage.ended < 5


@pytest.mark.usefixtures("_quick_probes")
async def test_silence_is_an_outage_too(sandbox: Sandbox) -> None:
    outage = Outage(sandbox, "hang=true")
    async with a_client(sandbox, read_timeout=0.1, retry=RetryPolicy(base=0.01, cap=20)) as plexy:
        striking = asyncio.create_task(outage.strike(60, 1.5))
        results = await run(plexy, rows(150), concurrency=10)
        await striking

    assert [result.error for result in results] == [None] * 150
    assert outage.noticed(10) <= 1.5 / PROBE_INTERVAL + 2


@pytest.mark.usefixtures("_quick_probes")
async def test_a_port_that_refuses_is_ridden_out() -> None:
    retry = RetryPolicy(base=0.01, cap=20)
    with refusing_port() as port:
        async with AsyncPlexyPay("sandbox-key", base_url=f"http://127.0.0.1:{port}", retry=retry) as plexy:
            job = asyncio.create_task(run(plexy, rows(100)))
            await asyncio.sleep(1)
            assert not job.done()
            async with Sandbox(port=port) as back:
                began = now()
                results = await job
                # A pause at its cap would be 20 s.
                assert now() - began < 5
                assert amounts(back.payment_links()) == expected(100)
    assert [result.error for result in results] == [None] * 100


@pytest.mark.usefixtures("_quick_probes")
@pytest.mark.parametrize("jobs", [1, 3])
async def test_with_an_empty_budget_only_probes_go_out(sandbox: Sandbox, jobs: int) -> None:
    outage = Outage(sandbox, "code=1")
    async with a_client(sandbox) as plexy:
        plexy._execution.budget.jobs.tokens = 0
        striking = asyncio.create_task(outage.strike(0, 1.0))
        await asyncio.sleep(0)
        running = [run(plexy, rows(50, 50 * job), concurrency=20) for job in range(jobs)]
        every: list[list[BulkResult]] = await asyncio.gather(*running)
        await striking

    assert [result.error for results in every for result in results] == [None] * 50 * jobs
    # Each worker's first request needs no token.
    assert len(outage.arrivals) <= 20 * jobs + 1.0 / PROBE_INTERVAL + 2


@pytest.mark.usefixtures("_quick_probes")
async def test_rows_claimed_before_an_outage_wait_for_it_with_their_look_up(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    async with a_client(sandbox) as plexy:
        await plexy.payment_links.create(amount=1, currency="KZT", order_reference="known")
        sandbox.faults.add("hang=true")
        job = asyncio.create_task(run(plexy, rows(50), journal=path, concurrency=50))
        while sandbox.requests.count() < 51:
            await asyncio.sleep(0.001)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        sandbox.faults.clear()

        outage = Outage(sandbox, "code=1")
        striking = asyncio.create_task(outage.strike(0, 1.0))
        results = await run(plexy, rows(50), journal=path, concurrency=10)
        await striking

    assert [result.error for result in results] == [None] * 50
    assert outage.noticed(10) <= 1.0 / PROBE_INTERVAL + 2
    assert amounts(sandbox.payment_links()) == {"known": 1, **expected(50)}


@pytest.mark.usefixtures("_quick_probes")
async def test_an_outage_that_outlasts_the_rows_time_fails_them_with_their_outcome(sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1")
    async with a_client(sandbox) as plexy:
        began = now()
        results = await run(plexy, rows(30), timeout=0.4, concurrency=30)
        assert now() - began < 6

    assert len(results) == 30
    outcomes = {result.error.outcome.name for result in results if result.error and result.error.outcome}
    # One that is cut while it is at the server is unknown.
    assert "REJECTED" in outcomes
    assert outcomes <= {"REJECTED", "NOT_SENT", "UNKNOWN"}
    assert all(result.link is None for result in results)


async def test_a_single_call_fails_when_the_budget_is_spent_where_it_is_not_to_wait(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async._core.retry_budget.REFILL", 0)
    sandbox.faults.add("code=1")
    async with a_client(sandbox, retry=attrs.evolve(QUICK, outage="fail")) as plexy:
        plexy._execution.budget.tokens = 0
        with pytest.raises(ServiceUnavailableError):
            await plexy.payment_links.create(amount=1, currency="KZT", order_reference="ORD-1")
    assert sandbox.requests.count() == 1


@pytest.mark.campaign
async def test_ninety_seconds_of_outage() -> None:
    """As it is set by default: eight attempts, pauses up to 20 s, a probe each half second."""
    # Each with a server of its own; they wait most of the time.
    await asyncio.gather(ride_out_ninety_seconds("refused"), ride_out_ninety_seconds("silent"))


async def ride_out_ninety_seconds(kind: str) -> None:
    arrivals: list[float] = []
    began, ended, down = 0.0, 0.0, asyncio.Event()

    async def note(_: str) -> bool:
        if down.is_set():
            arrivals.append(now() - began)
            if kind == "silent":
                await asyncio.sleep(3600)
            return False
        await asyncio.sleep(0.02)
        return True

    async def strike(server: Ledger) -> None:
        nonlocal began, ended
        while len(server.links) < 2000:
            await asyncio.sleep(0.01)
        began = now()
        down.set()
        await asyncio.sleep(90)
        down.clear()
        ended = now()

    async with ledger() as server, a_client(server, retry=RetryPolicy(), timeout=60) as plexy:
        server.before = note
        striking = asyncio.create_task(strike(server))
        results = [result async for result in plexy.payment_links.create_many(rows(6000))]
        await striking
        caught_up = now() - ended

    per_second = Counter(int(at) for at in arrivals)
    print(
        f"{kind}: {len(arrivals)} creates in an outage of 90 s, per second "
        f"{[per_second[second] for second in range(90)]}; {caught_up:.1f} s for the 4,000 rows after it"
    )
    assert [result.error for result in results] == [None] * 6000
    assert server.twice == []
    noticed = 65 if kind == "silent" else 10
    assert sum(per_second[second] for second in range(noticed, 90)) <= 2 * (90 - noticed) + 1
    assert max(per_second[second] for second in range(noticed, 90)) <= 3
