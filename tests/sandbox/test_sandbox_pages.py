"""What all pages of the sandbox share: escaping and headers."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from plexypay_async.sandbox.pages.html import html_page, markup, web_address

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
