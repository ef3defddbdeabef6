"""A secret part of an answer: there for who asks for it, and not in anything made of the answer."""

from __future__ import annotations

import copy
import json
import pickle
from decimal import Decimal
from typing import Any, ClassVar

import attrs
import orjson
import pytest

from plexypay_async._privacy.secret_object import HIDDEN, SecretObject
from plexypay_async._wire.converter import converter
from plexypay_async.api.fields import Model, Request, wire
from plexypay_async.errors import ConfigurationError

from .test_secret import found, shown_by

CODE = "ABCD-EFGH-IJKL"
CONTENT = {"voucher_code": CODE, "pins": [{"pin": CODE}]}


class Bought(SecretObject):
    __slots__ = ()

    name: ClassVar[str] = "bought"


@attrs.frozen(kw_only=True)
class Purchase(Model):
    private: ClassVar[bool] = True

    id: str
    bought: Bought | None = None


@attrs.frozen(kw_only=True)
class Asked(Request):
    amount: Decimal | int = attrs.field(metadata=wire(decimal_text=True))
    number: Decimal | None = None


def purchase(bought: Any = CONTENT) -> Purchase:
    made: Purchase = converter.structure({"id": "o_1", "bought": bought}, Purchase)
    return made


def revealed(secret: SecretObject | None) -> Any:
    assert secret is not None
    return secret.reveal()


def test_it_gives_the_object_where_it_is_asked() -> None:
    assert revealed(purchase().bought) == CONTENT
    assert type(purchase().bought) is Bought


def test_what_is_done_to_the_object_does_not_change_the_secret() -> None:
    secret = purchase().bought
    revealed(secret)["pins"].clear()

    assert revealed(secret) == CONTENT


@pytest.mark.parametrize("other", [CODE, [CODE], 12, True])
def test_what_is_no_object_is_not_lost_and_not_shown(other: Any) -> None:
    made = purchase(other)

    assert revealed(made.bought) == {"bought": other}
    assert made.raw == {"id": "o_1", "bought": HIDDEN}


def test_there_is_none_where_the_server_gave_none() -> None:
    assert purchase(None) == Purchase(id="o_1")
    assert purchase(None).raw == {"id": "o_1", "bought": None}


def test_no_way_of_showing_what_holds_it_shows_it() -> None:
    for one in (purchase(), purchase().bought, [purchase()]):
        assert not [way for way, shown in shown_by(one).items() if CODE in shown or "voucher" in shown]
        assert not found(one, CODE)
    assert repr(purchase()) == "Purchase(id='o_1', bought=<secret>)"


def test_raw_is_plain_json_without_it() -> None:
    assert json.loads(json.dumps(purchase().raw)) == {"id": "o_1", "bought": HIDDEN}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_leaves_it_behind_and_keeps_the_rest(protocol: int) -> None:
    pickled = pickle.dumps(purchase(), protocol)
    again = pickle.loads(pickled)

    assert CODE.encode() not in pickled
    assert (again.id, again.raw) == ("o_1", purchase().raw)
    with pytest.raises(ConfigurationError, match="bought: it was left behind"):
        revealed(again.bought)
    assert again.bought != purchase().bought


def test_a_copy_in_this_process_has_it() -> None:
    for again in (copy.copy(purchase()), copy.deepcopy(purchase())):
        assert revealed(again.bought) == CONTENT


def test_json_has_none_of_it() -> None:
    for written in (purchase().to_dict(), purchase().to_dict(wire=True)):
        assert CODE not in orjson.dumps(written).decode()
    assert purchase().to_dict() == {"id": "o_1", "bought": None}
    assert purchase().to_dict(wire=True) == {"id": "o_1"}
    assert Purchase.from_dict(purchase().to_dict()) == Purchase(id="o_1")


def test_it_is_read_from_the_wires_json_and_kept_out_of_raw_there_too() -> None:
    made = Purchase.from_dict({"id": "o_1", "bought": CONTENT}, wire=True)

    assert revealed(made.bought) == CONTENT
    assert made == purchase()
    assert made.raw == purchase().raw


def test_what_is_made_of_raw_does_not_pretend_to_have_it() -> None:
    again = Purchase.from_dict(purchase().raw, wire=True)

    with pytest.raises(ConfigurationError, match="left behind"):
        revealed(again.bought)


def test_two_are_equal_where_their_objects_are() -> None:
    same, other = Bought({"b": 1, "a": 2}), Bought({"a": 2, "b": 2})

    assert Bought({"a": 2, "b": 1}) == same
    assert hash(Bought({"a": 2, "b": 1})) == hash(same)
    assert same != other
    assert same != {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+1"), "10"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("123456789012345678.01"), "123456789012345678.01"),
        (10, "10"),
    ],
)
def test_an_amount_that_is_text_on_the_wire_is_written_as_it_is_given(
    amount: Decimal | int, written: str
) -> None:
    assert converter.unstructure(Asked(amount=amount, number=Decimal("1.5"))) == {
        "amount": written,
        "number": 1.5,
    }
