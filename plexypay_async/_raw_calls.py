"""`request` of a client: a method that performs the call which its function makes, in each form of a call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, cast, overload

from ._client import Client, with_forms
from ._core.call import Call
from ._core.execution import Execution
from ._foreign import prepared, retold_of
from .answered import Answered
from .api.calls import AsyncCall
from .api.facades import Async

__all__ = ["AsyncRequest", "RawRequest"]

P = ParamSpec("P")

_ELSEWHERE = {
    name: f"give it by request.with_options({name}=...)" for name in ("timeout", "read_timeout", "retry")
}
"""Where the options of a call are given, which `request` does not take."""


class RawRequest(Generic[P]):
    """What is written as a method that returns the call, and bound as one that performs it.

    Args:
        make: The method.
    """

    def __init__(self, make: Callable[Concatenate[Any, P], Call[Any]]) -> None:
        self._make = make
        self.name: str = make.__name__
        # What the class shows is a function, for `help` and for mocks, which look for no `self` in it.
        self._unbound = self._of_class()
        self.dress(self._unbound, make.__qualname__.partition(".")[0])

    def dress(self, call: Callable[..., Any], owner: str) -> None:
        """Give a call the name, the parameters and the docstring of the method."""
        make = self._make
        signature = inspect.signature(make)
        parameters = list(signature.parameters.values())[1:]
        call.__name__ = make.__name__
        call.__qualname__ = f"{owner}.{make.__name__}"
        call.__doc__ = make.__doc__
        call.__module__ = make.__module__
        call.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=parameters, return_annotation="Any"
        )

    def _tell(self, error: BaseException, client: object) -> None:
        """Let an error of the arguments say what would fit, and hold none of them."""
        retold_of(error, client, self._make, _ELSEWHERE)

    def _of_class(self) -> Callable[..., Any]:
        """Return the function that stands in the class."""
        raise NotImplementedError

    def _forms(
        self, client: Client[Any], call: Callable[..., Any], with_response: Callable[..., Any]
    ) -> Callable[..., Any]:
        def bind(execution: Execution) -> Callable[..., Any]:
            other = client._twin()  # pyright: ignore[reportPrivateUsage]
            other._use(execution, derived=True)  # pyright: ignore[reportPrivateUsage]
            return cast("Callable[..., Any]", self.__get__(other, type(other)))

        self.dress(call, type(client).__name__)
        execution = client._execution  # pyright: ignore[reportPrivateUsage]
        return with_forms(call, self, execution, bind, with_response)

    def __get__(self, client: Any, owner: type) -> Any:
        raise NotImplementedError


class AsyncRequest(RawRequest[P]):
    """`request` of an async client."""

    @overload
    def __get__(
        self, client: None, owner: type
    ) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, Any]]: ...
    @overload
    def __get__(self, client: Client[Async], owner: type) -> AsyncCall[P, Any]: ...
    def __get__(self, client: Client[Async] | None, owner: type) -> Any:
        if client is None:
            return self._unbound
        make = self._make

        async def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return await prepared(make, client, *args, **kwargs).run()
            except BaseException as error:
                self._tell(error, client)
                raise

        async def with_response(*args: P.args, **kwargs: P.kwargs) -> Answered[Any]:
            try:
                under_way = prepared(make, client, *args, **kwargs)
                under_way.keeps_answers = True
                return under_way.answered(await under_way.run())
            except BaseException as error:
                self._tell(error, client)
                raise

        return self._forms(client, call, with_response)

    def _of_class(self) -> Callable[..., Any]:
        async def call(client: Client[Async], *args: P.args, **kwargs: P.kwargs) -> Any:
            return await self.__get__(client, type(client))(*args, **kwargs)

        return call
