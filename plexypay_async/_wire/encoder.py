"""From request objects to the wire: path, query, headers and body of one declaration's requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from ..api.fields import Request, wire_name
from ..api.operation import Declaration, parameters_of
from ..errors import ConfigurationError
from .converter import converter
from .messages import BODY_METHODS, WireRequest, encode_json
from .targets import filled, path_of, query_of

__all__ = ["RequestEncoder"]


class RequestEncoder:
    """Makes wire requests from the request objects of one declaration."""

    def __init__(
        self, declaration: Declaration[...], path: str, parameters: Mapping[str, str] | None = None
    ) -> None:
        request_class: Any = declaration.request
        attrs.resolve_types(request_class)
        fields: Sequence[attrs.Attribute[Any]] = attrs.fields(request_class)
        self._method = declaration.method
        self.template = path
        given = parameters or {}
        of_client = set(parameters_of(path)).difference(declaration.path_parameters)
        self._path = filled(path, given) if of_client else path
        self._path_parameters = declaration.path_parameters
        self._of_client = [
            (field.name, wire_name(field), given.get(field.name))
            for field in fields
            if field.metadata.get("of_client")
        ]
        self._path_numbers = {f.name for f in fields if f.type is int}.intersection(self._path_parameters)
        self._path_wire_names = [wire_name(f) for f in fields if f.name in self._path_parameters]
        self._headers = [wire_name(f) for f in fields if f.metadata.get("header")]
        self._inside = [
            (wire_name(field), str(field.metadata["inside"]))
            for field in fields
            if field.metadata.get("inside")
        ]
        self._merged = [wire_name(field) for field in fields if field.metadata.get("merged")]
        self._has_body = declaration.method in BODY_METHODS
        self._is_bare = all(f.name == "extra" or f.name in self._path_parameters for f in fields)
        self._unstructure: Callable[[Any], dict[str, Any]] = converter.get_unstructure_hook(request_class)

    def values(self, request: Request) -> dict[str, Any]:
        """Return what goes to the body or the query, by wire name."""
        values = self._unstructure(request)
        for name, on_the_wire, of_client in self._of_client:
            if on_the_wire not in values:
                if of_client is None:
                    raise ConfigurationError(f"{name}: missing; give it to the client, or to the call")
                values[on_the_wire] = of_client
        for name in self._path_wire_names:
            del values[name]
        for name, parent in self._inside:
            if name in values:
                value, others = values.pop(name), values.get(parent)
                values[parent] = {name: value} if others is None else {**others, name: value}
        for merged in self._merged:
            _merge(values, values.pop(merged), merged)
        if request.extra is not None:
            _merge(values, request.extra, "extra")
        return values

    def path(self, request: Request) -> str:
        """Return the path with the request's parameters filled in."""
        if not self._path_parameters:
            return self._path
        values = {name: getattr(request, name) for name in self._path_parameters}
        for name in self._path_numbers:
            values[name] = str(values[name])
        return path_of(self._path, values)

    def encode(self, request: Request, *, ordered: bool = False) -> WireRequest:
        """Return the request as it goes out; `ordered` sorts the keys of its body's objects."""
        values = self.values(request)
        path = self.path(request) if self._path_parameters else self._path
        headers = {name: str(values.pop(name)) for name in self._headers} if self._headers else None
        if self._has_body:
            # What takes no field is sent without a body, as the API's page shows a cancel.
            body = encode_json(values, ordered=ordered) if values or not self._is_bare else None
            return WireRequest(self._method, path, body, headers, self.template)
        query = query_of(values) if values else ""
        target = f"{path}?{query}" if query else path
        return WireRequest(self._method, target, None, None, self.template)


def _merge(values: dict[str, Any], others: Mapping[str, Any], place: str) -> None:
    for name, value in others.items():
        if name in values:
            raise ConfigurationError(f"{place}[{name!r:.60}]: the request has this field already")
        values[name] = value
