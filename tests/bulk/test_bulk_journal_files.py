"""Files that are no journal, or no longer one, and full disks: a clear error, and nothing lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from plexypay_async import ConfigurationError, Journal
from plexypay_async.bulk.journal_format import APPLICATION_ID, State
from plexypay_async.sandbox import Sandbox

from .ledger_server import ledger
from .rows import a_client, expected, rows, run

pytestmark = pytest.mark.asyncio


async def refused(sandbox: Sandbox, path: Path) -> str:
    """Run a job on a file that is refused, and return what is said."""
    async with a_client(sandbox) as plexy:
        with pytest.raises(ConfigurationError) as caught:
            await run(plexy, rows(5), journal=path)
    assert sandbox.requests.count() == 0
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest_asyncio.fixture
async def whole(tmp_path: Path) -> bytes:
    """The content of a good journal."""
    path = tmp_path / "whole"
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, rows(200), journal=path)
    assert [file.name for file in tmp_path.iterdir()] == ["whole"]
    return path.read_bytes()


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"amount,currency\n1,KZT\n", "this file is no journal; it was left as it is"),
        (b"x", "this file is no journal"),
        (b"SQLite format", "this file is no journal"),
        (os.urandom(5000), "this file is no journal"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "damaged|belongs to another program"),
    ],
    ids=["text", "a byte", "half a magic", "random", "magic alone"],
)
async def test_a_file_that_is_no_journal_is_refused_and_left(
    sandbox: Sandbox, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    message = await refused(sandbox, path)

    assert any(part in message for part in said.split("|"))
    assert path.read_bytes() == content


async def test_another_programs_database_is_refused_and_left(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "invoices.sqlite"
    foreign(path)
    content = path.read_bytes()

    assert "belongs to another program" in await refused(sandbox, path)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


async def test_a_journal_of_a_newer_version_is_refused_and_left(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "newer"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE later (id INTEGER)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 3")
    content = path.read_bytes()

    assert "its format is 3, and this plexypay reads 2" in await refused(sandbox, path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
async def test_a_truncated_journal_is_refused_and_left(
    sandbox: Sandbox, tmp_path: Path, whole: bytes, share: float
) -> None:
    path = tmp_path / "torn"
    path.write_bytes(whole[: int(len(whole) * share)])

    assert "damaged" in await refused(sandbox, path)
    assert path.read_bytes() == whole[: int(len(whole) * share)]


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
async def test_a_journal_with_garbage_in_it_is_refused_and_left(
    sandbox: Sandbox, tmp_path: Path, whole: bytes, at: float
) -> None:
    begin = int(len(whole) * at) // 4096 * 4096
    torn = whole[:begin] + b"\xa5" * 4096 + whole[begin + 4096 :]
    path = tmp_path / "torn"
    path.write_bytes(torn)

    assert "damaged" in await refused(sandbox, path)
    assert path.read_bytes() == torn


async def test_a_folder_and_a_missing_folder_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    assert "directory" in (await refused(sandbox, tmp_path)).lower()
    assert "there is no such folder" in await refused(sandbox, tmp_path / "nowhere" / "journal")


@pytest.mark.parametrize("left", ["nothing", "an empty database", "an empty database in WAL mode"])
async def test_what_a_killed_making_leaves_is_made_anew(sandbox: Sandbox, tmp_path: Path, left: str) -> None:
    path = tmp_path / "journal"
    path.touch()
    if left != "nothing":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL" if "WAL" in left else "VACUUM")
        assert path.stat().st_size > 0 or "WAL" not in left
    async with a_client(sandbox) as plexy:
        results = await run(plexy, rows(5), journal=path)
    assert [result.error for result in results] == [None] * 5


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder, and no right to write what is not one's own: root may write anything."""
    if os.geteuid() != 0:
        yield Path(tempfile.mkdtemp())
        return
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


async def test_a_read_only_journal_is_refused(sandbox: Sandbox, as_nobody: Path, whole: bytes) -> None:
    path = as_nobody / "journal"
    path.write_bytes(whole)
    path.chmod(0o444)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        message = await refused(sandbox, path)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
    assert "Permission denied" in message
    assert "damaged" not in message


async def test_a_full_disk_stops_the_job_and_nothing_is_sent_without_a_claim(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    script = (
        "import asyncio, resource, signal, sys\n"
        "from plexypay_async import AsyncPlexyPay, CreatePaymentLink, ConfigurationError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "links = [CreatePaymentLink(amount=n + 1, currency='KZT', order_reference=f'ORD-{n}')\n"
        "         for n in range(1000)]\n"
        "async def main():\n"
        "    async with AsyncPlexyPay('key', base_url=sys.argv[1]) as plexy:\n"
        "        async for _ in plexy.payment_links.create_many(links, journal=sys.argv[2]): pass\n"
        "try: asyncio.run(main())\n"
        "except ConfigurationError as error: print(error)\n"
    )
    async with ledger() as server:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, server.base_url, str(path)), stdout=subprocess.PIPE
        )
        out, _ = await child.communicate()

        assert "cannot be written" in out.decode()
        assert "nothing more is sent" in out.decode()
        assert 0 < server.creates.total() < 1000
        with Journal(path) as journal:
            journal.open()
            known = {reference: state for reference, state, _ in journal.links()}
        assert set(server.creates) <= set(known)

        async with a_client(server) as plexy:
            results = await run(plexy, rows(1000), journal=path)
        assert [result.error for result in results] == [None] * 1000

    assert server.twice == []
    assert set(server.links) == set(expected(1000))


async def test_a_journal_that_fails_in_mid_job_ends_it_and_can_be_used_again(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls, real = tmp_path / "journal", 0, Journal.exchange

    def failing(self: Journal, *arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            # Within its transaction, as a disk that is full would.
            with self._transaction() as connection:
                connection.execute("INSERT INTO nowhere VALUES (1)")
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "exchange", failing)
    async with a_client(sandbox) as plexy:
        with pytest.raises(ConfigurationError, match=r"cannot be written \(no such table: nowhere\)"):
            await run(plexy, rows(300), journal=path)
        results = await run(plexy, rows(300), journal=path)

    assert [result.error for result in results] == [None] * 300
    assert len(sandbox.payment_links()) == 300


async def test_methods_of_a_journal_tell_what_is_in_it(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("code=5,times=2,operation=payment_links.create")
    path = tmp_path / "journal"
    async with a_client(sandbox) as plexy:
        await run(plexy, rows(5), journal=path, concurrency=1)

    with Journal(path) as journal:
        with pytest.raises(ConfigurationError, match="it is not open"):
            journal.counts()
        journal.open()
        journal.open()
        assert journal.counts() == {State.DONE: 3, State.FAILED: 2}
        links = journal.links()
    assert [(reference, state) for reference, state, _ in links][:3] == [
        ("ORD-0", State.FAILED),
        ("ORD-1", State.FAILED),
        ("ORD-2", State.DONE),
    ]
    assert links[2][2]["orderReference"] == "ORD-2"
    assert repr(journal) == f"<Journal {path}>"
