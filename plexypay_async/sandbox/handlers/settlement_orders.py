"""The settlement payment orders, as the sandbox does them.

An order is ``created``, and ``paid`` ten minutes later by the sandbox's clock; none fails. Evidence: the
create's path and that ``requestId`` makes it repeatable are published; that this is a field of the body is
assumed, and so are the other paths. The fields are those of the published webhook, in its snake_case; the
unit of the amount is not published, and the sandbox shows the number as it was posted. A beneficiary's id is
not looked up.
"""

from __future__ import annotations

import uuid

import orjson

from ..exchange import ApiRequest, ApiResponse, Fields
from ..state.settlement_orders import StoredSettlementOrder
from .group import GroupHandlers

__all__ = ["SettlementOrdersHandlers"]


class SettlementOrdersHandlers(GroupHandlers):
    """What the sandbox does for each settlement-order operation."""

    source = "settlementPaymentOrders"
    noun = "settlement payment order"

    def create(self, request: ApiRequest) -> ApiResponse:
        """Make an order; the same ``requestId`` and body return the existing one, in its present state."""
        fields = _OrderFields(request.body, source=self.source)
        orders = self._state.settlement_orders
        amount = fields.given("amount", fields.number("amount"))
        currency = fields.currency("currency")
        beneficiary_id = fields.text("beneficiary_id")
        request_id = fields.text("requestId")
        fields.check_positive("amount", amount)
        if request_id == "":
            raise fields.bad_value("requestId", "must not be empty")
        body = fields.canonical()
        order = None if request_id is None else orders.find_by("request_id", request_id)
        if order is None:
            order = StoredSettlementOrder(
                id=str(uuid.uuid4()),
                amount=orjson.dumps(amount).decode(),
                currency=currency,
                status="created",
                beneficiary_id=beneficiary_id,
                request_id=request_id,
                request=body,
                created_at=orders.clock.microseconds(),
            )
            orders.add(order)
        elif order.request != body:
            raise self._refusal(5, "requestId: was used with another body")
        return ApiResponse(201, order.shown())

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return one order."""
        order = self._found(self._state.settlement_orders.find(request.path["id"]))
        return ApiResponse(200, order.shown())

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of the orders, the newest first."""
        return self._page(request).response(self._state.settlement_orders.page, StoredSettlementOrder.shown)


class _OrderFields(Fields):
    def number(self, name: str) -> int | float | None:
        if isinstance(self._values.get(name), float):
            return self._typed(name, float, "a number")
        return self._typed(name, int, "a number")
