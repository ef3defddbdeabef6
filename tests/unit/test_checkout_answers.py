"""Answers of the Checkout API: what is paid, what has to be done first, and what goes to the browser."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from plexypay_async import Money, Outcome, UnreadableResponseError
from plexypay_async._wire.codec import OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.api.operation import Operation
from plexypay_async.checkout import (
    CardDetailsGroup,
    Config,
    Orders,
    Payment,
    PaymentMethods,
    Payments,
    ResultCode,
    Sessions,
    StoredPaymentMethods,
)

KZT = Money(2_200_000, "KZT")
AMOUNT = {"currency": "KZT", "value": 2_200_000}
SECRET = "opaque-4711"


def read(operation: Operation[..., Any], document: Any, status: int = 200) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return OperationCodec(operation).decode(WireResponse(status, body))


def paid(code: str = "Authorised", **fields: Any) -> Payment:
    known = {"pspReference": "psp", "resultCode": code, "amount": AMOUNT, "merchantReference": "ORD-1"}
    made: Payment = read(Payments.create, {**known, **fields})
    return made


def order(remaining: Any) -> dict[str, Any]:
    return {"pspReference": "o", "orderData": SECRET, "amount": AMOUNT, "remainingAmount": remaining}


# --------------------------------------------------------------------------------------- the result codes


@pytest.mark.parametrize("code", list(ResultCode), ids=str)
def test_each_result_code(code: ResultCode) -> None:
    payment = paid(code.value)

    assert payment.result_code is code
    assert payment.is_authorised is (code is ResultCode.AUTHORISED)
    assert payment.is_final is (code.value in ("Authorised", "Refused", "Cancelled", "Error"))
    assert payment.requires_action is (
        code.value in ("RedirectShopper", "IdentifyShopper", "ChallengeShopper", "PresentToShopper")
    )
    assert payment.is_partial is (code is ResultCode.PARTIALLY_AUTHORISED)


def test_there_are_the_thirteen_and_an_unknown_one_decides_nothing() -> None:
    payment = paid("HeldForReview")

    assert len(ResultCode) == 13
    assert payment.result_code == "HeldForReview"
    told = (payment.is_authorised, payment.is_final, payment.requires_action, payment.is_partial)
    assert told == (False, False, False, False)
    assert paid("authorised").is_authorised, "letter case is no other code"


@pytest.mark.parametrize("code", list(ResultCode), ids=str)
def test_with_an_action_nothing_is_decided_whatever_the_code_says(code: ResultCode) -> None:
    payment = paid(code.value, action={"type": "redirect", "url": "https://acs.example"})

    assert payment.requires_action
    assert (payment.is_authorised, payment.is_final) == (False, False)
    assert not payment.is_authorised_for(reference="ORD-1", amount=KZT)


@pytest.mark.parametrize("action", [[], "redirect", 5, True])
def test_an_action_that_cannot_be_read_is_not_passed_over(action: Any) -> None:
    with pytest.raises(UnreadableResponseError) as caught:
        paid(action=action)
    assert caught.value.outcome is Outcome.DONE


def test_an_action_goes_to_the_browser_as_it_came() -> None:
    action = '{"zz":1,"type":"await","aa":{"b":null,"a":[1.50,"\\u00e9"]},"paymentData":"opaque-4711"}'
    payment = read(Payments.create, b'{"resultCode":"Pending","action":' + action.encode() + b"}")

    assert payment.action is payment.raw["action"]
    assert json.dumps(payment.action) == json.dumps(json.loads(action))
    assert list(payment.for_browser()) == ["resultCode", "action"]
    assert payment.for_browser()["action"] is payment.action


@pytest.mark.parametrize("place", ['{"a":%s}', '{"b":[1,{"a":%s}],"c":1.5}'])
def test_an_action_with_many_digits_can_be_written_for_the_browser(place: str) -> None:
    """As the number that a browser reads: the nearest of 64 bits."""
    digits = "0.12345678901234567890123"
    action = place % digits
    body = b'{"resultCode":"Pending","action":' + action.encode() + b"}"
    handed_on = read(Payments.create, body).for_browser()

    assert json.dumps(handed_on["action"]) == json.dumps(json.loads(action))
    whole = json.dumps(read(Payments.create, body.replace(digits.encode(), b"1" * 30)).for_browser())
    assert "1" * 30 in whole

    listed = read(PaymentMethods.list, b'{"paymentMethods":[{"type":"scheme","x":' + action.encode() + b"}]}")
    assert json.dumps(listed.for_browser()["paymentMethods"][0]["x"]) == json.dumps(json.loads(action))


@pytest.mark.parametrize(
    "missing", [{}, {"resultCode": None}, {"resultCode": ""}, {"resultCode": ["Authorised"]}]
)
def test_an_answer_that_does_not_say_how_it_went_is_none(missing: dict[str, Any]) -> None:
    with pytest.raises(UnreadableResponseError):
        read(Payments.create, {"pspReference": "psp", "amount": AMOUNT, **missing})


# ------------------------------------------------------------------------------- whose payment, and of what


@pytest.mark.parametrize(
    ("fields", "is_it"),
    [
        ({}, True),
        ({"merchantReference": "ORD-2"}, False),
        ({"merchantReference": None}, False),
        ({"amount": None}, False),
        ({"amount": {"currency": "KZT", "value": 2_199_999}}, False),
        ({"amount": {"currency": "USD", "value": 2_200_000}}, False),
        ({"amount": {"currency": "kzt", "value": 2_200_000}}, True),
        ({"resultCode": "Refused"}, False),
        ({"resultCode": "Pending"}, False),
        ({"order": order({"currency": "KZT", "value": 0})}, True),
        (
            {"order": {**order({"currency": "KZT", "value": 0}), "amount": {"currency": "KZT", "value": 1}}},
            False,
        ),
    ],
)
def test_a_payment_is_that_of_an_order(fields: dict[str, Any], is_it: bool) -> None:
    assert paid(**{"code": "Authorised", **fields}).is_authorised_for(reference="ORD-1", amount=KZT) is is_it


@pytest.mark.parametrize(
    ("given", "partial"),
    [
        (order({"currency": "KZT", "value": 0}), False),
        (order({"currency": "KZT", "value": 1}), True),
        (order(None), True),
        ({}, True),
        ("unreadable", True),
        ([], True),
        (None, False),
    ],
)
def test_an_authorised_part_is_not_the_whole(given: Any, partial: bool) -> None:
    payment = paid(order=given)

    assert payment.result_code is ResultCode.AUTHORISED
    assert (payment.is_partial, payment.is_authorised, payment.is_final) == (
        partial,
        not partial,
        not partial,
    )


def test_a_refused_part_is_final() -> None:
    refused = paid(
        "Refused", order=order({"currency": "KZT", "value": 1}), refusalReasonCode=2, refusalReason="Do"
    )

    assert (refused.is_final, refused.is_partial) == (True, False)
    assert (refused.refusal_reason, refused.refusal_reason_code) == ("Do", "2")


# ---------------------------------------------------------------------------------------- what is handed on


def test_the_browser_gets_the_result_and_nothing_else_of_the_answer() -> None:
    payment = paid(
        order=order({"currency": "KZT", "value": 1}),
        donationToken="d",
        additionalData={"cardBin": "411111"},
        refusalReason="because",
        sessionData=SECRET,
    )

    assert payment.for_browser() == {
        "resultCode": "Authorised",
        "order": payment.raw["order"],
        "donationToken": "d",
    }


def test_a_session_gives_the_browser_two_fields() -> None:
    document = {
        "id": "CS1",
        "sessionData": SECRET,
        "shopperEmail": "a@example.test",
        "url": "https://x/" + SECRET,
    }
    session = read(Sessions.create, document, 201)

    assert session.for_browser() == {"id": "CS1", "sessionData": SECRET}
    assert session.to_dict()["session_data"] == SECRET
    assert session.to_dict(wire=True)["sessionData"] == SECRET
    assert type(session).from_dict(session.to_dict()) == session
    for twin in (copy.deepcopy(session), pickle.loads(pickle.dumps(session))):
        assert twin.for_browser() == session.for_browser()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"id": "CS1"},
        {"sessionData": SECRET},
        {"id": "", "sessionData": "x"},
        {"id": "CS1", "sessionData": ""},
    ],
)
def test_a_session_without_what_the_browser_needs_is_none(document: dict[str, Any]) -> None:
    with pytest.raises(UnreadableResponseError) as caught:
        read(Sessions.create, {**document, "reference": "ORD-1"}, 201)
    assert SECRET not in repr(vars(caught.value))


def test_no_repr_of_an_answer_shows_what_is_opaque() -> None:
    shown = [
        paid(
            action={"paymentData": SECRET},
            sessionData=SECRET,
            donationToken=SECRET,
            order=order(None),
            additionalData={"x": SECRET},
        ),
        read(Sessions.create, {"id": "CS1", "sessionData": SECRET, "url": SECRET}),
        read(Orders.create, {"pspReference": "o", "orderData": SECRET}),
        read(
            PaymentMethods.list,
            {
                "paymentMethods": [],
                "storedPaymentMethods": [{"id": "s", "holderName": SECRET, "shopperEmail": SECRET}],
            },
        ),
        read(CardDetailsGroup.retrieve, {"brands": [SECRET]}),
    ]

    assert [each for each in shown if SECRET in repr(each) or SECRET in str(each)] == []


# --------------------------------------------------------------------------------------- the other answers


def test_a_gift_cards_balance() -> None:
    document = {"balance": {"currency": "USD", "value": 6000}, "transactionLimit": None, "sessionData": "x"}
    balance = read(PaymentMethods.balance, document)

    assert (balance.balance.value, balance.balance.currency) == (6000, "USD")
    assert balance.for_browser() == {"balance": {"currency": "USD", "value": 6000}}
    assert read(PaymentMethods.balance, {"balance": {"currency": "USD", "value": 0}}).balance.value == 0
    assert read(PaymentMethods.balance, {"pspReference": "p", "balance": None}).balance is None
    unreadable: tuple[dict[str, Any], ...] = (
        {},
        {"balance": None},
        {"balance": 6000, "pspReference": "p"},
        {"balance": {"value": 6000}, "pspReference": "p"},
        {"balance": {"currency": "USD", "value": 60.5}, "pspReference": "p"},
    )
    for wrong in unreadable:
        with pytest.raises(UnreadableResponseError):
            read(PaymentMethods.balance, wrong)


def test_an_order_and_its_cancellation() -> None:
    made = read(Orders.create, {"pspReference": "o", "orderData": SECRET, "remainingAmount": AMOUNT}, 201)
    ended = read(Orders.cancel, {"pspReference": "c", "resultCode": "Received"})

    assert made.remaining_amount.equals(KZT)
    assert made.for_browser() == {"orderData": SECRET, "pspReference": "o"}
    assert ended.result_code is ResultCode.RECEIVED
    for wrong in ({}, {"status": "ok"}, {"message": "accepted"}):
        with pytest.raises(UnreadableResponseError):
            read(Orders.cancel, wrong)
        with pytest.raises(UnreadableResponseError):
            read(Orders.create, wrong)


def test_what_has_no_published_answer_is_in_raw() -> None:
    assert read(CardDetailsGroup.retrieve, {"brands": ["visa"]}).raw == {"brands": ["visa"]}
    assert read(Config.retrieve, {"currencies": ["KZT"]}).raw == {"currencies": ["KZT"]}
    assert read(Config.retrieve, ["KZT"]).raw == {"data": ["KZT"]}


def test_a_deletion_answers_nothing() -> None:
    assert read(StoredPaymentMethods.delete, b"", 204) is None
    assert read(StoredPaymentMethods.delete, {"id": "s"}).id == "s"


def test_ways_to_pay_that_are_not_there_are_not_none() -> None:
    assert read(PaymentMethods.list, {"paymentMethods": []}).payment_methods == ()
    unreadable: tuple[dict[str, Any], ...] = ({}, {"storedPaymentMethods": []}, {"paymentMethods": {}})
    for wrong in unreadable:
        with pytest.raises(UnreadableResponseError):
            read(PaymentMethods.list, wrong)
