"""Transactions in the database: rows, their steps, and the capture of payments when it is due.

Amounts are integers of minor units here, and in major units where the API shows them. Times are microseconds
since 1970 in UTC.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from typing import Any

import attrs

from ..clock import moment_of, written_time
from ..money import in_major_units
from .issuer import CARDS, PresentedCard, ResponseCode
from .table import Sought, Table

__all__ = ["StoredTransaction", "TransactionDraft", "TransactionStore"]

_HOUR = 3600 * 1_000_000

AUTOMATIC = "automatic"
MANUAL = "manual"
IMMEDIATE = "immediate"
VERIFICATION = "verification"

CAPTURED_AFTER: Mapping[str, int | None] = {
    IMMEDIATE: 0,
    AUTOMATIC: _HOUR,
    MANUAL: 5 * 24 * _HOUR,
    VERIFICATION: None,
}
"""How long after its authorization a payment is captured by itself, by its clearing."""

_LISTED = {"authorized": "AUTHED"}


@attrs.frozen(kw_only=True)
class TransactionDraft:
    """What a new payment is made of, beside its card."""

    amount: int
    currency: str
    clearing: str = AUTOMATIC
    order_reference: str | None = None
    description: str | None = None
    payment_link_id: str | None = None
    parent_id: str | None = None
    customer_id: str | None = None
    recurring_type: str | None = None
    card_token_id: str | None = None
    notification_url: str | None = None


@attrs.define
class StoredTransaction:
    """One row of the transactions."""

    id: str
    type: str
    """``payment`` or ``refund``."""
    status: str
    amount: int
    currency: str
    clearing: str
    order_reference: str | None
    description: str | None
    payment_link_id: str | None
    parent_id: str | None
    """A refund's payment; of a merchant-initiated payment, the customer's first."""
    customer_id: str | None
    recurring_type: str | None
    card_token_id: str | None
    notification_url: str | None
    # Always a test card's: no other is taken.
    card_number: str = attrs.field(repr=False)
    card_expiry: str
    cardholder: str | None
    cvv_status: str | None
    response_code: str
    """What the acquirer says, or will say once the customer is authenticated."""
    three_ds_status: str | None
    rrn: str
    auth_code: str
    network_reference: str
    captured: int
    refunded: int
    created_at: int
    updated_at: int
    authorized_at: int | None
    charged_at: int | None
    capture_due_at: int | None
    """When an authorized payment is captured by itself."""

    @property
    def balance(self) -> int:
        """What is left to refund."""
        return self.captured - self.refunded

    @property
    def last4(self) -> str:
        """The card's last four digits."""
        return self.card_number[-4:]

    @property
    def card(self) -> PresentedCard:
        """The card as it was kept, without its CVV."""
        month, year = map(int, self.card_expiry.split("/"))
        return PresentedCard(
            number=self.card_number, expiry_month=month, expiry_year=year, holder=self.cardholder
        )

    def listed(self) -> dict[str, Any]:
        """Return the transaction as a list shows it."""
        status = _LISTED.get(self.status, self.status.upper())
        return {
            "transactionId": self.id,
            "amount": in_major_units(self.amount),
            "createdAt": _with_fraction(self.created_at),
            "rrn": self.rrn,
            "status": f"TRANSACTION_STATUS_{status}",
            "orderReference": self.order_reference,
        }

    def alone(self) -> dict[str, Any]:
        """Return the transaction as its retrieval shows it.

        `cardTokenId`, on a payment that keeps its card, is the sandbox's own addition.
        """
        shown = {
            "transactionId": self.id,
            "paymentId": self.parent_id if self.type == "refund" else self.id,
            "status": self.status,
            "amount": in_major_units(self.amount),
            "merchantReference": self.order_reference,
        }
        if self.card_token_id is not None:
            shown["cardTokenId"] = self.card_token_id
        return shown

    def whole(self) -> dict[str, Any]:
        """Return all that webhooks tell of a transaction."""
        return {
            "id": self.id,
            "amount": in_major_units(self.amount),
            "balance": in_major_units(self.balance),
            "currency": self.currency,
            "status": self.status,
            "type": self.type,
            "last4": self.last4,
            "paymentMethod": "card",
            "payerIp": None,
            "merchantReference": self.order_reference,
            "description": self.description,
            "createdAt": written_time(self.created_at),
            "updatedAt": written_time(self.updated_at),
            "authedAt": _time(self.authorized_at),
            "confirmedAt": _time(self.charged_at),
            "processedAt": _time(self.charged_at),
            "processedAmount": in_major_units(self.captured),
            "storeId": None,
            "terminalId": None,
            "secure3d": self.three_ds_status is not None,
            "parentTransactionId": self.parent_id,
            "recurringType": self.recurring_type,
            "retrievalReferenceNumber": self.rrn,
            "paymentLinkId": self.payment_link_id,
            "paymentSessionId": None,
            "cardTokenId": self.card_token_id,
            "customerId": self.customer_id,
        }


class TransactionStore(Table[StoredTransaction], name="transactions", row=StoredTransaction):
    """The transactions of one sandbox, in the order of their creation."""

    sought = Sought(ids=["id", "payment_link_id", "parent_id"], references=["order_reference"])
    extra_schema = """
        CREATE INDEX IF NOT EXISTS transactions_by_link ON transactions (payment_link_id);
        CREATE INDEX IF NOT EXISTS transactions_by_order_reference ON transactions (order_reference);
        CREATE INDEX IF NOT EXISTS transactions_by_customer ON transactions (customer_id);
        CREATE INDEX IF NOT EXISTS transactions_by_card_token ON transactions (card_token_id);
        CREATE INDEX IF NOT EXISTS transactions_by_capture ON transactions (capture_due_at)
            WHERE status = 'authorized';
        CREATE TABLE IF NOT EXISTS transaction_events (
            seq INTEGER PRIMARY KEY,
            transaction_id TEXT NOT NULL,
            status TEXT NOT NULL,
            amount INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            refund_id TEXT
        );
        CREATE INDEX IF NOT EXISTS transaction_events_by_transaction ON transaction_events (transaction_id);
    """

    def create(
        self, draft: TransactionDraft, card: PresentedCard, *, response_code: str
    ) -> StoredTransaction:
        """Store a new payment in the state ``created``."""
        transaction = StoredTransaction(
            id=str(uuid.uuid4()),
            type="payment",
            status="created",
            **attrs.asdict(draft, recurse=False),
            card_number=card.number,
            card_expiry=card.expiry,
            cardholder=card.holder,
            cvv_status=None if card.cvv is None else "N" if card.cvv in CARDS[card.number].cvv_codes else "M",
            response_code=response_code,
            three_ds_status=None,
            **_fresh(self.clock.microseconds()),
        )
        self.add(transaction)
        return transaction

    def move(self, transaction: StoredTransaction, status: str, **changes: Any) -> StoredTransaction:
        """Return the transaction in another state, as of now, with further columns changed."""
        now = self.clock.microseconds()
        moved = attrs.evolve(transaction, status=status, updated_at=now, **changes)
        if status == "authorized":
            after = CAPTURED_AFTER[moved.clearing]
            moved.authorized_at = now
            moved.capture_due_at = None if after is None else now + after
        elif status == "charged":
            moved.charged_at = now
        with self.atomically():
            self._replace(moved.id, moved)
            self._add_event(moved, moved.captured if status == "charged" else moved.amount)
            self._changed(moved)
        return moved

    def refund(
        self, payment: StoredTransaction, amount: int, *, order_reference: str | None, description: str | None
    ) -> tuple[StoredTransaction, StoredTransaction]:
        """Store a refund of `payment`; return the refund and the payment as it is then.

        The payment is refunded once nothing of it is left.
        """
        now = self.clock.microseconds()
        refund = attrs.evolve(
            payment,
            id=str(uuid.uuid4()),
            type="refund",
            status="refunded",
            amount=amount,
            order_reference=payment.order_reference if order_reference is None else order_reference,
            description=description,
            parent_id=payment.id,
            recurring_type=None,
            card_token_id=None,
            response_code=ResponseCode.APPROVED,
            **_fresh(now),
        )
        left = attrs.evolve(payment, refunded=payment.refunded + amount, updated_at=now)
        if left.balance == 0:
            left.status = "refunded"
        with self.atomically():
            self.add(refund)
            self._replace(left.id, left)
            self._add_event(attrs.evolve(left, status="refunded"), amount, refund.id)
            if left.status == "refunded":
                self._changed(left)
        return refund, left

    def find_by_payment_link(self, payment_link_id: str) -> StoredTransaction | None:
        """Return the payment that paid a link, or else the latest attempt."""
        return self._best("payment_link_id = ?", payment_link_id)

    def find_by_order_reference(self, order_reference: str) -> StoredTransaction | None:
        """Return the latest payment with this order reference, or the latest refund where there is none."""
        return self._best("order_reference = ?", order_reference)

    def find_by_card_token(self, card_token_id: str) -> StoredTransaction | None:
        """Return the latest payment that went through with a kept card."""
        return self._best("card_token_id = ? AND authorized_at IS NOT NULL", card_token_id)

    def page_of_customer(
        self, customer_id: str, offset: int, size: int
    ) -> tuple[list[StoredTransaction], int]:
        """Return up to `size` of a customer's transactions after the newest `offset`, and how many it has."""
        return self._page_where("customer_id = ?", (customer_id,), offset, size)

    def steps(self, transaction_id: str) -> list[dict[str, Any]]:
        """Return as a history shows them (the shape is assumed), the oldest first."""
        self.catch_up()
        rows = self._execute(
            "SELECT status, amount, created_at, refund_id FROM transaction_events"
            " WHERE transaction_id = ? ORDER BY seq",
            (transaction_id,),
        )
        return [
            {"status": status, "amount": in_major_units(amount), "createdAt": _with_fraction(created_at)}
            | ({} if refund_id is None else {"refundTransactionId": refund_id})
            for status, amount, created_at, refund_id in rows
        ]

    def _make_changes(self, now: int) -> None:
        for due in self._rows(
            "INDEXED BY transactions_by_capture WHERE status = 'authorized' AND capture_due_at <= ?"
            " ORDER BY capture_due_at, seq",
            now,
        ):
            at = due.capture_due_at or now
            self._changed(
                attrs.evolve(due, status="charged", captured=due.amount, charged_at=at, updated_at=at)
            )
        self._execute(
            "INSERT INTO transaction_events (transaction_id, status, amount, created_at)"
            " SELECT id, 'charged', amount, capture_due_at FROM transactions"
            " INDEXED BY transactions_by_capture WHERE status = 'authorized' AND capture_due_at <= ?"
            " ORDER BY capture_due_at, seq",
            (now,),
        )
        self._execute(
            "UPDATE transactions INDEXED BY transactions_by_capture SET status = 'charged',"
            " captured = amount, charged_at = capture_due_at, updated_at = capture_due_at"
            " WHERE status = 'authorized' AND capture_due_at <= ?",
            (now,),
        )

    def next_change_at(self) -> int | None:
        """Return when the next payment is captured by itself."""
        return self._earliest(
            "capture_due_at", index="transactions_by_capture", where="status = 'authorized'"
        )

    def clear(self) -> None:
        """Forget every transaction."""
        with self.atomically():
            super().clear()
            self._execute("DELETE FROM transaction_events")

    def _best(self, condition: str, value: str) -> StoredTransaction | None:
        return self._first(
            f"WHERE {condition} ORDER BY type = 'payment' DESC,"
            " status IN ('authorized', 'charged') DESC, seq DESC LIMIT 1",
            value,
        )

    def add(self, row: StoredTransaction) -> None:
        """Store a new transaction."""
        with self.atomically():
            super().add(row)
            self._add_event(row, row.amount)
            self._changed(row)

    def _add_event(self, transaction: StoredTransaction, amount: int, refund_id: str | None = None) -> None:
        self._execute(
            "INSERT INTO transaction_events (transaction_id, status, amount, created_at, refund_id)"
            " VALUES (?, ?, ?, ?, ?)",
            (transaction.id, transaction.status, amount, transaction.updated_at, refund_id),
        )


def _digits(count: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(count))


def _fresh(now: int) -> dict[str, Any]:
    """Return the columns of a transaction that was made now, and of which nothing is captured yet."""
    return {
        "rrn": _digits(12),
        "auth_code": _digits(6),
        "network_reference": f"{_digits(19)}A",
        "captured": 0,
        "refunded": 0,
        "created_at": now,
        "updated_at": now,
        "authorized_at": None,
        "charged_at": None,
        "capture_due_at": None,
    }


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else written_time(microseconds)


def _with_fraction(microseconds: int) -> str:
    return moment_of(microseconds).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
