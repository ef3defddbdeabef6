"""Plexy Pay for asyncio: typed payment links, retries that never pay twice, pages that fetch themselves.

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
