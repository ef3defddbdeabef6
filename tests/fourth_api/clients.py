"""The clients of an API of parcels."""

from __future__ import annotations

from typing import ClassVar, Unpack

from plexypay_async.api.description import API
from plexypay_async.api.facades import Async, Sync
from plexypay_async.client import AsyncClient
from plexypay_async.options import ClientOptions
from plexypay_sync.client import SyncClient

from . import Groups
from .description import PARCELS


class AsyncParcels(AsyncClient, Groups[Async]):
    """The async one."""

    api: ClassVar[API] = PARCELS

    def __init__(
        self,
        api_key: str | None = None,
        *,
        depot_id: str | None = None,
        till: str | None = None,
        base_url: str | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._begin(api_key, base_url=base_url, parameters={"depot_id": depot_id, "till": till}, **options)


class SyncParcels(SyncClient, Groups[Sync]):
    """The sync one."""

    api: ClassVar[API] = PARCELS

    def __init__(
        self,
        api_key: str | None = None,
        *,
        depot_id: str | None = None,
        till: str | None = None,
        base_url: str | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._begin(api_key, base_url=base_url, parameters={"depot_id": depot_id, "till": till}, **options)
