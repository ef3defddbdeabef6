"""Those of the ten points that need neither a fork nor a signal, each in a process of its own.

`ten_points.py` lists all ten with their tests.
"""

from __future__ import annotations

import os
from importlib import import_module

import pytest

from .conftest import Check
from .servers import ThreadedSandbox
from .ten_points import POINTS

PRELUDE = """
import asyncio, contextvars, gc, logging, os, sys, threading, time, traceback
from concurrent.futures import ThreadPoolExecutor
from plexypay_sync import *
from plexypay_sync.portal import portal
# On a busy machine development mode tells of every callback that took a tenth of a second.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing "))
plexy = PlexyPay("sandbox-key", base_url=sys.argv[1], timeout=30)
hops = []
run = type(portal).run
def counting_run(self, *args, **kwargs):
    hops.append(1)
    return run(self, *args, **kwargs)
type(portal).run = counting_run
async def tasks():
    return len(asyncio.all_tasks()) - 1
def eventually(happened):
    # Sooner than an idle connection closes by itself, after 15 s.
    limit = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < limit, "it did not happen within 10 s"
        time.sleep(0.005)
def make(count=1):
    return [plexy.payment_links.create(amount=1, currency="KZT") for _ in range(count)]
"""


def test_the_index_names_tests_that_exist() -> None:
    assert [point.partition(".")[0] for point in POINTS] == [str(number) for number in range(1, 11)]
    for names in POINTS.values():
        assert names
        for name in names:
            file, _, function = name.partition("::")
            room = import_module(f".{file.removesuffix('.py')}", __package__)
            assert "On the naive bridge" in str(getattr(room, function).__doc__), name


def test_on_the_portals_own_loop_and_beside_another(check: Check, sandbox: ThreadedSandbox) -> None:
    """On the naive bridge the call on its own loop waits for itself for ever."""
    out = check(
        PRELUDE
        + """
def key():
    plexy.payment_links.statistics()
    return "never"
try:
    plexy.with_options(api_key=key).payment_links.statistics()
except ConfigurationError as error:
    print("use the async one" in str(error))
async def cell():
    make(2)
    return sum(item.amount for item in plexy.payment_links.list())
print(asyncio.run(cell()))
plexy.close()
""",
        sandbox.base_url,
        uvloop=True,
    )
    assert out.split() == ["True", "2"]


def test_a_dead_thread_and_a_closed_client_say_so(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    """On the naive bridge the call, and each one after it, waits for ever for a loop that has stopped."""
    out = check(
        PRELUDE
        + """
def stop():
    asyncio.get_running_loop().stop()
    return "key"
try:
    plexy.with_options(api_key=stop).payment_links.statistics()
except OutcomeUnknownError as error:
    print("event loop" in str(error))
print(len(make(2)))
plexy.close()
try:
    make()
except ConfigurationError as error:
    print("closed" in str(error))
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out.split() == ["True", "2", "True"]


def test_context_variables_and_a_short_traceback(check: Check, sandbox: ThreadedSandbox) -> None:
    """On the naive bridge the frames of its future and of the library's attempts fill the traceback."""
    out = check(
        PRELUDE
        + """
tenant = contextvars.ContextVar("tenant")
def key():
    print(tenant.get())
    return "sandbox-key"
tenant.set("shop-1")
try:
    plexy.with_options(api_key=key).payment_links.retrieve("pl_none")
except NotFoundError as error:
    frames = traceback.extract_tb(error.__traceback__)
    names = [frame.name for frame in frames if frame.name != "counting_run"]
    print(len(names) <= 3, names)
plexy.close()
""",
        sandbox.base_url,
        uvloop=True,
    )
    assert out.splitlines()[0] == "shop-1"
    assert out.splitlines()[1].startswith("True "), out


def test_what_the_users_work_raises_is_the_users(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    """On the naive bridge a SystemExit of the user's function ends the loop's thread, and a later call hangs.

    Before Python 3.13 a TimeoutError, too, comes out of it as another one.
    """
    out = check(
        PRELUDE
        + """
make(4)
for mine in (TimeoutError("mine"), RuntimeError("mine"), SystemExit("mine"), KeyboardInterrupt("mine"),
             GeneratorExit("mine")):
    def key():
        raise mine
    called = plexy.with_options(api_key=key).payment_links.statistics
    def read():
        for _ in plexy.payment_links.list(size=1):
            raise mine
    def send():
        for _ in plexy.payment_links.create_many([CreatePaymentLink(amount=1, currency="KZT")]):
            raise mine
    for function in (called, read, send):
        try:
            function()
        except BaseException as error:
            # What a call raises is the library's, where it is no request to end.
            foreign = function is called and isinstance(mine, Exception)
            assert (error.__cause__ if foreign else error) is mine, repr(error)
        else:
            raise AssertionError(function)
    make()
print([thread.name for thread in threading.enumerate()].count("plexypay"))
plexy.close()
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "1"


def test_pages_cross_and_not_items(check: Check, sandbox: ThreadedSandbox) -> None:
    """On the naive bridge each item crosses by itself: 31 hops."""
    out = check(
        PRELUDE
        + """
make(30)
hops.clear()
print(len(list(plexy.payment_links.list(size=10))), len(hops))
before = portal.run(tasks)
for item in plexy.payment_links.list(size=1):
    break
eventually(lambda: portal.run(tasks) <= before)
plexy.close()
""",
        sandbox.base_url,
        uvloop=True,
    )
    # Three pages, and one hop to hear that there are no more.
    assert out.split() == ["30", "4"]


def test_an_iterator_abandoned_on_the_loops_own_thread_is_closed(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    """On the naive bridge the loop's thread waits for itself, to close what it has dropped."""
    # The garbage collector runs wherever it likes: here, where nobody can wait for the loop.
    out = check(
        PRELUDE
        + """
make(4)
before = portal.run(tasks)
rows = (CreatePaymentLink(amount=1, currency="KZT") for _ in range(100000))
kept = [iter(plexy.payment_links.list(size=1)), plexy.payment_links.create_many(rows)]
for iterator in kept:
    next(iterator)
del iterator
async def drop():
    kept.clear()
    gc.collect()
portal.run(drop)
eventually(lambda: portal.run(tasks) <= before)
print(len(make(2)))
plexy.close()
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "2"


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts sockets in /proc")
def test_64_threads_and_many_clients(check: Check, sandbox: ThreadedSandbox) -> None:
    """On the naive bridge the first calls of 64 threads start several loops."""
    out = check(
        PRELUDE
        + """
def sockets():
    names = []
    for each in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{each}"))
        except FileNotFoundError:
            pass
    return sum(name.startswith("socket:") for name in names)
def threads():
    return [thread.name for thread in threading.enumerate()].count("plexypay")
together = threading.Barrier(64)
def work(number):
    together.wait(30)
    link = plexy.payment_links.create(amount=1, currency="KZT", order_reference=f"T{number}")
    return plexy.payment_links.retrieve(link.id).order_reference
with ThreadPoolExecutor(64) as pool:
    print(list(pool.map(work, range(64))) == [f"T{number}" for number in range(64)], threads())
plexy.close()
before = sockets()
for _ in range(100):
    with PlexyPay("sandbox-key", base_url=sys.argv[1]) as client:
        client.payment_links.statistics()
eventually(lambda: sockets() <= before)
print(threads())
""",
        sandbox.base_url,
        uvloop=True,
    )
    assert out.split() == ["True", "1", "1"]


def test_create_many_crosses_in_batches(check: Check, sandbox: ThreadedSandbox) -> None:
    """On the naive bridge each result crosses by itself: as many hops as results."""
    sandbox.add_fault("latency=0.02,operation=payment_links.create")
    out = check(
        PRELUDE
        + """
read = 0
def rows():
    global read
    for read in range(1, 601):
        yield CreatePaymentLink(amount=1, currency="KZT")
results = plexy.payment_links.create_many(rows(), concurrency=20)
got = []
for _ in range(2):
    # Nothing is at hand, so the rows are read on.
    got.append(next(results))
    eventually(lambda: plexy.payment_links.list(size=1).first_page().total == read)
    hops.clear()
    here = read - len(got)
    got += [next(results) for _ in range(here)]
    # The last twenty may come one by one on a busy machine.
    print(here >= 100, len(hops) <= 20, here, len(hops))
print(len(got) + sum(1 for _ in results))
plexy.close()
""",
        sandbox.base_url,
        uvloop=True,
    )
    lines = out.splitlines()
    assert [line.startswith("True True ") for line in lines[:2]] == [True] * 2, out
    assert lines[2] == "600"
