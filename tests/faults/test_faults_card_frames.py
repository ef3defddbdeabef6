"""A card's number and code are in nothing that an error tracker can reach from an error, on both facades.

`tests.frames` walks over each frame's locals and all that they refer to, which no repr may show.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    Card,
    ConfigurationError,
    EncryptedCard,
    PlexyPayError,
    StoredCard,
    encrypt_card,
    encrypt_cvv,
)
from plexypay_async.pay.direct_payments import ContinueThreeDSecure, CreateDirectPayment
from plexypay_sync import PlexyPay
from tests.frames import chain, exposures, frames, record_exposures

from .scripted import CODE_2, DROP, KEY, ONCE, RESET, SILENCE, Answer, Cut, Raw, code, scripted, serving
from .test_faults_card_secrets import REQUEST

NUMBER, GROUPED, CODE = "4111111111111111", "4111 1111 1111 1111", "9173"
SECRETS = (NUMBER, GROUPED, CODE)
PLAIN = {"number": NUMBER, "cvv": CODE, "holder": {"written": [GROUPED]}}
PAYMENT = REQUEST


def payment(**changed: Any) -> dict[str, Any]:
    return {**PAYMENT, **changed}


class Circle(dict[str, Any]):
    def __init__(self) -> None:
        super().__init__(PLAIN, itself=self)


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "a dict as the card": lambda plexy: plexy.direct_payments.create(**payment(card_data=PLAIN)),
    "a plain card": lambda plexy: plexy.direct_payments.create(
        **payment(card_data=Card(GROUPED, 11, 2031, CODE, "Holder"))
    ),
    "another field": lambda plexy: plexy.direct_payments.create(**payment(moto=NUMBER, extra=PLAIN)),
    "no mapping as extra": lambda plexy: plexy.direct_payments.create(**payment(extra=f"{NUMBER} {CODE}")),
    "extra that JSON cannot hold": lambda plexy: plexy.direct_payments.create(
        **payment(extra={"card": PLAIN, "when": object()})
    ),
    "extra that is there already": lambda plexy: plexy.direct_payments.create(
        **payment(extra={"cardData": PLAIN})
    ),
    "no terminal": lambda plexy: plexy.direct_payments.create(**payment(terminal_id=None, extra=PLAIN)),
    "a wrong keyword": lambda plexy: plexy.direct_payments.create(**payment(card_number=NUMBER, cvv=CODE)),
    "no keyword": lambda plexy: plexy.direct_payments.create(NUMBER, CODE),
    "a missing keyword": lambda plexy: plexy.direct_payments.create(card_data=PLAIN),
    "the bank's answer": lambda plexy: plexy.direct_payments.continue_3ds(cres=PLAIN, transaction_id="t"),
    "a link's extra": lambda plexy: plexy.payment_links.create(amount="", currency="KZT", extra=PLAIN),
    "json that JSON cannot hold": lambda plexy: plexy.request("POST", "/v1/cards", json=[PLAIN, object()]),
    "json in a circle": lambda plexy: plexy.request("POST", "/v1/cards", json=Circle()),
    "a wrong method": lambda plexy: plexy.request("SEND", "/v1/cards", json=PLAIN),
    "a wrong replay": lambda plexy: plexy.request("POST", "/v1/cards", json=PLAIN, replay="x"),
    "a number as the path": lambda plexy: plexy.request("POST", NUMBER, json=PLAIN),
    "a number as the method": lambda plexy: plexy.request(NUMBER, "/v1/cards", json=PLAIN),
    "a number as a header": lambda plexy: plexy.request("POST", "/v1/cards", headers={GROUPED: CODE}),
    "a wait's wrong keyword": lambda plexy: plexy.transactions.wait("t", cvv=CODE),
    "a number as a path's parameter": lambda plexy: plexy.payment_links.update_expiration(
        GROUPED, expires_at=NUMBER
    ),
}

CALLS: dict[str, Callable[[Any], Any]] = {
    "extra": lambda plexy: plexy.direct_payments.create(**payment(extra={"card": PLAIN})),
    "json": lambda plexy: plexy.request("POST", "/v1/cards", json=PLAIN),
    "a link's extra": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT", extra=PLAIN),
}

ANSWERS: dict[str, Any] = {
    "400": code(3, 400),
    "500": CODE_2,
    "200 as html": Answer(200, b"<html>yes</html>"),
    "200 cut": Cut(Answer(200, {"id": "t-1", "success": True})),
    "declined": Answer(200, {"id": "t-1", "success": False, "code": "51", "message": "declined"}),
    "declined under 402": Answer(402, {"id": "t-1", "success": False, "code": "51", "message": "declined"}),
    "garbage": Raw(b"nonsense\r\n\r\n"),
    "disconnect": DROP,
    "reset": RESET,
    "read time-out": SILENCE,
}


def assert_hidden(error: BaseException | None) -> None:
    assert error is not None
    found = exposures(error, SECRETS)
    assert not found, found[:5]


async def _caught(call: Any) -> BaseException | None:
    try:
        await call
    except Exception as error:  # noqa: BLE001 - whatever it is must hide the card
        return error
    return None


def _raised(call: Callable[[Any], Any], plexy: Any) -> BaseException | None:
    try:
        call(plexy)
    except Exception as error:  # noqa: BLE001 - whatever it is must hide the card
        return error
    return None


@pytest.mark.asyncio
@pytest.mark.parametrize("name", MISTAKES)
async def test_a_mistake_does_not_show_the_card(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1") as plexy:
        error = await _caught(MISTAKES[name](plexy))
    assert isinstance(error, (ConfigurationError, TypeError))
    assert_hidden(error)
    assert record_exposures(caplog.records, SECRETS) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_the_sync_facade_does_not_show_the_card(name: str) -> None:
    with PlexyPay(KEY, base_url="http://127.0.0.1:1") as plexy:
        error = _raised(MISTAKES[name], plexy)
    assert isinstance(error, (ConfigurationError, TypeError))
    assert_hidden(error)


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", ANSWERS)
async def test_no_answer_shows_a_card_that_was_sent(answer: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with scripted({"*": ANSWERS[answer]}, retry=ONCE, read_timeout=0.03, timeout=0.2) as (
        plexy,
        script,
    ):
        errors = await asyncio.gather(*(_caught(call(plexy)) for call in CALLS.values()))
    assert all(NUMBER.encode() in seen.body for seen in script.seen if seen.method == "POST")
    assert any(isinstance(error, PlexyPayError) for error in errors)
    for error in errors:
        if error is not None:
            assert_hidden(error)
    # In its debug mode asyncio logs the connections of the test's own server, which knows what it was sent.
    records = [record for record in caplog.records if record.name != "asyncio"]
    assert record_exposures(records, SECRETS) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", ANSWERS)
async def test_no_answer_shows_a_card_that_the_sync_facade_sent(answer: str) -> None:
    def failed(url: str) -> list[BaseException | None]:
        with PlexyPay(KEY, base_url=url, retry=ONCE, read_timeout=0.2, timeout=0.5) as plexy:
            return [_raised(call, plexy) for call in CALLS.values()]

    async with serving({"*": ANSWERS[answer]}) as server:
        errors = await asyncio.to_thread(failed, server.url)
    assert any(isinstance(error, PlexyPayError) for error in errors)
    for error in errors:
        if error is not None:
            assert_hidden(error)


@pytest.mark.asyncio
async def test_no_connection_and_no_time_show_no_card() -> None:
    async with scripted({}, listening=False, retry=ONCE) as (plexy, _):
        errors = await asyncio.gather(*(_caught(call(plexy)) for call in CALLS.values()))
    async with scripted({"*": SILENCE}, timeout=0.05, max_connections=1) as (plexy, _):
        errors += await asyncio.gather(*(_caught(call(plexy)) for call in CALLS.values()))
    for error in errors:
        assert_hidden(error)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CALLS)
async def test_a_cancelled_call_shows_no_card(name: str) -> None:
    async with scripted({"*": SILENCE}) as (plexy, script):
        calling = asyncio.ensure_future(CALLS[name](plexy))
        while not script.count():
            await asyncio.sleep(0.001)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await calling
    assert_hidden(caught.value)


CONSTRUCTIONS: dict[str, Callable[[], Any]] = {
    "a payment of a dict": lambda: CreateDirectPayment(**payment(card_data=PLAIN)),
    "a payment of another field": lambda: CreateDirectPayment(**payment(moto=NUMBER, extra=PLAIN)),
    "a payment of a wrong keyword": lambda: CreateDirectPayment(**payment(cvv=CODE)),
    "a payment without a keyword": lambda: CreateDirectPayment(NUMBER),  # type: ignore[call-arg]
    "an end of 3-D Secure": lambda: ContinueThreeDSecure(cres=PLAIN, transaction_id="t"),  # type: ignore[arg-type]
    "a card": lambda: Card(NUMBER, 13, 2031, CODE),
    "a card of the wrong code": lambda: Card(NUMBER, 12, 2031, f"{CODE}{CODE}"),
    "an encrypted card": lambda: EncryptedCard(NUMBER, "11", "31", CODE),
    "a stored card": lambda: StoredCard(GROUPED),
    "a stored card's code": lambda: StoredCard("tok-1", CODE),
    "a code that is none": lambda: encrypt_cvv(f"{CODE}{CODE}", SEALED_WITH),
    "a code's encryption": lambda: encrypt_cvv(CODE, padding=_fails),
    "a code's encryption without a key": lambda: encrypt_cvv(CODE, "no key"),
    "a code's encryption with no padding": lambda: encrypt_cvv(CODE, padding="x"),  # type: ignore[arg-type]
    "a card's encryption": lambda: encrypt_card(Card(NUMBER, 12, 2031, CODE), padding=_fails),
    "an encryption of a dict": lambda: encrypt_card(PLAIN),  # type: ignore[arg-type]
    "an encryption without a key": lambda: encrypt_card(Card(NUMBER, 12, 2031, CODE), "no key"),
    "an encryption with a small field": lambda: encrypt_card(
        Card(NUMBER, 12, 2031, CODE, "H" * 500), SEALED_WITH
    ),
}


def _fails(field: bytes) -> bytes:
    raise ValueError(field)


SEALED_WITH = "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_what_is_made_wrong_shows_no_card(name: str) -> None:
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        CONSTRUCTIONS[name]()
    assert_hidden(caught.value)


def test_a_walk_over_a_card_finds_nothing() -> None:
    def failing(held: object) -> None:
        raise ValueError(held)

    with pytest.raises(ValueError, match="hidden") as caught:
        failing(Card(GROUPED, 11, 2031, CODE, "Holder"))
    assert exposures(caught.value, [*SECRETS, "Holder", "31"]) == []


@pytest.mark.asyncio
async def test_the_callers_own_frames_stay() -> None:
    class Raising(dict[str, Any]):
        def items(self) -> Any:
            raise LookupError("the caller's own")

    async with AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1") as plexy:
        error = await _caught(plexy.payment_links.create(amount=1, currency="KZT", extra=Raising()))
    assert isinstance(error, ConfigurationError)
    assert isinstance(error.__cause__, LookupError)
    traceback, names = error.__cause__.__traceback__, list[str]()
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names == ["items"]
    assert not [place for one in chain(error) for place, _ in frames(one)]
