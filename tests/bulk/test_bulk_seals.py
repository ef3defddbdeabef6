"""What a journal keeps of a link: believed where its seal is whole, and asked for again elsewhere."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from plexypay_async import ConfigurationError, Journal, OutcomeUnknownError
from plexypay_async._privacy.secret import Secret
from plexypay_async.bulk.journal_format import State
from plexypay_async.cli import main

from .ledger_server import Ledger, ledger
from .rows import a_client, expected, row, rows, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "july.journal"


def change(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def counts(path: Path) -> dict[State, int]:
    with Journal(path) as journal:
        journal.open()
        return journal.counts()


FORGED = orjson.dumps(
    {"id": "pl_ORD-3_0", "amount": 4, "currency": "KZT", "status": "active", "url": "https://thief.example"}
)
ALTERATIONS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "another url": ("UPDATE links SET answer = ? WHERE reference = 'ORD-3'", (FORGED,)),
    "another row's answer": (
        "UPDATE links SET (answer, link, hash, seal) = (SELECT answer, link, hash, seal FROM links"
        " WHERE reference = 'ORD-4') WHERE reference = 'ORD-3'",
        (),
    ),
    "no seal": ("UPDATE links SET seal = NULL WHERE reference = 'ORD-3'", ()),
    "a seal of nothing": ("UPDATE links SET seal = 7, hash = 'x' WHERE reference = 'ORD-3'", ()),
    "no answer and another link": (
        "UPDATE links SET answer = NULL, link = 'pl_ORD-4_0' WHERE reference = 'ORD-3'",
        (),
    ),
    "no JSON": ("UPDATE links SET answer = 'nonsense', link = NULL WHERE reference = 'ORD-3'", ()),
    "claimed": ("UPDATE links SET state = 1 WHERE reference = 'ORD-3'", ()),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("altered", ALTERATIONS)
async def test_an_answer_that_was_altered_is_looked_up_and_not_believed(
    path: Path, altered: str, ordered: bool
) -> None:
    async with ledger() as server, a_client(server) as plexy:
        first = await run(plexy, rows(6), journal=path, ordered=True)
        statement, values = ALTERATIONS[altered]
        change(path, statement, *values)

        again = await run(plexy, rows(6), journal=path, ordered=ordered)
        third = await run(plexy, rows(6), journal=path)

    again.sort(key=lambda result: result.index)
    assert [result.link for result in again] == [result.link for result in first]
    assert [result.index for result in again if not result.from_journal] == [3]
    assert all(result.recovered for result in again)
    # What was found is kept and believed from then on.
    assert all(result.from_journal for result in third)
    assert server.creates.total() == 6


@pytest.mark.asyncio
async def test_a_row_that_was_forged_as_done_is_created(path: Path) -> None:
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, rows(2), journal=path)
        change(path, "UPDATE links SET answer = ?, link = 'pl_none' WHERE reference = 'ORD-1'", FORGED)
        server.links.pop("ORD-1")
        again = await run(plexy, rows(2), journal=path, ordered=True)

    assert [result.error for result in again] == [None, None]
    assert server.creates["ORD-1"] == 2


@pytest.mark.asyncio
async def test_after_a_change_of_key_each_link_is_retrieved_once(path: Path) -> None:
    async with ledger() as server:
        async with a_client(server, api_key="old") as plexy:
            first = await run(plexy, rows(5), journal=path, ordered=True)
        async with a_client(server, api_key="new") as plexy:
            change(path, "UPDATE links SET answer = ? WHERE reference = 'ORD-3'", FORGED)
            second = await run(plexy, rows(5), journal=path, ordered=True)
            third = await run(plexy, rows(5), journal=path, ordered=True)

    links = [result.link for result in first]
    assert [result.link for result in second] == links
    assert not any(result.from_journal for result in second)
    assert [result.link for result in third] == links
    assert all(result.from_journal for result in third)
    assert server.creates.total() == 5


VERSION_1 = """
CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE links (
    id INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE, row INTEGER NOT NULL, digest BLOB NOT NULL,
    state INTEGER NOT NULL, answer BLOB, error TEXT
);
PRAGMA application_id = 1349277762;
PRAGMA user_version = 1;
"""


async def of_version_1(path: Path, server: Ledger) -> None:
    """Turn a journal into one of the format before."""
    old = path.with_name("old")
    async with a_client(server) as plexy:
        await run(plexy, rows(5), journal=path)
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(VERSION_1)
        connection.execute("ATTACH ? AS later", (str(path),))
        connection.execute(
            "INSERT INTO links SELECT id, reference, row, digest, state, answer, error FROM later.links"
        )
        connection.executemany(
            "INSERT INTO about VALUES (?, ?)",
            [("base_url", server.base_url), ("salt", b"salt"), ("key", Secret("key").slow_digest(b"salt"))],
        )
        connection.commit()
    path.unlink()
    old.rename(path)


@pytest.mark.asyncio
async def test_a_journal_of_version_1_is_read_and_its_links_are_retrieved_once(path: Path) -> None:
    async with ledger() as server:
        await of_version_1(path, server)
        change(path, "UPDATE links SET answer = ? WHERE reference = 'ORD-3'", FORGED)
        change(path, "UPDATE links SET state = 3, answer = NULL WHERE reference = 'ORD-4'")
        server.refuse_taken = True
        async with a_client(server) as plexy:
            again = await run(plexy, rows(6), journal=path, ordered=True)
            third = await run(plexy, rows(6), journal=path, ordered=True)

    assert [result.error for result in again] == [None] * 6
    assert again[3].link is not None
    assert again[3].link.url == "https://pay.example"
    assert [result.recovered for result in again] == [True] * 5 + [False]
    assert all(result.from_journal for result in third)
    assert server.twice == []


@pytest.mark.asyncio
async def test_a_journal_of_version_1_of_another_key_asks_for_a_link_first(path: Path) -> None:
    async with ledger() as server:
        await of_version_1(path, server)
        server.links.clear()
        async with a_client(server, api_key="another") as plexy:
            with pytest.raises(ConfigurationError, match="another API key"):
                await run(plexy, rows(5), journal=path)


@pytest.mark.asyncio
async def test_a_failed_row_whose_reference_exists_is_recovered_in_a_later_run(path: Path) -> None:
    """Such as one whose first request was late, and was done after the run had given it up."""
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, rows(3), journal=path)
        change(path, "UPDATE links SET state = 3, answer = NULL, seal = NULL, link = NULL")
        server.refuse_taken = True

        again = await run(plexy, rows(3), journal=path)

    assert [result.error for result in again] == [None] * 3
    assert all(result.recovered for result in again)
    assert server.twice == []
    assert counts(path) == {State.DONE: 3}


# --------------------------------------------------------------------------------------- odd answers

nested: Any = []
for _ in range(400):
    nested = [nested]

ODD: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "nested more deeply than can be written": lambda link: {**link, "more": "NESTED"},
    "a megabyte": lambda link: {**link, "more": "x" * 2**20},
    "a number beyond 64 bits": lambda link: {**link, "more": "NUMBER"},
}


@pytest.mark.asyncio
@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_answer_is_its_row_s_own(path: Path, odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from . import ledger_server

    whole = orjson.dumps

    def dumps(document: Any) -> bytes:
        if isinstance(document, dict) and document.get("orderReference") == "ORD-3":
            document = ODD[odd](document)
        text = whole(document)
        deep = b"[" * 400 + b"]" * 400
        return text.replace(b'"NESTED"', deep).replace(b'"NUMBER"', b"1" * 40)

    monkeypatch.setattr(ledger_server, "_answer", _answering(dumps))
    async with ledger() as server, a_client(server) as plexy:
        first = await run(plexy, rows(100), journal=path, ordered=True)
        again = await run(plexy, rows(100), journal=path, ordered=True)

    assert [result.error for result in first] == [None] * 100
    assert [result.error for result in again] == [None] * 100
    assert [result.link for result in again] == [result.link for result in first]
    assert {result.index for result in again if not result.from_journal} <= {3}
    assert server.creates.total() == 100
    assert path.stat().st_size < 2**19


def _answering(dumps: Callable[[Any], bytes]) -> Callable[..., Any]:
    from aiohttp import web

    def answer(document: Any, status: int = 200) -> web.Response:
        return web.Response(status=status, body=dumps(document), content_type="application/json")

    return answer


@pytest.mark.asyncio
async def test_an_answer_that_cannot_be_read_leaves_its_row_claimed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from . import ledger_server

    def dumps(document: Any) -> bytes:
        if isinstance(document, dict) and document.get("orderReference") == "ORD-3":
            return b"[" * 3000 + b"]" * 3000
        return orjson.dumps(document)

    async with ledger() as server, a_client(server) as plexy:
        with monkeypatch.context() as patch:
            patch.setattr(ledger_server, "_answer", _answering(dumps))
            first = await run(plexy, rows(10), journal=path, ordered=True)
        assert counts(path) == {State.DONE: 9, State.CLAIMED: 1}
        again = await run(plexy, rows(10), journal=path, ordered=True)

    assert [result.index for result in first if result.error is not None] == [3]
    assert [result.error for result in again] == [None] * 10
    assert server.creates.total() == 10


# ------------------------------------------------------------------------------------------------ purge


def content(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))


@pytest.mark.asyncio
async def test_a_purged_journal_holds_nothing_of_customers_and_creates_nothing_twice(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    links = [row(number, description=f"Aigerim Customer {number}") for number in range(200)]
    async with ledger() as server, a_client(server) as plexy:
        first = await run(plexy, links, journal=path, ordered=True)
        change(
            path, "UPDATE links SET state = 3, link = NULL, error = 'no: Aigerim' WHERE reference = 'ORD-199'"
        )
        assert b"Aigerim" in content(path)

        assert await asyncio.to_thread(main, ["journal", "purge", str(path)]) == 0

        assert b"Aigerim" not in content(path)
        assert b"https://pay.example" not in content(path)
        assert capsys.readouterr().out.split() == [
            "rows",
            "200",
            "of",
            "them",
            "done",
            "199",
            "purged",
            "now",
            "199",
        ]
        server.refuse_taken = True
        again = await run(plexy, links, journal=path, ordered=True)
        assert [result.link for result in again] == [result.link for result in first]
        assert all(result.recovered and not result.from_journal for result in again)
        assert server.creates.total() == 201
        # What was purged stays purged.
        with Journal(path) as journal:
            journal.open()
            assert journal.purge() == 1

        # A link that is gone is never made again.
        server.links.clear()
        gone = await run(plexy, links[:5], journal=path, ordered=True)
        assert [type(result.error) for result in gone] == [OutcomeUnknownError] * 5
        assert server.creates.total() == 201
        assert "it is not created again" in str(gone[0].error)


@pytest.mark.asyncio
async def test_only_rows_that_are_old_enough_are_purged(path: Path) -> None:
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, rows(5), journal=path)
        change(path, "UPDATE links SET done_at = done_at - 86400 * 40 WHERE reference IN ('ORD-1', 'ORD-2')")
        with Journal(path) as journal:
            journal.open()
            assert journal.purge(older_than=30) == 2
        again = await run(plexy, rows(5), journal=path, ordered=True)
    assert [result.index for result in again if not result.from_journal] == [1, 2]
    assert server.creates.total() == 5


@pytest.mark.asyncio
async def test_a_purged_journal_of_version_1_keeps_its_links(path: Path) -> None:
    async with ledger() as server:
        await of_version_1(path, server)
        with Journal(path) as journal:
            journal.open()
            assert journal.purge(older_than=1000) == 5
            assert [link for _, _, link in journal.links()] == [
                {"id": f"pl_{reference}_0"} for reference in expected(5)
            ]
        async with a_client(server) as plexy:
            again = await run(plexy, rows(5), journal=path)
    assert [result.error for result in again] == [None] * 5
    assert server.creates.total() == 5


@pytest.mark.parametrize("days", ["-1", "x", "nan", "1e9"])
def test_bad_arguments_of_purge_are_refused(
    path: Path, days: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["journal", "purge", str(path), "--older-than", days])
    assert "expected a number of days" in capsys.readouterr().err


def test_what_is_no_journal_is_not_purged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("orders")
    for name, why in (("nowhere", "No such file"), ("text", "this file is no journal")):
        assert main(["journal", "purge", str(tmp_path / name)]) == 2
        assert why in capsys.readouterr().err
    assert (tmp_path / "text").read_text() == "orders"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.asyncio
async def test_a_journal_in_use_is_not_purged(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(path) as journal:
        journal.open()
        assert await asyncio.to_thread(main, ["journal", "purge", str(path)]) == 2
    assert "is using it" in capsys.readouterr().err
