"""The transaction operations, as the sandbox does them.

Evidence: as the library's declarations have them (see `plexypay_async.pay.transactions`). The list and the
retrievals show transactions as observed. The sandbox's own addition is ``cardTokenId`` on a retrieval: there
a client finds the token of the card that a customer let the merchant keep, by a link with ``cof_initial`` or
a direct payment. A history's events are assumed: ``status``, ``amount``, ``createdAt``, and of a refund
``refundTransactionId``.
"""

from __future__ import annotations

from ..exchange import ApiRequest, ApiResponse
from ..state.transactions import StoredTransaction
from .group import GroupHandlers

__all__ = ["TransactionsHandlers"]


class TransactionsHandlers(GroupHandlers):
    """What the sandbox does for each transaction operation."""

    source = "transactions"
    noun = "transaction"

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of the transactions, refunds too, the newest first."""
        return self._page(request).response(self._state.transactions.page, StoredTransaction.listed)

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return one transaction."""
        return self._shown(self._state.transactions.find(request.path["id"]))

    def retrieve_by_payment_link(self, request: ApiRequest) -> ApiResponse:
        """Return the latest payment of a link."""
        return self._shown(self._state.transactions.find_by_payment_link(request.path["payment_link_id"]))

    def retrieve_by_order_reference(self, request: ApiRequest) -> ApiResponse:
        """Return the latest payment with an order reference."""
        return self._shown(self._state.transactions.find_by_order_reference(request.path["order_reference"]))

    def history(self, request: ApiRequest) -> ApiResponse:
        """Return the steps of a transaction, the oldest first."""
        transaction = self._found(self._state.transactions.find(request.path["id"]))
        return ApiResponse(200, {"data": self._state.transactions.steps(transaction.id)})

    def _shown(self, transaction: StoredTransaction | None) -> ApiResponse:
        return ApiResponse(200, self._found(transaction).alone())
