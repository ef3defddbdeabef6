"""The API groups of a client, each imported when it is first used."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from inspect import getattr_static
from types import MemberDescriptorType
from typing import Any, NoReturn, Self

from .api import _Groups  # pyright: ignore[reportPrivateUsage]
from .api.facades import F
from .api.operation import Caller

__all__ = ["Groups"]


class Groups(_Groups[F]):
    """One attribute per API group, the same on both facades."""

    _caller: Caller

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
            from .api.index import group_of

            return group_of(str(self.attrname))
        return super().__get__(instance, owner)


def _imported_at_its_first_use(attribute: str, kind: str) -> _Group:
    def group(client: Groups[Any]) -> Any:
        from .api.index import group_of

        return group_of(attribute)(client._caller)  # pyright: ignore[reportPrivateUsage]

    group.__doc__ = f"The API group `{kind}`."
    return _Group(group)


for _attribute, _kind in _Groups.__annotations__.items():
    _group = _imported_at_its_first_use(_attribute, _kind)
    _group.__set_name__(Groups, _attribute)
    setattr(Groups, _attribute, _group)
