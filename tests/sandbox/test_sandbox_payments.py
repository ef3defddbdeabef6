"""Capture, cancel and refund over real HTTP: answers as published, and each step in its state alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

LINK = {"amount": 5641, "currency": "EUR", "orderReference": "1667207373325", "autoClearing": False}
ALREADY_REFUNDED = (
    "failed to handle command: something went wrong, transaction can not be refunded: already refunded"
)


@pytest.fixture
def authorized(ask: Any, sandbox: Sandbox) -> Callable[[], Any]:
    """Pay a link of 56.41 EUR that is to be captured by hand, and return the transaction's id."""

    async def pay() -> str:
        link = (await ask("POST", "/v1/payment-links", LINK)).body
        return str(sandbox.pay(link["id"])["id"])

    return pay


@pytest.fixture
def charged(ask: Any, authorized: Callable[[], Any]) -> Callable[[], Any]:
    """Capture such a payment, and return the transaction's id."""

    async def pay() -> str:
        identifier = await authorized()
        assert (await ask("POST", f"/v1/payments/{identifier}/capture")).status == 200
        return str(identifier)

    return pay


async def status_of(ask: Any, identifier: str) -> str:
    return str((await ask("GET", f"/v1/transactions/{identifier}")).body["status"])


@pytest.mark.parametrize("body", [None, b"", {}, {"amount": None}, {"amount": 56.41}])
async def test_a_whole_capture(
    ask: Any, authorized: Callable[[], Any], example: Callable[[str], Any], body: Any
) -> None:
    identifier = await authorized()
    status, answer, headers = await ask("POST", f"/v1/payments/{identifier}/capture", body)
    assert (status, headers.get("X-Evidence")) == (200, None)
    expected = example("capture.json")
    assert answer.keys() == expected.keys()
    changing = {name: answer[name] for name in ("id", "networkTransactionReference", "authCode")}
    assert answer == expected | changing
    assert answer["id"] == identifier
    assert await status_of(ask, identifier) == "charged"


async def test_a_capture_in_part_releases_the_rest(
    ask: Any, sandbox: Sandbox, authorized: Callable[[], Any]
) -> None:
    identifier = await authorized()
    answer = (await ask("POST", f"/v1/payments/{identifier}/capture", {"amount": 40.5})).body
    assert (answer["amount"], answer["remainingBalance"]) == (40.5, 40.5)
    again = await ask("POST", f"/v1/payments/{identifier}/capture", {"amount": 1})
    assert (again.status, again.body["code"]) == (422, 5)
    (whole,) = sandbox.transactions()
    assert (whole["amount"], whole["processedAmount"], whole["status"]) == (56.41, 40.5, "charged")
    events = (await ask("GET", f"/v1/transactions/{identifier}/history")).body["data"]
    assert [(event["status"], event["amount"]) for event in events] == [
        ("created", 56.41),
        ("authorized", 56.41),
        ("charged", 40.5),
    ]
    too_much = await ask("POST", f"/v1/payments/{identifier}/refund", {"amount": 40.51})
    assert (too_much.status, too_much.body["code"]) == (422, 5)
    assert (await ask("POST", f"/v1/payments/{identifier}/refund")).body["amount"] == 40.5


async def test_a_capture_by_time_comes_before_one_by_hand(
    ask: Any, sandbox: Sandbox, authorized: Callable[[], Any]
) -> None:
    identifier = await authorized()
    sandbox.clock.advance(hours=120)
    refused = await ask("POST", f"/v1/payments/{identifier}/capture", {"amount": 1})
    assert refused.status == 422
    assert "charged" in refused.body["message"]


@pytest.mark.parametrize("body", [None, {}])
async def test_a_cancel(
    ask: Any, authorized: Callable[[], Any], example: Callable[[str], Any], body: Any
) -> None:
    identifier = await authorized()
    status, answer, _ = await ask("POST", f"/v1/payments/{identifier}/cancel", body)
    assert (status, answer.keys()) == (200, example("capture.json").keys())
    assert (answer["success"], answer["remainingBalance"]) == (True, 0)
    assert await status_of(ask, identifier) == "cancelled"


@pytest.mark.parametrize("body", [None, {}, {"amount": None}, {"amount": 56.41}])
async def test_a_whole_refund(ask: Any, sandbox: Sandbox, charged: Callable[[], Any], body: Any) -> None:
    identifier = await charged()
    answer = (await ask("POST", f"/v1/payments/{identifier}/refund", body)).body
    assert (answer["amount"], answer["remainingBalance"]) == (56.41, 0)
    assert await status_of(ask, identifier) == "refunded"
    payment, refund = sandbox.transactions()
    assert (payment["balance"], payment["processedAmount"]) == (0, 56.41)
    assert (refund["id"], refund["type"], refund["status"]) == (answer["id"], "refund", "refunded")


async def test_a_refund_in_part_answers_as_published(
    ask: Any, sandbox: Sandbox, charged: Callable[[], Any], example: Callable[[str], Any]
) -> None:
    identifier = await charged()
    status, answer, headers = await ask("POST", f"/v1/payments/{identifier}/refund", {"amount": 15.55})
    assert (status, headers.get("X-Evidence")) == (200, None)
    expected = example("refund.json")
    changing = {name: answer[name] for name in ("id", "networkTransactionReference", "authCode")}
    assert answer == expected | changing | {"originalTransactionId": identifier}
    assert await status_of(ask, identifier) == "charged"
    _, refund = sandbox.transactions()
    assert refund["parentTransactionId"] == identifier
    alone = (await ask("GET", f"/v1/transactions/{answer['id']}")).body
    assert (alone["paymentId"], alone["amount"], alone["status"]) == (identifier, 15.55, "refunded")
    found = (await ask("GET", "/v1/transactions/by-order-reference/1667207373325")).body
    assert found["transactionId"] == identifier


async def test_refunds_until_nothing_is_left(
    ask: Any, charged: Callable[[], Any], example: Callable[[str], Any]
) -> None:
    identifier = await charged()
    path = f"/v1/payments/{identifier}/refund"
    fields = {"amount": 0.41, "orderReference": "R-1", "description": "Возврат"}
    first = (await ask("POST", path, fields)).body
    assert (first["orderReference"], first["remainingBalance"]) == ("R-1", 56)
    too_much = await ask("POST", path, {"amount": 56.01})
    assert (too_much.status, too_much.body["code"]) == (422, 5)
    assert (await ask("POST", path, {"amount": 26})).body["remainingBalance"] == 30
    assert (await ask("POST", path, {"amount": 29.99})).body["remainingBalance"] == 0.01
    assert await status_of(ask, identifier) == "charged"
    last = (await ask("POST", path)).body
    assert (last["amount"], last["remainingBalance"]) == (0.01, 0)
    for body in (None, {"amount": 1}):
        refused = await ask("POST", path, body)
        assert refused.status == 500
        assert refused.body == {"message": ALREADY_REFUNDED} == example("error-message-only.http500.json")
    found = (await ask("GET", "/v1/transactions/by-order-reference/R-1")).body
    assert found["transactionId"] == first["id"]
    events = (await ask("GET", f"/v1/transactions/{identifier}/history")).body["data"]
    refunds = [event for event in events if "refundTransactionId" in event]
    assert [event["amount"] for event in refunds] == [0.41, 26, 29.99, 0.01]
    assert refunds[0]["refundTransactionId"] == first["id"]
    assert (await ask("GET", "/v1/transactions")).body["total"] == 5


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        ("authorized", ["refund"]),
        ("charged", ["capture", "cancel"]),
        ("cancelled", ["capture", "cancel", "refund"]),
        ("rejected", ["capture", "cancel", "refund"]),
        ("3d", ["capture", "cancel", "refund"]),
        ("failed", ["capture", "cancel", "refund"]),
        ("refunded", ["capture", "cancel"]),
    ],
)
async def test_steps_out_of_their_state(ask: Any, sandbox: Sandbox, state: str, refused: list[str]) -> None:
    link = (await ask("POST", "/v1/payment-links", LINK)).body
    hows: dict[str, dict[str, Any]] = {
        "rejected": {"card": "4907639999990022"},
        "3d": {"card": "4111111111111111", "otp": "pending"},
        "failed": {"failed": True},
    }
    identifier = sandbox.pay(link["id"], **hows.get(state, {}))["id"]
    steps = {"charged": ["capture"], "cancelled": ["cancel"], "refunded": ["capture", "refund"]}
    for step in steps.get(state, []):
        assert (await ask("POST", f"/v1/payments/{identifier}/{step}")).status == 200
    assert await status_of(ask, identifier) == state
    before = sandbox.transactions()
    for step in refused:
        reply = await ask("POST", f"/v1/payments/{identifier}/{step}")
        assert (reply.status, reply.body["code"], reply.body["type"]) == (422, 5, "validationError")
        assert reply.body["message"].startswith(f"status: a payment that is {state} cannot be ")
    assert sandbox.transactions() == before


async def test_a_refund_is_no_payment(ask: Any, charged: Callable[[], Any]) -> None:
    refund = (await ask("POST", f"/v1/payments/{await charged()}/refund")).body["id"]
    for step in ("capture", "cancel", "refund"):
        reply = await ask("POST", f"/v1/payments/{refund}/{step}")
        assert (reply.status, reply.body["code"]) == (422, 5)


@pytest.mark.parametrize("step", ["capture", "cancel", "refund"])
async def test_a_payment_that_is_not_there(ask: Any, step: str) -> None:
    reply = await ask("POST", f"/v1/payments/none/{step}")
    assert (reply.status, reply.body["code"], reply.body["source"]) == (404, 4, "payments")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": "15.55"}, 400, 3),
        ({"amount": True}, 400, 3),
        ({"amount": []}, 400, 3),
        ({"amount": 0}, 422, 5),
        ({"amount": -1}, 422, 5),
        ({"amount": 1.005}, 422, 5),
        (b'{"amount": 1.0000000000000000000000000000000000001}', 422, 5),
        (b'{"amount": 1e-300}', 422, 5),
        (b'{"amount": 1e300}', 422, 5),
        (b'{"amount": ' + b"9" * 300 + b"}", 422, 5),
        ({"amount": 56.42}, 422, 5),
        (b"[]", 400, 3),
        (b"{", 400, 3),
        (b"null", 400, 3),
    ],
)
@pytest.mark.parametrize("step", ["capture", "refund"])
async def test_amounts_that_cannot_be(
    ask: Any, sandbox: Sandbox, authorized: Callable[[], Any], step: str, body: Any, status: int, code: int
) -> None:
    identifier = await authorized()
    if step == "refund":
        await ask("POST", f"/v1/payments/{identifier}/capture")
    before = sandbox.transactions()
    reply = await ask("POST", f"/v1/payments/{identifier}/{step}", body)
    assert (reply.status, reply.body["code"], reply.body["source"]) == (status, code, "payments")
    assert sandbox.transactions() == before


@pytest.mark.parametrize("text", ["15.55", "15.550", "1555e-2", "0.1555E+2"])
async def test_a_number_is_read_as_what_it_says(ask: Any, charged: Callable[[], Any], text: str) -> None:
    path = f"/v1/payments/{await charged()}/refund"
    reply = await ask("POST", path, f'{{"amount": {text}}}'.encode())
    assert (reply.body["amount"], reply.body["remainingBalance"]) == (15.55, 40.86)


async def test_large_amounts_are_kept_exactly(ask: Any, sandbox: Sandbox) -> None:
    amount = 2**63 - 1
    link = (await ask("POST", "/v1/payment-links", LINK | {"amount": amount})).body
    identifier = sandbox.pay(link["id"])["id"]
    body = b'{"amount": 92233720368547758.06}'
    assert (await ask("POST", f"/v1/payments/{identifier}/capture", body)).status == 200
    left = (await ask("POST", f"/v1/payments/{identifier}/refund", b'{"amount": 92233720368547758.05}')).body
    assert json.dumps(left["remainingBalance"]) == "0.01"


async def test_a_refund_that_is_cut_off_is_done_and_found(
    ask: Any, sandbox: Sandbox, charged: Callable[[], Any]
) -> None:
    identifier = await charged()
    sandbox.faults.add("code=2,work=after,times=1")
    assert (await ask("POST", f"/v1/payments/{identifier}/refund", {"amount": 1})).status == 500
    events = (await ask("GET", f"/v1/transactions/{identifier}/history")).body["data"]
    assert (events[-1]["status"], events[-1]["amount"]) == ("refunded", 1)
