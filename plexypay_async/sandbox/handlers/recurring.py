"""Merchant-initiated payments, as the sandbox does them.

Evidence: the bodies are published, the path is of 2023. **The unit of the amount is published nowhere: the
sandbox takes it for major units, which the vendor does not say.** What is refused is assumed: the card and
the first payment must be known (code 4); the first payment must have been made with ``cof_initial``, have
been authorized, and be of that card (code 5). A payment that the card's bank declines is ``rejected``; any
other is charged an hour later.
"""

from __future__ import annotations

from ..exchange import ApiRequest, ApiResponse, Refusal
from ..money import MoneyFields, in_major_units
from ..state.acquirer import Authentication
from ..state.transactions import StoredTransaction, TransactionDraft, TransactionStore
from .group import GroupHandlers

__all__ = ["RecurringHandlers", "initial_payment"]

_THROUGH = ("authorized", "charged", "refunded")


class RecurringHandlers(GroupHandlers):
    """What the sandbox does for recurring payments."""

    source = "recurring"
    noun = "card token"

    def charge(self, request: ApiRequest) -> ApiResponse:
        """Charge a kept card, without its customer."""
        fields = MoneyFields(request.body, source=self.source)
        amount = fields.required_major_units("amount")
        currency = fields.currency("currency")
        token = fields.required_text("cardTokenId")
        initial_id = fields.required_text("initialTransactionId")
        self._found(self._state.transactions.find_by_card_token(token))
        initial = initial_payment(self._state.transactions, fields, "initialTransactionId", initial_id)
        if initial.card_token_id != token:
            raise fields.bad_value("cardTokenId", "is not the card of the initial transaction")
        payment = self._state.acquirer.pay(
            TransactionDraft(
                amount=amount,
                currency=currency,
                parent_id=initial.id,
                customer_id=initial.customer_id,
                recurring_type="ucof",
                card_token_id=token,
            ),
            initial.card,
            Authentication.EXEMPT,
        )
        return ApiResponse(
            200,
            {
                "id": payment.id,
                "amount": in_major_units(payment.amount),
                "currency": payment.currency,
                "status": payment.status,
            },
        )


def initial_payment(
    store: TransactionStore, fields: MoneyFields, name: str, identifier: str
) -> StoredTransaction:
    """Return the payment with which a customer allowed further ones.

    Raises:
        Refusal: There is none with this id (code 4), or it allows none (code 5).
    """
    initial = store.find(identifier)
    if initial is None:
        raise Refusal(4, "initial transaction not found", source=fields.source)
    if initial.recurring_type != "cof_initial":
        raise fields.bad_value(name, "was not made with cof_initial")
    if initial.status not in _THROUGH:
        raise fields.bad_value(name, f"is {initial.status}")
    return initial
