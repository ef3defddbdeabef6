"""Jobs killed with SIGKILL and run again on their journal: each row ends as one link."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import aiohttp
import attrs
import pytest

from plexypay_async._core.record import LATE_WORK

from .ledger_server import ledger

pytestmark = pytest.mark.asyncio

ROOT = Path(__file__).parents[2]

JOB = """
import asyncio, collections, json, sys
from plexypay_async import AsyncPlexyPay, CreatePaymentLink, RetryPolicy

async def main(base_url, journal, count):
    links = (CreatePaymentLink(amount=n + 1, currency="KZT", order_reference=f"ORD-{n}")
             for n in range(count))
    seen = collections.Counter()
    retry = RetryPolicy(base=0.01, cap=0.2)
    print("begins", flush=True)
    async with AsyncPlexyPay("sandbox-key", base_url=base_url, retry=retry) as plexy:
        async for result in plexy.payment_links.create_many(links, journal=journal, concurrency=40):
            if result.link is None or result.link.amount != result.index + 1:
                print(result, file=sys.stderr)
            seen["link" if result.link else "error"] += 1
            seen["recovered"] += result.recovered
            seen["retries"] += result.retries
    print(json.dumps(seen))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""
FAULTS = ("code=1,rate=0.03", "code=2,work=random,rate=0.03", "cut=before,rate=0.02", "cut=after,rate=0.02")
"""On creates and look-ups alike."""


@contextlib.asynccontextmanager
async def started(base_url: str, journal: Path, count: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The job in a process of its own, which has imported all and is about to begin."""
    job = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", JOB, base_url, str(journal), str(count)), stdout=subprocess.PIPE
    )
    try:
        assert job.stdout is not None
        async with asyncio.timeout(20):
            assert await job.stdout.readline() == b"begins\n"
        yield job
    finally:
        with contextlib.suppress(ProcessLookupError):
            job.kill()
        await job.wait()


async def killed(base_url: str, journal: Path, count: int, after: float) -> bool:
    """Run the job and kill it after some seconds; tell whether it had not ended before."""
    async with started(base_url, journal, count) as job:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after):
                await job.wait()
        return job.returncode is None


async def finished(base_url: str, journal: Path, count: int, limit: float) -> str:
    async with started(base_url, journal, count) as job, asyncio.timeout(limit):
        out, _ = await job.communicate()
        assert job.returncode == 0
        return out.decode().strip()


async def test_killed_three_times_on_a_server_that_would_create_twice(tmp_path: Path) -> None:
    chances = random.Random(3)

    async def misbehave(_: str) -> bool:
        await asyncio.sleep(0.02)
        return chances.random() >= 0.03

    async with ledger() as server:
        server.before = server.after = misbehave
        kills = 0
        for part in (40, 120, 220):
            async with started(server.base_url, tmp_path / "journal", 300) as job, asyncio.timeout(20):
                while len(server.links) < part and job.returncode is None:
                    await asyncio.sleep(0.001)
                kills += job.returncode is None
        told = await finished(server.base_url, tmp_path / "journal", 300, 20)

    assert kills == 3
    assert '"link": 300' in told
    assert {reference: made[0]["amount"] for reference, made in server.links.items()} == {
        f"ORD-{number}": number + 1 for number in range(300)
    }
    assert server.twice == []


# ---------------------------------------------------------------------------------- twenty kills on end


@attrs.frozen
class Account:
    """What a server has in the end."""

    links: list[tuple[str, int]]
    """The reference and the amount of each."""
    creates: int
    """How many requests to create one arrived."""
    more: str = ""
    twice: Mapping[str, list[str]] = attrs.field(factory=dict[str, list[str]])
    """What happened to the references with more than one, where the server knows."""


@contextlib.asynccontextmanager
async def serving(*arguments: str) -> AsyncGenerator[str]:
    """Run a Python module that prints `... on URL; ...` first; yields the address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            line = (await process.stdout.readline()).decode()
        yield line.split(" on ")[1].split(";")[0]
    finally:
        process.terminate()
        await process.wait()


@attrs.frozen
class SandboxProcess:
    """The sandbox, which refuses a repeated reference as the API does."""

    base_url: str

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, folder: Path) -> AsyncGenerator[SandboxProcess]:
        faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
        options = ["--port", "0", "--seed", "11", "--database", str(folder / "state"), *faults]
        async with serving("plexypay_async.cli", "sandbox", *options) as base_url:
            yield cls(base_url)

    async def account(self) -> Account:
        """Read it on the sandbox's own paths, which have no faults."""
        links: list[tuple[str, int]] = []
        async with aiohttp.ClientSession(f"{self.base_url}/_sandbox/") as session:
            while True:
                page = {"page": len(links) // 1000 + 1, "size": 1000}
                async with session.get("payment-links", params=page) as answer:
                    items = (await answer.json())["data"]
                links += [(link["orderReference"], link["amount"]) for link in items]
                if len(items) < 1000:
                    break
            async with session.get("requests") as answer:
                arrived = (await answer.json())["data"]
        return Account(
            links, sum(kind["count"] for kind in arrived if kind["operation"] == "payment_links.create")
        )


@attrs.frozen
class LedgerProcess:
    """The ledger, which creates as often as it is asked."""

    base_url: str

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, folder: Path) -> AsyncGenerator[LedgerProcess]:
        del folder
        async with serving("tests.bulk.ledger_server", "--seed", "20") as base_url:
            yield cls(base_url)

    async def account(self) -> Account:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.base_url}/_ledger/report") as answer,
        ):
            told = await answer.json()
        # The campaign would prove nothing if no kill had left a request at work.
        assert told["orphaned"] > 0
        assert told["look_ups"] > told["orphaned"]
        return Account(
            [(reference, amount) for reference, amount in told["links"]],
            told["sendings"],
            f", {told['needless']} of them for a link that was there or under way, "
            f"{told['orphaned']} links made for a killed client, {told['look_ups']} look-ups done",
            told["twice"],
        )


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("server", "last"),
    # The ledger's last kill comes where the rows of the runs before are being looked up.
    [(SandboxProcess, 0.0), (LedgerProcess, LATE_WORK)],
    ids=["sandbox", "ledger"],
)
async def test_five_thousand_rows_killed_at_twenty_instants(
    tmp_path: Path, server: type[SandboxProcess | LedgerProcess], last: float
) -> None:
    count, chances = 5000, random.Random(20)
    instants = [chances.uniform(0.0, 0.3) for _ in range(19)] + [last + chances.uniform(0.0, 0.1)]
    async with server.started(tmp_path) as running:
        began = time.monotonic()
        kills = 0
        for instant in instants:
            kills += await killed(running.base_url, tmp_path / "journal", count, instant)
        told = await finished(running.base_url, tmp_path / "journal", count, 120)
        took = time.monotonic() - began
        account = await running.account()

    references = {reference for reference, _ in account.links}
    print(
        f"\n{server.__name__}: {count} rows, {kills} kills, {len(account.links)} links, "
        f"{len(account.links) - len(references)} twice, {count - len(references)} lost, "
        f"{account.creates - count} creates sent again{account.more}, {took:.1f} s; the last run: {told}"
    )
    for reference, events in account.twice.items():
        print(f"twice: {reference}", *events, sep="\n  ")
    assert kills == 20
    assert sorted(account.links) == sorted((f"ORD-{number}", number + 1) for number in range(count))
    assert f'"link": {count}' in told
