"""Settlement payment orders: have the vendor pay a beneficiary out of what was collected.

Evidence: `create` is published and absent from the vendor's newest menu; `retrieve` and `list` are
**assumed** paths. The answer's fields are those of the webhooks ``payment_order.created``, ``.paid`` and
``.failed``. The unit of the amounts is **not published**: the vendor's example says ``10000`` and ``KZT``,
and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from ..api.checks import check_amount, check_currency, check_text, in_capitals, key_or_new
from ..api.facades import F
from ..api.fields import ListRequest, Model, OpenEnum, PathRequest, Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Listing, Operation, Resource
from ..api.replay import Replay
from .description import PAY

__all__ = [
    "CreateSettlementOrder",
    "ListSettlementOrders",
    "RetrieveSettlementOrder",
    "SettlementOrder",
    "SettlementOrderStatus",
    "SettlementOrders",
]


class SettlementOrderStatus(OpenEnum):
    """A settlement order's state. An unknown state is a member that equals the string it came as.

    Evidence: published, as the names of webhooks.
    """

    CREATED = "created"
    PAID = "paid"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class CreateSettlementOrder(Request):
    """Create a settlement payment order.

    Safe to repeat with the same `request_id`: the library keeps it over all attempts of a call, and an error
    of the call has it as `idempotency_key`.

    Args:
        amount: A `Decimal` or an `int`, sent as it is given. Whether the API takes minor or major units here
            is **not published**: ask the vendor before the first order.
        currency: Three letters, such as ``KZT``; sent in capitals.
        beneficiary_id: Who is paid, a beneficiary's `id`; the field's name is that of the webhook.
        request_id: What makes the order one, however often it is sent. A UUID of version 4 is made for the
            request unless given; give the earlier one to repeat a call of another process. Sent in Unicode's
            form NFC; one with characters that are not seen is refused, since it would make a second order.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `SettlementOrder`; the unit of its `amount` is not published.

    Raises:
        ConfigurationError: `amount` is a float, or has more digits than JSON carries; nothing was sent.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: The order may exist; the same call with the error's `idempotency_key` as its
            `request_id` is safe.
        PlexyPayError: Any other failure; its `outcome` says whether it may have been done.

    Evidence: the call and that ``requestId`` makes it repeatable are published; that it is a field of the
    body is assumed, and the other fields are those of the webhook.
    """

    amount: Decimal | int
    currency: str = attrs.field(converter=in_capitals)
    beneficiary_id: str | None = attrs.field(default=None, metadata=wire("beneficiary_id"))
    request_id: str = attrs.field(default=None, converter=key_or_new)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_amount("amount", self.amount)
        check_currency("currency", self.currency)
        if self.beneficiary_id is not None:
            check_text("beneficiary_id", self.beneficiary_id)
        settle_identity(self, "request_id")


@attrs.frozen
class RetrieveSettlementOrder(PathRequest):
    """Retrieve a settlement payment order by its id.

    Args:
        id: The order's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `SettlementOrder`; the unit of its `amount` is not published.

    Raises:
        NotFoundError: There is no such order, or this path is not the API's.

    Evidence: **assumed**; override the path with ``paths={"settlement_orders.retrieve": "/v1/..."}``.
    """

    id: str


@attrs.frozen(kw_only=True)
class ListSettlementOrders(ListRequest):
    """List settlement payment orders, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `SettlementOrder`, and the unit of
        their `amount` is not published.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: **assumed**; override the path with ``paths={"settlement_orders.list": "/v1/..."}``.
    """


@attrs.frozen(kw_only=True)
class SettlementOrder(Model):
    """A settlement payment order.

    The unit of `amount` is **not published**; it is what the server wrote.

    Evidence: the webhook's fields are published; that an answer has the same ones is assumed. The id comes as
    ``payment_order_id`` or ``id``.
    """

    id: str = attrs.field(metadata=wire("payment_order_id", aliases=("id",)))
    """The order's id; ``payment_order_id`` or ``id`` on the wire."""
    amount: Decimal | None = None
    """What is paid out, as the server wrote it: whether in minor or major units is **not published**."""
    currency: str | None = None
    """Three letters, such as ``KZT``."""
    status: SettlementOrderStatus | None = None
    """Its state."""
    beneficiary_id: str | None = attrs.field(default=None, metadata=wire("beneficiary_id"))
    """Who is paid: a beneficiary's `id`."""
    merchant_id: str | None = attrs.field(default=None, metadata=wire("merchant_id"))
    """The merchant's id; in a webhook's published example not that of the delivery."""


class SettlementOrders(Resource[F], api=PAY):
    """Create and find settlement payment orders."""

    create: Final = Operation(
        "POST",
        "/v1/merchants/settlement-payment-orders",
        CreateSettlementOrder,
        SettlementOrder,
        evidence=Evidence.PUBLISHED,
        replay=Replay.SAME_KEY,
        created=Evidence.ASSUMED,
        echoes={"amount": "amount", "currency": "currency"},
        key="request_id",
    )
    retrieve: Final = Operation(
        "GET",
        "/v1/merchants/settlement-payment-orders/{id}",
        RetrieveSettlementOrder,
        SettlementOrder,
        evidence=Evidence.ASSUMED,
        echoes={"id": "id"},
    )
    list: Final = Listing(
        "/v1/merchants/settlement-payment-orders",
        ListSettlementOrders,
        SettlementOrder,
        evidence=Evidence.ASSUMED,
    )
