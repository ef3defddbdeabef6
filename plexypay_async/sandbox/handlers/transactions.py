"""The transaction operations, as the sandbox does them.

Evidence: as the library's declarations have them (see `plexypay_async.api.transactions`). The list and the
retrievals show transactions as observed. The sandbox's own addition is ``cardTokenId`` on a retrieval: there
a client finds the token of the card that a customer let the merchant keep, by a link with ``cof_initial`` or
a direct payment. A history's events are assumed: ``status``, ``amount``, ``createdAt``, and of a refund
``refundTransactionId``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..exchange import Answer, Call, Handler, Refusal
from ..paging import PageQuery
from ..state.transactions import StoredTransaction, TransactionStore

__all__ = ["TransactionHandlers"]

_SOURCE = "transactions"


class TransactionHandlers:
    """What the sandbox does for each transaction operation."""

    def __init__(self, store: TransactionStore, *, max_page_size: int) -> None:
        self._store = store
        self._max_page_size = max_page_size

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handlers by the names of their declarations."""
        return {
            "list": self.list,
            "retrieve": self.retrieve,
            "retrieve_by_payment_link": self.retrieve_by_payment_link,
            "retrieve_by_order_reference": self.retrieve_by_order_reference,
            "history": self.history,
        }

    def list(self, call: Call) -> Answer:
        """Return one page of the transactions, refunds too, the newest first."""
        asked = PageQuery.read(call.query, most=self._max_page_size, source=_SOURCE)
        transactions, total = self._store.page(asked.offset, asked.size)
        return asked.answer([transaction.listed() for transaction in transactions], total)

    def retrieve(self, call: Call) -> Answer:
        """Return one transaction."""
        return _shown(self._store.find(call.path["id"]))

    def retrieve_by_payment_link(self, call: Call) -> Answer:
        """Return the latest payment of a link."""
        return _shown(self._store.find_by_payment_link(call.path["payment_link_id"]))

    def retrieve_by_order_reference(self, call: Call) -> Answer:
        """Return the latest payment with an order reference."""
        return _shown(self._store.find_by_order_reference(call.path["order_reference"]))

    def history(self, call: Call) -> Answer:
        """Return a transaction's events, the oldest first."""
        identifier = call.path["id"]
        if self._store.find(identifier) is None:
            raise _unknown()
        return Answer(200, {"data": [event.shown() for event in self._store.events(identifier)]})

    def stored(self, page: int, size: int) -> Answer:
        """Return one page of the transactions as they are whole, the newest first."""
        asked = PageQuery(page, size)
        transactions, total = self._store.page(asked.offset, asked.size)
        return asked.answer([transaction.whole() for transaction in transactions], total)


def _shown(transaction: StoredTransaction | None) -> Answer:
    if transaction is None:
        raise _unknown()
    return Answer(200, transaction.alone())


def _unknown() -> Refusal:
    return Refusal(4, "transaction not found", source=_SOURCE)
