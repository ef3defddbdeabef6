"""Payments with what the browser's SDK has taken: make one, and go on with it after an action.

Evidence: the calls are published, `create` with its answer; the fields are in the vendor's own programs.
Amounts are in **minor** units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, cast

import attrs

from .._privacy.hiding import hiding_arguments
from ..api.checks import check_optional_text, check_text, key_or_new
from ..api.facades import F
from ..api.fields import Model, Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Operation, Resource
from ..api.replay import Replay
from ..errors import ConfigurationError
from ..money import Money
from .description import CHECKOUT
from .orders import OrderReference, OrderState, order_reference_of
from .payment_methods import PaymentMethod
from .shopper import (
    Address,
    AuthenticationData,
    BrowserInfo,
    Channel,
    LineItem,
    RecurringProcessingModel,
    ShopperInteraction,
    ShopperName,
    check_hidden_text,
    check_kind,
    check_line_items,
    date_of_birth_of,
)
from .state_data import FROM_ADDITIONAL_DETAILS, FROM_SUBMIT, check_state_data
from .values import Amount, CheckoutMoney, ResultCode, check_idempotency_key, for_json, optional_amount_of

__all__ = ["CreatePayment", "Payment", "Payments", "SubmitPaymentDetails"]

_FINAL = (ResultCode.AUTHORISED, ResultCode.REFUSED, ResultCode.CANCELLED, ResultCode.ERROR)
_OF_ACTIONS = (
    ResultCode.REDIRECT_SHOPPER,
    ResultCode.IDENTIFY_SHOPPER,
    ResultCode.CHALLENGE_SHOPPER,
    ResultCode.PRESENT_TO_SHOPPER,
)
_FOR_BROWSER = ("resultCode", "action", "order", "donationToken")


@attrs.frozen(kw_only=True)
class Payment(Model):
    """A payment, as its creation or the end of an action answers it.

    `amount` is in **minor** units. A refusal is an answer too, and no error: ask `is_authorised`. Ask
    `requires_action` before anything else: the published example of an answer with an action has
    ``Authorised``.

    Evidence: published; `order`, `refusal_reason`, `donation_token` and `session_data` are in the vendor's
    browser SDK. All but `result_code` may be None.
    """

    private: ClassVar[bool] = True
    proof: ClassVar[tuple[str, ...]] = ("psp_reference", "result_code")
    checked: ClassVar[tuple[str, ...]] = ("result_code",)

    psp_reference: str | None = None
    """The payment's id at the vendor."""
    result_code: ResultCode
    """How far the payment has come; look at `action` first."""
    amount: Amount | None = None
    """What it is over, in **minor** units."""
    merchant_reference: str | None = None
    """The `reference` that it was asked for with."""
    payment_method: PaymentMethod | None = None
    """What it was paid with."""
    action: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """What the browser has to do next: hand it to its SDK as it is. It may hold what lets somebody pay."""
    refusal_reason: str | None = None
    """Why it was refused, in words. From the vendor's browser SDK."""
    refusal_reason_code: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """Why it was refused, as a code; its values are not published."""
    order: OrderState | None = None
    """The order that this has paid a part of."""
    additional_data: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """Texts, such as ``networkTxReference``."""
    donation_token: str | None = attrs.field(default=None, repr=False)
    """What a donation after the payment needs, by its name. From the vendor's browser SDK."""
    session_data: str | None = attrs.field(default=None, repr=False)
    """Opaque; of a session that goes on, by its name. From the vendor's browser SDK."""

    @property
    def requires_action(self) -> bool:
        """Whether the browser has to do something first: hand `for_browser()` to its SDK. Nothing is decided.

        So it is with an `action`, whatever `result_code` says, and with a code that means one.
        """
        return self.action is not None or self.result_code in _OF_ACTIONS

    @property
    def is_partial(self) -> bool:
        """Whether an order is paid in part alone: with an order, until nothing is left of it to be paid."""
        if self.result_code is ResultCode.PARTIALLY_AUTHORISED:
            return True
        if self.result_code is not ResultCode.AUTHORISED or self.raw.get("order") is None:
            return False
        left = None if self.order is None else self.order.remaining_amount
        return left is None or left.value != 0

    @property
    def is_authorised(self) -> bool:
        """Whether it is paid, or the funds are held, and nothing is left to be done or to be paid.

        That it is the payment of *this* order is asked with `is_authorised_for`.
        """
        return self.result_code is ResultCode.AUTHORISED and not self.requires_action and not self.is_partial

    @property
    def is_final(self) -> bool:
        """Whether it will stay as it is: authorised, refused, cancelled, or ended by an error."""
        return self.result_code in _FINAL and not self.requires_action and not self.is_partial

    def is_authorised_for(self, *, reference: str, amount: Money) -> bool:
        """Tell whether this is the payment of an order, and authorised.

        What the browser gives to `payments.details` may be of another payment: of a cheaper order, or of
        somebody else's. So compare what is paid with what your server knows, before goods leave.

        Args:
            reference: The `reference` that the order's payment was asked for with.
            amount: What it costs, in **minor** units; of an order that is paid in parts, all of it.

        Returns:
            False too where the answer does not say whose payment it is, or of what amount.
        """
        paid = self.amount if self.order is None else self.order.amount
        return (
            self.is_authorised
            and self.merchant_reference == reference
            and paid is not None
            and paid.equals(amount)
        )

    def for_browser(self) -> dict[str, Any]:
        """Return what the browser's SDK takes as a result, and nothing else of the answer.

        ``resultCode``, ``action``, ``order`` and ``donationToken``, as they came, where they are there.
        """
        return {name: for_json(self.raw[name]) for name in _FOR_BROWSER if self.raw.get(name) is not None}


# ------------------------------------------------------------------------------------------ the requests


@hiding_arguments
@attrs.frozen(kw_only=True)
class CreatePayment(Request):
    """Pay with what the browser's SDK has taken.

    Safe to repeat with the same key: the library keeps it over all attempts of a call, and an error of the
    call has it as `idempotency_key`. The API keeps it for 24 hours. A refusal is returned, not raised, and so
    is an action: look at `requires_action` first, then at `is_authorised`.

    What the page sends is in its visitor's hands. So `state_data` may have only what the SDK is known to
    give: `paymentMethod`, `storePaymentMethod`, `installments`, `riskData`, `clientStateDataIndicator`,
    `browserInfo`, `origin`, `order`, `shopperName`, `shopperEmail`, `telephoneNumber`, `dateOfBirth`,
    `socialSecurityNumber`, `billingAddress` and `deliveryAddress`. Anything else is refused, an amount and a
    reference first, and so is a field that the server has given too. An `order` must be the one that the
    server has given, by its `pspReference`; it is sent as the server has it.

    Args:
        state_data: What the browser's SDK has given to ``onSubmit`` as ``state.data``, sent as it is. No
            repr, log or error shows it.
        reference: Your order's reference; refused with a character that is not seen, or with white space at
            an end.
        return_url: Where the shopper comes back to after a redirect, with ``redirectResult`` in its query.
        amount: What is to be paid, in **minor** units; `Money.major` makes it of major units. Required, but
            for the part of an `order`, which has its own.
        order: The order of which this pays a part: an `Order`, the `order` of a payment's answer, or an
            `OrderReference`.
        channel: ``Web``, ``iOS`` or ``Android``.
        country_code: The shopper's country, two letters such as ``KZ``.
        shopper_reference: Your customer's id.
        shopper_email: The shopper's address for mail; not shown in the repr.
        shopper_name: The shopper's name.
        shopper_ip: The shopper's IP address; not shown in the repr.
        telephone_number: The shopper's; not shown in the repr.
        date_of_birth: The shopper's, a date or its text; not shown in the repr.
        social_security_number: The shopper's; not shown in the repr.
        shopper_interaction: ``Ecommerce``.
        recurring_processing_model: ``CardOnFile`` or ``Subscription``.
        authentication_data: Whether and how the shopper is to be authenticated.
        browser_info: The shopper's browser, where the SDK does not give it.
        origin: The origin of your page, such as ``https://shop.example``, where the SDK does not give it.
        billing_address: The shopper's.
        delivery_address: The shopper's.
        line_items: What is paid for; amounts are in **minor** units.
        merchant_account: The merchant account's name; the client's unless given.
        idempotency_key: The header ``Idempotency-Key``: printable ASCII of at most 255 characters. A UUID of
            version 4 is made for the request unless given; give the earlier one to repeat a call of another
            process.
        extra: Further fields of the body, under their wire names, which your server vouches for.

    Returns:
        The `Payment`; its `amount` is in **minor** units.

    Raises:
        ConfigurationError: A value is of the wrong kind, there is no merchant account, or the page gives what
            is not its to say; nothing was sent.
        RefusedError: The server answered with an error of the card, HTTP 402.
        IdempotencyError: The key is in use, or was used with other values; the first request may have paid.
        OutcomeUnknownError: It may be paid; the same call with the error's `idempotency_key` is safe.
        PlexyPayError: Any other failure; its `outcome` says whether it may have been done.

    Evidence: the call and the key are published, the fields are in the vendor's own programs; which of them
    are required is not published.
    """

    merchant_account: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    reference: str
    return_url: str
    amount: CheckoutMoney | None = attrs.field(default=None, converter=optional_amount_of)
    order: OrderReference | None = attrs.field(default=None, converter=order_reference_of)
    channel: Channel | str | None = None
    country_code: str | None = None
    shopper_reference: str | None = None
    shopper_email: str | None = attrs.field(default=None, repr=False)
    shopper_name: ShopperName | None = None
    shopper_ip: str | None = attrs.field(default=None, repr=False, metadata=wire("shopperIP"))
    telephone_number: str | None = attrs.field(default=None, repr=False)
    date_of_birth: str | None = attrs.field(default=None, repr=False, converter=date_of_birth_of)
    social_security_number: str | None = attrs.field(default=None, repr=False)
    shopper_interaction: ShopperInteraction | str | None = None
    recurring_processing_model: RecurringProcessingModel | str | None = None
    authentication_data: AuthenticationData | None = None
    browser_info: BrowserInfo | None = attrs.field(default=None, repr=False)
    origin: str | None = None
    billing_address: Address | None = None
    delivery_address: Address | None = None
    line_items: Sequence[LineItem] | None = attrs.field(default=None, hash=False)
    state_data: Mapping[str, Any] = attrs.field(repr=False, hash=False, metadata=wire(merged="paymentMethod"))
    idempotency_key: str = attrs.field(
        default=None, converter=key_or_new, metadata=wire("Idempotency-Key", header=True)
    )
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle_identity(self, "reference")
        settle_identity(self, "shopper_reference")
        check_text("reference", self.reference)
        check_text("return_url", self.return_url)
        for name in (
            *("merchant_account", "channel", "country_code", "shopper_interaction"),
            *("recurring_processing_model", "origin"),
        ):
            check_optional_text(name, getattr(self, name))
        for name in ("shopper_email", "shopper_ip", "telephone_number", "social_security_number"):
            check_hidden_text(name, getattr(self, name))
        check_kind("shopper_name", self.shopper_name, ShopperName, optional=True)
        check_kind("authentication_data", self.authentication_data, AuthenticationData, optional=True)
        check_kind("browser_info", self.browser_info, BrowserInfo, optional=True)
        check_kind("billing_address", self.billing_address, Address, optional=True)
        check_kind("delivery_address", self.delivery_address, Address, optional=True)
        check_line_items(self.line_items)
        check_idempotency_key(self.idempotency_key)
        check_state_data(self, FROM_SUBMIT)
        self._settle_order()

    def _settle_order(self) -> None:
        """Refuse a payment with neither an amount nor an order, with both, or with an order of the page's."""
        if "order" in self.state_data:
            given: Any = self.state_data["order"]
            named: Any = (
                cast("Mapping[str, Any]", given).get("pspReference") if isinstance(given, Mapping) else None
            )
            if self.order is None:
                raise ConfigurationError(
                    "state_data['order']: the page names an order, and so an amount; give the Order that "
                    "your server keeps, as order, or take it out"
                )
            if named != self.order.psp_reference:
                raise ConfigurationError("state_data['order']: is not the order that your server has given")
            others = {name: value for name, value in self.state_data.items() if name != "order"}
            object.__setattr__(self, "state_data", others)
        if self.amount is None and self.order is None:
            raise ConfigurationError("amount: missing; give what is to be paid, as Money")
        if self.amount is not None and self.order is not None:
            raise ConfigurationError("amount: an order has its own; leave it out")

    @property
    def order_reference(self) -> str:
        """Your order's reference."""
        return self.reference


@hiding_arguments
@attrs.frozen(kw_only=True)
class SubmitPaymentDetails(Request):
    """Go on with a payment once the shopper is back from an action, such as 3-D Secure.

    Safe to repeat with the same key: the library keeps it over all attempts of a call, and an error of the
    call has it as `idempotency_key`. The API keeps it for 24 hours. The answer may have a further action.

    Args:
        state_data: What the browser's SDK has given to ``onAdditionalDetails`` as ``state.data``, sent as it
            is: `details`, and `paymentData` where the action had it. After a redirect it is
            ``{"details": {"redirectResult": ...}}``, with what the query of your `return_url` has. Anything
            else is refused. No repr, log or error shows it.
        merchant_account: The merchant account's name; the client's unless given.
        idempotency_key: As for `payments.create`.
        extra: Further fields of the body, under their wire names, which your server vouches for.

    Returns:
        The `Payment`; its `amount` is in **minor** units. It may be another one than you think of, since the
        browser says which: ask `is_authorised_for`.

    Raises:
        ConfigurationError: A value is of the wrong kind, there is no merchant account, or the page gives what
            is not its to say; nothing was sent.
        RefusedError: The server answered with an error of the card, HTTP 402.
        IdempotencyError: The key is in use, or was used with other values; the first request may have paid.
        OutcomeUnknownError: It may be paid; the same call with the error's `idempotency_key` is safe.
        PlexyPayError: Any other failure; its `outcome` says whether it may have been done.

    Evidence: the call is published, its body is in the vendor's own programs; ``threeDSResult`` among the
    `details` is assumed.
    """

    merchant_account: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    state_data: Mapping[str, Any] = attrs.field(repr=False, hash=False, metadata=wire(merged="details"))
    idempotency_key: str = attrs.field(
        default=None, converter=key_or_new, metadata=wire("Idempotency-Key", header=True)
    )
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_optional_text("merchant_account", self.merchant_account)
        check_idempotency_key(self.idempotency_key)
        check_state_data(self, FROM_ADDITIONAL_DETAILS)


class Payments(Resource[F], api=CHECKOUT):
    """Make payments, and go on with them after an action."""

    create: Final = Operation(
        "POST",
        "/v2/payments",
        CreatePayment,
        Payment,
        evidence=Evidence.PUBLISHED,
        replay=Replay.SAME_KEY,
        key="idempotency_key",
        echoes={"reference": "merchant_reference"},
        created=Evidence.ASSUMED,
    )
    details: Final = Operation(
        "POST",
        "/v2/payments/details",
        SubmitPaymentDetails,
        Payment,
        evidence=Evidence.PUBLISHED,
        replay=Replay.SAME_KEY,
        key="idempotency_key",
    )
