"""The wallet over real HTTP: its key, its states and the steps between them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest

from plexypay_async.api.operation import declarations
from plexypay_async.pay.wallet import Wallet
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

BODY = {"amount": 2_200_000, "currency": "KZT", "orderReference": "ORD-1"}
LIST = "/v1/wallet/transactions/"

Authorize: TypeAlias = Callable[..., Coroutine[Any, Any, tuple[int, Any]]]


async def posted(
    sandbox: Sandbox, session: aiohttp.ClientSession, key: str | None, body: Any
) -> tuple[int, Any]:
    headers = {"Authorization": sandbox.api_key} | ({} if key is None else {"Idempotency-Key": key})
    data = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with session.post(f"{sandbox.base_url}/v1/wallet/authorize", headers=headers, **data) as response:
        assert "X-Evidence" not in response.headers
        assert response.content_type == "application/json"
        return response.status, await response.json()


@pytest.fixture
def authorize(sandbox: Sandbox, session: aiohttp.ClientSession) -> Authorize:
    """Send an authorization with a key: a new one unless given, none for None."""

    async def send(body: Any = BODY, *, key: str | None = "new") -> tuple[int, Any]:
        return await posted(sandbox, session, str(uuid.uuid4()) if key == "new" else key, body)

    return send


def at(transaction: Any, step: str) -> str:
    return f"/v1/wallet/{transaction['walletTransactionId']}/{step}"


async def test_every_declared_operation_is_served_as_published(ask: Any, sandbox: Sandbox) -> None:
    declared = {item.name: (item.method, item.path) for item in declarations(Wallet).values()}
    assert len(declared) == 6
    assert {name: at for name, at in sandbox.served().items() if name in declared} == declared
    for path in (LIST, "/v1/wallet/transaction/none"):
        assert "X-Evidence" not in (await ask("GET", path)).headers


async def test_authorize_holds_the_amount(authorize: Authorize, ask: Any) -> None:
    status, made = await authorize()
    assert status == 200
    assert made == {
        "walletTransactionId": made["walletTransactionId"],
        "walletTransactionStatus": "PROCESSING",
        "orderReference": "ORD-1",
        "amount": 2_200_000,
        "currency": "KZT",
    }
    assert str(uuid.UUID(made["walletTransactionId"])) == made["walletTransactionId"]
    reply = await ask("GET", f"/v1/wallet/transaction/{made['walletTransactionId']}")
    assert (reply.status, reply.body) == (200, made)


async def test_only_the_amount_is_required(authorize: Authorize) -> None:
    status, made = await authorize({"amount": 2**63 - 1, "customerPhone": "+7 700"})
    assert status == 200
    assert (made["amount"], made["currency"], made["orderReference"]) == (2**63 - 1, "KZT", None)


@pytest.mark.parametrize("key", [None, "", "  "])
async def test_a_key_is_required(authorize: Authorize, ask: Any, key: str | None) -> None:
    assert await authorize(key=key) == (
        400,
        {"code": 3, "message": "Idempotency-Key: required", "source": "wallet", "type": "apiError"},
    )
    assert (await ask("GET", LIST)).body["total"] == 0


async def test_the_same_key_and_body_find_the_same_transaction(authorize: Authorize, ask: Any) -> None:
    first = await authorize(key="k-1")
    assert await authorize(key="k-1") == first
    assert await authorize(dict(reversed(BODY.items())), key="k-1") == first
    assert (await ask("GET", LIST)).body["total"] == 1


async def test_a_repeat_shows_the_transaction_as_it_is_by_now(authorize: Authorize, ask: Any) -> None:
    _, made = await authorize(key="k-1")
    await ask("POST", at(made, "cancel"))
    assert await authorize(key="k-1") == (200, made | {"walletTransactionStatus": "FAILED"})


@pytest.mark.parametrize(
    "other", [{"amount": 2_200_001}, {"currency": "USD"}, {"orderReference": None}, {"customerPhone": "+7"}]
)
async def test_the_same_key_with_another_body_is_refused(
    authorize: Authorize, ask: Any, other: dict[str, Any]
) -> None:
    _, made = await authorize(key="k-1")
    assert await authorize(BODY | other, key="k-1") == (
        422,
        {
            "code": 5,
            "message": "Idempotency-Key: was used with another body",
            "source": "wallet",
            "type": "validationError",
        },
    )
    assert (await ask("GET", LIST)).body["data"] == [made]


async def test_another_key_makes_another_transaction(authorize: Authorize, ask: Any) -> None:
    ids = {(await authorize())[1]["walletTransactionId"] for _ in range(3)}
    assert len(ids) == 3
    assert (await ask("GET", LIST)).body["total"] == 3


async def test_a_refused_authorization_does_not_use_up_its_key(authorize: Authorize) -> None:
    assert (await authorize(BODY | {"amount": 0}, key="k-1"))[0] == 422
    assert (await authorize(key="k-1"))[0] == 200


async def test_a_race_for_one_key_makes_one_transaction(authorize: Authorize, ask: Any) -> None:
    replies = await asyncio.gather(*(authorize(key="k-1") for _ in range(30)))
    assert {status for status, _ in replies} == {200}
    assert len({made["walletTransactionId"] for _, made in replies}) == 1
    assert (await ask("GET", LIST)).body["total"] == 1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "body: not valid JSON: "),
        (b"[]", 400, "body: expected a JSON object, got an array"),
        ({}, 400, "amount: required"),
        ({"amount": None}, 400, "amount: required"),
        ({"amount": "1"}, 400, "amount: expected an integer, got a string"),
        ({"amount": 1.5}, 400, "amount: expected an integer, got a fraction"),
        ({"amount": True}, 400, "amount: expected an integer, got a boolean"),
        ({"amount": 0}, 422, "amount: must be positive, got 0"),
        ({"amount": -1}, 422, "amount: must be positive, got -1"),
        ({"amount": 2**63}, 422, f"amount: too large: {2**63}"),
        ({"amount": 1, "currency": ""}, 422, "currency: expected three letters such as KZT, got ''"),
        ({"amount": 1, "currency": 5}, 400, "currency: expected a string, got an integer"),
        ({"amount": 1, "orderReference": 5}, 400, "orderReference: expected a string, got an integer"),
        (b'{"amount":1,"x":' + b"[" * 500 + b"]" * 500 + b"}", 400, "body: nested too deep"),
    ],
)
async def test_what_cannot_be_is_refused(
    authorize: Authorize, ask: Any, body: Any, status: int, message: str
) -> None:
    answered, refusal = await authorize(body)
    assert (answered, refusal["code"]) == (status, {400: 3, 422: 5}[status])
    assert refusal["message"].startswith(message)
    assert (await ask("GET", LIST)).body["total"] == 0


LIVES = {
    "": "PROCESSING",
    "capture": "SUCCESS",
    "cancel": "FAILED",
    "capture refund": "SUCCESS",
}
REFUSED = {
    "refund": "a transaction that is PROCESSING cannot be refunded",
    "capture capture": "a transaction that is SUCCESS cannot be captured",
    "capture cancel": "a transaction that is SUCCESS cannot be cancelled",
    "cancel capture": "a transaction that is FAILED cannot be captured",
    "cancel cancel": "a transaction that is FAILED cannot be cancelled",
    "cancel refund": "a transaction that is FAILED cannot be refunded",
    "capture refund refund": "the transaction is refunded already",
    "capture refund capture": "a transaction that is SUCCESS cannot be captured",
    "capture refund cancel": "a transaction that is SUCCESS cannot be cancelled",
}


@pytest.mark.parametrize(("steps", "status"), LIVES.items())
async def test_a_life(authorize: Authorize, ask: Any, steps: str, status: str) -> None:
    _, made = await authorize()
    shown = made
    for step in steps.split():
        reply = await ask("POST", at(made, step))
        assert reply.status == 200
        assert "X-Evidence" not in reply.headers
        shown = reply.body
    assert shown == made | {"walletTransactionStatus": status}
    assert (await ask("GET", f"/v1/wallet/transaction/{made['walletTransactionId']}")).body == shown


@pytest.mark.parametrize(("steps", "message"), REFUSED.items())
async def test_a_step_that_cannot_be(authorize: Authorize, ask: Any, steps: str, message: str) -> None:
    _, made = await authorize()
    *before, refused = steps.split()
    for step in before:
        assert (await ask("POST", at(made, step))).status == 200
    path = f"/v1/wallet/transaction/{made['walletTransactionId']}"
    then = (await ask("GET", path)).body
    status, body, _ = await ask("POST", at(made, refused))
    assert (status, body) == (
        422,
        {"code": 5, "message": f"status: {message}", "source": "wallet", "type": "validationError"},
    )
    assert (await ask("GET", path)).body == then


async def test_a_body_of_a_step_is_not_read(authorize: Authorize, ask: Any) -> None:
    _, made = await authorize()
    for step, body in (("capture", {"amount": 1}), ("refund", b"not JSON")):
        reply = await ask("POST", at(made, step), body)
        assert (reply.status, reply.body["amount"]) == (200, 2_200_000)


async def test_an_id_that_is_not_known(ask: Any) -> None:
    for method, path in (
        ("GET", "/v1/wallet/transaction/none"),
        ("POST", "/v1/wallet/none/capture"),
        ("POST", "/v1/wallet/none/refund"),
        ("POST", "/v1/wallet/none/cancel"),
    ):
        status, body, _ = await ask(method, path)
        assert (status, body["code"], body["message"]) == (404, 4, "wallet transaction not found")


async def test_the_list_is_paged_the_newest_first(authorize: Authorize, ask: Any) -> None:
    made = [(await authorize({"amount": number}))[1] for number in range(1, 8)]
    status, page, headers = await ask("GET", f"{LIST}?page=2&size=3")
    assert status == 200
    assert "X-Evidence" not in headers
    assert page == {"data": made[::-1][3:6], "page": 2, "size": 3, "total": 7}
    first = (await ask("GET", LIST)).body
    assert (first["data"], first["page"], first["size"]) == (made[::-1], 1, 10)
    assert (await ask("GET", f"{LIST}?size=1000")).body["size"] == 100
    past = await ask("GET", f"{LIST}?page=999999999999999999&size=100")
    assert (past.status, past.body["data"], past.body["total"]) == (200, [], 7)


@pytest.mark.parametrize("query", ["page=0", "page=-1", "size=x", "size=", "page=1e3", "size=0"])
async def test_a_page_that_cannot_be(ask: Any, query: str) -> None:
    status, body, _ = await ask("GET", f"{LIST}?{query}")
    assert (status, body["code"]) == (400, 3)
    assert body["message"].startswith(query.partition("=")[0] + ": expected a whole number from 1")


async def test_the_list_is_found_with_its_slash_only(ask: Any) -> None:
    assert (await ask("GET", LIST)).status == 200
    assert (await ask("GET", LIST.rstrip("/"))).status == 404


async def test_transactions_survive_a_restart(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    path = tmp_path / "sandbox.db"
    async with Sandbox(database=path) as first:
        made = await posted(first, session, "k-1", BODY)
    async with Sandbox(database=path) as second:
        assert await posted(second, session, "k-1", BODY) == made
        assert (await posted(second, session, "k-1", {"amount": 1}))[0] == 422


async def test_a_reset_forgets_transactions_and_keys(
    authorize: Authorize, ask: Any, sandbox: Sandbox
) -> None:
    _, made = await authorize(key="k-1")
    sandbox.reset()
    assert (await ask("GET", LIST)).body["data"] == []
    _, again = await authorize({"amount": 1}, key="k-1")
    assert again["walletTransactionId"] != made["walletTransactionId"]
