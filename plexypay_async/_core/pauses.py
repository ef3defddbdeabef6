"""The pauses before a call is repeated: longer each time, and drawn at random, so that nobody comes in step.

They are drawn from the system's randomness. A program that seeds Python's own gets the same numbers from it
with and without a call that fails, and several that seed it alike do not draw the same pauses.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..settings import RetryPolicy

__all__ = ["Pauses", "growing", "jittered"]

_drawn = random.SystemRandom().random


def growing(first: float, times: float, most: float) -> Iterator[float]:
    """Yield numbers without end: each is so many times the one before, up to the most."""
    seconds = min(first, most)
    while True:
        yield seconds
        seconds = min(seconds * times, most)


def jittered(seconds: float) -> float:
    """Return any time from nothing to so many seconds, each as likely as the others ("full jitter")."""
    return seconds * _drawn()


class Pauses:
    """The pauses of one call before its repeats: doubled each time, with full jitter."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._base = policy.base
        self._seconds = growing(policy.base, 2, policy.cap)

    def next(self, retry_after: float | None) -> float:
        """Return the seconds of the next one, of which the server may have asked for some."""
        wait = jittered(next(self._seconds))
        # Never earlier than told, not all callers at the same instant, and no faster for a zero.
        return wait if retry_after is None else max(wait, retry_after + jittered(self._base))
