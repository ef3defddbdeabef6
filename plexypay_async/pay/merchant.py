"""The merchant's own account.

Evidence: **assumed**. The vendor's index has the call and the schema ``response.Merchant``; its page could
not be read, so that the answer is in `raw`.
"""

from __future__ import annotations

from typing import ClassVar, Final

import attrs

from ..api.facades import F
from ..api.fields import IdentifiedModel, PathRequest
from ..api.operation import Evidence, Operation, Resource
from .description import PAY

__all__ = ["Merchant", "MerchantAccount", "RetrieveMerchant"]


@attrs.frozen
class RetrieveMerchant(PathRequest):
    """Retrieve the merchant that the API key belongs to.

    Args:
        extra: Query parameters, under their wire names.

    Returns:
        The `Merchant`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        NotFoundError: This path is not the API's.

    Evidence: **assumed**; override the path with ``paths={"merchant.retrieve": "/v1/..."}``.
    """


@attrs.frozen(kw_only=True)
class Merchant(IdentifiedModel):
    """A merchant. All but `id` is in `raw`.

    Evidence: **assumed**; the vendor names the schema ``response.Merchant`` and shows no field of it.
    """


class MerchantAccount(Resource[F], api=PAY):
    """The merchant's own account."""

    group: ClassVar[str] = "merchant"

    retrieve: Final = Operation(
        "GET", "/v1/merchants/me", RetrieveMerchant, Merchant, evidence=Evidence.ASSUMED
    )
