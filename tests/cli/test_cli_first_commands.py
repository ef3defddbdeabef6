"""``plexypay`` alone: what a newcomer reads first, and that what it shows does what is said of it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from plexypay_async.cli import main
from plexypay_async.cli.command import build_parser
from plexypay_async.cli.exits import Exit
from tests.cli.ran import Ran

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "plexypay_async.cli"]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("PLEXYPAY_API_KEY", raising=False)
    return Ran(capsys)


@pytest.fixture
def shown(ran: Ran) -> list[str]:
    """The commands that it shows."""
    assert ran() == Exit.UNUSABLE
    return [line.strip() for line in ran.err.splitlines() if line.startswith("  ")]


def test_it_is_told_on_standard_error_in_80_columns(ran: Ran) -> None:
    assert ran() == Exit.UNUSABLE
    assert ran.out == ""
    first, *lines = ran.err.splitlines()
    assert [first] == build_parser().format_usage().splitlines()
    assert max(map(len, lines)) < 80
    assert "plexypay --help" in lines[-1]


def test_the_arguments_of_the_process_are_looked_at(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["plexypay"])
    assert main() == Exit.UNUSABLE
    monkeypatch.setattr(sys, "argv", ["plexypay", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)


def test_an_option_without_a_command_is_an_error_as_before(ran: Ran) -> None:
    assert ran("--") == Exit.UNUSABLE
    assert ran.err.endswith("error: the following arguments are required: COMMAND\n")


def test_each_of_the_three_is_a_command_of_its_own(shown: list[str]) -> None:
    assert [shlex.split(command)[:2] for command in shown] == [
        ["plexypay", "pay"],
        ["plexypay", "bulk-create"],
        ["plexypay", "sandbox"],
    ]


def test_a_link_is_made(ran: Ran, shown: list[str]) -> None:
    assert ran(*shlex.split(shown[0])[1:]) == Exit.OK
    assert ran.document["url"].startswith("http://127.0.0.1:")


def test_a_file_becomes_links(ran: Ran, shown: list[str]) -> None:
    rows = len((ROOT / "examples" / "links.csv").read_text(encoding="utf-8").splitlines()) - 1
    assert ran(*shlex.split(shown[1])[1:]) == Exit.OK
    assert ran.out.splitlines()[0].split() == ["created", f"{rows:,}"]


def test_a_sandbox_is_served(shown: list[str]) -> None:
    served = subprocess.Popen(
        [*COMMAND, *shlex.split(shown[2])[1:], "--port=0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        assert served.stdout is not None
        address = served.stdout.readline().split("sandbox on ")[1].split(";")[0]
        with urllib.request.urlopen(address, timeout=30) as page:
            assert b"What is in this sandbox" in page.read()
    finally:
        served.send_signal(signal.SIGTERM)
        served.communicate(timeout=30)
