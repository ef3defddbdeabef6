"""`SyncClient`: the async clients, called from code without an event loop."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from plexypay_async._client import Client, with_forms
from plexypay_async._core.call import Call
from plexypay_async._core.call_of import call_of
from plexypay_async._core.execution import Execution
from plexypay_async._core.listing import pages_of
from plexypay_async._core.raw_request import raw_call
from plexypay_async._core.record import MADE_BEFORE
from plexypay_async._foreign import prepared, refused, told_of
from plexypay_async.answered import Answered
from plexypay_async.api.facades import Sync
from plexypay_async.api.operation import Bulk, Ensured, Listing, Operation, Wait
from plexypay_async.api.replay import Replay
from plexypay_async.errors import PlexyPayError

from .pagination import Pages
from .portal import Portal, portal, refuse_green_threads
from .raw_calls import SyncRequest

__all__ = ["SyncClient"]


class SyncClient(Client[Sync]):
    """A client for code without an event loop, of whichever API."""

    def _begin(self, *args: Any, **options: Any) -> None:
        refuse_green_threads()
        super()._begin(*args, **options)
        import_what_calls_need()
        portal.renew_after_fork(self._execution.transport)

    def _use(self, execution: Execution, *, derived: bool) -> None:
        from plexypay_async.api.index import every_group

        super()._use(execution, derived=derived)
        # Not each when it is first used: on Python 3.11 that takes a lock, which a fork may leave held.
        vars(self).update({group.group: group(self._caller) for group in every_group(self.api)})

    def _caller_of(self, execution: Execution) -> SyncCaller:
        return SyncCaller(portal, execution, type(self).__name__)

    @SyncRequest
    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        replay: Replay | None = None,
        decimals: bool = False,
    ) -> Call[Any]:
        """Call what the library does not know yet.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: The path, percent-encoded, such as ``/path/of/it``.
            params: The query; None values are left out, times are sent in UTC.
            json: The body. A `Decimal` in it is written as a number with just its digits.
            headers: Further headers, in ASCII. Those that say how a message is sent are the client's own, as
                the key is.
            replay: What may be repeated after a failure: `Replay.MONEY` for a POST unless given, else
                `Replay.SAFE`.
            decimals: Whether each number of the answer that has a point or an exponent comes as a `Decimal`,
                as by ``parse_float=Decimal`` of `json.loads`; for amounts of major units.

        Returns:
            The decoded JSON, or None for an empty body. Unless `decimals`, a number with a point is a `float`
            where that is written with the same value, else a `Decimal`: none loses digits. By
            `request.with_response(...)` an `Answered`, which has it as `value`, as of any call.

        Raises:
            ConfigurationError: An argument is unusable; nothing was sent.
            UnreadableResponseError: The answer has a success status and is not JSON, or is the API's own
                error object (a `code`, and a `type` such as ``api_error``): what was written then is of
                unknown outcome, an `OutcomeUnknownError` where it is not repeated.
            PlexyPayError: The call failed.
        """
        execution = self._execution
        return raw_call(execution, method, path, params, json, headers, replay, decimals=decimals)

    def close(self) -> None:
        """Close the client's connections; calls made after this raise `ConfigurationError`."""
        if not self._derived:
            transport = self._execution.transport
            # Also where no loop runs: before the first call, and at exit, when all is closed already.
            transport.closed = True
            portal.run_if_started(transport.close)

    def __enter__(self) -> Self:
        self._refuse_if_closed()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def import_what_calls_need() -> None:
    """Import now what a call would import when it is first needed.

    A process forked amid another thread's import waits for ever when it imports the same: the import's lock
    is held by a thread that the fork has left behind. Imports belong where a program begins, calls do not.
    """
    for name in ("plexypay_async._wire.codec", "plexypay_async._core.polling", "encodings.idna"):
        import_module(name)
    with contextlib.suppress(ImportError):
        # A Python without sqlite3 can do all but this; `create_many` says so itself.
        import_module("plexypay_sync.bulk")


class SyncCaller:
    """Turns declarations into plain functions that run on the portal's loop."""

    def __init__(self, portal: Portal, execution: Execution, client: str = "") -> None:
        self._portal = portal
        self._client = client
        self._execution = execution

    def __repr__(self) -> str:
        return f"<{self._client} {self._execution.settings.base_url}>"

    def on(self, execution: Execution) -> SyncCaller:
        """Return what does the same on another execution."""
        return SyncCaller(self._portal, execution, self._client)

    def bind(self, operation: Operation[..., Any]) -> Callable[..., Any]:
        """Return the function that performs `operation`."""
        run, execution, make = self._portal.run, self._execution, operation.request

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                # As `prepared` does it, which would cost each call two more of Python's.
                try:
                    under_way = call_of(execution, operation, make(*args, **kwargs))
                except PlexyPayError:
                    raise
                except Exception as error:  # noqa: BLE001 - raised below
                    refusal = refused(error)
                else:
                    return run(under_way.run)
                raise refusal from refusal.__cause__
            except BaseException as error:
                told_of(error, operation)
                raise

        def with_response(*args: Any, **kwargs: Any) -> Answered[Any]:
            try:
                under_way = prepared(lambda: call_of(execution, operation, make(*args, **kwargs)))
                under_way.keeps_answers = True
                return under_way.answered(run(under_way.run))
            except BaseException as error:
                told_of(error, operation)
                raise

        return with_forms(
            call,
            operation,
            execution,
            lambda other: self.on(other).bind(operation),
            with_response,
        )

    def bind_listing(self, listing: Listing[..., Any]) -> Callable[..., Any]:
        """Return the function that opens `listing`."""
        portal, execution, make = self._portal, self._execution, listing.request

        def call(*args: Any, **kwargs: Any) -> Pages[Any]:
            try:
                return prepared(lambda: Pages(portal, pages_of(execution, listing, make(*args, **kwargs))))
            except BaseException as error:
                told_of(error, listing)
                raise

        return with_forms(
            call,
            listing,
            execution,
            lambda other: self.on(other).bind_listing(listing),
        )

    def bind_bulk(self, bulk: Bulk[..., ..., Any]) -> Callable[..., Any]:
        """Return the function that starts `bulk`."""
        portal, execution, make = self._portal, self._execution, bulk.sync_options

        def call(*args: Any, **kwargs: Any) -> Generator[Any]:
            from .bulk import SyncBulkJob

            try:
                return prepared(lambda: SyncBulkJob(portal, execution, make(*args, **kwargs))).results()
            except BaseException as error:
                told_of(error, bulk)
                raise

        return with_forms(call, bulk, execution, lambda other: self.on(other).bind_bulk(bulk))

    def bind_ensured(self, ensured: Ensured[..., Any]) -> Callable[..., Any]:
        """Return the function that performs an operation, or finds what was made before."""
        run, execution, make, operation = (
            self._portal.run,
            self._execution,
            ensured.options,
            ensured.operation,
        )

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                under_way = prepared(
                    lambda: call_of(execution, operation, make(*args, **kwargs), earlier=MADE_BEFORE)
                )
                return run(under_way.run)
            except BaseException as error:
                told_of(error, ensured)
                raise

        def with_response(*args: Any, **kwargs: Any) -> Answered[Any]:
            try:
                under_way = prepared(
                    lambda: call_of(execution, operation, make(*args, **kwargs), earlier=MADE_BEFORE)
                )
                under_way.keeps_answers = True
                return under_way.answered(run(under_way.run))
            except BaseException as error:
                told_of(error, ensured)
                raise

        return with_forms(
            call,
            ensured,
            execution,
            lambda other: self.on(other).bind_ensured(ensured),
            with_response,
        )

    def bind_wait(self, wait: Wait[..., Any]) -> Callable[..., Any]:
        """Return the function that waits as `wait` says."""
        run, execution, make = self._portal.run, self._execution, wait.options

        def call(*args: Any, **kwargs: Any) -> Any:
            from plexypay_async._core.polling import Polling

            try:
                return run(prepared(lambda: Polling(execution, wait, make(*args, **kwargs))).run)
            except BaseException as error:
                told_of(error, wait)
                raise

        return with_forms(call, wait, execution, lambda other: self.on(other).bind_wait(wait))
