"""Times as the API writes them: ISO 8601, mostly in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

__all__ = ["in_utc", "read_answered", "read_time", "real_time", "written_time"]

_LEAP_SECOND = r"(?<=:[0-5][0-9]):60"


def real_time() -> type[datetime]:
    """Return Python's own `datetime`, also while a test has put a class of frozen times in its place."""
    return next(kind for kind in datetime.__mro__ if kind.__module__ == "datetime")


read_time = real_time().fromisoformat
"""Reads a time of ISO 8601; a method, since freezing replaces what is known by the class itself."""


def in_utc(value: datetime, written: str) -> datetime:
    """Return a time of an answer in UTC, given how it was written; one without a zone is in UTC.

    Raises:
        ValueError: It is a row of more digits than a date has, such as milliseconds of the Unix epoch.
    """
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    if len(written) > 8 and written.isdecimal():
        raise ValueError("a row of digits")
    return value.replace(tzinfo=UTC)


def read_answered(written: str) -> datetime:
    """Return a time of an answer in UTC; it may have a "z" in lower case, or a leap second.

    Raises:
        ValueError: It is no time.
        OverflowError: In UTC it is beyond the calendar.
    """
    try:
        time = read_time(written)
    except ValueError:
        leap = re.search(_LEAP_SECOND, written)
        text = written if leap is None else f"{written[: leap.start()]}:59{written[leap.end() :]}"
        time = read_time(text.upper()) + timedelta(seconds=leap is not None)
    return time if time.tzinfo is UTC else in_utc(time, written)


def written_time(value: datetime) -> str:
    """Write an aware datetime as the API does: ISO 8601 in UTC, ending in Z."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
