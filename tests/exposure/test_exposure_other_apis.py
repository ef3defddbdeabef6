"""What a server of another API says of the key is hidden in every error, on both facades."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plexypay_async import PlexyPayError
from tests.faults.scripted import SHORT, Answer, Cut, Raw, Script, Seen, serving
from tests.fourth_api.clients import AsyncParcels, SyncParcels

KEY = "pk_5ecre7c0ffee5ecre7c0ffee5ecre7c0"
NUMBER = "4918914107195005"
PARCELS = "/depots/d/parcels"
OPTIONS: dict[str, Any] = {"depot_id": "d", "till": "t", "retry": SHORT, "timeout": 3.0, "read_timeout": 0.2}


def said(make: Callable[[str], Any]) -> Callable[[Seen], Any]:
    return lambda seen: make(f"{seen.headers['x-parcel-key']} {NUMBER}")


def fault(status: int, kind: str | None, reason: str | None = None) -> Callable[[Seen], Any]:
    def answer(text: str) -> Answer:
        inner = {"reason": reason or text, "text": text, "field": text, "trace": text, "type": kind or text}
        key = text.split()[0]
        return Answer(status, {"fault": inner, "more": [text]}, {"X-Request-Id": key, "X-Said": key})

    return said(answer)


ANSWERS: dict[str, Any] = {
    "401": fault(401, "mistake"),
    "404": fault(404, None, "gone"),
    "409": fault(409, "mistake", "key_in_use"),
    "402": fault(402, "refusal"),
    "422": fault(422, "mistake"),
    "500": fault(500, None),
    "a success": fault(200, "mistake"),
    "a success of nothing": said(lambda text: Answer(200, {"odd": text})),
    "a page": said(lambda text: Answer(200, f"<html>{text}".encode())),
    "cut": said(lambda text: Cut(Answer(200, {"label": text}))),
    "no HTTP": said(lambda text: Raw(f"{text}\r\n\r\n".encode())),
}


def every_error(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        if isinstance(error, PlexyPayError):
            yield from error.attempts
        error = error.__cause__ or error.__context__


def shown(error: BaseException) -> str:
    parts = [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
    for one in every_error(error):
        parts += [str(one), repr(vars(one)), *getattr(one, "__notes__", ())]
        parts += [str(pickle.dumps(one))] if isinstance(one, PlexyPayError) else []
        for frame, _ in traceback.walk_tb(one.__traceback__):
            module = str(frame.f_globals.get("__name__"))
            if module.startswith(("plexypay", "aiohttp")):
                parts += [repr(value) for value in frame.f_locals.values()]
    return "\n".join(parts)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("call", ["create", "quote", "list"])
@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.asyncio
async def test_no_error_shows_the_key_or_a_card(kind: str, call: str, name: str) -> None:
    script = Script({f"* {PARCELS}": ANSWERS[name], "POST /depots/d/quotes": ANSWERS[name]})

    def in_thread(url: str) -> Any:
        with SyncParcels(KEY, base_url=url, **OPTIONS) as client:
            perform = getattr(client.parcels, call)
            return perform().first_page() if call == "list" else perform(weight=5)

    async def on_the_loop(url: str) -> Any:
        async with AsyncParcels(KEY, base_url=url, **OPTIONS) as client:
            perform = getattr(client.parcels, call)
            return await (perform().first_page() if call == "list" else perform(weight=5))

    async with serving(script) as server:
        calling = on_the_loop(server.url) if kind == "async" else asyncio.to_thread(in_thread, server.url)
        with pytest.raises(PlexyPayError) as caught:
            await calling
    assert script.seen
    text = shown(caught.value)
    assert KEY not in text
    assert NUMBER not in text


def test_what_a_server_says_would_be_seen() -> None:
    error = PlexyPayError(f"{KEY} {NUMBER}")
    assert KEY in shown(error)
    assert NUMBER in shown(error)
