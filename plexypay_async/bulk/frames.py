"""The error that ends a job, without the frames that ran it: their locals hold rows, and the API key."""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

from .._privacy.hiding import without_own_frames
from ..errors import PlexyPayError

__all__ = ["without_job_frames"]

E = TypeVar("E", bound=BaseException)

_OWN = ("plexypay_async", "plexypay_sync", "aiohttp", "asyncio", "concurrent")


def without_job_frames(error: E, *, of_caller: bool = False) -> E:
    """Take the frames that ran a job out of the tracebacks of an error and of its causes.

    Unlike `hiding.without_own_frames` it takes out the frames of asyncio and aiohttp too.

    Args:
        error: The error.
        of_caller: Whether the caller's own code has raised it, such as an iterable of rows: then its frames
            stay, and those that it was called from are taken out. Otherwise all down to the library's last
            frame are taken out.
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
            one.__traceback__ = None if isinstance(one, PlexyPayError) else _after_own(one.__traceback__)
        waiting += [one.__cause__, one.__context__]
    # What a signal's handler raises may have come through the library more than once.
    without_own_frames(error)
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
