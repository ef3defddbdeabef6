"""Payment management: find, capture, cancel and refund a payment.

Evidence: capture, cancel and refund are published; the paths of cancel and refund are observed, that of
capture is from 2023, as are the answers and the whole of `search`. Amounts are in **major** units as
`Decimal` (56.41 EUR is ``Decimal("56.41")``), observed for refunds. Only an authorized payment can be
captured or cancelled, only a charged one refunded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

import attrs

from ..api.checks import check_major_units, check_optional_text, check_text
from ..api.facades import F
from ..api.fields import Model, PathRequest, Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Operation, Resource, one_of
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from ..errors import ConfigurationError
from .description import PAY
from .direct_payments import ThreeDSecure
from .transactions import NO_TRANSACTION, Transaction

__all__ = [
    "CancelPayment",
    "CapturePayment",
    "Payment",
    "PaymentResult",
    "Payments",
    "RefundPayment",
    "RefundResult",
    "SearchPayments",
]


@attrs.frozen(kw_only=True)
class SearchPayments(Request):
    """Find a payment by your order's reference, or by its transaction's id.

    Args:
        order_reference: The reference given with the payment, or with a refund; refused with a character that
            is not seen, or with white space at an end.
        transaction_id: The transaction's id; where both are given, it alone decides.
        extra: Further query parameters, under their wire names.

    Returns:
        The `Payment`; its `amount` is in **major** units. Where the server answers a list or a page, the one
        with the `transaction_id`; or, of those that name the reference, the newest payment that is no refund:
        the one with the latest `created_at`, the first in the server's order where the times do not tell; or
        else the newest refund that names it; or, where none names it, the newest payment without a reference.
        The whole answer is in `raw`, a list as ``data``.

    Raises:
        ConfigurationError: Neither is given, or a reference is unusable; nothing was sent.
        NotFoundError: There is no such payment, or this path is not the API's any more.

    Evidence: from 2023, for one payment as the answer; that it may be a list or a page is **assumed**.
    """

    order_reference: str | None = None
    transaction_id: str | None = None
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.order_reference is None and self.transaction_id is None:
            raise ConfigurationError("order_reference, transaction_id: give one of them")
        settle_identity(self, "order_reference")
        if self.transaction_id is not None:
            check_text("transaction_id", self.transaction_id)

    @property
    def decisive_reference(self) -> str | None:
        """The order reference, where the search goes by it."""
        return self.order_reference if self.transaction_id is None else None


@attrs.frozen
class CancelPayment(PathRequest):
    """Release the funds that an authorized payment holds.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        id: The transaction's id, not its link's and not an order's reference:
            `transactions.retrieve_by_order_reference` finds it.
        extra: Fields of the body, which is empty unless given, under their wire names.

    Returns:
        `PaymentResult`; of its fields, the answer may have `success` alone.

    Raises:
        NotFoundError: There is no transaction with this id.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The payment is not authorized. One that is charged is not cancelled but refunded.
        OutcomeUnknownError: It may be cancelled: `transactions.retrieve` shows the status ``cancelled`` then.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: the call is published, its path from 2023 and observed, the answer from 2023.
    """

    id: str


@attrs.frozen
class CapturePayment(Request):
    """Debit the funds that an authorized payment holds, or a part of them.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        id: The transaction's id, not its link's and not an order's reference:
            `transactions.retrieve_by_order_reference` finds it.
        amount: In **major** units, a `Decimal` or an `int`; the whole amount unless given.
        extra: Further fields of the body, under their wire names.

    Returns:
        `PaymentResult`; its amounts are in **major** units.

    Raises:
        ConfigurationError: `amount` is a float, or has more digits than JSON carries; nothing was sent.
        NotFoundError: There is no transaction with this id.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The payment is not authorized.
        OutcomeUnknownError: It may be captured: `transactions.retrieve` shows the status ``charged`` then,
            and not how much was. `transactions.history`, whose path is assumed, may show a part's amount.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: the call is published, its path, unit and answer are from 2023.
    """

    id: str
    amount: Decimal | int | None = attrs.field(default=None, kw_only=True)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.amount is not None:
            check_major_units("amount", self.amount)


@attrs.frozen
class RefundPayment(Request):
    """Give the money of a charged payment back, or a part of it. A refund is a transaction of its own.

    A payment that is authorized only has taken no money yet: `payments.cancel` releases it. Or let it be
    charged first: by `payments.capture`, or by the vendor in time, which is an hour after the payment where
    its link has `auto_clearing`, else five days.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        id: The transaction's id, not its link's and not an order's reference:
            `transactions.retrieve_by_order_reference` finds it.
        amount: In **major** units, a `Decimal` or an `int`; all that is left of the payment unless given.
        order_reference: A new reference for this refund, not the order's nor another refund's: by it
            `payments.search` finds the refund where its answer is lost. It is refused with a character that
            is not seen, or with white space at an end.
        description: Why, in words.
        extra: Further fields of the body, under their wire names.

    Returns:
        `RefundResult`; its amounts are in **major** units.

    Raises:
        ConfigurationError: `amount` is a float, or has more digits than JSON carries; nothing was sent.
        NotFoundError: There is no transaction with this id.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The payment is not charged, or less than `amount` is left of it.
        OutcomeUnknownError: It may be refunded. Look for the refund itself: in `transactions.history`, which
            lists each refund, and whose path is assumed; in `payments.search`, which shows it only by an
            `order_reference` of its own, and only one of several; and in `transactions.list`.
            `transactions.retrieve` of the payment shows the status ``refunded`` once all of it went back, and
            nothing of a part. A refusal too may come so: a payment that was refunded already was answered
            with HTTP 500 and a message alone, which the error carries.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: the call is published, its path and unit observed, the answer from 2023.
    """

    id: str
    amount: Decimal | int | None = attrs.field(default=None, kw_only=True)
    order_reference: str | None = attrs.field(default=None, kw_only=True)
    description: str | None = attrs.field(default=None, kw_only=True)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.amount is not None:
            check_major_units("amount", self.amount)
        settle_identity(self, "order_reference")
        check_optional_text("description", self.description)


@attrs.frozen(kw_only=True)
class Payment(Transaction):
    """A payment, as a search answers it: a `Transaction` with what is known of its card.

    `amount` is in **major** units. Times are UTC.

    Evidence: from 2023.
    """

    private: ClassVar[bool] = True
    list_under: ClassVar[str | None] = "data"

    success: bool | None = None
    """Whether it has worked, by the server's word; `status` says how far it is."""
    message: str | None = None
    """The server's words on it."""
    three_ds: ThreeDSecure | None = attrs.field(default=None, metadata=wire("threeDS"))
    """What 3-D Secure came to."""
    card_mask: str | None = None
    """Such as ``******0000``."""
    card_expiry_date: str | None = attrs.field(default=None, repr=False)
    """Such as ``08/49``."""
    cardholder_name: str | None = attrs.field(default=None, repr=False)
    """The holder's name, as on the card."""
    card_scheme: str | None = None
    """Such as ``visa``."""
    cvv_status: str | None = None
    """The result of the code's check; no list of its values is published."""
    cvv_status_decoded: str | None = None
    """`cvv_status` in words, such as ``not provided``."""
    network_transaction_reference: str | None = None
    """The card network's own reference of the transaction, by its name."""
    response_code: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """The acquirer's code; ``00`` is a success."""
    auth_code: str | None = None
    """The code that the card's bank has given to the authorization, by its name."""
    original_transaction_id: str | None = None
    """The transaction whose money went back, where this is a refund."""


_NO_PAYMENTS = ("refund", "reversal")
_BEGINNING = datetime.min.replace(tzinfo=UTC)


def _searched(request: SearchPayments, found: Sequence[Payment]) -> Payment | None:
    """Return the payment that was searched for; one of another order only where there are no others.

    That is no answer to the search, and told so by whoever compares it with the request.
    """
    if request.transaction_id is not None:
        return next((each for each in found if each.id == request.transaction_id), next(iter(found), None))
    named = [each for each in found if each.order_reference == request.order_reference]
    nameless = [each for each in found if each.order_reference is None]
    payments = [each for each in named or nameless or found if not _is_refund(each)]
    # A refund may have a reference of its own.
    return max(payments or named, key=lambda payment: payment.created_at or _BEGINNING, default=None)


def _is_refund(payment: Payment) -> bool:
    # The refunds of 2023 have no type, and name what they give back.
    return payment.original_transaction_id is not None or (payment.type or "").lower() in _NO_PAYMENTS


@attrs.frozen(kw_only=True)
class PaymentResult(Model):
    """What a capture or a cancel answers.

    `amount` and `remaining_balance` are in **major** units.

    Evidence: from 2023; ``{"success": true}`` alone is observed too, so that every field may be None.
    """

    proof: ClassVar[tuple[str, ...]] = ("success",)

    success: bool | None = None
    """Whether it has worked. Observed too, and alone."""
    id: str | None = None
    """The transaction's id."""
    amount: Decimal | None = None
    """What was captured, cancelled or refunded, in **major** units; which currency it is in is not said."""
    remaining_balance: Decimal | None = None
    """What is left of the payment, by its name; in **major** units."""
    order_reference: str | None = None
    """The order's reference, as the server has it."""
    message: str | None = None
    """The server's words on it."""
    response_code: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """The acquirer's code; ``00`` is a success."""
    auth_code: str | None = None
    """The code that the card's bank has given to the authorization, by its name."""
    network_transaction_reference: str | None = None
    """The card network's own reference of the transaction, by its name."""


@attrs.frozen(kw_only=True)
class RefundResult(PaymentResult):
    """What a refund answers: `id` is the refund's own.

    `amount` and `remaining_balance` are in **major** units.

    Evidence: from 2023.
    """

    original_transaction_id: str | None = None
    """The transaction whose money went back."""


_OF_REFUNDS = "only by a reference of the refund's own, and only one of several"


class Payments(Resource[F], api=PAY):
    """Find, capture, cancel and refund payments."""

    search: Final = Operation(
        "GET",
        "/v1/payments/search",
        SearchPayments,
        one_of(Payment, chosen=_searched),
        evidence=Evidence.LEGACY,
        echoes={"transaction_id": "id", "decisive_reference": "order_reference"},
        notes={
            4: "A refund whose answer was lost may be at work still for a while: look again before you repeat"
            " it. transactions.history of the payment shows it too.",
        },
    )
    cancel: Final = Operation(
        "POST",
        "/v1/payments/{id}/cancel",
        CancelPayment,
        PaymentResult,
        bodiless=True,
        evidence=Evidence.OBSERVED,
        replay=Replay.MONEY,
        echoes={"id": "id"},
        settled_by=SettledBy(Look("transactions.retrieve", "the status 'cancelled'", by="id")),
        notes={
            4: NO_TRANSACTION,
            5: "Only an authorized payment can be cancelled; one that is charged is given back by"
            " payments.refund.",
        },
    )
    capture: Final = Operation(
        "POST",
        "/v1/payments/{id}/capture",
        CapturePayment,
        PaymentResult,
        evidence=Evidence.LEGACY,
        replay=Replay.MONEY,
        echoes={"id": "id"},
        settled_by=SettledBy(
            Look("transactions.history", "a capture", by="id", amount="amount", needs="amount"),
            Look("transactions.retrieve", "the status 'charged'", by="id"),
        ),
        notes={
            4: NO_TRANSACTION,
            5: "Only an authorized payment can be captured, no more than it holds.",
        },
    )
    refund: Final = Operation(
        "POST",
        "/v1/payments/{id}/refund",
        RefundPayment,
        RefundResult,
        evidence=Evidence.OBSERVED,
        replay=Replay.MONEY,
        echoes={"id": "original_transaction_id", "amount": "amount"},
        settled_by=SettledBy(
            Look("transactions.history", "a refund", by="id", amount="amount"),
            Look("payments.search", "a refund", by="order_reference", amount="amount", bounds=_OF_REFUNDS),
            Look("transactions.list", "a refund", amount="amount"),
            Look("transactions.retrieve", "the status 'refunded'", by="id", unless="amount"),
            named="transactions.retrieve",
        ),
        notes={
            4: NO_TRANSACTION,
            5: "Only a charged payment can be refunded, no more than is left of it. One that is authorized"
            " has taken no money yet: payments.cancel releases it; or wait until it is charged, or charge it"
            " by payments.capture.",
        },
    )
