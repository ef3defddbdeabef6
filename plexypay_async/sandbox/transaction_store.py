"""Transactions in the database: rows, their events, and the capture that time brings.

Amounts are integers of minor units here, and in major units where the API shows them. Times are microseconds
since 1970 in UTC.
"""

from __future__ import annotations

import secrets
import sqlite3
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from ..sqlite_file import atomically
from .clock import Clock, written_time
from .issuer import CARDS, PresentedCard
from .money import in_major_units

__all__ = ["StoredTransaction", "TransactionDraft", "TransactionEvent", "TransactionStore"]

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
    """One row of the transactions, in the order of the columns."""

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
        return PresentedCard.of_expiry(self.card_number, self.card_expiry, self.cardholder)

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


@attrs.frozen
class TransactionEvent:
    """One step of a transaction's life."""

    status: str
    amount: int
    created_at: int
    refund_id: str | None

    def shown(self) -> dict[str, Any]:
        """Return the event as a history shows it; the shape is assumed."""
        event = {
            "status": self.status,
            "amount": in_major_units(self.amount),
            "createdAt": _with_fraction(self.created_at),
        }
        if self.refund_id is not None:
            event["refundTransactionId"] = self.refund_id
        return event


_SELECT = (
    "SELECT id, type, status, amount, currency, clearing, order_reference, description,"
    " payment_link_id, parent_id, customer_id, recurring_type, card_token_id, notification_url,"
    " card_number, card_expiry, cardholder, cvv_status, response_code, three_ds_status, rrn, auth_code,"
    " network_reference, captured, refunded, created_at, updated_at, authorized_at, charged_at,"
    " capture_due_at FROM transactions"
)
# In the order of the table's columns.
_INSERT = (
    "INSERT INTO transactions VALUES (NULL, :id, :type, :status, :amount, :currency, :clearing,"
    " :order_reference, :description, :payment_link_id, :parent_id, :customer_id, :recurring_type,"
    " :card_token_id, :notification_url, :card_number, :card_expiry, :cardholder, :cvv_status,"
    " :response_code, :three_ds_status, :rrn, :auth_code, :network_reference, :captured, :refunded,"
    " :created_at, :updated_at, :authorized_at, :charged_at, :capture_due_at)"
)
_UPDATE = (
    "UPDATE transactions SET status = :status, card_token_id = :card_token_id, response_code ="
    " :response_code, three_ds_status = :three_ds_status, captured = :captured, refunded = :refunded,"
    " updated_at = :updated_at, authorized_at = :authorized_at, charged_at = :charged_at, capture_due_at ="
    " :capture_due_at WHERE id = :id"
)
_DUE = (
    "INDEXED BY transactions_by_capture WHERE status = 'authorized' AND capture_due_at <= ?"
    " ORDER BY capture_due_at, seq"
)
_TELL_CAPTURES = (
    "INSERT INTO transaction_events (transaction_id, status, amount, created_at)"
    " SELECT id, 'charged', amount, capture_due_at FROM transactions INDEXED BY transactions_by_capture"
    " WHERE status = 'authorized' AND capture_due_at <= ? ORDER BY capture_due_at, seq"
)
_CAPTURE = (
    "UPDATE transactions INDEXED BY transactions_by_capture"
    " SET status = 'charged', captured = amount, charged_at = capture_due_at, updated_at = capture_due_at"
    " WHERE status = 'authorized' AND capture_due_at <= ?"
)


class TransactionStore:
    """The transactions of one sandbox, in the order of their creation."""

    SCHEMA = """
        CREATE TABLE IF NOT EXISTS transactions (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            type TEXT NOT NULL,
            status TEXT NOT NULL,
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL,
            clearing TEXT NOT NULL,
            order_reference TEXT,
            description TEXT,
            payment_link_id TEXT,
            parent_id TEXT,
            customer_id TEXT,
            recurring_type TEXT,
            card_token_id TEXT,
            notification_url TEXT,
            card_number TEXT NOT NULL,
            card_expiry TEXT NOT NULL,
            cardholder TEXT,
            cvv_status TEXT,
            response_code TEXT NOT NULL,
            three_ds_status TEXT,
            rrn TEXT NOT NULL,
            auth_code TEXT NOT NULL,
            network_reference TEXT NOT NULL,
            captured INTEGER NOT NULL,
            refunded INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            authorized_at INTEGER,
            charged_at INTEGER,
            capture_due_at INTEGER
        );
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

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        changed: Callable[[StoredTransaction], None] = lambda transaction: None,
    ) -> None:
        self._connection = connection
        self._execute = connection.execute
        # Called with a transaction that has entered a state, within the change that made it so.
        self._changed = changed
        self.clock = clock

    @contextmanager
    def atomically(self) -> Generator[None]:
        """Do several changes, of links too, as one: all of them are in the file or none."""
        with atomically(self._connection):
            yield

    def create(
        self, draft: TransactionDraft, card: PresentedCard, *, response_code: str
    ) -> StoredTransaction:
        """Store a new payment in the state ``created``."""
        now = self.clock.microseconds()
        transaction = StoredTransaction(
            id=str(uuid.uuid4()),
            type="payment",
            status="created",
            **attrs.asdict(draft),
            card_number=card.number,
            card_expiry=card.expiry,
            cardholder=card.holder,
            cvv_status=None if card.cvv is None else "N" if card.cvv in CARDS[card.number].cvv_codes else "M",
            response_code=response_code,
            three_ds_status=None,
            rrn=_digits(12),
            auth_code=_digits(6),
            network_reference=_network_reference(),
            captured=0,
            refunded=0,
            created_at=now,
            updated_at=now,
            authorized_at=None,
            charged_at=None,
            capture_due_at=None,
        )
        self._insert(transaction)
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
            self._execute(_UPDATE, attrs.asdict(moved))
            self._add_event(moved, moved.captured if status == "charged" else moved.amount)
            self._changed(moved)
        return moved

    def refund(
        self,
        payment: StoredTransaction,
        amount: int,
        *,
        order_reference: str | None,
        description: str | None,
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
            response_code="00",
            rrn=_digits(12),
            auth_code=_digits(6),
            network_reference=_network_reference(),
            captured=0,
            refunded=0,
            created_at=now,
            updated_at=now,
            authorized_at=None,
            charged_at=None,
            capture_due_at=None,
        )
        left = attrs.evolve(payment, refunded=payment.refunded + amount, updated_at=now)
        if left.balance == 0:
            left.status = "refunded"
        with self.atomically():
            self._insert(refund)
            self._execute(_UPDATE, attrs.asdict(left))
            self._add_event(attrs.evolve(left, status="refunded"), amount, refund.id)
            if left.status == "refunded":
                self._changed(left)
        return refund, left

    def find(self, identifier: str) -> StoredTransaction | None:
        """Return the transaction with this id."""
        return self._first("id = ?", identifier)

    def find_by_payment_link(self, payment_link_id: str) -> StoredTransaction | None:
        """Return the payment that paid a link, or else the latest attempt."""
        return self._first("payment_link_id = ?", payment_link_id)

    def find_by_order_reference(self, order_reference: str) -> StoredTransaction | None:
        """Return the latest payment with this order reference, or the latest refund where there is none."""
        return self._first("order_reference = ?", order_reference)

    def find_by_card_token(self, card_token_id: str) -> StoredTransaction | None:
        """Return the latest payment that went through with a kept card."""
        return self._first("card_token_id = ? AND authorized_at IS NOT NULL", card_token_id)

    def page(
        self, offset: int, size: int, *, customer_id: str | None = None
    ) -> tuple[list[StoredTransaction], int]:
        """Return up to `size` transactions after the newest `offset` of them, and how many there are."""
        self.capture_due()
        if customer_id is None:
            (total,) = self._execute("SELECT COALESCE(MAX(seq), 0) FROM transactions").fetchone()
        else:
            (total,) = self._execute(
                "SELECT COUNT(*) FROM transactions WHERE customer_id = ?", (customer_id,)
            ).fetchone()
        if offset >= total:
            return [], total
        if customer_id is None:
            # Rows are never deleted one by one: their numbers have no gaps, and no row need be skipped.
            rows = self._execute(
                f"{_SELECT} WHERE seq <= ? ORDER BY seq DESC LIMIT ?",
                (total - offset, size),
            )
        else:
            rows = self._execute(
                f"{_SELECT} WHERE customer_id = ? ORDER BY seq DESC LIMIT ? OFFSET ?",
                (customer_id, size, offset),
            )
        return [StoredTransaction(*row) for row in rows], total

    def all(self) -> Iterator[StoredTransaction]:
        """Yield every transaction, the oldest first."""
        self.capture_due()
        for row in self._execute(f"{_SELECT} ORDER BY seq"):
            yield StoredTransaction(*row)

    def events(self, transaction_id: str) -> list[TransactionEvent]:
        """Return a transaction's events, the oldest first."""
        self.capture_due()
        rows = self._execute(
            "SELECT status, amount, created_at, refund_id FROM transaction_events"
            " WHERE transaction_id = ? ORDER BY seq",
            (transaction_id,),
        )
        return [TransactionEvent(*row) for row in rows]

    def capture_due(self) -> None:
        """Capture the payments whose time has come."""
        now = self.clock.microseconds()
        due_at = self.next_capture_at()
        if due_at is None or due_at > now:
            return
        with self.atomically():
            for row in self._execute(f"{_SELECT} {_DUE}", (now,)):
                due = StoredTransaction(*row)
                at = due.capture_due_at or now
                self._changed(
                    attrs.evolve(due, status="charged", captured=due.amount, charged_at=at, updated_at=at)
                )
            self._execute(_TELL_CAPTURES, (now,))
            self._execute(_CAPTURE, (now,))

    def next_capture_at(self) -> int | None:
        """Return when the next payment is captured by itself."""
        (due_at,) = self._execute(
            "SELECT MIN(capture_due_at) FROM transactions INDEXED BY transactions_by_capture"
            " WHERE status = 'authorized'"
        ).fetchone()
        return None if due_at is None else int(due_at)

    def clear(self) -> None:
        """Forget every transaction."""
        with self.atomically():
            self._execute("DELETE FROM transactions")
            self._execute("DELETE FROM transaction_events")

    def _first(self, condition: str, value: str) -> StoredTransaction | None:
        self.capture_due()
        row = self._execute(
            f"{_SELECT} WHERE {condition} ORDER BY type = 'payment' DESC, "
            "status IN ('authorized', 'charged') DESC, seq DESC LIMIT 1",
            (value,),
        ).fetchone()
        return None if row is None else StoredTransaction(*row)

    def _insert(self, transaction: StoredTransaction) -> None:
        with self.atomically():
            self._execute(_INSERT, attrs.asdict(transaction))
            self._add_event(transaction, transaction.amount)
            self._changed(transaction)

    def _add_event(self, transaction: StoredTransaction, amount: int, refund_id: str | None = None) -> None:
        self._execute(
            "INSERT INTO transaction_events (transaction_id, status, amount, created_at, refund_id)"
            " VALUES (?, ?, ?, ?, ?)",
            (transaction.id, transaction.status, amount, transaction.updated_at, refund_id),
        )


def _digits(count: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(count))


def _network_reference() -> str:
    return f"{_digits(19)}A"


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else written_time(microseconds)


def _with_fraction(microseconds: int) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
