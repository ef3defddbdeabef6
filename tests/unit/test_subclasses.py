"""A client of a subclass, derived by `with_options`: it keeps what the subclass has set, on both facades."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_sync import PlexyPay

BASE = "http://127.0.0.1:1"


class Noted:
    __slots__ = ("__private", "set_later", "slot")

    def __init__(self, *arguments: Any, tenant: str, **options: Any) -> None:
        self.tenant = tenant  # type: ignore[misc]
        super().__init__(*arguments, **options)
        self.slot = [tenant]
        self.__private = tenant
        self.calls = {"made": 1}  # type: ignore[misc]
        Noted.made += 1

    made = 0

    @property
    def private(self) -> str:
        return self.__private

    @cached_property
    def limit(self) -> float:
        return float(self._execution.settings.timeout)  # type: ignore[attr-defined]


class AsyncTenant(Noted, AsyncPlexyPay):
    pass


class SyncTenant(Noted, PlexyPay):
    @cached_property
    def limit(self) -> float:
        return self._execution.settings.timeout


@pytest.mark.parametrize("kind", [AsyncTenant, SyncTenant])
def test_a_derived_client_keeps_the_attributes_of_its_subclass(kind: Any) -> None:
    plexy = kind("key", base_url=BASE, tenant="almaty", timeout=9)
    links, made = plexy.payment_links, Noted.made
    assert plexy.limit == 9

    derived = plexy.with_options(timeout=3)
    again = derived.with_options(timeout=2)

    assert Noted.made == made, "__init__ was called"
    for one in (derived, again):
        assert type(one) is kind
        assert (one.tenant, one.slot, one.private) == ("almaty", ["almaty"], "almaty")
        assert one.calls is plexy.calls
        assert not hasattr(one, "set_later")
        assert one.payment_links is not links
        assert one.payment_links is one.payment_links
    assert [one.limit for one in (plexy, derived, again)] == [9, 3, 2]
    derived.tenant = "astana"
    assert (plexy.tenant, again.tenant) == ("almaty", "almaty")
    assert plexy.payment_links is links


def test_closing_a_derived_client_of_a_subclass_does_nothing() -> None:
    plexy = SyncTenant("key", base_url=BASE, tenant="almaty")
    transport = plexy._execution.transport
    plexy.with_options(timeout=3).close()
    assert not transport.closed
    plexy.close()
    assert transport.closed
