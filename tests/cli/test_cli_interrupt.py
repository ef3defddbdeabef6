"""Ctrl-C and SIGTERM: the command ends within a second and leaves what is known."""

from __future__ import annotations

import asyncio
import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexypay_async.cli.background import iterate_in_thread
from plexypay_async.cli.signals import run_until_signal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def outcomes(path: Path) -> list[str]:
    """Return the outcomes of the whole lines that are in a results file now."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row["outcome"] for row in csv.DictReader(file)]


def wait_until_created(process: subprocess.Popen[str], results: Path, count: int) -> None:
    deadline = time.monotonic() + 20
    while outcomes(results).count("created") < count:
        assert process.poll() is None, "the command ended by itself"
        assert time.monotonic() < deadline, "too few links were created"
        time.sleep(0.01)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-X", "dev", "-W", "error", "-m", "plexypay_async.cli", *arguments]


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "fault", ["latency=30,times=4", "hang=true,times=4", "code=1,retry_after=20,times=4"]
)
def test_a_signal_ends_it_within_a_second(tmp_path: Path, received: signal.Signals, fault: str) -> None:
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
        output, error = process.communicate(timeout=20)
        took = time.monotonic() - sent
    assert process.returncode == CODES[received]
    assert took < 1.0
    found = outcomes(results)
    created = found.count("created")
    assert 3 <= created < count
    assert set(found) == {"created", "unknown"}
    assert 4 <= found.count("unknown") <= 8
    assert f"{created:,} links were created" in error
    assert "it is not known whether there is a link" in error
    assert "would get a second link" in error
    assert f"created{created:>20,}".split() == output.splitlines()[0].split()
    assert "Traceback" not in error


def test_what_is_nearly_done_is_finished_and_recorded(tmp_path: Path) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text("amount,currency\n" + "1,KZT\n" * 100_000)
    arguments = ["bulk-create", str(path), "--sandbox", "--results", str(results)]
    process = subprocess.Popen(
        command(*arguments, "--fault", "latency=0.05"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until_created(process, results, 1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    found = outcomes(results)
    assert set(found) == {"created"}
    last = max(int(row["line"]) for row in csv.DictReader(results.read_text().splitlines()))
    assert f"{len(found):,} links were created, and the rows after line {last:,} were not attempted" in error
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
        process.stdin.write("amount,currency\n1,KZT\n")
        process.stdin.flush()
        wait_until_created(process, results, 1)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert time.monotonic() - sent < 1.0
        assert process.stderr is not None
        error = process.stderr.read()
    assert outcomes(results) == ["created"]
    assert "1 link was created" in error
    assert "Traceback" not in error
    assert "Fatal" not in error


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
        "run_until_signal(stubborn(), grace=0.1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 130
    assert done.stdout == "no\n"
    assert "without a clean end" in done.stderr


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

    assert run_until_signal(interrupted()) is signal.SIGTERM
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
