# pyright: strict
"""Mistakes on `PlexyPay` that checkers report: on each line marked E, and on no other. Never run."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

from plexypay_sync import CreatePaymentLink, PlexyPay

EXPIRY = datetime(2099, 1, 1, tzinfo=UTC)


def arguments(plexy: PlexyPay) -> None:
    plexy.payment_links.create(amount=100)  # E
    plexy.payment_links.create(amount="100", currency="KZT")  # E
    plexy.payment_links.create(amount=19.99, currency="KZT")  # E
    plexy.payment_links.create(100, "KZT")  # E
    plexy.payment_links.create(amount=100, curency="KZT")  # E
    plexy.payment_links.retrieve()  # E
    plexy.payment_links.retrieve(5)  # E
    plexy.payment_links.retrieve(id="pl_1")  # E
    plexy.payment_links.update_expiration("pl_1", EXPIRY)  # E
    plexy.payment_links.list(size="10")  # E
    plexy.payment_links.lst()  # E
    PlexyPay("key", session=None)  # E


async def needless_await(plexy: PlexyPay) -> None:
    await plexy.payment_links.create(amount=100, currency="KZT")  # E
    async for item in plexy.payment_links.list():  # E
        del item
    async with plexy:  # E
        pass


def unchecked_none(plexy: PlexyPay) -> None:
    print(plexy.payment_links.cancel("pl_1").url)  # E
    page = plexy.payment_links.list().first_page()
    plexy.payment_links.list().resume(page.next_cursor)  # E
    for summary in plexy.payment_links.list():
        print(summary.url)  # E


async def bulk(
    plexy: PlexyPay, links: list[CreatePaymentLink], later: AsyncIterator[CreatePaymentLink]
) -> None:
    plexy.payment_links.create_many()  # E
    plexy.payment_links.create_many([{"amount": 1}])  # E
    plexy.payment_links.create_many(later)  # E
    plexy.payment_links.create_many(links, 10)  # E
    plexy.payment_links.create_many(links, concurrency="10")  # E
    plexy.payment_links.create_many(links, journal=5)  # E
    plexy.payment_links.create_many(links, ordered="yes")  # E
    plexy.payment_links.create_many(links, rate=5)  # E
    for result in plexy.payment_links.create_many(links):
        print(result.link.url)  # E
        print(result.uri)  # E
        result.index = 5  # E
    async for item in plexy.payment_links.create_many(links):  # E
        del item


def other_groups(plexy: PlexyPay) -> None:
    plexy.settlement_orders.create(amount=10.99, currency="KZT")  # E
    plexy.recurring.charge(amount=1099, currency="KZT")  # E
    plexy.wallet.authorize(amount=Decimal("1.5"))  # E
    plexy.wallet.capture("w", amount=100)  # E
    plexy.wallet.authorize(amount=1, idempotency_key=5)  # E
    plexy.settlement_orders.create(amount=1)  # E
    plexy.customers.create(name="A")  # E
    plexy.customers.retrieve()  # E
    plexy.customers.transactions(size=5)  # E
    print(plexy.split_requests.delete("s").id)  # E
    print(plexy.customers.retrieve("c").name)  # E
    plexy.request("GET")  # E
    plexy.request("GET", "/v1/x", decimals=1)  # E
    plexy.request.with_response("GET")  # E
