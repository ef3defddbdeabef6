"""Which error an answer stands for: by its code where it has one, else by its status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from plexypay_async.errors import Outcome
from plexypay_async.wire import WireResponse, error_of, seconds_to_wait

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def class_of(status: int, body: Any) -> str:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return type(error_of(WireResponse(status, content), "x")).__name__


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1, "ServiceUnavailableError"),
        (2, "SomethingWentWrongError"),
        (3, "InvalidRequestError"),
        (4, "NotFoundError"),
        (5, "UnprocessableError"),
    ],
)
@pytest.mark.parametrize("spelling", [int, str, "{:04d}".format, " {} ".format])
@pytest.mark.parametrize("status", [400, 404, 409, 418, 422, 500, 503])
def test_the_code_decides(code: int, expected: str, spelling: Any, status: int) -> None:
    assert class_of(status, {"code": spelling(code), "message": "m"}) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "AuthenticationError"), (403, "PermissionDeniedError"), (429, "RateLimitedError")],
)
@pytest.mark.parametrize("body", [b"", b"<html>", {"code": 1}, {"code": 2, "message": "m"}, {"code": "0005"}])
def test_three_statuses_decide_even_with_a_code(status: int, expected: str, body: Any) -> None:
    assert class_of(status, body) == expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b"", "InvalidRequestError"),
        (404, b"<html>", "NotFoundError"),
        (422, {"message": "m"}, "UnprocessableError"),
        (409, {"message": "m"}, "APIError"),
        (418, b"", "APIError"),
        (302, b"", "APIError"),
        (304, {"message": "m"}, "APIError"),
        (500, {"message": "m"}, "SomethingWentWrongError"),
        (502, b"<html>Bad Gateway</html>", "SomethingWentWrongError"),
        (504, b"", "SomethingWentWrongError"),
        (507, {"message": "m"}, "SomethingWentWrongError"),
        (503, {"message": "busy"}, "ServiceUnavailableError"),
        (503, {"message": 5}, "SomethingWentWrongError"),
        (503, {}, "SomethingWentWrongError"),
        (503, [{"message": "busy"}], "SomethingWentWrongError"),
        (503, b"<html>", "SomethingWentWrongError"),
        (503, b"", "SomethingWentWrongError"),
    ],
)
def test_without_a_code_the_status_decides(status: int, body: Any, expected: str) -> None:
    assert class_of(status, body) == expected


@pytest.mark.parametrize("code", [None, True, 1.5, "one", "", "-1", "1" * 30, "١", [], {}])
def test_what_is_no_code_counts_as_none(code: Any) -> None:
    error = error_of(WireResponse(404, orjson.dumps({"code": code, "message": "m"})), "x")

    assert error.code is None
    assert type(error).__name__ == "NotFoundError"


def test_an_unknown_code_is_kept() -> None:
    error = error_of(WireResponse(400, b'{"code": 1153, "message": "exists"}'), "payment_links.create")

    assert (error.code, error.message, error.outcome) == (1153, "exists", Outcome.REJECTED)


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"<html>Bad Gateway</html>", b"\xff\xfe", b'{"message": ""}', b"[]"]
)
def test_an_answer_without_a_message_is_described(body: bytes) -> None:
    error = error_of(WireResponse(502, body), "x")

    assert error.message.startswith("no message")
    assert (error.source, error.type) == (None, None)


def test_a_long_body_is_shortened() -> None:
    error = error_of(WireResponse(502, b"<" * 10_000), "x")

    assert len(str(error)) < 250


def test_fields_of_another_type_are_left_out() -> None:
    error = error_of(WireResponse(400, b'{"code": 3, "message": "m", "source": 1, "type": {}}'), "x")

    assert (error.source, error.type) == (None, None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 15:00:30 +0300", 30.0),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30.0),
        ("Thursday, 01-Jan-26 12:00:30 GMT", 30.0),
        ("Thu Jan  1 12:00:30 2026", 30.0),
        ("Thu, 01 Jan 2026 11:59:00 GMT", 0.0),
        ("Thu, 01 Jan 99999 11:59:00 GMT", None),
        ("Thu, 01 Jan 99999999999 11:59:00 GMT", None),
        ("Thu, 01 Jan 2026 99999999999:59:00 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    headers = {"Date": "Thu, 01 Jan 2026 12:00:00 GMT"}
    if header is not None:
        headers["Retry-After"] = header

    assert WireResponse(503, b"", headers).retry_after == seconds


def test_retry_after_is_measured_from_the_clock() -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)

    seconds = seconds_to_wait(later.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    assert seconds is not None
    assert 290 < seconds <= 300


def test_retry_after_is_on_the_error() -> None:
    error = error_of(WireResponse(429, b"", {"Retry-After": "3"}), "x")

    assert error.retry_after == 3.0
