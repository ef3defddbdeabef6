"""The programs of docs/payments.md: a refund that is made once whenever its process dies, a day's sums."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay

from .blocks import ROOT, run_by
from .contexts import TOKEN

REFUND, DAY = run_by(__file__)
KEY = "ORD-1-refund-1"
LATER = "UPDATE refunds SET at = at - 100 WHERE key = ?"
"""What makes a refund look as if it had gone out 100 seconds before."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(webhook_token=TOKEN, seed=1) as running:
        yield running


@pytest.fixture
def plexy(sandbox: Sandbox) -> Iterator[PlexyPay]:
    with PlexyPay(sandbox.api_key, base_url=sandbox.base_url) as client:
        yield client


def charged(sandbox: Sandbox, plexy: PlexyPay, order: str, amount: int, currency: str = "KZT") -> str:
    """Return the id of an order's payment, which is charged; the amount is in minor units."""
    link = plexy.payment_links.create(
        amount=amount, currency=currency, order_reference=order, auto_clearing=False
    )
    sandbox.pay(link.id)
    payment = plexy.transactions.retrieve_by_payment_link(link.id).id
    plexy.payments.capture(payment)
    return payment


def start(sandbox: Sandbox, code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLEXYPAY_")}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={
            **environment,
            "PLEXYPAY_API_KEY": sandbox.api_key,
            "PLEXYPAY_BASE_URL": sandbox.base_url,
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(sandbox: Sandbox, code: str, *arguments: str) -> str:
    """Run a program to its end, and return what it printed."""
    out, errors = start(sandbox, code, *arguments).communicate(timeout=60)
    assert errors == ""
    return out


def refunds(plexy: PlexyPay) -> list[tuple[str | None, str]]:
    """Return the reference and the amount of each refund."""
    items = [*plexy.transactions.list()]
    return sorted((item.order_reference, str(item.amount)) for item in items if item.status == "refunded")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "refunds.sqlite"


def later(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        assert connection.execute(LATER, (KEY,)).rowcount == 1
    connection.close()


def test_two_clicks_make_one_refund(sandbox: Sandbox, plexy: PlexyPay, here: Path) -> None:
    payment = charged(sandbox, plexy, "ORD-1", 100_000)

    assert said(sandbox, REFUND, KEY, payment, "100.00") == "made\n"
    assert said(sandbox, REFUND, KEY, payment, "100.00") == "made before\n"
    assert said(sandbox, REFUND, KEY, payment, "50.00").startswith("the key is that of another refund")
    assert refunds(plexy) == [(KEY, "100")]


def test_a_refund_whose_answer_was_lost_is_found(sandbox: Sandbox, plexy: PlexyPay, here: Path) -> None:
    payment = charged(sandbox, plexy, "ORD-1", 100_000)
    sandbox.faults.add("cut=after,operation=payments.refund,times=1")

    assert said(sandbox, REFUND, KEY, payment, "100.00").startswith("unknown, run this again")
    assert said(sandbox, REFUND, KEY, payment, "100.00").startswith("made before: ")
    assert refunds(plexy) == [(KEY, "100")]


def test_a_refund_that_was_refused_may_be_tried_again(sandbox: Sandbox, plexy: PlexyPay, here: Path) -> None:
    payment = charged(sandbox, plexy, "ORD-1", 100_000)
    sandbox.faults.add("status=403,operation=payments.refund,times=1")

    assert said(sandbox, REFUND, KEY, payment, "100.00").startswith("not made: ")
    assert said(sandbox, REFUND, KEY, payment, "100.00") == "made\n"
    assert refunds(plexy) == [(KEY, "100")]


@pytest.mark.parametrize("arrived", [False, True])
def test_a_process_that_is_killed_amid_it(
    sandbox: Sandbox, plexy: PlexyPay, here: Path, arrived: bool
) -> None:
    payment = charged(sandbox, plexy, "ORD-1", 100_000)
    assert said(sandbox, REFUND, "ORD-1-refund-0", payment, "7.00") == "made\n"
    # The server works on it, and its client is killed before the answer; or it never does.
    work = "after" if arrived else "before"
    sandbox.faults.add(f"hang=true,work={work},operation=payments.refund,times=1")
    program = start(sandbox, REFUND, KEY, payment, "100.00")
    deadline = time.monotonic() + 60
    while sandbox.requests.count("payments.refund") < 2 or len(refunds(plexy)) < 1 + arrived:
        assert program.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    program.send_signal(signal.SIGKILL)
    program.communicate()

    again = said(sandbox, REFUND, KEY, payment, "100.00")
    if not arrived:
        assert again.startswith("unknown: it may still be at work")
        later(here)
        again = said(sandbox, REFUND, KEY, payment, "100.00")
    assert again.startswith("made before: " if arrived else "made\n")
    assert refunds(plexy) == [("ORD-1-refund-0", "7"), (KEY, "100")]


def test_a_search_that_has_found_no_refund_is_not_believed(
    sandbox: Sandbox, plexy: PlexyPay, here: Path
) -> None:
    payment = charged(sandbox, plexy, "ORD-1", 100_000)
    sandbox.faults.add("cut=after,operation=payments.refund,times=1")
    assert said(sandbox, REFUND, KEY, payment, "100.00").startswith("unknown")
    # As if the search knew no refunds.
    sandbox.faults.add("status=404,operation=payments.search")
    later(here)

    assert said(sandbox, REFUND, KEY, payment, "100.00").startswith("unknown: the search has never found")
    assert refunds(plexy) == [(KEY, "100")]


@pytest.mark.parametrize(("key", "amount"), [("ORD-1", "1000.00"), ("ORD-2", "100.00")])
def test_a_key_that_is_an_orders_reference_proves_no_refund(
    sandbox: Sandbox, plexy: PlexyPay, here: Path, key: str, amount: str
) -> None:
    payment = charged(sandbox, plexy, "ORD-1", 100_000)
    charged(sandbox, plexy, "ORD-2", 100_000)
    sandbox.faults.add("hang=true,operation=payments.refund,times=1")
    program = start(sandbox, REFUND, key, payment, amount)
    deadline = time.monotonic() + 60
    while sandbox.requests.count("payments.refund") < 1:
        assert program.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    program.kill()
    program.communicate()

    assert said(sandbox, REFUND, key, payment, amount).startswith("unknown: what has this key is ")
    assert refunds(plexy) == []


def test_the_sums_of_a_day_are_exact_and_by_currency(sandbox: Sandbox, plexy: PlexyPay) -> None:
    first = charged(sandbox, plexy, "ORD-1", 10)
    charged(sandbox, plexy, "ORD-2", 20)
    charged(sandbox, plexy, "ORD-3", 1_999, "USD")
    plexy.payments.refund(first)
    sandbox.pay(plexy.payment_links.create(amount=5, currency="KZT").id)  # only authorized
    made = next(iter(plexy.transactions.list())).created_at
    assert made is not None
    today = made.astimezone(timezone(timedelta(hours=5)))

    assert said(sandbox, DAY, today.date().isoformat()).splitlines() == [
        "payment 0.3 KZT",
        "payment 19.99 USD",
        "refund 0.1 KZT",
    ]
    assert said(sandbox, DAY, (today - timedelta(days=1)).date().isoformat()) == ""
