"""The merchant's own account: one merchant, the same in every sandbox. Evidence: assumed."""

from __future__ import annotations

from ..exchange import ApiRequest, ApiResponse
from ..state.settlement_orders import MERCHANT_ID
from .group import GroupHandlers

__all__ = ["MerchantHandlers"]


class MerchantHandlers(GroupHandlers):
    """What the sandbox does for the operation of the merchant."""

    def retrieve(self, _: ApiRequest) -> ApiResponse:
        """Return the merchant."""
        return ApiResponse(200, {"id": MERCHANT_ID})
