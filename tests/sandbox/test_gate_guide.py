"""The code of docs/gate.md as printed, against the sandbox."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyGate, PlexyPayError, RetryPolicy
from plexypay_async.sandbox import Sandbox
from tests.docs.blocks import run_by, shown_lines

pytestmark = pytest.mark.asyncio

GUIDE = Path(__file__).parents[2] / "docs" / "gate.md"
CLIENT, CATALOGUE, ORDER, TOPUP, AGAIN, SEARCH = run_by(__file__)
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"


async def run(code: str, names: dict[str, Any]) -> None:
    """Run code of the guide as the body of a function; its variables are in the names afterwards."""
    made = "gate, kinds, balance, order, topup, key, found"
    lines = ["async def page():", f"    global {made}", textwrap.indent(code, "    ")]
    exec(compile("\n".join(lines), str(GUIDE), "exec"), names)
    await names["page"]()


@pytest_asyncio.fixture
async def names(sandbox: Sandbox) -> AsyncIterator[dict[str, Any]]:
    names: dict[str, Any] = {"api_key": sandbox.api_key, "agent_id": AGENT, "base_url": sandbox.base_url}
    await run(CLIENT, names)
    async with names["gate"]:
        yield names


async def test_the_guide_is_short() -> None:
    assert shown_lines(GUIDE) <= 120


async def test_what_can_be_sold(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    await run(CATALOGUE, names)

    assert names["balance"].available == Decimal("1000.00")
    assert "101 Game Card 10 USD redeem_card 10 USD" in capsys.readouterr().out


async def test_a_voucher(names: dict[str, Any], sandbox: Sandbox) -> None:
    handed_over: list[str] = []
    names["hand_over"] = handed_over.append
    ordering = asyncio.create_task(run(ORDER, names))
    while not sandbox.gate_orders():
        await asyncio.sleep(0.01)
    sandbox.clock.advance(seconds=10)
    await ordering

    (order,) = sandbox.gate_orders()
    assert handed_over == [order["order_content"]["voucher_code"]]
    assert (names["order"].status, order["external_ref"]) == ("completed", "INV-1001")


async def test_a_top_up(names: dict[str, Any]) -> None:
    await run(TOPUP, names)

    assert (names["topup"].charged_amount, names["topup"].external_ref) == (Decimal("12.50"), "INV-1002")


async def test_an_order_of_which_nobody_knows_is_asked_for_again(
    names: dict[str, Any], sandbox: Sandbox
) -> None:
    gate = names["gate"] = names["gate"].with_options(retry=RetryPolicy(max_attempts=1))
    assert isinstance(gate, AsyncPlexyGate)
    names["remember"] = lambda reference: f"key-of-{reference}"
    sandbox.faults.add("cut=after,times=1,operation=gate.orders.create")
    await run(AGAIN, names)

    (order,) = sandbox.gate_orders()
    assert (names["order"].id, order["idempotency_key"]) == (order["id"], "key-of-INV-1003")
    assert sandbox.requests.count("gate.orders.create") == 2
    await run(SEARCH, names)
    assert names["found"].id == order["id"]


async def test_a_refused_order_is_raised(names: dict[str, Any], sandbox: Sandbox) -> None:
    names["remember"] = lambda reference: f"key-of-{reference}"
    sandbox.faults.add("status=400,operation=gate.orders.create")
    with pytest.raises(PlexyPayError, match="HTTP 400"):
        await run(AGAIN, names)
    await run(SEARCH, {**names, "key": "key-of-INV-1003"})
    assert sandbox.gate_orders() == []
