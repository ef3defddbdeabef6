"""The cattrs converter: JSON values to models and requests to JSON values, losing nothing.

By itself cattrs turns ``None`` into ``"None"`` and 5 into ``"5"``. Here a value of the wrong type raises,
and only changes are made that lose nothing, such as ``"100"`` to 100. In a model, a field by which nobody
decides is left out then, and stays in `raw`.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import attrs
import cattrs
from cattrs.fns import identity
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from .._privacy.secret_object import HIDDEN, SecretObject
from .._times import read_answered, real_time, written_time
from ..api.fields import DECISIVE, Model, OpenEnum, key_of_list, wire_name
from .compiled import Rows, Structure, compiled, compiled_rows

__all__ = [
    "Structure",
    "as_object",
    "converter",
    "descriptive_in",
    "each",
    "integer",
    "misfits",
    "reason",
    "rows_of",
    "unwrapped",
]


rows_of: dict[Any, Rows] = {}
"""What reads an array of a model's objects at once, once there is a hook for the model, where it can be."""
_DIGITS = re.compile(r"-?[0-9]{1,30}")
_WRAPPED = frozenset(("Value", "Valid"))
_LONGEST = 40
_FIRST_ROUNDED = 2.0**53
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


def _expected(what: str, value: Any) -> TypeError:
    return TypeError(f"expected {what}, got {type(value).__name__}")


def _text(value: Any, _: Any) -> str:
    if type(value) is str:
        return value
    inner = unwrapped(value)
    if type(inner) is str:
        return inner
    raise _expected("a string", value)


def _optional_text(value: Any, _: Any) -> str | None:
    # The most frequent optional field: one call instead of two.
    if value is None or type(value) is str:
        return value
    inner = unwrapped(value)
    if inner is None or type(inner) is str:
        return inner
    raise _expected("a string", value)


def unwrapped(value: Any) -> Any:
    """Return the text in ``{"Value": ..., "Valid": ...}``, as webhooks write one that may be missing.

    None where there is none in it; anything else is returned as it is.
    """
    if type(value) is not dict:
        return value
    wrapped = cast("dict[str, Any]", value)
    if not wrapped.keys() <= _WRAPPED:
        return wrapped
    return None if wrapped.get("Valid") is False else wrapped.get("Value")


def integer(value: Any, _: Any) -> int:
    """Read an integer, from digits as text too."""
    if type(value) is int:
        return value
    if type(value) is float and abs(value) >= _FIRST_ROUNDED:
        raise TypeError("expected an integer that can be read exactly")
    if type(value) is Decimal and abs(value.adjusted()) <= _LONGEST and value == value.to_integral_value():
        return int(value)
    if (type(value) is float and value.is_integer()) or (type(value) is str and _DIGITS.fullmatch(value)):
        return int(value)
    raise _expected("an integer", value)


def _decimal(value: Any, _: Any) -> Decimal:
    if type(value) is int:
        return Decimal(value)
    if type(value) is float:
        # The shortest text of a float is what the server wrote.
        return Decimal(repr(value))
    if type(value) is Decimal and abs(value.adjusted()) <= _LONGEST:
        return value
    if type(value) is str and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise _expected("a number", value)


def _number(value: Decimal) -> int | float:
    """Write an amount of major units; the request has seen to it that a float holds it."""
    whole = int(value)
    return whole if whole == value and -(2**53) <= whole <= 2**53 else float(value)


def _decimal_text(value: Decimal | int) -> str:
    """Write an amount as text, in plain notation and with the decimals that it has."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _boolean(value: Any, _: Any) -> bool:
    if value is True or value is False:
        return value
    raise _expected("true or false", value)


def _time(value: Any, _: Any) -> datetime:
    value = unwrapped(value)
    if type(value) is not str:
        raise _expected("an ISO 8601 time", value)
    return read_answered(value)


def as_object(value: Any) -> dict[str, Any]:
    """Return an object of JSON as it is; anything else is refused."""
    if type(value) is dict:
        return cast("dict[str, Any]", value)
    raise _expected("an object", value)


def _object(value: Any, _: Any) -> Mapping[str, Any]:
    return as_object(value)


def _is_secret(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, SecretObject)


def _secret(value: Any, kind: type[SecretObject]) -> SecretObject:
    return kind(value)


def _open_enum(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    text = unwrapped(value)
    if type(text) is str:
        return kind(text)
    raise _expected("a string", value)


def _is_optional(kind: Any) -> bool:
    return (
        typing.get_origin(kind) in (typing.Union, types.UnionType)
        and len(typing.get_args(kind)) == 2
        and type(None) in typing.get_args(kind)
    )


def _is_object(kind: Any) -> bool:
    return kind is dict or typing.get_origin(kind) in (dict, Mapping)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _optional_hook(kind: Any, converter: cattrs.Converter) -> Structure:
    inner_kind = next(arg for arg in typing.get_args(kind) if arg is not type(None))
    inner = converter.get_structure_hook(inner_kind)
    if inner is _text:
        return _optional_text

    def structure(value: Any, _: Any) -> Any:
        return None if value is None else inner(value, inner_kind)

    return structure


def _is_tuple(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple


def _tuple_hook(kind: Any, converter: cattrs.Converter) -> Structure:
    """Structure an array; null is an empty one, as some servers write it."""
    inner_kind = typing.get_args(kind)[0]
    inner = converter.get_structure_hook(inner_kind)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if value is None:
            return ()
        if type(value) is not list:
            raise _expected("an array", value)
        return tuple(each(cast("Sequence[Any]", value), inner, inner_kind, ""))

    return structure


def each(values: Sequence[Any], structure: Structure, kind: Any, name: str) -> list[Any]:
    """Structure the elements of an array; the error names the one that does not fit."""
    made: list[Any] = []
    for index, value in enumerate(values):
        try:
            made.append(structure(value, kind))
        except Exception as error:  # noqa: BLE001 - named with its index, whatever it is
            raise TypeError(f"{name}[{index}]: {reason(error)}") from None
    return made


@attrs.frozen
class _Varied:
    """A field of an answer that does not always come under one name, or as it is."""

    name: str
    aliases: tuple[str, ...]
    as_text: bool

    @classmethod
    def fields_of(cls, fields: Sequence[attrs.Attribute[Any]]) -> list[_Varied]:
        varied = [
            cls(
                wire_name(field),
                field.metadata["aliases"],
                field.metadata["as_text"],
            )
            for field in fields
            if field.metadata
        ]
        return [field for field in varied if field.aliases or field.as_text]

    def value_in(self, body: dict[str, Any]) -> Any:
        value = unwrapped(body.get(self.name))
        if value is None:
            found = (unwrapped(body.get(alias)) for alias in self.aliases)
            value = next((other for other in found if other is not None), None)
        return str(value) if self.as_text and type(value) is int else value


def _in_one_form(body: dict[str, Any], varied: Sequence[_Varied]) -> dict[str, Any]:
    """Return an object with each field under its first name, and as it is."""
    found = dict(body)
    for field in varied:
        value = field.value_in(body)
        if value is not None or field.name in body:
            found[field.name] = value
    return found


def descriptive_in(model: type[Any]) -> dict[str, str]:
    """Return the wire names, by the names in Python, of the fields by which nobody decides.

    The list that an answer is for is none of them: an empty one would say that there is nothing.
    """
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(model)
    return {
        field.name: wire_name(field)
        for field in fields
        if field.default is not attrs.NOTHING
        and field.name not in DECISIVE
        and field.name not in model.decisive
        and field.name != "raw"
        and wire_name(field) != model.list_under
    }


def _model_hook(kind: Any, converter: cattrs.Converter) -> Structure:
    attrs.resolve_types(kind)
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(kind)
    renamed: Any = {
        field.name: override(omit=True) if field.name == "raw" else override(rename=wire_name(field))
        for field in fields
    }
    set_raw = object.__setattr__
    known: Structure = make_dict_structure_fn(kind, converter, _cattrs_use_linecache=False, **renamed)
    descriptive = descriptive_in(kind)

    def strict(value: Any, _: Any) -> Any:
        body = as_object(value)
        try:
            made = known(body, kind)
        except cattrs.ClassValidationError as error:
            unread = misfits(error)
            if not unread or not descriptive.keys() >= unread:
                raise
            passed_over = {descriptive[name] for name in unread}
            made = known({name: value for name, value in body.items() if name not in passed_over}, kind)
        if (flaw := made.flaw(kind.checked)) is not None:
            raise TypeError(flaw)
        set_raw(made, "raw", body)
        return made

    structure = compiled(kind, fields, converter.get_structure_hook, strict)
    variants = _Varied.fields_of(fields)
    list_under: str | None = kind.list_under
    list_aliases: tuple[str, ...] = kind.list_aliases
    secrets = [wire_name(field) for field in fields if any(map(_is_secret, _parts_of(field.type)))]
    if secrets:
        return _without_secrets(structure, secrets)
    if not variants and list_under is None:
        if (rows := compiled_rows(kind, fields, converter.get_structure_hook)) is not None:
            rows_of[kind] = rows
        return structure

    def structure_varied(value: Any, _: Any) -> Any:
        listed = list_under is not None and type(value) is list
        body: dict[str, Any] = {str(list_under): value} if listed else as_object(value)
        found = _in_one_form(body, variants)
        if list_aliases and (name := key_of_list(body, (str(list_under), *list_aliases))) is not None:
            found[str(list_under)] = body[name]
        made = structure(found, kind)
        set_raw(made, "raw", body)
        return made

    return structure_varied


def _parts_of(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) or (kind,)


def _without_secrets(structure: Structure, names: Sequence[str]) -> Structure:
    """Return what reads an answer and keeps none of its secrets in `raw`."""

    def structure_secret(value: Any, kind: Any) -> Any:
        made = structure(value, kind)
        found = dict.fromkeys((name for name in names if value.get(name) is not None), HIDDEN)
        object.__setattr__(made, "raw", {**value, **found})
        return made

    return structure_secret


def _attrs_unstructure_hook(kind: Any, converter: cattrs.Converter) -> Callable[[Any], dict[str, Any]]:
    attrs.resolve_types(kind)
    renamed: Any = {
        field.name: override(omit=True)
        if field.name == "extra"
        else override(
            rename=wire_name(field),
            omit_if_default=field.default is None,
            unstruct_hook=_decimal_text if field.metadata.get("decimal_text") else None,
        )
        for field in attrs.fields(kind)
    }
    return make_dict_unstructure_fn(kind, converter, _cattrs_use_linecache=False, **renamed)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    for kind, hook in (
        (str, _text),
        (int, integer),
        (bool, _boolean),
        (real_time(), _time),
        (Decimal, _decimal),
    ):
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(_is_object, _object)
    # By class, not by predicate: cattrs looks at its own str and int hooks before any predicate.
    converter.register_structure_hook(OpenEnum, _open_enum)
    converter.register_structure_hook_func(_is_secret, _secret)
    converter.register_structure_hook_factory(_is_model, _model_hook)
    converter.register_structure_hook_factory(_is_optional, _optional_hook)
    converter.register_structure_hook_factory(_is_tuple, _tuple_hook)
    converter.register_unstructure_hook(Decimal, _number)
    converter.register_unstructure_hook(real_time(), written_time)
    converter.register_unstructure_hook_func(_is_object, _plain_object)
    # cattrs calls no hook where it is its own identity.
    converter.register_unstructure_hook_func(_is_text_union, identity)
    converter.register_unstructure_hook_factory(attrs.has, _attrs_unstructure_hook)
    return converter


def _plain_object(value: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if type(value) is dict else dict(value)


def _is_text_union(kind: Any) -> bool:
    """Tell an open enumeration's `Status | str` (and None), which is written as it is."""
    arguments = set(typing.get_args(kind)) - {type(None)}
    return bool(arguments) and str in arguments and all(issubclass(arg, str) for arg in arguments)


converter = _make_converter()


def reason(error: BaseException) -> str:
    """Say where and why structuring failed, without the values."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    if isinstance(error, cattrs.BaseValidationError):
        reasons: list[str] = []
        for inner in error.exceptions:
            notes = [note for note in getattr(inner, "__notes__", ()) if hasattr(note, "name")]
            told = reason(inner)
            reasons.append(f"{notes[0].name}: {told}" if notes else told)
        return "; ".join(reasons[:5])
    if isinstance(error, ValueError):
        return "not readable as its type"
    return str(error)


def misfits(error: BaseException) -> set[str]:
    """Return the fields of a model, by their names in Python, that did not fit; none where it is not told."""
    if not isinstance(error, cattrs.ClassValidationError):
        return set()
    with_notes, without_notes = error.group_exceptions()
    return set() if without_notes else {note.name for _, note in with_notes}
