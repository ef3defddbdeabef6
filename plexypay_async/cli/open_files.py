"""How many connections a job may have open: each is a file to the system, which limits their number."""

from __future__ import annotations

import errno

from .exits import UnusableInputError
from .terminal import tell

__all__ = ["allow_open_files", "require_open_files", "too_many_open_files"]

_LIMIT = "the limit of open files (ulimit -n)"
_OTHER_OPEN_FILES = 64
"""Files that the process has open besides its connections, at the most."""
_FEWEST = 16
"""Files without which no command can work: the streams, the journal, the results, modules as they load."""
_MESSAGE_END = "raise it with ulimit -n in the shell, or its hard limit in the system's settings"


def allow_open_files(concurrency: int | None, *, adaptive: int, per_link: int = 1) -> int:
    """Raise the limit of open files as far as a job needs it; return how many links may be under way.

    Args:
        concurrency: Links under way at a time, where the user has said how many. One always may be.
        adaptive: How many it may be where not; where they do not fit, fewer are, which is told.
        per_link: Connections that this process has open for a link.

    Raises:
        UnusableInputError: So many as the user has said do not fit.
    """
    links = adaptive if concurrency is None else concurrency
    needed = links * per_link + _OTHER_OPEN_FILES
    allowed = _raise_limit(needed)
    if allowed is None or allowed >= needed:
        return links
    # So many other files are seldom open: whatever the limit is, one link at a time is tried.
    fitting = max((allowed - _OTHER_OPEN_FILES) // per_link, 1)
    if links <= fitting:
        return links
    limit = f"{_LIMIT} is {allowed:,}"
    if concurrency is None:
        tell(f"plexypay: {limit}: no more than {_links(fitting)} under way at a time")
        return fitting
    less = str(fitting) if fitting == 1 else f"{fitting} or less"
    raise UnusableInputError(
        f"--concurrency {concurrency} needs {needed:,} open files, and {limit}: {_MESSAGE_END}, or give"
        f" --concurrency {less}"
    )


def require_open_files() -> None:
    """Raise the limit of open files to what any command needs.

    Raises:
        UnusableInputError: It cannot be raised so far.
    """
    allowed = _raise_limit(_FEWEST)
    if allowed is not None and allowed < _FEWEST:
        raise UnusableInputError(
            f"{_LIMIT} is {allowed:,}, and no command can do with fewer than {_FEWEST}: {_MESSAGE_END}"
        )


def too_many_open_files(error: Exception) -> str | None:
    """Return what to do about an error that the limit has caused; None for any other."""
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return f"too many open files: {_LIMIT} is too low: {_MESSAGE_END}"
    return None


def _raise_limit(needed: int) -> int | None:
    """Raise the limit to what is needed, or as near as can be; return it, or None where there is none."""
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return None if soft == resource.RLIM_INFINITY else soft
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def _links(number: int) -> str:
    return f"{number} link is" if number == 1 else f"{number} links are"
