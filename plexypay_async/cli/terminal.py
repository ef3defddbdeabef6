"""What the command writes to its two streams, as text that a terminal only shows and never obeys.

Most of it quotes a server, a file or a file's name. So each text is one line, in which control characters,
those that turn the direction of the text, and those that are not seen are written as escapes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import textwrap
from typing import TextIO

from .._privacy.printable import printable
from .exits import LostOutputError, UnusableInputError

__all__ = [
    "STANDARD_OUTPUT",
    "ask",
    "drop_errors_that_fail",
    "drop_output",
    "drop_output_that_fails",
    "has_somebody_to_ask",
    "log_on_one_line",
    "open_streams",
    "output_is_closed",
    "printable",
    "require_output",
    "show",
    "tell",
    "tell_command",
    "wrapped",
    "write_output",
    "write_to_any_reader",
]


STANDARD_OUTPUT = "standard output"

_STANDARD_ERROR = 2

_NARROWEST = 20
"""Columns below which breaking between words makes nothing easier to read."""


def open_streams() -> None:
    """Put the null device in the place of standard streams that the process was started without.

    Else Python has None for them, and the next file that is opened, such as a journal, has their descriptor.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(descriptor)
    # The descriptors stay open: whoever uses them by their numbers must find no other file there.
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", _STANDARD_ERROR, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def output_is_closed() -> bool:
    """Tell whether the process was started without a standard output."""
    return sys.__stdout__ is None


def require_output(what: str, advice: str = "") -> None:
    """Refuse a standard output that is closed, where the command is of no use without it.

    Args:
        what: What would go there.
        advice: What else the user can do.

    Raises:
        UnusableInputError: It is closed.
    """
    if output_is_closed():
        raise UnusableInputError(f"{STANDARD_OUTPUT} is closed, and {what} would go there{advice}")


def tell(text: str) -> None:
    """Write a line to standard error; a reader that went away, or a full disk, stops nothing."""
    with contextlib.suppress(OSError):
        print(wrapped(printable(text)), file=sys.stderr, flush=True)


def tell_command(text: str) -> None:
    """Write a command to standard error, in one line however long it is, so that it can be copied."""
    with contextlib.suppress(OSError):
        print(f"  {printable(text)}", file=sys.stderr, flush=True)


def wrapped(text: str) -> str:
    """Return a line for standard error; where that is a terminal, in lines that break between words.

    What has no space, such as a URL, stays whole.
    """
    columns = 0
    # It may be closed, or no file of the system's.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        columns = os.get_terminal_size(sys.stderr.fileno()).columns if sys.stderr.isatty() else 0
    if columns < _NARROWEST or len(text) <= columns:
        return text
    return textwrap.fill(
        text,
        columns,
        subsequent_indent="  ",
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )


def has_somebody_to_ask() -> bool:
    """Tell whether somebody is there to answer a question, and reads it."""
    # A process may have been started without a stream.
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask(question: str) -> str:
    """Write a question to standard error, and return the line that was typed after it; empty without one.

    What was typed before is no answer: nobody had read the question.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        OSError: The terminal is gone.
    """
    with contextlib.suppress(ImportError):  # not on Windows
        import termios

        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
    answer = ""
    try:
        print(wrapped(printable(question)), end=" ", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
    except UnicodeDecodeError:
        answer = "\n"
    finally:
        if not answer.endswith("\n"):
            # Neither Ctrl-C nor Ctrl-D ends the line.
            tell("")
    return answer.strip() if answer.endswith("\n") else ""


def show(text: str, *, flush: bool = False) -> None:
    """Write a line to standard output.

    Raises:
        BrokenPipeError: Nobody reads it any more; see `drop_output`.
        LostOutputError: It cannot be written for another reason, such as a full disk.
    """
    write_output(f"{printable(text)}\n", flush=flush)


def write_output(text: str, *, flush: bool = True) -> None:
    """Write a text as it is to standard output.

    Raises:
        BrokenPipeError: Nobody reads it any more; see `drop_output`.
        LostOutputError: It cannot be written for another reason, such as a full disk.
    """
    try:
        print(text, end="", flush=flush)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LostOutputError(error.errno, error.strerror) from None


def write_to_any_reader(text: str) -> None:
    """Write a text to standard output; that nobody reads it is no failure."""
    try:
        write_output(text)
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Write no more to standard output: nobody reads it, and Python would complain of that at exit."""
    _drop(sys.stdout)


def drop_output_that_fails() -> OSError | None:
    """Write no more to standard output where that fails: what is left there would fail once more at exit.

    Returns:
        How it failed, if the system said so.
    """
    return _drop_what_fails(sys.stdout)


def drop_errors_that_fail() -> None:
    """Write no more to standard error where that fails: at exit, that would be an exit code of its own."""
    _drop_what_fails(sys.stderr)


def _drop_what_fails(stream: TextIO) -> OSError | None:
    failure: OSError | None = None
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        failure = error if isinstance(error, OSError) else None
        with contextlib.suppress(OSError, ValueError):
            _drop(stream)
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return failure


def _drop(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, stream.fileno())
    finally:
        os.close(null)


def log_on_one_line(name: str) -> None:
    """Write what a logger is told to standard error, a line for each record and no traceback."""
    logger = logging.getLogger(name)
    logger.handlers, logger.propagate = [_StandardErrorHandler()], False


class _StandardErrorHandler(logging.Handler):
    """Tells what kind of error a record has, and not its content, in which a token may be."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info and record.exc_info[0]
        tell(f"plexypay: {record.getMessage()}{f' ({kind.__name__})' if kind else ''}")
