"""Standard streams that are closed or cannot be written, with every command that has a use for them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_cli_bulk_create import sums
from tests.cli.test_cli_journal import outcomes

if TYPE_CHECKING:
    from .conftest import ServedSandbox

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a shell and a full device")

PLEXYPAY = f"{shlex.quote(sys.executable)} -W error -m plexypay_async.cli"
FULL = "cannot write to standard output: No space left on device"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.joinpath("orders.csv").write_text("amount,currency,order_reference\n1,KZT,A\n2,KZT,B\n")
    return tmp_path


def shell(folder: Path, line: str, *, buffered: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell, in which `plexypay` is the command."""
    ended = subprocess.run(
        ["sh", "-c", line.replace("plexypay", PLEXYPAY, 1)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "" if buffered else "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    return ended


@pytest.fixture
def job_done(folder: Path, served: ServedSandbox) -> Path:
    assert shell(folder, "plexypay bulk-create orders.csv --journal orders.journal").returncode == 0
    (folder / "orders.results.csv").unlink()
    return folder


# ----------------------------------------------------------------------------------- standard output


@pytest.mark.parametrize("closed", [">&-", ">&- <&-"])
def test_sums_that_have_no_place_are_told_on_standard_error(
    folder: Path, served: ServedSandbox, closed: str
) -> None:
    ended = shell(folder, f"plexypay bulk-create orders.csv {closed}")
    assert ended.returncode == 0
    assert sums(ended.stderr)["made now"] == "2"
    assert outcomes(folder / "orders.results.csv") == ["created"] * 2


@pytest.mark.parametrize("buffered", [True, False])
def test_sums_that_cannot_be_written_are_no_failure_where_the_results_are_in_a_file(
    folder: Path, served: ServedSandbox, buffered: bool
) -> None:
    ended = shell(folder, "plexypay bulk-create orders.csv >/dev/full", buffered=buffered)
    assert ended.returncode == 0
    assert f"{FULL}; 2 links were made" in ended.stderr
    assert outcomes(folder / "orders.results.csv") == ["created"] * 2
    assert shell(folder, "plexypay bulk-create orders.csv --sandbox >/dev/full").returncode == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bulk-create - <orders.csv", "results would go there: give --results FILE"),
        ("bulk-create orders.csv --results -", "results would go there: give --results FILE"),
        ("bulk-create orders.csv --check", "what the file holds would go there"),
        ("reconcile orders.csv --journal orders.journal", "what differs would go there"),
        ("listen --port 0 --token whk_0123456789abcdef", "the events would go there"),
    ],
)
def test_a_command_is_refused_whose_output_has_no_place(
    folder: Path, served: ServedSandbox, line: str, told: str
) -> None:
    ended = shell(folder, f"plexypay {line} >&-")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"plexypay: standard output is closed, and {told}\n"
    assert served.count() == served.count("payment_links.list") == 0


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "line",
    [
        "bulk-create orders.csv --check",
        "reconcile orders.csv --journal orders.journal",
        "reconcile orders.csv --journal orders.journal --json",
        "--help",
        "bulk-create --help",
        "--version",
    ],
)
def test_it_is_said_that_standard_output_is_what_cannot_be_written(
    job_done: Path, line: str, buffered: bool
) -> None:
    ended = shell(job_done, f"plexypay {line} >/dev/full", buffered=buffered)
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"plexypay: {FULL}\n")


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("more", ["", " --json"])
def test_states_are_written_though_the_report_cannot_be(job_done: Path, more: str, buffered: bool) -> None:
    line = f"plexypay reconcile orders.csv --journal orders.journal --states states.jsonl{more}"
    ended = shell(job_done, f"{line} >/dev/full", buffered=buffered)
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"plexypay: states: states.jsonl\nplexypay: {FULL}\n")
    rows = map(json.loads, (job_done / "states.jsonl").read_text().splitlines())
    assert [(row["order_reference"], row["status"]) for row in rows] == [("A", "active"), ("B", "active")]


def test_nobody_who_reads_the_help_is_no_failure(folder: Path) -> None:
    for buffered in (True, False):
        ended = shell(folder, "{ plexypay --help; echo $? >&2; } | true", buffered=buffered)
        assert ended.stderr == "0\n"


def test_a_journal_is_purged_though_that_cannot_be_shown(job_done: Path) -> None:
    ended = shell(job_done, "plexypay journal purge orders.journal >/dev/full")
    assert (ended.returncode, ended.stderr) == (0, f"plexypay: {FULL}; 2 rows were purged\n")
    ended = shell(job_done, "plexypay journal purge orders.journal >&-")
    assert (ended.returncode, sums(ended.stderr)["purged now"]) == (0, "0")


def test_a_sandbox_tells_its_address_where_it_can(folder: Path) -> None:
    ended = shell(folder, "plexypay sandbox --port 0 >/dev/full")
    assert ended.returncode == 2
    assert ended.stderr == (
        "plexypay: cannot write the sandbox's address to standard output: No space left on device\n"
    )
    with subprocess.Popen(
        ["sh", "-c", f"exec {PLEXYPAY} sandbox --port 0 >&-"], stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stderr is not None
        assert "Plexy Pay sandbox on http://127.0.0.1:" in serving.stderr.readline()
        serving.terminate()
        assert serving.wait(timeout=60) == 0


# ------------------------------------------------------------------------------ standard error, and input


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize("options", ["", "--journal orders.journal", "--check"])
def test_a_job_ends_as_its_rows_do_though_nothing_can_be_told(
    folder: Path, served: ServedSandbox, options: str, redirected: str
) -> None:
    for buffered in (True, False):
        ended = shell(folder, f"plexypay bulk-create orders.csv {options} {redirected}", buffered=buffered)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert sums(ended.stdout)
    assert served.references() == ([] if options == "--check" else ["A", "B"])
    with (folder / "orders.csv").open("a") as file:
        file.write("0,KZT,C\n")
    ended = shell(folder, f"plexypay bulk-create orders.csv {options} {redirected}")
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize("line", ["bulk-create no.csv", "bulk-create --no-such", "journal purge no-such"])
def test_what_cannot_be_used_has_its_exit_code_though_nothing_can_be_told(
    folder: Path, line: str, redirected: str
) -> None:
    assert shell(folder, f"plexypay {line} {redirected}").returncode == 2


def test_no_file_of_the_job_takes_the_place_of_a_closed_stream(folder: Path, served: ServedSandbox) -> None:
    line = "plexypay bulk-create orders.csv --journal orders.journal --results links.jsonl <&- >&- 2>&-"
    assert shell(folder, line).returncode == 0
    assert len((folder / "links.jsonl").read_text().splitlines()) == 2
    assert served.references() == ["A", "B"]


def test_standard_input_that_is_closed_is_said_to_be(folder: Path, served: ServedSandbox) -> None:
    ended = shell(folder, "plexypay bulk-create - --results links.csv <&-")
    assert (ended.returncode, ended.stderr) == (2, "plexypay: cannot read stdin: it is closed\n")
