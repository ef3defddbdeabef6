"""Payment links over real HTTP: shapes as published, and each step of a link's life."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from yarl import URL

from plexypay_async.api.operation import Evidence, declarations
from plexypay_async.pay.payment_links import PaymentLinks
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

LINK = {"amount": 2_200_000, "currency": "KZT"}


def wire_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_every_declared_operation_is_served(sandbox: Sandbox) -> None:
    declared = {item.name: (item.method, item.path) for item in declarations(PaymentLinks).values()}
    assert declared
    assert {name: at for name, at in sandbox.served().items() if name in declared} == declared


async def test_an_operation_that_is_not_served_would_be_noticed(ask: Any, sandbox: Sandbox) -> None:
    for method, path in sandbox.served().values():
        filled = re.sub(r"\{\w+\}", "pl_none", path)
        reply = await ask(method, filled, {"expiresAt": "2099-01-01T00:00:00Z"})
        assert reply.body.get("message") != f"no such path: {filled}"
        assert reply.status != 405


async def test_create_answers_as_published(ask: Any, example: Callable[[str], Any], sandbox: Sandbox) -> None:
    request = example("payment-link-create.request.json") | {"expiresAt": "2099-03-14T00:00:00Z"}
    before = datetime.now(UTC).replace(microsecond=0)
    status, link, headers = await ask("POST", "/v1/payment-links", request)
    assert status == 201
    assert "X-Evidence" not in headers
    assert link.keys() == example("payment-link.newer.json").keys()
    assert {type(value) for value in link.values()} == {
        type(value) for value in example("payment-link.newer.json").values()
    }
    assert re.fullmatch("pl_[0-9a-f]{32}", link["id"])
    assert link["url"] == f"{sandbox.base_url}/checkout/{link['id']}"
    for name in ("amount", "currency", "customerId", "description", "expiresAt", "metadata", "autoClearing"):
        assert link[name] == request[name]
    assert link["orderReference"] == "ORD123456"
    assert (link["status"], link["validation"]) == ("active", False)
    assert link["createdAt"] == link["updatedAt"]
    assert before <= datetime.fromisoformat(link["createdAt"]) <= datetime.now(UTC)
    assert link["createdAt"] == wire_time(datetime.fromisoformat(link["createdAt"]))


async def test_what_is_not_given_is_null_or_the_default(ask: Any) -> None:
    _, link, _ = await ask("POST", "/v1/payment-links", LINK | {"description": None})
    names = ("description", "orderReference", "customerId", "metadata", "expiresAt")
    assert [link[name] for name in names] == [None] * 5
    assert (link["autoClearing"], link["validation"]) == (True, False)


async def test_metadata_comes_back_as_it_was_sent(ask: Any) -> None:
    metadata: dict[str, Any] = {
        "successUrl": "https://example.com/ok",
        "Заказ": "№ 7",
        "n": [1, None, {"x": 1.5}],
        "e": {},
    }
    _, created, _ = await ask("POST", "/v1/payment-links", LINK | {"metadata": metadata})
    _, found, _ = await ask("GET", f"/v1/payment-links/{created['id']}")
    assert found["metadata"] == created["metadata"] == metadata


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2099-03-14T00:00:00Z", "2099-03-14T00:00:00Z"),
        ("2099-03-14T05:00:00+05:00", "2099-03-14T00:00:00Z"),
        ("2099-03-14T00:00:00.250000Z", "2099-03-14T00:00:00.250000Z"),
    ],
)
async def test_times_are_written_in_utc(ask: Any, sent: str, shown: str) -> None:
    _, link, _ = await ask("POST", "/v1/payment-links", LINK | {"expiresAt": sent})
    assert link["expiresAt"] == shown


async def test_retrieve_shows_the_link_as_created(ask: Any) -> None:
    _, created, _ = await ask("POST", "/v1/payment-links", LINK | {"orderReference": "A-1"})
    status, found, headers = await ask("GET", f"/v1/payment-links/{created['id']}")
    assert (status, found) == (200, created)
    assert "X-Evidence" not in headers


@pytest.mark.parametrize(
    ("reference", "encoded"),
    [
        ("ORD-1", "ORD-1"),
        ("a/b", "a%2Fb"),
        ("50% off + more?", "50%25%20off%20%2B%20more%3F"),
        ("%2F", "%252F"),
        ("Заказ 7", "%D0%97%D0%B0%D0%BA%D0%B0%D0%B7%207"),
        ("{x}", "%7Bx%7D"),
        ("statistics", "statistics"),
    ],
)
async def test_retrieve_by_order_reference(ask: Any, sandbox: Sandbox, reference: str, encoded: str) -> None:
    _, created, _ = await ask("POST", "/v1/payment-links", LINK | {"orderReference": reference})
    path = f"/v1/payment-links/by-order-reference/{encoded}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": sandbox.api_key}) as session,
        session.get(URL(sandbox.base_url + path, encoded=True)) as response,
    ):
        assert response.status == 200
        assert response.headers["X-Evidence"] == PaymentLinks.retrieve_by_order_reference.evidence.value
        assert await response.json() == created


async def test_an_order_reference_is_taken_once(ask: Any, sandbox: Sandbox) -> None:
    await ask("POST", "/v1/payment-links", LINK | {"orderReference": "A-1"})
    status, body, _ = await ask("POST", "/v1/payment-links", LINK | {"orderReference": "A-1", "amount": 7})
    assert (status, body) == (
        422,
        {
            "code": 5,
            "message": "payment link with provided order reference already exists",
            "source": "paymentLinks",
            "type": "validationError",
        },
    )
    assert [link["amount"] for link in sandbox.payment_links()] == [LINK["amount"]]


async def test_links_without_a_reference_do_not_collide(ask: Any, sandbox: Sandbox) -> None:
    for _ in range(2):
        status, _, _ = await ask("POST", "/v1/payment-links", LINK)
        assert status == 201
    assert len(sandbox.payment_links()) == 2


async def test_a_race_for_one_reference_has_one_winner(ask: Any, sandbox: Sandbox) -> None:
    replies = await asyncio.gather(
        *(ask("POST", "/v1/payment-links", LINK | {"orderReference": "A-1"}) for _ in range(50))
    )
    assert sorted(reply.status for reply in replies) == [201] + [422] * 49
    assert len(sandbox.payment_links()) == 1


async def test_update_expiration(ask: Any, sandbox: Sandbox) -> None:
    _, created, _ = await ask("POST", "/v1/payment-links", LINK | {"expiresAt": "2099-01-01T00:00:00Z"})
    sandbox.clock.advance(minutes=1)
    path = f"/v1/payment-links/{created['id']}"
    status, moved, _ = await ask("PATCH", path, {"expiresAt": "2099-06-01T00:00:00Z"})
    assert status == 200
    assert moved == created | {"expiresAt": "2099-06-01T00:00:00Z", "updatedAt": moved["updatedAt"]}
    assert moved["updatedAt"] > created["updatedAt"]
    assert (await ask("GET", path)).body == moved


async def test_update_expiration_repeats(ask: Any) -> None:
    _, created, _ = await ask("POST", "/v1/payment-links", LINK)
    path = f"/v1/payment-links/{created['id']}"
    for _ in range(2):
        assert (await ask("PATCH", path, {"expiresAt": "2099-06-01T00:00:00Z"})).status == 200


async def test_cancel_answers_the_link_and_only_once(ask: Any) -> None:
    _, created, _ = await ask("POST", "/v1/payment-links", LINK)
    path = f"/v1/payment-links/{created['id']}"
    status, cancelled, _ = await ask("DELETE", path)
    assert status == 200
    assert cancelled == created | {"status": "cancelled", "updatedAt": cancelled["updatedAt"]}
    status, body, _ = await ask("DELETE", path)
    assert (status, body["code"], body["type"]) == (422, 5, "validationError")
    assert "cancelled" in body["message"]


@pytest.mark.parametrize("end", ["paid", "expired", "cancelled"])
async def test_what_has_ended_is_not_changed_any_more(ask: Any, sandbox: Sandbox, end: str) -> None:
    expires_at = wire_time(datetime.now(UTC) + timedelta(hours=1))
    _, link, _ = await ask("POST", "/v1/payment-links", LINK | {"expiresAt": expires_at})
    path = f"/v1/payment-links/{link['id']}"
    if end == "paid":
        await ask("POST", f"/_sandbox/payment-links/{link['id']}/pay")
    elif end == "cancelled":
        await ask("DELETE", path)
    else:
        sandbox.clock.advance(hours=2)
    assert (await ask("GET", path)).body["status"] == end
    for method, way in (("PATCH", path), ("DELETE", path), ("POST", f"/_sandbox{path[3:]}/pay")):
        reply = await ask(method, way, {"expiresAt": "2099-06-01T00:00:00Z"})
        assert (reply.status, reply.body["code"]) == (422, 5)
        assert reply.body["message"].startswith(f"status: a link that is {end}")
    assert (await ask("GET", path)).body["status"] == end


async def test_a_link_expires_at_its_time_by_the_sandboxes_clock(ask: Any, sandbox: Sandbox) -> None:
    now = sandbox.clock.now()
    expires_at = wire_time(now + timedelta(hours=1))
    _, link, _ = await ask("POST", "/v1/payment-links", LINK | {"expiresAt": expires_at})
    path = f"/v1/payment-links/{link['id']}"
    sandbox.clock.advance(minutes=59)
    assert (await ask("GET", path)).body["status"] == "active"
    sandbox.clock.advance(minutes=1)
    reply = await ask("GET", path)
    assert (reply.body["status"], reply.body["updatedAt"]) == ("expired", expires_at)
    listed = (await ask("GET", "/v1/payment-links?status=expired")).body
    assert [item["id"] for item in listed["data"]] == [link["id"]]
    _, later, _ = await ask("POST", "/v1/payment-links", LINK)
    assert later["createdAt"] >= expires_at


async def test_an_expiration_that_moved_is_the_one_that_counts(ask: Any, sandbox: Sandbox) -> None:
    soon, later = (wire_time(sandbox.clock.now() + timedelta(hours=hours)) for hours in (1, 3))
    _, link, _ = await ask("POST", "/v1/payment-links", LINK | {"expiresAt": soon})
    path = f"/v1/payment-links/{link['id']}"
    await ask("PATCH", path, {"expiresAt": later})
    sandbox.clock.advance(hours=2)
    assert (await ask("GET", path)).body["status"] == "active"
    sandbox.clock.advance(hours=2)
    assert (await ask("GET", path)).body["status"] == "expired"


async def test_statistics_count_by_state_and_currency(ask: Any) -> None:
    for amount, currency in ((1, "KZT"), (2, "KZT"), (4, "USD"), (2**63 - 1, "EUR"), (2**63 - 1, "EUR")):
        await ask("POST", "/v1/payment-links", {"amount": amount, "currency": currency})
    _, paid, _ = await ask("POST", "/v1/payment-links", LINK)
    await ask("POST", f"/_sandbox/payment-links/{paid['id']}/pay")
    status, body, headers = await ask("GET", "/v1/payment-links/statistics")
    assert status == 200
    assert headers["X-Evidence"] == "assumed"
    assert body == {
        "data": [
            {"status": "active", "currency": "EUR", "count": 2, "amount": 2**64 - 2},
            {"status": "active", "currency": "KZT", "count": 2, "amount": 3},
            {"status": "active", "currency": "USD", "count": 1, "amount": 4},
            {"status": "paid", "currency": "KZT", "count": 1, "amount": LINK["amount"]},
        ]
    }


async def test_what_is_assumed_says_so(ask: Any, sandbox: Sandbox) -> None:
    for name, operation in declarations(PaymentLinks).items():
        path = re.sub(r"\{\w+\}", "none", operation.path)
        reply = await ask(operation.method, path, {"expiresAt": "2099-01-01T00:00:00Z"})
        assumed = operation.evidence is Evidence.ASSUMED
        assert reply.headers.get("X-Evidence") == ("assumed" if assumed else None), name
