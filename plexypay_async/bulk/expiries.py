"""Points in time as they stand in the cells of files, and what to write in place of those that are none.

A spreadsheet writes a date in its country's form, without an offset from UTC, and often without a time of
day. The three are asked for in one message, with the cell's own date where it can be read in one way only.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from .._times import read_time
from .bad_rows import BadRowError, shown

__all__ = ["moment"]

_HAS_TIME_OF_DAY = re.compile(r"\d[T t]\d")
_EXAMPLE = "2099-12-31T23:59:59+05:00"
_FORM = "date, time, and your time zone's offset from UTC (Kazakhstan is +05:00)"
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})([-./])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?P<time>.*)", re.ASCII)
_DAY_FIRST = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})(?P<time>.*)", re.ASCII)
"""With points, no country writes the month first."""
_EITHER_FIRST = re.compile(r"(?P<one>\d{1,2})([-/])(?P<other>\d{1,2})\2(?P<year>\d{4})(?P<time>.*)", re.ASCII)
_TIME = re.compile(
    r"[T t,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?(?: ?(?P<half>[AaPp])[Mm])?",
    re.ASCII,
)


def moment(value: object) -> datetime:
    """Read a point in time: an aware datetime, or text with a date, a time of day and an offset from UTC.

    Raises:
        BadRowError: It is none; the message has the whole form, with the cell's own date where that is plain.
    """
    if isinstance(value, datetime):
        parsed = value
    elif not isinstance(value, str):
        raise BadRowError(f"{shown(value)} is not a time: {_advice(None)}")
    else:
        try:
            parsed = read_time(value)
        except ValueError:
            raise BadRowError(f"{shown(value)} is not a time in full: {_advice(value)}") from None
        if _HAS_TIME_OF_DAY.search(value) is None:
            raise BadRowError(f"{shown(value)} has no time of day: {_advice(value)}")
    if parsed.utcoffset() is None:
        raise BadRowError(f"{shown(value)} has no offset from UTC: {_advice(str(value))}")
    try:
        parsed.astimezone(UTC)
    except OverflowError:
        raise BadRowError(f"{shown(value)} is outside the years 1 to 9999 in UTC: {_advice(None)}") from None
    return parsed


def _advice(written: str | None) -> str:
    return f"write {(written and _example(written.strip())) or _EXAMPLE}, that is {_FORM}"


def _example(written: str) -> str | None:
    """Return what a text without an offset means as a whole time, the end of the day where it has none.

    None where it is no date, or can be read as two.
    """
    found = _YEAR_FIRST.fullmatch(written) or _DAY_FIRST.fullmatch(written)
    if found is not None:
        year, month, day = (int(found[name]) for name in ("year", "month", "day"))
    elif (found := _EITHER_FIRST.fullmatch(written)) is not None:
        one, other, year = (int(found[name]) for name in ("one", "other", "year"))
        if (one > 12) == (other > 12) and one != other:
            return None
        day, month = (one, other) if one > 12 else (other, one)
    else:
        return None
    clock = 23, 59, 59
    if found["time"].strip():
        time = _TIME.fullmatch(found["time"])
        if time is None:
            return None
        hour = int(time["hour"])
        if time["half"]:
            # From noon on, twelve hours more; an hour that no such clock has is refused below.
            hour = hour % 12 + 12 * (time["half"] in "Pp") if 1 <= hour <= 12 else 24
        clock = hour, int(time["minute"]), int(time["second"] or 0)
    try:
        return f"{datetime(year, month, day, *clock).isoformat()}+05:00"
    except ValueError:
        return None
