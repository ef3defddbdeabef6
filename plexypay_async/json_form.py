"""Objects as JSON: plain dicts for whatever writes JSON, and objects made of such dicts again.

A model's own names are those of its attributes (``order_reference``); on the wire the API has others
(``orderReference``). Times are texts in UTC, enumerations their values, amounts that are no whole numbers
texts, so that nothing is rounded on the way.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Self, TypeAlias, TypeVar, Union, cast

import attrs

from ._composed_docs import first_paragraph
from ._privacy.hiding import masked_card_numbers, shortened, shown, without_own_frames
from ._privacy.secret_object import HIDDEN, SecretObject
from ._times import in_utc, read_answered, read_time, written_time
from .errors import ConfigurationError, PlexyPayError

__all__ = ["JSONForm", "JSONResult", "WireForm", "read_value", "wire_name", "wire_names"]

T = TypeVar("T")
Decimals: TypeAlias = Literal["text", "number"]
"""How a `Decimal` is written: as a text, which loses nothing, or as a number of JSON."""

_OF_AN_ERROR = (
    *("outcome", "operation", "order_reference", "idempotency_key", "code", "status", "request_id"),
    *("link_id", "link_url"),
)
_NOT_WRITTEN = ("raw", "answered")

_AMOUNT = r"-?[0-9]{1,41}(\.[0-9]{1,200})?"
_LONGEST = 40
"""The largest power of ten of an amount, as in answers: a few characters could stand for gigabytes."""
_FIRST_TOO_LARGE = 10 ** (_LONGEST + 1)
_DIGITS_OF_A_FLOAT = 15
"""So many digits of a decimal number always come out of a float as they went in."""


def wire_name(field: attrs.Attribute[Any]) -> str:
    """Return a field's name on the wire."""
    given = field.metadata.get("wire")
    if given is not None:
        return str(given)
    head, *rest = field.name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def wire_names(field: attrs.Attribute[Any]) -> tuple[str, ...]:
    """Return every name under which an answer may have a field."""
    return (wire_name(field), *field.metadata.get("aliases", ()))


def _fields(kind: type[Any]) -> Sequence[attrs.Attribute[Any]]:
    return [field for field in attrs.fields(kind) if field.name not in _NOT_WRITTEN]


# ----------------------------------------------------------------------------------------------- writing


def _written(value: Any, decimals: Decimals, *, wire: bool, place: str = "") -> Any:
    """Return a value as plain JSON; `place` is where an error says that it stands."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, SecretObject):
        return None
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return _written_amount(value, decimals, place)
    if isinstance(value, datetime):
        return written_time(value)
    if isinstance(value, Mapping):
        return {
            _plain_text(key) if isinstance(key, str) else str(key): _written(
                inner, decimals, wire=wire, place=place
            )
            for key, inner in cast("Mapping[Any, Any]", value).items()  # type: ignore[redundant-cast]
        }
    if isinstance(value, (list, tuple)):
        return [_written(inner, decimals, wire=wire, place=place) for inner in cast("Sequence[Any]", value)]
    if isinstance(value, PlexyPayError):
        known = {name: getattr(value, name, None) for name in _OF_AN_ERROR}
        told = {name: _written(inner, decimals, wire=False) for name, inner in known.items()}
        return {"type": type(value).__name__, "message": str(value), **told}
    kind: type[Any] = value.__class__
    if attrs.has(kind):
        return _object(value, decimals, wire=wire, place=place)
    raise ConfigurationError(f"{place or 'a value'}: a {kind.__name__} has no form in JSON")


def _plain_text(value: str) -> str:
    """Return a text of a subclass of `str`, whatever that makes of `str()`, as enumerations do."""
    return str.__str__(value)


def _is_holdable(value: Decimal) -> bool:
    return value.is_finite() and abs(value.adjusted()) <= _LONGEST


def _written_amount(value: Decimal, decimals: Decimals, place: str) -> str | int | float:
    """Return an amount of major units as a text, or as a number of JSON that is read as the same amount."""
    if not _is_holdable(value):
        told = shortened(str(value), 60)
        raise ConfigurationError(f"{place or 'a value'}: {told} is no amount that can be written")
    if decimals == "text":
        return format(value, "f")
    nearest = float(value)
    if Decimal(repr(nearest)) == value:
        whole = int(value)
        if whole == value:
            return whole
        if _is_exact(nearest):
            return nearest
    raise ConfigurationError(
        f"{place or 'a value'}: {shortened(str(value), 60)} has more digits than a number of JSON is read"
        ' with; write it as a text (decimals="text")'
    )


def _is_exact(value: float) -> bool:
    """Tell whether a float has no more digits than come out of it as they went in."""
    return float(f"{value:.{_DIGITS_OF_A_FLOAT}g}") == value


def _object(
    value: Any, decimals: Decimals, *, wire: bool, place: str = "", kind: type[Any] | None = None
) -> dict[str, Any]:
    """Return an object as plain JSON, with the fields of its own class or of one above it."""
    written: dict[str, Any] = {}
    before = f"{place}." if place else ""
    for field in _fields(kind or value.__class__):
        inner = getattr(value, field.name)
        if not wire:
            written[field.name] = _written(inner, decimals, wire=False, place=before + field.name)
        elif inner is not None and not isinstance(inner, SecretObject):
            name = wire_name(field)
            written[name] = _written(inner, decimals, wire=True, place=before + name)
    return written


# ----------------------------------------------------------------------------------------------- reading


class _Reading(NamedTuple):
    """How plain JSON is read."""

    wire: bool
    """Whether names are the wire's."""
    strict: bool
    """Whether it is what the caller asks for, and so is refused where it may mean something else."""
    hidden: bool = False
    """Whether no message may show a value of it."""

    def hiding(self) -> _Reading:
        """Return the same for what is not to be shown."""
        return self if self.hidden else self._replace(hidden=True)


Reader: TypeAlias = Callable[[Any, str, _Reading], Any]
"""Reads a value of plain JSON; told where it stands, and how to read."""


def _expected(what: str, value: Any, place: str, how: _Reading) -> ConfigurationError:
    told = type(value).__name__
    # What is inside an object or a list may be a field that is not shown.
    if not how.hidden and isinstance(value, (str, int, float, Decimal)):
        told = f"{told} {shown(value, 60)}"
    return ConfigurationError(f"{place}: expected {what}, got {told}")


def _text(value: Any, place: str, how: _Reading) -> str:
    if type(value) is str:
        return value
    if isinstance(value, str):
        # What names an order may be of a class that says where it comes from.
        return _plain_text(value) if isinstance(value, enum.Enum) else value
    raise _expected("a string", value, place, how)


def _boolean(value: Any, place: str, how: _Reading) -> bool:
    if value is True or value is False:
        return value
    raise _expected("true or false", value, place, how)


def _integer(value: Any, place: str, how: _Reading) -> int:
    if type(value) is int:
        return value
    raise _expected("an integer", value, place, how)


def _float(value: Any, place: str, how: _Reading) -> float:
    if type(value) is float or (type(value) is int and abs(value) < _FIRST_TOO_LARGE):
        return float(value)
    raise _expected("a number", value, place, how)


def _decimal(value: Any, place: str, how: _Reading) -> Decimal:
    found = None
    if isinstance(value, Decimal):
        found = value
    elif type(value) is int:
        found = Decimal(value) if abs(value) < _FIRST_TOO_LARGE else None
    elif type(value) is str:
        found = Decimal(value) if re.fullmatch(_AMOUNT, value) else None
    elif type(value) is float and not how.strict and _is_exact(value):
        # The shortest text of a float is what was written.
        found = Decimal(repr(value))
    if found is not None and _is_holdable(found):
        return found
    further = "" if how.strict else f", or a number of up to {_DIGITS_OF_A_FLOAT} digits"
    raise _expected(f'an integer, or a text of digits such as "22000.50"{further}', value, place, how)


def _time(value: Any, place: str, how: _Reading) -> datetime:
    with contextlib.suppress(ValueError, OverflowError):
        if type(value) is str and not how.strict:
            return read_answered(value)
        found = read_time(value) if type(value) is str else value
        if isinstance(found, datetime) and not (how.strict and found.utcoffset() is None):
            return in_utc(found, "")
    zone = " with its zone, such as 2030-01-31T18:00:00Z" if how.strict else ""
    raise _expected(f"a time of ISO 8601{zone}", value, place, how)


def _mapping(value: Any, place: str, how: _Reading) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    raise _expected("an object", value, place, how)


def _secret(kind: type[SecretObject], value: Any, _: str, __: _Reading) -> SecretObject:
    return kind.left_behind() if value == HIDDEN else kind(value)


def _anything(value: Any, _: str, __: _Reading) -> Any:
    return value


_OF_TYPES: dict[Any, Reader] = {
    str: _text,
    bool: _boolean,
    int: _integer,
    float: _float,
    Decimal: _decimal,
    Any: _anything,
    object: _anything,
}


@functools.cache
def _reader_of(kind: Any) -> Reader:
    """Return what reads the values of a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in _OF_TYPES:
        return _OF_TYPES[kind]
    if origin in (Union, types.UnionType):
        return _reader_of_union([each for each in arguments if each is not type(None)])
    if origin in (tuple, list) or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return _reader_of_sequence(_reader_of(arguments[0]), list if origin is list else tuple)
    if origin in (dict, Mapping) or kind in (dict, Mapping):
        return _mapping
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _reader_of_enum(kind)
    if isinstance(kind, type) and issubclass(kind, datetime):
        return _time
    if isinstance(kind, type) and issubclass(kind, SecretObject):
        return functools.partial(_secret, kind)
    if isinstance(kind, type) and attrs.has(kind):
        return functools.partial(_read_object, kind)
    raise TypeError(f"no form in JSON for {kind}")


def _reader_of_union(kinds: Sequence[Any]) -> Reader:
    """Return what reads a value of one of several types, or null."""
    # An open enumeration or any text: a text is as good as its member.
    readers = [_text] if str in kinds else [_reader_of(kind) for kind in kinds]

    def read(value: Any, place: str, how: _Reading) -> Any:
        if value is None:
            return None
        failure: ConfigurationError | None = None
        for reader in readers:
            try:
                return reader(value, place, how)
            except ConfigurationError as error:
                failure = failure or error
        raise failure or _expected("something else", value, place, how)

    return read


def _reader_of_sequence(inner: Reader, make: Callable[[Sequence[Any]], Any]) -> Reader:
    def read(value: Any, place: str, how: _Reading) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _expected("an array", value, place, how)
        values = cast("Sequence[Any]", value)
        return make([inner(one, f"{place}[{index}]", how) for index, one in enumerate(values)])

    return read


def _reader_of_enum(kind: type[enum.Enum]) -> Reader:
    def read(value: Any, place: str, how: _Reading) -> enum.Enum:
        with contextlib.suppress(ValueError):
            return kind(value)
        raise _expected(f"a value of {kind.__name__}", value, place, how)

    return read


@functools.cache
def _readers_of(kind: Any) -> Mapping[str, Reader]:
    """Return what reads each field of a class."""
    resolved = attrs.resolve_types(kind)
    readers: dict[str, Reader] = {}
    for field in _fields(resolved):
        annotated: Any = field.type
        reader = _reader_of(annotated)
        reader = _or_number(reader) if field.metadata.get("as_text") else reader
        readers[field.name] = _hidden(reader) if not field.repr or _hides(annotated) else reader
    return readers


def _hides(kind: Any) -> bool:
    """Tell whether an object of a type has something that its `repr` does not show."""
    if isinstance(kind, type) and attrs.has(kind):
        return _is_private(kind) or any(
            not field.repr or _hides(field.type)
            for field in _fields(attrs.resolve_types(kind))
            if field.name != "extra"
        )
    return any(_hides(each) for each in typing.get_args(kind))


def _is_private(kind: Any) -> bool:
    return getattr(kind, "private", False) is True


def _hidden(reader: Reader) -> Reader:
    def read(value: Any, place: str, how: _Reading) -> Any:
        return reader(value, place, how.hiding())

    return read


def _or_number(reader: Reader) -> Reader:
    def read(value: Any, place: str, how: _Reading) -> Any:
        is_number = type(value) is int and abs(value) < _FIRST_TOO_LARGE
        return reader(str(value) if is_number else value, place, how)

    return read


def _read_object(kind: type[T], value: Any, place: str, how: _Reading) -> T:
    """Make an object of plain JSON."""
    if isinstance(value, kind):
        return value
    if _is_private(kind):
        how = how.hiding()
    given = _mapping(value, place or kind.__name__, how)
    model: Any = kind
    readers = _readers_of(model)
    arguments: dict[str, Any] = {}
    known: set[str] = set()
    hidden: dict[str, str] = {}
    for field in _fields(kind):
        names = wire_names(field) if how.wire else (field.name,)
        known.update(names)
        name = next((each for each in names if given.get(each) is not None), None)
        where = f"{place}.{name or names[0]}" if place else (name or names[0])
        if name is not None:
            arguments[field.alias or field.name] = found = readers[field.name](given[name], where, how)
            if isinstance(found, SecretObject):
                hidden[name] = HIDDEN
        elif field.default is attrs.NOTHING:
            raise ConfigurationError(f"{where}: is missing")
    if issubclass(kind, WireForm):
        if how.wire:
            arguments["raw"] = {**given, **hidden} if hidden else given
    elif unknown := sorted(set(map(str, given)) - known):
        where = place or kind.__name__
        told = shortened(masked_card_numbers(", ".join(unknown)), 200)
        raise ConfigurationError(f"{where}: has no {told}; known are {', '.join(sorted(known))}")
    return kind(**arguments)


def _read(kind: type[T], given: Any, how: _Reading) -> T | BaseException:
    """Return an object made of plain JSON, or the error to raise.

    It is returned for the caller to raise it once what was given is out of its own frame: error trackers
    write out the locals of every frame.
    """
    try:
        return _read_object(kind, given, "", how)
    except BaseException as error:  # noqa: BLE001 - raised by the caller of this
        failure = without_own_frames(error)
    if failure.__suppress_context__:
        # What Python says of a value that it cannot read shows it.
        failure.__context__ = None
    return failure


def read_value(kind: Any, given: Any, place: str, *, hidden: bool = False) -> Any:
    """Return a value of a type made of plain JSON, as `JSONForm.from_dict` reads a field of that type.

    Args:
        kind: The type, as a field is annotated.
        given: The plain JSON.
        place: What a message calls the value.
        hidden: Whether no message may show it.

    Raises:
        ConfigurationError: It cannot be read as that type.
    """
    failure: BaseException
    try:
        return _reader_of(kind)(given, place, _Reading(wire=False, strict=True, hidden=hidden))
    except ConfigurationError as error:
        failure = without_own_frames(error)
        if failure.__suppress_context__:
            failure.__context__ = None
    del given
    raise failure


def _narrowed(value: T, kind: type[T]) -> T:
    """Return an object as one of its class alone, without what a subclass has beside."""
    if type(value) is kind:
        return value
    model: Any = kind
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(model)
    return kind(**{field.alias or field.name: getattr(value, field.name) for field in fields})


# ---------------------------------------------------------------------------------------- for the classes


class JSONResult:
    """What can be written as JSON."""

    __slots__ = ()

    def to_dict(self, *, decimals: Decimals = "text") -> dict[str, Any]:
        """Return this as plain JSON: dicts, lists, texts, numbers, booleans and None.

        Args:
            decimals: How an amount of **major** units is written: ``"text"`` loses nothing; ``"number"`` is a
                number of JSON, which most programs read as a float.
        """
        return _object(self, decimals, wire=False)


class JSONForm(JSONResult):
    """What can be written as JSON, and made of it again."""

    __slots__ = ()

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return the object that `to_dict` has written.

        What the class refuses is refused here too: a time without its zone, and an amount that is a float,
        which may have been rounded already. So it takes what was written with ``decimals="text"``.

        Raises:
            ConfigurationError: A field is missing, unknown or of another type; the message names it.
        """
        made = _read(cls, given, _Reading(wire=False, strict=True))
        if isinstance(made, BaseException):
            del given
            raise made
        return made


class WireForm(JSONResult):
    """What can be written as JSON with the API's own names too.

    FastAPI and whatever else is built on Pydantic take it as a type of their own, without Pydantic being
    needed here.
    """

    __slots__ = ()

    def to_dict(self, *, wire: bool = False, decimals: Decimals = "text") -> dict[str, Any]:
        """Return this as plain JSON: dicts, lists, texts, numbers, booleans and None.

        Times are texts of ISO 8601 in UTC, enumerations their values. What the library does not know of an
        answer is in `raw`, and not here.

        Args:
            wire: Whether names are the API's own (``orderReference``) rather than those of the attributes
                (``order_reference``); what is None is left out then.
            decimals: How an amount of **major** units is written: ``"text"`` loses nothing; ``"number"`` is a
                number of JSON, which most programs read as a float.
        """
        return _object(self, decimals, wire=wire)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any], *, wire: bool = False) -> Self:
        """Return the object that `to_dict` has written; fields that are not known are passed over.

        A time without a zone is in UTC, as in answers. An amount that is a number is taken as it was written,
        and refused where it has so many digits that a float may have changed them.

        Args:
            given: The plain JSON. With the API's own names, it is kept as `raw`.
            wire: Whether names are the API's own.

        Raises:
            ConfigurationError: A field is missing or of another type; the message names it.
        """
        made = _read(cls, given, _Reading(wire=wire, strict=False))
        if isinstance(made, BaseException):
            del given
            raise made
        return made

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Tell Pydantic how to validate and write this: an object as it is, a dict by `from_dict`.

        Of a subclass' object there are the fields of this class alone, as of a model of Pydantic's own.
        """
        from pydantic_core import core_schema

        def validate(value: Any) -> Any:
            made = _read(cls, value, _Reading(wire=False, strict=False))
            if not isinstance(made, BaseException):
                return _narrowed(made, cls)
            del value
            # Pydantic takes the text of this one alone for what a field is refused for.
            raise ValueError(str(made)) if isinstance(made, ConfigurationError) else made

        def write(value: Any) -> Any:
            return _object(value, "text", wire=False, kind=cls) if isinstance(value, cls) else value

        return core_schema.no_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(write, when_used="always"),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Tell Pydantic what this looks like as JSON."""
        return _schema_of(cls)


def _schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON schema of a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        kinds = [each for each in arguments if each is not type(None)]
        schemas = [{"type": "string"}] if str in kinds else [_schema_of(each) for each in kinds]
        return {"anyOf": [*schemas, {"type": "null"}]} if len(kinds) < len(arguments) else schemas[0]
    if origin in (tuple, list) or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return {"type": "array", "items": _schema_of(arguments[0])}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        known = [each.value for each in kind]
        return {"type": "string", "examples": known, "description": "More values may come."}
    if isinstance(kind, type) and issubclass(kind, datetime):
        return {"type": "string", "format": "date-time"}
    if isinstance(kind, type) and attrs.has(kind):
        return _schema_of_object(kind)
    simple = {str: "string", bool: "boolean", int: "integer", float: "number", Decimal: "string"}
    if kind in simple:
        return {"type": simple[kind]}
    return {"type": "object"} if origin in (dict, Mapping) or kind in (dict, Mapping) else {}


def _schema_of_object(kind: type[Any]) -> dict[str, Any]:
    fields = _fields(attrs.resolve_types(kind))
    described = first_paragraph(kind)
    return {
        "type": "object",
        "title": kind.__name__,
        "description": described,
        "properties": {field.name: _schema_of(field.type) for field in fields},
        # What may be None is written even so.
        "required": [field.name for field in fields],
    }
