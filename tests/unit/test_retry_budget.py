"""The retry budget: full while calls succeed, empty while all of them fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexypay_async.limits import RETRY_COST, TIMEOUT_COST, RetryBudget


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


@given(st.lists(st.sampled_from([("take", 5), ("take", 10), ("give", 0), ("give", 5), ("give", 10)])))
def test_it_is_never_overdrawn_nor_overfull(steps: list[tuple[str, int]]) -> None:
    budget = RetryBudget(3, 2)
    for step, tokens in steps:
        getattr(budget, step)(tokens)
        assert 0 <= budget.tokens <= budget.capacity
