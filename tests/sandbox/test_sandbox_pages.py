"""What all pages of the sandbox share: escaping, headers, and whom they serve."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import aiohttp
import pytest

from plexypay_async.sandbox import Sandbox
from plexypay_async.sandbox.pages import html_page, markup, web_address

HOSTILE = """"'><script>alert(1)</script>&amp;{0}{x}"""


def test_every_value_is_escaped() -> None:
    filled = markup(
        '<a title="{}">{x}{y}{z}</a>', HOSTILE, x=[HOSTILE, 7, None], y=markup("<b>{}</b>", "<"), z=()
    )
    escaped = "&quot;&#x27;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;{0}{x}"
    assert filled.text == f'<a title="{escaped}">{escaped}7<b>&lt;</b></a>'


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//a/b",
        "a",
        "",
        "http:///a",
        "http://a/\nb",
        "http://[::1",
        "http://a:99999/",
        None,
        7,
    ],
)
def test_what_leads_nowhere(text: object) -> None:
    assert web_address(text) is None


def test_web_addresses() -> None:
    assert web_address("https://a.example/b?c=%20&d=e+f") == "https://a.example/b?c=%20&d=e+f"
    assert web_address(" http://a/b c\u202e") is None
    assert web_address(' http://a/б"<') == "http://a/%D0%B1%22%3C"


def test_the_policy_of_a_page() -> None:
    page = html_page("a<b", markup("<p>{}</p>", "\ud800"), styles="p { color: red }")
    text = bytes(page.body).decode()  # type: ignore[arg-type]
    assert "<title>a&lt;b · Plexy Pay sandbox</title>" in text
    style = re.findall("<style>(.*)</style>", text, re.DOTALL)[0]
    assert style.endswith("p { color: red }")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )
    assert page.headers["Cache-Control"] == "no-store"
    away = html_page("a", markup(""), leads_away=True, framed=True).headers["Content-Security-Policy"]
    assert "form-action 'self' http: https:; base-uri 'none'; frame-ancestors *" in away


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "{base_url}"}, True),
        ({"Origin": "{base_url}", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Host": "localhost:7", "Origin": "http://localhost:7"}, True),
        ({"Host": "sandbox:7", "Origin": "http://sandbox:7"}, True),
        ({"Host": "shop.localhost", "Origin": "http://shop.localhost"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "{base_url}", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        # A name of a stranger's that leads here.
        ({"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, False),
        ({"Host": "evil.example."}, False),
        ({"Host": "127.0.0.1.evil.example"}, False),
    ],
)
async def test_pages_of_other_sites_cannot_steer_the_sandbox(
    sandbox: Sandbox, session: aiohttp.ClientSession, headers: dict[str, str], allowed: bool
) -> None:
    sent = {name: value.format(base_url=sandbox.base_url) for name, value in headers.items()}
    sandbox.faults.add("code=1")
    for method, path, served in (("POST", "/_sandbox/reset", 200), ("POST", "/", 404)):
        data: Any = {"resend": "none"} if path == "/" else None
        async with session.request(method, sandbox.base_url + path, headers=sent, data=data) as response:
            assert response.status == (served if allowed else 403)
    assert len(sandbox.faults) == (0 if allowed else 1)
    # Reading is kept from other sites by the browser, unless it takes the sandbox for one of theirs.
    foreign = "evil.example" in headers.get("Host", "")
    for path in ("/", "/_sandbox", "/_sandbox/deliveries"):
        async with session.get(sandbox.base_url + path, headers=sent) as response:
            assert response.status == (403 if foreign else 200)
