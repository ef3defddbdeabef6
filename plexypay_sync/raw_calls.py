"""`request` of a sync client, in each form of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, overload

from plexypay_async._client import Client
from plexypay_async._foreign import prepared
from plexypay_async._raw_calls import RawRequest
from plexypay_async.answered import Answered
from plexypay_async.api.calls import SyncCall
from plexypay_async.api.facades import Sync

from .portal import portal

__all__ = ["SyncRequest"]

P = ParamSpec("P")


class SyncRequest(RawRequest[P]):
    """`request` of a sync client."""

    @overload
    def __get__(self, client: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, client: Client[Sync], owner: type) -> SyncCall[P, Any]: ...
    def __get__(self, client: Client[Sync] | None, owner: type) -> Any:
        if client is None:
            return self._unbound
        make, run = self._make, portal.run

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return run(prepared(make, client, *args, **kwargs).run)
            except BaseException as error:
                self._tell(error, client)
                raise

        def with_response(*args: P.args, **kwargs: P.kwargs) -> Answered[Any]:
            try:
                under_way = prepared(make, client, *args, **kwargs)
                under_way.keeps_answers = True
                return under_way.answered(run(under_way.run))
            except BaseException as error:
                self._tell(error, client)
                raise

        return self._forms(client, call, with_response)

    def _of_class(self) -> Callable[..., Any]:
        def call(client: Client[Sync], *args: P.args, **kwargs: P.kwargs) -> Any:
            return self.__get__(client, type(client))(*args, **kwargs)

        return call
