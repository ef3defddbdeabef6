"""The library's log: what is written at which level, with which fields, and what is never written."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, CreatePaymentLink, NotFoundError, PlexyPayError
from plexypay_async.logs import VARIABLE
from plexypay_sync import PlexyPay
from tests.exposure.provocations import API_KEY, NUMBER
from tests.faults.scripted import (
    BY_REFERENCE,
    CODE_1,
    CREATED,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    ONCE,
    RESET,
    SHORT,
    SILENCE,
    TAKEN,
    Answer,
    Script,
    link,
    scripted,
    serving,
)
from tests.frames import record_exposures

pytestmark = pytest.mark.asyncio

CREATE = f"POST {LINKS}"
STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "plexypay")
    return caplog


def _records(log: pytest.LogCaptureFixture, level: int) -> list[logging.LogRecord]:
    return [each for each in log.records if each.name == "plexypay.calls" and each.levelno == level]


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


async def _create(plexy: AsyncPlexyPay) -> Any:
    return await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


async def test_a_success_is_told_at_debug_alone(log: pytest.LogCaptureFixture) -> None:
    answer = Answer(201, link(), {"X-Request-Id": "req-1"})
    async with scripted({CREATE: answer}) as (plexy, _):
        await _create(plexy)
    assert _records(log, logging.WARNING) == []
    attempt, end = _records(log, logging.DEBUG)
    assert attempt.getMessage().startswith(
        "payment_links.create 'ORD-1': attempt 1: POST /v1/payment-links: HTTP 201 after 0."
    )
    assert attempt.getMessage().endswith(" s, request id req-1")
    fields = _fields(attempt)
    assert fields.pop("seconds") > 0
    assert fields.pop("waited") >= 0
    assert fields == {
        "operation": "payment_links.create",
        "order_reference": "ORD-1",
        "resource_id": None,
        "attempt": 1,
        "purpose": "operation",
        "outcome": None,
        "status": 201,
        "code": None,
        "request_id": "req-1",
        "error": None,
    }
    assert end.getMessage().startswith("payment_links.create 'ORD-1': done after 1 attempt, 0.")


async def test_a_call_that_was_repeated_is_told_at_warning(log: pytest.LogCaptureFixture) -> None:
    async with scripted({CREATE: [CODE_1, CREATED]}) as (plexy, _):
        await _create(plexy)
    (told,) = _records(log, logging.WARNING)
    assert told.getMessage().startswith("payment_links.create 'ORD-1': succeeded (2 attempts, 0.")
    fields = _fields(told)
    assert (fields["attempts"], fields["outcome"], fields["error"]) == (2, "done", None)
    texts = [each.getMessage() for each in _records(log, logging.DEBUG)]
    assert any("HTTP 503, code 1" in text for text in texts)
    assert any("pausing 0.0" in text and "(backoff) after ServiceUnavailableError" in text for text in texts)


async def test_a_recovered_call_is_told_at_warning(log: pytest.LogCaptureFixture) -> None:
    async with scripted({CREATE: RESET, f"GET {BY_REFERENCE}/*": FOUND}) as (plexy, _):
        await _create(plexy)
    assert len(_records(log, logging.WARNING)) == 1
    assert any("look-up 1: GET" in each.getMessage() for each in _records(log, logging.DEBUG))


async def test_a_call_that_failed_is_told_at_warning(log: pytest.LogCaptureFixture) -> None:
    answer = Answer(404, NOT_FOUND.body, {"X-Request-Id": "req-1"})
    async with scripted({f"GET {LINKS}/pl_1": answer}) as (plexy, _):
        with pytest.raises(NotFoundError):
            await plexy.payment_links.retrieve("pl_1")
    (told,) = _records(log, logging.WARNING)
    assert told.getMessage().startswith(
        "payment_links.retrieve 'pl_1': NotFoundError: HTTP 404, code 4: as scripted, request id req-1"
        " (1 attempt, 0."
    )
    fields = _fields(told)
    assert (fields["status"], fields["code"], fields["request_id"]) == (404, 4, "req-1")
    assert (fields["outcome"], fields["error"]) == ("rejected", "NotFoundError")
    assert (fields["resource_id"], fields["order_reference"]) == ("pl_1", None)


async def test_it_is_the_same_without_anybody_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "plexypay")
    async with scripted({CREATE: [CODE_1, CREATED], f"GET {LINKS}/pl_1": NOT_FOUND}) as (plexy, _):
        await _create(plexy)
        with pytest.raises(NotFoundError):
            await plexy.payment_links.retrieve("pl_1")
    assert [each.levelno for each in caplog.records] == [logging.WARNING] * 2


async def test_the_sync_client_logs_the_same(log: pytest.LogCaptureFixture) -> None:
    async with serving({CREATE: [CODE_1, CREATED]}) as server:

        def call() -> None:
            with PlexyPay(KEY, base_url=server.url, retry=SHORT) as plexy:
                plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")

        await asyncio.to_thread(call)
    assert len(_records(log, logging.WARNING)) == 1
    assert len(_records(log, logging.DEBUG)) == 4


async def test_a_wait_that_finds_nothing_yet_is_no_trouble(log: pytest.LogCaptureFixture) -> None:
    async with scripted({"*": NOT_FOUND}) as (plexy, _):
        with pytest.raises(PlexyPayError):
            await plexy.transactions.wait(order_reference="ORD-1", timeout=0.2, interval=0.01)
    assert _records(log, logging.WARNING) == []


async def test_a_job_is_told_at_info_and_its_rows_where_they_fail(log: pytest.LogCaptureFixture) -> None:
    log.set_level(logging.INFO, "plexypay")
    rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference=f"ORD-{n}") for n in range(2)]
    refused = Answer(400, {"code": 3, "message": "no", "type": "apiError"})
    async with scripted({CREATE: [CODE_1, CREATED, refused]}) as (plexy, _):
        results = [each async for each in plexy.payment_links.create_many(rows, concurrency=1)]
    assert [result.error is None for result in results] == [True, False]
    texts = [each.getMessage() for each in _records(log, logging.INFO)]
    assert texts[0] == "payment_links.create_many: a job begins"
    assert texts[1].endswith(": 1 created, 0 recovered, 1 failed")
    (told,) = _records(log, logging.WARNING)
    assert _fields(told)["order_reference"] == "ORD-1"


async def test_no_record_has_a_secret_or_more_than_a_line(log: pytest.LogCaptureFixture) -> None:
    echo = {"code": 3, "message": f"you sent {API_KEY}\nand {NUMBER}\x1b[2J", "type": "apiError"}
    answer = Answer(400, echo, {"X-Request-Id": f"{API_KEY}\x07"})
    async with serving({"*": answer}) as server:
        plexy = AsyncPlexyPay(API_KEY, base_url=server.url, retry=ONCE)
        with pytest.raises(PlexyPayError):
            await plexy.payment_links.create(amount=1, currency="KZT", order_reference=NUMBER)
        await plexy.close()
    records = [each for each in log.records if each.name.startswith("plexypay")]
    assert len(records) == 3
    assert record_exposures(records, [API_KEY, NUMBER]) == []
    for record in records:
        shown = f"{record.getMessage()}{''.join(map(str, _fields(record).values()))}"
        assert shown.isprintable()


async def test_what_a_filter_raises_breaks_no_call(log: pytest.LogCaptureFixture) -> None:
    def broken(_: logging.LogRecord) -> bool:
        raise RuntimeError("a filter that is broken")

    logger = logging.getLogger("plexypay.calls")
    logger.addFilter(broken)
    try:
        async with scripted({CREATE: [CODE_1, CREATED]}) as (plexy, _):
            assert (await _create(plexy)).id == "pl_1"
    finally:
        logger.removeFilter(broken)


async def test_an_applications_own_fields_of_the_same_name_are_kept(log: pytest.LogCaptureFixture) -> None:
    usual = logging.getLogRecordFactory()

    def of_a_request(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = usual(*args, **kwargs)
        record.request_id = "of the application's request"
        return record

    logging.setLogRecordFactory(of_a_request)
    try:
        async with scripted({"POST /v1/payments/t/refund": RESET}, retry=ONCE) as (plexy, _):
            with pytest.raises(PlexyPayError):
                await plexy.payments.refund("t", amount=Decimal(1))
    finally:
        logging.setLogRecordFactory(usual)
    (told,) = _records(log, logging.WARNING)
    fields = _fields(told)
    assert fields["request_id"] == "of the application's request"
    assert (fields["plexypay_operation"], fields["plexypay_outcome"]) == ("payments.refund", "unknown")


async def test_an_attempt_that_was_cut_counts(log: pytest.LogCaptureFixture) -> None:
    async with scripted({"POST *": SILENCE}, timeout=0.2) as (plexy, _):
        with pytest.raises(PlexyPayError):
            await plexy.payments.refund("t", amount=Decimal(1))
    (told,) = _records(log, logging.WARNING)
    assert "(1 attempt, 0." in told.getMessage()


async def test_a_payment_that_is_cancelled_amid_its_request_is_told(log: pytest.LogCaptureFixture) -> None:
    script = Script({"*": SILENCE})
    async with scripted(script) as (plexy, _):
        for call in (
            plexy.payments.refund("t", amount=Decimal(1)),
            plexy.payment_links.retrieve("pl_1"),
        ):
            seen = len(script.seen)
            task = asyncio.ensure_future(call)
            while len(script.seen) == seen:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    (told,) = _records(log, logging.WARNING)
    assert told.getMessage().startswith("payments.refund 't': cancelled (1 attempt, 0.")
    assert _fields(told)["outcome"] == "unknown"


ANSWERED_SO: dict[str, tuple[Any, Any]] = {
    "a body that cannot be read": (
        Answer(201, b'{"foo": "jane@example.com", "token": "tok_secret"}'),
        lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
    ),
    "an idempotency key": (
        RESET,
        lambda plexy: plexy.wallet.authorize(amount=1, order_reference="O", idempotency_key="tok_secret"),
    ),
    "a query": (NOT_FOUND, lambda plexy: plexy.request("GET", "/v1/customers?email=jane@example.com")),
}


@pytest.mark.parametrize("name", ANSWERED_SO)
async def test_no_record_has_a_body_a_key_or_a_query(name: str, log: pytest.LogCaptureFixture) -> None:
    answer, call = ANSWERED_SO[name]
    async with scripted({"*": answer}, retry=ONCE) as (plexy, _):
        with pytest.raises(PlexyPayError):
            await call(plexy)
    records = [each for each in log.records if each.name.startswith("plexypay")]
    assert len(records) >= 2
    assert record_exposures(records, ["jane@example.com", "tok_secret"]) == []


async def test_a_row_that_was_made_before_is_no_trouble(log: pytest.LogCaptureFixture) -> None:
    rows = [CreatePaymentLink(amount=2_200_000, currency="KZT", order_reference="ORD-1")]
    async with scripted({CREATE: TAKEN, f"GET {BY_REFERENCE}/*": FOUND}) as (plexy, _):
        results = [each async for each in plexy.payment_links.create_many(rows)]
    assert [each.recovered for each in results] == [True]
    assert _records(log, logging.WARNING) == []


PROGRAM = """
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay, PlexyPayError
with Sandbox() as sandbox, PlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
    plexy.payment_links.create(amount=1, currency="KZT", order_reference="ORD-1")
    try:
        plexy.payment_links.retrieve("pl_none")
    except PlexyPayError:
        pass
"""


def _said(level: str | None) -> str:
    environment = {} if level is None else {VARIABLE: level}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(("level", "lines"), [(None, 0), ("warning", 1), ("info", 1), ("DEBUG", 5)])
async def test_a_script_is_told_as_its_environment_says(level: str | None, lines: int) -> None:
    said = await asyncio.to_thread(_said, level)
    assert len(said.splitlines()) == lines, said
    assert said.count(
        " WARNING plexypay.calls payment_links.retrieve 'pl_none': NotFoundError: HTTP 404"
    ) == (lines > 0)


async def test_the_environments_log_takes_no_record_from_others() -> None:
    program = f"import logging, io; told = io.StringIO(); logging.basicConfig(stream=told)\n{PROGRAM}\n"
    program += "assert 'pl_none' in told.getvalue(), told.getvalue()"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program],
        env={VARIABLE: "debug"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("'pl_none': NotFoundError") == 1
    usual = f"import logging; logging.basicConfig()\n{PROGRAM}"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", usual], env={VARIABLE: "debug"}, capture_output=True, text=True
    )
    assert done.stderr.count("'pl_none': NotFoundError") == 1


async def test_a_level_that_is_none_is_told() -> None:
    said = await asyncio.to_thread(_said, "verbose")
    assert said == "PLEXYPAY_LOG: expected one of debug, info, warning, got verbose; nothing is changed\n"
