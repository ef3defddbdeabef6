"""What is taken out of texts and tracebacks before anybody sees them: card numbers, passwords, arguments.

What a server, a proxy or a caller says may hold a card's number or a password, and the frames of a traceback
hold the arguments of a call. No I/O, and no import that costs time.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast

__all__ = [
    "hiding_arguments",
    "id_in",
    "masked",
    "masked_card_numbers",
    "origins",
    "shortened",
    "shown",
    "text_in",
    "without_own_frames",
    "without_userinfo",
]

T = TypeVar("T")

SHORTEST, LONGEST = 13, 19
"""The digits of a card's number."""

# No digit is looked at twice: the second group cannot begin where the first could go on.
_DIGITS = "[0-9]+(?:[ \u00a0-][0-9]+)*"
_UUID = (
    # With a letter in it: one of digits alone may be a card's number after all.
    r"((?<![0-9A-Za-z])(?=[0-9-]{0,35}[A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z]))"
)
_USERINFO = (
    # A password may hold anything, but for a port and an email in a path; and a user name alone.
    r"[^\s/?#@:'\"]{0,100}:(?!//|[0-9]+[/?#])[^\s'\"]{1,300}@|(?<=//)[^\s/?#'\"]{0,300}@"
)
_DOUBLED = str.maketrans("0123456789", "0246813579")
_DEEPEST = 100
_SURROGATE = "[\ud800-\udfff]"


# ------------------------------------------------------------------------------------------------- texts


LONGEST_ID = 1024
LONGEST_TEXT = 4096
_WRAPPED = frozenset(("Value", "Valid"))
MASK = "[card number ..."
"""What stands before the last digits of what may be a card's number."""


def masked_card_numbers(text: str) -> str:
    """Return a text with the last four digits alone of what may be a card's number.

    That is 13 to 19 digits, also in groups with a space or a dash between two, that pass the Luhn check. In a
    longer row of digits it is found where a group begins and one ends with it.
    """
    # An id in the form of a UUID may have such a row of digits by chance, and is to be shown.
    parts = re.split(_UUID, text)
    parts[::2] = [re.sub(_DIGITS, _masked_row, part) for part in parts[::2]]
    return "".join(parts)


def text_in(answer: Any, name: str, longest: int = LONGEST_TEXT) -> str | None:
    """Return a text of a document that may not be read as a whole, wrapped as ``{"Value": ...}`` or not.

    None where it has none, hides it, or where it is longer than `longest` or no valid Unicode.
    """
    document = cast("dict[str, Any]", answer) if type(answer) is dict else {}
    value = _unwrapped(document.get(name))
    if type(value) is not str or not 0 < len(value) <= longest or MASK in value:
        return None
    return value if value.isascii() or not re.search(_SURROGATE, value) else None


def _unwrapped(value: Any) -> Any:
    if type(value) is not dict:
        return value
    wrapped = cast("dict[str, Any]", value)
    if not wrapped.keys() <= _WRAPPED or wrapped.get("Valid") is False:
        return None
    return wrapped.get("Value")


def id_in(answer: Any) -> str | None:
    """Return the `id` of a document that may not be read as a whole; one that is a number is its digits."""
    number = cast("dict[str, Any]", answer).get("id") if type(answer) is dict else None
    if type(number) is int and 0 < number < 2**63:
        return str(number)
    return text_in(answer, "id", LONGEST_ID)


def _masked_row(row: re.Match[str]) -> str:
    text = row.group()
    if len(text) < SHORTEST:
        return text
    groups = list(re.finditer("[0-9]+", text))
    made, kept, first = "", 0, 0
    while first < len(groups):
        last = _number_from(groups, first)
        if last is None:
            first += 1
            continue
        end = groups[last].end()
        digits = "".join(group.group() for group in groups[first : last + 1])
        made += f"{text[kept : groups[first].start()]}{MASK}{digits[-4:]}]"
        kept, first = end, last + 1
    return made + text[kept:]


def _number_from(groups: list[re.Match[str]], first: int) -> int | None:
    """Return with which group a card's number ends that begins with the group `first`, the longest."""
    digits, found = "", None
    for index in range(first, min(first + LONGEST, len(groups))):
        digits += groups[index].group()
        if len(digits) > LONGEST:
            break
        if len(digits) >= SHORTEST and _passes_luhn(digits):
            found = index
    return found


def _passes_luhn(digits: str) -> bool:
    return (sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


def masked(value: Any) -> Any:
    """Return a value of JSON with the card numbers masked in all of its texts, keys and numbers."""
    return _masked(value, 0)


def _masked(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return masked_card_numbers(value)
    if type(value) in (int, float, Decimal):
        if not 10**12 <= value < 10**19:
            return value
        text = masked_card_numbers(str(value) if type(value) is int else f"{value:f}")
        return text if text.startswith("[") else value
    if depth >= _DEEPEST:
        return None
    if isinstance(value, dict):
        items = cast("Mapping[str, Any]", value).items()
        return {masked_card_numbers(name): _masked(inner, depth + 1) for name, inner in items}
    if isinstance(value, list):
        return [_masked(inner, depth + 1) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def shown(value: object, most: int = 200) -> str:
    """Return a value of the caller's as a message shows it, in `most` characters and without card numbers."""
    try:
        # Masked first: a cut through a card's number would leave its beginning.
        return shortened(masked_card_numbers(repr(value)), most)
    except Exception:  # noqa: BLE001 - an int too long for Python to write, or an object that has no repr
        return f"a {type(value).__name__}"


def shortened(text: str, most: int) -> str:
    """Return a text, or the beginning of one that is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def without_userinfo(text: str) -> str:
    """Return a text with the user name and the password taken out of every address in it."""
    return re.sub(_USERINFO, "[hidden]@", text)


# -------------------------------------------------------------------------------------------- tracebacks

_PACKAGES = tuple(
    f"{Path(__file__).parents[2] / name}{separator}"
    for name in ("plexypay_async", "plexypay_sync")
    for separator in ("/", "\\")
)
_GENERATED = ("<attrs generated ", "<the fields of ", "<cattrs generated ")
"""How the names of the files begin that attrs, cattrs and `compiled` give to what they write."""


def without_own_frames(error: BaseException) -> BaseException:
    """Take the library's own frames out of the tracebacks of an error and of what led to it; return it.

    They hold the arguments of the call. Frames of the caller's code stay, those too of an error that the
    caller was handling when it made the call.
    """
    for one in origins(error):
        one.__traceback__ = _of_others(one.__traceback__)
    return error


def origins(error: BaseException, handled: BaseException | None = None) -> Iterator[BaseException]:
    """Yield an exception and those that it came from, but for what was handled before."""
    seen = {id(handled)}
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", one).exceptions


def _of_others(traceback: types.TracebackType | None) -> types.TracebackType | None:
    kept: list[types.TracebackType] = []
    own = (*_PACKAGES, *_GENERATED)
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(own):
            kept.append(traceback)
        traceback = traceback.tb_next
    made: types.TracebackType | None = None
    for one in reversed(kept):
        made = types.TracebackType(made, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return made


def hiding_arguments(model: type[T], told: Callable[[BaseException], object] = without_own_frames) -> type[T]:
    """Let no traceback of a class' constructor hold its arguments; it keeps its signature.

    Args:
        model: The class.
        told: What takes the library's frames out of an error, and may word it anew.
    """
    made_by_attrs: Callable[..., None] = model.__init__

    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        try:
            made_by_attrs(self, *args, **kwargs)
        except BaseException as error:
            told(error)
            # Raised so, it does not get this frame either.
            raise

    __init__.__wrapped__ = made_by_attrs  # type: ignore[attr-defined]
    __init__.__doc__, __init__.__qualname__ = made_by_attrs.__doc__, made_by_attrs.__qualname__
    __init__.__annotations__ = made_by_attrs.__annotations__
    model.__init__ = __init__  # type: ignore[method-assign, assignment]
    return model
