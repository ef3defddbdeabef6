"""Where no event loop of asyncio's runs, and where another drives the coroutine, each call says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from plexypay_async import AsyncPlexyPay, ConfigurationError, CreatePaymentLink, Outcome
from plexypay_sync import PlexyPay

NOWHERE = "http://127.0.0.1:1"


async def listed(plexy: AsyncPlexyPay) -> None:
    async for _ in plexy.payment_links.list():
        pass


async def created(plexy: AsyncPlexyPay) -> None:
    links = [CreatePaymentLink(amount=1, currency="KZT", order_reference="A")]
    async for _ in plexy.payment_links.create_many(links):
        pass


CALLS: dict[str, Callable[[AsyncPlexyPay], Awaitable[Any]]] = {
    "a call": lambda plexy: plexy.payment_links.retrieve("pl_1"),
    "a create": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
    "a request": lambda plexy: plexy.request("GET", "/v1/x"),
    "a listing": listed,
    "a page": lambda plexy: plexy.transactions.list().first_page(),
    "a wait": lambda plexy: plexy.transactions.wait("t-1"),
    "a job": created,
}


async def performed(name: str) -> None:
    async with AsyncPlexyPay("key", base_url=NOWHERE) as plexy:
        await CALLS[name](plexy)


@pytest.mark.parametrize("name", CALLS)
def test_trio_is_told_that_asyncio_is_needed(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"needs asyncio's event loop.*under trio") as caught:
        trio.run(performed, name)
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("name", CALLS)
def test_a_coroutine_without_a_loop_says_so(name: str) -> None:
    coroutine: Any = performed(name)
    with pytest.raises(ConfigurationError, match="none is running here"):
        coroutine.send(None)


@pytest.mark.parametrize("name", CALLS)
def test_a_coroutine_that_no_task_drives_says_so(name: str) -> None:
    async def driven() -> None:
        raised: list[BaseException] = []

        def drive() -> None:
            coroutine: Any = CALLS[name](plexy)
            try:
                coroutine.send(None)
            except BaseException as error:  # noqa: BLE001 - looked at below
                raised.append(error)
            coroutine.close()

        async with AsyncPlexyPay("key", base_url=NOWHERE) as plexy:
            asyncio.get_running_loop().call_soon(drive)
            await asyncio.sleep(0.1)
        with pytest.raises(ConfigurationError, match="in a task of asyncio's"):
            raise raised[0]

    asyncio.run(driven())


def test_the_sync_facade_works_under_trio() -> None:
    async def used() -> str:
        with PlexyPay("key", base_url=NOWHERE, timeout=0.2) as plexy:
            try:
                plexy.payment_links.retrieve("pl_1")
            except Exception as error:  # noqa: BLE001 - its kind is what is asked
                return type(error).__name__
        return "nothing"

    assert trio.run(used) in ("ConnectError", "DeadlineExceededError")
