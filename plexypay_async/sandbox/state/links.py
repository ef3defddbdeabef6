"""Payment links in the database: rows, the look-ups that the API needs, and expiry.

Amounts are integers of minor units. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from typing import Any

import attrs
import orjson

from ..clock import Clock, written_time

__all__ = ["LinkDraft", "LinkStore", "OrderReferenceTakenError", "StoredLink"]

_SECOND = 1_000_000

_SELECT = (
    "SELECT id, amount, currency, description, order_reference, status, customer_id, metadata, auto_clearing,"
    " validation, created_at, updated_at, expires_at, recurring FROM payment_links"
)
_COUNT = "SELECT COUNT(*) FROM payment_links"


class OrderReferenceTakenError(Exception):
    """Another link has the order reference."""


@attrs.frozen(kw_only=True)
class LinkDraft:
    """What a new link is made of; `metadata` and `recurring` are JSON text."""

    amount: int
    currency: str
    description: str | None
    order_reference: str | None
    expires_at: int | None
    customer_id: str | None
    metadata: str | None
    recurring: str | None
    auto_clearing: bool
    validation: bool


@attrs.define
class StoredLink:
    """One row of the payment links, in the order of the columns that are read."""

    id: str
    amount: int
    currency: str
    description: str | None
    order_reference: str | None
    status: str
    customer_id: str | None
    metadata: str | None
    auto_clearing: int
    validation: int
    created_at: int
    updated_at: int
    expires_at: int | None
    recurring: str | None

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
        link["autoClearing"] = self.auto_clearing == 1
        link["createdBy"] = "sandbox"
        link["customerId"] = self.customer_id
        link["metadata"] = None if self.metadata is None else orjson.Fragment(self.metadata)
        link["url"] = f"{base_url}/checkout/{self.id}"
        link["validation"] = self.validation == 1
        return link


class LinkStore:
    """The payment links of one sandbox, in the order of their creation."""

    SCHEMA = """
        CREATE TABLE IF NOT EXISTS payment_links (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL,
            description TEXT,
            order_reference TEXT UNIQUE,
            status TEXT NOT NULL DEFAULT 'active',
            customer_id TEXT,
            metadata TEXT,
            recurring TEXT,
            auto_clearing INTEGER NOT NULL,
            validation INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            expires_at INTEGER
        );
        CREATE INDEX IF NOT EXISTS payment_links_by_status ON payment_links (status);
        CREATE INDEX IF NOT EXISTS payment_links_by_creation ON payment_links (created_at);
        CREATE INDEX IF NOT EXISTS payment_links_by_expiry ON payment_links (expires_at)
            WHERE status = 'active' AND expires_at IS NOT NULL;
    """

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._clock = clock
        self._counted: tuple[str, tuple[Any, ...], int, int] | None = None

    def create(self, draft: LinkDraft) -> StoredLink:
        """Store a new active link.

        Raises:
            OrderReferenceTakenError: Another link has its order reference.
        """
        identifier = f"pl_{secrets.token_hex(16)}"
        now = self._second()
        try:
            self._execute(
                "INSERT INTO payment_links (id, amount, currency, description, order_reference, customer_id,"
                " metadata, recurring, auto_clearing, validation, created_at, updated_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    identifier,
                    draft.amount,
                    draft.currency,
                    draft.description,
                    draft.order_reference,
                    draft.customer_id,
                    draft.metadata,
                    draft.recurring,
                    draft.auto_clearing,
                    draft.validation,
                    now,
                    now,
                    draft.expires_at,
                ),
            )
        except sqlite3.IntegrityError:
            raise OrderReferenceTakenError from None
        return StoredLink(
            id=identifier,
            amount=draft.amount,
            currency=draft.currency,
            description=draft.description,
            order_reference=draft.order_reference,
            status="active",
            customer_id=draft.customer_id,
            metadata=draft.metadata,
            auto_clearing=draft.auto_clearing,
            validation=draft.validation,
            created_at=now,
            updated_at=now,
            expires_at=draft.expires_at,
            recurring=draft.recurring,
        )

    def find(self, identifier: str) -> StoredLink | None:
        """Return the link with this id."""
        return self._one(f"{_SELECT} WHERE id = ?", identifier)

    def find_by_order_reference(self, order_reference: str) -> StoredLink | None:
        """Return the link with this order reference."""
        return self._one(
            f"{_SELECT} WHERE order_reference = ?",
            order_reference,
        )

    def set_status(self, identifier: str, status: str) -> None:
        """Move a link to another state, as of now."""
        self._execute(
            "UPDATE payment_links SET status = ?, updated_at = ? WHERE id = ?",
            (status, self._second(), identifier),
        )

    def set_expiration(self, identifier: str, expires_at: int) -> None:
        """Move the time at which a link expires, as of now."""
        self._execute(
            "UPDATE payment_links SET expires_at = ?, updated_at = ? WHERE id = ?",
            (expires_at, self._second(), identifier),
        )

    def page(
        self,
        offset: int,
        size: int,
        *,
        status: str | None = None,
        created_from: int | None = None,
        created_to: int | None = None,
    ) -> tuple[list[StoredLink], int]:
        """Return up to `size` matching links after the newest `offset` of them, and how many match."""
        self._expire()
        conditions: list[str] = []
        values: list[Any] = []
        for condition, value in (
            ("status = ?", status),
            ("created_at >= ?", created_from),
            ("created_at < ?", created_to),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        if not conditions:
            return self._page_of_all(offset, size)
        where = " AND ".join(conditions)
        total = self._count(where, tuple(values))
        if offset >= total:
            return [], total
        rows = self._execute(
            f"{_SELECT} WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?",
            (*values, size, offset),
        )
        return [StoredLink(*row) for row in rows], total

    def all(self) -> Iterator[StoredLink]:
        """Yield every link, the oldest first."""
        self._expire()
        for row in self._execute(f"{_SELECT} ORDER BY seq"):
            yield StoredLink(*row)

    def statistics(self) -> list[tuple[str, str, int, int]]:
        """Return state, currency, how many links, and the sum of their amounts, by state and currency."""
        self._expire()
        # SUM stops at 63 bits, so the two halves are added apart.
        rows = self._execute(
            "SELECT status, currency, COUNT(*), SUM(amount >> 31), SUM(amount & 2147483647)"
            " FROM payment_links GROUP BY status, currency ORDER BY status, currency"
        )
        return [(status, currency, count, (high << 31) + low) for status, currency, count, high, low in rows]

    def clear(self) -> None:
        """Forget every link."""
        self._execute("DELETE FROM payment_links")

    def _page_of_all(self, offset: int, size: int) -> tuple[list[StoredLink], int]:
        # Rows are never deleted one by one, so their numbers have no gaps and no row need be skipped.
        (total,) = self._execute("SELECT COALESCE(MAX(seq), 0) FROM payment_links").fetchone()
        if offset >= total:
            return [], total
        rows = self._execute(
            f"{_SELECT} WHERE seq <= ? ORDER BY seq DESC LIMIT ?",
            (total - offset, size),
        )
        return [StoredLink(*row) for row in rows], total

    def _count(self, where: str, values: tuple[Any, ...]) -> int:
        # Whoever reads a long listing asks for the same count again and again.
        changes = self._connection.total_changes
        if self._counted is not None and self._counted[:3] == (where, values, changes):
            return self._counted[3]
        row = self._execute(f"{_COUNT} WHERE {where}", values).fetchone()
        total = int(row[0])
        self._counted = (where, values, changes, total)
        return total

    def _one(self, query: str, value: str) -> StoredLink | None:
        self._expire()
        row = self._execute(query, (value,)).fetchone()
        return None if row is None else StoredLink(*row)

    def _expire(self) -> None:
        now = self._clock.microseconds()
        # Left to itself, SQLite walks every active link; this index begins with what is due.
        due = self._execute(
            "SELECT 1 FROM payment_links INDEXED BY payment_links_by_expiry"
            " WHERE status = 'active' AND expires_at <= ? LIMIT 1",
            (now,),
        ).fetchone()
        if due is not None:
            self._execute(
                "UPDATE payment_links INDEXED BY payment_links_by_expiry"
                " SET status = 'expired', updated_at = expires_at - expires_at % ?"
                " WHERE status = 'active' AND expires_at <= ?",
                (_SECOND, now),
            )

    def _second(self) -> int:
        now = self._clock.microseconds()
        return now - now % _SECOND
