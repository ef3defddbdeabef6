"""A request of any declaration, made from the types of its fields."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

from plexypay_async.api.fields import BodyInExtra
from plexypay_async.api.operation import Declaration
from plexypay_async.pay.direct_payments import Address

OF_TYPE: dict[Any, Any] = {
    int: 1500,
    bool: True,
    Decimal: Decimal("15.55"),
    datetime: datetime(2099, 1, 1, tzinfo=UTC),
}


CHECKED = frozenset(
    (
        "terminal_id",
        "three_ds_notification_url",
        "customer_details",
        "billing_address",
        "encrypted_cvv",
        "encrypted_cardholder_name",
        *(field.name for field in attrs.fields(Address)),
    )
)
"""Fields that have a default, and are asked for by name where they are missing."""


def arguments(kind: Any, also: Collection[str] = ()) -> dict[str, Any]:
    """Return arguments for the fields that a class requires, and for the optional ones of these names."""
    attrs.resolve_types(kind)
    given = {*also, *CHECKED}
    body = {"extra": {"amount": 1}} if issubclass(kind, BodyInExtra) else {}
    return body | {
        field.name: _value(field.name, field.type, also)
        for field in attrs.fields(kind)
        if field.init and (field.default is attrs.NOTHING or field.name in given)
    }


def _value(name: str, kind: Any, also: Collection[str]) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        # Of a union, what says most: a class of the library's before a plain type, an enumeration's string.
        members = [member for member in typing.get_args(kind) if member is not type(None)]
        kind = next(
            (member for member in (*filter(attrs.has, members), str) if member in members), members[0]
        )
    if isinstance(kind, type) and issubclass(kind, str):
        return "KZT" if name == "currency" else f"{name}-1"
    if isinstance(kind, type) and attrs.has(kind):
        return kind(**arguments(kind, also))
    return OF_TYPE[kind]


def target(declaration: Declaration[...], given: dict[str, Any]) -> str:
    """Return the path that a declaration's call with these arguments goes to."""
    return declaration.path.format(**given)


def named(client: Any, name: str) -> Any:
    """Return the call of this full name, such as ``payment_links.create``, of a client."""
    group, _, attribute = name.partition(".")
    return getattr(getattr(client, group), attribute)
