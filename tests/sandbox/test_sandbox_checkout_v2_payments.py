"""The advanced flow over real HTTP, on both facades: paid, refused, and sent to the bank."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import yarl

from plexypay_async import InvalidRequestError, Money, RefusedError
from plexypay_async.checkout import ResultCode
from plexypay_async.sandbox import Sandbox

from .checkout_shopper import (
    BACK,
    BROKEN,
    CHALLENGED,
    CHALLENGED_ODDLY,
    FRICTIONLESS,
    MERCHANT,
    PRICE,
    CheckoutFacade,
    by_card,
    confirm,
)

pytestmark = pytest.mark.asyncio


async def test_a_card_is_paid_at_once(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    payment = await checkout.pay(recurring_processing_model="CardOnFile")

    assert payment.is_authorised_for(reference="ORD-1", amount=PRICE)
    assert payment.is_final
    assert payment.action is None
    assert payment.payment_method is not None
    assert (payment.payment_method.type, payment.payment_method.brand) == ("scheme", "visa")
    assert payment.additional_data is not None
    assert payment.additional_data["recurringProcessingModel"] == "CardOnFile"
    assert all(isinstance(text, str) for text in payment.additional_data.values())
    (stored,) = sandbox.checkout_payments()
    assert (stored["pspReference"], stored["status"]) == (payment.psp_reference, "authorised")
    assert sandbox.requests.count("checkout.payments.create") == 1
    (arrived,) = sandbox.requests
    assert arrived.headers["x-api-key"] == sandbox.api_key
    assert "Authorization" not in arrived.headers


@pytest.mark.parametrize(
    ("card", "amount", "code", "reason"),
    [
        (FRICTIONLESS, Money.major(20510, "KZT"), "51", "Insufficient funds"),
        ("4907639999990022", PRICE, "3DS", "3-D Secure authentication failed"),
        ("4111111111111110", PRICE, "14", "Invalid card number"),
    ],
)
async def test_a_refusal_is_an_answer(
    checkout: CheckoutFacade, sandbox: Sandbox, card: str, amount: Money, code: str, reason: str
) -> None:
    payment = await checkout.pay(card, amount=amount)

    assert payment.result_code is ResultCode.REFUSED
    assert payment.is_final
    assert not payment.is_authorised
    assert (payment.refusal_reason_code, payment.refusal_reason) == (code, reason)
    assert [stored["status"] for stored in sandbox.checkout_payments()] == ["refused"]


@pytest.mark.parametrize(
    ("card", "said"), [(CHALLENGED, "RedirectShopper"), (CHALLENGED_ODDLY, "Authorised")]
)
async def test_a_challenge_that_is_passed(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession, card: str, said: str
) -> None:
    payment = await checkout.pay(card)

    assert payment.result_code == said
    assert payment.requires_action
    assert not payment.is_authorised
    assert payment.action is not None
    assert {**payment.action, "url": ""} == {
        "method": "GET",
        "paymentMethodType": "scheme",
        "type": "redirect",
        "url": "",
    }
    back = await confirm(session, payment.action["url"])
    assert back.with_query({}) == yarl.URL(BACK).with_query({})
    assert back.query["order"] == "1"
    # Nothing is decided by the bank's page alone.
    assert [stored["status"] for stored in sandbox.checkout_payments()] == ["challenged"]

    ended = await checkout.go_on(back.query["redirectResult"])

    assert ended.is_authorised_for(reference="ORD-1", amount=PRICE)
    assert ended.psp_reference == payment.psp_reference
    assert [stored["status"] for stored in sandbox.checkout_payments()] == ["authorised"]


@pytest.mark.parametrize(("card", "otp"), [(CHALLENGED, "111"), (BROKEN, "555")])
async def test_a_challenge_that_fails(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession, card: str, otp: str
) -> None:
    payment = await checkout.pay(card)
    assert payment.action is not None
    back = await confirm(session, payment.action["url"], otp)

    ended = await checkout.go_on(back.query["redirectResult"])

    assert (ended.result_code, ended.refusal_reason_code) == (ResultCode.REFUSED, "3DS")
    assert [stored["status"] for stored in sandbox.checkout_payments()] == ["refused"]


async def test_a_challenge_that_is_passed_and_then_declined(
    checkout: CheckoutFacade, session: aiohttp.ClientSession
) -> None:
    payment = await checkout.pay(CHALLENGED, amount=Money.major(20050, "KZT"))
    assert payment.action is not None
    back = await confirm(session, payment.action["url"])

    ended = await checkout.go_on(back.query["redirectResult"])

    assert (ended.result_code, ended.refusal_reason_code) == (ResultCode.REFUSED, "05")


async def test_details_twice_pay_once(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    payment = await checkout.pay(CHALLENGED)
    assert payment.action is not None
    back = await confirm(session, payment.action["url"])
    # A second click on the bank's page changes nothing, whatever it says.
    async with session.post(payment.action["url"], data={"otp": "111"}, allow_redirects=False) as answer:
        assert yarl.URL(answer.headers["Location"]) == back
    result = back.query["redirectResult"]

    first = await checkout.go_on(result, idempotency_key="k-1")
    repeated = await checkout.go_on(result, idempotency_key="k-1")
    reloaded = await checkout.go_on(result, idempotency_key="k-2")

    assert first.raw == repeated.raw == reloaded.raw
    assert first.is_authorised
    assert len(sandbox.checkout_payments()) == 1
    # The address of the bank's page leads back too, and asks for nothing more.
    async with session.get(payment.action["url"], allow_redirects=False) as answer:
        assert yarl.URL(answer.headers["Location"]) == back


async def test_a_result_that_nobody_was_given(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    payment = await checkout.pay(CHALLENGED)
    assert payment.action is not None
    with pytest.raises(InvalidRequestError) as unknown:
        await checkout.go_on("made-up")
    assert (unknown.value.status, unknown.value.param) == (422, "details.redirectResult")
    back = await confirm(session, payment.action["url"])
    with pytest.raises(InvalidRequestError, match="belongs to no payment"):
        await checkout.go_on(back.query["redirectResult"], merchant_account="OtherMerchant")
    assert [stored["status"] for stored in sandbox.checkout_payments()] == ["challenged"]


async def test_an_app_s_address_is_not_followed(
    checkout: CheckoutFacade, session: aiohttp.ClientSession
) -> None:
    """It might be a script."""
    payment = await checkout.pay(CHALLENGED, return_url="javascript:alert(1)")
    assert payment.action is not None
    async with session.post(payment.action["url"], data={"otp": "555"}, allow_redirects=False) as answer:
        assert answer.status == 200
        page = await answer.text()
    assert "javascript:" not in page
    result = page.partition("<code>")[2].partition("</code>")[0]
    assert (await checkout.go_on(result)).is_authorised


async def test_a_stored_card_pays_again_until_it_is_deleted(
    checkout: CheckoutFacade, sandbox: Sandbox
) -> None:
    async def stored() -> Any:
        listed = await checkout.call("payment_methods.list", shopper_reference="customer-7")
        return listed.stored_payment_methods

    assert await stored() == ()
    with_storing = by_card(FRICTIONLESS, storePaymentMethod=True)
    for _ in range(2):
        await checkout.pay(state_data=with_storing, shopper_reference="customer-7")
    (card,) = await stored()
    assert (card.brand, card.last_four, card.expiry_month, card.expiry_year) == ("visa", "0000", "12", "2030")

    again = {"paymentMethod": {"type": "scheme", "storedPaymentMethodId": card.id}}
    assert (await checkout.pay(state_data=again, shopper_reference="customer-7")).is_authorised
    with pytest.raises(InvalidRequestError, match="the shopper has not stored it"):
        await checkout.pay(state_data=again, shopper_reference="customer-8")

    assert (
        await checkout.call("stored_payment_methods.delete", id=card.id, shopper_reference="customer-7")
        is None
    )
    assert await stored() == ()
    with pytest.raises(InvalidRequestError, match="the shopper has not stored it"):
        await checkout.pay(state_data=again, shopper_reference="customer-7")
    assert len(sandbox.checkout_payments()) == 3


@pytest.mark.parametrize(
    ("method", "param"),
    [
        ({"type": "scheme", "encryptedCardNumber": "5555444433331111"}, "encryptedExpiryMonth"),
        ({**by_card("5555444433331111")["paymentMethod"]}, "encryptedCardNumber"),
        ({**by_card(FRICTIONLESS)["paymentMethod"], "encryptedSecurityCode": "123"}, "encryptedSecurityCode"),
        ({"type": "voucher"}, "type"),
        ({"type": "applepay"}, "applePayToken"),
    ],
)
async def test_what_is_no_means_of_paying_is_refused_and_not_shown(
    checkout: CheckoutFacade, sandbox: Sandbox, method: dict[str, str], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await checkout.pay(state_data={"paymentMethod": method})
    assert refused.value.param == f"paymentMethod.{param}"
    assert "5555444433331111" not in str(refused.value)
    assert sandbox.checkout_payments() == []


async def test_a_wallet_s_token_pays(checkout: CheckoutFacade) -> None:
    method = {"type": "googlepay", "googlePayToken": "opaque", "googlePayCardNetwork": "MASTERCARD"}
    payment = await checkout.pay(state_data={"paymentMethod": method})
    assert payment.is_authorised
    assert payment.payment_method is not None
    assert payment.payment_method.brand == "mc"


async def test_what_reads_answers(checkout: CheckoutFacade) -> None:
    listed = await checkout.call("payment_methods.list", amount=PRICE, country_code="KZ")
    assert [method.type for method in listed.payment_methods] == [
        "scheme",
        "googlepay",
        "applepay",
        "giftcard",
    ]
    details = await checkout.call("card_details.retrieve", encrypted_card_number=f"test_{BROKEN}")
    assert details.raw == {"brands": [{"type": "mc", "supported": True}]}
    config = await checkout.call("config.retrieve")
    assert "KZT" in config.raw["supportedCurrencies"]


@pytest.mark.parametrize(
    ("field", "body", "code"),
    [
        ("amount", {}, "parameter_missing"),
        ("amount.value", {"amount": {"currency": "KZT", "value": 1.5}}, "parameter_invalid"),
        ("amount.currency", {"amount": {"currency": "tenge", "value": 1}}, "parameter_invalid"),
        ("merchantAccount", {"merchantAccount": None}, "parameter_missing"),
    ],
)
async def test_an_error_has_the_published_shape(
    sandbox: Sandbox, session: aiohttp.ClientSession, field: str, body: dict[str, Any], code: str
) -> None:
    given = {"merchantAccount": MERCHANT, "reference": "ORD-1", "returnUrl": BACK, **body}
    async with session.post(
        f"{sandbox.base_url}/v2/payments", json=given, headers={"x-api-key": sandbox.api_key}
    ) as answer:
        error = (await answer.json())["error"]
    assert set(error) == {"type", "code", "message", "param", "request_id"}
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, field)


async def test_a_decline_may_come_as_an_error(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    sandbox.faults.add("decline=402,operation=checkout.payments.*")
    assert (await checkout.pay()).is_authorised
    with pytest.raises(RefusedError) as refused:
        await checkout.pay(amount=Money.major(20510, "KZT"))
    assert (refused.value.status, refused.value.code) == (402, "insufficient_funds")
    assert [stored["status"] for stored in sandbox.checkout_payments()] == ["authorised", "refused"]
