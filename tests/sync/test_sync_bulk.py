"""How `create_many` crosses to the loop: at once, whatever the caller's iterable and loop body do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from plexypay_sync import (
    BulkResult,
    ConfigurationError,
    CreatePaymentLink,
    JobProgress,
    OutcomeUnknownError,
    PlexyPay,
)
from plexypay_sync.portal import portal

from .conftest import QUICK, Check
from .servers import ThreadedSandbox

CREATE = "payment_links.create"


def row(number: int) -> CreatePaymentLink:
    return CreatePaymentLink(amount=1, currency="KZT", order_reference=f"ROW-{number}")


def eventually(happened: Callable[[], bool], what: str) -> None:
    """Wait until something is so, a bounded time."""
    limit = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < limit, f"{what}: it did not happen within 30 s"
        time.sleep(0.002)


def test_rows_are_sent_though_the_iterable_blocks(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    def sent(number: int) -> bool:
        return sandbox.count(CREATE) == number

    def source() -> Iterator[CreatePaymentLink]:
        for number in range(30):
            if number % 10 == 0:
                # Ten rows came at once, and the next one waits for them.
                eventually(partial(sent, number), f"rows before {number} are sent")
            yield row(number)

    assert len(list(plexy.payment_links.create_many(source()))) == 30


def test_no_row_is_read_while_results_are_at_hand(sandbox: ThreadedSandbox) -> None:
    results: list[BulkResult] = []
    seen: list[tuple[int, int]] = []

    def sent(number: int) -> bool:
        return sandbox.count(CREATE) == number

    with PlexyPay(
        sandbox.api_key, base_url=sandbox.base_url, timeout=30, retry=QUICK, max_connections=1
    ) as plexy:

        def source() -> Iterator[CreatePaymentLink]:
            for number in range(12):
                seen.append((number, len(results)))
                if number % 4 == 3:
                    # With one connection these calls are answered after the rows' own.
                    eventually(partial(sent, number), f"rows before {number} are sent")
                    for _ in range(3):
                        plexy.payment_links.statistics()
                yield row(number)

        for result in plexy.payment_links.create_many(source(), concurrency=1):
            results.append(result)  # noqa: PERF402 - counted meanwhile

    assert [number for number, _ in seen] == list(range(12))
    assert len(results) == 12
    # What was finished while row 3, 7 and 11 were waited for is here before the next one is.
    assert [given for number, given in seen if number in (4, 8)] == [3, 7], seen


def test_a_slow_loop_body_holds_nothing_up_but_the_reading(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    read: list[int] = []

    def source() -> Iterator[CreatePaymentLink]:
        for number in range(600):
            read.append(number)
            yield row(number)

    results = plexy.payment_links.create_many(source(), concurrency=8)
    first = next(results)
    eventually(lambda: sandbox.count(CREATE) == len(read), "all rows that were read are sent")
    before = len(read)
    at_hand = [next(results) for _ in range(before // 2)]
    assert len(read) == before
    rest = list(results)
    assert sorted(result.index for result in [first, *at_hand, *rest]) == list(range(600))


async def stop() -> None:
    asyncio.get_running_loop().stop()


def test_a_job_does_not_outlive_its_loop(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    results = plexy.payment_links.create_many((row(number) for number in range(5000)), concurrency=4)
    next(results)
    # Whether it hears of its own end is chance.
    with contextlib.suppress(OutcomeUnknownError):
        portal.run(stop)
    eventually(lambda: "plexypay" not in [thread.name for thread in threading.enumerate()], "the thread ends")
    with pytest.raises(ConfigurationError, match="event loop that has ended"):
        list(results)
    assert plexy.payment_links.statistics().raw is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_job_of_the_parents_is_refused_in_the_child(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    out = check(
        """
        import os, sys
        from plexypay_sync import ConfigurationError, CreatePaymentLink, PlexyPay
        plexy = PlexyPay("sandbox-key", base_url=sys.argv[1], timeout=10)
        rows = (CreatePaymentLink(amount=1, currency="KZT") for _ in range(400))
        results = plexy.payment_links.create_many(rows, concurrency=4)
        next(results)
        child = os.fork()
        if child == 0:
            try:
                list(results)
            except ConfigurationError as error:
                made = plexy.payment_links.create(amount=7, currency="KZT")
                print("before a fork" in str(error), made.amount)
            sys.exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 1 + sum(1 for _ in results), flush=True)
        """,
        sandbox.base_url,
        options=("-W", "error", "-W", "ignore:This process:DeprecationWarning"),
        uvloop=uvloop,
    )
    assert out.splitlines() == ["True 7", "0 400"]


def test_progress_is_told_in_the_callers_thread(plexy: PlexyPay) -> None:
    told: list[JobProgress] = []
    threads: set[int] = set()

    def tell(progress: JobProgress) -> None:
        threads.add(threading.get_ident())
        told.append(progress)

    results = list(plexy.payment_links.create_many(map(row, range(50)), on_progress=tell))

    assert len(results) == 50
    assert (told[-1].created, told[-1].under_way) == (50, 0)
    assert threads == {threading.get_ident()}


def test_what_the_progress_function_raises_ends_the_job_and_loses_nothing(
    sandbox: ThreadedSandbox, plexy: PlexyPay
) -> None:
    results: list[BulkResult] = []
    read: list[int] = []

    def source() -> Iterator[CreatePaymentLink]:
        for number in range(1_000_000):
            read.append(number)
            yield row(number)

    def tell(progress: JobProgress) -> None:
        if progress.created:
            raise LookupError("the window was closed")

    def collect() -> None:
        for result in plexy.payment_links.create_many(source(), on_progress=tell):
            results.append(result)  # noqa: PERF402 - what came before the error is looked at

    with pytest.raises(LookupError, match="the window was closed"):
        collect()

    assert len(results) == len(read) < 1_000_000
    assert all(result.link is not None for result in results)
    assert sandbox.count(CREATE) == len(results)
