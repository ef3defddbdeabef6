"""Every group and every operation of the API, found by what `api` names."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from .. import api
from .operation import Declaration, Operation, Resource, declarations

__all__ = ["ATTRIBUTES", "every_declaration", "every_group", "group_of", "operation_of"]

ATTRIBUTES = {
    attribute: annotation.partition("[")[0]
    for attribute, annotation in api._Groups.__annotations__.items()  # pyright: ignore[reportPrivateUsage]
}
"""For each attribute of a client, the name of its group's class, in the order of the vendor's index."""


def group_of(attribute: str) -> type[Resource[Any]]:
    """Return the class of the group that clients have as this attribute, imported now."""
    name = ATTRIBUTES[attribute]
    room = api._NAMES[name]  # pyright: ignore[reportPrivateUsage]
    group: type[Resource[Any]] = getattr(import_module(f"{api.__name__}.{room}"), name)
    return group


def operation_of(name: str) -> Operation[..., Any]:
    """Return the operation of a full name, such as ``payments.search``."""
    group, _, attribute = name.partition(".")
    operation: Operation[..., Any] = vars(group_of(group))[attribute]
    return operation


def every_group() -> tuple[type[Resource[Any]], ...]:
    """Return every API group's class, in the order of the vendor's index."""
    return tuple(map(group_of, ATTRIBUTES))


def every_declaration() -> Iterator[Declaration[...]]:
    """Yield every operation and listing of the library."""
    for group in every_group():
        yield from declarations(group).values()
