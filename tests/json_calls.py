"""Counts what the library writes and reads as JSON, apart from its sandbox and from what tests do."""

from __future__ import annotations

import sys
from typing import Any

import orjson
import pytest


class JSONCalls:
    """The documents that the library has written, and the bodies that it has read, from now on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.written: list[Any] = []
        self.read: list[Any] = []
        write, read = orjson.dumps, orjson.loads

        def dumps(document: Any, *arguments: Any, **options: Any) -> bytes:
            if _is_called_by_the_library():
                self.written.append(document)
            return write(document, *arguments, **options)

        def loads(body: Any) -> Any:
            if _is_called_by_the_library():
                self.read.append(body)
            return read(body)

        patch.setattr(orjson, "dumps", dumps)
        patch.setattr(orjson, "loads", loads)

    def requests(self) -> list[str]:
        """Return the order reference of each link's request that was written; an answer has an id."""
        return sorted(
            document["orderReference"]
            for document in self.written
            if isinstance(document, dict) and "orderReference" in document and "id" not in document
        )

    def clear(self) -> None:
        """Forget what was counted."""
        self.written.clear()
        self.read.clear()


def _is_called_by_the_library() -> bool:
    caller = str(sys._getframe(2).f_globals["__name__"])
    return caller.startswith("plexypay") and ".sandbox" not in caller
