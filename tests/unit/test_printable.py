"""What others say, on one line and with nothing that a terminal obeys or a reader does not see."""

from __future__ import annotations

import json
import logging
import sys
import unicodedata

import pytest
from aiohttp import web

from plexypay_async import AsyncPlexyPay, PlexyPayError, RetryPolicy
from plexypay_async._privacy.printable import log, printable, printable_json

HOSTILE = (
    "a\x1b[2J\x1b]0;title\x07\r\n\t\x00\x7f\x85\x9b2J\u200b\u200d\u2028\u2029\u202e\u2066\ufeff\ud800\u3164"
    "\U000e0041b"
)
ESCAPED = (
    r"a\x1b[2J\x1b]0;title\x07\r\n\t\x00\x7f\x85\x9b2J\u200b\u200d\u2028\u2029\u202e\u2066\ufeff\ud800\u3164"
    r"\U000e0041b"
)
SEEN = "Тур «Чарын», 1\u00a0000 ₸ 👍 [bold]x[/bold] \\x1b"


def test_what_is_seen_stays_and_the_rest_is_escaped() -> None:
    assert printable(SEEN) == SEEN
    assert printable(HOSTILE) == ESCAPED
    assert printable("a\tb\nc\x1b", keep="\t\n") == "a\tb\nc\\x1b"


def test_every_character_that_is_no_letter_of_its_own_is_escaped() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        obeyed = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        if obeyed:
            assert printable(character).isascii()
            assert len(printable(character)) > 1


@pytest.mark.parametrize("text", [HOSTILE, SEEN])
def test_json_is_read_as_the_same_and_shows_nothing_else(text: str) -> None:
    shown = printable_json({text: [text, 1, None, {"a": text}]})

    assert json.loads(shown) == {text: [text, 1, None, {"a": text}]}
    assert printable(shown) == shown
    assert ("\u00a0" in shown) == (text is SEEN)
    in_ascii = printable_json(text, in_ascii=True)
    assert in_ascii.isascii()
    assert in_ascii.isprintable()
    assert json.loads(in_ascii) == text


def test_a_log_record_is_one_line_with_its_template_and_numbers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log.info("%s: attempt %d failed (%s); pausing %.3f s", "name\n", 3, ValueError(HOSTILE), 0.5)

    (record,) = caplog.records
    assert record.getMessage() == f"name\\n: attempt 3 failed ({ESCAPED}); pausing 0.500 s"
    assert record.msg == "%s: attempt %d failed (%s); pausing %.3f s"


@pytest.mark.asyncio
async def test_what_a_server_says_makes_no_second_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "plexypay")

    async def refuse(_: web.Request) -> web.Response:
        message = "busy\n2026-11-28 ERROR forged: all is well\x1b[2J\u202e"
        return web.json_response({"code": 1, "message": message, "type": "apiError"}, status=503)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        policy = RetryPolicy(max_attempts=3, base=0.001, cap=0.002)
        async with AsyncPlexyPay("key", base_url=base_url, retry=policy) as plexy:
            with pytest.raises(PlexyPayError):
                await plexy.payment_links.retrieve("pl_1")
    finally:
        await runner.cleanup()
    assert len(caplog.records) >= 2
    assert any("forged" in record.getMessage() for record in caplog.records)
    for record in caplog.records:
        assert printable(record.getMessage()) == record.getMessage()
