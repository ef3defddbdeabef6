"""Operations of the Pay API as commands, against a sandbox in a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.pseudo_terminal import Terminal, on_posix
from tests.cli.ran import Ran

if TYPE_CHECKING:
    from .conftest import ServedSandbox

CREATE = ["pay", "payment-links", "create", "--amount", "2200000", "--currency", "KZT"]
AUTHORIZE = ["pay", "wallet", "authorize", "--amount", "500", "--currency", "KZT"]
SERIES = {"type": "cof_initial", "frequency": 30, "expiry": "2031-01-31T00:00:00Z"}
PLEXYPAY = [sys.executable, "-W", "error", "-m", "plexypay_async.cli"]
SANDBOX = "plexypay: this is a sandbox's account, not one of Plexy Pay\n"


def paid(served: ServedSandbox, run: Ran) -> str:
    """Return the id of a transaction of a link that was paid."""
    assert run(*CREATE, "--yes") == 0
    link = run.document["id"]
    served.ask("POST", f"/payment-links/{link}/pay")
    assert run("pay", "transactions", "retrieve-by-payment-link", link) == 0
    return str(run.document["id"])


# ------------------------------------------------------------------------------------------------- answers


def test_what_is_created_can_be_read_and_listed(served: ServedSandbox, run: Ran) -> None:
    assert run(*CREATE, "--order-reference", "ORD-1", "--yes") == 0
    made = run.document
    assert (made["amount"], made["currency"], made["order_reference"]) == (2200000, "KZT", "ORD-1")
    assert run.err == SANDBOX
    assert run("pay", "payment-links", "retrieve", made["id"]) == 0
    assert run.document == made
    assert run("pay", "payment-links", "list", "--status", "active") == 0
    assert [item["id"] for item in run.lines] == [made["id"]]
    assert served.references() == ["ORD-1"]


def test_every_kind_of_value_reaches_the_server(served: ServedSandbox, run: Ran, tmp_path: Path) -> None:
    series = tmp_path / "series.json"
    series.write_text(json.dumps(SERIES))
    assert (
        run(
            *(*CREATE, "--yes", "--raw", "--expires-at", "2099-12-31T23:59:59+05:00"),
            *("--auto-clearing", "false", "--recurring", f"@{series}"),
            *("--metadata", '{"cart": "7"}', "--extra", '{"storeId": 1.5}'),
        )
        == 0
    )
    link = run.document
    assert link["expiresAt"] == "2099-12-31T18:59:59Z"
    assert link["autoClearing"] is False
    assert link["metadata"]["cart"] == "7"
    assert (
        run(
            "pay", "payment-links", "update-expiration", link["id"], "--expires-at", "2098-01-01T00:00Z", "-y"
        )
        == 0
    )
    assert run.document["expires_at"] == "2098-01-01T00:00:00Z"
    assert run("pay", "payment-links", "cancel", link["id"], "-y") == 0


def test_an_amount_of_major_units_keeps_its_digits(served: ServedSandbox, run: Ran) -> None:
    transaction = paid(served, run)
    served.ask("POST", "/clock", '{"advance_seconds": 4000}')
    assert run("pay", "payments", "refund", transaction, "--amount", "10.05", "--yes") == 0, run.err
    assert run.document["amount"] == "10.05"


def test_names_are_the_librarys_or_the_apis(served: ServedSandbox, run: Ran) -> None:
    assert run(*CREATE, "--order-reference", "ORD-1", "--yes") == 0
    link = run.document["id"]
    assert run("pay", "payment-links", "retrieve", link, "--raw") == 0
    assert run.document["orderReference"] == "ORD-1"
    assert "order_reference" not in run.document
    # Nothing of it is known but its id: the rest is in the answer as it came.
    assert run("pay", "customers", "create", "--extra", '{"name": "Anna"}', "--yes") == 0
    assert set(run.document) == {"id"}
    assert run("pay", "customers", "retrieve", run.document["id"], "--raw") == 0
    assert run.document["name"] == "Anna"


def test_an_answer_is_not_lost_for_a_letter_that_the_output_does_not_have(served: ServedSandbox) -> None:
    for encoding, shown in (("ascii", b"\\u00c4 \\u20b8"), ("utf-8", "Ä ₸".encode())):
        ended = subprocess.run(
            [*PLEXYPAY, *CREATE, "--description", "Ä ₸", "--yes"],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert shown in ended.stdout
        assert json.loads(ended.stdout)["description"] == "Ä ₸"


def test_standard_input_is_a_value(served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO('{"name": "Ä"}'.encode())))
    assert run("pay", "customers", "create", "--extra", "-", "--yes", "--raw") == 0
    assert run.document["name"] == "Ä"


def test_a_wait_ends_with_what_was_waited_for(served: ServedSandbox, run: Ran) -> None:
    assert run(*CREATE, "--yes") == 0
    link = run.document["id"]
    assert run("pay", "transactions", "wait", "--payment-link-id", link, "--timeout", "0.2") == 1
    assert "nobody has paid" in run.err
    served.ask("POST", f"/payment-links/{link}/pay")
    assert run("pay", "transactions", "wait", "--payment-link-id", link) == 0
    assert run.document["status"] == "authorized"


def test_a_sandbox_of_its_own_needs_no_account_and_is_not_asked_about(
    run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLEXYPAY_API_KEY", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert run(*CREATE, "--sandbox") == 0
    assert run.document["status"] == "active"
    assert run.err == ""


# ------------------------------------------------------------------------------------------------ listings


def made_links(served: ServedSandbox, run: Ran, number: int) -> None:
    for index in range(number):
        assert run(*CREATE, "--order-reference", f"ORD-{index}", "--yes") == 0


def test_a_listing_ends_where_it_is_told(served: ServedSandbox, run: Ran) -> None:
    made_links(served, run, 5)
    before = served.count("payment_links.list")
    assert run("pay", "payment-links", "list", "--size", "2") == 0
    assert len(run.lines) == 5
    assert served.count("payment_links.list") >= before + 3
    assert run("pay", "payment-links", "list", "--size", "2", "--limit", "1") == 0
    assert len(run.lines) == 1
    before = served.count("payment_links.list")
    # So slow that pages which are asked for ahead are asked for before this one is there.
    served.misbehave("operation=payment_links.list,latency=0.2")
    assert run("pay", "payment-links", "list", "--size", "1", "--limit", "2") == 0
    assert len(run.lines) == 2
    assert served.count("payment_links.list") == before + 2


class BreaksAtPageTwo(BaseHTTPRequestHandler):
    """A server of 250 links, of which the second page is refused once."""

    refused = False

    def do_GET(self) -> None:
        page = int(parse_qs(urlsplit(self.path).query)["page"][0])
        refuses = page == 2 and not BreaksAtPageTwo.refused
        BreaksAtPageTwo.refused = BreaksAtPageTwo.refused or refuses
        links = [
            {
                "id": f"pl_{page}_{number}",
                "amount": 1,
                "currency": "KZT",
                "status": "active",
                "url": "https://x",
            }
            for number in range(100 if page < 3 else 50)
        ]
        body: Any = {"code": 3, "message": "no"} if refuses else {"data": links, "page": page, "size": 100}
        content = json.dumps(body if refuses else {**body, "total": 250}).encode()
        # The client may not wait for a page that comes after the one that is refused.
        with contextlib.suppress(OSError):
            self.send_response(400 if refuses else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_a_listing_that_breaks_says_where_it_goes_on(run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BreaksAtPageTwo, "refused", False)
    with ThreadingHTTPServer(("127.0.0.1", 0), BreaksAtPageTwo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PLEXYPAY_API_KEY", "some-key")
        monkeypatch.setenv("PLEXYPAY_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        assert run("pay", "payment-links", "list") == 1
        first = run.lines
        told, where = run.err.splitlines()
        cursor = where.split()[-3]
        assert "code 3: no" in told
        assert where == f"plexypay: 100 printed; the same command with --resume {cursor} goes on"
        assert run("pay", "payment-links", "list", "--resume", cursor) == 0
        server.shutdown()
    names = [f"pl_{page}_{number}" for page in (1, 2, 3) for number in range(100 if page < 3 else 50)]
    assert [item["id"] for item in first + run.lines] == names


def test_a_reader_that_goes_away_ends_a_listing_quietly(served: ServedSandbox, run: Ran) -> None:
    made_links(served, run, 4)
    line = f"{shlex.join(PLEXYPAY)} pay payment-links list --size 1; echo code $? >&2"
    ended = subprocess.run(
        ["sh", "-c", f"({line}) | head -n 1"], capture_output=True, text=True, timeout=60, check=False
    )
    assert len(ended.stdout.splitlines()) == 1
    assert ended.stderr == f"{SANDBOX}code 0\n"


# ---------------------------------------------------------------------------------------------- bad values


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--amount", "22000.50"], "--amount: expected a whole number, such as 2200000, got '22000.50'"),
        (["--amount", "1e3"], "--amount: expected a whole number"),
        (["--amount", "٣"], "--amount: expected a whole number"),
        (["--amount", "0"], "--amount: must be positive, got 0"),
        (["--currency", "KZ"], "--currency: expected three letters such as KZT"),
        (["--expires-at", "2099-12-31T23:59:59"], "--expires-at: expected a time of ISO 8601 with its zone"),
        (["--expires-at", "tomorrow"], "--expires-at: expected a time"),
        (["--auto-clearing", "yes"], "--auto-clearing: expected true or false, got 'yes'"),
        (["--recurring", "{"], "--recurring: this is not JSON"),
        (["--recurring", "[1]"], "--recurring: expected an object, got list"),
        (["--recurring", '{"colour": "red"}'], "--recurring: has no colour; known are expiry"),
        (["--recurring", '{"type": 5}'], "--recurring.type: expected a string, got int 5"),
        (["--extra", '{"a": 1, "a": 2}'], "--extra: the name 'a' is there twice"),
        (["--extra", '{"a": NaN}'], "--extra: NaN is no number of JSON"),
        (["--extra", '{"a": 0.12345678901234567890}'], "--extra: a number has more digits than JSON carries"),
        (["--extra", '{"amount": 5}'], "--extra['amount']: amount is a field of its own"),
        (["--extra", "[" * 100_000], "--extra: this is nested too deep"),
        (["--extra", "@/nowhere/at.json"], "--extra: cannot read /nowhere/at.json: No such file"),
        (["--description", "\udcff"], "--description: not valid Unicode text"),
        (["--metadata", "-", "--extra", "-"], "--extra: standard input is the value of --metadata already"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_by_its_option(
    served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch, more: list[str], told: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert run(*CREATE, *more, "--yes") == 2
    (line,) = run.err.splitlines()
    assert line.startswith(f"plexypay: {told}")
    assert line.endswith("; nothing was sent")
    assert served.count() == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (CREATE[:-2], "the following arguments are required: --currency"),
        (["pay", "payment-links", "retrieve"], "the following arguments are required: EXTERNAL-ID"),
        (["pay", "payment-links", "retrieve", ""], "it is empty: perhaps a variable of the shell is not set"),
        ([*CREATE, "--amonut", "5"], "did you mean --amount for --amonut?"),
        (["pay", "payment-links", "list", "--limit", "0"], "expected a whole number of at least 1, got '0'"),
        (
            [*CREATE, "--sandbox", "--base-url", "http://localhost"],
            "--base-url and --sandbox exclude each other",
        ),
        (["pay", "payment-links"], "the following arguments are required: OPERATION"),
        (["pay", "payment-links", "creat"], "invalid choice: 'creat'"),
    ],
)
def test_arguments_that_cannot_be_used_are_told_with_the_usage(
    served: ServedSandbox, run: Ran, arguments: list[str], told: str
) -> None:
    assert run(*arguments) == 2
    assert run.err.startswith("usage: plexypay pay")
    assert told in run.err
    assert served.count() == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["pay", "transactions", "wait"],
            "ID, --payment-link-id, --order-reference: give one of them, got none",
        ),
        (["pay", "customers", "create", "--yes"], "--extra: must not be empty"),
        (["pay", "payment-links", "list", "--size", "0"], "--size: expected a positive int"),
        (
            ["pay", "payment-links", "list", "--resume", "p9"],
            "--resume: 'p9' is not one of payment_links.list",
        ),
        (["pay", "payment-links", "retrieve", ".."], "EXTERNAL-ID: "),
    ],
)
def test_a_request_that_its_class_refuses_is_told_by_its_options(
    served: ServedSandbox, run: Ran, arguments: list[str], told: str
) -> None:
    assert run(*arguments) == 2
    assert run.err.startswith(f"plexypay: {told}")
    assert run.err.endswith("; nothing was sent\n")


def test_a_key_is_needed_and_comes_from_the_environment(run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXYPAY_API_KEY", raising=False)
    assert run("pay", "payment-links", "list") == 2
    assert run.err == (
        "plexypay: no API key: set the environment variable PLEXYPAY_API_KEY, or try it with --sandbox\n"
    )


# ---------------------------------------------------------------------------------------------- the answer


def test_what_the_api_refuses_is_told_in_a_line(served: ServedSandbox, run: Ran) -> None:
    assert run("pay", "payment-links", "retrieve", "pl_none") == 1
    assert re.sub("req_[0-9a-f]{24}", "ID", run.err) == (
        f"{SANDBOX}plexypay: payment_links.retrieve 'pl_none': HTTP 404, code 4: payment link not found,"
        " request id ID\n"
        "plexypay: The id is that of a link (pl_...): plexypay pay payment-links retrieve-by-order-reference"
        " finds a link by its order's reference.\n"
    )
    assert run.out == ""


def test_a_server_that_is_not_there_is_no_unknown_outcome(run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXYPAY_API_KEY", "some-key")
    assert run(*AUTHORIZE, "--yes", "--base-url", "http://127.0.0.1:1", "--timeout", "0.3") == 1
    assert "cannot connect to 127.0.0.1:1" in run.err
    assert "not known" not in run.err


def test_money_that_may_have_moved_has_a_code_of_its_own(served: ServedSandbox, run: Ran) -> None:
    transaction = paid(served, run)
    served.misbehave("operation=payments.cancel,cut=after,times=1")
    assert run("pay", "payments", "cancel", transaction, "--yes") == 3
    lines = run.err.splitlines()
    assert lines[-4].endswith(
        "Money may have moved: look for the status 'cancelled' in `transactions retrieve` before doing it"
        " again."
    )
    assert lines[-3:] == [
        "plexypay: it is not known whether it was done: do not run it again before you know; money could move"
        " twice",
        "plexypay: look for the status 'cancelled' with",
        f"  plexypay pay transactions retrieve {transaction}",
    ]
    assert served.count("payments.cancel") == 1


def test_an_unknown_outcome_with_a_key_is_settled_by_the_same_command(
    served: ServedSandbox, run: Ran
) -> None:
    served.misbehave("operation=wallet.authorize,cut=after,times=99")
    assert run(*AUTHORIZE, "--order-reference", "W-1", "--yes", "--timeout", "0.5") == 3
    served.behave()
    first, *_, last = run.err.splitlines()
    key = first.removeprefix("plexypay: sent with --idempotency-key ").partition(":")[0]
    assert len(key) == 36
    assert last == (
        "plexypay: it is not known whether it was done: run the same command again with"
        f" --idempotency-key {key}, which does it once in all"
    )
    again = [*AUTHORIZE, "--order-reference", "W-1", "--yes", "--idempotency-key", key]
    assert run(*again) == 0
    made = run.document["id"]
    assert run(*again) == 0
    assert run.document["id"] == made
    assert run("pay", "wallet", "list") == 0
    assert [item["id"] for item in run.lines] == [made]


def test_an_answer_that_cannot_be_read_is_not_taken_for_a_failure(served: ServedSandbox, run: Ran) -> None:
    transaction = paid(served, run)
    served.misbehave("operation=payments.cancel,cut=body,times=9")
    assert run("pay", "payments", "cancel", transaction, "--yes") == 3
    assert "do not run it again before you know" in run.err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
@pytest.mark.parametrize(("where", "code"), [("/dev/full", 3), ("pipe", 0)])
def test_an_answer_without_a_place_is_not_lost(served: ServedSandbox, where: str, code: int) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    output = write_end if where == "pipe" else os.open(where, os.O_WRONLY)
    ended = subprocess.run(
        [*PLEXYPAY, *CREATE, "--yes"],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(output)
    assert ended.returncode == code
    assert "pay payment-links create WAS done" in ended.stderr
    assert '"amount": 2200000' in ended.stderr
    assert "Traceback" not in ended.stderr
    assert served.count() == 1


def test_a_closed_output_is_refused_before_anything_is_sent(served: ServedSandbox) -> None:
    ended = subprocess.run(
        ["sh", "-c", f"{shlex.join([*PLEXYPAY, *CREATE, '--yes'])} >&-"],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "standard output is closed" in ended.stderr
    assert served.count() == 0


# -------------------------------------------------------------------------------------------- the question


def test_nothing_is_sent_where_nobody_can_be_asked(
    served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run(*CREATE) == 2
    assert run.err == (
        "plexypay: pay payment-links create changes something, and nobody is here to be asked: give --yes;"
        " nothing was sent\n"
    )
    # What changes nothing is not asked about.
    assert run("pay", "payment-links", "list") == 0
    assert served.count() == 0


@on_posix
@pytest.mark.parametrize(("answer", "code", "made"), [(b"y\n", 0, 1), (b"\n", 2, 0), (b"\x03", 130, 0)])
def test_who_is_asked_sees_what_is_sent_and_where(
    served: ServedSandbox, answer: bytes, code: int, made: int
) -> None:
    terminal = Terminal([*CREATE, "--order-reference", "ORD-1"], columns=400)
    shown = terminal.read(until=r"\[y/N\] ")
    host = served.base_url.removeprefix("http://")
    assert (
        f'Send to {host}: pay payment-links create {{"amount": 2200000, "currency": "KZT",'
        ' "order_reference": "ORD-1"}? [y/N]'
    ) in shown.replace('"description": null, ', "")
    assert served.count() == 0
    terminal.press(answer)
    terminal.read()
    assert terminal.close() == code
    assert served.count() == made


@on_posix
def test_a_key_is_told_after_the_question_and_before_the_request(served: ServedSandbox) -> None:
    served.misbehave("operation=wallet.authorize,latency=30,times=1")
    process = subprocess.Popen(
        [*PLEXYPAY, *AUTHORIZE, "--yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    told = process.stderr.readline()
    process.kill()
    process.communicate(timeout=30)
    assert told.startswith("plexypay: sent with --idempotency-key ")


# ------------------------------------------------------------------------------------------------- signals


def interrupted(arguments: list[str], served: ServedSandbox, operation: str) -> tuple[int, str]:
    """Return the exit code and the errors of a command that is stopped while its request is under way."""
    process = subprocess.Popen(
        [*PLEXYPAY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while not served.count(operation) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert "Traceback" not in told
    return process.returncode, told


@on_posix
def test_ctrl_c_amid_a_request_says_that_it_may_have_been_done(served: ServedSandbox) -> None:
    served.misbehave("operation=wallet.authorize,latency=30")
    code, told = interrupted([*AUTHORIZE, "--yes"], served, "wallet.authorize")
    assert code == 130
    first, last = told.splitlines()[0], told.splitlines()[-1]
    key = first.removeprefix("plexypay: sent with --idempotency-key ").partition(":")[0]
    assert last.startswith("plexypay: stopped by Ctrl-C: it is not known whether it was done")
    assert f"--idempotency-key {key}" in last


@on_posix
def test_ctrl_c_before_a_request_that_was_refused_is_repeated_says_that_nothing_was_done(
    served: ServedSandbox,
) -> None:
    served.misbehave("operation=wallet.authorize,code=1,retry_after=30")
    code, told = interrupted([*AUTHORIZE, "--yes"], served, "wallet.authorize")
    assert code == 130
    assert told.splitlines()[-1] == "plexypay: stopped by Ctrl-C: nothing was done"


@on_posix
def test_ctrl_c_amid_a_read_says_no_more_than_that(served: ServedSandbox) -> None:
    served.misbehave("operation=payment_links.retrieve,latency=30")
    code, told = interrupted(["pay", "payment-links", "retrieve", "pl_1"], served, "payment_links.retrieve")
    assert (code, told) == (130, "plexypay: stopped by Ctrl-C\n")
