"""What the fixtures give to a test, and what they leave to the next one."""

from __future__ import annotations

import pytest

from .conftest import Run

pytest_plugins = ["pytester"]

IN_TURN = """
import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest

from plexypay_async import AsyncPlexyPay, UnprocessableError
from plexypay_sync import PlexyPay

LINK = {"amount": 100, "currency": "KZT", "order_reference": "ORD-1"}
addresses = []


def test_leaves_what_it_can(plexypay_sandbox, plexypay_sync_client):
    addresses.append(plexypay_sandbox.base_url)
    plexypay_sandbox.webhook_url, plexypay_sandbox.webhook_token = "http://127.0.0.1:9/webhooks", "token"
    plexypay_sandbox.pay(plexypay_sync_client.payment_links.create(**LINK).id)
    plexypay_sync_client.wallet.authorize(amount=100, order_reference="ORD-1", idempotency_key="1" * 36)
    plexypay_sync_client.customers.create(extra={"name": "A"})
    plexypay_sandbox.clock.advance(hours=1000)
    plexypay_sandbox.faults.add("code=3")


def test_finds_it_empty(plexypay_sandbox, plexypay_sync_client):
    assert addresses == [plexypay_sandbox.base_url]
    assert plexypay_sandbox.requests.count() == 0
    assert len(plexypay_sandbox.faults) == len(plexypay_sandbox.deliveries) == 0
    assert (plexypay_sandbox.webhook_url, plexypay_sandbox.webhook_token) == (None, "sandbox-key")
    assert plexypay_sandbox.payment_links() == plexypay_sandbox.transactions() == []
    assert list(plexypay_sync_client.wallet.list()) == list(plexypay_sync_client.customers.list()) == []
    assert plexypay_sandbox.clock.now() - datetime.now(UTC) < timedelta(hours=1)
    plexypay_sync_client.payment_links.create(**LINK)


def test_says_what_is_wrong(plexypay_sandbox, plexypay_sync_client):
    plexypay_sync_client.payment_links.create(**LINK)
    with pytest.raises(UnprocessableError):
        plexypay_sync_client.payment_links.create(**LINK)
    with pytest.raises(ValueError, match="payment link not found"):
        plexypay_sandbox.pay("pl_1")


def test_both_clients_share_it(plexypay_client, plexypay_sync_client):
    link = asyncio.run(plexypay_client.payment_links.create(**LINK))
    assert plexypay_sync_client.payment_links.retrieve(link.id).order_reference == "ORD-1"


def test_every_attempt_of_a_call_fits_into_it(plexypay_sandbox, plexypay_client, plexypay_sync_client):
    # With the usual pauses, seven retries take 26 seconds on average.
    plexypay_sandbox.faults.add("code=1,times=7")
    assert plexypay_sync_client.payment_links.create(**LINK).order_reference == "ORD-1"
    plexypay_sandbox.faults.add("code=1,times=7")
    assert asyncio.run(plexypay_client.payment_links.list().first_page()).items
    assert plexypay_sandbox.requests.count() == 16


def test_a_client_of_the_environment_reaches_it(plexypay_sandbox):
    async def create():
        async with AsyncPlexyPay() as plexy:
            return await plexy.payment_links.create(**LINK)

    link = asyncio.run(create())
    with PlexyPay() as plexy:
        assert plexy.payment_links.retrieve(link.id).id == link.id


def test_the_environment_is_as_it_was():
    assert os.environ["PLEXYPAY_API_KEY"] == "live-key"
    assert os.environ["PLEXYPAY_BASE_URL"] == "https://plexypay.invalid"


def test_the_test_may_change_it(monkeypatch, plexypay_sandbox):
    assert os.environ["PLEXYPAY_BASE_URL"] == plexypay_sandbox.base_url
    monkeypatch.delenv("PLEXYPAY_API_KEY")


def test_the_environment_is_as_it_was_again():
    assert os.environ["PLEXYPAY_API_KEY"] == "live-key"
"""


def test_each_test_has_a_sandbox_of_its_own(run: Run) -> None:
    run(test_users=IN_TURN).assert_outcomes(passed=9)


SET_UP_ONCE = """
import unittest

import pytest

from plexypay_async import AuthenticationError
from plexypay_sync import PlexyPay


@pytest.fixture(scope="session")
def shop(plexypay_base_url):
    with PlexyPay("sandbox-key", base_url=plexypay_base_url) as plexy:
        yield plexy


@pytest.mark.parametrize("number", range(3))
def test_a_client_of_the_session(plexypay_sandbox, shop, number):
    shop.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")
    assert len(plexypay_sandbox.payment_links()) == 1


@pytest.mark.usefixtures("plexypay_sandbox")
class TestUnittest(unittest.TestCase):
    def test_a_client_of_its_own(self):
        with PlexyPay() as plexy:
            self.assertEqual(list(plexy.payment_links.list()), [])


@pytest.fixture
def paid(plexypay_sandbox, plexypay_sync_client):
    link = plexypay_sync_client.payment_links.create(amount=100, currency="KZT")
    yield plexypay_sandbox.pay(link.id)
    # What depends on the client ends before it.
    assert plexypay_sync_client.transactions.retrieve_by_payment_link(link.id).is_paid


def test_a_fixture_of_its_own(paid):
    assert paid["status"] == "authorized"


class TestOverridden:
    @pytest.fixture
    def plexypay_sync_client(self, plexypay_sandbox):
        with PlexyPay("another-key", base_url=plexypay_sandbox.base_url) as plexy:
            yield plexy

    def test_a_fixture_of_the_same_name(self, plexypay_sync_client):
        with pytest.raises(AuthenticationError):
            plexypay_sync_client.payment_links.list().first_page()
"""


def test_what_is_set_up_by_others(run: Run) -> None:
    run(test_users=SET_UP_ONCE).assert_outcomes(passed=6)


STILL_LIGHT = """
import sys

import pytest

LIGHT = {"plexypay_async", "plexypay_async.testing"}


def loaded():
    heavy = ("plexypay_async", "plexypay_sync", "aiohttp", "attr", "cattrs", "orjson", "asyncio")
    return {name for name in sys.modules if name.partition(".")[0] in heavy}


AT_START = loaded()


def test_a_session_without_the_fixtures():
    assert AT_START == loaded() == LIGHT
"""


def test_pytest_starts_as_fast_as_without_it(run: Run) -> None:
    run(test_users=STILL_LIGHT).assert_outcomes(passed=1)


LOADED_ALREADY = """
import sys

import plexypay_sync
import pytest

sys.exit(pytest.main(["-W", "error", "-p", "no:anyio", "-p", "no:asyncio", "-p", "no:hypothesispytest"]))
"""


def test_a_program_that_runs_pytest_itself(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_users="def test_it(plexypay_sandbox): assert plexypay_sandbox.payment_links() == []"
    )
    result = pytester.runpython(pytester.makepyfile(program=LOADED_ALREADY))
    result.assert_outcomes(passed=1)


LEFT_OUT = """
import sys


def test_nothing_is_loaded():
    assert not [name for name in sys.modules if name.startswith("plexypay")]


def test_no_fixtures(plexypay_sandbox):
    pass
"""


def test_it_can_be_left_out(run: Run) -> None:
    result = run("-p", "no:plexypay", test_users=LEFT_OUT)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'plexypay_sandbox' not found*"])


def test_each_fixture_is_described(run: Run) -> None:
    result = run("--fixtures", test_users="")
    for name, words in {
        "plexypay_sandbox": "A local Plexy Pay, empty",
        "plexypay_client": "An `AsyncPlexyPay` of the sandbox",
        "plexypay_sync_client": "A `PlexyPay` of the sandbox",
        "plexypay_base_url": "The address of the sandbox",
    }.items():
        result.stdout.fnmatch_lines([f"{name}*", f"    {words}*"])
