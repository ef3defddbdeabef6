"""Plexy Pay for asyncio: typed payment links, retries that never pay twice, pages that fetch themselves.

Names are imported when they are first used, so that the models and the errors never import aiohttp.

PYTEST_DONT_REWRITE: so that pytest does not warn where this is imported before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Checkers see the names themselves, and so report one that is misspelt.
    from ._names import *
    from .client import AsyncPlexyPay as AsyncPlexyPay
    from .pagination import AsyncPages as AsyncPages
else:
    from ._lazy import SHARED, importer

    _MODULES = SHARED | {"AsyncPages": "plexypay_async.pagination", "AsyncPlexyPay": "plexypay_async.client"}
    __all__ = sorted(_MODULES)
    __getattr__ = importer(globals(), _MODULES)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
