"""Transactions over real HTTP: what paying a link makes, in each shape, and what time does to it."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from plexypay_async.api.operation import declarations
from plexypay_async.errors import ConfigurationError
from plexypay_async.pay.payments import Payments
from plexypay_async.pay.transactions import Transactions
from plexypay_async.sandbox import Sandbox
from plexypay_async.sandbox.state.links import LinkStore

pytestmark = pytest.mark.asyncio

LINK = {"amount": 3_200_000, "currency": "KZT"}
LINKS = "/v1/payment-links"
TRANSACTIONS = "/v1/transactions"


async def paid_link(ask: Any, body: Any = None, **fields: Any) -> Any:
    link = (await ask("POST", LINKS, LINK | fields)).body
    return (await ask("POST", f"/_sandbox/payment-links/{link['id']}/pay", body, key=None)).body


async def transaction_of(ask: Any, link: Any) -> Any:
    return (await ask("GET", f"{TRANSACTIONS}/by-payment-link/{link['id']}")).body


async def history(ask: Any, identifier: str) -> list[str]:
    events = (await ask("GET", f"{TRANSACTIONS}/{identifier}/history")).body["data"]
    return [event["status"] for event in events]


async def test_every_declared_operation_is_served(sandbox: Sandbox) -> None:
    for group in (Transactions, Payments):
        declared = {item.name: (item.method, item.path) for item in declarations(group).values()}
        assert declared
        assert {name: at for name, at in sandbox.served().items() if name in declared} == declared


async def test_a_paid_link_makes_a_transaction(ask: Any, example: Callable[[str], Any]) -> None:
    link = await paid_link(ask, orderReference="booking-1")
    assert link["status"] == "paid"
    status, transaction, headers = await ask("GET", f"{TRANSACTIONS}/by-payment-link/{link['id']}")
    assert (status, headers.get("X-Evidence")) == (200, None)
    assert transaction.keys() == example("transaction.json").keys()
    identifier = transaction["transactionId"]
    assert transaction == {
        "transactionId": identifier,
        "paymentId": identifier,
        "status": "authorized",
        "amount": 32_000,
        "merchantReference": "booking-1",
    }
    assert (await ask("GET", f"{TRANSACTIONS}/{identifier}")).body == transaction
    found = await ask("GET", f"{TRANSACTIONS}/by-order-reference/booking-1")
    assert (found.body, found.headers["X-Evidence"]) == (transaction, "assumed")


async def test_a_list_shows_transactions_as_observed(ask: Any, example: Callable[[str], Any]) -> None:
    for reference in ("A-1", "A-2"):
        await paid_link(ask, orderReference=reference)
    status, page, headers = await ask("GET", f"{TRANSACTIONS}?page=1&size=50")
    assert (status, headers.get("X-Evidence")) == (200, None)
    expected = example("transactions-page.json")
    assert page.keys() == expected.keys()
    assert (page["page"], page["size"], page["total"]) == (1, 50, 2)
    assert [item["orderReference"] for item in page["data"]] == ["A-2", "A-1"]
    for item in page["data"]:
        assert item.keys() == expected["data"][0].keys()
        assert item["status"] == "TRANSACTION_STATUS_AUTHED"
        assert re.fullmatch("[0-9]{12}", item["rrn"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", item["createdAt"])


async def test_pages(ask: Any) -> None:
    for number in range(5):
        await paid_link(ask, orderReference=f"A-{number}")
    second = (await ask("GET", f"{TRANSACTIONS}?page=2&size=2")).body
    assert [item["orderReference"] for item in second["data"]] == ["A-2", "A-1"]
    assert (await ask("GET", f"{TRANSACTIONS}?page=4&size=2")).body["data"] == []
    far = await ask("GET", f"{TRANSACTIONS}?page=999999999999999999&size=100")
    assert (far.status, far.body["data"], far.body["total"]) == (200, [], 5)
    assert (await ask("GET", f"{TRANSACTIONS}?size=1000")).body["size"] == 100
    for query in ("page=0", "size=x"):
        refused = await ask("GET", f"{TRANSACTIONS}?{query}")
        assert (refused.status, refused.body["code"], refused.body["source"]) == (400, 3, "transactions")


@pytest.mark.parametrize(
    ("minor", "major"),
    [
        (1, "0.01"),
        (5641, "56.41"),
        (1550, "15.5"),
        (2_200_000, "22000"),
        (2**63 - 1, "92233720368547758.07"),
    ],
)
async def test_minor_units_become_major_units_exactly(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession, minor: int, major: str
) -> None:
    link = await paid_link(ask, amount=minor)
    transaction = await transaction_of(ask, link)
    headers = {"Authorization": sandbox.api_key}
    url = f"{sandbox.base_url}{TRANSACTIONS}/{transaction['transactionId']}"
    async with session.get(url, headers=headers) as response:
        read = json.loads(await response.text(), parse_float=str, parse_int=str)
    assert read["amount"] == major


@pytest.mark.parametrize("way", ["", "by-payment-link/", "by-order-reference/"])
async def test_what_is_not_there(ask: Any, way: str) -> None:
    reply = await ask("GET", f"{TRANSACTIONS}/{way}none")
    assert (reply.status, reply.body["code"], reply.body["message"]) == (404, 4, "transaction not found")
    assert (await ask("GET", f"{TRANSACTIONS}/none/history")).status == 404


async def test_a_link_that_nobody_paid_has_no_transaction(ask: Any) -> None:
    link = (await ask("POST", LINKS, LINK | {"orderReference": "A-1"})).body
    assert (await ask("GET", f"{TRANSACTIONS}/by-payment-link/{link['id']}")).status == 404
    assert (await ask("GET", f"{TRANSACTIONS}/by-order-reference/A-1")).status == 404


async def test_a_link_is_paid_once(ask: Any, sandbox: Sandbox) -> None:
    link = await paid_link(ask)
    again = await ask("POST", f"/_sandbox/payment-links/{link['id']}/pay")
    assert (again.status, again.body["code"]) == (422, 5)
    assert "paid" in again.body["message"]
    with pytest.raises(ValueError, match="that is paid cannot be paid"):
        sandbox.pay(link["id"])
    assert len(sandbox.transactions()) == 1


async def test_an_automatic_capture_an_hour_later(ask: Any, sandbox: Sandbox) -> None:
    transaction = await transaction_of(ask, await paid_link(ask))
    path = f"{TRANSACTIONS}/{transaction['transactionId']}"
    sandbox.clock.advance(minutes=59)
    assert (await ask("GET", path)).body["status"] == "authorized"
    sandbox.clock.advance(minutes=30)
    assert (await ask("GET", path)).body == transaction | {"status": "charged"}
    (listed,) = (await ask("GET", TRANSACTIONS)).body["data"]
    assert listed["status"] == "TRANSACTION_STATUS_CHARGED"
    status, body, headers = await ask("GET", f"{path}/history")
    assert (status, headers["X-Evidence"]) == (200, "assumed")
    events = body["data"]
    assert [event["status"] for event in events] == ["created", "authorized", "charged"]
    assert [event["amount"] for event in events] == [32_000] * 3
    authorized, charged = (datetime.fromisoformat(event["createdAt"]) for event in events[1:])
    assert charged - authorized == timedelta(hours=1)
    (whole,) = sandbox.transactions()
    assert datetime.fromisoformat(whole["confirmedAt"]) == charged
    assert (whole["processedAmount"], whole["balance"]) == (32_000, 32_000)


async def test_without_automatic_clearing_the_vendor_captures_after_five_days(
    ask: Any, sandbox: Sandbox
) -> None:
    link = await paid_link(ask, autoClearing=False)
    sandbox.clock.advance(hours=119)
    assert (await transaction_of(ask, link))["status"] == "authorized"
    sandbox.clock.advance(hours=1)
    assert (await transaction_of(ask, link))["status"] == "charged"


async def test_what_is_cancelled_is_not_captured_by_time(ask: Any, sandbox: Sandbox) -> None:
    transaction = await transaction_of(ask, await paid_link(ask))
    identifier = transaction["transactionId"]
    assert (await ask("POST", f"/v1/payments/{identifier}/cancel")).status == 200
    sandbox.clock.advance(hours=200)
    assert await history(ask, identifier) == ["created", "authorized", "cancelled"]


@pytest.mark.parametrize(
    ("payment", "amount", "states", "status"),
    [
        ({"card": "4200000000000000"}, 100, ["created", "authorized"], "paid"),
        ({"card": "4200 0000 0000 0000"}, 100, ["created", "authorized"], "paid"),
        ({"card": "4200000000000000"}, 20510_00, ["created", "rejected"], "active"),
        ({"card": "4907639999909022"}, 100, ["created", "authorized"], "paid"),
        ({"card": "4907639999990022"}, 100, ["created", "rejected"], "active"),
        ({"card": "4111111111111110"}, 100, ["created", "rejected"], "active"),
        ({"card": "4111111111111111"}, 100, ["created", "3d", "authorized"], "paid"),
        ({"card": "4111111111111111", "otp": "555"}, 100, ["created", "3d", "authorized"], "paid"),
        ({"card": "4111111111111111", "otp": "111"}, 100, ["created", "3d", "rejected"], "active"),
        ({"card": "4111111111111111", "otp": "pending"}, 100, ["created", "3d"], "active"),
        ({"card": "4111111111111111", "cvv": "444"}, 100, ["created", "3d", "rejected"], "active"),
        ({"card": "4111111111111111"}, 20050_00, ["created", "3d", "rejected"], "active"),
        ({"card": "4918914107195005"}, 100, ["created", "3d", "authorized"], "paid"),
        ({"card": "5168159443230322"}, 100, ["created", "3d", "rejected"], "active"),
        ({"failed": True}, 100, ["created", "failed"], "active"),
    ],
)
async def test_the_test_cards(ask: Any, payment: Any, amount: int, states: list[str], status: str) -> None:
    link = await paid_link(ask, payment, amount=amount)
    assert link["status"] == status
    transaction = await transaction_of(ask, link)
    assert transaction["status"] == states[-1]
    assert await history(ask, transaction["transactionId"]) == states


async def test_after_a_refusal_the_link_can_be_paid(ask: Any, sandbox: Sandbox) -> None:
    link = await paid_link(ask, {"card": "4907639999990022"}, orderReference="A-1")
    assert link["status"] == "active"
    paid = sandbox.pay(link["id"], card="4907639999909022")
    assert (paid["status"], paid["last4"], paid["amount"]) == ("authorized", "9022", 32_000)
    assert [item["status"] for item in sandbox.transactions()] == ["rejected", "authorized"]
    assert (await transaction_of(ask, link))["transactionId"] == paid["id"]
    found = (await ask("GET", f"{TRANSACTIONS}/by-order-reference/A-1")).body
    assert found["transactionId"] == paid["id"]
    assert (await ask("GET", f"{LINKS}/{link['id']}")).body["status"] == "paid"


@pytest.mark.parametrize("end", ["paid", "cancelled"])
async def test_a_challenge_that_is_passed_too_late(ask: Any, sandbox: Sandbox, end: str) -> None:
    link = await paid_link(ask, {"card": "4111111111111111", "otp": "pending"})
    late = (await transaction_of(ask, link))["transactionId"]
    if end == "paid":
        sandbox.pay(link["id"])
    else:
        await ask("DELETE", f"{LINKS}/{link['id']}")
    answer = (await ask("POST", "/v1/3ds/callback", {"cres": "555", "transactionId": late})).body
    assert (answer["success"], answer["code"]) == (False, "LINK")
    assert await history(ask, late) == ["created", "3d", "rejected"]
    assert (await ask("GET", f"{LINKS}/{link['id']}")).body["status"] == end


async def test_a_challenge_that_is_passed_later_pays_the_link(ask: Any) -> None:
    link = await paid_link(ask, {"card": "4111111111111111", "otp": "pending"})
    transaction = await transaction_of(ask, link)
    assert transaction["status"] == "3d"
    body = {"cres": "555", "transactionId": transaction["transactionId"]}
    assert (await ask("POST", "/v1/3ds/callback", body)).body["success"] is True
    assert (await ask("GET", f"{LINKS}/{link['id']}")).body["status"] == "paid"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"card": "4000056655665556"}, 422, 5),
        ({"card": ""}, 422, 5),
        ({"card": 4200000000000000}, 400, 3),
        ({"otp": 555}, 400, 3),
        ({"failed": "yes"}, 400, 3),
        (b"{", 400, 3),
        (b"[]", 400, 3),
    ],
)
async def test_a_payment_that_cannot_be(
    ask: Any, sandbox: Sandbox, body: Any, status: int, code: int
) -> None:
    link = (await ask("POST", LINKS, LINK)).body
    refused = await ask("POST", f"/_sandbox/payment-links/{link['id']}/pay", body)
    assert (refused.status, refused.body["code"]) == (status, code)
    assert "4000056655665556" not in refused.body["message"]
    assert sandbox.transactions() == []


async def test_a_card_that_no_sandbox_knows_or_a_link(sandbox: Sandbox, ask: Any) -> None:
    link = (await ask("POST", LINKS, LINK)).body
    with pytest.raises(ValueError, match="none of the test cards") as refused:
        sandbox.pay(link["id"], card="4000056655665556")
    assert "4000056655665556" not in str(refused.value)
    with pytest.raises(ValueError, match="not found"):
        sandbox.pay("pl_none")


async def test_stored_transactions_are_shown_whole(
    ask: Any, sandbox: Sandbox, example: Callable[[str], Any]
) -> None:
    await paid_link(ask, {"card": "4111111111111111"}, orderReference="A-1", customerId="c-1")
    link = await paid_link(ask, orderReference="A-2", description="Заказ")
    first, second = sandbox.transactions()
    assert second.keys() == example("webhook-transaction.json")["data"].keys()
    assert (first["last4"], first["secure3d"], first["customerId"]) == ("1111", True, "c-1")
    assert (second["type"], second["paymentLinkId"]) == ("payment", link["id"])
    assert (second["merchantReference"], second["description"]) == ("A-2", "Заказ")
    assert (second["authedAt"], second["processedAt"]) == (second["updatedAt"], None)
    body = (await ask("GET", "/_sandbox/transactions", key=None)).body
    assert body == {"data": [second, first], "page": 1, "size": 1000, "total": 2}
    assert (await ask("GET", "/_sandbox/transactions?page=2&size=1")).body["data"] == [first]
    assert "4111111111111111" not in json.dumps(body)


async def test_a_sandbox_that_is_not_running() -> None:
    sandbox = Sandbox()
    with pytest.raises(ConfigurationError, match="not running"):
        sandbox.transactions()
    with pytest.raises(ConfigurationError, match="not running"):
        sandbox.pay("pl_none")


async def test_reset_forgets_transactions(ask: Any, sandbox: Sandbox) -> None:
    link = await paid_link(ask)
    identifier = (await transaction_of(ask, link))["transactionId"]
    sandbox.reset()
    assert sandbox.transactions() == []
    assert (await ask("GET", f"{TRANSACTIONS}/{identifier}/history")).status == 404
    assert (await ask("GET", TRANSACTIONS)).body["total"] == 0


async def test_paying_from_other_threads(ask: Any, sandbox: Sandbox) -> None:
    links = [(await ask("POST", LINKS, LINK)).body["id"] for _ in range(20)]

    def pay() -> int:
        paid = 0
        for link in links:
            try:
                paid += sandbox.pay(link)["status"] == "authorized"
            except ValueError:
                continue
        return paid

    counts = await asyncio.gather(*(asyncio.to_thread(pay) for _ in range(4)))
    states = [item["status"] for item in sandbox.transactions()]
    assert (sum(counts), states.count("authorized")) == (20, 20)
    assert {state for state in states if state != "authorized"} <= {"rejected"}


async def test_a_file_keeps_transactions(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    key = {"Authorization": "sandbox-key"}
    async with (
        Sandbox(database=path) as first,
        aiohttp.ClientSession(first.base_url, headers=key) as session,
        session.post(LINKS, json=LINK) as response,
    ):
        first.pay((await response.json())["id"])
        kept = first.transactions()
    async with Sandbox(database=path) as second:
        assert second.transactions() == kept
        second.clock.advance(hours=1)
        assert second.transactions()[0]["status"] == "charged"


async def test_a_file_from_before_there_were_transactions(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(LinkStore.schema)
        connection.execute("PRAGMA application_id=1349285968")
        connection.execute("PRAGMA user_version=1")
        connection.execute(
            "INSERT INTO payment_links (id, amount, currency, auto_clearing, validation, created_at,"
            " updated_at) VALUES ('pl_old', 500, 'KZT', 1, 0, 0, 0)"
        )
        connection.commit()
    async with Sandbox(database=path) as sandbox:
        assert sandbox.pay("pl_old")["amount"] == 5
