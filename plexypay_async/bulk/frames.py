"""What ends a job, without the library's own frames, whose locals hold rows and, below, the API key."""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

from .._privacy import hiding
from ..errors import PlexyPayError

__all__ = ["without_own_frames"]

E = TypeVar("E", bound=BaseException)

_OWN = ("plexypay_async", "plexypay_sync", "aiohttp", "asyncio", "concurrent")


def without_own_frames(error: E, *, of_caller: bool = False) -> E:
    """Take the library's frames, and those below it, out of an error's traceback and its causes'.

    Args:
        error: The error.
        of_caller: Whether the caller's own code has raised it, such as an iterable of rows: then the frames
            above that code are taken out, and of those below the library's.
    """
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or any(one is other for other in seen):
            continue
        seen.append(one)
        if of_caller:
            one.__traceback__ = _from_caller(one.__traceback__)
        else:
            own = isinstance(one, PlexyPayError)
            one.__traceback__ = None if own else _after_own(one.__traceback__)
        waiting += [one.__cause__, one.__context__]
    # What a signal's handler raises may have come through the library more than once.
    hiding.without_own_frames(error)
    return error


def _from_caller(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and _is_own(traceback):
        traceback = traceback.tb_next
    return traceback


def _after_own(traceback: TracebackType | None) -> TracebackType | None:
    kept = traceback
    while traceback is not None:
        following = traceback.tb_next
        if _is_own(traceback):
            kept = following
        traceback = following
    return kept


def _is_own(traceback: TracebackType) -> bool:
    return str(traceback.tb_frame.f_globals.get("__name__", "")).partition(".")[0] in _OWN
