"""The journal of a job on the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..bulk.journal import Entry, Journal, State

__all__ = ["JobJournal"]


class JobJournal(Journal):
    """A journal that tells what earlier runs have done with the rows under way."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._done_before: set[str] = set()
        self._differing: dict[str, int] = {}

    def exchange(
        self,
        done: Iterable[tuple[str, Any]],
        failed: Iterable[tuple[str, str]],
        claims: Iterable[tuple[int, str, bytes]],
    ) -> list[Entry]:
        """Record and claim as every journal does, and note what was known of the claimed rows."""
        claims = list(claims)
        entries = super().exchange(done, failed, claims)
        for (_, reference, digest), entry in zip(claims, entries, strict=True):
            if entry.state is State.DONE and entry.digest == digest:
                self._done_before.add(reference)
            elif entry.state in (State.CLAIMED, State.DONE) and entry.digest != digest:
                self._differing[reference] = entry.row
        return entries

    def take_done_before(self, reference: str) -> bool:
        """Tell, once, whether a claimed row was done before."""
        if reference not in self._done_before:
            return False
        self._done_before.remove(reference)
        return True

    def take_differing(self, reference: str) -> int | None:
        """Return, once, the position of the row whose content a refused row does not have."""
        return self._differing.pop(reference, None)
