"""What the page of the sandbox's content says of each thing in its line, and how one is found there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

LINKS = "/v1/payment-links"
ORDERS = "/v1/merchants/settlement-payment-orders"
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
BENEFICIARY = "aed26d75-2c00-49a1-a626-14d45b8f0dfb"
KINDS = ("links", "transactions", "sessions", "payments", "orders", "webhooks")


@pytest_asyncio.fixture
async def sandbox(receiver: Any) -> AsyncIterator[Sandbox]:
    async with Sandbox(webhook_url=receiver.url, webhook_pauses=()) as running:
        yield running


@pytest_asyncio.fixture
async def made(ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession) -> dict[str, Any]:
    """Two links, the first paid, the second's payment rejected; a session, its payment; an agent's order."""
    first, second = [
        (await ask("POST", LINKS, {"amount": 1, "currency": "KZT", "orderReference": f"Ord-{n}_%"})).body
        for n in (1, 2)
    ]
    paid = sandbox.pay(first["id"])
    rejected = sandbox.pay(second["id"], card="4907639999990022")
    body = {"merchantAccount": "Shop", "amount": {"currency": "KZT", "value": 1}, "reference": "Basket-3"}
    async with session.post(
        f"{sandbox.base_url}/v2/sessions",
        json={**body, "returnUrl": "http://localhost/"},
        headers={"x-api-key": sandbox.api_key},
    ) as answer:
        opened = await answer.json()
    payment = sandbox.pay_session(opened["id"])
    async with session.post(
        f"{sandbox.base_url}/agent/{AGENT}/orders",
        json={"product_id": 101, "external_ref": "Agent-9"},
        headers={"Authorization": sandbox.api_key, "Idempotency-Key": "key-0001"},
    ) as answer:
        order = await answer.json()
    await sandbox.deliveries.settled()
    return {
        "order": order["id"],
        "first": first["id"],
        "second": second["id"],
        "paid": paid["id"],
        "rejected": rejected["id"],
        "session": opened["id"],
        "payment": payment["pspReference"],
    }


async def text_of(sandbox: Sandbox, session: aiohttp.ClientSession, query: str = "") -> str:
    async with session.get(f"{sandbox.base_url}/{query}") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        return await response.text()


def lines(text: str) -> dict[str, list[str]]:
    """Return the lines of each list, without their markup."""
    found: dict[str, list[str]] = {}
    for name in KINDS:
        (section,) = re.findall(f'<section id="{name}".*?</section>', text, re.DOTALL)
        summaries = re.findall("<summary>(.*?)</summary>", section, re.DOTALL)
        found[name] = [" ".join(unescape(re.sub("<[^>]*>", " ", line)).split()) for line in summaries]
    return found


def counts(text: str) -> tuple[int, ...]:
    return tuple(len(of_kind) for of_kind in lines(text).values())


async def test_a_webhook_says_which_order_and_transaction_it_is_of(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession, made: dict[str, Any]
) -> None:
    order = await ask("POST", ORDERS, {"amount": 5, "currency": "KZT", "beneficiary_id": BENEFICIARY})
    webhooks = lines(await text_of(sandbox, session))["webhooks"]
    assert webhooks[0].endswith(f"payment order {order.body['id']}")
    assert re.match(rf"payment\.succeeded .* Basket-3 payment {made['payment']}$", webhooks[1])
    assert re.match(rf"transaction\.rejected .* Ord-2_% transaction {made['rejected']}$", webhooks[2])
    assert re.match(rf"transaction\.authorized .* Ord-1_% transaction {made['paid']}$", webhooks[4])


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("Ord-", (2, 2, 0, 0, 0, 4)),
        ("ord-1", (1, 1, 0, 0, 0, 2)),
        ("{first}", (1, 1, 0, 0, 0, 2)),
        ("  {first}  ", (1, 1, 0, 0, 0, 2)),
        ("{paid}", (0, 1, 0, 0, 0, 2)),
        ("{paid:.8}", (0, 1, 0, 0, 0, 2)),
        ("{payment}", (0, 0, 0, 1, 0, 1)),
        ("{session}", (0, 0, 1, 1, 0, 0)),
        ("basket-3", (0, 0, 1, 1, 0, 1)),
        ("paid", (1, 0, 1, 0, 0, 0)),
        ("ACTIVE", (1, 0, 0, 0, 0, 0)),
        ("authorized", (0, 1, 0, 0, 0, 0)),
        ("authorised", (0, 0, 0, 1, 0, 0)),
        ("{order}", (0, 0, 0, 0, 1, 0)),
        ("AGENT", (0, 0, 0, 0, 1, 0)),
        ("key-0001", (0, 0, 0, 0, 1, 0)),
        ("pending", (0, 0, 0, 0, 1, 0)),
        ("delivered", (0, 0, 0, 0, 0, 5)),
        ("transaction.created", (0, 0, 0, 0, 0, 2)),
        # What is a wildcard elsewhere is text here, and what is no id's beginning finds no id.
        ("_%", (2, 2, 0, 0, 0, 4)),
        ("%", (2, 2, 0, 0, 0, 4)),
        ("O_d", (0, 0, 0, 0, 0, 0)),
        ("pl_", (0, 0, 0, 0, 0, 0)),
        ("'", (0, 0, 0, 0, 0, 0)),
        ("\0", (0, 0, 0, 0, 0, 0)),
        ("nothing such", (0, 0, 0, 0, 0, 0)),
    ],
)
async def test_a_search_finds(
    sandbox: Sandbox,
    session: aiohttp.ClientSession,
    made: dict[str, Any],
    search: str,
    found: tuple[int, ...],
) -> None:
    asked = search.format(**made)
    text = await text_of(sandbox, session, f"?q={quote(asked)}")
    assert counts(text) == found
    assert text.count("None found.") == found.count(0)
    assert f'value="{unescape(asked.strip())}"'.replace("'", "&#x27;") in text


async def test_a_webhook_s_id_finds_it(
    sandbox: Sandbox, session: aiohttp.ClientSession, made: dict[str, Any]
) -> None:
    for delivery in sandbox.deliveries:
        assert counts(await text_of(sandbox, session, f"?q={delivery.id}")) == (0, 0, 0, 0, 0, 1)


async def test_an_order_of_gate_says_what_it_is_and_costs(
    sandbox: Sandbox, session: aiohttp.ClientSession, made: dict[str, Any]
) -> None:
    (order,) = lines(await text_of(sandbox, session))["orders"]
    assert re.fullmatch(r"12\.50 USD pending .* Agent-9 product 101", order)
    sandbox.clock.advance(seconds=5)
    (order,) = lines(await text_of(sandbox, session, "?q=completed"))["orders"]
    assert re.fullmatch(r"12\.50 USD completed .* Agent-9 product 101", order)


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20", "?links=1"])
async def test_without_a_search_all_is_shown(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession, made: dict[str, Any], query: str
) -> None:
    await ask("POST", LINKS, {"amount": 1, "currency": "KZT"})
    text = await text_of(sandbox, session, query)
    assert counts(text) == (3, 2, 1, 1, 1, 5)
    assert 'role="status"' not in text


@pytest.mark.parametrize(
    "query", ["?q=%ff", "?q=%ed%a0%80", "?q=" + "x" * 5000, "?q=<script>alert(1)</script>"]
)
async def test_what_is_searched_for_stays_text(
    sandbox: Sandbox, session: aiohttp.ClientSession, made: dict[str, Any], query: str
) -> None:
    text = await text_of(sandbox, session, query)
    assert counts(text) == (0, 0, 0, 0, 0, 0)
    assert "<script" not in text
    assert "x" * 201 not in text


async def test_pages_and_forms_keep_the_search(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession, receiver: Any
) -> None:
    links = [
        (await ask("POST", LINKS, {"amount": 1, "currency": "KZT", "orderReference": f"A&B {n}"})).body["id"]
        for n in range(51)
    ]
    await ask("POST", LINKS, {"amount": 1, "currency": "KZT", "orderReference": "Other"})
    sandbox.pay(links[-1])
    await sandbox.deliveries.settled()
    text = await text_of(sandbox, session, "?q=A%26B")
    assert counts(text) == (50, 1, 0, 0, 0, 2)
    assert 'href="/?q=A%26B&amp;links=2#links"' in text
    text = await text_of(sandbox, session, "?q=A%26B&links=2")
    assert counts(text) == (1, 1, 0, 0, 0, 2)
    assert (
        '<input type="hidden" name="q" value="A&amp;B">\n<input type="hidden" name="links" value="2">' in text
    )
    sent = next(iter(sandbox.deliveries))
    form = {"resend": sent.id, "q": "delivered", "links": "2"}
    receiver.answers = [500]
    async with session.post(f"{sandbox.base_url}/", data=form) as response:
        (step,) = response.history
        assert step.headers["Location"] == f"/?q=delivered&links=2&resent={sent.id}#{sent.id}"
        text = await response.text()
    # The search does not find it any more, so the note says what became of it.
    assert counts(text)[5] == 1
    assert re.search(r'role="status">transaction\.created was sent once more, and is .*>failed<', text)
    assert f'href="/?q={sent.id}"' in text


async def test_states_have_colours_of_their_own(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession, made: dict[str, Any], receiver: Any
) -> None:
    third = (await ask("POST", LINKS, {"amount": 1, "currency": "KZT"})).body["id"]
    sandbox.pay(third, card="4111111111111111", otp="pending")
    fourth = (await ask("POST", LINKS, {"amount": 1, "currency": "KZT"})).body["id"]
    await ask("DELETE", f"{LINKS}/{fourth}")
    text = await text_of(sandbox, session)
    colours = {state: tone for tone, state in re.findall(r'class="state (\w+)">(\w+)<', text)}
    assert colours["active"] == "open"
    assert colours["3d"] == "wait"
    assert colours["paid"] == "good"
    assert colours["authorized"] == colours["authorised"] == "held"
    assert colours["rejected"] == "bad"
    assert colours["cancelled"] == "over"
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    variables = [re.findall(rf"\.{tone} {{ color: (.*?);", style) for tone in {*colours.values()}]
    assert len({str(variable) for variable in variables}) == len({*colours.values()})
