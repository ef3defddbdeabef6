"""Where the results of a run go: to a file that was named, to one beside the input, or to standard output."""

from __future__ import annotations

import os
from collections.abc import Container

import attrs

from .dialect import Dialect
from .exits import UnusableInputError
from .results import Results, ResultsFile
from .source import Source
from .terminal import STANDARD_OUTPUT, require_output

__all__ = ["ON_STANDARD_OUTPUT", "Destination"]

ON_STANDARD_OUTPUT = "-"

_ADVICE = "give --results FILE"


@attrs.frozen
class Destination:
    """The place of a run's results.

    Args:
        path: The file; None for standard output.
        dialect: How the input is written; so are the results, as far as a file's name says nothing else.
        beside: Whether the file has its name by default: what is there already is not lost then.
    """

    path: str | None
    dialect: Dialect
    beside: bool = False

    @classmethod
    def of(
        cls, results: str | None, source: Source, dialect: Dialect, *, in_sandbox: bool
    ) -> Destination | None:
        """Return where results go; None where they are written nowhere.

        Args:
            results: What ``--results`` says, if it is given.
            source: The input.
            dialect: How the input is written.
            in_sandbox: Whether the links end with the run.
        """
        if results is not None:
            return cls(None if results == ON_STANDARD_OUTPUT else results, dialect)
        if in_sandbox:
            return None
        if source.file is None:
            return cls(None, dialect)
        stem = os.path.splitext(source.file)[0]
        return cls(f"{stem}.results{'.jsonl' if dialect.json_lines else '.csv'}", dialect, beside=True)

    @property
    def name(self) -> str:
        """What messages call it."""
        return STANDARD_OUTPUT if self.path is None else self.path

    def check(self) -> None:
        """Refuse a folder of the input in which nothing can be written, and a standard output that is closed.

        Raises:
            UnusableInputError: It is one.
        """
        if self.path is None:
            require_output("results", f": {_ADVICE}")
        if self.beside and self.path is not None:
            folder = os.path.dirname(self.path) or os.curdir
            if not os.access(folder, os.W_OK | os.X_OK):
                raise UnusableInputError(
                    f"cannot write results into {folder}, beside the input: {_ADVICE}, with a name elsewhere"
                )

    def open(self, *, overwrite: bool, mark: str = "", known: Container[str] | None = None) -> Results:
        """Make the results.

        Args:
            overwrite: Whether any results of the file's name may be replaced.
            mark: The journal's word for the name beside, if there is a journal.
            known: The digests of the results that are the journal's.

        Raises:
            UnusableInputError: They cannot be made there.
        """
        if self.path is None:
            return Results.on_standard_output(self.dialect)
        if self.beside:
            return ResultsFile(
                self.path, dialect=self.dialect, known=known or (), set_aside=True, mark=mark, advice=_ADVICE
            )
        return ResultsFile(
            self.path,
            dialect=self.dialect,
            rewrite=overwrite or bool(mark),
            known=None if overwrite else known,
            mark=mark,
        )
