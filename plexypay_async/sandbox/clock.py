"""The sandbox's clock: real time, plus the time by which it was moved ahead.

The sandbox takes every time that it writes from this clock, and decides by it when something happens, such
as the expiry of a link. So a test can let a week pass in no time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "moment_of", "read_time", "written_time"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FAR = datetime(9000, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that runs with real time and can be moved ahead, never back.

    The time by which it was moved is not kept in the database: the next sandbox begins at real time.
    """

    def __init__(self) -> None:
        self._ahead = 0
        self._watchers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Clock: {written_time(self.microseconds())}>"

    def now(self) -> datetime:
        """Return the sandbox's present as an aware datetime in UTC."""
        return moment_of(self.microseconds())

    def microseconds(self) -> int:
        """Return the sandbox's present in microseconds since 1970 in UTC."""
        return time.time_ns() // 1000 + self._ahead

    def advance(self, *, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Let time pass, and return the new present.

        Raises:
            ValueError: Time would run backwards, or past the year 9000.
        """
        try:
            ahead = timedelta(hours=hours, minutes=minutes, seconds=seconds)
            if ahead < timedelta():
                raise ValueError(f"the clock cannot go back: {ahead.total_seconds():g} seconds")
            if self.now() + ahead > _FAR:
                raise ValueError("the clock goes no further than the year 9000")
        except OverflowError:
            raise ValueError("the clock goes no further than the year 9000") from None
        self._ahead += ahead // _MICROSECOND
        self._tell()
        return self.now()

    def reset(self) -> None:
        """Return to real time."""
        self._ahead = 0
        self._tell()

    def watch(self, moved: Callable[[], None]) -> Callable[[], None]:
        """Call `moved` whenever the clock has been moved, in the thread that moves it.

        Returns:
            A function that ends this.
        """
        self._watchers.append(moved)
        return lambda: self._watchers.remove(moved)

    def _tell(self) -> None:
        for moved in tuple(self._watchers):
            moved()


def moment_of(microseconds: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def read_time(text: str) -> int:
    """Read an ISO 8601 time with a zone into microseconds since 1970 in UTC.

    Raises:
        ValueError: It is no time, or has no zone.
        OverflowError: It is outside the years 1 to 9999 in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return (moment.astimezone(UTC) - _EPOCH) // _MICROSECOND


def written_time(time: int | datetime) -> str:
    """Write a time as the API does: ``2025-03-01T12:00:00Z``, and a fraction if any.

    Args:
        time: Microseconds since 1970 in UTC, or an aware datetime in UTC.
    """
    moment = moment_of(time) if isinstance(time, int) else time
    return moment.isoformat()[:-6] + "Z"
