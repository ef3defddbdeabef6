"""`plexypay bulk-create` against a sandbox over sockets: outcomes, sums and exit codes."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexypay_async.cli import main
from plexypay_async.cli.job import BulkCreateJob
from plexypay_async.pay.payment_links import BulkResult
from tests.cli.conftest import SANDBOX_TOLD

EXAMPLE = Path(__file__).parents[2] / "examples" / "links.csv"
COMMAND = [sys.executable, "-W", "error", "-m", "plexypay_async.cli"]
KEY = "pr_0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLEXYPAY_API_KEY", "PLEXYPAY_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(
        "amount,currency,description,order_reference\n"
        "2200000,KZT,Тур,ORD-1\n"
        "100,USD,Course,ORD-2\n"
        "300,KZT,,ORD-3\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a sandbox in a process of its own, which takes `KEY`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "plexypay_async.cli", "sandbox", "--port", "0", "--api-key", KEY],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split("sandbox on ")[1].split(";")[0]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def sums(output: str) -> dict[str, str]:
    return {
        name.strip(): value.replace(",", "")
        for name, value in re.findall(r"^(.+?)  +([\d.,]+)$", output, re.M)
    }


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: int(row["line"]))


def run_command(
    *arguments: str, stdin: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **variables},
    )


def test_all_created(orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.csv"
    assert main(["bulk-create", str(orders), "--sandbox", "--results", str(results)]) == 0
    found = sums(capsys.readouterr().out)
    assert found["made now"] == "3"
    assert found["failed"] == found["bad rows"] == found["unknown"] == "0"
    assert float(found["links per second"]) > 0
    rows = table(results)
    assert [(row["line"], row["order_reference"], row["outcome"]) for row in rows] == [
        ("2", "ORD-1", "created"),
        ("3", "ORD-2", "created"),
        ("4", "ORD-3", "created"),
    ]
    for row in rows:
        assert row["link_id"].startswith("pl_")
        assert row["link_id"] in row["url"]


def test_the_example_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bulk-create", str(EXAMPLE), "--sandbox", "--strict"]) == 0
    found = sums(capsys.readouterr().out)
    assert found["made now"] == "1000"
    assert float(found["seconds"]) < 30


def test_the_example_file_is_what_it_says() -> None:
    with EXAMPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["order_reference"] for row in rows}) == 1000
    assert {row["currency"] for row in rows} == {"KZT", "USD"}
    assert all(re.fullmatch(r"2099-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["expires_at"]) for row in rows)
    assert any(row["description"].isascii() for row in rows)
    assert any(re.search("[а-яӘ-ӿ]", row["description"]) for row in rows)
    assert {row["auto_clearing"] for row in rows} == {"", "true", "false"}


def test_bad_rows_are_named_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.jsonl"
    path.write_text(
        'amount,currency,description,order_reference\n1,KZT,"two\nlines",A\n22 000.00,KZT,,C\n3,KZT,,D\n'
    )
    assert main(["bulk-create", str(path), "--sandbox", "--results", str(results)]) == 1
    captured = capsys.readouterr()
    assert f"{path}:4: column amount: '22 000.00' is not a whole number of minor units" in captured.err
    assert sums(captured.out)["made now"] == "2"
    assert sums(captured.out)["bad rows"] == "1"
    rows = {row["line"]: row for row in map(json.loads, results.read_text().splitlines())}
    assert {line: row["outcome"] for line, row in rows.items()} == {2: "created", 4: "invalid", 5: "created"}
    assert rows[4]["order_reference"] == "C"
    assert rows[4]["error_message"].startswith("column amount:")


def test_only_the_first_bad_rows_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("amount,currency\n" + "0,KZT\n" * 400)
    assert main(["bulk-create", str(path), "--sandbox", "--no-references"]) == 1
    error = capsys.readouterr().err
    assert error.count("column amount") == 20
    assert "and 380 more: give --results FILE" in error


def test_what_the_server_refuses_is_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text("amount,currency,order_reference\n1,KZT,A\n2,KZT,B\n")
    arguments = ["bulk-create", str(path), "--sandbox", "--concurrency", "1", "--results", str(results)]
    assert main([*arguments, "--fault", "status=422,code=5,times=1"]) == 1
    captured = capsys.readouterr()
    assert f"{path}:2: order A: HTTP 422, code 5" in captured.err
    assert sums(captured.out)["failed"] == "1"
    failed, _ = table(results)
    assert (failed["outcome"], failed["error"], failed["error_code"]) == ("failed", "UnprocessableError", "5")
    assert failed["link_id"] == ""


def test_a_lost_answer_without_a_reference_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text("amount,currency,order_reference\n1,KZT,\n")
    arguments = ["bulk-create", str(path), "--sandbox", "--no-references", "--fault", "cut=after,times=1"]
    assert main([*arguments, "--results", str(results)]) == 1
    captured = capsys.readouterr()
    assert sums(captured.out)["unknown"] == "1"
    assert "it is not known whether there is a link" in captured.err
    (row,) = table(results)
    assert (row["outcome"], row["error"]) == ("unknown", "OutcomeUnknownError")


def test_a_lost_answer_with_a_reference_is_recovered(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.csv"
    arguments = ["bulk-create", str(orders), "--sandbox", "--concurrency", "1", "--results", str(results)]
    fault = "cut=after,times=1,operation=payment_links.create"
    assert main([*arguments, "--fault", fault]) == 0
    found = sums(capsys.readouterr().out)
    assert (found["links"], found["found again"]) == ("3", "1")
    assert [row["outcome"] for row in table(results)] == ["recovered", "created", "created"]


def test_retries_are_counted(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bulk-create", str(orders), "--sandbox", "--fault", "code=1,times=2"]) == 0
    assert sums(capsys.readouterr().out)["retries"] == "2"


def test_timeout_is_per_link(orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.csv"
    arguments = ["bulk-create", str(orders), "--sandbox", "--timeout", "3", "--results", str(results)]
    assert main([*arguments, "--fault", "hang=true"]) == 1
    assert sums(capsys.readouterr().out)["unknown"] == "3"
    assert {row["error"] for row in table(results)} == {"OutcomeUnknownError"}


def test_strict_sends_nothing_when_a_row_is_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text("amount,currency,order_reference\n1,KZT,A\n0,KZT,B\n1,KZT,A\n")
    assert main(["bulk-create", str(path), "--sandbox", "--strict", "--results", str(results)]) == 2
    captured = capsys.readouterr()
    assert f"{path}:3: column amount:" in captured.err
    assert f"{path}:4: column order_reference: is the same as in line 2" in captured.err
    assert "2 of 3 rows cannot be sent" in captured.err
    assert captured.out == ""
    assert not results.exists()


def test_rows_of_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    text = "amount,currency,description\n1,KZT,Тур\n0,KZT,\n3,KZT,\n"
    for extra, code, created in (((), 1, "2"), (("--strict",), 2, None)):
        done = run_command("bulk-create", "-", "--sandbox", "--no-references", *extra, stdin=text)
        assert done.returncode == code
        assert "stdin:3: column amount:" in done.stderr
        assert sums(done.stdout).get("made now") == created


@pytest.mark.parametrize("more", [[], ["--strict"]])
@pytest.mark.parametrize(
    "content", ["amount,currency,order_reference\n", "amount,currency,order_reference\n\n,,\n"]
)
def test_a_header_without_rows_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, more: list[str]
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(content)
    assert main(["bulk-create", str(path), "--sandbox", *more]) == 2
    assert f"there is no row in {path}: nothing was sent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "is empty"),
        ("amount,curency\n1,KZT\n", "did you mean currency?"),
        ("amount,description\n1,x\n", "no column currency"),
    ],
)
def test_unusable_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, part: str) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text(content)
    assert main(["bulk-create", str(path), "--sandbox", "--results", str(results)]) == 2
    assert part in capsys.readouterr().err
    assert not results.exists()


def test_existing_results_are_refused(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.csv"
    results.write_text("mine")
    assert main(["bulk-create", str(orders), "--sandbox", "--results", str(results)]) == 2
    assert "never overwritten" in capsys.readouterr().err
    assert results.read_text() == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        ["bulk-create"],
        ["bulk-create", "{orders}", "--sandbox", "--concurrency", "0"],
        ["bulk-create", "{orders}", "--sandbox", "--timeout", "nan"],
        ["bulk-create", "{orders}", "--sandbox", "--base-url", "https://x.example.com"],
        ["bulk-create", "{orders}", "--fault", "code=1"],
        ["sandbox", "--port", "70000"],
    ],
)
def test_bad_arguments_exit_2(orders: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([argument.format(orders=orders) for argument in arguments])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["/nowhere/orders.csv", "--sandbox"], "cannot read /nowhere/orders.csv: No such file"),
        (["{orders}", "--sandbox", "--results", "links.txt"], "must end in .csv or .jsonl"),
        (["{orders}", "--sandbox", "--fault", "colour=red"], "--fault: colour"),
        (["{orders}"], "PLEXYPAY_API_KEY, or try it with --sandbox"),
    ],
)
def test_unusable_settings(
    orders: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], part: str
) -> None:
    assert main(["bulk-create", *(argument.format(orders=orders) for argument in arguments)]) == 2
    assert part in capsys.readouterr().err


def test_a_plain_http_address_is_refused(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLEXYPAY_API_KEY", KEY)
    assert main(["bulk-create", str(orders), "--base-url", "http://pay.example.com"]) == 2
    captured = capsys.readouterr()
    assert "plain http" in captured.err
    assert KEY not in captured.out + captured.err


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_server_elsewhere(orders: Path, server: str, tmp_path: Path, by_variable: bool) -> None:
    orders.write_text(f"amount,currency,order_reference\n1,KZT,A{by_variable}\n2,KZT,B{by_variable}\n")
    results = tmp_path / "results.csv"
    arguments = ["bulk-create", str(orders), "--results", str(results)]
    if by_variable:
        done = run_command(*arguments, PLEXYPAY_API_KEY=KEY, PLEXYPAY_BASE_URL=server)
    else:
        done = run_command(*arguments, "--base-url", server, PLEXYPAY_API_KEY=KEY)
    told = SANDBOX_TOLD if by_variable else SANDBOX_TOLD.replace(" (PLEXYPAY_BASE_URL is its address)", "")
    assert (done.returncode, done.stderr) == (0, told)
    assert sums(done.stdout)["made now"] == "2"
    assert all(row["url"].startswith(server) for row in table(results))


def test_a_refused_key_ends_the_job_early(server: str, tmp_path: Path) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text("amount,currency\n" + "1,KZT\n" * 5000)
    wrong = "pr_ffffffffffffffffffffffffffffffff"
    arguments = ["bulk-create", str(path), "--no-references", "--base-url", server, "--results", str(results)]
    done = run_command(*arguments, PLEXYPAY_API_KEY=wrong)
    assert done.returncode == 1
    assert done.stderr.count("HTTP 401") == done.stderr.count("the server refuses the API key: HTTP 401") == 1
    assert "were not attempted" in done.stderr
    rows = table(results)
    assert 3 <= len(rows) < 500
    assert {row["outcome"] for row in rows} == {"failed"}
    sent = [row for row in rows if row["error"] == "AuthenticationError"]
    assert 3 <= len(sent) < 100
    assert all("not sent" in row["error_message"] for row in rows if row not in sent)
    assert wrong not in done.stdout + done.stderr + results.read_text()


def test_a_refusal_among_other_answers_is_the_row_s_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("amount,currency\n" + "1,KZT\n" * 5)
    arguments = ["bulk-create", str(path), "--sandbox", "--concurrency", "1", "--no-references"]
    assert main([*arguments, "--fault", "status=403,times=2"]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("HTTP 403") == 2
    assert "stopped" not in captured.err
    assert (sums(captured.out)["made now"], sums(captured.out)["failed"]) == ("3", "2")


def test_a_refused_key_does_not_wait_for_more_of_a_pipe(server: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "bulk-create", "-", "--no-references", "--base-url", server],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PLEXYPAY_API_KEY": "pr_wrong"},
    )
    with process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write("amount,currency\n" + "1,KZT\n" * 3)
        process.stdin.flush()
        assert process.wait(timeout=60) == 1
        assert "the server refuses the API key" in process.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_results_that_cannot_be_written_are_told_and_end_the_job(tmp_path: Path) -> None:
    import resource

    path, results = tmp_path / "orders.csv", tmp_path / "results.jsonl"
    path.write_text("amount,currency\n" + "1,KZT\n" * 5000)
    process = subprocess.run(
        [*COMMAND, "bulk-create", str(path), "--sandbox", "--no-references", "--results", str(results)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert process.returncode == 1
    assert f"cannot write {results}: File too large" in process.stderr
    assert "Traceback" not in process.stderr
    written = [line for line in results.read_text().split("\n")[:-1] if line]
    told = [line for line in process.stderr.splitlines() if line.startswith("{")]
    lines = {json.loads(line)["line"] for line in (*written, *told)}
    assert len(lines) == int(sums(process.stdout)["made now"]) < 500


def test_without_the_extra_it_says_what_to_install(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for arguments in (["bulk-create", str(orders), "--sandbox"], ["sandbox"]):
        assert main(arguments) == 2
        expected = """plexypay: the command line needs the extra "cli": pip install 'plexypay[cli]'\n"""
        assert capsys.readouterr().err == expected


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from plexypay_async.cli import main\n"
        "try:\n"
        "    main(['bulk-create', '--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'aiohttp', 'attrs', 'cattrs', 'rich', 'orjson', 'asyncio', 'sqlite3'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "examples:" in done.stdout
    assert "PLEXYPAY_API_KEY" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["sandbox", "--help"], ["reconcile", "--help"], ["--version"]]
)
def test_help_and_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(
        "plexypay " if arguments == ["--version"] else "usage: plexypay"
    )


@pytest.mark.campaign
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs the memory figures of a child process")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak_of(count: int) -> int:
        path = tmp_path / f"{count}.csv"
        path.write_text("amount,currency,order_reference\n" + "".join(f"1,KZT,R-{n}\n" for n in range(count)))
        process = subprocess.Popen(
            [sys.executable, "-m", "plexypay_async.cli", "bulk-create", str(path), "--sandbox"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)

    assert peak_of(100_000) - peak_of(20_000) < 10_000  # KiB


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--jornal", "x.journal"],
            "unrecognized arguments: --jornal; did you mean --journal for --jornal?",
        ),
        (["--jornal=x"], "did you mean --journal for --jornal?"),
        (["--result", "x.csv"], "did you mean --results for --result?"),
        (["--strikt", "--resum"], "did you mean --strict for --strikt?; did you mean --resume for --resum?"),
        (["--zzz"], "unrecognized arguments: --zzz"),
        (["more.csv"], "unrecognized arguments: more.csv"),
    ],
)
def test_an_unknown_option_is_met_with_the_commands_usage(
    orders: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bulk-create", str(orders), "--sandbox", *arguments])
    assert caught.value.code == 2
    error = " ".join(capsys.readouterr().err.split())
    assert error.startswith("usage: plexypay bulk-create ")
    assert error.endswith(told)


@pytest.mark.parametrize("command", ["reconcile", "journal", "sandbox", "listen"])
def test_no_command_takes_the_beginning_of_an_option(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"reconcile": ["x.csv", "--journal", "j"], "journal": ["purge", "x"]}.get(command, [])
    with pytest.raises(SystemExit) as caught:
        main([command, *more, "--hel"])
    assert caught.value.code == 2
    assert "did you mean --help" in capsys.readouterr().err


def test_a_file_that_may_have_been_cut_is_warned_of_and_refused_if_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("order_reference,currency,amount\ngr-1,KZT,2200000\ngr-2,KZT,22")
    assert main(["bulk-create", str(path), "--sandbox"]) == 1
    told = capsys.readouterr().err
    assert "warning: line 3: the last line does not end: if the file was cut off there" in told
    assert main(["bulk-create", str(path), "--sandbox", "--strict"]) == 2
    told = capsys.readouterr().err
    assert f"{path}:3: the last line does not end: " in told
    assert "1 of 2 rows cannot be sent, so none was (--strict)" in told


def _grow(path: Path) -> None:
    with path.open("a") as file:
        file.write("gr-9,KZT,900\n")


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_grow, "bytes when it was opened, and has"),
        (_replace, "was replaced by another file while it was read"),
        (Path.unlink, "was removed while it was read"),
        (Path.touch, "was written to while it was read"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    told: str,
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("order_reference,currency,amount\ngr-1,KZT,2200000\ngr-2,KZT,22\n")
    record = BulkCreateJob._record_result

    def recorded(self: BulkCreateJob, result: BulkResult) -> None:
        if result.index == 0:
            change(path)
        record(self, result)

    monkeypatch.setattr(BulkCreateJob, "_record_result", recorded)
    assert main(["bulk-create", str(path), "--sandbox"]) == 1
    captured = capsys.readouterr()
    assert told in captured.err
    assert "what came later was not read; run the whole file again" in captured.err
    assert "links  " in captured.out
