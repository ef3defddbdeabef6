"""Stored payment methods, as the sandbox does them: cards, stored with a payment on demand."""

from __future__ import annotations

from ...exchange import ApiRequest, ApiResponse
from .once import CheckoutHandlers

__all__ = ["StoredPaymentMethodsHandlers"]


class StoredPaymentMethodsHandlers(CheckoutHandlers):
    """What the sandbox does for each operation of stored payment methods."""

    noun = "stored payment method"

    def delete(self, request: ApiRequest) -> ApiResponse:
        """Delete what a shopper has stored."""
        query: dict[str, str] = {}
        for name in ("merchantAccount", "shopperReference"):
            query[name] = request.query.get(name, "")
            if not query[name]:
                raise self._refusal(3, f"{name}: required")
        kept = self._checkout.cards.of_shopper(query["merchantAccount"], query["shopperReference"])
        card = self._found(next((card for card in kept if card.id == request.path["id"]), None))
        self._checkout.cards.update(id=card.id, is_deleted=True)
        return ApiResponse(204, None)
