"""The orders of the example shops, in SQLite: what a webhook changes, it changes once.

Deliveries repeat, come late and out of order, and two of them may reach two workers in the same moment. So
an order's state only ever moves forward, by one statement that says from where, and what depends on it is
written in the same transaction: either both are there or neither is, whenever the process dies. Only then is
the delivery acknowledged.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from plexypay_async import TransactionEvent, WebhookEvent

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    reference TEXT PRIMARY KEY,
    amount INTEGER NOT NULL,  -- minor units
    state TEXT NOT NULL DEFAULT 'open'
);
CREATE TABLE IF NOT EXISTS parcels (id INTEGER PRIMARY KEY, reference TEXT NOT NULL);
"""


class OrderBook:
    """Orders that are open, paid, cancelled or refunded; a paid one has a parcel to send.

    Any threads and processes may share the file: each change has a connection of its own.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with self._changing() as database:
            for table in TABLES.split(";\n"):
                database.execute(table)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        # In autocommit mode, so that BEGIN IMMEDIATE takes its turn before anything is read.
        database = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        finally:
            database.close()

    def add(self, reference: str, amount: int) -> None:
        """Note an order, if it is new; the amount is in minor units."""
        with self._changing() as database:
            database.execute(
                "INSERT INTO orders (reference, amount) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (reference, amount),
            )

    def apply(self, event: WebhookEvent) -> None:
        """Change the order that an event is about; whatever came before, and however often."""
        if not isinstance(event, TransactionEvent):
            return
        reference = event.transaction.order_reference
        with self._changing() as database:
            if _is_undone(event):
                # A parcel that is not on its way yet stays here.
                state = event.name.removeprefix("transaction.")
                database.execute("UPDATE orders SET state = ? WHERE reference = ?", (state, reference))
                database.execute("DELETE FROM parcels WHERE reference = ?", (reference,))
            elif event.is_paid:
                # Authorized, later charged: both mean paid. One that is cancelled already stays so. The
                # amount is that of the shop's own link, which its customer cannot change.
                paid = database.execute(
                    "UPDATE orders SET state = 'paid' WHERE reference = ? AND state = 'open'", (reference,)
                )
                if paid.rowcount:
                    database.execute("INSERT INTO parcels (reference) VALUES (?)", (reference,))

    def state_of(self, reference: str) -> tuple[str, int] | None:
        """Return an order's state and the number of its parcels; None for an unknown one."""
        with self._changing() as database:
            found = database.execute("SELECT state FROM orders WHERE reference = ?", (reference,)).fetchone()
            parcels = database.execute("SELECT count(*) FROM parcels WHERE reference = ?", (reference,))
            return None if found is None else (found[0], parcels.fetchone()[0])


def _is_undone(event: TransactionEvent) -> bool:
    # A refund of a part is told by the event of the refund alone, whose `type` says so: the order stays paid.
    return event.name in ("transaction.cancelled", "transaction.refunded") and (
        (event.transaction.type or "payment").lower() == "payment"
    )


if __name__ == "__main__":
    sys.exit(__doc__)
