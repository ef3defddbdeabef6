"""How much a client may ask for: the retry budget that keeps an outage from becoming a storm."""

from __future__ import annotations

__all__ = ["RetryBudget"]

RETRY_COST = 5
TIMEOUT_COST = 10
SUCCESS_CREDIT = 1


class RetryBudget:
    """A token bucket for retries, shared by all calls of a client.

    A retry takes 5 tokens, one after a time-out 10; a success gives back what its last retry took, or 1.
    While most calls succeed it stays full; when all fail it empties, and calls then raise their last error
    instead of asking again.
    """

    def __init__(self, max_attempts: int, max_connections: int) -> None:
        # Even a client that never repeats a call needs tokens to look up what a lost answer has done.
        self.capacity = RETRY_COST * max(1, max_attempts - 1) * max_connections
        self.tokens = self.capacity

    def take(self, tokens: int) -> bool:
        """Take tokens for a retry; False where there are not enough."""
        if self.tokens < tokens:
            return False
        self.tokens -= tokens
        return True

    def give(self, tokens: int) -> None:
        """Give tokens back after a success."""
        self.tokens = min(self.capacity, self.tokens + (tokens or SUCCESS_CREDIT))
