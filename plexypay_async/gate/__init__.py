"""The groups of the Gate API: their request and answer models, and their operations.

This file names what they hold, as `plexypay_async.pay` does for the Pay API. Names are imported when they are
first used: ``from plexypay_async.gate import Order``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from ..api.facades import F

if TYPE_CHECKING:
    from .account import *
    from .catalogue import *
    from .orders import *
else:

    def __getattr__(name: str) -> object:
        from ..api.names import imported_from

        return imported_from(globals(), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_NAMES})


# Without `__all__`, and private: checkers take whatever is public here for a name of the package.
_NAMES = {
    name: room
    for room, names in {
        "account": (
            "AgentBalance AgentBalances AgentDeposit Balance CheckHealth DepositMethod DepositStatus "
            "Deposits Health HealthReport ListDeposits RetrieveBalance"
        ),
        "catalogue": (
            "ListProductCategories ListProductTypes ListProducts Product ProductCategories "
            "ProductCategory ProductType ProductTypeCode ProductTypes Products RetrieveProduct"
        ),
        "orders": (
            "CreateOrder ListOrders Order OrderContent OrderStatus Orders RetrieveOrder TopupRequest "
            "WaitForOrder"
        ),
    }.items()
    for name in names.split()
}
"""For each public name of the groups, the file that it is imported from when it is first used."""


class Groups(Generic[F]):
    """One attribute per group, in the order of the vendor's index."""

    product_types: ProductTypes[F]
    """Types of products: list them."""
    product_categories: ProductCategories[F]
    """Categories of products: list them; the answer is assumed."""
    products: Products[F]
    """Products: list them, and look at one."""
    orders: Orders[F]
    """Orders: make them, find them, and wait for them."""
    balance: Balance[F]
    """The balance: look at what there is to spend."""
    deposits: Deposits[F]
    """Deposits: list them."""
    health: Health[F]
    """The API itself: ask whether it is up; the answer is assumed."""
