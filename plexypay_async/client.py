"""`AsyncClient`: what the async clients of all APIs have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ._client import Client, with_forms
from ._core.call import Call
from ._core.call_of import call_of
from ._core.execution import Execution
from ._core.record import MADE_BEFORE
from ._core.slots import loop_of_task
from ._foreign import prepared, refused, told_of
from ._raw_calls import AsyncRequest
from .answered import Answered
from .api.facades import Async
from .api.operation import Bulk, Ensured, Listing, Operation, Wait
from .api.replay import Replay
from .errors import PlexyPayError

if TYPE_CHECKING:
    from .api.fields import Request
    from .pagination import AsyncPages

__all__ = ["AsyncClient"]


class AsyncClient(Client[Async]):
    """A client for asyncio, of whichever API."""

    def _caller_of(self, execution: Execution) -> AsyncCaller:
        return AsyncCaller(execution, type(self).__name__)

    @AsyncRequest
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
        # With the first such call, for importing the client to stay cheap.
        from ._core.raw_request import raw_call

        execution = self._execution
        return raw_call(execution, method, path, params, json, headers, replay, decimals=decimals)

    async def close(self) -> None:
        """Close the client's connections; calls made after this raise `ConfigurationError`."""
        if not self._derived:
            transport = self._execution.transport
            if asyncio._get_running_loop() is None:
                # As under trio, where nothing can have been opened.
                transport.close_outside()
            else:
                await transport.close()

    async def __aenter__(self) -> Self:
        self._refuse_if_closed()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncCaller:
    """Turns declarations into coroutine functions."""

    def __init__(self, execution: Execution, client: str = "") -> None:
        self.execution = execution
        self._client = client

    def __repr__(self) -> str:
        return f"<{self._client} {self.execution.settings.base_url}>"

    def on(self, execution: Execution) -> AsyncCaller:
        """Return what does the same on another execution."""
        return AsyncCaller(execution, self._client)

    def bind(self, operation: Operation[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function that performs `operation`."""
        execution, make = self.execution, operation.request

        async def call(*args: Any, **kwargs: Any) -> Any:
            try:
                # As `prepared` does it, which would cost each call two more of Python's.
                try:
                    under_way = call_of(execution, operation, make(*args, **kwargs))
                except PlexyPayError:
                    raise
                except Exception as error:  # noqa: BLE001 - raised below
                    refusal = refused(error)
                else:
                    return await under_way.run()
                raise refusal from refusal.__cause__
            except BaseException as error:
                told_of(error, operation)
                raise

        async def with_response(*args: Any, **kwargs: Any) -> Answered[Any]:
            try:
                under_way = prepared(lambda: call_of(execution, operation, make(*args, **kwargs)))
                under_way.keeps_answers = True
                return under_way.answered(await under_way.run())
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
        execution, make = self.execution, listing.request

        def prepare(*args: Any, **kwargs: Any) -> AsyncPages[Any]:
            # With the first listing, for importing the client to stay cheap.
            from ._core.listing import pages_of

            request: Request = make(*args, **kwargs)
            return pages_of(execution, listing, request)

        def call(*args: Any, **kwargs: Any) -> AsyncPages[Any]:
            try:
                return prepared(prepare, *args, **kwargs)
            except BaseException as error:
                told_of(error, listing)
                raise

        return with_forms(call, listing, execution, lambda other: self.on(other).bind_listing(listing))

    def bind_bulk(self, bulk: Bulk[..., ..., Any]) -> Callable[..., Any]:
        """Return the function that starts `bulk`."""
        execution, make = self.execution, bulk.options

        def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
            from .bulk.job import BulkJob

            try:
                return prepared(lambda: BulkJob(execution, make(*args, **kwargs))).results()
            except BaseException as error:
                told_of(error, bulk)
                raise

        return with_forms(call, bulk, execution, lambda other: self.on(other).bind_bulk(bulk))

    def bind_ensured(self, ensured: Ensured[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function that performs an operation, or finds what was made before."""
        execution, make, operation = self.execution, ensured.options, ensured.operation

        async def call(*args: Any, **kwargs: Any) -> Any:
            try:
                under_way = prepared(
                    lambda: call_of(execution, operation, make(*args, **kwargs), earlier=MADE_BEFORE)
                )
                return await under_way.run()
            except BaseException as error:
                told_of(error, ensured)
                raise

        async def with_response(*args: Any, **kwargs: Any) -> Answered[Any]:
            try:
                under_way = prepared(
                    lambda: call_of(execution, operation, make(*args, **kwargs), earlier=MADE_BEFORE)
                )
                under_way.keeps_answers = True
                return under_way.answered(await under_way.run())
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
        """Return the coroutine function that waits as `wait` says."""
        execution, make = self.execution, wait.options

        async def call(*args: Any, **kwargs: Any) -> Any:
            from ._core.polling import Polling

            try:
                loop_of_task()
                return await prepared(lambda: Polling(execution, wait, make(*args, **kwargs))).run()
            except BaseException as error:
                told_of(error, wait)
                raise

        return with_forms(call, wait, execution, lambda other: self.on(other).bind_wait(wait))
