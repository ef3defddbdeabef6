"""A job with a journal: what is durable when, what a second run does, and whose journal it is."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    AuthenticationError,
    BulkResult,
    ConfigurationError,
    Journal,
    OutcomeUnknownError,
)
from plexypay_async.bulk.journal_format import State
from plexypay_async.sandbox import Sandbox

from .ledger_server import Ledger, ledger
from .rows import CREATE, LOOK_UP, a_client, amounts, expected, row, rows, run

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "july.journal"


def on_disk(path: Path, copies: Path) -> dict[str, State]:
    """Read what a crash at this moment would leave: the job itself holds the file."""
    copies.mkdir(exist_ok=True)
    for file in path.parent.glob(path.name + "*"):
        shutil.copy(file, copies / file.name)
    connection = sqlite3.connect(copies / path.name)
    try:
        return {
            reference: State(state)
            for reference, state in connection.execute("SELECT reference, state FROM links")
        }
    finally:
        connection.close()


def states(path: Path) -> dict[str, State]:
    with Journal(path) as journal:
        journal.open()
        return {reference: state for reference, state, _ in journal.links()}


# ------------------------------------------------------------------------------------------- durability


async def test_a_claim_is_on_disk_before_its_request_is_sent(path: Path, tmp_path: Path) -> None:
    late: list[str] = []

    async def look(reference: str) -> None:
        if on_disk(path, tmp_path / "copies").get(reference) is None:
            late.append(reference)

    async with ledger() as server, a_client(server) as plexy:
        server.before = look
        results = await run(plexy, rows(200), journal=path)

    assert [result.error for result in results] == [None] * 200
    assert late == []
    assert states(path) == dict.fromkeys(expected(200), State.DONE)


async def test_a_journal_whose_loop_was_closed_amid_a_job_can_be_used_again(path: Path) -> None:
    """Nothing ends a job any more whose loop is closed without being shut down."""
    journal, loop = Journal(path), asyncio.new_event_loop()
    await asyncio.to_thread(lambda: loop.run_until_complete(journal.call(journal.open)))
    with pytest.raises(ConfigurationError, match="another job of this process is using it"):
        Journal(path).open()
    loop.close()
    with Journal(path) as again:
        again.open()
        with pytest.raises(ConfigurationError, match="another job of this process is using it"):
            Journal(path).open()
    assert path.exists()


async def test_claims_are_made_in_batches(
    sandbox: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    exchange = Journal.exchange

    def counted(self: Journal, done: list[object], failed: list[object], claims: list[object]) -> object:
        batches.append(len(claims))
        return exchange(self, done, failed, claims)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "exchange", counted)
    async with a_client(sandbox) as plexy:
        await run(plexy, rows(400), journal=path)

    assert sum(batches) == 400
    assert len([size for size in batches if size]) <= 400 / 64 + 3


async def test_a_job_that_is_killed_in_mid_request_leaves_its_claims(path: Path) -> None:
    async with ledger() as server:
        asked = asyncio.Event()

        async def work_and_hang(reference: str) -> None:
            if reference == "ORD-5":
                asked.set()
                await asyncio.Event().wait()

        server.after = work_and_hang
        script = (
            "import asyncio, sys\n"
            "from plexypay_async import AsyncPlexyPay, CreatePaymentLink\n"
            "async def main():\n"
            "    links = [CreatePaymentLink(amount=n + 1, currency='KZT', order_reference=f'ORD-{n}')\n"
            "             for n in range(10)]\n"
            "    async with AsyncPlexyPay('key', base_url=sys.argv[1]) as plexy:\n"
            "        async for _ in plexy.payment_links.create_many(links, journal=sys.argv[2]): pass\n"
            "asyncio.run(main())\n"
        )
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, server.base_url, str(path))
        try:
            async with asyncio.timeout(60):
                await asked.wait()
        finally:
            child.kill()
            await child.wait()
        server.after = None
        assert set(states(path)) == set(expected(10))

        async with a_client(server) as plexy:
            results = await run(plexy, rows(10), journal=path)

    assert [result.error for result in results] == [None] * 10
    assert server.twice == []
    assert server.creates["ORD-5"] == 1
    assert set(states(path).values()) == {State.DONE}


# --------------------------------------------------------------------------------------------- again


async def test_the_second_run_sends_nothing_for_what_is_done(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path
) -> None:
    first = await run(plexy, rows(100), journal=path, ordered=True)
    count = sandbox.requests.count()
    second = await run(plexy, rows(100), journal=path, ordered=True)

    assert sandbox.requests.count() == count
    assert [result.link for result in second] == [result.link for result in first]
    assert [result.link.raw for result in second if result.link] == [r.link.raw for r in first if r.link]
    assert {result.recovered for result in second} == {True}
    assert {result.recovered for result in first} == {False}


async def test_failed_and_new_rows_are_created_and_done_ones_are_not(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path
) -> None:
    sandbox.faults.add(f"code=5,times=3,operation={CREATE}")
    first = await run(plexy, rows(10), journal=path, concurrency=1)
    assert [result.index for result in first if result.error] == [0, 1, 2]
    sandbox.requests.clear()

    second = await run(plexy, rows(20), journal=path)

    assert [result.error for result in second] == [None] * 20
    assert sandbox.requests.count(CREATE) == sandbox.requests.count() == 13
    assert amounts(sandbox.payment_links()) == expected(20)
    assert {result.index for result in second if result.recovered} == set(range(3, 10))


async def test_a_mended_row_is_taken_if_nothing_was_created_under_its_reference(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path
) -> None:
    sandbox.faults.add(f"code=5,times=1,operation={CREATE}")
    await run(plexy, [row(0, currency="USD")], journal=path)

    (mended,) = await run(plexy, [row(0, amount=7)], journal=path)
    (again,) = await run(plexy, [row(0, amount=7)], journal=path)

    assert mended.link is not None
    assert mended.link.amount == 7
    assert again.link == mended.link


async def test_what_was_claimed_is_looked_up_before_it_is_sent(path: Path) -> None:
    async with ledger() as server, a_client(server) as plexy:
        held = asyncio.Event()

        async def half_work(reference: str) -> None:
            if int(reference[4:]) % 2:
                await held.wait()

        # Half of the rows are done without an answer, the other half are not done.
        server.before, server.after = half_work, lambda _: held.wait()
        job = asyncio.create_task(run(plexy, rows(20), journal=path, concurrency=20))
        async with asyncio.timeout(30):
            while server.creates.total() < 20:
                await asyncio.sleep(0.001)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        assert states(path) == dict.fromkeys(expected(20), State.CLAIMED)
        made = set(server.links)
        server.before = server.after = None

        results = await run(plexy, rows(20), journal=path)

    assert made == {f"ORD-{number}" for number in range(0, 20, 2)}
    assert [result.error for result in results] == [None] * 20
    assert {f"ORD-{r.index}" for r in results if r.recovered} == made
    assert set(server.look_ups) == set(expected(20))
    assert server.twice == []
    assert all(server.creates[reference] == 1 for reference in made)


async def test_an_unknown_outcome_stays_claimed_and_is_tried_again(sandbox: Sandbox, path: Path) -> None:
    async with a_client(sandbox) as plexy:
        await plexy.payment_links.create(amount=1, currency="KZT", order_reference="known")
        wrong = plexy.with_options(paths={LOOK_UP: "/v1/payment-links/nowhere/{order_reference}"})
        sandbox.faults.add(f"cut=before,times=1,operation={CREATE}")
        first = await run(wrong, rows(3), journal=path, concurrency=1)
        (unknown,) = [result.error for result in first if result.error is not None]
        assert isinstance(unknown, OutcomeUnknownError)
        assert unknown.order_reference == "ORD-0"
        assert "ORD-0" in str(unknown)
        assert states(path) == {"ORD-0": State.CLAIMED, "ORD-1": State.DONE, "ORD-2": State.DONE}

        still = await run(wrong, rows(3), journal=path)
        assert [type(result.error) for result in still if result.error] == [OutcomeUnknownError]
        assert states(path)["ORD-0"] is State.CLAIMED
        creates = sandbox.requests.count(CREATE)

        last = await run(plexy, rows(3), journal=path)

    assert [result.error for result in last] == [None] * 3
    assert sandbox.requests.count(CREATE) == creates + 1
    assert amounts(sandbox.payment_links()) == {"known": 1, **expected(3)}


async def test_one_journal_serves_jobs_in_turn_and_refuses_two_at_once(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path
) -> None:
    with Journal(path) as journal:
        await run(plexy, rows(5), journal=journal)
        sandbox.faults.add("latency=0.05")
        first = asyncio.create_task(run(plexy, rows(10), journal=journal))
        await asyncio.sleep(0.02)
        with pytest.raises(ConfigurationError, match="another job is using it"):
            await run(plexy, rows(10), journal=journal)
        assert [result.error for result in await first] == [None] * 10
        assert len(await run(plexy, rows(12), journal=journal)) == 12

    with pytest.raises(ConfigurationError, match="it is closed"):
        await run(plexy, rows(5), journal=journal)
    assert amounts(sandbox.payment_links()) == expected(12)


# -------------------------------------------------------------------------------------- references


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_row_without_a_reference_is_refused_by_its_number(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path, ordered: bool
) -> None:
    links = [row(0), row(1, order_reference=None), row(2)]

    results = await run(plexy, links, journal=path, ordered=ordered)

    (failed,) = [result for result in results if result.error is not None]
    assert (failed.index, type(failed.error)) == (1, ConfigurationError)
    assert "row 1" in str(failed.error)
    assert set(amounts(sandbox.payment_links())) == {"ORD-0", "ORD-2"}


@pytest.mark.parametrize("apart", [0, 300], ids=["in the same batch", "in another batch"])
async def test_a_repeated_row_is_created_once_and_reported_each_time(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path, apart: int
) -> None:
    links = [*rows(1), *rows(apart, 1), row(0), row(0)]

    results = await run(plexy, links, journal=path)

    assert sorted(result.index for result in results) == list(range(len(links)))
    same = [result for result in results if result.request.order_reference == "ORD-0"]
    assert len(same) == 3
    assert len({result.link.id for result in same if result.link}) == 1
    assert sandbox.requests.count(CREATE) == apart + 1


async def test_a_repeated_row_that_fails_fails_each_time(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path
) -> None:
    sandbox.faults.add(f"code=5,operation={CREATE}")

    results = await run(plexy, [row(0), row(0)], journal=path)

    assert [type(result.error).__name__ for result in results] == ["UnprocessableError"] * 2


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("again", [False, True], ids=["in one run", "in the next run"])
async def test_other_content_under_a_reference_is_refused_naming_both_rows(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path, again: bool, ordered: bool
) -> None:
    first, other = rows(5), [row(9), row(3, amount=999), row(3, amount=999)]
    results: list[BulkResult]
    if again:
        await run(plexy, first, journal=path)
        results = await run(plexy, other, journal=path, ordered=ordered)
    else:
        results = await run(plexy, [*first, *other], journal=path, ordered=ordered)

    failed = [result for result in results if result.error is not None]
    begin = 0 if again else 5
    assert sorted(result.index for result in failed) == [begin + 1, begin + 2]
    for result in failed:
        assert isinstance(result.error, ConfigurationError)
        assert str(result.error).startswith(f"row {result.index}: the ")
        assert "the order reference 'ORD-3'" in str(result.error)
        assert re.search(r"other content,? (in|from) row 3\b", str(result.error))
    assert amounts(sandbox.payment_links()) == {**expected(5), "ORD-9": 10}


# ------------------------------------------------------------------------------------------- whose it is


async def test_a_journal_of_another_base_url_is_refused(sandbox: Sandbox, path: Path) -> None:
    async with a_client(sandbox) as plexy:
        await run(plexy, rows(3), journal=path)
    async with ledger() as elsewhere, a_client(elsewhere) as plexy:
        with pytest.raises(ConfigurationError, match=r"it belongs to http://.*, not to http://"):
            await run(plexy, rows(3), journal=path)
        assert elsewhere.creates.total() == 0


async def test_a_new_key_of_the_account_is_taken_after_one_retrieve(path: Path) -> None:
    async with ledger() as server:
        server.keys = {"old-key", "new-key"}
        async with a_client(server, api_key="old-key") as plexy:
            await run(plexy, rows(3), journal=path)
        async with a_client(server, api_key="new-key") as plexy:
            results = await run(plexy, rows(5), journal=path)
            assert [result.error for result in results] == [None] * 5
        # From now on it is the journal's key, and the old one has to show itself.
        server.keys = {"new-key"}
        async with a_client(server, api_key="old-key") as plexy:
            with pytest.raises(ConfigurationError, match="another API key") as caught:
                await run(plexy, rows(6), journal=path)
            assert isinstance(caught.value.__cause__, AuthenticationError)

    content = b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())
    assert b"old-key" not in content
    assert b"new-key" not in content
    assert server.creates.total() == 5


async def test_a_key_of_another_account_is_refused(path: Path) -> None:
    async with ledger() as server:
        async with a_client(server, api_key="one") as plexy:
            await run(plexy, rows(3), journal=path)
        server.links.clear()
        async with a_client(server, api_key="two") as plexy:
            with pytest.raises(
                ConfigurationError, match="another API key, and this one does not find its link"
            ):
                await run(plexy, rows(3), journal=path)
            assert states(path) == dict.fromkeys(expected(3), State.DONE)
    assert server.creates.total() == 3


async def test_another_key_is_refused_where_no_link_could_show_whose_it_is(path: Path) -> None:
    async def stay(_: str) -> bool | None:
        await asyncio.sleep(30)
        return None

    async with ledger() as server:
        server.before = stay
        async with a_client(server, api_key="one") as plexy:
            await run(plexy, rows(3), journal=path, timeout=0.1)
        async with a_client(server, api_key="two") as plexy:
            with pytest.raises(ConfigurationError, match="holds no link by which this key could be checked"):
                await run(plexy, rows(3), journal=path)
        server.before = None
        async with a_client(server, api_key="one") as plexy:
            results = await run(plexy, rows(3), journal=path)
    assert [result.error for result in results] == [None] * 3


async def test_two_processes_on_one_journal_the_second_is_refused_and_the_first_unharmed(
    path: Path,
) -> None:
    second: list[str] = []

    async def try_it(server: Ledger) -> None:
        script = (
            "import asyncio, sys\n"
            "from plexypay_sync import PlexyPay, CreatePaymentLink, ConfigurationError\n"
            "link = CreatePaymentLink(amount=1, currency='KZT', order_reference='other')\n"
            "with PlexyPay('key', base_url=sys.argv[1]) as plexy:\n"
            "    try: print(list(plexy.payment_links.create_many([link], journal=sys.argv[2])))\n"
            "    except ConfigurationError as error: print(error)\n"
        )
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, server.base_url, str(path)), stdout=subprocess.PIPE
        )
        out, _ = await child.communicate()
        second.append(out.decode())

    async with ledger() as server, a_client(server) as plexy:

        async def during(reference: str) -> None:
            if reference == "ORD-20":
                await try_it(server)

        server.before = during
        results = await run(plexy, rows(100), journal=path)

    (said,) = second
    assert "another process is using it; one job at a time may" in said
    assert [result.error for result in results] == [None] * 100
    assert "other" not in server.creates
    assert states(path) == dict.fromkeys(expected(100), State.DONE)
