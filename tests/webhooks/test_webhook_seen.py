"""Each event handled once: by threads, processes and loops, whatever stops them."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    SeenWebhooks,
    WebhookInProgressError,
)

from .conftest import Machine
from .seen_rows import rows

KEY = "transaction.charged:txn_1"


# ----------------------------------------------------------------------------------------- one worker


def test_an_event_is_handled_once(seen: SeenWebhooks) -> None:
    with seen.handling(KEY) as first:
        assert first is True
    for _ in range(2):
        with seen.handling(KEY) as first:
            assert first is False
    with seen.handling("another") as first:
        assert first is True


def test_it_is_remembered_by_the_file(seen: SeenWebhooks, path: Path) -> None:
    with seen.handling(KEY):
        pass

    with SeenWebhooks(path).handling(KEY) as first:
        assert first is False


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_raises_is_handled_at_the_next_delivery(seen: SeenWebhooks, raised: type[BaseException]) -> None:
    with pytest.raises(raised), seen.handling(KEY):
        raise raised
    assert not seen(KEY)

    with seen.handling(KEY) as first:
        assert first is True


def test_a_repeat_that_raises_takes_no_mark_away(seen: SeenWebhooks) -> None:
    seen.mark(KEY)
    with pytest.raises(ValueError, match="of the handler"), seen.handling(KEY):
        raise ValueError("of the handler")
    assert seen(KEY)


def test_to_ask_marks_nothing(seen: SeenWebhooks) -> None:
    assert [seen(KEY), seen(KEY)] == [False, False]
    with seen.handling(KEY) as first:
        assert first is True
        assert seen(KEY) is False
    assert seen(KEY) is True
    assert seen("another") is False


def test_a_mark_by_hand(seen: SeenWebhooks) -> None:
    seen.mark(KEY)
    seen.mark(KEY)

    assert seen(KEY)
    with seen.handling(KEY) as first:
        assert first is False


def test_while_it_is_handled_nobody_else_may(seen: SeenWebhooks, path: Path) -> None:
    with seen.handling(KEY) as first:
        for other in (seen, SeenWebhooks(path)):
            with pytest.raises(WebhookInProgressError, match="answer 503"), other.handling(KEY):
                pytest.fail("handled twice at once")
        assert first
    assert seen(KEY)


# ----------------------------------------------------------------------------------------------- time


def test_a_claim_ends_with_its_lease(seen: SeenWebhooks, pass_time: Callable[[float], None]) -> None:
    assert seen.claim(KEY, "killed")
    pass_time(59)
    with pytest.raises(WebhookInProgressError):
        seen.claim(KEY, "other")
    pass_time(2)
    assert seen.claim(KEY, "other")
    # The first was only slow: what it gives up is not the other's claim.
    seen.release(KEY, "killed")
    with pytest.raises(WebhookInProgressError):
        seen.claim(KEY, "third")


def test_what_was_handled_is_forgotten_in_the_end(
    seen: SeenWebhooks, path: Path, pass_time: Callable[[float], None]
) -> None:
    for number in range(10):
        seen.mark(f"old-{number}")
    pass_time(999)
    assert seen("old-1")
    seen.mark("new")
    pass_time(2)
    assert not seen("old-1")
    assert len(rows(path)) == 11

    with seen.handling(KEY) as first:
        assert first is True
    assert rows(path) == [("new", True), (KEY, True)]


def test_a_repeat_changes_nothing(seen: SeenWebhooks, pass_time: Callable[[float], None]) -> None:
    seen.mark(KEY)
    pass_time(900)
    with seen.handling(KEY) as first:
        assert first is False
    pass_time(101)
    assert not seen(KEY)


def test_a_mark_outlasts_the_lease(seen: SeenWebhooks, pass_time: Callable[[float], None]) -> None:
    with seen.handling(KEY):
        pass_time(30)
    pass_time(900)
    assert seen(KEY)


# -------------------------------------------------------------------------------- threads and processes


def test_many_threads_handle_each_event_once(seen: SeenWebhooks) -> None:
    handled: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    keys = [f"key-{number}" for number in range(5)]
    ready = threading.Barrier(8)

    def work() -> None:
        ready.wait(30)
        for key in keys:
            try:
                with seen.handling(key) as first:
                    if first:
                        handled[key] += 1
                    outcomes["first" if first else "repeat"] += 1
            except WebhookInProgressError:
                outcomes["in progress"] += 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert handled == Counter(keys)
    assert outcomes["first"] == len(keys)
    assert outcomes.total() == 8 * len(keys)


WORKER = """
import sys
from plexypay_async import SeenWebhooks, WebhookInProgressError

seen = SeenWebhooks(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    try:
        with seen.handling(f"key-{number}") as first:
            if first:
                print(number, flush=True)
    except WebhookInProgressError:
        pass
"""


def python(program: str, *arguments: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_many_processes_make_the_file_and_handle_each_event_once(path: Path) -> None:
    workers = [python(WORKER, path) for _ in range(3)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    told = [worker.communicate("\n", timeout=60)[0].split() for worker in workers]

    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sorted(int(number) for each in told for number in each) == list(range(30))
    assert len(rows(path)) == 30


KILLED = """
import sys, time
from plexypay_async import SeenWebhooks

with SeenWebhooks(sys.argv[1]).handling(sys.argv[2]) as first:
    print(first, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_event_whose_worker_was_killed_is_handled_after_the_lease(
    path: Path, pass_time: Callable[[float], None]
) -> None:
    with python(KILLED, path, KEY) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "True\n"
        worker.send_signal(signal.SIGKILL)
    seen = SeenWebhooks(path)
    with pytest.raises(WebhookInProgressError), seen.handling(KEY):
        pass
    pass_time(61)

    with seen.handling(KEY) as first:
        assert first is True


FORKING = """
import os, sys
from plexypay_async import SeenWebhooks

seen = SeenWebhooks(sys.argv[1])
with seen.handling("of the parent"):
    pass
child = os.fork()
if not child:
    with seen.handling("of the parent") as first:
        assert not first
    with seen.handling("of the child") as first:
        assert first
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
with seen.handling("of the child") as first:
    assert not first
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork")
def test_a_fork_shares_the_file(path: Path) -> None:
    with python(FORKING, path) as parent:
        parent.communicate(timeout=60)
    assert parent.returncode == 0
    assert rows(path) == [("of the child", True), ("of the parent", True)]


def test_a_pickled_copy_shares_the_file(seen: SeenWebhooks) -> None:
    copy = pickle.loads(pickle.dumps(seen))
    copy.mark(KEY)

    assert seen(KEY)
    assert (copy.path, copy.keep, copy.lease) == (seen.path, 1000, 60)
    assert repr(copy) == f"<SeenWebhooks {seen.path}>"


def test_a_change_of_folder_keeps_the_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = SeenWebhooks(path.name)
    monkeypatch.chdir(Path(__file__).parent)
    seen.mark(KEY)

    assert rows(path) == [(KEY, True)]


# ------------------------------------------------------------------------------------------ event loops


@pytest.mark.asyncio
async def test_many_tasks_handle_each_event_once(seen: SeenWebhooks) -> None:
    outcomes: Counter[str] = Counter()

    async def handle() -> None:
        try:
            async with seen.handling(KEY) as first:
                await asyncio.sleep(0)
                outcomes["first" if first else "repeat"] += 1
        except WebhookInProgressError:
            outcomes["in progress"] += 1

    await asyncio.gather(*(handle() for _ in range(10)))

    assert outcomes["first"] == 1
    assert outcomes.total() == 10
    assert seen(KEY)


@pytest.mark.asyncio
async def test_a_task_that_raises_or_is_cancelled_leaves_the_event_to_the_next(seen: SeenWebhooks) -> None:
    with pytest.raises(ValueError, match="of the handler"):
        async with seen.handling(KEY):
            raise ValueError("of the handler")
    begun = asyncio.Event()

    async def handle() -> None:
        async with seen.handling(KEY):
            begun.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(handle())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with seen.handling(KEY) as first:
        assert first is True


@pytest.mark.asyncio
async def test_a_task_cancelled_while_it_claims_keeps_no_claim(
    seen: SeenWebhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    claiming, go_on = threading.Event(), threading.Event()
    claim = SeenWebhooks.claim

    def slow_claim(self: SeenWebhooks, key: str, owner: str) -> bool:
        claiming.set()
        assert go_on.wait(30)
        return claim(self, key, owner)

    monkeypatch.setattr(SeenWebhooks, "claim", slow_claim)

    async def handle() -> None:
        async with seen.handling(KEY):
            pytest.fail("it was cancelled before")

    task = asyncio.create_task(handle())
    await asyncio.to_thread(claiming.wait, 30)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert rows(seen.path) == []


# -------------------------------------------------------------------------- marks of earlier versions

BOUND = "transaction.charged:txn_1:0123456789abcdef0123456789abcdef"


def test_a_mark_of_an_earlier_version_holds_until_it_runs_out(
    seen: SeenWebhooks, pass_time: Callable[[float], None]
) -> None:
    """Earlier versions marked ``name:id``; the digest behind it came later."""
    seen.mark("transaction.charged:txn_1")

    assert seen(BOUND)
    with seen.handling(BOUND) as first:
        assert first is False
    assert not seen(BOUND.replace("txn_1", "txn_2"))
    pass_time(1001)
    assert not seen(BOUND)
    with seen.handling(BOUND) as first:
        assert first is True


def test_a_claim_of_an_earlier_version_holds(seen: SeenWebhooks) -> None:
    seen.claim("transaction.charged:txn_1", "a worker of an earlier version")

    assert not seen(BOUND)
    with pytest.raises(WebhookInProgressError), seen.handling(BOUND):
        pass


def test_events_of_two_merchants_are_two(seen: SeenWebhooks) -> None:
    """The same name and id; what differs is in the digest."""
    seen.mark(BOUND)

    other = BOUND[:-1] + "0"
    assert not seen(other)
    with seen.handling(other) as first:
        assert first is True


@pytest.mark.parametrize("key", ["receipt:0123456789abcdef0123456789abcdef", f"receipt:{BOUND}"])
def test_keys_of_the_callers_own_are_taken_whole(seen: SeenWebhooks, key: str) -> None:
    seen.mark(key.rpartition(":")[0])

    assert not seen(key)


def test_a_store_of_an_earlier_version_is_taken_over(path: Path, machine: Machine) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE seen (key TEXT PRIMARY KEY, owner TEXT, expires REAL NOT NULL) WITHOUT ROWID;"
            "CREATE INDEX seen_expires ON seen (expires);"
            "PRAGMA application_id = 1349277783; PRAGMA user_version = 1;"
            "INSERT INTO seen VALUES ('transaction.charged:txn_1', NULL, 9e9),"
            " ('transaction.charged:txn_2', NULL, 5.0), ('refund:1', 'killed', 8e9);"
            "PRAGMA journal_mode = WAL"
        )
    seen = SeenWebhooks(path)
    assert seen(BOUND)
    seen.mark(BOUND)
    assert rows(path) == [
        ("refund:1", False),
        ("transaction.charged:txn_1", True),
        (BOUND, True),
        ("transaction.charged:txn_2", True),
    ]
    # A claim of a clock that was ahead is none of a month; a mark that has just run out stays for a day.
    machine.pass_time(3602)
    assert seen.claim("refund:1", "me")
    assert seen("transaction.charged:txn_2")
