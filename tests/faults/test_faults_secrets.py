"""The API key is nowhere: not in an error, its causes, its traceback with locals, a log record or a repr."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, PlexyPayError, RetryPolicy

from .scripted import (
    BY_REFERENCE,
    CREATED,
    DROP,
    KEY,
    LINKS,
    NOT_FOUND,
    ONCE,
    RESET,
    SHORT,
    SILENCE,
    Answer,
    Cut,
    Raw,
    Seen,
    Step,
    Trickle,
    code,
    link,
    page,
    scripted,
)

pytestmark = pytest.mark.asyncio

# What JSON escapes is legal in a key too.
AWKWARD = 'pr_/a"b\\c<d>&e'


def echo(make: Callable[[str], Step]) -> Callable[[Seen], Step]:
    """A server that sends the key back."""
    return lambda seen: make(seen.headers["authorization"])


def _error_body(status: int) -> Callable[[str], Step]:
    return lambda key: Answer(
        status,
        {"code": 3, "message": f"bad key {key}", "source": f"keys {key}", "type": key, "headers": {"A": key}},
    )


ANSWERS: dict[str, Any] = {
    "401": echo(_error_body(401)),
    "400": echo(_error_body(400)),
    "500": echo(_error_body(500)),
    "429": echo(_error_body(429)),
    "302": echo(lambda key: Answer(302, key.encode(), {"Location": f"/{key[:3]}"})),
    "500 as html": echo(lambda key: Answer(500, f"<html>Authorization: {key}</html>".encode())),
    "500 as text at the edge": echo(lambda key: Answer(500, b"x" * 105 + key.encode())),
    "200 as html": echo(lambda key: Answer(200, f"<html>Authorization: {key}</html>".encode())),
    "200 of another shape": echo(lambda key: Answer(200, {"echo": key})),
    "200 with a field of another kind": echo(lambda key: Answer(200, link(createdAt=key))),
    "201 cut": echo(lambda key: Cut(Answer(201, {"echo": key}))),
    "500 cut": echo(lambda key: Cut(Answer(500, {"message": key, "more": "x" * 100}))),
    "retry-after": echo(lambda key: code(1, 503, Retry_After=key)),
    "garbage": Raw(b"nonsense\r\n\r\n"),
    "garbage with the key": echo(lambda key: Raw(f"nonsense {key}\r\n\r\n".encode())),
    "header with the key": echo(lambda key: Raw(f"HTTP/1.1 200 OK\r\nbad header {key}\r\n\r\n{{}}".encode())),
    "length with the key": echo(
        lambda key: Raw(f"HTTP/1.1 200 OK\r\nContent-Length: {key}\r\n\r\n{{}}".encode())
    ),
    "disconnect": DROP,
    "reset": RESET,
    "read time-out": SILENCE,
    "trickle": Trickle(CREATED),
    "not found": NOT_FOUND,
}

CALLS: dict[str, Callable[[AsyncPlexyPay], Any]] = {
    "retrieve": lambda plexy: plexy.payment_links.retrieve("pl_1"),
    "create": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT", order_reference="ORD-1"),
    "create without a reference": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
    "cancel": lambda plexy: plexy.payment_links.cancel("pl_1"),
    "money": lambda plexy: plexy.request("POST", "/v1/payments/1/refund"),
    "statistics": lambda plexy: plexy.payment_links.statistics(),
    "listing": lambda plexy: plexy.payment_links.list().first_page(),
}


def told(error: BaseException) -> str:
    """Everything that can be shown of an error."""
    texts: list[str] = []
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or any(one is other for other in seen):
            continue
        seen.append(one)
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        shown = traceback.TracebackException(type(one), one, one.__traceback__, capture_locals=True)
        texts += shown.format()
        waiting += [one.__cause__, one.__context__, *getattr(one, "attempts", ())]
    return "\n".join(texts)


def spellings(key: str) -> list[str]:
    """The key as it is, and as JSON and a Python repr would write it."""
    return [key, json.dumps(key)[1:-1], repr(key)[1:-1], key.replace("/", "\\/")]


def assert_hidden(key: str, text: str) -> None:
    for spelt in spellings(key):
        lines = [line.strip()[:300] for line in text.splitlines() if spelt in line]
        assert not lines, f"the key is shown in: {lines[:3]}"


async def _caught(plexy: AsyncPlexyPay, call: Callable[[AsyncPlexyPay], Any]) -> BaseException | None:
    """The error, with the frames of the library but none of this file that holds the key."""
    try:
        await call(plexy)
    except Exception as error:  # noqa: BLE001 - whatever it is must hide the key
        return error
    return None


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("key", [KEY, AWKWARD], ids=["usual", "awkward"])
async def test_no_answer_brings_the_key_to_light(
    name: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    policy = RetryPolicy(max_attempts=2, base=0.001, cap=0.002)
    errors: list[BaseException] = []
    async with scripted({"*": ANSWERS[name]}, retry=policy, read_timeout=0.03, timeout=0.1) as (plain, _):
        plexy = plain.with_options(api_key=key)
        ends = await asyncio.gather(*(_caught(plexy, call) for call in CALLS.values()))
        errors += [error for error in ends if error is not None]
    assert len(errors) >= 3
    for error in errors:
        assert isinstance(error, PlexyPayError)
        assert_hidden(key, told(error))
        restored = pickle.loads(pickle.dumps(error))
        assert_hidden(key, told(restored))
        assert str(restored) == str(error)
    assert_hidden(key, "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records)]))


@pytest.mark.parametrize("key", [KEY, AWKWARD, lambda: KEY], ids=["usual", "awkward", "callable"])
async def test_a_refused_connection_does_not_show_the_key(key: Any) -> None:
    async with scripted({}, listening=False, retry=ONCE) as (plain, _):
        plexy = plain.with_options(api_key=key)
        for call in CALLS.values():
            error = await _caught(plexy, call)
            assert isinstance(error, PlexyPayError)
            assert_hidden(str(key() if callable(key) else key), told(error))


@pytest.mark.parametrize("where", ["sending", "waiting", "pausing"])
async def test_a_deadline_does_not_show_the_key(where: str) -> None:
    routes: dict[str, Any] = {"*": SILENCE if where != "pausing" else [DROP, SILENCE]}
    async with scripted(routes, timeout=0.1, max_connections=1 if where == "waiting" else 10) as (plexy, _):
        errors = await asyncio.gather(*(_caught(plexy, CALLS["create"]) for _ in range(3)))
    for error in errors:
        assert isinstance(error, PlexyPayError)
        assert_hidden(KEY, told(error))


@pytest.mark.parametrize("proof", ["disproved", "another reference", "conflict"])
async def test_a_recovery_that_fails_does_not_show_the_key(proof: str) -> None:
    look_up = {
        "disproved": NOT_FOUND,
        "another reference": Answer(200, link("OTHER")),
        "conflict": Answer(200, link(amount=7)),
    }[proof]
    routes = {f"POST {LINKS}": DROP, f"GET {BY_REFERENCE}/*": look_up, f"GET {LINKS}": page(link("OTHER"))}
    async with scripted(routes) as (plexy, _):
        error = await _caught(plexy, CALLS["create"])
    assert isinstance(error, PlexyPayError)
    assert_hidden(KEY, told(error))


async def test_a_client_closed_in_mid_call_does_not_show_the_key() -> None:
    async with scripted({"*": SILENCE}, timeout=1) as (plexy, script):
        calls = [asyncio.ensure_future(_caught(plexy, call)) for call in CALLS.values()]
        while script.count() < len(calls):
            await asyncio.sleep(0.005)
        await plexy.close()
        for error in await asyncio.gather(*calls):
            assert error is not None
            assert_hidden(KEY, told(error))


@pytest.mark.parametrize("answer", [None, Raw(b"nonsense\r\n\r\n"), DROP, SILENCE, code(4, 404)], ids=str)
async def test_an_error_that_the_caller_is_handling_keeps_its_traceback(answer: Any) -> None:
    """Frames are taken from the library's errors and from aiohttp's, never from the caller's own."""
    routes = {} if answer is None else {"*": answer}
    async with scripted(routes, listening=answer is not None, retry=ONCE, read_timeout=0.03) as (plexy, _):
        try:
            raise LookupError("the caller's own")
        except LookupError as error:
            own = error
            failed = await _caught(plexy, CALLS["retrieve"])
            frames = own.__traceback__
    assert isinstance(failed, PlexyPayError)
    assert frames is not None


async def test_no_repr_shows_the_key() -> None:
    async with scripted({}, retry=SHORT) as (plexy, _):
        execution = plexy._execution  # pyright: ignore[reportPrivateUsage]
        shown = [
            plexy,
            plexy.payment_links,
            plexy.payment_links.create,
            plexy.payment_links.list(),
            execution.settings,
            execution.options,
            plexy.with_options(api_key=KEY),
        ]
        assert_hidden(KEY, "\n".join(f"{each!r} {each}" for each in shown))


async def test_a_short_key_does_not_change_how_an_answer_is_read() -> None:
    """Hiding what a server sends back must not touch the words by which its answer is understood."""
    for key in ("code", "1", "message", '"', "e"):
        async with scripted({"*": code(1, 500)}, retry=ONCE) as (plain, _):
            error = await _caught(plain.with_options(api_key=key), CALLS["retrieve"])
            assert getattr(error, "code", None) == 1, key


@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_a_cancelled_call_shows_no_key_and_no_argument(how: str) -> None:
    async with scripted({"*": SILENCE}) as (plexy, script):
        calling = asyncio.create_task(
            plexy.direct_payments.continue_3ds(cres="the-cres-of-a-customer", transaction_id="t-1")
        )
        while not script.count():
            await asyncio.sleep(0.001)
        if how == "cancel":
            calling.cancel()
        with pytest.raises((asyncio.CancelledError, TimeoutError)) as caught:
            await asyncio.wait_for(calling, None if how == "cancel" else 0.01)
        shown = "".join(
            traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        )
    # The test's own frames have them.
    shown = shown.split("plexypay_async", 1)[-1] if "plexypay_async" in shown else ""
    assert KEY not in shown
    assert "the-cres-of-a-customer" not in shown
