"""Answers read while a test has frozen the time hold Python's own datetimes, and so do those read later."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from plexypay_async import PaymentLink, Transaction
from plexypay_async._wire.converter import converter

TIME = datetime(2025, 3, 1, 12, tzinfo=UTC)
LINK = {
    "id": "pl_1",
    "amount": 1,
    "currency": "KZT",
    "status": "active",
    "url": "https://pay.example/1",
    "createdAt": "2025-03-01T12:00:00Z",
    "expiresAt": "2025-03-01T17:00:00+05:00",
}
ANSWERS: dict[str, tuple[Any, Any]] = {
    "a link": (PaymentLink, LINK),
    # Read by the strict hooks, not by the compiled ones.
    "a link of another form": (PaymentLink, {**LINK, "amount": "1"}),
    "a transaction": (Transaction, {"id": "t-1", "status": "charged", "createdAt": "2025-03-01T12:00:00"}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_read_in_frozen_time_holds_real_times(name: str) -> None:
    kind, document = ANSWERS[name]
    with freeze_time("2030-01-01"):
        frozen = converter.get_structure_hook(kind)(document, kind)
    later = converter.get_structure_hook(kind)(document, kind)
    for made in (frozen, later, pickle.loads(pickle.dumps(frozen))):
        assert type(made.created_at) is datetime
        assert made.created_at == TIME
        assert made == later
        assert TIME - timedelta(1) < made.created_at


FRESH = """
from datetime import datetime
from freezegun import freeze_time
with freeze_time("2030-01-01"):
    from plexypay_async import CreatePaymentLink, PaymentLink
    from plexypay_async._wire.converter import converter
    read = converter.get_structure_hook(PaymentLink)
    assert type(read(LINK, PaymentLink).created_at) is datetime.__mro__[1], "a frozen time"
    frozen = datetime.now().astimezone()
    write = converter.get_unstructure_hook(CreatePaymentLink)
    print(write(CreatePaymentLink(amount=1, currency="KZT", expires_at=frozen))["expiresAt"])
assert type(read(LINK, PaymentLink).created_at) is datetime
read = converter.get_structure_hook(PaymentLink)
assert type(read(dict(LINK, amount="1"), PaymentLink).expires_at) is datetime
real = datetime(2025, 1, 1).astimezone()
print(write(CreatePaymentLink(amount=1, currency="KZT", expires_at=real))["expiresAt"][:4])
"""


def test_a_library_that_is_imported_in_frozen_time_reads_and_writes_real_ones() -> None:
    code = f"LINK = {LINK!r}\n{FRESH}"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={"TZ": "UTC"}
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["2030-01-01T00:00:00Z", "2025"]
