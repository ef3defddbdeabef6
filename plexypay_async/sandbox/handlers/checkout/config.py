"""The configuration, as the sandbox does it. Evidence: nothing of the answer is known."""

from __future__ import annotations

from ...exchange import ApiRequest, ApiResponse
from .once import CheckoutHandlers

__all__ = ["ConfigHandlers"]


class ConfigHandlers(CheckoutHandlers):
    """What the sandbox does for each operation of the configuration."""

    def retrieve(self, _: ApiRequest) -> ApiResponse:
        """Return the currencies, in a shape of the sandbox's own; it takes any other too."""
        return ApiResponse(200, {"supportedCurrencies": ["KZT", "USD", "EUR"]})
