"""The ways to pay, as the sandbox does them: cards, two wallets of which any token pays, and gift cards."""

from __future__ import annotations

from ...checkout_messages import gift_card, payment_methods
from ...exchange import ApiRequest, ApiResponse
from ...state.checkout_payments import GIFT_CURRENCY
from ...state.checkout_sessions import money, reference_of_16
from .once import CheckoutHandlers

__all__ = ["PaymentMethodsHandlers"]


class PaymentMethodsHandlers(CheckoutHandlers):
    """What the sandbox does for each operation of payment methods."""

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return the ways to pay, and what the shopper has stored."""
        fields, merchant_account = self._fields(request)
        if fields.object("amount") is not None:
            fields.amount("amount")
        shopper_reference = fields.text("shopperReference")
        document: dict[str, object] = {"paymentMethods": payment_methods(lambda _: True)}
        if shopper_reference is not None:
            kept = self._checkout.cards.of_shopper(merchant_account, shopper_reference)
            document["storedPaymentMethods"] = [card.shown() for card in kept]
        return ApiResponse(200, document)

    def balance(self, request: ApiRequest) -> ApiResponse:
        """Return what a gift card still holds."""
        fields, _ = self._fields(request)
        number = gift_card(fields.given("paymentMethod", fields.nested("paymentMethod")))
        left = self._checkout.payments.left_on(number)
        return ApiResponse(
            200,
            {
                "pspReference": reference_of_16(),
                "resultCode": "Success" if left else "NotEnoughBalance",
                "balance": money(left, GIFT_CURRENCY),
            },
        )
