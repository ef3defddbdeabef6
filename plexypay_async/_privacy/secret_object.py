"""A part of an answer that its receiver alone may see, as a type of its own.

It keeps what it holds as a `Secret` does, in the closure of a function, where nothing comes that walks over
attributes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn, Self, cast

from ..errors import ConfigurationError

__all__ = ["HIDDEN", "SecretObject"]

HIDDEN = "[hidden]"
"""What stands in an answer's `raw` in the place of a `SecretObject`."""


class SecretObject:
    """An object of JSON in an answer that is not to be seen where the answer is.

    `reveal()` gives it. Unlike a `Secret` it does not keep what holds it from being pickled: it stays behind.
    A subclass' `name` is the key under which a value is revealed that is no object.
    """

    __slots__ = ("__weakref__", "reveal")

    name: ClassVar[str] = "value"
    reveal: Callable[[], Mapping[str, Any]]
    """Return the object of JSON, as a copy.

    Raises:
        ConfigurationError: This comes out of a pickle or of `raw`, which have left it behind.
    """

    def __init__(self, value: Any) -> None:
        held = {self.name: value} if not isinstance(value, Mapping) else cast("Mapping[str, Any]", value)

        def reveal() -> Mapping[str, Any]:
            return copy.deepcopy(held)

        self.reveal = reveal

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash(_compared(self))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return type(self).left_behind, ()

    @classmethod
    def left_behind(cls) -> Self:
        """Return what stands for one that was there, and that nobody has any more."""

        def reveal() -> NoReturn:
            raise ConfigurationError(
                f"{cls.name}: it was left behind, in a pickle or in JSON, where it would be readable: "
                "ask for it again"
            )

        made = cls.__new__(cls)
        made.reveal = reveal
        return made


def _compared(secret: SecretObject) -> str | None:
    try:
        held = secret.reveal()
    except ConfigurationError:
        return None
    return json.dumps(held, sort_keys=True, default=str)
