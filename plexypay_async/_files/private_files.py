"""Files that hold customers' data: their owner's alone (mode 0600), and never reached by a symbolic link.

A file is opened first and looked at then, by its descriptor, so that nothing put in its place meanwhile is
taken for it. An SQLite database is opened by SQLite, by its name: it is made before, and what was opened is
compared with it after.

Where a system has no such thing (owners and modes on Windows, modes on some network shares), the rest holds.
In a folder in which others may rename files, nothing protects a file from being replaced as a whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._privacy.hiding import shown
from .._privacy.printable import log
from ..errors import ConfigurationError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["checked_path", "connect", "make_private", "make_private_database", "open_private"]

MODE = 0o600
_OTHERS = 0o077
_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, with the same content and, where it makes it, the same mode."""

# Without O_NONBLOCK, the opening of a named pipe would wait for its other end.
_CAREFULLY = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_IS_LINK = "it is a symbolic link; give the name of the file itself"
_SWAPPED = "another file took its place while it was opened"

_making = threading.Lock()
_warned: set[str] = set()


def _renew_lock() -> None:
    # A thread that does not exist in the child may have held it.
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

# ------------------------------------------------------------------------------------------- plain files


def open_private(path: str | os.PathLike[str], flags: int) -> int:
    """Open a regular file of this user's own and return its descriptor; one that is made has mode 0600.

    Args:
        path: The file; its folder may be reached by a symbolic link, the file itself may not.
        flags: As of `os.open`. `os.O_TRUNC` would empty a file before it is looked at: leave it out.

    Raises:
        OSError: It cannot be opened, or is a symbolic link, no regular file, or another user's. Its
            `strerror` says so.
    """
    name = os.fspath(path)
    if not hasattr(os, "O_NOFOLLOW") and os.path.islink(name):
        raise OSError(errno.ELOOP, _IS_LINK, name)
    try:
        descriptor = os.open(name, flags | _CAREFULLY, MODE)
    except FileExistsError:
        raise
    except OSError:
        # Systems do not agree on what they call it.
        if os.path.islink(name):
            raise OSError(errno.ELOOP, _IS_LINK, name) from None
        raise
    try:
        _check(os.fstat(descriptor), name)
        if flags & os.O_EXCL:
            # The umask may have taken even the owner's rights.
            _set_mode(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def make_private(descriptor: int, path: str | os.PathLike[str]) -> None:
    """Take the rights of others to an open file away, if they have any, and log a warning of it.

    Args:
        descriptor: The file, as `open_private` has opened it, once it is known to be what is expected.
        path: Its name, for the warning.
    """
    if _is_open_to_others(os.fstat(descriptor)):
        _warn(path, _set_mode(descriptor))


# --------------------------------------------------------------------------------------------- databases


def checked_path(name: str, path: str | os.PathLike[str]) -> Path:
    """Return a path that a file can have.

    Raises:
        ConfigurationError: It is empty or no path, or has a NUL in it or a character that the file system
            cannot hold.
    """
    if isinstance(path, str) and not path:
        # As a path it would be the folder that the process is in.
        raise ConfigurationError(f"{name}: the path is empty")
    try:
        checked = Path(path)
        usable = b"\0" not in os.fsencode(checked)
    except Exception:  # noqa: BLE001 - an object of the caller's may raise anything
        raise ConfigurationError(f"{name}: {shown(path)} is no path") from None
    if not usable:
        raise ConfigurationError(f"{name}: {shown(path)} has a NUL in it")
    return checked


def connect(path: str | os.PathLike[str], *, make: bool = True, **options: Any) -> sqlite3.Connection:
    """Open an SQLite database of this user's own; what is made, also beside it, has mode 0600.

    No descriptor of a database that exists is opened and closed here: by that, POSIX would let go of the
    locks of every other connection of this process.

    Args:
        path: The file; its folder may be reached by a symbolic link, the file itself may not.
        make: Whether one that is missing is made.
        options: As of `sqlite3.connect`.

    Raises:
        OSError: It, or a file of SQLite's beside it, is a symbolic link, no regular file, or another user's,
            or it cannot be made. Its `strerror` says so.
        sqlite3.Error: It cannot be opened.
    """
    import sqlite3

    name = str(Path(path).absolute())
    if make:
        with _making, contextlib.suppress(FileExistsError):
            # Closed within the lock: no other thread has the file open by then.
            os.close(open_private(name, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    before = _look(name)
    for beside in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            _look(name + beside)
    # "rw": a file that went away meanwhile is not made anew, without all this.
    uri = f"{Path(name).as_uri()}?mode=rw"
    connection: sqlite3.Connection = sqlite3.connect(uri, uri=True, **options)
    try:
        _check_opened(connection, name, before)
    except BaseException:
        connection.close()
        raise
    return connection


def make_private_database(path: str | os.PathLike[str]) -> None:
    """Look at a database's files again, once a transaction has begun, and take others' rights to them away.

    That is when the files beside it exist. A warning is logged where others had rights to the database.

    Raises:
        OSError: One of them is a symbolic link, no regular file, or another user's: write nothing to it.
    """
    name = str(Path(path).absolute())
    for beside in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            if _is_open_to_others(_look(name + beside)):
                _set_mode_by_name(name + beside)
    if _is_open_to_others(_look(name)):
        _warn(path, _set_mode_by_name(name))


def _check_opened(connection: sqlite3.Connection, name: str, before: os.stat_result) -> None:
    # SQLite follows links to a name, which it tells, and opens that without following another.
    # Its name need not be UTF-8.
    connection.text_factory = os.fsdecode
    try:
        opened = next(file for _, of, file in connection.execute("PRAGMA database_list") if of == "main")
    finally:
        connection.text_factory = str
    after = _look(name)
    if not os.path.samestat(before, after):
        raise OSError(errno.EAGAIN, _SWAPPED, name)
    if os.path.basename(opened) != os.path.basename(name) or not os.path.samefile(
        os.path.dirname(opened), os.path.dirname(name)
    ):
        raise OSError(errno.ELOOP, _SWAPPED, name)


# ---------------------------------------------------------------------------------------- what is looked at


def _look(name: str) -> os.stat_result:
    found = os.lstat(name)
    _check(found, name)
    return found


def _check(found: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, _IS_LINK, name)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", name)
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"it belongs to another user (uid {found.st_uid})", name)


def _is_open_to_others(found: os.stat_result) -> bool:
    return hasattr(os, "geteuid") and bool(found.st_mode & _OTHERS)


def _set_mode(descriptor: int) -> bool:
    """Set a file's mode; False where its file system does not take it."""
    if not hasattr(os, "fchmod"):
        return False
    try:
        os.fchmod(descriptor, MODE)
    except OSError:
        return False
    return not _is_open_to_others(os.fstat(descriptor))


def _set_mode_by_name(name: str) -> bool:
    """Set a file's mode without following a link, and without a descriptor whose closing ends locks."""
    try:
        if os.chmod in os.supports_follow_symlinks:
            os.chmod(name, MODE, follow_symlinks=False)
        else:
            descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                _check(os.fstat(descriptor), name)
                os.chmod(f"/proc/self/fd/{descriptor}", MODE)
            finally:
                os.close(descriptor)
    except (OSError, AttributeError):
        return False
    return not _is_open_to_others(os.lstat(name))


def _warn(path: str | os.PathLike[str], mended: bool) -> None:
    name = os.fspath(path)
    if mended:
        log.warning("%s: others had rights to this file; they have none now (mode 0600)", name)
    elif name not in _warned:
        _warned.add(name)
        log.warning("%s: others have rights to this file, and its mode cannot be changed", name)
