"""Payments, as the sandbox does them.

A card that 3-D Secure challenges answers an ``action``, which leads to the sandbox's bank page, and from
there to the ``returnUrl`` with a ``redirectResult``; until that is submitted, nothing is decided. Submitted
again, with another key too, it answers what the payment is by then, and pays nothing more. With
4918914107195005 such an answer says ``Authorised`` beside its action, as the published example does; with the
others ``RedirectShopper``.
"""

from __future__ import annotations

from ...checkout_messages import CheckoutFields, means_of, payment_answer
from ...exchange import ApiRequest, ApiResponse
from ...state.checkout_payments import CheckoutDraft
from .once import CheckoutHandlers

__all__ = ["PaymentsHandlers"]


class PaymentsHandlers(CheckoutHandlers):
    """What the sandbox does for each operation of payments."""

    def create(self, request: ApiRequest) -> ApiResponse:
        """Pay, or a part of an order."""
        return self._once("payments.create", request, self._create)

    def details(self, request: ApiRequest) -> ApiResponse:
        """Go on with a payment whose shopper is back."""
        return self._once("payments.details", request, self._details)

    def _create(self, fields: CheckoutFields, merchant_account: str) -> ApiResponse:
        reference, return_url = fields.required_text("reference"), fields.required_text("returnUrl")
        shopper_reference = fields.text("shopperReference")
        order = fields.nested("order")
        order_id = None
        if order is None:
            amount, currency = fields.amount("amount")
        elif fields.object("amount") is not None:
            raise fields.bad_value("amount", "the order has its own; leave it out")
        else:
            named = self._checkout.order(
                order.required_text("pspReference"), order.required_text("orderData"), merchant_account
            )
            if not self._checkout.is_open(named):
                raise fields.bad_value("order", "takes no payment any more")
            order_id, amount, currency = named.id, named.remaining, named.currency
        means = means_of(
            fields.given("paymentMethod", fields.nested("paymentMethod")),
            self._checkout.cards,
            merchant_account=merchant_account,
            shopper_reference=shopper_reference,
        )
        draft = CheckoutDraft(
            merchant_account=merchant_account,
            reference=reference,
            amount=amount,
            currency=currency,
            return_url=return_url,
            shopper_reference=shopper_reference,
            recurring_model=fields.text("recurringProcessingModel"),
            is_stored=fields.boolean("storePaymentMethod") is True,
            order_id=order_id,
        )
        payment = self._checkout.pay(draft, means)
        return ApiResponse(200, payment_answer(payment, self._checkout, self._base_url))

    def _details(self, fields: CheckoutFields, merchant_account: str) -> ApiResponse:
        details = fields.given("details", fields.nested("details"))
        result = details.required_text("redirectResult")
        payment = self._checkout.payments.find_by("redirect_result", result)
        if (
            payment is None
            or payment.merchant_account != merchant_account
            or (payment.status == "challenged" and payment.is_confirmed is None)
        ):
            raise details.bad_value("redirectResult", "belongs to no payment")
        payment = self._checkout.go_on(payment)
        return ApiResponse(200, payment_answer(payment, self._checkout, self._base_url))
