"""A client that nobody closes: wherever the garbage collector meets it, its connections close on their loop.

Each runs in a process of its own with all warnings as errors, so that an "Unclosed client session" shows.
"""

from __future__ import annotations

import os

import pytest

from .conftest import Check
from .servers import ThreadedSandbox

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts sockets in /proc")

PRELUDE = """
import asyncio, gc, os, sys, threading, time
from plexypay_sync import PlexyPay
from plexypay_sync.portal import portal
gc.disable()

def sockets():
    names = []
    for each in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{each}"))
        except FileNotFoundError:
            pass
    return sum(name.startswith("socket:") for name in names)

def used(cycle=True):
    plexy = PlexyPay("sandbox-key", base_url=sys.argv[1])
    plexy.payment_links.statistics()
    if cycle:
        plexy.itself = plexy
    return plexy

kept = used(cycle=False)
before = sockets()

def dropped(collect):
    for _ in range(3):
        used()
    assert sockets() >= before + 3, (sockets(), before)
    collect()
    # Sooner than an idle connection closes by itself, after 15 s.
    limit = time.monotonic() + 10
    while sockets() > before:
        assert time.monotonic() < limit, (sockets(), before)
        time.sleep(0.005)
    # The others go on.
    kept.payment_links.statistics()
    print("closed")
"""


def test_dropped_without_a_cycle(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    out = check(
        PRELUDE
        + """
for _ in range(3):
    used(cycle=False)
dropped(gc.collect)
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "closed"


def test_collected_in_another_thread(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    out = check(
        PRELUDE
        + """
def collect():
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()
dropped(collect)
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "closed"


def test_collected_on_the_portals_own_thread(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    out = check(
        PRELUDE
        + """
async def collect():
    gc.collect()
dropped(lambda: portal.run(collect))
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "closed"


def test_collected_where_another_loop_runs(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    out = check(
        PRELUDE
        + """
class Watched(asyncio.SelectorEventLoop):
    touched = []
    def call_soon(self, callback, *args, **kwargs):
        self.touched.append(callback)
        return super().call_soon(callback, *args, **kwargs)
    def call_soon_threadsafe(self, callback, *args, **kwargs):
        self.touched.append(callback)
        return super().call_soon_threadsafe(callback, *args, **kwargs)
    def call_at(self, when, callback, *args, **kwargs):
        self.touched.append(callback)
        return super().call_at(when, callback, *args, **kwargs)

async def main():
    global before
    before = sockets()
    def collect():
        del Watched.touched[:]
        gc.collect()
        assert Watched.touched == [], Watched.touched
    dropped(collect)
    assert len(asyncio.all_tasks()) == 1

with asyncio.Runner(loop_factory=Watched) as runner:
    runner.run(main())
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "closed"


def test_collected_amid_its_own_call(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    # Only the call holds it, and it ends whole.
    out = check(
        PRELUDE
        + """
def use():
    return PlexyPay("sandbox-key", base_url=sys.argv[1]).payment_links.create
for _ in range(3):
    link = use()(amount=1, currency="KZT")
    assert link.amount == 1
dropped(gc.collect)
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "closed"


def test_collected_after_its_loop_has_ended(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    out = check(
        PRELUDE
        + """
import contextlib
from plexypay_sync import PlexyPayError
plexy = used()
async def stop():
    asyncio.get_running_loop().stop()
with contextlib.suppress(PlexyPayError):
    portal.run(stop)
thread = next((each for each in threading.enumerate() if each.name == "plexypay"), None)
if thread is not None:
    thread.join(20)
del plexy
gc.collect()
# On a loop of its own it goes on.
kept.payment_links.statistics()
before = sockets()
dropped(gc.collect)
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "closed"


def test_tasks_and_generators_of_the_loop_are_gone_before_their_call_is(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    # Where they go, Python calls back, and forgets a KeyboardInterrupt that strikes in that.
    out = check(
        PRELUDE
        + """
import weakref
from plexypay_sync import CreatePaymentLink, NotFoundError
noted, gone = [], []

def note(what):
    noted.append(weakref.ref(what, lambda _: gone.append(threading.current_thread().name)))

def task(loop, coroutine, **options):
    made = asyncio.Task(coroutine, loop=loop, **options)
    note(made)
    return made

async def install():
    asyncio.get_running_loop().set_task_factory(task)
    hooks = sys.get_asyncgen_hooks()
    def first(generator):
        note(generator)
        hooks.firstiter(generator)
    sys.set_asyncgen_hooks(firstiter=first)

def several():
    for number in range(100):
        kept.payment_links.create(amount=1, currency="KZT", order_reference=f"ORD-{number}")
    try:
        kept.payment_links.retrieve("lnk_none")
    except NotFoundError:
        pass
    for _ in range(20):
        for item in kept.payment_links.list(size=1).prefetch(2):
            break
    assert len(list(kept.payment_links.list(size=50))) >= 100
    links = (CreatePaymentLink(amount=1, currency="KZT", order_reference=f"MANY-{n}") for n in range(20))
    assert len(list(kept.payment_links.create_many(links))) == 20

portal.run(install)
several()
limit = time.monotonic() + 10
while len(gone) < len(noted):
    assert time.monotonic() < limit, [each() for each in noted if each() is not None]
    time.sleep(0.005)
assert len(gone) > 200, len(gone)
print(sorted(set(gone)))
""",
        sandbox.base_url,
        uvloop=uvloop,
    )
    assert out == "['plexypay']"
