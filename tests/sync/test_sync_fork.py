"""After fork() both processes work, each on a loop and connections of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import Check
from .servers import ThreadedSandbox

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

STRICT = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")
"""All warnings are errors but one: Python 3.12 and later warn of every fork beside a thread."""

PRELUDE = """
import logging, os, sys, threading, time, traceback
from plexypay_sync import ConfigurationError, PlexyPay
# On a busy machine development mode tells of every callback that took a tenth of a second.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing "))
plexy = PlexyPay("sandbox-key", base_url=sys.argv[1], timeout=10)

def in_child(function):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)

def ended(child):
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, status

def make(client=plexy):
    return client.payment_links.create(amount=1, currency="KZT").id
"""


def test_parent_and_child_both_go_on(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    """On the naive bridge the child waits for ever for a thread that the fork has left behind."""
    check(
        PRELUDE
        + """
derived = plexy.with_options(timeout=5)
make()
def child():
    for _ in range(3):
        make()
        make(derived)
    assert [thread.name for thread in threading.enumerate()].count("plexypay") == 1
    with PlexyPay("sandbox-key", base_url=sys.argv[1]) as other:
        make(other)
    grandchild = in_child(make)
    make()
    ended(grandchild)
    plexy.close()
    try:
        make(derived)
    except ConfigurationError:
        return
    raise AssertionError("closed in the child")
for _ in range(3):
    pid = in_child(child)
    make()
    ended(pid)
    make()
""",
        sandbox.base_url,
        options=STRICT,
        uvloop=uvloop,
    )
    assert sandbox.count("payment_links.create") == 1 + 3 * (2 + 6 + 1 + 2)


def test_a_child_that_exits_in_the_usual_way(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    # Not by os._exit: the interpreter is taken down, and nothing of the parent's may be closed or warned of.
    out = check(
        PRELUDE
        + """
make()
reading = plexy.payment_links.list(size=1).pages()
next(reading)
child = os.fork()
if child == 0:
    if len(sys.argv) > 2:
        make()
    sys.exit(0)
ended(child)
make()
print(len(list(plexy.payment_links.list(size=1))))
""",
        sandbox.base_url,
        "call",
        options=STRICT,
        uvloop=uvloop,
    )
    assert out == "3"


def test_a_child_that_never_calls(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    # At its exit libuv would wait for its look-up threads, which the fork has left behind, and crash.
    check(
        PRELUDE + "\nmake()\nchild = os.fork()\nif child == 0:\n    sys.exit(0)\nended(child)\nmake()\n",
        sandbox.base_url,
        options=STRICT,
        uvloop=uvloop,
    )


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux to count all threads")
def test_no_thread_but_the_loops_is_started(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    # uvloop looks addresses up on libuv's threads: forked amid two look-ups, a child cannot connect.
    out = check(
        PRELUDE
        + """
from pathlib import Path
def count():
    names = [Path(f"/proc/self/task/{task}/comm").read_text() for task in os.listdir("/proc/self/task")]
    # The kernel's own for io_uring, which older versions of libuv ask for, is no thread that a fork loses.
    print(len([name for name in names if not name.startswith("iou-")]))
def child():
    make()
    count()
make()
ended(in_child(child))
count()
""",
        sandbox.base_url,
        options=STRICT,
        uvloop=uvloop,
    )
    assert out.split() == ["2", "2"]


def test_calls_import_nothing(check: Check, sandbox: ThreadedSandbox, uvloop: bool, tmp_path: Path) -> None:
    # The lock of a module that another thread imports at the fork is never released in the child.
    out = check(
        PRELUDE
        + """
from plexypay_async.pay.description import PAY
from plexypay_async.api.index import every_group
from plexypay_sync import CreatePaymentLink, PlexyPayError, RetryPolicy
before = set(sys.modules)
local = PlexyPay("key", base_url="http://localhost:9", timeout=10, retry=RetryPolicy(max_attempts=1))
link = plexy.payment_links.create(amount=1, currency="KZT", order_reference="A")
rows = [CreatePaymentLink(amount=1, currency="KZT", order_reference=f"B{number}") for number in range(3)]
calls = [
    lambda: [getattr(plexy, group.group) for group in every_group(PAY)],
    lambda: list(plexy.payment_links.list()),
    lambda: list(plexy.payment_links.create_many(rows)),
    lambda: list(plexy.payment_links.create_many(rows, journal=sys.argv[2])),
    lambda: plexy.transactions.wait(payment_link_id=link.id, timeout=0.1),
    lambda: plexy.request("GET", "/v1/payment-links"),
    lambda: plexy.payment_links.retrieve("pl_none"),
    lambda: plexy.with_options(timeout=5).merchant.retrieve(),
    lambda: plexy.wallet.authorize(amount=5, order_reference="W", idempotency_key="key-1"),
    lambda: plexy.payouts.list().first_page(),
    # A name is looked up, and nothing answers.
    lambda: local.payment_links.statistics(),
]
for call in calls:
    try:
        call()
    except PlexyPayError:
        pass
plexy.close()
print(sorted(set(sys.modules) - before))
""",
        sandbox.base_url,
        str(tmp_path / "journal"),
        options=STRICT,
        uvloop=uvloop,
    )
    assert out == "[]"


def test_a_python_without_sqlite_can_do_all_else(check: Check, sandbox: ThreadedSandbox) -> None:
    out = check(
        """
        import sys
        sys.modules["sqlite3"] = None
        from plexypay_sync import PlexyPay
        with PlexyPay("sandbox-key", base_url=sys.argv[1]) as plexy:
            print(plexy.payment_links.create(amount=7, currency="KZT").amount)
            try:
                plexy.payment_links.create_many([])
            except ImportError as error:
                print(error.name)
        """,
        sandbox.base_url,
        uvloop=True,
    )
    assert out.split() == ["7", "sqlite3"]


def test_a_fork_before_the_first_call(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    check(
        PRELUDE + "\nchild = in_child(make)\nmake()\nended(child)\nmake()\n",
        sandbox.base_url,
        options=STRICT,
        uvloop=uvloop,
    )
    assert sandbox.count("payment_links.create") == 3


def test_a_derived_client_survives_its_first(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    """On the naive bridge the child waits for ever for the loop that its client was made with."""
    check(
        PRELUDE
        + """
import gc
derived = plexy.with_options(timeout=5)
make(derived)
make = make.__class__(make.__code__, globals(), "make", (derived,))
del plexy
gc.collect()
child = in_child(make)
make()
ended(child)
make()
""",
        sandbox.base_url,
        options=STRICT,
        uvloop=uvloop,
    )


def test_ten_forks_amid_the_calls_of_other_threads(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    """On the naive bridge the first child waits for ever, and its parent for it."""
    out = check(
        PRELUDE
        + """
done = threading.Event()
failures = []
calls = []
def work():
    try:
        while not done.is_set():
            calls.append(make())
            sum(1 for _ in plexy.payment_links.list(size=3).prefetch(2).resume(cursor).first_page())
    except BaseException as error:
        failures.append(error)
for _ in range(3):
    make()
cursor = plexy.payment_links.list(size=2).first_page().next_cursor
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for _ in range(10):
    children = [in_child(lambda: (make(), len(plexy.payment_links.list().first_page())))]
    make()
    for child in children:
        ended(child)
before = len(calls)
while len(calls) < before + 10 and not failures:
    time.sleep(0.001)
done.set()
for thread in threads:
    thread.join()
print(failures, len(set(calls)) == len(calls))
""",
        sandbox.base_url,
        options=STRICT,
        uvloop=uvloop,
        limit=25,
    )
    assert out == "[] True"


@pytest.mark.parametrize("turn", [0, 2])
def test_a_fork_amid_first_calls(check: Check, sandbox: ThreadedSandbox, uvloop: bool, turn: int) -> None:
    # The portal's lock may be held by another thread, and its loop half made, in the moment of the fork.
    check(
        PRELUDE
        + """
def first():
    make()
    plexy.transactions.list().first_page()
    plexy.with_options(timeout=5).customers.list().first_page()
threads = [threading.Thread(target=first) for _ in range(3)]
for thread in threads:
    thread.start()
time.sleep(int(sys.argv[2]) * 0.003)
child = in_child(first)
for thread in threads:
    thread.join()
ended(child)
""",
        sandbox.base_url,
        str(turn),
        options=STRICT,
        uvloop=uvloop,
        limit=30,
    )


def test_forks_amid_the_making_of_loops(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    check(
        PRELUDE
        + """
from plexypay_sync.portal import portal
for _ in range(10):
    portal.after_fork_in_child()
    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    child = in_child(make)
    for thread in threads:
        thread.join()
    ended(child)
""",
        sandbox.base_url,
        # Renewed in the parent, it leaves loops behind that nobody closes.
        options=("-W", "ignore"),
        uvloop=uvloop,
    )


def test_an_iteration_of_the_parents_is_refused_in_the_child(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    out = check(
        PRELUDE
        + """
for _ in range(4):
    make()
reading = plexy.payment_links.list(size=1).prefetch(2).pages()
cursor = next(reading).next_cursor
def child():
    make()
    try:
        next(reading)
    except ConfigurationError as error:
        print("next_cursor" in str(error))
    print(len(list(plexy.payment_links.list(size=1).resume(cursor))))
ended(in_child(child))
print(sum(1 for _ in reading))
""",
        sandbox.base_url,
        options=STRICT,
        uvloop=uvloop,
    )
    # The child's link has moved the pages on by one; the parent had fetched two before.
    told, resumed, rest = out.splitlines()
    assert (told, resumed) == ("True", "4")
    assert int(rest) >= 3


def test_a_fork_in_a_thread(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    """On the naive bridge the child waits for ever, in whichever thread the fork was made."""
    check(
        PRELUDE
        + """
make()
thread = threading.Thread(target=lambda: ended(in_child(make)))
thread.start()
make()
thread.join()
""",
        sandbox.base_url,
        options=STRICT,
        uvloop=uvloop,
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool, method: str, tmp_path: Path
) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        f"""
import multiprocessing, sys
{"" if uvloop else "sys.modules['uvloop'] = None"}
from plexypay_sync import PlexyPay
plexy = PlexyPay("sandbox-key", base_url=sys.argv[1])
def work(number):
    return plexy.payment_links.create(amount=number, currency="KZT").amount
if __name__ == "__main__":
    work(1)
    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
        print(sorted(pool.map(work, range(1, 9))))
        pool.close()
        pool.join()
    process = multiprocessing.get_context(sys.argv[2]).Process(target=work, args=(9,))
    process.start()
    process.join()
    print(process.exitcode, work(10))
"""
    )
    out = check(
        "import runpy, sys; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
        if method == "fork"
        else "import os, sys; os.execv(sys.executable, [sys.executable, '-W', 'error', *sys.argv[1:]])",
        str(script),
        sandbox.base_url,
        method,
        options=STRICT,
        uvloop=uvloop,
    )
    assert out.splitlines() == ["[1, 2, 3, 4, 5, 6, 7, 8]", "0 10"]
