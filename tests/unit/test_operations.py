"""Declarations: what an operation says of itself, on the class and on a client of either facade."""

from __future__ import annotations

import inspect
import pickle
import pydoc
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import attrs
import pytest

from plexypay_async import AsyncPlexyPay, CreatePaymentLink, Evidence, PaymentLink, Replay
from plexypay_async._core.recovery import Confirmed
from plexypay_async.api.index import every_declaration, every_group
from plexypay_async.api.operation import (
    Answer,
    Declaration,
    Listing,
    Operation,
    Resource,
    declarations,
    group_name,
    optionally,
    parameters_of,
)
from plexypay_async.api.settling import Question
from plexypay_async.apis import APIS
from plexypay_async.pay.description import PAY
from plexypay_async.pay.payment_links import PaymentLinks
from plexypay_sync import PlexyPay

URL = "http://127.0.0.1:1"
DECLARATIONS = list(every_declaration(PAY))
OPERATIONS: list[Operation[..., Any]] = [
    declaration for declaration in DECLARATIONS if isinstance(declaration, Operation)
]

each_declaration = pytest.mark.parametrize(
    "declaration", DECLARATIONS, ids=lambda declaration: declaration.name
)
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


@pytest.fixture(params=[AsyncPlexyPay, PlexyPay], ids=["async", "sync"])
def client(request: pytest.FixtureRequest) -> Any:
    return request.param("key", base_url=URL)


def bound(client: Any, declaration: Declaration[...]) -> Any:
    group, name = declaration.name.split(".")
    return getattr(getattr(client, group), name)


# --------------------------------------------------------------------------------------------- the class


def test_the_operations_of_payment_links() -> None:
    assert {
        declaration.name: (declaration.method, declaration.path, declaration.evidence, declaration.replay)
        for declaration in declarations(PaymentLinks).values()
    } == {
        "payment_links.create": ("POST", "/v1/payment-links", Evidence.PUBLISHED, Replay.AFTER_LOOKUP),
        "payment_links.list": ("GET", "/v1/payment-links", Evidence.PUBLISHED, Replay.SAFE),
        "payment_links.retrieve": ("GET", "/v1/payment-links/{external_id}", Evidence.PUBLISHED, Replay.SAFE),
        "payment_links.retrieve_by_order_reference": (
            "GET",
            "/v1/payment-links/by-order-reference/{order_reference}",
            Evidence.ASSUMED,
            Replay.SAFE,
        ),
        "payment_links.update_expiration": (
            "PATCH",
            "/v1/payment-links/{external_id}",
            Evidence.PUBLISHED,
            Replay.SAFE,
        ),
        "payment_links.cancel": (
            "DELETE",
            "/v1/payment-links/{external_id}",
            Evidence.PUBLISHED,
            Replay.SAFE,
        ),
        "payment_links.statistics": ("GET", "/v1/payment-links/statistics", Evidence.ASSUMED, Replay.SAFE),
    }


@each_declaration
def test_on_the_class_stands_the_declaration(declaration: Declaration[...]) -> None:
    group, _, name = declaration.name.partition(".")

    owner = next(known for known in every_group(PAY) if known.group == group)
    assert getattr(owner, name) is declaration
    assert repr(declaration) == f"<{group}.{name}: {declaration.method} {declaration.path}>"


@each_declaration
def test_a_request_class_is_documented(declaration: Declaration[...]) -> None:
    request: Any = declaration.request
    documentation = inspect.getdoc(request) or ""

    for section in ("Evidence:", "Returns:") if isinstance(declaration, Operation) else ("Evidence:",):
        assert section in documentation
    for field in attrs.fields(request):
        assert f"{field.name}: " in documentation


@each_declaration
def test_path_parameters_are_fields_and_come_first(declaration: Declaration[...]) -> None:
    parameters = list(inspect.signature(declaration.request).parameters.values())

    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == list(declaration.path_parameters)
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters if p.name not in positional)


@each_operation
def test_a_bare_path_is_not_shadowed_by_a_parameter(operation: Operation[..., Any]) -> None:
    assert operation.path.startswith("/v1/")
    assert parameters_of(operation.path) == operation.path_parameters


def test_a_post_must_say_what_may_be_repeated() -> None:
    with pytest.raises(TypeError, match="POST /v1/x: a replay class must be given"):
        Operation("POST", "/v1/x", CreatePaymentLink, PaymentLink, evidence=Evidence.ASSUMED)
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        operation = Operation(method, "/v1/x", CreatePaymentLink, PaymentLink, evidence=Evidence.ASSUMED)
        assert operation.replay is Replay.SAFE


def test_an_answer_may_be_optional() -> None:
    answer = optionally(PaymentLink, known_by="id")

    assert isinstance(answer, Answer)
    assert (answer.model, answer.known_by) == (PaymentLink, "id")
    assert PaymentLinks.cancel.answer.known_by == "id"
    assert PaymentLinks.create.answer.known_by is None


def test_names() -> None:
    class SettlementOrders(Resource[Any], api=PAY):
        pass

    assert SettlementOrders.group == group_name(SettlementOrders) == "settlement_orders"
    names = [group.group for group in every_group(PAY)]
    assert len(set(names)) == len(names)
    assert {"payment_links", "transactions", "payments"} <= set(names)
    assert parameters_of("/v1/{a}/b/{c_d}") == ("a", "c_d")
    assert parameters_of("/v1/a") == ()


# -------------------------------------------------------------------------------------------- the client


@each_declaration
def test_the_bound_call_tells_its_name_and_its_parameters(client: Any, declaration: Declaration[...]) -> None:
    call = bound(client, declaration)
    group, _, name = declaration.name.partition(".")

    assert call.__name__ == name
    assert call.__qualname__ == f"{type(getattr(client, group)).__name__}.{name}"
    assert call.__doc__ == declaration.request.__doc__
    signature = inspect.signature(call)
    of_request = inspect.signature(declaration.request).parameters
    assert dict(signature.parameters) == dict(of_request)
    assert list(signature.parameters)[-1] == "extra"
    assert list(signature.parameters)[: len(declaration.path_parameters)] == list(declaration.path_parameters)


@each_declaration
def test_the_signature_does_not_say_that_a_call_returns_none(
    client: Any, declaration: Declaration[...]
) -> None:
    assert not str(inspect.signature(bound(client, declaration))).endswith("-> None")


@each_declaration
def test_a_call_is_a_coroutine_function_on_the_async_facade_alone(declaration: Declaration[...]) -> None:
    on_async = bound(AsyncPlexyPay("key", base_url=URL), declaration)
    on_sync = bound(PlexyPay("key", base_url=URL), declaration)

    assert inspect.iscoroutinefunction(on_async) is isinstance(declaration, Operation)
    assert not inspect.iscoroutinefunction(on_sync)


@each_declaration
def test_a_call_is_bound_once(client: Any, declaration: Declaration[...]) -> None:
    assert bound(client, declaration) is bound(client, declaration)


def test_calls_of_different_clients_are_different() -> None:
    one, other = AsyncPlexyPay("key", base_url=URL), AsyncPlexyPay("key", base_url=URL)

    assert one.payment_links is one.payment_links
    assert one.payment_links is not other.payment_links
    assert one.payment_links.create is not other.payment_links.create
    assert one.with_options(timeout=1).payment_links.create is not one.payment_links.create


def test_help_shows_the_parameters_and_their_meaning(client: Any) -> None:
    # Python 3.13 writes a long signature over several lines.
    text = " ".join(pydoc.plain(pydoc.render_doc(client.payment_links.create)).split())
    text = text.replace("( *", "(*")

    assert "create(*, amount: " in text
    assert "order_reference: " in text
    assert "In **minor** units of `currency`" in text


def test_a_group_is_shown_with_its_client(client: Any) -> None:
    assert repr(client.payment_links) == f"<payment_links of <{type(client).__name__} {URL}>>"
    assert repr(client) == f"<{type(client).__name__} {URL}>"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [((), {}), ((5,), {}), ((), {"amount": 1}), ((), {"amount": 1, "currency": "KZT", "colour": "red"})],
)
def test_arguments_that_do_not_fit_are_a_type_error(arguments: Any, options: Any) -> None:
    with pytest.raises(TypeError):
        PlexyPay("key", base_url=URL).payment_links.create(*arguments, **options)


# ------------------------------------------------------------------------------------------ both facades


def groups() -> Iterator[str]:
    return (name for name, value in vars(AsyncPlexyPay).items() if isinstance(value, cached_property))


def test_both_facades_have_every_group() -> None:
    names = set(groups())

    assert names == {group.group for group in every_group(PAY)}
    for facade in (AsyncPlexyPay, PlexyPay):
        assert names <= set(dir(facade))


def test_both_facades_have_the_same_methods_with_the_same_parameters() -> None:
    for name in ("__init__", "with_options", "request", "close"):
        of_async = dict(inspect.signature(getattr(AsyncPlexyPay, name)).parameters)
        of_sync = dict(inspect.signature(getattr(PlexyPay, name)).parameters)
        # A session belongs to the loop of its owner, which the sync facade does not have.
        of_async.pop("session", None)
        assert of_async == of_sync, name
    own = {"renewed_after_fork"}
    public = [
        {name for name in dir(facade) if not name.startswith("_")} for facade in (AsyncPlexyPay, PlexyPay)
    ]
    assert public[0] == public[1] - own


def test_listings_of_both_facades_have_the_same_methods() -> None:
    listings = [facade("key", base_url=URL).payment_links.list() for facade in (AsyncPlexyPay, PlexyPay)]
    public = [{name for name in dir(listing) if not name.startswith("_")} for listing in listings]

    assert public[0] == public[1] == {"first_page", "pages", "prefetch", "resume"}
    assert [repr(listing) for listing in listings] == [
        "<AsyncPages of payment_links.list from page 1>",
        "<Pages of payment_links.list from page 1>",
    ]
    assert isinstance(PaymentLinks.list, Listing)


def test_the_descriptions_of_apis_can_be_pickled_for_other_processes() -> None:
    for api in APIS:
        copy = pickle.loads(pickle.dumps(api))
        assert (copy.name, copy.errors.code, copy.paging) == (api.name, api.errors.code, api.paging)


@pytest.mark.parametrize(
    "internal",
    [
        Question("a refund", "wallet.list", "order_reference", "jane@example.com"),
        Confirmed("jane", True, True),
    ],
)
def test_what_looks_for_a_request_does_not_show_its_values(internal: object) -> None:
    assert "jane" in "".join(map(str, tuple(internal)))  # type: ignore[arg-type]
    assert "jane" not in repr(internal)
