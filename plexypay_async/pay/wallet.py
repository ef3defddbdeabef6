"""Wallet payments: authorize, capture, refund and cancel them, and find them.

Evidence: paths, statuses and the fields of a wallet transaction are published. The bodies of capture, refund
and cancel are not, nor are the names of the customer's identifiers: they go in `extra`. Amounts are integers
of **minor** units (22 000 KZT is ``2200000``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from ..api.checks import check_currency, check_key, check_minor_units, in_capitals, key_or_new
from ..api.facades import F
from ..api.fields import ListRequest, Model, OpenEnum, PathRequest, Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Listing, Operation, Resource
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from .description import PAY

__all__ = [
    "AuthorizeWalletPayment",
    "CancelWalletPayment",
    "CaptureWalletPayment",
    "ListWalletTransactions",
    "RefundWalletPayment",
    "RetrieveWalletTransaction",
    "Wallet",
    "WalletTransaction",
    "WalletTransactionStatus",
]


class WalletTransactionStatus(OpenEnum):
    """A wallet transaction's state. An unknown state is a member that equals the string it came as.

    Evidence: published.
    """

    NEW = "NEW"
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


def _currency_in_capitals(value: str | None) -> str | None:
    return None if value is None else in_capitals(value)


@attrs.frozen(kw_only=True)
class AuthorizeWalletPayment(Request):
    """Hold an amount of a customer's wallet.

    Safe to repeat with the same key: the library keeps it over all attempts of a call, and an error of the
    call has it as `idempotency_key`.

    Args:
        amount: In **minor** units: 22 000 KZT is ``2200000``.
        order_reference: Your order's reference; refused with a character that is not seen, or with white
            space at an end.
        currency: Three letters, such as ``KZT``; sent in capitals. That the request has this field is assumed
            from the answer, which does.
        idempotency_key: The header ``Idempotency-Key``: printable ASCII, a UUID of version 4 advised. One is
            made for the request unless given; give the earlier one to repeat a call of another process.
        extra: Further fields of the body, under their wire names. The customer's identifiers go here: the
            vendor names that there are some, and not what they are called.

    Returns:
        The `WalletTransaction`; its `amount` is in **minor** units. It may be under way still: look at
        `status`, and ask `wallet.retrieve`.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: The amount may be held; the same call with the error's `idempotency_key` is safe.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: call, key, `amount` and `order_reference` published.
    """

    amount: int
    order_reference: str | None = None
    currency: str | None = attrs.field(default=None, converter=_currency_in_capitals)
    idempotency_key: str = attrs.field(
        default=None, converter=key_or_new, metadata=wire("Idempotency-Key", header=True)
    )
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_minor_units("amount", self.amount)
        settle_identity(self, "order_reference")
        if self.currency is not None:
            check_currency("currency", self.currency)
        check_key("idempotency_key", self.idempotency_key)


@attrs.frozen
class CaptureWalletPayment(PathRequest):
    """Debit what an authorized wallet payment holds.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        wallet_transaction_id: The wallet transaction's `id`.
        extra: The fields of the body, which are not published, under their wire names.

    Returns:
        The `WalletTransaction`; its `amount` is in **minor** units.

    Raises:
        NotFoundError: There is no such wallet transaction.
        RefusedError: The server said ``success: false``.
        UnprocessableError: It cannot be captured.
        OutcomeUnknownError: It may be captured; look for a changed `status` in `wallet.retrieve`.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: the call is published, its body is not.
    """

    wallet_transaction_id: str


@attrs.frozen
class RefundWalletPayment(PathRequest):
    """Give the money of a captured wallet payment back.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        wallet_transaction_id: The wallet transaction's `id`.
        extra: The fields of the body, which are not published, under their wire names.

    Returns:
        The `WalletTransaction`; its `amount` is in **minor** units.

    Raises:
        NotFoundError: There is no such wallet transaction.
        RefusedError: The server said ``success: false``.
        UnprocessableError: It cannot be refunded.
        OutcomeUnknownError: It may be refunded. What shows a refund is not published: a changed `status` in
            `wallet.retrieve`, or a new transaction in `wallet.list`, if any does.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: the call is published, its body is not.
    """

    wallet_transaction_id: str


@attrs.frozen
class CancelWalletPayment(PathRequest):
    """Release what an authorized wallet payment holds.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        wallet_transaction_id: The wallet transaction's `id`.
        extra: The fields of the body, which are not published, under their wire names.

    Returns:
        The `WalletTransaction`; its `amount` is in **minor** units.

    Raises:
        NotFoundError: There is no such wallet transaction.
        RefusedError: The server said ``success: false``.
        UnprocessableError: It cannot be cancelled.
        OutcomeUnknownError: It may be cancelled; look for a changed `status` in `wallet.retrieve`.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: the call is published, its body is not.
    """

    wallet_transaction_id: str


@attrs.frozen
class RetrieveWalletTransaction(PathRequest):
    """Retrieve a wallet transaction by its id.

    Args:
        wallet_transaction_id: The wallet transaction's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `WalletTransaction`; its `amount` is in **minor** units.

    Raises:
        NotFoundError: There is no such wallet transaction, or it is out of the key's scope.

    Evidence: published.
    """

    wallet_transaction_id: str


@attrs.frozen(kw_only=True)
class ListWalletTransactions(ListRequest):
    """List wallet transactions, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `WalletTransaction`, with `amount` in
        **minor** units.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: the path is published; that it is paged as the other lists are is assumed.
    """


@attrs.frozen(kw_only=True)
class WalletTransaction(Model):
    """A wallet transaction.

    `amount` is in **minor** units of `currency`.

    Evidence: published; which of the fields each call answers is not, so that all but two may be None.
    """

    id: str = attrs.field(metadata=wire("walletTransactionId"))
    """The wallet transaction's id: the `wallet_transaction_id` of other calls."""
    status: WalletTransactionStatus = attrs.field(metadata=wire("walletTransactionStatus"))
    """Its state."""
    order_reference: str | None = None
    """Your order's reference, as it was authorized with."""
    amount: int | None = None
    """What it is over, in **minor** units of `currency`: 22 000 KZT is ``2200000``."""
    currency: str | None = None
    """Three letters, such as ``KZT``."""


class Wallet(Resource[F], api=PAY):
    """Authorize, capture, refund, cancel and find wallet payments."""

    authorize: Final = Operation(
        "POST",
        "/v1/wallet/authorize",
        AuthorizeWalletPayment,
        WalletTransaction,
        evidence=Evidence.PUBLISHED,
        replay=Replay.SAME_KEY,
        echoes={"order_reference": "order_reference", "amount": "amount", "currency": "currency"},
        key="idempotency_key",
    )
    capture: Final = Operation(
        "POST",
        "/v1/wallet/{wallet_transaction_id}/capture",
        CaptureWalletPayment,
        WalletTransaction,
        evidence=Evidence.PUBLISHED,
        echoes={"wallet_transaction_id": "id"},
        replay=Replay.MONEY,
        settled_by=SettledBy(Look("wallet.retrieve", "a changed status", by="wallet_transaction_id")),
    )
    refund: Final = Operation(
        "POST",
        "/v1/wallet/{wallet_transaction_id}/refund",
        RefundWalletPayment,
        WalletTransaction,
        evidence=Evidence.PUBLISHED,
        replay=Replay.MONEY,
        settled_by=SettledBy(
            Look("wallet.retrieve", "a changed status", by="wallet_transaction_id"),
            Look("wallet.list", "a new transaction"),
            named="wallet.retrieve",
            doubt="That it shows there is not published: where it does not, ask the vendor's support.",
        ),
    )
    cancel: Final = Operation(
        "POST",
        "/v1/wallet/{wallet_transaction_id}/cancel",
        CancelWalletPayment,
        WalletTransaction,
        evidence=Evidence.PUBLISHED,
        echoes={"wallet_transaction_id": "id"},
        replay=Replay.MONEY,
        settled_by=SettledBy(Look("wallet.retrieve", "a changed status", by="wallet_transaction_id")),
    )
    retrieve: Final = Operation(
        "GET",
        "/v1/wallet/transaction/{wallet_transaction_id}",
        RetrieveWalletTransaction,
        WalletTransaction,
        evidence=Evidence.PUBLISHED,
        echoes={"wallet_transaction_id": "id"},
    )
    # Plural and with a slash at its end, as the vendor prints it.
    list: Final = Listing(
        "/v1/wallet/transactions/", ListWalletTransactions, WalletTransaction, evidence=Evidence.PUBLISHED
    )
