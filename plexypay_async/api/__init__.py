"""The API's groups, one file each: their request and answer models, and their operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..operation import Declaration, Resource, declarations

__all__ = ["every_declaration", "every_group"]


def every_group() -> tuple[type[Resource[Any]], ...]:
    """Return every API group's class, in the order of the vendor's index."""
    from .beneficiaries import Beneficiaries
    from .customers import Customers
    from .direct_payments import DirectPayments
    from .merchant import MerchantAccount
    from .payment_links import PaymentLinks
    from .payments import Payments
    from .payouts import Payouts
    from .recurring import RecurringPayments
    from .settlement_orders import SettlementOrders
    from .split_requests import SplitRequests
    from .transactions import Transactions
    from .wallet import Wallet

    return (
        PaymentLinks,
        RecurringPayments,
        DirectPayments,
        Transactions,
        Payments,
        SplitRequests,
        SettlementOrders,
        Payouts,
        Customers,
        Beneficiaries,
        MerchantAccount,
        Wallet,
    )


def every_declaration() -> Iterator[Declaration[...]]:
    """Yield every operation and listing of the library."""
    for group in every_group():
        yield from declarations(group).values()
