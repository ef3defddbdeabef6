"""What is done for every link, done fast: for each class, code written out from its fields.

A hook called for each field of an answer costs more than reading it. Here a document whose fields are of the
published types is read in one function, about four times as fast. Any other goes to the strict hooks of
`converter`, which read it still, or say what does not fit.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import attrs

from .._times import in_utc, read_time
from ..api.constructors import draft_of, function_of
from ..api.fields import OpenEnum, wire_name

__all__ = ["Rows", "Structure", "compiled", "compiled_rows"]

Structure = Callable[[Any, Any], Any]
"""Makes a value of JSON one of the type given with it."""


@attrs.frozen
class Rows:
    """What reads the objects of an array at once."""

    read: Callable[[Sequence[dict[str, Any]]], list[Any]]
    """Makes models of them, or raises where one has not all of the model's fields, each of its usual type."""
    width: set[int]
    """How many fields the model has, as the set of one."""


_CHECKS: dict[Any, str] = {
    str: "type({v}) is not str",
    int: "type({v}) is not int",
    bool: "{v} is not True and {v} is not False",
    dict: "type({v}) is not dict",
    Mapping: "type({v}) is not dict",
}
_TO_STRICT = "return strict(body, Model)"


def compiled(
    model: type[Any],
    fields: Sequence[attrs.Attribute[Any]],
    hook_of: Callable[[Any], Structure],
    strict: Structure,
) -> Structure:
    """Return what reads documents of a model, which it keeps as `raw`.

    Args:
        model: A frozen, slotted attrs class without validators, converters and `__attrs_post_init__`.
        fields: Its fields, with their types resolved.
        hook_of: Returns the strict hook of a type.
        strict: Reads what is not of the usual form, or raises.
    """
    names: dict[str, Any] = {
        "Draft": draft_of(model),
        "Model": model,
        "UTC": UTC,
        "absent": object(),
        "in_utc": in_utc,
        "new": object.__new__,
        "read_time": read_time,
        "strict": strict,
    }
    lines = ["made = new(Draft)", "made.raw = body", "get = body.get"]
    checked: Sequence[str] = getattr(model, "checked", ())
    for number, field in enumerate(field for field in fields if field.name != "raw"):
        lines += _read(field, str(number), names, hook_of)
        if field.name in checked:
            lines.append(f"if not v: {_TO_STRICT}")
    source = "\n".join(
        [
            "def read(body, kind):",
            "    try:",
            *(f"        {line}" for line in lines),
            "        made.__class__ = Model",
            "        return made",
            "    except Exception:",
            "        return strict(body, Model)",
        ]
    )
    reader: Structure = function_of("read", source, names, model)
    return reader


def _read(
    field: attrs.Attribute[Any], number: str, names: dict[str, Any], hook_of: Callable[[Any], Structure]
) -> list[str]:
    """Return the lines that read one field."""
    wire, target = repr(wire_name(field)), f"made.{field.name} = v"
    value = [*_value(field.type, number, names, hook_of, "v", _TO_STRICT), target]
    if field.default is attrs.NOTHING:
        return [f"v = body[{wire}]", *value]
    if field.default is None:
        return [f"v = get({wire})", *value]
    default: Any = field.default
    names[f"default{number}"] = default.factory if isinstance(default, attrs.Factory) else lambda: default  # type: ignore[arg-type]
    return [
        f"v = get({wire}, absent)",
        "if v is absent:",
        f"    made.{field.name} = default{number}()",
        "else:",
        *(f"    {line}" for line in value),
    ]


def compiled_rows(
    model: type[Any], fields: Sequence[attrs.Attribute[Any]], hook_of: Callable[[Any], Structure]
) -> Rows | None:
    """Return what reads all objects of an array at once.

    It is None for a model with fields of other types than texts, integers, flags, times and words of a list.

    Args:
        model: As for `compiled`.
        fields: Its fields, with their types resolved.
        hook_of: Returns the strict hook of a type.
    """
    known = [field for field in fields if field.name != "raw"]
    if len(known) < 2 or not all(_is_plain(field.type) for field in known):
        return None
    names: dict[str, Any] = {
        "Draft": draft_of(model),
        "Model": model,
        "UTC": UTC,
        "cells_of": itemgetter(*map(wire_name, known)),
        "in_utc": in_utc,
        "new": object.__new__,
        "read_time": read_time,
    }
    checked: Sequence[str] = getattr(model, "checked", ())
    cells = [f"v{number}" for number in range(len(known))]
    checks: list[str] = []
    for number, (cell, field) in enumerate(zip(cells, known, strict=True)):
        checks += _value(field.type, str(number), names, hook_of, cell, "raise ValueError")
        if field.name in checked:
            checks.append(f"if not {cell}: raise ValueError")
    source = "\n".join(
        [
            "def read_rows(bodies):",
            "    rows = []",
            "    add = rows.append",
            f"    for body, ({', '.join(cells)}) in zip(bodies, map(cells_of, bodies)):",
            *(f"        {line}" for line in checks),
            "        made = new(Draft)",
            "        made.raw = body",
            *(f"        made.{field.name} = {cell}" for cell, field in zip(cells, known, strict=True)),
            "        made.__class__ = Model",
            "        add(made)",
            "    return rows",
        ]
    )
    return Rows(function_of("read_rows", source, names, model), {len(known)})


def _parted(kind: Any) -> tuple[Any, bool]:
    """Return a type without None, and whether None was in it."""
    given = (
        set(typing.get_args(kind)) if typing.get_origin(kind) in (typing.Union, types.UnionType) else {kind}
    )
    optional = type(None) in given
    given.discard(type(None))
    return (given.pop() if len(given) == 1 else kind), optional


def _is_plain(kind: Any) -> bool:
    inner, _ = _parted(kind)
    return isinstance(inner, type) and (inner in (str, int, bool) or issubclass(inner, (datetime, OpenEnum)))


def _value(
    kind: Any,
    number: str,
    names: dict[str, Any],
    hook_of: Callable[[Any], Structure],
    value: str,
    otherwise: str,
) -> list[str]:
    """Return the lines that check the variable `value`, or make of it what the field holds."""
    inner, optional = _parted(kind)
    check = _CHECKS.get(typing.get_origin(inner) or inner)
    if check is not None:
        condition = check.format(v=value)
        return [
            f"if {value} is not None and {condition}: {otherwise}"
            if optional
            else f"if {condition}: {otherwise}"
        ]
    if isinstance(inner, type) and issubclass(inner, datetime):
        lines = [f"t = read_time({value})", f"{value} = t if t.tzinfo is UTC else in_utc(t, {value})"]
    elif isinstance(inner, type) and issubclass(inner, OpenEnum):
        names[f"known{number}"] = {member.value: member for member in inner}
        names[f"read{number}"], names[f"kind{number}"] = hook_of(inner), inner
        lines = [f"{value} = known{number}.get({value}) or read{number}({value}, kind{number})"]
    else:
        names[f"read{number}"], names[f"kind{number}"] = hook_of(kind), kind
        return [f"{value} = read{number}({value}, kind{number})"]
    return [f"if {value} is not None:", *(f"    {line}" for line in lines)] if optional else lines
