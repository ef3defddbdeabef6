"""Orders: buy a voucher, or top up a customer's account, and see what became of it.

Evidence: the paths, the header ``Idempotency-Key`` and the states are published; the fields are seen in
examples. Amounts are in **major** units as `Decimal` (12.50 USD is ``Decimal("12.50")``), written as text on
the wire. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

import attrs

from .._privacy.hiding import hiding_arguments, shortened
from .._privacy.secret_object import SecretObject
from ..api.checks import (
    check_currency,
    check_holdable,
    check_json_object,
    check_key,
    check_seconds,
    check_size,
    check_text,
    in_capitals,
    key_or_new,
    of_money,
)
from ..api.facades import F
from ..api.fields import Model, OpenEnum, PathRequest, Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Listing, Operation, Resource, Wait
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from ..errors import ConfigurationError
from ..json_form import JSONForm
from .catalogue import check_number
from .description import GATE

__all__ = [
    "CreateOrder",
    "ListOrders",
    "Order",
    "OrderContent",
    "OrderStatus",
    "Orders",
    "RetrieveOrder",
    "TopupRequest",
    "WaitForOrder",
]

_MOST_DIGITS = 40


class OrderStatus(OpenEnum):
    """An order's state. An unknown state is a member that equals the string it came as.

    Evidence: published; ``pending`` is seen in an example, and it is an open set.
    """

    PENDING = "pending"
    """It is under way, and its price is reserved."""
    COMPLETED = "completed"
    """It is done, and its content is there."""
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether the order is through, well or badly. An unknown state counts as not final."""
        return self in (OrderStatus.COMPLETED, OrderStatus.FAILED)


class OrderContent(SecretObject):
    """What an order has bought, such as ``{"voucher_code": ...}``: whoever reads it can spend it.

    `reveal()` returns it, as the object of JSON that came. It is not in `repr`, in a log, in what `to_dict`
    writes, nor in the order's `raw`. A pickle leaves it behind: retrieve the order where it is needed.

    Evidence: that it is an object is seen in examples; another value is found under ``order_content``.
    """

    __slots__ = ()

    name: ClassVar[str] = "order_content"


# ------------------------------------------------------------------------------------------ the requests


def check_decimal_amount(name: str, value: object) -> None:
    """Refuse anything but a positive `Decimal` or `int`: a float may have been rounded already."""
    if isinstance(value, float):
        raise ConfigurationError(
            f"{name}: a float may have been rounded already; give a Decimal of major units, such as "
            'Decimal("12.50")'
        )
    if type(value) is int:
        check_holdable(name, value)
    elif not isinstance(value, Decimal):
        raise ConfigurationError(
            f'{name}: expected a Decimal of major units, such as Decimal("12.50"), got a '
            f"{type(value).__name__}{of_money(value, 'in_major_units')}"
        )
    elif not value.is_finite() or len(value.as_tuple().digits) > _MOST_DIGITS:
        raise ConfigurationError(f"{name}: {shortened(str(value), 60)} is no amount")
    elif abs(value.adjusted()) > _MOST_DIGITS:
        raise ConfigurationError(f"{name}: {shortened(str(value), 60)} is no amount that the API can hold")
    if value <= 0:
        raise ConfigurationError(f"{name}: must be positive, got {shortened(str(value), 60)}")


@hiding_arguments
@attrs.frozen(kw_only=True)
class TopupRequest(JSONForm):
    """Which account of the customer's is topped up, and by how much.

    Args:
        amount: In **major** units of the order's currency, sent as text: ``"10.00"``.
        customer_account: What names the account, by the product, such as ``{"steam_login": ...}``.

    Raises:
        ConfigurationError: A value is of the wrong kind, such as a float, which may have been rounded.

    A `Decimal` is written with the decimals that it has, ``Decimal("10.00")`` as ``"10.00"``, and never with
    an exponent. `repr` does not show the account.

    Evidence: published; the names in `customer_account` are those of an example.
    """

    amount: Decimal | int = attrs.field(metadata=wire(decimal_text=True))
    customer_account: Mapping[str, Any] = attrs.field(repr=False, metadata=wire("customer_account"))

    def __attrs_post_init__(self) -> None:
        check_decimal_amount("topup_request.amount", self.amount)
        check_json_object("topup_request.customer_account", self.customer_account)


@hiding_arguments
@attrs.frozen(kw_only=True)
class CreateOrder(Request):
    """Order a product: its price is reserved at once, and debited when the order is completed.

    Safe to repeat with the same key: the library keeps it over all attempts of a call, and an error of the
    call has it as `idempotency_key`. Without the key at hand, look through `orders.list` for the order whose
    `idempotency_key` it is.

    Args:
        product_id: The product's `id`.
        currency_code: Three letters, such as ``USD``; sent in capitals. Which balance pays.
        external_ref: Your order's reference, which the answer repeats. It is not promised to be unique, so
            that two orders with it are two orders.
        topup_request: Which account is topped up, and by how much, for a product of the type
            ``direct_top_up``.
        idempotency_key: The header ``Idempotency-Key``: printable ASCII, one for each order that you want.
            One is made for the request unless given; give the earlier one to repeat a call of another
            process.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `Order`; its amounts are in **major** units. As a rule it is ``pending``: ask `orders.wait`. It
        may be ``failed``, which is returned, not raised.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        InvalidRequestError: The server refused the data, or the balance does not suffice (the status is
            published, that a balance is answered so is assumed).
        OutcomeUnknownError: It may be ordered; the same call with the error's `idempotency_key` is safe.
        PlexyPayError: Any other failure; its `outcome` says whether it may have been done.

    Evidence: published; which fields are required is not: `product_id` is assumed to be, and the rest is left
    to the server.
    """

    product_id: int = attrs.field(metadata=wire("product_id"))
    currency_code: str | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(in_capitals),
        metadata=wire("currency_code"),
    )
    external_ref: str | None = attrs.field(default=None, metadata=wire("external_ref"))
    topup_request: TopupRequest | None = attrs.field(default=None, metadata=wire("topup_request"))
    idempotency_key: str = attrs.field(
        default=None, converter=key_or_new, metadata=wire("Idempotency-Key", header=True)
    )
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_number("product_id", self.product_id)
        if self.currency_code is not None:
            check_currency("currency_code", self.currency_code)
        settle_identity(self, "external_ref")
        if self.topup_request is not None and not isinstance(self.topup_request, TopupRequest):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"topup_request: expected a TopupRequest, got a {type(self.topup_request).__name__}"
            )
        check_key("idempotency_key", self.idempotency_key)


@attrs.frozen
class RetrieveOrder(PathRequest):
    """Retrieve an order by its id.

    Args:
        order_id: The order's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `Order`; its amounts are in **major** units.

    Raises:
        NotFoundError: There is no such order.

    Evidence: published.
    """

    order_id: str


@attrs.frozen(kw_only=True)
class ListOrders(Request):
    """List orders, in the server's order.

    Args:
        status: Only those in this state, such as ``"completed"``.
        product_id: Only those of this product.
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `Order`, with amounts in **major**
        units.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: published; the parameters are seen in an example, the order of the list is not known.
    """

    status: OrderStatus | str | None = None
    product_id: int | None = attrs.field(default=None, metadata=wire("product_id"))
    size: int | None = None
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.status is not None:
            check_text("status", self.status)
        if self.product_id is not None:
            check_number("product_id", self.product_id)
        check_size(self.size)


@attrs.frozen
class WaitForOrder:
    """Wait until an order is completed or has failed, by asking again and again.

    The first answer is asked for at once, then after pauses that grow from `interval` to fifteen times as
    long. A server that is down is waited for.

    Args:
        order_id: The order's `id`.
        timeout: Seconds for the whole wait.
        interval: Seconds of the first pause.

    Returns:
        The `Order` as it was found last; one that has ``failed`` is returned, not raised.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        DeadlineExceededError: It is in neither state after `timeout`; the message says in which it is.
        NotFoundError: There is no such order.

    Evidence: asking until completed or failed is the published way; no callback is.
    """

    order_id: str
    timeout: float = attrs.field(default=600.0, kw_only=True)
    interval: float = attrs.field(default=1.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_text("order_id", self.order_id)
        for name in ("timeout", "interval"):
            check_seconds(name, getattr(self, name))

    @property
    def may_be_missing(self) -> bool:
        """Whether it may not be there yet: an order that has an id is."""
        return False

    def question(self) -> tuple[Operation[..., Order], Any]:
        """Return the retrieval that is asked, with its request."""
        return Orders.retrieve, RetrieveOrder(self.order_id)

    def is_met(self, found: Order) -> bool:
        """Tell whether it is through, well or badly."""
        return found.is_final

    def wanted(self) -> str:
        """Say what is waited for."""
        return "completed or failed"

    def missing(self) -> str:
        """Say that it is not there."""
        return f"there is no order {self.order_id!r}"


# ------------------------------------------------------------------------------------------- the answers


@attrs.frozen(kw_only=True)
class Order(Model):
    """An order.

    Amounts are in **major** units of `currency_code`. Times are UTC, and None until then.

    Evidence: seen in examples.
    """

    private: ClassVar[bool] = True
    # What something in between has taken in for later may have an id and a state too.
    told_by: ClassVar[tuple[str, ...]] = ("product_id", "external_ref", "idempotency_key")

    id: str
    """The order's id, a UUID: the `order_id` of other calls."""
    product_id: int | None = attrs.field(default=None, metadata=wire("product_id"))
    """The `id` of its `Product`."""
    external_ref: str | None = attrs.field(default=None, metadata=wire("external_ref"))
    """The reference that it was ordered with."""
    idempotency_key: str | None = attrs.field(default=None, metadata=wire("idempotency_key"))
    """The key that it was ordered with."""
    status: OrderStatus
    """How far it is."""
    order_content: OrderContent | None = attrs.field(default=None, metadata=wire("order_content"))
    """What was bought: a secret, which its `reveal()` returns."""
    currency_code: str | None = attrs.field(default=None, metadata=wire("currency_code"))
    """Three letters, such as ``USD``: the balance that pays."""
    charged_amount: Decimal | None = attrs.field(
        default=None, metadata=wire("charged_amount", decimal_text=True)
    )
    """What it costs the agent, in **major** units of `currency_code`."""
    balance_before: Decimal | None = attrs.field(
        default=None, metadata=wire("balance_before", decimal_text=True)
    )
    """The balance before it, in **major** units of `currency_code`."""
    balance_after: Decimal | None = attrs.field(
        default=None, metadata=wire("balance_after", decimal_text=True)
    )
    """The balance after it, in **major** units of `currency_code`."""
    is_test: bool | None = attrs.field(default=None, metadata=wire("is_test"))
    """Whether it was made for a test, by its name."""
    region_code: str | None = attrs.field(default=None, metadata=wire("region_code"))
    """Where the product is valid, such as ``GLOBAL``."""
    created_at: datetime | None = attrs.field(default=None, metadata=wire("created_at"))
    """When it was created, in UTC."""
    completed_at: datetime | None = attrs.field(default=None, metadata=wire("completed_at"))
    """When it was completed, in UTC; None until then."""
    failed_at: datetime | None = attrs.field(default=None, metadata=wire("failed_at"))
    """When it failed, in UTC; None unless it has."""

    @property
    def is_final(self) -> bool:
        """Whether it is through, well or badly."""
        return self.status.is_final


# --------------------------------------------------------------------------------------------- the group


class Orders(Resource[F], api=GATE):
    """Order products, and see what became of orders."""

    list: Final = Listing("/agent/{agent_id}/orders", ListOrders, Order, evidence=Evidence.PUBLISHED)
    create: Final = Operation(
        "POST",
        "/agent/{agent_id}/orders",
        CreateOrder,
        Order,
        evidence=Evidence.PUBLISHED,
        replay=Replay.SAME_KEY,
        created=Evidence.PUBLISHED,
        echoes={
            "idempotency_key": "idempotency_key",
            "external_ref": "external_ref",
            "product_id": "product_id",
        },
        key="idempotency_key",
        settled_by=SettledBy(Look("orders.list", "a new order")),
    )
    retrieve: Final = Operation(
        "GET",
        "/agent/{agent_id}/orders/{order_id}",
        RetrieveOrder,
        Order,
        evidence=Evidence.PUBLISHED,
        echoes={"order_id": "id"},
    )
    wait: Final = Wait(WaitForOrder, Order)
