"""Payment management, as the sandbox does it: capture, cancel and refund.

Evidence: which state allows what is published, the answers are from 2023, and the answer to a payment that is
refunded already is observed. The codes of the other refusals are assumed. A payment is captured once: what
was authorized and not captured is released.
"""

from __future__ import annotations

from typing import Any

from ..exchange import ApiRequest, ApiResponse
from ..money import MoneyFields, in_major_units
from ..state.transactions import StoredTransaction
from .group import GroupHandlers

__all__ = ["PaymentsHandlers"]

_ALREADY_REFUNDED = (
    "failed to handle command: something went wrong, transaction can not be refunded: already refunded"
)


class PaymentsHandlers(GroupHandlers):
    """What the sandbox does for each operation of payment management."""

    source = "payments"
    noun = "transaction"

    def cancel(self, request: ApiRequest) -> ApiResponse:
        """Release what an authorized payment holds."""
        MoneyFields(request.body, source=self.source)
        payment = self._payment(request, "authorized", "cancelled")
        return _done(self._state.transactions.move(payment, "cancelled"), payment.amount, "cancelled")

    def capture(self, request: ApiRequest) -> ApiResponse:
        """Debit what an authorized payment holds, or a part of it."""
        fields = MoneyFields(request.body, source=self.source)
        given = fields.major_units("amount")
        payment = self._payment(request, "authorized", "captured")
        amount = payment.amount if given is None else given
        if amount > payment.amount:
            raise fields.bad_value("amount", "is more than was authorized")
        return _done(self._state.transactions.move(payment, "charged", captured=amount), amount, "captured")

    def refund(self, request: ApiRequest) -> ApiResponse:
        """Give a charged payment's money back, or a part of what is left of it."""
        fields = MoneyFields(request.body, source=self.source)
        given = fields.major_units("amount")
        order_reference, description = fields.text("orderReference"), fields.text("description")
        payment = self._known(request)
        if payment.type == "payment" and payment.status == "refunded":
            return ApiResponse(500, {"message": _ALREADY_REFUNDED})
        payment = self._payment(request, "charged", "refunded")
        amount = payment.balance if given is None else given
        if amount > payment.balance:
            raise fields.bad_value("amount", "is more than is left to refund")
        refund, left = self._state.transactions.refund(
            payment, amount, order_reference=order_reference, description=description
        )
        response = _done(refund, amount, "refunded", left=left)
        response.document["originalTransactionId"] = payment.id
        return response

    def _payment(self, request: ApiRequest, status: str, done: str) -> StoredTransaction:
        payment = self._known(request)
        if payment.type != "payment":
            raise self._refusal(5, f"type: a {payment.type} cannot be {done}")
        if payment.status != status:
            raise self._refusal(5, f"status: a payment that is {payment.status} cannot be {done}")
        return payment

    def _known(self, request: ApiRequest) -> StoredTransaction:
        return self._found(self._state.transactions.find(request.path["id"]))


def _done(
    transaction: StoredTransaction, amount: int, done: str, *, left: StoredTransaction | None = None
) -> ApiResponse:
    document: dict[str, Any] = {
        "id": transaction.id,
        "responseCode": transaction.response_code,
        "networkTransactionReference": transaction.network_reference,
        "authCode": transaction.auth_code,
        "amount": in_major_units(amount),
        "orderReference": transaction.order_reference,
        "remainingBalance": in_major_units((left or transaction).balance),
        "success": True,
        "message": f"Successfully {done} the transaction",
    }
    return ApiResponse(200, document)
