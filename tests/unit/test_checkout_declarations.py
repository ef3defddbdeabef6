"""The Checkout API's declarations: what each says of itself, and that any answer is read or is an error."""

from __future__ import annotations

import inspect
import json
import pydoc
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexypay_async import AsyncPlexyCheckout, Evidence, PlexyPayError, Replay, checkout
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.fields import Model, Request
from plexypay_async.api.index import every_declaration, every_group, names_of
from plexypay_async.api.operation import Operation
from plexypay_async.checkout.description import CHECKOUT
from plexypay_sync import PlexyCheckout

DECLARED: list[Operation[..., Any]] = [
    each for each in every_declaration(CHECKOUT) if isinstance(each, Operation)
]
SAFE, KEY = Replay.SAFE, Replay.SAME_KEY
PUBLISHED, OF_VENDOR = Evidence.PUBLISHED, Evidence.VENDOR_CODE
each_operation = pytest.mark.parametrize("operation", DECLARED, ids=lambda each: each.name)


def test_the_operations() -> None:
    assert {
        each.name: (each.method, each.path, each.evidence, each.replay, each.reads) for each in DECLARED
    } == {
        "sessions.create": ("POST", "/v2/sessions", PUBLISHED, KEY, False),
        "payment_methods.list": ("POST", "/v2/paymentMethods", PUBLISHED, SAFE, True),
        "payment_methods.balance": ("POST", "/v2/paymentMethods/balance", OF_VENDOR, SAFE, True),
        "payments.create": ("POST", "/v2/payments", PUBLISHED, KEY, False),
        "payments.details": ("POST", "/v2/payments/details", PUBLISHED, KEY, False),
        "orders.create": ("POST", "/v2/orders", OF_VENDOR, KEY, False),
        "orders.cancel": ("POST", "/v2/orders/cancel", OF_VENDOR, KEY, False),
        "card_details.retrieve": ("POST", "/v2/cardDetails", OF_VENDOR, SAFE, True),
        "stored_payment_methods.delete": (
            "DELETE",
            "/v2/storedPaymentMethods/{id}",
            OF_VENDOR,
            SAFE,
            False,
        ),
        "config.retrieve": ("GET", "/v2/config", PUBLISHED, SAFE, True),
    }
    assert list(every_declaration(CHECKOUT)) == DECLARED, "there are no listings"


@each_operation
def test_a_request_says_what_its_fields_are_and_how_well_that_is_known(
    operation: Operation[..., Any],
) -> None:
    request: Any = operation.request
    documentation = inspect.getdoc(request) or ""

    for section in ("Args:", "Returns:", "Raises:", "Evidence:"):
        assert section in documentation
    for field in attrs.fields(request):
        assert f"\n    {field.name}: " in documentation, field.name
    parameters = inspect.signature(operation.request).parameters.values()
    positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert positional == list(operation.path_parameters)
    assert (operation.key is not None) == (operation.replay is KEY)


def test_every_public_name_is_there_and_documented() -> None:
    names = names_of(CHECKOUT)

    package: Any = checkout
    assert package.__all__ == sorted(names)
    groups = {group.__name__ for group in every_group(CHECKOUT)}
    for name in names:
        documented: Any = getattr(checkout, name)
        told = inspect.getdoc(documented) or ""
        assert told, name
        assert name in groups or "Evidence:" in told, name


@pytest.mark.parametrize("kind", [AsyncPlexyCheckout, PlexyCheckout], ids=["async", "sync"])
def test_both_clients_have_every_call_with_its_parameters(kind: Any) -> None:
    client = kind("key", merchant_account="ACME", base_url="http://127.0.0.1:1")
    for operation in DECLARED:
        group, _, name = operation.name.partition(".")
        call = getattr(getattr(client, group), name)
        shown = pydoc.plain(pydoc.render_doc(call))
        for parameter in operation.parameters:
            assert f"{parameter}: " in shown, (operation.name, parameter)
        assert inspect.iscoroutinefunction(call) == (kind is AsyncPlexyCheckout)


def test_what_is_opaque_or_of_the_shopper_is_in_no_repr() -> None:
    hidden = {
        *("state_data", "session_data", "order_data", "encrypted_card_number", "donation_token", "raw"),
        *("shopper_email", "shopper_ip", "telephone_number", "date_of_birth", "social_security_number"),
        *("holder_name", "first_name", "last_name", "street", "city", "postal_code", "house_number_or_name"),
        *("network_tx_reference", "action", "additional_data", "extra", "browser_info"),
    }
    for name in names_of(CHECKOUT):
        kind: Any = getattr(checkout, name)
        if not attrs.has(kind):
            continue
        for field in attrs.fields(kind):
            if field.name in hidden:
                assert field.repr is False, f"{name}.{field.name}"


def test_answers_with_what_is_opaque_show_nothing_of_themselves_in_errors() -> None:
    for name in names_of(CHECKOUT):
        kind: Any = getattr(checkout, name)
        if isinstance(kind, type) and issubclass(kind, Model):
            fields = {field.name for field in attrs.fields(kind)} - {"raw"}
            if fields & {"session_data", "order_data", "holder_name", "action", "additional_data"}:
                assert kind.private, name
        assert not (isinstance(kind, type) and issubclass(kind, Request) and hasattr(kind, "raw"))


# ---------------------------------------------------------------------------------------------- any answer

_WORDS = (
    *("id", "sessionData", "pspReference", "resultCode", "amount", "currency", "value", "order", "orderData"),
    *("remainingAmount", "action", "paymentMethods", "storedPaymentMethods", "balance", "expiresAt", "error"),
    *("type", "code", "message", "success", "merchantReference", "reference", "brands", "paymentMethod"),
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["Authorised", "Refused", "KZT", "card_error", "2023-10-10T11:48:26+02:00", ""]),
)
_DOCUMENTS = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_WORDS), inner, max_size=8)
    ),
    max_leaves=25,
)


@given(document=_DOCUMENTS, operation=st.sampled_from(DECLARED), status=st.sampled_from([200, 201, 204]))
@settings(max_examples=600)
def test_any_answer_gives_a_model_or_an_error_of_the_library(
    document: Any, operation: Operation[..., Any], status: int
) -> None:
    response = WireResponse(status, json.dumps(document).encode())
    try:
        answer = OperationCodec(operation).decode(response)
    except PlexyPayError:
        return
    assert answer is None or isinstance(answer, operation.answer.model)
    if isinstance(answer, checkout.Payment):
        assert not (answer.is_authorised and answer.requires_action)
        assert not answer.is_authorised or answer.is_final
        assert set(answer.for_browser()) <= {"resultCode", "action", "order", "donationToken"}
    if isinstance(answer, checkout.Session):
        assert all(type(each) is str and each for each in answer.for_browser().values())
