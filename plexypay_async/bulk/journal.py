"""The journal of a bulk job: which order references were claimed, and what became of them.

It is an SQLite file, so that a job killed at any instant can be run again and creates each reference once. A
claim is durable before its request is sent, and a row that is done keeps its answer. The link of a row that a
killed run leaves claimed may or may not exist, so the next run looks it up.

One process at a time holds a journal. Its methods block, and run on one thread: `Journal.call`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from .._files.private_files import checked_path, open_private
from .._files.sqlite_file import SQLiteFile, atomically
from .._privacy.secret import Secret
from ..errors import ConfigurationError
from .journal_format import (
    APPLICATION_ID,
    SCHEMA,
    SCHEMA_VERSION,
    SQLITE_MAGIC,
    UNSEALED_VERSION,
    UPGRADE,
    Entry,
    State,
)
from .sealing import Kept, Seal, decoded, link_in

__all__ = ["Journal"]

T = TypeVar("T")

DAY = 86400
LONGEST_REASON = 1000
MOST_RESULTS = 100
"""How many results files a journal remembers."""


_opening = threading.Lock()
_open_files: dict[tuple[int, int] | None, Journal] = {}
"""The journals that this process has open, by device and inode."""


class Journal:
    """An SQLite journal; give `create_many` one of these, or just its path.

    Args:
        path: The file; it is made if it is not there, and never overwritten if it is no journal.

    A journal belongs to one base URL and one account: a job with another API key must first retrieve one of
    the journal's links with it. The key is kept as a salted digest only. What the journal keeps of a link is
    sealed with the key: a row that was changed in the file is looked up again, and each one after a new key.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = checked_path("journal", path)
        self._sqlite = SQLiteFile(
            path=self.path,
            kind="journal",
            application_id=APPLICATION_ID,
            version=SCHEMA_VERSION,
            schema=SCHEMA,
            upgrades={UNSEALED_VERSION: UPGRADE},
        )
        self._error = self._sqlite.error
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="plexypay-journal")
        self._closed = False
        self._held = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: tuple[int, int] | None = None
        self._opened_log: tuple[int, int] | None = None
        self._place = self.path
        self._seal: Seal | None = None

    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    async def call(self, method: Callable[..., T], *arguments: Any) -> T:
        """Run one of the journal's methods on its thread."""
        if self._closed:
            raise self._error("it is closed")
        self._loop = loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, method, *arguments)

    def hold(self) -> None:
        """Keep the journal for one job, until it is released.

        Raises:
            ConfigurationError: Another job of this process is using it.
        """
        if self._held:
            raise self._error("another job is using it; one job at a time may")
        self._held = True

    def release(self) -> None:
        """Let another job use the journal."""
        self._held = False

    # --------------------------------------------------------------------------------------- open, close

    def open(self, *, make: bool = True) -> None:
        """Open or make the file, for this process alone; nothing happens where it is open.

        Args:
            make: Whether a journal is begun where the file is missing or empty; else that is refused.

        Raises:
            ConfigurationError: It is no journal, is damaged, or is held by another process.
        """
        if self._connection is not None:
            return
        if not make:
            self._check_begun()
        # A process that changes its folder later keeps its journal.
        self._place = self.path.absolute()
        with _opening:
            # Before the file is opened: when a process closes any descriptor of a file, POSIX releases all of
            # its locks on that file, so a second opening would let other processes use the journal.
            other = _open_files.get(self._identity())
            if other is not None and not other._is_left():
                raise self._error("another job of this process is using it; one job at a time may")
            if other is not None:
                other._let_go()
            self._connection = self._connected()
            self._opened, self._opened_log = self._identity(), _identity(self._log)
            _open_files[self._opened] = self

    def _is_left(self) -> bool:
        """Tell whether the event loop of its job was closed before the job ended, which never ends then."""
        return self._loop is not None and self._loop.is_closed()

    def _let_go(self) -> None:
        self._thread.shutdown(wait=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        _open_files.pop(self._opened, None)

    def _identity(self) -> tuple[int, int] | None:
        return _identity(self._place)

    def check_place(self) -> None:
        """Make sure that the file, and its log, are still what was opened: what has no name is lost.

        The inode of an open file is not given to another one, so it tells them apart.

        Raises:
            ConfigurationError: One of them was removed, or another file was put in its place.
        """
        for path, opened in ((self._place, self._opened), (self._log, self._opened_log)):
            if opened is not None and (found := _identity(path)) != opened:
                what = "was removed" if found is None else "was replaced by another one"
                raise self._error(
                    f"the file {path.name} {what} while a job was using it: nothing can be kept in it any"
                    " more, so nothing more is sent. What is known of the rows is in their results"
                )

    def _connected(self) -> sqlite3.Connection:
        self._check_file()
        # check_same_thread: it may be closed on the thread that drops the journal.
        connection = self._sqlite.connect(timeout=0, check_same_thread=False)
        try:
            self._lock_and_check(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._unusable(error) from None
            raise
        return connection

    def _lock_and_check(self, connection: sqlite3.Connection) -> None:
        """Make the connection the only one to the file, and make sure that the file is a sound journal."""
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        # The check is within the lock, since another process may be making the file at this moment.
        with atomically(connection):
            self._sqlite.check_or_make(connection)
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise self._damaged(found)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Takes the exclusive lock, which lasts until the connection is closed or the process dies.
        with atomically(connection):
            pass
        self._sqlite.make_private()

    def _check_begun(self) -> None:
        """Refuse a file in which no job has begun yet, without touching it."""
        try:
            begun = self.path.stat().st_size > 0
        except OSError as error:
            raise self._error(error.strerror) from None
        if not begun and not _size(self._log):
            raise self._error("the file is empty: no job has begun with it")

    @property
    def _log(self) -> Path:
        return Path(f"{self._place}-wal")

    def _check_file(self) -> None:
        """Refuse a file that is no SQLite file without touching it."""
        try:
            with open(open_private(self.path, os.O_RDWR), "rb") as file:
                beginning = file.read(len(SQLITE_MAGIC))
        except FileNotFoundError:
            if not self.path.parent.is_dir():
                raise self._error("there is no such folder") from None
            return
        except OSError as error:
            raise self._error(error.strerror) from None
        if not beginning and _size(self._log):
            raise self._damaged(f"it is empty, and its {self._log.name} is not")
        if beginning and beginning != SQLITE_MAGIC:
            raise self._error("this file is no journal; it was left as it is")

    def _unusable(self, error: sqlite3.Error) -> ConfigurationError:
        if not isinstance(error, sqlite3.OperationalError):
            return self._damaged(error)
        if "locked" in str(error):
            return self._error("another process is using it; one job at a time may")
        return self._error(f"it cannot be opened ({error})")

    def _damaged(self, why: object) -> ConfigurationError:
        return self._error(f"the file is damaged ({why}); it was left as it is")

    def close(self) -> None:
        """Close the file; what was recorded is durable."""
        self._closed = True
        self._thread.shutdown(wait=True)
        with _opening:
            if self._connection is not None:
                self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -------------------------------------------------------------------------------- whose journal it is

    def belongs_to(self, base_url: str, api_key: Secret[str]) -> bool:
        """Tell whether this key has used the journal before; a new journal takes it.

        Raises:
            ConfigurationError: The journal is of another base URL.
        """
        self._seal = None
        known = self._about("base_url")
        if known is None:
            self.take_key(api_key, base_url=base_url)
            return True
        if known != base_url:
            raise self._error(
                f"it belongs to {known}, not to {base_url}: give the first one (--base-url, base_url or"
                " PLEXYPAY_BASE_URL); a sandbox is there again with the same --port and --database"
            )
        salt, check = self._bytes_about("salt"), self._bytes_about("check")
        if not check:
            # The earlier format.
            if not hmac.compare_digest(self._bytes_about("key"), api_key.slow_digest(salt)):
                return False
            self.take_key(api_key)
            return True
        seal = Seal(api_key, salt)
        if not hmac.compare_digest(check, seal.check):
            return False
        self._seal = seal
        return True

    def take_key(self, api_key: Secret[str], **about: str) -> None:
        """Use this key from now on, which is of the journal's account; note further facts about the journal.

        What an earlier key has sealed cannot be proved with this one, so those rows are looked up again.
        """
        salt = secrets.token_bytes(16)
        seal = Seal(api_key, salt)
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO about VALUES (?, ?)",
                [*about.items(), ("salt", salt), ("check", seal.check)],
            )
            connection.execute("DELETE FROM about WHERE name = 'key'")
        self._seal = seal

    def any_link(self) -> str | None:
        """Return the id of the link of one row that is done, or None."""
        rows = self._open.execute(
            "SELECT reference, digest, link, hash, answer FROM links WHERE state = ?", (State.DONE,)
        )
        return next((link for row in rows if (link := Kept.found(*row).link) is not None), None)

    def _about(self, name: str) -> Any:
        row = self._open.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _bytes_about(self, name: str) -> bytes:
        value = self._about(name)
        return value if isinstance(value, bytes) else b""

    # ------------------------------------------------------------------------------- the results files

    def results(self) -> tuple[str, frozenset[str]]:
        """Return an id of this journal for names of files, and the digests of the results it has noted."""
        with self._transaction() as connection:
            identity = self._bytes_about("id")
            if not identity:
                identity = secrets.token_bytes(4)
                connection.execute("INSERT OR REPLACE INTO about VALUES ('id', ?)", (identity,))
        return identity.hex(), frozenset(self._bytes_about("results").decode("ascii", "replace").split())

    def note_results(self, digest: str) -> None:
        """Note the digest of a results file: it is this journal's, wherever it is moved to."""
        self.check_place()
        with self._transaction() as connection:
            known = self._bytes_about("results").decode("ascii", "replace").split()
            kept = [*(each for each in known if each != digest), digest][-MOST_RESULTS:]
            connection.execute(
                "INSERT OR REPLACE INTO about VALUES ('results', ?)", (" ".join(kept).encode(),)
            )

    # ------------------------------------------------------------------------------------------ the rows

    def exchange(
        self,
        done: Iterable[tuple[str, str, Any]],
        failed: Iterable[tuple[str, str, str | None]],
        claims: Iterable[tuple[int, str, bytes]],
    ) -> list[Entry]:
        """Record results and claim the next rows, durably and in one transaction.

        Args:
            done: (reference, link's id, decoded answer or None) of rows whose link exists; an answer that is
                too large or too odd to be kept leaves the id alone.
            failed: (reference, reason, id of another order's link that has the reference, or None) of rows
                for which nothing was created.
            claims: (row, reference, digest) of rows about to be sent.

        Returns:
            What was known of each claimed row before. A row that had failed is claimed anew, with its new
            digest; one that is claimed or done is left as it is.
        """
        self.check_place()
        with self._transaction() as connection:
            for reference, link, answer in done:
                self._keep(connection, reference, link, answer)
            connection.executemany(
                "UPDATE links SET state = ?, error = ?, answer = NULL, link = ?, hash = NULL, seal = NULL"
                " WHERE reference = ?",
                [(State.FAILED, _shown(reason), link, reference) for reference, reason, link in failed],
            )
            entries = [self._claim(connection, *claim) for claim in claims]
        # Before a row is sent: a claim in a file without a name protects nothing.
        self.check_place()
        return entries

    def _keep(self, connection: sqlite3.Connection, reference: str, link: str, answer: Any) -> None:
        known = connection.execute("SELECT digest FROM links WHERE reference = ?", (reference,)).fetchone()
        if known is None:
            return
        kept = Kept.of(reference, known[0], link, answer)
        if kept.link is None:
            # It can be found by its reference only, so it stays claimed.
            return
        seal = None
        if self._seal is not None:
            seal = self._seal.of(kept.reference, kept.digest, kept.link, kept.answer_hash)
        connection.execute(
            "UPDATE links SET state = ?, answer = ?, error = NULL, link = ?, hash = ?, seal = ?, done_at = ?"
            " WHERE reference = ?",
            (State.DONE, kept.answer, kept.link, kept.answer_hash, seal, int(time.time()), reference),
        )

    def _claim(self, connection: sqlite3.Connection, row: int, reference: str, digest: bytes) -> Entry:
        known = connection.execute(
            "SELECT state, row, digest, link, hash, answer, seal FROM links WHERE reference = ?", (reference,)
        ).fetchone()
        if known is None:
            connection.execute(
                "INSERT INTO links (reference, row, digest, state) VALUES (?, ?, ?, ?)",
                (reference, row, digest, State.CLAIMED),
            )
            return Entry(None, row, digest)
        state, first_row, first_digest, link, answer_hash, answer, seal = known
        if state == State.FAILED:
            # Nothing was created under it, so its row may have been corrected since.
            connection.execute(
                "UPDATE links SET state = ?, row = ?, digest = ?, error = NULL WHERE reference = ?",
                (State.CLAIMED, row, digest, reference),
            )
            return Entry(State.FAILED, first_row, first_digest, link=link)
        if state != State.DONE:
            return Entry(State.CLAIMED, first_row, first_digest)
        kept = Kept.found(reference, first_digest, link, answer_hash, answer)
        sealed = self._seal is not None and self._seal.proves(kept, seal)
        return Entry(
            State.DONE, first_row, first_digest, kept.answer if sealed else None, kept.link, sealed=sealed
        )

    def purge(self, *, older_than: float = 0.0) -> int:
        """Remove customers' data from the rows that are done or have failed, for good.

        What is kept of a row that is done: its order reference, its number, its digest, its link's id and the
        time. Run again, it retrieves its link by that id, and is never created again. The reasons of failed
        rows are removed too, since a server may quote a request in them. Rows that are still claimed stay as
        they are: they hold nothing else.

        Args:
            older_than: Only rows that were done so many days ago; those of a version 1 journal, which has no
                times, always.

        Returns:
            How many rows lost their answer.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        connection, before = self._open, int(time.time() - older_than * DAY)
        connection.create_function("link_in", 1, link_in)
        connection.execute("PRAGMA secure_delete = ON")
        with self._transaction():
            purged = connection.execute(
                "UPDATE links SET link = coalesce(link, link_in(answer)), answer = NULL"
                " WHERE state = ? AND answer IS NOT NULL AND (done_at IS NULL OR done_at <= ?)",
                (State.DONE, before),
            ).rowcount
            connection.execute("UPDATE links SET error = NULL WHERE error IS NOT NULL")
            connection.execute("UPDATE links SET answer = NULL WHERE state <> ?", (State.DONE,))
        try:
            # Until they are written anew, the free pages and the log still hold what was removed.
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise self._error(
                "its rows are purged, but what was removed may still be in the file,"
                f" which cannot be written anew ({error})"
            ) from None
        return purged

    def counts(self) -> dict[State, int]:
        """Count the rows by what is known of them."""
        rows = self._open.execute("SELECT state, count(*) FROM links GROUP BY state")
        return {State(state): count for state, count in rows}

    def links(self) -> list[tuple[str, State, Any]]:
        """Return (reference, state, decoded link or None) of every row, in the order they were claimed."""
        return list(self.iterate())

    def iterate(self) -> Iterator[tuple[str, State, Any]]:
        """Yield (reference, state, decoded link or None) of every row, one at a time, in the same order.

        A link whose answer was purged is its `id` alone. The answers are as the server wrote them, and the
        seals are not looked at.
        """
        rows = self._open.execute("SELECT reference, state, answer, link FROM links ORDER BY id")
        for reference, state, answer, link in rows:
            found = decoded(answer)
            is_kept = found is None and link is not None and state == State.DONE
            yield reference, State(state), {"id": link} if is_kept else found

    def is_done(self, reference: str, digest: bytes) -> bool:
        """Tell whether the link of a row with this reference and content is known."""
        found = self._open.execute(
            "SELECT 1 FROM links WHERE reference = ? AND digest = ? AND state = ?",
            (reference, digest, State.DONE),
        )
        return found.fetchone() is not None

    def knows(self, reference: str) -> bool:
        """Tell whether a row with this reference was ever claimed in it."""
        return (
            self._open.execute("SELECT 1 FROM links WHERE reference = ?", (reference,)).fetchone() is not None
        )

    def is_empty(self) -> bool:
        """Tell whether no row was ever claimed in it."""
        return self._open.execute("SELECT 1 FROM links LIMIT 1").fetchone() is None

    def references_of_digits(self) -> Iterator[tuple[str, State]]:
        """Yield the references of ASCII digits alone, one at a time, and what is known of each."""
        known = self._open.execute("SELECT reference, state FROM links WHERE reference NOT GLOB '*[^0-9]*'")
        return ((reference, State(state)) for reference, state in known)

    def older_spellings(self, meant: Callable[[str], str]) -> dict[str, str]:
        """Return the references under which an earlier version may have made a link, by what they mean.

        Only those that mean another text than they are, where nothing is known under that text itself.

        Args:
            meant: Returns what a reference means; most mean what they are.
        """
        connection, found = self._open, dict[str, str]()
        known = "SELECT state FROM links WHERE reference = ? AND (state <> ? OR link IS NOT NULL)"
        unusual = connection.execute(
            "SELECT reference FROM links WHERE reference GLOB '*[^ -~]*' OR reference GLOB ' *'"
            " OR reference GLOB '* ' OR reference GLOB '''*' OR reference GLOB '=*'"
        )
        odd = [(name, each) for (each,) in unusual if (name := meant(each)) != each]
        for name, reference in odd:
            state = connection.execute(known, (reference, State.FAILED)).fetchone()
            if state is None or connection.execute(known, (name, State.FAILED)).fetchone() is not None:
                continue
            # Of several, one that is done is the link's own.
            if name not in found or state[0] == State.DONE:
                found[name] = reference
        return found

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise self._error("it is not open")
        return self._connection

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """Change the file: durable when the block ends, or as if it had never begun."""
        connection = self._open
        try:
            with atomically(connection):
                yield connection
        except sqlite3.Error as error:
            raise self._error(f"cannot be written ({error}); nothing more is sent") from None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _shown(reason: str) -> str:
    """Return a reason as the journal keeps it: not too long, and in characters that SQLite takes."""
    return reason[:LONGEST_REASON].encode("utf-8", "backslashreplace").decode()
