"""Docstrings that `help()` shows with more than what is written in them, composed when they are read.

What composes them is imported then too: errors, which need it, are imported by programs that need no more.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

__all__ = ["ComposedDoc", "below_fields", "first_paragraph", "help_shows_fields", "section", "written_doc"]

T = TypeVar("T")

_NOT_OURS = ("builtins", "typing", "abc")


class ComposedDoc:
    """A class' `__doc__`, with something added for the class, for its objects, or for both.

    Nothing is composed before somebody reads it: imports and calls cost what they cost without it.

    Args:
        written: The docstring as it is written.
        of_class: What is added on the class, if anything.
        of_object: What is added on an object of it, if anything.
    """

    __slots__ = ("_of_class", "_of_object", "written")

    def __init__(
        self,
        written: str,
        *,
        of_class: Callable[[type[Any]], str] | None = None,
        of_object: Callable[[type[Any]], str] | None = None,
    ) -> None:
        self.written = written
        self._of_class = of_class
        self._of_object = of_object

    def __get__(self, instance: object, owner: type[Any]) -> str:
        compose = self._of_class if instance is None else self._of_object
        if compose is None or not (added := compose(owner)):
            return self.written
        from inspect import cleandoc

        return f"{cleandoc(self.written)}\n\n{added}"


def written_doc(documented: Any) -> str:
    """Return the docstring of a class, or whatever has one, as it is written, without what is composed."""
    doc: object = vars(documented).get("__doc__") if isinstance(documented, type) else documented.__doc__
    return doc.written if isinstance(doc, ComposedDoc) else str(doc or "")


def first_paragraph(documented: Any) -> str:
    """Return the first paragraph of a docstring, in one line."""
    return " ".join(written_doc(documented).partition("\n\n")[0].split())


def section(title: str, told: Mapping[str, str]) -> str:
    """Return a section of a docstring, with a line or two for each name."""
    from textwrap import fill

    lines = (
        fill(f"{name}: {text}", 100, initial_indent="    ", subsequent_indent="        ")
        for name, text in told.items()
    )
    return "\n".join([f"{title}:", *lines])


@functools.cache
def below_fields(kind: Any) -> Mapping[str, str]:
    """Return the strings below the fields of a class, without those of its bases and of class variables."""
    import ast
    import inspect
    import textwrap

    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):
        # Installed without its source.
        return {}
    (body,) = [node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    found: dict[str, str] = {}
    for field, below in itertools.pairwise(body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if ast.unparse(field.annotation).startswith("ClassVar"):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[field.target.id] = " ".join(str(below.value.value).split())
    return found


def help_shows_fields(kind: type[T]) -> type[T]:
    """Have `help()` show what stands below the fields of a class, which Python does not keep."""
    if isinstance(written := vars(kind)["__doc__"], str):
        kind.__doc__ = ComposedDoc(written, of_class=_fields_of, of_object=_fields_of)  # type: ignore[assignment]
    return kind


def _fields_of(kind: type[Any]) -> str:
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__ not in _NOT_OURS:
            found |= below_fields(base)
    # It comes from the base of all answers, and says least of this one.
    names = sorted(found, key=lambda name: name == "raw")
    return section("Fields", {name: found[name] for name in names}) if names else ""
