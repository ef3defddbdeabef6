"""The settlement payment orders, as the sandbox does them.

An order is ``created``, and ``paid`` ten minutes later by the sandbox's clock; none fails. Evidence: the
create's path and that ``requestId`` makes it repeatable are published; that this is a field of the body is
assumed, and so are the other paths. The fields are those of the published webhook, in its snake_case; the
unit of the amount is not published, and the sandbox shows the number as it was posted. A beneficiary's id is
not looked up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..exchange import Answer, Call, Fields, Handler, Refusal, canonical, read_document
from ..paging import PageQuery
from ..state.settlement_orders import SettlementOrderStore, StoredSettlementOrder
from .records import MERCHANT_ID

__all__ = ["SettlementOrderHandlers"]

_SOURCE = "settlementPaymentOrders"


class SettlementOrderHandlers:
    """What the sandbox does for each settlement-order operation."""

    def __init__(self, store: SettlementOrderStore, *, max_page_size: int) -> None:
        self._store = store
        self._max_page_size = max_page_size

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handlers by the names of their declarations."""
        return {"create": self.create, "retrieve": self.retrieve, "list": self.list}

    def create(self, call: Call) -> Answer:
        """Make an order; the same ``requestId`` and body find the one there is, as it is by now."""
        fields = _OrderFields(call.body, source=_SOURCE)
        amount = fields.number("amount")
        currency = fields.text("currency")
        if amount is None:
            raise fields.missing("amount")
        if currency is None:
            raise fields.missing("currency")
        beneficiary_id = fields.text("beneficiary_id")
        request_id = fields.text("requestId")
        if amount <= 0:
            raise fields.bad_value("amount", f"must be positive, got {amount}")
        if re.fullmatch("[A-Za-z]{3}", currency) is None:
            raise fields.bad_value("currency", f"expected three letters such as KZT, got {currency[:60]!r}")
        if request_id == "":
            raise fields.bad_value("requestId", "must not be empty")
        request = canonical(read_document(call.body, source=_SOURCE))
        order = None if request_id is None else self._store.find_by_request_id(request_id)
        if order is None:
            order = self._store.create(
                amount=amount,
                currency=currency,
                beneficiary_id=beneficiary_id,
                request_id=request_id,
                request=request,
            )
        elif order.request != request:
            raise Refusal(5, "requestId: was used with another body", source=_SOURCE)
        return _shown(order, 201)

    def retrieve(self, call: Call) -> Answer:
        """Return one order."""
        order = self._store.find(call.path["id"])
        if order is None:
            raise Refusal(4, "settlement payment order not found", source=_SOURCE)
        return _shown(order)

    def list(self, call: Call) -> Answer:
        """Return one page of the orders, the newest first."""
        asked = PageQuery.read(call.query, most=self._max_page_size, source=_SOURCE)
        orders, total = self._store.page(asked.offset, asked.size)
        return asked.answer([order.shown(MERCHANT_ID) for order in orders], total)


class _OrderFields(Fields):
    def number(self, name: str) -> int | float | None:
        if isinstance(self._values.get(name), float):
            return self._typed(name, float, "a number")
        return self._typed(name, int, "a number")


def _shown(order: StoredSettlementOrder, status: int = 200) -> Answer:
    return Answer(status, order.shown(MERCHANT_ID))
