"""What a field of a request or an answer is: its name on the wire, its place, what it may hold.

A field's wire name is its own name in camelCase unless `wire` says otherwise.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, cast

import attrs

from .._composed_docs import help_shows_fields
from ..errors import ConfigurationError
from ..json_form import JSONForm, WireForm, wire_name, wire_names
from .checks import check_given, check_json_object, check_size, says_nothing
from .identities import check_extra_identities

__all__ = [
    "BodyInExtra",
    "IdentifiedModel",
    "ListRequest",
    "Model",
    "OpenEnum",
    "Part",
    "PathRequest",
    "Request",
    "check_extra",
    "own_field",
    "wire",
    "wire_name",
    "wire_names",
]


class OpenEnum(enum.StrEnum):
    """An enumeration to which the server may add.

    A known value is found in any letter case; an unknown one becomes a member that equals its string.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        folded = value.lower()
        for known in cls:
            if known.value.lower() == folded:
                return known
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown

    @classmethod
    def knows(cls, value: str) -> bool:
        """Tell whether a value is one of the known, in whatever spelling."""
        meant = cls(value)
        return any(meant is member for member in cls)

    @classmethod
    def is_news(cls, value: str) -> bool:
        """Tell whether a value is unknown and nobody was told so yet; from now on somebody was."""
        if cls.knows(value) or (cls, value) in _TOLD or len(_TOLD) >= _MOST_TOLD:
            return False
        _TOLD.add((cls, value))
        return True


_TOLD: set[tuple[type[OpenEnum], str]] = set()
_MOST_TOLD = 100
"""Unknown values of which anybody is told in one process."""


class Part(NamedTuple):
    """What an object must have where one field holds it, besides what its class requires everywhere.

    `required` are names of fields of `kind`; `schema` is the name that the object has there in a description
    of the API.
    """

    kind: type[Any]
    required: tuple[str, ...]
    schema: str


def wire(
    name: str | None = None,
    *,
    inside: str | None = None,
    header: bool = False,
    aliases: tuple[str, ...] = (),
    as_text: bool = False,
    decimal_text: bool = False,
    required: str | None = None,
    required_with: tuple[str, OpenEnum] | None = None,
    part: Part | None = None,
    of_client: bool = False,
    merged: str | None = None,
) -> dict[str, Any]:
    """Return a field's metadata.

    Args:
        name: Its name on the wire.
        inside: For a request: the wire object that it is merged into.
        header: For a request: whether it is sent as the header of that name.
        aliases: For an answer: further wire names, read where the first is absent or null.
        as_text: For an answer: whether a text may come as an integer, as the API's codes do.
        decimal_text: Whether an amount is text on the wire, such as ``"12.50"``, and not a number of JSON.
        required: For a request's optional field that the API requires all the same: what to do where it is
            missing. `check_marked` refuses the request then.
        required_with: With `required`: the field and the value of it with which alone this one is required.
        part: For a request's field with an object: what that must have here.
        of_client: For a request: whether the client's parameter of that name is sent where it is None.
        merged: For a request's field with an object that is sent beside the request's own fields and not as
            one of them: the field of it, an object too, that must be there.
    """
    return {
        "wire": name,
        "inside": inside,
        "header": header,
        "aliases": aliases,
        "as_text": as_text,
        "decimal_text": decimal_text,
        "required": required,
        "required_with": required_with,
        "part": part,
        "of_client": of_client,
        "merged": merged,
    }


# ---------------------------------------------------------------------------------------------- requests


class Request(JSONForm):
    """The base of every request.

    `extra` carries fields that the library does not know: they are merged into the body (or the query)
    under the names given. One that the request has of its own is refused there, in any letter case and with
    or without underscores: an amount or an order's reference would be read past all of its checks.

    Each request declares it after its own fields: editors show those of a base first, and a reader looks for
    `extra` last. One that does not declare it takes none.
    """

    __slots__ = ("__weakref__",)

    extra: Mapping[str, Any] | None = None

    def __attrs_post_init__(self) -> None:
        if self.extra is not None:
            check_extra(self)


@attrs.frozen
class PathRequest(Request):
    """The base of a request whose own fields, if it has any, are given by their positions, as in its path.

    Args:
        extra: Fields that the library does not know, under their wire names.
    """

    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False, kw_only=True)


@attrs.frozen
class ListRequest(Request):
    """The base of a request for a listing that has no published filter.

    Args:
        size: Items per page; the library asks for 100 unless given.
        extra: Query parameters that the library does not know, under their wire names.
    """

    size: int | None = attrs.field(default=None, kw_only=True)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_size(self.size)


@attrs.frozen
class BodyInExtra(PathRequest):
    """The base of a request whose fields are not published, and which means nothing without any."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not self.extra:
            raise ConfigurationError("extra: must not be empty: the fields of the body are given in it")


def check_extra(request: Request) -> None:
    """Refuse an `extra` that JSON cannot carry, that has a field of the request's own, or a bad reference."""
    extra = request.extra
    if extra is None:
        return
    check_json_object("extra", extra)
    for key in extra:
        if (name := own_field(type(request), key)) is not None:
            raise ConfigurationError(f"extra[{key!r:.60}]: {name} is a field of its own: give it there")
    check_extra_identities(extra)


def own_field(request: type[Request], key: str) -> str | None:
    """Return the field of a request that a key of the body or query may be read as, if there is one."""
    kind: Any = request
    return _own_fields(kind).get(_folded(key))


@functools.cache
def _own_fields(request: Any) -> Mapping[str, str]:
    # What is given by its position is a part of the path, and no field of the body.
    own = [
        field
        for field in cast("Sequence[attrs.Attribute[Any]]", attrs.fields(request))
        if field.kw_only and field.name != "extra" and not field.metadata.get("inside")
    ]
    # A header's name is another in a body: a key there would be one that no repeat and no error carries.
    headers = {_folded(field.name): field.name for field in own if field.metadata.get("header")}
    return {**headers, **{_folded(wire_name(field)): field.name for field in own}}


def _folded(key: str) -> str:
    return key.replace("_", "").lower()


def check_marked(value: attrs.AttrsInstance, prefix: str = "") -> None:
    """Refuse an object that lacks one of its fields which are marked as required."""
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(type(value))
    for field in fields:
        what_to_do = field.metadata.get("required")
        if what_to_do is None:
            continue
        condition: tuple[str, OpenEnum] | None = field.metadata["required_with"]
        if condition is None or _is_member(getattr(value, condition[0]), condition[1]):
            check_given(prefix + field.name, getattr(value, field.name), what_to_do)


def _is_member(text: str, member: OpenEnum) -> bool:
    """Tell whether a text means a member: the API may read it in any letter case, as enumerations do."""
    return type(member)(text.strip()) is member


# ---------------------------------------------------------------------------------------------- answers

DECISIVE = frozenset(
    {
        *("id", "amount", "currency", "status", "url", "order_reference"),
        *("payment_id", "payment_link_id", "processed_amount"),
        *("success", "captured", "type", "action", "three_ds"),
    }
)
"""Fields of answers by which something is decided: in a form that cannot be read they are an error. Any other
that may be missing is None then, and in `raw`."""


def _nothing() -> Mapping[str, Any]:
    return {}


@attrs.frozen
class Model(WireForm):
    """The base of every answer: frozen, slotted, and with the decoded JSON at hand in `raw`.

    What the server sends and the library does not know stays readable in `raw`.
    """

    private: ClassVar[bool] = False
    """Whether an answer holds a customer's card data or a secret, so that no error shows a part of it or
    pickles it."""
    proof: ClassVar[tuple[str, ...]] = ("id", "success")
    """The fields that prove that the work was done, each by itself: an id, or a success that is true."""
    told_by: ClassVar[tuple[str, ...]] = ()
    """Fields that may be missing, but not all of them: an answer without any does not say how it went."""
    list_under: ClassVar[str | None] = None
    """The wire name of the field that an answer is read as, where it is an array and no object."""
    list_aliases: ClassVar[tuple[str, ...]] = ()
    """Further names under which that array may stand."""
    decisive: ClassVar[tuple[str, ...]] = ()
    """Fields of this one by which something is decided, besides those of `DECISIVE`."""
    checked: ClassVar[tuple[str, ...]] = ()
    """The texts without which an answer cannot be read, as without a field that is missing."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        help_shows_fields(cls)

    raw: Mapping[str, Any] = attrs.field(factory=_nothing, repr=False, eq=False, kw_only=True)
    """The decoded JSON as it came, with what the library does not know."""

    def flaw(self, names: Iterable[str]) -> str | None:
        """Tell which of these fields says nothing, though it is of the right type: a text or an amount."""
        for name in names:
            if says_nothing(value := getattr(self, name)):
                return f"{name}: {'is empty' if value == '' else 'is no amount of 64 bits'}"
        return None


_IDS = ("id", "transactionId")


def listed_in(document: Any) -> Sequence[Any] | None:
    """Return the list that an answer is or holds, under whatever key; None where it is a resource itself.

    Under ``data`` first, then the first list of objects, then an empty one.
    """
    if isinstance(document, list):
        return cast("Sequence[Any]", document)
    if not isinstance(document, Mapping) or any(document.get(name) is not None for name in _IDS):  # pyright: ignore[reportUnknownMemberType]
        return None
    found = lists_of(cast("Mapping[str, Any]", document))
    return found[0] if found else None


def lists_of(document: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """Return the lists among an object's values, the likeliest one of its items first.

    Those of objects, ``data`` before others, then the empty ones. One of anything else, such as tags, counts
    under ``data`` alone.
    """
    names = [
        name
        for name, value in document.items()
        if isinstance(value, list) and (not value or name == "data" or _has_objects(value))  # pyright: ignore[reportUnknownArgumentType]
    ]
    names.sort(key=lambda name: (not document[name], name != "data"))
    return [document[name] for name in names]


def _has_objects(values: Sequence[Any]) -> bool:
    return any(type(value) is dict for value in values)


def key_of_list(document: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return the first of these names under which an object has a list; None where it has none of them."""
    return next((name for name in names if type(document.get(name)) is list), None)


@attrs.frozen(kw_only=True)
class IdentifiedModel(Model):
    """The base of an answer of which no more than its id is assumed; what else there is of it is in `raw`."""

    id: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """Its id, where the answer has one under this name. Assumed."""
