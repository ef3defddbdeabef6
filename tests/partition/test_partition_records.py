"""`create_partition`: the links that it makes, what it reports, and that running it again does no harm."""

from __future__ import annotations

import asyncio
import logging
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from plexypay_async import ConfigurationError, CreatePaymentLink
from plexypay_async.bulk import PartitionRecord, PartitionSettings, create_partition
from plexypay_async.cli.results import RowOutcome, RowResult

from .served import ServedSandbox


def rows(count: int) -> list[dict[str, Any]]:
    return [{"amount": 100 + n, "currency": "KZT", "order_reference": f"P-{n}"} for n in range(count)]


def outcomes(records: list[PartitionRecord]) -> list[str]:
    return [record["outcome"] for record in records]


def test_creates_each_row_and_reports_it_in_the_rows_order(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    records = create_partition(rows(30), settings)

    links = {link["orderReference"]: link for link in sandbox.ask("GET", "/_sandbox/payment-links")["data"]}
    assert [record["index"] for record in records] == list(range(30))
    assert records == [
        {
            "index": n,
            "order_reference": f"P-{n}",
            "outcome": "created",
            "link_id": links[f"P-{n}"]["id"],
            "url": links[f"P-{n}"]["url"],
            "error": None,
            "error_code": None,
            "error_message": None,
        }
        for n in range(30)
    ]
    assert links["P-7"]["amount"] == 107


def test_the_records_have_the_columns_and_outcomes_of_a_results_file() -> None:
    columns = [field.name for field in attrs.fields(RowResult)]
    # What follows there is the row's own, which a partition has beside its records.
    assert ["line", *list(PartitionRecord.__annotations__)[1:]] == columns[:-3]
    assert columns[-3:] == ["amount_major", "currency", "description"]
    assert {"created", "recovered", "failed", "unknown", "invalid"} <= {str(known) for known in RowOutcome}


def test_a_second_execution_finds_what_the_first_has_created(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    first = create_partition(rows(10), settings)
    again = create_partition(rows(20), settings)

    assert outcomes(again) == ["recovered"] * 10 + ["created"] * 10
    assert [record["link_id"] for record in again[:10]] == [record["link_id"] for record in first]
    assert sandbox.count("payment_links.create") == 20
    assert len(set(sandbox.references())) == len(sandbox.references()) == 20


def test_assume_unique_sends_nothing_but_creates(sandbox: ServedSandbox, settings: PartitionSettings) -> None:
    records = create_partition(rows(10), settings, assume_unique=True)

    assert outcomes(records) == ["created"] * 10
    assert sandbox.ask("GET", "/_sandbox/requests")["total"] == 10


@pytest.mark.parametrize(
    ("amount", "told"), [(100, ("recovered", None)), (101, ("failed", "OrderReferenceConflictError"))]
)
def test_assume_unique_looks_up_a_reference_that_exists_once_it_is_refused(
    sandbox: ServedSandbox, settings: PartitionSettings, amount: int, told: tuple[str, str | None]
) -> None:
    sandbox.create("P-0", amount)

    [record] = create_partition(rows(1), settings, assume_unique=True)

    assert (record["outcome"], record["error"]) == told
    assert sandbox.references() == ["P-0"]


def test_a_link_with_another_amount_is_a_conflict_and_not_a_recovery(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    sandbox.create("P-0", 999)

    [record] = create_partition(rows(1), settings)

    assert (record["outcome"], record["error"]) == ("failed", "OrderReferenceConflictError")
    assert sandbox.references() == ["P-0"]


def test_a_link_that_appears_after_the_look_up_is_found(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    sandbox.create("P-other", 1)
    # The first create to come waits, while a worker taken for dead sends the same one.
    sandbox.add_fault("latency=4,operation=payment_links.create,times=1")
    found: list[list[PartitionRecord]] = []
    partition = threading.Thread(target=lambda: found.append(create_partition(rows(1), settings)))
    partition.start()
    until = time.monotonic() + 30
    while sandbox.count("payment_links.create") < 2:
        assert time.monotonic() < until
    made = sandbox.create("P-0", 100)
    partition.join(60)

    assert [(record["outcome"], record["link_id"]) for record in found[0]] == [("recovered", made)]
    assert sorted(sandbox.references()) == ["P-0", "P-other"]


def test_a_row_that_the_server_refuses_stays_failed(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    refused = {**rows(1)[0], "expires_at": "2001-01-01T00:00:00Z"}

    [record] = create_partition([refused], settings)

    assert (record["outcome"], record["error"], record["error_code"]) == ("failed", "UnprocessableError", 5)
    assert record["error_message"]
    assert sandbox.references() == []


def test_faults_are_ridden_out(sandbox: ServedSandbox, settings: PartitionSettings) -> None:
    for fault in ("code=1,rate=0.1", "code=2,rate=0.1,work=random", "cut=after,rate=0.1"):
        sandbox.add_fault(fault)

    records = create_partition(rows(60), settings)

    assert {record["outcome"] for record in records} <= {"created", "recovered"}
    assert sorted(sandbox.references()) == sorted(row["order_reference"] for row in rows(60))


def test_a_repeated_reference_is_created_once_and_reported_each_time(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    [row] = rows(1)

    records = create_partition([row, {**row, "amount": 5}, row], settings)

    assert outcomes(records) == ["created", "invalid", "repeated"]
    assert records[0]["link_id"] == records[2]["link_id"]
    assert records[1]["error"] == "ConfigurationError"
    assert "row 0" in str(records[1]["error_message"])
    assert sandbox.count("payment_links.create") == 1


@pytest.mark.parametrize("assume_unique", [False, True])
def test_a_row_without_an_order_reference_is_refused_and_the_others_go_on(
    sandbox: ServedSandbox, settings: PartitionSettings, assume_unique: bool
) -> None:
    good = CreatePaymentLink(amount=100, currency="KZT", order_reference="P-0")
    bare = CreatePaymentLink(amount=100, currency="KZT")

    records = create_partition([bare, good], settings, assume_unique=assume_unique)

    assert outcomes(records) == ["invalid", "created"]
    assert records[0]["error"] == "ConfigurationError"
    assert sandbox.references() == ["P-0"]


def test_an_empty_partition_has_no_records(settings: PartitionSettings) -> None:
    assert create_partition(iter(()), settings) == []


def test_what_the_rows_raise_reaches_the_engine_once_the_links_under_way_are_settled(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield from rows(3)
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        create_partition(broken(), settings)

    assert sandbox.count("payment_links.create") == len(sandbox.references())


@pytest.mark.asyncio
async def test_works_where_a_loop_runs(sandbox: ServedSandbox, settings: PartitionSettings) -> None:
    records = create_partition(rows(3), settings)

    assert outcomes(records) == ["created"] * 3
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [thread for thread in threading.enumerate() if "partition" in thread.name]


class Interrupted(BaseException):
    """As Ctrl-C raises, at any instant."""


@pytest.mark.asyncio
async def test_an_interrupt_where_a_loop_runs_stops_the_job(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    def once_asked() -> None:
        while not sandbox.count("payment_links.retrieve_by_order_reference"):
            assert time.monotonic() - started < 30
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    interrupting = threading.Thread(target=once_asked, name="interrupting")

    sandbox.add_fault("hang=true")
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        started = time.monotonic()
        interrupting.start()
        with pytest.raises(Interrupted):
            create_partition(rows(3), attrs.evolve(settings, timeout=60))
    finally:
        interrupting.join(60)
        signal.signal(signal.SIGALRM, before)

    assert time.monotonic() - started < 30
    assert not [thread for thread in threading.enumerate() if "partition" in thread.name]


# ------------------------------------------------------------------------------------------------ settings


def test_function_settings_and_records_pickle(settings: PartitionSettings) -> None:
    function, carried = pickle.loads(pickle.dumps((create_partition, settings)))
    assert function is create_partition
    assert carried == settings

    records = function([{"amount": 1, "currency": "KZT"}, *rows(1)], carried)

    assert pickle.loads(pickle.dumps(records)) == records
    assert all(type(value) in (int, str, type(None)) for record in records for value in record.values())


def test_a_mapping_of_settings_is_as_good(sandbox: ServedSandbox) -> None:
    options = {"api_key": sandbox.api_key, "base_url": sandbox.base_url, "concurrency": 2}
    assert outcomes(create_partition(rows(2), options)) == ["created"] * 2


def test_the_key_can_stay_in_the_workers_environment(
    sandbox: ServedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"api_key_variable": "SHOP_KEY", "base_url": sandbox.base_url}
    with pytest.raises(ConfigurationError, match="set SHOP_KEY on the worker"):
        create_partition(rows(1), options)

    monkeypatch.setenv("SHOP_KEY", sandbox.api_key)
    assert outcomes(create_partition(rows(1), options)) == ["created"]


def test_no_text_shows_the_key(
    sandbox: ServedSandbox, settings: PartitionSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = attrs.evolve(settings, api_key="pr_0123456789abcdef")

    records = create_partition(rows(2), secret)

    # An earlier run may have made the links: a look-up that is refused does not tell.
    assert [record["error"] for record in records] == ["OutcomeUnknownError"] * 2
    assert "401" in str(records[0]["error_message"])
    assert "pr_0123456789abcdef" not in f"{secret!r} {secret} {records} {caplog.text}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"api_key": "k", "concurency": 2}, "unknown concurency"),
        ({"api_key": "k", "base_url": "http://example.com"}, "base_url"),
        ({"api_key": "k", "concurrency": 101}, "above the client's max_connections"),
        ({"api_key": "k", "timeout": -1}, "timeout"),
        ("k", "expected PartitionSettings or a mapping, got str"),
    ],
)
def test_unusable_settings_are_refused_before_anything_is_sent(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        create_partition(rows(1), settings)


class Frame:
    """As much of a data frame as tells it from rows."""

    columns = ("amount", "currency")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


@pytest.mark.parametrize("given", [Frame(), "amount", rows(1)[0], 5], ids=["frame", "text", "one row", "int"])
def test_rows_that_are_no_rows_are_refused(given: Any, settings: PartitionSettings) -> None:
    with pytest.raises(ConfigurationError, match="rows: expected an iterable of rows"):
        create_partition(given, settings)
