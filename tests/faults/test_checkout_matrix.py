"""Every operation of the Checkout API through every way to fail: what the server saw, and what was raised.

Over real sockets. `MATRIX` has the two classes that the API has; each of its operations is a row of its own.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import attrs
import pytest

import plexypay_async
from plexypay_async import (
    AsyncPlexyCheckout,
    Money,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RefusedError,
    Replay,
    RetryPolicy,
)
from plexypay_async.api.index import every_declaration
from plexypay_async.checkout import OrderReference
from plexypay_async.checkout.description import CHECKOUT

from .scripted import DROP, KEY, RESET, SILENCE, Answer, Cut, Script, Step, serving

pytestmark = pytest.mark.asyncio

THREE = RetryPolicy(max_attempts=3, base=0.002, cap=0.01)
KZT = Money(2_200_000, "KZT")
AMOUNT = {"currency": "KZT", "value": 2_200_000}
STATE = {"paymentMethod": {"type": "scheme", "encryptedCardNumber": "cipher-4711"}}
ORDER = OrderReference(psp_reference="o", order_data="opaque-4711")
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"

# Of three attempts. "6/2 Name": the server sees six requests if it fails so for ever, and the error is
# `NameError`; it sees two if it fails once, and the call succeeds. "1/- Name": one failure is raised.
# aiohttp sends a GET and a DELETE a second time by itself after a disconnect: there it is six for three.
MATRIX = """
failure            | safe                   | same key               | outcome
connection refused | 0/- Connect            | 0/- Connect            | not_sent
400                | 1/- InvalidRequest     | 1/- InvalidRequest     | rejected
401                | 1/- Authentication     | 1/- Authentication     | rejected
402 of the card    | 1/- Unprocessable      | 1/- Refused            | rejected
403                | 1/- PermissionDenied   | 1/- PermissionDenied   | rejected
405                | 1/- API                | 1/- API                | rejected
409                | 1/- Idempotency        | 1/- Idempotency        | unknown
422                | 1/- Unprocessable      | 1/- Unprocessable      | rejected
429                | 3/2 RateLimited        | 3/2 RateLimited        | rejected
500                | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
500 of the card    | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
502 in html        | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
503                | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
504 without a body | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | unknown
501                | 1/- SomethingWentWrong | 1/- OutcomeUnknown     | unknown
silent server      | 3/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
closed             | 3/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
reset              | 3/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
deadline           | 1/- DeadlineExceeded   | 1/- DeadlineExceeded   | unknown
cut in its body    | 3/2 UnreadableResponse | 3/2 OutcomeUnknown     | done, unknown
200 in html        | 1/- UnreadableResponse | 3/2 OutcomeUnknown     | done, unknown
"""


def said(status: int, type: str, code: str) -> Answer:
    """Return an error as the API publishes it."""
    told = {"type": type, "code": code, "message": "as scripted", "param": None, "request_id": "req_1"}
    return Answer(status, {"error": told})


FAILURES: dict[str, Step] = {
    "400": said(400, "invalid_request_error", "parameter_invalid"),
    "401": said(401, "authentication_error", "api_key_invalid"),
    "402 of the card": said(402, "card_error", "card_declined"),
    "403": said(403, "authentication_error", "api_key_revoked"),
    "405": said(405, "invalid_request_error", "invalid_request"),
    "409": said(409, "idempotency_error", "idempotency_key_in_use"),
    "422": said(422, "invalid_request_error", "invalid_request"),
    "429": Answer(429, {"message": "slow down"}),
    "500": said(500, "api_error", "processing_error"),
    "500 of the card": said(500, "card_error", "card_declined"),
    "502 in html": Answer(502, HTML, {"Content-Type": "text/html"}),
    "503": said(503, "api_error", "processing_error"),
    "504 without a body": Answer(504),
    "501": Answer(501, HTML),
    "silent server": SILENCE,
    "closed": DROP,
    "reset": RESET,
    "deadline": SILENCE,
    "200 in html": Answer(200, HTML, {"Content-Type": "text/html"}),
}


@attrs.frozen
class Subject:
    """One operation, and how it is called and answered."""

    route: str
    success: Answer
    call: Callable[[AsyncPlexyCheckout], Awaitable[Any]]


PAID = Answer(200, {"pspReference": "psp", "resultCode": "Authorised", "merchantReference": "ORD-1"})
SUBJECTS = {
    "sessions.create": Subject(
        "POST /v2/sessions",
        Answer(201, {"id": "CS1", "sessionData": "opaque", "reference": "ORD-1", "amount": AMOUNT}),
        lambda plexy: plexy.sessions.create(amount=KZT, reference="ORD-1", return_url="https://shop.example"),
    ),
    "payment_methods.list": Subject(
        "POST /v2/paymentMethods",
        Answer(200, {"paymentMethods": [{"type": "scheme", "name": "Card"}]}),
        lambda plexy: plexy.payment_methods.list(amount=KZT),
    ),
    "payment_methods.balance": Subject(
        "POST /v2/paymentMethods/balance",
        Answer(200, {"balance": AMOUNT}),
        lambda plexy: plexy.payment_methods.balance(state_data=STATE),
    ),
    "payments.create": Subject(
        "POST /v2/payments",
        PAID,
        lambda plexy: plexy.payments.create(
            state_data=STATE, amount=KZT, reference="ORD-1", return_url="https://shop.example"
        ),
    ),
    "payments.details": Subject(
        "POST /v2/payments/details",
        PAID,
        lambda plexy: plexy.payments.details(state_data={"details": {"redirectResult": "r"}}),
    ),
    "orders.create": Subject(
        "POST /v2/orders",
        Answer(200, {"pspReference": "o", "orderData": "opaque", "reference": "ORD-1"}),
        lambda plexy: plexy.orders.create(amount=KZT, reference="ORD-1"),
    ),
    "orders.cancel": Subject(
        "POST /v2/orders/cancel",
        Answer(200, {"pspReference": "c", "resultCode": "Received"}),
        lambda plexy: plexy.orders.cancel(order=ORDER),
    ),
    "card_details.retrieve": Subject(
        "POST /v2/cardDetails",
        Answer(200, {"brands": [{"type": "visa", "supported": True}]}),
        lambda plexy: plexy.card_details.retrieve(encrypted_card_number="cipher-4711"),
    ),
    "stored_payment_methods.delete": Subject(
        "DELETE /v2/storedPaymentMethods/s1",
        Answer(204),
        lambda plexy: plexy.stored_payment_methods.delete("s1", shopper_reference="customer-1"),
    ),
    "config.retrieve": Subject(
        "GET /v2/config", Answer(200, {"currencies": ["KZT"]}), lambda plexy: plexy.config.retrieve()
    ),
}
OF_AN_ANSWER = ("cut in its body", "200 in html")
"""Failures that a deletion, which is answered without a body, has in a test of its own."""
DECLARED = {declaration.name: declaration for declaration in every_declaration(CHECKOUT)}
REPLAY = {name: declaration.replay for name, declaration in DECLARED.items()}


@attrs.frozen
class Cell:
    """What is expected of one operation and one failure."""

    operation: str
    failure: str
    requests: int
    once: int | None
    error: type[PlexyPayError]
    outcome: Outcome

    def __str__(self) -> str:
        return f"{self.operation}-{self.failure}"


def cells() -> list[Cell]:
    made: list[Cell] = []
    head, *rows = ([part.strip() for part in line.split("|")] for line in MATRIX.strip().splitlines())
    classes = {"safe": Replay.SAFE, "same key": Replay.SAME_KEY}
    for failure, *filled, outcome in rows:
        outcomes = outcome.split(", ") if "," in outcome else [outcome, outcome]
        for title, cell, known in zip(head[1:-1], filled, outcomes, strict=True):
            found = re.fullmatch(r"(\d)/(\d|-) (\w+)", cell)
            assert found is not None, cell
            for operation, replay in REPLAY.items():
                if replay is not classes[title]:
                    continue
                requests, reads = int(found[1]), DECLARED[operation].reads
                if failure in ("closed", "reset") and not SUBJECTS[operation].route.startswith("POST"):
                    requests *= 2
                if operation == "stored_payment_methods.delete" and failure in OF_AN_ANSWER:
                    continue
                refused = failure == "402 of the card" and not reads
                made.append(
                    Cell(
                        operation,
                        failure,
                        requests,
                        None if found[2] == "-" else int(found[2]),
                        RefusedError if refused else getattr(plexypay_async, f"{found[3]}Error"),
                        Outcome(known),
                    )
                )
    return made


CELLS = cells()


@contextlib.asynccontextmanager
async def client(cell: Cell, *steps: Step) -> AsyncGenerator[tuple[AsyncPlexyCheckout, Script], None]:
    """A client for whom everything goes wrong as the cell says."""
    options: dict[str, Any] = {"retry": THREE, "timeout": 5.0}
    if cell.failure == "deadline":
        options["timeout"] = 0.1
    elif cell.failure == "silent server":
        options["read_timeout"] = 0.03
    routes = {SUBJECTS[cell.operation].route: list(steps)}
    async with (
        serving(routes, listening=cell.failure != "connection refused") as server,
        AsyncPlexyCheckout(KEY, merchant_account="ACME", base_url=server.url, **options) as plexy,
    ):
        yield plexy, server.script


def failing(cell: Cell) -> Step:
    return FAILURES.get(cell.failure, Cut(SUBJECTS[cell.operation].success))


def check_what_was_sent(cell: Cell, script: Script) -> str | None:
    """Every sending is the same, and carries the same key, where there is one; return that."""
    sent = [seen for seen in script.seen if seen.route == SUBJECTS[cell.operation].route]
    assert len(sent) == len(script.seen)
    assert len({(seen.body, seen.query) for seen in sent}) <= 1
    keys = {seen.headers.get("idempotency-key") for seen in sent}
    if REPLAY[cell.operation] is not Replay.SAME_KEY:
        assert keys <= {None}
        return None
    if not sent:
        return None
    (key,) = keys
    assert uuid.UUID(str(key)).version == 4
    return key


async def test_every_operation_is_in_the_matrix() -> None:
    assert SUBJECTS.keys() == REPLAY.keys()
    assert set(REPLAY.values()) == {Replay.SAFE, Replay.SAME_KEY}
    assert {cell.failure for cell in CELLS} == {*FAILURES, "cut in its body", "connection refused"}
    assert len(CELLS) == len(SUBJECTS) * (len(FAILURES) + 2) - len(OF_AN_ANSWER)


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_a_failure_that_lasts(cell: Cell) -> None:
    async with client(cell, failing(cell)) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await SUBJECTS[cell.operation].call(plexy)
    error = caught.value
    assert type(error) is cell.error
    assert error.operation == cell.operation
    assert error.outcome is cell.outcome
    assert script.count() == cell.requests
    key = check_what_was_sent(cell, script)
    if REPLAY[cell.operation] is Replay.SAME_KEY:
        assert error.idempotency_key is not None
        assert key in (None, error.idempotency_key)
    else:
        assert error.idempotency_key is None


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.failure != "connection refused"], ids=str)
async def test_a_failure_that_passes(cell: Cell) -> None:
    subject = SUBJECTS[cell.operation]
    async with client(cell, failing(cell), subject.success) as (plexy, script):
        if cell.once is None:
            with pytest.raises(cell.error):
                await subject.call(plexy)
            assert script.count() == 1
        else:
            await subject.call(plexy)
            assert script.count() == cell.once
    check_what_was_sent(cell, script)


# ------------------------------------------------------------------------------------- what no row can say


async def test_a_deletion_that_finds_nothing_after_a_lost_answer_has_worked() -> None:
    gone = said(404, "invalid_request_error", "resource_missing")
    cell = next(each for each in CELLS if each.operation == "stored_payment_methods.delete")
    for lost in (Answer(502, HTML), Answer(200, HTML), SILENCE):
        async with client(attrs.evolve(cell, failure="silent server"), lost, gone) as (plexy, script):
            assert await SUBJECTS[cell.operation].call(plexy) is None
            assert script.count() == 2
    async with client(attrs.evolve(cell, failure="404"), gone) as (plexy, script):
        with pytest.raises(NotFoundError) as caught:
            await SUBJECTS[cell.operation].call(plexy)
    assert (caught.value.outcome, caught.value.code) == (Outcome.REJECTED, "resource_missing")


async def test_a_page_in_html_in_place_of_a_deletions_answer_proves_nothing() -> None:
    cell = next(each for each in CELLS if each.operation == "stored_payment_methods.delete")
    async with client(attrs.evolve(cell, failure="200"), Answer(200, HTML)) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await SUBJECTS[cell.operation].call(plexy)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert script.count() == 3


async def test_a_key_in_use_after_a_lost_answer_is_asked_until_the_first_is_done() -> None:
    """The first request is still at work: its answer is the one to the same key."""
    in_use = FAILURES["409"]
    cell = next(each for each in CELLS if str(each) == "payments.create-closed")
    async with client(cell, DROP, in_use, PAID) as (plexy, script):
        payment = await SUBJECTS[cell.operation].call(plexy)
    assert payment.is_authorised
    assert script.count() == 3
    assert check_what_was_sent(cell, script)


async def test_the_callers_key_is_sent_and_said_to_be_safe_to_repeat() -> None:
    cell = next(each for each in CELLS if str(each) == "payments.create-closed")
    async with client(cell, DROP) as (plexy, script):
        with pytest.raises(OutcomeUnknownError, match="idempotency_key='mine' is safe to repeat") as caught:
            await plexy.payments.create(
                state_data=STATE,
                amount=KZT,
                reference="ORD-1",
                return_url="https://s",
                idempotency_key="mine",
            )
    assert {seen.headers["idempotency-key"] for seen in script.seen} == {"mine"}
    assert (caught.value.idempotency_key, caught.value.order_reference) == ("mine", "ORD-1")


async def test_an_answer_to_another_order_is_not_taken_for_this_ones() -> None:
    for operation in ("payments.create", "sessions.create", "orders.create"):
        subject = SUBJECTS[operation]
        fields = {**subject.success.body, "merchantReference": "ORD-2", "reference": "ORD-2"}
        cell = Cell(operation, "another", 0, None, PlexyPayError, Outcome.UNKNOWN)
        async with client(cell, Answer(200, fields)) as (plexy, _):
            with pytest.raises(PlexyPayError) as caught:
                await subject.call(plexy)
        assert caught.value.outcome is Outcome.UNKNOWN, operation
        assert caught.value.idempotency_key


@pytest.mark.parametrize("operation", ["sessions.create", "orders.create"])
@pytest.mark.parametrize("other", [{"value": 220}, {"currency": "USD"}], ids=str)
async def test_what_is_made_for_another_amount_is_not_taken(operation: str, other: dict[str, Any]) -> None:
    subject = SUBJECTS[operation]
    cell = Cell(operation, "another", 0, None, PlexyPayError, Outcome.UNKNOWN)
    fields = {**subject.success.body, "amount": {**AMOUNT, **other}}
    async with client(cell, Answer(200, fields), subject.success) as (plexy, script):
        await subject.call(plexy)
        assert script.count() == 2
    async with client(cell, Answer(200, fields)) as (plexy, _):
        with pytest.raises(OutcomeUnknownError):
            await subject.call(plexy)
    async with client(cell, Answer(200, {**fields, "amount": {**AMOUNT, "currency": "kzt"}})) as (plexy, _):
        assert (await subject.call(plexy)).amount.equals(KZT), "letter case is no other currency"
