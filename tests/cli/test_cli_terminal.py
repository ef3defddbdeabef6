"""The progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plexypay_async.cli import main
from plexypay_async.cli.progress import BarProgress, PlainProgress, Scale
from plexypay_async.cli.report import Tally
from plexypay_async.cli.results import RowOutcome
from plexypay_async.cli.source import Lines
from plexypay_async.cli.terminal import wrapped
from tests.cli.pseudo_terminal import Terminal, on_posix
from tests.cli.screen import shown

EXAMPLE = Path(__file__).parents[2] / "examples" / "links.csv"


@on_posix
def test_a_terminal_shows_a_bar_and_a_table(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(EXAMPLE.read_text("utf-8") + "x,KZT" + "," * 11 + "\n", "utf-8")
    terminal = Terminal(["bulk-create", str(path), "--sandbox"])
    shown = terminal.read()
    assert terminal.close() == 1
    assert "━━━━" in shown
    assert "1,001/1,001" in shown
    assert "100%" in shown
    assert "failed 1" in shown
    assert re.search(r"[\d,]+/s", shown)
    assert re.search(r"\d\d:\d\d", shown)
    assert f"{path}:1002: column amount: 'x' is not a whole number" in " ".join(shown.split())
    assert re.search(r"│ links +│ +1,000 │", shown)
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is not shown again"


@on_posix
def test_ctrl_c_at_a_terminal(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    terminal = Terminal(
        [
            *("bulk-create", str(EXAMPLE), "--sandbox", "--concurrency", "50"),
            *("--fault", "latency=1", "--results", str(results)),
        ]
    )
    bar = re.search(r"([1-9]\d*)/1,000", terminal.read(until=r"[1-9]\d*/1,000"))
    assert bar is not None
    pressed = time.monotonic()
    terminal.press(b"\x03")
    shown = terminal.read()
    assert terminal.close() == 130
    assert time.monotonic() - pressed < 15
    assert "stopped by Ctrl-C" in shown
    assert "\x1b[?25h" in shown
    assert results.read_text("utf-8").count(",created,") >= int(bar[1])


@on_posix
def test_a_dumb_terminal_gets_plain_lines() -> None:
    terminal = Terminal(["bulk-create", str(EXAMPLE), "--sandbox"], term="dumb")
    shown = terminal.read()
    assert terminal.close() == 0
    assert "━" not in shown
    assert "\x1b[?25l" not in shown


@on_posix
def test_a_reader_of_the_table_may_go_away(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("amount,currency,order_reference\n1,KZT,A\n")
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "plexypay_async.cli", "bulk-create", str(orders), "--sandbox"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write_end)
    assert done.returncode == 0
    assert "Error" not in done.stderr


def test_without_a_terminal_plain_lines_come_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PlainProgress, "interval", 0.02)
    assert main(["bulk-create", str(EXAMPLE), "--sandbox", "--fault", "latency=0.01"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("links")]
    assert len(lines) >= 3
    for line in lines:
        limit = r", \d+ at once( \([^()]+\))?"
        assert re.fullmatch(rf"links [\d,]+, [\d,]+/s({limit})?, \d+ % of the file", line)


def test_plain_lines_tell_each_reason_of_the_limit_once(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    progress = PlainProgress(Scale(tally, Lines(io.BytesIO(b"")), None, None))
    for limit, reason in (
        (10, ""),
        (20, "begins with 20 at once"),
        (20, "begins with 20 at once"),
        (9, "429"),
    ):
        tally.limit, tally.limit_reason = limit, reason
        progress.refresh()
    told = [line.partition("/s, ")[2] for line in capsys.readouterr().err.splitlines()]
    assert told == ["10 at once", "20 at once (begins with 20 at once)", "20 at once", "9 at once (429)"]


@pytest.mark.parametrize(("columns", "is_told"), [(80, True), (60, False)])
def test_a_wide_terminal_tells_below_the_bar_why_so_many_are_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int, is_told: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    tally = Tally(limit=48, limit_reason="more fails at 64 at once than at 48, " + "which is long " * 9)
    progress = BarProgress(Scale(tally, Lines(io.BytesIO(b"")), None, 100))
    progress._bar.console.print(progress._bar.get_renderable())
    lines = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().err).splitlines()
    assert any(line.startswith("more fails at 64") for line in lines) is is_told
    assert len(lines) == 1 + is_told
    assert all(len(line) <= columns - 6 for line in lines)


def test_scale_by_rows_and_by_bytes() -> None:
    data = b"amount,currency\n" * 10
    lines = Lines(io.BytesIO(data))
    tally = Tally()
    by_rows = Scale(tally, lines, len(data), 4)
    by_bytes = Scale(tally, lines, len(data), None)
    unknown = Scale(tally, lines, None, None)
    assert (by_rows.fraction, by_bytes.fraction, unknown.fraction) == (0.0, 0.0, None)
    tally.outcomes[RowOutcome.RECOVERED] += 1
    next(lines)
    assert (by_rows.fraction, by_bytes.fraction) == (0.25, 0.1)
    assert (tally.created, tally.outcomes[RowOutcome.RECOVERED], tally.done) == (1, 1, 1)
    for outcome in (RowOutcome.FAILED, RowOutcome.UNKNOWN, RowOutcome.INVALID):
        tally.outcomes[outcome] += 1
    list(lines)
    assert (by_rows.fraction, by_bytes.fraction, tally.not_created) == (1.0, 1.0, 3)
    assert Scale(tally, lines, 0, 0).fraction == 1.0


@on_posix
@pytest.mark.parametrize("columns", [80, 60])
def test_messages_break_between_words_and_no_bar_stays(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(EXAMPLE.read_text("utf-8") + "x,KZT" + "," * 11 + "\n", "utf-8")
    terminal = Terminal(
        ["bulk-create", str(path), "--sandbox", "--concurrency", "50", "--fault", "latency=0.02"],
        columns=columns,
    )
    under_way = shown(terminal.read(until=r"[1-9]\d*/1,001"), columns)
    assert sum("━" in line for line in under_way.lines) == 1, "a bar takes one line"
    screen = shown(terminal.read(), columns)
    assert terminal.close() == 1
    assert screen.broken == []
    told = " ".join(line.strip() for line in screen.lines)
    assert "'x' is not a whole number" in told
    assert "these links were made in the sandbox of this run and have ended with it" in told
    assert "━" not in told
    assert "/s" not in told


@on_posix
@pytest.mark.parametrize("columns", [80, 60])
def test_ctrl_c_leaves_no_bar_and_no_half_of_one(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pressed again and again, as people do."""
    orders = shutil.copy(EXAMPLE, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        monkeypatch.setenv("PLEXYPAY_API_KEY", "pr_0123456789abcdef")
        monkeypatch.setenv("PLEXYPAY_BASE_URL", f"http://127.0.0.1:{port}")
        terminal = Terminal(["bulk-create", str(orders), "--yes"], columns=columns)
        reason = r"no\s+link\s+yet:\s+cannot\s+connect\s+to\s+127\.0\.0\.1:\d+:\s+Connection\s+refused"
        terminal.read(until=reason + r"[^\0]*0/1,000[^\0]*0/1,000")
        terminal.press(b"\x03")
        screen = shown(terminal.read(), columns)
    assert terminal.close() == 130
    assert screen.broken == []
    told = " ".join(line.strip() for line in screen.lines)
    assert told.count("no link yet") == 1
    assert re.search(r"10\d rows before that were read and not sent either: (lines 2-1\d\d|see \S+)", told)
    assert re.search(rf"10\d rows met this: cannot connect to 127.0.0.1:{port}: Connection refused", told)
    assert "not known" not in told
    assert "━" not in told
    assert "/1,000" not in told
    assert "^C" not in told


@on_posix
def test_what_is_ended_on_the_spot_leaves_no_bar_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = (
        "import asyncio, sys\n"
        "from plexypay_async.cli import bulk_run, main, signals\n"
        "async def stubborn(*_, **__):\n"
        "    while True:\n"
        "        try:\n"
        "            await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError:\n"
        "            pass\n"
        "bulk_run.BulkCreateJob.run = stubborn\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    monkeypatch.setattr(Terminal, "PROGRAM", stubborn)
    terminal = Terminal(["bulk-create", str(EXAMPLE), "--sandbox"], columns=80)
    terminal.read(until="0/1,000")
    terminal.press(b"\x03")
    text = terminal.read()
    assert terminal.close() == 130
    told = "\n".join(shown(text, 80).lines)
    assert "stopped without a clean end" in told
    assert "━" not in told
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is not shown again"


def test_words_are_kept_whole_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "plexypay: see https://pay.example/" + "x" * 60 + " and then go on with the next row of it"
    assert wrapped(text) == text
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.fileno", lambda: 2, raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((40, 10)))
    lines = wrapped(text).split("\n")
    assert "  https://pay.example/" + "x" * 60 in lines
    assert [len(line) <= 40 for line in lines].count(False) == 1
    assert " ".join(line.strip() for line in lines) == text
    assert wrapped("short") == "short"
