"""How much of an answer is read and kept: hostile sizes cost neither memory nor the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import pickle
import time
import tracemalloc
import zlib
from collections.abc import AsyncGenerator, Generator
from typing import Any

import aiohttp
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    Outcome,
    PlexyPayError,
    UnprocessableError,
    UnreadableResponseError,
)
from plexypay_async.bulk import PartitionSettings, create_partition
from plexypay_sync import PlexyPay

from .scripted import FOUND, KEY, LINKS, ONCE, SHORT, Answer, link, scripted, serving

pytestmark = pytest.mark.asyncio

MB = 2**20
GET = f"GET {LINKS}/pl_1"


@functools.cache
def bomb(megabytes: int) -> bytes:
    """So many megabytes of spaces, compressed a thousandfold."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * MB
    return b"".join(packing.compress(block) for _ in range(megabytes)) + packing.flush()


class Measured:
    """What a block took: memory at its peak, and the longest time that the event loop stood still."""

    peak = 0
    longest = 0.0


@contextlib.asynccontextmanager
async def measured() -> AsyncGenerator[Measured]:
    found = Measured()

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            found.longest = max(found.longest, time.perf_counter() - before)

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    try:
        yield found
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


@pytest.fixture
def traced() -> Generator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


async def retrieve(plexy: Any) -> Any:
    return await asyncio.wait_for(plexy.payment_links.retrieve("pl_1"), 20)


@pytest.mark.parametrize("status", [200, 500])
async def test_a_megabyte_of_gzip_that_holds_a_gigabyte_is_not_read(status: int) -> None:
    answer = Answer(status, bomb(1024), {"Content-Encoding": "gzip"})
    assert 0.9 < len(answer.body) / MB < 1.1
    async with scripted({"*": answer}, retry=ONCE, timeout=20) as (plexy, script):
        async with measured() as found:
            with pytest.raises(UnreadableResponseError, match="max_response_size") as caught:
                await retrieve(plexy)
        assert script.count() == 1
    assert found.longest < 2.0
    assert len(pickle.dumps(caught.value)) < 16_384


@pytest.mark.parametrize("status", [200, 500])
async def test_a_bomb_takes_no_more_memory_than_the_limit(traced: None, status: int) -> None:
    answer = Answer(status, bomb(512), {"Content-Encoding": "gzip"})
    async with scripted({"*": answer}, retry=ONCE, timeout=20) as (plexy, _):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        with pytest.raises(UnreadableResponseError, match="max_response_size"):
            await retrieve(plexy)
        _, peak = tracemalloc.get_traced_memory()
    assert peak - before < 100 * MB


async def test_a_refund_whose_answer_is_a_bomb_is_unknown_and_sent_once() -> None:
    answer = Answer(200, bomb(64), {"Content-Encoding": "gzip"})
    async with scripted({"*": answer}, timeout=20) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payments.refund("t")
        assert script.count() == 1
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until the end"])
async def test_a_body_without_an_end_is_read_to_the_limit_only(chunked: bool) -> None:
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            framing = "Transfer-Encoding: chunked" if chunked else "Connection: close"
            writer.write(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
            part = b" " * 65_536
            while True:
                writer.write(b"10000\r\n" + part + b"\r\n" if chunked else part)
                await writer.drain()
                sent += len(part)
        writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    options: dict[str, Any] = {"retry": ONCE, "timeout": 20, "max_response_size": MB}
    async with AsyncPlexyPay(KEY, base_url=url, **options) as plexy:
        with pytest.raises(UnreadableResponseError, match="max_response_size"):
            await retrieve(plexy)
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.05)
    # The sockets' own buffers hold some.
    assert sent < 16 * MB


@pytest.mark.parametrize("body", [b"<p>" * (10 * MB // 3), b'{"message": "' + b"x" * (10 * MB) + b'"}'])
@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("facade", ["async", "sync"])
async def test_an_error_keeps_the_beginning_of_a_large_answer(facade: str, status: int, body: bytes) -> None:
    def call(url: str) -> PlexyPayError:
        with PlexyPay(KEY, base_url=url, retry=ONCE) as plexy, pytest.raises(PlexyPayError) as caught:
            plexy.payments.refund("t")
        return caught.value

    async with serving({"*": Answer(status, body)}) as server:
        if facade == "sync":
            error = await asyncio.to_thread(call, server.url)
        else:
            async with AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE) as plexy:
                with pytest.raises(PlexyPayError) as caught:
                    await plexy.payments.refund("t")
                error = caught.value
    assert len(pickle.dumps(error)) < 16_384
    assert len(str(error)) < 8_192


async def test_a_field_of_an_error_of_the_apis_is_kept_in_part_too() -> None:
    answer = Answer(422, {"code": 5, "message": "m" * MB, "source": "s" * MB, "type": "t" * MB})
    async with scripted({"*": answer}) as (plexy, _):
        with pytest.raises(UnprocessableError) as caught:
            await retrieve(plexy)
    assert len(pickle.dumps(caught.value)) < 16_384


async def test_a_large_answer_that_is_no_link_is_kept_in_part() -> None:
    async with scripted({"*": Answer(200, b"<p>" * MB)}, retry=ONCE) as (plexy, _):
        with pytest.raises(UnreadableResponseError) as caught:
            await retrieve(plexy)
    assert len(pickle.dumps(caught.value)) < 16_384


# -------------------------------------------------------------------------------------------------- values


def unfolding(values: int, value: bytes = b"{}") -> Answer:
    """A page and a link in one, with so many values in it, compressed a thousandfold."""
    listed = b",".join([value] * values)
    body = b'{"id":"pl_1","success":true,"page":1,"size":100,"total":1,"data":[' + listed + b"]}"
    return Answer(200, gzip.compress(body + b" " * MB), {"Content-Encoding": "gzip"})


READS: dict[str, Any] = {
    "retrieve": lambda plexy: plexy.payment_links.retrieve("pl_1"),
    "a page": lambda plexy: plexy.payment_links.list().first_page(),
    "a raw request": lambda plexy: plexy.request("GET", "/v1/anything"),
}
WRITES: dict[str, Any] = {
    "refund": lambda plexy: plexy.payments.refund("t"),
    "create": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT", order_reference="o"),
    "a raw post": lambda plexy: plexy.request("POST", "/v1/anything", json={}),
}


@pytest.mark.parametrize("called", [*READS, *WRITES])
async def test_an_answer_that_unfolds_to_millions_of_values_is_not_read(called: str, traced: None) -> None:
    answer = unfolding(3_000_000)
    assert len(answer.content) < MB // 8
    async with scripted({"*": answer}, retry=ONCE, timeout=20) as (plexy, _):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        with pytest.raises(PlexyPayError, match="more than 500000 values") as caught:
            await {**READS, **WRITES}[called](plexy)
        _, peak = tracemalloc.get_traced_memory()
    assert caught.value.outcome is Outcome.UNKNOWN
    assert isinstance(caught.value, UnreadableResponseError) is (called in READS)
    assert peak - before < 60 * MB


@pytest.mark.parametrize("facade", ["async", "sync"])
@pytest.mark.parametrize(("values", "read"), [(200_000, True), (300_000, False)])
async def test_half_a_million_values_are_read(facade: str, values: int, *, read: bool) -> None:
    def asked_without_await(url: str) -> Any:
        with PlexyPay(KEY, base_url=url, retry=ONCE) as plexy:
            return plexy.request("GET", "/v1/anything")

    async def asked(url: str) -> Any:
        if facade == "sync":
            return await asyncio.to_thread(asked_without_await, url)
        async with AsyncPlexyPay(KEY, base_url=url, retry=ONCE) as plexy:
            return await plexy.request("GET", "/v1/anything")

    async with serving({"*": unfolding(values)}) as server:
        if read:
            assert len((await asked(server.url))["data"]) == values
            return
        with pytest.raises(UnreadableResponseError, match="the answer has more than 500000 values") as caught:
            await asked(server.url)
    assert (caught.value.status, caught.value.body) == (200, "")


async def test_an_answer_that_a_hook_interrupts_is_counted_too() -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("a tracer failed")

    tracing = aiohttp.TraceConfig()
    tracing.on_response_chunk_received.append(fail)
    async with (
        serving({"*": unfolding(300_000)}) as server,
        aiohttp.ClientSession(trace_configs=[tracing]) as session,
        AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE, session=session) as plexy,
    ):
        with pytest.raises(PlexyPayError, match="more than 500000 values"):
            await plexy.request("GET", "/v1/anything")


async def test_a_page_of_a_thousand_links_is_far_below_the_limit() -> None:
    entry = link(id="pl_1", metadata={str(number): "x" * 20 for number in range(50)})
    document = {"page": 1, "size": 1000, "total": 1000, "data": [entry] * 1000}
    async with scripted({"*": Answer(200, document)}, retry=ONCE) as (plexy, _):
        assert len(await plexy.payment_links.list(size=1000).first_page()) == 1000


# ------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("facade", ["async", "sync"])
async def test_max_response_size_counts_the_body_to_the_byte(facade: str, zipped: bool) -> None:
    content = FOUND.content
    headers = {"Content-Encoding": "gzip"} if zipped else {}
    answer = Answer(200, gzip.compress(content) if zipped else content, headers)

    def retrieve_by_sync(url: str, most: int) -> Any:
        with PlexyPay(KEY, base_url=url, retry=ONCE, max_response_size=most) as plexy:
            return plexy.payment_links.retrieve("pl_1")

    async def retrieved(url: str, most: int) -> Any:
        if facade == "sync":
            return await asyncio.to_thread(retrieve_by_sync, url, most)
        async with AsyncPlexyPay(KEY, base_url=url, retry=ONCE, max_response_size=most) as plexy:
            return await retrieve(plexy)

    async with serving({"*": answer}) as server:
        assert (await retrieved(server.url, len(content))).id == "pl_1"
        with pytest.raises(UnreadableResponseError, match="max_response_size"):
            await retrieved(server.url, len(content) - 1)


@pytest.mark.parametrize("facade", ["async", "sync"])
async def test_a_long_header_is_read_where_max_header_size_allows(facade: str) -> None:
    answer = Answer(200, link(id="pl_1"), {"X-Policy": "x" * 20_480})

    def retrieve_by_sync(url: str, **options: Any) -> Any:
        with PlexyPay(KEY, base_url=url, retry=SHORT, timeout=1, **options) as plexy:
            return plexy.payment_links.retrieve("pl_1")

    async def retrieved(url: str, **options: Any) -> Any:
        if facade == "sync":
            return await asyncio.to_thread(retrieve_by_sync, url, **options)
        async with AsyncPlexyPay(KEY, base_url=url, retry=SHORT, timeout=1, **options) as plexy:
            return await retrieve(plexy)

    async with serving({"*": answer}) as server:
        with pytest.raises(PlexyPayError):
            await retrieved(server.url)
        assert (await retrieved(server.url, max_header_size=65_536)).id == "pl_1"


@pytest.mark.parametrize("name", ["max_response_size", "max_header_size"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1", None])
async def test_a_limit_that_is_none_is_refused(name: str, value: Any) -> None:
    options: dict[str, Any] = {name: value}
    for client in (AsyncPlexyPay, PlexyPay):
        with pytest.raises(ConfigurationError, match=name):
            client(KEY, **options)


@pytest.mark.parametrize(
    ("limits", "made"), [({}, False), ({"max_header_size": 65_536}, True)], ids=["default", "told"]
)
async def test_a_partition_has_the_same_limits(limits: dict[str, Any], made: bool) -> None:
    def run(url: str) -> list[Any]:
        settings = PartitionSettings(
            api_key=KEY, base_url=url, retry=SHORT, timeout=2, read_timeout=1, **limits
        )
        again: PartitionSettings = pickle.loads(pickle.dumps(settings))
        rows: list[Any] = [{"amount": 2_200_000, "currency": "KZT", "order_reference": "ORD-1"}]
        return list(create_partition(rows, again))

    answer = Answer(201, link(), {"X-Policy": "x" * 20_480})
    async with serving({"*": answer}) as server:
        (record,) = await asyncio.to_thread(run, server.url)
    assert (record["link_id"] == "pl_1") is made
    assert PartitionSettings(api_key=KEY).max_response_size == 32 * MB
