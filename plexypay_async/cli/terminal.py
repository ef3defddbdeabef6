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

from .._privacy.printable import printable

__all__ = ["drop_output", "drop_output_that_fails", "log_on_one_line", "printable", "show", "tell", "wrapped"]


_NARROWEST = 20
"""Columns below which breaking between words makes nothing easier to read."""


def tell(text: str) -> None:
    """Write a line to standard error; a reader that went away, or a full disk, stops nothing."""
    with contextlib.suppress(OSError):
        print(wrapped(printable(text)), file=sys.stderr, flush=True)


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


def show(text: str, *, flush: bool = False) -> None:
    """Write a line to standard output.

    Raises:
        OSError: Nobody reads it any more, or a disk is full; see `drop_output`.
    """
    print(printable(text), flush=flush)


def drop_output() -> None:
    """Write no more to standard output: nobody reads it, and Python would complain of that at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def drop_output_that_fails() -> None:
    """Write no more to standard output where that fails: what is left there would fail once more at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            drop_output()


def log_on_one_line(name: str) -> None:
    """Write what a logger is told to standard error, a line for each record and no traceback."""
    logger = logging.getLogger(name)
    logger.handlers, logger.propagate = [_StandardErrorHandler()], False


class _StandardErrorHandler(logging.Handler):
    """Tells what kind of error a record has, and not its content, in which a token may be."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info and record.exc_info[0]
        tell(f"plexypay: {record.getMessage()}{f' ({kind.__name__})' if kind else ''}")
