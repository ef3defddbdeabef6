"""The results file: what became of every row, written as it becomes known."""

from __future__ import annotations

import contextlib
import csv
import enum
import errno
import hashlib
import os
from collections.abc import Container
from typing import Any, TextIO

import attrs

from .._files.private_files import make_private, open_private
from .._privacy.printable import printable, printable_json
from .exits import UnusableInputError

__all__ = ["ResultsFile", "RowOutcome", "RowResult", "check_results_path"]

_ENDINGS = (".csv", ".jsonl")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class RowOutcome(enum.StrEnum):
    """What became of a row."""

    CREATED = "created"
    """There is a new link; with an error where a field of its answer other than id and URL is unreadable."""
    RECOVERED = "recovered"
    """There is a link, and a look-up found it: the answer to its request was lost, or its order reference
    existed already, with the same amount and currency."""
    JOURNAL = "journal"
    """An earlier run has made the link: it comes from the journal, without a request."""
    REPEATED = "repeated"
    """An earlier line of the file is the same, and this is its link."""
    FAILED = "failed"
    """There is no link."""
    UNKNOWN = "unknown"
    """There may be a link, or there is one without a known URL: look for it before running the row again."""
    INVALID = "invalid"
    """The row was bad and not sent."""


@attrs.frozen(kw_only=True)
class RowResult:
    """One line of the results file; its fields are the columns, in this order."""

    line: int
    order_reference: str | None = None
    outcome: RowOutcome
    link_id: str | None = None
    url: str | None = None
    error: str | None = None
    error_code: int | None = None
    error_message: str | None = None


_COLUMNS = tuple(field.name for field in attrs.fields(RowResult))
_BEGINNING_OF_CSV = ",".join(_COLUMNS).encode()
_BEGINNING_OF_JSON_LINES = f'{{"{_COLUMNS[0]}": '.encode()


def check_results_path(path: str, *, rewrite: bool, known: Container[str] | None = None) -> None:
    """Refuse a file that results must not be written to.

    Args:
        path: The file.
        rewrite: Whether results of an earlier run may be replaced.
        known: The digests of those that may be; None leaves it at their being results.

    Raises:
        UnusableInputError: The name's ending is neither ``.csv`` nor ``.jsonl``, or the file exists and is
            not one of results that may be replaced.
    """
    if not path.lower().endswith(_ENDINGS):
        raise UnusableInputError(f"--results {path}: the name must end in .csv or .jsonl")
    if not os.path.lexists(path):
        return
    if not rewrite:
        raise UnusableInputError(f"{path} exists: results are never overwritten, give another name")
    try:
        _check_existing(path, known)
    except OSError as error:
        raise UnusableInputError(f"cannot write {path}: {error.strerror}") from None


def _check_existing(path: str, known: Container[str] | None) -> None:
    """Refuse an existing file that is no results, or whose digest is not known."""
    with open(open_private(path, os.O_RDONLY), "rb") as file:
        beginning = _BEGINNING_OF_CSV if path.lower().endswith(".csv") else _BEGINNING_OF_JSON_LINES
        # A run of an earlier version that was killed as it began has left fewer of them, or none.
        if not beginning.startswith(file.read(len(beginning))):
            raise UnusableInputError(
                f"{path} exists and holds no results: it was left as it is, give another name"
            )
        rest = file.read(2)
        if known is None or (rest in (b"", b"\r\n") and not file.read(1)):
            return
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() not in known:
            raise UnusableInputError(
                f"{path} holds results that no run with this journal has left there: they are another job's,"
                " or were changed since. They were left as they are. Give the job's own --journal, another"
                " name for --results, or --overwrite to replace them"
            )


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class ResultsFile:
    """A CSV or JSON Lines file of `RowResult`, in the order in which rows end, in UTF-8.

    It is written beside its name, as `partial`, and takes its name when it is closed: whoever opens it finds
    all of it, or that of the run before. Every line reaches the operating system when it is written, so that
    a run that is killed leaves there what happened until then.

    A CSV file is opened in spreadsheets, and its texts come from others: a cell that begins with ``=``,
    ``+``, ``-``, ``@``, a tab or a carriage return gets an apostrophe before it, so that it is shown and not
    calculated, and characters that a terminal obeys or that are not seen are escapes. JSON Lines keep every
    text exactly; programs should read those, or match rows by ``line``.

    The file is its owner's alone (mode 0600): it names customers' orders.

    Args:
        path: The file to make. One that exists is left as it is.
        rewrite: Whether results of an earlier run are replaced; a file of anything else is left as it is.
        known: The digests of the results that may be replaced; None for any.
        mark: A word of the name beside, by which what is left of a killed run is known as its own job's.

    Raises:
        UnusableInputError: The file exists or cannot be made, or is a symbolic link or another user's.
    """

    def __init__(
        self, path: str, *, rewrite: bool = False, known: Container[str] | None = None, mark: str = ""
    ) -> None:
        check_results_path(path, rewrite=rewrite, known=known)
        self.path = path
        self.partial = f"{path}.{mark}.part" if mark else f"{path}.part"
        """Where it is until it is closed."""
        self._before = _stamp(path)
        try:
            if self._before is not None:
                # It is to be replaced, and until then no more open than what replaces it.
                with open(open_private(path, os.O_RDONLY), "rb") as existing:
                    make_private(existing.fileno(), path)
            if mark:
                # What is left there is of an earlier run with the same journal, which knows it too.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.partial)
            descriptor = open_private(self.partial, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            # Line-buffered; a byte of the input that is not UTF-8 is written as an escape.
            self._file: TextIO = open(  # noqa: SIM115
                descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", newline=""
            )
        except FileExistsError:
            raise UnusableInputError(
                f"{self.partial} exists: it holds the results of a run that was killed, or is under way."
                " Links may be in it that nothing else tells of: give it another name first"
            ) from None
        except OSError as error:
            raise UnusableInputError(f"cannot write {self.partial}: {error.strerror}") from None
        self._failed = False
        self._csv: Any = None
        if path.lower().endswith(".csv"):
            self._csv = csv.writer(self._file)
            self._csv.writerow(_COLUMNS)

    def finish(self) -> str:
        """End the writing, and return the digest of what is in the file; it is durable then.

        Raises:
            OSError: It cannot be written.
        """
        # Closing tries once more to write what could not be written, which was reported then.
        with contextlib.suppress(*(OSError,) if self._failed else ()):
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
        with open(self.partial, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def publish(self) -> None:
        """Give the file its name.

        Raises:
            OSError: It cannot have it, or another program has written a file of that name meanwhile.
        """
        if _stamp(self.path) != self._before:
            raise FileExistsError(errno.EEXIST, "another program has written it meanwhile", self.path)
        os.replace(self.partial, self.path)

    def close(self) -> None:
        """End the writing, and give the file its name."""
        self.finish()
        self.publish()

    def discard(self) -> None:
        """Leave no trace of it: nothing has happened."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.partial)

    def write(self, result: RowResult) -> None:
        """Add one line.

        Raises:
            OSError: The disk is full, or the file can no longer be written for another reason.
        """
        try:
            if self._csv is not None:
                self._csv.writerow(map(_cell, attrs.astuple(result, recurse=False)))
            else:
                self._file.write(as_json(result) + "\n")
        except OSError:
            self._failed = True
            raise


def as_json(result: RowResult) -> str:
    """Return a result as one line of JSON, without a line ending."""
    return printable_json(attrs.asdict(result, recurse=False))


def _cell(value: object) -> str:
    if value is None:
        return ""
    # CSV quotes these by itself.
    text = printable(str(value), keep="\t\r\n")
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA_STARTS) else text
