"""A refusal under another status than 200: a 4xx of the API's own refuses, a 5xx proves nothing."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    APIError,
    AsyncPlexyPay,
    AuthenticationError,
    DirectPayment,
    InvalidRequestError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RateLimitedError,
    RefusedError,
    RetryPolicy,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnprocessableError,
)
from plexypay_sync import PlexyPay

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    FOUND,
    KEY,
    LINKS,
    ONCE,
    SILENCE,
    Answer,
    Step,
    scripted,
    serving,
)
from .test_faults_card_secrets import REQUEST

pytestmark = pytest.mark.asyncio

EXAMPLES = Path(__file__).parents[1] / "contract" / "examples"
DECLINED: dict[str, Any] = json.loads((EXAMPLES / "v1-2023.direct-payment-declined.json").read_text())
ID = DECLINED["id"]
TWICE = RetryPolicy(max_attempts=2, base=0.002, cap=0.01)
NEVER_AT_WORK = (400, 404, 405, 411, 413, 414, 415, 421, 431)


Call = Callable[[AsyncPlexyPay], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "direct": lambda plexy: plexy.direct_payments.create(**REQUEST),
    "3-D Secure": lambda plexy: plexy.direct_payments.continue_3ds(cres="c", transaction_id=ID),
    "recurring": lambda plexy: plexy.recurring.charge(
        amount=1, currency="KZT", card_token_id="c", initial_transaction_id="i"
    ),
    "refund": lambda plexy: plexy.payments.refund("t", amount=Decimal(1)),
    "same key": lambda plexy: plexy.wallet.authorize(amount=1, currency="KZT", order_reference="ORD-1"),
}
OTHERS: dict[str, Call] = {
    "safe": lambda plexy: plexy.payment_links.cancel("pl_1"),
    "create": lambda plexy: plexy.customers.create(extra={"name": "A"}),
    "link": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
}


async def failed(call: Call, answer: Step, **options: Any) -> tuple[PlexyPayError, int]:
    """Return the error of a call that is answered so, and how often it was sent."""
    async with scripted({"*": answer}, **options) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await call(plexy)
        return caught.value, sum(seen.method != "GET" for seen in script.seen)


@pytest.mark.parametrize("status", [*range(400, 430), 431, 451, 498, 499])
async def test_a_declined_payment_is_refused_under_any_4xx(status: int) -> None:
    error, sent = await failed(CALLS["direct"], Answer(status, DECLINED))

    assert isinstance(error, RefusedError)
    assert (error.status, error.code, error.outcome) == (status, "1013", Outcome.REJECTED)
    assert str(error) == (
        "direct_payments.create: refused with code 1013: Authentication rejected (suspected fraud)"
    )
    assert isinstance(error.answer, DirectPayment)
    assert (error.answer.id, error.answer.success) == (ID, False)
    assert sent == 1
    assert pickle.loads(pickle.dumps(error)).status == status


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [400, 402, 404, 409, 422])
async def test_every_call_that_may_be_refused(name: str, status: int) -> None:
    error, sent = await failed(CALLS[name], Answer(status, {"success": False, "code": 1013, "message": "no"}))

    assert isinstance(error, RefusedError)
    assert (error.status, error.code, error.message, sent) == (status, "1013", "no", 1)


@pytest.mark.parametrize("code", [1, "01", 3, "05", 5, "51"])
async def test_an_acquirers_code_is_none_of_the_apis(code: Any) -> None:
    error, sent = await failed(CALLS["direct"], Answer(402, {**DECLINED, "code": code}))
    assert (type(error), sent) == (RefusedError, 1)
    for status in (500, 503):
        error, sent = await failed(CALLS["direct"], Answer(status, {**DECLINED, "code": code}))
        assert (type(error), sent) == (OutcomeUnknownError, 1)


OWN_WORDS: list[dict[str, Any]] = [
    {"responseCode": "51"},
    {"responseCode": 51},
    {"code": 1013},
    {"code": "01"},
    {"id": "tx_9"},
    {"id": 99},
    {"id": {"Value": "tx_9", "Valid": True}},
    {"transactionId": "tx_9"},
    {"transactionId": {"Value": "tx_9"}},
]


@pytest.mark.parametrize("status", [402, 409, 410, 418, 422])
@pytest.mark.parametrize("word", OWN_WORDS, ids=repr)
async def test_a_word_of_the_apis_own_refuses_any_call(status: int, word: dict[str, Any]) -> None:
    answer = Answer(status, {"success": False, "message": "no", **word})
    for name in ("refund", "recurring", "same key"):
        error, sent = await failed(CALLS[name], answer)
        assert (type(error), error.outcome, sent) == (RefusedError, Outcome.REJECTED, 1)
    for call in OTHERS.values():
        error, sent = await failed(call, answer)
        assert (type(error), error.outcome, sent) == (RefusedError, Outcome.REJECTED, 1)
        assert isinstance(error, RefusedError)
        assert (error.message, error.status) == ("no", status)


@pytest.mark.parametrize("word", OWN_WORDS, ids=repr)
async def test_a_decline_is_not_sent_again_because_its_status_is_429(word: dict[str, Any]) -> None:
    error, sent = await failed(CALLS["refund"], Answer(429, {"success": False, **word}))
    assert (type(error), sent) == (RefusedError, 1)


@pytest.mark.parametrize(
    "body", [{}, {"message": "slow down"}, {"code": 429}, {"code": 1, "type": "apiError"}]
)
async def test_a_429_that_declines_nothing_is_sent_again(body: dict[str, Any]) -> None:
    error, sent = await failed(CALLS["refund"], Answer(429, {"success": False, **body}), retry=TWICE)
    assert (type(error), sent) == (RateLimitedError, 2)


async def test_a_429_of_a_call_that_moves_no_money_is_sent_again_whatever_it_says() -> None:
    error, sent = await failed(OTHERS["safe"], Answer(429, {"success": False, "id": "r-1"}), retry=TWICE)
    assert (type(error), sent) == (RateLimitedError, 2)


@pytest.mark.parametrize("name", OTHERS)
async def test_the_apis_own_error_object_keeps_its_class_where_no_money_moves(name: str) -> None:
    body = {"success": False, "code": 5, "type": "validationError", "message": "no"}
    error, _ = await failed(OTHERS[name], Answer(422, body))

    assert isinstance(error, UnprocessableError)


@pytest.mark.parametrize("name", OTHERS)
async def test_a_bare_refusal_of_a_call_that_moves_no_money_goes_by_its_status(name: str) -> None:
    error, _ = await failed(OTHERS[name], Answer(400, {"success": False, "message": "no"}))
    assert isinstance(error, InvalidRequestError)
    error, _ = await failed(OTHERS[name], Answer(422, {"success": False, "message": "no"}), retry=ONCE)
    assert error.outcome is Outcome.UNKNOWN


async def test_a_reference_that_is_taken_is_looked_up_before_it_is_a_refusal() -> None:
    def create(plexy: AsyncPlexyPay) -> Any:
        return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")

    taken = Answer(422, {"success": False, "code": 1153, "message": "exists"})
    routes = {f"POST {LINKS}": [CODE_1, taken], f"GET {BY_REFERENCE}/ORD-1": FOUND}
    async with scripted(routes) as (plexy, _):
        assert (await create(plexy)).order_reference == "ORD-1"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("code", [1, "1", "01", "0001"])
async def test_an_acquirers_code_1_under_a_5xx_is_not_the_apis(status: int, code: Any) -> None:
    answer = {"success": False, "code": code, "message": "Refer to card issuer"}
    for name in ("refund", "recurring", "direct", "3-D Secure"):
        error, sent = await failed(CALLS[name], Answer(status, answer))
        assert (type(error), error.outcome, sent) == (OutcomeUnknownError, Outcome.UNKNOWN, 1)
    error, sent = await failed(CALLS["refund"], Answer(status, {**answer, "type": "apiError"}), retry=TWICE)
    assert (type(error), sent) == (ServiceUnavailableError, 2)


@pytest.mark.parametrize("status", [402, 409, 422, 425, 451, 499])
@pytest.mark.parametrize("body", [{}, {"message": "blocked"}, {"code": None}], ids=repr)
async def test_what_is_in_between_refuses_nothing(status: int, body: dict[str, Any]) -> None:
    for answer in ({"success": False, **body}, {"success": False, **body, "code": status}):
        error, sent = await failed(CALLS["refund"], Answer(status, answer))
        assert type(error) is OutcomeUnknownError
        assert sent == 1


@pytest.mark.parametrize("status", [408, 425, 499])
async def test_an_id_alone_is_no_word_of_the_apis_where_a_gateway_ran_out_of_time(status: int) -> None:
    error, sent = await failed(CALLS["refund"], Answer(status, {"success": False, "id": "request-1"}))
    assert (type(error), sent) == (OutcomeUnknownError, 1)


@pytest.mark.parametrize("status", NEVER_AT_WORK)
async def test_a_status_before_any_work_refuses_whoever_says_so(status: int) -> None:
    error, _ = await failed(CALLS["refund"], Answer(status, {"success": False, "message": "no"}))

    assert (type(error), error.outcome) == (RefusedError, Outcome.REJECTED)


async def test_a_key_that_is_refused_is_no_refusal_of_the_payment() -> None:
    kinds = {401: AuthenticationError, 429: RateLimitedError}
    for status, kind in kinds.items():
        answer = Answer(status, {"success": False, "code": 3, "type": "apiError"})
        error, _ = await failed(CALLS["refund"], answer)
        assert isinstance(error, kind)


@pytest.mark.parametrize("status", [400, 422, 500])
async def test_with_code_2_the_outcome_is_unknown(status: int) -> None:
    error, sent = await failed(CALLS["direct"], Answer(status, {**DECLINED, "code": 2}))

    assert isinstance(error, OutcomeUnknownError)
    assert isinstance(error.__cause__, SomethingWentWrongError)
    assert sent == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
async def test_under_a_5xx_it_is_unknown_and_the_message_says_what_to_ask(status: int) -> None:
    error, sent = await failed(CALLS["direct"], Answer(status, DECLINED))

    assert type(error) is OutcomeUnknownError
    assert isinstance(error.__cause__, APIError)
    assert (error.__cause__.transaction_id, error.outcome, sent) == (ID, Outcome.UNKNOWN, 1)
    assert str(error) == (
        f"direct_payments.create: the outcome is unknown (HTTP {status}, code 1013: Authentication rejected "
        f"(suspected fraud)). The answer names '{ID}'. Money may have moved: look "
        f"for a payment of {REQUEST['order_details'].amount} in transactions.retrieve('{ID}'), "
        "payments.search(order_reference='ORD-1') and transactions.list() before doing it again."
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("3-D Secure", f"look for a status other than '3d' in transactions.retrieve('{ID}') before"),
        ("recurring", f"for a new payment in transactions.retrieve('{ID}') and transactions.list() before"),
        ("refund", f"for a refund of 1 in transactions.retrieve('{ID}'), transactions.history('t') and"),
    ],
)
async def test_under_a_5xx_other_calls_name_theirs(name: str, advice: str) -> None:
    error, _ = await failed(CALLS[name], Answer(500, DECLINED))

    assert f"The answer names '{ID}'." in str(error)
    assert advice in str(error)


@pytest.mark.parametrize("spelt", ["tx_9", {"Value": "tx_9", "Valid": True}, 99])
@pytest.mark.parametrize("name", ["id", "transactionId"])
async def test_under_a_5xx_the_id_is_read_in_any_of_its_forms(name: str, spelt: Any) -> None:
    plain = "99" if spelt == 99 else "tx_9"
    error, _ = await failed(CALLS["recurring"], Answer(500, {"success": False, name: spelt}))

    assert f"The answer names '{plain}'." in str(error)
    assert f"in transactions.retrieve('{plain}') and transactions.list() before" in str(error)


async def test_a_payouts_advice_says_which_one_to_look_for() -> None:
    error, _ = await failed(
        lambda plexy: plexy.payouts.create(extra={"a": 1}), Answer(500, {"success": False, "id": "po_9"})
    )
    assert "look for 'po_9' in payouts.list() before doing it again" in str(error)


async def test_an_id_that_may_be_a_cards_number_is_not_named() -> None:
    error, _ = await failed(CALLS["recurring"], Answer(500, {"success": False, "id": "4111111111111111"}))
    assert "The answer names" not in str(error)
    assert "look for a new payment in transactions.list() before" in str(error)


ODD = {"id": "tx_9", "amount": "abc", "currency": "KZT", "note": f"4111 1111 1111 1111 {KEY}"}


async def test_an_unreadable_success_leaves_its_json_and_its_id_on_the_error() -> None:
    error, sent = await failed(CALLS["recurring"], Answer(200, ODD))

    assert sent == 1
    for found in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert isinstance(found, OutcomeUnknownError)
        assert found.raw == {**ODD, "note": "[card number ...1111] [the API key]"}
        assert "The answer names 'tx_9'." in str(found)
        assert "in transactions.retrieve('tx_9') and transactions.list() before" in str(found)


async def test_the_json_of_a_card_payment_stays_hidden_and_its_id_is_named() -> None:
    error, _ = await failed(CALLS["direct"], Answer(200, {"id": "tx_9", "amount": {}}))

    assert isinstance(error, OutcomeUnknownError)
    assert error.raw is None
    assert "in transactions.retrieve('tx_9'), payments.search(order_reference='ORD-1') and" in str(error)


async def test_after_silence_a_refusal_proves_nothing() -> None:
    error, sent = await failed(
        CALLS["same key"],
        [SILENCE, Answer(422, {"success": False, "code": 1013, "message": "no"})],  # type: ignore[arg-type]
        read_timeout=0.05,
    )

    assert isinstance(error, OutcomeUnknownError)
    assert isinstance(error.__cause__, RefusedError)
    assert sent == 2


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"success": false', b'{"success": 0, "code": 1013}']
)
async def test_what_says_nothing_of_a_refusal_is_as_ever(body: bytes) -> None:
    error, _ = await failed(CALLS["direct"], Answer(400, body))

    assert isinstance(error, APIError)


async def test_the_sync_facade() -> None:
    def caught(url: str) -> PlexyPayError:
        with PlexyPay(KEY, base_url=url) as plexy, pytest.raises(PlexyPayError) as raised:
            plexy.direct_payments.create(**REQUEST)
        return raised.value

    async with serving({"*": Answer(402, DECLINED)}) as server:
        error = await asyncio.to_thread(caught, server.url)
    assert isinstance(error, RefusedError)
    assert error.status == 402
    async with serving({"*": Answer(500, DECLINED)}) as server:
        error = await asyncio.to_thread(caught, server.url)
    assert isinstance(error, OutcomeUnknownError)
    assert f"transactions.retrieve('{ID}')" in str(error)
