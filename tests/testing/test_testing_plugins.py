"""The fixtures under each way to run async tests, and under none."""

from __future__ import annotations

import pytest

from tests.needs import needs

from .conftest import Run

pytest_plugins = ["pytester"]

ASYNC_TESTS = """
import gc
import pytest
from plexypay_async import ConfigurationError
MARK
clients = []

@pytest.fixture
async def link(plexypay_client):
    link = await plexypay_client.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")
    yield link
    assert (await plexypay_client.payment_links.retrieve(link.id)).status == "paid"

async def test_pays(plexypay_sandbox, plexypay_client, link):
    clients.append(plexypay_client)
    plexypay_sandbox.pay(link.id)
    transaction = await plexypay_client.transactions.wait(payment_link_id=link.id)
    assert transaction.status == "authorized"
    plexypay_sandbox.clock.advance(hours=1)
    assert (await plexypay_client.transactions.retrieve(transaction.id)).status == "charged"

async def test_is_empty_again(plexypay_sandbox, plexypay_client):
    assert plexypay_sandbox.payment_links() == []
    assert [link async for link in plexypay_client.payment_links.list()] == []

async def test_is_closed(plexypay_client):
    with pytest.raises(ConfigurationError, match="closed"):
        await clients.pop().payment_links.retrieve("pl_1")
    gc.collect()

def test_of_another_kind(plexypay_sandbox, plexypay_sync_client):
    link = plexypay_sync_client.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")
    plexypay_sandbox.pay(link.id)
    assert plexypay_sync_client.payment_links.retrieve(link.id).status == "paid"
"""


def strict(scope: str) -> str:
    """Return the tests as pytest-asyncio's strict mode wants them, on loops of this scope."""
    mark = f"import pytest_asyncio\npytestmark = pytest.mark.asyncio(loop_scope={scope!r})"
    code = ASYNC_TESTS.replace("MARK", mark)
    code = code.replace("@pytest.fixture\nasync", f"@pytest_asyncio.fixture(loop_scope={scope!r})\nasync")
    # In strict mode a mark on a plain function is a mistake.
    return code.replace("def test_of_another_kind", "async def test_of_another_kind")


@pytest.mark.parametrize("scope", ["function", "session"])
def test_pytest_asyncio_in_strict_mode(run: Run, scope: str) -> None:
    run(plugins=["asyncio"], test_users=strict(scope)).assert_outcomes(passed=4)


def test_pytest_asyncio_in_auto_mode(run: Run) -> None:
    code = ASYNC_TESTS.replace("MARK", "")
    run("-o", "asyncio_mode=auto", plugins=["asyncio", "anyio"], test_users=code).assert_outcomes(passed=4)


@needs("anyio")
@pytest.mark.parametrize("scope", ["function", "module"])
def test_anyio(run: Run, scope: str) -> None:
    mark = f"""
pytestmark = pytest.mark.anyio

@pytest.fixture(scope={scope!r})
def anyio_backend():
    return "asyncio"
"""
    code = ASYNC_TESTS.replace("MARK", mark)
    run(plugins=["anyio"], test_users=code).assert_outcomes(passed=4)


LOOPS_BY_HAND = """
import asyncio
import gc
import pytest

async def create(client):
    return (await client.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")).id

@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()

def test_asyncio_run(plexypay_sandbox, plexypay_client):
    plexypay_sandbox.pay(asyncio.run(create(plexypay_client)))

def test_two_loops_in_turn(plexypay_sandbox, plexypay_client):
    link = asyncio.run(create(plexypay_client))
    assert asyncio.run(plexypay_client.payment_links.retrieve(link)).id == link

def test_a_loop_that_ends_after_the_client(loop, plexypay_client):
    loop.run_until_complete(create(plexypay_client))

def test_a_loop_that_ends_before_the_client(plexypay_client, loop):
    loop.run_until_complete(create(plexypay_client))

def test_a_loop_closed_amid_the_test(plexypay_client):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(create(plexypay_client))
    loop.close()

def test_a_loop_that_runs_in_a_thread(plexypay_client):
    import threading
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(create(plexypay_client), loop).result(30)
    threads.append((loop, thread))

threads = []

def test_no_call_at_all(plexypay_client):
    loop, thread = threads.pop()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    gc.collect()

def test_nothing_is_left(plexypay_client):
    asyncio.run(create(plexypay_client))
    gc.collect()
"""


def test_without_a_plugin_for_async_tests(run: Run) -> None:
    run(test_users=LOOPS_BY_HAND).assert_outcomes(passed=8)


SYNC_TESTS = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_one_of_many(plexypay_sandbox, plexypay_sync_client, number):
    link = plexypay_sync_client.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")
    plexypay_sandbox.pay(link.id)
    assert len(plexypay_sandbox.payment_links()) == 1
"""


def test_xdist(run: Run) -> None:
    run("-n", "2", plugins=["xdist"], test_users=SYNC_TESTS).assert_outcomes(passed=6)


def test_with_little_of_pytest_itself(run: Run) -> None:
    without = ("cacheprovider", "logging", "threadexception", "unraisableexception")
    options = [option for name in without for option in ("-p", f"no:{name}")]
    run(*options, test_users=SYNC_TESTS).assert_outcomes(passed=6)
