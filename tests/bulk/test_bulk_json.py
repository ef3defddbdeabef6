"""Each request of a job is written as JSON once, and each answer is read once."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse
from plexypay_async.bulk.intake import EncodedLink
from plexypay_async.bulk.journal_format import digest_of
from plexypay_async.pay.payment_links import PaymentLinks
from plexypay_async.pay.transactions import Transactions
from tests.json_calls import JSONCalls

from .ledger_server import ledger
from .rows import a_client, row, rows, run

REFERENCES = sorted(f"ORD-{number}" for number in range(100))


@pytest.mark.asyncio
@pytest.mark.parametrize("with_journal", [True, False], ids=["journal", "no journal"])
async def test_a_request_is_written_once_and_its_answer_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_journal: bool
) -> None:
    calls = JSONCalls(monkeypatch)
    journal = tmp_path / "job.journal" if with_journal else None
    async with ledger() as server, a_client(server) as plexy:
        results = await run(plexy, rows(100), journal=journal)
        assert [result.error for result in results] == [None] * 100
        assert calls.requests() == REFERENCES
        assert len(calls.read) == 100
        # The journal keeps each answer.
        assert len(calls.written) == (200 if with_journal else 100)


@pytest.mark.asyncio
async def test_a_row_that_is_done_is_written_once_and_its_kept_answer_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "job.journal"
    calls = JSONCalls(monkeypatch)
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, rows(100), journal=path)
        calls.clear()
        results = await run(plexy, rows(100), journal=path)
        assert all(result.from_journal for result in results)
        assert calls.requests() == REFERENCES
        assert len(calls.written) == len(calls.read) == 100


@pytest.mark.asyncio
async def test_what_is_encoded_already_is_sent_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = OperationCodec(PaymentLinks.create)
    encoded = [EncodedLink(request, codec.encode(request, ordered=True)) for request in rows(100)]
    calls = JSONCalls(monkeypatch)
    async with ledger() as server, a_client(server) as plexy:
        results = await run(plexy, encoded, journal=tmp_path / "job.journal")
        again = await run(plexy, rows(1), journal=tmp_path / "job.journal")
    assert [result.error for result in results] == [None] * 100
    assert sorted(str(result.request.order_reference) for result in results) == REFERENCES
    assert calls.requests() == ["ORD-0"]
    assert again[0].from_journal


def test_the_digest_of_a_row_is_the_one_that_earlier_journals_have() -> None:
    request = row(
        1,
        description="Тур «Чарын»",
        metadata={"z": [1.5, -0.0, 1e22, 2**64 - 1, None, {"y": True, "b": "é"}], "successUrl2": "", "A": {}},
        cancel_url="https://shop.example/cancel",
        extra={"later": {"b": 1, "a": 2}},
    )
    codec = OperationCodec(PaymentLinks.create)
    body = codec.encode(request).body
    assert body is not None
    # As it was made of a body whose keys were in any order.
    earlier = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    assert codec.encode(request, ordered=True).body == earlier
    assert codec.encode(request, ordered=True).body != body
    assert digest_of(b'{"amount":2,"currency":"KZT","orderReference":"ORD-1"}').hex() == (
        "43aa928ef35676101fff2227edd18f514c28233a3f379826c67622e345c42d5f"
    )


def test_a_page_is_read_once_also_where_its_items_hold_decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"data": [], "page": 1, "size": 10, "total": 0}'
    calls = JSONCalls(monkeypatch)
    ListingCodec(Transactions.list).decode(WireResponse(200, body))
    assert calls.read == [body]
