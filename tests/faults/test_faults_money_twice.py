"""What is not safe to repeat goes out once, unless the API's own code says that nothing was done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, Outcome, OutcomeUnknownError, ServiceUnavailableError

from .scripted import CODE_1, CODE_2, DROP, SILENCE, Answer, Step, code, scripted

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncPlexyPay], Awaitable[Any]]

MONEY: dict[str, Call] = {
    "refund": lambda plexy: plexy.payments.refund("t", amount=Decimal(1)),
    "capture": lambda plexy: plexy.payments.capture("t", amount=Decimal(1)),
    "cancel": lambda plexy: plexy.payments.cancel("t"),
    "charge": lambda plexy: plexy.recurring.charge(
        amount=1, currency="KZT", card_token_id="c", initial_transaction_id="t"
    ),
    "payout": lambda plexy: plexy.payouts.create(extra={"amount": 1}),
    "wallet capture": lambda plexy: plexy.wallet.capture("w"),
    "raw": lambda plexy: plexy.request("POST", "/v1/anything", json={"amount": 1}),
}
CREATES: dict[str, Call] = {
    "customer": lambda plexy: plexy.customers.create(extra={"name": "A"}),
    "split request": lambda plexy: plexy.split_requests.create(extra={"name": "A"}),
    "card for payouts": lambda plexy: plexy.payouts.save_card(extra={"a": 1}),
    "link without a reference": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
}
CALLS = MONEY | CREATES

HTML = b"<html><h1>Service Unavailable</h1></html>"
BODIES: dict[str, Any] = {
    "empty": b"",
    "html": HTML,
    "a message": {"message": "Service temporarily unavailable"},
    "a message and the status": {"code": 503, "message": "Service Unavailable", "status": 503},
    "a message and the status as text": {"code": "503", "message": "Service Unavailable"},
    "a word for a code": {"code": "SERVICE_UNAVAILABLE", "message": "Service Unavailable"},
    "another type": {"message": "Service Unavailable", "type": "about:blank", "title": "x"},
    "null": b"null",
    "a list": [{"code": 1, "message": "Service Unavailable"}],
    "code 1 inside": {"error": {"code": 1, "message": "Service Unavailable"}},
    "text": b"upstream request timeout",
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("body", BODIES)
async def test_a_503_without_the_apis_code_is_not_repeated(name: str, body: str) -> None:
    answer = Answer(503, BODIES[body], {"Retry-After": "0"})
    async with scripted({"*": [answer, Answer(500)]}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await CALLS[name](plexy)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert script.count() == 1


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 522, 524, 599])
async def test_a_5xx_of_something_in_between_is_not_repeated(name: str, status: int) -> None:
    for body in (b"", HTML, {"code": status, "message": "no"}):
        async with scripted({"*": Answer(status, body)}) as (plexy, script):
            with pytest.raises(OutcomeUnknownError):
                await CALLS[name](plexy)
            assert script.count() == 1


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("lost", [DROP, SILENCE, Answer(408)], ids=repr)
async def test_a_lost_answer_is_not_asked_for_again(name: str, lost: Step) -> None:
    async with scripted({"*": lost}, read_timeout=0.05) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await CALLS[name](plexy)
        assert script.count() == 1


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [500, 503, 400, 409])
@pytest.mark.parametrize("number", [1, "1", "0001"])
async def test_code_1_is_repeated_and_rejected_at_the_end(name: str, status: int, number: Any) -> None:
    async with scripted({"*": code(number, status)}) as (plexy, script):
        with pytest.raises(ServiceUnavailableError) as caught:
            await CALLS[name](plexy)
        assert caught.value.outcome is Outcome.REJECTED
        assert script.count() == 8


@pytest.mark.parametrize("name", CALLS)
async def test_a_503_of_a_gateway_after_code_1_ends_the_call(name: str) -> None:
    async with scripted({"*": [CODE_1, Answer(503, BODIES["a message"]), CODE_1]}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await CALLS[name](plexy)
        assert script.count() == 2
        assert isinstance(caught.value.attempts[0], ServiceUnavailableError)


@pytest.mark.parametrize("name", MONEY)
async def test_code_2_of_what_moves_money_is_not_repeated(name: str) -> None:
    async with scripted({"*": [CODE_2, CODE_1]}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await MONEY[name](plexy)
        assert script.count() == 1
