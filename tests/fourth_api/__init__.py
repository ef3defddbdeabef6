"""An API that the library does not know, declared as any other: its description, its groups, its clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from plexypay_async.api.facades import F

if TYPE_CHECKING:
    from .parcels import Depots, Parcels

_NAMES = dict.fromkeys(("Depots", "Parcels"), "parcels")


class Groups(Generic[F]):
    """One attribute per group."""

    parcels: Parcels[F]
    depots: Depots[F]
