"""The two facades as types: a group of an `AsyncPlexyPay` returns awaitables, one of a `PlexyPay` results."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Async", "F", "Sync"]


class Async:
    """Phantom type: the resource of an `AsyncPlexyPay`."""


class Sync:
    """Phantom type: the resource of a `PlexyPay`."""


F = TypeVar("F", Async, Sync)
