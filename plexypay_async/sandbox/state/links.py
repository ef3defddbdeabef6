"""Payment links in the database: rows, the look-ups that the API needs, and expiry.

Amounts are integers of minor units. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import attrs
import orjson

from ..clock import written_time
from .table import Sought, Table

__all__ = ["LinkStore", "OrderReferenceTakenError", "StoredLink"]

_SECOND = 1_000_000


class OrderReferenceTakenError(Exception):
    """Another link has the order reference."""


@attrs.define
class StoredLink:
    """One row of the payment links; `metadata` and `recurring` are JSON text."""

    id: str
    amount: int
    currency: str
    description: str | None
    order_reference: str | None = attrs.field(metadata={"sql": "UNIQUE"})
    status: str = attrs.field(metadata={"sql": "DEFAULT 'active'"})
    customer_id: str | None
    metadata: str | None
    recurring: str | None
    auto_clearing: bool
    validation: bool
    created_at: int
    updated_at: int
    expires_at: int | None

    def text_of_metadata(self, key: str) -> str | None:
        """Return a string that the merchant put into the metadata, if it is there and not empty."""
        value = None if self.metadata is None else orjson.loads(self.metadata).get(key)
        return value if isinstance(value, str) and value else None

    def summary(self) -> dict[str, Any]:
        """Return the link as a listing shows it."""
        return {
            "amount": self.amount,
            "createdAt": written_time(self.created_at),
            "currency": self.currency,
            "description": self.description,
            "expiresAt": None if self.expires_at is None else written_time(self.expires_at),
            "id": self.id,
            "orderReference": self.order_reference,
            "status": self.status,
            "updatedAt": written_time(self.updated_at),
        }

    def whole(self, base_url: str) -> dict[str, Any]:
        """Return the link as its own operations show it, with its address under `base_url`."""
        link = self.summary()
        link["autoClearing"] = bool(self.auto_clearing)
        link["createdBy"] = "sandbox"
        link["customerId"] = self.customer_id
        link["metadata"] = None if self.metadata is None else orjson.Fragment(self.metadata)
        link["url"] = f"{base_url}/checkout/{self.id}"
        link["validation"] = bool(self.validation)
        return link


class LinkStore(Table[StoredLink], name="payment_links", row=StoredLink):
    """The payment links of one sandbox, in the order of their creation."""

    sought = Sought(references=["order_reference"])
    extra_schema = """
        CREATE INDEX IF NOT EXISTS payment_links_by_status ON payment_links (status);
        CREATE INDEX IF NOT EXISTS payment_links_by_creation ON payment_links (created_at);
        CREATE INDEX IF NOT EXISTS payment_links_by_expiry ON payment_links (expires_at)
            WHERE status = 'active' AND expires_at IS NOT NULL;
    """

    _counted: tuple[str, Sequence[object], int, int] | None = None
    """The last count: the condition, its values, the number of changes of the database then, the count."""

    def add(self, row: StoredLink) -> None:
        """Store a new link.

        Raises:
            OrderReferenceTakenError: Another link has its order reference.
        """
        try:
            super().add(row)
        except sqlite3.IntegrityError:
            raise OrderReferenceTakenError from None

    def set_status(self, identifier: str, status: str) -> None:
        """Move a link to another state, as of now."""
        self.update(id=identifier, status=status, updated_at=self.second())

    def set_expiration(self, identifier: str, expires_at: int) -> None:
        """Move the time at which a link expires, as of now."""
        self.update(id=identifier, expires_at=expires_at, updated_at=self.second())

    def search(
        self, offset: int, size: int, *, status: str | None, created_from: int | None, created_to: int | None
    ) -> tuple[list[StoredLink], int]:
        """Return up to `size` matching links after the newest `offset` of them, and how many match."""
        asked = {"status = ?": status, "created_at >= ?": created_from, "created_at < ?": created_to}
        conditions = {condition: value for condition, value in asked.items() if value is not None}
        if not conditions:
            return self.page(offset, size)
        return self._page_where(" AND ".join(conditions), tuple(conditions.values()), offset, size)

    def statistics(self) -> list[tuple[str, str, int, int]]:
        """Return state, currency, how many links, and the sum of their amounts, by state and currency."""
        self.catch_up()
        # SUM stops at 63 bits, so the two halves are added apart.
        rows = self._execute(
            "SELECT status, currency, COUNT(*), SUM(amount >> 31), SUM(amount & 2147483647)"
            " FROM payment_links GROUP BY status, currency ORDER BY status, currency"
        )
        return [(status, currency, count, (high << 31) + low) for status, currency, count, high, low in rows]

    def next_change_at(self) -> int | None:
        """Return when the next link expires."""
        # Left to itself, SQLite walks every active link; this index begins with what is due.
        return self._earliest(
            "expires_at",
            index="payment_links_by_expiry",
            where="status = 'active' AND expires_at IS NOT NULL",
        )

    def _make_changes(self, now: int) -> None:
        self._execute(
            "UPDATE payment_links INDEXED BY payment_links_by_expiry"
            " SET status = 'expired', updated_at = expires_at - expires_at % ?"
            " WHERE status = 'active' AND expires_at <= ?",
            (_SECOND, now),
        )

    def _count_where(self, condition: str, values: Sequence[object]) -> int:
        # Whoever reads a long listing asks for the same count again and again.
        asked = (condition, values, self._connection.total_changes)
        if self._counted is None or self._counted[:3] != asked:
            self._counted = (*asked, super()._count_where(condition, values))
        return self._counted[3]

    def second(self) -> int:
        """Return the sandbox's present without its fraction of a second."""
        now = self.clock.microseconds()
        return now - now % _SECOND
