"""Forks, clients and Ctrl-C in great numbers: each briefly with every run, and at length as a campaign.

``python -m pytest tests/sync -m campaign -n 0 -s`` prints the figures.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest

from .conftest import Check, Run
from .servers import ThreadedSandbox

pytestmark = pytest.mark.skipif(
    not (hasattr(os, "fork") and os.path.isdir("/proc/self/fd")), reason="needs fork and /proc"
)

FORKS_WARN = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")
"""All warnings are errors but one: Python 3.12 and later warn of every fork beside a thread."""

FORKS = """
import faulthandler, logging, os, random, signal, sys, threading, time, traceback
from plexypay_sync import PlexyPay
# On a busy machine development mode tells of every callback that took a tenth of a second.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing "))
_, url, count, seed = sys.argv
plexy = PlexyPay("sandbox-key", base_url=url, timeout=30)
moments = random.Random(int(seed))
done = threading.Event()
failures = []
calls = [0] * 8

def make():
    return plexy.payment_links.create(amount=1, currency="KZT").id

def work(number):
    try:
        while not done.is_set():
            if number % 3 == 0:
                make()
            elif number % 3 == 1:
                plexy.with_options(timeout=20).payment_links.list(size=1).first_page()
            else:
                next(plexy.payment_links.list(size=1).prefetch(2).pages())
            calls[number] += 1
    except BaseException as error:
        failures.append(error)

def child(usual_exit):
    # A hang shows where, and ends.
    faulthandler.dump_traceback_later(20, exit=True)
    status = 1
    try:
        make()
        plexy.payment_links.list(size=1).first_page()
        status = 0
    except BaseException:
        traceback.print_exc()
    faulthandler.cancel_dump_traceback_later()
    if usual_exit:
        sys.exit(status)
    sys.stderr.flush()
    os._exit(status)

threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(8)]
for thread in threads:
    thread.start()
began, worked, slowest = time.monotonic(), 0, 0.0
for number in range(int(count)):
    time.sleep(moments.random() * 0.02)
    pid = os.fork()
    if pid == 0:
        child(usual_exit=number % 2 == 1)
    forked = time.monotonic()
    worked += os.waitpid(pid, 0)[1] == 0
    slowest = max(slowest, time.monotonic() - forked)
before = list(calls)
limit = time.monotonic() + 20
while not failures and not all(now > then for now, then in zip(calls, before)):
    assert time.monotonic() < limit, ("a thread of the parent's is stuck", before, calls)
    time.sleep(0.005)
done.set()
for thread in threads:
    thread.join(20)
assert not failures, failures
assert not any(thread.is_alive() for thread in threads)
print(worked)
print(f"{count} forks in {time.monotonic() - began:.1f} s beside {sum(calls)} calls of 8 threads"
      f" (seed {seed}); {worked} children made their calls, the slowest in {slowest:.2f} s")
"""


def fork_amid_calls(check: Check, sandbox: ThreadedSandbox, uvloop: bool, count: int) -> None:
    seed = random.randrange(10**6)
    out = check(FORKS, sandbox.base_url, str(count), str(seed), options=FORKS_WARN, uvloop=uvloop, limit=120)
    worked, told = out.splitlines()
    print(f"\n{'uvloop' if uvloop else 'asyncio'}: {told}")
    assert int(worked) == count


def test_forks_at_random_moments(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    fork_amid_calls(check, sandbox, uvloop, 8)


@pytest.mark.campaign
def test_a_hundred_forks_at_random_moments(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    fork_amid_calls(check, sandbox, uvloop, 100)


CLIENTS = """
import gc, os, sys, threading, time
from plexypay_sync import PlexyPay
_, url, closed, dropped, warming = sys.argv

def sockets():
    names = []
    for each in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{each}"))
        except FileNotFoundError:
            pass
    return sum(name.startswith("socket:") for name in names)

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

def close(count):
    for _ in range(count):
        with PlexyPay("sandbox-key", base_url=url) as plexy:
            plexy.request("GET", "/v1/payment-links?size=1")

def drop(count):
    for _ in range(count):
        PlexyPay("sandbox-key", base_url=url).request("GET", "/v1/payment-links?size=1")

def rest(wanted):
    gc.collect()
    # Sooner than an idle connection closes by itself, after 15 s.
    limit = time.monotonic() + 10
    while sockets() > wanted and time.monotonic() < limit:
        time.sleep(0.01)
    gc.collect()
    return sockets(), threading.active_count(), resident()

threads = threading.active_count()
close(int(warming))
drop(int(warming) // 2)
time.sleep(0.2)
before = rest(sockets())
began = time.monotonic()
close(int(closed))
after_closed = rest(before[0])
drop(int(dropped))
after = rest(before[0])
took = time.monotonic() - began
print(after[0] - before[0], after[1] - threads, after_closed[2] - before[2], after[2] - before[2])
print(f"{closed} clients closed and {dropped} dropped in {took:.1f} s: sockets {before[0]} -> {after[0]},"
      f" threads {threads} -> {after[1]}, MiB {before[2]:.1f} -> {after_closed[2]:.1f} -> {after[2]:.1f}")
"""


def open_and_leave(check: Check, sandbox: ThreadedSandbox, uvloop: bool, closed: int, dropped: int) -> None:
    out = check(
        CLIENTS,
        sandbox.base_url,
        str(closed),
        str(dropped),
        str(min(closed, 200)),
        uvloop=uvloop,
        limit=300,
        development=False,
    )
    figures, told = out.splitlines()
    print(f"\n{'uvloop' if uvloop else 'asyncio'}: {told}")
    sockets, threads, *mebibytes = (float(figure) for figure in figures.split())
    assert sockets <= 0
    assert threads <= 1
    assert all(grown < 5 for grown in mebibytes)


def test_clients_leave_nothing_behind(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    open_and_leave(check, sandbox, uvloop, 60, 30)


@pytest.mark.campaign
def test_ten_thousand_clients_leave_nothing_behind(
    check: Check, sandbox: ThreadedSandbox, uvloop: bool
) -> None:
    open_and_leave(check, sandbox, uvloop, 10_000, 1_000)


INTERRUPTED = """
import logging, os, random, signal, sys, time
from plexypay_sync import PlexyPay
# On a busy machine development mode tells of every callback that took a tenth of a second.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing "))
_, url, count, seed, kept = sys.argv
moments = random.Random(int(seed))
plexy = PlexyPay("sandbox-key", base_url=url, timeout=30)

def loop(number):
    call = 0
    while True:
        call += 1
        plexy.payment_links.create(amount=1, currency="KZT", order_reference=f"{number}-{call}")
        if call % 5 == 0:
            for item in plexy.payment_links.list(size=1).prefetch(2):
                break

def waits(pid, known):
    # How long each thread has waited for a processor, which says how busy the machine is.
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as stat:
                known[task] = int(stat.read().split()[1]) / 1e9
    except (OSError, IndexError):
        pass
    return sum(known.values())

for number in range(int(count)):
    said = os.path.join(kept, f"said-{number}")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # As a script: what is not caught ends it in the usual way.
        out = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 2)
        # Only now, for Python forgets the signals that come before it has done with the fork.
        os.write(writing, b"x")
        loop(number)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    time.sleep(moments.random() * 0.2)
    known = {}
    waited = waits(pid, known)
    os.kill(pid, signal.SIGINT)
    sent = time.monotonic()
    while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() - sent > 20:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
        waits(pid, known)
    took = time.monotonic() - sent
    own = took - min(sum(known.values()) - waited, took)
    with open(said) as text:
        last = text.read().strip().splitlines()
    noise = [line for line in last if "Warning" in line or "ignored" in line or "never" in line]
    told = os.waitstatus_to_exitcode(ended[1]), f"{took:.3f}", f"{own:.3f}", last[-1:], noise
    print(*told, sep="|", flush=True)
"""


def interrupt(
    start: Run, sandbox: ThreadedSandbox, uvloop: bool, count: int, within: float, kept: os.PathLike[str]
) -> None:
    def links() -> Counter[str]:
        return sandbox.on_loop(
            lambda running: Counter(
                str(link["orderReference"]).partition("-")[0] for link in running.payment_links()
            )
        )

    def at_rest(number: int) -> int:
        # What a process had sent before it ended may be read after that.
        found, since = links()[str(number)], time.monotonic()
        while time.monotonic() - since < 0.05:
            time.sleep(0.005)
            if (now := links()[str(number)]) != found:
                found, since = now, time.monotonic()
        return found

    seed = random.randrange(10**6)
    script = start(INTERRUPTED, sandbox.base_url, str(count), str(seed), str(kept), uvloop=uvloop)
    seconds: list[float] = []
    own: list[float] = []
    made: dict[str, int] = {}
    for number in range(count):
        told = script.line(40).split("|")
        assert len(told) == 5, (number, seed, told, script.end(1))
        status, took, of_its_own, last, noise = told
        assert (status, last, noise) == ("-2", "['KeyboardInterrupt']", "[]"), (number, seed)
        seconds.append(float(took))
        own.append(float(of_its_own))
        made[str(number)] = at_rest(number)
    assert script.end(30) == (0, "", "")
    time.sleep(0.2)
    assert links() == Counter(made)
    print(
        f"\n{'uvloop' if uvloop else 'asyncio'}: {count} times interrupted (seed {seed}), each ended with"
        f" KeyboardInterrupt within {max(seconds):.2f} s (half within {sorted(seconds)[count // 2]:.2f} s),"
        f" of which at most {max(own):.2f} s not spent waiting for a processor,"
        f" after {min(made.values())} to {max(made.values())} links; no request afterwards"
    )
    assert max(own) < within


def test_ctrl_c_at_random_moments(
    start: Run, sandbox: ThreadedSandbox, uvloop: bool, tmp_path: os.PathLike[str]
) -> None:
    interrupt(start, sandbox, uvloop, 5, 20, tmp_path)


@pytest.mark.campaign
def test_ctrl_c_at_fifty_random_moments(
    start: Run, sandbox: ThreadedSandbox, uvloop: bool, tmp_path: os.PathLike[str]
) -> None:
    interrupt(start, sandbox, uvloop, 50, 1, tmp_path)
