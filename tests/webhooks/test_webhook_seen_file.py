"""The file of `SeenWebhooks`: whose it is, where it went, a disk without room, and clocks that were wrong."""

from __future__ import annotations

import contextlib
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    ConfigurationError,
    Outcome,
    SeenWebhooks,
    WebhookError,
    WebhookInProgressError,
    WebhookNotMarkedError,
)
from plexypay_async.webhooks import seen as module

from .conftest import Machine
from .seen_rows import fill, rows

KEY = "transaction.charged:txn_1"

# ------------------------------------------------------------------------------------------- the file


def test_a_file_of_something_else_is_left_as_it_is(path: Path) -> None:
    path.write_text("nothing of SQLite's, and long enough to be sure of it " * 20)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="file is not a database"):
        SeenWebhooks(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id)")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="belongs to another program; it was left as it is"):
        SeenWebhooks(path)
    assert path.read_bytes() == before


def test_a_file_of_a_later_version_is_refused(seen: SeenWebhooks) -> None:
    with closing(sqlite3.connect(seen.path)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(ConfigurationError, match="its format is 9, and this plexypay reads 2"):
        SeenWebhooks(seen.path)


def remove(seen: SeenWebhooks) -> None:
    for file in seen.path.parent.iterdir():
        file.unlink()


def replace(seen: SeenWebhooks) -> None:
    remove(seen)
    SeenWebhooks(seen.path)


@pytest.mark.parametrize(("change", "told"), [(remove, "was removed"), (replace, "was replaced by another")])
def test_a_file_that_went_away_is_told_and_not_made_anew(
    seen: SeenWebhooks, change: Callable[[SeenWebhooks], None], told: str
) -> None:
    """It would forget what was handled, in silence."""
    seen.mark(KEY)
    change(seen)
    files = sorted(seen.path.parent.iterdir())
    copy = pickle.loads(pickle.dumps(seen))
    for ask in (seen, copy, lambda key: seen.claim(key, "me"), lambda key: seen.handling(key).__enter__()):
        with pytest.raises(ConfigurationError, match=f"{told}.* while it was in use"):
            ask(KEY)
    with pytest.raises(WebhookNotMarkedError, match=told):
        seen.mark(KEY)
    assert sorted(seen.path.parent.iterdir()) == files

    again = SeenWebhooks(seen.path)
    assert not again(KEY)
    again.mark(KEY)


def test_a_file_that_is_put_back_is_used_again(seen: SeenWebhooks) -> None:
    seen.mark(KEY)
    kept = seen.path.read_bytes()
    remove(seen)
    with pytest.raises(ConfigurationError, match="was removed"):
        seen(KEY)
    seen.path.write_bytes(kept)
    seen.path.chmod(0o600)
    assert seen(KEY)


def test_a_file_that_goes_away_amid_the_work_is_told_as_done(seen: SeenWebhooks) -> None:
    with pytest.raises(WebhookNotMarkedError, match="was removed"), seen.handling(KEY):
        remove(seen)
    assert list(seen.path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"path": ":memory:"}, "path: expected a file"),
        ({"path": ""}, "path: the path is empty"),
        ({"path": "there/is/no/such/folder/x.sqlite"}, "folder/x.sqlite: there is no such folder"),
        ({"keep": 0}, "keep: expected a positive number of seconds, got 0"),
        ({"keep": float("nan")}, "keep: expected a positive number"),
        ({"keep": float("inf")}, "keep: expected a positive number"),
        ({"lease": True}, "lease: expected a positive number of seconds, got True"),
        ({"lease": "60"}, "lease: expected a positive number of seconds, got '60'"),
    ],
)
def test_what_cannot_be_used_is_named(path: Path, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        SeenWebhooks(**{"path": path, **arguments})


def test_it_is_durable_and_leaves_no_connection_open(seen: SeenWebhooks) -> None:
    seen.mark(KEY)

    names = [file.name for file in seen.path.parent.iterdir()]
    assert sorted(names) == [seen.path.name, f"{seen.path.name}-journal"]
    with closing(sqlite3.connect(seen.path)) as connection:
        # The journal is kept, and empty: nothing is rolled back.
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT done FROM seen").fetchall() == [(1,)]


# ------------------------------------------------------------------------------------ a disk without room


def test_what_cannot_be_marked_is_told_as_done(seen: SeenWebhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_TIMEOUT", 0.05)
    handling = seen.handling(KEY)
    assert handling.__enter__()
    with closing(sqlite3.connect(seen.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WebhookNotMarkedError, match=r"was handled, and could not be.*locked") as caught:
            handling.__exit__(None, None, None)
    error = caught.value
    assert (error.outcome, error.dedupe_key) == (Outcome.DONE, KEY)
    assert isinstance(error, WebhookError)
    assert KEY in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.dedupe_key) == (type(error), str(error), KEY)
    # By hand, once there is room.
    seen.mark(KEY)
    assert seen(KEY)


@pytest.mark.asyncio
async def test_a_coroutine_is_told_the_same(seen: SeenWebhooks) -> None:
    with pytest.raises(WebhookNotMarkedError, match="was removed"):
        async with seen.handling(KEY):
            remove(seen)


def test_what_the_handler_raises_is_seen_where_its_claim_cannot_be_given_up(
    seen: SeenWebhooks, caplog: pytest.LogCaptureFixture
) -> None:
    def handler() -> None:
        remove(seen)
        raise ValueError("of the handler")

    with pytest.raises(ValueError, match="of the handler"), seen.handling(KEY):
        handler()
    assert "a claim could not be given up and lasts for 60 s" in caplog.text


@pytest.mark.parametrize("count", [0, 7, 60])
def test_a_claim_keeps_room_for_its_mark(
    seen: SeenWebhooks, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(seen, count)
    key = "receipt:" + "ORD-" * 700
    with seen.handling(key) as first:
        assert first
        with closing(sqlite3.connect(seen.path)) as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connect = type(seen._file).connect

        def without_room(file: Any, **options: Any) -> sqlite3.Connection:
            connection = connect(file, **options)
            connection.execute(f"PRAGMA max_page_count = {pages}")
            return connection

        monkeypatch.setattr(type(seen._file), "connect", without_room)
    assert seen(key)
    with pytest.raises(ConfigurationError, match="database or disk is full"):
        fill(seen, 200)


ON_A_FULL_DISK = """
import os, sys
from plexypay_async import ConfigurationError, SeenWebhooks

folder = sys.argv[1]
seen = SeenWebhooks(f"{folder}/webhooks.sqlite")
for number in range(40):
    with seen.handling(f"before-{number}"):
        pass
with seen.handling("receipt:ORD-1") as first:
    assert first
    with open(f"{folder}/filler", "wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 512):
                pass
        except OSError:
            pass
    assert not os.statvfs(folder).f_bavail
assert seen("receipt:ORD-1")
try:
    seen.claim("another" * 2000, "me")
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a file system of its own is Linux's")
def test_a_claim_keeps_room_on_a_full_disk(tmp_path: Path) -> None:
    mounted = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=256k none "$1" && shift && "$@"', "sh"]
    try:
        subprocess.run([*mounted, str(tmp_path), "true"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no file system can be mounted here")
    told = subprocess.run(
        [*mounted, str(tmp_path), sys.executable, "-W", "error", "-c", ON_A_FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.stderr == ""
    assert "disk is full" in told.stdout


# ------------------------------------------------------------------------------ clocks that were wrong

DAY = 86_400.0


def test_a_clock_that_is_ahead_erases_no_marks(seen: SeenWebhooks, machine: Machine) -> None:
    seen.mark(KEY)
    machine.wall += 400 * DAY
    assert seen(KEY)
    fill(seen, 3)
    assert seen(KEY)
    machine.wall -= 400 * DAY
    assert seen(KEY)
    fill(seen, 3)
    assert len(rows(seen.path)) == 7
    machine.pass_time(1001)
    assert not seen(KEY)


def test_a_machine_that_starts_with_a_clock_ahead_erases_little(path: Path, machine: Machine) -> None:
    seen = SeenWebhooks(path)
    seen.mark(KEY)
    for days in (400, -400, 400, -400):
        machine.start_again()
        machine.wall += days * DAY
        fill(seen, 1)
        assert seen(KEY)
    machine.pass_time(30 * DAY)
    assert not seen(KEY)


def test_a_clock_that_was_ahead_holds_no_claim_for_longer(seen: SeenWebhooks, machine: Machine) -> None:
    machine.wall += DAY
    assert seen.claim(KEY, "killed")
    machine.wall -= DAY
    machine.pass_time(59)
    with pytest.raises(WebhookInProgressError):
        seen.claim(KEY, "other")
    machine.pass_time(2)
    assert seen.claim(KEY, "other")


def test_a_clock_that_leaps_ahead_takes_no_claim_away(seen: SeenWebhooks, machine: Machine) -> None:
    assert seen.claim(KEY, "at work")
    machine.wall += DAY
    with pytest.raises(WebhookInProgressError):
        seen.claim(KEY, "other")


@pytest.mark.parametrize("days", [0, 1, -1])
def test_a_claim_from_before_a_restart_of_the_machine_ends(
    seen: SeenWebhooks, machine: Machine, days: int
) -> None:
    assert seen.claim(KEY, "killed with the machine")
    machine.start_again()
    machine.wall += 5 + days * DAY
    with contextlib.suppress(WebhookInProgressError):
        assert seen.claim("of another", "me")
    machine.pass_time(61)
    assert seen.claim(KEY, "other")


def test_where_there_is_no_steady_clock_the_wall_clock_counts_for_an_hour(
    path: Path, machine: Machine
) -> None:
    machine.boot = ""
    seen = SeenWebhooks(path, keep=10_000, lease=60)
    seen.mark(KEY)
    assert seen.claim("claimed", "killed")
    machine.wall += 61
    assert seen.claim("claimed", "other")
    machine.wall += 9 * DAY
    assert seen(KEY)
    for _ in range(3):
        fill(seen, 1)
        machine.wall += 3600
    assert not seen(KEY)
