"""What is taken out of texts before anybody sees them: card numbers, and the passwords in addresses."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import ConfigurationError, CreatePaymentLink
from plexypay_async._privacy.hiding import masked, masked_card_numbers, without_userinfo

NUMBER = "4111111111111111"
MASKED = "[card number ...1111]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (NUMBER, MASKED),
        ("declined: 4111 1111 1111 1111.", f"declined: {MASKED}."),
        ("4111-1111-1111-1111", MASKED),
        ("4111\u00a01111\u00a01111\u00a01111", MASKED),
        (f'{{"cardNumber": "{NUMBER}", "n": {NUMBER}}}', f'{{"cardNumber": "{MASKED}", "n": {MASKED}}}'),
        ("order 12 4111 1111 1111 1111", f"order 12 {MASKED}"),
        (f"{NUMBER} {NUMBER}-5555555555554444", f"{MASKED} {MASKED}-[card number ...4444]"),
        ("3714 496353 98431", "[card number ...8431]"),
        ("4222222222222", "[card number ...2222]"),
        ("6304000000000000000", "[card number ...0000]"),
        (f"x{NUMBER}x", f"x{MASKED}x"),
    ],
)
def test_a_cards_number_is_masked(text: str, shown: str) -> None:
    assert masked_card_numbers(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",
        "2025-03-01 12:00:00",
        "pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f",
        "123456789012",
        "41111111111111110000",
        "an amount of 2 200 000 KZT",
        "4111 1111\n1111 1111",
        "٤١١١١١١١١١١١١١١١",
    ],
)
def test_other_numbers_are_left(text: str) -> None:
    assert masked_card_numbers(text) == text


@pytest.mark.parametrize("text", ["5" * 20_000, "1 " * 1_000, "4111-" * 1_000, "1" * 13 + " x"])
def test_long_rows_of_digits_take_no_longer_than_they_are_long(text: str) -> None:
    def spent(times: int) -> float:
        began = time.process_time()
        masked_card_numbers(text * times)
        return time.process_time() - began

    spent(1)
    # Quadratic, it would be 64 times as long.
    assert min(spent(8) for _ in range(5)) < 32 * max(min(spent(1) for _ in range(5)), 1e-4)


def test_a_document_is_masked_in_keys_texts_and_numbers() -> None:
    document = {"message": f"no {NUMBER}", "card": [int(NUMBER), 7, None, True, 1.5], NUMBER: {"a": "b"}}
    assert masked(document) == {
        "message": f"no {MASKED}",
        "card": [MASKED, 7, None, True, 1.5],
        MASKED: {"a": "b"},
    }
    numbers = [
        float(NUMBER),
        Decimal(NUMBER),
        Decimal(f"{NUMBER}.00"),
        Decimal("4.111111111111111e15"),
    ]
    assert all(str(shown).startswith(MASKED) for shown in masked(numbers))
    others = [
        4111111111111112.0,
        Decimal("0.4111111111111111"),
        Decimal("1e400"),
        Decimal("-1E+9999999"),
        1e300,
    ]
    assert masked(others) == others
    deep: Any = NUMBER
    for _ in range(5_000):
        deep = [deep]
    assert NUMBER not in repr(masked(deep))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pass@proxy:3128/", "http://[hidden]@proxy:3128/"),
        (
            "Cannot connect to http://u:p@ss/x@proxy:3128 [refused]",
            "Cannot connect to http://[hidden]@proxy:3128 [refused]",
        ),
        ("URL('http://token@proxy')", "URL('http://[hidden]@proxy')"),
        ("user:secret@proxy:3128", "[hidden]@proxy:3128"),
        ("http://:pass@[::1]:3128", "http://[hidden]@[::1]:3128"),
        ("http://localhost:8080/customers/a@b.kz", "http://localhost:8080/customers/a@b.kz"),
        ("https://host/path?mail=a@b.kz", "https://host/path?mail=a@b.kz"),
        ("nothing here: mail a@b.kz", "nothing here: mail a@b.kz"),
    ],
)
def test_a_password_in_an_address_is_taken_out(text: str, shown: str) -> None:
    assert without_userinfo(text) == shown


def test_a_mistakes_message_shows_no_cards_number() -> None:
    with pytest.raises(ConfigurationError) as caught:
        CreatePaymentLink(amount=1, currency=f"{'x' * 40}{NUMBER}")
    assert "4111" not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"\[card number \.\.\.1111\]"):
        CreatePaymentLink(amount=NUMBER, currency="KZT")  # type: ignore[arg-type]


UUID = "6b564850-0512-4348-98f6-0f8efacea879"
"""Three of its groups are a row of digits that passes the Luhn check."""


@pytest.mark.parametrize(
    "text", [UUID, UUID.upper(), f"ask transactions.retrieve('{UUID}')", f"12 {UUID} 34"]
)
def test_an_id_in_the_form_of_a_uuid_is_shown(text: str) -> None:
    assert masked_card_numbers(text) == text
    assert masked({"id": text}) == {"id": text}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"4111 1111 1111 1111 {UUID}", f"[card number ...1111] {UUID}"),
        (f"{UUID}-4111-1111-1111-1111", f"{UUID}-[card number ...1111]"),
        ("41111111-1111-1111-1234-567890123456", "[card number ...1111]-1234-567890123456"),
        (f"x{UUID}", "x6b[card number ...4348]-98f6-0f8efacea879"),
    ],
)
def test_a_card_number_beside_or_as_a_uuid_is_hidden(text: str, shown: str) -> None:
    assert masked_card_numbers(text) == shown
