"""The agent that sells vouchers: each sale ordered once, paid once, and shown once."""

from __future__ import annotations

import re
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.exposure.provocations import scripted_apart
from tests.faults.scripted import Answer

if TYPE_CHECKING:
    from .conftest import Program, ServedSandbox, Start

EXAMPLES = Path(__file__).parents[2] / "examples"
STRICT = ("-W", "error")
VOUCHER = re.compile(r"INV-1: ([0-9A-F]{4}(?:-[0-9A-F]{4}){2})\n")


def agent(start: Start, *arguments: str) -> Program:
    return start(*STRICT, str(EXAMPLES / "voucher_agent.py"), *arguments)


def orders(served: ServedSandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.ask("GET", "/gate-orders")["data"]
    return found


def pass_time(served: ServedSandbox) -> None:
    served.ask("POST", "/clock", '{"advance_seconds": 60}')


def sold(start: Start, served: ServedSandbox, *arguments: str) -> Program:
    """Sell something, and let the time pass in which it is completed."""
    program = agent(start, *arguments)
    while not orders(served) and program.process.poll() is None:
        time.sleep(0.02)
    pass_time(served)
    return program


def test_the_catalogue_and_the_balance_are_shown(start: Start, served: ServedSandbox) -> None:
    told = agent(start).output().decode().splitlines()

    assert told == [
        "101\tGame Card 10 USD\tredeem_card\t10 USD",
        "202\tMobile Data 5 EUR\tdirect_transfer\t4.99 EUR",
        "456\tSteam Wallet Top Up\tdirect_top_up\t10 USD",
        "to spend: 1000.00 USD",
        "to spend: 100.00 EUR",
    ]
    assert orders(served) == []


def test_a_voucher_is_sold_once_and_shown_once(start: Start, served: ServedSandbox, tmp_path: Path) -> None:
    first = sold(start, served, "INV-1", "101")
    told = VOUCHER.fullmatch(first.output().decode())
    assert told is not None
    assert first.log == ""

    again = agent(start, "INV-1", "101")
    assert again.output(status=1) == b""
    assert again.log == "INV-1: its code was shown already\n"
    (order,) = orders(served)
    assert order["order_content"] == {"voucher_code": told[1]}
    with sqlite3.connect(tmp_path / "agent.sqlite") as book:
        (kept,) = book.execute("SELECT * FROM sales").fetchall()
    assert kept == ("INV-1", 101, order["idempotency_key"], order["id"], 1)
    book.close()


def test_a_sale_whose_answers_are_lost_is_found_by_the_next_run(start: Start, served: ServedSandbox) -> None:
    served.ask("POST", "/faults", "cut=after,times=1,operation=gate.orders.create")
    served.ask("POST", "/faults", "status=401,operation=gate.orders.create,times=1")
    lost = agent(start, "INV-1", "101")
    assert lost.output(status=1) == b""
    assert lost.log.startswith("OutcomeUnknownError: orders.create")
    assert lost.log.endswith("run the same command again: it orders nothing twice\n")

    pass_time(served)
    found = agent(start, "INV-1", "101")
    assert VOUCHER.fullmatch(found.output().decode())
    assert len(orders(served)) == 1


def test_a_sale_whose_order_is_known_is_not_ordered_again(start: Start, served: ServedSandbox) -> None:
    """As where the API has forgotten the key in the meantime."""
    served.ask("POST", "/faults", "status=401,operation=gate.orders.retrieve,times=1")
    assert agent(start, "INV-1", "101").output(status=1) == b""
    pass_time(served)

    served.ask("POST", "/faults", "status=400,operation=gate.orders.create")
    assert VOUCHER.fullmatch(agent(start, "INV-1", "101").output().decode())
    assert len(orders(served)) == 1


def test_a_sale_without_a_code_is_no_sale_without_a_charge(start: Start) -> None:
    paid = {"id": "o-1", "product_id": 101, "status": "completed", "order_content": None}
    routes = {"POST *": Answer(201, paid), "GET *": Answer(200, paid)}
    with scripted_apart(routes) as url:
        program = start(
            *STRICT, str(EXAMPLES / "voucher_agent.py"), "INV-1", "101", PLEXYPAY_GATE_BASE_URL=url
        )
        assert program.output(status=1) == b""
    assert program.log == "INV-1: it is paid, and its code is not there: ask the vendor\n"


def test_an_order_that_fails_is_told(start: Start, served: ServedSandbox) -> None:
    program = sold(start, served, "fail-1", "101")

    assert program.output(status=1) == b""
    assert program.log == "fail-1: failed, nothing was charged\n"


def test_a_refusal_is_told(start: Start, served: ServedSandbox) -> None:
    program = agent(start, "INV-1", "999")

    assert program.output(status=1) == b""
    assert program.log.startswith("InvalidRequestError: orders.create: HTTP 400")
