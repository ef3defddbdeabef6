"""An OpenAPI 3.1 document of all that is declared: the vendor publishes none.

Types, names and what is required come from the models, descriptions from their docstrings. How well an
operation is known is its ``x-evidence``; what may be repeated after a failure is its ``x-replay``.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import attrs

from .._privacy.secret_object import SecretObject
from .._times import real_time
from .._version import __version__
from .description import API
from .docstrings import Docstring, docstring_of, field_descriptions
from .fields import BodyInExtra, Model, OpenEnum, Part, wire_name, wire_names
from .index import every_group
from .operation import Declaration, Evidence, Listing, Operation, declarations, parameters_of
from .wire_words import wire_words

__all__ = ["openapi_document"]

_KNOWN_BY = {
    Evidence.PUBLISHED: "published by the vendor for the API as it is",
    Evidence.OBSERVED: "what merchants' production code sends and receives today",
    Evidence.VENDOR_CODE: "from the vendor's own programs, such as its browser SDK",
    Evidence.LEGACY: "from the vendor's docs of 2023, for the same host and paths",
    Evidence.ASSUMED: "formed by analogy: the vendor's page could not be read, and it may be another",
}
_ABOUT = """\
What the library plexypay knows of the {title}, made from its declarations. It is not the vendor's, who
publishes no such document. Each operation says in `x-evidence` where its method and path come
from:

{evidence}

Bodies carry further fields that nobody has published, so that every object is open. A field of a request that
is not required may be null, as `amount` and `scaExemption` are in the vendor's own requests of 2023; for any
other field that is assumed. `x-replay` is the class of what may be repeated after a failure;
`docs/operations.md` of the library explains the classes."""
_BODY_METHODS = ("POST", "PUT", "PATCH")
_TEXT = {"type": "string"}
_LEFT_OUT = ("extra", "raw")


def openapi_document(api: API, server: str) -> dict[str, Any]:
    """Return the document of an API at this address."""
    schemas = _Schemas(api.package)
    paths: dict[str, dict[str, Any]] = {}
    for group in every_group(api):
        for declaration in declarations(group).values():
            of_path = paths.setdefault(declaration.path, {})
            of_path[declaration.method.lower()] = _operation(declaration, group.group, schemas)
    evidence = "\n".join(f"- `{known.value}`: {told}" for known, told in _KNOWN_BY.items())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{api.title}, as the library plexypay knows it",
            "version": __version__,
            "description": _ABOUT.format(evidence=evidence, title=api.title),
        },
        "servers": [{"url": server}],
        "security": [{"apiKey": []}],
        "tags": [
            {"name": group.group, "description": wire_words(inspect.getdoc(group) or "", api.package)}
            for group in every_group(api)
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": api.key_header,
                    "description": "The API key as it is, without `Bearer`.",
                }
            },
            "responses": {
                "Error": {
                    "description": "No success.",
                    "content": _json({"$ref": "#/components/schemas/Error"}),
                }
            },
            "schemas": dict(sorted({"Error": api.errors.schema, **schemas.made}.items())),
        },
    }


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(declaration: Declaration[...], group: str, schemas: _Schemas) -> dict[str, Any]:
    told = docstring_of(declaration.request, schemas.package)
    known = declaration.evidence
    evidence = f"Method and path ({known.value}): {_KNOWN_BY[known]}."
    made: dict[str, Any] = {
        "operationId": declaration.name,
        "tags": [group],
        "summary": told.summary.rstrip("."),
        "description": "\n\n".join([*told.paragraphs, *told.evidence, evidence]),
        "x-evidence": declaration.evidence.value,
        "x-replay": declaration.replay.value,
    }
    if declaration.settled_by is not None:
        made["x-settled-by"] = list(declaration.settled_by.calls)
    if declaration.key is not None:
        (key,) = (field for field in _fields(declaration.request) if field.name == declaration.key)
        made["x-idempotency-key"] = wire_name(key)
    if declaration.fallback is not None:
        made["x-fallback"] = declaration.fallback
    parameters = list(_parameters(declaration, told, schemas))
    if parameters:
        made["parameters"] = parameters
    if declaration.method in _BODY_METHODS and not getattr(declaration, "bodiless", False):
        made["requestBody"] = _request_body(declaration, schemas)
    made["responses"] = _responses(declaration, told, schemas)
    return made


def _parameters(
    declaration: Declaration[...], told: Docstring, schemas: _Schemas
) -> Iterator[dict[str, Any]]:
    of_client = {parameter.name for parameter in declaration.api.parameters}
    for name in parameters_of(declaration.path):
        if name in of_client:
            told_of = "The same for each request."
            yield {"name": name, "in": "path", "description": told_of, "required": True, "schema": _TEXT}
    for field in _fields(declaration.request):
        if field.name in declaration.path_parameters:
            place, name = "path", field.name
        elif field.metadata.get("header"):
            place, name = "header", wire_name(field)
        elif declaration.method not in _BODY_METHODS:
            is_size = isinstance(declaration, Listing) and field.name == "size"
            place, name = "query", declaration.api.paging.size if is_size else wire_name(field)
        else:
            continue
        made: dict[str, Any] = {"name": name, "in": place}
        if field.name in told.arguments:
            made["description"] = told.arguments[field.name]
        if place == "path" or _is_required(field) or field.name == declaration.key:
            made["required"] = True
        made["schema"] = schemas.of_type(field.type, nullable=False)
        yield made
    if isinstance(declaration, Listing) and declaration.paged:
        counted = {"type": "integer", "minimum": 1}
        yield {"name": "page", "in": "query", "description": "Counted from 1.", "schema": counted}


def _request_body(declaration: Declaration[...], schemas: _Schemas) -> dict[str, Any]:
    kind: Any = declaration.request
    apart = (*declaration.path_parameters, *(f.name for f in _fields(kind) if f.metadata.get("header")))
    if any(field.name not in apart for field in _fields(kind)):
        # Another language makes the key that the library makes by itself.
        also = () if declaration.key is None else (declaration.key,)
        return {"required": True, "content": _json(schemas.reference(kind, apart, also))}
    return {
        "required": issubclass(kind, BodyInExtra),
        "description": "Its fields are not published.",
        "content": _json({"type": "object", "additionalProperties": True}),
    }


def _responses(declaration: Declaration[...], told: Docstring, schemas: _Schemas) -> dict[str, Any]:
    description = told.returns or "Success."
    if isinstance(declaration, Listing):
        count = {"type": ["integer", "null"]}
        listing = cast("Listing[..., Any]", declaration)
        paging = listing.api.paging
        items = {"type": ["array", "null"], "items": schemas.reference(listing.item)}
        if not listing.paged:
            return _answered("All there is.", {**items, "type": "array"})
        page: dict[str, Any] = {
            "type": "object",
            "properties": {paging.items: items, "page": count, paging.size: count, "total": count},
            "required": [paging.items],
            "additionalProperties": True,
        }
        return _answered("A page.", page)
    operation = cast("Operation[..., Any]", declaration)
    answer = operation.answer
    schema: dict[str, Any] = schemas.reference(answer.model)
    if answer.chosen is not None:
        several = {"type": "array", "items": schema}
        schema = {"anyOf": [schema, several, {"type": "object", "properties": {"data": several}}]}
    elif answer.model.list_under is not None:
        schema = {"anyOf": [schema, {"type": "array", "items": {}}]}
    responses = _answered(description, schema)
    if operation.created is not None:
        known = f"That the status may be 201 is {operation.created.value}."
        responses = {"201": {**responses["200"], "description": f"{description} {known}"}, **responses}
    if answer.known_by is not None:
        responses["204"] = {"description": "Done, without an answer."}
    return responses


def _answered(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "200": {"description": description, "content": _json(schema)},
        "default": {"$ref": "#/components/responses/Error"},
    }


def _fields(kind: Any) -> Sequence[attrs.Attribute[Any]]:
    attrs.resolve_types(kind)
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(kind)
    return [field for field in fields if field.name not in _LEFT_OUT]


class _Schemas:
    """The schemas of the models that the operations name, each made once."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.made: dict[str, dict[str, Any]] = {}

    def reference(
        self, kind: Any, apart: Sequence[str] = (), also: Sequence[str] = (), name: str | None = None
    ) -> dict[str, Any]:
        """Return a reference to a class' schema, in which the fields `also` are required.

        Fields that go elsewhere than to the body are `apart`.
        """
        name = str(kind.__name__) if name is None else name
        if name not in self.made:
            self.made[name] = {}
            self.made[name] = self._schema(kind, apart, also)
        return {"$ref": f"#/components/schemas/{name}"}

    def _schema(self, kind: Any, apart: Sequence[str], also: Sequence[str]) -> dict[str, Any]:
        told = docstring_of(kind, self.package)
        described = field_descriptions(kind, self.package)
        properties: dict[str, Any] = {}
        required: list[str] = []
        alternatives: list[str] = []
        conditions: dict[str, Any] = {}
        for field in _fields(kind):
            if field.name in apart:
                continue
            merged = field.metadata.get("merged")
            if merged:
                properties[merged] = {
                    "type": "object",
                    "additionalProperties": True,
                    "description": described.get(field.name, ""),
                }
                required.append(merged)
                continue
            is_required = field.name in also or _is_required(field)
            is_nullable = issubclass(kind, Model) or not is_required
            schema = self.of_type(field.type, nullable=is_nullable, part=field.metadata.get("part"))
            schema = _varied(schema, field)
            if field.name in described:
                schema = {**schema, "description": described[field.name]}
            inside = field.metadata.get("inside")
            if inside:
                parent = properties.setdefault(str(inside), {"type": "object", "additionalProperties": True})
                parent.setdefault("properties", {})[wire_name(field)] = schema
                continue
            names = wire_names(field)
            properties.update(dict.fromkeys(names, schema))
            if field.metadata.get("required_with"):
                conditions = _condition(kind, field, self.of_type(field.type, nullable=False))
            if is_required:
                if len(names) == 1:
                    required.append(names[0])
                else:
                    # An `anyOf` of the whole object would say it, and many generators make nothing of that.
                    alternatives.append(f"One of {' and '.join(f'`{name}`' for name in names)} is there.")
        made: dict[str, Any] = {
            "type": "object",
            "description": "\n\n".join(
                each for each in (told.summary, *told.paragraphs, *alternatives, *told.evidence) if each
            ),
            "properties": properties,
        }
        if required:
            made["required"] = required
        made.update(conditions)
        made["additionalProperties"] = True
        return made

    def of_type(self, kind: Any, *, nullable: bool, part: Part | None = None) -> dict[str, Any]:
        """Return the schema of a field's type; None is left out of those that may not be null on the wire."""
        members = typing.get_args(kind) if _is_union(kind) else (kind,)
        schemas: list[dict[str, Any]] = []
        for member in members:
            # Of an enumeration or its string, and of a number or its integer, the first says it all.
            is_weaker = (member is str and len(schemas) > 0) or (member is int and Decimal in members)
            if member is not types.NoneType and not is_weaker:
                schemas.append(self._one(member, part))
        is_null = nullable and types.NoneType in members
        if len(schemas) == 1 and is_null and isinstance(schemas[0].get("type"), str):
            return {**schemas[0], "type": [schemas[0]["type"], "null"]}
        if is_null:
            schemas.append({"type": "null"})
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _one(self, kind: Any, part: Part | None = None) -> dict[str, Any]:
        plain = {str: "string", bool: "boolean", Decimal: "number", float: "number"}
        if kind is int:
            # An amount of minor units is soon beyond 32 bits.
            return {"type": "integer", "format": "int64"}
        if kind in plain:
            return {"type": plain[kind]}
        if isinstance(kind, type) and issubclass(kind, real_time()):
            return {"type": "string", "format": "date-time"}
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if kind is Any:
            return {}
        if origin is tuple or (isinstance(origin, type) and issubclass(origin, Sequence)):
            return {"type": "array", "items": self._one(arguments[0])}
        if isinstance(kind, type) and issubclass(kind, OpenEnum):
            # An open set: a validator must not refuse what is new.
            return {"type": "string", "x-known-values": [member.value for member in kind]}
        if part is not None and kind is part.kind:
            return self.reference(kind, also=part.required, name=part.schema)
        if isinstance(kind, type) and attrs.has(kind):
            return self.reference(kind)
        if isinstance(origin or kind, type) and issubclass(origin or kind, (Mapping, SecretObject)):
            return {"type": "object", "additionalProperties": True}
        raise TypeError(f"no schema is known for {kind}")


def _is_required(field: attrs.Attribute[Any]) -> bool:
    """Tell whether the API requires a field: by its mark where the constructor does not."""
    is_marked = field.metadata.get("required") and not field.metadata["required_with"]
    # What a client gives in the place of a call is given by those who have no client.
    return field.default is attrs.NOTHING or bool(is_marked) or bool(field.metadata.get("of_client"))


def _condition(kind: Any, field: attrs.Attribute[Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return that a field is required with a value of another one."""
    other, value = field.metadata["required_with"]
    (decisive,) = (wire_name(each) for each in _fields(kind) if each.name == other)
    name = wire_name(field)
    return {
        "if": {"properties": {decisive: {"const": value.value}}, "required": [decisive]},
        "then": {"properties": {name: schema}, "required": [name]},
    }


def _varied(schema: dict[str, Any], field: attrs.Attribute[Any]) -> dict[str, Any]:
    """Add the other forms in which an answer may have a field."""
    if field.metadata.get("unwrap"):
        wrapped = {"type": "object", "properties": {"Value": {"type": ["string", "null"]}}}
        return {"anyOf": [schema, wrapped]}
    if field.metadata.get("decimal_text"):
        given = schema["type"]
        is_null = isinstance(given, list) and "null" in given
        return {**schema, "type": ["string", "null"] if is_null else "string", "format": "decimal"}
    if field.metadata.get("as_text"):
        given = schema["type"]
        return {**schema, "type": ["integer", *(given if isinstance(given, list) else [given])]}
    return schema


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)
