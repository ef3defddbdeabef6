"""Which error an answer stands for: by its code where it has one, else by its status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict

from plexypay_async._wire.api_errors import error_of, is_of_the_api
from plexypay_async._wire.messages import WireResponse, date_of, decode_json, seconds_to_wait
from plexypay_async.errors import Outcome, UnreadableResponseError
from plexypay_async.pay.description import PAY

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def class_of(status: int, body: Any) -> str:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return type(error_of(WireResponse(status, content), "x", PAY.errors)).__name__


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
        (503, {"message": "busy"}, "SomethingWentWrongError"),
        (503, {"message": "busy", "code": None}, "SomethingWentWrongError"),
        (503, {"message": "busy", "type": "apiError"}, "SomethingWentWrongError"),
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
    error = error_of(WireResponse(404, orjson.dumps({"code": code, "message": "m"})), "x", PAY.errors)

    assert error.code is None
    assert type(error).__name__ == "NotFoundError"


def test_an_unknown_code_is_kept() -> None:
    error = error_of(
        WireResponse(400, b'{"code": 1153, "message": "exists"}'), "payment_links.create", PAY.errors
    )

    assert (error.code, error.message, error.outcome) == (1153, "exists", Outcome.REJECTED)


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"<html>Bad Gateway</html>", b"\xff\xfe", b'{"message": ""}', b"[]"]
)
def test_an_answer_without_a_message_is_described(body: bytes) -> None:
    error = error_of(WireResponse(502, body), "x", PAY.errors)

    assert error.message.startswith("no message")
    assert (error.source, error.type) == (None, None)


def test_a_long_body_is_shortened() -> None:
    error = error_of(WireResponse(502, b"<" * 10_000), "x", PAY.errors)

    assert len(str(error)) < 250


def test_fields_of_another_type_are_left_out() -> None:
    error = error_of(
        WireResponse(400, b'{"code": 3, "message": "m", "source": 1, "type": {}}'), "x", PAY.errors
    )

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


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        # Whatever the local clock says, and however wrong the server's is.
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 13:00:00 GMT", 0.0),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 189_432_060.0),
        ("Thu, 01 Jan 2026 15:00:30 +0300", 30.0),
        ("Thu, 01 Jan 2026 12:00:30", 30.0),
    ],
)
def test_a_retry_after_date_is_measured_from_the_answers_own(date: str, seconds: float) -> None:
    headers = {"Retry-After": "Thu, 01 Jan 2026 12:01:00 GMT", "Date": date}

    assert WireResponse(503, b"", headers).retry_after == seconds
    assert error_of(WireResponse(503, b"", headers), "x", PAY.errors).retry_after == seconds


def test_seconds_to_wait_need_no_date() -> None:
    for date in ("Thu, 01 Jan 2026 12:00:00 GMT", "yesterday", ""):
        assert WireResponse(503, b"", {"Retry-After": "7", "Date": date}).retry_after == 7.0


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 01 Jan 99999 11:59:00 GMT"])
def test_without_a_date_of_the_answers_own_the_clock_counts(date: str | None) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    headers = {"Retry-After": later.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    if date is not None:
        headers["Date"] = date

    seconds = WireResponse(503, b"", headers).retry_after

    assert seconds is not None
    assert 290 < seconds <= 300


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 12:00:00 GMT", NOW),
        ("Thu, 01 Jan 2026 12:00:00", NOW),
        ("Thu, 01 Jan 2026 15:00:00 +0300", NOW),
    ],
)
def test_a_date(text: str | None, at: datetime | None) -> None:
    assert date_of(text) == at


def test_retry_after_is_measured_from_the_clock() -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)

    seconds = seconds_to_wait(later.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    assert seconds is not None
    assert 290 < seconds <= 300


def test_retry_after_is_on_the_error() -> None:
    error = error_of(WireResponse(429, b"", {"Retry-After": "3"}), "x", PAY.errors)

    assert error.retry_after == 3.0


# --------------------------------------------------------------------------------------- whose answer it is


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"code": 2, "message": "m"}, True),
        ({"code": "0001"}, True),
        ({"code": 0}, True),
        ({"code": 1153, "message": "exists"}, True),
        ({"type": "apiError"}, True),
        ({"type": "validationError", "message": "m"}, True),
        ({"code": "x", "type": "apiError"}, True),
        ({"message": "m"}, False),
        ({"code": None, "message": "m"}, False),
        ({"code": "busy", "message": "m"}, False),
        ({"code": True, "message": "m"}, False),
        ({"type": "about:blank", "title": "Bad Gateway", "status": 502}, False),
        ({"type": "apierror"}, False),
        ({"type": ["apiError"]}, False),
        ({"error": {"code": 2}}, False),
        ({}, False),
        ([{"code": 2}], False),
        (b"", False),
        (b"<html>Bad Gateway</html>", False),
        (b'{"code": 2', False),
        (b'{"code": 2, "message": "' + b"x" * 2**16 + b'"}', False),
    ],
    ids=lambda value: repr(value)[:40],
)
@pytest.mark.parametrize("status", [302, 400, 404, 408, 409, 422, 500, 502, 503, 504])
def test_an_answer_is_of_the_api_where_it_has_its_body(body: Any, expected: bool, status: int) -> None:
    content = body if isinstance(body, bytes) else orjson.dumps(body)

    assert is_of_the_api(error_of(WireResponse(status, content), "x", PAY.errors)) is expected


@pytest.mark.parametrize("status", [400, 404, 409, 500, 502, 503, 504])
@pytest.mark.parametrize("spelling", [int, str])
def test_a_code_that_is_the_status_is_a_gateways(status: int, spelling: Any) -> None:
    def of_the_api(**body: Any) -> bool:
        return is_of_the_api(error_of(WireResponse(status, orjson.dumps(body)), "x", PAY.errors))

    assert not of_the_api(code=spelling(status), message="m")
    assert of_the_api(code=spelling(status + 1), message="m")
    assert of_the_api(code=spelling(status), type="apiError")


# ---------------------------------------------------------------------------------------------------- cuts


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, False),
        ({}, True),
        ({"Content-Type": "application/json"}, True),
        ({"Content-Length": "7"}, False),
        ({"Transfer-Encoding": "chunked"}, False),
        ({"Content-Encoding": "gzip"}, True),
        ({"Content-Length": "7", "Content-Encoding": "gzip"}, True),
        ({"Transfer-Encoding": "chunked", "Content-Encoding": "deflate"}, True),
    ],
    ids=repr,
)
def test_whether_a_cut_would_be_hidden(headers: dict[str, str] | None, expected: bool) -> None:
    shown = None if headers is None else CIMultiDict(headers)

    assert WireResponse(200, b'{"id": ', shown).hides_a_cut is expected
    lower = None if headers is None else CIMultiDict({name.lower(): headers[name] for name in headers})
    assert WireResponse(200, b'{"id": ', lower).hides_a_cut is expected


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "7"}, {"Content-Encoding": "gzip"}], ids=repr)
@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.UNKNOWN])
def test_what_is_no_json_is_cut_where_that_may_be_hidden(headers: dict[str, str], outcome: Outcome) -> None:
    response = WireResponse(200, b'{"id": ', CIMultiDict(headers))
    with pytest.raises(UnreadableResponseError) as caught:
        decode_json(response, "x", outcome=outcome)

    assert caught.value.cut is response.hides_a_cut is ("Content-Length" not in headers)
    assert caught.value.outcome is outcome
