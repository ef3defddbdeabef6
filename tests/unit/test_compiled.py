"""The code written out for a class does what cattrs and attrs do, and says the same of what does not fit."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexypay_async import BulkResult, ConfigurationError, CreatePaymentLink, PaymentLink, PaymentLinkStatus
from plexypay_async._wire.compiled import compiled
from plexypay_async._wire.converter import converter, reason
from plexypay_async.api.checks import in_capitals
from plexypay_async.api.constructors import quickly_made
from plexypay_async.api.fields import Model, OpenEnum, wire


class Colour(OpenEnum):
    RED = "red"


@attrs.frozen(kw_only=True)
class Inner(Model):
    name: str


@attrs.frozen(kw_only=True)
class Sample(Model):
    text: str
    number: int
    flag: bool | None = None
    note: str | None = None
    colour: Colour | None = None
    when: datetime | None = None
    inner: Inner | None = None
    parts: tuple[Inner, ...] = ()
    labels: Mapping[str, Any] | None = None
    other: str | None = attrs.field(default=None, metadata=wire("anotherName"))


GOOD: dict[str, Any] = {
    "text": "a",
    "number": 1,
    "flag": True,
    "note": None,
    "colour": "red",
    "when": "2025-03-01T12:00:00Z",
    "inner": {"name": "b", "more": 1},
    "parts": [{"name": "c"}],
    "labels": {"x": 1},
    "anotherName": "d",
    "unknown": [1],
}


def read_strictly(value: Any) -> Any:
    """Read by what the fast code falls back to."""
    attrs.resolve_types(Sample)
    reader = compiled(Sample, attrs.fields(Sample), converter.get_structure_hook, _refuse)
    return reader(value, Sample)


class Fallback(Exception):
    pass


def _refuse(value: Any, _: Any) -> Any:
    raise Fallback


def test_what_is_as_published_never_needs_the_strict_hooks() -> None:
    found = read_strictly(GOOD)
    assert type(found) is Sample
    assert found == Sample(
        text="a",
        number=1,
        flag=True,
        colour=Colour.RED,
        when=datetime(2025, 3, 1, 12, tzinfo=UTC),
        inner=Inner(name="b"),
        parts=(Inner(name="c"),),
        labels={"x": 1},
        other="d",
    )
    assert found.raw is GOOD
    assert found.inner is not None
    assert found.inner.raw == {"name": "b", "more": 1}


def test_fields_that_are_not_there_have_their_defaults() -> None:
    found = read_strictly({"text": "a", "number": 1})
    assert found == Sample(text="a", number=1)


def test_what_was_read_is_as_frozen_as_what_was_made() -> None:
    found = read_strictly(GOOD)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        found.text = "b"
    with pytest.raises(AttributeError):
        found.new = 1
    assert pickle.loads(pickle.dumps(found)) == found
    assert copy.deepcopy(found) == found


@attrs.frozen(kw_only=True)
class Strict(Model):
    """Fields of all kinds without which it is none, so that one that does not fit is told."""

    text: str
    number: int
    flag: bool
    colour: Colour
    when: datetime
    inner: Inner
    parts: tuple[Inner, ...]
    labels: Mapping[str, Any]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"text": 5}, "text: expected a string, got int"),
        ({"text": None}, "text: expected a string, got NoneType"),
        ({"number": True}, "number: expected an integer, got bool"),
        ({"flag": 1}, "flag: expected true or false, got int"),
        ({"colour": 5}, "colour: expected a string, got int"),
        ({"colour": []}, "colour: expected a string, got list"),
        ({"when": 5}, "when: expected an ISO 8601 time, got int"),
        ({"inner": {"name": None}}, "inner: name: expected a string, got NoneType"),
        ({"parts": [{"name": "c"}, 1]}, r"parts: \[1\]: expected an object, got int"),
        ({"labels": [1]}, "labels: expected an object, got list"),
    ],
)
def test_what_does_not_fit_is_told_by_the_strict_hooks(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - cattrs' own, in words below
        converter.structure({**GOOD, **changes}, Strict)
    assert re.search(told, reason(caught.value)), reason(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [
        ("flag", 1, None),
        ("colour", 5, None),
        ("when", 5, None),
        ("inner", {"name": None}, None),
        ("parts", [{"name": "c"}, 1], ()),
        ("labels", [1], None),
    ],
)
def test_a_field_with_a_default_has_it_where_nobody_decides_by_it(
    name: str, value: object, default: Any
) -> None:
    changed = {**GOOD, name: value}
    found = converter.structure(changed, Sample)
    assert found == attrs.evolve(converter.structure(GOOD, Sample), **{name: default})
    assert found.raw is changed


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"number": "7"}, "number", 7),
        ({"number": 7.0}, "number", 7),
        ({"colour": "RED"}, "colour", Colour.RED),
        ({"colour": "blue"}, "colour", "blue"),
        ({"parts": None}, "parts", ()),
        ({"when": "2025-03-01T12:00:00"}, "when", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ({"when": "2025-03-01T17:00:00+05:00"}, "when", datetime(2025, 3, 1, 12, tzinfo=UTC)),
    ],
)
def test_what_loses_nothing_is_still_read(changes: dict[str, Any], name: str, value: object) -> None:
    found = converter.structure({**GOOD, **changes}, Sample)
    assert getattr(found, name) == value
    if isinstance(value, datetime):
        assert found.when is not None
        assert found.when.tzinfo is UTC


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.text(max_size=4) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
ANY_OR_GOOD = st.fixed_dictionaries(
    {}, optional={name: st.one_of(st.just(value), JSON) for name, value in GOOD.items()}
)


@given(ANY_OR_GOOD)
def test_every_document_is_read_or_refused_as_the_strict_hooks_would(body: dict[str, Any]) -> None:
    def outcome(read: Any) -> object:
        try:
            return read(body)
        except Fallback:
            return Fallback
        except Exception:  # noqa: BLE001 - whatever it is, it is a refusal
            return None

    fast, strict = outcome(read_strictly), outcome(lambda value: converter.structure(value, Sample))
    # What the fast code does not read by itself, it leaves.
    assert fast is Fallback or fast == strict
    if strict is None:
        assert fast is Fallback


# ---------------------------------------------------------------------------------------------- requests


@attrs.frozen(kw_only=True)
class Slow:
    amount: int
    currency: str = attrs.field(converter=in_capitals)
    note: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.amount < 0:
            raise ConfigurationError("amount: negative")


def quick() -> Any:
    base = attrs.make_class("Base", {}, frozen=True, slots=True)

    @quickly_made
    @attrs.frozen(kw_only=True)
    class Quick(base):  # type: ignore[misc, valid-type]
        amount: int
        currency: str = attrs.field(converter=in_capitals)
        note: str | None = None
        __attrs_post_init__ = Slow.__attrs_post_init__

    return Quick


def test_a_quickly_made_class_is_made_as_attrs_makes_it() -> None:
    kind = quick()
    made = kind(amount=1, currency="kzt")
    assert type(made) is kind
    assert attrs.asdict(made) == attrs.asdict(Slow(amount=1, currency="kzt"))
    assert inspect.signature(kind) == inspect.signature(Slow)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.amount = 2
    with pytest.raises(ConfigurationError, match="negative"):
        kind(amount=-1, currency="kzt")
    with pytest.raises(TypeError, match="amount"):
        kind(currency="kzt")
    with pytest.raises(TypeError, match="unknown"):
        kind(amount=1, currency="kzt", unknown=1)
    assert attrs.evolve(made, note="n").note == "n"


def test_a_subclass_of_a_quickly_made_class_is_its_own() -> None:
    class Mine(CreatePaymentLink):
        pass

    made = Mine(amount=1, currency="kzt")
    assert type(made) is Mine
    assert made.currency == "KZT"
    with pytest.raises(ConfigurationError, match="amount"):
        Mine(amount=0, currency="kzt")


def test_requests_and_results_are_compared_pickled_and_shown_as_before() -> None:
    request = CreatePaymentLink(amount=1, currency="kzt", expires_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert pickle.loads(pickle.dumps(request)) == request
    assert "currency='KZT'" in repr(request)
    link = PaymentLink(id="pl_1", amount=1, currency="KZT", status=PaymentLinkStatus.ACTIVE, url="u")
    result = BulkResult(index=0, request=request, link=link)
    assert attrs.evolve(result, index=1) == BulkResult(index=1, request=request, link=link)
    assert pickle.loads(pickle.dumps(result)) == result


def test_what_cannot_be_made_quickly_is_refused_at_once() -> None:
    @attrs.frozen(weakref_slot=False)
    class Positional:
        amount: int

    with pytest.raises(TypeError, match="keyword"):
        quickly_made(Positional)


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="since Python 3.12 a slot for weak references does no harm"
)
def test_a_class_that_cannot_be_drafted_is_refused_at_once() -> None:
    @attrs.frozen(kw_only=True)
    class OwnWeakReference:
        amount: int

    with pytest.raises(TypeError, match="layout"):
        quickly_made(OwnWeakReference)


def test_a_time_of_another_zone_is_sent_and_read_in_utc() -> None:
    there = datetime(2030, 1, 1, 5, tzinfo=timezone(timedelta(hours=5)))
    found = read_strictly({"text": "a", "number": 1, "when": there.isoformat()})
    assert found.when == there
    assert found.when.tzinfo is UTC
