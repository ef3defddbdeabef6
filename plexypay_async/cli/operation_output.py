"""An answer as it is printed: plain JSON, from which secrets are left out unless they are asked for.

What its class does not show in `repr` is a secret. It is left out and not replaced: nobody is to take what
stands in its place for a voucher's code.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import attrs

from .._privacy.secret_object import SecretObject
from ..json_form import JSONResult, WireForm, wire_names

__all__ = ["Output", "secrets_in"]

_NOT_SECRET = ("raw", "answered", "extra")
"""Fields that `repr` leaves out for another reason."""


class Output:
    """Turns answers into what is printed of them.

    Args:
        wire: Whether names are the API's own. Then an answer whose class has no secret is printed as it came,
            with what the library does not know.
        show_secrets: Whether secrets are printed.
    """

    def __init__(self, *, wire: bool, show_secrets: bool) -> None:
        self._wire = wire
        self.shows_secrets = show_secrets
        self._is_unknown = False
        self._secretive: dict[type, bool] = {}
        self.left_out: dict[str, None] = {}
        """The names of what was left out so far, in their order."""

    def document(self, answer: Any) -> Any:
        """Return what is printed of an answer; None where it was empty."""
        if not isinstance(answer, JSONResult):
            return answer
        written: dict[str, Any]
        by_wire = self._wire and isinstance(answer, WireForm)
        if by_wire:
            whole = self.shows_secrets or not self._has_secrets(answer)
            raw: Any = getattr(answer, "raw", None) if whole else None
            # A copy: what is hidden in it is put back there.
            written = copy.deepcopy(dict(raw)) if raw else cast("WireForm", answer).to_dict(wire=True)
        else:
            written = answer.to_dict()
            raw = getattr(answer, "raw", None)
            if not written and raw and not self._has_secrets(answer):
                self._is_unknown = True
                return copy.deepcopy(dict(raw))
        for secret in secrets_in(answer, written, wire=by_wire) if self._has_secrets(answer) else ():
            if not self.shows_secrets:
                secret.within.pop(secret.name, None)
                self.left_out[secret.place] = None
            elif isinstance(secret.value, SecretObject):
                secret.within[secret.name] = secret.value.reveal()
        return written

    def _has_secrets(self, answer: Any) -> bool:
        kind: type = answer.__class__
        found = self._secretive.get(kind)
        if found is None:
            found = self._secretive[kind] = _has_secrets(kind)
        return found

    def told(self) -> str | None:
        """Return what was left out, in a sentence; None where nothing was."""
        if self._is_unknown:
            return "nothing of this answer is known by name: it is printed as it came, as --raw does"
        if not self.left_out:
            return None
        return f"not shown, as it may be secret: {', '.join(self.left_out)} (--show-secrets shows it)"


@attrs.frozen
class SecretField:
    """A field that `repr` does not show, where it stands in what was written of its object."""

    value: Any
    within: dict[str, Any]
    name: str
    place: str
    """What it is called, with what it stands in."""


def secrets_in(
    value: Any, written: dict[str, Any], *, wire: bool = False, place: str = ""
) -> Iterator[SecretField]:
    """Yield the fields of an object that are not to be seen, and those of what it holds.

    Args:
        value: The object.
        written: What was written of it; it may be changed meanwhile.
        wire: Whether that has the API's own names.
        place: What the object is called, with a point at the end.
    """
    kind: Any = value.__class__
    for field in cast("Iterable[attrs.Attribute[Any]]", attrs.fields(kind)):
        names = wire_names(field) if wire else (field.name,)
        name = next((each for each in names if each in written), None)
        inner = getattr(value, field.name)
        if name is None and isinstance(inner, SecretObject):
            # By the API's own names it is not written at all.
            name = names[0]
        if name is None or inner is None or field.name in _NOT_SECRET:
            continue
        if not field.repr or isinstance(inner, SecretObject):
            yield SecretField(inner, written, name, f"{place}{name}")
        else:
            yield from _secrets_inside(inner, written[name], wire, f"{place}{name}.")


def _secrets_inside(value: Any, written: Any, wire: bool, place: str) -> Iterator[SecretField]:
    if attrs.has(value.__class__) and isinstance(written, dict):
        yield from secrets_in(value, cast("dict[str, Any]", written), wire=wire, place=place)
    elif isinstance(value, (list, tuple)) and isinstance(written, list):
        entries = cast("Sequence[Any]", written)
        for inner, each in zip(cast("Sequence[Any]", value), entries, strict=False):
            yield from _secrets_inside(inner, each, wire, place)


def _has_secrets(kind: Any) -> bool:
    """Tell whether something of a type is not to be seen, in it or in what it holds."""
    if isinstance(kind, type) and issubclass(kind, SecretObject):
        return True
    if isinstance(kind, type) and attrs.has(kind):
        if getattr(kind, "private", False):
            return True
        fields = cast("Iterable[attrs.Attribute[Any]]", attrs.fields(attrs.resolve_types(kind)))
        return any(
            not field.repr or _has_secrets(field.type) for field in fields if field.name not in _NOT_SECRET
        )
    return any(map(_has_secrets, typing.get_args(kind)))
