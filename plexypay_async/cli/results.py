"""The results file: what became of every row, written as it becomes known."""

from __future__ import annotations

import contextlib
import enum
import errno
import hashlib
import itertools
import os
import re
import shutil
import sys
from collections.abc import Container
from typing import ClassVar, TextIO

import attrs

from .._files.private_files import make_private, open_private
from .._files.sqlite_file import TemporaryFolderError
from .._privacy.printable import printable_json
from .dialect import DELIMITERS, Dialect
from .exits import UnusableInputError
from .line_order import READ_AT_ONCE, LineOrder
from .terminal import STANDARD_OUTPUT, require_output

__all__ = [
    "LineRecord",
    "Results",
    "ResultsFile",
    "RowOutcome",
    "RowResult",
    "check_results_path",
    "have_links",
]

_ENDINGS = (".csv", ".jsonl")
_ANOTHER_NAME = "give another name"
_TO_A_FILE = ": give --results FILE"
_ESCAPED = "backslashreplace"


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

    @property
    def has_link(self) -> bool:
        """Whether the row has a link that is known."""
        return self in _WITH_LINK


_WITH_LINK = (RowOutcome.CREATED, RowOutcome.RECOVERED, RowOutcome.JOURNAL, RowOutcome.REPEATED)


@attrs.frozen(kw_only=True)
class LineRecord:
    """What is told of one line of the input; the fields are the columns, in this order."""

    line: int

    @property
    def has_link(self) -> bool:
        """Whether it tells of a link."""
        return False


@attrs.frozen(kw_only=True)
class RowResult(LineRecord):
    """One line of the results file; its fields are the columns, in this order."""

    order_reference: str | None = None
    outcome: RowOutcome
    link_id: str | None = None
    url: str | None = None
    error: str | None = None
    error_code: int | None = None
    error_message: str | None = None
    amount_major: str | None = None
    """The row's own amount, in **major** units, with a point before the decimals."""
    currency: str | None = None
    description: str | None = None

    @property
    def has_link(self) -> bool:
        """Whether the row has a link that is known."""
        return self.outcome.has_link


_COLUMNS = tuple(field.name for field in attrs.fields(RowResult))
_FIRST_COLUMNS = _COLUMNS[: _COLUMNS.index("amount_major")]
"""Results of an earlier version have these alone."""
_OF_CSV = [
    Dialect(delimiter=delimiter, named=named, mark=mark).beginning(columns).encode()
    for columns, delimiter, named, mark in itertools.product(
        (_COLUMNS, _FIRST_COLUMNS), DELIMITERS, (False, True), (False, True)
    )
]
_OF_JSON_LINES = [f'{{"{_COLUMNS[0]}": '.encode()]
"""What results begin with."""
_OF_LINK = re.compile(
    rb"""(?:\{"line":\ \d+,\ .*"outcome":\ "|\d+([,;\t|])(?:"(?:[^"]|"")*"|[^,;\t|"]*)\1)"""
    rb"(?:" + "|".join(_WITH_LINK).encode() + rb")\b",
    re.VERBOSE,
)
"""What a line of results begins with that tells of a link."""
_OF_LINK_ID = re.compile(
    rb"""\{"line":\ \d+,\ .*"link_id":\ "|\d+([,;\t|])(?:"(?:[^"]|"")*"|[^,;\t|"]*)\1\w+\1(?!\1)[^\r\n]""",
    re.VERBOSE,
)
"""What a line of results begins with that has a link's id, which rows without a known link may have too."""


def check_results_path(
    path: str,
    *,
    rewrite: bool,
    known: Container[str] | None = None,
    advice: str = _ANOTHER_NAME,
    what: str = "results",
) -> None:
    """Refuse a file that results must not be written to.

    Args:
        path: The file.
        rewrite: Whether results of an earlier run may be replaced.
        known: The digests of those that may be; None leaves it at their being results.
        advice: What to do about it.
        what: What is written to it, as the option that names the file is called.

    Raises:
        UnusableInputError: The name's ending is neither ``.csv`` nor ``.jsonl``, or the file exists and is
            not one of results that may be replaced.
    """
    if not path.lower().endswith(_ENDINGS):
        raise UnusableInputError(f"--{what} {path}: the name must end in .csv or .jsonl")
    if not os.path.lexists(path):
        return
    if not rewrite:
        raise UnusableInputError(f"{path} exists: {what} are never overwritten, {advice}")
    if not _may_go(path, known, advice):
        raise UnusableInputError(
            f"{path} holds results that no run with this journal has left there: they are another job's,"
            " or were changed since. They were left as they are. Give the job's own --journal, another"
            " name for --results, or --overwrite to replace them"
        )


def have_links(path: str) -> bool:
    """Tell whether the id of a link stands in existing results, whatever became of its row.

    Raises:
        OSError: They cannot be read.
    """
    with open(open_private(path, os.O_RDONLY), "rb") as file:
        return any(map(_OF_LINK_ID.match, file))


def _may_go(path: str, known: Container[str] | None, advice: str) -> bool:
    """Tell whether existing results may be lost: they are known, or there are none in them.

    Raises:
        UnusableInputError: The file holds something else.
    """
    try:
        are_there = _has_results(path)
        if are_there is None:
            raise UnusableInputError(f"{path} exists and holds no results: it was left as it is, {advice}")
        if known is None or not are_there:
            return True
        with open(open_private(path, os.O_RDONLY), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() in known
    except OSError as error:
        raise UnusableInputError(f"cannot write {path}: {error.strerror}{_or(advice)}") from None


def _has_results(path: str, form: str | None = None) -> bool | None:
    """Tell whether there are results of rows in a file; None where it holds something else.

    Args:
        path: The file.
        form: The file's name as results have it, where it is another.

    Raises:
        OSError: It cannot be read.
    """
    beginnings = _OF_CSV if (form or path).lower().endswith(".csv") else _OF_JSON_LINES
    with open(open_private(path, os.O_RDONLY), "rb") as file:
        data = file.read(max(map(len, beginnings)) + 3)
    # A run of an earlier version that was killed as it began has left fewer of them, or none.
    found = [each for each in beginnings if each.startswith(data[: len(each)])]
    if not found:
        return None
    return all(data[len(each) :] not in (b"", b"\r\n") for each in found)


def _or(advice: str) -> str:
    return "" if advice == _ANOTHER_NAME else f": {advice}"


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Results:
    """`RowResult` by `RowResult` as CSV or JSON Lines, in UTF-8, in the order in which rows end.

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

    columns: ClassVar[tuple[str, ...]] = _COLUMNS
    what: ClassVar[str] = "results"
    """What messages call them; the option that names their file is called so, too."""

    moved: str | None = None
    """Where earlier results of their name are now, if they were set aside."""
    kept: str | None = None
    """The name that they were to have, if earlier results stay there because no row of these has a link."""
    unordered: str | None = None
    """Why they are not in the input's order, if they were to be."""

    def __init__(self, file: TextIO, path: str, dialect: Dialect) -> None:
        self.path = path
        self._file = file
        self._dialect = dialect
        self._failed = False
        self._beginning = "" if dialect.json_lines else dialect.beginning(self.columns) + "\r\n"
        self._file.write(self._beginning)

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

    def write(self, result: LineRecord) -> None:
        """Add one line.

        Raises:
            OSError: The disk is full, or the file can no longer be written for another reason.
        """
        if self._dialect.json_lines:
            text = as_json(result) + "\n"
        else:
            text = self._dialect.line(attrs.astuple(result, recurse=False))
        try:
            self._file.write(text)
        except OSError:
            self._failed = True
            raise
        self._note(result, text)

    def _note(self, result: LineRecord, text: str) -> None:
        """Note a line that was written."""

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
    all of it, in the order of the input, or that of the run before. A run that is killed leaves there what
    happened until then, in the order in which rows ended.

    Where no row has a link, earlier results in which there is something stay, unless any may be replaced: the
    new ones have another name then, such as ``orders.results.1.csv``.

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

    _of_killed_run: ClassVar[str] = (
        "it holds the results of a run that was killed, or is under way. Links may be in it that nothing else"
        " tells of: give it another name first"
    )

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
        self._keeps_earlier = known is not None
        self._has_links = False
        self._order = LineOrder()
        if set_aside and os.path.lexists(path):
            self._set_aside = not _may_go(path, known, advice)
        elif not set_aside and not self._is_earlier(path):
            check_results_path(path, rewrite=rewrite, known=known, advice=advice, what=self.what)
        self._partial = f"{path}.{mark}.part" if mark else f"{path}.part"
        self._ordered = f"{self._partial.removesuffix('.part')}.ordered.part"
        try:
            self._before = _stamp(path)
            if self._before is not None:
                # It is to be replaced, and until then no more open than what replaces it.
                with open(open_private(path, os.O_RDONLY), "rb") as existing:
                    make_private(existing.fileno(), path)
            if mark:
                # What is left there is of an earlier run with the same journal, which knows it too.
                for left in (self._partial, self._ordered):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(left)
            file = _text(open_private(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            self._made = os.fstat(file.fileno())
        except FileExistsError:
            raise UnusableInputError(f"{self._partial} exists: {self._of_killed_run}") from None
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
        self._order.begin(len(self._beginning.encode()))

    def _note(self, result: LineRecord, text: str) -> None:
        self._order.note(result.line, len(text.encode(errors=_ESCAPED)))
        self._has_links = self._has_links or result.has_link

    def _is_earlier(self, path: str) -> bool:
        """Tell whether a file is one that is set aside though that was not asked for, and note it."""
        return False

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

        What was removed meanwhile is written anew. Where the input's order cannot be had, the file stays as
        it is, and `unordered` says why.

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
        if not (self._failed or self._order.is_kept):
            self._put_in_order()
        self._order.close()
        with open(self._partial, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _put_in_order(self) -> None:
        """Replace the partial file by one in the input's order, once that is whole."""
        try:
            with contextlib.suppress(FileNotFoundError):
                # Of a run that was killed in this very step: the results of that one are elsewhere.
                if _has_results(self._ordered, self.path) is not None:
                    os.unlink(self._ordered)
            with open(open_private(self._partial, os.O_RDONLY), "rb", buffering=READ_AT_ONCE) as source:
                made = self._order.copy(source, self._ordered)
            try:
                os.replace(self._ordered, self._partial)
            except OSError:
                os.unlink(self._ordered)
                raise
            self._made = made
        except OSError as error:
            self.unordered = error.strerror
        except TemporaryFolderError as error:
            self.unordered = str(error)

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
        if self._before and not self._has_links and self._are_earlier_kept():
            self.kept, self.path = self.path, _free_name(self.path)
        elif self._set_aside:
            self.moved = _free_name(self.path)
            os.replace(self.path, self.moved)
        os.replace(self._partial, self.path)

    def _are_earlier_kept(self) -> bool:
        """Tell whether earlier results stay where these have no link: others' always, its own with links."""
        if not (self._keeps_earlier and _has_results(self.path)):
            return False
        if self._set_aside:
            return True
        with open(open_private(self.path, os.O_RDONLY), "rb") as file:
            return any(map(_OF_LINK.match, file))

    def discard(self) -> None:
        """Leave no trace of it: nothing has happened."""
        is_there = self.partial is not None
        super().discard()
        self._order.close()
        with contextlib.suppress(OSError):
            if is_there:
                os.unlink(self._partial)


def _text(file: int, *, closefd: bool = True) -> TextIO:
    # Line-buffered; a byte of the input that is not UTF-8 is written as an escape.
    return open(file, "w", buffering=1, encoding="utf-8", errors=_ESCAPED, newline="", closefd=closefd)


def _free_name(path: str) -> str:
    """Return the first free name with a number in it, and take it with an empty file."""
    stem, ending = os.path.splitext(path)
    for number in itertools.count(1):
        name = f"{stem}.{number}{ending}"
        try:
            os.close(open_private(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return name
    raise AssertionError


def as_json(result: LineRecord) -> str:
    """Return a result as one line of JSON, without a line ending."""
    return printable_json(attrs.asdict(result, recurse=False))
