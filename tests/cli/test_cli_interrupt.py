"""Ctrl-C and SIGTERM: the command ends within a second and leaves what is known."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from plexypay_async.cli.background import iterate_in_thread
from plexypay_async.cli.signals import run_until_signal
from tests.cli.conftest import SANDBOX_TOLD

if TYPE_CHECKING:
    from .conftest import ServedSandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
SOON = 15
"""Seconds within which a signal ends a command, on any machine; what it is asked to wait for takes longer."""


def outcomes(path: Path) -> list[str]:
    """Return the outcomes of the whole lines that are in a results file now, or in that beside it."""
    path = next(iter(path.parent.glob(f"{path.name}*.part")), path)
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row["outcome"] for row in csv.DictReader(file)]


def next_line(file: IO[str]) -> str:
    """Return the next line that says more than that the machine is busy."""
    while (line := file.readline()).startswith("Executing <"):
        pass
    return line


def wait_until_created(process: subprocess.Popen[str], results: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while outcomes(results).count("created") < count:
        assert process.poll() is None, "the command ended by itself"
        assert time.monotonic() < deadline, "too few links were created"
        time.sleep(0.01)


def command(*arguments: str, patience: float = 0.2, patience_with_journal: float = 10.0) -> list[str]:
    """The command with a patience of its own; a slow machine has time to end it cleanly."""
    program = (
        "import sys\n"
        "from plexypay_async.cli import bulk_run, main, progress, signals\n"
        f"bulk_run._FINISH_TIMEOUT = {patience}\n"
        f"bulk_run._FINISH_TIMEOUT_WITH_JOURNAL = {patience_with_journal}\n"
        "progress.PlainProgress.interval = 3600\n"
        f"signals.run_until_signal.__kwdefaults__['grace'] = {SOON}\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    return [sys.executable, "-X", "dev", "-W", "error", "-c", program, *arguments]


@pytest.mark.parametrize(
    ("received", "fault", "outcome"),
    [
        (signal.SIGINT, "latency=120,times=4", "unknown"),
        (signal.SIGINT, "hang=true,times=4", "unknown"),
        (signal.SIGINT, "code=1,retry_after=120,times=4", "failed"),
        (signal.SIGTERM, "hang=true,times=4", "unknown"),
    ],
)
def test_a_signal_ends_it_soon(tmp_path: Path, received: signal.Signals, fault: str, outcome: str) -> None:
    """Four of the eight links under way do not come to an end by themselves."""
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    count = 100_000
    path.write_text("amount,currency,order_reference\n" + "".join(f"1,KZT,R-{n}\n" for n in range(count)))
    arguments = ["bulk-create", str(path), "--sandbox", "--concurrency", "8", "--results", str(results)]
    process = subprocess.Popen(
        command(*arguments, "--fault", fault),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until_created(process, results, 3)
        sent = time.monotonic()
        process.send_signal(received)
        output, error = process.communicate(timeout=60)
        took = time.monotonic() - sent
    assert process.returncode == CODES[received]
    assert took < SOON
    found = outcomes(results)
    created = found.count("created")
    assert 3 <= created < count
    assert {"created", outcome} <= set(found) <= {"created", outcome, "unknown"}
    assert 4 <= found.count(outcome) <= 8
    assert f"{created:,} links were made" in error
    assert ("it is not known whether there is a link" in error) == ("unknown" in found)
    assert ("4 rows were refused for the time being, and not sent again" in error) == (outcome == "failed")
    assert "a run of the same file again looks up each order reference" in error
    assert f"links {created:,}".split() == output.splitlines()[0].split()
    assert "Traceback" not in error


def test_what_is_nearly_done_is_finished_and_recorded(tmp_path: Path) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text("amount,currency,order_reference\n" + "".join(f"1,KZT,R-{n}\n" for n in range(10_000)))
    arguments = ["bulk-create", str(path), "--sandbox", "--concurrency", "50", "--results", str(results)]
    process = subprocess.Popen(
        command(*arguments, "--fault", "latency=0.05", patience=30),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until_created(process, results, 1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    found = outcomes(results)
    assert set(found) == {"created"}
    last = max(int(row["line"]) for row in csv.DictReader(results.read_text().splitlines()))
    assert f"{len(found):,} links were made, and {10_001 - last:,} rows after line {last:,} were not" in error
    assert "not known" not in error


def test_a_signal_ends_a_wait_for_input(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    process = subprocess.Popen(
        command("bulk-create", "-", "--sandbox", "--results", str(results)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        process.stdin.write("amount,currency,order_reference\n1,KZT,A\n")
        process.stdin.flush()
        wait_until_created(process, results, 1)
        process.send_signal(signal.SIGINT)
        # More input does not come.
        assert process.wait(timeout=SOON) == 130
        assert process.stderr is not None
        error = process.stderr.read()
    assert outcomes(results) == ["created"]
    assert "1 link was made" in error
    assert "Traceback" not in error
    assert "Fatal" not in error


def start_with_journal(
    tmp_path: Path, *arguments: str, count: int, patience: float = 10.0
) -> subprocess.Popen[str]:
    path = tmp_path / "orders.csv"
    path.write_text("amount,currency,order_reference\n" + "".join(f"1,KZT,R-{n:05}\n" for n in range(count)))
    files = ["--journal", str(tmp_path / "journal"), "--results", str(tmp_path / "results.csv")]
    return subprocess.Popen(
        command("bulk-create", str(path), *files, *arguments, patience_with_journal=patience),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_with_a_journal_what_is_under_way_is_finished(
    tmp_path: Path, served: ServedSandbox, without_slow_steps: Callable[[str], str]
) -> None:
    """It takes longer than the second that a job without a journal has."""
    results = tmp_path / "results.csv"
    count = 500
    served.misbehave("latency=1.2")
    with start_with_journal(tmp_path, "--concurrency", "64", count=count, patience=30) as process:
        while served.count() < 64:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    # 64, or more where the machine was too slow to stop it before the first of them were done.
    created = served.count()
    assert 64 <= created < count
    assert outcomes(results) == ["created"] * created
    taken = re.search(
        r"(\d+) rows? (?:was|were) taken and (?:is|are) not done: the job goes on with them for 30 seconds",
        error,
    )
    assert taken is not None
    assert 1 <= int(taken[1]) <= 64
    assert f"{created} links were made, and {count - created} rows after line {created + 1} were not" in error
    assert "run the same command again: it goes on where it stopped" in error
    assert "second link" not in error
    served.behave()
    with start_with_journal(tmp_path, count=count) as process:
        _, error = process.communicate(timeout=60)
    assert (process.returncode, without_slow_steps(error)) == (0, SANDBOX_TOLD)
    found = outcomes(results)
    assert (found.count("journal"), found.count("created")) == (created, count - created)
    assert served.references() == [f"R-{n:05}" for n in range(count)]
    assert served.count() == count


def test_a_signal_that_comes_when_all_rows_are_taken_leaves_nothing_to_run_again(
    tmp_path: Path, served: ServedSandbox
) -> None:
    served.misbehave("latency=1.2")
    with start_with_journal(tmp_path, "--concurrency", "8", count=5, patience=30) as process:
        while served.count() < 5:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert outcomes(tmp_path / "results.csv") == ["created"] * 5
    assert "5 links were made\n" in error
    assert "plexypay: nothing is left to do: every row of the file has its link\n" in error
    assert "run the same command again" not in error


def test_a_second_signal_does_not_wait(
    tmp_path: Path, served: ServedSandbox, without_slow_steps: Callable[[str], str]
) -> None:
    results = tmp_path / "results.csv"
    served.misbehave("hang=true,work=after,times=4")
    with start_with_journal(tmp_path, "--concurrency", "8", count=300, patience=120) as process:
        wait_until_created(process, results, 3)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "the job goes on with them for" in next_line(process.stderr)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        took = time.monotonic() - sent
    assert process.returncode == 130
    assert took < SOON
    assert outcomes(results).count("unknown") >= 4
    assert "run the same command again" in error
    assert "Traceback" not in error
    with start_with_journal(tmp_path, count=300) as process:
        _, error = process.communicate(timeout=60)
    assert (process.returncode, without_slow_steps(error)) == (0, SANDBOX_TOLD)
    assert outcomes(results).count("recovered") >= 4
    assert served.references() == [f"R-{n:05}" for n in range(300)]


def test_what_does_not_end_is_left_to_the_next_run(tmp_path: Path, served: ServedSandbox) -> None:
    served.misbehave("hang=true")
    with start_with_journal(tmp_path, "--concurrency", "8", count=100, patience=0.3) as process:
        while served.count() < 8:
            assert process.poll() is None
            time.sleep(0.01)
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert 0.3 < time.monotonic() - sent < SOON
    assert "not known whether there is a link: run the same command again" in error
    # The others had only waited for their turn.
    found = outcomes(tmp_path / "results.csv")
    assert set(found) == {"unknown", "failed"}
    assert found.count("unknown") == 8
    assert f": {len(found)} rows were taken and are not done: the job goes on with them for 0 sec" in error
    assert f"{found.count('failed')} rows before that were read and not sent either" in error


def test_a_wait_for_input_ends_with_a_journal_too(tmp_path: Path, served: ServedSandbox) -> None:
    results = tmp_path / "results.csv"
    files = ["--journal", str(tmp_path / "journal"), "--results", str(results)]
    process = subprocess.Popen(
        command("bulk-create", "-", *files),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        process.stdin.write("amount,currency,order_reference\n1,KZT,A\n")
        process.stdin.flush()
        wait_until_created(process, results, 1)
        process.send_signal(signal.SIGINT)
        # More input does not come.
        assert process.wait(timeout=SOON) == 130
    assert outcomes(results) == ["created"]


def test_work_that_does_not_end_is_ended() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from plexypay_async.cli.signals import run_until_signal\n"
        "async def stubborn():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    while True:\n"
        "        try:\n"
        "            await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError:\n"
        "            print('no', flush=True)\n"
        "run_until_signal(stubborn(), grace=0.1, left=lambda: print('the results are beside'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130
    assert done.stdout == "no\nthe results are beside\n"
    assert "without a clean end" in done.stderr


def test_signals_again_and_again_end_the_process_at_once() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from plexypay_async.cli.signals import run_until_signal\n"
        "async def stubborn():\n"
        "    while True:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        try:\n"
        "            await asyncio.sleep(0.02)\n"
        "        except asyncio.CancelledError:\n"
        "            print('no', flush=True)\n"
        "run_until_signal(stubborn(), finish=lambda _: True, finish_timeout=60, grace=60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (143, "no\n")


def test_errors_of_the_work_are_raised() -> None:
    async def failing() -> None:
        raise LookupError("of the work")

    with pytest.raises(LookupError, match="of the work"):
        run_until_signal(failing())


def test_work_that_ends_returns_no_signal() -> None:
    async def quick() -> None:
        await asyncio.sleep(0)

    assert run_until_signal(quick()) is None


def test_work_has_its_grace() -> None:
    cleaned: list[bool] = []

    async def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    assert run_until_signal(interrupted(), grace=30) is signal.SIGTERM
    assert cleaned == [True]


@pytest.mark.asyncio
async def test_a_thread_reads_only_so_far_ahead() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    found: list[int] = []
    async for number in iterate_in_thread(numbers(), ahead=5):
        found.append(number)
        assert len(taken) <= len(found) + 6
    assert found == list(range(1000))


@pytest.mark.asyncio
async def test_a_thread_hands_its_error_over_after_the_items_before() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the pipe broke")

    numbers = iterate_in_thread(broken())
    assert await anext(numbers) == 1
    with pytest.raises(OSError, match="the pipe broke"):
        await anext(numbers)
