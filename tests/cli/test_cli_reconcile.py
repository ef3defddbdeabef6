"""`plexypay reconcile`: rows, journal and account, compared."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async import AsyncPlexyPay, UnreadableResponseError
from plexypay_async._privacy.secret import Secret
from plexypay_async.bulk.journal import Journal
from plexypay_async.bulk.journal_format import State
from plexypay_async.cli import main
from plexypay_async.cli.reconciliation import Finding, Reconciliation
from plexypay_async.cli.references import check_references
from plexypay_async.cli.rows import open_rows
from plexypay_async.cli.source import Lines
from plexypay_async.pay.payment_links import PaymentLinkStatus, PaymentLinkSummary
from tests.cli.conftest import SANDBOX_ACCOUNT_TOLD

if TYPE_CHECKING:
    from .conftest import ServedSandbox


class Files:
    def __init__(self, folder: Path) -> None:
        self.orders = folder / "orders.csv"
        self.journal = folder / "orders.journal"

    def write(self, *rows: str) -> None:
        self.orders.write_text("\n".join(("amount,currency,order_reference", *rows)) + "\n", encoding="utf-8")

    def create(self, *more: str) -> int:
        return main(["bulk-create", str(self.orders), "--journal", str(self.journal), *more])

    def reconcile(self, *more: str) -> int:
        return main(["reconcile", str(self.orders), "--journal", str(self.journal), *more])


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def sums(output: str) -> dict[str, int]:
    return {name.strip(): int(value) for name, value in re.findall(r"^(.+?)  +(\d+)$", output, re.M)}


def dump(journal: Path) -> list[tuple[str, State, Any]]:
    with Journal(journal) as opened:
        opened.open()
        return opened.links()


def test_nothing_to_report(
    files: Files,
    served: ServedSandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Else there would be that to say.
    monkeypatch.setattr(AsyncPlexyPay, "is_sandbox", False, raising=False)
    files.write(*(f"{number + 1},KZT,R-{number}" for number in range(250)))
    assert files.create() == 0
    kept = dump(files.journal)
    capsys.readouterr()
    assert files.reconcile() == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found = sums(captured.out)
    assert (found["rows"], found["rows of the journal"], found["links of the account"]) == (250, 250, 250)
    assert found["of them repeated"] == 0
    assert found["links of rows: KZT, active"] == 250
    assert found["of other orders"] == 0
    assert set(list(found.values())[7:]) == {0}
    assert files.reconcile("--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    summary = json.loads(line)
    assert (summary["kind"], summary["links"], summary["other_links"]) == ("summary", 250, 0)
    assert set(summary["findings"].values()) == {0}
    assert dump(files.journal) == kept


@pytest.mark.asyncio
async def test_everything_that_can_be_reported(
    files: Files, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write("1,KZT,A", "2,KZT,B", "3,KZT,C")
    with Journal(files.journal) as journal:
        journal.open()
        journal.belongs_to(served.base_url, Secret(served.environment["PLEXYPAY_API_KEY"]))
        async with AsyncPlexyPay(base_url=served.base_url) as client:
            links = client.payment_links
            made = {
                name: (await links.create(amount=amount, currency="KZT", order_reference=name)).raw
                for name, amount in (("A", 1), ("B", 7), ("D", 4), ("OTHER", 5), ("CLAIMED", 6))
            }
        references = ("A", "B", "D", "CLAIMED", "LOST")
        journal.exchange([], [], [(index, name, b"") for index, name in enumerate(references)])
        journal.exchange(
            [(name, made[name]["id"], made[name]) for name in ("A", "B", "D")],
            [("LOST", "refused", None)],
            [],
        )
    files.write("1,KZT,A", "2,KZT,B", "3,KZT,LOST", "6,KZT,CLAIMED", "8,KZT,NEW", "0,KZT,BAD", "9,KZT,")
    command = [sys.executable, "-W", "error", "-m", "plexypay_async.cli", "reconcile", str(files.orders)]
    done = subprocess.run(
        [*command, "--journal", str(files.journal)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (1, SANDBOX_ACCOUNT_TOLD)
    lines = [line.removeprefix(str(files.orders)) for line in done.stdout.splitlines()]
    assert lines[7].split() == ["rows", "7"]
    assert lines[:7] == [
        ":7: invalid: order BAD: column amount: 0 is not an amount: write a number of minor units greater"
        " than 0",
        ":8: invalid: column order_reference: is empty: a job with a journal needs one on every row",
        ":4: no-link: order LOST: no link: creating it failed",
        ":6: no-link: order NEW: no link, and the journal does not know the row: it was not attempted",
        ":3: differs: order B: row 0.02 KZT, journal 0.07 KZT, account 0.07 KZT",
        ":5: claimed: order CLAIMED: not settled in the journal; a link is listed: run bulk-create again with"
        " this journal",
        f": no-row: order D: the journal has it, the file does not: {made['D']['id']}, active, 0.04 KZT",
    ]
    found = sums(done.stdout)
    assert (found["links of the account"], found["of other orders"]) == (5, 1)
    done = subprocess.run(
        [*command, "--journal", str(files.journal), "--json", "--all"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    *findings, summary = map(json.loads, done.stdout.splitlines())
    assert findings[-1]["kind"] == "other-link"
    assert findings[-1]["order_reference"] == "OTHER"
    differing = next(finding for finding in findings if finding["kind"] == "differs")
    assert differing["line"] == 3
    assert differing["amounts"] == {"row": "2 KZT", "journal": "7 KZT", "account": "7 KZT"}
    assert differing["links"] == [
        {"id": made["B"]["id"], "status": "active", "amount": 7, "currency": "KZT"},
    ]
    assert summary["findings"] == {
        "no-link": 2,
        "not-payable": 0,
        "no-row": 1,
        "other-link": 1,
        "two-links": 0,
        "differs": 1,
        "claimed": 1,
        "unreadable": 0,
        "invalid": 2,
        "repeated": 0,
    }


def link(id: str, reference: str | None, amount: int = 1, status: str = "active") -> PaymentLinkSummary:
    return PaymentLinkSummary(
        raw={},
        id=id,
        amount=amount,
        currency="kzt",
        status=PaymentLinkStatus(status),
        order_reference=reference,
    )


def compare(
    rows: str, journal: list[tuple[str, State, Any]], *links: PaymentLinkSummary, everything: bool = False
) -> list[Finding]:
    data = ("amount,currency,order_reference\n" + rows).encode()
    with Reconciliation.open(everything=everything) as reconciliation:
        opened = open_rows(Lines(io.BytesIO(data)), "orders.csv")
        reconciliation.add_rows(
            check_references(opened, required="a job with a journal needs one on every row")
        )
        reconciliation.add_journal(journal)
        for found in links:
            reconciliation.add_link(found)
        return list(reconciliation.findings())


def kept(id: str, amount: int = 1) -> dict[str, Any]:
    return {"id": id, "amount": amount, "currency": "KZT"}


def test_a_file_that_may_be_cut_is_told(
    files: Files, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    files.orders.write_text("order_reference,currency,amount\nA,KZT,100\nB,KZT,22")
    assert files.create() == 1
    capsys.readouterr()
    assert files.reconcile("--json") == 1
    captured = capsys.readouterr()
    assert "warning: line 3: the last line does not end: " in captured.err
    summary = json.loads(captured.out)
    assert (summary["whole"], set(summary["findings"].values())) == (False, {0})
    # Of what is for people alone the warning is enough.
    files.orders.write_text("order_reference,currency,amount,description\nA,KZT,100,\nB,KZT,22,To")
    files.journal.unlink()
    assert files.create() == 0
    capsys.readouterr()
    assert files.reconcile() == 0
    assert "warning: line 3" in capsys.readouterr().err


def test_a_file_that_changes_is_told(
    files: Files,
    served: ServedSandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files.write("1,KZT,A")
    assert files.create() == 0
    capsys.readouterr()
    add_rows = Reconciliation.add_rows

    def add_and_go_on(self: Reconciliation, rows: Any) -> None:
        add_rows(self, rows)
        with files.orders.open("a") as file:
            file.write("2,KZT,B\n")

    monkeypatch.setattr(Reconciliation, "add_rows", add_and_go_on)
    assert files.reconcile() == 1
    assert "bytes when it was opened, and has 48 now: what came later was not" in capsys.readouterr().err


def test_two_links_active_ones_first() -> None:
    findings = compare(
        "1,KZT,A\n1,KZT,B\n",
        [("A", State.DONE, kept("1")), ("B", State.DONE, kept("3"))],
        link("1", "A", status="expired"),
        link("2", "A"),
        link("3", "B"),
        link("4", "B"),
        link("5", "X"),
        link("6", "X"),
        link("6", "X"),
    )
    assert [(found.kind, found.line, found.detail) for found in findings] == [
        ("two-links", 3, "2 links, 2 of them active: a customer may pay twice"),
        ("two-links", 2, "2 links, 1 of them active"),
    ]
    assert [found.id for found in findings[1].links] == ["2", "1"]


def test_links_of_one_order_in_other_spellings() -> None:
    findings = compare(
        "1,KZT,A\n1,KZT,Б\u0438\u0306\n",
        [
            ("'A", State.CLAIMED, None),
            ("A", State.DONE, kept("1")),
            ("Б\u0438\u0306", State.DONE, kept("4")),
        ],
        link("1", "A"),
        link("2", "A\u200b"),
        link("3", '="A"'),
        link("4", "Б\u0438\u0306"),
    )
    assert [(found.kind, found.line, found.order_reference, found.detail) for found in findings] == [
        ("two-links", 2, "A", "3 links, 3 of them active: a customer may pay twice"),
        (
            *("claimed", None, "'A"),
            "not settled in the journal; no link is listed: run bulk-create again with this journal",
        ),
    ]


def test_other_links_are_reported_only_when_asked_for() -> None:
    others = (link("5", "X"), link("6", "X"), link("7", None))
    assert compare("", [], *others) == []
    findings = compare("", [], *others, everything=True)
    assert [(found.kind, found.order_reference) for found in findings] == [
        ("two-links", "X"),
        ("other-link", None),
        ("other-link", "X"),
        ("other-link", "X"),
    ]


def test_a_link_that_the_account_does_not_show() -> None:
    (missing,) = compare("1,KZT,A\n", [("A", State.DONE, kept("1"))])
    assert (missing.kind, missing.line) == ("no-link", 2)
    assert "the journal has 1" in missing.detail
    (other,) = compare("1,KZT,A\n", [("A", State.DONE, kept("1"))], link("2", "A"))
    assert (other.kind, other.detail) == ("differs", "the journal has 1, the account 2")


def test_amounts_of_any_size() -> None:
    huge = 10**30
    (found,) = compare("1,KZT,A\n", [("A", State.CLAIMED, None)], link("1", "A", huge))[:1]
    assert found.amounts == {"row": "1 KZT", "account": f"{huge} KZT"}
    assert found.links[0].amount == huge


def test_it_compares_in_constant_memory() -> None:
    def peak_of(count: int) -> int:
        tracemalloc.start()
        try:
            with Reconciliation.open() as reconciliation:
                for number in range(count):
                    reconciliation.add_link(link(f"pl_{number:032}", f"R-{number}"))
                reconciliation.add_journal((f"R-{n}", State.DONE, kept(f"pl_{n:032}")) for n in range(count))
                assert sum(1 for _ in reconciliation.findings()) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(10)
    assert peak_of(5_000) < peak_of(500) + 100_000


def test_what_cannot_be_used(
    files: Files,
    served: ServedSandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files.write("1,KZT,A")
    assert files.reconcile() == 2
    assert f"there is no journal {files.journal}" in capsys.readouterr().err
    assert not files.journal.exists()
    assert files.create() == 0
    capsys.readouterr()
    assert files.reconcile("--base-url", "http://127.0.0.1:1") == 2
    assert "it belongs to" in capsys.readouterr().err
    assert main(["reconcile", str(files.orders), "--journal", str(files.orders)]) == 2
    assert "this file is no journal" in capsys.readouterr().err
    monkeypatch.setenv("PLEXYPAY_API_KEY", "pr_another")
    assert files.reconcile() == 2
    captured = capsys.readouterr()
    assert "begun with another API key" in captured.err
    assert "pr_another" not in captured.err + captured.out
    monkeypatch.delenv("PLEXYPAY_API_KEY")
    assert files.reconcile() == 2
    assert "no API key" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["create", "reconcile"])
def test_an_empty_address_is_not_the_vendors(
    files: Files,
    served: ServedSandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    files.write("1,KZT,A")
    assert files.create() == 0
    monkeypatch.setenv("PLEXYPAY_BASE_URL", "")
    capsys.readouterr()
    assert getattr(files, command)() == 2
    assert "PLEXYPAY_BASE_URL is empty: give it an address, or unset it" in capsys.readouterr().err


def test_a_listing_that_fails(
    files: Files, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write("1,KZT,A")
    assert files.create() == 0
    served.misbehave("status=403,operation=payment_links.list")
    assert files.reconcile() == 2
    assert "cannot read the account's links: payment_links.list: HTTP 403" in capsys.readouterr().err


def test_a_journal_in_use(files: Files, served: ServedSandbox) -> None:
    files.write("1,KZT,A")
    assert files.create() == 0
    with Journal(files.journal) as journal:
        journal.open()
        # A lock is a process' own, so the command runs in another.
        done = subprocess.run(
            [
                *(sys.executable, "-W", "error", "-m", "plexypay_async.cli", "reconcile", str(files.orders)),
                *("--journal", str(files.journal)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "another process is using it" in done.stderr


WRAPPED = {"Value": "R-1", "Valid": True}


@pytest.mark.parametrize(
    "form",
    [
        {"id": {"Value": "pl_1", "Valid": True}},
        {"amount": 100.0},
        {"amount": "100"},
        {"amount": "0100"},
        {"currency": "kzt"},
        {"currency": {"Value": "KZT", "Valid": True}},
        {"orderReference": WRAPPED},
        {"status": None, "updatedAt": "", "metadata": []},
    ],
    ids=str,
)
def test_a_kept_answer_is_read_by_the_rules_of_answers(form: dict[str, Any]) -> None:
    journal = [("R-1", State.DONE, {**kept("pl_1", 100), **form})]
    assert compare("100,KZT,R-1", journal, link("pl_1", "R-1", 100)) == []


@pytest.mark.parametrize(
    ("form", "unread"),
    [
        ({"amount": {"v": 1}}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": "abc", "currency": ["KZT"]}, "amount, currency"),
        ({"id": {"Value": None, "Valid": False}}, "id"),
        ({"id": {"a": 1}}, "id"),
    ],
    ids=str,
)
def test_a_kept_answer_that_cannot_be_read_is_reported_as_that(form: dict[str, Any], unread: str) -> None:
    journal = [("R-1", State.DONE, {**kept("pl_1", 100), **form})]
    (finding,) = compare("100,KZT,R-1", journal, link("pl_1", "R-1", 100))
    assert (finding.kind, finding.line, finding.order_reference) == ("unreadable", 2, "R-1")
    assert finding.detail.endswith(f": {unread}")
    assert finding.amounts == {}
    assert [found.id for found in finding.links] == ["pl_1"]


def test_what_cannot_be_read_in_the_journal_hides_no_difference_of_row_and_account() -> None:
    journal = [("R-1", State.DONE, {**kept("pl_1", 100), "amount": "abc"})]
    findings = compare("100,KZT,R-1", journal, link("pl_1", "R-1", 99))
    assert [finding.kind for finding in findings] == ["differs", "unreadable"]
    assert findings[0].amounts == {"row": "100 KZT", "account": "99 KZT"}


def test_a_row_that_is_purged_has_nothing_that_cannot_be_read() -> None:
    assert compare("1,KZT,R-1", [("R-1", State.DONE, {"id": "pl_1"})], link("pl_1", "R-1")) == []


def test_a_row_of_which_the_journal_has_no_id_is_reported() -> None:
    (finding,) = compare("1,KZT,R-1", [("R-1", State.DONE, None)], link("pl_1", "R-1"))
    assert (finding.kind, finding.detail[-4:]) == ("unreadable", ": id")


def test_a_new_key_is_proved_by_a_link_that_cannot_be_read_as_a_whole(
    files: Files, served: ServedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unread(*_: Any, **__: Any) -> None:
        error = UnreadableResponseError("status: expected a string, got NoneType", status=200)
        error.link_id = told
        raise error

    files.write("1,KZT,R-1")
    assert files.create() == 0
    told = dump(files.journal)[0][2]["id"]
    with Journal(files.journal) as journal:
        journal.open()
        journal.take_key(Secret("the key of before"))
    monkeypatch.setattr("plexypay_async.pay.payment_links.PaymentLinks.retrieve", unread)
    assert files.reconcile() == 0
    told = "pl_other"
    assert files.reconcile() == 2
