"""The code of docs/webhooks.md that frameworks, Redis and a shop's clock run."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import types
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from plexypay_async import (
    AsyncPlexyPay,
    TransactionEvent,
    WebhookAuthenticationError,
    WebhookInProgressError,
    WebhookPayloadError,
    WebhookReceiver,
)
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay
from tests.needs import need

from .blocks import ROOT, run_by
from .contexts import TOKEN

HANDLE, REDIS, RECONCILE, FASTAPI, AIOHTTP, DJANGO, FLASK = run_by(__file__)
BODY = (ROOT / "tests/contract/examples/webhook-transaction.json").read_bytes()
DELIVERIES = [
    (BODY, TOKEN, 200),
    (BODY, f"{TOKEN}-of-another", 401),
    (b"[]", TOKEN, 400),
]


def names(**more: Any) -> dict[str, Any]:
    """Return what is around the code of a page; its `handled` are the events that were handled."""
    handled: list[TransactionEvent] = []

    async def handle(event: TransactionEvent) -> None:
        handled.append(event)

    return {
        "receiver": WebhookReceiver(TOKEN),
        "WebhookAuthenticationError": WebhookAuthenticationError,
        "WebhookPayloadError": WebhookPayloadError,
        "handle": handle,
        "handled": handled,
        **more,
    }


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_fastapi() -> None:
    need("fastapi", "httpx2")
    from fastapi import FastAPI, Request, Response
    from fastapi.testclient import TestClient

    around = names(app=FastAPI(), Request=Request, Response=Response)
    exec(FASTAPI, around)
    with TestClient(around["app"]) as client:
        for body, token, status in DELIVERIES:
            answer = client.post("/webhooks", content=body, headers=headers(token))
            assert answer.status_code == status
    assert [event.name for event in around["handled"]] == ["transaction.charged"]


def test_aiohttp() -> None:
    around = names(web=web)
    exec(AIOHTTP, around)

    async def deliver() -> None:
        application = web.Application()
        application.router.add_post("/webhooks", around["webhook"])
        async with TestClient(TestServer(application)) as client:
            for body, token, status in DELIVERIES:
                async with client.post("/webhooks", data=body, headers=headers(token)) as answer:
                    assert answer.status == status

    asyncio.run(deliver())
    assert [event.name for event in around["handled"]] == ["transaction.charged"]


def test_django() -> None:
    need("django")
    settings: Any = import_module("django.conf").settings
    http: Any = import_module("django.http")
    requests: Any = import_module("django.test").RequestFactory()
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["testserver"])
        import_module("django").setup()
    handled: list[TransactionEvent] = []
    around = names(
        HttpRequest=http.HttpRequest,
        HttpResponse=http.HttpResponse,
        csrf_exempt=import_module("django.views.decorators.csrf").csrf_exempt,
        require_POST=import_module("django.views.decorators.http").require_POST,
        handle=handled.append,
    )
    exec(DJANGO, around)
    for body, token, status in DELIVERIES:
        request = requests.post("/webhooks", body, content_type="application/json", headers=headers(token))
        assert around["webhook"](request).status_code == status
    assert around["webhook"](requests.get("/webhooks")).status_code == 405
    assert [event.name for event in handled] == ["transaction.charged"]


def test_flask() -> None:
    need("flask")
    from flask import Flask, request

    handled: list[TransactionEvent] = []
    around = names(app=Flask("shop"), request=request, handle=handled.append)
    exec(FLASK, around)
    client = around["app"].test_client()
    for body, token, status in DELIVERIES:
        assert client.post("/webhooks", data=body, headers=headers(token)).status_code == status
    assert [event.name for event in handled] == ["transaction.charged"]


class Redis:
    """What the guide uses of Redis, as its documentation has it, over a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.kept: dict[str, int] = {}

    def set(self, name: str, value: str, *, nx: bool = False, ex: int) -> bool | None:
        if nx and name in self.values:
            return None
        self.values[name], self.kept[name] = value.encode(), ex
        return True

    def get(self, name: str) -> bytes | None:
        return self.values.get(name)

    def eval(self, script: str, keys: int, name: str, owner: str) -> int:
        assert script == (
            "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"
        )
        if keys != 1 or self.values.get(name) != owner.encode():
            return 0
        del self.values[name]
        return 1


def test_redis_lets_one_worker_through(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("redis")
    module.Redis = Redis
    monkeypatch.setitem(sys.modules, "redis", module)
    around: dict[str, Any] = {}
    exec(REDIS, around)
    handling, redis = around["handling"], Redis()

    with pytest.raises(OSError, match="no mail"), handling(redis, "a"):
        raise OSError("no mail")
    with handling(redis, "a") as first:
        assert first
        with pytest.raises(WebhookInProgressError), handling(redis, "a"):
            pass
        with handling(redis, "b") as other:
            assert other
    with handling(redis, "a") as again:
        assert not again
    assert redis.kept == {"webhook:a": 30 * 86_400, "webhook:b": 30 * 86_400}

    # A worker whose lease is over, and whose claim is another's by now.
    late = handling(redis, "c")
    assert late.__enter__()
    redis.values["webhook:c"] = b"another"
    assert not late.__exit__(OSError, OSError("late"), None)
    assert redis.values["webhook:c"] == b"another"


def test_an_order_stays_paid_until_all_of_it_went_back() -> None:
    around: dict[str, Any] = {}
    exec(HANDLE, around)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE orders (reference TEXT, state TEXT DEFAULT 'open')")
    database.execute("INSERT INTO orders (reference) VALUES ('ORD-1'), ('ORD-2')")
    receiver = WebhookReceiver(TOKEN)
    events: list[Any] = []

    def deliver(body: bytes, carried: Any) -> int:
        events.append(receiver.receive(carried, body))
        around["handle"](database, events[-1])
        return 200

    def states() -> dict[str, str]:
        return dict(database.execute("SELECT reference, state FROM orders"))

    def new_events(sandbox: Sandbox) -> list[tuple[str, str | None]]:
        events.clear()
        sandbox.deliveries.hand_over(deliver)
        return [(event.name, event.transaction.type) for event in events]

    with (
        Sandbox(webhook_token=TOKEN, webhook_ports=["*"]) as sandbox,
        PlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy,
    ):
        sandbox.hold_webhooks = True
        links = [
            plexy.payment_links.create(
                amount=10_000, currency="KZT", order_reference=reference, auto_clearing=False
            )
            for reference in ("ORD-1", "ORD-2")
        ]
        for link in links:
            sandbox.pay(link.id)
        payment, other = (plexy.transactions.retrieve_by_payment_link(link.id).id for link in links)
        new_events(sandbox)
        assert states() == {"ORD-1": "paid", "ORD-2": "paid"}
        plexy.payments.cancel(other)
        plexy.payments.capture(payment)
        new_events(sandbox)
        assert states() == {"ORD-1": "paid", "ORD-2": "undone"}
        late = next(event for event in events if event.is_paid)

        plexy.payments.refund(payment, amount=10)
        plexy.payments.refund(payment, amount=20, order_reference="ORD-1-refund-2")
        assert new_events(sandbox) == [("transaction.refunded", "refund")] * 2
        assert {event.transaction.amount for event in events} == {10, 20}
        assert {event.transaction.order_reference for event in events} == {"ORD-1", "ORD-1-refund-2"}
        assert {event.transaction.parent_transaction_id for event in events} == {payment}
        assert states()["ORD-1"] == "paid"
        assert [event.is_paid for event in events] == [False, False]
        assert plexy.transactions.retrieve(payment).status == "charged"

        plexy.payments.refund(payment)
        assert sorted(new_events(sandbox)) == [
            ("transaction.refunded", "payment"),
            ("transaction.refunded", "refund"),
        ]
        assert states() == {"ORD-1": "undone", "ORD-2": "undone"}
        around["handle"](database, late)
        assert states() == {"ORD-1": "undone", "ORD-2": "undone"}
        assert plexy.transactions.retrieve(payment).status == "refunded"
    database.close()


def test_what_no_webhook_told_is_asked_for() -> None:
    told: list[str] = []
    around: dict[str, Any] = {"mark_as_paid": told.append}
    exec(RECONCILE, around)

    async def shop(sandbox: Sandbox) -> None:
        async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
            orders = list[SimpleNamespace]()
            for reference in ("ORD-1", "ORD-2"):
                link = await plexy.payment_links.create(amount=100, currency="KZT", order_reference=reference)
                orders.append(SimpleNamespace(link_id=link.id, reference=reference))
            sandbox.pay(orders[1].link_id)
            await around["reconcile"](plexy, orders)

    with Sandbox() as sandbox:
        asyncio.run(shop(sandbox))
    assert told == ["ORD-2"]
