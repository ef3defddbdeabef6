"""The forms of a bound call: what a client's method can do besides being called."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from ..answered import Answered

if TYPE_CHECKING:
    from plexypay_sync.pagination import Pages

    from ..pagination import AsyncPages
    from ..retry_policy import RetryPolicy

__all__ = ["AsyncCall", "AsyncListingCall", "SyncCall", "SyncListingCall"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class AsyncCall(Protocol[P, R]):
    """An operation of an `AsyncPlexyPay`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Perform it."""
        ...

    def with_response(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Answered[R]]:
        """Perform it, and return how it was answered besides what it returns.

        Raises:
            PlexyPayError: As without it; an error has the same of its own answer.
        """
        ...

    def with_options(
        self,
        *,
        timeout: float | None = None,
        read_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncCall[P, R]:
        """Return the same call with other options than the client's, to be called as it is.

        Args:
            timeout: Seconds for the whole call.
            read_timeout: Seconds of silence after which an attempt is given up.
            retry: When and how often it is repeated.
            headers: Further headers, before those of the client of the same name.

        Raises:
            ConfigurationError: An option is unusable.
        """
        ...


class SyncCall(Protocol[P, R]):
    """An operation of a `PlexyPay`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Perform it."""
        ...

    def with_response(self, *args: P.args, **kwargs: P.kwargs) -> Answered[R]:
        """Perform it, and return how it was answered besides what it returns; see `AsyncCall`."""
        ...

    def with_options(
        self,
        *,
        timeout: float | None = None,
        read_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SyncCall[P, R]:
        """Return the same call with other options than the client's; see `AsyncCall`."""
        ...


class AsyncListingCall(Protocol[P, T]):
    """A listing of an `AsyncPlexyPay`; each of its pages says how it was answered."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AsyncPages[T]:
        """Open it; nothing is sent before a page is read."""
        ...

    def with_options(
        self,
        *,
        timeout: float | None = None,
        read_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncListingCall[P, T]:
        """Return the same listing with other options for each of its pages; see `AsyncCall`."""
        ...


class SyncListingCall(Protocol[P, T]):
    """A listing of a `PlexyPay`; each of its pages says how it was answered."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Pages[T]:
        """Open it; nothing is sent before a page is read."""
        ...

    def with_options(
        self,
        *,
        timeout: float | None = None,
        read_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SyncListingCall[P, T]:
        """Return the same listing with other options for each of its pages; see `AsyncCall`."""
        ...
