"""What is known of the rows of a job that was stopped, or whose time ran out: which they are, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import attrs

from ..errors import APIError, DeadlineExceededError, Outcome, OutcomeUnknownError, PlexyPayError

__all__ = ["Reasons", "RowList", "attempts_before", "is_cut", "reason_of", "told_of_cut", "was_refused"]

_CLOSED = re.compile(r"\bclient(, or the session given to it,)? (is|was) closed\b")
_REQUEST = re.compile(r"^[A-Z]+ /\S*: |^[a-z_]+\.[a-z_]+: ")
"""With what the message of an attempt, or of a call, begins."""

_CLASS = re.compile(r"^(no answer: )?\w+Error: ")
"""The class of a cause, which says nothing to who reads what follows it."""

_MOST_RANGES = 10
"""So many lines, or ranges of lines, are named where no file lists them."""
_MOST_LINES = 1000
"""So many are remembered for it."""
_MOST_REASONS = 5
"""So many reasons are counted one by one."""
_LONGEST_REASON = 300
"""Characters of a reason: it may quote what a server sent."""


def reason_of(error: PlexyPayError) -> str:
    """Return what has ended the latest attempt of a row's call, in a short text without the request."""
    cause: BaseException = error
    while isinstance(cause, (DeadlineExceededError, OutcomeUnknownError)):
        if not isinstance(cause.__cause__, PlexyPayError):
            break
        cause = cause.__cause__
    text = str(cause)
    while (rest := _REQUEST.sub("", text, count=1)) != text:
        text = rest
    text = _CLASS.sub(r"\1", text.removeprefix("no connection: "), count=1)
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} ..."


def is_cut(error: PlexyPayError) -> bool:
    """Tell whether a row's call ended because its client was closed, and not by itself."""
    cause: BaseException | None = error
    # What a server says of its own is none of it.
    while isinstance(cause, PlexyPayError) and not isinstance(cause, APIError):
        if _CLOSED.search(str(cause)):
            return True
        cause = cause.__cause__
    return False


def was_refused(error: PlexyPayError) -> bool:
    """Tell whether a row whose call was cut had reached the server, which did nothing."""
    return any(attempt.outcome is not Outcome.NOT_SENT for attempt in attempts_before(error))


def attempts_before(error: PlexyPayError) -> list[PlexyPayError]:
    """Return how the attempts of a call that was cut ended, without the one that was cut."""
    return [attempt for attempt in error.attempts if not is_cut(attempt)]


def told_of_cut(error: PlexyPayError, *, with_journal: bool) -> str:
    """Return what is known of a row whose call was cut: whether it was sent, and what its attempts met."""
    attempts = attempts_before(error)
    met = f"; the attempt before ended so: {reason_of(attempts[-1])}" if attempts else ""
    if error.outcome not in (Outcome.NOT_SENT, Outcome.REJECTED):
        by = ", now or by an earlier run," if with_journal else ","
        return f"stopped after it was sent{by} and before it was known what became of it{met}"
    if was_refused(error):
        return f"not done, and not sent again: the job was stopped before{met}"
    return f"not sent: the job was stopped before{met}"


@attrs.define
class RowList:
    """Lines of the input to be named, in bounded memory."""

    count: int = 0
    _lines: set[int] = attrs.field(factory=set[int])

    def add(self, line: int) -> None:
        """Note a line."""
        self.count += 1
        if len(self._lines) < _MOST_LINES:
            self._lines.add(line)

    def named(self) -> str:
        """Return the lines, those that follow each other as ranges, such as ``lines 4, 17-19``."""
        ranges = _ranges(sorted(self._lines))
        shown = ranges[:_MOST_RANGES]
        texts = [f"{first:,}" if first == last else f"{first:,}-{last:,}" for first, last in shown]
        left = self.count - sum(last - first + 1 for first, last in shown)
        more = f" and {left:,} more" if left > 0 else ""
        return f"{'line' if self.count == 1 else 'lines'} {', '.join(texts)}{more}"


def _ranges(lines: Sequence[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], line
        else:
            ranges.append((line, line))
    return ranges


@attrs.define
class Reasons:
    """Why rows have no link, where that is no answer about them; equal reasons are told once."""

    _counts: Counter[str] = attrs.field(factory=Counter[str])
    _others: int = 0

    def note(self, error: PlexyPayError) -> None:
        """Count a row's reason."""
        reason = reason_of(error)
        if reason in self._counts or len(self._counts) < _MOST_REASONS:
            self._counts[reason] += 1
        else:
            self._others += 1

    def told(self) -> list[str]:
        """Return a line for each reason, the most frequent first."""
        lines = [f"{_rows(count)} met this: {reason}" for reason, count in self._counts.most_common()]
        return [*lines, f"{_rows(self._others)} met something else"] if self._others else lines


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"
