"""Signed webhooks of the sandbox's Checkout API: sent, read by the library's receiver, and misdelivered."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from plexypay_async import (
    CheckoutWebhookReceiver,
    ConfigurationError,
    PaymentFailedEvent,
    PaymentSucceededEvent,
    RefundSucceededEvent,
    SeenWebhooks,
    WebhookAuthenticationError,
)
from plexypay_async.sandbox import Sandbox

from .checkout_shopper import (
    BACK,
    CHALLENGED,
    MERCHANT,
    PRICE,
    CheckoutFacade,
    by_gift_card,
    closed,
    confirm,
    opened,
)
from .conftest import Receiver

pytestmark = pytest.mark.asyncio

SECRET = "whsec_1f8d3b5c7a9e"
PUBLISHED = {"id", "amount", "currency", "status"}


class Shop:
    """A merchant's server: the events that its receiver has read, and how many it has handled once."""

    def __init__(self, seen: SeenWebhooks) -> None:
        self.secret = SECRET
        self.address = ""
        self.events: list[Any] = []
        self.headers: list[Any] = []
        self.handled: list[str] = []
        self.answers: list[int] = []
        self._seen = seen

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            event = CheckoutWebhookReceiver(self.secret).receive(request.headers, body)
        except WebhookAuthenticationError:
            return web.Response(status=401)
        self.headers.append(request.headers)
        self.events.append(event)
        with self._seen.handling(event.dedupe_key) as first:
            if first:
                self.handled.append(event.type)
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    seen = SeenWebhooks(tmp_path / "seen.sqlite")
    made = Shop(seen)
    application = web.Application()
    application.router.add_post("/checkout", made.receive)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.address = "http://127.0.0.1:{1}/checkout".format(*runner.addresses[0])
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def sandbox(shop: Shop) -> AsyncIterator[Sandbox]:
    async with Sandbox(checkout_webhook_url=shop.address, checkout_webhook_secret=SECRET, seed=1) as running:
        yield running


async def test_a_payment_is_told(checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop) -> None:
    payment = await checkout.pay()
    await sandbox.deliveries.settled()

    (event,) = shop.events
    assert isinstance(event, PaymentSucceededEvent)
    assert event.is_paid
    assert (event.data.amount, event.data.currency) == (PRICE.amount, "KZT")
    assert event.created is not None
    assert abs((event.created - sandbox.clock.now()).total_seconds()) < 10
    assert re.fullmatch("evt_[0-9a-f]{32}", event.id)
    assert re.fullmatch("pay_[0-9a-f]{16}", event.data.id)
    assert set(event.raw) == {"id", "type", "created", "data"}
    own = {name: value for name, value in event.raw["data"].items() if name not in PUBLISHED}
    assert own == {"merchantReference": "ORD-1", "pspReference": payment.psp_reference}
    assert "Authorization" not in shop.headers[0]
    assert re.fullmatch("t=[0-9]+,v1=[0-9a-f]{64}", shop.headers[0]["Plexy-Signature"])


async def test_what_is_decided_later_is_told_later(
    checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop, session: aiohttp.ClientSession
) -> None:
    payment = await checkout.pay(CHALLENGED)
    assert payment.action is not None
    back = await confirm(session, payment.action["url"], "111")
    await sandbox.deliveries.settled()
    assert shop.events == []

    await checkout.go_on(back.query["redirectResult"])
    await checkout.go_on(back.query["redirectResult"])
    await sandbox.deliveries.settled()

    (event,) = shop.events
    assert isinstance(event, PaymentFailedEvent)
    assert event.data.status == "failed"


async def test_a_session_is_told_of_each_attempt(
    checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop
) -> None:
    made = await checkout.call("sessions.create", amount=PRICE, reference="ORD-7", return_url=BACK)
    sandbox.pay_session(made.id, failed=True)
    sandbox.pay_session(made.id)
    await sandbox.deliveries.settled()
    assert sorted(shop.handled) == ["payment.failed", "payment.succeeded"]
    assert {event.raw["data"]["merchantReference"] for event in shop.events} == {"ORD-7"}


async def test_parts_that_are_given_back_are_told(
    checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop
) -> None:
    order = await checkout.call("orders.create", amount=PRICE, reference="ORD-1")
    await checkout.pay(state_data=by_gift_card(), order=order)
    await checkout.call("orders.cancel", order=order)
    await sandbox.deliveries.settled()
    paid, returned = shop.events
    assert isinstance(paid, PaymentSucceededEvent)
    assert isinstance(returned, RefundSucceededEvent)
    # The amount of the part, which is less than the order's.
    assert paid.data.amount == returned.data.amount == 500_000 < PRICE.amount
    assert paid.data.id == returned.data.id


async def test_it_is_tried_again_with_the_same_body(
    checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop
) -> None:
    shop.answers = [500, 503]
    await checkout.pay()
    await sandbox.deliveries.settled()
    for seconds in (5, 30):
        sandbox.clock.advance(seconds=seconds)
        await sandbox.deliveries.settled()
    (delivery,) = sandbox.deliveries
    assert [attempt.status for attempt in delivery.attempts] == [500, 503, 200]
    assert len({event.id for event in shop.events}) == 1
    assert shop.handled == ["payment.succeeded"]


async def test_the_time_in_the_signature_is_the_receiver_s(
    checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop
) -> None:
    """The sandbox's clock may be far ahead, and its receiver's is not."""
    sandbox.clock.advance(hours=48)
    await checkout.pay()
    await sandbox.deliveries.settled()
    assert shop.handled == ["payment.succeeded"]


async def test_faults_misdeliver_them_too(checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop) -> None:
    sandbox.faults.add("delivery=twice,times=1,event=payment.succeeded")
    sandbox.faults.add("delivery=never,times=1,event=payment.*")
    await checkout.pay()
    await checkout.pay(reference="ORD-2")
    await sandbox.deliveries.settled()
    assert [event.raw["data"]["merchantReference"] for event in shop.events] == ["ORD-1", "ORD-1"]
    assert shop.handled == ["payment.succeeded"]
    assert [delivery.state for delivery in sandbox.deliveries] == ["delivered", "lost"]


async def test_another_secret_is_refused(checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop) -> None:
    shop.secret = "whsec_another1234"
    await checkout.pay()
    await sandbox.deliveries.settled()
    assert shop.events == []
    # It is rotated, and what is still under way is signed anew.
    sandbox.checkout_webhook_secret = shop.secret
    sandbox.clock.advance(seconds=5)
    await sandbox.deliveries.settled()
    assert shop.handled == ["payment.succeeded"]
    (delivery,) = sandbox.deliveries
    assert [attempt.status for attempt in delivery.attempts] == [401, 200]


async def test_each_api_s_webhooks_go_their_own_way(
    checkout: CheckoutFacade, sandbox: Sandbox, shop: Shop, receiver: Receiver, ask: Any
) -> None:
    sandbox.webhook_url = receiver.url
    link = (await ask("POST", "/v1/payment-links", {"amount": 100, "currency": "KZT"})).body
    sandbox.pay(link["id"])
    await checkout.pay()
    await sandbox.deliveries.settled()
    assert receiver.names == ["transaction.created", "transaction.authorized"]
    assert "Plexy-Signature" not in receiver.received[0].headers
    assert shop.handled == ["payment.succeeded"]
    assert len(sandbox.transactions()) == 1


async def test_without_an_address_of_their_own_they_go_to_the_other(receiver: Receiver) -> None:
    async with Sandbox(webhook_url=receiver.url) as sandbox:
        client = await opened("async", sandbox)
        await CheckoutFacade(client).pay()
        await closed(client)
        await sandbox.deliveries.settled()
        (received,) = receiver.received
        assert received.body["type"] == "payment.succeeded"
        given = dict(part.split("=") for part in received.headers["Plexy-Signature"].split(","))
        (delivery,) = sandbox.deliveries
        expected = hmac.new(sandbox.checkout_webhook_secret.encode(), delivery.body, hashlib.sha256)
        assert given["v1"] == expected.hexdigest()


async def test_a_test_hands_them_over(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    sandbox.hold_webhooks = True
    await checkout.pay()
    told: list[str] = []
    verifier = CheckoutWebhookReceiver(SECRET)

    async def send(body: bytes, headers: dict[str, str]) -> int:
        told.append(verifier.receive(headers, body).type)
        return 200

    assert await sandbox.deliveries.hand_over_async(send) == 1
    assert told == ["payment.succeeded"]


async def test_an_address_and_a_secret_that_cannot_be() -> None:
    for given, told in (
        ({"checkout_webhook_url": "ftp://localhost/"}, "checkout_webhook_url: expected an http or https"),
        ({"checkout_webhook_secret": "geheim\n"}, "checkout_webhook_secret: expected printable ASCII text"),
    ):
        with pytest.raises(ConfigurationError, match=told) as refused:
            Sandbox(**given)  # type: ignore[arg-type]
        assert "geheim" not in str(refused.value)
    assert Sandbox().checkout_webhook_secret == Sandbox().checkout_webhook_secret
    assert Sandbox(api_key="k-1").checkout_webhook_secret != Sandbox().checkout_webhook_secret
    assert CheckoutWebhookReceiver(Sandbox().checkout_webhook_secret)


async def test_programs_in_any_language_pay_and_look(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    body = {
        "merchantAccount": MERCHANT,
        "amount": {"currency": "KZT", "value": 100},
        "reference": "ORD-1",
        "returnUrl": BACK,
    }
    async with session.post(
        f"{sandbox.base_url}/v2/sessions", json=body, headers={"x-api-key": sandbox.api_key}
    ) as answer:
        assert answer.status == 201
        made = await answer.json()
    pay = f"{sandbox.base_url}/_sandbox/checkout-sessions/{made['id']}/pay"
    async with session.post(pay, data=json.dumps({"card": CHALLENGED})) as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "authorised")
    async with session.post(pay) as answer:
        assert (answer.status, (await answer.json())["message"]) == (422, "session: is paid")
    async with session.get(f"{sandbox.base_url}/_sandbox/checkout-payments") as answer:
        (payment,) = (await answer.json())["data"]
    assert (payment["merchantReference"], payment["last4"]) == ("ORD-1", "1111")
