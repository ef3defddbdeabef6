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
from typing import Any

import attrs

from ..api.constructors import draft_of, function_of
from ..api.fields import OpenEnum, in_utc, read_time, wire_name

__all__ = ["Structure", "compiled"]

Structure = Callable[[Any, Any], Any]
"""Makes a value of JSON one of the type given with it."""

_CHECKS: dict[Any, str] = {
    str: "type(v) is not str",
    int: "type(v) is not int",
    bool: "v is not True and v is not False",
    dict: "type(v) is not dict",
    Mapping: "type(v) is not dict",
}


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
            lines.append("if not v: return strict(body, Model)")
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
    value = [*_value(field.type, number, names, hook_of), target]
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


def _value(kind: Any, number: str, names: dict[str, Any], hook_of: Callable[[Any], Structure]) -> list[str]:
    """Return the lines that check `v`, or make of it what the field holds."""
    given = (
        set(typing.get_args(kind)) if typing.get_origin(kind) in (typing.Union, types.UnionType) else {kind}
    )
    optional = type(None) in given
    given.discard(type(None))
    inner = given.pop() if len(given) == 1 else kind
    check = _CHECKS.get(typing.get_origin(inner) or inner)
    if check is not None:
        condition = f"v is not None and {check}" if optional else check
        return [f"if {condition}: return strict(body, Model)"]
    if isinstance(inner, type) and issubclass(inner, datetime):
        lines = ["t = read_time(v)", "v = t if t.tzinfo is UTC else in_utc(t, v)"]
    elif isinstance(inner, type) and issubclass(inner, OpenEnum):
        names[f"known{number}"] = {member.value: member for member in inner}
        names[f"read{number}"], names[f"kind{number}"] = hook_of(inner), inner
        lines = [f"v = known{number}.get(v) or read{number}(v, kind{number})"]
    else:
        names[f"read{number}"], names[f"kind{number}"] = hook_of(kind), kind
        return [f"v = read{number}(v, kind{number})"]
    return ["if v is not None:", *(f"    {line}" for line in lines)] if optional else lines
