"""Whatever a server sends to any call of the library, there is a model or one of the library's errors."""

from __future__ import annotations

import enum
import pickle
import re
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexypay_async import (
    APIError,
    NotFoundError,
    Outcome,
    PlexyPayError,
    RefusedError,
    UnreadableResponseError,
)
from plexypay_async._privacy.hiding import masked
from plexypay_async._wire.api_errors import error_of
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse, read_json, seconds_to_wait
from plexypay_async.api.fields import Model, OpenEnum, wire_name
from plexypay_async.api.index import every_declaration
from plexypay_async.api.operation import Listing, Operation
from plexypay_async.api.replay import Replay
from plexypay_async.pagination import PageBody
from plexypay_async.pay.description import PAY
from plexypay_async.pay.links import PaymentLinkStatus

Codec: TypeAlias = "OperationCodec[Any] | ListingCodec[Any]"
Strategy: TypeAlias = st.SearchStrategy[Any]

OPERATIONS: list[Operation[..., Any]] = [
    declaration for declaration in every_declaration(PAY) if isinstance(declaration, Operation)
]
LISTINGS: list[Listing[..., Any]] = [
    declaration for declaration in every_declaration(PAY) if isinstance(declaration, Listing)
]
NAMED = {operation.name: operation for operation in OPERATIONS}
CODECS: list[tuple[Codec, type[Any]]] = [
    *((OperationCodec(operation), operation.answer.model) for operation in OPERATIONS),
    *((ListingCodec(listing), listing.item) for listing in LISTINGS),
]
REPLAYS: dict[str, Replay] = {declaration.name: declaration.replay for declaration in every_declaration(PAY)}
MODELS: list[type[Any]] = list(dict.fromkeys(model for _, model in CODECS))

# ------------------------------------------------------------------------------ documents that are answers

TIMES: Strategy = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(
    lambda time: time.isoformat() + "Z"
)
NUMBERS: Strategy = st.integers(-(10**15), 10**15) | st.decimals(-(10**9), 10**9, places=2).map(float)
SCALARS: dict[Any, Strategy] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**63), 2**64 - 1) | st.integers().map(str).filter(lambda text: len(text) <= 30),
    bool: st.booleans(),
    Decimal: NUMBERS | st.decimals(-(10**9), 10**9, places=2).map(str),
    datetime: TIMES,
}
JSON: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def names_of(field: attrs.Attribute[Any]) -> list[str]:
    return [wire_name(field), *field.metadata.get("aliases", ())]


def known_fields(model: type[Any]) -> list[attrs.Attribute[Any]]:
    attrs.resolve_types(model)
    return [field for field in attrs.fields(model) if field.name != "raw"]


def required_fields(model: type[Any]) -> list[attrs.Attribute[Any]]:
    return [field for field in known_fields(model) if field.default is attrs.NOTHING]


def values(kind: Any) -> Strategy:
    """What a field of this type may come as, but for null."""
    if kind in SCALARS:
        return SCALARS[kind]
    origin, members = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        (kind,) = (member for member in members if member is not type(None))
        return values(kind)
    if origin is tuple:
        return st.lists(values(members[0]), max_size=3)
    if is_model(kind):
        return documents(kind)
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        known = st.sampled_from([member.value for member in kind])
        return known | known.map(str.upper) | st.text(max_size=8)
    assert origin in (dict, Mapping), kind
    return st.dictionaries(st.text(max_size=4), JSON, max_size=2)


@st.composite
def documents(draw: st.DrawFn, model: type[Any]) -> dict[str, Any]:
    """An object of this model: any of its optional fields or null for them, and fields that nobody knows."""
    fields = known_fields(model)
    taken = {name for field in fields for name in names_of(field)}
    extra = st.text(max_size=6).filter(lambda name: name not in taken)
    document = draw(st.dictionaries(extra, JSON, max_size=2))
    for field in fields:
        # A tuple may be null, as an empty list is by some servers.
        required = field.default is attrs.NOTHING
        if not required and draw(st.booleans()):
            continue
        value = draw(values(field.type) if required else st.none() | values(field.type))
        if field.name in model.checked:
            value = value or "https://pay.example/1"
        if field.metadata.get("as_text") and draw(st.booleans()):
            value = draw(st.integers(0, 99))
        if field.metadata.get("unwrap") and draw(st.booleans()):
            value = {"Value": value}
        first, *others = names_of(field)
        name = draw(st.sampled_from([first, *others]))
        document[name] = value
        if others and name != first and draw(st.booleans()):
            document[first] = None
    keys = draw(st.permutations(list(document)))
    return {key: document[key] for key in keys}


def received(document: Any) -> Any:
    """The document as it arrives: what JSON makes of it."""
    return orjson.loads(orjson.dumps(document))


def found_in(document: Mapping[str, Any], field: attrs.Attribute[Any]) -> Any:
    """Return a field's value in a document, without the library's code."""
    value = next((document[name] for name in names_of(field) if document.get(name) is not None), None)
    if field.metadata.get("unwrap") and isinstance(value, dict):
        return typing.cast("dict[str, Any]", value)["Value"]
    return str(value) if field.metadata.get("as_text") and value is not None else value


def check(read: Any, sent: Any) -> None:
    """Compare what was read with what was sent."""
    if sent is None:
        assert read is None or read == ()
    elif isinstance(sent, list):
        for one, other in zip(read, sent, strict=True):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            check(one, other)
    elif isinstance(read, Model):
        check_model(read, sent)
    elif isinstance(read, Decimal):
        assert read == Decimal(str(sent))
    elif isinstance(read, datetime):
        assert read.tzinfo is UTC
        assert read == datetime.fromisoformat(sent)
    elif isinstance(read, OpenEnum):
        known = [member for member in type(read) if member.value.lower() == sent.lower()]
        if known:
            assert read is known[0]
        else:
            # A state may have further spellings.
            assert read == sent or read in set(type(read))
    elif type(read) is int:
        assert read == int(sent)
    else:
        assert type(read) is type(sent)
        assert read == sent


def check_model(read: Model, sent: Mapping[str, Any]) -> None:
    assert read.raw == sent
    for field in known_fields(type(read)):
        check(getattr(read, field.name), found_in(sent, field))


def response(document: Any) -> WireResponse:
    return WireResponse(200, orjson.dumps(document))


class Standing(enum.Enum):
    """What a document under a success status says of the work, without the library's code."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def standing(operation: Operation[..., Any], document: Mapping[str, Any]) -> Standing:
    if operation.method == "GET":
        return Standing.DONE
    fields = {field.name: field for field in known_fields(operation.answer.model)}
    success = document.get("success")
    challenged = operation.pending is not None and is_challenge(document)
    if success is False:
        code = document.get("code")
        # After code 2 the work may have been done, whatever else is said.
        unexpected = type(code) in (int, str) and str(code).strip().lstrip("0") == "2"
        refusing = operation.replay in (Replay.MONEY, Replay.SAME_KEY) and not unexpected
        return Standing.DONE if challenged else Standing.REFUSED if refusing else Standing.UNKNOWN
    of_the_api = document.get("type") in ("apiError", "validationError")
    if challenged or (success is True and "success" in fields and not of_the_api):
        return Standing.DONE
    an_error = of_the_api or document.get("error")
    if success not in (None, True) or an_error:
        return Standing.UNKNOWN
    names = names_of(fields["id"]) if "id" in operation.answer.model.proof else []
    has_id = any(document.get(name) for name in names)
    return Standing.DONE if has_id else Standing.UNKNOWN


def tells(model: type[Any], document: Mapping[str, Any]) -> bool:
    """Whether an answer says how it went, where its model has fields for that."""
    return not model.told_by or any(document.get(name) is not None for name in model.told_by)


def is_challenge(document: Mapping[str, Any]) -> bool:
    status = (document.get("threeDS") or {}).get("status") or ""
    return (document.get("action") or "").lower() == "3ds-required" or status.lower() == "c"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_every_document_of_a_model_is_read(model: type[Any], data: st.DataObject) -> None:
    document = received(data.draw(documents(model)))
    for codec, of in CODECS:
        if of is not model or isinstance(codec, ListingCodec):
            continue
        stands, sent = standing(NAMED[codec.name], document), document
        if stands is Standing.DONE and not tells(model, document):
            with pytest.raises(UnreadableResponseError, match="none of status, success is there"):
                codec.decode(response(document))
            continue
        if stands is Standing.DONE:
            read = codec.decode(response(document))
        elif stands is Standing.UNKNOWN:
            with pytest.raises(UnreadableResponseError, match="nothing in the answer says") as unproved:
                codec.decode(response(document))
            assert unproved.value.outcome is Outcome.UNKNOWN
            continue
        else:
            with pytest.raises(RefusedError) as refused:
                codec.decode(response(document))
            # A refusal shows no number that may be a card's, and what is not shown need not fit.
            read, sent = refused.value.answer, masked(document)
            if read is None:
                assert sent != document
                continue
        assert type(read) is model
        check_model(read, sent)
        again = pickle.loads(pickle.dumps(read))
        assert (again, again.raw) == (read, sent)
    for codec, of in CODECS:
        if of is model and isinstance(codec, ListingCodec):
            counts = data.draw(st.fixed_dictionaries({}, optional={"page": st.none() | st.integers(1, 9)}))
            page = codec.decode(response({"data": [document, document], **counts, "more": 1}))
            assert page.page == counts.get("page")
            assert len(page.items) == 2
            for item in page.items:
                assert type(item) is model
                check_model(item, document)


@pytest.mark.parametrize(
    "model", [model for model in MODELS if required_fields(model)], ids=lambda model: model.__name__
)
@settings(max_examples=10)
@given(data=st.data())
def test_without_a_field_that_is_always_there_it_is_unreadable(model: type[Any], data: st.DataObject) -> None:
    document = data.draw(documents(model))
    missing = data.draw(st.sampled_from(required_fields(model)))
    for name in names_of(missing):
        document.pop(name, None)
    if data.draw(st.booleans()):
        document[wire_name(missing)] = None
    for codec, of in CODECS:
        if of is not model:
            continue
        if isinstance(codec, ListingCodec):
            with pytest.raises(UnreadableResponseError, match=r"data\[0\]"):
                codec.decode(response({"data": [document]}))
            continue
        stands = standing(NAMED[codec.name], document)
        refused = stands is Standing.REFUSED
        with pytest.raises(RefusedError if refused else UnreadableResponseError) as caught:
            codec.decode(response(document))
        if not refused:
            done = stands is Standing.DONE
            assert caught.value.outcome is (Outcome.DONE if done else Outcome.UNKNOWN)
            assert ("does not fit" if done else "nothing in the answer says") in str(caught.value)


# -------------------------------------------------------------------------------------- any document at all

ODD_TIMES: Strategy = st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2025-W09-6", "24:00", "2025-03-01"]
)
NAMES = sorted({name for model in MODELS for field in known_fields(model) for name in names_of(field)})
ODD: Strategy = (
    JSON | ODD_TIMES | TIMES | st.sampled_from(["x", "charged", 1, "1", True, {"Value": 1}, {"Value": None}])
)
OBJECTS: Strategy = st.dictionaries(
    st.sampled_from([*NAMES, "success", "code", "responseCode", "message"]), ODD, max_size=9
)


def merged(document: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    return {**document, **rest}


IDENTIFIED: Strategy = st.builds(
    merged,
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("id", "walletTransactionId", "currency", "url"), st.just("x")),
            **dict.fromkeys(("status", "walletTransactionStatus"), st.text(max_size=6)),
            "amount": st.integers(1, 10**9),
        }
    ),
    OBJECTS,
)
ITEMS = OBJECTS | IDENTIFIED
PAGES: Strategy = st.fixed_dictionaries(
    {"data": st.lists(ITEMS, max_size=3) | JSON}, optional={"total": ODD, "size": ODD, "page": ODD}
)
DOCUMENTS: Strategy = JSON | ITEMS | PAGES | st.lists(ITEMS, max_size=3)
BODIES: Strategy = DOCUMENTS.map(orjson.dumps) | st.binary(max_size=40)


def outcome_of(codec: Codec, body: bytes) -> Any:
    """Return what a body decodes to, or the error that says that it does not; anything else fails."""
    try:
        return codec.decode(WireResponse(200, body))
    except PlexyPayError as error:
        return error


def check_page(page: PageBody[Any], model: type[Any]) -> None:
    assert all(type(item) is model for item in page.items)
    assert all(count is None or type(count) is int for count in (page.page, page.size, page.total))


def check_outcome(codec: Codec, model: type[Any], body: bytes) -> None:
    answer = outcome_of(codec, body)
    if isinstance(answer, PlexyPayError):
        assert codec.name in str(answer)
        assert answer.outcome is not None
        if type(answer) is RefusedError:
            assert REPLAYS[codec.name] in (Replay.MONEY, Replay.SAME_KEY)
            assert orjson.loads(body)["success"] is False
        elif type(answer) is NotFoundError:
            assert codec.name == "payments.search", "a list without a payment"
        else:
            assert type(answer) is UnreadableResponseError
        assert str(pickle.loads(pickle.dumps(answer))) == str(answer)
    elif isinstance(codec, ListingCodec):
        check_page(answer, model)
    elif answer is not None:
        assert type(answer) is model
        document = read_json(body or b"{}")
        assert answer.raw == ({model.list_under: document} if isinstance(document, list) else document)


@settings(max_examples=100)
@given(body=BODIES)
def test_any_body_gives_a_model_or_an_error_of_the_library(body: bytes) -> None:
    for codec, model in CODECS:
        check_outcome(codec, model, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 1500 + b"1" + b"}" * 1500,
        b'{"id": "\\ud800"}',
        b'{"amount": 1e400}',
        b'{"amount": ' + b"9" * 5000 + b"}",
        b'{"id": "x", "status": "y", "amount": "' + b"9" * 5000 + b'"}',
        b'{"data": [{"data": [{"data": [[]]}]}]}',
        b'{"id": "a", "id": {"b": 1}}',
        b"NaN",
        b"<!doctype html><html><body>502</body></html>",
        b'{"success": false}',
        b'{"success": false, "code": {"a": [1]}, "message": [null]}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_bodies_that_break_readers(body: bytes) -> None:
    for codec, model in CODECS:
        check_outcome(codec, model, body)


# -------------------------------------------------------------------------------------------------- errors


@settings(max_examples=60)
@given(status=st.integers(300, 599), body=BODIES, retry_after=st.none() | st.text(max_size=40))
def test_an_error_answer_is_an_error(status: int, body: bytes, retry_after: str | None) -> None:
    headers = None if retry_after is None else {"Retry-After": retry_after}
    error = error_of(WireResponse(status, body, headers), "payment_links.create", PAY.errors)

    assert isinstance(error, APIError)
    assert error.status == status
    assert error.message
    assert error.outcome is not None
    assert error.retry_after is None or error.retry_after >= 0


@settings(max_examples=100)
@given(
    header=st.text(alphabet="0123456789 ,:+-.eEGMTWedJanuary", max_size=45)
    | st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{1,2} [JFMASOND][a-z]{2} [0-9]{1,12} [0-9:]{4,16} ([+-][0-9]{4,6}|GMT)"
    )
)
def test_a_retry_after_is_never_negative_nor_raises(header: str) -> None:
    seconds = seconds_to_wait(header)

    assert seconds is None or seconds >= 0


def test_every_status_that_a_docstring_promises_is_one() -> None:
    """A caller who compares with another text would take a paid link for an unpaid one."""
    root = Path(__file__).parents[2]
    named = [
        status
        for path in root.glob("plexypay_*/**/*.py")
        for status in re.findall(r"`status` may be\s+``(\w+)``", path.read_text("utf-8"))
    ]
    assert named
    assert set(named) <= {status.value for status in PaymentLinkStatus}
