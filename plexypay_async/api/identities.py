"""What names an order, a customer or a request: texts by which two are told to be the same, or not.

A character that nobody sees makes two references of one order, and with them two links that may both be
paid. So such a text has none: no control and format characters, no ends of lines, no spaces but the common
one, no white space at its ends. Letters that Unicode writes in two ways (``й`` as one character or as two)
are brought into its form NFC first.

That is for what the caller gives. What the server sends, and what a journal holds of an earlier version, is
read as it is: see `StoredIdentity`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from .._privacy.hiding import shown
from .._privacy.printable import UNSEEN, is_unseen
from ..errors import ConfigurationError

__all__ = ["StoredIdentity", "check_extra_identities", "folded_identity", "identity_of", "settle_identity"]

_NAMES = {"\0": "NULL", "\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\x1b": "ESCAPE"}
"""The controls that people meet; Unicode gives none of them a name."""

_IN_EXTRA = ("orderReference", "customerId", "externalUserId", "requestId")
"""The wire names of the library's own fields that name something."""


class StoredIdentity(str):
    """A reference as the server or a journal holds it, which an earlier version may have sent otherwise.

    A request takes it as it is, so that what exists under it is found.
    """

    __slots__ = ()


def identity_of(name: str, value: Any) -> str:
    """Return what the caller gave as the name of something, in Unicode's form NFC.

    Raises:
        ConfigurationError: It is no text, is empty, or has a character in it that is not seen, or white
            space at an end. The message has the character's code point and its position, from 1.
    """
    if not isinstance(value, str):
        kind, text = type(value).__name__, shown(value, 60)
        raise ConfigurationError(
            f"{name}: expected a string, got {kind if text == f'a {kind}' else f'{kind} {text}'}"
        )
    if value.isascii() and value.isprintable() and value.strip() == value and value:
        return value
    if isinstance(value, StoredIdentity):
        return value
    # Of what is printable, nothing but some letters and marks is unseen.
    if not (value.isprintable() and re.search(UNSEEN, value) is None and value.strip() == value and value):
        _check_each(name, value)
    return unicodedata.normalize("NFC", value)


def _check_each(name: str, value: str) -> None:
    if not value.strip():
        raise ConfigurationError(f"{name}: must not be empty")
    for position, character in enumerate(value, 1):
        if (what_to_do := _what_is_wrong(character)) is not None:
            raise ConfigurationError(f"{name}: has {_named(character)} at character {position}; {what_to_do}")
    for end, position in (("beginning", 1), ("end", len(value))):
        if value[position - 1] == " ":
            raise ConfigurationError(
                f"{name}: has {_named(' ')} at character {position}, its {end}; remove it"
            )


def settle_identity(request: Any, name: str, shown_as: str | None = None) -> None:
    """Check a field of a frozen request that names something, and bring it into Unicode's form NFC."""
    given = getattr(request, name)
    if given is None:
        return
    settled = identity_of(shown_as or name, given)
    if settled is not given:
        object.__setattr__(request, name, settled)


def check_extra_identities(extra: Mapping[str, Any]) -> None:
    """Refuse an unusable name of something also under its wire name in `extra`, which is sent as it is."""
    for key in _IN_EXTRA:
        value = extra.get(key)
        if isinstance(value, str) and value and identity_of(f"extra[{key!r}]", value) != value:
            raise ConfigurationError(f"extra[{key!r}]: is not in Unicode's form NFC: normalise it")


def folded_identity(text: str) -> str:
    """Return a text of any origin without what `identity_of` refuses."""
    if text.isascii() and text.isprintable():
        return text.strip()
    if text.isprintable() and re.search(UNSEEN, text) is None:
        return unicodedata.normalize("NFC", text.strip())
    seen = (
        character if _what_is_wrong(character) is None else " " * character.isspace() for character in text
    )
    return unicodedata.normalize("NFC", "".join(seen).strip())


def _what_is_wrong(character: str) -> str | None:
    """Return what to do about a character that is not one of a name; None where it is."""
    if " " < character <= "~" or character == " ":
        return None
    if is_unseen(character) or (ord(character) & 0xFFFE) == 0xFFFE or "\ufdd0" <= character <= "\ufdef":
        return "remove it"
    return "write a common space" if unicodedata.category(character) == "Zs" else None


def _named(character: str) -> str:
    point = f"U+{ord(character):04X}"
    name = _NAMES.get(character) or unicodedata.name(character, "")
    if not name:
        category = unicodedata.category(character)
        name = {"Cc": "(a control character)", "Cs": "(half of a surrogate pair)"}.get(
            category, "(not a character)"
        )
    return f"{point} {name}"
