"""The API's groups, one file each: their request and answer models, and their operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..operation import Declaration, Resource, declarations

__all__ = ["every_declaration", "every_group"]


def every_group() -> tuple[type[Resource[Any]], ...]:
    """Return every API group's class, in the order of the docs."""
    from .payment_links import PaymentLinks

    return (PaymentLinks,)


def every_declaration() -> Iterator[Declaration[...]]:
    """Yield every operation and listing of the library."""
    for group in every_group():
        yield from declarations(group).values()
