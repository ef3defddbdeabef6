"""The API groups of a client, each imported when it is first used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic

from .operation import Caller, F

if TYPE_CHECKING:
    from .api.payment_links import PaymentLinks

__all__ = ["Groups"]


class Groups(Generic[F]):
    """One attribute per API group, the same on both facades."""

    _caller: Caller

    @cached_property
    def payment_links(self) -> PaymentLinks[F]:
        """Payment links: create, list, find, move and cancel them."""
        from .api.payment_links import PaymentLinks

        return PaymentLinks(self._caller)
