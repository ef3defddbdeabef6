"""Payment management, as the sandbox does it: capture, cancel and refund.

Evidence: which state allows what is published, the answers are from 2023, and the answer to a payment that is
refunded already is observed. The codes of the other refusals are assumed. A payment is captured once: what is
left of it is released.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exchange import Answer, Call, Handler, Refusal
from ..money import MoneyFields, in_major_units
from ..state.transactions import StoredTransaction, TransactionStore

__all__ = ["PaymentHandlers"]

_SOURCE = "payments"
_ALREADY_REFUNDED = (
    "failed to handle command: something went wrong, transaction can not be refunded: already refunded"
)


class PaymentHandlers:
    """What the sandbox does for each operation of payment management."""

    def __init__(self, store: TransactionStore) -> None:
        self._store = store

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handlers by the names of their declarations."""
        return {"cancel": self.cancel, "capture": self.capture, "refund": self.refund}

    def cancel(self, call: Call) -> Answer:
        """Release what an authorized payment holds."""
        MoneyFields(call.body, source=_SOURCE)
        payment = self._payment(call, "authorized", "cancelled")
        return _done(self._store.move(payment, "cancelled"), payment.amount, "cancelled")

    def capture(self, call: Call) -> Answer:
        """Debit what an authorized payment holds, or a part of it."""
        fields = MoneyFields(call.body, source=_SOURCE)
        amount = fields.major_units("amount")
        payment = self._payment(call, "authorized", "captured")
        if amount is None:
            amount = payment.amount
        elif amount > payment.amount:
            raise fields.bad_value("amount", "is more than was authorized")
        return _done(self._store.move(payment, "charged", captured=amount), amount, "captured")

    def refund(self, call: Call) -> Answer:
        """Give a charged payment's money back, or a part of what is left of it."""
        fields = MoneyFields(call.body, source=_SOURCE)
        amount = fields.major_units("amount")
        order_reference, description = fields.text("orderReference"), fields.text("description")
        payment = self._known(call)
        if payment.type == "payment" and payment.status == "refunded":
            return Answer(500, {"message": _ALREADY_REFUNDED})
        payment = self._payment(call, "charged", "refunded")
        if amount is None:
            amount = payment.balance
        elif amount > payment.balance:
            raise fields.bad_value("amount", "is more than is left to refund")
        refund, left = self._store.refund(
            payment, amount, order_reference=order_reference, description=description
        )
        answer = _done(refund, amount, "refunded", left=left)
        answer.document["originalTransactionId"] = payment.id
        return answer

    def _payment(self, call: Call, status: str, done: str) -> StoredTransaction:
        payment = self._known(call)
        if payment.type != "payment":
            raise Refusal(5, f"type: a {payment.type} cannot be {done}", source=_SOURCE)
        if payment.status != status:
            raise Refusal(5, f"status: a payment that is {payment.status} cannot be {done}", source=_SOURCE)
        return payment

    def _known(self, call: Call) -> StoredTransaction:
        payment = self._store.find(call.path["id"])
        if payment is None:
            raise Refusal(4, "transaction not found", source=_SOURCE)
        return payment


def _done(
    transaction: StoredTransaction, amount: int, done: str, *, left: StoredTransaction | None = None
) -> Answer:
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
    return Answer(200, document)
