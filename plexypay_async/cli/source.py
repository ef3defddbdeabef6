"""Where the rows come from: a file or standard input, read as numbered lines in constant memory."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections import deque
from collections.abc import Generator, Iterator
from typing import BinaryIO, Self, cast

from .._files.sqlite_file import TemporaryFolderError
from .dialect import Dialect
from .exits import UnusableInputError

__all__ = ["Line", "Lines", "Source", "reading"]

LONGEST_LINE = 1 << 20
"""Bytes. A longer line is never a row; it is skipped without being kept in memory."""

_COPIED_AT_ONCE = 1 << 20

_OF_SYSTEM = ("/dev/stdin", "/dev/fd/", "/proc/")
"""Names of what is open already; it has none in a folder."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNPACK = "unpack it first, such as with gunzip -c FILE | plexypay bulk-create -"
_OTHER_FORMATS = {
    b"\xff\xfe": "is UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text: save it as UTF-8",
    b"PK\x03\x04": "is an Excel workbook, or another ZIP file: save the sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook: save the sheet as CSV UTF-8",
    b"\x1f\x8b": f"is compressed (gzip): {_UNPACK}",
    b"BZh": "is compressed (bzip2): unpack it first",
    b"\xfd7zXZ": "is compressed (xz): unpack it first",
    b"(\xb5/\xfd": "is compressed (zstd): unpack it first",
    b"PAR1": "is a Parquet file: export it as CSV, or read it in Python with create_partition",
    b"<": "is a web page, or another XML file: export the table as CSV UTF-8",
    b"%PDF": "is a PDF: export the table as CSV UTF-8",
}
"""What the first bytes of files tell that are neither CSV nor JSON Lines."""

Line = tuple[int, bytes | None]
"""A line's number, from 1, and its bytes with their line ending; None where it is too long."""


class Lines(Iterator[Line]):
    """The physical lines of a binary stream, without a byte-order mark."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._number = 0
        self._again: deque[Line] = deque()
        self.bytes_read = 0
        """How far the stream was read, in bytes."""
        self.ended = False
        """Whether the stream's end was seen."""
        self.ends_open = False
        """Whether the line that came last does not end: the file may have been cut there."""
        self.dialect = Dialect()
        """How the rows are written, once the header was read."""
        self.has_amount_major = False
        """Whether the header of a CSV file has the column ``amount_major``, once it was read."""

    def __next__(self) -> Line:
        if self._again:
            line = self._again.popleft()
            self.ends_open = _ends_open(line[1] or b"\n")
            return line
        data = self._stream.readline(LONGEST_LINE)
        if not data:
            self.ended = True
            raise StopIteration
        self._number += 1
        self.bytes_read += len(data)
        self.ends_open = _ends_open(data)
        if self._number == 1:
            _refuse_other_formats(data)
            self.dialect = Dialect(mark=data.startswith(_BYTE_ORDER_MARK))
            data = data.removeprefix(_BYTE_ORDER_MARK)
        if len(data) < LONGEST_LINE or data.endswith(b"\n"):
            return self._number, data
        while rest := self._stream.readline(LONGEST_LINE):
            self.bytes_read += len(rest)
            if rest.endswith(b"\n"):
                break
        return self._number, None

    def put_back(self, lines: list[Line]) -> None:
        """Yield these lines, in this order, again before any other."""
        self._again.extendleft(reversed(lines))


def _ends_open(data: bytes) -> bool:
    return len(data) < LONGEST_LINE and not data.endswith((b"\n", b"\r"))


def _refuse_other_formats(beginning: bytes) -> None:
    for mark, told in _OTHER_FORMATS.items():
        if beginning.startswith(mark):
            raise UnusableInputError(f"the input {told}")
    # Each second byte of ASCII text in UTF-16 is a NUL.
    if len(beginning) > 3 and (not any(beginning[1:64:2]) or not any(beginning[:64:2])):
        raise UnusableInputError("the input is UTF-16 text without a mark: save it as UTF-8")


class Source:
    """An input that was opened: a file, a pipe or standard input.

    Args:
        path: The file's path; ``-`` is standard input.

    Raises:
        UnusableInputError: The file cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.name: str = "stdin" if path == "-" else path
        """What messages call the input."""
        if path == "-" and sys.__stdin__ is None:
            raise UnusableInputError("cannot read stdin: it is closed")
        try:
            # A reader of its own on descriptor 0: the interpreter's own stdin object cannot be left blocked
            # in a thread when the process ends.
            self._stream: BinaryIO = (
                open(0, "rb", closefd=False) if path == "-" else open(path, "rb")  # noqa: SIM115
            )
            found = os.fstat(self._stream.fileno())
        except OSError as error:
            raise UnusableInputError(f"cannot read {self.name}: {error.strerror}") from None
        self.repeatable = stat.S_ISREG(found.st_mode)
        """Whether the input can be read from its beginning again, and never blocks."""
        self._start = self._stream.tell() if self.repeatable else 0
        self.size = found.st_size - self._start if self.repeatable else None
        """Bytes; None for a pipe, whose end is not known."""
        self._path = None if path == "-" else path
        self.file: str | None = self._path if self.repeatable and not path.startswith(_OF_SYSTEM) else None
        """The path of a file that stands in a folder; None for standard input and pipes."""
        self._found = found if self.repeatable else None
        self._lines: Lines | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread may be blocked in reading a pipe, which then stays open until the process ends.
        if self.repeatable or (self._lines is not None and self._lines.ended):
            self._stream.close()

    def lines(self) -> Lines:
        """Return the lines from the beginning; a pipe can be read only once."""
        if self.repeatable:
            self._stream.seek(self._start)
        self._lines = Lines(self._stream)
        return self._lines

    def change(self) -> str | None:
        """Say how a file has changed since it was opened; None where it has not, and for a pipe."""
        if self._found is None:
            return None
        before = self._found
        try:
            now = os.fstat(self._stream.fileno())
            there = now if self._path is None else os.stat(self._path)
        except (OSError, ValueError):
            return f"{self.name} was removed while it was read"
        if (there.st_dev, there.st_ino) != (before.st_dev, before.st_ino):
            return f"{self.name} was replaced by another file while it was read"
        if now.st_size != before.st_size:
            return f"{self.name} had {before.st_size:,} bytes when it was opened, and has {now.st_size:,} now"
        if now.st_mtime_ns != before.st_mtime_ns:
            return f"{self.name} was written to while it was read"
        return None

    def spool(self) -> None:
        """Make a pipe repeatable: read it to its end into a temporary file that nobody else sees."""
        if self.repeatable:
            return
        try:
            copy = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        except OSError as error:
            raise self._no_room(error) from None
        while True:
            with reading(self.name):
                data = self._stream.read(_COPIED_AT_ONCE)
            try:
                copy.write(data)
                if not data:
                    copy.flush()
                    break
            except OSError as error:
                # Closing tries once more to write it.
                with contextlib.suppress(OSError):
                    copy.close()
                raise self._no_room(error) from None
        self._stream.close()
        self._stream = copy
        self._start = 0
        self.size = copy.tell()
        self.repeatable = True

    def _no_room(self, error: OSError) -> UnusableInputError:
        folder = f" {tempfile.tempdir}" if tempfile.tempdir else ""
        return UnusableInputError(
            f"cannot copy {self.name} into the temporary folder{folder} ({error.strerror}): make room there,"
            " set TMPDIR to another folder, or give the rows as a file"
        )


@contextlib.contextmanager
def reading(name: str) -> Generator[None]:
    """Tell what breaks while an input is read, before the first request.

    Raises:
        UnusableInputError: Instead of an `OSError` or a `TemporaryFolderError`.
    """
    try:
        yield
    except OSError as error:
        raise UnusableInputError(f"cannot read {name} to its end: {error.strerror or error}") from None
    except TemporaryFolderError as error:
        raise UnusableInputError(str(error)) from None
