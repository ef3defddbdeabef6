"""What the tables of the database have in common: how rows are added, found and paged through."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import Any, ClassVar, Generic, TypeVar, cast

import attrs

from ..._files.sqlite_file import atomically
from ..clock import Clock

__all__ = ["Sought", "Table"]

Row = TypeVar("Row")

_SHORTEST_BEGINNING = 4
"""Characters from which an id is found by its beginning: fewer are those of too many."""
_TYPES = {"str": "TEXT", "int": "INTEGER", "bool": "INTEGER"}


@attrs.frozen
class Sought:
    """Where a person's search looks: columns, or other expressions of SQL."""

    ids: Sequence[str] = ("id",)
    """Found by the whole, or by a beginning of four characters or more."""
    references: Sequence[str] = ()
    """Found by any part."""
    states: Sequence[str] = ("status",)
    """Found by the whole."""

    def condition(self, text: str) -> tuple[str, list[str]]:
        """Return the condition that a row is found by this text, and its values; ASCII in any letter case."""
        found = {"lower({0}) = lower(?)": (*self.ids, *self.states)}
        if len(text) >= _SHORTEST_BEGINNING:
            found["substr(lower({0}), 1, length(?)) = lower(?)"] = tuple(self.ids)
        found["instr(lower({0}), lower(?)) > 0"] = tuple(self.references)
        parts = [test.format(where) for test, places in found.items() for where in places]
        return " OR ".join(parts), [text] * sum(part.count("?") for part in parts)


class Table(Generic[Row]):
    """One table, in the order in which its rows were created.

    A subclass names the table and the attrs class of its rows::

        class LinkStore(Table[StoredLink], name="payment_links", row=StoredLink): ...

    The table has a column for each field of that class, in their order; SQL that follows a column's type is
    in the field's metadata under ``sql``. The first column is ``seq``, which counts the rows from 1. Rows are
    deleted all at once or not at all, so ``seq`` has no gaps.
    """

    schema: ClassVar[str]
    """The SQL statements that make the table and its indexes where they are missing."""
    extra_schema: ClassVar[str] = ""
    """What the schema has beside the columns of the row class: indexes, and further tables."""
    sought: ClassVar[Sought] = Sought()
    """Where `matching` looks."""
    _name: ClassVar[str]
    _select: ClassVar[str]
    _read: ClassVar[Callable[..., Any]]
    _columns: ClassVar[str]
    _marks: ClassVar[str]
    _values: ClassVar[attrgetter[tuple[Any, ...]]]

    def __init_subclass__(cls, *, name: str, row: Callable[..., Row], select: Sequence[str] = ()) -> None:
        """Take the table's name and row class, or a function that makes a row of the columns in `select`.

        With `select`, the subclass gives the `schema` itself.
        """
        if not select:
            fields = attrs.fields(cast("type[Any]", row))
            select = [field.name for field in fields]
            cls._columns = ", ".join(select)
            cls._marks = ", ".join("?" * len(select))
            cls._values = attrgetter(*select)
            columns = ", ".join(["seq INTEGER PRIMARY KEY", *map(_column, fields)])
            cls.schema = f"CREATE TABLE IF NOT EXISTS {name} ({columns}); {cls.extra_schema}"
        cls._name = name
        cls._select = f"SELECT {', '.join(select)} FROM {name}"  # noqa: S608 - no text of a request
        cls._read = staticmethod(row)

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, changed: Callable[[Row], None] = lambda _: None
    ) -> None:
        """Take the function that a subclass calls with each row in a new state, in the same transaction."""
        self._connection = connection
        self._execute = connection.execute
        self.clock = clock
        self._changed = changed

    def catch_up(self) -> None:
        """Make the changes that are due by the clock; called before anything is read."""
        now = self.clock.microseconds()
        due_at = self.next_change_at()
        if due_at is not None and due_at <= now:
            with self.atomically():
                self._make_changes(now)

    def _make_changes(self, now: int) -> None:
        """Make the changes that are due at `now`, of which there is at least one."""

    def next_change_at(self) -> int | None:
        """Return when the next change is due, in microseconds since 1970; None if none is."""
        return None

    def atomically(self) -> AbstractContextManager[None]:
        """Do several changes, of other tables too, as one: all of them are in the file or none."""
        return atomically(self._connection)

    def find(self, identifier: str) -> Row | None:
        """Return the row with this id."""
        return self._first("WHERE id = ?", identifier)

    def find_by(self, column: str, value: str) -> Row | None:
        """Return the row with this value in a column whose values are unique."""
        return self._first(f"WHERE {column} = ?", value)

    def all(self) -> Iterator[Row]:
        """Yield every row, the oldest first."""
        self.catch_up()
        yield from self._rows("ORDER BY seq")

    def count(self) -> int:
        """Return how many rows there are."""
        (count,) = self._execute(f"SELECT COALESCE(MAX(seq), 0) FROM {self._name}").fetchone()  # noqa: S608
        return int(count)

    def page(self, offset: int, size: int) -> tuple[list[Row], int]:
        """Return up to `size` rows after the newest `offset` of them, and how many there are."""
        self.catch_up()
        total = self.count()
        # Without gaps in `seq`, no row must be read to be skipped.
        return list(self._rows("WHERE seq <= ? ORDER BY seq DESC LIMIT ?", total - offset, size)), total

    def matching(self, text: str, offset: int, size: int) -> tuple[list[Row], int]:
        """Return up to `size` rows that a text finds, after the newest `offset`, and how many it finds.

        It finds the rows of which it is an id, the beginning of one, a part of the reference or the state. An
        empty text finds all.
        """
        if not text:
            return self.page(offset, size)
        condition, values = self.sought.condition(text)
        return self._page_where(condition, values, offset, size)

    def add(self, row: Row) -> None:
        """Store a new row."""
        self._execute(
            f"INSERT INTO {self._name} ({self._columns}) VALUES ({self._marks})",  # noqa: S608
            self._values(row),
        )

    def clear(self) -> None:
        """Forget every row."""
        self._execute(f"DELETE FROM {self._name}")  # noqa: S608

    def _replace(self, identifier: str, row: Row) -> None:
        self._execute(
            f"UPDATE {self._name} SET ({self._columns}) = ({self._marks}) WHERE id = ?",  # noqa: S608
            (*self._values(row), identifier),
        )

    def update(self, *, id: str, **columns: Any) -> None:
        """Change some columns of the row with this id."""
        changes = ", ".join(f"{column} = :{column}" for column in columns)
        self._execute(
            f"UPDATE {self._name} SET {changes} WHERE id = :id",  # noqa: S608
            {**columns, "id": id},
        )

    def _rows(self, rest: str, *values: object) -> Iterator[Row]:
        """Yield the rows that `rest`, the SQL after the table's name, chooses."""
        return (self._read(*row) for row in self._execute(f"{self._select} {rest}", values))

    def _page_where(
        self, condition: str, values: Sequence[object], offset: int, size: int
    ) -> tuple[list[Row], int]:
        """Return one page of the rows that meet a condition, newest first, and how many meet it."""
        self.catch_up()
        total = self._count_where(condition, values)
        rows = self._rows(f"WHERE {condition} ORDER BY seq DESC LIMIT ? OFFSET ?", *values, size, offset)
        return list(rows) if offset < total else [], total

    def _count_where(self, condition: str, values: Sequence[object]) -> int:
        (count,) = self._execute(
            f"SELECT COUNT(*) FROM {self._name} WHERE {condition}",  # noqa: S608
            values,
        ).fetchone()
        return int(count)

    def _first(self, rest: str, *values: object) -> Row | None:
        self.catch_up()
        return next(self._rows(rest, *values), None)

    def _earliest(self, column: str, *, index: str, where: str) -> int | None:
        """Return the smallest number in a column of some rows; `index` is that of the condition."""
        (earliest,) = self._execute(
            f"SELECT MIN({column}) FROM {self._name} INDEXED BY {index} WHERE {where}"  # noqa: S608
        ).fetchone()
        return None if earliest is None else int(earliest)


def _column(field: attrs.Attribute[Any]) -> str:
    kind, _, optional = str(field.type).partition(" | ")
    declared = f"{field.name} {_TYPES[kind]}{'' if optional else ' NOT NULL'}"
    more = "UNIQUE" if field.name == "id" else field.metadata.get("sql")
    return f"{declared} {more}" if more else declared
