"""Plexy Pay for code without an event loop: the same names as `plexypay_async`, without await.

Names are imported when they are first used.

PYTEST_DONT_REWRITE: so that pytest does not warn where this is imported before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Checkers see the names themselves, and so report one that is misspelt.
    from plexypay_async._names import *

    from .checkout import PlexyCheckout as PlexyCheckout
    from .gate import PlexyGate as PlexyGate
    from .pagination import Pages as Pages
    from .pay import PlexyPay as PlexyPay
else:
    _OWN = {
        "Pages": "plexypay_sync.pagination",
        "PlexyCheckout": "plexypay_sync.checkout",
        "PlexyGate": "plexypay_sync.gate",
        "PlexyPay": "plexypay_sync.pay",
    }

    def __getattr__(name: str) -> object:
        from plexypay_async._lazy import imported

        return imported(globals(), name, _OWN)

    def __dir__() -> list[str]:
        from plexypay_async._lazy import names_of

        return sorted({*globals(), *names_of(_OWN)})
