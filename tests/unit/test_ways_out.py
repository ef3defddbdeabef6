"""A message about a value that cannot be used says what to give in its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, CreatePaymentLink, Money, WebhookReceiver
from plexypay_async.api.checks import check_major_units
from plexypay_async.gate import TopupRequest
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay

KEY = "k3y-of-a-test"
MINOR = "amount: expected an int of minor units (22 000 KZT is 2200000), got "
BOTH = pytest.mark.parametrize("kind", [AsyncPlexyPay, PlexyPay])


def told(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (22000.5, 'float 22000.5; of major units, give Money.major("22000.5", "KZT").amount'),
        ("22000.50", 'str \'22000.50\'; of major units, give Money.major("22000.50", "KZT").amount'),
        ("22000,50", 'str \'22000,50\'; of major units, give Money.major("22000,50", "KZT").amount'),
        (Decimal("7.5"), 'Decimal(\'7.5\'); of major units, give Money.major("7.5", "KZT").amount'),
        (
            "22000",
            'str \'22000\'; of minor units, give int("22000"), and of major ones Money.major("22000",'
            ' "KZT").amount',
        ),
        ("a lot", "str 'a lot'; of major units as text, give Money.major(text, \"KZT\").amount"),
        ("22 000", "str '22 000'; of major units as text, give Money.major(text, \"KZT\").amount"),
        (float("inf"), 'float inf; of major units as text, give Money.major(text, "KZT").amount'),
        (Money(100, "KZT"), "Money(amount=100, currency='KZT'); give its .amount"),
        (True, "bool True"),
        (None, "NoneType None"),
    ],
)
def test_an_amount_that_is_no_int_says_how_to_make_one(given: Any, expected: str) -> None:
    assert told(lambda: CreatePaymentLink(amount=given, currency="KZT")) == MINOR + expected
    assert told(lambda: Money(given, "KZT")) == MINOR + expected


def test_what_is_shown_of_an_amount_is_no_cards_number() -> None:
    message = told(lambda: CreatePaymentLink(amount="4111111111111111", currency="KZT"))  # type: ignore[arg-type]
    assert "4111111111111111" not in message
    assert 'Money.major(text, "KZT").amount' in message


def test_the_way_out_works() -> None:
    message = told(lambda: CreatePaymentLink(amount="22000.50", currency="KZT"))  # type: ignore[arg-type]
    made = eval(message.partition("give ")[2], {"Money": Money})
    assert CreatePaymentLink(amount=made, currency="KZT").amount == 2_200_050


def test_money_in_the_place_of_major_units_names_them() -> None:
    money: Any = Money(100, "KZT")
    assert told(lambda: check_major_units("amount", money)).endswith("; give its .in_major_units")
    assert told(lambda: TopupRequest(amount=money, customer_account={"phone": "1"})).endswith(
        "got a Money; give its .in_major_units"
    )


@BOTH
def test_time_outs_that_belong_to_other_options_name_them(kind: type[Any]) -> None:
    plexy = kind(KEY)
    for give in (kind, plexy.with_options, plexy.payment_links.create.with_options):
        given = (KEY,) if give is kind else ()
        assert told(give, *given, timeout=(3, 10)) == (
            "timeout: expected a positive number of seconds, got (3, 10); connect_timeout and read_timeout"
            " are options of their own"
        )
        message = told(give, *given, timeout=timedelta(seconds=5))
        assert message.endswith("; give its .total_seconds()")
    assert told(lambda: kind(KEY, read_timeout=(3, 10))).endswith("got (3, 10)")


@BOTH
def test_an_empty_option_says_how_to_have_none(kind: type[Any]) -> None:
    for empty in ("", " "):
        assert told(kind, KEY, proxy=empty) == (
            "proxy: must not be empty; for no proxy, leave it out or give None"
        )
    assert told(lambda: kind(KEY, ssl="")) == (
        "ssl: the path of the CA bundle is empty; for the system's authorities, leave it out or give None"
    )
    assert told(lambda: kind("")) == "api_key: must not be empty; without it, the environment is asked"


def test_a_function_without_a_key_is_not_told_of_the_environment() -> None:
    with PlexyPay(lambda: "") as plexy:
        assert told(plexy.merchant.retrieve) == "api_key: must not be empty"


@pytest.mark.parametrize("tokens", ["", None, [""], ["whk_0123456789abcdef", ""]])
def test_a_token_that_is_not_there_names_its_variable(tokens: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXYPAY_WEBHOOK_TOKEN", raising=False)
    assert told(lambda: WebhookReceiver(tokens)).endswith(
        "; it is the token that webhooks are to carry: look whether PLEXYPAY_WEBHOOK_TOKEN is set"
    )
    empty = os.environ.get("PLEXYPAY_WEBHOOK_TOKEN", "")
    assert told(lambda: WebhookReceiver(empty)).startswith("tokens: must not be empty; ")


def test_a_token_that_can_be_guessed_is_told_as_before() -> None:
    assert "PLEXYPAY_WEBHOOK_TOKEN" not in told(lambda: WebhookReceiver("changeme"))


CLOSED = "this client is closed: make a new one"


def test_a_closed_client_begins_no_block(plexypay_sandbox: Sandbox) -> None:
    with PlexyPay() as plexy:
        plexy.payment_links.create(amount=100, currency="KZT")
    assert told(plexy.__enter__) == CLOSED
    assert told(plexy.with_options(timeout=5).__enter__) == CLOSED
    assert told(plexy.merchant.retrieve) == CLOSED
    assert told(lambda: plexy.request("GET", "/v1/merchant")) == CLOSED


@pytest.mark.asyncio
async def test_a_closed_async_client_begins_no_block(plexypay_sandbox: Sandbox) -> None:
    async with AsyncPlexyPay() as plexy:
        await plexy.payment_links.create(amount=100, currency="KZT")
    for client in (plexy, plexy.with_options(timeout=5)):
        with pytest.raises(ConfigurationError, match=f"^{CLOSED}$"):
            async with client:
                pytest.fail("it has begun")
        with pytest.raises(ConfigurationError, match=f"^{CLOSED}$"):
            await client.merchant.retrieve()


def test_a_client_that_was_used_but_not_closed_begins_a_block(plexypay_sandbox: Sandbox) -> None:
    plexy = PlexyPay()
    plexy.payment_links.create(amount=100, currency="KZT")
    with plexy, plexy.with_options(timeout=5) as derived:
        derived.payment_links.create(amount=100, currency="KZT")
    assert len(plexypay_sandbox.payment_links()) == 2
