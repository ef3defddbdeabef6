"""Webhooks in the database: what is to be delivered, when, and each attempt that was made.

A webhook is written in the same database transaction as the change it tells of: both are there, or neither.
Times are microseconds since 1970 in UTC, by the sandbox's clock.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

import attrs
import orjson

from ..clock import moment_of
from ..state.table import Sought, Table
from .delivery import Delivery, DeliveryAttempt, DeliveryState

__all__ = ["DeliveryDraft", "DeliveryStore", "DueDelivery"]

_TOLD = "json_extract(CAST(body AS TEXT), '$.data.{}')"
_DUE = "SELECT id, event, subject, url, body, tries, copies FROM deliveries"
_COLUMNS = (
    *("id", "event", "url", "body", "state", "fault", "reason", "created_at", "due_at"),
    "(SELECT json_group_array(json_array(attempted_at, status, error))"
    " FROM (SELECT * FROM delivery_attempts WHERE delivery_id = deliveries.id ORDER BY seq))",
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
    """Whether it becomes due as soon as a later one of the same subject has been tried."""


@attrs.frozen
class DueDelivery:
    """What is to be sent now."""

    id: str
    event: str
    subject: str
    url: str
    body: bytes
    tries: int
    """How often it was tried since it was made or resent."""
    copies: int


def _delivery(*columns: Any) -> Delivery:
    *texts, created_at, due_at, attempts = columns
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


class DeliveryStore(Table[Delivery], name="deliveries", row=_delivery, select=_COLUMNS):
    """The deliveries of one sandbox, in the order of their creation."""

    sought = Sought(
        ids=["id", "subject", *map(_TOLD.format, ("id", "paymentLinkId.Value"))],
        references=[_TOLD.format("merchantReference")],
        states=["state", "event"],
    )
    schema = """
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

    def create(self, draft: DeliveryDraft) -> None:
        """Store a new delivery."""
        now = self.clock.microseconds()
        due_at = now + draft.delay if draft.state is DeliveryState.PENDING else None
        self._execute(
            "INSERT INTO deliveries"
            " (id, event, subject, url, body, state, fault, reason, copies, held, created_at, due_at)"
            " VALUES"
            " (:id, :event, :subject, :url, :body, :state, :fault, :reason, :copies, :held, :now, :due_at)",
            attrs.asdict(draft, recurse=False) | {"id": str(uuid.uuid4()), "now": now, "due_at": due_at},
        )

    def due(self, *, without: Collection[str] = (), subject: str | None = None) -> DueDelivery | None:
        """Return what has been due longest: for one subject, or for any subject not in `without`."""
        chosen = "INDEXED BY deliveries_by_due WHERE subject NOT IN (SELECT value FROM json_each(?))"
        value = orjson.dumps(list(without)).decode()
        if subject is not None:
            chosen, value = "WHERE subject = ?", subject
        row = self._execute(
            f"{_DUE} {chosen} AND state = 'pending' AND due_at <= ? ORDER BY due_at, seq LIMIT 1",
            (value, self.clock.microseconds()),
        ).fetchone()
        return None if row is None else DueDelivery(*row)

    def next_due_at(self) -> int | None:
        """Return when the next delivery is due."""
        return self._earliest("due_at", index="deliveries_by_due", where="state = 'pending'")

    def holds(self, subject: str) -> bool:
        """Whether a delivery of this subject waits for a later one."""
        row = self._execute(
            "SELECT 1 FROM deliveries WHERE state = 'pending' AND subject = ? AND held = 1 LIMIT 1",
            (subject,),
        ).fetchone()
        return row is not None

    def record(self, tried: DueDelivery, *, status: int | None, error: str | None, pause: int | None) -> None:
        """Note an attempt; after any status but 200, the next is due after `pause`, if there is to be one."""
        now = self.clock.microseconds()
        with self.atomically():
            row = self._execute(
                "SELECT seq, copies, created_at FROM deliveries WHERE id = ?", (tried.id,)
            ).fetchone()
            if row is None:
                # It was deleted while it was being sent.
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
                    # It is sent again before what became due after it.
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

    def resend(self, identifier: str, *, under_way: bool) -> None:
        """Make a delivery due now, with all its attempts; once more if it is being sent at this moment."""
        self._execute(
            "UPDATE deliveries SET copies = CASE WHEN ? THEN copies + 1 ELSE 1 END, state = 'pending',"
            " due_at = ?, tries = 0, held = 0, reason = NULL WHERE id = ?",
            (under_way, self.clock.microseconds(), identifier),
        )

    def take_up(self, *, longest_delay: int) -> None:
        """Make the pending deliveries of an earlier sandbox due now, since its clock may have been ahead.

        Those that were never tried keep their delay, up to `longest_delay`.
        """
        now = self.clock.microseconds()
        self._execute(
            "UPDATE deliveries SET due_at = MIN(due_at,"
            " CASE WHEN tries > 0 THEN ? ELSE ? + MIN(due_at - created_at, ?) END) WHERE state = 'pending'",
            (now, now, longest_delay),
        )

    def clear(self) -> None:
        """Forget every delivery."""
        with self.atomically():
            super().clear()
            self._execute("DELETE FROM delivery_attempts")
