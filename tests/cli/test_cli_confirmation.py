"""The question at a terminal before anything is sent."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async.cli import confirmation, main
from plexypay_async.cli.exits import UnusableInputError
from plexypay_async.cli.source import Lines, Source
from plexypay_async.cli.summary import FileSummary
from tests.cli.pseudo_terminal import Terminal, on_posix
from tests.docs.blocks import run_by

if TYPE_CHECKING:
    from .conftest import ServedSandbox

HEADER = "order_reference,amount,currency\n"
ORDERS = HEADER + "ORD-1,2200050,KZT\nORD-2,100,KZT\n"
(SHOWN_IN_THE_GUIDE,) = run_by(__file__)
QUESTION = r"Create 2 payment links for KZT 22,001\.50\? \[y/N\] "


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    return path


def asked(orders: Path, *more: str, question: str = QUESTION) -> Terminal:
    """Return the command when it has asked."""
    terminal = Terminal(["bulk-create", str(orders), *more])
    assert re.search(question, terminal.read(until=r"\[y/N\] ")), terminal.shown
    return terminal


def on_one_line(shown: str) -> str:
    return " ".join(shown.split())


# ------------------------------------------------------------------------------------------------- answers


@on_posix
@pytest.mark.parametrize("answer", ["y", "Y", "yes", " yes "])
def test_what_a_file_holds_is_shown_and_sent_when_that_is_agreed(
    orders: Path, served: ServedSandbox, answer: str
) -> None:
    terminal = asked(orders)
    before = terminal.shown
    assert served.count() == 0
    terminal.press(f"{answer}\n".encode())
    shown = terminal.read()
    assert terminal.close() == 0
    assert served.references() == ["ORD-1", "ORD-2"]
    host = served.base_url.removeprefix("http://")
    for name, value in (("rows", "2"), ("  sum", "22,001.50"), ("  largest", "22,000.50"), ("sent to", host)):
        assert re.search(rf"{name} +│ +{re.escape(value)} │", before), name
    assert shown.count("[y/N]") == 1
    assert re.search(r"│ links +│ +2 │", shown)


@on_posix
def test_the_question_is_as_the_guide_shows_it(tmp_path: Path, served: ServedSandbox) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + "".join(f"ORD-{number},2200000,KZT\n" for number in range(1000)))
    terminal = asked(path, question=re.escape(SHOWN_IN_THE_GUIDE.strip()))
    terminal.press(b"n\n")
    terminal.read()
    assert terminal.close() == 2


@on_posix
@pytest.mark.parametrize("answer", [b"n\n", b"no\n", b"\n", b"\x04", b"y\x04\x04", b"yess\n", b"\xd0\xbd\n"])
def test_anything_else_sends_nothing(orders: Path, served: ServedSandbox, answer: bytes) -> None:
    terminal = asked(orders, "--results", str(orders.with_suffix(".results.csv")))
    terminal.press(answer)
    shown = terminal.read()
    assert terminal.close() == 2
    assert shown.endswith("\r\nplexypay: not confirmed: nothing was sent\r\n")
    assert served.count() == 0
    assert os.listdir(orders.parent) == ["orders.csv"]


@on_posix
def test_ctrl_c_at_the_question(orders: Path, served: ServedSandbox) -> None:
    terminal = asked(orders)
    terminal.press(b"\x03")
    shown = terminal.read()
    assert terminal.close() == 130
    assert shown.endswith("\r\nplexypay: stopped by Ctrl-C before the first request\r\n")
    assert served.count() == 0


@on_posix
def test_what_was_typed_before_the_question_is_no_answer(orders: Path, served: ServedSandbox) -> None:
    terminal = Terminal(["bulk-create", str(orders)])
    terminal.press(b"y\ny\n")
    terminal.read(until=r"\[y/N\] ")
    terminal.press(b"n\n")
    terminal.read()
    assert terminal.close() == 2
    assert served.count() == 0


# ------------------------------------------------------------------------------------ where nothing is asked


@on_posix
@pytest.mark.parametrize("more", [("--yes",), ("-y",), ("--sandbox",), ("--check",)])
def test_it_is_not_asked_of_who_does_not_want_it(
    orders: Path, served: ServedSandbox, more: tuple[str, ...]
) -> None:
    terminal = Terminal(["bulk-create", str(orders), *more])
    shown = terminal.read()
    assert terminal.close() == 0
    assert "[y/N]" not in shown
    assert served.count() == (2 if more[0] in ("--yes", "-y") else 0)


@pytest.fixture
def pseudo_terminal() -> Iterator[int]:
    master, slave = os.openpty()
    yield slave
    os.close(master)
    os.close(slave)


@on_posix
@pytest.mark.parametrize("case", ["piped answers", "cron", "errors to a file", "standard input", "a pipe"])
def test_it_is_not_asked_where_nobody_answers(
    orders: Path, served: ServedSandbox, pseudo_terminal: int, case: str
) -> None:
    file, options = str(orders), dict[str, Any](stdin=pseudo_terminal, stderr=pseudo_terminal)
    with contextlib.ExitStack() as stack:
        if case == "piped answers":
            # It would read no.
            options |= {"stdin": subprocess.PIPE, "input": b"n\n"}
            del options["stdin"]
        elif case == "cron":
            options["stdin"] = subprocess.DEVNULL
        elif case == "errors to a file":
            options["stderr"] = stack.enter_context((orders.parent / "errors").open("wb"))
        elif case == "standard input":
            file, options["stdin"] = "-", stack.enter_context(orders.open("rb"))
        else:
            read_end, write_end = os.pipe()
            stack.callback(os.close, read_end)
            os.write(write_end, orders.read_bytes())
            os.close(write_end)
            file, options["pass_fds"] = f"/dev/fd/{read_end}", (read_end,)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "plexypay_async.cli", "bulk-create", file, "--strict"],
            stdout=subprocess.DEVNULL,
            timeout=60,
            check=False,
            **options,
        )
    assert done.returncode == 0
    assert served.references() == ["ORD-1", "ORD-2"]


# ---------------------------------------------------------------------------------------------- the question


@on_posix
def test_a_job_that_goes_on_says_so_and_asks_once(orders: Path, served: ServedSandbox) -> None:
    journal = str(orders.with_suffix(".journal"))
    first = asked(orders, "--journal", journal)
    first.press(b"y\n")
    first.read()
    assert first.close() == 0
    for content, told, question, code in (
        (
            ORDERS,
            "2 of 2 are done by the journal: nothing is left to make",
            r"Write their links into the results again\? \[y/N\] ",
            0,
        ),
        (
            ORDERS + "ORD-3,500,KZT\n",
            "2 of 3 are done by the journal",
            r"Go on with 1 other payment link for KZT 5\.00\? \[y/N\] ",
            0,
        ),
        # It is refused later, and nothing says that it is done.
        (
            ORDERS.replace("100", "101") + "ORD-3,500,KZT\n",
            "2 of 3 are done by the journal",
            r"Go on with 1 other payment link for KZT 1\.01\? \[y/N\] ",
            1,
        ),
    ):
        orders.write_text(content)
        again = asked(orders, "--journal", journal, question=question)
        again.press(b"y\n")
        shown = again.read()
        assert again.close() == code
        assert f"the job of {journal} goes on: {told} " in on_one_line(shown)
        assert shown.count("[y/N]") == 1
    assert served.count() == 3


@on_posix
def test_rows_of_which_the_journal_knows_something_else_are_told_before_the_question(
    orders: Path, served: ServedSandbox
) -> None:
    journal = str(orders.with_suffix(".journal"))
    orders.write_text(HEADER + "007,500,KZT\n")
    assert main(["bulk-create", str(orders), "--journal", journal, "--yes"]) == 0
    orders.write_text(HEADER + "7,500,KZT\nORD-1,100,KZT\n")
    question = r"Go on with 1 payment link for KZT 1\.00\? \[y/N\] "
    terminal = asked(orders, "--journal", journal, question=question)
    shown = on_one_line(terminal.shown)
    assert "the journal knows '007', which differs in zeros at the front alone" in shown
    assert f"the journal {journal} knows none of these rows: is it the right one?" in shown
    terminal.press(b"n\n")
    terminal.read()
    assert terminal.close() == 2
    assert served.references() == ["007"]


@on_posix
def test_a_journal_that_cannot_be_read_is_no_journal_in_which_nothing_is_done(
    orders: Path, served: ServedSandbox
) -> None:
    journal = orders.with_suffix(".journal")
    journal.write_text("no journal")
    terminal = asked(orders, "--journal", str(journal), question=QUESTION.replace("Create", "Go on with"))
    terminal.press(b"y\n")
    shown = on_one_line(terminal.read())
    assert terminal.close() == 2
    assert "goes on: what it has done is not made again" in shown
    assert "this file is no journal; it was left as it is" in shown
    assert served.count() == 0


@on_posix
@pytest.mark.parametrize("how", ["longer", "rewritten", "replaced", "removed"])
@pytest.mark.parametrize("more", [(), ("--strict",)])
def test_a_file_that_changes_before_the_answer_is_not_sent(
    orders: Path, served: ServedSandbox, how: str, more: tuple[str, ...]
) -> None:
    terminal = asked(orders, *more)
    if how == "longer":
        orders.write_text(ORDERS + "ORD-3,5,KZT\n")
    elif how == "rewritten":
        orders.write_text(ORDERS.replace("2200050", "9900050"))
    elif how == "replaced":
        other = orders.with_name("other")
        other.write_text(ORDERS)
        other.rename(orders)
    else:
        orders.unlink()
    terminal.press(b"y\n")
    shown = terminal.read()
    assert terminal.close() == 2
    assert "; nothing was sent: run the command again" in on_one_line(shown)
    assert served.count() == 0


@on_posix
def test_what_is_wrong_is_told_before_the_question(orders: Path, served: ServedSandbox) -> None:
    orders.write_text(
        ORDERS + "".join(f"BAD-{number},x,KZT\n" for number in range(7)) + "ORD-1,2200050,KZT\n"
    )
    terminal = asked(orders)
    before = terminal.shown
    terminal.press(b"y\n")
    terminal.read()
    assert terminal.close() == 1
    assert served.references() == ["ORD-1", "ORD-2"]
    assert on_one_line(before).count("column amount: 'x' is not a whole number") == 5
    assert "and 3 more" in before
    assert re.search(r"bad rows +│ +7 │", before)
    assert re.search(r"repeated rows +│ +1 │", before)


@on_posix
@pytest.mark.parametrize(("content", "code"), [(HEADER, 2), (HEADER + "ORD-1,x,KZT\n", 1)])
def test_a_file_without_a_row_that_can_be_sent_needs_no_answer(
    orders: Path, served: ServedSandbox, content: str, code: int
) -> None:
    orders.write_text(content)
    terminal = Terminal(["bulk-create", str(orders)])
    shown = terminal.read()
    assert terminal.close() == code
    assert "[y/N]" not in shown
    assert served.count() == 0


@on_posix
@pytest.mark.parametrize(
    ("more", "told"),
    [(("--strict",), "1 of 3 rows cannot be sent"), (("--base-url", "ftp://x"), "expected https://HOST")],
)
def test_what_cannot_be_sent_anyway_is_not_asked(
    orders: Path, served: ServedSandbox, more: tuple[str, ...], told: str
) -> None:
    orders.write_text(ORDERS + "ORD-3,x,KZT\n")
    terminal = Terminal(["bulk-create", str(orders), *more])
    shown = terminal.read()
    assert terminal.close() == 2
    assert told in on_one_line(shown)
    assert "[y/N]" not in shown
    assert served.count() == 0


@on_posix
def test_what_is_doubtful_is_told_before_the_question(orders: Path, served: ServedSandbox) -> None:
    orders.write_text(
        "order_reference,amount,currency,expires_at\n0123,5,KZT,2020-01-01T00:00:00Z\n123,5,KZT,\n"
        'A-1,"22 000,50",KZT,\n'
    )
    terminal = asked(orders, question=r"Create 2 payment links for KZT 0\.10\? \[y/N\] ")
    shown = on_one_line(terminal.shown)
    assert "is in the past by this machine's clock" in shown
    assert "differs from that in line 2 in zeros at the front alone" in shown
    assert "looks like major units, and 5 in line 2 is read as minor units (0.05 KZT)" in shown
    assert re.search(r"amounts are read as +│ +minor units │", terminal.shown)
    terminal.press(b"n\n")
    terminal.read()
    assert terminal.close() == 2
    assert served.count() == 0


@on_posix
def test_amounts_are_asked_as_they_were_understood(orders: Path, served: ServedSandbox) -> None:
    orders.write_text("order_reference;amount;currency\nORD-1;22 000,50 ₸;KZT\nORD-2;1;KZT\nORD-3;1500;JPY\n")
    question = r"Create 3 payment links for JPY 1,500 and KZT 22,001\.50\? \[y/N\] "
    terminal = asked(orders, "--amounts", "major", question=question)
    assert re.search(r"amounts are read as +│ +major units │", terminal.shown)
    assert re.search(r"  22 000,50 ₸ in line 2 is +│ +22,000\.50 KZT │", terminal.shown)
    terminal.press(b"n\n")
    terminal.read()
    assert terminal.close() == 2


# --------------------------------------------------------------------------------------- without a terminal


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is answered, and then what was asked."""
    found = ["y"]

    def ask(question: str) -> str:
        found.append(question)
        return found[0]

    monkeypatch.setattr(confirmation, "has_somebody_to_ask", lambda: True)
    monkeypatch.setattr(confirmation, "ask", ask)
    return found


@pytest.mark.parametrize("more", [(), ("--strict",), ("--allow-repeats",), ("--strict", "--allow-repeats")])
def test_the_rows_are_read_twice_and_not_three_times(
    orders: Path,
    served: ServedSandbox,
    answers: list[str],
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
) -> None:
    read: list[Lines] = []
    lines = Source.lines

    def counted(source: Source) -> Lines:
        read.append(lines(source))
        return read[-1]

    monkeypatch.setattr(Source, "lines", counted)
    assert main(["bulk-create", str(orders), *more]) == 0
    assert (len(read), len(answers)) == (2, 2)
    assert served.count() == 2


def test_a_file_of_bad_rows_that_changes_is_not_sent_without_a_question(
    orders: Path, answers: list[str]
) -> None:
    with Source(str(orders)) as source:
        asking = confirmation.Confirmation(source, "api.plexypay.com", None)
        orders.write_text(ORDERS + "ORD-3,5,KZT\n")
        with pytest.raises(UnusableInputError, match="nothing was sent"):
            asking.confirm(FileSummary(rows=1, bad=1))
    assert answers == ["y"]


def test_an_answer_that_is_no_text(
    orders: Path, served: ServedSandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confirmation, "has_somebody_to_ask", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), "utf-8"))
    assert main(["bulk-create", str(orders)]) == 2
    assert capsys.readouterr().err.endswith("[y/N] plexypay: not confirmed: nothing was sent\n")
    assert served.count() == 0


def test_a_terminal_that_is_gone_has_not_agreed(
    orders: Path, served: ServedSandbox, answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(confirmation, "ask", gone)
    assert main(["bulk-create", str(orders)]) == 2
    assert served.count() == 0


def test_the_sums_of_many_currencies_are_in_the_summary_alone(
    orders: Path, served: ServedSandbox, answers: list[str]
) -> None:
    answers[0] = "n"
    for currencies, told in (
        (["KZT"], "Create 1 payment link for KZT 0.05? [y/N]"),
        (["KZT", "XAU", "JPY"], "Create 3 payment links for JPY 5, KZT 0.05 and XAU 5 minor units? [y/N]"),
        (["KZT", "XAU", "JPY", "USD"], "Create 4 payment links for sums in 4 currencies? [y/N]"),
    ):
        orders.write_text(HEADER + "".join(f"ORD-{each},5,{each}\n" for each in currencies))
        assert main(["bulk-create", str(orders)]) == 2
        assert answers[-1] == told


def test_nobody_is_there_without_streams(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with Source(str(orders)) as source:
        found = confirmation.Confirmation.at_terminal(source, base_url=None, journal_path=None)
    assert found is None


def test_an_empty_journal_does_not_go_on(orders: Path, answers: list[str]) -> None:
    journal = orders.with_suffix(".journal")
    journal.touch()
    answers[0] = "n"
    with Source(str(orders)) as source:
        asking = confirmation.Confirmation(source, "api.plexypay.com", str(journal))
        summary = FileSummary()
        with pytest.raises(UnusableInputError, match="nothing was sent"):
            asking.confirm(summary_of(orders, summary))
    assert answers[-1].startswith("Create 2 payment links")


def summary_of(orders: Path, summary: FileSummary) -> FileSummary:
    from plexypay_async.cli.rows import open_rows

    with orders.open("rb") as file:
        for row in open_rows(Lines(file), orders.name):
            summary.add(row)
    return summary
