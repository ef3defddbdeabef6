"""Webhooks in the database: what is to be delivered, when, and each attempt that was made.

They are written in the same transaction as the change that they tell, so that neither is without the other.
Times are microseconds since 1970 in UTC, by the sandbox's clock.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Collection, Iterator
from typing import Any

import attrs
import orjson

from ..sqlite_file import atomically
from .clock import moment_of
from .deliveries import Delivery, DeliveryAttempt, DeliveryState

__all__ = ["DeliveryDraft", "DeliveryStore", "DueDelivery"]

_SELECT = (
    "SELECT id, event, url, body, state, fault, reason, created_at, due_at,"
    " (SELECT json_group_array(json_array(attempted_at, status, error))"
    " FROM (SELECT * FROM delivery_attempts WHERE delivery_id = deliveries.id ORDER BY seq))"
    " FROM deliveries"
)


@attrs.frozen(kw_only=True)
class DeliveryDraft:
    """What a new delivery is made of."""

    event: str
    subject: str
    url: str
    body: bytes
    state: DeliveryState = DeliveryState.PENDING
    fault: str | None = None
    reason: str | None = None
    delay: int = 0
    """Microseconds until it is due."""
    copies: int = 1
    """How often it is to arrive."""
    held: bool = False
    """Whether it is due as soon as a later one of its subject has been tried."""


@attrs.frozen
class DueDelivery:
    """What is to be sent now."""

    id: str
    subject: str
    url: str
    body: bytes
    tries: int
    """How often it was tried since it was made or resent."""
    copies: int


class DeliveryStore:
    """The deliveries of one sandbox, in the order of their creation."""

    SCHEMA = """
        CREATE TABLE IF NOT EXISTS deliveries (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            event TEXT NOT NULL,
            subject TEXT NOT NULL,
            url TEXT NOT NULL,
            body BLOB NOT NULL,
            state TEXT NOT NULL,
            fault TEXT,
            reason TEXT,
            tries INTEGER NOT NULL DEFAULT 0,
            copies INTEGER NOT NULL,
            held INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            due_at INTEGER
        );
        CREATE INDEX IF NOT EXISTS deliveries_by_due ON deliveries (due_at, seq) WHERE state = 'pending';
        CREATE INDEX IF NOT EXISTS deliveries_by_subject ON deliveries (subject) WHERE state = 'pending';
        CREATE TABLE IF NOT EXISTS delivery_attempts (
            seq INTEGER PRIMARY KEY,
            delivery_id TEXT NOT NULL,
            attempted_at INTEGER NOT NULL,
            status INTEGER,
            error TEXT
        );
        CREATE INDEX IF NOT EXISTS delivery_attempts_by_delivery ON delivery_attempts (delivery_id);
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute

    def create(self, draft: DeliveryDraft, now: int) -> None:
        """Store a new delivery."""
        due_at = now + draft.delay if draft.state is DeliveryState.PENDING else None
        self._execute(
            "INSERT INTO deliveries"
            " (id, event, subject, url, body, state, fault, reason, copies, held, created_at, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                str(uuid.uuid4()),
                draft.event,
                draft.subject,
                draft.url,
                draft.body,
                draft.state,
                draft.fault,
                draft.reason,
                draft.copies,
                draft.held,
                now,
                due_at,
            ),
        )

    def find(self, identifier: str) -> Delivery | None:
        """Return the delivery with this id."""
        row = self._execute(f"{_SELECT} WHERE id = ?", (identifier,)).fetchone()
        return None if row is None else _delivery(row)

    def all(self) -> Iterator[Delivery]:
        """Yield every delivery, the oldest first."""
        for row in self._execute(f"{_SELECT} ORDER BY seq"):
            yield _delivery(row)

    def page(self, offset: int, size: int) -> tuple[list[Delivery], int]:
        """Return up to `size` deliveries after the newest `offset` of them, and how many there are."""
        total = self.count()
        # Rows are never deleted one by one, so their numbers have no gaps and no row need be skipped.
        rows = self._execute(f"{_SELECT} WHERE seq <= ? ORDER BY seq DESC LIMIT ?", (total - offset, size))
        return [_delivery(row) for row in rows], total

    def count(self) -> int:
        """Return how many there are."""
        (total,) = self._execute("SELECT COALESCE(MAX(seq), 0) FROM deliveries").fetchone()
        return int(total)

    def due(
        self, now: int, *, without: Collection[str] = (), subject: str | None = None
    ) -> DueDelivery | None:
        """Return what has been due the longest: of one subject, or of any but those in `without`."""
        if subject is not None:
            row = self._execute(
                "SELECT id, subject, url, body, tries, copies FROM deliveries"
                " WHERE state = 'pending' AND due_at <= ? AND subject = ? ORDER BY due_at, seq LIMIT 1",
                (now, subject),
            ).fetchone()
        else:
            row = self._execute(
                "SELECT id, subject, url, body, tries, copies FROM deliveries"
                " INDEXED BY deliveries_by_due WHERE state = 'pending' AND due_at <= ?"
                " AND subject NOT IN (SELECT value FROM json_each(?)) ORDER BY due_at, seq LIMIT 1",
                (now, orjson.dumps(list(without)).decode()),
            ).fetchone()
        return None if row is None else DueDelivery(*row)

    def next_due_at(self) -> int | None:
        """Return when the next delivery is due."""
        (due_at,) = self._execute(
            "SELECT MIN(due_at) FROM deliveries INDEXED BY deliveries_by_due WHERE state = 'pending'"
        ).fetchone()
        return None if due_at is None else int(due_at)

    def holds(self, subject: str) -> bool:
        """Whether a delivery of this subject waits for a later one."""
        row = self._execute(
            "SELECT 1 FROM deliveries WHERE state = 'pending' AND subject = ? AND held = 1 LIMIT 1",
            (subject,),
        ).fetchone()
        return row is not None

    def record(
        self, tried: DueDelivery, now: int, *, status: int | None, error: str | None, pause: int | None
    ) -> None:
        """Note an attempt, and what comes next: nothing after a 200, else another after `pause`, if any."""
        with atomically(self._connection):
            row = self._execute(
                "SELECT seq, copies, created_at FROM deliveries WHERE id = ?", (tried.id,)
            ).fetchone()
            if row is None:
                # Forgotten while it was under way.
                return
            seq, copies, created_at = row
            self._execute(
                "INSERT INTO delivery_attempts (delivery_id, attempted_at, status, error)"
                " VALUES (?, ?, ?, ?)",
                (tried.id, now, status, error),
            )
            if status == 200:
                copies, state, due_at = copies - 1, DeliveryState.DELIVERED, None
                if copies > 0:
                    # Before others that have been due since.
                    state, due_at = DeliveryState.PENDING, created_at
            elif pause is None:
                state, due_at = DeliveryState.FAILED, None
            else:
                state, due_at = DeliveryState.PENDING, now + pause
            self._execute(
                "UPDATE deliveries SET state = ?, due_at = ?, copies = ?, tries = tries + 1, held = 0"
                " WHERE id = ?",
                (state, due_at, copies, tried.id),
            )
            self._execute(
                "UPDATE deliveries SET due_at = created_at, held = 0"
                " WHERE state = 'pending' AND subject = ? AND held = 1 AND seq < ?",
                (tried.subject, seq),
            )

    def resend(self, identifier: str, now: int, *, under_way: bool) -> None:
        """Make a delivery due now, from its first attempt on; one more where it is being sent just now."""
        self._execute(
            "UPDATE deliveries SET copies = CASE WHEN ? THEN copies + 1 ELSE 1 END, state = 'pending',"
            " due_at = ?, tries = 0, held = 0, reason = NULL WHERE id = ?",
            (under_way, now, identifier),
        )

    def take_up(self, now: int, *, longest_delay: int) -> None:
        """Make what another sandbox left due: at once, but for first attempts that were to be delayed.

        That sandbox's clock may have been ahead.
        """
        self._execute(
            "UPDATE deliveries SET due_at = MIN(due_at,"
            " CASE WHEN tries > 0 THEN ? ELSE ? + MIN(due_at - created_at, ?) END) WHERE state = 'pending'",
            (now, now, longest_delay),
        )

    def clear(self) -> None:
        """Forget every delivery."""
        with atomically(self._connection):
            self._execute("DELETE FROM deliveries")
            self._execute("DELETE FROM delivery_attempts")


def _delivery(row: tuple[Any, ...]) -> Delivery:
    *texts, created_at, due_at, attempts = row
    identifier, event, url, body, state, fault, reason = texts
    return Delivery(
        id=identifier,
        event=event,
        url=url,
        body=body,
        state=DeliveryState(state),
        fault=fault,
        reason=reason,
        created_at=moment_of(created_at),
        next_attempt_at=None if due_at is None else moment_of(due_at),
        attempts=tuple(
            DeliveryAttempt(moment_of(at), status, error) for at, status, error in orjson.loads(attempts)
        ),
    )
