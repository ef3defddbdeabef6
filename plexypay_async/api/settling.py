"""Where the work of an operation shows, for whoever does not know whether it was done.

Declarations only, as in `plexypay_async.api.operation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

__all__ = ["Look", "Question", "SettledBy"]

_ID = ("id", "external_id", "wallet_transaction_id")
"""Fields of a path, which a call takes by their place."""


class Question(NamedTuple):
    """A call that may show the work of one request, and what to look for in its answer."""

    sought: str
    call: str
    """Its full name."""
    by: str | None
    """The name of its argument; None for a call without one."""
    value: Any
    bounds: str | None = None
    """What it does not show, in words."""

    def __repr__(self) -> str:
        return object.__repr__(self)

    @property
    def written(self) -> str:
        """The call as it is written in Python."""
        if self.by is None:
            return f"{self.call}()"
        return f"{self.call}({self.value!r})" if self.by in _ID else f"{self.call}({self.by}={self.value!r})"

    @property
    def bounded(self) -> str:
        """The call as it is written in Python, and what it does not show."""
        return self.written if self.bounds is None else f"{self.written} ({self.bounds})"


class Look(NamedTuple):
    """One call that shows an operation's work, and what shows it there.

    Args:
        call: Its full name, such as ``transactions.history``.
        sought: What to look for in its answer, such as ``a refund``.
        by: The request's field that is its argument; it cannot be asked where the request has none. Nothing
            for a call without an argument.
        amount: The request's field with the amount of what is sought.
        needs: The request's field without which this is no place to look.
        unless: The request's field with which this is no place to look.
        bounds: What it does not show, in words.
    """

    call: str
    sought: str
    by: str | None = None
    amount: str | None = None
    needs: str | None = None
    unless: str | None = None
    bounds: str | None = None

    def is_for(self, request: Any) -> bool:
        """Tell whether the work of one request shows here."""
        given = [_field(request, name) is not None for name in (self.by, self.needs) if name is not None]
        return all(given) and (self.unless is None or _field(request, self.unless) is None)

    def sought_of(self, request: Any) -> str:
        """Return what to look for, for one request."""
        amount = None if self.amount is None else _field(request, self.amount)
        return self.sought if amount is None else f"{self.sought} of {format(Decimal(amount), 'f')}"

    @property
    def condition(self) -> str:
        """When this is a place to look, in words; empty where it always is."""
        needed = self.needs or (None if self.by in _ID else self.by)
        if needed is not None:
            return f" where `{needed}` was given"
        return "" if self.unless is None else f" where no `{self.unless}` was given"


class SettledBy:
    """The calls that tell whether an operation whose outcome is unknown has done its work.

    Args:
        looks: They, the surest first.
        named: The call whose argument is the id of what was made, where an answer names that.
        doubt: What is not known of them, as a sentence.
    """

    def __init__(self, *looks: Look, named: str | None = None, doubt: str | None = None) -> None:
        self.looks: Sequence[Look] = looks
        self.named = named
        self.doubt = doubt

    @property
    def calls(self) -> Sequence[str]:
        """The full names of all of them, the surest first."""
        return list(dict.fromkeys(look.call for look in self.looks))

    def advice(self, request: Any, before: str, named: str | None = None) -> str:
        """Return what to look for and in which calls, as these are written for one request.

        Args:
            request: The request.
            before: What must not be done before, such as ``doing it again``.
            named: The id of what was made, where an answer has named it.
        """
        parts = [
            f"for {sought} in {_joined([question.bounded for question in questions])}"
            for sought, questions in groupby(self.questions(request, named), key=attrgetter("sought"))
        ]
        told = f"look {', and '.join(parts)} before {before}."
        return told if self.doubt is None else f"{told} {self.doubt}"

    def questions(self, request: Any, named: str | None = None) -> Iterator[Question]:
        """Yield the calls for one request, the surest first; `named` is as for `advice`."""
        found = [look for look in self.looks if look.is_for(request)]
        if self.named is not None and named not in (None, *(_value(request, look.by) for look in found)):
            yield Question(found[0].sought_of(request), self.named, _ID[0], named)
        for look in found:
            is_named = named is not None and self.named is None and look.by is None
            sought = repr(named) if is_named else look.sought_of(request)
            yield Question(sought, look.call, look.by, _value(request, look.by), look.bounds)


def _field(request: Any, name: str) -> Any:
    """Return a field of a request, or of a part of it; None where the request has no such part."""
    part, _, inner = name.partition(".")
    found = getattr(request, part)
    return found if not inner or found is None else attrgetter(inner)(found)


def _value(request: Any, name: str | None) -> Any:
    return None if name is None else _field(request, name)


def _joined(calls: Sequence[str]) -> str:
    return calls[0] if len(calls) == 1 else f"{', '.join(calls[:-1])} and {calls[-1]}"
