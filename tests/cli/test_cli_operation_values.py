"""Texts of a command line as the values of a request, and answers as what is printed of them."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from plexypay_async.api.checks import key_or_new
from plexypay_async.api.fields import Model, OpenEnum, Request, wire
from plexypay_async.cli.exits import UnusableInputError
from plexypay_async.cli.operation_output import Output
from plexypay_async.cli.operation_values import Form, Values, parameters_of, told_by_options, told_request
from plexypay_async.errors import ConfigurationError


class Colour(OpenEnum):
    RED = "red"


@attrs.frozen(kw_only=True)
class Person:
    first_name: str
    weight: Decimal | None = None
    tags: Sequence[str] = ()


@attrs.frozen
class Order(Request):
    order_id: str
    amount: int = attrs.field(kw_only=True)
    price: Decimal | int | None = attrs.field(default=None, kw_only=True)
    colour: Colour | str | None = attrs.field(default=None, kw_only=True)
    at: datetime | None = attrs.field(default=None, kw_only=True)
    is_gift: bool | None = attrs.field(default=None, kw_only=True)
    pause: float = attrs.field(default=1.5, kw_only=True)
    person: Person | None = attrs.field(default=None, kw_only=True, metadata=wire("Person"))
    people: Sequence[Person] | None = attrs.field(default=None, kw_only=True)
    anything: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True)
    code: str | None = attrs.field(default=None, kw_only=True, repr=False)
    merchant: str | None = attrs.field(default=None, kw_only=True, metadata=wire(of_client=True))
    key: str = attrs.field(default=None, converter=key_or_new, kw_only=True)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.amount < 0:
            raise ConfigurationError(f"amount: must be positive, got {self.amount}")


PARAMETERS = parameters_of(Order)


def made(**given: str) -> Order:
    return Values(PARAMETERS).request(Order, {"order_id": "o", "amount": "1", **given})


def refusal(**given: str) -> str:
    with pytest.raises(UnusableInputError) as caught:
        made(**given)
    return str(caught.value).removesuffix("; nothing was sent")


def test_what_a_request_takes_is_read_from_its_fields() -> None:
    forms = {each.option: (each.form, each.is_required) for each in PARAMETERS}
    assert forms == {
        "ORDER-ID": (Form.TEXT, True),
        "--amount": (Form.INTEGER, True),
        "--price": (Form.AMOUNT, False),
        "--colour": (Form.TEXT, False),
        "--at": (Form.TIME, False),
        "--is-gift": (Form.BOOLEAN, False),
        "--pause": (Form.NUMBER, False),
        "--person": (Form.JSON, False),
        "--people": (Form.JSON, False),
        "--anything": (Form.JSON, False),
        "--code": (Form.TEXT, False),
        "--key": (Form.TEXT, False),
        "--extra": (Form.JSON, False),
    }
    by_name = {each.name: each for each in PARAMETERS}
    assert by_name["colour"].known == ("red",)
    assert by_name["person"].inner == by_name["people"].inner == ("first_name", "weight", "tags")
    assert {each.name for each in PARAMETERS if each.is_secret} == {"code"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("amount", "9007199254740993", 9007199254740993),
        ("price", "0.10", Decimal("0.10")),
        ("price", "5", Decimal(5)),
        ("price", "1,5", Decimal("1.5")),
        ("price", "22 000,50", Decimal("22000.50")),
        ("price", "1,022,000.50", Decimal("1022000.50")),
        ("colour", "mauve", "mauve"),
        ("at", "2030-01-31T18:00:00+05:00", datetime(2030, 1, 31, 13, tzinfo=UTC)),
        ("is_gift", "true", True),
        ("is_gift", "false", False),
        ("pause", "0.25", 0.25),
        ("person", '{"firstName": "A", "weight": 1.10}', Person(first_name="A", weight=Decimal("1.10"))),
        ("person", '{"first_name": "A", "tags": ["x"]}', Person(first_name="A", tags=("x",))),
        ("people", '[{"firstName": "A"}]', (Person(first_name="A"),)),
        ("anything", '{"a": [1.5, {"b": null}], "firstName": 2}', {"a": [1.5, {"b": None}], "firstName": 2}),
    ],
)
def test_a_text_is_read_as_its_fields_type(name: str, text: str, value: Any) -> None:
    found = getattr(made(**{name: text}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("amount", "1.0", "--amount: expected a whole number"),
        ("amount", "-1", "--amount: must be positive, got -1"),
        ("amount", "9" * 31, "--amount: expected a whole number"),
        ("price", "1e3", "--price: '1e3' is not an amount: write digits with a point before the decimals"),
        ("price", "1.000", "--price: '1.000' can be 1000 or 1.000: write 1000, or 1.0"),
        ("price", "22,500", "--price: '22,500' can be 22500 or 22.500: write 22500, or 22.5"),
        ("price", "-5", "--price: '-5' is not an amount"),
        ("price", "NaN", "--price: 'NaN' is not an amount"),
        ("is_gift", "True", "--is-gift: expected true or false"),
        ("pause", "inf", "--pause: expected a number"),
        ("person", '{"weight": 1}', "--person.first_name: is missing"),
        (
            "person",
            '{"firstName": "A", "first_name": "B"}',
            "--person: first_name is there twice, by its own name",
        ),
        ("people", '[{"firstName": 5}]', "--people[0].first_name: expected a string, got int 5"),
        ("people", "{}", "--people: expected an array"),
        ("anything", '{"a": 1e400}', "--anything: a number has more digits than JSON carries"),
        ("anything", f'{{"a": {"9" * 5000}}}', "--anything: a number has more digits than can be read"),
        (
            "anything",
            '{"a": 1e99999999999999999999}',
            "--anything: a number has more digits than can be read",
        ),
    ],
)
def test_what_cannot_be_read_is_told_by_its_option(name: str, text: str, told: str) -> None:
    assert refusal(**{name: text}).startswith(told)


def test_files_and_standard_input_are_read_as_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "person.json"
    file.write_bytes('\ufeff{"firstName": "Ä"}'.encode())
    assert made(person=f"@{file}").person == Person(first_name="Ä")
    file.write_bytes(b"\xff")
    assert refusal(person=f"@{file}") == f"--person: {file} is not text in UTF-8"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1}\n')))
    assert made(anything="-").anything == {"a": 1}


def test_a_secret_is_never_an_argument_and_never_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = refusal(code="hush-hush")
    assert told == "--code: the list of processes would show it: give @FILE, or - for standard input"
    file = tmp_path / "code"
    file.write_text("hush-hush\n")
    request = made(code=f"@{file}", anything='{"a": 1}')
    assert request.code == "hush-hush"
    assert told_request(request)["code"] == "[hidden]"
    assert told_request(request)["anything"] == {"a": 1}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hush-hush")))
    assert made(code="-").code == "hush-hush"


def test_what_the_client_gives_is_no_field() -> None:
    assert "merchant" not in {each.name for each in PARAMETERS}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("amount: no", "--amount: no"),
        ("person.first_name: no", "--person.first_name: no"),
        ("extra['a']: no", "--extra['a']: no"),
        ("order_id, amount: give one", "ORDER-ID, --amount: give one"),
        ("base_url: no", "base_url: no"),
        ("No: amount", "No: amount"),
    ],
)
def test_fields_are_told_by_their_options(message: str, told: str) -> None:
    assert told_by_options(message, {each.name: each.option for each in PARAMETERS}) == told


# ------------------------------------------------------------------------------------------------- answers


@attrs.frozen(kw_only=True)
class Part(Model):
    open_word: str
    session_data: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Voucher(Model):
    id: str
    content: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    parts: tuple[Part, ...] = ()
    part: Part | None = None


@attrs.frozen(kw_only=True)
class Plain(Model):
    product_id: str


@attrs.frozen(kw_only=True)
class CardData(Model):
    private: ClassVar[bool] = True
    card_mask: str


RAW = {
    "id": "v",
    "content": {"voucher_code": "SECRET-1"},
    "parts": [{"openWord": "a", "sessionData": "SECRET-2"}],
    "part": {"openWord": "b", "sessionData": "SECRET-3"},
    "receipt": "SECRET-4",
}
VOUCHER = Voucher(
    id="v",
    content=RAW["content"],  # type: ignore[arg-type]
    parts=(Part(open_word="a", session_data="SECRET-2"),),
    part=Part(open_word="b", session_data="SECRET-3"),
    raw=RAW,
)


@pytest.mark.parametrize("wire_names", [False, True])
def test_secrets_are_left_out_wherever_they_are(wire_names: bool) -> None:
    output = Output(wire=wire_names, show_secrets=False)
    word, data = ("openWord", "sessionData") if wire_names else ("open_word", "session_data")
    assert output.document(VOUCHER) == {"id": "v", "parts": [{word: "a"}], "part": {word: "b"}}
    told = f"content, parts.{data}, part.{data}"
    assert output.told() == f"not shown, as it may be secret: {told} (--show-secrets shows it)"


def test_secrets_are_shown_to_who_asks_for_them() -> None:
    output = Output(wire=False, show_secrets=True)
    assert output.document(VOUCHER)["content"] == {"voucher_code": "SECRET-1"}
    assert output.document(VOUCHER)["part"] == {"open_word": "b", "session_data": "SECRET-3"}
    assert Output(wire=True, show_secrets=True).document(VOUCHER) == RAW
    assert output.told() is None


def test_a_secret_that_is_not_there_is_null_as_anything_else() -> None:
    output = Output(wire=False, show_secrets=False)
    assert output.document(Voucher(id="v"))["content"] is None
    assert output.told() is None


def test_what_is_not_known_of_an_answer_is_in_the_raw_one_alone() -> None:
    answer = Plain(product_id="7", raw={"productId": "7", "stock": 3})
    assert Output(wire=False, show_secrets=False).document(answer) == {"product_id": "7"}
    assert Output(wire=True, show_secrets=False).document(answer) == {"productId": "7", "stock": 3}


@attrs.frozen(kw_only=True)
class Unknown(Model):
    """An answer of which no field is known."""


@attrs.frozen(kw_only=True)
class UnknownSecret(Model):
    """An answer of which no field is known, and that may have a secret."""

    private: ClassVar[bool] = True


def test_where_nothing_is_known_by_name_it_is_printed_as_it_came() -> None:
    output = Output(wire=False, show_secrets=False)
    assert output.document(Unknown(raw={})) == {}
    assert output.told() is None
    assert output.document(Unknown(raw={"stock": 3})) == {"stock": 3}
    assert output.told() == (
        "nothing of this answer is known by name: it is printed as it came, as --raw does"
    )
    assert Output(wire=True, show_secrets=False).document(Unknown(raw={"stock": 3})) == {"stock": 3}


def test_of_what_may_be_secret_nothing_is_printed_that_is_not_known() -> None:
    assert Output(wire=False, show_secrets=False).document(UnknownSecret(raw={"pan": "SECRET"})) == {}


def test_of_card_data_nothing_is_shown_that_is_not_known() -> None:
    answer = CardData(card_mask="****1111", raw={"cardMask": "****1111", "pan": "SECRET"})
    assert Output(wire=True, show_secrets=False).document(answer) == {"cardMask": "****1111"}


def test_an_answer_without_a_body_is_null() -> None:
    assert Output(wire=False, show_secrets=False).document(None) is None
