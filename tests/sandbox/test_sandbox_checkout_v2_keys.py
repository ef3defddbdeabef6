"""Idempotency keys, orders that are paid in parts, faults and restarts of the sandbox's Checkout API."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from plexypay_async import (
    AsyncPlexyCheckout,
    AuthenticationError,
    IdempotencyError,
    InvalidRequestError,
    Money,
    NotFoundError,
    Outcome,
    PlexyPayError,
    RetryPolicy,
)
from plexypay_async.checkout import ResultCode
from plexypay_async.sandbox import Sandbox

from .checkout_shopper import (
    BACK,
    CHALLENGED,
    EMPTY_GIFT_CARD,
    FRICTIONLESS,
    MERCHANT,
    PRICE,
    CheckoutFacade,
    by_card,
    by_gift_card,
    confirm,
)

pytestmark = pytest.mark.asyncio


async def posted(
    sandbox: Sandbox, session: aiohttp.ClientSession, path: str, body: Any, key: str | None
) -> tuple[int, Any]:
    headers = {"x-api-key": sandbox.api_key} | ({} if key is None else {"Idempotency-Key": key})
    async with session.post(sandbox.base_url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


PAYMENT = {
    "merchantAccount": MERCHANT,
    "amount": {"currency": "KZT", "value": 100},
    "reference": "ORD-1",
    "returnUrl": BACK,
    **by_card(FRICTIONLESS),
}


async def test_the_same_key_answers_the_first_result(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    first = await checkout.pay(idempotency_key="pay-ORD-1")
    again = await checkout.pay(idempotency_key="pay-ORD-1")
    assert first.raw == again.raw
    session = await checkout.call(
        "sessions.create", amount=PRICE, reference="ORD-1", return_url=BACK, idempotency_key="s-1"
    )
    same = await checkout.call(
        "sessions.create", amount=PRICE, reference="ORD-1", return_url=BACK, idempotency_key="s-1"
    )
    assert session.raw == same.raw
    assert len(sandbox.checkout_payments()) == 1


async def test_a_first_result_stays_the_answer(
    checkout: CheckoutFacade, session: aiohttp.ClientSession
) -> None:
    """Although the payment has gone on since."""
    payment = await checkout.pay(CHALLENGED, idempotency_key="pay-ORD-1")
    assert payment.action is not None
    back = await confirm(session, payment.action["url"])
    assert (await checkout.go_on(back.query["redirectResult"])).is_authorised
    again = await checkout.pay(CHALLENGED, idempotency_key="pay-ORD-1")
    assert again.raw == payment.raw


async def test_a_key_for_other_parameters_is_refused_as_published(
    checkout: CheckoutFacade, sandbox: Sandbox
) -> None:
    await checkout.pay(idempotency_key="pay-ORD-1")
    for misused in (
        checkout.pay(idempotency_key="pay-ORD-1", amount=Money.major(1, "KZT")),
        checkout.call("orders.create", amount=PRICE, reference="ORD-1", idempotency_key="pay-ORD-1"),
    ):
        with pytest.raises(IdempotencyError) as refused:
            await misused
        error = refused.value
        assert (error.status, error.code) == (409, "idempotency_key_in_use")
        assert (error.outcome, error.idempotency_key) == (Outcome.UNKNOWN, "pay-ORD-1")
        assert "Keys for different request parameters must be unique" in str(error)
    assert len(sandbox.checkout_payments()) == 1


async def test_a_key_is_for_one_operation(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    """Although both would take the same body."""
    assert (await posted(sandbox, session, "/v2/sessions", PAYMENT, "k-1"))[0] == 201
    status, refused = await posted(sandbox, session, "/v2/payments", PAYMENT, "k-1")
    assert (status, refused["error"]["type"]) == (409, "idempotency_error")
    assert sandbox.checkout_payments() == []


async def test_a_key_is_kept_for_24_hours(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    first = await checkout.pay(idempotency_key="pay-ORD-1")
    sandbox.clock.advance(hours=23)
    assert (await checkout.pay(idempotency_key="pay-ORD-1")).raw == first.raw
    sandbox.clock.advance(hours=1)
    second = await checkout.pay(idempotency_key="pay-ORD-1")
    assert second.psp_reference != first.psp_reference
    assert (await checkout.pay(idempotency_key="pay-ORD-1")).raw == second.raw
    assert len(sandbox.checkout_payments()) == 2


async def test_a_refused_request_does_not_use_up_its_key(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    bad = {**PAYMENT, "amount": {"currency": "KZT", "value": 0}}
    assert (await posted(sandbox, session, "/v2/payments", bad, "k-1"))[0] == 422
    assert (await posted(sandbox, session, "/v2/payments", PAYMENT, "k-1"))[0] == 200
    # The order of the fields is no other parameter.
    turned = dict(reversed(PAYMENT.items()))
    assert (await posted(sandbox, session, "/v2/payments", turned, "k-1"))[0] == 200
    for key in ("k" * 256, "", "ключ"):
        status, refused = await posted(sandbox, session, "/v2/payments", PAYMENT, key)
        assert (status, refused["error"]["param"]) == (400, "Idempotency-Key")
    assert len(sandbox.checkout_payments()) == 1
    # Without a key each request pays.
    for _ in range(2):
        assert (await posted(sandbox, session, "/v2/payments", PAYMENT, None))[0] == 200
    assert len(sandbox.checkout_payments()) == 3


async def test_a_race_for_one_key_pays_once(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    answers = await asyncio.gather(
        *(posted(sandbox, session, "/v2/payments", PAYMENT, "k-1") for _ in range(30))
    )
    assert {status for status, _ in answers} == {200}
    assert len({answer["pspReference"] for _, answer in answers}) == 1
    assert len(sandbox.checkout_payments()) == 1


async def test_an_order_is_paid_in_parts(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    balance = await checkout.call("payment_methods.balance", state_data=by_gift_card(), amount=PRICE)
    assert (balance.balance.value, balance.balance.currency) == (500_000, "KZT")
    order = await checkout.call("orders.create", amount=PRICE, reference="ORD-1")
    assert order.remaining_amount.value == PRICE.amount

    part = await checkout.pay(state_data=by_gift_card(), order=order)
    assert part.result_code is ResultCode.PARTIALLY_AUTHORISED
    assert (part.is_authorised, part.is_partial, part.is_final) == (False, True, False)
    assert part.amount is not None
    assert part.order is not None
    assert part.order.remaining_amount is not None
    assert (part.amount.value, part.order.remaining_amount.value) == (500_000, 1_700_050)

    # A refused part leaves the rest to be paid.
    assert (await checkout.pay("4907639999990022", order=part.order)).result_code is ResultCode.REFUSED
    rest = await checkout.pay(order=part.order)
    assert rest.is_authorised_for(reference="ORD-1", amount=PRICE)
    assert rest.amount is not None
    assert rest.amount.value == 1_700_050

    with pytest.raises(InvalidRequestError, match="takes no payment any more"):
        await checkout.pay(order=order)
    with pytest.raises(InvalidRequestError, match="order: is paid"):
        await checkout.call("orders.cancel", order=order)
    balance = await checkout.call("payment_methods.balance", state_data=by_gift_card())
    assert balance.balance.value == 0
    paid = [one for one in sandbox.checkout_payments() if one["status"] == "authorised"]
    assert sum(one["amount"]["value"] for one in paid) == PRICE.amount


async def test_a_cancelled_order_gives_its_parts_back(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    order = await checkout.call("orders.create", amount=PRICE, reference="ORD-1")
    await checkout.pay(state_data=by_gift_card(), order=order)

    cancelled = await checkout.call("orders.cancel", order=order, idempotency_key="c-1")
    assert cancelled.result_code is ResultCode.RECEIVED
    assert (await checkout.call("orders.cancel", order=order, idempotency_key="c-1")).raw == cancelled.raw
    assert [one["status"] for one in sandbox.checkout_payments()] == ["returned"]
    balance = await checkout.call("payment_methods.balance", state_data=by_gift_card())
    assert balance.balance.value == 500_000
    for refused in (checkout.pay(order=order), checkout.call("orders.cancel", order=order)):
        with pytest.raises(InvalidRequestError, match="order"):
            await refused


async def test_a_challenge_that_ends_after_its_order(
    checkout: CheckoutFacade, session: aiohttp.ClientSession
) -> None:
    order = await checkout.call("orders.create", amount=PRICE, reference="ORD-1")
    payment = await checkout.pay(CHALLENGED, order=order)
    assert payment.action is not None
    back = await confirm(session, payment.action["url"])
    await checkout.call("orders.cancel", order=order)
    ended = await checkout.go_on(back.query["redirectResult"])
    assert (ended.result_code, ended.refusal_reason_code) == (ResultCode.REFUSED, "CLOSED")


async def test_an_order_expires_and_needs_its_data(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    order = await checkout.call("orders.create", amount=PRICE, reference="ORD-1")
    named = {"pspReference": order.psp_reference, "orderData": "guessed"}
    body = {name: value for name, value in PAYMENT.items() if name != "amount"} | {"order": named}
    status, refused = await posted(sandbox, session, "/v2/payments", body, None)
    assert (status, refused["error"]["param"]) == (422, "order")
    sandbox.clock.advance(hours=24)
    with pytest.raises(InvalidRequestError, match="takes no payment any more"):
        await checkout.pay(order=order)


async def test_an_empty_gift_card_pays_nothing(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    order = await checkout.call("orders.create", amount=PRICE, reference="ORD-1")
    for given in ({"order": order}, {}):
        payment = await checkout.pay(state_data=by_gift_card(EMPTY_GIFT_CARD), **given)
        assert (payment.result_code, payment.refusal_reason_code) == (ResultCode.REFUSED, "51")
    assert {one["status"] for one in sandbox.checkout_payments()} == {"refused"}


@pytest.mark.parametrize("fault", ["cut=after", "cut=body", "status=503,body=html,work=after", "status=500"])
async def test_a_fault_pays_once(checkout: CheckoutFacade, sandbox: Sandbox, fault: str) -> None:
    sandbox.faults.add(f"{fault},times=1,operation=checkout.payments.create")
    assert (await checkout.pay()).is_authorised
    assert sandbox.requests.count("checkout.payments.create") == 2
    assert len(sandbox.checkout_payments()) == 1


@pytest.mark.parametrize("fault", ["cut=after", "cut=body", "status=502,body=empty,work=after"])
async def test_a_deletion_whose_answer_is_lost_is_a_success(
    checkout: CheckoutFacade, sandbox: Sandbox, fault: str
) -> None:
    stored = by_card(FRICTIONLESS, storePaymentMethod=True)
    await checkout.pay(state_data=stored, shopper_reference="customer-7")
    listed = await checkout.call("payment_methods.list", shopper_reference="customer-7")
    by = {"id": listed.stored_payment_methods[0].id, "shopper_reference": "customer-7"}
    sandbox.faults.add(f"{fault},times=1,operation=checkout.stored_payment_methods.*")
    assert await checkout.call("stored_payment_methods.delete", **by) is None
    assert sandbox.requests.count("checkout.stored_payment_methods.delete") == 2
    with pytest.raises(NotFoundError, match="stored payment method not found"):
        await checkout.call("stored_payment_methods.delete", **by)


@pytest.mark.parametrize(
    ("body", "document"),
    [
        ("message", {"message": "busy"}),
        ("code", {"code": 1, "message": "busy"}),
        ("error", {"error": "busy"}),
        ("status", {"status": "error"}),
    ],
)
async def test_what_is_no_body_of_the_api_is_none_of_this_one(
    sandbox: Sandbox, session: aiohttp.ClientSession, body: str, document: Any
) -> None:
    for status in (200, 402, 504):
        for operation in ("checkout.payments.create", "gate.orders.list"):
            sandbox.faults.add(f"operation={operation},status={status},body={body},times=1")
        assert await posted(sandbox, session, "/v2/payments", PAYMENT, None) == (status, document)
        path = f"{sandbox.base_url}/agent/7d3d1b0c-35a2-4dd8-8a3e-0f2a51d7cbb1/orders"
        async with session.get(path, headers={"Authorization": sandbox.api_key}) as answer:
            assert (answer.status, await answer.json()) == (status, document)


async def test_a_lost_payment_is_found_by_its_key(sandbox: Sandbox) -> None:
    sandbox.faults.add("cut=after,times=1,operation=checkout.*")
    once = RetryPolicy(max_attempts=1)
    async with AsyncPlexyCheckout(
        sandbox.api_key, base_url=sandbox.base_url, merchant_account=MERCHANT, retry=once
    ) as client:
        facade = CheckoutFacade(client)
        with pytest.raises(PlexyPayError) as lost:
            await facade.pay()
        assert lost.value.outcome is Outcome.UNKNOWN
        found = await facade.pay(idempotency_key=lost.value.idempotency_key)
    assert [one["pspReference"] for one in sandbox.checkout_payments()] == [found.psp_reference]


async def test_a_wrong_key_of_the_api(sandbox: Sandbox) -> None:
    async with AsyncPlexyCheckout(
        "another-key", base_url=sandbox.base_url, merchant_account=MERCHANT
    ) as client:
        with pytest.raises(AuthenticationError) as refused:
            await client.config.retrieve()
    assert (refused.value.status, refused.value.code) == (401, "api_key_invalid")
    assert "another-key" not in str(refused.value)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/v2/nothing", 404, "resource_missing"), ("GET", "/v2/sessions", 405, "invalid_request")],
)
async def test_a_path_that_is_none_is_refused_in_the_published_shape(
    sandbox: Sandbox, session: aiohttp.ClientSession, method: str, path: str, status: int, code: str
) -> None:
    headers = {"x-api-key": sandbox.api_key}
    async with session.request(method, sandbox.base_url + path, headers=headers) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"], error["type"]) == (status, code, "invalid_request_error")
        assert ("Allow" in answer.headers) == (status == 405)


async def test_all_is_kept_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    state_data = by_card(FRICTIONLESS, storePaymentMethod=True)
    raws: list[Any] = []
    for _ in range(2):
        async with (
            Sandbox(database=path) as sandbox,
            AsyncPlexyCheckout(
                sandbox.api_key, base_url=sandbox.base_url, merchant_account=MERCHANT
            ) as client,
        ):
            payment = await client.payments.create(
                state_data=state_data,
                reference="ORD-1",
                return_url=BACK,
                amount=PRICE,
                shopper_reference="customer-7",
                idempotency_key="k-1",
            )
            raws.append(payment.raw)
            assert len(sandbox.checkout_payments()) == 1
            listed = await client.payment_methods.list(shopper_reference="customer-7")
            assert len(listed.stored_payment_methods) == 1
    assert raws[0] == raws[1]
    async with Sandbox(database=path) as sandbox:
        sandbox.reset()
        assert sandbox.checkout_payments() == []


async def test_the_file_holds_nothing_that_nobody_may_keep_of_a_card(tmp_path: Path) -> None:
    """The code on its back, and what of a wallet is a token of somebody's, are for one payment alone."""
    path = tmp_path / "sandbox.sqlite"
    async with (
        Sandbox(database=path) as sandbox,
        AsyncPlexyCheckout(sandbox.api_key, base_url=sandbox.base_url, merchant_account=MERCHANT) as client,
    ):
        wallet = {"paymentMethod": {"type": "googlepay", "googlePayToken": "token-of-somebody-4711"}}
        for key, state_data in {"a": by_card(FRICTIONLESS), "b": wallet}.items():
            for _ in range(2):
                await client.payments.create(
                    state_data=state_data,
                    reference="ORD-1",
                    return_url=BACK,
                    amount=PRICE,
                    idempotency_key=key,
                )
        assert len(sandbox.checkout_payments()) == 2
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"ORD-1" in written
    assert b"test_123" not in written
    assert b"token-of-somebody-4711" not in written
