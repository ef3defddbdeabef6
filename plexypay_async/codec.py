"""Between objects and the wire: a request object to a wire request, a wire response to a model.

No I/O. The cattrs converter here is strict: by itself cattrs turns ``None`` into ``"None"`` and 5 into
``"5"``. A field of the wrong type is an `UnreadableResponseError`; only changes that lose nothing are made,
such as ``"100"`` to 100. Imported with a client's first call, so that importing the client stays cheap.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

import attrs
import cattrs
import orjson
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from .errors import ConfigurationError
from .fields import Model, OpenEnum, Request, wire_name, written_time
from .operation import Answer, Declaration, Listing, Operation
from .wire import (
    BODY_METHODS,
    WireRequest,
    WireResponse,
    decode_json,
    encode_json,
    path_of,
    query_of,
    unreadable,
)

__all__ = ["ListingCodec", "OperationCodec", "PageBody"]

R = TypeVar("R")
T = TypeVar("T")

# -------------------------------------------------------------------------------------------- converter

Structure = Callable[[Any, Any], Any]


_DIGITS = re.compile(r"-?[0-9]{1,30}")


def _expected(what: str, value: Any) -> TypeError:
    return TypeError(f"expected {what}, got {type(value).__name__}")


def _text(value: Any, _: Any) -> str:
    if type(value) is str:
        return value
    raise _expected("a string", value)


def _integer(value: Any, _: Any) -> int:
    if type(value) is int:
        return value
    if (type(value) is float and value.is_integer()) or (type(value) is str and _DIGITS.fullmatch(value)):
        return int(value)
    raise _expected("an integer", value)


def _boolean(value: Any, _: Any) -> bool:
    if value is True or value is False:
        return value
    raise _expected("true or false", value)


def _time(value: Any, _: Any) -> datetime:
    if type(value) is not str:
        raise _expected("an ISO 8601 time", value)
    time = datetime.fromisoformat(value)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _as_object(value: Any) -> dict[str, Any]:
    if type(value) is dict:
        return cast("dict[str, Any]", value)
    raise _expected("an object", value)


def _object(value: Any, _: Any) -> Mapping[str, Any]:
    return _as_object(value)


def _open_enum(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    if type(value) is str:
        return kind(value)
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

    def structure(value: Any, _: Any) -> Any:
        return None if value is None else inner(value, inner_kind)

    return structure


def _model_hook(kind: Any, converter: cattrs.Converter) -> Structure:
    attrs.resolve_types(kind)
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(kind)
    renamed: Any = {
        field.name: override(omit=True) if field.name == "raw" else override(rename=wire_name(field))
        for field in fields
    }
    known: Structure = make_dict_structure_fn(kind, converter, _cattrs_use_linecache=False, **renamed)
    set_raw = object.__setattr__

    def structure(value: Any, _: Any) -> Any:
        body = _as_object(value)
        made = known(body, kind)
        set_raw(made, "raw", body)
        return made

    return structure


def _attrs_unstructure_hook(kind: Any, converter: cattrs.Converter) -> Callable[[Any], dict[str, Any]]:
    attrs.resolve_types(kind)
    renamed: Any = {
        field.name: override(omit=True)
        if field.name == "extra"
        else override(rename=wire_name(field), omit_if_default=field.default is None)
        for field in attrs.fields(kind)
    }
    return make_dict_unstructure_fn(kind, converter, _cattrs_use_linecache=False, **renamed)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    for kind, hook in ((str, _text), (int, _integer), (bool, _boolean), (datetime, _time)):
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(_is_object, _object)
    # By class, not by predicate: cattrs looks at its own str and int hooks before any predicate.
    converter.register_structure_hook(OpenEnum, _open_enum)
    converter.register_structure_hook_factory(_is_model, _model_hook)
    converter.register_structure_hook_factory(_is_optional, _optional_hook)
    converter.register_unstructure_hook(datetime, written_time)
    converter.register_unstructure_hook_func(_is_object, _plain_object)
    converter.register_unstructure_hook_func(_is_text_union, _same)
    converter.register_unstructure_hook_factory(attrs.has, _attrs_unstructure_hook)
    return converter


def _plain_object(value: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if type(value) is dict else dict(value)


def _same(value: Any) -> Any:
    return value


def _is_text_union(kind: Any) -> bool:
    """Tell an open enumeration's `Status | str` (and None), which is written as it is."""
    arguments = set(typing.get_args(kind)) - {type(None)}
    return bool(arguments) and str in arguments and all(issubclass(arg, str) for arg in arguments)


_converter = _make_converter()


# ---------------------------------------------------------------------------------------------- codecs


class RequestEncoder:
    """Makes wire requests from the request objects of one declaration."""

    def __init__(self, declaration: Declaration[...], path: str) -> None:
        request_class: Any = declaration.request
        attrs.resolve_types(request_class)
        fields: Sequence[attrs.Attribute[Any]] = attrs.fields(request_class)
        self._method = declaration.method
        self._path = path
        self._path_parameters = declaration.path_parameters
        self._path_wire_names = [wire_name(f) for f in fields if f.name in self._path_parameters]
        self._inside = [
            (wire_name(field), str(field.metadata["inside"]))
            for field in fields
            if field.metadata.get("inside")
        ]
        self._unstructure: Callable[[Any], dict[str, Any]] = _converter.get_unstructure_hook(request_class)

    def values(self, request: Request) -> dict[str, Any]:
        """Return what goes to the body or the query, by wire name."""
        values = self._unstructure(request)
        for name in self._path_wire_names:
            del values[name]
        for name, parent in self._inside:
            if name in values:
                values[parent] = {**values.get(parent, {}), name: values.pop(name)}
        if request.extra is not None:
            for name, value in request.extra.items():
                if name in values:
                    raise ConfigurationError(f"extra[{name!r}]: the request has this field already")
                values[name] = value
        return values

    def path(self, request: Request) -> str:
        """Return the path with the request's parameters filled in."""
        if not self._path_parameters:
            return self._path
        return path_of(self._path, {name: getattr(request, name) for name in self._path_parameters})

    def encode(self, request: Request) -> WireRequest:
        """Return the request as it goes out."""
        values = self.values(request)
        path = self.path(request)
        if self._method in BODY_METHODS:
            return WireRequest(self._method, path, encode_json(values))
        query = query_of(values) if values else ""
        return WireRequest(self._method, f"{path}?{query}" if query else path)


class OperationCodec(Generic[R]):
    """Encodes the requests and decodes the answers of one operation."""

    def __init__(self, operation: Operation[..., R], path: str | None = None) -> None:
        self.name = operation.name
        self._encoder = RequestEncoder(operation, operation.path if path is None else path)
        self.encode = self._encoder.encode
        answer: Answer[R] = operation.answer
        self._model = answer.model
        self._known_by = answer.known_by
        self._structure: Structure = _converter.get_structure_hook(answer.model)

    def decode(self, response: WireResponse) -> R:
        """Return the answer's model.

        Raises:
            UnreadableResponseError: The answer is not JSON, or does not fit the model.
        """
        try:
            value = orjson.loads(response.body)
        except ValueError:
            value = decode_json(response, self.name)
        if self._known_by is not None and (type(value) is not dict or self._known_by not in value):
            return None  # type: ignore[return-value]
        model: R = structured(self._structure, self._model, value, response, self.name)
        return model


@attrs.frozen
class PageBody(Generic[T]):
    """A decoded page of a listing."""

    items: tuple[T, ...]
    page: int | None
    size: int | None
    total: int | None
    raw: Mapping[str, Any]


class ListingCodec(Generic[T]):
    """Encodes the requests and decodes the pages of one listing."""

    def __init__(self, listing: Listing[..., T], path: str | None = None) -> None:
        self.name = listing.name
        self._encoder = RequestEncoder(listing, listing.path if path is None else path)
        self._item: type[T] = listing.item
        self._structure: Structure = _converter.get_structure_hook(listing.item)

    def filters(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return the path and the query's values by wire name, before page and size."""
        for name in ("page", "size"):
            if name in (request.extra or ()):
                raise ConfigurationError(f"extra[{name!r}]: a listing counts its pages itself")
        return self._encoder.path(request), self._encoder.values(request)

    @staticmethod
    def encode(path: str, values: Mapping[str, Any], page: int, size: int) -> WireRequest:
        """Return the request for one page."""
        return WireRequest("GET", f"{path}?{query_of({**values, 'page': page, 'size': size})}")

    def decode(self, response: WireResponse) -> PageBody[T]:
        """Return the page.

        Raises:
            UnreadableResponseError: The answer is not JSON, or not a page of these items.
        """
        value = decode_json(response, self.name)
        body: PageBody[T] = structured(self._page, PageBody, value, response, self.name)
        return body

    def _page(self, value: Any, _: Any) -> PageBody[T]:
        body = _as_object(value)
        # A server may write an empty list as null, but what has no `data` at all is no page.
        data = body["data"]
        if data is not None and type(data) is not list:
            raise TypeError(f"data: expected an array, got {type(data).__name__}")
        structure, kind = self._structure, self._item
        items: list[T] = []
        for index, item in enumerate(cast("Sequence[Any]", data or ())):
            try:
                items.append(structure(item, kind))
            except Exception as error:  # noqa: BLE001 - named with its index, whatever it is
                raise TypeError(f"data[{index}]: {_reason(error)}") from None
        counts = {
            name: None if body.get(name) is None else _counted(name, body[name])
            for name in ("page", "size", "total")
        }
        return PageBody(tuple(items), counts["page"], counts["size"], counts["total"], body)


def _counted(name: str, value: Any) -> int:
    try:
        return _integer(value, int)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}") from None


def structured(structure: Structure, kind: Any, value: Any, response: WireResponse, what: str) -> Any:
    """Run a structure hook; whatever it raises becomes an `UnreadableResponseError`."""
    try:
        return structure(value, kind)
    except Exception as error:  # noqa: BLE001 - any document gives a model or this error
        raise unreadable(
            response, f"{what}: the answer does not fit {kind.__name__}: {_reason(error)}"
        ) from None


def _reason(error: BaseException) -> str:
    """Say where and why structuring failed, without the values."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    if isinstance(error, cattrs.BaseValidationError):
        reasons: list[str] = []
        for inner in error.exceptions:
            notes = [note for note in getattr(inner, "__notes__", ()) if hasattr(note, "name")]
            reason = _reason(inner)
            reasons.append(f"{notes[0].name}: {reason}" if notes else reason)
        return "; ".join(reasons[:5])
    if isinstance(error, ValueError):
        return "not readable as its type"
    return str(error)
