"""The results file: what became of every row, written as it becomes known."""

from __future__ import annotations

import contextlib
import enum
import errno
import hashlib
import itertools
import os
import shutil
import sys
from collections.abc import Container
from typing import TextIO

import attrs

from .._files.private_files import make_private, open_private
from .._privacy.printable import printable_json
from .dialect import DELIMITERS, Dialect
from .exits import UnusableInputError
from .terminal import STANDARD_OUTPUT, require_output

__all__ = ["Results", "ResultsFile", "RowOutcome", "RowResult", "check_results_path"]

_ENDINGS = (".csv", ".jsonl")
_ANOTHER_NAME = "give another name"
_TO_A_FILE = ": give --results FILE"


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
    """There may be a link, or there is one without a known URL; without a reference, look for it."""
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
_OF_CSV = [
    Dialect(delimiter=delimiter, named=named, mark=mark).beginning(_COLUMNS).encode()
    for delimiter, named, mark in itertools.product(DELIMITERS, (False, True), (False, True))
]
_OF_JSON_LINES = [f'{{"{_COLUMNS[0]}": '.encode()]
"""What results begin with."""


def check_results_path(
    path: str, *, rewrite: bool, known: Container[str] | None = None, advice: str = _ANOTHER_NAME
) -> None:
    """Refuse a file that results must not be written to.

    Args:
        path: The file.
        rewrite: Whether results of an earlier run may be replaced.
        known: The digests of those that may be; None leaves it at their being results.
        advice: What to do about it.

    Raises:
        UnusableInputError: The name's ending is neither ``.csv`` nor ``.jsonl``, or the file exists and is
            not one of results that may be replaced.
    """
    if not path.lower().endswith(_ENDINGS):
        raise UnusableInputError(f"--results {path}: the name must end in .csv or .jsonl")
    if not os.path.lexists(path):
        return
    if not rewrite:
        raise UnusableInputError(f"{path} exists: results are never overwritten, {advice}")
    if not _may_go(path, known, advice):
        raise UnusableInputError(
            f"{path} holds results that no run with this journal has left there: they are another job's,"
            " or were changed since. They were left as they are. Give the job's own --journal, another"
            " name for --results, or --overwrite to replace them"
        )


def _may_go(path: str, known: Container[str] | None, advice: str) -> bool:
    """Tell whether existing results may be lost: they are known, or there are none in them.

    Raises:
        UnusableInputError: The file holds something else.
    """
    beginnings = _OF_CSV if path.lower().endswith(".csv") else _OF_JSON_LINES
    try:
        with open(open_private(path, os.O_RDONLY), "rb") as file:
            data = file.read(max(map(len, beginnings)) + 3)
            # A run of an earlier version that was killed as it began has left fewer of them, or none.
            found = [each for each in beginnings if each.startswith(data[: len(each)])]
            if not found:
                raise UnusableInputError(
                    f"{path} exists and holds no results: it was left as it is, {advice}"
                )
            if known is None or any(data[len(each) :] in (b"", b"\r\n") for each in found):
                return True
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest() in known
    except OSError as error:
        raise UnusableInputError(f"cannot write {path}: {error.strerror}{_or(advice)}") from None


def _or(advice: str) -> str:
    return "" if advice == _ANOTHER_NAME else f": {advice}"


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Results:
    """`RowResult` by `RowResult` as CSV or JSON Lines, in the order in which rows end, in UTF-8.

    Every line reaches the operating system when it is written.

    CSV is opened in spreadsheets, and its texts come from others: an apostrophe stands wherever one would
    begin to calculate (see `with_marks`), and characters that a terminal obeys or that are not seen are
    escapes. JSON Lines keep every text exactly; programs should read those, or match rows by ``line``.

    Args:
        file: Where they are written to.
        path: What messages call that.
        dialect: How they are written.

    Raises:
        OSError: The file cannot be written.
    """

    moved: str | None = None
    """Where earlier results of their name are now, if they were set aside."""

    def __init__(self, file: TextIO, path: str, dialect: Dialect) -> None:
        self.path = path
        self._file = file
        self._dialect = dialect
        self._failed = False
        if not dialect.json_lines:
            self._file.write(dialect.beginning(_COLUMNS) + "\r\n")

    @property
    def partial(self) -> str | None:
        """Where they are until they are whole, if that is another file."""
        return None

    @classmethod
    def on_standard_output(cls, dialect: Dialect) -> Results:
        """Return results that are written to standard output.

        Raises:
            UnusableInputError: It is closed, or cannot be written.
        """
        require_output("results", _TO_A_FILE)
        # Not the interpreter's own, whose encoding may be another, and which a bar on the terminal takes.
        file = _text((sys.__stdout__ or sys.stdout).fileno(), closefd=False)
        if file.isatty():
            dialect = attrs.evolve(dialect, kept="")
        try:
            return cls(file, STANDARD_OUTPUT, dialect)
        except OSError as error:
            with contextlib.suppress(OSError):
                file.close()
            raise UnusableInputError(
                f"cannot write to {STANDARD_OUTPUT}: {error.strerror}: give --results FILE"
            ) from None

    def write(self, result: RowResult) -> None:
        """Add one line.

        Raises:
            OSError: The disk is full, or the file can no longer be written for another reason.
        """
        try:
            if self._dialect.json_lines:
                self._file.write(as_json(result) + "\n")
            else:
                self._file.write(self._dialect.line(attrs.astuple(result, recurse=False)))
        except OSError:
            self._failed = True
            raise

    def finish(self) -> str | None:
        """End the writing, and return the digest of what is in the file, if it is one of their own.

        Raises:
            OSError: It cannot be written.
        """
        # Closing tries once more to write what could not be written, which was reported then.
        with contextlib.suppress(*(OSError,) if self._failed else ()):
            self._file.close()
        return None

    def publish(self) -> None:
        """Give the file its name, if it is one of their own."""

    def close(self) -> None:
        """End the writing, and give the file its name."""
        self.finish()
        self.publish()

    def discard(self) -> None:
        """Leave no trace of it: nothing has happened."""
        with contextlib.suppress(OSError):
            self._file.close()


class ResultsFile(Results):
    """Results in a file.

    It is written beside its name, as `partial`, and takes its name when it is closed: whoever opens it finds
    all of it, or that of the run before. A run that is killed leaves there what happened until then.

    The file is its owner's alone (mode 0600): it names customers' orders.

    Args:
        path: The file to make, as CSV or, by its ending, JSON Lines. One that exists is left as it is.
        dialect: How CSV is written.
        rewrite: Whether results of an earlier run are replaced; a file of anything else is left as it is.
        known: The digests of the results that may be replaced; None for any.
        set_aside: Whether results that are not `known` are kept under another name, such as
            ``orders.results.1.csv``, whatever `rewrite` says.
        mark: A word of the name beside, by which what is left of a killed run is known as its own job's.
        advice: What to do where it cannot be made.

    Raises:
        UnusableInputError: The file exists or cannot be made, or is a symbolic link or another user's.
    """

    def __init__(
        self,
        path: str,
        *,
        dialect: Dialect | None = None,
        rewrite: bool = False,
        known: Container[str] | None = None,
        set_aside: bool = False,
        mark: str = "",
        advice: str = _ANOTHER_NAME,
    ) -> None:
        self._lost = False
        self._set_aside = False
        if not set_aside:
            check_results_path(path, rewrite=rewrite, known=known, advice=advice)
        elif os.path.lexists(path):
            self._set_aside = not _may_go(path, known, advice)
        self._partial = f"{path}.{mark}.part" if mark else f"{path}.part"
        try:
            self._before = _stamp(path)
            if self._before is not None:
                # It is to be replaced, and until then no more open than what replaces it.
                with open(open_private(path, os.O_RDONLY), "rb") as existing:
                    make_private(existing.fileno(), path)
            if mark:
                # What is left there is of an earlier run with the same journal, which knows it too.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._partial)
            file = _text(open_private(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            self._made = os.fstat(file.fileno())
        except FileExistsError:
            raise UnusableInputError(
                f"{self._partial} exists: it holds the results of a run that was killed, or is under way."
                " Links may be in it that nothing else tells of: give it another name first"
            ) from None
        except OSError as error:
            folder = os.path.dirname(path)
            why = f"there is no folder {folder}" if folder and not os.path.isdir(folder) else error.strerror
            raise UnusableInputError(f"cannot write {path}: {why}{_or(advice)}") from None
        if not path.lower().endswith(".csv"):
            dialect = Dialect(json_lines=True)
        elif dialect is None or dialect.json_lines:
            dialect = Dialect()
        try:
            super().__init__(file, path, dialect)
        except OSError as error:
            self.discard()
            raise UnusableInputError(f"cannot write {path}: {error.strerror}{_or(advice)}") from None

    @property
    def partial(self) -> str | None:
        """Where they are until they are whole; None once that was removed, or replaced by another file."""
        try:
            is_there = os.path.samestat(os.lstat(self._partial), self._made)
        except OSError:
            is_there = False
        return self._partial if is_there and not self._lost else None

    def finish(self) -> str:
        """End the writing, and return the digest of what is in the file; it is durable then.

        What was removed meanwhile is written anew.

        Raises:
            OSError: It cannot be written.
        """
        with contextlib.suppress(*(OSError,) if self._failed else ()):
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            finally:
                # Before it is closed, since nothing has its content then.
                self._lost = self.partial is None and not self._written_anew()
                self._file.close()
        self._check_place()
        with open(self._partial, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _written_anew(self) -> bool:
        """Write what is in the open file, which lost its name, into a new one; tell whether that worked."""
        made = False
        try:
            with open(open_private(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL), "wb") as copy:
                made = True
                with open(os.dup(self._file.fileno()), "rb") as whole:
                    whole.seek(0)
                    shutil.copyfileobj(whole, copy)
                copy.flush()
                os.fsync(copy.fileno())
                self._made = os.fstat(copy.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                if made:
                    os.unlink(self._partial)
            return False
        return True

    def _check_place(self) -> None:
        if self.partial is None:
            told = f"{self._partial} was removed or replaced while the job ran"
            raise FileNotFoundError(errno.ENOENT, told, self._partial)

    def publish(self) -> None:
        """Give the file its name.

        Raises:
            OSError: It cannot have it, or another program has written a file of that name meanwhile.
        """
        self._check_place()
        if _stamp(self.path) != self._before:
            raise FileExistsError(errno.EEXIST, "another program has written it meanwhile", self.path)
        if self._set_aside:
            self.moved = _moved_aside(self.path)
        os.replace(self._partial, self.path)

    def discard(self) -> None:
        """Leave no trace of it: nothing has happened."""
        is_there = self.partial is not None
        super().discard()
        with contextlib.suppress(OSError):
            if is_there:
                os.unlink(self._partial)


def _text(file: int, *, closefd: bool = True) -> TextIO:
    # Line-buffered; a byte of the input that is not UTF-8 is written as an escape.
    return open(
        file, "w", buffering=1, encoding="utf-8", errors="backslashreplace", newline="", closefd=closefd
    )


def _moved_aside(path: str) -> str:
    """Give a file the first free name with a number in it, and return that."""
    stem, ending = os.path.splitext(path)
    for number in itertools.count(1):
        name = f"{stem}.{number}{ending}"
        try:
            # Taken first, so that no other file of that name is lost.
            os.close(open_private(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        os.replace(path, name)
        return name
    raise AssertionError


def as_json(result: RowResult) -> str:
    """Return a result as one line of JSON, without a line ending."""
    return printable_json(attrs.asdict(result, recurse=False))
