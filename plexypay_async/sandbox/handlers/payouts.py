"""Payouts, as the sandbox keeps them: see `RecordHandlers`. No money moves."""

from __future__ import annotations

from ..exchange import ApiRequest, ApiResponse
from .group import RecordHandlers

__all__ = ["PayoutsHandlers"]


class PayoutsHandlers(RecordHandlers):
    """What the sandbox does for each operation of payouts."""

    source = "payouts"
    noun = "payout"
    kind = "payouts"

    def create(self, request: ApiRequest) -> ApiResponse:
        """Keep a payout, which succeeds."""
        return self._keep("payouts", request, 200, success=True)

    def save_card(self, request: ApiRequest) -> ApiResponse:
        """Keep a card for payouts."""
        return self._keep("payout_cards", request, 201)
