"""What a run keeps, and where: results of their journal alone, and folders and inputs that break."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async.bulk.journal import Journal
from plexypay_async.cli import main
from tests.cli.test_cli_journal import Job, outcomes, sums, table, under_way

if TYPE_CHECKING:
    from .conftest import ServedSandbox

CREATE = "operation=payment_links.create"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "plexypay_async.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


# ------------------------------------------------------------------------- results belong to a journal


def test_another_journal_replaces_no_results(job: Job, served: ServedSandbox) -> None:
    job.write("1,KZT,JAN-1", "2,KZT,JAN-2")
    assert command(*job.arguments()).returncode == 0
    january = job.results.read_bytes()
    folder = os.listdir(job.orders.parent)
    # Another month, with the results of this one.
    job.write("3,KZT,FEB-1")
    february = ["bulk-create", job.orders, "--journal", job.journal.with_name("february.journal")]
    refused = command(*february, "--results", job.results)
    assert refused.returncode == 2
    assert f"{job.results} holds results that no run with this journal has left there" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert job.results.read_bytes() == january
    assert served.references() == ["JAN-1", "JAN-2"]
    assert sorted(os.listdir(job.orders.parent)) == sorted([*folder, "february.journal"])

    assert command(*february, "--results", job.results, "--overwrite").returncode == 0
    assert [row["order_reference"] for row in table(job.results)] == ["FEB-1"]
    assert command(*february, "--results", job.results).returncode == 0


def test_results_that_were_changed_since_are_left(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("1,KZT,A")
    assert main(job.arguments()) == 0
    noted = job.results.read_text() + "paid in cash,,,,,,,\n"
    job.results.write_text(noted)
    assert main(job.arguments()) == 2
    assert "were changed since" in capsys.readouterr().err
    assert job.results.read_text() == noted


def test_results_are_known_where_they_are_moved_to(job: Job, served: ServedSandbox) -> None:
    job.write("1,KZT,A")
    assert main(job.arguments()) == 0
    moved = job.results.with_name("moved.csv")
    shutil.copy(job.results, moved)
    for _ in range(2):
        assert (
            main(["bulk-create", str(job.orders), "--journal", str(job.journal), "--results", str(moved)])
            == 0
        )
    assert outcomes(moved) == ["journal"]


def test_overwrite_needs_results_and_spares_what_holds_none(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("1,KZT,A")
    with pytest.raises(SystemExit):
        main(["bulk-create", str(job.orders), "--overwrite"])
    assert "--overwrite needs --results" in capsys.readouterr().err
    mine = job.results.with_name("mine.csv")
    mine.write_text("amount,currency\n")
    assert main(["bulk-create", str(job.orders), "--results", str(mine), "--overwrite"]) == 2
    assert mine.read_text() == "amount,currency\n"
    assert main(job.arguments()) == 0
    assert main(["bulk-create", str(job.orders), "--results", str(job.results)]) == 2
    assert main(["bulk-create", str(job.orders), "--results", str(job.results), "--overwrite"]) == 0
    assert outcomes(job.results) == ["recovered"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_run_leaves_the_earlier_results_and_its_own(job: Job, served: ServedSandbox) -> None:
    job.write_many(5)
    assert main(job.arguments()) == 0
    before = job.results.read_bytes()
    job.write_many(50)
    served.misbehave(f"hang=true,rate=0.1,{CREATE}")
    process = job.start("--concurrency", "4")
    deadline = time.monotonic() + 60
    while len(outcomes(under_way(job.results))) < 20 or under_way(job.results) == job.results:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    assert job.results.read_bytes() == before
    assert len(outcomes(under_way(job.results))) >= 20
    served.behave()
    assert main(job.arguments()) == 0
    assert len(outcomes(job.results)) == 50
    assert not list(job.orders.parent.glob("*.part"))


def test_what_a_killed_run_without_a_journal_has_left_is_not_replaced(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("1,KZT,A")
    left = Path(f"{job.results}.part")
    left.write_text("what links there are\n")
    assert main(["bulk-create", str(job.orders), "--results", str(job.results)]) == 2
    assert f"{left} exists: it holds the results of a run that was killed" in capsys.readouterr().err
    assert left.read_text() == "what links there are\n"
    assert served.count() == 0


def test_results_written_by_another_program_meanwhile_are_left(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job.write("1,KZT,A")
    noted = Journal.note_results

    def then_written(journal: Journal, digest: str) -> None:
        noted(journal, digest)
        job.results.write_text("of another\n")

    monkeypatch.setattr(Journal, "note_results", then_written)
    assert main(job.arguments()) == 1
    captured = capsys.readouterr()
    assert "another program has written it meanwhile; the results are in" in captured.err
    assert job.results.read_text() == "of another\n"
    assert outcomes(under_way(job.results)) == ["created"]


# ----------------------------------------------------------------------------- a journal that went away


def test_a_journal_removed_under_a_job_is_told_and_the_next_run_recovers(
    job: Job, served: ServedSandbox
) -> None:
    references = job.write_many(900)
    served.misbehave(f"latency=0.02,{CREATE}")
    process = job.start("--concurrency", "20")
    deadline = time.monotonic() + 60
    while len(outcomes(under_way(job.results))) < 50:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for file in job.journal.parent.glob(f"{job.journal.name}*"):
        file.unlink()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "orders.journal was removed while a job was using it" in told
    assert "put the journal back, or run the same command again, with another name for --results" in told
    assert "Traceback" not in told
    known = {row["order_reference"] for row in table(job.results) if row["outcome"] == "created"}
    assert known == set(served.references())
    assert 50 <= len(known) < 900

    again = command(*job.arguments("--overwrite"))
    assert again.returncode == 0, again.stderr
    assert sums(again.stdout)["found again"] == str(len(known))
    assert served.references() == references
    rows = table(job.results)
    assert all(row["url"] for row in rows)
    assert {row["order_reference"] for row in rows if row["outcome"] == "recovered"} == known


# -------------------------------------------------------------------------- folders and inputs that break

HEADER = "amount,currency,order_reference\n"


def limited(size: int) -> Callable[[], None]:
    def limit() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("size", [0, 100_000])
def test_a_temporary_folder_without_room_for_a_pipe(job: Job, served: ServedSandbox, size: int) -> None:
    rows = HEADER + "".join(f"1,KZT,R-{number}\n" for number in range(20_000))
    ended = command("bulk-create", "-", "--strict", input=rows, preexec_fn=limited(size))
    assert ended.returncode == 2
    assert "cannot copy stdin into the temporary folder" in ended.stderr
    assert "TMPDIR" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert served.count() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("name", ["bulk-create", "reconcile"])
def test_a_temporary_folder_without_room_for_the_references(
    job: Job, served: ServedSandbox, name: str, tmp_path: Path
) -> None:
    job.write("1,KZT,A")
    assert main(job.arguments()) == 0
    asked = served.count()
    job.write(*(f"1,KZT,{'R' * 90}-{number}" for number in range(60_000)))
    strict = ["--strict"] if name == "bulk-create" else []
    ended = command(
        *(name, job.orders, "--journal", job.journal, *strict),
        preexec_fn=limited(100_000),
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert ended.returncode == 2
    assert f"there is no room in the temporary folder {tmp_path}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert served.count() == asked


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_temporary_folder_that_fills_up_amid_a_job(job: Job, served: ServedSandbox) -> None:
    job.write(*(f"1,KZT,{'R' * 190}-{number}" for number in range(30_000)))
    served.misbehave(f"status=422,{CREATE}")
    process = command(*("bulk-create", job.orders, "--journal", job.journal), preexec_fn=limited(1_500_000))
    assert process.returncode == 1
    assert "stopped: " in process.stderr
    assert "Traceback" not in process.stderr


BREAKING = """
import errno, io, sys
from plexypay_async.cli import main, source

class Breaking(io.RawIOBase):
    def __init__(self, stream, left):
        self.stream, self.left = stream, left
    def readable(self):
        return True
    def seekable(self):
        return self.stream.seekable()
    def fileno(self):
        return self.stream.fileno()
    def tell(self):
        return self.stream.tell()
    def seek(self, *to):
        return self.stream.seek(*to)
    def close(self):
        self.stream.close()
        super().close()
    def readinto(self, buffer):
        if self.left <= 0:
            raise OSError(errno.EIO, "Input/output error")
        data = self.stream.read(min(len(buffer), self.left, 4096))
        self.left -= len(data)
        buffer[: len(data)] = data
        return len(data)

def broken_open(path, mode="rb", **options):
    return io.BufferedReader(Breaking(open(path, "rb", buffering=0, **options), int(left)), 512)

left = sys.argv.pop(1)
source.open = broken_open
sys.exit(main(sys.argv[1:]))
"""


def broken(left: int, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BREAKING, str(left), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.mark.parametrize("strict", [[], ["--strict"]])
@pytest.mark.parametrize("left", [0, 2000])
def test_a_file_that_breaks_while_it_is_read(
    job: Job, served: ServedSandbox, left: int, strict: list[str]
) -> None:
    job.write_many(500)
    told = broken(left, *job.arguments(*strict))
    assert told.returncode == 2
    assert f"cannot read {job.orders} to its end: Input/output error" in told.stderr
    assert "Traceback" not in told.stderr
    assert not job.results.exists()
    assert served.count() == 0


@pytest.mark.parametrize(("left", "code"), [(0, 2), (4000, 1)])
def test_a_pipe_that_breaks_while_it_is_read(job: Job, served: ServedSandbox, left: int, code: int) -> None:
    references = job.write_many(500)
    arguments = ["bulk-create", "-", *job.arguments()[2:]]
    # A pipe: it cannot be read again, so its rows are sent as they come.
    ended = broken(left, *arguments, input=job.orders.read_text())
    assert ended.returncode == code
    assert "cannot read" in ended.stderr
    assert "Input/output error" in ended.stderr
    assert "Traceback" not in ended.stderr
    if code == 1:
        assert 0 < len(served.references()) < len(references)
        assert len(outcomes(job.results)) == len(served.references())
    else:
        assert served.count() == 0
        assert not list(job.results.parent.glob("results*"))


def test_a_file_that_breaks_while_it_is_reconciled(job: Job, served: ServedSandbox) -> None:
    job.write_many(500)
    assert main(job.arguments()) == 0
    told = broken(2000, "reconcile", job.orders, "--journal", job.journal)
    assert told.returncode == 2
    assert f"cannot read {job.orders} to its end: Input/output error" in told.stderr


@pytest.mark.parametrize("raised", [OSError(5, "Input/output error"), sqlite3.DatabaseError("is malformed")])
def test_what_breaks_elsewhere_is_one_line(
    job: Job,
    served: ServedSandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
) -> None:
    job.write("1,KZT,A")

    def breaking(*_: Any, **__: Any) -> Any:
        raise raised

    for where, told in (
        ("plexypay_async.cli.bulk_run.choose_progress", "; nothing was sent"),
        ("plexypay_async.cli.bulk_run.Journal", "; nothing was sent"),
        ("plexypay_async.cli.bulk_create.allow_open_files", ""),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, breaking)
            assert main(job.arguments()) == 2
        error = capsys.readouterr().err
        assert str(raised.args[-1]) + told in error
    assert served.count() == 0


def test_what_breaks_after_requests_is_told_with_what_became_of_the_rows(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job.write_many(5)

    def full(journal: Journal) -> None:
        whole(journal)
        raise OSError(28, "No space left on device")

    whole = Journal.close
    monkeypatch.setattr(Journal, "close", full)
    assert main(job.arguments()) == 1
    captured = capsys.readouterr()
    assert "stopped: No space left on device" in captured.err
    assert sums(captured.out)["made now"] == "5"
    assert outcomes(job.results) == ["created"] * 5


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_output_to_a_full_disk(job: Job, served: ServedSandbox) -> None:
    job.write_many(3)

    def run(stream: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        with open("/dev/full", "w") as full:
            return subprocess.run(
                [sys.executable, "-W", "error", "-m", "plexypay_async.cli", *arguments],
                stdout=full if stream == "stdout" else subprocess.PIPE,
                stderr=full if stream == "stderr" else subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
            )

    ended = run("stdout", *job.arguments())
    # The links are in the results.
    assert ended.returncode == 0
    assert "cannot write to standard output: No space left on device; 3 links were made" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert outcomes(job.results) == ["created"] * 3
    # What went well is no failure since nobody could be told.
    ended = run("stderr", *job.arguments())
    assert (ended.returncode, sums(ended.stdout)["from the journal"]) == (0, "3")
    version = run("stdout", "--version")
    assert "Traceback" not in version.stderr
    assert version.returncode == 2
