"""What a bulk job's call takes of the limits it shares with the others, it gives back however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_async._core.admission import JobAdmission, JobLimits, SingleAdmission
from plexypay_async._core.concurrency import AdaptiveLimit
from plexypay_async._core.retry_budget import ProbeQueue, RetryBudget
from plexypay_async._wire.messages import WireResponse

ANSWER = WireResponse(200, b"{}")


def limits_of(concurrency: AdaptiveLimit) -> JobLimits:
    budget = RetryBudget(3, 100)
    probes = ProbeQueue(budget.jobs, asyncio.get_running_loop())
    settings = AsyncPlexyPay("key", base_url="http://127.0.0.1:9")._execution.settings
    return JobLimits(settings, budget, 1.0, concurrency, probes)


def sent_and_done(admission: JobAdmission) -> None:
    admission.give_place(ANSWER)
    admission.succeeded()


def done_without_sending(admission: JobAdmission) -> None:
    admission.succeeded()


def failed_after_sending(admission: JobAdmission) -> None:
    admission.give_place(ANSWER)
    admission.end()


def cut_off(admission: JobAdmission) -> None:
    admission.end()


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", [sent_and_done, done_without_sending, failed_after_sending, cut_off])
@pytest.mark.parametrize("at_once", [True, False])
async def test_whatever_a_call_takes_comes_back(
    ending: Callable[[JobAdmission], None], at_once: bool
) -> None:
    concurrency = AdaptiveLimit(4)
    limits = limits_of(concurrency)
    admission = JobAdmission(limits)
    assert admission.ticket is None
    if at_once:
        assert admission.take_place_now()
    else:
        await admission.take_place()
    assert (limits.calls, concurrency.under_way, admission.under_way) == (1, 1, True)
    ending(admission)
    assert (limits.calls, concurrency.under_way, admission.under_way) == (0, 0, False)


@pytest.mark.asyncio
async def test_a_call_that_sends_again_is_one_call() -> None:
    limits = limits_of(AdaptiveLimit(4))
    admission = JobAdmission(limits)
    for _ in range(3):
        assert admission.take_place_now()
        admission.give_place(ANSWER)
        assert admission.ticket is None
    assert limits.calls == 1


def test_a_single_call_has_a_place_and_counts_nowhere() -> None:
    admission = SingleAdmission.__new__(SingleAdmission)
    assert admission.ticket is not None
    assert not admission.under_way
