"""Moves card payments through their states: 3-D Secure, authorized, captured; or rejected on the way."""

from __future__ import annotations

import enum

from .issuer import (
    APPROVED,
    AUTHENTICATION_REQUIRED,
    CARDS,
    NOT_AUTHENTICATED,
    PASSWORD,
    SYSTEM_ERROR,
    UNAVAILABLE_LINK,
    Flow,
    PresentedCard,
    response_code,
)
from .links import LinkStore
from .transactions import IMMEDIATE, VERIFICATION, StoredTransaction, TransactionDraft, TransactionStore

__all__ = ["Acquirer", "Authentication"]


class Authentication(enum.Enum):
    """Whether 3-D Secure comes before a payment."""

    ASKED = enum.auto()
    SKIPPED = enum.auto()
    """At the merchant's wish: a card may insist on it."""
    EXEMPT = enum.auto()
    """The customer is not there to be asked."""


class Acquirer:
    """Takes card payments, of links and direct ones, and moves them through their states."""

    def __init__(self, transactions: TransactionStore, links: LinkStore) -> None:
        self._transactions = transactions
        self._links = links

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
                return self._reject(transaction, AUTHENTICATION_REQUIRED)
            if authentication is not Authentication.ASKED:
                return self._authorize(transaction)
            if flow.is_challenge:
                return self._transactions.move(transaction, "3d", three_ds_status="C")
            if flow is Flow.FRICTIONLESS_FAILURE:
                return self._reject(transaction, NOT_AUTHENTICATED, three_ds_status="N")
            transaction.three_ds_status = "Y"
            return self._authorize(transaction)

    def fail(self, draft: TransactionDraft, card: PresentedCard) -> StoredTransaction:
        """Make a payment that fails by a system error."""
        with self._transactions.atomically():
            transaction = self._transactions.create(draft, card, response_code=SYSTEM_ERROR)
            return self._transactions.move(transaction, "failed", card_token_id=None)

    def answer_challenge(self, transaction: StoredTransaction, password: str) -> StoredTransaction:
        """Go on with a payment whose customer was asked for a one-time password."""
        with self._transactions.atomically():
            if CARDS[transaction.card_number].flow is Flow.BROKEN_CHALLENGE:
                return self._reject(transaction, NOT_AUTHENTICATED, three_ds_status="U")
            if password != PASSWORD:
                return self._reject(transaction, NOT_AUTHENTICATED, three_ds_status="N")
            transaction.three_ds_status = "Y"
            return self._authorize(transaction)

    def _authorize(self, transaction: StoredTransaction) -> StoredTransaction:
        link_id = transaction.payment_link_id
        if link_id is not None:
            link = self._links.find(link_id)
            # It may have been paid, cancelled or have expired while its customer was being authenticated.
            if link is None or link.status != "active":
                return self._reject(transaction, UNAVAILABLE_LINK)
        if transaction.response_code != APPROVED:
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
