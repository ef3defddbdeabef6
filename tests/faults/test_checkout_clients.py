"""The Checkout API's clients over real sockets: what they send, how errors are read, what nothing shows."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from plexypay_async import (
    APIError,
    AsyncPlexyCheckout,
    AuthenticationError,
    ConfigurationError,
    IdempotencyError,
    InvalidRequestError,
    Money,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
    RefusedError,
    SomethingWentWrongError,
    UnprocessableError,
)
from plexypay_sync import PlexyCheckout
from tests.frames import exposures, record_exposures

from .scripted import ONCE, Answer, Script, Step, serving

pytestmark = pytest.mark.asyncio

KEY = "ck_0123456789abcdef0123456789abcdef"
KZT = Money(2_200_000, "KZT")
CIPHERTEXT, SESSION_DATA, ORDER_DATA = "cipher-4711", "Ab02b4c0!session", "Ab02b4c0!order"
STATE = {"paymentMethod": {"type": "scheme", "encryptedCardNumber": CIPHERTEXT}}
PAID = {"pspReference": "psp", "resultCode": "Authorised", "merchantReference": "ORD-1"}
SESSION = {"id": "CS1", "sessionData": SESSION_DATA, "expiresAt": "2023-10-10T11:48:26+02:00"}

Calls = Callable[[Any], Any]


async def asynchronously(script: Script, calls: Calls, **options: Any) -> Any:
    async with (
        serving(script) as server,
        AsyncPlexyCheckout(KEY, base_url=server.url, retry=ONCE, timeout=5, **options) as plexy,
    ):
        return await calls(plexy)


async def synchronously(script: Script, calls: Calls, **options: Any) -> Any:
    async with serving(script) as server:

        def call() -> Any:
            with PlexyCheckout(KEY, base_url=server.url, retry=ONCE, timeout=5, **options) as plexy:
                return calls(plexy)

        return await asyncio.to_thread(call)


Facade = Callable[..., Awaitable[Any]]
FACADES: list[Facade] = [asynchronously, synchronously]
both = pytest.mark.parametrize("facade", FACADES, ids=["async", "sync"])


def pay(plexy: Any) -> Any:
    return plexy.payments.create(
        state_data=STATE, amount=KZT, reference="ORD-1", return_url="https://shop.example/back"
    )


def begin(plexy: Any) -> Any:
    return plexy.sessions.create(amount=KZT, reference="ORD-1", return_url="https://shop.example/back")


async def failure(facade: Facade, calls: Calls, answer: Step) -> Any:
    """Return the error of a call that is answered so."""
    with pytest.raises(PlexyPayError) as caught:
        await facade(Script({"*": answer}), calls, merchant_account="ACME")
    return caught.value


# ------------------------------------------------------------------------------------------ what is sent


@both
async def test_the_key_is_in_its_own_header_alone(facade: Facade) -> None:
    script = Script({"POST /v2/sessions": Answer(201, SESSION)})
    session = await facade(script, begin, merchant_account="ACME")

    (seen,) = script.seen
    assert seen.headers["x-api-key"] == KEY
    assert "authorization" not in seen.headers
    assert seen.headers["content-type"] == "application/json"
    assert len(seen.headers["idempotency-key"]) == 36
    assert seen.json == {
        "merchantAccount": "ACME",
        "amount": {"currency": "KZT", "value": 2_200_000},
        "reference": "ORD-1",
        "returnUrl": "https://shop.example/back",
    }
    assert session.for_browser() == {"id": "CS1", "sessionData": SESSION_DATA}
    assert session.expires_at.isoformat() == "2023-10-10T09:48:26+00:00"


@both
async def test_a_read_carries_no_key_and_the_account_of_the_call(facade: Facade) -> None:
    script = Script(
        {
            "POST /v2/paymentMethods": Answer(200, {"paymentMethods": []}),
            "DELETE /v2/storedPaymentMethods/*": Answer(204),
        }
    )
    await facade(
        script, lambda plexy: plexy.payment_methods.list(merchant_account="OTHER"), merchant_account="ACME"
    )
    await facade(
        script,
        lambda plexy: plexy.stored_payment_methods.delete("a/b", shopper_reference="c 1"),
        merchant_account="ACME",
    )

    listed, deleted = script.seen
    assert listed.json == {"merchantAccount": "OTHER"}
    assert (deleted.path, deleted.query) == (
        "/v2/storedPaymentMethods/a%2Fb",
        "shopperReference=c+1&merchantAccount=ACME",
    )
    assert all("idempotency-key" not in seen.headers for seen in script.seen)


@both
async def test_without_an_account_nothing_is_sent(facade: Facade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXYPAY_MERCHANT_ACCOUNT", raising=False)
    script = Script({"*": Answer(200, PAID)})
    for calls in (pay, begin):
        with pytest.raises(ConfigurationError, match="merchant_account: missing") as caught:
            await facade(script, calls)
        assert caught.value.outcome is Outcome.NOT_SENT
    assert script.seen == []

    monkeypatch.setenv("PLEXYPAY_MERCHANT_ACCOUNT", "OF-THE-ENVIRONMENT")
    await facade(script, pay)
    assert script.seen[0].json["merchantAccount"] == "OF-THE-ENVIRONMENT"


@both
async def test_the_same_words_to_the_same_key_are_its_answer(facade: Facade) -> None:
    """To another key on the same connection they may be the earlier answer, which a proxy sends again."""
    script = Script({"*": Answer(201, SESSION)})

    def twice(plexy: Any, *keys: str) -> list[Any]:
        fields = {"amount": KZT, "reference": "ORD-1", "return_url": "https://shop.example/back"}
        return [lambda key=key: plexy.sessions.create(**fields, idempotency_key=key) for key in keys]

    async def awaited(calls: list[Any]) -> None:
        for call in calls:
            await call()

    def called(calls: list[Any]) -> None:
        for call in calls:
            call()

    run: Any = awaited if facade is asynchronously else called
    await facade(script, lambda plexy: run(twice(plexy, "a", "a", "a")), merchant_account="ACME")
    assert (len(script.seen), script.connections) == (3, 1)
    with pytest.raises(OutcomeUnknownError, match="the answer is of another request"):
        await facade(script, lambda plexy: run(twice(plexy, "a", "b")), merchant_account="ACME")


@both
@pytest.mark.parametrize("operation", ["payments.create", "orders.create"])
async def test_the_answer_to_another_key_is_not_taken_for_this_ones(facade: Facade, operation: str) -> None:
    """Of the same order too: the card that was refused before is not the one that may pay now."""
    made = {"pspReference": "psp", "resultCode": "Refused", "orderData": ORDER_DATA}
    script = Script({"*": [Answer(200, made)]})
    fields: dict[str, Any] = {"amount": KZT, "reference": "ORD-1"}
    if operation == "payments.create":
        fields |= {"state_data": STATE, "return_url": "https://shop.example/back"}

    async def awaited(plexy: Any) -> None:
        group, _, name = operation.partition(".")
        for _ in range(2):
            made = getattr(getattr(plexy, group), name)(**fields)
            if facade is asynchronously:
                await made

    def called(plexy: Any) -> None:
        group, _, name = operation.partition(".")
        for _ in range(2):
            getattr(getattr(plexy, group), name)(**fields)

    with pytest.raises(OutcomeUnknownError, match="the answer is of another request"):
        await facade(script, awaited if facade is asynchronously else called, merchant_account="ACME")
    assert len(script.seen) == 2


# --------------------------------------------------------------------------------------- how errors are read


def told(status: int, **error: Any) -> Answer:
    return Answer(status, {"error": {"message": "as scripted", **error}}, {"X-Request-Id": "of the header"})


ERRORS: list[tuple[Answer, type[APIError], Outcome, dict[str, Any]]] = [
    (
        told(400, type="invalid_request_error", code="parameter_missing", param="amount", request_id="req_1"),
        InvalidRequestError,
        Outcome.REJECTED,
        {
            "code": "parameter_missing",
            "param": "amount",
            "request_id": "req_1",
            "type": "invalid_request_error",
        },
    ),
    (
        told(400, code="invalid_request", param="amount"),
        InvalidRequestError,
        Outcome.REJECTED,
        {"code": "invalid_request", "param": "amount", "request_id": "of the header", "type": None},
    ),
    (
        told(401, type="authentication_error", code="api_key_expired"),
        AuthenticationError,
        Outcome.REJECTED,
        {"code": "api_key_expired"},
    ),
    (told(403, code="api_key_revoked"), PermissionDeniedError, Outcome.REJECTED, {"code": "api_key_revoked"}),
    (told(404, code="resource_missing"), NotFoundError, Outcome.REJECTED, {"code": "resource_missing"}),
    (
        told(409, type="idempotency_error", code="idempotency_key_in_use"),
        IdempotencyError,
        Outcome.UNKNOWN,
        {"code": "idempotency_key_in_use"},
    ),
    (told(409, code="idempotency_error"), IdempotencyError, Outcome.UNKNOWN, {"code": "idempotency_error"}),
    (
        told(409, type="invalid_request_error", code="invalid_request"),
        IdempotencyError,
        Outcome.UNKNOWN,
        {"code": "invalid_request"},
    ),
    (
        Answer(409, {"errorCode": "704", "message": "Request already processed or in progress"}),
        IdempotencyError,
        Outcome.UNKNOWN,
        {"code": "704"},
    ),
    (
        told(409, type="invalid_request_error", code="parameter_missing"),
        InvalidRequestError,
        Outcome.REJECTED,
        {"code": "parameter_missing"},
    ),
    (
        told(429, type="idempotency_error", code="idempotency_key_in_use"),
        IdempotencyError,
        Outcome.UNKNOWN,
        {"code": "idempotency_key_in_use"},
    ),
    (
        Answer(422, {"errorCode": "14_030", "message": "Return URL is missing", "refusalReason": "x"}),
        UnprocessableError,
        Outcome.REJECTED,
        {"code": "14_030", "message": "Return URL is missing"},
    ),
    (
        Answer(400, {"errorCode": 702, "message": "Structure of the request"}),
        InvalidRequestError,
        Outcome.REJECTED,
        {"code": 702},
    ),
    (Answer(400, b"<html>nginx</html>"), InvalidRequestError, Outcome.REJECTED, {"code": None, "type": None}),
    (Answer(404, b""), NotFoundError, Outcome.REJECTED, {"code": None}),
]


@both
@pytest.mark.parametrize(
    ("answer", "kind", "outcome", "known"), ERRORS, ids=lambda each: getattr(each, "status", "")
)
async def test_an_error_in_each_of_its_forms(
    facade: Facade, answer: Answer, kind: type[APIError], outcome: Outcome, known: dict[str, Any]
) -> None:
    error = await failure(facade, pay, answer)

    assert type(error) is kind
    assert error.outcome is outcome
    assert error.status == answer.status
    assert {name: getattr(error, name) for name in known} == known
    assert error.idempotency_key
    assert error.order_reference == "ORD-1"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.outcome, again.code) == (kind, outcome, error.code)


@both
@pytest.mark.parametrize("status", [400, 402, 409, 422])
async def test_an_error_of_the_card_is_a_refusal(facade: Facade, status: int) -> None:
    answer = told(status, type="card_error", code="insufficient_funds", request_id="req_9")
    error = await failure(facade, pay, answer)

    assert type(error) is RefusedError
    assert (error.outcome, error.status, error.code) == (Outcome.REJECTED, status, "insufficient_funds")
    assert (error.message, error.request_id) == ("as scripted", "req_9")
    assert error.idempotency_key


@both
@pytest.mark.parametrize(
    "code",
    ["card_declined", "expired_card", "incorrect_cvc", "incorrect_number", "insufficient_funds"],
)
async def test_a_refusal_of_the_card_may_come_without_its_type(facade: Facade, code: str) -> None:
    """As the published overview prints an error."""
    error = await failure(facade, pay, told(402, code=code))

    assert type(error) is RefusedError
    assert (error.outcome, error.status, error.code) == (Outcome.REJECTED, 402, code)
    assert error.message == "as scripted"


@both
@pytest.mark.parametrize(
    "answer",
    [
        Answer(402, b""),
        Answer(409, {"message": "conflict"}),
        Answer(422, b"<html></html>"),
        Answer(410, {"message": "gone"}),
        told(408, code="RequestTimeout"),
        Answer(425, {"errorCode": "early", "message": "as scripted"}),
        Answer(499, {"code": "client_closed", "message": "as scripted"}),
        told(500, type="card_error", code="card_declined"),
        told(500, type="invalid_request_error", code="parameter_invalid"),
        Answer(502, {"errorCode": "1", "message": "refused", "refusalReason": "declined"}),
        Answer(200, {"error": {"type": "api_error", "code": "processing_error", "message": "?"}}),
        Answer(200, {"error": "upstream"}),
        Answer(200, {**PAID, "error": {"type": "card_error", "code": "card_declined", "message": "?"}}),
        Answer(200, {"code": "card_declined", **PAID}),
        Answer(200, {"status": "succeeded", "id": "pay_1"}),
        Answer(202, b""),
    ],
    ids=lambda answer: f"{answer.status}-{answer.content[:24].decode()}",
)
async def test_what_may_have_been_done_is_said_to_be_unknown(facade: Facade, answer: Answer) -> None:
    """Something in between may have answered, or the API does not say what became of the work."""
    error = await failure(facade, pay, answer)

    assert error.outcome is Outcome.UNKNOWN
    assert error.idempotency_key
    assert "is safe to repeat" in str(error)


@both
async def test_a_success_that_is_an_error_of_the_card_is_a_refusal(facade: Facade) -> None:
    error = await failure(facade, pay, told(200, type="card_error", code="expired_card"))

    assert type(error) is RefusedError
    assert (error.outcome, error.code) == (Outcome.REJECTED, "expired_card")


@both
async def test_a_refusal_that_is_an_answer_is_returned(facade: Facade) -> None:
    refused = {
        **PAID,
        "resultCode": "Refused",
        "refusalReason": "Not enough balance",
        "refusalReasonCode": "12",
    }
    payment = await facade(Script({"*": Answer(200, refused)}), pay, merchant_account="ACME")

    assert (payment.is_final, payment.is_authorised) == (True, False)
    assert (payment.refusal_reason, payment.refusal_reason_code) == ("Not enough balance", "12")


@both
async def test_a_read_that_fails_has_no_key(facade: Facade) -> None:
    error = await failure(facade, lambda plexy: plexy.payment_methods.list(), told(500, type="api_error"))

    assert type(error) is SomethingWentWrongError
    assert error.idempotency_key is None


# ------------------------------------------------------------------------------------------ what is not shown

SECRETS = (KEY, CIPHERTEXT, SESSION_DATA, ORDER_DATA)
LEAKY: dict[str, Step] = {
    "an error that repeats the request": lambda seen: Answer(
        422, {"error": {"message": "no", "code": "invalid_request", "request": seen.body.decode()}}
    ),
    "an unknown outcome": lambda seen: Answer(500, {"message": "no", "request": seen.body.decode()}),
    "a decline": lambda seen: Answer(
        402,
        {
            "error": {"type": "card_error", "code": "card_declined", "message": "no"},
            "sent": seen.body.decode(),
        },
    ),
    "no answer that fits": Answer(200, {"sessionData": SESSION_DATA, "id": None, "orderData": ORDER_DATA}),
    "a page in html": Answer(200, f"<html>{SESSION_DATA} {KEY}</html>".encode()),
    "an action that is none": Answer(200, {**PAID, "action": [CIPHERTEXT], "sessionData": SESSION_DATA}),
}
CALLED: dict[str, Calls] = {
    "a payment": pay,
    "details": lambda plexy: plexy.payments.details(state_data={"details": {"redirectResult": CIPHERTEXT}}),
    "a balance": lambda plexy: plexy.payment_methods.balance(state_data=STATE),
    "a session": begin,
    "a card": lambda plexy: plexy.card_details.retrieve(encrypted_card_number=CIPHERTEXT),
}


@both
@pytest.mark.parametrize("called", CALLED)
@pytest.mark.parametrize("answer", LEAKY)
async def test_no_error_and_no_log_shows_what_the_page_gave(
    facade: Facade, called: str, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "plexypay")
    error = None
    try:
        await facade(Script({"*": LEAKY[answer]}), CALLED[called], merchant_account="ACME")
    except PlexyPayError as failed:
        error = failed

    if error is None:
        assert called in ("a card", "a balance"), "answers of which little is known take other documents"
    else:
        assert exposures(error, SECRETS) == []
    assert record_exposures(caplog.records, SECRETS) == []
    assert caplog.records
