"""What is new and needs no branch: an error class of another code, a replay class, another aiohttp."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from plexypay_async import (
    APIError,
    ConnectError,
    Outcome,
    PlexyPayError,
    RateLimitedError,
    Replay,
    RetryPolicy,
    ServiceUnavailableError,
)
from plexypay_async._core.deadlines import Watch
from plexypay_async._core.sending import Sending
from plexypay_async._http.outbox import Outbox, is_built_as_needed
from plexypay_async._http.request import Body, Request, takes_bodies_as_known

from .scripted import (
    CODE_1,
    DROP,
    LINKS,
    SILENCE,
    Answer,
    Cut,
    Step,
    code,
    scripted,
)

NEVER = Replay("never")
ROUTE = "POST /v1/anything"


# ---------------------------------------------------------------------------------------- an error of code 6


@pytest.fixture
def quota_error() -> Iterator[type[APIError]]:
    class QuotaError(APIError):
        """Code 6: a code that the API may publish one day."""

        api_code = 6

    yield QuotaError
    # A class counts as long as it is there, and that may be long.
    del QuotaError.api_code


@pytest.mark.asyncio
@pytest.mark.parametrize("told", [6, "6", "0006"])
@pytest.mark.parametrize("status", [422, 500, 400])
async def test_a_class_is_raised_for_its_code(
    told: int | str, status: int, quota_error: type[APIError]
) -> None:
    async with scripted({f"GET {LINKS}/pl_1": code(told, status)}) as (plexy, script):
        with pytest.raises(quota_error) as caught:
            await plexy.payment_links.retrieve("pl_1")
        assert script.count() == 1
    assert type(caught.value) is quota_error
    assert (caught.value.code, caught.value.status) == (6, status)


@pytest.mark.asyncio
async def test_a_policy_may_name_its_code(quota_error: type[APIError]) -> None:
    policy = RetryPolicy(codes=(1, 6), max_attempts=3, base=0.002, cap=0.01)
    async with scripted({f"GET {LINKS}/pl_1": code(6, 500)}, retry=policy) as (plexy, script):
        with pytest.raises(quota_error):
            await plexy.payment_links.retrieve("pl_1")
        assert script.count() == 3


@pytest.mark.asyncio
async def test_without_the_class_its_code_is_told_all_the_same() -> None:
    async with scripted({f"GET {LINKS}/pl_1": code(6, 422)}) as (plexy, _):
        with pytest.raises(APIError) as caught:
            await plexy.payment_links.retrieve("pl_1")
    assert caught.value.code == 6


# ------------------------------------------------------------------------------------- a replay class: never


def test_a_class_allows_nothing_that_it_is_not_told() -> None:
    told = (NEVER.undone, NEVER.code_2, NEVER.unknown, NEVER.looks_up, NEVER.same_key, NEVER.moves_money)
    assert not any(told)
    assert not NEVER.is_protected
    assert NEVER.without_look_up == NEVER


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("step", "error", "outcome"),
    [
        (CODE_1, ServiceUnavailableError, Outcome.REJECTED),
        (Answer(429, {"message": "slow down"}), RateLimitedError, Outcome.REJECTED),
        (code(2, 500), PlexyPayError, Outcome.UNKNOWN),
        (Answer(502, b"<html>"), PlexyPayError, Outcome.UNKNOWN),
        (DROP, PlexyPayError, Outcome.UNKNOWN),
        (SILENCE, PlexyPayError, Outcome.UNKNOWN),
        (Cut(Answer(200, {"id": "x"})), PlexyPayError, Outcome.UNKNOWN),
        (Answer(200, b"<html>"), PlexyPayError, Outcome.UNKNOWN),
    ],
    ids=["code 1", "429", "code 2", "502", "closed", "silence", "cut", "a page"],
)
async def test_what_allows_nothing_is_sent_once_whatever_happens(
    step: Step, error: type[PlexyPayError], outcome: Outcome
) -> None:
    async with scripted({ROUTE: step}, read_timeout=0.1) as (plexy, script):
        with pytest.raises(error) as caught:
            await plexy.request("POST", "/v1/anything", json={}, replay=NEVER)
        assert script.counts == {ROUTE: 1}
    assert caught.value.outcome is outcome


@pytest.mark.asyncio
async def test_what_allows_nothing_connects_once(monkeypatch: pytest.MonkeyPatch) -> None:
    connects = 0
    connect = aiohttp.TCPConnector.connect

    async def counted(self: aiohttp.TCPConnector, *args: Any, **options: Any) -> Any:
        nonlocal connects
        connects += 1
        return await connect(self, *args, **options)

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", counted)
    async with scripted({}, listening=False) as (plexy, _):
        with pytest.raises(ConnectError) as caught:
            await plexy.request("POST", "/v1/anything", json={}, replay=NEVER)
    assert connects == 1
    assert caught.value.outcome is Outcome.NOT_SENT


# ------------------------------------------------------------------------------------------ another aiohttp


def test_the_aiohttp_that_is_here_is_as_the_outbox_needs_it() -> None:
    assert is_built_as_needed()


async def _with_another_step(self: Any, conn: Any) -> Any:
    await self.something_new(conn)
    return await self.write_bytes(conn, None)


async def _other_write_bytes(self: Any, writer: Any, conn: Any) -> None:
    """As of a version of aiohttp that tells no length."""


async def _other_write_headers(self: Any, status_line: str, headers: Any, extra: Any) -> None:
    """As of a version of aiohttp that takes more."""


OTHERS: dict[str, tuple[str, Any]] = {
    "send has other steps": ("plexypay_async._http.outbox.SEND_OF_AIOHTTP", _with_another_step),
    "send is no coroutine": ("plexypay_async._http.outbox.SEND_OF_AIOHTTP", lambda self, conn: None),
    "bodies are written otherwise": ("aiohttp.ClientRequest.write_bytes", _other_write_bytes),
    "headers are written otherwise": ("aiohttp.http.StreamWriter.write_headers", _other_write_headers),
    "responses are made otherwise": ("aiohttp.ClientResponse.__init__", lambda self, method: None),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_the_outbox_steps_aside_where_aiohttp_is_built_otherwise(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = OTHERS[kind]
    loop = asyncio.new_event_loop()
    try:
        assert (Outbox.where_it_helps(loop) is not None) == (sys.version_info < (3, 12))
        monkeypatch.setattr(name, other)
        assert not is_built_as_needed()
        assert Outbox.where_it_helps(loop) is None
    finally:
        loop.close()


@pytest.mark.asyncio
async def test_calls_go_on_where_the_outbox_steps_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._http.outbox._STEPS", frozenset[int]())
    async with scripted({ROUTE: [Answer(200, {"id": "x"}), Answer(200, {"id": "y"})]}) as (plexy, script):
        for _ in range(2):
            await plexy.request("POST", "/v1/anything", json={"a": 1}, replay=NEVER)
        assert script.counts == {ROUTE: 2}
        assert [seen.json for seen in script.seen] == [{"a": 1}] * 2


class AsAiohttpMakesIt(aiohttp.ClientRequest):
    DEFAULT_HEADERS = Request.DEFAULT_HEADERS


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "text/plain", "Content-Length": "3"}, {"Host": "x"}]
)
@pytest.mark.parametrize("skipped", [None, ("Content-Type",)])
@pytest.mark.parametrize("content", [b"", b'{"a": 1}', None])
@pytest.mark.parametrize("chunked", [None, True])
async def test_a_request_takes_a_body_as_aiohttp_does(
    headers: dict[str, str], skipped: tuple[str, ...] | None, content: bytes | None, chunked: bool | None
) -> None:
    assert takes_bodies_as_known()
    if chunked and "Content-Length" in headers:
        return
    made: list[aiohttp.ClientRequest] = []
    for kind in (Request, AsAiohttpMakesIt):
        body: Any = b"x" if content is None else Body(content, Sending(Watch.__new__(Watch)), None)
        made.append(
            kind(
                "POST",
                URL("http://127.0.0.1/v1/x"),
                headers=CIMultiDict(headers),
                skip_auto_headers=skipped,
                data=body,
                chunked=chunked,
                loop=asyncio.get_running_loop(),
            )
        )
    ours, theirs = made
    assert list(ours.headers.items()) == list(theirs.headers.items())
    assert ours.chunked == theirs.chunked
    assert type(ours.body) is type(theirs.body)


def test_the_shorter_way_steps_aside_where_aiohttp_takes_bodies_otherwise() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import aiohttp\n"
            "known = aiohttp.ClientRequest.update_body_from_data\n"
            "def other(self, body, _stacklevel=3): return known(self, body)\n"
            "aiohttp.ClientRequest.update_body_from_data = other\n"
            "from plexypay_async._http.request import Request\n"
            "print(Request.update_body_from_data is other)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "True\n"
