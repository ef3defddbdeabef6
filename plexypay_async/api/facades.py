"""The two facades as types: a group of an async client returns awaitables, one of a sync client results."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Async", "F", "Sync"]


class Async:
    """Phantom type: the resource of an async client."""


class Sync:
    """Phantom type: the resource of a sync client."""


F = TypeVar("F", Async, Sync)
