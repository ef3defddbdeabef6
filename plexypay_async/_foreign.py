"""Exceptions that are not the library's own, made fit to be the cause of one that is.

The frames of an exception that has passed aiohttp, a tracer's hook or a function of the caller's hold the API
key and what the server sent, and error trackers write them out. So the cause of an error has none; a note
says where it was raised.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import ParamSpec, Protocol, TypeVar

from ._privacy.hiding import origins, shown, without_own_frames, without_userinfo
from .errors import ConfigurationError, PlexyPayError

__all__ = ["bare", "is_of_the_caller", "prepared", "refused", "shows_password", "told_of"]


class Named(Protocol):
    """What has declared a call."""

    name: str
    """The call's full name, such as ``payment_links.create``."""

    @property
    def parameters(self) -> Sequence[str]:
        """The names of its parameters."""
        ...


P = ParamSpec("P")
T = TypeVar("T")

_RAISED = "raised in "
_CONSTRUCTOR = re.compile(r"^[\w.]*__init__\(\)")
_MISSPELT = re.compile(r"unexpected keyword argument '(\w+)'")

_OURS = ("plexypay_async", "plexypay_sync", "aiohttp", "asyncio")


def bare(error: BaseException, handled: BaseException | None = None) -> BaseException:
    """Return an exception without any frame, of those that it came from too.

    What was `handled` when the call was made is the caller's own, and keeps its frames.
    """
    for one in origins(error, handled):
        # aiohttp wraps some of what a hook raises in an exception of its own.
        place = _place(one.__traceback__)
        if place is not None:
            one.add_note(place)
        one.__traceback__ = None
    return error


def prepared(prepare: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function makes of a caller's arguments; what one of them raises becomes an error's cause.

    The cause keeps the frames of the caller's own code.

    Raises:
        ConfigurationError: One of them cannot be used, such as a mapping that raises when it is read.
        TypeError: There is no such parameter.
    """
    try:
        return prepare(*args, **kwargs)
    except PlexyPayError:
        raise
    except Exception as error:  # noqa: BLE001 - raised below
        raised = error
    refusal = refused(raised)
    raise refusal from refusal.__cause__


def told_of(error: BaseException, declared: Named) -> BaseException:
    """Return an error of a call without the library's frames; one of Python's own names the call.

    Python names the class that takes the arguments, which nobody has called.
    """
    without_own_frames(error)
    if type(error) is TypeError and error.args and isinstance(error.args[0], str):
        text = _CONSTRUCTOR.sub(f"{declared.name}()", error.args[0])
        misspelt = _MISSPELT.search(text)
        if misspelt is not None and text != error.args[0]:
            close = difflib.get_close_matches(misspelt[1], declared.parameters, 1)
            # Python itself suggests one from 3.13 on.
            text = text.partition(". Did you mean")[0] + (f"; did you mean {close[0]!r}?" if close else "")
        error.args = (text,)
    return error


def refused(raised: Exception) -> Exception:
    """Return what to raise for arguments that raised such an exception; see `prepared`."""
    without_own_frames(raised)
    if isinstance(raised, TypeError) and raised.__traceback__ is None:
        return raised
    refusal = ConfigurationError(f"an argument cannot be used: {shown(raised)}")
    refusal.__cause__ = raised
    return refusal


def shows_password(error: BaseException, handled: BaseException | None = None) -> bool:
    """Tell whether an exception that `bare` has seen, or one that it came from, may hold a password."""
    for one in origins(error, handled):
        # It has the whole of what could not be written, which aiohttp may have been about to send.
        if isinstance(one, UnicodeError) and not is_of_the_caller(one):
            return True
        # aiohttp's errors of a connection hold what it was to be made with.
        if getattr(getattr(one, "_conn_key", None), "proxy_auth", None) is not None:
            return True
        with contextlib.suppress(Exception):  # what cannot be written out shows nothing
            text = f"{one} {one!r} {one.args!r}"
            if without_userinfo(text) != text:
                return True
    return False


def is_of_the_caller(error: BaseException) -> bool:
    """Tell whether the caller's own code raised an exception that `bare` has seen."""
    return any(note.startswith(_RAISED) for note in getattr(error, "__notes__", ()))


def _place(raised: TracebackType | None) -> str | None:
    """Say where the caller's own code raised it; None where nobody but the library and aiohttp did."""
    frames = [
        (frame.f_globals.get("__name__", ""), frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(raised)
    ]
    if not frames or str(frames[-1][0]).partition(".")[0] in _OURS:
        return None
    _, file, line, name = frames[-1]
    return f"{_RAISED}{file}, line {line}, in {name}"
