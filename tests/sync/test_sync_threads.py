"""Many threads, many clients and other event loops around one portal, in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from plexypay_sync import ConfigurationError, ConnectError, OutcomeUnknownError, PlexyPay, PlexyPayError
from plexypay_sync.portal import Job, LoopThread, Portal, portal

from .conftest import QUICK
from .servers import SilentServer, ThreadedSandbox

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("TENANT")


def client_of(sandbox: ThreadedSandbox, **options: Any) -> PlexyPay:
    return PlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=10, retry=QUICK, **options)


def sockets() -> int:
    """Count this process's open sockets."""
    found = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:")
        except FileNotFoundError:
            continue
    return found


def settled(count: Any, wanted: int) -> int:
    """Return a count once it is as low as wanted, or after a while."""
    # Sooner than an idle connection closes by itself, after 15 s.
    limit = time.monotonic() + 10
    while (found := count()) > wanted and time.monotonic() < limit:
        time.sleep(0.005)
    return int(found)


def sockets_at_rest() -> int:
    """Count the open sockets once what earlier tests closed is gone from the sandbox's side too."""
    found, since = sockets(), time.monotonic()
    while time.monotonic() - since < 0.1:
        time.sleep(0.01)
        if (now := sockets()) != found:
            found, since = now, time.monotonic()
    return found


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts sockets in /proc")


def test_64_threads_share_a_fresh_client(sandbox: ThreadedSandbox) -> None:
    # Fresh, so that all of them also make its first call.
    with client_of(sandbox, max_connections=20) as plexy, ThreadPoolExecutor(64) as pool:
        together = threading.Barrier(64)

        def work(number: int) -> list[str | None]:
            together.wait(60)
            made = [
                plexy.payment_links.create(amount=1, currency="KZT", order_reference=f"T{number}-{turn}")
                for turn in range(3)
            ]
            return [plexy.payment_links.retrieve(link.id).order_reference for link in made]

        results = list(pool.map(work, range(64)))
    assert results == [[f"T{number}-{turn}" for turn in range(3)] for number in range(64)]


@needs_proc
def test_200_clients_leave_one_thread_and_no_socket(sandbox: ThreadedSandbox) -> None:
    with client_of(sandbox) as plexy:
        plexy.payment_links.statistics()
    before = sockets_at_rest(), threading.active_count()
    for _ in range(200):
        with client_of(sandbox) as plexy:
            plexy.payment_links.statistics()
    assert settled(sockets, before[0]) <= before[0]
    assert threading.active_count() <= before[1]
    assert [thread.name for thread in threading.enumerate()].count("plexypay") == 1


@needs_proc
def test_clients_dropped_without_close_are_closed(sandbox: ThreadedSandbox) -> None:
    with client_of(sandbox) as plexy:
        plexy.payment_links.statistics()
    before = sockets_at_rest()
    dropped: list[weakref.ref[PlexyPay]] = []
    for _ in range(20):
        plexy = client_of(sandbox)
        plexy.payment_links.statistics()
        dropped.append(weakref.ref(plexy))
    del plexy
    gc.collect()
    assert [client() for client in dropped] == [None] * 20
    assert settled(sockets, before) <= before


def test_no_error_keeps_a_client_alive(sandbox: ThreadedSandbox) -> None:
    def key() -> str:
        raise LookupError("no vault")

    def use(client: PlexyPay) -> None:
        try:
            client.payment_links.statistics()
        except (LookupError, PlexyPayError):
            return
        pytest.fail("nothing was raised")

    for api_key in (key, "wrong"):
        client = PlexyPay(api_key, base_url=sandbox.base_url)
        use(client)
        found = weakref.ref(client)
        del client

        def kept(found: weakref.ref[PlexyPay] = found) -> bool:
            gc.collect()
            return found() is not None

        # The loop's thread lets go of the call a moment after its caller has the error.
        assert settled(kept, 0) == 0


def test_context_variables_are_seen_inside(sandbox: ThreadedSandbox) -> None:
    seen: dict[str, str] = {}

    def key() -> str:
        seen[TENANT.get()] = threading.current_thread().name
        return sandbox.api_key

    with client_of(sandbox) as shared, ThreadPoolExecutor(8) as pool:
        plexy = shared.with_options(api_key=key)

        def work(tenant: str) -> None:
            TENANT.set(tenant)
            plexy.payment_links.statistics()

        tenants = [f"tenant-{number}" for number in range(30)]
        list(pool.map(work, tenants))
        assert seen == dict.fromkeys(tenants, "plexypay")
        seen.clear()
        TENANT.set("lister")
        plexy.payment_links.create(amount=1, currency="KZT")
        assert len(list(plexy.payment_links.list())) == 1
        assert seen == {"lister": "plexypay"}


def test_called_where_another_loop_runs(sandbox: ThreadedSandbox) -> None:
    # As in a notebook's cell.
    async def cell() -> int:
        with client_of(sandbox) as plexy:
            plexy.payment_links.create(amount=1, currency="KZT")
            return sum(item.amount for item in plexy.payment_links.list())

    assert asyncio.run(cell()) == 1


def test_called_on_the_portals_own_loop(sandbox: ThreadedSandbox) -> None:
    plexy = client_of(sandbox)

    def key() -> str:
        plexy.payment_links.statistics()
        return "never"

    def closing_key() -> str:
        plexy.close()
        return "never"

    for function in (key, closing_key):
        with pytest.raises(ConfigurationError, match="use the async one"):
            plexy.with_options(api_key=function).payment_links.statistics()
    plexy.close()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration])
def test_what_the_callers_function_raises_does_not_end_the_thread(
    sandbox: ThreadedSandbox, kind: type[BaseException]
) -> None:
    def key() -> str:
        raise kind("mine")

    with client_of(sandbox) as plexy:
        plexy.payment_links.statistics()
        before = threading.enumerate()
        expected = ConfigurationError if kind is StopIteration else kind
        with pytest.raises(expected):
            plexy.with_options(api_key=key).payment_links.statistics()
        plexy.payment_links.statistics()
        assert threading.enumerate() == before


def test_a_call_cancelled_on_the_loop_says_that_it_may_have_happened(sandbox: ThreadedSandbox) -> None:
    def key() -> str:
        for task in asyncio.all_tasks():
            task.cancel()
        return sandbox.api_key

    with client_of(sandbox, max_connections=1) as plexy:
        with pytest.raises(OutcomeUnknownError, match="may have happened"):
            plexy.with_options(api_key=key).payment_links.statistics()
        plexy.payment_links.statistics()


def test_the_loop_stopped_while_callers_wait(sandbox: ThreadedSandbox, silent: SilentServer) -> None:
    def stop() -> str:
        asyncio.get_running_loop().stop()
        return "key"

    with PlexyPay("key", base_url=silent.base_url) as waiting, ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(waiting.payment_links.statistics) for _ in range(4)]
        for _ in calls:
            assert silent.asked.acquire(timeout=30)
        with client_of(sandbox) as plexy:
            with pytest.raises(OutcomeUnknownError, match="cut"):
                plexy.with_options(api_key=stop).payment_links.statistics()
            for call in calls:
                with pytest.raises(OutcomeUnknownError, match="cut"):
                    call.result(30)
            made = plexy.payment_links.create(amount=1, currency="KZT")
            assert plexy.payment_links.retrieve(made.id) == made
    assert [thread.name for thread in threading.enumerate()].count("plexypay") == 1


def test_an_iteration_does_not_outlive_its_loop(sandbox: ThreadedSandbox) -> None:
    async def stop() -> None:
        asyncio.get_running_loop().stop()

    with client_of(sandbox) as plexy:
        for _ in range(3):
            plexy.payment_links.create(amount=1, currency="KZT")
        pages = plexy.payment_links.list(size=1).pages()
        cursor = next(pages).next_cursor
        assert cursor is not None
        portal.run(stop)
        # Another call finds the loop ended, or is told so and the next one does.
        with contextlib.suppress(PlexyPayError):
            plexy.payment_links.statistics()
        plexy.payment_links.statistics()
        with pytest.raises(ConfigurationError, match="next_cursor"):
            next(pages)
        assert len(list(plexy.payment_links.list(size=1).resume(cursor))) == 2


def test_stop_racing_with_calls_leaves_nobody_waiting() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 1

    async def stuck() -> None:
        await asyncio.sleep(60)

    for turn in range(30):
        own = Portal()
        begun = threading.Barrier(9)

        def call(own: Portal = own, begun: threading.Barrier = begun, turn: int = turn) -> str:
            begun.wait(60)
            try:
                while True:
                    own.run(stuck if turn % 2 else work)
            except PlexyPayError as error:
                return str(error)

        with ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(call) for _ in range(8)]
            begun.wait(60)
            own.stop()
            told = [each.result(60) for each in calls]
        assert all("exiting" in text or "cut" in text or "ended" in text for text in told)


def test_closing_amid_calls_ends_them(silent: SilentServer) -> None:
    plexy = PlexyPay("key", base_url=silent.base_url)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(plexy.request, "POST", "/v1/anything") for _ in range(4)]
        for _ in calls:
            assert silent.asked.acquire(timeout=30)
        begun = time.monotonic()
        plexy.close()
        for call in calls:
            assert isinstance(call.exception(30), PlexyPayError)
        assert time.monotonic() - begun < 20


def test_a_signal_handlers_own_exception_cancels_the_call(silent: SilentServer) -> None:
    import signal

    class SoftLimit(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise SoftLimit

    def once_asked() -> None:
        if silent.asked.acquire(timeout=30):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    limiting = threading.Thread(target=once_asked)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with PlexyPay("key", base_url=silent.base_url) as plexy:
            begun = time.monotonic()
            limiting.start()
            with pytest.raises(SoftLimit) as caught:
                plexy.payment_links.statistics()
            assert time.monotonic() - begun < 20
            assert silent.gone.acquire(timeout=30)
            assert caught.value.__context__ is None
    finally:
        limiting.join(60)
        signal.signal(signal.SIGALRM, before)


def test_a_call_cancelled_before_its_first_step_was_not_sent() -> None:
    stepped: list[str] = []

    async def step() -> None:
        stepped.append("step")

    thread = LoopThread.started()
    try:
        held = threading.Event()
        thread.loop.call_soon_threadsafe(held.wait, 60)
        job = Job(step)
        # Both reach the loop in one turn, so that the task is cancelled before it has run.
        thread.start_job(job)
        thread.loop.call_soon_threadsafe(job.cancel, thread)
        held.set()
        assert job.wait(10)
        assert isinstance(job.error, ConnectError)
        assert stepped == []
        assert not thread._jobs  # pyright: ignore[reportPrivateUsage]
    finally:
        thread.stop(30)


def test_a_settled_call_is_forgotten(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    plexy.payment_links.statistics()
    thread = portal._thread  # pyright: ignore[reportPrivateUsage]
    assert thread is not None
    with pytest.raises(PlexyPayError):
        plexy.payment_links.retrieve("pl_none")
    # The loop's thread lets go of a call a moment after its caller has the answer.
    assert settled(lambda: len(thread._jobs), 0) == 0  # pyright: ignore[reportPrivateUsage]


def test_a_call_leaves_the_garbage_collector_nothing(plexy: PlexyPay) -> None:
    def call(reference: str) -> None:
        plexy.payment_links.create(amount=1, currency="KZT", order_reference=reference)

    call("ORD-0")
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for turn in range(10):
            call(f"ORD-{turn + 1}")
        gc.collect()
        modules = {type(thing).__module__ for thing in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not {name for name in modules if name.startswith("plexypay") and ".sandbox" not in name}
