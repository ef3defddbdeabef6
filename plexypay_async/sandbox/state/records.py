"""Records that the sandbox keeps as they were posted, without a look inside."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["RecordStore"]


class RecordStore:
    """Documents by kind and id, in the order of their creation.

    A document is an object of JSON with its ``id``, a UUID, which the store gives and keeps.
    """

    schema = """
        CREATE TABLE IF NOT EXISTS records (
            seq INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            id TEXT NOT NULL UNIQUE,
            document TEXT NOT NULL
        );
        CREATE INDEX IF NOT EXISTS records_by_kind ON records (kind, seq);
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def create(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Store a new document, and return it with its id."""
        document = {**fields, "id": str(uuid.uuid4())}
        self._execute(
            "INSERT INTO records (kind, id, document) VALUES (?, ?, ?)",
            (kind, document["id"], orjson.dumps(document).decode()),
        )
        return document

    def find(self, kind: str, identifier: str) -> dict[str, Any] | None:
        """Return the document of this kind and id."""
        row = self._execute(
            "SELECT document FROM records WHERE kind = ? AND id = ?", (kind, identifier)
        ).fetchone()
        return None if row is None else orjson.loads(row[0])

    def replace(self, kind: str, identifier: str, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """Store other fields under an id, and return the document; None where the id is not known."""
        document = {**fields, "id": identifier}
        changed = self._execute(
            "UPDATE records SET document = ? WHERE kind = ? AND id = ?",
            (orjson.dumps(document).decode(), kind, identifier),
        )
        return document if changed.rowcount else None

    def delete(self, kind: str, identifier: str) -> bool:
        """Forget a document; return whether it was there."""
        return self._execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, identifier)).rowcount > 0

    def page(self, kind: str, offset: int, size: int) -> tuple[list[dict[str, Any]], int]:
        """Return up to `size` documents after the newest `offset` of them, and how many there are."""
        (total,) = self._execute("SELECT COUNT(*) FROM records WHERE kind = ?", (kind,)).fetchone()
        rows = self._execute(
            "SELECT document FROM records WHERE kind = ? ORDER BY seq DESC LIMIT ? OFFSET ?",
            (kind, size, offset),
        )
        return [orjson.loads(document) for (document,) in rows], total

    def clear(self) -> None:
        """Forget every document."""
        self._execute("DELETE FROM records")
