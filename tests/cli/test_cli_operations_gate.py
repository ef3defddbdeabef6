"""Operations of the Gate API as commands: an agent's orders, whose content is a secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import KEY
from tests.cli.pseudo_terminal import Terminal, on_posix
from tests.cli.ran import Ran

if TYPE_CHECKING:
    from .conftest import ServedSandbox

AGENT = "7b6f3c52-6c8e-4f0e-9a51-0d6f6f1c2a10"
ORDER = ["gate", "orders", "create", "--product-id", "101", "--currency-code", "USD", "--yes"]


@pytest.fixture
def gate(served: ServedSandbox, monkeypatch: pytest.MonkeyPatch) -> ServedSandbox:
    """The sandbox, with the environment set for its Gate API and for no other."""
    monkeypatch.delenv("PLEXYPAY_API_KEY")
    monkeypatch.delenv("PLEXYPAY_BASE_URL")
    monkeypatch.setenv("PLEXYPAY_GATE_API_KEY", KEY)
    monkeypatch.setenv("PLEXYPAY_GATE_BASE_URL", served.base_url)
    monkeypatch.setenv("PLEXYPAY_GATE_AGENT_ID", AGENT)
    return served


def completed(gate: ServedSandbox, run: Ran) -> str:
    """Return the id of an order that was made and is completed."""
    assert run(*ORDER) == 0
    order = str(run.document["id"])
    gate.ask("POST", "/clock", '{"advance_seconds": 3600}')
    return order


def voucher(run: Ran, order: str) -> str:
    assert run("gate", "orders", "retrieve", order, "--show-secrets") == 0
    return str(run.document["order_content"]["voucher_code"])


def test_an_order_is_made_and_waited_for(gate: ServedSandbox, run: Ran) -> None:
    assert run(*ORDER, "--external-ref", "A-1") == 0
    order = run.document
    assert (order["status"], order["external_ref"], order["is_test"]) == ("pending", "A-1", True)
    assert run.err.splitlines()[0].startswith(
        f"plexypay: sent with --idempotency-key {order['idempotency_key']}: "
    )
    assert run("gate", "orders", "wait", order["id"], "--timeout", "0.2") == 1
    assert "not completed or failed within 0.2 s" in run.err
    gate.ask("POST", "/clock", '{"advance_seconds": 3600}')
    assert run("gate", "orders", "wait", order["id"]) == 0
    assert run.document["status"] == "completed"


def test_a_voucher_is_shown_to_who_asks_for_it_alone(gate: ServedSandbox, run: Ran) -> None:
    order = completed(gate, run)
    code = voucher(run, order)
    assert len(code) > 5
    for command in (
        ["gate", "orders", "retrieve", order],
        ["gate", "orders", "wait", order],
        ["gate", "orders", "list"],
        ["gate", "orders", "retrieve", order, "--raw"],
        ["gate", "orders", "list", "--raw"],
    ):
        assert run(*command) == 0
        assert code not in run.out + run.err
        assert "order_content" not in run.document
        assert run.err.splitlines()[-1] == (
            "plexypay: not shown, as it may be secret: order_content (--show-secrets shows it)"
        )
    for command in (["retrieve", order, "--raw"], ["list"], ["list", "--raw"]):
        assert run("gate", "orders", *command, "--show-secrets") == 0
        assert run.document["order_content"] == {"voucher_code": code}
        assert "not shown" not in run.err


def test_a_catalogue_and_a_balance_are_listed(gate: ServedSandbox, run: Ran) -> None:
    assert run("gate", "product-types", "list") == 0
    assert [item["code"] for item in run.lines] == ["redeem_card", "direct_transfer", "direct_top_up"]
    assert run("gate", "products", "list", "--limit", "1") == 0
    assert run.document["id"] == 101
    assert run("gate", "products", "retrieve", "101") == 0
    assert run.document["price"] == "10"
    assert run("gate", "products", "retrieve", "x") == 2
    assert run.err.startswith("plexypay: PRODUCT-ID: expected a whole number")
    assert run("gate", "health", "check") == 0


def test_a_top_up_is_sent_with_the_digits_that_were_written(gate: ServedSandbox, run: Ran) -> None:
    command = ["gate", "orders", "create", "--product-id", "456", "--yes", "--topup-request"]
    account = '"customer_account": {"steam_login": "anna"}'
    assert run(*command, f'{{"amount": 10.00, {account}}}') == 0
    assert run.document["charged_amount"] == "12.50"
    assert run(*command, f'{{"amount": "10.00", {account}}}') == 0
    assert run(*command, f'{{"amount": 1e1, {account}}}') == 0
    assert run(*command, f'{{"amount": -1, {account}}}') == 2
    assert run.err == "plexypay: --topup-request.amount: must be positive, got -1; nothing was sent\n"


def test_an_order_of_unknown_outcome_is_made_once_by_the_same_key(gate: ServedSandbox, run: Ran) -> None:
    gate.misbehave("operation=gate.orders.create,cut=after,times=99")
    assert run(*ORDER, "--timeout", "0.5") == 3
    gate.behave()
    key = run.err.splitlines()[0].split("--idempotency-key ")[1].partition(":")[0]
    assert run.err.splitlines()[-1].endswith(f"with --idempotency-key {key}, which does it once in all")
    again = [*ORDER, "--idempotency-key", key]
    assert run(*again) == 0
    assert run(*again) == 0
    assert run("gate", "orders", "list") == 0
    assert run.document["idempotency_key"] == key


def test_a_refusal_is_told_and_is_no_unknown_outcome(gate: ServedSandbox, run: Ran) -> None:
    assert run(*ORDER[:-1], "--product-id", "9", "--yes") == 1
    assert "there is no such product" in run.err
    assert "not known" not in run.err
    assert run("gate", "orders", "retrieve", "7b6f3c52-0000-4f0e-9a51-0d6f6f1c2a10") == 1
    assert "HTTP 404" in run.err


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("PLEXYPAY_GATE_API_KEY", "no API key: set the environment variable PLEXYPAY_GATE_API_KEY"),
        (
            "PLEXYPAY_GATE_BASE_URL",
            "no address: the vendor publishes none of the Plexy Gate API: give --base-url",
        ),
        ("PLEXYPAY_GATE_AGENT_ID", "no agent id: give --agent-id, or set the environment variable"),
    ],
)
def test_what_the_client_needs_is_told(
    gate: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch, variable: str, told: str
) -> None:
    monkeypatch.delenv(variable)
    assert run(*ORDER) == 2
    assert run.err.splitlines()[-1].startswith(f"plexypay: {told}")
    assert gate.count("gate.orders.create") == 0


def test_what_the_client_needs_may_be_given(
    gate: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*ORDER) == 0
    monkeypatch.delenv("PLEXYPAY_GATE_AGENT_ID")
    monkeypatch.delenv("PLEXYPAY_GATE_BASE_URL")
    way = ["--agent-id", AGENT, "--base-url", gate.base_url]
    assert run("gate", "orders", "list", *way) == 0
    assert len(run.lines) == 1
    other = ["--agent-id", "00000000-6c8e-4f0e-9a51-0d6f6f1c2a10", "--base-url", gate.base_url]
    assert run("gate", "orders", "list", *other) == 0
    assert run.lines == []
    assert run("gate", "orders", "list", "--agent-id", "..", "--base-url", gate.base_url) == 2
    assert run.err.startswith("plexypay: --agent-id: expected an id as text")


def test_a_sandbox_of_its_own_needs_neither_key_nor_agent(run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("PLEXYPAY_")]:
        monkeypatch.delenv(variable)
    assert run(*ORDER[:-1], "--sandbox") == 0
    assert run.document["status"] == "pending"


@on_posix
def test_who_is_asked_sees_no_account_of_a_customer(gate: ServedSandbox) -> None:
    request = {"amount": "10.00", "customer_account": {"steam_login": "anna"}}
    command = ["gate", "orders", "create", "--product-id", "456", "--topup-request", json.dumps(request)]
    terminal = Terminal(command, columns=400)
    shown = terminal.read(until=r"\[y/N\] ")
    terminal.press(b"n\n")
    terminal.read()
    assert terminal.close() == 2
    host = gate.base_url.removeprefix("http://")
    assert f'Send to {host}: gate orders create {{"agent_id": "{AGENT}", "product_id": 456, ' in shown
    assert '"topup_request": {"amount": "10.00", "customer_account": "[hidden]"}' in shown
    assert "anna" not in shown
    assert gate.count("gate.orders.create") == 0


def test_a_listing_that_nobody_reads_tells_no_voucher(gate: ServedSandbox, run: Ran) -> None:
    code = voucher(run, completed(gate, run))
    read_end, write_end = os.pipe()
    os.close(read_end)
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "plexypay_async.cli", "gate", "orders", "list"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write_end)
    assert ended.returncode == 0
    assert code not in ended.stderr
    assert "Traceback" not in ended.stderr
