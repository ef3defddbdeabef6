"""Takes payments by card, of links too, and moves them through their states."""

from __future__ import annotations

import enum
import uuid

import attrs
import orjson

from ..clock import Clock
from ..exchange import Refusal
from .issuer import CARDS, DEFAULT_CARD, PASSWORD, Flow, PresentedCard, ResponseCode, response_code
from .links import LinkStore, StoredLink
from .transactions import (
    AUTOMATIC,
    IMMEDIATE,
    MANUAL,
    VERIFICATION,
    StoredTransaction,
    TransactionDraft,
    TransactionStore,
)

__all__ = ["PENDING", "Acquirer", "Authentication", "LinkPayment", "default_expiry"]

_YEARS_TO_EXPIRY = 2

PENDING = "pending"
"""Given in place of a one-time password: the customer does not come back from the bank's page."""


class Authentication(enum.Enum):
    """Whether 3-D Secure comes before a payment."""

    ASKED = enum.auto()
    SKIPPED = enum.auto()
    """The merchant asks to go without it; a card may refuse that."""
    EXEMPT = enum.auto()
    """The customer is not present, so it cannot be asked for."""


@attrs.frozen(kw_only=True)
class LinkPayment:
    """What a customer does on the checkout page, with a test card."""

    card: str = attrs.field(default=DEFAULT_CARD, repr=False)
    cvv: str | None = attrs.field(default=None, repr=False)
    expiry: tuple[int, int] | None = None
    """The month and the year in which the card expires; two years ahead unless given."""
    otp: str = PASSWORD
    failed: bool = False
    """Whether the payment fails by a system error."""


@attrs.frozen
class Acquirer:
    """Takes card payments, of links and direct ones, and moves them through their states."""

    _transactions: TransactionStore
    _links: LinkStore

    def pay_link(self, link_id: str, payment: LinkPayment) -> StoredTransaction:
        """Pay an active link, or try to; each attempt is a transaction.

        Raises:
            Refusal: There is no such link (code 4), it is not active, or the card is no test card (code 5).
        """
        link = self._links.find(link_id)
        if link is None:
            raise Refusal(4, "payment link not found", source="paymentLinks")
        if link.status != "active":
            raise Refusal(5, f"status: a link that is {link.status} cannot be paid", source="paymentLinks")
        number = payment.card.replace(" ", "")
        if number not in CARDS:
            raise Refusal(5, "card: is none of the test cards", source="paymentLinks")
        month, year = payment.expiry or default_expiry(self._links.clock)
        card = PresentedCard(number=number, expiry_month=month, expiry_year=year, cvv=payment.cvv)
        if payment.failed:
            return self._fail(_draft(link), card)
        transaction = self.pay(_draft(link), card)
        if transaction.status == "3d" and payment.otp != PENDING:
            transaction = self.answer_challenge(transaction, payment.otp)
        return transaction

    def pay(
        self,
        draft: TransactionDraft,
        card: PresentedCard,
        authentication: Authentication = Authentication.ASKED,
    ) -> StoredTransaction:
        """Make a payment: it comes back authorized, charged, rejected, or in a 3-D Secure challenge."""
        with self._transactions.atomically():
            code = response_code(card, draft.amount, self._transactions.clock.now())
            transaction = self._transactions.create(draft, card, response_code=code)
            flow = CARDS[card.number].flow
            if authentication is Authentication.SKIPPED and flow is Flow.MANDATORY_CHALLENGE:
                return self._reject(transaction, ResponseCode.AUTHENTICATION_REQUIRED)
            if authentication is not Authentication.ASKED:
                return self._authorize(transaction)
            if flow.is_challenge:
                return self._transactions.move(transaction, "3d", three_ds_status="C")
            if flow is Flow.FRICTIONLESS_FAILURE:
                return self._reject(transaction, ResponseCode.NOT_AUTHENTICATED, three_ds_status="N")
            transaction.three_ds_status = "Y"
            return self._authorize(transaction)

    def answer_challenge(self, transaction: StoredTransaction, password: str) -> StoredTransaction:
        """Go on with a payment whose customer was asked for a one-time password."""
        with self._transactions.atomically():
            if CARDS[transaction.card_number].flow is Flow.BROKEN_CHALLENGE:
                return self._reject(transaction, ResponseCode.NOT_AUTHENTICATED, three_ds_status="U")
            if password != PASSWORD:
                return self._reject(transaction, ResponseCode.NOT_AUTHENTICATED, three_ds_status="N")
            transaction.three_ds_status = "Y"
            return self._authorize(transaction)

    def _fail(self, draft: TransactionDraft, card: PresentedCard) -> StoredTransaction:
        with self._transactions.atomically():
            transaction = self._transactions.create(draft, card, response_code=ResponseCode.SYSTEM_ERROR)
            return self._transactions.move(transaction, "failed", card_token_id=None)

    def _authorize(self, transaction: StoredTransaction) -> StoredTransaction:
        link_id = transaction.payment_link_id
        if link_id is not None:
            link = self._links.find(link_id)
            # It may have been paid, cancelled or have expired while its customer was being authenticated.
            if link is None or link.status != "active":
                return self._reject(transaction, ResponseCode.UNAVAILABLE_LINK)
        if transaction.response_code != ResponseCode.APPROVED:
            return self._reject(transaction, transaction.response_code)
        authorized = self._transactions.move(transaction, "authorized")
        if link_id is not None:
            self._links.set_status(link_id, "paid")
        if authorized.clearing == IMMEDIATE:
            return self._transactions.move(authorized, "charged", captured=authorized.amount)
        if authorized.clearing == VERIFICATION:
            return self._transactions.move(authorized, "cancelled")
        return authorized

    def _reject(
        self, transaction: StoredTransaction, code: str, *, three_ds_status: str | None = None
    ) -> StoredTransaction:
        return self._transactions.move(
            transaction,
            "rejected",
            response_code=code,
            card_token_id=None,
            three_ds_status=transaction.three_ds_status if three_ds_status is None else three_ds_status,
        )


def default_expiry(clock: Clock) -> tuple[int, int]:
    """Return the month and the year of expiry that a test card has unless another is given."""
    now = clock.now()
    return now.month, now.year + _YEARS_TO_EXPIRY


def _draft(link: StoredLink) -> TransactionDraft:
    recurring_type = None if link.recurring is None else orjson.loads(link.recurring)["type"]
    return TransactionDraft(
        amount=link.amount,
        currency=link.currency,
        clearing=AUTOMATIC if link.auto_clearing else MANUAL,
        order_reference=link.order_reference,
        description=link.description,
        payment_link_id=link.id,
        customer_id=link.customer_id,
        recurring_type=recurring_type,
        card_token_id=str(uuid.uuid4()) if recurring_type == "cof_initial" else None,
    )
