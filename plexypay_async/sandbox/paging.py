"""Listings by page and size, as the sandbox reads and answers them.

Evidence: the query and the shape of the answer are published for payment links and observed for transactions;
for every other listing they are assumed to be the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .exchange import Answer, Refusal

__all__ = ["PageQuery"]

_LARGEST = 2**63 - 1


@attrs.frozen
class PageQuery:
    """Which page of a listing is asked for."""

    page: int
    """Its number, from 1."""
    size: int

    @classmethod
    def read(cls, query: Mapping[str, str], *, most: int, source: str) -> PageQuery:
        """Read ``page`` and ``size``, 1 and 10 unless given; a size above `most` is taken as `most`.

        Raises:
            Refusal: One of them is no whole number from 1, with code 3.
        """
        return cls(_positive(query, "page", 1, source), min(_positive(query, "size", 10, source), most))

    @property
    def offset(self) -> int:
        """How many items come before the page, as far as the database can count."""
        return min((self.page - 1) * self.size, _LARGEST)

    def answer(self, items: Sequence[Any], total: int) -> Answer:
        """Return the answer that shows the page."""
        return Answer(200, {"data": items, "page": self.page, "size": self.size, "total": total})


def _positive(query: Mapping[str, str], name: str, default: int, source: str) -> int:
    text = query.get(name)
    if text is None:
        return default
    # 18 digits are more than any listing has.
    if re.fullmatch("[0-9]{1,18}", text) is None or int(text) == 0:
        raise Refusal(3, f"{name}: expected a whole number from 1, got {text[:60]!r}", source=source)
    return int(text)
