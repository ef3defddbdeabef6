"""What a call's record says of its end: an attempt that may have done the work is not forgotten."""

from __future__ import annotations

import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, Outcome, PaymentLinks
from plexypay_async._core.record import LATE_WORK, CallRecord, Doubt
from plexypay_async.pay.payment_links import CancelPaymentLink


@pytest.fixture
def record() -> CallRecord:
    settings = AsyncPlexyPay("key", base_url="http://127.0.0.1:9", read_timeout=1.0)._execution.settings
    return CallRecord(PaymentLinks.cancel, CancelPaymentLink("pl_1"), settings)


def closed() -> ConfigurationError:
    return ConfigurationError("this client is closed")


def test_a_client_that_is_closed_before_anything_was_sent_has_sent_nothing(record: CallRecord) -> None:
    assert record.final(closed()).outcome is Outcome.NOT_SENT
    record.has_reached()
    assert record.final(closed()).outcome is Outcome.NOT_SENT


def test_a_client_that_is_closed_proves_nothing_of_what_was_sent_before(record: CallRecord) -> None:
    record.may_have_done(sent_at=10.0, now=10.5)
    assert record.final(closed()).outcome is Outcome.UNKNOWN
    record.found_nothing(10.0 + 1.0 + LATE_WORK)
    assert record.doubt is Doubt.REACHED
    assert record.final(closed()).outcome is Outcome.UNKNOWN


def test_what_was_not_found_too_early_proves_nothing(record: CallRecord) -> None:
    record.may_have_done(sent_at=10.0, now=10.5)
    record.found_nothing(10.0 + 1.0 + LATE_WORK - 0.1)
    assert record.doubt is Doubt.OPEN


@pytest.mark.parametrize(
    ("asked_at", "doubt"), [(11.0 + LATE_WORK, Doubt.OPEN), (14.0 + LATE_WORK, Doubt.REACHED)]
)
def test_what_was_answered_late_may_be_done_later_still(
    record: CallRecord, asked_at: float, doubt: Doubt
) -> None:
    record.may_have_done(sent_at=10.0, now=14.0)
    record.found_nothing(asked_at)
    assert record.doubt is doubt
