"""What an error tracker could write out of an error: every frame's locals, and all that they refer to.

`exposures` walks an error, its causes, contexts and earlier attempts, and the locals of every frame in their
tracebacks but those of the tests themselves, and tells where a secret stands.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import pickle
import re
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

TESTS = str(Path(__file__).parent)
DEPTH = 12
MOST = 20_000
"""How many objects are looked at from one place: a walk that comes to the event loop would never end."""

# What a walk over values does not go into: code, and what belongs to the whole program.
_OPAQUE = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.FrameType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    asyncio.AbstractEventLoop,
    asyncio.Handle,
    logging.Logger,
    logging.Handler,
)
_PLAIN = (str, bytes, bytearray, int, float, complex, type(None))


def exposures(error: BaseException, secrets: Iterable[str]) -> list[str]:
    """Return where in an error and in the frames of its tracebacks one of the secrets stands."""
    found: list[str] = []
    pattern = _pattern(secrets)
    for one in chain(error):
        kind = type(one).__name__
        found += _found_in(one, kind, pattern)
        for place, frame_locals in frames(one):
            found += [f"{kind}: {where}" for where in _found_in(frame_locals, place, pattern)]
    return [*found, *_found_in_pickle(error, pattern)]


def record_exposures(records: Iterable[logging.LogRecord], secrets: Iterable[str]) -> list[str]:
    """Return where in log records, their arguments and their tracebacks one of the secrets stands."""
    found: list[str] = []
    pattern = _pattern(secrets)
    for record in records:
        # The number of a process may be any, a card's code among them.
        told = {**vars(record), "process": 0, "thread": 0, "message": record.getMessage()}
        found += _found_in(told, f"log {record.msg!r}", pattern)
        if record.exc_info and record.exc_info[1] is not None:
            found += exposures(record.exc_info[1], secrets)
    return found


def chain(error: BaseException) -> list[BaseException]:
    """Return an error with its causes, contexts, earlier attempts and the members of its groups."""
    found: list[BaseException] = []
    waiting: deque[BaseException | None] = deque([error])
    while waiting:
        one = waiting.popleft()
        if one is None or any(one is other for other in found):
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__, *getattr(one, "attempts", ())]
        waiting += getattr(one, "exceptions", ())
    return found


def frames(error: BaseException) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the place and the locals of each frame in an error's own traceback but those of the tests."""
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(TESTS):
            name = Path(code.co_filename).name
            yield f"{name}:{traceback.tb_lineno} in {code.co_qualname}", traceback.tb_frame.f_locals
        traceback = traceback.tb_next


# In a pickle, letters may stand right beside it.
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _pattern(secrets: Iterable[str]) -> Callable[[str], bool]:
    # A card's code is a number alone, not a part of a time, an address, a longer number or a random UUID.
    spelt = [rf"(?<![\w.]){secret}(?![\w.])" if secret.isdigit() else re.escape(secret) for secret in secrets]
    return lambda text: re.search("|".join(spelt), _UUID.sub("", text)) is not None


def _found_in_pickle(error: BaseException, shows: Callable[[str], bool]) -> list[str]:
    try:
        pickled = pickle.dumps(error)
    except Exception:  # noqa: BLE001 - what cannot be pickled does not travel
        return []
    return (
        ["its pickle"] if shows(pickled.decode("latin-1")) or shows(pickled.decode("utf-8", "ignore")) else []
    )


def _found_in(root: object, place: str, shows: Callable[[str], bool]) -> list[str]:
    """Return the paths from one object to texts that show a secret, the nearest first."""
    found: list[str] = []
    # Kept, so that no other object gets the identity of one that was looked at.
    seen: dict[int, object] = {}
    waiting: deque[tuple[str, object, int]] = deque([(place, root, 0)])
    while waiting and len(seen) < MOST:
        path, value, depth = waiting.popleft()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if any(map(shows, _texts(value))):
            found.append(path)
        if depth < DEPTH and not isinstance(value, (*_PLAIN, *_OPAQUE)):
            waiting += [(f"{path}{step}", inner, depth + 1) for step, inner in _members(value)]
    return found


def _texts(value: object) -> Iterator[str]:
    """Return a value as text, in the ways in which it can be written out without knowing it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bytes, bytearray)):
        yield value.decode("utf-8", "replace")
    elif isinstance(value, (int, float)):
        yield repr(value)
    elif not isinstance(value, (dict, list, tuple, set, frozenset, types.ModuleType)):
        try:
            yield repr(value)
        except Exception:  # noqa: BLE001 - a half made object need not have one
            return


def _members(value: Any) -> Iterator[tuple[str, object]]:
    """Return what an object refers to, without calling anything of its own."""
    if isinstance(value, Mapping):
        try:
            items = list(value.items())
        except Exception:  # noqa: BLE001 - a mapping of somebody's may refuse
            items = []
        for key, inner in items:
            yield ".keys()", key
            yield f"[{key!r:.40}]", inner
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        for index, inner in enumerate(list(value)):
            yield f"[{index}]", inner
    if isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
        return
    if callable(getattr(value, "func", None)) and hasattr(value, "keywords"):
        for name in ("func", "args", "keywords"):
            yield f".{name}", getattr(value, name)
    if isinstance(value, BaseException):
        yield ".args", value.args
        yield ".__cause__", value.__cause__
        yield ".__context__", value.__context__
    for name, inner in list(getattr(value, "__dict__", {}).items()):
        yield f".{name}", inner
    for name in _slots(type(value)):
        try:
            yield f".{name}", object.__getattribute__(value, name)
        except AttributeError:
            continue
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if hasattr(value, field.name):
                yield f".{field.name}", getattr(value, field.name)


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name != "__weakref__":
                private = name.startswith("__") and not name.endswith("__")
                yield f"_{base.__name__.lstrip('_')}{name}" if private else name
