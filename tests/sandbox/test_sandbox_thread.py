"""`with Sandbox()`: served on a thread of its own, and steered from any other while requests arrive."""

from __future__ import annotations

import concurrent.futures
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from plexypay_async import ConfigurationError
from plexypay_async.sandbox import ArrivedRequest, Faults, Sandbox, Traffic
from plexypay_sync import PlexyPay

Threads: TypeAlias = Callable[[], list[str]]


@pytest.fixture
def threads() -> Threads:
    """Name the threads that the test has more than it began with, but for the clients' one."""
    before = set(threading.enumerate())
    return lambda: [new.name for new in threading.enumerate() if new not in before and new.name != "plexypay"]


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Let threads take turns so often that each meets the other amid its work."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_synchronous_code_uses_it_as_it_is(threads: Threads) -> None:
    with Sandbox() as sandbox, PlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=30) as plexy:
        link = plexy.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")
        assert sandbox.pay(link.id)["status"] == "authorized"
        assert plexy.transactions.wait(payment_link_id=link.id).status == "authorized"
        sandbox.clock.advance(hours=1)
        assert plexy.transactions.retrieve_by_payment_link(link.id).status == "charged"
        assert sandbox.requests.count("payment_links.create") == 1
        sandbox.reset()
        assert sandbox.payment_links() == []
        assert threads().count("plexypay-sandbox") == 1
    assert threads() == []
    with pytest.raises(ConfigurationError, match="not running"):
        sandbox.payment_links()


@pytest.mark.asyncio
async def test_it_serves_where_the_callers_loop_is_blocked(threads: Threads) -> None:
    with Sandbox() as sandbox, PlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=30) as plexy:
        # Blocks the running loop, which therefore cannot be the one that answers.
        assert plexy.payment_links.create(amount=100, currency="KZT").status == "active"
    assert threads() == []


def test_it_serves_again_after_a_stop() -> None:
    sandbox = Sandbox()
    for _ in range(2):
        with sandbox:
            assert sandbox.payment_links() == []


def test_a_start_that_fails_is_the_callers_error(threads: Threads) -> None:
    with Sandbox() as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), Sandbox(port=port):
            pass
        with pytest.raises(ConfigurationError, match="running already"), sandbox:
            pass
        # Neither took the first one's thread away.
        assert threads().count("plexypay-sandbox") == 1
        assert sandbox.payment_links() == []
    assert threads() == []


def test_it_stops_while_requests_hang(threads: Threads) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool, Sandbox(faults=["hang=true"]) as sandbox:
        plexy = PlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=2)
        call = pool.submit(plexy.payment_links.create, amount=100, currency="KZT")
        while not sandbox.requests.count():
            time.sleep(0.001)
    assert threads() == []
    with plexy:
        assert call.exception(30) is not None


def both(writing: Callable[[], object], reading: Callable[[], object]) -> None:
    """Do one thing over and over while another thread does another, and raise what either meets."""
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            reading()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            for _ in range(50):
                writing()
        finally:
            done.set()
        reader.result(30)


@pytest.mark.usefixtures("switching_often")
def test_faults_change_while_requests_are_struck() -> None:
    faults = Faults(seed=1)

    def change() -> None:
        added = [faults.add(f"latency=0.1,operation=payment_links.o{number}") for number in range(20)]
        assert len(list(faults)) == 20
        faults.remove(added[3].id or 0)
        faults.clear()

    both(change, lambda: faults.strike("payment_links.create"))
    assert len(faults) == 0


@pytest.mark.usefixtures("switching_often")
def test_requests_are_counted_while_they_arrive() -> None:
    traffic = Traffic(kept=50)

    def arrive() -> None:
        for number in range(400):
            traffic.record(ArrivedRequest("GET", "/", f"a.{number}", {}))
        assert traffic.count() == 400
        traffic.clear()

    both(arrive, traffic.count)
    assert traffic.count() == 0
