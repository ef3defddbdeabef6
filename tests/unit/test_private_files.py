"""Files with customers' data: their owner's alone, never by a link, whatever is swapped meanwhile."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import ConfigurationError, SeenWebhooks
from plexypay_async._files.private_files import connect, make_private_database, open_private
from plexypay_async.bulk.journal import Journal
from plexypay_async.cli.exits import UnusableInputError
from plexypay_async.cli.results import ResultsFile, RowOutcome, RowResult, check_results_path
from plexypay_async.sandbox.database import open_database

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners of POSIX")

is_root = hasattr(os, "geteuid") and os.geteuid() == 0
as_root = pytest.mark.skipif(not is_root, reason="giving a file to another user")


@contextlib.contextmanager
def journal(path: Path) -> Iterator[None]:
    with Journal(path) as opened:
        opened.open()
        opened.exchange([], [], [(0, "ORD-1", b"digest")])
        yield


@contextlib.contextmanager
def seen_store(path: Path) -> Iterator[None]:
    seen = SeenWebhooks(path)
    # A connection of its own keeps the files beside it while the store's are opened and closed.
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("SELECT * FROM seen").fetchall()
        with seen.handling("receipt:ORD-1"):
            yield


@contextlib.contextmanager
def sandbox_database(path: Path) -> Iterator[None]:
    with contextlib.closing(
        open_database(path, ["CREATE TABLE IF NOT EXISTS cards (number TEXT)"])
    ) as opened:
        opened.execute("INSERT INTO cards VALUES ('4111111111111111')")
        yield


@contextlib.contextmanager
def results(path: Path, *, rewrite: bool) -> Iterator[None]:
    with contextlib.closing(ResultsFile(str(path), rewrite=rewrite)) as opened:
        opened.write(RowResult(line=2, order_reference="ORD-1", outcome=RowOutcome.FAILED))
        yield


Door = Callable[[Path], contextlib.AbstractContextManager[None]]
DATABASES: dict[str, Door] = {
    "orders.journal": journal,
    "webhooks.sqlite": seen_store,
    "sandbox.sqlite": sandbox_database,
}
DOORS: dict[str, Door] = {
    **DATABASES,
    "results.csv": lambda path: results(path, rewrite=False),
    "rewritten.csv": lambda path: results(path, rewrite=True),
    "rewritten.jsonl": lambda path: results(path, rewrite=True),
}
REFUSED = (ConfigurationError, UnusableInputError)


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.lstat().st_mode)) for path in folder.iterdir()}


@pytest.mark.parametrize("name", DOORS)
def test_what_is_made_is_its_owners_alone_whatever_the_umask(tmp_path: Path, name: str, umask: None) -> None:
    with DOORS[name](tmp_path / name):
        while_open = modes(tmp_path)
    assert set(while_open.values()) == {"0o600"}
    assert set(modes(tmp_path).values()) == {"0o600"}
    if name in DATABASES:
        assert not {f"{name}-wal", f"{name}-journal"}.isdisjoint(while_open)


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("exists", [True, False], ids=["to a file", "to nothing"])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, name: str, exists: bool) -> None:
    target = tmp_path / "elsewhere"
    if exists and name != "results.csv":
        # Even to a file that would be taken by its own name.
        with DOORS[name](target.with_suffix(Path(name).suffix)):
            pass
        target.with_suffix(Path(name).suffix).rename(target)
        target.with_suffix(f"{Path(name).suffix}-journal").unlink(missing_ok=True)
    elif exists:
        target.touch()
    before = target.read_bytes() if exists else None
    link = tmp_path / name
    link.symlink_to(target)

    with pytest.raises(REFUSED, match=r"symbolic link|exists"), DOORS[name](link):
        pytest.fail("the link was followed")
    assert (target.read_bytes() if target.exists() else None) == before
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, *(["elsewhere"] * exists)])


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("beside", ["-wal", "-journal"])
def test_a_link_beside_a_database_is_not_followed(tmp_path: Path, name: str, beside: str) -> None:
    target = tmp_path / "elsewhere"
    (tmp_path / f"{name}{beside}").symlink_to(target)

    with pytest.raises(REFUSED, match="symbolic link"), DATABASES[name](tmp_path / name):
        pytest.fail("the link was followed")
    assert not target.exists()


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "real" / "inner").mkdir()
    (tmp_path / "inner").symlink_to("real/inner")
    for name, door in DOORS.items():
        with door(tmp_path / "folder" / name):
            pass
        # The parent of what the link names, not of where it stands.
        with door(tmp_path / "inner" / ".." / f"again-{name}"):
            pass
    (tmp_path / "real" / "inner").rmdir()
    assert set(modes(tmp_path / "real").values()) == {"0o600"}
    made = [file for file in modes(tmp_path / "real") if not file.endswith("-journal")]
    assert len(made) == 2 * len(DOORS)


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_link_swapped_in_while_it_is_opened_is_noticed(
    tmp_path: Path, name: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, victim = tmp_path / name, tmp_path / "victim"
    with DATABASES[name](path), contextlib.suppress(sqlite3.Error):
        pass
    with contextlib.closing(sqlite3.connect(victim)) as other:
        other.execute("VACUUM")
    before = victim.read_bytes()
    opening = sqlite3.connect

    def swap() -> None:
        path.unlink()
        path.symlink_to(victim)

    def connecting(*arguments: Any, **options: Any) -> sqlite3.Connection:
        if when == "before":
            swap()
        opened: sqlite3.Connection = opening(*arguments, **options)
        if when == "after":
            swap()
        return opened

    monkeypatch.setattr(sqlite3, "connect", connecting)
    with pytest.raises(REFUSED, match=r"symbolic link|took its place"), DATABASES[name](path):
        pytest.fail("the link was followed")
    assert victim.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if "victim-" in file.name] == []


@pytest.mark.parametrize("name", DATABASES)
def test_another_file_swapped_in_and_out_is_noticed(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / name, tmp_path / "victim"
    for each in (path, other):
        with DATABASES[name](each):
            pass
    opening = sqlite3.connect

    def connecting(*arguments: Any, **options: Any) -> sqlite3.Connection:
        path.rename(tmp_path / "aside")
        path.symlink_to(other)
        opened: sqlite3.Connection = opening(*arguments, **options)
        path.unlink()
        (tmp_path / "aside").rename(path)
        return opened

    monkeypatch.setattr(sqlite3, "connect", connecting)
    with pytest.raises(REFUSED, match="took its place"), DATABASES[name](path):
        pytest.fail("what was swapped in was used")


@as_root
@pytest.mark.parametrize("name", ["orders.journal", "webhooks.sqlite", "sandbox.sqlite", "rewritten.csv"])
def test_a_file_of_another_user_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with DOORS[name](path):
        pass
    before = path.read_bytes()
    os.chown(path, 12345, -1)

    with pytest.raises(REFUSED, match=r"belongs to another user \(uid 12345\)"), DOORS[name](path):
        pytest.fail("it was used")
    assert path.read_bytes() == before


@as_root
@pytest.mark.parametrize("name", DATABASES)
def test_another_users_file_beside_a_database_is_refused(tmp_path: Path, name: str) -> None:
    path, beside = tmp_path / name, tmp_path / f"{name}-wal"
    with DATABASES[name](path):
        pass
    beside.touch()
    os.chown(beside, 12345, -1)

    with pytest.raises(REFUSED, match="belongs to another user"), DATABASES[name](path):
        pytest.fail("it was used")
    assert beside.stat().st_size == 0


@as_root
def test_another_users_file_that_came_after_the_first_look_is_refused(tmp_path: Path) -> None:
    path, beside = tmp_path / "some.sqlite", tmp_path / "some.sqlite-wal"
    connect(path).close()
    beside.touch()
    os.chown(beside, 12345, -1)

    with pytest.raises(OSError, match="belongs to another user"):
        make_private_database(path)


@pytest.mark.parametrize("name", ["orders.journal", "webhooks.sqlite", "sandbox.sqlite", "rewritten.csv"])
def test_rights_of_others_to_an_older_file_are_taken_away_and_told(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    with DOORS[name](path):
        pass
    path.chmod(0o664)

    with DOORS[name](path):
        assert set(modes(tmp_path).values()) == {"0o600"}
    assert set(modes(tmp_path).values()) == {"0o600"}
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == [f"{path}: others had rights to this file; they have none now (mode 0600)"]


@pytest.mark.parametrize("name", ["orders.journal", "webhooks.sqlite", "sandbox.sqlite", "rewritten.csv"])
def test_a_file_of_something_else_keeps_its_mode_and_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("nothing of ours, and long enough to be sure of it " * 20)
    path.chmod(0o644)
    before = path.read_bytes()

    with pytest.raises(REFUSED), DOORS[name](path):
        pytest.fail("it was used")
    assert (path.read_bytes(), modes(tmp_path)) == (before, {name: "0o644"})


@pytest.mark.parametrize("name", DOORS)
def test_a_named_pipe_is_refused_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(REFUSED, match=r"no regular file|exists"), DOORS[name](tmp_path / name):
        pytest.fail("it was used")


def test_a_look_at_results_makes_nothing_and_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    check_results_path(str(path), rewrite=True)
    assert not path.exists()
    path.touch(0o644)
    path.chmod(0o644)
    check_results_path(str(path), rewrite=True)
    assert modes(tmp_path) == {"results.csv": "0o644"}


def test_a_mode_that_cannot_be_set_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "seen.sqlite"
    seen = SeenWebhooks(path)
    path.chmod(0o664)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)
    seen.mark("1")
    seen.mark("2")
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"{path}: others have rights to this file, and its mode cannot be changed"]


def test_without_the_flags_of_posix_links_are_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as Windows can be had here: no O_NOFOLLOW, no owners, no modes."""
    for name in ("O_NOFOLLOW", "geteuid", "fchmod"):
        monkeypatch.delattr(os, name)
    for name, door in DOORS.items():
        with door(tmp_path / name):
            pass
        (tmp_path / f"link-{name}").symlink_to(tmp_path / name)
        with pytest.raises(REFUSED, match=r"symbolic link|exists"), door(tmp_path / f"link-{name}"):
            pytest.fail("the link was followed")


# ------------------------------------------------------------------------------------------------ locks

TRY_TO_WRITE = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    sys.exit(str(error))
"""


def test_looking_at_a_database_keeps_the_locks_of_other_connections(tmp_path: Path) -> None:
    path = tmp_path / "held.sqlite"

    def asked() -> str:
        done = subprocess.run(
            [sys.executable, "-c", TRY_TO_WRITE, path], stderr=subprocess.PIPE, text=True, check=False
        )
        return done.stderr.strip()

    with contextlib.closing(connect(path, isolation_level=None)) as holder:
        holder.execute("CREATE TABLE held (id)")
        holder.execute("BEGIN IMMEDIATE")
        assert asked() == "database is locked"
        path.chmod(0o644)
        connect(path).close()
        make_private_database(path)
        assert modes(tmp_path)["held.sqlite"] == "0o600"
        assert asked() == "database is locked"
        # What it would be with a descriptor of its own.
        os.close(open_private(path, os.O_RDONLY))
        assert asked() == ""


TEMPORARY = """
import contextlib, io, os, sqlite3, sys
from plexypay_async.pay.payment_links import CreatePaymentLink
from plexypay_async.cli.reconciliation import Reconciliation
from plexypay_async.cli.references import check_references
from plexypay_async.cli.rows import Row
from plexypay_async.cli.source import Source

os.umask(0)

def rows():
    for number in range(6_000):
        reference = f"ORD-{number:06}" * 100
        yield Row(number, CreatePaymentLink(amount=1, currency="KZT", order_reference=reference))

spooled = Source("-")
spooled.spool()
checked = [check_references(rows(), required=None) for _ in range(2)]
for each in checked:
    for _ in range(6_000):
        next(each)
with Reconciliation.open() as reconciliation:
    reconciliation.add_rows(rows())
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if sys.argv[1] in os.readlink(f"/proc/self/fd/{name}"):
                found = os.fstat(int(name))
                print(oct(found.st_mode & 0o777), found.st_nlink)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="descriptors in /proc")
def test_temporary_files_of_the_command_have_no_name_and_no_other_reader(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TEMPORARY, tmp_path],
        input="amount,currency\n1,KZT\n",
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "SQLITE_TMPDIR": str(tmp_path), "TMPDIR": str(tmp_path)},
    )
    assert done.stdout.splitlines() == ["0o600 0"] * 4
    assert os.listdir(tmp_path) == []
