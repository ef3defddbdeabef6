"""Which webhooks were handled: an SQLite file that lets each event through once.

A mark is made when an event is handled, never when it arrives, so that a crash in between loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING

from .._files.private_files import checked_path
from .._files.sqlite_file import SQLiteFile, atomically
from ..api.fields import check_seconds
from ..errors import ConfigurationError, PlexyPayError, WebhookInProgressError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["SeenWebhooks"]

APPLICATION_ID = 0x506C5857
SCHEMA_VERSION = 1
_LOCK_TIMEOUT = 30.0
"""Seconds to wait while another process writes."""

# A claim has an owner; what is handled has none.
_SCHEMA = """
CREATE TABLE seen (key TEXT PRIMARY KEY, owner TEXT, expires REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX seen_expires ON seen (expires)
"""
# An event's key was its name and id alone before it had a digest; what was marked so stays handled.
_BOUND_KEY = re.compile(r"((?:transaction|payment_order)\.[a-z_]+:.+):[0-9a-f]{32}")
_MARK = (
    "INSERT INTO seen VALUES (?, NULL, ?) "
    "ON CONFLICT (key) DO UPDATE SET owner = NULL, expires = max(expires, excluded.expires)"
)


class SeenWebhooks:
    """Remembers in an SQLite file which events were handled, for all threads and processes of a machine.

    ::

        seen = SeenWebhooks("webhooks.sqlite")
        event = receiver.receive(headers, body)
        with seen.handling(event.dedupe_key) as first:
            if first:
                mark_as_paid(event)

    The one gap is a process killed between its work and the mark: its event is handled again. Where that
    must not be, insert the `dedupe_key` into a table of your own, in the transaction that does the work.

    The file is its owner's alone (mode 0600) and is not reached by a symbolic link. Marks that an earlier
    version made of ``name:id`` alone hold for the event of any merchant and status, until they run out.

    Every call opens the file and closes it, so that forks, threads and pickled copies share it. It blocks for
    a few milliseconds; in an event loop use ``async with``, which blocks a thread instead.

    Args:
        path: The file; it is made if it is not there, and never overwritten if it is something else.
        keep: Seconds for which a handled event is remembered. How long the API delivers again is not
            published; a month unless given.
        lease: Seconds after which an event whose handling has not ended may be handled by another: longer
            than your handler ever takes.

    Raises:
        ConfigurationError: The file cannot be used, or a time is not positive.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, keep: float = 30 * 86_400.0, lease: float = 60.0
    ) -> None:
        checked = checked_path("path", path)
        if os.fspath(path) in ("", ":memory:"):
            raise ConfigurationError(
                "path: expected a file; what is in memory alone forgets with its process"
            )
        # A process that changes its folder later, as daemons do, keeps its file.
        self.path = checked.absolute()
        self.keep = check_seconds("keep", keep)
        self.lease = check_seconds("lease", lease)
        self._file = SQLiteFile(
            path=self.path,
            kind="seen webhooks",
            application_id=APPLICATION_ID,
            version=SCHEMA_VERSION,
            schema=_SCHEMA,
        )
        with self._transaction():
            pass
        self._use_write_ahead_log()

    def __repr__(self) -> str:
        return f"<SeenWebhooks {self.path}>"

    def __call__(self, key: str) -> bool:
        """Tell whether an event was handled, and change nothing: the `seen` of `WebhookReceiver.receive`.

        Two deliveries at the same moment are both told False; `handling` lets one of them through.
        """
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT 1 FROM seen WHERE key IN (?, ?) AND owner IS NULL AND expires > ?",
                (key, _earlier_key(key), time.time()),
            )
            return rows.fetchone() is not None

    def mark(self, key: str) -> None:
        """Note that an event was handled."""
        with self._transaction() as connection:
            connection.execute(_MARK, (key, time.time() + self.keep))

    def handling(self, key: str) -> Handling:
        """Return a context in which to handle an event, both for ``with`` and for ``async with``.

        Its value is True where the event is to be handled, and False where it was. If the block ends, the
        event is marked; if it raises, or is cancelled, the event is handled at its next delivery.

        Args:
            key: The event's `dedupe_key`.

        Raises:
            WebhookInProgressError: Another thread or process is handling the event: answer 503.
        """
        return Handling(self, key)

    # --------------------------------------------------------------------------------------- the claims

    def claim(self, key: str, owner: str) -> bool:
        """Keep an event for one owner; False where it was handled."""
        now = time.time()
        with self._transaction() as connection:
            connection.execute("DELETE FROM seen WHERE expires <= ?", (now,))
            rows = connection.execute(
                "SELECT owner FROM seen WHERE key IN (?, ?)", (key, _earlier_key(key))
            ).fetchall()
            if not rows:
                connection.execute("INSERT INTO seen VALUES (?, ?, ?)", (key, owner, now + self.lease))
                return True
        if (None,) in rows:
            return False
        raise WebhookInProgressError(
            "the same event is being handled at this moment; answer 503, so that it is delivered again"
        )

    def release(self, key: str, owner: str) -> None:
        """Give up a claim: its event was not handled."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM seen WHERE key = ? AND owner = ?", (key, owner))

    # ----------------------------------------------------------------------------------------- the file

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """Open the file, run a transaction of a caller's, and close it; what was done is durable then."""
        import sqlite3

        try:
            with contextlib.closing(self._file.connect(timeout=_LOCK_TIMEOUT)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                with atomically(connection):
                    self._file.check_or_make(connection)
                    self._file.make_private()
                    yield connection
        except sqlite3.Error as error:
            raise self._file.error(error) from None

    def _use_write_ahead_log(self) -> None:
        import sqlite3

        # Where two processes begin at once, one may be refused; what the other sets holds for both.
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(self._file.connect(timeout=_LOCK_TIMEOUT)) as connection,
        ):
            connection.execute("PRAGMA journal_mode = WAL")


class Handling:
    """The handling of one event, for ``with`` and for ``async with``; see `SeenWebhooks.handling`."""

    def __init__(self, seen: SeenWebhooks, key: str) -> None:
        self._seen = seen
        self._key = key
        self._owner = secrets.token_hex(8)
        self._first = False

    def __enter__(self) -> bool:
        self._first = self._seen.claim(self._key, self._owner)
        return self._first

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._first:
            return
        if error is None:
            self._seen.mark(self._key)
        else:
            self._seen.release(self._key, self._owner)

    async def __aenter__(self) -> bool:
        import asyncio

        # Shielded: a thread that has begun cannot be stopped, and its claim must not be forgotten.
        entering = asyncio.ensure_future(asyncio.to_thread(self.__enter__))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError as cancelled:
            with contextlib.suppress(PlexyPayError):
                await entering
                await self.__aexit__(type(cancelled), cancelled, None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.shield(asyncio.to_thread(self.__exit__, kind, error, trace))


def _earlier_key(key: str) -> str:
    bound = _BOUND_KEY.fullmatch(key)
    return key if bound is None else bound[1]
