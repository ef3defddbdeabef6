"""What is in a file of seen webhooks, and more of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from plexypay_async import SeenWebhooks


def rows(path: Path) -> list[tuple[str, bool]]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            (key, bool(done)) for key, done in connection.execute("SELECT key, done FROM seen ORDER BY key")
        ]


def fill(seen: SeenWebhooks, count: int) -> None:
    begun = len(rows(seen.path))
    for number in range(begun, begun + count):
        with seen.handling(f"transaction.charged:filler_{number}:{'0' * 32}") as first:
            assert first
