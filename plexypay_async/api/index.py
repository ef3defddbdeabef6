"""Every group and every operation of an API, found by what its package names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from .description import API
from .operation import Declaration, Operation, Resource, declarations

__all__ = ["every_declaration", "every_group", "group_of", "groups_of", "names_of", "operation_of"]


def names_of(api: API) -> Mapping[str, str]:
    """Return the file that each public name of an API's groups is in."""
    names: Mapping[str, str] = import_module(api.package)._NAMES
    return names


def groups_of(api: API) -> Mapping[str, str]:
    """Return the names of the groups' classes by their attributes on a client, in the vendor's order."""
    annotations: Mapping[str, str] = import_module(api.package).Groups.__annotations__
    return {attribute: annotation.partition("[")[0] for attribute, annotation in annotations.items()}


def group_of(api: API, attribute: str) -> type[Resource[Any]]:
    """Return the class of the group that clients have as this attribute, imported now."""
    name = groups_of(api)[attribute]
    group: type[Resource[Any]] = getattr(import_module(f"{api.package}.{names_of(api)[name]}"), name)
    return group


def operation_of(api: API, name: str) -> Operation[..., Any]:
    """Return the operation of a full name, such as ``payments.search``."""
    group, _, attribute = name.partition(".")
    operation: Operation[..., Any] = vars(group_of(api, group))[attribute]
    return operation


def every_group(api: API) -> tuple[type[Resource[Any]], ...]:
    """Return every group's class, in the order of the vendor's index."""
    return tuple(group_of(api, attribute) for attribute in groups_of(api))


def every_declaration(api: API) -> Iterator[Declaration[...]]:
    """Yield every operation and listing of an API."""
    for group in every_group(api):
        yield from declarations(group).values()
