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
def in_folder(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
        ["plexypay", "bulk-create"],
        ["plexypay", "sandbox"],
    ]


def test_a_link_is_made(ran: Ran, shown: list[str]) -> None:
    assert ran(*shlex.split(shown[0])[1:]) == Exit.OK
    assert ran.document["url"].startswith("http://127.0.0.1:")


def test_a_file_becomes_links(ran: Ran, shown: list[str], in_folder: Path) -> None:
    assert ran(*shlex.split(shown[1])[1:]) == Exit.OK
    assert (ran.out, len(ran.err.splitlines())) == ("", 1)
    # What it says next is what is shown next.
    assert ran.err.endswith(f": {shown[2]}\n")
    assert ran(*shlex.split(shown[2])[1:]) == Exit.OK
    assert ran.out.splitlines()[0].split() == ["links", "3"]
    assert [file.name for file in in_folder.iterdir()] == ["invoices.csv"]


@pytest.mark.parametrize("name", ["of june.jsonl", "OF.NDJSON", "no-ending", "x.csv"])
def test_an_example_of_each_kind_can_be_sent(ran: Ran, in_folder: Path, name: str) -> None:
    assert ran("bulk-create", name, "--example") == Exit.OK
    command = ran.err.rpartition(": plexypay ")[2]
    assert ran(*shlex.split(command)) == Exit.OK
    assert ran("bulk-create", name, "--check") == Exit.OK
    assert [line.split()[1] for line in ran.out.splitlines() if "sum " in line] == ["31,900.50", "149.99"]
    assert "first expiry                  2099-12-31 18:59:59 UTC" in ran.out


def test_an_example_on_standard_output_can_be_piped(
    ran: Ran, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ran("bulk-create", "-", "--example") == Exit.OK
    assert ran.err == ""
    (in_folder / "piped.csv").write_text(ran.out)
    assert ran("bulk-create", "piped.csv", "--sandbox") == Exit.OK


def test_an_example_replaces_nothing(ran: Ran, in_folder: Path) -> None:
    (in_folder / "invoices.csv").write_text("mine")
    assert ran("bulk-create", "invoices.csv", "--example") == Exit.UNUSABLE
    assert "invoices.csv exists and was left as it is" in ran.err
    assert (in_folder / "invoices.csv").read_text() == "mine"
    assert ran("bulk-create", "nowhere/invoices.csv", "--example") == Exit.UNUSABLE
    assert ran.err == "plexypay: cannot write nowhere/invoices.csv: No such file or directory\n"


@pytest.mark.parametrize("option", ["--check", "--sandbox", "--journal=j", "--results=r.csv"])
def test_an_example_is_no_job(ran: Ran, in_folder: Path, option: str) -> None:
    assert ran("bulk-create", "invoices.csv", "--example", option) == Exit.UNUSABLE
    assert f"--example and {option.partition('=')[0]} exclude each other" in ran.err
    assert list(in_folder.iterdir()) == []


def test_a_sandbox_is_served(shown: list[str]) -> None:
    served = subprocess.Popen(
        [*COMMAND, *shlex.split(shown[3])[1:], "--port=0"],
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
