"""Orders that are paid in parts, such as with a gift card first: create and cancel them.

Evidence: the calls are in the vendor's example server, the answers' fields in its browser SDK. Amounts are in
**minor** units. `order_data` is opaque, and shown by no repr, log or error.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

import attrs

from .._privacy.hiding import hiding_arguments
from ..api.checks import check_optional_text, check_text, key_or_new
from ..api.facades import F
from ..api.fields import Model, Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Operation, Resource
from ..api.replay import Replay
from ..errors import ConfigurationError
from .description import CHECKOUT
from .shopper import check_kind
from .values import Amount, CheckoutMoney, ResultCode, amount_of, check_idempotency_key

__all__ = [
    "CancelOrder",
    "CreateOrder",
    "Order",
    "OrderCancellation",
    "OrderReference",
    "OrderState",
    "Orders",
    "order_reference_of",
]

# ------------------------------------------------------------------------------------------- the answers


@attrs.frozen(kw_only=True)
class OrderState(Model):
    """An order that is paid in parts, as the answer to a payment has it.

    Amounts are in **minor** units. Times are in UTC.

    Evidence: the vendor's browser SDK; every field may be None.
    """

    private: ClassVar[bool] = True

    psp_reference: str | None = None
    """The order's id at the vendor."""
    order_data: str | None = attrs.field(default=None, repr=False)
    """What the next payment of the order needs; opaque."""
    reference: str | None = None
    """Your order's reference."""
    amount: Amount | None = None
    """Of the whole order, in **minor** units."""
    remaining_amount: Amount | None = None
    """What is still to be paid, in **minor** units."""
    expires_at: datetime | None = None
    """When it takes no further part, by its name; in UTC."""


@attrs.frozen(kw_only=True)
class Order(Model):
    """An order that is paid in parts, as its creation answers it.

    Amounts are in **minor** units. Times are in UTC.

    Evidence: the vendor's browser SDK.
    """

    private: ClassVar[bool] = True
    proof: ClassVar[tuple[str, ...]] = ("psp_reference",)
    checked: ClassVar[tuple[str, ...]] = ("psp_reference", "order_data")

    psp_reference: str
    """The order's id at the vendor."""
    order_data: str = attrs.field(repr=False)
    """What each payment of the order needs; opaque."""
    reference: str | None = None
    """Your order's reference."""
    amount: Amount | None = None
    """Of the whole order, in **minor** units."""
    remaining_amount: Amount | None = None
    """What is still to be paid, in **minor** units."""
    expires_at: datetime | None = None
    """When it takes no further part, by its name; in UTC."""
    result_code: ResultCode | None = None
    """What came of the call."""

    @property
    def amount_value(self) -> int | None:
        """What the whole order costs, in **minor** units; None where the answer does not say it."""
        return None if self.amount is None else self.amount.value

    @property
    def currency(self) -> str | None:
        """Of the amount; None where the answer does not say it."""
        return None if self.amount is None else self.amount.currency

    def for_browser(self) -> dict[str, str]:
        """Return what the browser's SDK takes: ``orderData`` and ``pspReference``, and nothing else."""
        return {"orderData": self.order_data, "pspReference": self.psp_reference}


@attrs.frozen(kw_only=True)
class OrderCancellation(Model):
    """What the cancelling of an order answers.

    Evidence: **assumed**; ``Received`` says that what was paid is given back later.
    """

    proof: ClassVar[tuple[str, ...]] = ("psp_reference", "result_code")

    psp_reference: str | None = None
    """The id of the cancelling at the vendor, or of the order: which is not known."""
    result_code: ResultCode | None = None
    """What came of the call, such as ``Received``."""


# ------------------------------------------------------------------------------------------ the requests


@hiding_arguments
@attrs.frozen(kw_only=True)
class OrderReference:
    """Which order a payment is a part of. Its repr does not show the order's data.

    Args:
        psp_reference: The order's `psp_reference`.
        order_data: Its `order_data`, of the latest answer that had one.

    Raises:
        ConfigurationError: A value is no text.

    Evidence: the vendor's browser SDK.
    """

    psp_reference: str
    order_data: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        check_text("order.psp_reference", self.psp_reference)
        if not isinstance(self.order_data, str) or not self.order_data:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("order.order_data: expected the text that the API has given")


def order_reference_of(value: OrderReference | Order | OrderState | None) -> OrderReference | None:
    """Return which order is meant, given that or the order itself.

    Raises:
        ConfigurationError: It is neither, or an order without its reference and data.
    """
    if isinstance(value, (Order, OrderState)):
        if value.psp_reference is None or value.order_data is None:
            raise ConfigurationError("order: this one has no psp_reference and order_data to name it by")
        return OrderReference(psp_reference=value.psp_reference, order_data=value.order_data)
    check_kind("order", value, OrderReference, optional=True)
    return value


def _needed_order(value: OrderReference | Order | OrderState) -> OrderReference:
    found = order_reference_of(value)
    if found is None:
        raise ConfigurationError("order: missing; give the Order that is to be cancelled")
    return found


@attrs.frozen(kw_only=True)
class CreateOrder(Request):
    """Create an order that is to be paid in parts.

    Safe to repeat with the same key: the library keeps it over all attempts of a call, and an error of the
    call has it as `idempotency_key`. The API keeps it for 24 hours.

    Args:
        amount: Of the whole order, in **minor** units; `Money.major` makes it of major units.
        reference: Your order's reference; refused with a character that is not seen, or with white space at
            an end.
        merchant_account: The merchant account's name; the client's unless given.
        idempotency_key: The header ``Idempotency-Key``: printable ASCII of at most 255 characters. A UUID of
            version 4 is made for the request unless given; give the earlier one to repeat a call of another
            process.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `Order`; its amounts are in **minor** units.

    Raises:
        ConfigurationError: A value is of the wrong kind, or there is no merchant account; nothing was sent.
        IdempotencyError: The key is in use, or was used with other values; the order may exist.
        OutcomeUnknownError: The order may exist; the same call with the error's `idempotency_key` is safe.
        PlexyPayError: Any other failure; its `outcome` says whether it may have been done.

    Evidence: the call is in the vendor's example server; that it takes a key is assumed.
    """

    merchant_account: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    amount: CheckoutMoney = attrs.field(converter=amount_of)
    reference: str
    idempotency_key: str = attrs.field(
        default=None, converter=key_or_new, metadata=wire("Idempotency-Key", header=True)
    )
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_optional_text("merchant_account", self.merchant_account)
        settle_identity(self, "reference")
        check_text("reference", self.reference)
        check_idempotency_key(self.idempotency_key)

    @property
    def order_reference(self) -> str:
        """Your order's reference."""
        return self.reference

    @property
    def amount_value(self) -> int:
        """What the whole order costs, in **minor** units."""
        return self.amount.amount

    @property
    def currency(self) -> str:
        """Of the amount."""
        return self.amount.currency


@hiding_arguments
@attrs.frozen(kw_only=True)
class CancelOrder(Request):
    """Cancel an order that is paid in part, so that the parts are given back.

    Safe to repeat with the same key: the library keeps it over all attempts of a call, and an error of the
    call has it as `idempotency_key`. The API keeps it for 24 hours.

    Args:
        order: The `Order`, the `order` of a payment's answer, or an `OrderReference`.
        merchant_account: The merchant account's name; the client's unless given.
        idempotency_key: As for `orders.create`.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `OrderCancellation`; with ``Received`` the parts are given back later.

    Raises:
        ConfigurationError: A value is of the wrong kind, or there is no merchant account; nothing was sent.
        IdempotencyError: The key is in use, or was used with other values.
        OutcomeUnknownError: It may be cancelled; the same call with the error's `idempotency_key` is safe.
        PlexyPayError: Any other failure; its `outcome` says whether it may have been done.

    Evidence: the call is in the vendor's example server; its answer, and that it takes a key, are assumed.
    """

    merchant_account: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    order: OrderReference = attrs.field(converter=_needed_order)
    idempotency_key: str = attrs.field(
        default=None, converter=key_or_new, metadata=wire("Idempotency-Key", header=True)
    )
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_optional_text("merchant_account", self.merchant_account)
        check_idempotency_key(self.idempotency_key)


class Orders(Resource[F], api=CHECKOUT):
    """Create and cancel orders that are paid in parts."""

    create: Final = Operation(
        "POST",
        "/v2/orders",
        CreateOrder,
        Order,
        evidence=Evidence.VENDOR_CODE,
        replay=Replay.SAME_KEY,
        key="idempotency_key",
        echoes={"reference": "reference", "amount_value": "amount_value", "currency": "currency"},
        created=Evidence.ASSUMED,
    )
    cancel: Final = Operation(
        "POST",
        "/v2/orders/cancel",
        CancelOrder,
        OrderCancellation,
        evidence=Evidence.VENDOR_CODE,
        replay=Replay.SAME_KEY,
        key="idempotency_key",
    )
