"""Import, exit and signals, each in a process of its own with all warnings as errors."""

from __future__ import annotations

import time

import pytest

from .conftest import Check, Run
from .scripts import Script
from .servers import SilentServer, ThreadedSandbox

SOON = 15
"""Seconds within which an exit must end, on any machine; a call that it waited for would take sixty."""


def measured_end(script: Script, limit: float) -> tuple[int, str, str, float]:
    begun = time.monotonic()
    status, out, err = script.end(limit)
    return status, out, err, time.monotonic() - begun


def test_importing_and_building_start_no_thread(check: Check, uvloop: bool) -> None:
    out = check(
        """
        import sys, threading
        import plexypay_sync
        assert "aiohttp" not in sys.modules
        plexy = plexypay_sync.PlexyPay("key", base_url="http://127.0.0.1:9")
        listing = plexy.payment_links.list()
        with plexypay_sync.PlexyPay("key", base_url="http://127.0.0.1:9"):
            pass
        print(threading.active_count())
        """,
        uvloop=uvloop,
    )
    assert out == "1"


def test_the_loop_is_uvloops_where_that_is_installed(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    out = check(
        """
        import asyncio, sys
        from plexypay_sync import PlexyPay
        loops = []
        def key():
            loops.append(type(asyncio.get_running_loop()).__module__)
            return "sandbox-key"
        with PlexyPay(key, base_url=sys.argv[1]) as plexy:
            plexy.payment_links.statistics()
        print(loops[0].partition(".")[0])
        """,
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == ("uvloop" if uvloop else "asyncio")


def test_a_client_never_closed_leaves_no_warning(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    out = check(
        """
        import gc, sys
        from plexypay_sync import PlexyPay
        def use():
            plexy = PlexyPay("sandbox-key", base_url=sys.argv[1])
            return plexy, plexy.payment_links.create(amount=1, currency="KZT")
        for _ in range(3):
            use()
        gc.collect()
        kept, _ = use()
        reading = iter(kept.payment_links.list(size=1))
        next(reading)
        cycle = [iter(use()[0].payment_links.list(size=1))]
        cycle.append(cycle)
        next(cycle[0])
        print("done")
        """,
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "done"


def test_exit_with_calls_of_daemon_threads_in_flight(
    start: Run, silent: SilentServer, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    script = start(
        """
        import sys, threading
        from plexypay_sync import PlexyPay
        plexy = PlexyPay("key", base_url=sys.argv[1])
        busy = PlexyPay("sandbox-key", base_url=sys.argv[2])
        def wait():
            plexy.request("POST", "/v1/anything")
        def work():
            while True:
                busy.payment_links.statistics()
        for function in [wait] * 4 + [work] * 4:
            threading.Thread(target=function, daemon=True).start()
        busy.payment_links.statistics()
        print("in flight", flush=True)
        sys.stdin.readline()
        """,
        silent.base_url,
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert script.line() == "in flight"
    for _ in range(4):
        assert silent.asked.acquire(timeout=30)
    status, out, err, seconds = measured_end(script, 50)
    assert (status, out, err) == (0, "", "")
    assert seconds < SOON


def test_exit_lets_other_threads_finish_their_calls(
    start: Run, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    """On the naive bridge nobody closes the session, which says so while the interpreter is taken down."""
    sandbox.add_fault("latency=0.3,operation=payment_links.create")
    script = start(
        """
        import sys, threading
        from plexypay_sync import PlexyPay
        plexy = PlexyPay("sandbox-key", base_url=sys.argv[1])
        plexy.payment_links.list().first_page()  # Python 3.12 starts no thread once the main one has ended
        main = threading.main_thread()
        def work():
            link = plexy.payment_links.create(amount=1, currency="KZT")
            main.join()
            again = plexy.payment_links.retrieve(link.id)
            sys.stdout.write(f"{again == link} {main.is_alive()}\\n")
        for _ in range(3):
            threading.Thread(target=work).start()
        print("main ends", flush=True)
        """,
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert script.line() == "main ends"
    status, out, err, seconds = measured_end(script, 50)
    assert (status, err) == (0, "")
    assert out.splitlines() == ["True False"] * 3
    assert seconds < SOON


def test_exit_by_an_exception_with_an_executor_and_an_open_iterator(
    start: Run, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    script = start(
        """
        import sys
        from concurrent.futures import ThreadPoolExecutor
        from plexypay_sync import PlexyPay
        plexy = PlexyPay("sandbox-key", base_url=sys.argv[1])
        for _ in range(5):
            plexy.payment_links.create(amount=1, currency="KZT")
        pool = ThreadPoolExecutor(4)
        for _ in range(20):
            pool.submit(plexy.payment_links.statistics)
        for item in plexy.payment_links.list(size=1):
            print("begun", flush=True)
            raise SystemExit(3)
        """,
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert script.line() == "begun"
    status, out, err, seconds = measured_end(script, 50)
    assert (status, out, err) == (3, "", "")
    assert seconds < SOON


def test_calls_in_exit_handlers(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    # A handler registered after the import runs before the portal ends; one registered earlier, after it.
    out = check(
        """
        import atexit, sys, time
        @atexit.register
        def late():
            begun = time.monotonic()
            try:
                plexy.payment_links.statistics()
            except Exception as error:
                print(type(error).__name__, error)
            plexy.close()
            other = PlexyPay("sandbox-key", base_url=sys.argv[1])
            try:
                other.payment_links.statistics()
            except Exception as error:
                print(type(error).__name__, error)
            print(time.monotonic() - begun < 15)
        from plexypay_sync import PlexyPay
        plexy = PlexyPay("sandbox-key", base_url=sys.argv[1])
        import plexypay_sync.portal
        @atexit.register
        def early():
            print(plexy.payment_links.create(amount=3, currency="KZT").amount)
        plexy.payment_links.statistics()
        """,
        sandbox.base_url,
        uvloop=uvloop,
    )
    told = "ConfigurationError the interpreter is exiting: a sync client takes no more calls"
    assert out.splitlines() == ["3", told, told, "True"]


def test_an_exit_handler_that_joins_a_daemon_thread_is_not_kept_for_ever(
    start: Run, silent: SilentServer, uvloop: bool
) -> None:
    """On the naive bridge the call waits for a thread that Python has frozen, and the exit for the call."""
    script = start(
        """
        import atexit, sys, threading
        def call():
            try:
                plexy.request("POST", "/v1/anything")
            except Exception as error:
                print(type(error).__name__)
        thread = threading.Thread(target=call, daemon=True)
        atexit.register(lambda: (thread.join(), print("joined")))
        from plexypay_sync import PlexyPay
        plexy = PlexyPay("key", base_url=sys.argv[1])
        thread.start()
        sys.stdin.readline()
        """,
        silent.base_url,
        uvloop=uvloop,
    )
    assert silent.asked.acquire(timeout=30)
    status, out, err = script.end()
    assert (status, out.splitlines(), err) == (0, ["OutcomeUnknownError", "joined"], "")


@pytest.mark.parametrize("what", ["call", "page", "item", "wait", "many", "retry"])
def test_ctrl_c_in_a_call(
    start: Run, silent: SilentServer, sandbox: ThreadedSandbox, uvloop: bool, what: str
) -> None:
    """On the naive bridge the caller is interrupted, and its call goes on with its connection."""
    script = start(
        """
        import asyncio, sys, threading, time
        from plexypay_sync import CreatePaymentLink, PlexyPay, RetryPolicy
        from plexypay_sync.portal import portal
        _, silent, sandbox, what = sys.argv
        plexy = PlexyPay("key", base_url=silent)
        other = PlexyPay("sandbox-key", base_url=sandbox)
        if what == "retry":
            plexy = PlexyPay("key", base_url="http://127.0.0.1:9", retry=RetryPolicy(base=1000, cap=1000))
        calls = {
            "call": lambda: plexy.payment_links.create(amount=1, currency="KZT", order_reference="A"),
            "page": lambda: plexy.payment_links.list().first_page(),
            "item": lambda: list(plexy.payment_links.list()),
            "wait": lambda: plexy.transactions.wait(payment_link_id="pl_1", timeout=100000),
            "many": lambda: list(plexy.payment_links.create_many(rows)),
            "retry": lambda: plexy.with_options(timeout=100000).payment_links.statistics(),
        }
        rows = [CreatePaymentLink(amount=1, currency="KZT", order_reference=f"A{i}") for i in range(20)]
        async def tasks():
            return len(asyncio.all_tasks()) - 1
        other.payment_links.statistics()
        try:
            print("ready", flush=True)
            calls[what]()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        other.payment_links.statistics()
        print("works", threading.active_count(), portal.run(tasks), flush=True)
        sys.stdin.readline()
        """,
        silent.base_url,
        sandbox.base_url,
        what,
        uvloop=uvloop,
    )
    assert script.line() == "ready"
    if what == "retry":
        time.sleep(0.2)
    else:
        assert silent.asked.acquire(timeout=30)
    script.interrupt()
    assert script.line(SOON) == "interrupted"
    if what != "retry":
        assert silent.gone.acquire(timeout=30), "the connection must be let go while the process lives on"
    assert script.line() == "works 2 0"
    status, out, err = script.end()
    assert (status, out, err) == (0, "", "")


@pytest.mark.parametrize(("what", "where"), [("pages", "post"), ("many", "run_if_started")])
def test_ctrl_c_at_the_end_of_an_iterator_that_nobody_closed(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool, what: str, where: str
) -> None:
    # Python prints and forgets what is raised there.
    out = check(
        """
        import asyncio, signal, sys, time
        from plexypay_sync import CreatePaymentLink, PlexyPay
        from plexypay_sync.portal import portal
        _, url, what, where = sys.argv
        plexy = PlexyPay("sandbox-key", base_url=url)
        for _ in range(3):
            plexy.payment_links.create(amount=1, currency="KZT")
        rows = (CreatePaymentLink(amount=1, currency="KZT") for _ in range(10000))
        async def tasks():
            return len(asyncio.all_tasks()) - 1
        before = portal.run(tasks)
        usual = getattr(type(portal), where)
        def struck(*args):
            setattr(type(portal), where, usual)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("not struck")
        try:
            links = plexy.payment_links
            iterator = links.list(size=1) if what == "pages" else links.create_many(rows)
            for _ in iterator:
                setattr(type(portal), where, struck)
                del iterator
                break
            time.sleep(50)
        except KeyboardInterrupt:
            print("raised")
        limit = time.monotonic() + 20
        while portal.run(tasks) > before:
            assert time.monotonic() < limit
            time.sleep(0.005)
        plexy.payment_links.statistics()
        plexy.close()
        """,
        sandbox.base_url,
        what,
        where,
        uvloop=uvloop,
        limit=40,
    )
    assert out == "raised"


def test_ctrl_c_while_the_loop_is_being_made(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    out = check(
        """
        import gc, signal, sys, threading, time
        from plexypay_sync import PlexyPay, portal
        made, usual = [], portal._new_event_loop
        def slow():
            made.append(threading.current_thread().name)
            if len(made) == 1:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                time.sleep(0.2)
            return usual()
        portal._new_event_loop = slow
        plexy = PlexyPay("sandbox-key", base_url=sys.argv[1])
        try:
            plexy.payment_links.statistics()
        except KeyboardInterrupt:
            print("interrupted")
        plexy.payment_links.statistics()
        limit = time.monotonic() + 20
        while threading.active_count() > 2:
            assert time.monotonic() < limit
            time.sleep(0.005)
        gc.collect()
        plexy.close()
        print(made)
        """,
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out.splitlines() == ["interrupted", "['plexypay', 'plexypay']"]


def test_no_descriptor_for_a_loop(start: Run, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    script = start(
        """
        import os, resource, sys
        from plexypay_sync import ConfigurationError, PlexyPay
        plexy = PlexyPay("sandbox-key", base_url=sys.argv[1])
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, hard))
        try:
            plexy.payment_links.statistics()
        except ConfigurationError as error:
            print("event-loop thread cannot start" in str(error))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        plexy.payment_links.statistics()
        plexy.close()
        """,
        sandbox.base_url,
        uvloop=uvloop,
    )
    # The loop that was not made whole says on stderr that nobody closed it.
    assert script.end()[:2] == (0, "True")


def test_ctrl_c_that_nobody_catches_ends_the_process(start: Run, silent: SilentServer, uvloop: bool) -> None:
    script = start(
        """
        import sys
        from plexypay_sync import PlexyPay
        with PlexyPay("key", base_url=sys.argv[1]) as plexy:
            plexy.payment_links.statistics()
        """,
        silent.base_url,
        uvloop=uvloop,
    )
    assert silent.asked.acquire(timeout=30)
    script.interrupt()
    status, _, err, seconds = measured_end(script, 50)
    assert status in (-2, 130)
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert "never awaited" not in err
    assert "Warning" not in err
    assert seconds < SOON


def test_ctrl_c_while_main_waits_for_a_thread(start: Run, silent: SilentServer, uvloop: bool) -> None:
    # The main thread has ended and Python waits for the other: Ctrl-C ends that wait, and then the call.
    script = start(
        """
        import contextlib, sys, threading
        from plexypay_sync import PlexyPay, PlexyPayError
        with contextlib.suppress(PlexyPayError):
            # Python 3.12 starts no thread once the main one has ended.
            PlexyPay("key", base_url="http://127.0.0.1:1", timeout=0.1).payment_links.statistics()
        plexy = PlexyPay("key", base_url=sys.argv[1])
        threading.Thread(target=plexy.payment_links.statistics).start()
        """,
        silent.base_url,
        uvloop=uvloop,
    )
    assert silent.asked.acquire(timeout=30)
    time.sleep(0.1)
    script.interrupt()
    *_, seconds = measured_end(script, 50)
    assert seconds < SOON


def test_uvloops_debug_mode_which_crashes_is_left_off(check: Check, uvloop: bool) -> None:
    # Its issues 611, 715 and 730: the interpreter dies where the garbage collector strikes amid it.
    script = """
        import asyncio
        from plexypay_sync.portal import portal
        async def is_debugged():
            return asyncio.get_running_loop().get_debug()
        print(portal.run(is_debugged))
    """
    assert check(script, uvloop=uvloop) == ("False" if uvloop else "True")
