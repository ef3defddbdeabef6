"""The groups whose bodies are not known, over real HTTP: what is posted is kept, and nothing is checked."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from plexypay_async.api.operation import Declaration, declarations
from plexypay_async.pay.beneficiaries import Beneficiaries
from plexypay_async.pay.customers import Customers
from plexypay_async.pay.merchant import MerchantAccount
from plexypay_async.pay.payouts import Payouts
from plexypay_async.pay.split_requests import SplitRequests
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

SPLITS, PAYOUTS, CARDS = "/v1/split-requests", "/v1/payouts", "/v1/payouts/cards"
CUSTOMERS, BENEFICIARIES, MERCHANT = "/v1/customers", "/v1/merchants/beneficiaries", "/v1/merchants/me"
KEPT = [SPLITS, CUSTOMERS, BENEFICIARIES]
ANYTHING: dict[str, Any] = {
    "amount": 56.41,
    "Имя": "Айгерім",
    "deep": {"list": [1, None, {"x": []}], "empty": {}},
    "large": 2**63,
    "none": None,
}


def declared() -> list[Declaration[...]]:
    groups = (SplitRequests, Payouts, Customers, Beneficiaries, MerchantAccount)
    return [operation for group in groups for operation in declarations(group).values()]


async def test_every_declared_operation_is_served_as_assumed(ask: Any, sandbox: Sandbox) -> None:
    operations = declared()
    assert len(operations) == 20
    for operation in operations:
        assert sandbox.served()[operation.name] == (operation.method, operation.path)
        reply = await ask(operation.method, re.sub(r"\{\w+\}", "none", operation.path))
        assert reply.headers["X-Evidence"] == "assumed", operation.name
        assert reply.status in ({404} if operation.path_parameters else {200, 201}), operation.name


@pytest.mark.parametrize("path", [SPLITS, CUSTOMERS, BENEFICIARIES, CARDS])
async def test_what_is_created_comes_back_with_an_id(ask: Any, path: str) -> None:
    status, made, headers = await ask("POST", path, ANYTHING)
    assert (status, headers["X-Evidence"]) == (201, "assumed")
    assert made == ANYTHING | {"id": made["id"]}
    assert str(uuid.UUID(made["id"])) == made["id"]


@pytest.mark.parametrize("path", KEPT)
async def test_what_is_created_is_found(ask: Any, path: str) -> None:
    made = [(await ask("POST", path, ANYTHING | {"number": number})).body for number in range(4)]
    for record in made:
        status, found, headers = await ask("GET", f"{path}/{record['id']}")
        assert (status, found, headers["X-Evidence"]) == (200, record, "assumed")
    status, page, headers = await ask("GET", f"{path}?page=2&size=3")
    assert (status, headers["X-Evidence"]) == (200, "assumed")
    assert page == {"data": [made[0]], "page": 2, "size": 3, "total": 4}
    assert (await ask("GET", path)).body == {"data": made[::-1], "page": 1, "size": 10, "total": 4}
    assert (await ask("GET", f"{path}?size=0")).body["code"] == 3
    assert (await ask("GET", f"{path}?page=999999999999999999&size=100")).body["data"] == []


@pytest.mark.parametrize("path", KEPT)
async def test_an_empty_body_makes_a_record_too(ask: Any, path: str) -> None:
    bodies: tuple[Any, ...] = (None, b"", {})
    for body in bodies:
        status, made, _ = await ask("POST", path, body)
        assert (status, made.keys()) == (201, {"id"})


@pytest.mark.parametrize("path", KEPT)
async def test_the_sandbox_gives_the_id(ask: Any, path: str) -> None:
    _, made, _ = await ask("POST", path, {"id": "mine", "a": 1})
    assert made["id"] != "mine"
    assert (await ask("GET", f"{path}/mine")).status == 404


@pytest.mark.parametrize("path", [SPLITS, BENEFICIARIES])
async def test_an_update_replaces_all_but_the_id(ask: Any, path: str) -> None:
    _, made, _ = await ask("POST", path, ANYTHING)
    at = f"{path}/{made['id']}"
    for _ in range(2):
        status, updated, headers = await ask("PUT", at, {"id": "mine", "b": 2})
        assert (status, headers["X-Evidence"]) == (200, "assumed")
        assert updated == {"id": made["id"], "b": 2}
    assert (await ask("GET", at)).body == updated
    assert (await ask("GET", path)).body["total"] == 1


async def test_a_split_request_is_deleted_once(ask: Any) -> None:
    made = [(await ask("POST", SPLITS, {"number": number})).body for number in range(3)]
    at = f"{SPLITS}/{made[1]['id']}"
    status, body, _ = await ask("DELETE", at)
    assert (status, body) == (200, {})
    for method in ("GET", "PUT", "DELETE"):
        reply = await ask(method, at)
        assert (reply.status, reply.body["code"]) == (404, 4)
    assert (await ask("GET", SPLITS)).body["data"] == [made[2], made[0]]
    assert (await ask("GET", f"{SPLITS}?page=2&size=1")).body["data"] == [made[0]]


@pytest.mark.parametrize(
    ("method", "path", "noun"),
    [
        ("GET", f"{SPLITS}/none", "split request"),
        ("PUT", f"{SPLITS}/none", "split request"),
        ("DELETE", f"{SPLITS}/none", "split request"),
        ("GET", f"{CUSTOMERS}/none", "customer"),
        ("GET", f"{CUSTOMERS}/none/card-tokens", "customer"),
        ("GET", f"{CUSTOMERS}/none/transactions", "customer"),
        ("GET", f"{BENEFICIARIES}/none", "beneficiary"),
        ("PUT", f"{BENEFICIARIES}/none", "beneficiary"),
        ("POST", f"{BENEFICIARIES}/none/transfer", "beneficiary"),
        ("POST", f"{BENEFICIARIES}/none/settlements", "beneficiary"),
    ],
)
async def test_an_id_that_is_not_known(ask: Any, method: str, path: str, noun: str) -> None:
    status, body, headers = await ask(method, path)
    assert (status, body["code"], body["message"]) == (404, 4, f"{noun} not found")
    assert headers["X-Evidence"] == "assumed"


async def test_an_id_is_known_to_its_own_group_only(ask: Any) -> None:
    _, customer, _ = await ask("POST", CUSTOMERS, {})
    assert (await ask("GET", f"{BENEFICIARIES}/{customer['id']}")).status == 404
    assert (await ask("DELETE", f"{SPLITS}/{customer['id']}")).status == 404
    assert (await ask("GET", f"{CUSTOMERS}/{customer['id']}")).status == 200


async def test_a_payout_is_done_and_listed(ask: Any) -> None:
    status, payout, headers = await ask("POST", PAYOUTS, ANYTHING)
    assert (status, headers["X-Evidence"]) == (200, "assumed")
    assert payout == ANYTHING | {"id": payout["id"], "success": True}
    await ask("POST", CARDS, {"card": 1})
    page = (await ask("GET", PAYOUTS)).body
    assert page == {"data": [payout], "page": 1, "size": 10, "total": 1}


@pytest.mark.parametrize("move", ["transfer", "settlements"])
async def test_a_beneficiary_s_money_is_said_to_move(ask: Any, move: str) -> None:
    _, beneficiary, _ = await ask("POST", BENEFICIARIES, {"name": "Shop"})
    at = f"{BENEFICIARIES}/{beneficiary['id']}"
    status, first, headers = await ask("POST", f"{at}/{move}", ANYTHING)
    assert (status, headers["X-Evidence"]) == (200, "assumed")
    assert first == ANYTHING | {"id": first["id"], "success": True}
    _, second, _ = await ask("POST", f"{at}/{move}")
    assert second == {"id": second["id"], "success": True}
    assert len({first["id"], second["id"], beneficiary["id"]}) == 3
    assert (await ask("GET", at)).body == beneficiary


async def test_a_new_customer_has_neither_cards_nor_transactions(ask: Any) -> None:
    _, customer, _ = await ask("POST", CUSTOMERS, {})
    at = f"{CUSTOMERS}/{customer['id']}"
    assert (await ask("GET", f"{at}/card-tokens")).body == {"data": []}
    page = (await ask("GET", f"{at}/transactions?page=2&size=5")).body
    assert page == {"data": [], "page": 2, "size": 5, "total": 0}
    assert (await ask("GET", f"{at}/transactions?page=x")).body["code"] == 3
    assert (await ask("GET", f"{at}/transactions?page=999999999999999999&size=100")).body["data"] == []


async def test_a_customer_has_the_cards_and_transactions_of_its_payments(ask: Any) -> None:
    _, customer, _ = await ask("POST", CUSTOMERS, {})
    _, other, _ = await ask("POST", CUSTOMERS, {})
    for payer, recurring in ((customer, {"type": "cof_initial"}), (customer, None), (other, None)):
        body = {"amount": 5641, "currency": "KZT", "customerId": payer["id"], "recurring": recurring}
        _, link, _ = await ask("POST", "/v1/payment-links", body)
        assert (await ask("POST", f"/_sandbox/payment-links/{link['id']}/pay")).status == 200
    everything = (await ask("GET", "/v1/transactions")).body["data"]
    at = f"{CUSTOMERS}/{customer['id']}"
    status, page, headers = await ask("GET", f"{at}/transactions")
    assert (status, headers["X-Evidence"]) == (200, "assumed")
    assert page == {"data": everything[1:], "page": 1, "size": 10, "total": 2}
    assert (await ask("GET", f"{at}/transactions?page=2&size=1")).body["data"] == everything[2:]
    (card,) = (await ask("GET", f"{at}/card-tokens")).body["data"]
    first = (await ask("GET", f"/v1/transactions/{everything[2]['transactionId']}")).body
    assert card == {"cardTokenId": first["cardTokenId"]}
    charge = {
        "amount": 10,
        "currency": "KZT",
        "cardTokenId": card["cardTokenId"],
        "initialTransactionId": first["transactionId"],
    }
    assert (await ask("POST", "/v1/payments/recurring/merchant/initiated", charge)).status < 300
    assert (await ask("GET", f"{at}/card-tokens")).body == {"data": [card]}
    assert (await ask("GET", f"{at}/transactions")).body["total"] == 3
    at = f"{CUSTOMERS}/{other['id']}"
    assert (await ask("GET", f"{at}/card-tokens")).body == {"data": []}
    assert (await ask("GET", f"{at}/transactions")).body["data"] == everything[:1]


async def test_the_merchant_is_always_the_same(ask: Any, sandbox: Sandbox) -> None:
    status, merchant, headers = await ask("GET", MERCHANT)
    assert (status, headers["X-Evidence"]) == (200, "assumed")
    assert merchant == {"id": str(uuid.UUID(merchant["id"]))}
    sandbox.reset()
    assert (await ask("GET", MERCHANT)).body == merchant


@pytest.mark.parametrize("path", [SPLITS, PAYOUTS, CARDS, CUSTOMERS, BENEFICIARIES])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not JSON", "body: not valid JSON: "),
        (b"[]", "body: expected a JSON object"),
        (b"null", "body: expected a JSON object"),
        (b'{"x":' + b"[" * 500 + b"]" * 500 + b"}", "body: nested too deep"),
    ],
)
async def test_a_body_must_be_an_object(ask: Any, path: str, body: bytes, message: str) -> None:
    status, refusal, _ = await ask("POST", path, body)
    assert (status, refusal["code"], refusal["type"]) == (400, 3, "apiError")
    assert refusal["message"].startswith(message)


async def test_a_body_as_deep_as_can_be_is_listed_too(ask: Any) -> None:
    made: list[Any] = []
    for depth in range(240, 260):
        reply = await ask("POST", SPLITS, b'{"x":' + b"[" * depth + b"]" * depth + b"}")
        if reply.status == 201:
            made.append(reply.body)
    assert 0 < len(made) < 20
    assert (await ask("GET", f"{SPLITS}?size=100")).body["data"] == made[::-1]


async def test_records_survive_a_restart(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    path = tmp_path / "sandbox.db"
    async with Sandbox(database=path) as first:
        headers = {"Authorization": first.api_key}
        async with session.post(first.base_url + CUSTOMERS, json=ANYTHING, headers=headers) as response:
            customer = await response.json()
    async with (
        Sandbox(database=path) as second,
        session.get(f"{second.base_url}{CUSTOMERS}/{customer['id']}", headers=headers) as response,
    ):
        assert await response.json() == customer


async def test_what_moved_money_is_in_the_file_by_its_kind(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    path = tmp_path / "sandbox.db"
    async with Sandbox(database=path) as sandbox:
        headers = {"Authorization": sandbox.api_key}
        at = sandbox.base_url + BENEFICIARIES
        async with session.post(at, headers=headers) as response:
            at += "/" + (await response.json())["id"]
        for move in ("transfer", "settlements"):
            async with session.post(f"{at}/{move}", json={"move": move}, headers=headers) as response:
                assert response.status == 200
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT kind, document FROM records ORDER BY seq").fetchall()
    assert [(kind, json.loads(document).get("move")) for kind, document in rows] == [
        ("beneficiaries", None),
        ("transfers", "transfer"),
        ("settlements", "settlements"),
    ]


@pytest.mark.parametrize("path", KEPT)
async def test_a_reset_forgets_records(ask: Any, sandbox: Sandbox, path: str) -> None:
    _, made, _ = await ask("POST", path, {})
    sandbox.reset()
    assert (await ask("GET", path)).body["total"] == 0
    assert (await ask("GET", f"{path}/{made['id']}")).status == 404
