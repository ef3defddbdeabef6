"""The progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plexypay_async.cli import main
from plexypay_async.cli.progress import PlainProgress, Scale
from plexypay_async.cli.report import Tally
from plexypay_async.cli.results import RowOutcome
from plexypay_async.cli.source import Lines
from tests.cli.pseudo_terminal import Terminal, on_posix

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
    assert f"{path}:1002: column amount: 'x' is not a whole number" in shown
    assert re.search(r"│ created +│ +1,000 │", shown)
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
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("created")]
    assert len(lines) >= 3
    for line in lines:
        assert re.fullmatch(r"created [\d,]+, [\d,]+/s, \d+ % of the file", line)


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
