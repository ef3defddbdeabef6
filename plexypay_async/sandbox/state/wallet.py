"""Wallet transactions in the database. Amounts are integers of minor units."""

from __future__ import annotations

import sqlite3
import uuid
from typing import Any

import attrs

__all__ = ["StoredWalletTransaction", "WalletStore"]

_SELECT = "SELECT id, status, order_reference, amount, currency, refunded, request FROM wallet_transactions"


@attrs.define
class StoredWalletTransaction:
    """One row of the wallet's transactions, in the order of the columns that are read."""

    id: str
    status: str
    order_reference: str | None
    amount: int
    currency: str
    refunded: int
    request: str
    """The body that it was made with, in its canonical form."""

    def shown(self) -> dict[str, Any]:
        """Return the transaction as the API shows it."""
        return {
            "walletTransactionId": self.id,
            "walletTransactionStatus": self.status,
            "orderReference": self.order_reference,
            "amount": self.amount,
            "currency": self.currency,
        }


class WalletStore:
    """The wallet transactions of one sandbox, in the order of their creation."""

    SCHEMA = """
        CREATE TABLE IF NOT EXISTS wallet_transactions (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            status TEXT NOT NULL,
            order_reference TEXT,
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL,
            refunded INTEGER NOT NULL DEFAULT 0,
            idempotency_key TEXT NOT NULL UNIQUE,
            request TEXT NOT NULL
        );
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def create(
        self, *, key: str, request: str, status: str, order_reference: str | None, amount: int, currency: str
    ) -> StoredWalletTransaction:
        """Store a new transaction, whose `key` no other has."""
        made = StoredWalletTransaction(
            id=str(uuid.uuid4()),
            status=status,
            order_reference=order_reference,
            amount=amount,
            currency=currency,
            refunded=0,
            request=request,
        )
        self._execute(
            "INSERT INTO wallet_transactions"
            " (id, status, order_reference, amount, currency, idempotency_key, request)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (made.id, status, order_reference, amount, currency, key, request),
        )
        return made

    def find(self, identifier: str) -> StoredWalletTransaction | None:
        """Return the transaction with this id."""
        return self._one("id", identifier)

    def find_by_key(self, key: str) -> StoredWalletTransaction | None:
        """Return the transaction that was made with this idempotency key."""
        return self._one("idempotency_key", key)

    def set_status(self, identifier: str, status: str) -> None:
        """Move a transaction to another state."""
        self._execute("UPDATE wallet_transactions SET status = ? WHERE id = ?", (status, identifier))

    def set_refunded(self, identifier: str) -> None:
        """Note that a transaction was refunded."""
        self._execute("UPDATE wallet_transactions SET refunded = 1 WHERE id = ?", (identifier,))

    def page(self, offset: int, size: int) -> tuple[list[StoredWalletTransaction], int]:
        """Return up to `size` transactions after the newest `offset` of them, and how many there are."""
        (total,) = self._execute("SELECT COUNT(*) FROM wallet_transactions").fetchone()
        rows = self._execute(f"{_SELECT} ORDER BY seq DESC LIMIT ? OFFSET ?", (size, offset))
        return [StoredWalletTransaction(*row) for row in rows], total

    def clear(self) -> None:
        """Forget every transaction."""
        self._execute("DELETE FROM wallet_transactions")

    def _one(self, column: str, value: str) -> StoredWalletTransaction | None:
        row = self._execute(f"{_SELECT} WHERE {column} = ?", (value,)).fetchone()
        return None if row is None else StoredWalletTransaction(*row)
