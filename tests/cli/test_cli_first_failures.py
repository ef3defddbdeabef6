"""Why a job does not get on is told at once and once, without the key, and no more after a recovery."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConnectError,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RetryPolicy,
)
from plexypay_async._privacy.secret import Secret
from plexypay_async.cli import main
from plexypay_async.cli.first_failures import FirstFailures
from plexypay_async.cli.report import Tally
from plexypay_async.cli.results import RowOutcome
from plexypay_async.cli.stopped import Reasons, RowList, reason_of
from plexypay_async.sandbox import Fault, Sandbox

SECRET = "pr_0123456789abcdef"


@pytest.fixture
def free_port() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        # Nobody listens there while this is open.
        yield free.getsockname()[1]


class FailingClient:
    failing: PlexyPayError | None = None


class QuietJob:
    def __init__(self) -> None:
        self.tally = Tally()
        self.secret = Secret(SECRET)
        self.ended_by: str | None = None
        self.written: list[str] = []
        self.write = self.written.append


def looking() -> tuple[FirstFailures, Any, Any]:
    client, job = FailingClient(), QuietJob()
    return FirstFailures(job, client, 600.0), client, job  # type: ignore[arg-type]


def refused(text: str = "cannot connect to h:1: Connection refused") -> PlexyPayError:
    return ConnectError(f"POST /v1/payment-links: no connection: {text}")


def test_a_failure_is_told_once_while_nothing_works() -> None:
    failures, client, job = looking()
    failures.look()
    client.failing = refused()
    failures.look()
    assert job.written == []
    failures.look()
    client.failing = refused()
    failures.look()
    assert job.written == [
        "plexypay: no link yet: cannot connect to h:1: Connection refused;"
        " each row is tried again until 600 s are over"
    ]
    client.failing = refused("another reason")
    failures.look()
    assert "another reason" in job.written[1]


def test_it_is_told_again_after_a_recovery_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    failures, client, job = looking()
    for _ in range(5):
        client.failing = refused()
        failures.look()
        failures.look()
        client.failing = None
        failures.look()
    assert len(job.written) == 3


def test_reasons_that_are_all_different_are_not_told_for_ever() -> None:
    failures, client, job = looking()
    for number in range(50):
        client.failing = refused(str(number))
        failures.look()
    assert len(job.written) == 10


def test_a_job_that_has_links_waits_for_one_row_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async.cli.first_failures._STALLED", 0.0)
    failures, client, job = looking()
    job.tally.outcomes[RowOutcome.CREATED] = 5
    client.failing = refused()
    for _ in range(5):
        failures.look()
    assert job.written == []
    # It fails again, and no row comes to its end.
    client.failing = refused()
    failures.look()
    assert len(job.written) == 1
    assert "no further link now" in job.written[0]


def test_what_ends_and_what_holds_the_key_is_not_told() -> None:
    failures, client, job = looking()
    client.failing = refused(f"it said {SECRET}")
    failures.look()
    failures.look()
    assert SECRET not in job.written[0]
    job.ended_by = "stopped"
    client.failing = refused("later")
    failures.look()
    assert len(job.written) == 1


@pytest.mark.asyncio
async def test_a_client_tells_what_fails_until_something_works(free_port: int) -> None:
    async with AsyncPlexyPay(
        "key", base_url=f"http://127.0.0.1:{free_port}", retry=RetryPolicy(base=0.01, max_attempts=3)
    ) as plexy:
        assert plexy.failing is None
        with pytest.raises(ConnectError):
            await plexy.payment_links.retrieve("pl_1")
        failing = plexy.failing
        assert isinstance(failing, ConnectError)
        assert str(failing).endswith(f"cannot connect to 127.0.0.1:{free_port}: Connection refused")
        assert failing.__traceback__ is None
        assert failing.__context__ is None


@pytest.mark.asyncio
async def test_a_client_tells_of_no_failure_that_is_over() -> None:
    async with (
        Sandbox(faults=[Fault(code=1, times=2)]) as sandbox,
        AsyncPlexyPay(
            sandbox.api_key, base_url=sandbox.base_url, retry=RetryPolicy(base=0.2, cap=0.4)
        ) as plexy,
    ):
        creating = asyncio.ensure_future(plexy.payment_links.create(amount=1, currency="KZT"))
        async with asyncio.timeout(20):
            while plexy.failing is None:
                await asyncio.sleep(0.01)
        await creating
        assert plexy.failing is None


def test_a_deadline_says_why(
    free_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the results, above the bar and in the sums."""
    monkeypatch.setenv("PLEXYPAY_API_KEY", SECRET)
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text("amount,currency,order_reference\n" + "".join(f"5,KZT,R-{n}\n" for n in range(4)))
    base_url = f"http://127.0.0.1:{free_port}"
    arguments = ["--base-url", base_url, "--timeout", "1", "--results", str(results)]
    assert main(["bulk-create", str(path), *arguments]) == 1
    told = capsys.readouterr().err
    reason = f"cannot connect to 127.0.0.1:{free_port}: Connection refused"
    assert told.count(f"plexypay: no link yet: {reason}; each row is tried again until 1 s are over\n") == 1
    assert f"plexypay: 4 rows met this: {reason}\n" in told
    assert results.read_text().count(reason) == 4
    assert SECRET not in told + results.read_text()


@pytest.mark.parametrize("with_results", [False, True])
def test_the_advice_names_the_rows_that_are_unknown(
    with_results: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    path.write_text("amount,currency,order_reference\n" + "".join(f"5,KZT,R-{n}\n" for n in range(10)))
    arguments = ["--sandbox", "--timeout", "1", "--concurrency", "1", "--fault", "hang=true,times=2"]
    if with_results:
        arguments += ["--results", str(results)]
    assert main(["bulk-create", str(path), *arguments]) == 1
    told = capsys.readouterr().err
    named = f'("unknown" in {results})' if results.exists() else "(lines 2-3)"
    assert f"plexypay: of 2 rows {named} it is not known whether there is a link: a run of the" in told
    assert "a run of the same file again looks up each order reference" in told
    assert "before running" not in told


@pytest.mark.parametrize("column", ["", ",order_reference"])
def test_the_advice_for_rows_without_a_reference_is_to_look_for_them(
    column: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.csv"
    cell = "," if column else ""
    path.write_text(f"amount,currency{column}\n" + f"5,KZT{cell}\n" * 5)
    arguments = ["--sandbox", "--timeout", "1", "--concurrency", "1", "--fault", "hang=true,times=2"]
    assert main(["bulk-create", str(path), "--no-references", *arguments]) == 1
    told = capsys.readouterr().err
    assert "not known whether there is a link: look for those without an order_reference in the list" in told
    assert "the same file again" not in told


def test_a_reason_is_the_root_of_what_was_met() -> None:
    silent = OutcomeUnknownError("POST /v1/payment-links: no answer: it took too long")
    unknown = OutcomeUnknownError("payment_links.create: the outcome is unknown (no answer). Look it up.")
    unknown.__cause__ = silent
    late = DeadlineExceededError("payment_links.create: no success within 1 s.", outcome=Outcome.UNKNOWN)
    late.__cause__ = unknown
    assert reason_of(late) == reason_of(unknown) == "no answer: it took too long"
    assert reason_of(DeadlineExceededError("a.b: no success.", outcome=Outcome.NOT_SENT)) == "no success."
    assert len(reason_of(PlexyPayError("x" * 4000))) < 400
    silent = OutcomeUnknownError("POST /v1/x: no answer: SocketTimeoutError: Timeout on reading data")
    assert reason_of(silent) == "no answer: Timeout on reading data"


def test_lines_are_named() -> None:
    rows = RowList()
    for line in (18, 4, 17):
        rows.add(line)
    assert rows.named() == "lines 4, 17-18"
    one = RowList()
    one.add(1002)
    assert one.named() == "line 1,002"
    many = RowList()
    for line in range(0, 6000, 2):
        many.add(line)
    assert many.named() == "lines 0, 2, 4, 6, 8, 10, 12, 14, 16, 18 and 2,990 more"


def test_reasons_are_counted() -> None:
    reasons = Reasons()
    for number in range(20):
        reasons.note(refused("the same"))
        reasons.note(refused(str(number)))
    told = reasons.told()
    assert told[0] == "20 rows met this: the same"
    assert told[-1] == "16 rows met something else"
    assert len(told) == 6
