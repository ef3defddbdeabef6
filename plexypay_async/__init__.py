"""Plexy Pay for asyncio: typed payment links, retries that never pay twice, pages that fetch themselves.

    import asyncio

    from plexypay_async import AsyncPlexyPay, Money


    async def main() -> None:
        async with AsyncPlexyPay() as plexy:  # the key is in PLEXYPAY_API_KEY
            price = Money.major("22000.50", "KZT")
            link = await plexy.payment_links.create(
                amount=price.amount, currency=price.currency, order_reference="order-1001"
            )
            print(link.url)


    asyncio.run(main())

Where to look:
    help(AsyncPlexyPay): the client of the Pay API, its options and its groups of calls; the others are
        `AsyncPlexyGate` (digital goods for agents) and `AsyncPlexyCheckout` (the server's side of Checkout).
    help(plexy.payment_links): what the calls of a group do.
    help(plexy.payment_links.create): what a call takes, returns and raises.
    help(PaymentLink): what an answer has, and in which unit each amount is.
    help(PlexyPayError): what every error tells; its `outcome` says whether the call has done its work.
    help(WebhookReceiver): how the deliveries of webhooks are checked and read.
    dir(plexypay_async): every name.

`plexypay_sync` has the same for code without an event loop.

Names are imported when they are first used, so that the models and the errors never import aiohttp.

PYTEST_DONT_REWRITE: so that pytest does not warn where this is imported before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Checkers see the names themselves, and so report one that is misspelt.
    from ._names import *
    from .checkout.client import AsyncPlexyCheckout as AsyncPlexyCheckout
    from .gate.client import AsyncPlexyGate as AsyncPlexyGate
    from .pagination import AsyncPages as AsyncPages
    from .pay.client import AsyncPlexyPay as AsyncPlexyPay
else:
    _OWN = {
        "AsyncPages": "plexypay_async.pagination",
        "AsyncPlexyCheckout": "plexypay_async.checkout.client",
        "AsyncPlexyGate": "plexypay_async.gate.client",
        "AsyncPlexyPay": "plexypay_async.pay.client",
    }

    def __getattr__(name: str) -> object:
        from ._lazy import imported

        return imported(globals(), name, _OWN)

    def __dir__() -> list[str]:
        from ._lazy import names_of

        return sorted({*globals(), *names_of(_OWN)})
