"""Customers, as the sandbox keeps them: see `RecordHandlers`.

A customer's transactions are those with its id, which a link's ``customerId`` gives; its card tokens are the
``cardTokenId`` of the cards that were kept in them.
"""

from __future__ import annotations

from functools import partial

from ..exchange import ApiRequest, ApiResponse
from ..state.transactions import StoredTransaction
from .group import RecordHandlers

__all__ = ["CustomersHandlers"]

# How many of a customer's latest transactions are searched for cards.
_PAYMENTS_READ = 10_000


class CustomersHandlers(RecordHandlers):
    """What the sandbox does for each operation of customers."""

    source = "customers"
    noun = "customer"
    kind = "customers"

    def card_tokens(self, request: ApiRequest) -> ApiResponse:
        """Return the tokens of the cards that a customer let the merchant keep."""
        self.retrieve(request)
        transactions, _ = self._state.transactions.page_of_customer(request.path["id"], 0, _PAYMENTS_READ)
        tokens = dict.fromkeys(transaction.card_token_id for transaction in transactions)
        return ApiResponse(200, {"data": [{"cardTokenId": token} for token in tokens if token is not None]})

    def transactions(self, request: ApiRequest) -> ApiResponse:
        """Return one page of a customer's transactions, the newest first."""
        self.retrieve(request)
        find = partial(self._state.transactions.page_of_customer, request.path["id"])
        return self._page(request).response(find, StoredTransaction.listed)
