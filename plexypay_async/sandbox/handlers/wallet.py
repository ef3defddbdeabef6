"""The wallet operations, as the sandbox does them.

| call | from | to |
|---|---|---|
| authorize | | ``PROCESSING``: the funds are held |
| capture | ``PROCESSING`` | ``SUCCESS`` |
| cancel | ``PROCESSING`` | ``FAILED`` |
| refund | ``SUCCESS``, once | ``SUCCESS`` |

Any other step is refused with code 5. A transaction stays ``PROCESSING`` until it is captured or cancelled:
time changes nothing. Evidence: paths, the key, the fields and the names of the states are published; what
the states mean, and this table, are the sandbox's own. The bodies of capture, refund and cancel are not
published, so the sandbox reads none: each acts on the whole amount, whatever the body says. Amounts are in
minor units. An authorization without a currency is in KZT.
"""

from __future__ import annotations

import uuid

from ..exchange import ApiRequest, ApiResponse, Fields, Refusal
from ..state.wallet import StoredWalletTransaction
from .group import GroupHandlers

__all__ = ["WalletHandlers"]

_KEY = "Idempotency-Key"


class WalletHandlers(GroupHandlers):
    """What the sandbox does for each wallet operation."""

    source = "wallet"
    noun = "wallet transaction"

    def authorize(self, request: ApiRequest) -> ApiResponse:
        """Hold funds; the same key and body return the existing transaction, in its present state."""
        wallet = self._state.wallet
        key = request.headers.get(_KEY)
        if not key:
            raise self._refusal(3, f"{_KEY}: required")
        fields = Fields(request.body, source=self.source)
        amount, currency = fields.minor_units("amount"), fields.currency("currency", default="KZT")
        order_reference = fields.text("orderReference")
        body = fields.canonical()
        transaction = wallet.find_by("idempotency_key", key)
        if transaction is None:
            transaction = StoredWalletTransaction(
                id=str(uuid.uuid4()),
                status="PROCESSING",
                order_reference=order_reference,
                amount=amount,
                currency=currency,
                refunded=0,
                idempotency_key=key,
                request=body,
            )
            wallet.add(transaction)
        elif transaction.request != body:
            raise self._refusal(5, f"{_KEY}: was used with another body")
        return ApiResponse(200, transaction.shown())

    def capture(self, request: ApiRequest) -> ApiResponse:
        """Debit the funds that are held."""
        return self._move(request, "captured", "SUCCESS")

    def cancel(self, request: ApiRequest) -> ApiResponse:
        """Release the funds that are held."""
        return self._move(request, "cancelled", "FAILED")

    def refund(self, request: ApiRequest) -> ApiResponse:
        """Give captured funds back, once."""
        transaction = self._known(request)
        if transaction.status != "SUCCESS":
            raise self._wrong_state(transaction, "refunded")
        if transaction.refunded:
            raise self._refusal(5, "status: the transaction is refunded already")
        self._state.wallet.update(id=transaction.id, refunded=1)
        return self.retrieve(request)

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return one transaction."""
        return ApiResponse(200, self._known(request).shown())

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of the transactions, the newest first."""
        return self._page(request).response(self._state.wallet.page, StoredWalletTransaction.shown)

    def _move(self, request: ApiRequest, done: str, status: str) -> ApiResponse:
        transaction = self._known(request)
        if transaction.status != "PROCESSING":
            raise self._wrong_state(transaction, done)
        self._state.wallet.update(id=transaction.id, status=status)
        return self.retrieve(request)

    def _known(self, request: ApiRequest) -> StoredWalletTransaction:
        return self._found(self._state.wallet.find(request.path["wallet_transaction_id"]))

    def _wrong_state(self, transaction: StoredWalletTransaction, done: str) -> Refusal:
        return self._refusal(5, f"status: a transaction that is {transaction.status} cannot be {done}")
