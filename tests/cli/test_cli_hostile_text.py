"""What a server, a file or its name says is shown, and nothing of it is obeyed; the key is in no frame."""

from __future__ import annotations

import ast
import csv
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from plexypay_async import ConfigurationError
from plexypay_async._privacy.printable import printable
from plexypay_async._privacy.secret import Secret
from plexypay_async.cli import bulk_run, main, reconcile_run
from plexypay_async.cli.command import build_parser
from plexypay_async.cli.exits import UnusableInputError
from tests.cli.pseudo_terminal import Terminal, on_posix
from tests.frames import exposures

CLI = Path(__file__).parents[2] / "plexypay_async" / "cli"
KEY = "pr_fedcba9876543210fedcba9876543210"
HOSTILE = (
    "x\x1b]0;owned\x07\x1b[2J\r\nforged line\x9b31m\x85\u202e\u2066\u200b\u3164[bold red]y[/] :smile: =1+1"
)
SHOWN = (
    r"x\x1b]0;owned\x07\x1b[2J\r\nforged line\x9b31m\x85\u202e\u2066\u200b\u3164[bold red]y[/] :smile: =1+1"
)


class HostileServer(BaseHTTPRequestHandler):
    """Makes links whose texts are hostile, and refuses those of an odd amount with such a message."""

    protocol_version = "HTTP/1.1"
    links: ClassVar[list[dict[str, Any]]] = []

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if sent["amount"] % 2:
            self.answer(422, {"code": 5, "message": HOSTILE, "source": HOSTILE, "type": HOSTILE})
            return
        link = {
            **{name: sent.get(name) for name in ("amount", "currency", "orderReference")},
            "id": f"pl_{HOSTILE}",
            "url": f"https://pay.example/{HOSTILE}",
            "status": HOSTILE,
            "createdAt": "2026-03-01T12:00:00Z",
        }
        self.links.append(link)
        self.answer(201, link)

    def do_GET(self) -> None:
        found = [{**link, "amount": 7, "id": f"{link['id']}-other"} for link in self.links]
        self.answer(200, {"data": found, "page": 1, "size": 100, "total": len(found)})

    def answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), HostileServer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(HostileServer, "links", [])
        base_url = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("PLEXYPAY_API_KEY", KEY)
        monkeypatch.setenv("PLEXYPAY_BASE_URL", base_url)
        yield base_url
        server.shutdown()
        thread.join()


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A row that becomes a link, one that is refused and two that are bad, in a file with a hostile name."""
    path = tmp_path / f"{HOSTILE.replace('/', '')}.csv"
    path.write_text(
        f'amount,currency,order_reference\n2,KZT,"A {HOSTILE}"\n4,KZT,B\n5,KZT,C\n"{HOSTILE}",KZT,D\n',
        "utf-8",
        newline="",
    )
    return path


def assert_plain(text: str, *, shown: int = 1) -> None:
    """Check that there is nothing in it but lines of what can be seen."""
    for line in text.splitlines():
        assert printable(line) == line
    assert text.count("\n") == len(text.splitlines())
    assert text.count("forged line") >= shown
    assert "\nforged" not in text


def test_all_that_a_bulk_job_writes(
    hostile: str, orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "orders.journal"
    files = [tmp_path / "results.jsonl", tmp_path / "results.csv"]
    for results in files:
        command = ["bulk-create", str(orders), "--journal", str(journal), "--results", str(results)]
        assert main([*command, "--concurrency", "1"]) == 1
        told = capsys.readouterr()
        assert_plain(told.err, shown=3)
        assert_plain(told.out, shown=0)
        # Of the refused row: its file, and the server's words.
        refused = next(line for line in told.err.splitlines() if "order C" in line)
        assert refused.count("owned") >= 2

    assert_plain(files[0].read_text("utf-8"), shown=4)
    rows = [json.loads(line) for line in files[0].read_text("utf-8").splitlines()]
    made = next(row for row in rows if row["order_reference"] == "B")
    assert made["link_id"] == f"pl_{HOSTILE}"
    bad = next(row for row in rows if row["line"] == 2)
    assert (bad["order_reference"], bad["outcome"]) == (f"A {HOSTILE}", "invalid")
    assert any(HOSTILE in (row["error_message"] or "") for row in rows)

    with files[1].open(encoding="utf-8", newline="") as file:
        _, *lines = csv.reader(file)
    # What CSV itself puts into quotes stays.
    assert f"A {SHOWN}".replace(r"\r\n", "\r\n") in [cells[1] for cells in lines]
    assert {printable(cell, keep="\r\n") == cell for cells in lines for cell in cells} == {True}


def test_all_that_a_comparison_writes(
    hostile: str, orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = str(tmp_path / f"{HOSTILE}.journal".replace("/", ""))
    main(["bulk-create", str(orders), "--journal", journal])
    capsys.readouterr()

    assert main(["reconcile", str(orders), "--journal", journal, "--all"]) == 1
    told = capsys.readouterr()
    assert_plain(told.out, shown=5)
    assert_plain(told.err, shown=0)
    assert main(["reconcile", str(orders), "--journal", journal, "--all", "--json"]) == 1
    told = capsys.readouterr()
    assert_plain(told.out, shown=5)
    findings = [json.loads(line) for line in told.out.splitlines()]
    assert any(HOSTILE in str(finding["order_reference"]) for finding in findings[:-1])
    assert any(HOSTILE in link["status"] for finding in findings[:-1] for link in finding["links"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["bulk-create", f"{HOSTILE}.csv"],
        ["bulk-create", "-", "--results", f"{HOSTILE}.txt"],
        ["bulk-create", "-", "--journal", f"{HOSTILE}.journal", "--resume"],
        ["bulk-create", "-", "--rate", HOSTILE],
        ["bulk-create", "-", "--sandbox", "--fault", HOSTILE],
        ["bulk-create", "-", HOSTILE],
        ["reconcile", "-", "--journal", HOSTILE],
        ["sandbox", "--port", "0", "--host", "127.0.0.1\x1b[2J\r\nforged line"],
        ["sandbox", "--port", "0", "--database", f"/no/such/folder/{HOSTILE}"],
        ["sandbox", "--port", HOSTILE],
        ["listen", "--port", "0", "--host", f"127.0.0.1{HOSTILE}", "--token", "whk_0123456789abcdef"],
        [HOSTILE],
    ],
    ids=str,
)
def test_what_is_told_of_arguments(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLEXYPAY_API_KEY", KEY)
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    assert_plain(capsys.readouterr().err)


@on_posix
def test_a_terminal_obeys_nothing_of_it(hostile: str, orders: Path, tmp_path: Path) -> None:
    terminal = Terminal(["bulk-create", str(orders), "--journal", str(tmp_path / "j")])
    shown = terminal.read()
    assert terminal.close() == 1
    assert SHOWN in shown.replace("\r\n", "").replace("\n", "")
    for obeyed in ("\x1b]0;", "\x1b[2J", "\nforged line", "\x9b", "\x85", "\u202e", "\u2066", "\u200b", "😄"):
        assert obeyed not in shown
    assert "[bold red]y[/] :smile:" in shown


def test_nothing_is_written_but_by_the_one_way() -> None:
    """`terminal` escapes; a progress bar does so itself; a sandbox greets with its own words alone."""
    for path in CLI.glob("*.py"):
        found = [
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call)
        ]
        writing = {name for name in found if name.endswith(("print", "stdout.write", "stderr.write"))}
        allowed = {
            "terminal.py": {"print"},
            "progress.py": {"self._bar.console.print"},
            "report.py": {"Console(stderr=to_error).print"},
            "sandbox.py": {"print"},
        }
        assert writing <= allowed.get(path.name, set()), path.name


# ------------------------------------------------------------------------------------------------- the key


def run(*arguments: str) -> int:
    parsed = build_parser().parse_args(arguments)
    code = parsed.run(parsed)
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("raised", [ConfigurationError, RuntimeError])
@pytest.mark.parametrize("command", ["bulk-create", "reconcile"])
def test_the_key_is_in_no_frame_of_the_command(
    command: str,
    raised: type[Exception],
    hostile: str,
    orders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(api_key: Any, **_: Any) -> Any:
        raise raised(f"the key is {api_key}"[:7])

    journal = tmp_path / "orders.journal"
    main(["bulk-create", str(orders), "--journal", str(journal)])
    for module in (bulk_run, reconcile_run):
        monkeypatch.setattr(module, "AsyncPlexyPay", refuse)
    with pytest.raises((UnusableInputError, RuntimeError)) as caught:
        run(command, str(orders), "--journal", str(journal))
    assert exposures(caught.value, [KEY]) == []
    assert caught.value.__context__ is None


def test_tokens_are_in_no_frame_of_the_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    from plexypay_async.cli import listening

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("of the server")

    monkeypatch.setattr(listening, "listen", refuse)
    token = "whk_0123456789abcdef"
    with pytest.raises(RuntimeError) as caught:
        run("listen", "--port", "0", "--token", token)
    assert exposures(caught.value, [token]) == []
    with pytest.raises(UnusableInputError) as refused:
        run("listen", "--port", "0", "--token", token, "--token", "short")
    assert exposures(refused.value, [token]) == []


def test_the_key_is_struck_from_what_a_server_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from plexypay_async.cli.account import api_key_from_environment, without_secret

    monkeypatch.setenv("PLEXYPAY_API_KEY", KEY)
    key = api_key_from_environment()
    assert (type(key), key.reveal()) == (Secret, KEY)
    assert without_secret(f"bad key {KEY}", key) == "bad key [API key]"
    assert without_secret("bad key", Secret("key")) == "bad key"
