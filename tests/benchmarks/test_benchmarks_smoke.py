"""The benchmark suite runs: every benchmark, every contender, and the command's reports. Not how fast."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from benchmarks import certificates, picture, report
from benchmarks.bulk_contenders import Run
from benchmarks.bulk_memory import LongRun, Steps, Turn, long_run
from benchmarks.cases import NAMES, QUICK, SMOKE, Result, benchmark_of
from benchmarks.contenders import ASYNC, SYNC, Written, missing
from benchmarks.server import Behaviour, served
from benchmarks.turns import opened
from tests.needs import everything_is_needed, need

# Ends the process where a contender asks for any other host or connects to any other port.
GUARDED = """
import sys
host, port = sys.argv[2].partition("://")[2].split(":")
def guard(event, arguments):
    if event == "socket.connect" and tuple(map(str, arguments[1][:2])) != (host, port):
        sys.exit(f"connects to {arguments[1]}")
    if event == "socket.getaddrinfo" and arguments[0] not in (host, host.encode()):
        sys.exit(f"looks up {arguments[0]}")
sys.addaudithook(guard)
import asyncio
from benchmarks.contenders import opened_async, opened_sync
async def create(name, url):
    async with opened_async(name, url, 2) as one:
        return [await one(1), *await asyncio.gather(one(2), one(3))]
kind, url, name = sys.argv[1:]
if kind == "async":
    found = asyncio.run(create(name, url))
else:
    with opened_sync(name, url, 2) as one:
        found = [one(1), one(2), one(3)]
print(*found)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def needs_of(benchmark: str, contender: str) -> tuple[str, ...]:
    (found,) = {
        each.needs
        for case in benchmark_of(benchmark).cases(SMOKE)
        for each in case.contenders
        if each.name == contender
    }
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs_all_its_contenders(name: str, tmp_path: Path) -> None:
    ran = run("--smoke", name, "--json", str(tmp_path / "found.json"))

    assert (ran.returncode, ran.stderr) == (0, "")
    document = json.loads((tmp_path / "found.json").read_text())
    cases = benchmark_of(name).cases(SMOKE)
    assert [(each["case"], each["contender"]) for each in document["results"]] == [
        (case.name, contender.name) for case in cases for contender in case.contenders
    ]
    for result in document["results"]:
        check(name, result)
        assert result["contender"] in ran.stdout


def check(name: str, result: dict[str, Any]) -> None:
    """A contender has run, or lacks what it needs and says so."""
    needs = needs_of(name, result["contender"])
    assert result["reason"] == missing(needs)
    if result["reason"] is not None:
        assert not everything_is_needed()
        assert result["runs"] == []
        return
    (figures,) = result["runs"]
    main = benchmark_of(name).COLUMNS[0].figure
    # The execution is what is left when the codec is taken away: nothing, perhaps, in so short a run.
    assert figures[main] > 0 or result["contender"] == "execution"
    missing_figures = {column.figure for column in benchmark_of(name).COLUMNS} - set(figures)
    # Of a whole job over TLS no single call is timed.
    assert missing_figures == ({"p50", "p99"} if name == "tls" and "job" in result["case"] else set())


def test_what_takes_minutes_is_no_part_of_a_first_impression() -> None:
    assert benchmark_of("million").cases(QUICK) == []


def test_a_long_job_and_short_ones_take_turns_in_processes_of_their_own() -> None:
    with served() as url:
        found = long_run(url, 500)
        with urllib.request.urlopen(f"{url}/_sandbox/requests") as answer:
            arrived = json.load(answer)["total"]

    assert [len(runs) for runs in (found.windows, found.turns)] == [100, 50]
    assert {run.links for run in found.windows} | {turn.short.links for turn in found.turns} == {5}
    assert len(found.beginning) == len(found.end) == 16
    # And what warmed either process up.
    assert arrived == 500 + 50 * 5 + 2 * 200


def test_a_process_that_ends_early_is_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match=r"^a process ended early, with 2$"), Steps("150") as process:
        process.next()

    assert "COUNT: expected a multiple of 100" in capfd.readouterr().err


def test_the_rate_of_a_long_job_is_compared_within_the_turn() -> None:
    slow, fast = Run(2.0, 1.0, 40.0, 100), Run(1.0, 0.5, 49.5, 100)
    found = LongRun([slow, fast] * 2, [Turn(fast, slow), Turn(slow, slow), Turn(slow, fast)])

    assert [turn.by_clock for turn in found.turns] == [2.0, 1.0, 0.5]
    assert [turn.by_cpu for turn in found.turns] == [2.0, 1.0, 0.5]
    assert (found.beginning, found.end) == ([Turn(fast, slow)], [Turn(slow, fast)])
    assert found.grown == 9.5


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(
    ("kind", "name", "written"),
    [
        *(("async", name, written) for name, written in ASYNC.items()),
        *(("sync", name, written) for name, written in SYNC.items()),
    ],
)
def test_a_contender_creates_links_and_talks_to_the_server_alone(
    kind: str, name: str, written: Written, tls: bool, tmp_path: Path
) -> None:
    need(*written.needs, *(certificates.NEEDS if tls else ()))
    with opened(Behaviour(tls=tls)) as (url, environment):
        ran = subprocess.run(
            [sys.executable, "-c", GUARDED, kind, url, name],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": "", "HOME": str(tmp_path), **environment},
        )

    assert (ran.returncode, ran.stderr) == (0, "")
    links = ran.stdout.split()
    assert len(links) == 3
    assert all(link.startswith("https://pay.example/") for link in links)
    # Nothing, such as an id for telemetry, is left behind.
    assert list(tmp_path.iterdir()) == []


def test_the_picture_and_the_tables_can_be_made_from_an_earlier_run(tmp_path: Path) -> None:
    results = [
        Result("bulk", "50 links", "async", [{"rate": 7.0, "cpu": 8.0, "peak": 9.0}]),
        Result("bulk", "50 links", "sync", [], "not installed: uvloop"),
    ]
    document = report.document_of(results, QUICK, 1.0)
    report.write(tmp_path / "found.json", document)
    ran = run("--from", str(tmp_path / "found.json"), "--picture", str(tmp_path / "found.svg"))

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [*report.table_of("bulk", results), "", *report.closing(document)]
    assert (tmp_path / "found.svg").read_text() == picture.drawn(results, document)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["creat"], "unknown benchmark 'creat': expected one of create, sync"),
        (["--rounds", "0"], "--rounds: expected at least 1, got 0"),
        (["--from", "nothing.json"], "--from: nothing.json: No such file"),
        (["--from", "pyproject.toml"], "--from: pyproject.toml: not what --json has written"),
        (["--json", "no/such/found.json"], "--json: no/such is not a directory"),
        (["--picture", "no/such/found.svg"], "--picture: no/such is not a directory"),
        (
            ["codec", "--picture", "found.svg"],
            "--picture: it shows create, sync, listing, bulk, faults, tls, of which none",
        ),
    ],
)
def test_a_wrong_argument_is_refused_with_its_reason(arguments: list[str], said: str) -> None:
    ran = run("--smoke", *arguments)

    assert ran.returncode == 2
    assert said in ran.stderr
    assert ran.stdout == ""
