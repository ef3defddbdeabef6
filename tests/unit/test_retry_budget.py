"""The retry budget: full while calls succeed, empty while all of them fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexypay_async._core.retry_budget import RETRY_COST, TIMEOUT_COST, JobRetryBudget, RetryBudget


@pytest.mark.parametrize(
    ("max_attempts", "max_connections", "capacity"), [(8, 100, 3500), (2, 1, 5), (1, 1, 5), (1, 100, 500)]
)
def test_its_size(max_attempts: int, max_connections: int, capacity: int) -> None:
    assert RetryBudget(max_attempts, max_connections).tokens == capacity


def test_a_retry_takes_and_a_success_gives_back() -> None:
    budget = RetryBudget(8, 1)

    assert (RETRY_COST, TIMEOUT_COST) == (5, 10)
    assert budget.take(TIMEOUT_COST)
    assert budget.take(RETRY_COST)
    assert budget.tokens == 20
    budget.give(RETRY_COST)
    assert budget.tokens == 25
    budget.give(0)
    assert budget.tokens == 26


def test_an_empty_budget_refuses_and_keeps_what_is_left() -> None:
    budget = RetryBudget(2, 1)

    assert not budget.take(TIMEOUT_COST)
    assert budget.tokens == 5
    assert budget.take(RETRY_COST)
    assert not budget.take(RETRY_COST)
    assert budget.tokens == 0


@pytest.mark.parametrize(
    ("max_attempts", "max_connections", "capacity"), [(8, 100, 1166), (8, 500, 5833), (1, 1, 10)]
)
def test_jobs_have_a_third_apart(max_attempts: int, max_connections: int, capacity: int) -> None:
    budget = RetryBudget(max_attempts, max_connections)
    whole = budget.tokens

    assert budget.jobs.tokens == capacity
    assert budget.jobs.take(capacity)
    assert not budget.jobs.take(1)
    assert budget.tokens == whole


def test_a_job_gets_three_fifths_back_while_others_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("plexypay_async._core.retry_budget.time.monotonic", lambda: now)
    budget = JobRetryBudget(100)
    assert budget.take(50)

    budget.note_failure()
    for tokens, left in ((RETRY_COST, 53), (TIMEOUT_COST, 59), (0, 60)):
        budget.give(tokens)
        assert budget.tokens == left
    # One second after the last failure the server takes what it is sent, and those that wait may go.
    now += 0.999
    budget.give(RETRY_COST)
    assert budget.tokens == 63
    now += 0.001
    budget.give(RETRY_COST)
    assert budget.tokens == 69
    budget.note_failure()
    budget.give(RETRY_COST)
    assert budget.tokens == 72


def test_a_job_far_above_a_servers_capacity_settles_below_three_requests_for_two_links() -> None:
    # Each link is refused once: with all of it given back, each could be for ever.
    budget = JobRetryBudget(RetryBudget(8, 500).jobs.capacity)
    links = retries = 0
    while links < 100_000:
        budget.note_failure()
        retried = budget.take(RETRY_COST)
        retries += retried
        links += 1
        budget.give(RETRY_COST if retried else 0)

    assert retries / links < 0.36


def test_one_failure_in_five_at_random_is_no_reason_to_wait() -> None:
    budget = JobRetryBudget(RetryBudget(8, 100).jobs.capacity)
    for turn in range(100_000):
        failed = turn % 5 == 0
        if failed:
            budget.note_failure()
            assert budget.take(RETRY_COST)
        # Of the repeats, one in five fails too.
        if failed and turn % 25 == 0:
            assert budget.take(RETRY_COST)
        budget.give(RETRY_COST if failed else 0)


@given(st.lists(st.sampled_from([("take", 5), ("take", 10), ("give", 0), ("give", 5), ("give", 10)])))
def test_it_is_never_overdrawn_nor_overfull(steps: list[tuple[str, int]]) -> None:
    budget = RetryBudget(3, 2)
    for step, tokens in steps:
        getattr(budget, step)(tokens)
        assert 0 <= budget.tokens <= budget.capacity
