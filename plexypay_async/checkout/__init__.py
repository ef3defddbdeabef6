"""The groups of the Checkout API: their request and answer models, and their operations.

This file names what they hold, as `plexypay_async.pay` does for the Pay API. Names are imported when they are
first used: ``from plexypay_async.checkout import Session``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from ..api.facades import F

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from ..api.names import imported_from

        return imported_from(globals(), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_NAMES})


_NAMES: dict[str, str] = {}
"""For each public name of the groups, the file that it is imported from when it is first used."""


class Groups(Generic[F]):
    """One attribute per group, in the order of the vendor's index."""
