"""A card is nowhere: not in an error, its causes, its traceback with locals, a pickle, a log or a repr.

Neither in plain nor as it is sent. What a server says of a card in its answer is the server's, not hidden.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import re
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from plexypay_async import AsyncPlexyPay, ConfigurationError, PlexyPayError, RefusedError, RetryPolicy
from plexypay_async._wire.codec import OperationCodec
from plexypay_async.cards import Card, encrypt_card
from plexypay_async.pay.direct_payments import (
    Address,
    BrowserDetails,
    CreateDirectPayment,
    CustomerDetails,
    DirectPayments,
    OrderDetails,
)
from plexypay_sync import PlexyPay

from .scripted import DROP, ONCE, RESET, SILENCE, Answer, Cut, Raw, Trickle, code, scripted, serving
from .test_faults_secrets import told

pytestmark = pytest.mark.asyncio

SECRETS = ("4918914107195005", "4918 9141 0719 5005", "9173", "Айгерим Q. Holder")
CARD = Card(SECRETS[1], 11, "2031", SECRETS[2], SECRETS[3])
SEALED = encrypt_card(CARD, rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key())
HIDDEN = (*SECRETS, *attrs.astuple(SEALED), "buyer@example.kz", "+77010000000")

BROWSER = BrowserDetails(
    accept_header="*/*",
    language="ru",
    color_depth=24,
    screen_height=1080,
    screen_width=1920,
    time_zone=-300,
    user_agent="Mozilla/5.0",
)
REQUEST: dict[str, Any] = {
    "terminal_id": "87b5eee0-5fb7-4ace-9fb9-175ce38b354b",
    "three_ds_notification_url": "https://shop.example/3ds",
    "transaction_type": "sale",
    "browser_details": BROWSER,
    "order_details": OrderDetails(amount=100, currency="KZT", order_reference="ORD-1"),
    "card_data": SEALED,
    "customer_details": CustomerDetails(
        email="buyer@example.kz",
        billing_address=Address(
            first_name=SECRETS[3],
            last_name="Holder",
            address_line1="Abay 1",
            address_line2="apt. 2",
            postal_code="050000",
            phone="+77010000000",
            country="KZ",
        ),
    ),
}

DECLINED = Answer(
    200,
    {
        "id": "t-1",
        "success": False,
        "code": "51",
        "message": "declined",
        "cardholderName": SECRETS[3],
        "cardExpiryDate": "11/31",
    },
)
ANSWERS: dict[str, Any] = {
    "401": code(3, 401),
    "400": code(3, 400),
    "422": code(5, 422),
    "429": code(1, 429),
    "500": code(2, 500),
    "500 as html": Answer(500, b"<html>no</html>"),
    "503": code(1, 503),
    "200 as html": Answer(200, b"<html>yes</html>"),
    "200 of another shape": Answer(200, {"id": 5}),
    "200 cut": Cut(Answer(200, {"id": "t-1", "success": True})),
    "declined": DECLINED,
    "declined under 402": attrs.evolve(DECLINED, status=402),
    "declined under 500": attrs.evolve(DECLINED, status=500),
    "garbage": Raw(b"nonsense\r\n\r\n"),
    "disconnect": DROP,
    "reset": RESET,
    "read time-out": SILENCE,
    "trickle": Trickle(Answer(200, {"id": "t-1"})),
}


def assert_hidden(text: str) -> None:
    for secret in HIDDEN:
        # The card's code is a number alone, not a part of a time or of an address.
        shown = re.compile(rf"(?<![\w.]){re.escape(str(secret))}(?![\w.])")
        lines = [line.strip()[:300] for line in text.splitlines() if shown.search(line)]
        assert not lines, f"{str(secret)[:20]} is shown in: {lines[:3]}"


def everything_told(error: BaseException) -> str:
    restored = pickle.loads(pickle.dumps(error))
    assert str(restored) == str(error)
    return f"{told(error)}\n{told(restored)}"


def logged(caplog: pytest.LogCaptureFixture) -> str:
    # The number of a process may be any, a card's code among them.
    records = [{**vars(record), "process": 0, "thread": 0} for record in caplog.records]
    return "\n".join([caplog.text, *map(repr, records)])


async def _caught(call: Any) -> BaseException | None:
    try:
        await call
    except Exception as error:  # noqa: BLE001 - whatever it is must hide the card
        return error
    return None


def calls(plexy: AsyncPlexyPay) -> list[Any]:
    """A payment, and its end after 3-D Secure."""
    return [
        plexy.direct_payments.create(**REQUEST),
        plexy.direct_payments.continue_3ds(cres="cres-of-the-bank", transaction_id="t-1"),
    ]


@pytest.mark.parametrize("name", ANSWERS)
async def test_no_answer_brings_the_card_to_light(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    policy = RetryPolicy(max_attempts=2, base=0.001, cap=0.002)
    async with scripted({"*": ANSWERS[name]}, retry=policy, read_timeout=0.03, timeout=0.1) as (
        plexy,
        script,
    ):
        errors = await asyncio.gather(*map(_caught, calls(plexy)))
    bodies = b"".join(seen.body for seen in script.seen)
    assert SEALED.encrypted_card_number.encode() in bodies
    assert b"cres-of-the-bank" in bodies
    for error in errors:
        assert isinstance(error, PlexyPayError)
        assert_hidden(everything_told(error))
        assert "cres-of-the-bank" not in f"{error}{error!r}{vars(error)}{logged(caplog)}"
    assert_hidden(logged(caplog))


async def test_a_decline_does_not_show_whose_card_it_is() -> None:
    async with scripted({"*": DECLINED}) as (plexy, _):
        error = await _caught(plexy.direct_payments.create(**REQUEST))

    assert isinstance(error, RefusedError)
    assert "11/31" not in f"{error.answer!r}{error!r}{error}"
    assert error.answer.card_expiry_date == "11/31"


async def test_no_connection_and_no_time_bring_the_card_to_light() -> None:
    async with scripted({}, listening=False, retry=ONCE) as (plexy, _):
        errors = await asyncio.gather(*map(_caught, calls(plexy)))
    async with scripted({"*": SILENCE}, timeout=0.05, max_connections=1) as (plexy, _):
        errors += await asyncio.gather(*map(_caught, calls(plexy)))
    for error in errors:
        assert isinstance(error, PlexyPayError)
        assert_hidden(everything_told(error))


async def test_the_sync_client_does_not_show_the_card(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def pay(base_url: str) -> BaseException | None:
        with PlexyPay("pr_1", base_url=base_url, retry=ONCE) as plexy:
            try:
                plexy.direct_payments.create(**REQUEST)
            except PlexyPayError as error:
                return error
            return None

    async with serving({"*": code(2, 500)}) as server:
        error = await asyncio.to_thread(pay, server.url)
    assert error is not None
    assert_hidden(everything_told(error))
    assert_hidden(logged(caplog))


@pytest.mark.parametrize(
    "fields",
    [
        {"transaction_type": ""},
        {"moto": "yes"},
        {"terminal_id": None},
        {"customer_details": CustomerDetails(email="buyer@example.kz")},
        {"card_data": attrs.evolve(SEALED, encrypted_cvv=None)},
        {"card_data": CARD},
        {"card_data": None},
        {"extra": {"a": object()}},
    ],
    ids=["type", "moto", "no terminal", "no address", "no code", "a card in plain", "no card", "extra"],
)
async def test_a_request_that_is_refused_does_not_show_the_card(fields: dict[str, Any]) -> None:
    async with scripted({}) as (plexy, script):
        error = None
        try:
            await plexy.direct_payments.create(**{**REQUEST, **fields})
        except ConfigurationError as refused:
            error = refused
    assert error is not None
    assert script.count() == 0
    assert_hidden(everything_told(error))


async def test_a_request_that_cannot_be_written_does_not_show_the_card() -> None:
    async with scripted({}) as (plexy, script):
        error = await _caught(plexy.direct_payments.create(**REQUEST, extra={"moto": True, "cardData": {}}))
    assert isinstance(error, ConfigurationError)
    assert script.count() == 0
    assert_hidden(everything_told(error))


async def test_no_repr_shows_the_card() -> None:
    request = CreateDirectPayment(**REQUEST)
    wired = OperationCodec(DirectPayments.create).encode(request)

    assert SEALED.encrypted_card_number.encode() in (wired.body or b"")
    assert_hidden("\n".join(f"{each!r} {each}" for each in (CARD, SEALED, request, wired)))
