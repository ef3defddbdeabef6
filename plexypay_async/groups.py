"""The API groups of a client, each imported when it is first used."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from types import MemberDescriptorType
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

    def _twin(self) -> Self:
        """Return an object of the same class and with the same attributes, but for what is made of them.

        API groups, and other cached properties, are made anew: they belong to one client.
        """
        kind = type(self)
        twin = kind.__new__(kind)
        for slot in (member for base in kind.__mro__ for member in vars(base).values()):
            if isinstance(slot, MemberDescriptorType):
                with suppress(AttributeError):
                    slot.__set__(twin, slot.__get__(self))
        made = {name for name in vars(self) if isinstance(getattr(kind, name, None), cached_property)}
        vars(twin).update({name: value for name, value in vars(self).items() if name not in made})
        return twin

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
