"""Which webhooks were handled: an SQLite file that lets each event through once.

A mark is made when an event is handled, never when it arrives, so that a crash in between loses nothing.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import time
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .._files.private_files import checked_path
from .._files.sqlite_file import SQLiteFile, atomically
from .._privacy.printable import log
from ..api.checks import check_seconds
from ..errors import ConfigurationError, PlexyPayError, WebhookInProgressError, WebhookNotMarkedError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["SeenWebhooks"]

APPLICATION_ID = 0x506C5857
SCHEMA_VERSION = 2
_LOCK_TIMEOUT = 30.0
"""Seconds to wait while another process writes."""
_MOST_UNWITNESSED = 3600.0
"""Seconds that may pass at once on the word of the wall clock alone: one that is ahead costs no more."""

# A claim has the size of its mark and the place of it in every index, so that marking writes one page over
# and needs no room. That holds for tables with row ids, and for a rollback journal that is kept (PERSIST):
# the claim's transaction has made it longer than the mark's needs it.
_SCHEMA = """
CREATE TABLE seen (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    owner TEXT,
    done INTEGER NOT NULL,
    held_until REAL NOT NULL,
    expires REAL NOT NULL
);
CREATE INDEX seen_expires ON seen (expires);
CREATE TABLE about (file TEXT NOT NULL, now REAL, wall REAL, steady REAL, boot TEXT);
INSERT INTO about (file) VALUES (hex(randomblob(16)))
"""
# The clock may be ahead at this moment, or may have been: no mark ends today, and no claim lasts for more
# than an hour.
_UPGRADE = """
DROP INDEX seen_expires;
ALTER TABLE seen RENAME TO seen_1;
<schema>;
INSERT INTO seen (key, owner, done, held_until, expires)
    SELECT key, owner, owner IS NULL, min(expires, strftime('%s', 'now') + 3600.0),
        max(expires, strftime('%s', 'now') + 86400.0) FROM seen_1;
DROP TABLE seen_1
""".replace("<schema>", _SCHEMA)
# An event's key was its name and id alone before it had a digest; what was marked so stays handled.
_BOUND_KEY = re.compile(r"((?:transaction|payment_order)\.[a-z_]+:.+):[0-9a-f]{32}")
_MARK = (
    "INSERT INTO seen (key, done, held_until, expires) VALUES (?, 1, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET done = 1, expires = max(expires, excluded.expires)"
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
    version made of ``name:id`` alone hold for the event of any merchant and status, until they run out. It is
    made here only: one that is removed or replaced later is an error of every call, until it is built anew.

    Times are the file's own. They go on with the machine's steady clock, where it has one (Linux), so that a
    wall clock that is wrong for a while neither ends a mark early nor holds a claim longer. Over a restart
    of the machine, and elsewhere, the wall clock counts, for an hour at a time at the most.

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
        self.path: Path = checked.absolute()
        self.keep: float = check_seconds("keep", keep)
        self.lease: float = check_seconds("lease", lease)
        self._file = SQLiteFile(
            path=self.path,
            kind="seen webhooks",
            application_id=APPLICATION_ID,
            version=SCHEMA_VERSION,
            schema=_SCHEMA,
            upgrades={1: _UPGRADE},
        )
        self._id: str | None = None
        with self._transaction() as connection:
            self._id = _id_of(connection)

    def __repr__(self) -> str:
        return f"<SeenWebhooks {self.path}>"

    def __call__(self, key: str) -> bool:
        """Tell whether an event was handled, and change nothing: the `seen` of `WebhookReceiver.receive`.

        Two deliveries at the same moment are both told False; `handling` lets one of them through.
        """
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT 1 FROM seen WHERE key IN (?, ?) AND done AND expires > ?",
                (key, _earlier_key(key), _Clock.read(connection).now),
            )
            return rows.fetchone() is not None

    def mark(self, key: str) -> None:
        """Note that an event was handled.

        Raises:
            WebhookNotMarkedError: It could not be noted.
        """
        with self._marking(key), self._transaction() as connection:
            self._insert_mark(connection, key)

    def handling(self, key: str) -> Handling:
        """Return a context in which to handle an event, both for ``with`` and for ``async with``.

        Its value is True where the event is to be handled, and False where it was. If the block ends, the
        event is marked; if it raises, or is cancelled, the event is handled at its next delivery.

        Args:
            key: The event's `dedupe_key`.

        Raises:
            WebhookInProgressError: Another thread or process is handling the event: answer 503.
            WebhookNotMarkedError: The block has ended and its event was handled, but that could not be noted.
            ConfigurationError: The file cannot be used; the block has not begun.
        """
        return Handling(self, key)

    # --------------------------------------------------------------------------------------- the claims

    def claim(self, key: str, owner: str) -> bool:
        """Keep an event for one owner; False where it was handled."""
        with self._transaction() as connection:
            clock = _Clock.read(connection)
            clock.keep(connection)
            connection.execute("DELETE FROM seen WHERE expires <= ?", (clock.now,))
            rows = connection.execute(
                "SELECT done, held_until FROM seen WHERE key IN (?, ?)", (key, _earlier_key(key))
            ).fetchall()
            if any(done for done, _ in rows):
                return False
            if all(held_until <= clock.now for _, held_until in rows):
                until = clock.now + self.lease
                connection.execute(
                    "INSERT INTO seen (key, owner, done, held_until, expires) VALUES (?, ?, 0, ?, ?) "
                    "ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, "
                    "held_until = excluded.held_until, expires = excluded.expires",
                    (key, owner, until, until + self.keep),
                )
                return True
        raise WebhookInProgressError(
            "the same event is being handled at this moment; answer 503, so that it is delivered again"
        )

    def finish(self, key: str) -> None:
        """Turn a claim into a mark: its event was handled.

        Raises:
            WebhookNotMarkedError: It could not be noted.
        """
        with self._marking(key), self._transaction() as connection:
            if not connection.execute("UPDATE seen SET done = 1 WHERE key = ?", (key,)).rowcount:
                self._insert_mark(connection, key)

    def release(self, key: str, owner: str) -> None:
        """Give up a claim: its event was not handled. Where that cannot be noted, the claim runs out."""
        try:
            with self._transaction() as connection:
                connection.execute("DELETE FROM seen WHERE key = ? AND owner = ? AND NOT done", (key, owner))
        except PlexyPayError as error:
            # What the handler has raised is what is to be seen.
            log.warning("a claim could not be given up and lasts for %g s: %s", self.lease, error)

    def _insert_mark(self, connection: sqlite3.Connection, key: str) -> None:
        clock = _Clock.read(connection)
        clock.keep(connection)
        connection.execute(_MARK, (key, clock.now, clock.now + self.keep))

    @contextlib.contextmanager
    def _marking(self, key: str) -> Generator[None]:
        try:
            yield
        except ConfigurationError as error:
            failed = WebhookNotMarkedError(
                f"the event was handled, and could not be marked as handled ({error}): it is handled again"
                f" if it is delivered again. Keep its key, {key!r}, or mark it once the cause is removed",
                dedupe_key=key,
            )
        else:
            return
        raise failed

    # ----------------------------------------------------------------------------------------- the file

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """Open the file, run a transaction of a caller's, and close it; what was done is durable then."""
        import sqlite3

        try:
            if self._id is not None and self._found() is None:
                raise self._lost("was removed")
            connecting = self._file.connect(make=self._id is None, timeout=_LOCK_TIMEOUT)
            with contextlib.closing(connecting) as connection:
                opened = self._found()
                # Once no other process has an earlier version's log open; until then the log is used.
                with contextlib.suppress(sqlite3.OperationalError):
                    connection.execute("PRAGMA journal_mode = PERSIST")
                connection.execute("PRAGMA synchronous = FULL")
                with atomically(connection):
                    self._file.check_or_make(connection)
                    self._file.make_private()
                    # By its own id: a file that takes the place of one that was removed may get its inode.
                    if self._id is not None and self._id != _id_of(connection):
                        raise self._lost("was replaced by another one")
                    yield connection
                # What was written to a file that has no name any more is lost.
                if opened is None or self._found() != opened:
                    raise self._lost("was removed or replaced")
        except sqlite3.Error as error:
            raise self._file.error(error) from None

    def _lost(self, what: str) -> ConfigurationError:
        return self._file.error(
            f"the file {what} while it was in use, and with it what it knew of handled events; put it back,"
            " or build SeenWebhooks anew (restart the process) to begin an empty one"
        )

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._file.error(error.strerror) from None
        return found.st_dev, found.st_ino


def _id_of(connection: sqlite3.Connection) -> str:
    file: str = connection.execute("SELECT file FROM about").fetchone()[0]
    return file


class _Clock:
    """The file's own time: it never goes back, and no wall clock makes it leap."""

    def __init__(self, now: float, wall: float, steady: float, boot: str) -> None:
        self.now = now
        self._state = (now, wall, steady, boot)

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> _Clock:
        """Return the time, by the reading that was kept last."""
        wall, (steady, boot) = time.time(), _since_boot()
        now, wall_then, steady_then, boot_then = connection.execute(
            "SELECT now, wall, steady, boot FROM about"
        ).fetchone()
        if now is None:
            now = wall
        elif boot and boot == boot_then and steady >= steady_then:
            now += steady - steady_then
        else:
            now += min(max(0.0, wall - wall_then), _MOST_UNWITNESSED)
        return cls(now, wall, steady, boot)

    def keep(self, connection: sqlite3.Connection) -> None:
        """Keep this reading."""
        connection.execute("UPDATE about SET now = ?, wall = ?, steady = ?, boot = ?", self._state)


def _since_boot() -> tuple[float, str]:
    """Return the seconds since the machine began, and which beginning that was; empty where it is unknown."""
    boot = _boot()
    return (time.clock_gettime(time.CLOCK_BOOTTIME) if boot else 0.0), boot


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() if _HAS_BOOT_TIME else ""
    except OSError:
        return ""


_HAS_BOOT_TIME = hasattr(time, "CLOCK_BOOTTIME")


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
            self._seen.finish(self._key)
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
