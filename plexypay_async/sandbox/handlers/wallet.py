"""The wallet operations, as the sandbox does them.

| call | from | to |
|---|---|---|
| authorize | | ``PROCESSING``: the funds are held |
| capture | ``PROCESSING`` | ``SUCCESS`` |
| cancel | ``PROCESSING`` | ``FAILED`` |
| refund | ``SUCCESS``, once | ``SUCCESS`` |

Any other step is refused with code 5. A transaction stays ``PROCESSING`` until it is captured or cancelled:
time changes nothing. Evidence: paths, the key, the fields and the names of the states are published; what a
state means, and this life, are the sandbox's own. The bodies of capture, refund and cancel are not published,
so the sandbox reads none: each acts on the whole amount, whatever the body says. Amounts are in minor units.
An authorization without a currency is in KZT.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..exchange import Answer, Call, Fields, Handler, Refusal, canonical, read_document
from ..paging import PageQuery
from ..state.wallet import StoredWalletTransaction, WalletStore

__all__ = ["WalletHandlers"]

_SOURCE = "wallet"
_KEY = "Idempotency-Key"
_LARGEST = 2**63 - 1


class WalletHandlers:
    """What the sandbox does for each wallet operation."""

    def __init__(self, store: WalletStore, *, max_page_size: int) -> None:
        self._store = store
        self._max_page_size = max_page_size

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handlers by the names of their declarations."""
        return {
            "authorize": self.authorize,
            "capture": self.capture,
            "refund": self.refund,
            "cancel": self.cancel,
            "retrieve": self.retrieve,
            "list": self.list,
        }

    def authorize(self, call: Call) -> Answer:
        """Hold funds; the same key and body find the transaction there is, as it is by now."""
        key = call.headers.get(_KEY)
        if not key:
            raise Refusal(3, f"{_KEY}: required", source=_SOURCE)
        fields = Fields(call.body, source=_SOURCE)
        amount = fields.integer("amount")
        if amount is None:
            raise fields.missing("amount")
        currency = fields.text("currency")
        if currency is None:
            currency = "KZT"
        order_reference = fields.text("orderReference")
        if amount <= 0:
            raise fields.bad_value("amount", f"must be positive, got {amount}")
        if amount > _LARGEST:
            raise fields.bad_value("amount", f"too large: {amount}")
        if re.fullmatch("[A-Za-z]{3}", currency) is None:
            raise fields.bad_value("currency", f"expected three letters such as KZT, got {currency[:60]!r}")
        request = canonical(read_document(call.body, source=_SOURCE))
        transaction = self._store.find_by_key(key)
        if transaction is None:
            transaction = self._store.create(
                key=key,
                request=request,
                status="PROCESSING",
                order_reference=order_reference,
                amount=amount,
                currency=currency,
            )
        elif transaction.request != request:
            raise Refusal(5, f"{_KEY}: was used with another body", source=_SOURCE)
        return Answer(200, transaction.shown())

    def capture(self, call: Call) -> Answer:
        """Debit the funds that are held."""
        return self._move(call, "captured", "SUCCESS")

    def cancel(self, call: Call) -> Answer:
        """Release the funds that are held."""
        return self._move(call, "cancelled", "FAILED")

    def refund(self, call: Call) -> Answer:
        """Give captured funds back, once."""
        transaction = self._known(call)
        if transaction.status != "SUCCESS":
            raise _wrong_state(transaction, "refunded")
        if transaction.refunded:
            raise Refusal(5, "status: the transaction is refunded already", source=_SOURCE)
        self._store.set_refunded(transaction.id)
        return self.retrieve(call)

    def retrieve(self, call: Call) -> Answer:
        """Return one transaction."""
        return Answer(200, self._known(call).shown())

    def list(self, call: Call) -> Answer:
        """Return one page of the transactions, the newest first."""
        asked = PageQuery.read(call.query, most=self._max_page_size, source=_SOURCE)
        transactions, total = self._store.page(asked.offset, asked.size)
        return asked.answer([transaction.shown() for transaction in transactions], total)

    def _move(self, call: Call, done: str, status: str) -> Answer:
        transaction = self._known(call)
        if transaction.status != "PROCESSING":
            raise _wrong_state(transaction, done)
        self._store.set_status(transaction.id, status)
        return self.retrieve(call)

    def _known(self, call: Call) -> StoredWalletTransaction:
        transaction = self._store.find(call.path["wallet_transaction_id"])
        if transaction is None:
            raise Refusal(4, "wallet transaction not found", source=_SOURCE)
        return transaction


def _wrong_state(transaction: StoredWalletTransaction, done: str) -> Refusal:
    return Refusal(5, f"status: a transaction that is {transaction.status} cannot be {done}", source=_SOURCE)
