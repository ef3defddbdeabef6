"""An answer that ends before its end is lost, however its end is told; what it names still counts."""

from __future__ import annotations

import gzip
import json
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay, Outcome, PaymentLink, PlexyPayError

from .scripted import (
    BY_REFERENCE,
    DROP,
    FOUND,
    KEY,
    LINKS,
    ONCE,
    SHORT,
    Answer,
    Raw,
    link,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
LOOK_UP = f"GET {BY_REFERENCE}/ORD-1"
READ = f"GET {LINKS}/pl_1"
WHOLE = json.dumps({**link(), "metadata": {f"key-{n}": f"value {n * 7919}" for n in range(300)}}).encode()


def raw(status: int, content: bytes, *headers: str) -> Raw:
    return Raw("\r\n".join([f"HTTP/1.1 {status} OK", *headers, "", ""]).encode() + content)


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


ZIPPED = gzip.compress(WHOLE)
PACKED = "Content-Encoding: gzip"
CHUNKED = "Transfer-Encoding: chunked"
CUTS: dict[str, Callable[[int], Raw]] = {
    "by length": lambda status: raw(status, WHOLE[:900], f"Content-Length: {len(WHOLE)}"),
    "until the end": lambda status: raw(status, WHOLE[:900], "Connection: close"),
    "chunked": lambda status: raw(status, chunk(WHOLE[:900]), CHUNKED),
    "in a chunk": lambda status: raw(status, chunk(WHOLE)[:900], CHUNKED),
    "gzip by length": lambda status: raw(status, ZIPPED[:400], PACKED, f"Content-Length: {len(ZIPPED)}"),
    "gzip until the end": lambda status: raw(status, ZIPPED[:400], PACKED, "Connection: close"),
    "gzip in a whole length": lambda status: raw(status, ZIPPED[:400], PACKED, "Content-Length: 400"),
    "gzip in whole chunks": lambda status: raw(status, chunk(ZIPPED[:400]) + b"0\r\n\r\n", PACKED, CHUNKED),
    "gzip, chunked": lambda status: raw(status, chunk(ZIPPED[:400]), PACKED, CHUNKED),
}
EARLY: dict[str, Raw] = {
    "by length": raw(201, b'{"id": "pl', "Content-Length: 2000"),
    "until the end": raw(201, b'{"id": "pl', "Connection: close"),
    "until the end, with nothing": raw(201, b"", "Connection: close"),
    "chunked": raw(201, chunk(b'{"id": "pl'), CHUNKED),
    "gzip by length": raw(201, gzip.compress(WHOLE)[:12], PACKED, "Content-Length: 2000"),
    "gzip until the end": raw(201, gzip.compress(WHOLE)[:12], PACKED, "Connection: close"),
}


def create(plexy: AsyncPlexyPay, reference: str | None = "ORD-1") -> Any:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference=reference)


def causes(error: BaseException) -> list[BaseException]:
    found = [error]
    while (cause := found[-1].__cause__) is not None:
        found.append(cause)
    return found


@pytest.mark.parametrize("how", CUTS)
async def test_a_create_that_is_cut_is_looked_up(how: str) -> None:
    async with scripted({POST: CUTS[how](201), LOOK_UP: FOUND}) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 1, LOOK_UP: 1}


@pytest.mark.parametrize("how", EARLY)
async def test_a_create_that_is_cut_at_its_beginning_is_looked_up(how: str) -> None:
    async with scripted({POST: EARLY[how], LOOK_UP: FOUND}) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 1, LOOK_UP: 1}


@pytest.mark.parametrize("how", EARLY)
async def test_what_names_nothing_before_it_is_cut_is_unknown(how: str) -> None:
    async with scripted({POST: EARLY[how]}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy, None)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert script.counts == {POST: 1}


@pytest.mark.parametrize("how", CUTS)
async def test_a_create_without_a_reference_is_done_only_where_the_cut_answer_names_it(how: str) -> None:
    async with scripted({POST: CUTS[how](201)}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy, None)
        assert script.counts == {POST: 1}
    told = (
        (Outcome.DONE,) if how in ("by length", "chunked", "in a chunk") else (Outcome.DONE, Outcome.UNKNOWN)
    )
    assert caught.value.outcome in told


@pytest.mark.parametrize("how", CUTS)
async def test_a_cut_answer_that_names_another_amount_is_unknown(how: str) -> None:
    async with scripted({POST: CUTS[how](201)}) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payment_links.create(amount=7, currency="USD")
        assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("how", CUTS)
async def test_a_refund_that_is_cut_is_never_repeated(how: str) -> None:
    async with scripted({"*": CUTS[how](200)}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payments.refund("t", amount=Decimal(1))
        assert caught.value.outcome is Outcome.UNKNOWN
        assert script.count() == 1


@pytest.mark.parametrize("how", CUTS)
async def test_a_read_that_is_cut_is_asked_again(how: str) -> None:
    async with scripted({READ: [CUTS[how](200), CUTS[how](200), FOUND]}) as (plexy, script):
        assert (await plexy.payment_links.retrieve("pl_1")).id == "pl_1"
        assert script.counts == {READ: 3}


@pytest.mark.parametrize("how", CUTS)
async def test_a_look_up_that_is_cut_is_asked_again(how: str) -> None:
    async with scripted({POST: DROP, LOOK_UP: [CUTS[how](200), FOUND]}) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 1, LOOK_UP: 2}


@pytest.mark.parametrize("how", ["by length", "chunked", "in a chunk", "gzip by length", "gzip, chunked"])
@pytest.mark.parametrize("route", [POST, READ])
async def test_the_error_of_the_transport_is_the_cause(how: str, route: str) -> None:
    async with scripted({route: CUTS[how](200)}, retry=ONCE) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await (create(plexy, None) if route == POST else plexy.payment_links.retrieve("pl_1"))
    assert any(isinstance(cause, aiohttp.ClientError) for cause in causes(caught.value))


# ---------------------------------------------------------------------------------------- what is asked for


@pytest.mark.parametrize("given", [False, True], ids=["own session", "given session"])
@pytest.mark.parametrize("module", ["brotli", "brotlicffi", "zstandard"])
async def test_only_what_can_be_read_is_asked_for(
    given: bool, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    monkeypatch.setattr(
        "aiohttp.client_reqrep.ClientRequest.DEFAULT_HEADERS", {"Accept-Encoding": "gzip, br"}
    )
    async with serving({READ: FOUND, POST: FOUND}) as server:
        session = aiohttp.ClientSession(headers={"Accept-Encoding": "br, zstd"}) if given else None
        async with AsyncPlexyPay(KEY, base_url=server.url, session=session, retry=SHORT) as plexy:
            await plexy.payment_links.retrieve("pl_1")
            await create(plexy)
        if session is not None:
            await session.close()
        assert [seen.headers["accept-encoding"] for seen in server.script.seen] == ["gzip, deflate"] * 2


async def test_a_packed_answer_that_is_whole_is_read() -> None:
    answer = Answer(200, ZIPPED, {"Content-Encoding": "gzip"})
    async with scripted({READ: answer}) as (plexy, _):
        assert (await plexy.payment_links.retrieve("pl_1")).id == "pl_1"
