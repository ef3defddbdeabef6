"""The facade's calls in an outage: they wait and probe as the async client's, whatever their threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.outage_server import served
from plexypay_sync import OutageError, Outcome, PlexyPay, PlexyPayError, RetryPolicy

CALLERS = 60


def create(plexy: PlexyPay, number: int) -> str | PlexyPayError:
    try:
        link = plexy.payment_links.create(amount=100, currency="KZT", order_reference=f"ORD-{number}")
    except PlexyPayError as error:
        return error
    return str(link.order_reference)


@pytest.mark.parametrize("kind", ["code 1", "cut"])
def test_a_blip_loses_no_call_of_sixty_threads(kind: str) -> None:
    with served(0.02) as (url, outages), PlexyPay("key", base_url=url, timeout=60) as plexy:
        outages.begin(kind, 1.0)
        with ThreadPoolExecutor(CALLERS) as threads:
            made = list(threads.map(lambda number: create(plexy, number), range(CALLERS)))
        report = outages.report()
    assert made == [f"ORD-{number}" for number in range(CALLERS)]
    assert (report.made, report.twice) == (CALLERS, 0)


def test_none_waits_where_the_policy_says_so() -> None:
    policy = RetryPolicy(base=0.01, cap=0.05, outage="fail")
    with served(0.0) as (url, outages), PlexyPay("key", base_url=url, timeout=60, retry=policy) as plexy:
        outages.begin("code 1", 600.0)
        with ThreadPoolExecutor(CALLERS) as threads:
            failed = list(threads.map(lambda number: create(plexy, number), range(5 * CALLERS)))
        assert {type(error).__name__ for error in failed} == {"ServiceUnavailableError", "OutageError"}
        for error in failed:
            assert isinstance(error, PlexyPayError)
            is_new = isinstance(error, OutageError)
            assert error.outcome is (Outcome.NOT_SENT if is_new else Outcome.REJECTED)
        assert len(outages.report().arrived) < 5 * CALLERS
