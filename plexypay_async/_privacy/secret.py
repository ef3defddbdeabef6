"""A secret as a type of its own: what holds it shows nothing of it.

Error trackers write out the local variables of every frame, with what those refer to. A `Secret` keeps its
text where no such walk comes: in the closure of a function. So an API key, a webhook's token or a card's
field is text in the one line that writes it out, and a `Secret` everywhere else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

__all__ = ["Secret"]

T = TypeVar("T", str, bytes)

_KEY_DIGEST = {"n": 2**14, "r": 8, "p": 1}


class Secret(Generic[T]):
    """A text that is not to be seen: not in `repr`, `str`, `vars`, a pickle, a log or a frame's locals.

    `reveal()` gives the text; call it where the text is used, as an argument, and never bind its result to a
    name. Two are equal where their texts are, which is compared in constant time.
    """

    __slots__ = ("__weakref__", "reveal")

    reveal: Callable[[], T]
    """Return the text."""

    def __init__(self, value: T) -> None:
        def reveal() -> T:
            return value

        self.reveal = reveal

    def __repr__(self) -> str:
        return "<secret>"

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.reveal()), _bytes(other.reveal()))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Secret[T]:
        return self

    def __deepcopy__(self, memo: object) -> Secret[T]:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled, since it would be readable")

    def slow_digest(self, salt: bytes) -> bytes:
        """Return a digest from which the text cannot be guessed in any useful time."""
        return hashlib.scrypt(_bytes(self.reveal()), salt=salt, **_KEY_DIGEST)

    def keyed_digest(self, content: bytes) -> bytes:
        """Return the HMAC-SHA256 of a content with this as its key."""
        return hmac.digest(_bytes(self.reveal()), content, "sha256")


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
