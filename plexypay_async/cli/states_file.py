"""The file of states: for each row of a file, what the account's listing says of its link."""

from __future__ import annotations

from typing import ClassVar

import attrs

from .results import LineRecord, ResultsFile

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
    """States in a new file, written as results are: private, and under its name once it is whole."""

    columns: ClassVar[tuple[str, ...]] = tuple(field.name for field in attrs.fields(RowState))
    what: ClassVar[str] = "states"
    _of_killed_run: ClassVar[str] = (
        "a run that was killed has left it, or is under way; remove it if none is under way"
    )
