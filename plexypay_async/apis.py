"""The vendor's APIs that the library speaks: each has a description, its groups and its clients."""

from __future__ import annotations

from .api.description import API
from .checkout.description import CHECKOUT
from .gate.description import GATE
from .pay.description import PAY

__all__ = ["APIS", "api_of"]

APIS: tuple[API, ...] = (PAY, GATE, CHECKOUT)
"""In the order in which the docs and the command line name them."""


def api_of(name: str) -> API:
    """Return the API of a name, such as ``pay``."""
    return next(api for api in APIS if api.name == name)
