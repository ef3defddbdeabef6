"""Exceptions that are not the library's own, made fit to be the cause of one that is.

The frames of an exception that has passed aiohttp, a tracer's hook or a function of the caller's hold the API
key and what the server sent, and error trackers write them out. So the cause of an error has none; a note
says where it was raised.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from ._privacy.hiding import origins, shown, without_own_frames, without_userinfo
from .errors import ConfigurationError, PlexyPayError

__all__ = [
    "bare",
    "is_of_the_caller",
    "prepared",
    "refused",
    "retold",
    "retold_of",
    "shows_password",
    "spelling_told",
    "told_of",
]


class Named(Protocol):
    """What has declared a call."""

    name: str
    """The call's full name, such as ``payment_links.create``."""

    @property
    def signature(self) -> inspect.Signature:
        """Its parameters."""
        ...


M = TypeVar("M", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")

_RAISED = "raised in "
_CONSTRUCTOR = r"^[\w.]*__init__\(\)"
_MISSPELT = r"unexpected keyword argument '(\w+)'"
_TOO_MANY = r" takes .*positional argument.* given$"
_OF_A_CALL = ("timeout", "read_timeout", "retry", "headers")
"""What each call takes by its `with_options`."""

_OURS = ("plexypay_async", "plexypay_sync", "aiohttp", "asyncio", "uvloop")


def bare(error: BaseException, handled: BaseException | None = None) -> BaseException:
    """Return an exception without any frame, of those that it came from too.

    What was `handled` when the call was made is the caller's own, and keeps its frames.
    """
    for one in origins(error, handled):
        # aiohttp wraps some of what a hook raises in an exception of its own.
        place = _place(one.__traceback__)
        if place is not None:
            one.add_note(place)
        one.__traceback__ = None
    return error


def prepared(prepare: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function makes of a caller's arguments; what one of them raises becomes an error's cause.

    The cause keeps the frames of the caller's own code.

    Raises:
        ConfigurationError: One of them cannot be used, such as a mapping that raises when it is read.
        TypeError: There is no such parameter.
    """
    try:
        return prepare(*args, **kwargs)
    except PlexyPayError:
        raise
    except Exception as error:  # noqa: BLE001 - raised below
        raised = error
    refusal = refused(raised)
    raise refusal from refusal.__cause__


def told_of(error: BaseException, declared: Named) -> BaseException:
    """Return an error of a call without the library's frames; one of Python's own names the call.

    Python names the class that takes the arguments, which nobody has called.
    """
    without_own_frames(error)
    if type(error) is TypeError:
        attribute = declared.name.rpartition(".")[2]
        elsewhere = {name: f"give it by {attribute}.with_options({name}=...)" for name in _OF_A_CALL}
        if getattr(declared, "look_up", None) is not None:
            elsewhere["idempotency_key"] = "its order_reference is what makes it safe to repeat"
        retold(error, declared.name, declared.signature, elsewhere)
    return error


def retold(
    error: TypeError,
    name: str,
    signature: inspect.Signature,
    elsewhere: Mapping[str, str] | None = None,
    *,
    written: str = _CONSTRUCTOR,
) -> None:
    """Let what Python says of arguments that do not fit say what would; any other error stays as it is.

    Args:
        error: Python's error.
        name: What was called, such as ``payment_links.create``.
        signature: Its parameters.
        elsewhere: Where to give what it does not take, by name.
        written: What Python calls it.
    """
    told = error.args[0] if error.args else None
    if not isinstance(told, str) or re.match(written, told) is None:
        return
    text = re.sub(written, f"{name}()", told)
    misspelt = re.search(_MISSPELT, text)
    if misspelt is not None:
        # Python itself suggests one from 3.13 on.
        text = text.partition(". Did you mean")[0]
        text += _instead(misspelt[1], list(signature.parameters), elsewhere or {})
    elif re.search(_TOO_MANY, text) is not None:
        text = _by_position(name, signature)
    error.args = (text,)


def _instead(given: str, names: list[str], elsewhere: Mapping[str, str]) -> str:
    """Say what may have been meant by a name that is no parameter."""
    import difflib

    close = difflib.get_close_matches(given, [*names, *elsewhere], 1)
    if not close:
        return ""
    meant = "" if close[0] == given else f" did you mean {close[0]!r}?"
    return f";{meant}" if close[0] in names else f";{meant} {elsewhere[close[0]]}"


def _by_position(name: str, signature: inspect.Signature) -> str:
    """Say which arguments a call takes by their position, and show how it is written."""
    parameters = list(signature.parameters.values())
    placed = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    named = [each for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "extra"]
    shown_ones = [each for each in named if each.default is each.empty] or named[:1]
    written = ", ".join((*placed, *(f"{each.name}=..." for each in shown_ones)))
    example = f"{name.rpartition('.')[2]}({written})"
    if named and not placed:
        return f"{name}() takes its arguments by keyword: {example}"
    count = f"{len(placed) or 'no'} argument{'s' if len(placed) > 1 else ''}"
    others = ", and the others by keyword" if named else ""
    return f"{name}() takes {count} by position{others}: {example}"


def retold_of(
    error: BaseException, owner: object, method: Callable[..., Any], elsewhere: Mapping[str, str]
) -> None:
    """Let what a method has raised of its arguments say what would fit, without frames that hold them."""
    without_own_frames(error)
    if type(error) is TypeError:
        parameters = list(inspect.signature(method).parameters.values())[1:]
        name, written = f"{type(owner).__name__}.{method.__name__}", _begins_with(method)
        retold(error, name, inspect.Signature(parameters), elsewhere, written=written)


def spelling_told(elsewhere: Callable[[Any], Mapping[str, str]]) -> Callable[[M], M]:
    """Let a method of a client say what may have been meant by arguments that do not fit.

    No frame of the library's is left in what it raises: they would hold the arguments.

    Args:
        elsewhere: Returns, for the client, where to give what the method does not take, by name.
    """

    def telling(method: M) -> M:
        @functools.wraps(method)
        def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, *args, **kwargs)
            except BaseException as error:
                retold_of(error, self, method, elsewhere(self))
                raise

        @functools.wraps(method)
        async def awaited(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            try:
                return await method(self, *args, **kwargs)
            except BaseException as error:
                retold_of(error, self, method, elsewhere(self))
                raise

        return cast("M", awaited if inspect.iscoroutinefunction(method) else call)

    return telling


def _begins_with(method: Callable[..., Any]) -> str:
    return rf"^{re.escape(method.__qualname__)}\(\)"


def refused(raised: Exception) -> Exception:
    """Return what to raise for arguments that raised such an exception; see `prepared`."""
    without_own_frames(raised)
    if isinstance(raised, TypeError) and raised.__traceback__ is None:
        return raised
    refusal = ConfigurationError(f"an argument cannot be used: {shown(raised)}")
    refusal.__cause__ = raised
    return refusal


def shows_password(error: BaseException, handled: BaseException | None = None) -> bool:
    """Tell whether an exception that `bare` has seen, or one that it came from, may hold a password."""
    for one in origins(error, handled):
        # It has the whole of what could not be written, which aiohttp may have been about to send.
        if isinstance(one, UnicodeError) and not is_of_the_caller(one):
            return True
        # aiohttp's errors of a connection hold what it was to be made with.
        if getattr(getattr(one, "_conn_key", None), "proxy_auth", None) is not None:
            return True
        with contextlib.suppress(Exception):  # what cannot be written out shows nothing
            text = f"{one} {one!r} {one.args!r}"
            if without_userinfo(text) != text:
                return True
    return False


def is_of_the_caller(error: BaseException) -> bool:
    """Tell whether the caller's own code raised an exception that `bare` has seen."""
    return any(note.startswith(_RAISED) for note in getattr(error, "__notes__", ()))


def _place(raised: TracebackType | None) -> str | None:
    """Say where the caller's own code raised it; None where nobody but the library and aiohttp did."""
    frames = [
        (frame.f_globals.get("__name__", ""), frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(raised)
    ]
    if not frames or str(frames[-1][0]).partition(".")[0] in _OURS:
        return None
    _, file, line, name = frames[-1]
    return f"{_RAISED}{file}, line {line}, in {name}"
