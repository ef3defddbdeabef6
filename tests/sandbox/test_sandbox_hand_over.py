"""Webhooks that a test hands over to an app without a port."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, WebhookReceiver
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio


async def _paid(sandbox: Sandbox, **fields: Any) -> None:
    async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
        link = await plexy.payment_links.create(amount=100, currency="KZT", **fields)
    sandbox.pay(link.id)


class App:
    """Receives webhooks, and answers as it is told."""

    def __init__(self, token: str, *statuses: int) -> None:
        self._receiver = WebhookReceiver(token)
        self._statuses = list(statuses)
        self.names: list[str] = []

    def __call__(self, body: bytes, headers: dict[str, str]) -> int:
        event = self._receiver.receive(headers, body)
        assert event is not None
        self.names.append(event.name.removeprefix("transaction."))
        return self._statuses.pop(0) if self._statuses else 200


async def test_each_is_handed_over_once_and_in_order() -> None:
    async with Sandbox(hold_webhooks=True) as sandbox:
        app = App(sandbox.webhook_token)
        await _paid(sandbox)
        assert sandbox.deliveries.hand_over(app) == 2
        assert app.names == ["created", "authorized"]
        assert sandbox.deliveries.hand_over(app) == 0
        assert [sent.state for sent in sandbox.deliveries] == ["delivered"] * 2
        assert sandbox.requests.count("payment_links.create") == 1


async def test_what_is_not_acknowledged_comes_again_by_the_clock() -> None:
    async with Sandbox(hold_webhooks=True) as sandbox:
        app = App(sandbox.webhook_token, 500)
        await _paid(sandbox)
        sandbox.deliveries.hand_over(app)
        assert app.names == ["created", "authorized"]
        assert next(iter(sandbox.deliveries)).attempts[0].status == 500
        assert sandbox.deliveries.hand_over(app) == 0
        sandbox.clock.advance(seconds=6)
        assert sandbox.deliveries.hand_over(app) == 1
        assert app.names[-1] == "created"


async def test_faults_of_deliveries_apply() -> None:
    async with Sandbox(hold_webhooks=True, faults=["delivery=twice,event=transaction.authorized"]) as sandbox:
        app = App(sandbox.webhook_token)
        await _paid(sandbox)
        sandbox.deliveries.hand_over(app)
        assert app.names == ["created", "authorized", "authorized"]


async def test_nothing_is_sent_meanwhile_wherever_a_link_says(unused_tcp_port: int) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}/webhooks"
    async with Sandbox(hold_webhooks=True, webhook_ports=["*"]) as sandbox:
        await _paid(sandbox, callback_url=address)
        await sandbox.deliveries.settled()
        assert [sent.attempts for sent in sandbox.deliveries] == [(), ()]
        assert {sent.url for sent in sandbox.deliveries} == {address}
        assert sandbox.deliveries.hand_over(App(sandbox.webhook_token)) == 2


async def test_what_the_app_raises_is_raised_and_noted() -> None:
    def broken(body: bytes, headers: dict[str, str]) -> int:
        raise LookupError("no such view")

    async with Sandbox(hold_webhooks=True) as sandbox:
        await _paid(sandbox)
        with pytest.raises(LookupError):
            sandbox.deliveries.hand_over(broken)
        assert next(iter(sandbox.deliveries)).attempts[0].error == "LookupError"
        with pytest.raises(ConfigurationError, match="expected the status of the answer, got str"):
            sandbox.deliveries.hand_over(lambda body, headers: "200")  # type: ignore[arg-type, return-value]


async def test_a_sandbox_that_sends_by_itself_hands_nothing_over() -> None:
    async with Sandbox() as sandbox:
        with pytest.raises(ConfigurationError, match="hold_webhooks"):
            sandbox.deliveries.hand_over(lambda body, headers: 200)


async def test_from_a_coroutine_and_from_another_thread() -> None:
    with Sandbox() as sandbox:
        sandbox.hold_webhooks = True
        app = App(sandbox.webhook_token)
        await _paid(sandbox)

        async def send(body: bytes, headers: dict[str, str]) -> int:
            await asyncio.sleep(0)
            return app(body, headers)

        assert await sandbox.deliveries.hand_over_async(send) == 2
        await _paid(sandbox)
        assert await asyncio.to_thread(sandbox.deliveries.hand_over, app) == 2
        assert app.names == ["created", "authorized"] * 2
