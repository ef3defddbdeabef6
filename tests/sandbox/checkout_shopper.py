"""The shopper of the Checkout API's tests: what a browser submits, and what a person does at the bank."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import aiohttp
import yarl

from plexypay_async import AsyncPlexyCheckout, Money
from plexypay_async.checkout import Payment
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyCheckout

FRICTIONLESS, CHALLENGED = "4200000000000000", "4111111111111111"
CHALLENGED_ODDLY, BROKEN = "4918914107195005", "5168159443230322"
GIFT_CARD, EMPTY_GIFT_CARD = "9000000000000001", "9000000000000002"
MERCHANT = "TestMerchant"
BACK = "http://shop.localhost:3000/back?order=1"
PRICE = Money.major("22000.50", "KZT")


class CheckoutFacade:
    """Either client's operations, to be awaited: those of the sync one run in a thread of their own."""

    def __init__(self, client: AsyncPlexyCheckout | PlexyCheckout) -> None:
        self._client = client

    async def call(self, operation: str, **given: Any) -> Any:
        """Call an operation by its name, such as ``payments.create``."""
        group, _, name = operation.partition(".")
        method = getattr(getattr(self._client, group), name)
        if isinstance(self._client, AsyncPlexyCheckout):
            return await method(**given)
        return await asyncio.to_thread(method, **given)

    async def pay(self, card: str = FRICTIONLESS, **given: Any) -> Payment:
        """Pay an order of 22 000.50 KZT with a card."""
        if "order" not in given:
            given.setdefault("amount", PRICE)
        defaults: dict[str, Any] = {"reference": "ORD-1", "return_url": BACK, "state_data": by_card(card)}
        made: Payment = await self.call("payments.create", **{**defaults, **given})
        return made

    async def go_on(self, redirect_result: str, **given: Any) -> Payment:
        """Submit what the shopper has come back with."""
        state_data = {"details": {"redirectResult": redirect_result}}
        made: Payment = await self.call("payments.details", state_data=state_data, **given)
        return made


async def opened(kind: str, sandbox: Sandbox, **options: Any) -> AsyncPlexyCheckout | PlexyCheckout:
    """Return the client of one facade, ``async`` or ``sync``."""
    given: dict[str, Any] = {"base_url": sandbox.base_url, "merchant_account": MERCHANT, **options}
    if kind == "async":
        return AsyncPlexyCheckout(sandbox.api_key, **given)
    return await asyncio.to_thread(PlexyCheckout, sandbox.api_key, **given)


async def closed(client: AsyncPlexyCheckout | PlexyCheckout) -> None:
    """Close either client."""
    if isinstance(client, AsyncPlexyCheckout):
        closing = client.close()
        assert inspect.isawaitable(closing)
        await closing
    else:
        await asyncio.to_thread(client.close)


def by_card(number: str, **more: Any) -> dict[str, Any]:
    """Return what a browser's SDK gives for a card, in the sandbox's place of a ciphertext."""
    return {
        "paymentMethod": {
            "type": "scheme",
            "encryptedCardNumber": f"test_{number}",
            "encryptedExpiryMonth": "test_12",
            "encryptedExpiryYear": "test_2030",
            "encryptedSecurityCode": "test_123",
        },
        **more,
    }


def by_gift_card(number: str = GIFT_CARD) -> dict[str, Any]:
    """Return what a browser's SDK gives for a gift card."""
    return {
        "paymentMethod": {
            "type": "giftcard",
            "encryptedCardNumber": f"test_{number}",
            "encryptedSecurityCode": "test_737",
        }
    }


async def confirm(browser: aiohttp.ClientSession, address: str, otp: str = "555") -> yarl.URL:
    """Do what a shopper does at the bank; return the address that the browser is then sent to."""
    async with browser.get(address) as page:
        assert page.status == 200
        assert 'name="otp"' in await page.text()
    async with browser.post(address, data={"otp": otp}, allow_redirects=False) as answer:
        assert answer.status == 303
        return yarl.URL(answer.headers["Location"])
