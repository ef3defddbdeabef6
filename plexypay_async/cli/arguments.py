"""Arguments that several commands have: numbers, what amounts are in, and the address to serve on."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TypeVar

from .exits import UnusableInputError

__all__ = ["add_address", "add_amounts", "digits", "number_argument", "opening_address", "port"]


T = TypeVar("T")


def number_argument(read: Callable[[str], T], expected: str, fits: Callable[[T], bool]) -> Callable[[str], T]:
    """Return what reads an argument that is a number.

    Args:
        read: Turns its text into the number, or raises `ValueError`.
        expected: What is expected, for the message.
        fits: Whether a number may be given.
    """

    def checked(text: str) -> T:
        with suppress(ValueError):
            number = read(text)
            if fits(number):
                return number
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")

    return checked


def digits(text: str) -> int:
    """Read a whole number of ASCII digits alone."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


port = number_argument(digits, "a port from 0 to 65535", lambda port: port <= 65535)
"""Reads the number of a port; 0 is any free one."""


def add_address(parser: argparse.ArgumentParser, default_port: int) -> None:
    """Add --host and --port."""
    parser.add_argument("--host", default="127.0.0.1", help="the address to serve on (default: %(default)s)")
    parser.add_argument(
        "--port", type=port, default=default_port, help="the port, 0 for any free one (default: %(default)s)"
    )


def add_amounts(parser: argparse.ArgumentParser) -> None:
    """Add --amounts."""
    parser.add_argument(
        "--amounts",
        choices=("minor", "major"),
        default="minor",
        help="what the column amount is in: minor units (22 000 KZT is 2200000), or major ones as people"
        " write them, such as 22 000,50 (default: %(default)s)",
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
