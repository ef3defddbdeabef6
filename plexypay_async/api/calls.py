"""The forms of a call: what a client's method can do besides being called, and what stands on the class."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, Protocol, Self, TypeVar

from ..answered import Answered

if TYPE_CHECKING:
    from plexypay_sync.pagination import Pages

    from ..pagination import AsyncPages
    from ..retry_policy import RetryPolicy

__all__ = [
    "AsyncBulkCall",
    "AsyncCall",
    "AsyncListingCall",
    "AsyncWaitCall",
    "BoundCall",
    "CallOnTheClass",
    "SignatureOfCall",
    "SyncBulkCall",
    "SyncCall",
    "SyncListingCall",
    "SyncWaitCall",
    "WaitOptions",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)


class BoundCall(Protocol):
    """Any call of a client."""

    def with_options(
        self,
        *,
        timeout: float | None = None,
        read_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the same call with other options than the client's, to be called as it is.

        Of a listing they hold for each page, of a bulk job for each row, of a wait for each time that it
        asks.

        Args:
            timeout: Seconds for a whole call.
            read_timeout: Seconds of silence after which an attempt is given up.
            retry: When and how often a call is repeated.
            headers: Further headers, before those of the client of the same name.

        Raises:
            ConfigurationError: An option is unusable.
        """
        ...


class AsyncCall(BoundCall, Protocol[P, R]):
    """An operation of an async client."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Perform it."""
        ...

    def with_response(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Answered[R]]:
        """Perform it, and return how it was answered besides what it returns.

        Raises:
            PlexyPayError: As without it; an error has the same of its own answer.
        """
        ...


class SyncCall(BoundCall, Protocol[P, R]):
    """An operation of a sync client."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Perform it."""
        ...

    def with_response(self, *args: P.args, **kwargs: P.kwargs) -> Answered[R]:
        """Perform it, and return how it was answered besides what it returns; see `AsyncCall`."""
        ...


class AsyncListingCall(BoundCall, Protocol[P, T]):
    """A listing of an async client; each of its pages says how it was answered."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AsyncPages[T]:
        """Open it; nothing is sent before a page is read."""
        ...


class SyncListingCall(BoundCall, Protocol[P, T]):
    """A listing of a sync client; each of its pages says how it was answered."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Pages[T]:
        """Open it; nothing is sent before a page is read."""
        ...


class AsyncBulkCall(BoundCall, Protocol[P, T_co]):
    """A bulk job of an async client."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T_co]:
        """Return its results as they come; nothing is sent before the first is asked for."""
        ...


class SyncBulkCall(BoundCall, Protocol[P, T_co]):
    """A bulk job of a sync client."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Generator[T_co]:
        """Return its results as they come; nothing is sent before the first is asked for."""
        ...


class AsyncWaitCall(BoundCall, Protocol[P, R_co]):
    """A call of an async client that asks until something has come about."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Wait for it."""
        ...


class SyncWaitCall(BoundCall, Protocol[P, R_co]):
    """A call of a sync client that asks until something has come about."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Wait for it."""
        ...


class WaitOptions(Protocol):
    """What is waited for, and for how long."""

    @property
    def timeout(self) -> float:
        """Seconds for the whole wait."""
        ...

    @property
    def interval(self) -> float:
        """Seconds of the first pause."""
        ...

    @property
    def may_be_missing(self) -> bool:
        """Whether it may not be there yet."""
        ...

    def question(self) -> tuple[Any, Any]:
        """Return what is asked again and again, with its request."""
        ...

    def is_met(self, found: Any) -> bool:
        """Tell whether what was found is as wanted, or cannot become so any more."""
        ...

    def wanted(self) -> str:
        """Say what is waited for."""
        ...

    def missing(self) -> str:
        """Say what it means that it is not there."""
        ...


# ------------------------------------------------------------------------------------------ on the class


class _Declared(Protocol):
    """What a class declares."""

    name: str
    """The call's full name, such as ``payment_links.create``."""

    @property
    def signature(self) -> inspect.Signature:
        """The bound call's parameters."""
        ...


class CallOnTheClass:
    """The `__call__` of what a class declares: it refuses, and has the signature that mocks go by."""

    def __get__(self, declared: _Declared | None, owner: type) -> Callable[..., NoReturn]:
        def refuse(*args: Any, **kwargs: Any) -> NoReturn:
            """Refuse to be called on the class: there is no client that could perform it.

            Raises:
                TypeError: Always.
            """
            name = "a call" if declared is None else declared.name
            raise TypeError(f"{name}: call it on a client, such as client.{name}(...)")

        if declared is not None:
            parameters = list(declared.signature.parameters.values())
            refuse.__signature__ = _CheckedByMocks(parameters)  # type: ignore[attr-defined]
        return refuse


class _CheckedByMocks(inspect.Signature):
    """A signature by which `unittest.mock` checks a call, and does not take its first parameter for `self`.

    What an autospecced client's calls were called with it would else compare without that one.
    """

    __slots__ = ()

    def bind_partial(self, /, *args: Any, **kwargs: Any) -> inspect.BoundArguments:
        """Refuse what `functools.partial` would give.

        Raises:
            TypeError: Always.
        """
        raise TypeError("nothing is given in advance")


class SignatureOfCall:
    """The `__signature__` of what a class declares, and none of the declaring class."""

    def __get__(self, declared: _Declared | None, owner: type) -> inspect.Signature:
        if declared is None:
            raise AttributeError("__signature__")
        return declared.signature
