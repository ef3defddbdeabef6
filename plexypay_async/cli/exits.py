"""The exit codes of the command, and the error that ends it when its input is unusable."""

from __future__ import annotations

import enum
import signal

__all__ = ["Exit", "UnusableInputError", "exit_code_of"]


class Exit(enum.IntEnum):
    """The exit codes that scripts may rely on; a signal adds 128 + its number (130 for Ctrl-C)."""

    OK = 0
    """Every row became a link."""
    INCOMPLETE = 1
    """Some row did not become a link, or repeats another, or it is not known whether it became one."""
    UNUSABLE = 2
    """The arguments, the settings or the input cannot be used; no request was sent."""


class UnusableInputError(Exception):
    """What the user gave cannot be used. The message says what to change; no request was sent."""


def exit_code_of(received: signal.Signals) -> int:
    """Return the exit code that shells give to a program stopped by this signal."""
    return 128 + received.value
