"""The API groups of a client, each imported when it is first used."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from inspect import getattr_static
from types import MemberDescriptorType
from typing import Any, ClassVar, Generic, NoReturn, Self

from .api.description import API
from .api.facades import F
from .api.index import group_of, groups_of
from .api.operation import Caller

__all__ = ["Groups"]


class Groups(Generic[F]):
    """One attribute per group of the class' `api`, the same on both facades."""

    api: ClassVar[API]
    """The API that it is a client of."""
    _caller: Caller

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        api: API | None = vars(cls).get("api")
        for attribute, kind in () if api is None else groups_of(api).items():
            group = _imported_at_its_first_use(attribute, kind)
            group.__set_name__(cls, attribute)
            setattr(cls, attribute, group)

    def _twin(self) -> Self:
        """Return an object of the same class and with the same attributes, but for what is made of them.

        API groups, and other cached properties, are made anew: they belong to one client.
        """
        kind = type(self)
        twin = kind.__new__(kind)
        for slot in (member for base in kind.__mro__ for member in vars(base).values()):
            if isinstance(slot, MemberDescriptorType):
                with suppress(AttributeError):
                    slot.__set__(twin, slot.__get__(self))
        made = {name for name in vars(self) if isinstance(getattr_static(kind, name, None), cached_property)}
        vars(twin).update({name: value for name, value in vars(self).items() if name not in made})
        return twin

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} cannot be pickled, since its API key would be readable and connections"
            " cannot be handed on; make one in the process that uses it"
        )


class _Group(cached_property[Any]):
    """An API group of a client; on the class, the group's own class, so that a mock of it has its calls."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            assert owner is not None  # noqa: S101 - of a class
            return group_of(owner.api, str(self.attrname))
        return super().__get__(instance, owner)


def _imported_at_its_first_use(attribute: str, kind: str) -> _Group:
    def group(client: Groups[Any]) -> Any:
        return group_of(client.api, attribute)(client._caller)  # pyright: ignore[reportPrivateUsage]

    group.__doc__ = f"The API group `{kind}`."
    return _Group(group)
