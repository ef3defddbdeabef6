"""The window of a bulk job: how far it reads ahead, what it yields, and how it ends."""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from aioresponses import CallbackResult
from yarl import URL

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    CreatePaymentLink,
    PlexyPayError,
    RetryPolicy,
    UnprocessableError,
)
from plexypay_async.bulk import BulkResult, create_each

from .mocked_http import MockedHTTP

pytestmark = pytest.mark.asyncio

BASE = "https://api.example"


class CreateServer:
    """Creates links in the process, and notes how many creates are under way at once."""

    def __init__(self, http: MockedHTTP) -> None:
        self.created: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.pause: Callable[[str], float] = lambda reference: 0.0
        self.refused: set[str] = set()
        self.hold: asyncio.Event | None = None
        http.post(f"{BASE}/v1/payment-links", callback=self._answered, repeat=True)

    async def _answered(self, url: URL, **options: Any) -> CallbackResult:
        body: dict[str, Any] = json.loads(options["data"].decode())
        reference = str(body["orderReference"])
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.pause(reference))
            if self.hold is not None:
                await self.hold.wait()
        finally:
            self.in_flight -= 1
        if reference in self.refused:
            return CallbackResult(status=422, body='{"code": 5, "message": "refused"}')
        self.created.append(reference)
        link = {"id": f"pl_{reference}", "status": "active", "url": "https://pay.example", **body}
        return CallbackResult(status=201, body=json.dumps(link))


@pytest.fixture
def server(mocked_http: MockedHTTP) -> CreateServer:
    return CreateServer(mocked_http)


def a_client(**options: Any) -> AsyncPlexyPay:
    return AsyncPlexyPay("key", base_url=BASE, retry=RetryPolicy(max_attempts=2, base=0, cap=0), **options)


def a_request(number: int) -> CreatePaymentLink:
    return CreatePaymentLink(amount=number + 1, currency="KZT", order_reference=str(number))


class Source:
    """A generator of requests that notes how far it was read and whether it was closed."""

    def __init__(self, count: int, *, fails_at: int | None = None) -> None:
        self.count = count
        self.fails_at = fails_at
        self.read = 0
        self.closed = False

    def __iter__(self) -> Iterator[CreatePaymentLink]:
        try:
            for number in range(self.count):
                if number == self.fails_at:
                    raise LookupError("row is bad")
                self.read += 1
                yield a_request(number)
        finally:
            self.closed = True

    async def slowly(self) -> AsyncIterator[CreatePaymentLink]:
        for request in self:
            await asyncio.sleep(0)
            yield request


async def no_task_is_left() -> None:
    """Wait, a bounded time, until the test's own task is the only one."""
    async with asyncio.timeout(2):
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)


async def collected(requests: Any, concurrency: int = 4) -> list[BulkResult]:
    async with a_client() as plexy:
        return [result async for result in create_each(plexy, requests, concurrency=concurrency)]


@pytest.mark.parametrize("concurrency", [1, 3, 10, 50])
@pytest.mark.parametrize("count", [0, 1, 10, 100])
async def test_every_request_has_its_result(server: CreateServer, concurrency: int, count: int) -> None:
    requests = [a_request(number) for number in range(count)]

    results = await collected(requests, concurrency)

    assert sorted(result.index for result in results) == list(range(count))
    for result in results:
        assert result.request is requests[result.index]
        assert result.link is not None
        assert (result.link.amount, result.link.order_reference) == (result.index + 1, str(result.index))
        assert (result.error, result.recovered, result.retries) == (None, False, 0)
    assert sorted(server.created, key=int) == [str(number) for number in range(count)]
    assert server.most_in_flight == min(concurrency, count)


async def test_a_slow_link_does_not_hold_the_others_up(server: CreateServer) -> None:
    server.pause = lambda reference: 0.05 if reference == "0" else 0.0

    results = await collected([a_request(number) for number in range(20)], 4)

    assert results[-1].index == 0
    assert {result.index for result in results} == set(range(20))


@pytest.mark.parametrize(
    "of", [list, tuple, iter, Source.__iter__, Source.slowly], ids=["list", "tuple", "iter", "plain", "async"]
)
async def test_any_iterable_is_a_source(server: CreateServer, of: Callable[[Source], Any]) -> None:
    results = await collected(of(Source(25)))

    assert sorted(result.index for result in results) == list(range(25))
    assert all(result.request.order_reference == str(result.index) for result in results)


async def test_a_failure_is_a_result(server: CreateServer) -> None:
    server.refused = {"3", "7"}

    results = await collected(Source(10))

    failed = {result.index: result.error for result in results if result.error is not None}
    assert set(failed) == {3, 7}
    for error in failed.values():
        assert isinstance(error, UnprocessableError)
        assert error.order_reference in {"3", "7"}
        assert error.__traceback__ is None
    assert all((result.link is None) != (result.error is None) for result in results)


async def test_retries_are_counted(mocked_http: MockedHTTP) -> None:
    mocked_http.post(f"{BASE}/v1/payment-links", status=503, payload={"code": 1, "message": "busy"})
    CreateServer(mocked_http)

    results = await collected(Source(3), concurrency=1)

    assert [result.retries for result in results] == [1, 0, 0]


async def test_a_request_that_cannot_be_encoded_is_a_result(server: CreateServer) -> None:
    bad = CreatePaymentLink(amount=1, currency="KZT", order_reference="bad", description="\ud800")

    results = await collected([a_request(0), bad, a_request(2)])

    (failed,) = [result for result in results if result.error is not None]
    assert failed.index == 1
    assert isinstance(failed.error, ConfigurationError)
    assert sorted(server.created) == ["0", "2"]


# ------------------------------------------------------------------------------------------ back-pressure


@pytest.mark.parametrize("concurrency", [1, 4, 16])
async def test_the_source_is_read_no_further_than_the_window(server: CreateServer, concurrency: int) -> None:
    source = Source(500)

    async with a_client() as plexy, aclosing(create_each(plexy, source, concurrency=concurrency)) as results:
        for consumed in range(1, 6):
            await anext(results)
            for _ in range(200):
                await asyncio.sleep(0)
            # At most a result waiting for each worker, and one in each worker's hand.
            assert source.read <= consumed + 2 * concurrency
            assert source.read >= min(500, consumed)


async def test_nothing_is_read_before_the_first_result_is_asked_for(server: CreateServer) -> None:
    source = Source(10)
    async with a_client() as plexy:
        results = create_each(plexy, source, concurrency=4)
        await asyncio.sleep(0.01)
        assert source.read == 0
        await results.aclose()

    assert server.created == []


async def test_what_is_done_is_not_held(server: CreateServer) -> None:
    requests: list[weakref.ref[CreatePaymentLink]] = []
    most = 0

    def source() -> Iterator[CreatePaymentLink]:
        nonlocal most
        for number in range(2000):
            request = a_request(number)
            requests[:] = [kept for kept in requests if kept() is not None] + [weakref.ref(request)]
            most = max(most, len(requests))
            yield request

    async with a_client() as plexy:
        async for _ in create_each(plexy, source(), concurrency=8):
            pass

    assert most <= 8 * 2 + 3


# ------------------------------------------------------------------------------------------------- ending


@pytest.mark.parametrize("slowly", [False, True])
async def test_an_error_of_the_source_comes_after_what_was_under_way(
    server: CreateServer, slowly: bool
) -> None:
    source = Source(50, fails_at=10)
    server.pause = lambda reference: 0.002
    results: list[BulkResult] = []

    async def consume(plexy: AsyncPlexyPay) -> None:
        async for result in create_each(plexy, source.slowly() if slowly else source, concurrency=4):
            results.append(result)  # noqa: PERF401 - what came before the error counts

    async with a_client() as plexy:
        with pytest.raises(LookupError, match="row is bad"):
            await consume(plexy)
        await no_task_is_left()

    assert sorted(result.index for result in results) == list(range(10))
    assert all(result.link is not None for result in results)
    assert source.closed


@pytest.mark.parametrize("slowly", [False, True])
async def test_leaving_early_stops_the_workers_and_closes_the_source(
    server: CreateServer, slowly: bool
) -> None:
    source = Source(1000)
    server.pause = lambda reference: 0.001

    async with a_client() as plexy:
        requests = source.slowly() if slowly else iter(source)
        async with aclosing(create_each(plexy, requests, concurrency=4)) as results:
            async for result in results:
                if result.index >= 5:
                    break
        await no_task_is_left()
        created = len(server.created)
        await asyncio.sleep(0.01)

    assert len(server.created) == created < 50
    assert server.in_flight == 0
    assert source.closed


async def test_breaking_without_closing_leaves_no_task(server: CreateServer) -> None:
    server.pause = lambda reference: 0.001

    async with a_client() as plexy:
        async for _ in create_each(plexy, Source(1000), concurrency=4):
            break
        await no_task_is_left()

    assert server.in_flight == 0


async def test_a_cancelled_consumer_stops_the_workers(server: CreateServer) -> None:
    server.hold = asyncio.Event()
    source = Source(1000)

    async with a_client() as plexy:
        requests = iter(source)

        async def consume() -> None:
            async for _ in create_each(plexy, requests, concurrency=4):
                pass

        consumer = asyncio.create_task(consume())
        async with asyncio.timeout(2):
            while server.in_flight < 4:
                await asyncio.sleep(0)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        await no_task_is_left()

    assert source.closed
    assert (server.in_flight, server.created) == (0, [])


async def test_an_error_of_the_consumer_stops_the_workers(server: CreateServer) -> None:
    async def consume(plexy: AsyncPlexyPay) -> None:
        async for _ in create_each(plexy, Source(1000), concurrency=4):
            raise ZeroDivisionError

    async with a_client() as plexy:
        with pytest.raises(ZeroDivisionError):
            await consume(plexy)
        await no_task_is_left()

    assert len(server.created) < 50


async def test_a_bug_is_not_swallowed(server: CreateServer) -> None:
    requests: Any = [a_request(0), object(), a_request(2)]

    with pytest.raises(Exception, match=r"object|attribute|fields") as caught:
        await collected(requests)

    assert not isinstance(caught.value, PlexyPayError)


async def test_a_closed_client_fails_every_request_and_ends(server: CreateServer) -> None:
    plexy = a_client()
    await plexy.close()

    results = [result async for result in create_each(plexy, Source(5), concurrency=2)]

    assert [str(result.error) for result in results] == ["this client is closed"] * 5
    assert server.created == []
