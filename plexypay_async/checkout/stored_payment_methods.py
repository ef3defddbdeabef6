"""Stored payment methods: delete one. They are listed by `payment_methods.list`.

Evidence: the vendor's own programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from ..api.checks import check_optional_text, check_text
from ..api.facades import F
from ..api.fields import Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Operation, Resource, optionally
from .description import CHECKOUT
from .payment_methods import StoredPaymentMethod

__all__ = ["DeleteStoredPaymentMethod", "StoredPaymentMethods"]


@attrs.frozen
class DeleteStoredPaymentMethod(Request):
    """Delete a card or the like that a shopper has stored.

    Safe to repeat: if a repeat after a lost answer finds nothing, that is a success.

    Args:
        id: The stored payment method's `id`.
        shopper_reference: Your customer's id.
        merchant_account: The merchant account's name; the client's unless given.
        extra: Further query parameters, under their wire names.

    Returns:
        The `StoredPaymentMethod` that was deleted, or None where the server answers without it.

    Raises:
        ConfigurationError: A value is of the wrong kind, or there is no merchant account; nothing was sent.
        NotFoundError: The shopper has not stored it.

    Evidence: the vendor's own programs.
    """

    id: str
    merchant_account: str | None = attrs.field(default=None, kw_only=True, metadata=wire(of_client=True))
    shopper_reference: str = attrs.field(kw_only=True)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_optional_text("merchant_account", self.merchant_account)
        settle_identity(self, "shopper_reference")
        check_text("shopper_reference", self.shopper_reference)


class StoredPaymentMethods(Resource[F], api=CHECKOUT):
    """Delete what shoppers have stored."""

    delete: Final = Operation(
        "DELETE",
        "/v2/storedPaymentMethods/{id}",
        DeleteStoredPaymentMethod,
        optionally(StoredPaymentMethod, known_by="id"),
        evidence=Evidence.VENDOR_CODE,
        echoes={"id": "id"},
    )
