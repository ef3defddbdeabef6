"""`plexypay bulk-create --journal`: a job that can be stopped, killed, and run again."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async.bulk.journal import Journal
from plexypay_async.bulk.journal_format import State
from plexypay_async.cli import main
from tests.cli.conftest import SANDBOX_TOLD
from tests.json_calls import JSONCalls

if TYPE_CHECKING:
    from .conftest import ServedSandbox

LOOK_UP = "operation=payment_links.retrieve_by_order_reference"
CREATE = "operation=payment_links.create"


def sums(output: str) -> dict[str, str]:
    return {
        name.strip(): value.replace(",", "")
        for name, value in re.findall(r"^(.+?)  +([\d.,]+)$", output, re.M)
    }


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: int(row["line"]))


def under_way(path: Path) -> Path:
    """Return where the results of a run are until it ends."""
    return next(iter(path.parent.glob(f"{path.name}*.part")), path)


def outcomes(path: Path) -> list[str]:
    return [row["outcome"] for row in table(path)] if path.exists() else []


def states(path: Path) -> dict[str, State]:
    with Journal(path) as journal:
        journal.open()
        return {reference: state for reference, state, _ in journal.iterate()}


class Job:
    """The files of one job."""

    def __init__(self, folder: Path) -> None:
        self.orders = folder / "orders.csv"
        self.journal = folder / "orders.journal"
        self.results = folder / "results.csv"

    def write(self, *rows: str, header: str = "amount,currency,order_reference") -> None:
        self.orders.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")

    def write_many(self, count: int) -> list[str]:
        references = [f"R-{number:05}" for number in range(count)]
        self.write(*(f"{number + 1},KZT,{reference}" for number, reference in enumerate(references)))
        return references

    def arguments(self, *more: str) -> list[str]:
        files = ["--journal", str(self.journal), "--results", str(self.results)]
        return ["bulk-create", str(self.orders), *files, *more]

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "plexypay_async.cli", *self.arguments(*more)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_a_second_run_sends_nothing_and_reports_every_row(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    references = job.write_many(20)
    assert main(job.arguments()) == 0
    first = table(job.results)
    assert {row["outcome"] for row in first} == {"created"}
    assert sums(capsys.readouterr().out)["from the journal"] == "0"
    assert main(job.arguments()) == 0
    found = sums(capsys.readouterr().out)
    assert (found["made now"], found["from the journal"]) == ("0", "20")
    second = table(job.results)
    assert {row["outcome"] for row in second} == {"journal"}
    assert [row | {"outcome": "created"} for row in second] == first
    assert served.count() == 20
    assert served.references() == references


def test_each_row_is_written_as_json_once(
    job: Job, served: ServedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = job.write_many(20)
    calls = JSONCalls(monkeypatch)
    assert main(job.arguments()) == 0
    assert calls.requests() == references
    assert len(calls.read) == 20


def test_rows_that_came_later_are_created(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("1,KZT,A", "2,KZT,B")
    assert main(job.arguments()) == 0
    job.write("3,KZT,C", "2,KZT,B", "1,KZT,A")
    assert main(job.arguments("--resume")) == 0
    assert outcomes(job.results) == ["created", "journal", "journal"]
    assert served.references() == ["A", "B", "C"]


def test_a_failed_row_is_tried_again(job: Job, served: ServedSandbox) -> None:
    job.write("1,KZT,A", "2,KZT,B")
    served.misbehave("status=422,times=1")
    assert main(job.arguments("--concurrency", "1")) == 1
    assert outcomes(job.results) == ["failed", "created"]
    assert main(job.arguments()) == 0
    assert outcomes(job.results) == ["created", "journal"]


def test_resume_wants_the_journal_to_be_there(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("1,KZT,A")
    assert main(job.arguments("--resume")) == 2
    assert f"there is no journal {job.journal}" in capsys.readouterr().err
    assert not job.journal.exists()
    assert served.count() == 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--resume"], "--resume needs --journal"),
        (["--journal", "j", "--sandbox"], "plexypay sandbox --database FILE"),
        (["--rate", "0"], "requests per second"),
    ],
)
def test_arguments_that_exclude_each_other(
    job: Job, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], part: str
) -> None:
    job.write("1,KZT,A")
    with pytest.raises(SystemExit) as caught:
        main(["bulk-create", str(job.orders), *arguments])
    assert caught.value.code == 2
    assert part in capsys.readouterr().err


@pytest.mark.parametrize("strict", [False, True])
def test_a_row_without_a_reference_is_bad(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str], strict: bool
) -> None:
    job.write("1,KZT,A", "2,KZT,", "3,KZT,C")
    assert main(job.arguments(*(("--strict",) if strict else ()))) == (2 if strict else 1)
    assert f"{job.orders}:3: column order_reference: is empty" in capsys.readouterr().err
    assert served.references() == ([] if strict else ["A", "C"])


@pytest.mark.parametrize("strict", [False, True])
def test_a_repeated_reference(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str], strict: bool
) -> None:
    job.write("1,KZT,A", '"2",KZT,B', " 1 ,kzt,A", "1,KZT,A", "5,KZT,B")
    flags = ("--allow-repeats", "--strict") if strict else ("--allow-repeats",)
    assert main(job.arguments(*flags)) == (2 if strict else 1)
    captured = capsys.readouterr()
    assert f"{job.orders}:6: column order_reference: is the same as in line 3" in captured.err
    if strict:
        assert "1 of 5 rows cannot be sent" in captured.err
        return
    assert outcomes(job.results) == ["created", "created", "repeated", "repeated", "invalid"]
    assert len({row["link_id"] for row in table(job.results) if row["order_reference"] == "A"}) == 1
    assert (sums(captured.out)["made now"], sums(captured.out)["repeated rows"]) == ("2", "2")
    assert served.references() == ["A", "B"]
    assert served.count() == 2
    assert main(job.arguments()) == 1
    assert outcomes(job.results) == ["journal", "journal", "repeated", "repeated", "invalid"]


def test_other_content_than_in_an_earlier_run_is_refused(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("1,KZT,A", "2,KZT,B")
    assert main(job.arguments()) == 0
    link_id = table(job.results)[1]["link_id"]
    job.write("1,KZT,A", "3,KZT,B")
    assert main(job.arguments()) == 1
    told = (
        "the journal has the order reference 'B' with other content, from an earlier run, and its link is"
        f" {link_id}: nothing was sent for it; put the row back as it was, or cancel that link first"
        f" (plexypay pay payment-links cancel {link_id}), since it may still be paid, and then give it a"
        " reference of its own"
    )
    assert f"{job.orders}:3: order B: {told}\n" in capsys.readouterr().err
    assert outcomes(job.results) == ["journal", "failed"]
    # Beside the new amount it would be taken for a link of that.
    refused = table(job.results)[1]
    assert (refused["error_message"], refused["link_id"], refused["amount_major"]) == (told, "", "0.03")
    assert served.count() == 2


def test_what_must_not_be_written_is_left_alone(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("1,KZT,A")
    text = job.orders.read_text()
    files = ["bulk-create", str(job.orders), "--journal"]
    assert main([*files, str(job.journal), "--results", str(job.orders)]) == 2
    assert "is the name of another of the job's files" in capsys.readouterr().err
    assert main([*files, str(job.orders)]) == 2
    assert "this file is no journal" in capsys.readouterr().err
    job.results.write_text("amount,currency\n")
    assert main(job.arguments()) == 2
    assert "holds no results" in capsys.readouterr().err
    assert (job.orders.read_text(), job.results.read_text()) == (text, "amount,currency\n")
    assert served.count() == 0


def test_a_journal_that_is_not_usable_leaves_the_results_alone(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job.write("1,KZT,A")
    assert main(job.arguments()) == 0
    kept = job.results.read_text()
    with Journal(job.journal) as journal:
        journal.open()
        # A lock is a process' own, so the second job is one.
        process = job.start()
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "another process is using it" in error
    monkeypatch.setenv("PLEXYPAY_BASE_URL", "http://127.0.0.1:1")
    assert main(job.arguments()) == 2
    assert (
        f"it belongs to {served.base_url}, not to http://127.0.0.1:1: give the first one (--base-url,"
        " base_url or PLEXYPAY_BASE_URL); a sandbox is there again with the same --port and --database\n"
        in capsys.readouterr().err
    )
    monkeypatch.setenv("PLEXYPAY_BASE_URL", served.base_url)
    monkeypatch.setenv("PLEXYPAY_API_KEY", "pr_another")
    assert main(job.arguments()) == 2
    captured = capsys.readouterr()
    assert "begun with another API key" in captured.err
    assert "pr_another" not in captured.err + captured.out
    assert job.results.read_text() == kept
    assert served.count() == 1


def test_killed_and_run_again_every_link_is_there_once(job: Job, served: ServedSandbox) -> None:
    references = job.write_many(600)
    served.misbehave(
        "latency=0.01",
        *(f"{fault},{CREATE}" for fault in ("code=1,rate=0.02", "code=2,rate=0.02", "cut=after,rate=0.02")),
    )
    kills = 0
    generator = random.Random(3)
    for _ in range(3):
        under_way(job.results).unlink(missing_ok=True)
        # Held up by one row, it cannot come to its end before it is killed.
        served.misbehave(f"hang=true,times=1,{CREATE}")
        process = job.start("--concurrency", "40")
        deadline = time.monotonic() + 60
        while len(outcomes(under_way(job.results))) < 20 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 0.1))
        process.kill()
        process.communicate(timeout=60)
        kills += process.returncode == -9
    assert kills == 3
    process = job.start("--concurrency", "40")
    output, error = process.communicate(timeout=120)
    # It may say how far it is, no more.
    assert all(line.startswith(("links ", SANDBOX_TOLD[:30])) for line in error.splitlines())
    assert process.returncode == 0
    assert served.references() == references
    rows = table(job.results)
    assert [row["order_reference"] for row in rows] == references
    assert {row["outcome"] for row in rows} <= {"created", "recovered", "journal"}
    found = sums(output)
    assert int(found["links"]) == 600
    assert int(found["from the journal"]) > 0


@pytest.mark.parametrize("broken", ["status=400", "code=5", "hang=true"])
def test_what_stays_unknown_is_looked_up_by_the_next_run(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    references = job.write_many(5)
    served.misbehave(f"cut=after,times=1,{CREATE}", f"{broken},{LOOK_UP}")
    assert main(job.arguments("--concurrency", "1", "--timeout", "4")) == 1
    captured = capsys.readouterr()
    assert sums(captured.out)["unknown"] == "1"
    assert "run the same command again, it looks for their order references first" in captured.err
    (unknown,) = (row for row in table(job.results) if row["outcome"] == "unknown")
    assert unknown["order_reference"] == "R-00000"
    assert unknown["error"] == "OutcomeUnknownError"
    assert states(job.journal)["R-00000"] is State.CLAIMED
    asked = served.count()
    served.behave()
    assert main(job.arguments()) == 0
    assert outcomes(job.results) == ["recovered", "journal", "journal", "journal", "journal"]
    assert served.count() == asked
    assert served.references() == references


def test_a_journal_that_cannot_be_written_ends_the_job(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job.write_many(500)
    whole = Journal.exchange
    calls = 0

    def full(journal: Journal, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise sqlite3.OperationalError("database or disk is full")
        return whole(journal, *arguments)

    monkeypatch.setattr(Journal, "exchange", full)
    assert main(job.arguments()) == 1
    captured = capsys.readouterr()
    assert f"stopped: journal {job.journal}: database or disk is full" in captured.err
    assert "run the same command again" in captured.err
    assert "Traceback" not in captured.err
    assert served.count() <= 128


def test_more_connections_than_the_client_has_by_itself(job: Job, served: ServedSandbox) -> None:
    job.write_many(300)
    served.misbehave("hang=true")
    process = job.start("--concurrency", "300")
    try:
        deadline = time.monotonic() + 60
        # None is answered, so all of them are under way at once.
        while served.count() < 300:
            assert process.poll() is None
            assert time.monotonic() < deadline, f"{served.count()} were sent at once"
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_a_rate(job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    job.write_many(5)
    assert main(job.arguments("--rate", "2")) == 0
    assert 1.9 <= float(sums(capsys.readouterr().out)["seconds"]) < 20


def test_json_lines_results_are_rewritten(job: Job, served: ServedSandbox) -> None:
    job.write_many(3)
    results = job.results.with_suffix(".jsonl")
    results.write_text("")
    for outcome in ("created", "journal"):
        assert main([*job.arguments()[:4], "--results", str(results)]) == 0
        rows = [json.loads(line) for line in results.read_text().splitlines()]
        assert [row["outcome"] for row in rows] == [outcome] * 3


def test_a_pipe_with_a_journal(job: Job, served: ServedSandbox) -> None:
    text = "amount,currency,order_reference\n1,KZT,A\n2,KZT,\n3,KZT,C\n3,KZT,C\n"
    for created in ("2", "0"):
        done = subprocess.run(
            [
                *(sys.executable, "-W", "error", "-m", "plexypay_async.cli", "bulk-create", "-"),
                *("--journal", str(job.journal)),
            ],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        bad, repeat, *table = done.stderr.splitlines(keepends=True)
        assert (
            bad == "stdin:3: column order_reference: is empty: a job with a journal needs one on every row\n"
        )
        assert repeat == "stdin:5: order C: is the same row as in line 4\n"
        assert sums("".join(table[:12]))["made now"] == created
        assert "".join(table[12:]) == (
            (SANDBOX_TOLD if created != "0" else "")
            + "plexypay: 1 row repeats an earlier row, its order reference and its data: no second link was"
            " made. Look whether orders have lost references of their own; give --allow-repeats if the"
            " repeats are meant\n"
        )
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        of_links = ["created", "created"] if created == "2" else ["journal", "journal"]
        assert sorted(row["outcome"] for row in rows) == sorted([*of_links, "invalid", "repeated"])
    with closing(sqlite3.connect(job.journal)) as database:
        assert database.execute("SELECT count(*) FROM links").fetchone() == (2,)
