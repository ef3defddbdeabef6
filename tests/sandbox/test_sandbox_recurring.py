"""Merchant-initiated payments over real HTTP: they need a card that its customer left for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from plexypay_async.api.operation import declarations
from plexypay_async.pay.recurring import RecurringPayments
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

CHARGE = "/v1/payments/recurring/merchant/initiated"
LINK = {"amount": 109_900, "currency": "KZT", "recurring": {"type": "cof_initial", "frequency": 30}}
DIRECT = {
    "transactionType": "sale",
    "orderDetails": {"amount": 1099, "currency": "KZT"},
    "cardData": {
        "encryptedCardNumber": "4200000000000000",
        "encryptedExpiryMonth": "12",
        "encryptedExpiryYear": str(datetime.now(UTC).year + 3),
        "encryptedCvv": "123",
        "encryptedCardholderName": "John Doe",
    },
    "terminalId": "87b5eee0-5fb7-4ace-9fb9-175ce38b354b",
    "threeDSNotificationUrl": "https://shop.example/3ds",
    "customerDetails": {
        "billingAddress": {
            "firstName": "John",
            "lastName": "Doe",
            "addressLine1": "Abay 1",
            "addressLine2": "",
            "postalCode": "050000",
            "phone": "+77010000000",
            "country": "KZ",
        }
    },
    "recurring": {"recurringType": "cof_initial"},
}


async def initial(ask: Any, sandbox: Sandbox, **how: Any) -> tuple[str, str | None]:
    """Pay a link that allows further payments; return the transaction's id and the card's token."""
    link = (await ask("POST", "/v1/payment-links", LINK)).body
    transaction = sandbox.pay(link["id"], **how)
    return transaction["id"], transaction["cardTokenId"]


def charge(initial_id: str, token: str | None, **fields: Any) -> dict[str, Any]:
    return {
        "amount": 1099,
        "currency": "KZT",
        "cardTokenId": token,
        "initialTransactionId": initial_id,
        **fields,
    }


async def test_every_declared_operation_is_served(sandbox: Sandbox) -> None:
    declared = {item.name: (item.method, item.path) for item in declarations(RecurringPayments).values()}
    assert declared
    assert {name: at for name, at in sandbox.served().items() if name in declared} == declared


@pytest.mark.parametrize("card", ["4200000000000000", "4111111111111111", "4918914107195005"])
async def test_a_charge_answers_as_published(
    ask: Any, sandbox: Sandbox, example: Callable[[str], Any], card: str
) -> None:
    first, token = await initial(ask, sandbox, card=card)
    found = (await ask("GET", f"/v1/transactions/{first}")).body
    assert found["cardTokenId"] == token
    request = example("merchant-initiated.request.json") | {
        "cardTokenId": token,
        "initialTransactionId": first,
    }
    status, answer, headers = await ask("POST", CHARGE, request)
    assert (status, headers.get("X-Evidence")) == (200, None)
    assert answer == example("merchant-initiated.json") | {"id": answer["id"]}
    _, made = sandbox.transactions()
    assert (made["id"], made["amount"], made["status"]) == (answer["id"], 1099, "authorized")
    assert (made["parentTransactionId"], made["cardTokenId"]) == (first, token)
    assert (made["last4"], made["secure3d"], made["paymentLinkId"]) == (card[-4:], False, None)
    sandbox.clock.advance(hours=1)
    assert [item["status"] for item in sandbox.transactions()] == ["charged", "charged"]
    again = (await ask("POST", CHARGE, request)).body
    assert again["id"] != answer["id"]
    assert len(sandbox.transactions()) == 3


async def test_after_a_direct_payment(ask: Any) -> None:
    first = (await ask("POST", "/v1/payments/direct", DIRECT)).body
    answer = await ask("POST", CHARGE, charge(first["id"], first["cardTokenId"], amount=10.5))
    assert (answer.status, answer.body["amount"]) == (200, 10.5)
    refund = await ask("POST", f"/v1/payments/{first['id']}/refund")
    assert refund.status == 200
    assert (await ask("POST", CHARGE, charge(first["id"], first["cardTokenId"]))).status == 200


async def test_a_card_that_says_no(ask: Any, sandbox: Sandbox) -> None:
    first, token = await initial(ask, sandbox)
    status, answer, _ = await ask("POST", CHARGE, charge(first, token, amount=20510))
    assert (status, answer["status"], answer["amount"]) == (200, "rejected", 20510)
    assert (await ask("POST", CHARGE, charge(first, token))).body["status"] == "authorized"


@pytest.mark.parametrize("recurring", [None, {"type": "other"}])
async def test_a_link_that_allows_no_further_payments(ask: Any, sandbox: Sandbox, recurring: Any) -> None:
    link = (await ask("POST", "/v1/payment-links", LINK | {"recurring": recurring})).body
    plain = sandbox.pay(link["id"])
    assert plain["cardTokenId"] is None
    assert "cardTokenId" not in (await ask("GET", f"/v1/transactions/{plain['id']}")).body
    _, token = await initial(ask, sandbox)
    refused = await ask("POST", CHARGE, charge(plain["id"], token))
    assert (refused.status, refused.body["code"]) == (422, 5)
    assert "cof_initial" in refused.body["message"]


async def test_a_direct_payment_that_allows_no_further_payments(ask: Any) -> None:
    plain = (await ask("POST", "/v1/payments/direct", DIRECT | {"recurring": None})).body
    refused = await ask("POST", CHARGE, charge(plain["id"], plain["cardTokenId"]))
    assert (refused.status, refused.body["code"]) == (422, 5)


async def test_what_is_not_known(ask: Any, sandbox: Sandbox) -> None:
    first, token = await initial(ask, sandbox)
    for body in (charge("none", token), charge(first, "none")):
        refused = await ask("POST", CHARGE, body)
        assert (refused.status, refused.body["code"], refused.body["source"]) == (404, 4, "recurring")


async def test_the_card_of_another_payment(ask: Any, sandbox: Sandbox) -> None:
    first, _ = await initial(ask, sandbox)
    _, other = await initial(ask, sandbox)
    refused = await ask("POST", CHARGE, charge(first, other))
    assert (refused.status, refused.body["code"]) == (422, 5)
    assert refused.body["message"].startswith("cardTokenId: ")


async def test_a_first_payment_that_did_not_go_through(ask: Any, sandbox: Sandbox) -> None:
    _, token = await initial(ask, sandbox)
    hows: list[dict[str, Any]] = [
        {"card": "4907639999990022"},
        {"card": "4111111111111111", "otp": "pending"},
        {"failed": True},
    ]
    for how in hows:
        first, _ = await initial(ask, sandbox, **how)
        refused = await ask("POST", CHARGE, charge(first, token))
        assert (refused.status, refused.body["code"]) == (422, 5)
    first, kept = await initial(ask, sandbox)
    assert (await ask("POST", f"/v1/payments/{first}/cancel")).status == 200
    refused = await ask("POST", CHARGE, charge(first, kept))
    assert (refused.status, "cancelled" in refused.body["message"]) == (422, True)


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"amount": None}, 400, "amount"),
        ({"amount": "1099"}, 400, "amount"),
        ({"amount": 0}, 422, "amount"),
        ({"amount": 10.999}, 422, "amount"),
        ({"currency": None}, 400, "currency"),
        ({"currency": "тенге"}, 422, "currency"),
        ({"cardTokenId": None}, 400, "cardTokenId"),
        ({"cardTokenId": 7}, 400, "cardTokenId"),
        ({"initialTransactionId": None}, 400, "initialTransactionId"),
    ],
)
async def test_a_charge_that_cannot_be(
    ask: Any, sandbox: Sandbox, fields: dict[str, Any], status: int, field: str
) -> None:
    first, token = await initial(ask, sandbox)
    refused = await ask("POST", CHARGE, charge(first, token, **fields))
    assert (refused.status, refused.body["code"]) == (status, {400: 3, 422: 5}[status])
    assert refused.body["message"].startswith(f"{field}: ")
    assert len(sandbox.transactions()) == 1


async def test_an_empty_body(ask: Any) -> None:
    assert (await ask("POST", CHARGE)).status == 400
