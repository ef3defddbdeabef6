"""Starting, stopping, what survives, and running as a process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from plexypay_async.errors import ConfigurationError
from plexypay_async.sandbox import Clock, Sandbox

LINK = {"amount": 2_200_000, "currency": "KZT"}
LINKS = "/v1/payment-links"


async def create(sandbox: Sandbox, session: aiohttp.ClientSession, **fields: Any) -> Any:
    headers = {"Authorization": sandbox.api_key}
    async with session.post(sandbox.base_url + LINKS, json=LINK | fields, headers=headers) as response:
        return await response.json()


@pytest.mark.asyncio
async def test_a_file_survives_a_restart(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    path = tmp_path / "sandbox.db"
    async with Sandbox(database=path) as first:
        link = await create(first, session, orderReference="A-1", metadata={"a": 1})
    async with Sandbox(database=str(path)) as second:
        (kept,) = second.payment_links()
        assert kept == link | {"url": f"{second.base_url}/checkout/{link['id']}"}
        assert (await create(second, session, orderReference="A-1"))["code"] == 5
        assert (await create(second, session, orderReference="A-2"))["status"] == "active"


@pytest.mark.asyncio
async def test_memory_does_not(session: aiohttp.ClientSession) -> None:
    sandbox = Sandbox()
    for _ in range(2):
        async with sandbox:
            assert sandbox.payment_links() == []
            await create(sandbox, session, orderReference="A-1")
            assert len(sandbox.payment_links()) == 1


@pytest.mark.asyncio
async def test_a_file_that_goes_away(
    session: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Sandbox(database="") as sandbox:
        await create(sandbox, session)
        assert len(sandbox.payment_links()) == 1
    async with Sandbox(database="") as sandbox:
        assert sandbox.payment_links() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_one_port_can_be_taken_again_at_once(session: aiohttp.ClientSession) -> None:
    async with Sandbox() as first:
        port = int(first.base_url.rpartition(":")[2])
        await create(first, session)
    async with Sandbox(port=port) as second:
        assert second.base_url == first_url(port)
        await create(second, session)
        with pytest.raises(OSError, match="in use"):
            await Sandbox(port=port).start()


def first_url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("host", "shown"), [("localhost", "http://"), ("::1", "http://[::1]:"), ("0.0.0.0", "http://127.0.0.1:")]
)
async def test_hosts(session: aiohttp.ClientSession, host: str, shown: str) -> None:
    if host == "::1":
        with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                pytest.skip("no IPv6 here")
    async with Sandbox(host=host) as sandbox:
        assert sandbox.base_url.startswith(shown)
        link = await create(sandbox, session)
        async with session.get(link["url"]) as response:
            assert response.status == 200


@pytest.mark.asyncio
async def test_what_is_no_sandbox_s_database(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look at " * 100)
    other = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    newer = tmp_path / "newer.db"
    async with Sandbox(database=newer):
        pass
    with contextlib.closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version=99")
    for path, said in (
        (text, "not an SQLite"),
        (other, "belongs to another program"),
        (newer, "format is 99"),
    ):
        sandbox = Sandbox(database=path)
        with pytest.raises(ConfigurationError, match=said):
            await sandbox.start()
        await sandbox.stop()
    assert text.read_text().startswith("not a database")


@pytest.mark.asyncio
async def test_misuse() -> None:
    sandbox = Sandbox()
    assert "stopped" in repr(sandbox)
    for use in (lambda: sandbox.base_url, sandbox.payment_links, sandbox.served):
        with pytest.raises(ConfigurationError, match="not running"):
            use()
    await sandbox.start()
    with pytest.raises(ConfigurationError, match="running already"):
        await sandbox.start()
    assert sandbox.base_url in repr(sandbox)
    await sandbox.stop()
    await sandbox.stop()


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ConfigurationError, match="api_key"):
        Sandbox(api_key="")
    with pytest.raises(ConfigurationError, match="api_key"):
        Sandbox(api_key="a\nb")
    with pytest.raises(ConfigurationError, match="max_page_size"):
        Sandbox(max_page_size=0)
    with pytest.raises(ConfigurationError, match="faults"):
        Sandbox(faults="code=1")
    with pytest.raises(ValueError, match="code"):
        Sandbox(faults=["code=9"])


@pytest.mark.asyncio
async def test_the_stop_leaves_no_task_and_no_socket(session: aiohttp.ClientSession) -> None:
    before = asyncio.all_tasks()
    async with Sandbox() as sandbox:
        await asyncio.gather(*(create(sandbox, session) for _ in range(20)))
        port = int(sandbox.base_url.rpartition(":")[2])
    assert asyncio.all_tasks() <= before
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


def test_a_sandbox_can_be_read_from_another_thread() -> None:
    sandbox, loop = Sandbox(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result(30)

        async def one() -> None:
            async with aiohttp.ClientSession() as session:
                await create(sandbox, session)

        asyncio.run(one())
        assert len(sandbox.payment_links()) == sandbox.requests.count("payment_links.create") == 1
    finally:
        asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


SERVER = """
import asyncio, signal
from plexypay_async.sandbox import Sandbox

async def run():
    async with Sandbox(faults=["hang=true"]) as sandbox:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
        print(sandbox.base_url, flush=True)
        await asyncio.Event().wait()

try:
    asyncio.run(run())
except asyncio.CancelledError:
    print("stopped")
"""


def test_a_process_that_is_told_to_stop_leaves_no_warning(without_slow_steps: Callable[[str], str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            host, _, port = process.stdout.readline().strip().removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port))) as hanging:
                hanging.sendall(b"GET /v1/payment-links HTTP/1.1\r\nHost: localhost\r\n\r\n")
                with socket.create_connection((host, int(port))) as other:
                    # Answered, so the first has arrived.
                    other.sendall(
                        b"GET /_sandbox/requests HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    )
                    assert b"payment_links.list" in other.makefile("rb").read()
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate(timeout=20)
                assert hanging.recv(1) == b""
        finally:
            process.kill()
    assert (process.returncode, out, without_slow_steps(err)) == (0, "stopped\n", "")


def test_the_clock_goes_ahead_only() -> None:
    clock = Clock()
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    moved = clock.advance(hours=1, minutes=30, seconds=15)
    assert 5415 <= (moved - before).total_seconds() < 5475
    assert clock.now() >= moved
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(seconds=-1)
    for seconds in (1e12, 1e30, float("inf")):
        with pytest.raises(ValueError, match="year 9000"):
            clock.advance(seconds=seconds)
    clock.reset()
    assert (clock.now() - before).total_seconds() < 60


@pytest.mark.asyncio
async def test_the_tables_of_a_file_are_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    async with Sandbox(database=path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())
    columns = "seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, "
    assert {name: made[name] for name in TABLES} == {
        name: f"CREATE TABLE {name} ({columns}{rest})" for name, rest in TABLES.items()
    }


TABLES = {
    "payment_links": (
        "amount INTEGER NOT NULL, currency TEXT NOT NULL, description TEXT, order_reference TEXT UNIQUE,"
        " status TEXT NOT NULL DEFAULT 'active', customer_id TEXT, metadata TEXT, recurring TEXT,"
        " auto_clearing INTEGER NOT NULL, validation INTEGER NOT NULL, created_at INTEGER NOT NULL,"
        " updated_at INTEGER NOT NULL, expires_at INTEGER"
    ),
    "transactions": (
        "type TEXT NOT NULL, status TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,"
        " clearing TEXT NOT NULL, order_reference TEXT, description TEXT, payment_link_id TEXT,"
        " parent_id TEXT, customer_id TEXT, recurring_type TEXT, card_token_id TEXT, notification_url TEXT,"
        " card_number TEXT NOT NULL, card_expiry TEXT NOT NULL, cardholder TEXT, cvv_status TEXT,"
        " response_code TEXT NOT NULL, three_ds_status TEXT, rrn TEXT NOT NULL, auth_code TEXT NOT NULL,"
        " network_reference TEXT NOT NULL, captured INTEGER NOT NULL, refunded INTEGER NOT NULL,"
        " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, authorized_at INTEGER,"
        " charged_at INTEGER, capture_due_at INTEGER"
    ),
    "wallet_transactions": (
        "status TEXT NOT NULL, order_reference TEXT, amount INTEGER NOT NULL, currency TEXT NOT NULL,"
        " refunded INTEGER NOT NULL DEFAULT 0, idempotency_key TEXT NOT NULL UNIQUE, request TEXT NOT NULL"
    ),
    "settlement_orders": (
        "amount TEXT NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'created',"
        " beneficiary_id TEXT, request_id TEXT UNIQUE, request TEXT NOT NULL, created_at INTEGER NOT NULL"
    ),
}
"""What follows the columns that every table has, as the sandbox's files have had it from the first."""
