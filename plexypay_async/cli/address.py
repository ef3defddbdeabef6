"""The address that a command serves: its arguments, and what is said when it cannot be opened."""

from __future__ import annotations

import argparse
from collections.abc import Generator
from contextlib import contextmanager

from .exits import UnusableInputError

__all__ = ["add_address", "opening_address", "port"]


def port(text: str) -> int:
    """Read the number of a port; 0 is any free one."""
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return number


def add_address(parser: argparse.ArgumentParser, default_port: int) -> None:
    """Add --host and --port."""
    parser.add_argument("--host", default="127.0.0.1", help="the address to serve on (default: %(default)s)")
    parser.add_argument(
        "--port", type=port, default=default_port, help="the port, 0 for any free one (default: %(default)s)"
    )


@contextmanager
def opening_address(arguments: argparse.Namespace, doing: str) -> Generator[None]:
    """Say why the address of these arguments cannot be opened within the block.

    Raises:
        UnusableInputError: It cannot.
    """
    import errno

    try:
        yield
    except OSError as error:
        reason = f"cannot {doing} {arguments.host}:{arguments.port}: {error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            reason += "; choose another --port, or 0 for a free one"
        raise UnusableInputError(reason) from None
    except UnicodeError:
        raise UnusableInputError(f"--host {arguments.host}: this is not the name of a host") from None
