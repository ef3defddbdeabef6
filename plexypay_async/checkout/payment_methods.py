"""Payment methods: which ones a shopper has, and what a gift card holds.

Evidence: the listing is published, its answer's fields are in the vendor's browser SDK; the balance is in its
example server and its tests. Amounts are in **minor** units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import attrs

from .._privacy.hiding import hiding_arguments
from ..api.checks import check_optional_text
from ..api.facades import F
from ..api.fields import Model, Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Operation, Resource
from ..api.replay import Replay
from .description import CHECKOUT
from .orders import OrderReference, order_reference_of
from .shopper import Channel
from .state_data import FROM_SUBMIT, check_state_data
from .values import Amount, CheckoutMoney, ResultCode, for_json, optional_amount_of

__all__ = [
    "Balance",
    "ListPaymentMethods",
    "PaymentMethod",
    "PaymentMethodList",
    "PaymentMethods",
    "RetrieveBalance",
    "StoredPaymentMethod",
]

# ------------------------------------------------------------------------------------------- the answers


@attrs.frozen(kw_only=True)
class PaymentMethod(Model):
    """A way to pay. Its issuers, its group and its configuration are in `raw`.

    Evidence: published, with the answer of a payment.
    """

    type: str | None = None
    """Such as ``scheme``, which is a card."""
    name: str | None = None
    """Its name for people, such as ``Credit Card``."""
    brand: str | None = None
    """The card's brand, such as ``visa``, where a payment was made with it."""
    brands: tuple[str, ...] | None = None
    """The brands that are taken, such as ``visa`` and ``mc``."""
    funding_source: str | None = None
    """Where the money comes from, by its name; its values are not published."""


@attrs.frozen(kw_only=True)
class StoredPaymentMethod(Model):
    """A card or the like that a shopper has stored.

    Evidence: the vendor's browser SDK.
    """

    private: ClassVar[bool] = True

    id: str
    """Its id, with which it is deleted."""
    type: str | None = None
    """Such as ``scheme``, which is a card."""
    name: str | None = None
    """Its name for people."""
    brand: str | None = None
    """The card's brand, such as ``visa``."""
    last_four: str | None = None
    """The card's last four digits."""
    expiry_month: str | None = attrs.field(default=None, repr=False)
    """The month in which the card expires, as it was written."""
    expiry_year: str | None = attrs.field(default=None, repr=False)
    """The year in which the card expires, as it was written."""
    holder_name: str | None = attrs.field(default=None, repr=False)
    """The holder's name, as on the card."""
    label: str | None = attrs.field(default=None, repr=False)
    """The shopper's own name for the account."""
    shopper_email: str | None = attrs.field(default=None, repr=False)
    """The shopper's address for mail."""
    network_tx_reference: str | None = attrs.field(default=None, repr=False)
    """The card network's own reference of the first payment, by its name."""
    supported_shopper_interactions: tuple[str, ...] | None = None
    """How the shopper may take part in a payment with it, such as ``Ecommerce``."""


@attrs.frozen(kw_only=True)
class PaymentMethodList(Model):
    """The ways to pay that a shopper has.

    Evidence: the vendor's browser SDK and its tests.
    """

    private: ClassVar[bool] = True

    payment_methods: tuple[PaymentMethod, ...]
    """Those that the account offers for what was asked, in the server's order."""
    stored_payment_methods: tuple[StoredPaymentMethod, ...] = ()
    """Those that the shopper has stored, in the server's order."""

    def for_browser(self) -> Mapping[str, Any]:
        """Return what the browser's SDK takes: the answer as it came, and nothing taken out of it."""
        found: Mapping[str, Any] = for_json(self.raw)
        return found


@attrs.frozen(kw_only=True)
class Balance(Model):
    """What a gift card holds, in **minor** units.

    Evidence: `balance` and `transaction_limit` are in the vendor's browser SDK; the other fields are
    **assumed**.
    """

    private: ClassVar[bool] = True
    told_by: ClassVar[tuple[str, ...]] = ("balance", "psp_reference", "result_code")
    decisive: ClassVar[tuple[str, ...]] = ("balance",)

    balance: Amount | None = None
    """What is on the card, in **minor** units. None where there is no such card, as the vendor's browser SDK
    takes it."""
    transaction_limit: Amount | None = None
    """What may be paid with it at once, in **minor** units."""
    psp_reference: str | None = None
    """The id of this call at the vendor. Assumed."""
    result_code: ResultCode | None = None
    """What came of the call. Assumed."""

    def for_browser(self) -> dict[str, Any]:
        """Return what the browser's SDK takes: ``balance`` and ``transactionLimit``, as they came."""
        names = ("balance", "transactionLimit")
        return {name: for_json(self.raw[name]) for name in names if self.raw.get(name) is not None}


# ------------------------------------------------------------------------------------------ the requests


@hiding_arguments
@attrs.frozen(kw_only=True)
class ListPaymentMethods(Request):
    """List the ways to pay that a shopper has.

    Safe to repeat: nothing is changed by it.

    Args:
        amount: What is to be paid, in **minor** units; `Money.major` makes it of major units.
        country_code: The shopper's country, two letters such as ``KZ``.
        channel: ``Web``, ``iOS`` or ``Android``.
        shopper_reference: Your customer's id; with it, what the customer has stored is listed too.
        shopper_locale: The shopper's language, such as ``ru-RU``.
        order: The order that is paid in parts, if it is one.
        merchant_account: The merchant account's name; the client's unless given.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `PaymentMethodList`; hand its `for_browser()` to the browser's SDK.

    Raises:
        ConfigurationError: A value is of the wrong kind, or there is no merchant account; nothing was sent.
        InvalidRequestError: The server refused the data.

    Evidence: published with `merchant_account`; the other fields are in the vendor's own programs.
    """

    merchant_account: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    amount: CheckoutMoney | None = attrs.field(default=None, converter=optional_amount_of)
    country_code: str | None = None
    channel: Channel | str | None = None
    shopper_reference: str | None = None
    shopper_locale: str | None = None
    order: OrderReference | None = attrs.field(default=None, converter=order_reference_of)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle_identity(self, "shopper_reference")
        for name in ("merchant_account", "country_code", "channel", "shopper_locale"):
            check_optional_text(name, getattr(self, name))


@hiding_arguments
@attrs.frozen(kw_only=True)
class RetrieveBalance(Request):
    """Retrieve what a gift card holds.

    Safe to repeat: nothing is changed by it.

    Args:
        state_data: What the browser's SDK has given to ``onBalanceCheck``, sent as it is; see
            `payments.create` for what is refused in it. No repr, log or error shows it.
        amount: What is to be paid, in **minor** units.
        merchant_account: The merchant account's name; the client's unless given.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `Balance`, in **minor** units.

    Raises:
        ConfigurationError: A value is of the wrong kind, there is no merchant account, or the page gives what
            is not its to say; nothing was sent.
        InvalidRequestError: The server refused the data.

    Evidence: the call is in the vendor's example server.
    """

    merchant_account: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    amount: CheckoutMoney | None = attrs.field(default=None, converter=optional_amount_of)
    state_data: Mapping[str, Any] = attrs.field(repr=False, hash=False, metadata=wire(merged="paymentMethod"))
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_optional_text("merchant_account", self.merchant_account)
        check_state_data(self, FROM_SUBMIT - {"order"})


class PaymentMethods(Resource[F], api=CHECKOUT):
    """List the ways to pay, and retrieve the balance of a gift card."""

    list: Final = Operation(
        "POST",
        "/v2/paymentMethods",
        ListPaymentMethods,
        PaymentMethodList,
        evidence=Evidence.PUBLISHED,
        replay=Replay.SAFE,
        reads=True,
    )
    balance: Final = Operation(
        "POST",
        "/v2/paymentMethods/balance",
        RetrieveBalance,
        Balance,
        evidence=Evidence.VENDOR_CODE,
        replay=Replay.SAFE,
        reads=True,
    )
