"""Cards: what a card takes, that it never shows itself, and its encryption."""

from __future__ import annotations

import base64
import copy
import logging
import pickle
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from rich.pretty import pretty_repr

from plexypay_async import ConfigurationError, Outcome
from plexypay_async.cards import Card, CardPadding, EncryptedCard, StoredCard, encrypt_card

TEST_CARDS = [
    "4111111111111111",
    "4200000000000000",
    "4907639999909022",
    "4907639999990022",
    "4918914107195005",
    "5168159443230322",
    "4111111111111110",
]
SECRETS = {
    "number": "4918914107195005",
    "expiry_month": "11",
    "expiry_year": "2031",
    "cvv": "9173",
    "cardholder_name": "Айгерим Q. Holder",
}
# Short numbers alone, not as a part of an address or of a key.
SHOWN = re.compile(r"4918[ -]?9141[ -]?0719[ -]?5005|Айгерим|(?<![\w.])(9173|2031)(?![\w.])")

PRIVATE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_KEY = PRIVATE_KEY.public_key()
PEM = PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC_KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PKCS1_PEM = PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
BASE64_DER = base64.b64encode(DER).decode()
SMALL_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)

OAEP = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)


def card(**fields: Any) -> Card:
    return Card(**{**SECRETS, **fields})


def decrypted(text: str | None, padded: padding.AsymmetricPadding = OAEP) -> str:
    assert text is not None
    return PRIVATE_KEY.decrypt(base64.b64decode(text, validate=True), padded).decode()


def told(error: BaseException, *, own_frames: bool = False) -> str:
    """Everything that can be shown of an error, with the locals of the library's frames."""
    frames = error.__traceback__
    if not own_frames:
        while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
            frames = frames.tb_next
    shown = traceback.TracebackException(type(error), error, frames, capture_locals=True)
    contexts = [error.__cause__, error.__context__]
    texts = [*shown.format(), str(error), repr(error), repr(error.args), repr(vars(error))]
    return "\n".join([*texts, *(told(one) for one in contexts if one is not None)])


def frames_of(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


# ------------------------------------------------------------------------------------- what a card takes


@pytest.mark.parametrize("number", TEST_CARDS)
def test_the_vendors_test_cards_are_taken_even_where_luhn_fails(number: str) -> None:
    assert Card(number, 7, 2027, "123", "John Doe").number == number


@pytest.mark.parametrize("number", ["4111 1111 1111 1111", "4111-1111-1111-1111", " 4111111111111111 "])
def test_spaces_and_dashes_of_a_number_are_dropped(number: str) -> None:
    assert Card(number, 7, 2027).number == "4111111111111111"


@pytest.mark.parametrize(
    ("given", "written"), [(7, "07"), (12, "12"), (1, "01"), ("07", "07"), ("7", "7"), ("12", "12")]
)
def test_a_month_given_as_a_number_has_two_digits(given: int | str, written: str) -> None:
    assert card(expiry_month=given).expiry_month == written


@pytest.mark.parametrize(
    ("given", "written"), [(2027, "27"), (27, "27"), (2005, "05"), (5, "05"), ("2027", "2027"), ("27", "27")]
)
def test_a_year_given_as_a_number_has_two_digits_and_text_is_kept(given: int | str, written: str) -> None:
    assert card(expiry_year=given).expiry_year == written


def test_code_and_holder_can_be_left_out() -> None:
    made = Card("4111111111111111", 7, 2027)

    assert (made.cvv, made.cardholder_name) == (None, None)


WRONG: list[tuple[str, Any]] = [
    ("number", "49189141071"),
    ("number", "49189141071950054918"),
    ("number", "4918914107195o05"),
    ("number", "491891410719500٥"),
    ("number", 4918914107195005),
    ("number", None),
    ("expiry_month", 0),
    ("expiry_month", 13),
    ("expiry_month", "00"),
    ("expiry_month", "007"),
    ("expiry_month", True),
    ("expiry_month", "9173"),
    ("expiry_month", None),
    ("expiry_year", 203),
    ("expiry_year", 9173),
    ("expiry_year", "203"),
    ("expiry_year", "2031x"),
    ("expiry_year", -1),
    ("expiry_year", None),
    ("cvv", "91"),
    ("cvv", "91739"),
    ("cvv", 9173),
    ("cvv", ""),
    ("cvv", "917x"),
    ("cardholder_name", ""),
    ("cardholder_name", "  "),
    ("cardholder_name", 9173),
    ("cardholder_name", "Айгерим \ud800"),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=[f"{name}-{value!a}" for name, value in WRONG])
def test_a_wrong_value_is_refused_without_being_shown(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^card\.{field}: ") as caught:
        card(**{field: value})

    assert caught.value.outcome is Outcome.NOT_SENT
    assert frames_of(caught.value)[-1] == "__init__"
    assert SHOWN.search(told(caught.value)) is None
    assert len(str(value)) < 5 or str(value) not in told(caught.value)


# ----------------------------------------------------------------------------- that it never shows itself


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        ascii,
        lambda made: f"{made}",
        lambda made: f"{made!r:>80}",
        lambda made: f"{[made]} { ({'card': made}) }",
        lambda made: "%s %r" % (made, made),  # noqa: UP031
    ],
)
def test_a_card_shows_nothing(show: Callable[[Any], str]) -> None:
    assert SHOWN.search(show(card())) is None
    assert "hidden" in show(card())


def test_a_card_in_a_log_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    logging.getLogger("shop").warning("paying with %s %r", card(), card())

    assert "hidden" in caplog.text
    assert SHOWN.search(caplog.text) is None


def test_what_prints_attrs_classes_field_by_field_finds_no_field_to_show() -> None:
    assert not any(field.repr for kind in (Card, EncryptedCard) for field in attrs.fields(kind))


def test_what_prints_a_terminal_in_colours_shows_nothing() -> None:
    assert SHOWN.search(pretty_repr({"card": card()})) is None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_card_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="a Card cannot be pickled") as caught:
        pickle.dumps({"card": card()}, protocol)

    assert SHOWN.search(told(caught.value)) is None


def test_a_copy_of_a_card_is_the_card() -> None:
    made = card()

    assert copy.copy(made) is made
    assert copy.deepcopy([made]) == [made]


def test_a_card_is_frozen_and_has_no_dict() -> None:
    made = card()

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.number = "4111111111111111"  # type: ignore[misc]
    assert not hasattr(made, "__dict__")


def test_two_cards_are_not_compared() -> None:
    """A comparison that fails in a test would show what differs."""
    assert card() != card()


# ------------------------------------------------------------------------------------------- encryption


def encrypted_fields(made: EncryptedCard) -> list[str | None]:
    return [
        made.encrypted_card_number,
        made.encrypted_expiry_month,
        made.encrypted_expiry_year,
        made.encrypted_cvv,
        made.encrypted_cardholder_name,
    ]


@pytest.mark.parametrize(
    "key",
    [
        PUBLIC_KEY,
        PEM,
        PEM.decode(),
        f"\n  {PEM.decode()}\n",
        PKCS1_PEM,
        DER,
        BASE64_DER,
        BASE64_DER.encode(),
        "\r\n".join(re.findall(".{1,64}", BASE64_DER)),
    ],
    ids=["object", "PEM", "PEM text", "PEM in blanks", "PKCS1 PEM", "DER", "Base64", "Base64 bytes", "lines"],
)
def test_each_field_is_encrypted_apart_whatever_form_the_key_has(key: Any) -> None:
    made = encrypt_card(card(), key)

    assert [decrypted(text) for text in encrypted_fields(made)] == list(SECRETS.values())


def test_the_padding_by_default_is_oaep_with_sha256() -> None:
    assert decrypted(encrypt_card(card(), PEM).encrypted_cvv, OAEP) == SECRETS["cvv"]


def test_pkcs1() -> None:
    made = encrypt_card(card(), PEM, CardPadding.PKCS1_V15)

    assert [decrypted(text, padding.PKCS1v15()) for text in encrypted_fields(made)] == list(SECRETS.values())


def test_a_function_of_the_callers_does_all_of_the_encryption() -> None:
    made = encrypt_card(card(), padding=lambda field: b"sealed:" + field[::-1])

    assert base64.b64decode(made.encrypted_card_number) == b"sealed:5005917014198194"
    assert base64.b64decode(made.encrypted_expiry_month) == b"sealed:11"
    assert base64.b64decode(made.encrypted_expiry_year) == b"sealed:1302"
    assert base64.b64decode(made.encrypted_cvv or "") == b"sealed:3719"
    assert base64.b64decode(made.encrypted_cardholder_name or "")[::-1].startswith("Айгерим".encode())


def test_equal_fields_are_not_encrypted_equally() -> None:
    one, other = encrypt_card(card(), PEM), encrypt_card(card(), PEM)

    assert not set(encrypted_fields(one)) & set(encrypted_fields(other))


def test_what_a_card_does_not_have_is_left_out() -> None:
    made = encrypt_card(Card("4111111111111111", 7, 2027), PEM)

    assert (made.encrypted_cvv, made.encrypted_cardholder_name) == (None, None)
    assert decrypted(made.encrypted_expiry_year) == "27"


@pytest.mark.parametrize("size", [3072, 4096])
def test_a_larger_key(size: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=size)

    made = encrypt_card(card(), key.public_key())

    assert key.decrypt(base64.b64decode(made.encrypted_card_number), OAEP).decode() == SECRETS["number"]


EC_KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE_PEM = PRIVATE_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("key", "what"),
    [
        (None, "expected an RSA public key, got NoneType"),
        (42, "expected an RSA public key, got int"),
        (PRIVATE_KEY, "expected an RSA public key, got .*PrivateKey"),
        (EC_KEY.public_key(), "expected an RSA public key, got .*"),
        (EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "RSA public key"),
        (SMALL_KEY.public_key(), "a key of 1024 bits is too small; 2048 is the least"),
        (SMALL_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), "1024 bits"),
        (PRIVATE_PEM, "not readable as a public key"),
        ("", "not readable as a public key"),
        (b"", "not readable as a public key"),
        ("a key", "not readable as a public key"),
        ("ключ", "not readable as a public key"),
        ("\ud800", "not readable as a public key"),
        (BASE64_DER[:-8], "not readable as a public key"),
        (DER[:-8], "not readable as a public key"),
        (PEM[:-40], "not readable as a public key"),
    ],
    ids=range(16),
)
def test_any_other_key_is_refused(key: Any, what: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^public_key: .*{what}") as caught:
        encrypt_card(card(), key)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert SHOWN.search(told(caught.value)) is None


def test_a_field_that_is_too_long_for_the_key_is_refused() -> None:
    longest = card(cardholder_name="Ж" * 95)
    assert decrypted(encrypt_card(longest, PEM).encrypted_cardholder_name) == "Ж" * 95

    with pytest.raises(
        ConfigurationError, match=r"^card\.cardholder_name: longer than the 190 bytes"
    ) as caught:
        encrypt_card(card(cardholder_name="Ж" * 96), PEM)

    assert "ЖЖ" not in told(caught.value)
    assert decrypted(
        encrypt_card(card(cardholder_name="Q" * 245), PEM, CardPadding.PKCS1_V15).encrypted_cardholder_name,
        padding.PKCS1v15(),
    )
    with pytest.raises(ConfigurationError, match=r"^card\.cardholder_name: longer than the 245 bytes"):
        encrypt_card(card(cardholder_name="Q" * 246), PEM, CardPadding.PKCS1_V15)


@pytest.mark.parametrize("value", [dict(SECRETS), "4918914107195005", None], ids=["dict", "text", "none"])
def test_only_a_card_is_encrypted(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^card: expected a Card, got ") as caught:
        encrypt_card(value, PEM)

    assert SHOWN.search(told(caught.value)) is None


@pytest.mark.parametrize("value", ["OAEP_SHA256", None, 1])
def test_another_padding_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^padding: expected a CardPadding or a function"):
        encrypt_card(card(), PEM, value)


def test_a_function_that_fails_does_not_bring_the_card_to_light() -> None:
    def failing(field: bytes) -> bytes:
        raise ValueError(f"cannot encrypt {field.decode()}")

    with pytest.raises(
        ConfigurationError, match=r"^card\.number: encrypting it failed with ValueError$"
    ) as caught:
        encrypt_card(card(), padding=failing)

    assert caught.value.__context__ is None
    assert SHOWN.search(told(caught.value)) is None


@pytest.mark.parametrize("given", [None, "4918914107195005", b"", 4918914107195005], ids=repr)
def test_a_function_must_return_bytes(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^padding: the function must return") as caught:
        encrypt_card(card(), padding=lambda _: given)

    assert SHOWN.search(told(caught.value)) is None


def test_an_interrupt_does_not_bring_the_card_to_light() -> None:
    """It is the caller's function that holds a field: the library's frames show none."""

    def interrupted(field: bytes) -> bytes:
        del field
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        encrypt_card(card(), padding=interrupted)

    assert "_encrypted" in frames_of(caught.value)
    assert SHOWN.search(told(caught.value)) is None


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'plexypay\[direct\]'"):
        encrypt_card(card(), PEM)
    assert encrypt_card(card(), padding=lambda field: b"sealed:" + field).encrypted_cvv is not None


# ------------------------------------------------------------------------------------------ as it is sent


def test_an_encrypted_card_hides_its_ciphertexts_and_can_be_pickled() -> None:
    made = encrypt_card(card(), PEM)

    for text in encrypted_fields(made):
        assert text is not None
        assert text not in f"{made} {made!r} {[made]}"
    assert pickle.loads(pickle.dumps(made)) == made
    assert hash(made) == hash(copy.deepcopy(made))


@pytest.mark.parametrize(
    "field",
    [
        "encrypted_card_number",
        "encrypted_expiry_month",
        "encrypted_expiry_year",
        "encrypted_cvv",
        "encrypted_cardholder_name",
    ],
)
@pytest.mark.parametrize("value", ["4918 9141 0719 5005", "9173", "", " ", 9173, b"9173"], ids=repr)
def test_an_encrypted_card_takes_no_plain_digits_and_nothing_but_text(field: str, value: Any) -> None:
    given: dict[str, Any] = dict.fromkeys(attrs.fields_dict(EncryptedCard), "c2VhbGVk")

    with pytest.raises(ConfigurationError, match=f"^{field}: ") as caught:
        EncryptedCard(**{**given, field: value})

    assert SHOWN.search(told(caught.value)) is None


def test_an_encrypted_card_needs_a_number_and_an_expiry() -> None:
    absent: Any = None
    for field in ("encrypted_card_number", "encrypted_expiry_month", "encrypted_expiry_year"):
        given = {"encrypted_card_number": "YQ", "encrypted_expiry_month": "Yg", "encrypted_expiry_year": "Yw"}
        with pytest.raises(ConfigurationError, match=f"^{field}: "):
            EncryptedCard(**{**given, field: absent})


@pytest.mark.parametrize("value", ["", "  ", None, 9173, "4918914107195005", "4918-9141-0719-5005"], ids=repr)
def test_a_stored_card_is_known_by_a_token_that_is_no_card_number(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^token_id: ") as caught:
        StoredCard(value)

    assert SHOWN.search(told(caught.value)) is None


def test_a_stored_card_shows_its_token() -> None:
    stored = StoredCard("ba6d17c0-c020-4ea9-9351-105ac3039c2c")

    assert repr(stored) == "StoredCard(token_id='ba6d17c0-c020-4ea9-9351-105ac3039c2c')"
