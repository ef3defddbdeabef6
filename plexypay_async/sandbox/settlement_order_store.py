"""Settlement payment orders in the database, and the time at which each is paid."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import orjson

from ..sqlite_file import atomically
from .clock import Clock

__all__ = ["PAID_AFTER", "SettlementOrderStore", "StoredSettlementOrder"]

PAID_AFTER = timedelta(minutes=10)
"""How long an order is ``created`` before it is ``paid``, by the sandbox's clock."""

_PAID_AFTER = PAID_AFTER // timedelta(microseconds=1)
_SELECT = "SELECT id, amount, currency, status, beneficiary_id, request FROM settlement_orders"
_DUE = "INDEXED BY settlement_orders_unpaid WHERE status = 'created' AND created_at <= ?"


@attrs.define
class StoredSettlementOrder:
    """One row of the settlement orders, in the order of the columns that are read."""

    id: str
    amount: str
    """The number as JSON has it."""
    currency: str
    status: str
    beneficiary_id: str | None
    request: str
    """The body that it was made with, in its canonical form."""

    def shown(self, merchant_id: str) -> dict[str, Any]:
        """Return the order as the API shows it: the fields of its webhook, and ``id``."""
        return {
            "id": self.id,
            "payment_order_id": self.id,
            "amount": orjson.loads(self.amount),
            "currency": self.currency,
            "status": self.status,
            "merchant_id": merchant_id,
            "beneficiary_id": self.beneficiary_id,
        }


class SettlementOrderStore:
    """The settlement payment orders of one sandbox, in the order of their creation."""

    SCHEMA = """
        CREATE TABLE IF NOT EXISTS settlement_orders (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            amount TEXT NOT NULL,
            currency TEXT NOT NULL,
            status TEXT NOT NULL DEFAULT 'created',
            beneficiary_id TEXT,
            request_id TEXT UNIQUE,
            request TEXT NOT NULL,
            created_at INTEGER NOT NULL
        );
        CREATE INDEX IF NOT EXISTS settlement_orders_unpaid ON settlement_orders (created_at)
            WHERE status = 'created';
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        changed: Callable[[StoredSettlementOrder], None] = lambda order: None,
    ) -> None:
        self._connection = connection
        # Called with an order that has entered a state, within the change that made it so.
        self._changed = changed
        self._execute = connection.execute
        self._clock = clock

    def create(
        self,
        *,
        amount: float,
        currency: str,
        beneficiary_id: str | None,
        request_id: str | None,
        request: str,
    ) -> StoredSettlementOrder:
        """Store a new order, whose `request_id` no other has."""
        made = StoredSettlementOrder(
            id=str(uuid.uuid4()),
            amount=orjson.dumps(amount).decode(),
            currency=currency,
            status="created",
            beneficiary_id=beneficiary_id,
            request=request,
        )
        now = self._clock.microseconds()
        with atomically(self._connection):
            self._execute(
                "INSERT INTO settlement_orders"
                " (id, amount, currency, beneficiary_id, request_id, request, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (made.id, made.amount, currency, beneficiary_id, request_id, request, now),
            )
            self._changed(made)
        return made

    def find(self, identifier: str) -> StoredSettlementOrder | None:
        """Return the order with this id."""
        return self._one("id", identifier)

    def find_by_request_id(self, request_id: str) -> StoredSettlementOrder | None:
        """Return the order that was made with this ``requestId``."""
        return self._one("request_id", request_id)

    def page(self, offset: int, size: int) -> tuple[list[StoredSettlementOrder], int]:
        """Return up to `size` orders after the newest `offset` of them, and how many there are."""
        self.pay_due()
        (total,) = self._execute("SELECT COUNT(*) FROM settlement_orders").fetchone()
        rows = self._execute(f"{_SELECT} ORDER BY seq DESC LIMIT ? OFFSET ?", (size, offset))
        return [StoredSettlementOrder(*row) for row in rows], total

    def pay_due(self) -> None:
        """Pay the orders whose time has come."""
        # Kept, not only shown: the next sandbox on this file may be behind this one's clock.
        now = self._clock.microseconds()
        due_at = self.next_payment_at()
        if due_at is None or due_at > now:
            return
        until = now - _PAID_AFTER
        with atomically(self._connection):
            for row in self._execute(f"{_SELECT} {_DUE} ORDER BY created_at, seq", (until,)):
                self._changed(attrs.evolve(StoredSettlementOrder(*row), status="paid"))
            self._execute(
                "UPDATE settlement_orders SET status = 'paid' WHERE status = 'created' AND created_at <= ?",
                (until,),
            )

    def next_payment_at(self) -> int | None:
        """Return when the next order is paid."""
        (created_at,) = self._execute(
            "SELECT MIN(created_at) FROM settlement_orders INDEXED BY settlement_orders_unpaid"
            " WHERE status = 'created'"
        ).fetchone()
        return None if created_at is None else int(created_at) + _PAID_AFTER

    def clear(self) -> None:
        """Forget every order."""
        self._execute("DELETE FROM settlement_orders")

    def _one(self, column: str, value: str) -> StoredSettlementOrder | None:
        self.pay_due()
        row = self._execute(f"{_SELECT} WHERE {column} = ?", (value,)).fetchone()
        return None if row is None else StoredSettlementOrder(*row)
