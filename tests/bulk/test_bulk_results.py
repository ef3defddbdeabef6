"""What `create_many` yields: a result for each row of any iterable, in order if asked, and its errors."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    BulkResult,
    ConfigurationError,
    CreatePaymentLink,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    RetryPolicy,
    UnprocessableError,
)
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay

from .ledger_server import ledger
from .rows import CREATE, Source, a_client, amounts, expected, now, row, rows, run

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("concurrency", [None, 1, 3, 50])
@pytest.mark.parametrize("count", [0, 1, 60])
async def test_every_row_has_its_result(
    sandbox: Sandbox, plexy: AsyncPlexyPay, count: int, concurrency: int | None
) -> None:
    links = rows(count)

    results = await run(plexy, links, concurrency=concurrency)

    assert sorted(result.index for result in results) == list(range(count))
    for result in results:
        assert result.request is links[result.index]
        assert result.link is not None
        assert (result.link.amount, result.link.order_reference) == (result.index + 1, f"ORD-{result.index}")
        assert (result.error, result.recovered, result.retries) == (None, False, 0)
    assert amounts(sandbox.payment_links()) == expected(count)
    assert sandbox.requests.count() == count


@pytest.mark.parametrize(
    "of", [list, tuple, iter, Source.__iter__, Source.slowly], ids=["list", "tuple", "iter", "plain", "async"]
)
@pytest.mark.parametrize("ordered", [False, True])
async def test_any_iterable_is_a_source(
    plexy: AsyncPlexyPay, of: Callable[[Source], Any], ordered: bool
) -> None:
    results = await run(plexy, of(Source(25)), ordered=ordered)

    assert sorted(result.index for result in results) == list(range(25))
    assert all(result.request.order_reference == f"ORD-{result.index}" for result in results)


async def test_results_come_as_they_are_ready() -> None:
    others = asyncio.Event()

    async def hold_the_first(reference: str) -> None:
        if reference == "ORD-0":
            await others.wait()

    indexes: list[int] = []
    async with ledger() as server, a_client(server) as plexy, asyncio.timeout(30):
        server.before = hold_the_first
        async for result in plexy.payment_links.create_many(rows(20), concurrency=4):
            assert result.error is None
            indexes.append(result.index)
            if len(indexes) == 19:
                others.set()

    assert sorted(indexes[:-1]) == list(range(1, 20))
    assert indexes[-1] == 0


async def test_results_come_in_order_if_asked(sandbox: Sandbox, plexy: AsyncPlexyPay) -> None:
    sandbox.faults.add("latency=0.05,rate=0.2")

    results = await run(plexy, rows(200), ordered=True, concurrency=16)

    assert [result.index for result in results] == list(range(200))


async def test_rows_that_fail_and_rows_that_are_bad_keep_their_place_in_order(
    sandbox: Sandbox, plexy: AsyncPlexyPay
) -> None:
    sandbox.faults.add("code=5,rate=0.2")
    links = rows(100)
    links[30] = row(30, description="\ud800")

    results = await run(plexy, links, ordered=True, concurrency=5)

    assert [result.index for result in results] == list(range(100))
    assert isinstance(results[30].error, ConfigurationError)
    for result in results:
        assert (result.link is None) != (result.error is None)


async def test_a_failure_is_a_result(sandbox: Sandbox, plexy: AsyncPlexyPay) -> None:
    sandbox.faults.add(f"code=5,times=2,operation={CREATE}")

    results = await run(plexy, rows(10), concurrency=1)

    for result in results[:2]:
        assert isinstance(result.error, UnprocessableError)
        assert result.error.order_reference == result.request.order_reference
        assert result.error.__traceback__ is None
    assert all(result.link is not None for result in results[2:])


async def test_retries_and_recoveries_are_told(sandbox: Sandbox, plexy: AsyncPlexyPay) -> None:
    sandbox.faults.add(f"code=1,times=2,operation={CREATE}")
    (first,) = await run(plexy, rows(1), concurrency=1)
    sandbox.faults.add(f"cut=after,times=1,operation={CREATE}")
    (second,) = await run(plexy, rows(1, 1), concurrency=1)
    sandbox.faults.add(f"cut=before,times=1,operation={CREATE}")
    (third,) = await run(plexy, rows(1, 2), concurrency=1)

    assert (first.retries, first.recovered) == (2, False)
    assert (second.retries, second.recovered) == (0, True)
    assert (third.retries, third.recovered) == (1, False)


async def test_a_policy_of_one_attempt_is_kept(sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1")
    async with a_client(sandbox, retry=RetryPolicy(max_attempts=1, base=0)) as plexy:
        results = await run(plexy, rows(5))

    assert sandbox.requests.count() == 5
    assert all(result.error is not None for result in results)


async def test_the_time_of_a_link_is_bounded(sandbox: Sandbox, plexy: AsyncPlexyPay) -> None:
    sandbox.faults.add(f"hang=true,times=1,operation={CREATE}")
    began = now()

    results = await run(plexy, rows(10), concurrency=2, timeout=0.2)

    assert 0.2 <= now() - began < 5
    (failed,) = [result.error for result in results if result.error is not None]
    assert isinstance(failed, OutcomeUnknownError)
    assert isinstance(failed.__cause__, DeadlineExceededError)
    assert failed.outcome is Outcome.UNKNOWN


async def test_waiting_for_its_turn_is_no_time_of_a_link(sandbox: Sandbox) -> None:
    sandbox.faults.add("latency=0.3")
    async with a_client(sandbox, max_connections=3) as plexy:
        began = now()
        # Twelve workers share three places, so that the last of them wait for their turn for 0.9 s.
        started = [run(plexy, rows(3, 100 * job), timeout=0.5) for job in range(4)]
        done = await asyncio.gather(*started)
        assert now() - began >= 1.2
        sandbox.faults.clear()
        slow = await run(plexy, rows(30, 1000), timeout=0.5, max_rate=40)

    assert [result.error for results in [*done, slow] for result in results if result.error] == []


# ---------------------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"links": 5}, "links: expected an iterable, got int"),
        ({"links": None}, "links"),
        ({"concurrency": 0}, "concurrency: expected an int"),
        ({"concurrency": True}, "concurrency: expected an int"),
        ({"concurrency": 2.0}, "concurrency: expected an int"),
        ({"concurrency": 101}, "concurrency: 101 is above the client's max_connections of 100"),
        ({"max_rate": 0}, "max_rate"),
        ({"max_rate": float("nan")}, "max_rate"),
        ({"max_rate": "5"}, "max_rate"),
        ({"ordered": 1}, "ordered"),
        ({"timeout": 0}, "timeout"),
        ({"journal": 5}, "journal: expected a Journal or a path, got int"),
    ],
)
async def test_bad_arguments_are_refused_at_once_by_both_facades(
    sandbox: Sandbox, plexy: AsyncPlexyPay, options: dict[str, Any], named: str
) -> None:
    arguments: dict[str, Any] = {"links": rows(1), **options}
    with pytest.raises(ConfigurationError, match=named):
        plexy.payment_links.create_many(**arguments)
    with (
        PlexyPay(sandbox.api_key, base_url=sandbox.base_url) as sync,
        pytest.raises(ConfigurationError, match=named),
    ):
        sync.payment_links.create_many(**arguments)
    assert sandbox.requests.count() == 0


@pytest.mark.parametrize("journal", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("bad", [{"amount": 5}, None, "x"])
@pytest.mark.parametrize("slowly", [False, True])
async def test_an_item_that_is_no_request_ends_the_job_after_those_before_it(
    sandbox: Sandbox,
    plexy: AsyncPlexyPay,
    tmp_path: Path,
    *,
    bad: Any,
    journal: bool,
    ordered: bool,
    slowly: bool,
) -> None:
    links: list[Any] = [*rows(3), bad, *rows(3, 10)]
    results: list[BulkResult] = []

    async def one_by_one() -> AsyncIterator[Any]:
        for link in links:
            yield link

    async def consume() -> None:
        path = tmp_path / "journal" if journal else None
        source = one_by_one() if slowly else links
        async for result in plexy.payment_links.create_many(source, journal=path, ordered=ordered):
            results.append(result)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(
        ConfigurationError, match=rf"links\[3\]: expected a CreatePaymentLink, got {type(bad).__name__}"
    ):
        await consume()

    assert sorted(result.index for result in results) == [0, 1, 2]
    assert amounts(sandbox.payment_links()) == expected(3)


async def test_a_closed_client_refuses_the_job(sandbox: Sandbox) -> None:
    plexy = a_client(sandbox)
    await plexy.close()

    with pytest.raises(ConfigurationError, match="this client is closed"):
        await run(plexy, rows(5))


async def test_a_derived_client_runs_jobs_on_the_same_connections(sandbox: Sandbox) -> None:
    async with a_client(sandbox) as plexy:
        results = await run(plexy.with_options(timeout=3), rows(5))
        again = await run(plexy, rows(5, 5))

    assert [result.error for result in [*results, *again]] == [None] * 10


@pytest.mark.parametrize("client", [AsyncPlexyPay, PlexyPay])
async def test_the_signature_and_the_words_are_the_options(client: Any) -> None:
    method = client("key").payment_links.create_many

    assert list(inspect.signature(method).parameters) == [
        "links",
        "concurrency",
        "max_rate",
        "journal",
        "ordered",
        "timeout",
        "on_progress",
    ]
    parameters = inspect.signature(method).parameters
    assert parameters["links"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert all(
        parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in list(parameters.values())[1:]
    )
    assert parameters["timeout"].default == 600.0
    assert "journal" in method.__doc__
    assert method.__name__ == "create_many"


async def test_rows_without_a_reference_need_no_journal(sandbox: Sandbox, plexy: AsyncPlexyPay) -> None:
    links = [CreatePaymentLink(amount=5, currency="KZT") for _ in range(8)]

    results = await run(plexy, links)

    assert len({result.link.id for result in results if result.link}) == 8
