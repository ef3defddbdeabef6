"""The groups of the Checkout API: their request and answer models, and their operations.

This file names what they hold, as `plexypay_async.pay` does for the Pay API. Names are imported when they are
first used: ``from plexypay_async.checkout import Session``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from ..api.facades import F

if TYPE_CHECKING:
    from .cards import *
    from .config import *
    from .orders import *
    from .payment_methods import *
    from .payments import *
    from .sessions import *
    from .shopper import *
    from .stored_payment_methods import *
    from .values import *
else:

    def __getattr__(name: str) -> object:
        from ..api.names import imported_from

        return imported_from(globals(), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_NAMES})


_NAMES = {
    name: room
    for room, names in {
        "cards": "CardDetails CardDetailsGroup RetrieveCardDetails",
        "config": "Config Configuration RetrieveConfig",
        "orders": ("CancelOrder CreateOrder Order OrderCancellation OrderReference OrderState Orders"),
        "payment_methods": (
            "Balance ListPaymentMethods PaymentMethod PaymentMethodList PaymentMethods RetrieveBalance "
            "StoredPaymentMethod"
        ),
        "payments": "CreatePayment Payment Payments SubmitPaymentDetails",
        "sessions": "CreateSession Session Sessions",
        "shopper": (
            "Address AuthenticationData BrowserInfo Channel LineItem RecurringProcessingModel "
            "ShopperInteraction ShopperName StorePaymentMethodMode ThreeDSRequestData"
        ),
        "stored_payment_methods": "DeleteStoredPaymentMethod StoredPaymentMethods",
        "values": "Amount ResultCode",
    }.items()
    for name in names.split()
}
"""For each public name of the groups, the file that it is imported from when it is first used."""


class Groups(Generic[F]):
    """One attribute per group, in the order of the vendor's index."""

    sessions: Sessions[F]
    """Sessions: what the browser's SDK takes a payment with."""
    payment_methods: PaymentMethods[F]
    """Payment methods: which ones a shopper has, and what a gift card holds."""
    payments: Payments[F]
    """Payments: make one with what the browser has taken, and go on with it after an action."""
    orders: Orders[F]
    """Orders that are paid in parts: create and cancel them."""
    card_details: CardDetailsGroup[F]
    """Details of a card, by its encrypted number."""
    stored_payment_methods: StoredPaymentMethods[F]
    """Stored payment methods: delete one."""
    config: Config[F]
    """The configuration of the API, such as its currencies."""
