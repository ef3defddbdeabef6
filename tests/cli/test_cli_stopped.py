"""A stopped job says of each row what a server that counts proves: made there is never "failed", and what it
never received is never "unknown". A second run with the journal leaves each order exactly one link."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import re
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import Journal
from plexypay_async.bulk.journal_format import State
from tests.cli.conftest import KEY
from tests.refusing_port import refusing_port

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
    pytest.mark.asyncio,
]

COUNT = 40
REFERENCES = [f"R-{number}" for number in range(COUNT)]
LOOK_UP = "/v1/payment-links/by-order-reference/"
CODE_1 = {"code": 1, "message": "busy", "source": "paymentLinks", "type": "apiError"}
NOT_FOUND = {"code": 4, "message": "not there", "source": "paymentLinks", "type": "apiError"}


class Orders:
    """A server that counts what arrives, and hangs at one moment of each request.

    Args:
        moment: When; None answers.
    """

    def __init__(self, moment: str | None, port: int = 0) -> None:
        self.moment = moment
        self.port = port
        self.connections = 0
        self.received: Counter[str] = Counter()
        """How often the body of a create has come, by its order reference."""
        self.looked_up: Counter[str] = Counter()
        self.links: dict[str, list[dict[str, Any]]] = {}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncGenerator[Orders]:
        tasks: set[asyncio.Task[Any]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await self._serve(reader, writer)
            writer.close()

        listener = socket.socket()
        # What is not read soon holds up the writing.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        server = await asyncio.start_server(serve, sock=listener)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.moment == "handshake":
            await asyncio.Event().wait()
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if self.moment == "head":
                await asyncio.Event().wait()
            method, path = head.split(" ", 2)[:2]
            length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1]) if length else 0)
            answer = await (self._create(json.loads(body)) if method == "POST" else self._find(path))
            if answer is None:
                return
            status, document = answer
            content = json.dumps(document).encode()
            again = "Retry-After: 60\r\n" if document is CODE_1 else ""
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{again}"
                f"Content-Length: {len(content)}\r\n\r\n".encode()
                + content
            )
            await writer.drain()

    async def _create(self, row: dict[str, Any]) -> tuple[int, Any] | None:
        reference = row["orderReference"]
        self.received[reference] += 1
        if self.moment == "before the work":
            await asyncio.Event().wait()
        if self.moment == "code 1":
            return 503, CODE_1
        made = self.links.setdefault(reference, [])
        made.append({"id": f"pl_{reference}_{len(made)}", "url": "https://pay.example", "status": "active"})
        made[-1].update(row)
        if self.moment == "after the work":
            await asyncio.Event().wait()
        return None if self.moment == "look-up" else (201, made[-1])

    async def _find(self, path: str) -> tuple[int, Any]:
        if self.moment == "look-up":
            self.looked_up[path] += 1
            await asyncio.Event().wait()
        if path.startswith(LOOK_UP):
            made = self.links.get(path.removeprefix(LOOK_UP))
            return (200, made[0]) if made else (404, NOT_FOUND)
        every = [link for made in self.links.values() for link in made]
        return 200, {"data": every, "page": 1, "size": 100, "total": len(every)}


class Job:
    """The command on a file of forty rows, in a process of its own."""

    def __init__(self, folder: Path, *, journalled: bool) -> None:
        self.folder = folder
        self.file, self.journal = folder / "orders.csv", folder / "journal"
        self.file.write_text(
            "amount,currency,order_reference\n" + "".join(f"5,KZT,{reference}\n" for reference in REFERENCES)
        )
        self.options = ["--journal", str(self.journal)] if journalled else []
        self.told = folder / "told"
        self.told.write_bytes(b"")

    @property
    def error(self) -> str:
        """What it has said until now."""
        return self.told.read_text()

    def has_begun(self) -> bool:
        """Tell whether its results are there, which is before its first request."""
        return any(self.folder.glob("results.csv*.part"))

    def since_it_began(self, seconds: float) -> Callable[[], bool]:
        """Return what tells whether so much time has gone by since it began."""
        began: list[float] = []

        def is_over() -> bool:
            if not began and self.has_begun():
                began.append(time.monotonic())
            return bool(began) and time.monotonic() - began[0] > seconds

        return is_over

    async def run(
        self,
        base_url: str,
        *options: str,
        received: signal.Signals | None = signal.SIGTERM,
        when: Callable[[], bool] = lambda: False,
    ) -> tuple[int, dict[str, dict[str, str]]]:
        """Run it, and stop it when that is so; return its exit code and its results by order reference."""
        results = self.folder / "results.csv"
        with self.told.open("wb") as told:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM),
                *("bulk-create", str(self.file), "--results", str(results), *self.options, *options),
                env={
                    "PLEXYPAY_API_KEY": KEY,
                    "PLEXYPAY_BASE_URL": base_url,
                    "PYTHONPATH": ":".join(sys.path),
                },
                stdout=asyncio.subprocess.DEVNULL,
                stderr=told,
            )
        async with asyncio.timeout(60):
            if received is not None:
                while not when():
                    assert process.returncode is None, self.error
                    await asyncio.sleep(0.01)
                # What was to come besides has come.
                await asyncio.sleep(0.2)
                process.send_signal(received)
            began = time.monotonic()
            await process.wait()
        self.took = time.monotonic() - began
        assert "Traceback" not in self.error
        with results.open(encoding="utf-8", newline="") as file:
            return int(process.returncode or 0), {row["order_reference"]: row for row in csv.DictReader(file)}


PROGRAM = """
import sys
from plexypay_async.bulk import intake
from plexypay_async.cli import bulk_run, main, progress, signals
intake.LATE_WORK = 0.3
bulk_run._FINISH_TIMEOUT = bulk_run._FINISH_TIMEOUT_WITH_JOURNAL = 0.2
bulk_run._HALT_TIMEOUT = bulk_run._HALT_TIMEOUT_WITH_JOURNAL = 15
progress.PlainProgress.interval = 3600
signals.run_until_signal.__kwdefaults__['grace'] = 15
sys.exit(main(sys.argv[1:]))
"""
"""The command, which is given time to end cleanly on a slow machine."""

FOUR = ("--concurrency", "4")


@pytest.mark.parametrize("journalled", [False, True], ids=["plain", "journal"])
@pytest.mark.parametrize(
    ("moment", "options"),
    [
        ("head", FOUR),
        ("before the work", FOUR),
        # As many as the adaptive limit lets out at first; the others wait for a place.
        ("before the work", ()),
        ("after the work", FOUR),
        ("code 1", FOUR),
        ("look-up", FOUR),
        # One at once, the second after ten seconds.
        (None, ("--rate", "0.1")),
    ],
)
async def test_rows_are_what_the_server_proves(
    tmp_path: Path, moment: str | None, options: tuple[str, ...], journalled: bool
) -> None:
    job = Job(tmp_path, journalled=journalled)
    async with Orders(moment).serving() as server:
        ready = {
            "head": lambda: server.connections >= 4,
            "look-up": lambda: server.looked_up.total() >= 4,
        }.get(str(moment), lambda: server.received.total() >= (10 if not options else 4 if moment else 1))
        url = f"http://127.0.0.1:{server.port}"
        code, results = await job.run(url, *options, when=ready)
        assert code == 143
        assert job.took < 10
        outcomes = {reference: row["outcome"] for reference, row in results.items()}
        for reference, outcome in outcomes.items():
            if reference in server.links:
                assert outcome in ("created", "unknown"), "there is a link"
            elif reference not in server.received and moment != "head":
                assert outcome == "failed", "the server never received it"
        counts = Counter(outcomes.values())
        if moment == "head":
            # It was written, and the server has read the half of it.
            assert counts["unknown"] == 4
        if moment == "code 1":
            assert counts["unknown"] == 0
        if moment is None:
            assert counts["created"] == 1
            assert counts["failed"] >= 10
        for row in results.values():
            told = row["error_message"]
            if row["outcome"] == "failed":
                assert row["error"] == "Interrupted"
                refused = "not done, and not sent again: the job was stopped before; the attempt before ended"
                assert told.startswith(refused) or told == "not sent: the job was stopped before"
                assert (row["order_reference"] in server.received) == told.startswith(refused)
            if row["outcome"] == "unknown":
                assert told.startswith("stopped after it was sent")
                assert told.endswith("looks for it first") == journalled
        if moment == "code 1":
            assert "not sent again: see" in job.error
            assert "4 rows met this" in job.error
        assert ("it is not known whether there is a link" in job.error) == bool(counts["unknown"])
        if not journalled:
            # The advice is told once, and nothing else speaks against it.
            advice = "a run of the same file again looks up each order reference"
            assert job.error.count(advice) == bool(counts["unknown"] or counts["created"])
            assert "before running" not in job.error
            return
        with Journal(job.journal) as journal:
            journal.open()
            states = journal.counts()
        assert states.get(State.CLAIMED, 0) == counts["unknown"]
        # What hung is over, and the job is run again.
        server.moment = None
        port = server.port
    again = Orders(None, port)
    again.links = server.links
    async with again.serving():
        code, results = await job.run(url, received=None)
    assert (code, len(results)) == (0, COUNT)
    assert sorted(again.links) == sorted(REFERENCES)
    assert {len(made) for made in again.links.values()} == {1}


async def test_a_stopped_job_without_references_has_one_advice(tmp_path: Path) -> None:
    job = Job(tmp_path, journalled=False)
    async with Orders("before the work").serving() as server:
        url = f"http://127.0.0.1:{server.port}"
        code, results = await job.run(
            url, *FOUR, "--no-references", when=lambda: server.received.total() >= 4
        )
    assert (code, Counter(row["outcome"] for row in results.values())["unknown"]) == (143, 4)
    assert job.error.count("do not run the same file again as it is") == 1
    assert "whether there is a link: look for those without an order_reference in the list" in job.error
    assert "before running" not in job.error
    assert "no second link" not in job.error


@pytest.mark.parametrize("journalled", [False, True], ids=["plain", "journal"])
async def test_rows_without_a_connection_were_not_sent(tmp_path: Path, journalled: bool) -> None:
    """The TLS handshake does not end: no byte of a request has left."""
    job = Job(tmp_path, journalled=journalled)
    async with Orders("handshake").serving() as server:
        url = f"https://127.0.0.1:{server.port}"
        code, results = await job.run(url, *FOUR, when=lambda: server.connections >= 4)
    check_not_sent(job, code, results, "not sent: the job was stopped before")


@pytest.mark.parametrize("journalled", [False, True], ids=["plain", "journal"])
async def test_rows_whose_connection_hangs_were_not_sent(tmp_path: Path, journalled: bool) -> None:
    """The server accepts no connection, and its queue is full."""
    job = Job(tmp_path, journalled=journalled)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        code, results = await job.run(url, *FOUR, when=job.since_it_began(1.0))
    check_not_sent(job, code, results, "not sent: the job was stopped before")


@pytest.mark.parametrize("journalled", [False, True], ids=["plain", "journal"])
async def test_rows_of_which_a_part_was_written_are_unknown(tmp_path: Path, journalled: bool) -> None:
    job = Job(tmp_path, journalled=journalled)
    cell = "," + 100_000 * "x"
    columns = [f"extra.part_{number}" for number in range(9)]
    job.file.write_text(
        ",".join(["amount", "currency", "order_reference", *columns])
        + "\n"
        + "".join(f"5,KZT,{reference}{cell * len(columns)}\n" for reference in REFERENCES[:2])
    )
    async with Orders("head").serving() as server:
        url = f"http://127.0.0.1:{server.port}"
        code, results = await job.run(url, *FOUR, when=lambda: server.connections >= 2)
    assert code == 143
    assert {row["outcome"] for row in results.values()} == {"unknown"}
    if journalled:
        with Journal(job.journal) as journal:
            journal.open()
            assert journal.counts() == {State.CLAIMED: 2}


@pytest.mark.parametrize(("journalled", "received"), [(False, signal.SIGINT), (True, signal.SIGTERM)])
async def test_rows_that_were_refused_a_connection_were_not_sent(
    tmp_path: Path, journalled: bool, received: signal.Signals
) -> None:
    job = Job(tmp_path, journalled=journalled)
    with refusing_port() as port:
        code, results = await job.run(
            f"http://127.0.0.1:{port}", received=received, when=lambda: "no link yet" in job.error
        )
    reason = f"cannot connect to 127.0.0.1:{port}: Connection refused"
    told = f"not sent: the job was stopped before; the attempt before ended so: {reason}"
    assert any(row["error_message"] == told for row in results.values())
    check_not_sent(job, code, results, "not sent: the job was stopped before")
    assert f"rows met this: {reason}\n" in job.error
    shown = f"plexypay: no link yet: {reason}; each row is tried again until 600 s are over\n"
    assert job.error.count(shown) == 1


async def test_after_a_recovery_nothing_more_is_said(tmp_path: Path) -> None:
    job = Job(tmp_path, journalled=False)
    with refusing_port() as port:
        running = asyncio.create_task(job.run(f"http://127.0.0.1:{port}", received=None))
        while "no link yet" not in job.error:
            assert not running.done()
            await asyncio.sleep(0.01)
        server = Orders(None, port)
        async with server.serving():
            code, results = await running
    assert (code, len(results)) == (0, COUNT)
    assert {len(made) for made in server.links.values()} == {1}
    (told,) = [line for line in job.error.splitlines() if line.startswith("plexypay:")]
    assert told.startswith("plexypay: no link yet: cannot connect to 127.0.0.1:")


def check_not_sent(job: Job, code: int, results: dict[str, dict[str, str]], told: str) -> None:
    assert code in (130, 143)
    assert {row["outcome"] for row in results.values()} == {"failed"}
    assert all(row["error_message"].startswith(told) for row in results.values())
    assert f"{len(results)} rows before that were read and not sent either: see" in job.error
    assert "not known" not in job.error
    if job.options:
        with Journal(job.journal) as journal:
            journal.open()
            assert set(journal.counts()) == {State.FAILED}
        assert "run the same command again" in job.error
    else:
        assert "the same file can be run again" in job.error
