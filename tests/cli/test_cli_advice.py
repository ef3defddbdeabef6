"""What a run says of rows that it has no link for, and of those that it has not come to."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, CreatePaymentLink, OrderReferenceConflictError
from plexypay_async.cli import main
from plexypay_async.cli.row_errors import told_to_people
from plexypay_async.errors import Outcome
from tests.cli.test_cli_bulk_create import sums
from tests.cli.test_cli_journal import CREATE, LOOK_UP, Job, states, table

if TYPE_CHECKING:
    from .conftest import ServedSandbox

HEADER = "amount,currency,order_reference\n"
ROWS = HEADER + "7700000,KZT,A\n100,KZT,B\n"
KEY_REFUSED = f"status=401,{CREATE}"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


# ---------------------------------------------------------------------------------- rows that have no link


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("7800000,KZT,A", ", 77,000.00 KZT, status 'active': nothing was created for this row"),
        ("7700000,USD,A", ", 77,000.00 KZT, status 'active': nothing was created for this row"),
    ],
)
def test_a_conflict_is_told_in_major_units_and_with_what_to_do(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str], changed: str, told: str
) -> None:
    assert main(["bulk-create", str(orders)]) == 0
    link_id = table(orders.with_name("orders.results.csv"))[0]["link_id"]
    orders.write_text(ROWS.replace("7700000,KZT,A", changed))
    assert main(["bulk-create", str(orders)]) == 1
    message = table(orders.with_name("orders.results.csv"))[0]["error_message"]
    assert f"already belongs to {link_id}{told}; put the row back as it was, or look at that link" in message
    assert f"(plexypay pay payment-links cancel {link_id}), and only then give the row" in message
    assert message in capsys.readouterr().err


def test_of_a_conflict_with_a_dead_link_there_is_nothing_to_cancel(
    orders: Path, served: ServedSandbox
) -> None:
    assert main(["bulk-create", str(orders)]) == 0
    link_id = table(orders.with_name("orders.results.csv"))[0]["link_id"]
    assert main(["pay", "payment-links", "cancel", link_id, "--yes"]) == 0
    assert main(["bulk-create", str(orders)]) == 1
    message = table(orders.with_name("orders.results.csv"))[0]["error_message"]
    assert "nobody can pay that link: for a new one, give the row an order reference of its own" in message
    assert "payment-links cancel" not in message


@pytest.mark.parametrize(
    ("differing", "told"),
    [
        ("amount 7700000 instead of 7800000", "amount 77,000.00 KZT instead of 78,000.00 KZT"),
        (
            "amount 500 instead of 7800000, currency 'jpy' instead of 'KZT'",
            "amount 500 JPY instead of 78,000.00 KZT, currency 'jpy' instead of 'KZT'",
        ),
    ],
)
@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.UNKNOWN])
def test_a_conflict_of_a_look_up_is_told_in_major_units(differing: str, told: str, outcome: Outcome) -> None:
    error = OrderReferenceConflictError(f"already belongs to pl_1 with {differing}", outcome=outcome)
    error.link_id = "pl_1"
    request = CreatePaymentLink(amount=7800000, currency="KZT", order_reference="A")
    message = told_to_people(str(error), error, request)
    assert message.startswith(f"already belongs to pl_1 with {told}")
    assert ("payment-links cancel pl_1" in message) == (outcome is Outcome.REJECTED)


@pytest.mark.parametrize(
    ("link_id", "options", "told"),
    [
        ("pl_1", [], "(plexypay pay payment-links cancel pl_1)"),
        (
            "pl_1",
            ["--base-url", "http://127.0.0.1:1", "--ca-file", "my ca.pem"],
            "(plexypay pay payment-links cancel pl_1 --base-url http://127.0.0.1:1 --ca-file 'my ca.pem')",
        ),
        ("pl_1$(touch x); echo x", [], None),
        ("--yes", [], None),
        ("pl_1\n", [], None),
        # Of a sandbox that has ended.
        ("pl_1", None, None),
    ],
)
@pytest.mark.parametrize("kind", [OrderReferenceConflictError, ConfigurationError])
def test_a_link_is_cancelled_by_a_command_that_is_safe_for_a_shell(
    kind: Any, link_id: str, options: list[str] | None, told: str | None
) -> None:
    error = kind(
        f"already belongs to {link_id} with amount 1 instead of 2; or cancel that link first",
        outcome=Outcome.REJECTED if kind is OrderReferenceConflictError else Outcome.NOT_SENT,
    )
    error.link_id = link_id
    request = CreatePaymentLink(amount=2, currency="KZT", order_reference="A")
    message = told_to_people(str(error), error, request, options)
    assert ("payment-links cancel" in message) == (told is not None)
    assert told is None or told in message


def test_the_command_that_cancels_a_link_reaches_the_same_server(orders: Path, served: ServedSandbox) -> None:
    again = ["bulk-create", str(orders), "--base-url", served.base_url]
    assert main(again) == 0
    link_id = table(orders.with_name("orders.results.csv"))[0]["link_id"]
    orders.write_text(ROWS.replace("7700000,KZT,A", "7800000,KZT,A"))
    assert main(again) == 1
    message = table(orders.with_name("orders.results.csv"))[0]["error_message"]
    assert f"(plexypay pay payment-links cancel {link_id} --base-url {served.base_url})" in message


def test_a_changed_row_that_is_not_settled_is_put_back_first(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write("1,KZT,A")
    served.misbehave(f"cut=after,times=1,{CREATE}", f"status=400,{LOOK_UP}")
    assert main(job.arguments("--timeout", "4")) == 1
    assert set(states(job.journal).values()) == {1}
    job.write("2,KZT,A")
    assert main(job.arguments()) == 1
    message = table(job.results)[0]["error_message"]
    assert (
        "from an earlier run, and it may have a link: nothing was sent for it; put the row back as" in message
    )
    assert "or put it back first and run the job again, which looks for that link, before you give" in message
    assert "counted from 0" not in capsys.readouterr().err


@pytest.mark.asyncio
async def test_the_library_s_error_has_the_id_of_the_journal_s_link(
    tmp_path: Path, served: ServedSandbox
) -> None:
    async with AsyncPlexyPay(base_url=served.base_url) as plexy:
        found = [
            result
            for amount in (1, 2)
            async for result in plexy.payment_links.create_many(
                [CreatePaymentLink(amount=amount, currency="KZT", order_reference="A")],
                journal=str(tmp_path / "journal"),
            )
        ]
    first, second = found
    assert first.link is not None
    assert isinstance(second.error, ConfigurationError)
    assert second.error.link_id == first.link.id
    assert second.link_id is None
    assert f"from row 0 (counted from 0) of an earlier run, and its link is {first.link.id}" in str(
        second.error
    )


def test_of_an_unknown_row_the_results_say_what_the_last_line_says(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    served.misbehave(f"cut=after,times=1,{CREATE}", f"status=400,{LOOK_UP}")
    assert main(["bulk-create", str(orders), "--concurrency", "1", "--timeout", "4"]) == 1
    assert "a run of the same file again looks up each order reference" in capsys.readouterr().err
    (message,) = (
        row["error_message"]
        for row in table(orders.with_name("orders.results.csv"))
        if row["outcome"] == "unknown"
    )
    assert "Run the same file again: the link is found by its order reference, if there is one." in message
    assert "before creating it again" not in message


# ------------------------------------------------------------------------------------- runs without a link


def test_a_run_without_a_link_leaves_earlier_results_in_place(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    results, other = (orders.with_name(f"orders.results{number}.csv") for number in ("", ".1"))
    assert main(["bulk-create", str(orders)]) == 0
    before = results.read_bytes()
    served.misbehave(KEY_REFUSED)
    capsys.readouterr()
    assert main(["bulk-create", str(orders)]) == 1
    told = capsys.readouterr().err
    assert results.read_bytes() == before
    assert {row["outcome"] for row in table(other)} == {"failed"}
    assert f"no row of this run has a link, so earlier results stay in {results}, and" in told
    assert f"this run's are in {other}\n" in told
    assert f"see {results}" not in told
    served.behave()
    assert main(["bulk-create", str(orders)]) == 0
    assert {row["outcome"] for row in table(results)} == {"recovered"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_with_a_journal_and_a_name_too_unless_they_may_be_replaced(
    job: Job, served: ServedSandbox, capsys: pytest.CaptureFixture[str], overwrite: bool
) -> None:
    job.write("1,KZT,A")
    assert main(job.arguments()) == 0
    before = job.results.read_bytes()
    # Nothing of it is in the journal.
    job.write("1,KZT,B")
    served.misbehave(KEY_REFUSED)
    assert main(job.arguments(*["--overwrite"] * overwrite)) == 1
    other = job.results.with_name("results.1.csv")
    if overwrite:
        assert {row["outcome"] for row in table(job.results)} == {"failed"}
        assert not other.exists()
    else:
        assert job.results.read_bytes() == before
        assert {row["outcome"] for row in table(other)} == {"failed"}
        assert f"this run's are in {other}\n" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_journal_s_own_results_without_a_link_are_replaced(
    job: Job, served: ServedSandbox, ending: str
) -> None:
    job.results = job.results.with_suffix(f".{ending}")
    job.write("1,KZT,created", "x,KZT,journal")
    served.misbehave(KEY_REFUSED)
    for _ in range(2):
        assert main(job.arguments()) == 1
    assert [each.name for each in job.results.parent.glob("results*")] == [job.results.name]
    served.behave()
    assert main(job.arguments()) == 1
    before = job.results.read_bytes()
    assert b"created" in before
    served.misbehave(KEY_REFUSED)
    job.write("1,KZT,other")
    assert main(job.arguments()) == 1
    assert job.results.read_bytes() == before
    assert job.results.with_name(f"results.1.{ending}").exists()


def test_earlier_results_without_a_row_are_replaced(orders: Path, served: ServedSandbox) -> None:
    results = orders.with_name("orders.results.csv")
    results.write_text("line,order_reference,outcome,link_id,url,error,error_code,error_message\r\n")
    served.misbehave(KEY_REFUSED)
    assert main(["bulk-create", str(orders)]) == 1
    assert {row["outcome"] for row in table(results)} == {"failed"}
    assert not orders.with_name("orders.results.1.csv").exists()


def test_results_of_the_form_before_are_known_as_results(orders: Path, served: ServedSandbox) -> None:
    results, aside = (orders.with_name(f"orders.results{number}.csv") for number in ("", ".1"))
    earlier = "line,order_reference,outcome,link_id,url,error,error_code,error_message\r\n2,A,failed,,,,,\r\n"
    results.write_text(earlier, newline="")
    assert main(["bulk-create", str(orders)]) == 0
    assert aside.read_bytes().decode() == earlier
    assert {row["outcome"] for row in table(results)} == {"created"}


# -------------------------------------------------------------------------------- rows that were not read


def test_how_many_rows_were_not_attempted(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    orders.write_text(HEADER + "".join(f"1,KZT,R-{number}\n" for number in range(500)))
    served.misbehave(KEY_REFUSED)
    assert main(["bulk-create", str(orders)]) == 1
    captured = capsys.readouterr()
    found = sums(captured.out)
    read = int(found["failed"])
    assert 0 < read < 500
    assert (found["links"], found["no link known"]) == ("0", str(read))
    assert found["not attempted"] == str(500 - read)
    assert (
        f"0 links were made, and {500 - read} rows after line {read + 1} were not attempted" in captured.err
    )


def test_of_a_large_file_it_is_not_counted(
    orders: Path,
    served: ServedSandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plexypay_async.cli.bulk_run._LARGEST_COUNTED_FILE", 10)
    orders.write_text(HEADER + "".join(f"1,KZT,R-{number}\n" for number in range(500)))
    served.misbehave(KEY_REFUSED)
    assert main(["bulk-create", str(orders)]) == 1
    captured = capsys.readouterr()
    assert "not attempted" not in captured.out
    assert "0 links were made, and the rows after line " in captured.err
    # All that there are have been read.
    orders.write_text(ROWS)
    assert main(["bulk-create", str(orders)]) == 1
    assert "not attempted" not in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("piped", [False, True])
def test_no_row_is_left_where_all_were_read(orders: Path, served: ServedSandbox, piped: bool) -> None:
    served.misbehave(f"hang=true,{CREATE}")
    process = subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-m", "plexypay_async.cli", "bulk-create"),
            "-" if piped else str(orders),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        if piped:
            assert process.stdin is not None
            process.stdin.write(ROWS)
            process.stdin.close()
            process.stdin = None
        deadline = time.monotonic() + 60
        while served.count() < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped by SIGTERM; 0 links were made\n" in error
    assert "not attempted" not in error
