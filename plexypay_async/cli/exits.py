"""The exit codes of the command, and the error that ends it when its input is unusable."""

from __future__ import annotations

import enum
import signal

__all__ = ["Exit", "LostOutputError", "UnusableInputError", "exit_code_of", "system_error"]


class Exit(enum.IntEnum):
    """The exit codes that scripts may rely on; a signal adds 128 + its number (130 for Ctrl-C)."""

    OK = 0
    """Every row became a link."""
    INCOMPLETE = 1
    """Some row did not become a link, or repeats another, or it is not known whether it became one."""
    UNUSABLE = 2
    """The arguments, the settings or the input cannot be used; no request was sent."""
    UNKNOWN = 3
    """An operation may have been done, or was done and its answer is lost: find out before doing it again."""


class UnusableInputError(Exception):
    """What the user gave cannot be used. The message says what to change; no request was sent."""


class LostOutputError(OSError):
    """Standard output cannot be written, such as on a full disk."""

    def __str__(self) -> str:
        return f"cannot write to standard output: {self.strerror}"


def exit_code_of(received: signal.Signals) -> int:
    """Return the exit code that shells give to a program stopped by this signal."""
    return 128 + received.value


def system_error(error: Exception) -> str | None:
    """Return what a user can do something about, such as a full disk; None for a mistake in the program."""
    if isinstance(error, LostOutputError):
        return str(error)
    if isinstance(error, OSError):
        told = error.strerror or str(error) or type(error).__name__
        return f"{error.filename}: {told}" if error.filename else told
    kind = type(error)
    if any(base.__module__ == "sqlite3" for base in kind.__mro__) or kind.__name__ == "TemporaryFolderError":
        return str(error)
    return None
