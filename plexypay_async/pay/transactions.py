"""Transactions: what became of payments and refunds, read from the list, one by one, or from a webhook.

Evidence: `retrieve` and `list` observed, `retrieve_by_payment_link` published; `retrieve_by_order_reference`
and `history` are **assumed** paths. Where the former is not found, `payments.search` is asked, whose path is
from 2023. Amounts of transactions are in **major** units as `Decimal`
(22 000 KZT is ``Decimal("22000")``), observed. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Self, cast

import attrs

from ..api.checks import check_seconds, check_text
from ..api.facades import F
from ..api.fields import ListRequest, Model, OpenEnum, PathRequest, lists_of, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Listing, Operation, Resource, Wait
from ..errors import ConfigurationError
from .description import PAY

__all__ = [
    "ListTransactions",
    "RetrieveTransaction",
    "RetrieveTransactionByOrderReference",
    "RetrieveTransactionByPaymentLink",
    "RetrieveTransactionHistory",
    "Transaction",
    "TransactionHistory",
    "TransactionStatus",
    "Transactions",
    "WaitForTransaction",
]

_PREFIX = "transaction_status_"
_OTHER_SPELLINGS = {"authed": "authorized", "new": "created"}


class TransactionStatus(OpenEnum):
    """A transaction's state, in the published spelling whichever of the API's spellings it came in.

    ``TRANSACTION_STATUS_AUTHED`` (the live list's) is ``authorized``, and ``new`` (of 2023) is ``created``.
    An unknown state is a member that equals the string it came as.

    Evidence: the eight states are published, the prefixed spelling is observed.
    """

    CREATED = "created"
    THREE_D_SECURE = "3d"
    """The customer is at the bank's 3-D Secure page."""
    AUTHORIZED = "authorized"
    """The funds are held: the order may be taken as paid."""
    REJECTED = "rejected"
    FAILED = "failed"
    """A system error: the payment may be tried again."""
    CHARGED = "charged"
    """The funds are debited."""
    CANCELLED = "cancelled"
    REFUNDED = "refunded"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if isinstance(value, str):
            folded = value.lower().removeprefix(_PREFIX)
            folded = _OTHER_SPELLINGS.get(folded, folded)
            for known in cls:
                if known.value == folded:
                    return known
        return super()._missing_(value)

    @property
    def is_paid(self) -> bool:
        """Whether the order may be taken as paid: authorized or charged."""
        return self in (TransactionStatus.AUTHORIZED, TransactionStatus.CHARGED)

    @property
    def is_final(self) -> bool:
        """Whether the payment is through, well or badly; an authorized one is still to be captured.

        A charged transaction may be refunded later. An unknown state counts as not final.
        """
        return self in _FINAL


NO_TRANSACTION = (
    "The id is that of a transaction: transactions.retrieve_by_order_reference finds it by an order's"
    " reference, transactions.retrieve_by_payment_link by a link's id."
)
"""What can be done where there is no transaction with an id."""

_FINAL = frozenset(
    {
        TransactionStatus.REJECTED,
        TransactionStatus.FAILED,
        TransactionStatus.CHARGED,
        TransactionStatus.CANCELLED,
        TransactionStatus.REFUNDED,
    }
)


@attrs.frozen(kw_only=True)
class Transaction(Model):
    """A transaction, in any of the shapes in which the API shows it: in a list, alone, in a webhook.

    `amount` is in **major** units where a list or a retrieval shows it. Each shape has other fields; those it
    lacks are None. Times are UTC.

    Evidence: the list's and the single shape are observed, the webhook's is published. The id comes as
    ``transactionId`` or ``id``, the order's reference as ``orderReference`` or ``merchantReference``.
    """

    id: str = attrs.field(metadata=wire("transactionId", aliases=("id",)))
    """The transaction's id; ``transactionId`` or ``id`` on the wire."""
    status: TransactionStatus
    """Its state, in the published spelling."""
    amount: Decimal | None = None
    """In **major** units; in a webhook the vendor's own words leave the unit open."""
    currency: str | None = None
    """Three letters, such as ``KZT``. Published, in a webhook; lists and retrievals lack it."""
    order_reference: str | None = attrs.field(
        default=None, metadata=wire("orderReference", aliases=("merchantReference",))
    )
    """Your order's reference; ``merchantReference`` in a retrieval and in a webhook."""
    payment_id: str | None = None
    """The payment's id, where the server shows one. Observed, in a retrieval."""
    rrn: str | None = attrs.field(default=None, metadata=wire("rrn", aliases=("retrievalReferenceNumber",)))
    """The acquirer's retrieval reference number."""
    type: str | None = None
    """``payment``, ``refund`` or ``reversal`` are published; an open set."""
    description: str | None = None
    """What the payment was described as. Published, in a webhook."""
    payment_method: str | None = None
    """Such as ``card``. Published, in a webhook; an open set."""
    last4: str | None = None
    """The card's last four digits."""
    payer_ip: str | None = None
    """The payer's IP address. Published, in a webhook."""
    balance: Decimal | None = None
    """As the webhook shows it; its unit is not published."""
    processed_amount: Decimal | None = None
    """As the webhook shows it; its unit is not published."""
    store_id: str | None = None
    """The store's id. Published, in a webhook."""
    terminal_id: str | None = None
    """The terminal's id. Published, in a webhook."""
    secure_3d: bool | None = attrs.field(default=None, metadata=wire("secure3d"))
    """Whether 3-D Secure was used, by its name. Published, in a webhook."""
    parent_transaction_id: str | None = None
    """The transaction that this one follows, by its name. Published, in a webhook."""
    recurring_type: str | None = None
    """Such as ``subscription``. Published, in a webhook; its values are not."""
    payment_link_id: str | None = None
    """The `id` of the link that was paid. Published, in a webhook."""
    payment_session_id: str | None = None
    """Published, in a webhook; what such a session is, is not."""
    card_token_id: str | None = None
    """The stored card's token, for a recurring charge. Published, in a webhook."""
    customer_id: str | None = None
    """Your customer's id at Plexy Pay. Published, in a webhook."""
    created_at: datetime | None = None
    """When it was created, in UTC."""
    updated_at: datetime | None = None
    """When it was last changed, in UTC. Published, in a webhook."""
    authed_at: datetime | None = None
    """When it was authorized, by its name; in UTC. Published, in a webhook."""
    confirmed_at: datetime | None = None
    """When it was confirmed, by its name; in UTC. Published, in a webhook; what confirms it is not."""
    processed_at: datetime | None = None
    """When it was processed, by its name; in UTC. Published, in a webhook; what that means is not."""

    @property
    def is_paid(self) -> bool:
        """Whether the order may be taken as paid: authorized or charged."""
        return self.status.is_paid

    @property
    def is_final(self) -> bool:
        """Whether the payment is through, well or badly."""
        return self.status.is_final


@attrs.frozen(kw_only=True)
class TransactionHistory(Model):
    """A transaction's events, in the server's order.

    Evidence: **assumed**; the vendor says "transaction events" and shows none, so an event is whatever the
    server sends, perhaps a mapping. An array is read, alone or under whatever name; all else is in `raw`.
    """

    list_under: ClassVar[str | None] = "data"

    @property
    def events(self) -> tuple[Any, ...]:
        """The events as they came: the array ``data``, or else the first one of objects.

        It may stand in an object inside.
        """
        found = [*lists_of(self.raw)]
        for inner in self.raw.values():
            if isinstance(inner, dict):
                found += lists_of(cast("Mapping[str, Any]", inner))
        return next((tuple(events) for events in found if events), ())

    @property
    def transaction_id(self) -> str | None:
        """The transaction that the answer is of, where the answer names it."""
        for name in ("transactionId", "id"):
            found = self.raw.get(name)
            if isinstance(found, str):
                return found
        return None


@attrs.frozen
class RetrieveTransaction(PathRequest):
    """Retrieve a transaction by its id.

    Args:
        id: The transaction's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `Transaction`; its `amount` is in **major** units.

    Raises:
        NotFoundError: There is no such transaction, or it is out of the key's scope.

    Evidence: observed.
    """

    id: str


@attrs.frozen
class RetrieveTransactionByPaymentLink(PathRequest):
    """Retrieve the transaction of a payment link.

    Args:
        payment_link_id: The link's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `Transaction`; its `amount` is in **major** units.

    Raises:
        NotFoundError: Nobody has begun to pay the link, or there is no such link.

    Evidence: published.
    """

    payment_link_id: str


@attrs.frozen
class RetrieveTransactionByOrderReference(PathRequest):
    """Retrieve a transaction by your order's reference.

    A 404 of the assumed path may be the path's own. `payments.search` is asked after it, within the same
    `timeout`, and what it finds is returned; not where you have given the path yourself.

    Args:
        order_reference: The reference given with the link or the payment.
        extra: Query parameters, under their wire names.

    Returns:
        The `Transaction`; its `amount` is in **major** units. Where `payments.search` has found it, it is a
        `Payment`.

    Raises:
        ConfigurationError: The reference is none that a payment link takes; nothing was sent.
        NotFoundError: Neither has found it; a note says what `payments.search` answered.

    Evidence: **assumed**, that of `payments.search` from 2023; override the path with
    ``paths={"transactions.retrieve_by_order_reference": "/v1/..."}``.
    """

    order_reference: str

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle_identity(self, "order_reference")


@attrs.frozen
class RetrieveTransactionHistory(PathRequest):
    """Retrieve the events of a transaction.

    Args:
        id: The transaction's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        `TransactionHistory`.

    Raises:
        NotFoundError: There is no such transaction, or this path is not the API's.

    Evidence: **assumed**; override the path with ``paths={"transactions.history": "/v1/..."}``.
    """

    id: str


@attrs.frozen(kw_only=True)
class ListTransactions(ListRequest):
    """List transactions, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `Transaction`, with `amount` in
        **major** units and without a currency.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: observed.
    """


@attrs.frozen
class WaitForTransaction:
    """Wait until a transaction is paid or final, or is in a given state, by asking again and again.

    For payments whose webhook may be lost. The first answer is asked for at once, then after pauses that grow
    from `interval` to fifteen times as long. A transaction that is not there yet is waited for, except by
    its `id`; so is a server that is down.

    Args:
        id: The transaction's `id`.
        payment_link_id: Instead of it, the link that is being paid.
        order_reference: Instead of it, your order's reference, asked for as
            `transactions.retrieve_by_order_reference` does: an **assumed** path, then `payments.search`.
        until: The state to wait for, such as ``"charged"``; a final state from which it cannot come any more
            ends the wait too. Unless given, paid or final.
        timeout: Seconds for the whole wait.
        interval: Seconds of the first pause.

    Returns:
        The `Transaction` as it was found last.

    Raises:
        ConfigurationError: Not exactly one of `id`, `payment_link_id` and `order_reference` is given.
        DeadlineExceededError: It is in none of these states after `timeout`; the message says in which it is.
        NotFoundError: There is no transaction with this `id`.

    Evidence: that of the retrieval that is asked; states published.
    """

    id: str | None = None
    payment_link_id: str | None = attrs.field(default=None, kw_only=True)
    order_reference: str | None = attrs.field(default=None, kw_only=True)
    until: TransactionStatus | str | None = attrs.field(default=None, kw_only=True)
    timeout: float = attrs.field(default=600.0, kw_only=True)
    interval: float = attrs.field(default=1.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        given = [
            name for name in ("id", "payment_link_id", "order_reference") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            told = " and ".join(given) or "none"
            raise ConfigurationError(f"id, payment_link_id, order_reference: give one of them, got {told}")
        if given[0] == "order_reference":
            settle_identity(self, "order_reference")
        else:
            check_text(given[0], getattr(self, given[0]))
        if self.until is not None:
            check_text("until", self.until)
        for name in ("timeout", "interval"):
            check_seconds(name, getattr(self, name))

    @property
    def may_be_missing(self) -> bool:
        """Whether nobody may have paid yet."""
        return self.id is None

    def question(self) -> tuple[Operation[..., Transaction], Any]:
        """Return the retrieval that is asked, with its request."""
        if self.id is not None:
            return Transactions.retrieve, RetrieveTransaction(self.id)
        if self.payment_link_id is not None:
            request = RetrieveTransactionByPaymentLink(self.payment_link_id)
            return Transactions.retrieve_by_payment_link, request
        by_reference = RetrieveTransactionByOrderReference(str(self.order_reference))
        return Transactions.retrieve_by_order_reference, by_reference

    def is_met(self, found: Transaction) -> bool:
        """Tell whether it is in the state that is waited for, or in one from which it cannot come there."""
        status = found.status
        if self.until is None:
            return status.is_paid or status.is_final
        until = TransactionStatus(self.until)
        # Of the final states, a charged payment alone may still change: it can be refunded.
        goes_on = status is TransactionStatus.CHARGED and until is TransactionStatus.REFUNDED
        return status == until or (status.is_final and not goes_on)

    def wanted(self) -> str:
        """Say which state is waited for."""
        return "paid or final" if self.until is None else repr(TransactionStatus(self.until).value)

    def missing(self) -> str:
        """Say that nobody has paid."""
        of = (
            f"the payment link {self.payment_link_id!r}"
            if self.payment_link_id is not None
            else f"the order {self.order_reference!r}"
        )
        return f"nobody has paid: there is no transaction yet of {of}"


class Transactions(Resource[F], api=PAY):
    """Find transactions, and wait for them."""

    list: Final = Listing("/v1/transactions", ListTransactions, Transaction, evidence=Evidence.OBSERVED)
    retrieve: Final = Operation(
        "GET",
        "/v1/transactions/{id}",
        RetrieveTransaction,
        Transaction,
        evidence=Evidence.OBSERVED,
        echoes={"id": ("id", "payment_id")},
        notes={4: NO_TRANSACTION},
    )
    retrieve_by_payment_link: Final = Operation(
        "GET",
        "/v1/transactions/by-payment-link/{payment_link_id}",
        RetrieveTransactionByPaymentLink,
        Transaction,
        evidence=Evidence.PUBLISHED,
        echoes={"payment_link_id": "payment_link_id"},
    )
    retrieve_by_order_reference: Final = Operation(
        "GET",
        "/v1/transactions/by-order-reference/{order_reference}",
        RetrieveTransactionByOrderReference,
        Transaction,
        evidence=Evidence.ASSUMED,
        echoes={"order_reference": "order_reference"},
        fallback="payments.search",
    )
    history: Final = Operation(
        "GET",
        "/v1/transactions/{id}/history",
        RetrieveTransactionHistory,
        TransactionHistory,
        evidence=Evidence.ASSUMED,
        echoes={"id": "transaction_id"},
        notes={4: NO_TRANSACTION},
    )
    wait: Final = Wait(WaitForTransaction, Transaction)
