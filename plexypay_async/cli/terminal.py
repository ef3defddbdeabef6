"""What the command writes to its two streams: the one way to a terminal, on which nothing is obeyed.

What a server, a file or a file's name says is in most of it. So each text is one line, in which control,
direction and invisible characters are escapes.
"""

from __future__ import annotations

import contextlib
import os
import sys

from .._privacy.printable import printable

__all__ = ["drop_output", "printable", "show", "tell"]


def tell(text: str) -> None:
    """Write a line to standard error; a reader that went away stops nothing."""
    with contextlib.suppress(BrokenPipeError):
        print(printable(text), file=sys.stderr, flush=True)


def show(text: str, *, flush: bool = False) -> None:
    """Write a line to standard output.

    Raises:
        BrokenPipeError: Nobody reads it any more; see `drop_output`.
    """
    print(printable(text), flush=flush)


def drop_output() -> None:
    """Write no more to standard output: nobody reads it, and Python would complain of that at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
