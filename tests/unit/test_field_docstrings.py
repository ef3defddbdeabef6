"""What is said of every field: what it is, the unit of an amount and the zone of a time."""

from __future__ import annotations

import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from types import ModuleType
from typing import Any

import attrs
import pytest

import plexypay_async
import plexypay_sync
from plexypay_async._composed_docs import below_fields
from plexypay_async.answered import Answered
from plexypay_async.api.docstrings import docstring_said, field_descriptions
from plexypay_async.api.fields import Model, Request
from plexypay_async.apis import APIS
from plexypay_async.checkout.values import Amount
from plexypay_async.errors import PlexyPayError
from plexypay_async.money import Money
from plexypay_async.observer import ObservedCall
from plexypay_async.pagination import Page
from plexypay_async.webhooks.events import TransactionEvent

HERE = __name__
UNIT = re.compile(r"\b(minor|major|unit)\b")
ZONE = re.compile(r"\bUTC\b|\btime zone\b")


def packages() -> Iterator[ModuleType]:
    """Yield what one imports from: both packages, and those inside them."""
    for package in (plexypay_async, plexypay_sync):
        yield package
        for inner in pkgutil.iter_modules(package.__path__):
            if inner.ispkg and not inner.name.startswith("_"):
                yield import_module(f"{package.__name__}.{inner.name}")


def public_classes() -> list[type[Any]]:
    """Return every class that a package has a public name for, in the order of their names."""
    found: set[type[Any]] = set()
    for package in packages():
        names: Any = getattr(package, "__all__", None) or getattr(package, "_NAMES", ())
        found.update(value for name in names if isinstance(value := getattr(package, name), type))
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


CLASSES = public_classes()
WITH_FIELDS = [kind for kind in CLASSES if attrs.has(kind)]


def name_of(kind: Any) -> str:
    return f"{kind.__module__.removeprefix('plexypay_async.')}.{kind.__name__}"


each_class = pytest.mark.parametrize("kind", WITH_FIELDS, ids=name_of)


def fields_of(kind: Any) -> list[str]:
    return [field.name for field in attrs.fields(kind) if not field.name.startswith("_")]


def arguments_of(kind: Any) -> dict[str, str]:
    """Return what a class' own docstring says of its arguments, in its own words."""
    return docstring_said(kind, str).arguments


def described(kind: Any) -> dict[str, str]:
    """Return what is said of each field, in the words of the docstrings."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if attrs.has(base):
            found |= {**below_fields(base), **arguments_of(base)}
    return found


def kinds_in(annotated: Any) -> set[Any]:
    """Return the types that a field's type is made of."""
    # A list has the arguments of a function.
    inner: Any = annotated if type(annotated) is list else typing.get_args(annotated)
    found: set[Any] = set() if inner or type(annotated) is list else {annotated}
    for each in inner:
        found |= kinds_in(each)
    return found


def types_of(kind: Any) -> dict[str, set[Any]]:
    """Return what the values of each field may be."""
    # A name that a module imports for checkers alone.
    resolved = typing.get_type_hints(kind, localns={"Journal": plexypay_async.Journal})
    return {name: kinds_in(resolved[name]) for name in fields_of(kind)}


def is_amount(name: str, kinds: set[Any]) -> bool:
    """Tell whether a field holds money: by its type, or by its name where it is an integer."""
    if kinds & {Decimal, Amount} or any(isinstance(each, type) and issubclass(each, Money) for each in kinds):
        return True
    return int in kinds and ("amount" in name or name == "value")


# ------------------------------------------------------------------------------------------ every field


def test_the_public_classes_are_found() -> None:
    assert len(WITH_FIELDS) > 150
    assert {Answered, Amount, Money, Page, TransactionEvent} <= set(WITH_FIELDS)
    assert {api.package for api in APIS} <= {kind.__module__.rpartition(".")[0] for kind in WITH_FIELDS}
    assert {ObservedCall, PlexyPayError} <= set(CLASSES)


@each_class
def test_every_field_is_described(kind: Any) -> None:
    told = described(kind)

    assert [name for name in fields_of(kind) if not told.get(name)] == []
    assert [name for name in fields_of(kind) if not told[name].endswith((".", "``"))] == []
    # Documents of the API take them from here.
    assert set(told) == set(field_descriptions(kind, HERE))


@each_class
def test_requests_say_it_under_args_and_answers_below_the_fields(kind: Any) -> None:
    # Whoever calls reads the request's docstring; whoever writes `link.` reads what is below the field.
    arguments = list(arguments_of(kind))
    below = {name for base in kind.__mro__ if attrs.has(base) for name in below_fields(base)}

    if issubclass(kind, Model):
        assert arguments == []
    if issubclass(kind, Request) or arguments:
        names = fields_of(kind) or list(inspect.signature(kind).parameters)
        assert sorted(arguments) == sorted(names)
        assert below & set(names) == set()


@each_class
def test_every_amount_names_its_unit(kind: Any) -> None:
    told = described(kind)
    amounts = [name for name, kinds in types_of(kind).items() if is_amount(name, kinds)]

    assert [name for name in amounts if not UNIT.search(told[name])] == []


@each_class
def test_every_time_names_its_zone(kind: Any) -> None:
    told = described(kind)
    times = [name for name, kinds in types_of(kind).items() if datetime in kinds]

    assert [name for name in times if not ZONE.search(told[name])] == []


def test_amounts_and_times_are_known_by_their_types_and_names() -> None:
    amounts = {
        f"{kind.__name__}.{name}"
        for kind in WITH_FIELDS
        for name, kinds in types_of(kind).items()
        if is_amount(name, kinds)
    }
    times = {
        f"{kind.__name__}.{name}"
        for kind in WITH_FIELDS
        for name, kinds in types_of(kind).items()
        if datetime in kinds
    }

    assert {"PaymentLink.amount", "Transaction.amount", "RefundResult.remaining_balance"} <= amounts
    assert {"CreateSession.amount", "Product.price", "Order.charged_amount", "Amount.value"} <= amounts
    assert {"LineItem.tax_amount", "AgentBalance.available", "Money.amount"} <= amounts
    assert {"PaymentLink.expires_at", "CreatePaymentLink.expires_at", "ListPaymentLinks.created_to"} <= times
    assert {"CheckoutEvent.created", "Session.expires_at", "Order.completed_at"} <= times


def test_a_field_of_which_nothing_is_said_is_found() -> None:
    @attrs.frozen
    class Silent:
        """Says nothing of one of its fields."""

        told: int
        """How many."""
        silent: int

    assert below_fields(Silent) == {"told": "How many."}
    assert [name for name in fields_of(Silent) if name not in described(Silent)] == ["silent"]


# ------------------------------------------------------------------------------- what has no fields of attrs

WITHOUT_FIELDS = [kind for kind in CLASSES if not attrs.has(kind)]


@pytest.mark.parametrize("kind", WITHOUT_FIELDS, ids=name_of)
def test_every_attribute_of_an_error_and_of_what_observers_are_told_is_described(kind: Any) -> None:
    told = below_fields(kind)
    # Those of the class alone; its bases are public, or say it themselves.
    own = [
        name
        for name, annotated in inspect.get_annotations(kind).items()
        if not name.startswith("_") and not str(annotated).startswith(("ClassVar", "Final"))
    ]

    assert [name for name in own if name not in told and name not in arguments_of(kind)] == []


def test_errors_have_attributes_that_are_described() -> None:
    told = below_fields(PlexyPayError)

    assert {"outcome", "idempotency_key", "link_url", "elapsed"} <= set(told)
    assert "Seconds" in told["elapsed"]
