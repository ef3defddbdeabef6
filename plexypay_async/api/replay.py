"""What may be done after a failure of an operation: its replay class.

The core asks a class' attributes and compares it with nothing, so that a new class is a new value and no new
branch. One that allows nothing sends a request once, whatever comes of it.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

__all__ = ["Replay"]


@attrs.frozen(repr=False)
class Replay:
    """What may be done when a request has failed, or when it is not known what it has done."""

    value: str
    """The name of the class, as it is in the docs."""
    undone: bool = attrs.field(default=False, kw_only=True)
    """Whether a request may be repeated that is known to have done nothing: no connection, code 1, 429."""
    code_2: bool = attrs.field(default=False, kw_only=True)
    """Whether it may be repeated after code 2, where the server may have done the work."""
    unknown: bool = attrs.field(default=False, kw_only=True)
    """Whether it may be repeated when its outcome is unknown."""
    looks_up: bool = attrs.field(default=False, kw_only=True)
    """Whether what it would have created is looked for before it is repeated."""
    same_key: bool = attrs.field(default=False, kw_only=True)
    """Whether a repeat carries the same idempotency key, which a caller can use once more."""
    moves_money: bool = attrs.field(default=False, kw_only=True)
    """Whether money may have moved when its outcome is unknown."""

    is_protected: bool = attrs.field(
        init=False,
        eq=False,
        default=attrs.Factory(lambda self: self.unknown or self.looks_up, takes_self=True),
    )
    """Whether a second sending does no harm: by what it does, by its key, or by its order reference."""
    is_told_by_name: bool = attrs.field(
        init=False,
        eq=False,
        default=attrs.Factory(lambda self: self.is_protected and not self.same_key, takes_self=True),
    )
    """Whether an answer that names what was asked for is as good as the one to it."""
    without_look_up: Replay = attrs.field(
        init=False, eq=False, default=attrs.Factory(lambda self: _without_look_up(self), takes_self=True)
    )
    """The class of a request that has nothing by which its work could be looked up."""

    SAFE: ClassVar[Replay]
    """Repeat it: twice has the same effect as once."""
    SAME_KEY: ClassVar[Replay]
    """Repeat it with the same idempotency key."""
    AFTER_LOOKUP: ClassVar[Replay]
    """Look for what it would have created first, and repeat it only if that is not there."""
    CREATE: ClassVar[Replay]
    """Never repeat it by itself: a second record could be made."""
    MONEY: ClassVar[Replay]
    """Never repeat it by itself, nor after code 2: money could move twice."""

    def __repr__(self) -> str:
        return f"<Replay {self.value}>"


def _without_look_up(replay: Replay) -> Replay:
    return attrs.evolve(replay, looks_up=False) if replay.looks_up else replay


Replay.SAFE = Replay("safe", undone=True, code_2=True, unknown=True)
Replay.SAME_KEY = Replay("same_key", undone=True, code_2=True, unknown=True, same_key=True)
Replay.AFTER_LOOKUP = Replay("after_lookup", undone=True, code_2=True, looks_up=True)
Replay.CREATE = Replay("create", undone=True, code_2=True)
Replay.MONEY = Replay("money", undone=True, moves_money=True)
