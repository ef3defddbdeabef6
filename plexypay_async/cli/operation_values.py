"""The values of a request as a command line has them: texts, of which the fields' own types are made.

What an operation takes is read from the fields of its request class; nothing is written here for any of them.
"""

from __future__ import annotations

import enum
import json
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeVar, cast

import attrs

from .._privacy.hiding import shown
from ..api.fields import OpenEnum
from ..bulk.amounts import major_units
from ..errors import ConfigurationError
from ..json_form import JSONResult, read_value, wire_name
from .exits import UnusableInputError
from .operation_output import secrets_in
from .operation_words import command_name

__all__ = ["Form", "Parameter", "Values", "parameters_of", "told_by_options", "told_request"]

T = TypeVar("T")

_FROM_FILE, _STANDARD_INPUT = "@", "-"
_WHOLE = re.compile(r"-?[0-9]{1,30}")
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_NAMES = re.compile(r"^[a-z][a-z0-9_]*(?:, [a-z][a-z0-9_]*)*")
_HIDDEN = "[hidden]"
_NOT_SECRET = ("extra",)
"""Fields that `repr` leaves out for another reason."""


class Form(enum.Enum):
    """How a value is written; its value is what the help calls it."""

    TEXT = "TEXT"
    INTEGER = "N"
    AMOUNT = "AMOUNT"
    NUMBER = "NUMBER"
    BOOLEAN = "true|false"
    TIME = "TIME"
    JSON = "JSON"


@attrs.frozen(kw_only=True)
class Parameter:
    """One field of a request, as an argument of its command."""

    name: str
    """The field's name."""
    kind: Any
    """Its type."""
    form: Form
    is_positional: bool
    """Whether it is given by its place, as the ids of a path are."""
    is_required: bool
    """Whether the request cannot be made without it."""
    is_needed: bool
    """Whether the API requires it."""
    is_secret: bool
    """Whether it may be seen nowhere, and so not in the list of processes."""
    known: tuple[str, ...] = ()
    """Values of an enumeration that are known; the server may take others."""
    inner: tuple[str, ...] = ()
    """The fields of an object."""
    default: Any = None

    @property
    def option(self) -> str:
        """What the command line calls it."""
        name = command_name(self.name)
        return name.upper() if self.is_positional else f"--{name}"

    @property
    def destination(self) -> str:
        """Its name among what was parsed, where the command's own options have theirs."""
        return f"field.{self.name}"

    def knows(self, value: str) -> bool:
        """Tell whether a value is one of the known, of which the log is to say nothing from now on."""
        kinds = [each for each in _kinds_of(self.kind) if isinstance(each, type)]
        found = [kind for kind in kinds if issubclass(kind, OpenEnum)]
        for kind in found:
            kind.is_news(value)
        return not found or any(kind.knows(value) for kind in found)

    @property
    def is_structured(self) -> bool:
        """Whether it may come from a file or from standard input."""
        return self.form is Form.JSON or self.is_secret


def parameters_of(request: Any) -> Sequence[Parameter]:
    """Return the arguments of a request class: those of its path, those required, the others, `extra`."""
    kind = attrs.resolve_types(request)
    fields: Iterable[attrs.Attribute[Any]] = attrs.fields(kind)
    found = [_parameter(field) for field in fields if field.init and not field.metadata.get("of_client")]
    return sorted(
        found, key=lambda each: (not each.is_positional, not each.is_required, each.name == "extra")
    )


def _parameter(field: attrs.Attribute[Any]) -> Parameter:
    kinds = _kinds_of(field.type)
    known = [each for each in kinds if isinstance(each, type) and issubclass(each, enum.Enum)]
    is_required = field.default is attrs.NOTHING
    given = field.metadata.get("required")
    is_plain = isinstance(field.default, (str, int, float, bool))
    return Parameter(
        name=field.name,
        kind=field.type,
        form=_form_of(kinds),
        is_positional=not field.kw_only,
        is_required=is_required,
        is_needed=is_required or (given is not None and not field.metadata.get("required_with")),
        is_secret=not field.repr and field.name not in _NOT_SECRET,
        inner=tuple(dict.fromkeys(inner.name for kind in kinds for inner in _fields_inside(kind))),
        known=tuple(str(member.value) for kind in known for member in kind),
        default=field.default if is_plain else None,
    )


def _fields_inside(kind: Any) -> Iterator[attrs.Attribute[Any]]:
    """Return the fields of an object, or of those that an array has."""
    if isinstance(kind, type) and attrs.has(kind):
        model: Any = kind
        yield from attrs.fields(model)
    elif _is_sequence(kind):
        for each in typing.get_args(kind):
            yield from _fields_inside(each)


def _kinds_of(annotated: Any) -> Sequence[Any]:
    """Return what a value may be, None left out."""
    if typing.get_origin(annotated) in (typing.Union, types.UnionType):
        return [each for each in typing.get_args(annotated) if each is not type(None)]
    return [annotated]


def _form_of(kinds: Sequence[Any]) -> Form:
    plain = {Decimal: Form.AMOUNT, int: Form.INTEGER, float: Form.NUMBER, bool: Form.BOOLEAN}
    for kind in kinds:
        if kind is str or (isinstance(kind, type) and issubclass(kind, enum.Enum)):
            return Form.TEXT
    for kind, form in plain.items():
        if kind in kinds:
            return form
    if any(isinstance(kind, type) and issubclass(kind, datetime) for kind in kinds):
        return Form.TIME
    return Form.JSON


# ------------------------------------------------------------------------------------------------ reading


class Values:
    """Makes a request of what a command line says.

    Standard input can be the value of one of its fields.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = parameters
        self._options = {each.name: each.option for each in parameters}
        self._taken_by: Parameter | None = None

    def request(self, request: type[T], given: Mapping[str, str | None]) -> T:
        """Return the request.

        Args:
            request: Its class.
            given: The texts by the names of the fields; None for those that are not given.

        Raises:
            UnusableInputError: A text cannot be read as its field's type, or the class refuses a value; the
                message names the option.
        """
        refused: str | None = None
        arguments: dict[str, Any] = {}
        try:
            for each in self._parameters:
                text = given.get(each.name)
                if text is not None:
                    arguments[each.name] = self._value(each, text)
            return request(**arguments)
        except ConfigurationError as error:
            refused = told_by_options(str(error), self._options)
        # Not raised in the handler: the frames of the other error hold what was given.
        raise UnusableInputError(f"{refused}; nothing was sent")

    def _value(self, parameter: Parameter, text: str) -> Any:
        match parameter.form:
            case _ if parameter.is_structured:
                read = self._read(parameter, text)
                return self._json(parameter, read) if parameter.form is Form.JSON else read.rstrip("\r\n")
            case Form.INTEGER:
                if _WHOLE.fullmatch(text) is None:
                    _refuse(parameter, "a whole number, such as 2200000", text)
                return int(text)
            case Form.AMOUNT:
                return _amount(parameter, text)
            case Form.NUMBER:
                if _DECIMAL.fullmatch(text) is None:
                    _refuse(parameter, "a number, such as 30 or 0.5", text)
                return float(text)
            case Form.BOOLEAN:
                if text not in ("true", "false"):
                    _refuse(parameter, "true or false", text)
                return text == "true"
            case Form.TIME:
                return read_value(datetime, text, parameter.option)
            case _:
                return text

    def _read(self, parameter: Parameter, text: str) -> str:
        """Return a value that may be the content of a file or of standard input."""
        option = parameter.option
        if text == _STANDARD_INPUT:
            if self._taken_by is not None:
                raise UnusableInputError(
                    f"{option}: standard input is the value of {self._taken_by.option} already; give a file"
                    " by @FILE; nothing was sent"
                )
            self._taken_by = parameter
            return _decoded(sys.stdin.buffer.read(), option, "standard input")
        if text.startswith(_FROM_FILE):
            name = text[len(_FROM_FILE) :]
            try:
                with open(name, "rb") as file:
                    content = file.read()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise UnusableInputError(
                    f"{option}: cannot read {name}: {reason}; nothing was sent"
                ) from None
            return _decoded(content, option, name)
        if parameter.is_secret:
            raise UnusableInputError(
                f"{option}: the list of processes would show it: give @FILE, or - for standard input;"
                " nothing was sent"
            )
        return text

    def _json(self, parameter: Parameter, text: str) -> Any:
        reason = ""
        try:
            document = json.loads(
                text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_object_of
            )
            return read_value(
                parameter.kind,
                _named(parameter.kind, document),
                parameter.option,
                hidden=parameter.is_secret,
            )
        except ConfigurationError:
            raise
        except json.JSONDecodeError as error:
            reason = f"this is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        except _NotUsableError as error:
            reason = str(error)
        except RecursionError:
            reason = "this is nested too deep"
        except (ValueError, ArithmeticError):
            reason = "a number has more digits than can be read"
        raise UnusableInputError(f"{parameter.option}: {reason}; nothing was sent")


class _NotUsableError(ValueError):
    """JSON that could be read in more than one way, or not at all."""


def _amount(parameter: Parameter, text: str) -> Decimal:
    """Return an amount of major units, which is read as in files: ``22 000,50`` too."""
    try:
        return major_units(text)
    except ConfigurationError as error:
        refused = str(error).removeprefix("amount: ")
    raise UnusableInputError(f"{parameter.option}: {refused}; nothing was sent")


def _refuse(parameter: Parameter, expected: str, text: str) -> NoReturn:
    raise UnusableInputError(
        f"{parameter.option}: expected {expected}, got {shown(text, 60)}; nothing was sent"
    )


def _decoded(content: bytes, option: str, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableInputError(f"{option}: {name} is not text in UTF-8; nothing was sent") from None


def _no_constant(name: str) -> NoReturn:
    raise _NotUsableError(f"{name} is no number of JSON")


def _object_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotUsableError(f"the name {shown(twice, 60)} is there twice")
    return made


def _named(annotated: Any, value: Any) -> Any:
    """Return plain JSON of a type with the names of its fields, for which it may have the API's own.

    Numbers with a point are exact where a field is an amount, and as JSON has them in what has no type.
    """
    kinds = _kinds_of(annotated)
    if isinstance(value, dict):
        models = [each for each in kinds if isinstance(each, type) and attrs.has(each)]
        given = cast("dict[str, Any]", value)
        if models:
            return _named_object(models, given)
        return {name: _named(Any, inner) for name, inner in given.items()}
    if isinstance(value, list):
        inner = next((typing.get_args(each)[0] for each in kinds if _is_sequence(each)), Any)
        return [_named(inner, each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Decimal) and Decimal not in kinds:
        nearest = float(value)
        if Decimal(repr(nearest)) != value:
            raise _NotUsableError("a number has more digits than JSON carries without loss")
        return nearest
    return value


def _is_sequence(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def _named_object(models: Sequence[type[Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    fields: dict[str, attrs.Attribute[Any]] = {}
    for model in models:
        resolved: Any = attrs.resolve_types(model)
        for field in cast("Sequence[attrs.Attribute[Any]]", attrs.fields(resolved)):
            fields.setdefault(wire_name(field), field)
            fields[field.name] = field
    for name, value in given.items():
        meant = fields.get(name)
        known = name if meant is None else meant.name
        if known in found:
            raise _NotUsableError(f"{known} is there twice, by its own name and by the API's")
        found[known] = _named(Any if meant is None else meant.type, value)
    return found


# ------------------------------------------------------------------------------------------------ telling


def told_by_options(message: str, options: Mapping[str, str]) -> str:
    """Return a message that begins with names with their options in the place of these.

    Args:
        message: What an error says, such as ``amount: must be positive``.
        options: The option of each name.
    """
    named = _NAMES.match(message)
    names = named[0].split(", ") if named else []
    if named is None or not options.keys() >= set(names):
        return message
    return ", ".join(options[name] for name in names) + message[named.end() :]


def told_request(request: JSONResult) -> dict[str, Any]:
    """Return what a request says, as plain JSON for the one who is asked about it; secrets are hidden."""
    written = request.to_dict()
    for secret in secrets_in(request, written):
        secret.within[secret.name] = _HIDDEN
    return {name: value for name, value in written.items() if value is not None}
