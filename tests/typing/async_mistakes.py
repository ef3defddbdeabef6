# pyright: strict
"""Mistakes on `AsyncPlexyPay` that checkers report: on each line marked E, and on no other. Never run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from plexypay_async import (
    AsyncPlexyPay,
    CreatePaymentLink,
    PaymentLink,
    RetryPolicy,
    WebhookReceiver,
)

EXPIRY = datetime(2099, 1, 1, tzinfo=UTC)


async def missing_arguments(plexy: AsyncPlexyPay) -> None:
    await plexy.payment_links.create(amount=100)  # E
    await plexy.payment_links.create()  # E
    await plexy.payment_links.retrieve()  # E
    await plexy.payment_links.update_expiration("pl_1")  # E
    CreatePaymentLink(currency="KZT")  # E


async def wrong_arguments(plexy: AsyncPlexyPay) -> None:
    await plexy.payment_links.create(amount="100", currency="KZT")  # E
    await plexy.payment_links.create(amount=19.99, currency="KZT")  # E
    await plexy.payment_links.create(amount=100, currency=398)  # E
    await plexy.payment_links.create(amount=100, currency="KZT", expires_at="2099-01-01")  # E
    await plexy.payment_links.create(amount=100, currency="KZT", metadata="{}")  # E
    await plexy.payment_links.create(100, "KZT")  # E
    await plexy.payment_links.retrieve(5)  # E
    await plexy.payment_links.retrieve("pl_1", "pl_2")  # E
    await plexy.payment_links.update_expiration("pl_1", EXPIRY)  # E
    plexy.payment_links.list(size="10")  # E
    plexy.payment_links.list("active")  # E
    plexy.with_options(timeout="5")  # E
    AsyncPlexyPay("key", "https://api.example")  # E
    RetryPolicy(8)  # E


async def misspelt_names(plexy: AsyncPlexyPay) -> None:
    await plexy.payment_links.create(amount=100, curency="KZT")  # E
    await plexy.payment_links.create(amount=100, currency="KZT", orderReference="1")  # E
    await plexy.payment_links.retrieve(id="pl_1")  # E
    plexy.payment_links.list(created_form=EXPIRY)  # E
    plexy.payment_links.lst()  # E
    plexy.payment_link.list()  # E
    link = await plexy.payment_links.retrieve("pl_1")
    print(link.orderReference)  # E
    link.amount = 5  # E


async def forgotten_await(plexy: AsyncPlexyPay) -> None:
    plexy.payment_links.create(amount=100, currency="KZT")  # E
    link = plexy.payment_links.retrieve("pl_1")
    print(link.url)  # E
    kept: PaymentLink = plexy.payment_links.retrieve("pl_1")  # E
    print(kept)
    page = plexy.payment_links.list().first_page()
    print(page.items)  # E
    for item in plexy.payment_links.list():  # E
        del item


async def unchecked_none(plexy: AsyncPlexyPay) -> None:
    print((await plexy.payment_links.cancel("pl_1")).url)  # E
    page = await plexy.payment_links.list().first_page()
    plexy.payment_links.list().resume(page.next_cursor)  # E
    async for summary in plexy.payment_links.list():
        print(summary.url)  # E


async def bulk(plexy: AsyncPlexyPay, links: list[CreatePaymentLink]) -> None:
    plexy.payment_links.create_many()  # E
    plexy.payment_links.create_many([{"amount": 1}])  # E
    plexy.payment_links.create_many(links, 10)  # E
    plexy.payment_links.create_many(links, concurrency="10")  # E
    plexy.payment_links.create_many(links, journal=5)  # E
    plexy.payment_links.create_many(links, ordered="yes")  # E
    plexy.payment_links.create_many(links, rate=5)  # E
    async for result in plexy.payment_links.create_many(links):
        print(result.link.url)  # E
        print(result.uri)  # E
        result.index = 5  # E
    for item in plexy.payment_links.create_many(links):  # E
        del item


async def other_groups(plexy: AsyncPlexyPay) -> None:
    await plexy.settlement_orders.create(amount=10.99, currency="KZT")  # E
    await plexy.recurring.charge(amount=1099, currency="KZT")  # E
    await plexy.wallet.authorize(amount=Decimal("1.5"))  # E
    await plexy.wallet.capture("w", amount=100)  # E
    await plexy.wallet.authorize(amount=1, idempotency_key=5)  # E
    await plexy.settlement_orders.create(amount=1)  # E
    await plexy.customers.create(name="A")  # E
    await plexy.customers.retrieve()  # E
    plexy.customers.transactions(size=5)  # E
    print((await plexy.split_requests.delete("s")).id)  # E
    print((await plexy.customers.retrieve("c")).name)  # E
    plexy.payouts.create()  # E
    await plexy.request("GET")  # E
    await plexy.request("GET", "/v1/x", decimals=1)  # E
    await plexy.request.with_response("GET")  # E


def webhooks(receiver: WebhookReceiver, headers: Mapping[str, str], body: bytes) -> None:
    WebhookReceiver()  # E
    WebhookReceiver(b"token")  # E
    WebhookReceiver(["token", None])  # E
    receiver.receive(headers, "body")  # E
    receiver.receive([("Authorization", "token")], body)  # E
    receiver.receive(headers)  # E
    event = receiver.receive(headers, body)
    print(event.transaction)  # E
    event.name = "x"  # E
    print(receiver.receive(headers, body, seen=lambda key: key == "x").name)  # E
    receiver.receive(headers, body, seen={"key"})  # E
