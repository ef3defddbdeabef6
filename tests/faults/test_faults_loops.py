"""One client on several event loops in turn, and what is left when it is closed or forgotten."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, PaymentLink
from plexypay_async._http import transport

from .scripted import CREATED, FOUND, KEY, LINKS, ONCE, SILENCE, Server, scripted, serving


@contextmanager
def serving_elsewhere() -> Generator[Server, None, None]:
    """A server on a loop and a thread of its own, for tests that end their loops."""
    begun = threading.Event()
    stop: list[Callable[[], object]] = []
    servers: list[Server] = []

    async def serve() -> None:
        async with serving({f"GET {LINKS}/silent": SILENCE, "*": FOUND}) as server:
            done = asyncio.Event()
            loop = asyncio.get_running_loop()
            stop.append(lambda: loop.call_soon_threadsafe(done.set))
            servers.append(server)
            begun.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert begun.wait(30)
    try:
        yield servers[0]
    finally:
        stop[0]()
        thread.join(30)
        assert not thread.is_alive()


def sockets() -> int:
    """How many sockets this process holds."""
    gc.collect()
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue
    return found


def connections_of(plexy: AsyncPlexyPay) -> Any:
    """Return the client's connections by loop."""
    return plexy._execution.transport._by_loop  # type: ignore[attr-defined]


async def retrieve(plexy: AsyncPlexyPay) -> PaymentLink:
    return await plexy.payment_links.retrieve("pl_1")


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts sockets in /proc")

PROGRAMS = {
    "several loops, never closed": """
        plexy = AsyncPlexyPay(KEY, base_url=URL)
        for _ in range(3):
            asyncio.run(calls(plexy))
        """,
    "several loops, each closed": """
        for _ in range(3):
            plexy = AsyncPlexyPay(KEY, base_url=URL)
            async def main():
                async with plexy:
                    await calls(plexy)
            asyncio.run(main())
        """,
    "several loops, closed on the last": """
        plexy = AsyncPlexyPay(KEY, base_url=URL)
        asyncio.run(calls(plexy))
        async def main():
            await calls(plexy)
            await plexy.close()
        asyncio.run(main())
        """,
    "closed without a call": """
        plexy = AsyncPlexyPay(KEY, base_url=URL)
        asyncio.run(plexy.close())
        """,
    "forgotten in a loop that goes on": """
        async def main():
            for _ in range(3):
                await calls(AsyncPlexyPay(KEY, base_url=URL))
                gc.collect()
                await asyncio.sleep(0.01)
        asyncio.run(main())
        """,
    "a call cut off by the end of its loop": """
        plexy = AsyncPlexyPay(KEY, base_url=URL)
        async def main():
            task = asyncio.create_task(plexy.payment_links.retrieve("silent"))
            await asyncio.sleep(0.05)
        asyncio.run(main())
        asyncio.run(calls(plexy))
        """,
    "two loops in two threads at once": """
        plexy = AsyncPlexyPay(KEY, base_url=URL)
        threads = [threading.Thread(target=asyncio.run, args=(calls(plexy),)) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        asyncio.run(plexy.close())
        """,
    "a loop that is run step by step": """
        plexy = AsyncPlexyPay(KEY, base_url=URL)
        with asyncio.Runner() as runner:
            runner.run(calls(plexy))
            runner.run(calls(plexy))
            runner.run(plexy.close())
        """,
    "closed from another loop while its own is at rest": """
        plexy = AsyncPlexyPay(KEY, base_url=URL)
        with asyncio.Runner() as runner:
            runner.run(calls(plexy))
            thread = threading.Thread(target=asyncio.run, args=(plexy.close(),))
            thread.start()
            thread.join()
        """,
}

PRELUDE = """
import asyncio, gc, sys, threading
from plexypay_async import AsyncPlexyPay

URL, KEY = sys.argv[1:]

async def calls(plexy):
    await asyncio.gather(*(plexy.payment_links.retrieve(f"pl_{n}") for n in range(5)))
    assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()

"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_without_a_warning(name: str, without_slow_steps: Callable[[str], str]) -> None:
    program = PRELUDE + textwrap.dedent(PROGRAMS[name]) + "\ngc.collect()\nprint('ended')\n"
    with serving_elsewhere() as server:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", program, server.url, KEY],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert without_slow_steps(done.stderr) == ""
    assert done.stdout == "ended\n"
    assert done.returncode == 0


@needs_proc
def test_loops_in_turn_leave_no_socket() -> None:
    with serving_elsewhere() as server:
        plexy = AsyncPlexyPay(KEY, base_url=server.url, retry=ONCE)
        held = sockets()
        for _ in range(5):
            asyncio.run(retrieve(plexy))
        # The server's own ends of the connections close when it reads their ends.
        for _ in range(1000):
            if sockets() <= held:
                break
            threading.Event().wait(0.02)
        assert sockets() <= held


@needs_proc
def test_a_thousand_clients_leave_no_socket() -> None:
    with serving_elsewhere() as server:

        async def main() -> None:
            for _ in range(1000):
                AsyncPlexyPay(KEY, base_url=server.url)
            for _ in range(20):
                async with AsyncPlexyPay(KEY, base_url=server.url) as plexy:
                    await retrieve(plexy)

        held = sockets()
        asyncio.run(main())
        for _ in range(1000):
            if sockets() <= held:
                break
            threading.Event().wait(0.02)
        assert sockets() <= held


@pytest.mark.asyncio
async def test_a_closed_client_leaves_no_task_and_no_timer() -> None:
    async with serving({"*": FOUND}) as server:
        before = asyncio.all_tasks()
        async with AsyncPlexyPay(KEY, base_url=server.url) as plexy:
            await asyncio.gather(*(retrieve(plexy) for _ in range(20)))
        await server.close()
        assert asyncio.all_tasks() - before == set()
        loop: Any = asyncio.get_running_loop()
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == []


@pytest.mark.asyncio
@pytest.mark.parametrize("used", [True, False], ids=["used", "never used"])
async def test_use_after_close_is_the_callers_mistake(used: bool) -> None:
    async with serving({"*": FOUND}) as server:
        plexy = AsyncPlexyPay(KEY, base_url=server.url)
        derived = plexy.with_options(timeout=1)
        if used:
            await retrieve(derived)
        await plexy.close()
        await plexy.close()
        for client in (plexy, derived):
            with pytest.raises(ConfigurationError, match="closed"):
                await retrieve(client)
            with pytest.raises(ConfigurationError, match="closed"):
                await client.request("POST", "/v1/things")
            with pytest.raises(ConfigurationError, match="closed"):
                await client.payment_links.list().first_page()
        assert server.script.count() == (1 if used else 0)


@pytest.mark.asyncio
async def test_closing_a_derived_client_closes_nothing() -> None:
    async with serving({"*": FOUND}) as server, AsyncPlexyPay(KEY, base_url=server.url) as plexy:
        async with plexy.with_options(timeout=1) as derived:
            await retrieve(derived)
        await retrieve(derived)
        await retrieve(plexy)
        assert server.script.connections == 1


@pytest.mark.asyncio
async def test_a_given_session_is_used_and_not_closed() -> None:
    async with serving({"*": FOUND}) as server, aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
        async with AsyncPlexyPay(KEY, base_url=server.url, session=session) as plexy:
            await retrieve(plexy)
        assert not session.closed
        async with session.get(f"{server.url}/mine") as answer:
            assert answer.status == 200
        assert [seen.headers.get("x-mine") for seen in server.script.seen] == ["1", "1"]
        assert [seen.headers.get("authorization") for seen in server.script.seen] == [KEY, None]


@pytest.mark.asyncio
@pytest.mark.parametrize("when", ["before", "between"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_given_session_that_its_owner_closed_is_the_callers_mistake(when: str, method: str) -> None:
    async with serving({"*": FOUND}) as server:
        session = aiohttp.ClientSession()
        plexy = AsyncPlexyPay(KEY, base_url=server.url, session=session)
        if when == "between":
            await retrieve(plexy)
        await session.close()
        with pytest.raises(ConfigurationError, match="closed"):
            await plexy.request(method, "/v1/things")
        await plexy.close()


def test_a_given_session_is_refused_on_another_loop() -> None:
    with serving_elsewhere() as server, asyncio.Runner() as runner:

        async def make() -> tuple[aiohttp.ClientSession, AsyncPlexyPay]:
            session = aiohttp.ClientSession()
            plexy = AsyncPlexyPay(KEY, base_url=server.url, session=session)
            await retrieve(plexy)
            return session, plexy

        session, plexy = runner.run(make())

        def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match="loop"):
                asyncio.run(retrieve(plexy))
            refused.append(True)

        refused: list[bool] = []
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(30)
        assert refused == [True]
        assert isinstance(runner.run(retrieve(plexy)), PaymentLink)
        runner.run(session.close())


# ------------------------------------------------------------------------------------------------- garbage


@pytest.mark.asyncio
async def test_calls_leave_the_garbage_collector_nothing_of_theirs() -> None:
    # What refers to itself waits for the collector, which then runs for a tenth of a busy client's time.
    async with scripted({"POST *": CREATED, "*": FOUND}) as (plexy, _):

        async def call() -> None:
            await plexy.payment_links.create(amount=1, currency="KZT", order_reference="ORD-1")
            await retrieve(plexy)

        await call()
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(10):
                await call()
            gc.collect()
            left = [thing for thing in gc.garbage if type(thing).__module__.startswith("plexypay")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert left == []


@contextmanager
def loop_elsewhere() -> Generator[asyncio.AbstractEventLoop, None, None]:
    """An event loop that another thread runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        assert not thread.is_alive()
        loop.close()


def test_closed_from_outside_once_a_loop_in_another_thread_has_closed_its_part() -> None:
    with serving_elsewhere() as server, loop_elsewhere() as loop:
        plexy = AsyncPlexyPay(KEY, base_url=server.url)
        asyncio.run_coroutine_threadsafe(retrieve(plexy), loop).result(30)
        at_work = threading.Event()
        loop.call_soon_threadsafe(at_work.wait, 0.3)
        plexy._execution.transport.close_outside()

        assert asyncio.all_tasks(loop) == set()
        assert not connections_of(plexy)[loop].is_open


def test_closed_from_outside_without_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CLOSING_ELSEWHERE", 0.05)
    with serving_elsewhere() as server, loop_elsewhere() as loop:
        plexy = AsyncPlexyPay(KEY, base_url=server.url)
        asyncio.run_coroutine_threadsafe(retrieve(plexy), loop).result(30)
        at_work = threading.Event()
        loop.call_soon_threadsafe(at_work.wait, 30)
        plexy._execution.transport.close_outside()

        assert connections_of(plexy)[loop].is_open
        at_work.set()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), loop).result(30)
        assert not connections_of(plexy)[loop].is_open


def test_closed_from_its_own_loop_without_waiting_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(base_url: str) -> None:
        plexy = AsyncPlexyPay(KEY, base_url=base_url)
        await retrieve(plexy)
        with monkeypatch.context() as patched:
            # No wait, then, but a TypeError.
            patched.setattr(threading.Event, "wait", None)
            plexy._execution.transport.close_outside()
        await asyncio.sleep(0.1)
        assert not connections_of(plexy)[asyncio.get_running_loop()].is_open

    with serving_elsewhere() as server:
        asyncio.run(main(server.url))
