"""Calls that move money: what is a refusal, what is unknown, and how the question is settled."""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import pickle
import re
import uuid
from decimal import Decimal
from typing import Any

import attrs
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    Outcome,
    OutcomeUnknownError,
    RefusedError,
    Replay,
    RetryPolicy,
    SomethingWentWrongError,
    UnreadableResponseError,
)
from plexypay_async._privacy.secret import Secret
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.index import every_declaration
from plexypay_async.api.operation import Operation
from plexypay_async.api.settling import Look, SettledBy
from plexypay_async.apis import APIS
from plexypay_async.pay.description import PAY
from plexypay_async.pay.direct_payments import DirectPayments
from plexypay_async.pay.payments import Payments, RefundPayment, RefundResult
from plexypay_sync import PlexyPay

from .mocked_http import MockedHTTP
from .sample_requests import arguments, named, target

BASE = "https://api.example"
KEY = "pr_0123456789abcdef0123456789abcdef"
QUICK = RetryPolicy(base=0, cap=0)

OPERATIONS: list[Operation[..., Any]] = [
    declaration for declaration in every_declaration(PAY) if isinstance(declaration, Operation)
]
MONEY = [operation for operation in OPERATIONS if operation.replay is Replay.MONEY]
SAME_KEY = [operation for operation in OPERATIONS if operation.replay is Replay.SAME_KEY]
ADVISING = [operation for operation in OPERATIONS if operation.settled_by is not None]


def named_by(operation: Operation[..., Any]) -> str:
    return operation.name


each_refusable = pytest.mark.parametrize("operation", [*MONEY, *SAME_KEY], ids=named_by)
each_money = pytest.mark.parametrize("operation", MONEY, ids=named_by)
each_advising = pytest.mark.parametrize("operation", ADVISING, ids=named_by)


def decode(operation: Operation[..., Any], document: Any) -> Any:
    return OperationCodec(operation).decode(WireResponse(200, json.dumps(document).encode(), key=Secret(KEY)))


def refused(operation: Operation[..., Any], **document: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        decode(operation, {"success": False, **document})
    return caught.value


# --------------------------------------------------------------------------------------------- refusals


def test_payments_move_money() -> None:
    assert {Payments.cancel, Payments.capture, Payments.refund} <= set(MONEY)


@each_refusable
def test_a_success_status_that_says_success_false_is_a_refusal(operation: Operation[..., Any]) -> None:
    error = refused(operation, message="not enough money", code="51")

    assert (error.code, error.message) == ("51", "not enough money")
    assert str(error) == f"{operation.name}: refused with code 51: not enough money"
    assert error.outcome is Outcome.REJECTED
    assert error.operation == operation.name
    assert error.answer is None or isinstance(error.answer, operation.answer.model)


@each_refusable
@pytest.mark.parametrize("success", [{"success": True}, {}, {"success": None}], ids=repr)
def test_anything_but_false_is_no_refusal(operation: Operation[..., Any], success: Any) -> None:
    document = {"code": "51", "responseCode": "51", "message": "x", **success}
    # Not every model has all of its fields here; that is something else than a refusal.
    with contextlib.suppress(UnreadableResponseError):
        assert decode(operation, document).raw == document


@pytest.mark.parametrize("success", [0, "false", "", [], {}], ids=repr)
def test_what_is_not_a_boolean_proves_nothing(success: Any) -> None:
    for document in ({"success": success}, {"success": success, "id": "t-1"}):
        with pytest.raises(
            UnreadableResponseError, match="nothing in the answer says that it was done"
        ) as caught:
            decode(Payments.refund, document)
        assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("operation", [Payments.cancel, Payments.capture, Payments.refund], ids=named_by)
@pytest.mark.parametrize(
    "document", [{}, {"id": "t-1"}, {"": "x"}, {"amount": 1, "": []}, {"error": "x"}], ids=repr
)
def test_nothing_but_its_success_proves_a_payments_change(
    operation: Operation[..., Any], document: dict[str, Any]
) -> None:
    with pytest.raises(
        UnreadableResponseError, match="nothing in the answer says that it was done"
    ) as caught:
        decode(operation, document)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert decode(operation, {**document, "success": True}).success is True


@pytest.mark.parametrize("kind", ["apiError", "validationError"])
def test_the_body_of_an_error_under_a_success_status_proves_nothing(kind: str) -> None:
    with pytest.raises(UnreadableResponseError, match="something went wrong") as caught:
        decode(Payments.refund, {"code": 2, "message": "something went wrong", "type": kind})
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"code": "51"}, "51"),
        ({"code": 51}, "51"),
        ({"code": "0005"}, "0005"),
        ({"responseCode": "05"}, "05"),
        ({"code": "51", "responseCode": "05"}, "51"),
        ({"code": None, "responseCode": "05"}, "05"),
        ({}, None),
        ({"code": None, "responseCode": None}, None),
        ({"code": {"a": 1}}, None),
        ({"code": [51]}, None),
        ({"code": True}, None),
    ],
    ids=repr,
)
def test_where_the_code_of_a_refusal_is(fields: dict[str, Any], code: str | None) -> None:
    error = refused(Payments.refund, message="no", **fields)

    assert error.code == code
    assert str(error) == ("payments.refund: refused" + (f" with code {code}" if code else "") + ": no")


@pytest.mark.parametrize("message", [{}, {"message": None}, {"message": ""}, {"message": {"a": 1}}], ids=repr)
def test_a_refusal_without_a_message(message: dict[str, Any]) -> None:
    error = refused(Payments.refund, **message)

    assert error.message == "no reason given"
    assert str(error) == "payments.refund: refused: no reason given"


def test_a_refusal_has_the_whole_answer_as_its_model() -> None:
    document = {
        "success": False,
        "id": "56b5f4ac",
        "responseCode": "05",
        "message": "declined",
        "amount": 15.55,
        "remainingBalance": 40.86,
        "originalTransactionId": "c3bcfd40",
        "somethingNew": 1,
    }
    error = refused(Payments.refund, **document)

    assert error.answer == RefundResult(
        success=False,
        id="56b5f4ac",
        response_code="05",
        message="declined",
        amount=Decimal("15.55"),
        remaining_balance=Decimal("40.86"),
        original_transaction_id="c3bcfd40",
    )
    assert error.answer.raw == document


def test_a_refusal_whose_answer_does_not_fit_the_model_is_a_refusal_all_the_same() -> None:
    error = refused(Payments.refund, message="no", amount="a lot")

    assert (error.message, error.answer) == ("no", None)


@each_refusable
def test_a_refusal_pickles(operation: Operation[..., Any]) -> None:
    error = refused(operation, message="no", code="51", id="t", walletTransactionId="t", status="failed")
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is RefusedError
    assert str(again) == str(error)
    assert (again.code, again.message) == (error.code, error.message)
    assert again.answer == (None if operation.answer.model.private else error.answer)
    assert (again.outcome, again.operation) == (Outcome.REJECTED, operation.name)


@pytest.mark.parametrize(
    "pending",
    [{"action": "3ds-required"}, {"action": "3DS-REQUIRED"}, {"threeDS": {"status": "C", "html": "<form>"}}],
    ids=repr,
)
def test_an_answer_that_is_pending_is_no_refusal(pending: dict[str, Any]) -> None:
    document = {"success": False, **pending}

    assert decode(DirectPayments.create, document).raw == document
    for other in ({}, {"action": None}, {"action": "else"}, {"threeDS": {"status": "N"}}):
        assert refused(DirectPayments.create, **other).operation == "direct_payments.create"
    assert refused(Payments.refund, action="3ds-required").operation == "payments.refund"


def test_a_read_that_says_success_false_is_read_as_it_is() -> None:
    for operation in OPERATIONS:
        if operation.replay not in (Replay.MONEY, Replay.SAME_KEY):
            with contextlib.suppress(UnreadableResponseError):
                decode(operation, {"success": False, "message": "x", "id": "t"})


# -------------------------------------------------------------------------------------- through a client


def a_client(**options: Any) -> AsyncPlexyPay:
    return AsyncPlexyPay(KEY, base_url=BASE, retry=QUICK, **options)


def requests_to(http: MockedHTTP) -> int:
    requests: dict[Any, list[Any]] = http.requests
    return sum(len(calls) for calls in requests.values())


@each_refusable
@pytest.mark.asyncio
async def test_a_refusal_is_raised_once_and_hides_the_key(
    mocked_http: MockedHTTP, operation: Operation[..., Any]
) -> None:
    given = arguments(operation.request, also={"order_reference"})
    answer = {"success": False, "message": f"bad key {KEY}", "responseCode": KEY}
    mocked_http.post(BASE + target(operation, given), payload=answer, repeat=True)

    async with a_client() as plexy:
        with pytest.raises(RefusedError) as caught:
            await named(plexy, operation.name)(**given)
    error = caught.value
    assert requests_to(mocked_http) == 1
    assert (error.operation, error.attempts) == (operation.name, ())
    assert error.message == "bad key [the API key]"
    assert error.code == "[the API key]"
    assert KEY not in f"{error} {error!r} {error.message} {error.code}"
    assert error.__cause__ is None
    if operation.replay is Replay.SAME_KEY:
        assert uuid.UUID(str(error.idempotency_key)).version == 4
    else:
        assert error.idempotency_key is None


@pytest.mark.asyncio
async def test_a_refusal_after_code_1_has_the_attempt_before_it(mocked_http: MockedHTTP) -> None:
    url = f"{BASE}/v1/payments/t/refund"
    mocked_http.post(url, status=503, payload={"code": 1, "message": "busy"})
    mocked_http.post(url, payload={"success": False, "message": "no"})

    async with a_client() as plexy:
        with pytest.raises(RefusedError) as caught:
            await plexy.payments.refund("t", order_reference="R-1")
    assert [type(error).__name__ for error in caught.value.attempts] == ["ServiceUnavailableError"]
    assert caught.value.order_reference == "R-1"


@each_money
@pytest.mark.asyncio
async def test_a_500_with_a_message_alone_is_unknown_and_carries_the_message(
    mocked_http: MockedHTTP, operation: Operation[..., Any]
) -> None:
    message = "failed to handle command: something went wrong"
    given = arguments(operation.request, also={"order_reference"})
    mocked_http.post(BASE + target(operation, given), status=500, payload={"message": message}, repeat=True)

    async with a_client() as plexy:
        with pytest.raises(OutcomeUnknownError) as caught:
            await named(plexy, operation.name)(**given)
    error = caught.value
    assert requests_to(mocked_http) == 1
    assert message in str(error)
    assert error.outcome is Outcome.UNKNOWN
    assert error.operation == operation.name
    assert type(error.__cause__) is SomethingWentWrongError
    assert error.__cause__.message == message
    assert advised(str(error)) is not None


# -------------------------------------------------------------------------------- what settles the question


AGAIN = "doing it again"


def advised(text: str) -> str | None:
    """Return where an error tells its reader to look."""
    found = re.search(rf"Money may have moved: look (.*) before {AGAIN}\.( That it shows .*)?$", text)
    return None if found is None else found.group(1)


def parsed(advice: str) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Return the name and the arguments of each call that an advice names."""
    found: list[tuple[str, list[Any], dict[str, Any]]] = []
    for written in re.findall(r"\w+\.\w+\(.*?\)", advice):
        call = ast.parse(written, mode="eval").body
        assert isinstance(call, ast.Call)
        positional = [ast.literal_eval(argument) for argument in call.args]
        keywords = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        found.append((ast.unparse(call.func), positional, keywords))
    return found


@each_money
def test_whatever_moves_money_names_the_call_that_settles_the_question(
    operation: Operation[..., Any],
) -> None:
    assert operation.settled_by is not None


@each_advising
@pytest.mark.parametrize("facade", [AsyncPlexyPay, PlexyPay], ids=lambda facade: facade.__name__)
@pytest.mark.parametrize("also", [(), ("order_reference",), ("amount",)], ids=["", "reference", "amount"])
def test_the_calls_that_are_advised_exist_and_take_these_arguments(
    operation: Operation[..., Any], facade: Any, also: tuple[str, ...]
) -> None:
    assert operation.settled_by is not None
    request: Any = operation.request
    asked = request(**arguments(request, also))
    client = facade("key", base_url="http://127.0.0.1:1")

    calls = parsed(operation.settled_by.advice(asked, AGAIN))
    assert calls
    for name, positional, keywords in calls:
        inspect.signature(named(client, name)).bind(*positional, **keywords)
        found = next(declaration for declaration in every_declaration(PAY) if declaration.name == name)
        assert found.replay is Replay.SAFE
        made = found.request(*positional, **keywords)
        told = set(positional) | set(keywords.values())
        assert told <= set(attrs.asdict(made).values())
        # About the same payment.
        assert told <= {getattr(asked, look.by) for look in operation.settled_by.looks if look.by is not None}


@each_money
def test_retrieve_is_named_where_it_shows_the_work_alone(operation: Operation[..., Any]) -> None:
    request: Any = operation.request
    assert operation.settled_by is not None
    part = operation.settled_by.advice(request(**arguments(request, ["amount"])), AGAIN)

    if operation.name == "payments.refund":
        assert "transactions.retrieve" not in part
    if operation.name == "payments.capture":
        assert part.index("transactions.history") < part.index("transactions.retrieve")


def test_what_an_advice_looks_like() -> None:
    def advice(*looks: Look, request: RefundPayment, named: str | None = None) -> str:
        return SettledBy(*looks).advice(request, AGAIN, named)

    quoted, whole = RefundPayment("it's"), RefundPayment("t")
    part = RefundPayment("t", amount=Decimal("1E+3"), order_reference="R-1")
    history = Look("a.history", "a refund", by="id", amount="amount")
    search = Look("a.search", "a refund", by="order_reference", amount="amount")
    state = Look("a.retrieve", "a state", by="id", unless="amount")
    capture = Look("a.retrieve", "a capture", by="id", needs="amount")
    listing = Look("a.list", "one")

    assert advice(history, request=quoted) == 'look for a refund in a.history("it\'s") before doing it again.'
    assert advice(state, search, history, listing, request=part) == (
        "look for a refund of 1000 in a.search(order_reference='R-1') and a.history('t'), and for one in"
        " a.list() before doing it again."
    )
    assert advice(state, search, capture, request=whole) == (
        "look for a state in a.retrieve('t') before doing it again."
    )
    assert advice(capture, request=part).startswith("look for a capture in a.retrieve('t') before")
    assert advice(listing, request=whole, named="x") == "look for 'x' in a.list() before doing it again."
    assert SettledBy(history, named="a.get").advice(whole, AGAIN, "x") == (
        "look for a refund in a.get('x') and a.history('t') before doing it again."
    )
    assert SettledBy(history, named="a.get", doubt="So it is.").advice(whole, AGAIN, "t") == (
        "look for a refund in a.history('t') before doing it again. So it is."
    )


@pytest.mark.parametrize(
    ("name", "given", "advice"),
    [
        ("payments.cancel", {}, "for the status 'cancelled' in transactions.retrieve('t-1')"),
        ("payments.capture", {}, "for the status 'charged' in transactions.retrieve('t-1')"),
        (
            "payments.capture",
            {"amount": 500},
            "for a capture of 500 in transactions.history('t-1'), and for the status 'charged' in"
            " transactions.retrieve('t-1')",
        ),
        (
            "payments.refund",
            {},
            "for a refund in transactions.history('t-1') and transactions.list(), and for the status"
            " 'refunded' in transactions.retrieve('t-1')",
        ),
        (
            "payments.refund",
            {"amount": Decimal("0.50"), "order_reference": "R-1"},
            "for a refund of 0.50 in transactions.history('t-1'), payments.search(order_reference='R-1')"
            " (only by a reference of the refund's own, and only one of several) and"
            " transactions.list()",
        ),
    ],
    ids=["cancel", "capture", "capture a part", "refund", "refund a part"],
)
@pytest.mark.asyncio
async def test_the_advice_of_payments(
    mocked_http: MockedHTTP, name: str, given: dict[str, Any], advice: str
) -> None:
    mocked_http.post(f"{BASE}/v1/payments/t-1/{name.partition('.')[2]}", status=502, repeat=True)

    async with a_client() as plexy:
        with pytest.raises(OutcomeUnknownError) as caught:
            await named(plexy, name)("t-1", **given)
    assert advised(str(caught.value)) == advice


@each_money
def test_the_docstring_says_that_the_outcome_of_any_other_failure_is_to_be_looked_at(
    operation: Operation[..., Any],
) -> None:
    raises = (inspect.getdoc(operation.request) or "").partition("Raises:")[2]
    assert "OutcomeUnknownError: " in raises
    assert "PlexyPayError: Any other failure; its `outcome` says whether money may have moved." in raises
    assert operation.settled_by is not None
    for call in operation.settled_by.calls:
        assert f"`{call}`" in raises


@pytest.mark.parametrize(
    "operation",
    [each for api in APIS for each in every_declaration(api) if each.replay is Replay.SAME_KEY],
    ids=lambda operation: f"{operation.api.name} {operation.name}",
)
def test_so_does_that_of_what_is_done_once_by_its_key(operation: Operation[..., Any]) -> None:
    raises = (inspect.getdoc(operation.request) or "").partition("Raises:")[2]
    assert "PlexyPayError: Any other failure; its `outcome` says whether " in raises


# ----------------------------------------------------------------------------------------- what is sent


@pytest.mark.parametrize(
    ("name", "given", "body"),
    [
        ("cancel", {}, None),
        ("cancel", {"extra": {"reason": "no"}}, b'{"reason":"no"}'),
        ("capture", {}, b"{}"),
        ("capture", {"amount": Decimal("56.41")}, b'{"amount":56.41}'),
        ("refund", {}, b"{}"),
        (
            "refund",
            {"amount": Decimal("15.55"), "order_reference": "R-1", "description": "torn"},
            b'{"amount":15.55,"orderReference":"R-1","description":"torn"}',
        ),
        ("refund", {"extra": {"fee": 1}}, b'{"fee":1}'),
    ],
    ids=repr,
)
def test_what_is_sent(name: str, given: dict[str, Any], body: bytes | None) -> None:
    operation: Operation[..., Any] = getattr(Payments, name)
    wire = OperationCodec(operation).encode(operation.request("a/b", **given))

    assert (wire.method, wire.target, wire.body) == ("POST", f"/v1/payments/a%2Fb/{name}", body)


@pytest.mark.parametrize("field", ["order_reference", "description"])
def test_texts_of_a_refund_are_texts(field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected a string, got int 5"):
        RefundPayment("t", **{field: 5})  # type: ignore[arg-type]


def test_an_answer_of_success_alone_is_one() -> None:
    for operation in (Payments.cancel, Payments.capture, Payments.refund):
        answer = decode(operation, {"success": True})
        assert answer.success is True
        assert (answer.id, answer.amount, answer.remaining_balance) == (None, None, None)


@pytest.mark.parametrize("code", [2, "2", "0002"])
def test_a_refusal_with_code_2_is_none(code: Any) -> None:
    body = json.dumps({"success": False, "code": code, "message": "something went wrong"}).encode()

    with pytest.raises(UnreadableResponseError) as caught:
        OperationCodec(Payments.refund).decode(WireResponse(200, body))
    assert caught.value.outcome is Outcome.UNKNOWN
