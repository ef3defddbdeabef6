"""The file of states: for each row of a file, what the account's listing says of its link."""

from __future__ import annotations

import contextlib
import os
import re
from typing import ClassVar

import attrs

from .._files.private_files import open_private
from .dialect import DELIMITERS
from .results import LineRecord, ResultsFile, check_results_path

__all__ = ["RowState", "StatesFile"]


@attrs.frozen(kw_only=True)
class RowState(LineRecord):
    """One line of the file of states; its fields are the columns, in this order."""

    order_reference: str | None = None
    amount_major: str | None = None
    """The row's own amount, in **major** units, with a point before the decimals."""
    currency: str | None = None
    status: str | None = None
    """The link's, as the API has it; a refund does not change it. None where no link is listed."""
    link_id: str | None = None
    """Of several links the one that was paid, else one that is active."""
    links: int = 0
    """How many links of the order reference are listed."""
    repeats: int | None = None
    """The line of the row that this one repeats: its link, and what was paid, are that one's."""


class StatesFile(ResultsFile):
    """States in a file, written as results are: private, and under its name once it is whole.

    Those of an earlier run are kept under another name, such as ``orders.states.1.csv``; a file of anything
    else is left as it is.
    """

    columns: ClassVar[tuple[str, ...]] = tuple(field.name for field in attrs.fields(RowState))
    what: ClassVar[str] = "states"
    _of_killed_run: ClassVar[str] = (
        "a run that was killed has left it, or is under way; remove it if none is under way"
    )

    @classmethod
    def check(cls, path: str) -> None:
        """Refuse a file that states must not be written to.

        Raises:
            UnusableInputError: The name's ending is neither ``.csv`` nor ``.jsonl``, or the file holds
                something else than states.
        """
        if not cls._holds_states(path):
            check_results_path(path, rewrite=False, what=cls.what)

    def _is_earlier(self, path: str) -> bool:
        self._set_aside = self._holds_states(path)
        return self._set_aside

    @staticmethod
    def _holds_states(path: str) -> bool:
        with contextlib.suppress(OSError), open(open_private(path, os.O_RDONLY), "rb") as file:
            first = file.readline(_LONGEST).strip()
            if first.lower().removeprefix(_MARK).startswith(b"sep="):
                first = file.readline(_LONGEST).strip()
            if path.lower().endswith(".csv"):
                return first.removeprefix(_MARK) in _HEADERS
            return path.lower().endswith(".jsonl") and _OF_JSON_LINES.match(first) is not None
        return False


_LONGEST = 65536
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()
_HEADERS = [delimiter.join(StatesFile.columns).encode() for delimiter in DELIMITERS]
_OF_JSON_LINES = re.compile(rb'\{"line": .*, "links": [0-9]+, "repeats": ')
