"""The groups of the Pay API, one file each: their request and answer models, and their operations.

This file names what they hold. A new group, or a new name in one, is written here and nowhere else: the
packages export it, both clients have the group as an attribute, and the sandbox serves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from ..api.facades import F

if TYPE_CHECKING:
    from .beneficiaries import *
    from .customers import *
    from .direct_payments import *
    from .merchant import *
    from .payment_links import *
    from .payments import *
    from .payouts import *
    from .recurring import *
    from .settlement_orders import *
    from .split_requests import *
    from .transactions import *
    from .wallet import *
else:

    def __getattr__(name: str) -> object:
        from ..api.names import imported_from

        return imported_from(globals(), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_NAMES})


# Without `__all__`, and private: checkers take whatever is public here for a name of the packages.
_NAMES = {
    name: room
    for room, names in {
        "beneficiaries": (
            "Beneficiaries Beneficiary BeneficiarySettlement BeneficiaryTransfer CreateBeneficiary "
            "ListBeneficiaries RetrieveBeneficiary SettleBeneficiary TransferFromBeneficiary "
            "UpdateBeneficiary"
        ),
        "customers": (
            "CardToken CardTokens CreateCustomer Customer Customers ListCustomerTransactions "
            "ListCustomers RetrieveCustomer RetrieveCustomerCardTokens"
        ),
        "direct_payments": (
            "Address BrowserDetails ContinueThreeDSecure CreateDirectPayment CustomerDetails "
            "DirectPayment DirectPaymentKeys DirectPayments DirectRecurring DirectRecurringType "
            "OrderDetails RetrieveDirectPaymentKeys ScaExemption ThreeDSecure ThreeDSecureStatus "
            "TransactionType"
        ),
        "merchant": "Merchant MerchantAccount RetrieveMerchant",
        "payment_links": (
            "BulkResult CancelPaymentLink CreateManyPaymentLinks CreateOrRetrievePaymentLink "
            "CreatePaymentLink JobProgress ListPaymentLinks "
            "PaymentLink PaymentLinkStatistics PaymentLinkStatus PaymentLinkSummary PaymentLinks "
            "Recurring RecurringType RetrievePaymentLink RetrievePaymentLinkByOrderReference "
            "RetrievePaymentLinkStatistics UpdatePaymentLinkExpiration"
        ),
        "payments": (
            "CancelPayment CapturePayment Payment PaymentResult Payments RefundPayment RefundResult "
            "SearchPayments"
        ),
        "payouts": (
            "CreatePayout ListPayouts Payout PayoutTransaction Payouts SavePayoutCard SavedPayoutCard"
        ),
        "recurring": "ChargeRecurringPayment RecurringPayment RecurringPayments",
        "settlement_orders": (
            "CreateSettlementOrder ListSettlementOrders RetrieveSettlementOrder SettlementOrder "
            "SettlementOrderStatus SettlementOrders"
        ),
        "split_requests": (
            "CreateSplitRequest DeleteSplitRequest ListSplitRequests RetrieveSplitRequest "
            "SplitRequest SplitRequests UpdateSplitRequest"
        ),
        "transactions": (
            "ListTransactions RetrieveTransaction RetrieveTransactionByOrderReference "
            "RetrieveTransactionByPaymentLink RetrieveTransactionHistory Transaction "
            "TransactionHistory TransactionStatus Transactions WaitForTransaction"
        ),
        "wallet": (
            "AuthorizeWalletPayment CancelWalletPayment CaptureWalletPayment ListWalletTransactions "
            "RefundWalletPayment RetrieveWalletTransaction Wallet WalletTransaction "
            "WalletTransactionStatus"
        ),
    }.items()
    for name in names.split()
}
"""For each public name of the groups, the file that it is imported from when it is first used."""


class Groups(Generic[F]):
    """One attribute per API group, in the order of the vendor's index."""

    payment_links: PaymentLinks[F]
    """Payment links: create, list, find, move and cancel them."""
    recurring: RecurringPayments[F]
    """Recurring payments: charge stored cards."""
    direct_payments: DirectPayments[F]
    """Direct payments: pay with cards that the merchant's server has taken."""
    transactions: Transactions[F]
    """Transactions: find them, and wait for them."""
    payments: Payments[F]
    """Payment management: find, capture, cancel, refund."""
    split_requests: SplitRequests[F]
    """Split requests: create, list, find, update and delete them; assumed."""
    settlement_orders: SettlementOrders[F]
    """Settlement payment orders: create and find them."""
    payouts: Payouts[F]
    """Payouts: list them, pay out, and store cards for it; assumed."""
    customers: Customers[F]
    """Customers: create and find them, their cards and transactions; assumed."""
    beneficiaries: Beneficiaries[F]
    """Payment beneficiaries: create and find them, and move their money; assumed."""
    merchant: MerchantAccount[F]
    """The merchant's own account; assumed."""
    wallet: Wallet[F]
    """Wallet payments: authorize, capture, refund, cancel and find them."""
