"""Whatever a server sends, there is a model or one of the library's errors."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from plexypay_async import APIError, PaymentLink, PaymentLinkStatistics, UnreadableResponseError
from plexypay_async.api.payment_links import PaymentLinks
from plexypay_async.codec import ListingCodec, OperationCodec, PageBody
from plexypay_async.wire import WireResponse, decode_json, error_of, seconds_to_wait

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
TIMES = st.sampled_from(
    ["2025-03-01T12:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2025-W09-6", "24:00"]
)
LINKS = st.fixed_dictionaries(
    {
        "id": st.just("pl_1") | JSON,
        "amount": st.integers(1, 10**9) | JSON,
        "currency": st.just("KZT") | JSON,
        "status": st.text(max_size=6) | JSON,
        "url": st.just("https://pay.example") | JSON,
    },
    optional={"createdAt": TIMES | JSON, "metadata": JSON, "autoClearing": JSON, "description": JSON},
)
PAGES = st.fixed_dictionaries(
    {"data": st.lists(LINKS, max_size=3) | JSON}, optional={"total": JSON, "size": JSON}
)
BODIES = (JSON | LINKS | PAGES).map(orjson.dumps) | st.binary(max_size=40)

OPERATIONS: list[OperationCodec[Any]] = [
    OperationCodec(PaymentLinks.create),
    OperationCodec(PaymentLinks.cancel),
    OperationCodec(PaymentLinks.statistics),
]
LIST = ListingCodec(PaymentLinks.list)

quick = settings(max_examples=150, deadline=None)


def outcome_of(codec: OperationCodec[Any] | ListingCodec[Any], body: bytes) -> object:
    """Return what a body decodes to, or the error that says that it does not."""
    try:
        return codec.decode(WireResponse(200, body))
    except UnreadableResponseError as error:
        return error


@quick
@given(body=BODIES)
def test_an_operation_gives_its_model_or_says_why_not(body: bytes) -> None:
    for codec in OPERATIONS:
        answer = outcome_of(codec, body)
        if isinstance(answer, UnreadableResponseError):
            assert answer.status == 200
            assert codec.name in str(answer)
        else:
            assert answer is None or isinstance(answer, (PaymentLink, PaymentLinkStatistics))


@quick
@given(body=BODIES)
def test_a_listing_gives_a_page_or_says_why_not(body: bytes) -> None:
    page = outcome_of(LIST, body)
    if isinstance(page, UnreadableResponseError):
        assert LIST.name in str(page)
    else:
        assert isinstance(page, PageBody)
        assert all(count is None or type(count) is int for count in (page.page, page.size, page.total))


@quick
@given(body=BODIES)
def test_raw_is_the_document(body: bytes) -> None:
    response = WireResponse(200, body)
    try:
        statistics = OPERATIONS[2].decode(response)
    except UnreadableResponseError:
        return
    assert isinstance(statistics, PaymentLinkStatistics)
    assert statistics.raw == decode_json(response, "x")


@quick
@given(status=st.integers(300, 599), body=BODIES, retry_after=st.none() | st.text(max_size=40))
def test_an_error_answer_is_an_error(status: int, body: bytes, retry_after: str | None) -> None:
    error = error_of(WireResponse(status, body, retry_after), "payment_links.create")

    assert isinstance(error, APIError)
    assert error.status == status
    assert error.message
    assert error.outcome is not None
    assert error.retry_after is None or error.retry_after >= 0


@quick
@given(
    header=st.text(alphabet="0123456789 ,:+-.eEGMTWedJanuary", max_size=45)
    | st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{1,2} [JFMASOND][a-z]{2} [0-9]{1,12} [0-9:]{4,16} ([+-][0-9]{4,6}|GMT)"
    )
)
def test_a_retry_after_is_never_negative_nor_raises(header: str) -> None:
    seconds = seconds_to_wait(header)

    assert seconds is None or seconds >= 0
