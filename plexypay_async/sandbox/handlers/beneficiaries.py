"""Payment beneficiaries, as the sandbox keeps them: see `RecordHandlers`. No money moves."""

from __future__ import annotations

from ..exchange import ApiRequest, ApiResponse
from .group import RecordHandlers

__all__ = ["BeneficiariesHandlers"]


class BeneficiariesHandlers(RecordHandlers):
    """What the sandbox does for each operation of beneficiaries."""

    source = "beneficiaries"
    noun = "beneficiary"
    kind = "beneficiaries"

    def transfer(self, request: ApiRequest) -> ApiResponse:
        """Keep a transfer to a beneficiary, which succeeds."""
        self.retrieve(request)
        return self._keep("transfers", request, 200, success=True)

    def settle(self, request: ApiRequest) -> ApiResponse:
        """Keep a settlement of a beneficiary, which succeeds."""
        self.retrieve(request)
        return self._keep("settlements", request, 200, success=True)
