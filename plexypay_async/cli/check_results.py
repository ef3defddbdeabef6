"""The results of ``--check``: the rows of a file that cannot be sent, or repeat others, in a file."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

from .destination import Destination
from .dialect import Dialect
from .exits import UnusableInputError
from .results import Results, RowOutcome, RowResult, have_links
from .rows import BadRow, Row
from .source import Source
from .terminal import tell

__all__ = ["CheckResults"]

_HAS_LINKS = (
    "holds the links of a job, which --check does not replace, whatever --overwrite says: give another name"
)


class CheckResults:
    """Writes rows with what is wrong with them, as a run writes its results; there is no file without a row.

    Args:
        destination: Where they go; None writes them nowhere.
        overwrite: Whether results of the file's name may be replaced; those with links never are.

    Raises:
        UnusableInputError: They cannot be written there, or results with links are there.
    """

    def __init__(self, destination: Destination | None, *, overwrite: bool) -> None:
        self._destination = destination
        self._results: Results | None = None
        self._count = 0
        if destination is not None:
            destination.check()
            if overwrite and destination.path is not None and self._has_links(destination.path):
                raise UnusableInputError(f"{destination.path} {_HAS_LINKS}")
            self._results = destination.open(overwrite=overwrite)

    @staticmethod
    def _has_links(path: str) -> bool:
        # What cannot be read is refused as it is opened.
        with contextlib.suppress(OSError):
            return have_links(path)
        return False

    @classmethod
    def of(cls, path: str | None, source: Source, dialect: Dialect, *, overwrite: bool) -> Self:
        """Return those of an input, at the place that ``--results`` names, if it is given."""
        place = None if path is None else Destination.of(path, source, dialect, in_sandbox=True)
        return cls(place, overwrite=overwrite)

    @property
    def on_standard_output(self) -> bool:
        """Whether all else must go to standard error."""
        return self._destination is not None and self._destination.path is None

    @property
    def advice(self) -> str:
        """Where rows are that are not told one by one, or how to have them."""
        place = self._destination
        return ": give --results FILE to have them all" if place is None else f": see {place.name}"

    def add(self, row: Row | BadRow, told: str) -> None:
        """Write a row with what is wrong with it.

        Raises:
            UnusableInputError: The file cannot be written any further.
        """
        if self._results is None:
            return
        self._count += 1
        outcome = RowOutcome.INVALID if isinstance(row, BadRow) else RowOutcome.REPEATED
        result = RowResult(
            line=row.line, order_reference=row.order_reference, outcome=outcome, error_message=told
        )
        try:
            self._results.write(result)
        except OSError as error:
            raise self._unwritten(error) from None

    def _unwritten(self, error: OSError) -> UnusableInputError:
        assert self._destination is not None  # noqa: S101
        return UnusableInputError(f"cannot write {self._destination.name}: {error.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        results = self._results
        if results is None:
            return
        if exc is not None or not self._count:
            results.discard()
            return
        try:
            results.close()
        except OSError as error:
            raise self._unwritten(error) from None
        if not self.on_standard_output:
            tell(f"plexypay: rows to correct: {results.path}")
