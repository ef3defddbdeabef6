"""A loop that was busy, a connection that was idle, and a clock that leaps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import uvloop
from freezegun import freeze_time

from plexypay_async import (
    AsyncPlexyPay,
    BulkResult,
    ConnectError,
    CreatePaymentLink,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RetryPolicy,
)
from plexypay_async._http.guard import StaleConnectionError
from plexypay_sync import PlexyPay

KEY = "pr_0123456789abcdef0123456789abcdef"
ONCE = RetryPolicy(max_attempts=1)
REFUNDED = json.dumps({"success": True, "originalTransactionId": "t"}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(REFUNDED), REFUNDED)
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
each_loop = pytest.mark.parametrize("loop", LOOPS)


class ThreadedServer:
    """Answers every request on a thread of its own, whatever the client's loop is at."""

    def __init__(self, *, answer_after: float = 0.0, close_after: float | None = None) -> None:
        self.answer_after = answer_after
        self.close_after = close_after
        self.requests: list[bytes] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as reader:
            while line := reader.readline():
                length = 0
                while (header := reader.readline()) not in (b"\r\n", b""):
                    if found := LENGTH.match(header):
                        length = int(found[1])
                reader.read(length)
                self.requests.append(line.partition(b" HTTP")[0])
                time.sleep(self.answer_after)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: %d\r\n\r\n"
                    % (len(self.requests), len(REFUNDED))
                    + REFUNDED
                )
                if self.close_after is not None:
                    time.sleep(self.close_after)
                    connection.shutdown(socket.SHUT_RDWR)
                    return

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def threaded(*, answer_after: float = 0.0, close_after: float | None = None) -> Iterator[ThreadedServer]:
    server = ThreadedServer(answer_after=answer_after, close_after=close_after)
    try:
        yield server
    finally:
        server.close()


@each_loop
@pytest.mark.parametrize("limit", ["read_timeout", "timeout"])
def test_an_answer_that_came_while_the_loop_was_busy_is_taken(loop: str, limit: str) -> None:
    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE, **{limit: 0.2}) as plexy:  # type: ignore[arg-type]
            call = asyncio.create_task(plexy.payments.refund("t"))
            while not server.requests:
                await asyncio.sleep(0.001)
            # Such as a breakpoint, or a cell of a notebook.
            time.sleep(0.5)
            assert (await call).success is True

    with threaded(answer_after=0.05) as server, asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())
        assert len(server.requests) == 1


@each_loop
def test_a_server_that_is_silent_is_still_given_up_by_a_busy_loop(loop: str) -> None:
    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE, read_timeout=0.1) as plexy:
            call = asyncio.create_task(plexy.payments.refund("t"))
            while not server.requests:
                await asyncio.sleep(0.001)
            time.sleep(0.3)
            async with asyncio.timeout(1):
                with pytest.raises(OutcomeUnknownError):
                    await call

    with threaded(answer_after=3) as server, asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


@each_loop
def test_a_connection_closed_while_the_loop_was_busy_takes_no_request(loop: str) -> None:
    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE) as plexy:
            for _ in range(5):
                assert (await plexy.payments.refund("t")).success is True
                # The server closes meanwhile, and the loop has no turn to hear of it.
                time.sleep(0.1)

    with threaded(close_after=0.03) as server, asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())
        assert (len(server.requests), server.connections) == (5, 5)


def test_each_of_many_stale_connections_is_left_for_a_new_one() -> None:
    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE, max_connections=20) as plexy:
            await asyncio.gather(*(plexy.payments.refund("t") for _ in range(20)))
            time.sleep(0.3)
            await asyncio.gather(*(plexy.payments.refund("t") for _ in range(20)))

    with threaded(close_after=0.05) as server:
        asyncio.run(main())
        assert (len(server.requests), server.connections) == (40, 40)


def test_however_many_connections_are_stale_one_that_is_not_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    left = list(range(1500))
    request = aiohttp.ClientSession._request

    async def stale_at_first(*args: Any, **kwargs: Any) -> Any:
        if left:
            left.pop()
            raise StaleConnectionError
        return await request(*args, **kwargs)

    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE, max_connections=2000) as plexy:
            await plexy.payments.refund("t")

    monkeypatch.setattr(aiohttp.ClientSession, "_request", stale_at_first)
    with threaded() as server:
        asyncio.run(main())
        assert (len(server.requests), left) == (1, [])


@pytest.mark.parametrize(("pause", "connections"), [(0.02, 1), (0.3, 2)])
@pytest.mark.parametrize("before", ["refund", "read"])
def test_what_must_not_be_repeated_takes_no_connection_that_was_idle_for_long(
    pause: float, connections: int, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async._http.guard.FRESH", 0.2)

    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url=server.url) as plexy:
            if before == "refund":
                await plexy.payments.refund("t")
            else:
                await plexy.request("GET", "/v1/anything")
            await asyncio.sleep(pause)
            await plexy.payments.refund("t")

    with threaded() as server:
        asyncio.run(main())
        assert server.connections == connections


def test_what_may_be_repeated_keeps_its_connection() -> None:
    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url=server.url) as plexy:
            await plexy.request("GET", "/v1/anything")
            await asyncio.sleep(0.3)
            await plexy.request("PUT", "/v1/anything")

    with threaded() as server:
        asyncio.run(main())
        assert server.connections == 1


@pytest.mark.parametrize(("keepalive", "connections"), [(0, 3), (0.2, 3), (30, 1)])
def test_how_long_connections_are_kept_is_a_setting(keepalive: float, connections: int) -> None:
    def main(base_url: str) -> None:
        with PlexyPay(KEY, base_url=base_url, keepalive_timeout=keepalive) as plexy:
            for _ in range(3):
                plexy.request("GET", "/v1/anything")
                time.sleep(0.3)

    with threaded() as server:
        main(server.url)
        assert server.connections == connections


# --------------------------------------------------------------------------------------------- the clock


@pytest.mark.parametrize("real_asyncio", [False, True])
def test_a_frozen_clock_leaves_no_deadline_dead(real_asyncio: bool) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def main() -> None:
        async with (
            await asyncio.start_server(silent, "127.0.0.1", 0) as listening,
            AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE, timeout=0.5) as plexy,
        ):
            url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            with freeze_time("2099-01-01", real_asyncio=real_asyncio):
                assert (await plexy.payments.refund("t")).success is True
            assert (await plexy.payments.refund("t")).success is True
            async with AsyncPlexyPay(KEY, base_url=url, retry=ONCE, timeout=0.3) as waiting:
                with freeze_time("2099-01-01", real_asyncio=real_asyncio):
                    call = asyncio.create_task(waiting.payments.refund("t"))
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                # Two calls: one that began while the clock was frozen, and one after it.
                began = time.monotonic()
                ended = await asyncio.gather(call, waiting.payments.refund("t"), return_exceptions=True)
                assert time.monotonic() - began < 2
                assert [getattr(error, "outcome", None) for error in ended] == [Outcome.UNKNOWN] * 2

    with threaded() as server:
        asyncio.run(main())


CALLS: dict[str, Callable[[AsyncPlexyPay], Awaitable[object]]] = {
    "refund": lambda plexy: plexy.payments.refund("t"),
    "retrieve": lambda plexy: plexy.payment_links.retrieve("p"),
    "list": lambda plexy: plexy.payment_links.list().first_page(),
    "wait": lambda plexy: plexy.transactions.wait("t", timeout=0.4),
    "create_many": lambda plexy: _last_error(
        plexy.payment_links.create_many(
            [CreatePaymentLink(amount=1, currency="KZT", order_reference="o")], timeout=0.4
        )
    ),
}


async def _last_error(results: AsyncIterator[BulkResult]) -> None:
    async for result in results:
        assert result.error is not None
        raise result.error


@pytest.mark.parametrize("called", CALLS)
@pytest.mark.parametrize("answer", [None, b'{"code":1,"message":"busy"}'], ids=["silence", "code 1"])
@pytest.mark.parametrize("tick", [False, True], ids=["stands", "ticks"])
def test_a_call_begun_under_a_frozen_clock_ends_alone(
    called: str, answer: bytes | None, *, tick: bool
) -> None:
    """No other call sets a timer that would let its deadline be looked at."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while answer is not None:
                await reader.readuntil(b"\r\n\r\n")
                head = b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n" % len(answer)
                writer.write(head + answer)
            await reader.read()
        writer.close()

    async def main() -> None:
        retry = RetryPolicy(max_attempts=50, base=0.05, cap=0.1)
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
            url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            async with AsyncPlexyPay(KEY, base_url=url, retry=retry, timeout=0.4) as plexy:
                with freeze_time("2040-01-01", tick=tick):
                    call = asyncio.ensure_future(CALLS[called](plexy))
                    for _ in range(20):
                        await asyncio.sleep(0)
                # A timer of asyncio's own, of real time.
                done, _ = await asyncio.wait([call], timeout=5)
                call.cancel()
                assert done
                assert isinstance(call.exception(), PlexyPayError)
        await _no_thread_is_left()

    asyncio.run(main())


async def _no_thread_is_left() -> None:
    for _ in range(100):
        if not any(thread.name == "plexypay clock" for thread in threading.enumerate()):
            return
        await asyncio.sleep(0.02)
    pytest.fail("the thread that wakes the loop goes on")


def test_a_real_clock_gets_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url=server.url) as plexy:
            await plexy.payments.refund("t")

    with threaded() as server:
        monkeypatch.setattr("plexypay_async._core.deadlines._Waker", None)
        asyncio.run(main())


def test_a_connection_that_cannot_be_made_after_a_leap_is_told_at_once() -> None:
    async def main() -> None:
        async with AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1", retry=ONCE) as plexy:
            with freeze_time("1999-01-01"), pytest.raises(ConnectError):
                await plexy.payments.refund("t")
            with pytest.raises(ConnectError):
                await plexy.payments.refund("t")

    asyncio.run(main())
