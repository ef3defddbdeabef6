"""The API groups of a client, each imported when it is first used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self

from .operation import Caller, F

if TYPE_CHECKING:
    from .api.beneficiaries import Beneficiaries
    from .api.customers import Customers
    from .api.direct_payments import DirectPayments
    from .api.merchant import MerchantAccount
    from .api.payment_links import PaymentLinks
    from .api.payments import Payments
    from .api.payouts import Payouts
    from .api.recurring import RecurringPayments
    from .api.settlement_orders import SettlementOrders
    from .api.split_requests import SplitRequests
    from .api.transactions import Transactions
    from .api.wallet import Wallet

__all__ = ["Groups"]


class Groups(Generic[F]):
    """One attribute per API group, the same on both facades."""

    _caller: Caller

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} cannot be pickled, since its API key would be readable and connections"
            " cannot be handed on; make one in the process that uses it"
        )

    @cached_property
    def payment_links(self) -> PaymentLinks[F]:
        """Payment links: create, list, find, move and cancel them."""
        from .api.payment_links import PaymentLinks

        return PaymentLinks(self._caller)

    @cached_property
    def recurring(self) -> RecurringPayments[F]:
        """Recurring payments: charge stored cards."""
        from .api.recurring import RecurringPayments

        return RecurringPayments(self._caller)

    @cached_property
    def direct_payments(self) -> DirectPayments[F]:
        """Direct payments: pay with cards that the merchant's server has taken."""
        from .api.direct_payments import DirectPayments

        return DirectPayments(self._caller)

    @cached_property
    def transactions(self) -> Transactions[F]:
        """Transactions: find them, and wait for them."""
        from .api.transactions import Transactions

        return Transactions(self._caller)

    @cached_property
    def payments(self) -> Payments[F]:
        """Payment management: capture, cancel, refund."""
        from .api.payments import Payments

        return Payments(self._caller)

    @cached_property
    def split_requests(self) -> SplitRequests[F]:
        """Split requests: create, list, find, replace and delete them; assumed."""
        from .api.split_requests import SplitRequests

        return SplitRequests(self._caller)

    @cached_property
    def settlement_orders(self) -> SettlementOrders[F]:
        """Settlement payment orders: create and find them."""
        from .api.settlement_orders import SettlementOrders

        return SettlementOrders(self._caller)

    @cached_property
    def payouts(self) -> Payouts[F]:
        """Payouts: list them, pay out, and store cards for it; assumed."""
        from .api.payouts import Payouts

        return Payouts(self._caller)

    @cached_property
    def customers(self) -> Customers[F]:
        """Customers: create and find them, their cards and transactions; assumed."""
        from .api.customers import Customers

        return Customers(self._caller)

    @cached_property
    def beneficiaries(self) -> Beneficiaries[F]:
        """Payment beneficiaries: create and find them, and move their money; assumed."""
        from .api.beneficiaries import Beneficiaries

        return Beneficiaries(self._caller)

    @cached_property
    def merchant(self) -> MerchantAccount[F]:
        """The merchant's own account; assumed."""
        from .api.merchant import MerchantAccount

        return MerchantAccount(self._caller)

    @cached_property
    def wallet(self) -> Wallet[F]:
        """Wallet payments: authorize, capture, refund, cancel and find them."""
        from .api.wallet import Wallet

        return Wallet(self._caller)
