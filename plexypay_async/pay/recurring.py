"""Recurring payments: charge a stored card without the customer.

Evidence: the bodies are published, the path is from 2023. The unit of the amounts is **not published**: the
vendor's example says ``1099`` and ``KZT``, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

import attrs

from ..api.checks import check_amount, check_currency, check_text, in_capitals
from ..api.facades import F
from ..api.fields import Model, Request
from ..api.operation import Evidence, Operation, Resource
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from .description import PAY
from .transactions import TransactionStatus

__all__ = ["ChargeRecurringPayment", "RecurringPayment", "RecurringPayments"]


@attrs.frozen(kw_only=True)
class ChargeRecurringPayment(Request):
    """Charge a card that the customer stored with an earlier payment (a merchant-initiated payment).

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        amount: A `Decimal` or an `int`, sent as it is given. Whether the API takes minor or major units here
            is **not published**: ask the vendor before the first charge.
        currency: Three letters, such as ``KZT``; sent in capitals.
        card_token_id: The stored card's token, a transaction's `card_token_id`.
        initial_transaction_id: The payment that began the series, made with ``cof_initial``.
        extra: Further fields of the body, under their wire names.

    Returns:
        `RecurringPayment`; look at its `is_paid`, since a payment that the bank rejected is an answer too.

    Raises:
        ConfigurationError: `amount` is a float, or has more digits than JSON carries; nothing was sent.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The token or the initial payment does not allow it.
        OutcomeUnknownError: The card may be charged; look for a new payment in `transactions.list`.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: request and answer published, the path from 2023, and so that an answer may have `success` in
    place of a `status`.
    """

    amount: Decimal | int
    currency: str = attrs.field(converter=in_capitals)
    card_token_id: str
    initial_transaction_id: str
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_amount("amount", self.amount)
        check_currency("currency", self.currency)
        check_text("card_token_id", self.card_token_id)
        check_text("initial_transaction_id", self.initial_transaction_id)


@attrs.frozen(kw_only=True)
class RecurringPayment(Model):
    """A payment that the merchant began.

    The unit of `amount` is **not published**; it is what the server wrote.

    Evidence: published, but for `success`, which is from 2023.
    """

    told_by: ClassVar[tuple[str, ...]] = ("status", "success")

    id: str
    """The transaction's id."""
    amount: Decimal
    """What was charged, as the server wrote it: whether in minor or major units is **not published**."""
    currency: str
    """Three letters, such as ``KZT``."""
    status: TransactionStatus | None = None
    """An answer as of 2023 lacks it, and has `success`; `transactions.retrieve` tells more."""
    success: bool | None = None
    """What an answer as of 2023 has in place of the status."""

    @property
    def is_paid(self) -> bool:
        """Whether the money is held or taken, as far as the answer tells."""
        return self.success is True if self.status is None else self.status.is_paid


class RecurringPayments(Resource[F], api=PAY):
    """Charge stored cards."""

    group: ClassVar[str] = "recurring"

    charge: Final = Operation(
        "POST",
        "/v1/payments/recurring/merchant/initiated",
        ChargeRecurringPayment,
        RecurringPayment,
        evidence=Evidence.LEGACY,
        replay=Replay.MONEY,
        echoes={"amount": "amount", "currency": "currency"},
        settled_by=SettledBy(Look("transactions.list", "a new payment"), named="transactions.retrieve"),
    )
