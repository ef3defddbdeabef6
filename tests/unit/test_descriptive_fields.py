"""A field by which nobody decides costs no answer, whatever stands in it; one that decides is an error."""

from __future__ import annotations

import typing
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexypay_async import PaymentLink, UnreadableResponseError
from plexypay_async._privacy.hiding import masked
from plexypay_async._wire.codec import ListingCodec
from plexypay_async._wire.converter import converter, descriptive_in
from plexypay_async.api.fields import Model
from plexypay_async.pay.direct_payments import ThreeDSecure
from plexypay_async.pay.settlement_orders import SettlementOrder
from plexypay_async.pay.transactions import Transaction, TransactionHistory

from .test_model_properties import (
    CODECS,
    JSON,
    MODELS,
    Codec,
    documents,
    is_model,
    known_fields,
    names_of,
    received,
    response,
)


def decisive_in(model: type[Any]) -> list[attrs.Attribute[Any]]:
    descriptive = descriptive_in(model)
    return [field for field in known_fields(model) if field.name not in descriptive]


WITH_DESCRIPTIVE = [model for model in MODELS if known_fields(model) and descriptive_in(model)]
WITH_DECISIVE = [model for model in MODELS if decisive_in(model)]


def test_what_decides_is_what_is_compared_or_acted_upon() -> None:
    assert set(descriptive_in(PaymentLink)) == {
        *("description", "created_at", "updated_at", "expires_at", "metadata", "customer_id"),
        *("auto_clearing", "validation", "created_by"),
    }
    decisive = {field.name for model in MODELS for field in decisive_in(model)}
    assert decisive == {
        *("id", "amount", "currency", "status", "url", "order_reference"),
        *("payment_id", "payment_link_id", "processed_amount", "type"),
        *("success", "captured", "action", "three_ds", "data"),
    }


@st.composite
def done(draw: st.DrawFn, model: type[Any]) -> dict[str, Any]:
    """A document that says of any operation that it was done."""
    document: dict[str, Any] = received(draw(documents(model)))
    fields = {field.name: field for field in known_fields(model)}
    for name in ("error", "code", "type", "success"):
        document.pop(name, None)
    if "success" in fields:
        document["success"] = True
    if "id" in fields and not any(document.get(name) for name in names_of(fields["id"])):
        document[names_of(fields["id"])[0]] = "id-1"
    return document


def read(codec: Codec, document: Any) -> Any:
    if isinstance(codec, ListingCodec):
        (item,) = codec.decode(response({"data": [document], "total": 1})).items
        return item
    return codec.decode(response(document))


@pytest.mark.parametrize("model", WITH_DESCRIPTIVE, ids=lambda model: model.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_any_value_in_a_descriptive_field_leaves_the_decisive_ones_right(
    model: type[Any], data: st.DataObject
) -> None:
    document = data.draw(done(model))
    descriptive = [field for field in known_fields(model) if field.name in descriptive_in(model)]
    changed = dict(document)
    for field in data.draw(st.lists(st.sampled_from(descriptive), min_size=1, unique_by=id)):
        changed[data.draw(st.sampled_from(names_of(field)))] = received(data.draw(JSON))
    for codec, of in CODECS:
        if of is not model:
            continue
        before, after = read(codec, document), read(codec, changed)
        assert type(after) is model
        assert after.raw == changed
        for field in decisive_in(model):
            assert getattr(after, field.name) == getattr(before, field.name)
        for field in descriptive:
            # By what they are written as: for Python, 0 is False.
            was, now = ([shown.get(name) for name in names_of(field)] for shown in (document, changed))
            if orjson.dumps(was) == orjson.dumps(now):
                assert getattr(after, field.name) == getattr(before, field.name)


@pytest.mark.parametrize("model", [Transaction, SettlementOrder, ThreeDSecure])
@settings(max_examples=25)
@given(data=st.data())
def test_so_it_is_in_models_inside_others_and_in_events(model: type[Model], data: st.DataObject) -> None:
    document = received(data.draw(documents(model)))
    structure = converter.get_structure_hook(model)
    descriptive = [field for field in known_fields(model) if field.name in descriptive_in(model)]
    changed = {**document, names_of(data.draw(st.sampled_from(descriptive)))[0]: received(data.draw(JSON))}
    before, after = structure(document, model), structure(changed, model)
    assert after.raw == changed
    for field in decisive_in(model):
        assert getattr(after, field.name) == getattr(before, field.name)


def wrong(field: attrs.Attribute[Any]) -> Any:
    """A value that no field of this kind is read from."""
    kinds = {field.type, *typing.get_args(field.type)}
    lists = st.lists(JSON, min_size=1, max_size=2)
    if typing.get_origin(field.type) is tuple or any(is_model(kind) for kind in kinds):
        return st.sampled_from(["x", 5, True, ["x"]])
    others = st.fixed_dictionaries({"other": JSON})
    return lists | others | st.just("x" if bool in kinds else True)


@pytest.mark.parametrize("large", [False, True], ids=["small", "above 64 KiB"])
@pytest.mark.parametrize("model", WITH_DECISIVE, ids=lambda model: model.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_a_decisive_field_in_a_wrong_form_is_an_error_with_what_came(
    model: type[Any], large: bool, data: st.DataObject
) -> None:
    document = data.draw(done(model))
    field = data.draw(st.sampled_from(decisive_in(model)))
    # A list under one of its other names would be the answer's own.
    for name in (*names_of(field), *model.list_aliases):
        document.pop(name, None)
    document[data.draw(st.sampled_from(names_of(field)))] = received(data.draw(wrong(field)))
    if large:
        document["padding"] = "x" * 2**16
    for codec, of in CODECS:
        if of is not model:
            continue
        with pytest.raises(UnreadableResponseError) as caught:
            read(codec, document)
        if large or model.private:
            assert caught.value.raw is None
            continue
        sent = {"data": [document], "total": 1} if isinstance(codec, ListingCodec) else document
        assert caught.value.raw == masked(sent)


def test_a_model_of_no_field_is_whatever_came() -> None:
    assert decisive_in(TransactionHistory) == []
