"""An answer as it is printed: plain JSON, from which secrets are left out unless they are asked for.

What its class does not show in `repr` is a secret. It is left out and not replaced: nobody is to take what
stands in its place for a voucher's code.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterable, Sequence
from typing import Any, cast

import attrs

from ..json_form import JSONResult, WireForm, wire_name

__all__ = ["Output"]

_NOT_WRITTEN = ("raw", "answered")


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
        self.left_out: dict[str, None] = {}
        """The names of what was left out so far, in their order."""

    def document(self, answer: Any) -> Any:
        """Return what is printed of an answer; None where it was empty."""
        if not isinstance(answer, JSONResult):
            return answer
        if self._wire and isinstance(answer, WireForm):
            if self.shows_secrets or not _has_secrets(type(answer)):
                return dict(getattr(answer, "raw", None) or answer.to_dict(wire=True))
            written = answer.to_dict(wire=True)
        else:
            written = answer.to_dict()
        if not self.shows_secrets:
            self._leave_out(answer, written, "")
        return written

    def told(self) -> str | None:
        """Return what was left out, in a sentence; None where nothing was."""
        if not self.left_out:
            return None
        return f"not shown, as it may be secret: {', '.join(self.left_out)} (--show-secrets shows it)"

    def _leave_out(self, answer: Any, written: dict[str, Any], place: str) -> None:
        kind: Any = answer.__class__
        fields = cast("Iterable[attrs.Attribute[Any]]", attrs.fields(kind))
        for field in fields:
            name = wire_name(field) if self._wire and isinstance(answer, WireForm) else field.name
            if field.name in _NOT_WRITTEN or written.get(name) is None:
                continue
            if not field.repr:
                del written[name]
                self.left_out[f"{place}{name}"] = None
            else:
                self._look_into(getattr(answer, field.name), written[name], f"{place}{name}.")

    def _look_into(self, value: Any, written: Any, place: str) -> None:
        if attrs.has(value.__class__):
            self._leave_out(value, written, place)
        elif isinstance(value, (list, tuple)):
            for inner, each in zip(cast("Sequence[Any]", value), written, strict=True):
                self._look_into(inner, each, place)


def _has_secrets(kind: Any) -> bool:
    """Tell whether something of a type is not to be seen, in it or in what it holds."""
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return False
    if isinstance(kind, type) and attrs.has(kind):
        if getattr(kind, "private", False):
            return True
        fields = cast("Iterable[attrs.Attribute[Any]]", attrs.fields(attrs.resolve_types(kind)))
        return any(
            not field.repr or _has_secrets(field.type) for field in fields if field.name not in _NOT_WRITTEN
        )
    return any(map(_has_secrets, typing.get_args(kind)))
