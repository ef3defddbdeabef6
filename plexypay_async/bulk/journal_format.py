"""The format of a journal's file: its tables, what its rows say, and the digest by which a row is known.

A newer format is refused, and one of the version before is turned into this one when it is opened.
"""

from __future__ import annotations

import enum
import hashlib

import attrs

__all__ = [
    "APPLICATION_ID",
    "SCHEMA",
    "SCHEMA_VERSION",
    "SQLITE_MAGIC",
    "UNSEALED_VERSION",
    "UPGRADE",
    "Entry",
    "State",
    "digest_of",
]

APPLICATION_ID = 0x506C5842
SCHEMA_VERSION = 2
UNSEALED_VERSION = 1
"""The earlier format, which has no seals: a job looks its rows up once, and seals them."""
DIGEST_VERSION = 1
SQLITE_MAGIC = b"SQLite format 3\0"

SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE links (
    id INTEGER PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE,
    row INTEGER NOT NULL,
    digest BLOB NOT NULL,
    state INTEGER NOT NULL,
    answer BLOB,
    error TEXT,
    link TEXT,
    hash BLOB,
    seal BLOB,
    done_at INTEGER
)
"""
UPGRADE = """
ALTER TABLE links ADD COLUMN link TEXT;
ALTER TABLE links ADD COLUMN hash BLOB;
ALTER TABLE links ADD COLUMN seal BLOB;
ALTER TABLE links ADD COLUMN done_at INTEGER
"""


class State(enum.IntEnum):
    """What the journal knows of an order reference."""

    CLAIMED = 1
    """Its request may have been sent: look it up before sending it."""
    DONE = 2
    """Its link exists. Its answer is kept, unless it was purged or could not be."""
    FAILED = 3
    """Nothing was created: it may be sent."""


@attrs.frozen
class Entry:
    """What the journal knew of a row before it was claimed; `state` is None for a new one."""

    state: State | None
    row: int
    digest: bytes
    answer: bytes | None = None
    """The answer to a row that is done; None unless the journal's seal proves it."""
    link: str | None = None
    """The id of the link of a row that is done; of a failed one, that of the link that has its reference."""
    sealed: bool = False
    """Whether the seal proves that this link is the row's."""


def digest_of(body: bytes | None) -> bytes:
    """Return the digest of a row's body, encoded with its keys in order: equal rows have equal digests."""
    return hashlib.sha256(b"%d:" % DIGEST_VERSION + (body or b"{}")).digest()
