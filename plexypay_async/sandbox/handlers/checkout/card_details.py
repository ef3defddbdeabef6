"""Details of a card, as the sandbox does them. Evidence: nothing of the answer is known."""

from __future__ import annotations

from ...checkout_messages import card_brand
from ...exchange import ApiRequest, ApiResponse
from .once import CheckoutHandlers

__all__ = ["CardDetailsHandlers"]


class CardDetailsHandlers(CheckoutHandlers):
    """What the sandbox does for each operation of card details."""

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return a test card's scheme, in a shape of the sandbox's own."""
        fields, _ = self._fields(request)
        return ApiResponse(200, {"brands": [{"type": card_brand(fields), "supported": True}]})
