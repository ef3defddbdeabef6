"""Orders that are paid in parts, as the sandbox does them.

An order takes payments for 24 hours by the sandbox's clock. A gift card pays what it holds, a card all that
is left. Cancelling gives every part back, and is told by webhook.
"""

from __future__ import annotations

import base64
import secrets

from ...checkout_messages import CheckoutFields
from ...exchange import ApiRequest, ApiResponse
from ...state.checkout_sessions import ORDER_LASTS, StoredCheckoutOrder, reference_of_16
from .once import CheckoutHandlers

__all__ = ["OrdersHandlers"]

_DATA_BYTES = 120


class OrdersHandlers(CheckoutHandlers):
    """What the sandbox does for each operation of orders."""

    def create(self, request: ApiRequest) -> ApiResponse:
        """Make an order."""
        return self._once("orders.create", request, self._create)

    def cancel(self, request: ApiRequest) -> ApiResponse:
        """Cancel an order that is not paid in full."""
        return self._once("orders.cancel", request, self._cancel)

    def _create(self, fields: CheckoutFields, merchant_account: str) -> ApiResponse:
        amount, currency = fields.amount("amount")
        orders = self._checkout.orders
        order = StoredCheckoutOrder(
            id=reference_of_16(),
            order_data=base64.b64encode(secrets.token_bytes(_DATA_BYTES)).decode(),
            merchant_account=merchant_account,
            reference=fields.required_text("reference"),
            amount=amount,
            currency=currency,
            paid=0,
            status="open",
            expires_at=orders.clock.microseconds() + ORDER_LASTS,
        )
        orders.add(order)
        return ApiResponse(200, {**order.shown(), "resultCode": "Success"})

    def _cancel(self, fields: CheckoutFields, merchant_account: str) -> ApiResponse:
        named = fields.given("order", fields.nested("order"))
        order = self._checkout.order(
            named.required_text("pspReference"), named.required_text("orderData"), merchant_account
        )
        self._checkout.cancel(order)
        return ApiResponse(200, {"pspReference": reference_of_16(), "resultCode": "Received"})
