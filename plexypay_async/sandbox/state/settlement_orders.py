"""Settlement payment orders in the database, and the time at which each is paid."""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from .table import Table

__all__ = ["MERCHANT_ID", "SettlementOrderStore", "StoredSettlementOrder"]

MERCHANT_ID = "7f3c1f0e-5b64-4a27-9a4e-2d9d3c5b8e10"
"""The one merchant of every sandbox."""

# Microseconds for which an order is ``created`` before it is ``paid``.
_PAID_AFTER = 10 * 60 * 1_000_000


@attrs.define
class StoredSettlementOrder:
    """One row of the settlement orders."""

    id: str
    amount: str
    """The number as JSON has it."""
    currency: str
    status: str = attrs.field(metadata={"sql": "DEFAULT 'created'"})
    beneficiary_id: str | None
    request_id: str | None = attrs.field(metadata={"sql": "UNIQUE"})
    request: str
    """The body that it was made with, in its canonical form."""
    created_at: int

    def shown(self) -> dict[str, Any]:
        """Return the order as the API shows it: the fields of its webhook, and ``id``."""
        return {
            "id": self.id,
            "payment_order_id": self.id,
            "amount": orjson.loads(self.amount),
            "currency": self.currency,
            "status": self.status,
            "merchant_id": MERCHANT_ID,
            "beneficiary_id": self.beneficiary_id,
        }


class SettlementOrderStore(Table[StoredSettlementOrder], name="settlement_orders", row=StoredSettlementOrder):
    """The settlement payment orders of one sandbox, in the order of their creation."""

    extra_schema = """
        CREATE INDEX IF NOT EXISTS settlement_orders_unpaid ON settlement_orders (created_at)
            WHERE status = 'created';
    """

    def add(self, row: StoredSettlementOrder) -> None:
        """Store a new order, whose `request_id` no other has."""
        with self.atomically():
            super().add(row)
            self._changed(row)

    def _make_changes(self, now: int) -> None:
        # Written, not only shown: the clock of the next sandbox on this file may be behind this one's.
        until = now - _PAID_AFTER
        for order in self._rows(
            "INDEXED BY settlement_orders_unpaid WHERE status = 'created' AND created_at <= ?"
            " ORDER BY created_at, seq",
            until,
        ):
            self._changed(attrs.evolve(order, status="paid"))
        self._execute(
            "UPDATE settlement_orders SET status = 'paid' WHERE status = 'created' AND created_at <= ?",
            (until,),
        )

    def next_change_at(self) -> int | None:
        """Return when the next order is paid."""
        created_at = self._earliest(
            "created_at", index="settlement_orders_unpaid", where="status = 'created'"
        )
        return None if created_at is None else created_at + _PAID_AFTER
