"""The results file: what became of every row, written as it becomes known."""

from __future__ import annotations

import contextlib
import csv
import enum
import os
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
    """There is a new link; the answer to its request was lost, and a look-up found it."""
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


def check_results_path(path: str, *, rewrite: bool) -> None:
    """Refuse a file that results must not be written to.

    Args:
        path: The file.
        rewrite: Whether results of an earlier run may be replaced.

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
        os.close(_open_existing(path, os.O_RDONLY))
    except OSError as error:
        raise UnusableInputError(f"cannot write {path}: {error.strerror}") from None


def _open_existing(path: str, mode: int) -> int:
    descriptor = open_private(path, mode)
    try:
        beginning = _BEGINNING_OF_CSV if path.lower().endswith(".csv") else _BEGINNING_OF_JSON_LINES
        # A run that was killed while it wrote the first bytes has left fewer of them, or none.
        if not beginning.startswith(os.read(descriptor, len(beginning))):
            raise UnusableInputError(
                f"{path} exists and holds no results: it was left as it is, give another name"
            )
        if mode != os.O_RDONLY:
            make_private(descriptor, path)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class ResultsFile:
    """A CSV or JSON Lines file of `RowResult`, in the order in which rows end, in UTF-8.

    Every line reaches the operating system when it is written, so that a run that is stopped or killed leaves
    what happened until then.

    A CSV file is opened in spreadsheets, and its texts come from others: a cell that begins with ``=``,
    ``+``, ``-``, ``@``, a tab or a carriage return gets an apostrophe before it, so that it is shown and not
    calculated, and characters that a terminal obeys or that are not seen are escapes. JSON Lines keep every
    text exactly; programs should read those, or match rows by ``line``.

    The file is its owner's alone (mode 0600): it names customers' orders.

    Args:
        path: The file to make. One that exists is left as it is.
        rewrite: Whether results of an earlier run are replaced; a file of anything else is left as it is.

    Raises:
        UnusableInputError: The file exists or cannot be made, or is a symbolic link or another user's.
    """

    def __init__(self, path: str, *, rewrite: bool = False) -> None:
        check_results_path(path, rewrite=rewrite)
        self.path = path
        try:
            if rewrite and os.path.lexists(path):
                descriptor = _open_existing(path, os.O_RDWR)
            else:
                descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            # Line-buffered; a byte of the input that is not UTF-8 is written as an escape.
            self._file: TextIO = open(  # noqa: SIM115
                descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", newline=""
            )
        except OSError as error:
            raise UnusableInputError(f"cannot write {path}: {error.strerror}") from None
        self._failed = False
        self._csv: Any = None
        if path.lower().endswith(".csv"):
            self._csv = csv.writer(self._file)
            self._csv.writerow(_COLUMNS)

    def close(self) -> None:
        """Close the file."""
        # Closing tries once more to write what could not be written, which was reported then.
        with contextlib.suppress(*(OSError,) if self._failed else ()):
            self._file.close()

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
