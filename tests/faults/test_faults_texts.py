"""What the text of an error says for support: the id of the request, who was asked, and with whose key."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    AuthenticationError,
    ConnectError,
    CreatePaymentLink,
    DeadlineExceededError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
    RefusedError,
    UnreadableResponseError,
)
from plexypay_async.answered import request_id_told
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay
from tests.refusing_port import refusing_port

from .scripted import KEY, LINKS, ONCE, Answer, code, link, scripted

pytestmark = pytest.mark.asyncio

CREATE = f"POST {LINKS}"
READ = f"GET {LINKS}/pl_1"
HEADERS = {"X-Request-Id": "req-42"}


async def failure(answer: Answer, call: Callable[[AsyncPlexyPay], Any], **options: Any) -> PlexyPayError:
    async with scripted({"*": answer}, **{"retry": ONCE, **options}) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await call(plexy)
    return caught.value


def create(plexy: AsyncPlexyPay) -> Any:
    return plexy.payment_links.create(amount=1, currency="KZT")


def retrieve(plexy: AsyncPlexyPay) -> Any:
    return plexy.payment_links.retrieve("pl_1")


# -------------------------------------------------------------------------------------- a request's id


async def test_an_error_with_an_answer_says_the_id_of_its_request() -> None:
    error = await failure(Answer(404, {"code": 4, "message": "no such link."}, HEADERS), retrieve)
    assert str(error) == "payment_links.retrieve 'pl_1': HTTP 404, code 4: no such link, request id req-42"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


async def test_what_is_told_of_the_outcome_says_the_id_once() -> None:
    error = await failure(
        Answer(500, {"code": 2, "message": "boom"}, HEADERS), lambda plexy: plexy.payments.capture("t_1")
    )
    assert isinstance(error, OutcomeUnknownError)
    assert str(error).count("request id req-42") == 1
    assert "(HTTP 500, code 2: boom, request id req-42). Money may have moved" in str(error)


@pytest.mark.parametrize(
    ("kind", "answer", "call"),
    [
        (UnreadableResponseError, Answer(200, b"<html>", HEADERS), retrieve),
        (
            RefusedError,
            Answer(200, {"success": False, "message": "no funds", "code": "51"}, HEADERS),
            lambda plexy: plexy.payments.capture("t_1"),
        ),
        (PlexyPayError, Answer(400, {"code": 3, "message": "no"}, HEADERS), lambda p: p.request("GET", "/x")),
    ],
)
async def test_whatever_an_answer_was_its_id_is_said(kind: type[Any], answer: Answer, call: Any) -> None:
    error = await failure(answer, call)
    assert isinstance(error, kind)
    assert str(error).endswith(", request id req-42")


async def test_a_row_of_a_job_says_the_id_too() -> None:
    refused = Answer(400, {"code": 3, "message": "no", "type": "apiError"}, HEADERS)
    async with scripted({CREATE: refused}) as (plexy, _):
        requests = [CreatePaymentLink(amount=1, currency="KZT", order_reference="ORD-1")]
        (result,) = [result async for result in plexy.payment_links.create_many(requests)]
    assert str(result.error) == "HTTP 400, code 3: no, request id req-42"


HOSTILE = (
    "two words",
    "x" * 129,
    "4111111111111111",
    "user:secret@host",
    KEY,
    f"id-{KEY}",
    "<b>req\N{LATIN SMALL LETTER E WITH ACUTE}</b>",
)


@pytest.mark.parametrize("value", HOSTILE)
async def test_an_id_that_is_no_plain_word_is_in_no_text(value: str, caplog: Any) -> None:
    caplog.set_level("DEBUG", logger="plexypay")
    error = await failure(Answer(404, {"code": 4, "message": "no"}, {"X-Request-Id": value}), retrieve)
    assert str(error) == "payment_links.retrieve 'pl_1': HTTP 404, code 4: no"
    assert caplog.records
    assert "request id" not in "\n".join(record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("value", ["a\nb", "a\x1b[31m", "", "\u202ereq", "a\tb", None])
async def test_an_id_that_a_terminal_obeys_is_not_told(value: str | None) -> None:
    assert request_id_told(value) == ""
    assert request_id_told("Root=1-67891233-abcdef012345678912345678") != ""


# ------------------------------------------------------------------------------------- a key refused


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)])
async def test_a_refused_key_names_the_host(status: int, kind: type[PlexyPayError]) -> None:
    async with scripted({"*": code(3, status)}, retry=ONCE) as (plexy, _):
        with pytest.raises(kind) as caught:
            await retrieve(plexy)
        with pytest.raises(kind) as raw:
            await plexy.request("GET", "/x")
    host = repr(plexy).partition("//")[2].removesuffix(">")
    for error in (caught.value, raw.value):
        assert str(error).endswith(f" (asked {host})")
        assert KEY not in str(error)


@pytest.fixture
def foreign_key(monkeypatch: pytest.MonkeyPatch, plexypay_sandbox: Sandbox) -> str:
    monkeypatch.setenv("PLEXYPAY_API_KEY", "key-of-somebody-else")
    return plexypay_sandbox.base_url.removeprefix("http://")


async def test_a_refused_key_names_the_variables_that_said_so(foreign_key: str) -> None:
    told = f" (asked {foreign_key}, which PLEXYPAY_BASE_URL names, with the key from PLEXYPAY_API_KEY)"
    async with AsyncPlexyPay(retry=ONCE) as plexy:
        with pytest.raises(AuthenticationError) as caught:
            await retrieve(plexy)
        assert str(caught.value).endswith(told)
        with pytest.raises(AuthenticationError) as caught:
            await retrieve(plexy.with_options(api_key="key-of-a-call"))
        assert str(caught.value).endswith(f" (asked {foreign_key}, which PLEXYPAY_BASE_URL names)")
        with pytest.raises(AuthenticationError) as caught:
            await plexy.payment_links.retrieve.with_options(timeout=5)("pl_1")
        assert str(caught.value).endswith(told)
        assert "somebody" not in str(caught.value)
        requests = [CreatePaymentLink(amount=1, currency="KZT", order_reference="ORD-1")]
        (result,) = [result async for result in plexy.payment_links.create_many(requests)]
        assert str(result.error).endswith(told)
    async with AsyncPlexyPay("given-key", base_url=f"http://{foreign_key}") as plexy:
        with pytest.raises(AuthenticationError) as caught:
            await retrieve(plexy)
        assert str(caught.value).endswith(f" (asked {foreign_key})")


async def test_a_sync_client_says_the_same(foreign_key: str) -> None:
    def ask() -> str:
        with PlexyPay(retry=ONCE) as plexy, pytest.raises(AuthenticationError) as caught:
            plexy.payment_links.retrieve("pl_1")
        return str(caught.value)

    told = await asyncio.to_thread(ask)
    assert told.endswith(
        f" (asked {foreign_key}, which PLEXYPAY_BASE_URL names, with the key from PLEXYPAY_API_KEY)"
    )


async def test_what_is_no_matter_of_the_key_names_no_host() -> None:
    error = await failure(code(3, 400), create)
    assert "asked" not in str(error)
    async with scripted({READ: Answer(200, link())}) as (plexy, _):
        assert (await retrieve(plexy)).id


# ------------------------------------------------------------------------------- where nobody answers


def exceptions_in(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None:
        found.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return found


async def test_where_nothing_listens_the_chain_is_short_and_loses_nothing() -> None:
    with refusing_port() as port:
        async with AsyncPlexyPay(KEY, base_url=f"http://127.0.0.1:{port}", timeout=0.3, retry=ONCE) as plexy:
            with pytest.raises((ConnectError, DeadlineExceededError)) as caught:
                await retrieve(plexy)
    chain = exceptions_in(caught.value)
    assert [type(one) for one in chain] == [ConnectError, aiohttp.ClientConnectorError]
    cause = chain[1]
    assert isinstance(cause, aiohttp.ClientConnectorError)
    assert isinstance(cause.os_error, ConnectionRefusedError)
    assert "Connection refused" in str(chain[0])
    written = "".join(traceback.format_exception(caught.value))
    assert "uvloop" not in written
    assert written.count("The above exception") == 1


async def test_what_a_resolver_of_the_callers_raises_stays_in_the_chain() -> None:
    class Broken(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            raise OSError("no address today")

        async def close(self) -> None:
            pass

    connector = aiohttp.TCPConnector(resolver=Broken())
    async with aiohttp.ClientSession(connector=connector) as session:
        plexy = AsyncPlexyPay(KEY, base_url="https://shop.example", session=session, retry=ONCE, timeout=5)
        with pytest.raises(ConnectError) as caught:
            await retrieve(plexy)
    (_, _, raised) = exceptions_in(caught.value)
    assert any(__file__ in note for note in raised.__notes__)
