"""Orders of digital goods in the database, what they cost their agents, and when each is completed.

Amounts are integers of hundredths of the currency. An agent's balance is what was deposited, less what its
orders cost that have not failed: nothing else is kept of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import attrs

from ..clock import written_time
from .table import Sought, Table

__all__ = ["GateDepositStore", "GateOrderStore", "StoredGateDeposit", "StoredGateOrder", "in_text"]

COMPLETED_AFTER = 5 * 1_000_000
"""Microseconds for which an order is ``pending``."""
_FIRST_DEPOSIT = 1201
_AT_FIRST = (
    ("USD", 100_000, "bank_wire", "posted", "WIRE-1"),
    ("EUR", 10_000, "bank_wire", "posted", "WIRE-2"),
    ("USD", 5_000, "manual", "pending", None),
)
"""What every agent has deposited."""


def in_text(hundredths: int) -> str:
    """Return an amount as the API writes it: 1250 is ``12.50``."""
    return f"{hundredths // 100}.{hundredths % 100:02}"


@attrs.define
class StoredGateDeposit:
    """One row of the deposits."""

    id: int
    agent_id: str
    currency_code: str
    amount: int
    method: str
    status: str
    external_ref: str | None
    created_at: int
    posted_at: int | None

    def shown(self) -> dict[str, Any]:
        """Return the deposit as the API shows it."""
        return {
            "id": self.id,
            "currency_code": self.currency_code,
            "amount": in_text(self.amount),
            "method": self.method,
            "status": self.status,
            "external_ref": self.external_ref,
            "created_at": written_time(self.created_at),
            "posted_at": _time(self.posted_at),
        }


@attrs.define
class StoredGateOrder:
    """One row of the orders."""

    id: str
    agent_id: str
    product_id: int
    external_ref: str | None
    idempotency_key: str | None
    status: str
    is_voucher: int
    """Whether a code is what is bought."""
    fails: int
    """Whether it fails in the end."""
    currency_code: str
    charged_amount: int
    balance_before: int
    region_code: str
    request: str
    """The body that it was made with, in its canonical form."""
    created_at: int
    ended_at: int | None

    def shown(self) -> dict[str, Any]:
        """Return the order as the API shows it."""
        return {
            "id": self.id,
            "product_id": self.product_id,
            "external_ref": self.external_ref,
            "idempotency_key": self.idempotency_key,
            "status": self.status,
            "order_content": self._content(),
            "currency_code": self.currency_code,
            "charged_amount": in_text(self.charged_amount),
            "balance_after": in_text(self.balance_before - self.charged_amount),
            "balance_before": in_text(self.balance_before),
            "is_test": True,
            "region_code": self.region_code,
            "created_at": written_time(self.created_at),
            "completed_at": _time(self.ended_at) if self.status == "completed" else None,
            "failed_at": _time(self.ended_at) if self.status == "failed" else None,
        }

    def _content(self) -> dict[str, str]:
        drawn = hashlib.sha256(self.id.encode()).hexdigest().upper()
        if self.is_voucher and self.status == "completed":
            return {"voucher_code": "-".join(drawn[start : start + 4] for start in (0, 4, 8))}
        return {"vendor_order_id": f"LC-{int(drawn[:8], 16) % 1_000_000:06}"}


def _time(at: int | None) -> str | None:
    return None if at is None else written_time(at)


class GateDepositStore(Table[StoredGateDeposit], name="gate_deposits", row=StoredGateDeposit):
    """The deposits of one sandbox's agents; the first of an agent are made when it is first seen."""

    extra_schema = "CREATE INDEX IF NOT EXISTS gate_deposits_by_agent ON gate_deposits (agent_id);"

    def see(self, agent_id: str) -> None:
        """Make the first deposits of an agent that was not seen before."""
        if self._count_where("agent_id = ?", (agent_id,)):
            return
        now = self.clock.microseconds()
        with self.atomically():
            for currency_code, amount, method, status, external_ref in _AT_FIRST:
                self.add(
                    StoredGateDeposit(
                        id=_FIRST_DEPOSIT + self.count(),
                        agent_id=agent_id,
                        currency_code=currency_code,
                        amount=amount,
                        method=method,
                        status=status,
                        external_ref=external_ref,
                        created_at=now,
                        posted_at=now if status == "posted" else None,
                    )
                )

    def posted(self, agent_id: str) -> dict[str, tuple[int, int]]:
        """Return what an agent has deposited in each currency, and when the last came."""
        found = self._execute(
            "SELECT currency_code, SUM(amount), MAX(posted_at) FROM gate_deposits"
            " WHERE agent_id = ? AND status = 'posted' GROUP BY currency_code ORDER BY MIN(seq)",
            (agent_id,),
        )
        return {currency_code: (amount, at) for currency_code, amount, at in found}

    def page_of(
        self, agent_id: str, status: str | None, offset: int, size: int
    ) -> tuple[list[StoredGateDeposit], int]:
        """Return one page of an agent's deposits, the newest first, and how many there are."""
        return self._page_where(*_filtered({"agent_id": agent_id, "status": status}), offset, size)


class GateOrderStore(Table[StoredGateOrder], name="gate_orders", row=StoredGateOrder):
    """The orders of one sandbox's agents, in the order of their creation."""

    extra_schema = """
        CREATE UNIQUE INDEX IF NOT EXISTS gate_orders_by_key ON gate_orders (agent_id, idempotency_key);
        CREATE INDEX IF NOT EXISTS gate_orders_pending ON gate_orders (created_at) WHERE status = 'pending';
    """
    sought = Sought(references=["external_ref", "idempotency_key"])

    def of_key(self, agent_id: str, idempotency_key: str) -> StoredGateOrder | None:
        """Return the agent's order that was made with a key."""
        return self._first("WHERE agent_id = ? AND idempotency_key = ?", agent_id, idempotency_key)

    def of_agent(self, agent_id: str, identifier: str) -> StoredGateOrder | None:
        """Return the agent's order of this id."""
        return self._first("WHERE agent_id = ? AND id = ?", agent_id, identifier)

    def page_of(
        self, agent_id: str, status: str | None, product_id: str | None, offset: int, size: int
    ) -> tuple[list[StoredGateOrder], int]:
        """Return one page of an agent's orders, the newest first, and how many there are."""
        asked = {"agent_id": agent_id, "status": status, "product_id": product_id}
        return self._page_where(*_filtered(asked), offset, size)

    def spent(self, agent_id: str) -> dict[str, tuple[int, int]]:
        """Return what an agent's orders cost or have reserved in each currency, and when that has changed."""
        self.catch_up()
        found = self._execute(
            "SELECT currency_code, SUM(CASE status WHEN 'failed' THEN 0 ELSE charged_amount END),"
            " MAX(COALESCE(ended_at, created_at)) FROM gate_orders WHERE agent_id = ? GROUP BY currency_code",
            (agent_id,),
        )
        return {currency_code: (amount, at) for currency_code, amount, at in found}

    def _make_changes(self, now: int) -> None:
        self._execute(
            "UPDATE gate_orders SET status = CASE fails WHEN 0 THEN 'completed' ELSE 'failed' END,"
            " ended_at = created_at + ? WHERE status = 'pending' AND created_at <= ?",
            (COMPLETED_AFTER, now - COMPLETED_AFTER),
        )

    def next_change_at(self) -> int | None:
        """Return when the next order is completed or fails."""
        created_at = self._earliest("created_at", index="gate_orders_pending", where="status = 'pending'")
        return None if created_at is None else created_at + COMPLETED_AFTER


def _filtered(asked: dict[str, str | None]) -> tuple[str, Sequence[str]]:
    """Return the condition that each column is as asked for, and its values."""
    given = {column: value for column, value in asked.items() if value is not None}
    return " AND ".join(f"{column} = ?" for column in given), list(given.values())
