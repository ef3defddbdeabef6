"""The groups whose bodies are not known: the sandbox keeps what is posted, and shows it again.

Split requests, payouts, customers, beneficiaries and the merchant. Evidence: their paths are assumed, and of
their bodies nothing is known; so nothing in a body is checked but that it is an object of JSON. What is
created gets an ``id``, a UUID; a ``PUT`` replaces all but that; what moves money says ``success: true`` and
moves none. Only an id that is not known is refused, with code 4.

A customer's transactions are those with its id, which a link's ``customerId`` gives; its card tokens are the
``cardTokenId`` of the cards that were kept in them.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..exchange import Answer, Call, Handler, Refusal, read_document
from ..paging import PageQuery
from ..state.records import RecordStore
from ..state.transactions import TransactionStore

__all__ = ["MERCHANT_ID", "AssumedHandlers"]

MERCHANT_ID = "7f3c1f0e-5b64-4a27-9a4e-2d9d3c5b8e10"
"""The one merchant of every sandbox."""

# So many of a customer's latest transactions are looked through for cards.
_PAYMENTS_READ = 10_000


class AssumedHandlers:
    """What the sandbox does for each operation of the assumed groups."""

    def __init__(self, store: RecordStore, transactions: TransactionStore, *, max_page_size: int) -> None:
        self._transactions = transactions
        self._split_requests = _Records(
            store, "split_requests", "splitRequests", "split request", max_page_size
        )
        self._payouts = _Records(store, "payouts", "payouts", "payout", max_page_size)
        self._payout_cards = _Records(store, "payout_cards", "payouts", "card", max_page_size)
        self._customers = _Records(store, "customers", "customers", "customer", max_page_size)
        self._beneficiaries = _Records(store, "beneficiaries", "beneficiaries", "beneficiary", max_page_size)
        self._transfers = _Records(store, "transfers", "beneficiaries", "transfer", max_page_size)
        self._settlements = _Records(store, "settlements", "beneficiaries", "settlement", max_page_size)

    def split_requests(self) -> Mapping[str, Handler]:
        """Return the handlers of split requests by the names of their declarations."""
        records = self._split_requests
        return {
            "create": records.create,
            "list": records.list,
            "retrieve": records.retrieve,
            "update": records.update,
            "delete": records.delete,
        }

    def payouts(self) -> Mapping[str, Handler]:
        """Return the handlers of payouts by the names of their declarations."""
        return {
            "list": self._payouts.list,
            "create": self._payouts.move,
            "save_card": self._payout_cards.create,
        }

    def customers(self) -> Mapping[str, Handler]:
        """Return the handlers of customers by the names of their declarations."""
        records = self._customers
        return {
            "list": records.list,
            "create": records.create,
            "retrieve": records.retrieve,
            "card_tokens": self._card_tokens,
            "transactions": self._customer_transactions,
        }

    def beneficiaries(self) -> Mapping[str, Handler]:
        """Return the handlers of beneficiaries by the names of their declarations."""
        records = self._beneficiaries
        return {
            "create": records.create,
            "update": records.update,
            "retrieve": records.retrieve,
            "list": records.list,
            "transfer": self._transfer,
            "settle": self._settle,
        }

    def merchant(self) -> Mapping[str, Handler]:
        """Return the handlers of the merchant by the names of their declarations."""
        return {"retrieve": _show_merchant}

    def _card_tokens(self, call: Call) -> Answer:
        self._customers.check_known(call)
        transactions, _ = self._transactions.page(0, _PAYMENTS_READ, customer_id=call.path["id"])
        tokens = dict.fromkeys(transaction.card_token_id for transaction in transactions)
        return Answer(200, {"data": [{"cardTokenId": token} for token in tokens if token is not None]})

    def _customer_transactions(self, call: Call) -> Answer:
        self._customers.check_known(call)
        asked = self._customers.asked(call)
        transactions, total = self._transactions.page(asked.offset, asked.size, customer_id=call.path["id"])
        return asked.answer([transaction.listed() for transaction in transactions], total)

    def _transfer(self, call: Call) -> Answer:
        self._beneficiaries.check_known(call)
        return self._transfers.move(call)

    def _settle(self, call: Call) -> Answer:
        self._beneficiaries.check_known(call)
        return self._settlements.move(call)


class _Records:
    """The operations on the records of one kind."""

    def __init__(self, store: RecordStore, kind: str, source: str, noun: str, max_page_size: int) -> None:
        self._store = store
        self._kind = kind
        self._source = source
        self._noun = noun
        self._max_page_size = max_page_size

    def create(self, call: Call) -> Answer:
        return Answer(201, self._store.create(self._kind, self._posted(call)))

    def move(self, call: Call) -> Answer:
        return Answer(200, self._store.create(self._kind, {**self._posted(call), "success": True}))

    def list(self, call: Call) -> Answer:
        asked = self.asked(call)
        return asked.answer(*self._store.page(self._kind, asked.offset, asked.size))

    def retrieve(self, call: Call) -> Answer:
        return self._found(self._store.find(self._kind, call.path["id"]))

    def update(self, call: Call) -> Answer:
        return self._found(self._store.replace(self._kind, call.path["id"], self._posted(call)))

    def delete(self, call: Call) -> Answer:
        if not self._store.delete(self._kind, call.path["id"]):
            raise self._not_found()
        return Answer(200, {})

    def check_known(self, call: Call) -> None:
        self._found(self._store.find(self._kind, call.path["id"]))

    def asked(self, call: Call) -> PageQuery:
        return PageQuery.read(call.query, most=self._max_page_size, source=self._source)

    def _posted(self, call: Call) -> dict[str, object]:
        return read_document(call.body, source=self._source)

    def _found(self, document: Mapping[str, object] | None) -> Answer:
        if document is None:
            raise self._not_found()
        return Answer(200, document)

    def _not_found(self) -> Refusal:
        return Refusal(4, f"{self._noun} not found", source=self._source)


def _show_merchant(call: Call) -> Answer:
    del call
    return Answer(200, {"id": MERCHANT_ID})
