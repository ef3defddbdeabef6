"""What arrived at the sandbox: a bounded record, and counts that go on."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping

import attrs

__all__ = ["ArrivedRequest", "Traffic"]


@attrs.define
class ArrivedRequest:
    """One request as it arrived, whatever became of it."""

    method: str
    """The HTTP method, in capitals."""
    path: str
    """The path and query as sent, percent-encoded."""
    operation: str | None
    """The operation's name, such as ``payment_links.create``; None where the path belongs to none."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """The headers, found in any letter case. ``Authorization`` is among them."""


class Traffic:
    """The API's requests in the order of their arrival: the last `kept` of them, and counts of all.

    Requests to the sandbox's own paths (``/_sandbox``, ``/checkout``) are not in it. Any thread may read it
    while requests arrive.
    """

    def __init__(self, kept: int = 1000) -> None:
        self._last: deque[ArrivedRequest] = deque(maxlen=kept)
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[ArrivedRequest]:
        with self._lock:
            return iter(tuple(self._last))

    def __repr__(self) -> str:
        return f"<Traffic: {self.count()} requests>"

    @property
    def counts(self) -> Mapping[tuple[str, str | None], int]:
        """How many arrived, by method and operation."""
        with self._lock:
            return dict(self._counts)

    def count(self, operation: str | None = None, *, method: str | None = None) -> int:
        """Return how many arrived, of one operation and method or of all."""
        return sum(
            number
            for (arrived_method, arrived_operation), number in self.counts.items()
            if operation in (None, arrived_operation) and method in (None, arrived_method)
        )

    def record(self, request: ArrivedRequest) -> None:
        """Add a request that arrived."""
        with self._lock:
            self._last.append(request)
            self._counts[request.method, request.operation] += 1

    def clear(self) -> None:
        """Forget what arrived."""
        with self._lock:
            self._last.clear()
            self._counts.clear()
